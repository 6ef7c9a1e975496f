"""Accounts, positions, assets, clock, calendar and prices (wire/alpaca.md 11, 12)."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from driftdesk.backend.rows import average_price, order_message
from driftdesk.backend.service.base import Base
from driftdesk.backend.store.tables import accounts, assets, equity_days, orders, positions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import Market
from driftdesk.engine.schedule import NEW_YORK, new_york_date
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.errors import InputError, NotFound
from driftdesk.money import ZERO, exact, round_cents
from driftdesk.wire.accounts import (
    Account,
    Asset,
    BulkPositions,
    EquityHistory,
    EquityPoint,
    Position,
    TradingAccount,
)
from driftdesk.wire.market import CalendarDay, Clock, LatestTrades, Trade
from driftdesk.wire.orders import Order

_CALENDAR_DEFAULT = timedelta(days=365)


class Accounts(Base):
    """Use cases that only read."""

    def list_accounts(self) -> list[Account]:
        """Every account, by number."""
        with self.world.database.read() as connection:
            rows = connection.execute(select(accounts).order_by(accounts.c.number)).mappings().all()
            last = self._last_equities(connection)
            worth = self._worth(connection) if len(last) < len(rows) else {}
        # An account younger than the last close stands at what it is worth now.
        present = {row["id"]: round_cents(row["cash"] + worth.get(row["id"], ZERO)) for row in rows}
        return [_account(row, last.get(row["id"], present[row["id"]])) for row in rows]

    def get_account(self, account_id: str) -> Account:
        """One account; NotFound without it."""
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
        return next(account for account in self.list_accounts() if account.id == account_id)

    def trading_account(self, account_id: str) -> TradingAccount:
        """The money of one account; `last_equity` is that of the last close."""
        with self.world.database.read() as connection:
            row = self.world.account_row(connection, account_id)
            market = self.world.market(connection, self.world.now())
            snapshot = self.world.snapshot(connection, account_id, (), market)
            worth = self._worth(connection).get(account_id, ZERO)
            last = self._last_equities(connection).get(account_id)
        equity = round_cents(row["cash"] + worth)
        return TradingAccount(
            id=account_id,
            account_number=row["number"],
            status=row["status"],
            cash=row["cash"],
            equity=equity,
            last_equity=equity if last is None else last,
            buying_power=row["cash"] - snapshot.reserved_cash,
            long_market_value=round_cents(worth),
            position_market_value=round_cents(worth),
        )

    def positions(self, account_id: str) -> list[Position]:
        """The account's holdings, by symbol."""
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            return list(self._positions(connection, account_id).get(account_id, ()))

    def position(self, account_id: str, symbol: str) -> Position:
        """One holding; NotFound where the account has none."""
        for position in self.positions(account_id):
            if position.symbol == symbol.upper():
                return position
        raise NotFound(f"Account {account_id} holds no {symbol}.")

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
        return BulkPositions(
            as_of=self.world.now(),
            positions={account_id: tuple(found.get(account_id, ())) for account_id in cash},
            cash=cash,
            reserved_cash=reserved,
        )

    def list_orders(
        self,
        account_id: str,
        *,
        status: str = "open",
        limit: int = 50,
        after: datetime | None = None,
        until: datetime | None = None,
        direction: str = "desc",
    ) -> list[Order]:
        """Orders by submission time; `after` and `until` are exclusive (rules.md 8.3)."""
        for name, value, allowed in (
            ("status", status, ("open", "closed", "all")),
            ("direction", direction, ("asc", "desc")),
        ):
            if value not in allowed:
                raise InputError(
                    f"{name} must be one of {', '.join(allowed)}; received {value!r}.",
                    field=name,
                    received=value,
                    allowed=", ".join(allowed),
                )
        query = select(orders).where(orders.c.account_id == account_id)
        if status != "all":
            query = query.where(orders.c.due_at.is_not(None) if status == "open" else orders.c.due_at.is_(None))
        if after is not None:
            query = query.where(orders.c.submitted_at > after)
        if until is not None:
            query = query.where(orders.c.submitted_at < until)
        time = orders.c.submitted_at
        query = query.order_by(time.asc() if direction == "asc" else time.desc(), orders.c.id).limit(limit)
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            return [order_message(row) for row in connection.execute(query).mappings()]

    def equity_history(self, account_id: str) -> EquityHistory:
        """Equity at each close, oldest first."""
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            rows = connection.execute(
                select(equity_days).where(equity_days.c.account_id == account_id).order_by(equity_days.c.session)
            ).all()
        return EquityHistory(
            account_id=account_id,
            points=tuple(
                EquityPoint(date=row.session.isoformat(), equity=row.equity, cash=row.cash, flow=row.flow)
                for row in rows
            ),
        )

    def list_assets(self) -> list[Asset]:
        """Every asset, by symbol."""
        with self.world.database.read() as connection:
            return [_asset(row) for row in connection.execute(select(assets).order_by(assets.c.symbol)).mappings()]

    def get_asset(self, symbol_or_id: str) -> Asset:
        """One asset by symbol or id; NotFound without it."""
        for asset in self.list_assets():
            if asset.symbol == symbol_or_id.upper() or asset.id == symbol_or_id:
                return asset
        raise NotFound(f"There is no asset {symbol_or_id}.")

    def clock(self) -> Clock:
        """The instant, whether the exchange is open, and when that changes next."""
        now = self.world.now()
        return Clock(
            timestamp=now,
            is_open=self.world.sessions.at(now) is not None,
            next_open=self.world.sessions.next_open(now),
            next_close=self.world.sessions.next_close(now),
            simulated=self.world.clock.simulated,
            feed=self.world.feed.label,
        )

    def calendar(self, start: date | None, end: date | None) -> list[CalendarDay]:
        """Trading days from `start` (default today) to `end` (default a year on), both included."""
        first = start or new_york_date(self.world.now())
        last = end or min(first, date.max - _CALENDAR_DEFAULT) + _CALENDAR_DEFAULT
        return [
            CalendarDay(
                date=session.date.isoformat(),
                open=session.open.astimezone(NEW_YORK).strftime("%H:%M"),
                close=session.close.astimezone(NEW_YORK).strftime("%H:%M"),
                session_open="0400",
                session_close="2000",
            )
            for session in self.world.sessions.between(first, last)
        ]

    def latest_trades(self, symbols: list[str]) -> LatestTrades:
        """The price in effect of each symbol; symbols without one are left out."""
        with self.world.database.read() as connection:
            market = self.world.market(connection, self.world.now())
        quotes = {symbol: market.quote(Symbol(symbol)) for symbol in symbols}
        return LatestTrades(
            trades={
                symbol: Trade(t=quote.at, p=quote.price)
                for symbol, quote in quotes.items()
                if quote.price is not None and quote.at is not None
            }
        )

    def _positions(self, connection: Connection, account_id: str | None) -> dict[str, list[Position]]:
        now = self.world.now()
        market = self.world.market(connection, now)
        before = self.world.market(connection, self.world.sessions.latest_opened(now).open - timedelta(microseconds=1))
        details = {row.symbol: row for row in connection.execute(select(assets))}
        query = select(positions).order_by(positions.c.account_id, positions.c.symbol)
        sells = select(orders.c.account_id, orders.c.symbol, orders.c.reserved).where(
            orders.c.due_at.is_not(None), orders.c.side == Side.SELL
        )
        if account_id is not None:
            query = query.where(positions.c.account_id == account_id)
        reserved: dict[tuple[str, str], Decimal] = {}
        for sell in connection.execute(sells):
            key = (sell.account_id, sell.symbol)
            reserved[key] = reserved.get(key, ZERO) + sell.reserved
        found: dict[str, list[Position]] = {}
        for row in connection.execute(query).mappings():
            held_back = reserved.get((row["account_id"], row["symbol"]), ZERO)
            prices = (market, before)
            found.setdefault(row["account_id"], []).append(
                _position(row, details[row["symbol"]], row["quantity"] - held_back, prices)
            )
        return found

    def _last_equities(self, connection: Connection) -> dict[str, Decimal]:
        """Equity of each account at its last close; accounts younger than that are missing."""
        last = select(func.max(equity_days.c.session)).scalar_subquery()
        return {
            row.account_id: row.equity
            for row in connection.execute(
                select(equity_days.c.account_id, equity_days.c.equity).where(equity_days.c.session == last)
            )
        }

    @exact
    def _worth(self, connection: Connection) -> dict[str, Decimal]:
        """Market value of each account's holdings; one without a price counts as zero, as in its positions."""
        market = self.world.market(connection, self.world.now())
        worth: dict[str, Decimal] = {}
        for row in connection.execute(select(positions.c.account_id, positions.c.symbol, positions.c.quantity)):
            price = market.quote(Symbol(row.symbol)).price or ZERO
            worth[row.account_id] = worth.get(row.account_id, ZERO) + row.quantity * price
        return worth


@exact
def _position(row: Row, asset: Any, available: Decimal, prices: tuple[Market, Market]) -> Position:
    symbol = Symbol(row["symbol"])
    price = prices[0].quote(symbol).price
    value = None if price is None else round_cents(row["quantity"] * price)
    basis = row["cost_basis"]
    profit = None if value is None else value - basis
    return Position(
        asset_id=asset.id,
        symbol=symbol,
        exchange=asset.exchange,
        avg_entry_price=average_price(basis, row["quantity"]) or ZERO,
        qty=row["quantity"],
        qty_available=available,
        market_value=value,
        cost_basis=basis,
        current_price=price,
        lastday_price=prices[1].quote(symbol).price,
        unrealized_pl=profit,
        unrealized_plpc=None if profit is None or not basis else average_price(profit, basis),
    )


def _account(row: Row, last_equity: Decimal) -> Account:
    return Account(
        id=row["id"],
        account_number=row["number"],
        status=row["status"],
        last_equity=last_equity,
        created_at=row["created_at"],
        name=row["name"],
    )


def _asset(row: Row) -> Asset:
    return Asset(
        id=row["id"],
        exchange=row["exchange"],
        symbol=row["symbol"],
        name=row["name"],
        tradable=row["tradable"],
        fractionable=row["fractionable"],
    )
