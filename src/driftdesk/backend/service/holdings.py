"""Positions of one account and of all of them (wire/alpaca.md 11.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from sqlalchemy import Connection, select

from driftdesk.backend.service.base import Base
from driftdesk.backend.service.closes import Closes
from driftdesk.backend.store.tables import accounts, assets, fills, orders, positions
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.errors import NotFound
from driftdesk.money import CENT, ZERO, exact, round_cents, round_price, round_to
from driftdesk.wire.accounts import BulkPositions, Position

FRACTION_STEP: Final = Decimal("0.000001")

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the positions in one symbol share: asset id, exchange, class, price now and at the last close (USD)."""

    asset_id: str
    exchange: str
    asset_class: str
    price: Decimal | None
    last: Decimal | None
    change: Decimal | None


class Holdings(Base):
    """What accounts hold."""

    def positions(self, account_id: str) -> list[Position]:
        """The account's holdings, by symbol."""
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            return self._positions(connection, account_id).get(account_id, [])

    def position(self, account_id: str, symbol_or_id: str) -> Position:
        """One holding by symbol or asset id; NotFound where the account has none."""
        for position in self.positions(account_id):
            if symbol_or_id.upper() == position.symbol or symbol_or_id == position.asset_id:
                return position
        raise NotFound(f"Account {account_id} holds no {symbol_or_id}.")

    def all_positions(self) -> BulkPositions:
        """Holdings and cash of every account in one read."""
        with self.world.database.read() as connection:
            found = self._positions(connection, None)
            cash = {row.id: row.cash for row in connection.execute(select(accounts.c.id, accounts.c.cash))}
            reserved: dict[str, Decimal] = {}
            for row in connection.execute(
                select(orders.c.account_id, orders.c.reserved).where(
                    orders.c.due_at.is_not(None), orders.c.side == Side.BUY
                )
            ):
                reserved[row.account_id] = reserved.get(row.account_id, ZERO) + row.reserved
        return BulkPositions.model_construct(
            as_of=self.world.now(),
            positions={account_id: tuple(found.get(account_id, ())) for account_id in cash},
            cash=cash,
            reserved_cash=reserved,
        )

    @exact
    def _positions(self, connection: Connection, account_id: str | None) -> dict[str, list[Position]]:
        now = self.world.now()
        opened = self.world.sessions.latest_opened(now).open
        listed = self._listed(connection, now)
        query = (
            select(positions, accounts.c.created_at)
            .join(accounts, accounts.c.id == positions.c.account_id)
            .order_by(positions.c.account_id, positions.c.symbol)
        )
        if account_id is not None:
            query = query.where(positions.c.account_id == account_id)
        moves = _moves_since(connection, opened, account_id)
        reserved = _reserved(connection, account_id)
        found: dict[str, list[Position]] = {}
        for account, symbol, quantity, basis, created_at in connection.execute(query):
            asset = listed[symbol]
            key = (account, symbol)
            # An account younger than the session held nothing at the last close.
            day_basis = basis if created_at >= opened else _day_basis(quantity, asset.last, moves.get(key, ()))
            available = quantity - reserved[key] if key in reserved else quantity
            found.setdefault(account, []).append(_position(symbol, asset, (quantity, available), basis, day_basis))
        return found

    def _listed(self, connection: Connection, now: datetime) -> dict[str, _Listed]:
        market = self.world.market(connection, now)
        closes = Closes(self.world, connection)
        sessions = self.world.sessions
        yesterday = sessions.before(sessions.latest_opened(now).date)
        listed: dict[str, _Listed] = {}
        for row in connection.execute(select(assets)):
            price, last = market.quote(Symbol(row.symbol)).price, closes.close(row.symbol, yesterday)
            change = None if price is None or last is None else fraction(price - last, last)
            listed[row.symbol] = _Listed(row.id, row.exchange, row.asset_class, price, last, change)
        return listed


def fraction(part: Decimal, whole: Decimal) -> Decimal | None:
    """part / whole half-up to 0.000001, None over nothing; to be called under `exact`."""
    return round_to(part / whole, FRACTION_STEP, ROUND_HALF_UP) if whole else None


def _moves_since(
    connection: Connection, opened: datetime, account_id: str | None
) -> dict[_Key, list[tuple[Decimal, Decimal]]]:
    """(signed shares, cash) of each fill since `opened`, oldest first, by account and symbol."""
    query = (
        select(fills.c.account_id, fills.c.symbol, fills.c.side, fills.c.quantity, fills.c.cash)
        .where(fills.c.at >= opened)
        .order_by(fills.c.id)
    )
    if account_id is not None:
        query = query.where(fills.c.account_id == account_id)
    moves: dict[_Key, list[tuple[Decimal, Decimal]]] = {}
    for row in connection.execute(query):
        shares = row.quantity if row.side == Side.BUY else -row.quantity
        moves.setdefault((row.account_id, row.symbol), []).append((shares, row.cash))
    return moves


def _reserved(connection: Connection, account_id: str | None) -> dict[_Key, Decimal]:
    """Shares that open sell orders hold back, by account and symbol."""
    query = select(orders.c.account_id, orders.c.symbol, orders.c.reserved).where(
        orders.c.due_at.is_not(None), orders.c.side == Side.SELL
    )
    if account_id is not None:
        query = query.where(orders.c.account_id == account_id)
    reserved: dict[_Key, Decimal] = {}
    for row in connection.execute(query):
        key = (row.account_id, row.symbol)
        reserved[key] = reserved.get(key, ZERO) + row.reserved
    return reserved


def _day_basis(quantity: Decimal, last: Decimal | None, moves: Sequence[tuple[Decimal, Decimal]]) -> Decimal | None:
    """What the shares cost as of this session: their value at the last close, and what was paid since.

    A sale takes its proportion with it, as in the cost basis. None without a last close, and where a split in between
    leaves nothing that the sale could have been of.
    """
    if last is None:
        return None
    held = quantity - sum((shares for shares, _ in moves), ZERO)
    basis = round_cents(held * last)
    for shares, cash in moves:
        left = held + shares
        if shares < ZERO and held == ZERO:
            return None
        basis = basis + cash if shares > 0 else round_to(basis * left / held, CENT, ROUND_HALF_UP)
        held = left
    return basis


def _position(
    symbol: str,
    asset: _Listed,
    shares: tuple[Decimal, Decimal],
    basis: Decimal,
    day_basis: Decimal | None,
) -> Position:
    quantity, available = shares
    value = None if asset.price is None else round_cents(quantity * asset.price)
    profit = None if value is None else value - basis
    today = None if value is None or day_basis is None else value - day_basis
    fields: dict[str, Any] = {
        "asset_id": asset.asset_id,
        "symbol": symbol,
        "exchange": asset.exchange,
        "asset_class": asset.asset_class,
        "asset_marginable": False,
        "avg_entry_price": round_price(basis / quantity),
        "qty": quantity,
        "qty_available": available,
        "side": "short" if quantity < ZERO else "long",
        "market_value": value,
        "cost_basis": basis,
        "current_price": asset.price,
        "lastday_price": asset.last,
        "change_today": asset.change,
        "unrealized_pl": profit,
        "unrealized_plpc": None if profit is None else fraction(profit, basis),
        "unrealized_intraday_pl": today,
        "unrealized_intraday_plpc": None if today is None or day_basis is None else fraction(today, day_basis),
    }
    # Values of ours are not validated again: for a whole book that would take longer than everything else.
    return Position.model_construct(**fields)
