"""What every use case stands on: store, clock, sessions and prices, and one snapshot builder for all of them."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, RowMapping, bindparam, func, select

from driftdesk.backend.clock import Clock
from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.store.database import Database
from driftdesk.backend.store.tables import accounts, assets, orders, positions, price_marks
from driftdesk.engine.planner import MIN_NOTIONAL
from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import AccountId, Holding, OpenOrder, Quote, Side, Snapshot, Symbol
from driftdesk.errors import DataError, NotFound, StateError
from driftdesk.money import PRICE_STEP, ZERO, exact, round_price

_NAMESPACE = "namespace"
_FEED, _FEED_LABEL = "feed", "feed_label"

# Statements that every step of every run reads with are built once: building one costs more than running it.
_ASSETS: Final = select(
    assets.c.symbol,
    assets.c.tradable,
    assets.c.fractionable,
    assets.c.halted,
    assets.c.split_from,
    assets.c.split_to,
    price_marks.c.price.label("mark"),
    price_marks.c.at.label("marked_at"),
).outerjoin(price_marks, price_marks.c.symbol == assets.c.symbol)
_ASSET: Final = _ASSETS.where(assets.c.symbol == bindparam("of"))
_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_CASH: Final = select(accounts.c.id, accounts.c.cash).where(accounts.c.id.in_(_IDS))
_PROBLEM: Final = select(accounts.c.problem).where(accounts.c.id == bindparam("account"))
_OPEN_ORDERS: Final = (
    select(orders.c.id, orders.c.account_id, orders.c.symbol, orders.c.side, orders.c.reserved)
    .where(orders.c.account_id.in_(_IDS), orders.c.due_at.is_not(None))
    .order_by(orders.c.symbol, orders.c.id)
)
_HOLDINGS: Final = (
    select(positions.c.account_id, positions.c.symbol, positions.c.quantity, assets.c.asset_class)
    .join(assets, assets.c.symbol == positions.c.symbol)
    .where(positions.c.account_id.in_(_IDS))
    .order_by(positions.c.symbol)
)
_FREE_CASH: Final = select(
    accounts.c.cash,
    select(func.sum(orders.c.reserved))
    .where(orders.c.account_id == accounts.c.id, orders.c.side == Side.BUY, orders.c.due_at.is_not(None))
    .scalar_subquery()
    .label("reserved"),
).where(accounts.c.id == bindparam("account"))


@dataclass(frozen=True, slots=True)
class Market:
    """Every asset's quote at one instant."""

    now: datetime
    is_open: bool
    quotes: dict[Symbol, Quote]
    halted: frozenset[Symbol]

    def quote(self, symbol: Symbol) -> Quote:
        """The quote of `symbol`; one without a price where the world does not know it."""
        return self.quotes.get(symbol) or _unknown(symbol)


class World:
    """The store with its clock, sessions and price feed. All instants are timezone-aware.

    In a `connected` world the accounts are at brokerages: a price is as old as its mark, a run needs a preview that a
    person confirmed, and nothing is traded by itself (rules.md 9).
    """

    connected = False

    def __init__(
        self,
        database: Database,
        clock: Clock,
        feed: PriceFeed,
        sessions: Sessions,
        *,
        min_notional: Decimal = MIN_NOTIONAL,
        seed: int | None = None,
    ) -> None:
        """`seed` makes the ids of a new world repeatable; without one they are random.

        Raises StateError for a world that was made on other prices than `feed`'s.
        """
        self.database = database
        self.clock = clock
        self.feed = feed
        self.sessions = sessions
        self.min_notional = min_notional
        self._check_feed()
        self._namespace = self._open_namespace(seed)
        self._list_assets()

    def now(self) -> datetime:
        """The instant of the world's clock."""
        return self.clock.now()

    def new_id(self, *parts: object) -> str:
        """A UUID from parts that are unique within this world: repeatable in a seeded world."""
        return str(uuid.uuid5(self._namespace, "|".join(str(part) for part in parts)))

    def learn(self, symbols: Iterable[str]) -> None:
        """Enter assets that somebody asks for, before they are read. The feed has listed all there are, unless the
        world is connected: then brokerages may be asked, so this stands outside of transactions."""

    def market(self, connection: Connection, now: datetime) -> Market:
        """Quotes of all assets in effect at `now`: a price set by hand, else the feed's."""
        quotes: dict[Symbol, Quote] = {}
        halted: set[Symbol] = set()
        for row in connection.execute(_ASSETS):
            quote = self._quote(row, now)
            quotes[quote.symbol] = quote
            if row.halted:
                halted.add(quote.symbol)
        return Market(now, self.sessions.at(now) is not None, quotes, frozenset(halted))

    def quote(self, connection: Connection, symbol: Symbol, now: datetime) -> tuple[Quote, bool]:
        """The quote of one symbol as in `market`, and whether it is halted."""
        row = connection.execute(_ASSET, {"of": symbol}).first()
        return (_unknown(symbol), False) if row is None else (self._quote(row, now), row.halted)

    def free_cash(self, connection: Connection, account_id: str) -> Decimal:
        """The account's cash (USD) that no open buy reserves; the account must exist."""
        row = connection.execute(_FREE_CASH, {"account": account_id}).one()
        free: Decimal = row.cash - (row.reserved or ZERO)
        return free

    def _quote(self, row: Any, now: datetime) -> Quote:
        symbol = Symbol(row.symbol)
        price = row.mark or split_price(self.feed.price(symbol, now), row.split_from, row.split_to)
        at = row.marked_at if self.connected and row.mark else now
        return Quote(symbol, price, at if price else None, row.tradable, row.fractionable)

    def snapshot(
        self,
        connection: Connection,
        account_id: str,
        symbols: Iterable[Symbol],
        market: Market,
        excluded: frozenset[Symbol] = frozenset(),
    ) -> Snapshot:
        """The account as it stands, with quotes for what it holds and for `symbols`; NotFound for an unknown one.

        `excluded` holdings are left out of equity and plan (rules.md 3.1). Raises DataError for a connected account
        whose holdings cannot be used.
        """
        problem = connection.scalar(_PROBLEM, {"account": account_id})
        if problem is not None:
            raise DataError(problem)
        return replace(self.snapshots(connection, {account_id: symbols}, market)[account_id], excluded=excluded)

    def snapshots(
        self, connection: Connection, wanted: Mapping[str, Iterable[Symbol]], market: Market
    ) -> dict[str, Snapshot]:
        """Snapshots of many accounts in three reads; `wanted` gives the further symbols to quote for each."""
        ids = list(wanted)
        cash = {row.id: row.cash for row in connection.execute(_CASH, {"ids": ids})}
        missing = [account_id for account_id in ids if account_id not in cash]
        if missing:
            raise NotFound(f"There is no account {missing[0]}.")
        open_orders = _open_orders(connection, ids)
        holdings = _holdings(connection, ids, open_orders)
        return {
            account_id: Snapshot(
                account_id=AccountId(account_id),
                as_of=market.now,
                cash=cash[account_id],
                holdings=tuple(holdings[account_id]),
                quotes=tuple(
                    market.quote(symbol)
                    for symbol in sorted({holding.symbol for holding in holdings[account_id]} | set(wanted[account_id]))
                ),
                open_orders=tuple(open_orders[account_id]),
                market_open=market.is_open,
            )
            for account_id in ids
        }

    def account_row(self, connection: Connection, account_id: str) -> RowMapping:
        """The account's row; NotFound for an unknown id."""
        row = connection.execute(select(accounts).where(accounts.c.id == account_id)).mappings().first()
        if row is None:
            raise NotFound(f"There is no account {account_id}.")
        return row

    def _check_feed(self) -> None:
        with self.database.write():
            made_on = self.database.get_meta(_FEED)
            if made_on is None:
                self.database.set_meta(_FEED, self.feed.identity)
                self.database.set_meta(_FEED_LABEL, self.feed.label)
            elif made_on != self.feed.identity:
                raise StateError(
                    f"{self.database.path} was made on other prices ({self.database.get_meta(_FEED_LABEL)}) than "
                    f"these ({self.feed.label}); open it with its own, or name another database."
                )

    def _open_namespace(self, seed: int | None) -> uuid.UUID:
        with self.database.write():
            text = self.database.get_meta(_NAMESPACE)
            if text is None:
                made = uuid.uuid4() if seed is None else uuid.uuid5(uuid.NAMESPACE_OID, f"driftdesk|{seed}")
                text = str(made)
                self.database.set_meta(_NAMESPACE, text)
        return uuid.UUID(text)

    def _list_assets(self) -> None:
        with self.database.write() as connection:
            known = set(connection.scalars(select(assets.c.symbol)))
            fresh = [asset for asset in self.feed.assets if asset.symbol not in known]
            if fresh:
                connection.execute(
                    assets.insert(),
                    [
                        {
                            "symbol": asset.symbol,
                            "id": self.new_id("asset", asset.symbol),
                            "name": asset.name,
                            "exchange": asset.exchange,
                            "tradable": True,
                            "fractionable": True,
                            "halted": False,
                        }
                        for asset in fresh
                    ],
                )


def _unknown(symbol: Symbol) -> Quote:
    return Quote(symbol, None, None, tradable=False, fractionable=False)


@exact
def split_price(price: Decimal | None, shares_before: int, shares_now: int) -> Decimal | None:
    """A feed's price (USD) after splits: `shares_before` have become `shares_now`."""
    if price is None or shares_before == shares_now:
        return price
    # A price of nothing would be none.
    return max(PRICE_STEP, round_price(price * shares_before / shares_now))


def _open_orders(connection: Connection, ids: list[str]) -> dict[str, list[OpenOrder]]:
    found: dict[str, list[OpenOrder]] = {account_id: [] for account_id in ids}
    for row in connection.execute(_OPEN_ORDERS, {"ids": ids}):
        found[row.account_id].append(OpenOrder(row.id, Symbol(row.symbol), Side(row.side), row.reserved))
    return found


def _holdings(
    connection: Connection, ids: list[str], open_orders: Mapping[str, list[OpenOrder]]
) -> dict[str, list[Holding]]:
    found: dict[str, list[Holding]] = {account_id: [] for account_id in ids}
    for row in connection.execute(_HOLDINGS, {"ids": ids}):
        reserved = sum(
            (
                order.reserved
                for order in open_orders[row.account_id]
                if order.side is Side.SELL and order.symbol == row.symbol
            ),
            ZERO,
        )
        available = row.quantity - reserved
        found[row.account_id].append(Holding(Symbol(row.symbol), row.quantity, available, row.asset_class))
    return found
