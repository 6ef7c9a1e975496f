"""Reads an account at a brokerage and has it mirrored: cash, holdings, prices, orders, and what a person should know.

How often SnapTrade is asked is `connected.patience`; a page that a person has open asks sooner than the background.
"""

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from driftdesk.backend.world import World
from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.connected.bookings import Bookings
from driftdesk.connected.instruments import USD, Instruments, takes_notional
from driftdesk.connected.looks import Looks
from driftdesk.connected.mirror import Mirror
from driftdesk.connected.patience import Patience, Seconds
from driftdesk.connected.prices import Prices
from driftdesk.connected.standing import counted_here, targets_of
from driftdesk.engine.snapshot import STALE_AFTER, Symbol
from driftdesk.errors import BackendError, DataError
from driftdesk.translate_snaptrade import (
    Connected,
    FindingKind,
    other_currencies,
    snaptrade_snapshot,
)
from driftdesk.wire.snaptrade import accounts as wire
from driftdesk.wire.snaptrade.orders import OrderRecord

# The only kind of account that holds securities.
INVESTMENT: Final = "investment"
# What stops orders, of what may be found about a connection.
_REFUSING: Final = (FindingKind.DISABLED, FindingKind.READ_ONLY)


@dataclass
class _Known:
    """What was read last, and when by the wall clock. `account` and `connection` as the lists had them; `failed`: when
    and why it could not be read, `resting`: when orders of more than a day ago were read, and which there were."""

    account: wire.Account
    connection: wire.Connection | None
    read_at: float | None = None
    quoted: frozenset[str] = frozenset()
    failed: tuple[float, BackendError] | None = None
    resting: tuple[float, tuple[OrderRecord, ...]] | None = None


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
        self.client = client
        self.patience = patience
        self.mirror = Mirror(world)
        self.bookings = Bookings(world)
        self.prices = Prices(client, patience, wall)
        self.looks = Looks(world, client, self.bookings, patience)
        self._instruments = Instruments(client, self.prices, patience, wall)
        self._wall = wall
        self.look_only = look_only
        self._known: dict[str, _Known] = {}
        self._listed_at: float | None = None
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

    def lists(self, account_id: str, now: datetime) -> bool:
        """Whether SnapTrade still lists the account."""
        with self._lock:
            self._list(now, also=None)
            return account_id in self._known

    def takes_notional(self, account_id: str) -> bool:
        """Whether orders of the account can be given as an amount."""
        known = self._known.get(account_id)
        return known is not None and takes_notional(known.connection)

    def learn(self, symbols: Iterable[str]) -> None:
        """Enter the assets among `symbols` that one of the brokerages knows; where they are new, it is asked."""
        with self.world.database.read() as connection:
            fresh = self.mirror.unknown(connection, symbols)
        traded = self._instruments.traded(fresh, next(iter(self._known), None)) if fresh else ()
        if traded:
            with self.world.database.write() as connection:
                self.mirror.learn(connection, traded, self._instruments.known, {})

    # --- the list of accounts ---------------------------------------------------------------------------------

    def _list(self, now: datetime, also: str | None) -> None:
        """Read the list of accounts, where it is not fresh or `also` is not among them."""
        if self._is_fresh(self._listed_at, self.patience.account) and also in (None, *self._known):
            return
        listed = [account for account in self.client.accounts.list() if account.category in (None, INVESTMENT)]
        connections = {connection.id: connection for connection in self.client.accounts.connections()}
        with self.world.database.write() as connection:
            for account in listed:
                self.mirror.enter(connection, account, now)
            self.mirror.close_others(connection, [account.id for account in listed])
        known = {}
        for account in listed:
            before, link = self._known.get(account.id), connections.get(account.connection_id or "")
            known[account.id] = _Known(account, link)
            if before is not None:
                # A connection that was mended or broken is looked through at once.
                read_at = before.read_at if before.connection == link else None
                known[account.id] = replace(before, account=account, connection=link, read_at=read_at)
        self._known = known
        said = self._instruments.read(connections.values())
        if said:
            with self.world.database.write() as connection:
                self.mirror.relearn(connection, said)
        self._listed_at = self._wall()

    # --- one account ------------------------------------------------------------------------------------------

    def _read(self, account_id: str, symbols: frozenset[str], now: datetime, fresh_for: timedelta) -> None:
        known = self._known.get(account_id)
        if known is None:
            # Listed no more, which is its problem already.
            return
        symbols |= targets_of(self.world.database, account_id)
        fresh = self._is_fresh(known.read_at, fresh_for)
        if fresh and symbols <= known.quoted:
            return
        if known.failed is not None and self._is_fresh(known.failed[0], self.patience.failure):
            raise known.failed[1]
        try:
            read = Connected(
                account=known.account,
                balances=self.client.accounts.balances(account_id),
                positions=self.client.accounts.positions(account_id),
                connection=known.connection,
                # After the balances: what is filled between the two is seen here, and booked.
                orders=self.looks.recent(account_id) + self._resting(known),
            )
        except BackendError as error:
            self._tell(account_id, f"{error}", [])
            known.read_at, known.failed = None, (self._wall(), error)
            raise
        wanted = symbols | known.quoted if fresh else symbols
        quotes, unquoted = self._quotes(read, wanted, now)
        self._take(read, quotes, wanted, unquoted, now)
        known.read_at, known.failed, known.quoted = self._wall(), None, wanted

    def _is_fresh(self, read_at: float | None, fresh_for: timedelta) -> bool:
        return read_at is not None and self._wall() - read_at < fresh_for.total_seconds()

    def _resting(self, known: _Known) -> tuple[OrderRecord, ...]:
        """Open orders of more than a day ago, which change seldom."""
        if known.resting is None or not self._is_fresh(known.resting[0], self.patience.book):
            known.resting = (self._wall(), self.looks.resting(known.account.id))
        return known.resting[1]

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
            return self.prices.of(read.account.id, asked), None
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
                replace(read, quotes=quotes),
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
        notes += [
            f"{symbol} is priced in {currency or 'an unnamed currency'}, and amounts are not converted: it counts as "
            "having no price; leave it out."
            for symbol, currency in foreign.items()
        ]
        refusal = next((finding.text for finding in found.findings if finding.kind in _REFUSING), None)
        with self.world.database.write() as connection:
            symbols = {holding.symbol for holding in found.snapshot.holdings} | set(targets)
            classes = {holding.symbol: holding.asset_class for holding in found.snapshot.holdings}
            self.mirror.learn(connection, symbols, self._instruments.known, classes)
            # Where none could be asked for, those of before stay, as old as they are.
            usable = (q for q in found.snapshot.quotes if q.symbol not in foreign and (q.price or not unquoted))
            self.mirror.mark(connection, usable)
            self.bookings.take_orders(connection, account_id, read.orders, now, self.looks.next_look(now))
            ours = counted_here(connection, read, now, self.patience.settling)
            if ours is None:
                self.mirror.balance(connection, found.snapshot, _costs(read))
            self.bookings.reserve(connection, account_id)
        told = [*notes, *self._twins(read.account), *([ours] if ours else [])]
        # An order stands in the list of the day and in that of what rests.
        self._tell(account_id, None, list(dict.fromkeys(told)), refusal)

    def _twins(self, account: wire.Account) -> list[str]:
        """Another connection's view of the same account would be counted, and traded, twice."""
        counts = Counter(known.account.institution_account_id for known in self._known.values())
        twice = account.institution_account_id is not None and counts[account.institution_account_id] > 1
        return ["This account is connected twice: use one of the two only."] if twice else []

    def _tell(self, account_id: str, problem: str | None, notes: list[str], refusal: str | None = None) -> None:
        # Also an account that cannot be read takes no orders where none are sent.
        refusal = refusal or self.look_only
        with self.world.database.write() as connection:
            self.mirror.tell(connection, account_id, problem=problem, refusal=refusal, notes=notes)


def _costs(read: Connected) -> dict[Symbol, Decimal]:
    """USD a share that positions cost, where the brokerage says so."""
    return {
        Symbol(position.instrument.symbol): position.cost_basis
        for position in read.positions.results
        if position.instrument.symbol and position.cost_basis is not None
    }
