"""Reads an account at a brokerage and has it mirrored: cash, holdings, prices, orders, and what a person should know.

How often SnapTrade may be asked is `Patience`: it asks for at least ten minutes between two looks at holdings in the
background, and disables keys that poll for prices (wire/snaptrade.md 4, 6). A page that a person has open asks sooner.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from sqlalchemy import Connection, func, select, text

from driftdesk.backend.store.tables import fills, orders, portfolios, runs, subscriptions
from driftdesk.backend.world import World
from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.connected.mirror import Mirror
from driftdesk.engine.snapshot import STALE_AFTER, Symbol
from driftdesk.errors import BackendError, DataError, Unavailable
from driftdesk.translate_snaptrade import (
    Connected,
    FindingKind,
    other_currencies,
    snaptrade_snapshot,
)
from driftdesk.wire.snaptrade import accounts as wire
from driftdesk.wire.snaptrade.orders import OrderRecord
from driftdesk.wire.snaptrade.served import BrokerageInstrument

# The only kind of account that holds securities, and the only currency that plans are made in.
INVESTMENT: Final = "investment"
USD: Final = "USD"
# What stops orders, of what may be found about a connection.
_REFUSING: Final = (FindingKind.DISABLED, FindingKind.READ_ONLY)
# Brokerages known to take an order as an amount; of the others it is not known, and shares are taken by all (issue 5).
_BY_AMOUNT: Final = ("ALPACA", "DRIFTDESK")
# Listings in USD: a symbol may have a namesake at a foreign exchange (wire/snaptrade.md 7).
_AMERICAN: Final = ("ARCX", "XNAS", "XNYS", "BATS", "XASE", "IEXG")
_NOT_OFFERED: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what was read counts as fresh, by the wall clock: an account that a person looks at, the book, and what
    a brokerage trades.

    By the market's: how long an open order is left alone between two looks, and for how long after one of our fills a
    brokerage may still tell of the cash before it (`settling`).
    """

    account: timedelta = timedelta(seconds=15)
    book: timedelta = timedelta(minutes=10)
    order: timedelta = timedelta(seconds=15)
    settling: timedelta = timedelta(minutes=5)
    instruments: timedelta = timedelta(days=1)


# Against a server of ours there is nobody to spare.
AT_ONCE: Final = Patience(*(timedelta(seconds=1),) * 3, settling=timedelta(0))
Seconds = Callable[[], float]


@dataclass
class _Known:
    """What was read last, and when. `account` and `connection` as the lists had them."""

    account: wire.Account
    connection: wire.Connection | None
    read_at: float | None = None
    quoted: set[str] = field(default_factory=set)


class Reader:
    """Reads through `client` into the store of `world`; safe to share between threads.

    Every method raises BackendError where SnapTrade cannot be reached or refuses.
    """

    def __init__(
        self,
        world: World,
        client: SnapTradeClient,
        patience: Patience,
        *,
        look_only: str | None = None,
        wall: Seconds = time.monotonic,
    ) -> None:
        """`look_only`: why no account takes orders here, in a sentence. `wall`: seconds that never go back."""
        self.world = world
        self._wall = wall
        self._look_only = look_only
        self.client = client
        self.patience = patience
        self.mirror = Mirror(world)
        self._known: dict[str, _Known] = {}
        self._listed_at: float | None = None
        self._instruments: dict[str, BrokerageInstrument] = {}
        # When each brokerage's list was read.
        self._listed_slugs: dict[str, float] = {}
        self._lock = threading.RLock()

    def refresh(self, account_id: str | None = None, symbols: Iterable[str] = ()) -> None:
        """Bring one account up to date, with prices of `symbols` too, or all of them; what is fresh is left alone.

        An account that cannot be read gets its reason as its problem, and hides no other.
        """
        now = self.world.now()
        with self._lock:
            self._list(now, also=account_id)
            wanted = list(self._known) if account_id is None else [account_id]
            fresh_for = self.patience.book if account_id is None else self.patience.account
            for each in wanted:
                with suppress(BackendError):
                    self._read(each, frozenset(symbols), now, fresh_for)

    def read(self, account_id: str, now: datetime) -> None:
        """Bring one account up to date, before orders are sent."""
        with self._lock:
            self._list(now, also=account_id)
            self._read(account_id, frozenset(), now, self.patience.account)

    def look_at_orders(self, account_id: str, now: datetime) -> int:
        """Take over what became of the account's orders; how many of them traded since the last look."""
        records = self.client.orders.recent(account_id)
        with self.world.database.read() as connection:
            open_ids = set(
                connection.scalars(
                    select(orders.c.broker_order_id).where(
                        orders.c.account_id == account_id,
                        orders.c.due_at.is_not(None),
                        orders.c.broker_order_id.is_not(None),
                    )
                )
            )
        # Those of the last 24 hours are told as they are now; what rests for longer is asked for by name.
        for order_id in sorted(open_ids - {record.brokerage_order_id for record in records}):
            record = self._older(account_id, order_id)
            records += () if record is None else (record,)
        with self.world.database.write() as connection:
            return self.mirror.take_orders(connection, account_id, records, now, now + self.patience.order)

    def takes_notional(self, account_id: str) -> bool:
        """Whether orders of the account can be given as an amount; every brokerage takes a number of shares."""
        known = self._known.get(account_id)
        brokerage = known.connection.brokerage if known and known.connection else None
        return brokerage is not None and (brokerage.slug or "").upper().startswith(_BY_AMOUNT)

    def learn(self, connection: Connection, symbols: Iterable[str]) -> None:
        """Enter the assets among `symbols` that one of the brokerages knows: from its list, or because it quotes them.

        Not every brokerage has a list, and a symbol that is missing from one is not known to be none.
        """
        fresh = self.mirror.unknown(connection, symbols)
        listed = [symbol for symbol in fresh if symbol in self._instruments]
        others = [symbol for symbol in fresh if symbol not in self._instruments]
        quoted: list[str] = []
        if others and self._known:
            with suppress(BackendError):
                quotes = self.client.accounts.quotes(next(iter(self._known)), others)
                quoted = [quote.symbol.symbol for quote in quotes if quote.symbol.symbol and _in_usd(quote)]
        self.mirror.learn(connection, [*listed, *quoted], self._instruments, {})

    # --- the list of accounts ---------------------------------------------------------------------------------

    def _list(self, now: datetime, also: str | None) -> None:
        """Read the list of accounts, where it is not fresh or `also` is not among them."""
        if self._is_fresh(self._listed_at, self.patience.account) and also in (None, *self._known):
            return
        listed = [a for a in self.client.accounts.list() if a.category in (None, INVESTMENT)]
        connections = {connection.id: connection for connection in self.client.accounts.connections()}
        with self.world.database.write() as connection:
            for account in listed:
                self.mirror.enter(connection, account, now)
            self.mirror.close_others(connection, [account.id for account in listed])
        before = self._known
        self._known = {}
        for account in listed:
            known = before.get(account.id)
            link = connections.get(account.connection_id or "")
            changed = known is not None and known.connection != link
            self._known[account.id] = _Known(
                account, link, known.read_at if known and not changed else None, known.quoted if known else set()
            )
        for link in connections.values():
            self._learn_instruments(link)
        self._listed_at = self._wall()

    def _learn_instruments(self, link: wire.Connection) -> None:
        slug = link.brokerage.slug if link.brokerage else None
        if slug is None or self._is_fresh(self._listed_slugs.get(slug), self.patience.instruments):
            return
        try:
            listed = self.client.accounts.instruments(slug)
        except BackendError as error:
            if error.status not in _NOT_OFFERED:
                raise
            listed = ()
        american = {each.symbol: each for each in listed if each.exchange_mic in (None, *_AMERICAN)}
        self._instruments |= american
        with self.world.database.write() as connection:
            self.mirror.relearn(connection, american)
        self._listed_slugs[slug] = self._wall()

    # --- one account ------------------------------------------------------------------------------------------

    def _read(self, account_id: str, symbols: frozenset[str], now: datetime, fresh_for: timedelta) -> None:
        known = self._known.get(account_id)
        if known is None:
            # Listed no more, which is its problem already.
            return
        symbols |= self._targets(account_id)
        if self._is_fresh(known.read_at, fresh_for) and symbols <= known.quoted:
            return
        try:
            read = Connected(
                account=known.account,
                balances=self.client.accounts.balances(account_id),
                positions=self.client.accounts.positions(account_id),
                connection=known.connection,
                orders=self.client.orders.recent(account_id) + self._resting(account_id),
            )
        except BackendError as error:
            self._tell(account_id, f"{error}", [])
            known.read_at = None
            raise
        wanted = symbols | known.quoted
        quotes, unquoted = self._quotes(read, wanted, now)
        self._take(read, quotes, wanted, unquoted, now)
        known.read_at, known.quoted = self._wall(), set(wanted)

    def _is_fresh(self, read_at: float | None, fresh_for: timedelta) -> bool:
        return read_at is not None and self._wall() - read_at < fresh_for.total_seconds()

    def _targets(self, account_id: str) -> frozenset[str]:
        """What the account is to hold: by the portfolio that it follows, and by a run that has not ended."""
        followed = (
            select(portfolios.c.weights)
            .join(subscriptions, subscriptions.c.portfolio_id == portfolios.c.id)
            .where(subscriptions.c.account_id == account_id, subscriptions.c.deleted_at.is_(None))
        )
        running = select(runs.c.weights).where(
            runs.c.account_id == account_id, text("status IN ('QUEUED', 'IN_PROGRESS')")
        )
        with self.world.database.read() as connection:
            lists = [*connection.scalars(followed), *connection.scalars(running)]
        return frozenset(weight["symbol"] for found in lists for weight in json.loads(found) if weight.get("symbol"))

    def _resting(self, account_id: str) -> tuple[OrderRecord, ...]:
        """Open orders of more than a day ago; some plans answer from a copy of the day, which recent ones correct."""
        try:
            return self.client.orders.list(account_id, state="open", days=90)
        except Unavailable:
            return ()

    def _quotes(
        self, read: Connected, wanted: Collection[str], now: datetime
    ) -> tuple[tuple[wire.Quote, ...], str | None]:
        """Prices of `wanted`, and of what is held where the brokerage's own are too old to plan with."""
        held = {p.instrument.symbol for p in read.positions.results if p.instrument.symbol and not p.cash_equivalent}
        as_of = read.positions.data_freshness.as_of if read.positions.data_freshness else None
        is_open = self.world.sessions.at(now) is not None
        old = as_of is None or (is_open and now - as_of > STALE_AFTER / 2)
        asked = sorted((set(wanted) - held) | (held if old else set()))
        if not asked:
            return (), None
        try:
            return self.client.accounts.quotes(read.account.id, asked), None
        except BackendError as error:
            return (), f"Prices are those of the brokerage's last report: {error}"

    def _take(
        self,
        read: Connected,
        quotes: tuple[wire.Quote, ...],
        targets: Collection[str],
        unquoted: str | None,
        now: datetime,
    ) -> None:
        account_id = read.account.id
        try:
            foreign = other_currencies(read)
            found = snaptrade_snapshot(
                Connected(read.account, read.balances, read.positions, read.connection, quotes),
                as_of=now,
                market_open=False,
                targets=targets,
                excluded=frozenset(foreign),
            )
            if found.currency != USD:
                raise DataError(
                    f"The account is kept in {found.currency}; plans are made in USD only, so it is left as it is."
                )
        except DataError as error:
            self._tell(account_id, f"{error}", [])
            return
        notes = [finding.text for finding in found.findings] + ([unquoted] if unquoted else [])
        notes += [text for record in read.orders for text in record.warnings]
        notes += [
            f"{symbol} is priced in {currency or 'an unnamed currency'}, and amounts are not converted: it counts as "
            "having no price; leave it out."
            for symbol, currency in foreign.items()
        ]
        refusing = (finding.text for finding in found.findings if finding.kind in _REFUSING)
        refusal = next(refusing, self._look_only)
        with self.world.database.write() as connection:
            symbols = {holding.symbol for holding in found.snapshot.holdings} | set(targets)
            classes = {holding.symbol: holding.asset_class for holding in found.snapshot.holdings}
            self.mirror.learn(connection, symbols, self._instruments, classes)
            self.mirror.mark(connection, (q for q in found.snapshot.quotes if q.symbol not in foreign))
            self.mirror.take_orders(connection, account_id, read.orders, now, now + self.patience.order)
            if self._quiet(connection, account_id, now):
                self.mirror.balance(connection, found.snapshot, _costs(read))
            self.mirror.reserve(connection, account_id)
        self._tell(account_id, None, [*notes, *self._twins(read.account)], refusal)

    def _quiet(self, connection: Connection, account_id: str, now: datetime) -> bool:
        """Whether nothing of ours is under way, so that the brokerage's word on cash and holdings is the last."""
        running = connection.scalar(
            select(runs.c.id).where(runs.c.account_id == account_id, text("status = 'IN_PROGRESS'"))
        )
        if running is not None:
            return False
        ours = orders.c.client_order_id != orders.c.broker_order_id
        last = connection.scalar(
            select(func.max(fills.c.at))
            .join(orders, orders.c.id == fills.c.order_id)
            .where(fills.c.account_id == account_id, ours)
        )
        return last is None or now - last >= self.patience.settling

    def _twins(self, account: wire.Account) -> list[str]:
        """Another connection's view of the same account would be counted, and traded, twice."""
        counts = Counter(known.account.institution_account_id for known in self._known.values())
        twice = account.institution_account_id is not None and counts[account.institution_account_id] > 1
        return ["This account is connected twice: use one of the two only."] if twice else []

    def _tell(self, account_id: str, problem: str | None, notes: list[str], refusal: str | None = None) -> None:
        with self.world.database.write() as connection:
            self.mirror.tell(connection, account_id, problem=problem, refusal=refusal, notes=notes)

    def _older(self, account_id: str, order_id: str) -> OrderRecord | None:
        try:
            return self.client.orders.get(account_id, order_id)
        except BackendError as error:
            if error.status in (*_NOT_OFFERED, HTTPStatus.BAD_REQUEST):
                listed = self.client.orders.list(account_id, days=90)
                return next((record for record in listed if record.brokerage_order_id == order_id), None)
            raise


def _in_usd(quote: wire.Quote) -> bool:
    return quote.symbol.currency is None or quote.symbol.currency.code == USD


def _costs(read: Connected) -> dict[Symbol, Decimal]:
    """USD a share that positions cost, where the brokerage says so."""
    return {
        Symbol(position.instrument.symbol): position.cost_basis
        for position in read.positions.results
        if position.instrument.symbol and position.cost_basis is not None
    }
