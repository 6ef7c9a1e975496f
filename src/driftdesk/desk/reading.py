"""How a desk reads accounts and prices: in bulk from a backend of ours, account by account from the real API.

Both give the same values; what differs is which requests a backend answers, and how many are reasonable.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from driftdesk.client import Client
from driftdesk.desk.view import AccountView, Followed, symbols_of, view_of
from driftdesk.errors import BackendNotFound, Rejected
from driftdesk.money import ZERO
from driftdesk.translate import Held, Market
from driftdesk.wire.accounts import Account, Asset, Position, TradingAccount

T = TypeVar("T")

# What may be done with an asset changes seldom, and the planner is not the last to check it.
ASSETS_KEPT_SECONDS: Final = 3600.0
# Requests under way at once: enough to hide their latency, few enough for a limit that counts by the minute.
AT_ONCE: Final = 8
US_EQUITY: Final = "us_equity"
# Accounts that cannot hold or trade anything: not open yet, refused, or closed (wire/alpaca.md 11.1).
NOT_TRADING: Final = frozenset(
    {
        "ACCOUNT_CLOSED", "ACTION_REQUIRED", "AML_REVIEW", "APPROVAL_PENDING", "APPROVED", "INACTIVE", "KYC_SUBMITTED",
        "ONBOARDING", "PAPER_ONLY", "REAPPROVAL_PENDING", "REJECTED", "RESUBMITTED", "SIGNED_UP", "SUBMISSION_FAILED",
        "SUBMITTED",
    }
)  # fmt: skip


class Reading(Protocol):
    """What a desk needs to read. Every method raises BackendError."""

    def book(self) -> tuple[AccountView, ...]:
        """Every account with its drift, in the order of the backend's list."""
        ...

    def held(self, account_id: str) -> Held:
        """What one account holds, open orders included."""
        ...

    def market(self, symbols: Iterable[str]) -> Market:
        """The clock, and the latest trades and assets of `symbols`."""
        ...


def _followed(client: Client, accounts: Iterable[Account]) -> tuple[Followed, ...]:
    """Each account with what it follows."""
    subscriptions = {subscription.account_id: subscription for subscription in client.subscriptions.list()}
    portfolios = {portfolio.id: portfolio for portfolio in client.portfolios.list()}
    found = []
    for account in accounts:
        subscription = subscriptions.get(account.id)
        portfolio = portfolios.get(subscription.portfolio_id) if subscription else None
        found.append(Followed(account, subscription, portfolio))
    return tuple(found)


def _wanted(followed: Iterable[Followed], positions: Iterable[Iterable[Position]]) -> set[str]:
    """Every symbol that is a target or held."""
    targets = symbols_of(each.portfolio for each in followed if each.portfolio is not None)
    return targets | {position.symbol for held in positions for position in held}


def _reserved(positions: Iterable[Position]) -> bool:
    return any(position.qty_available not in (None, position.qty) for position in positions)


@dataclass(frozen=True, slots=True)
class OwnReading:
    """A backend of ours: every account's positions and cash in one answer."""

    client: Client

    def book(self) -> tuple[AccountView, ...]:
        followed = _followed(self.client, self.client.accounts.list())
        bulk = self.client.accounts.all_positions()
        market = self.market(_wanted(followed, bulk.positions.values()))
        views = []
        for each in followed:
            account_id = each.account.id
            positions = bulk.positions.get(account_id, ())
            busy = bulk.reserved_cash.get(account_id, ZERO) > ZERO or _reserved(positions)
            orders = self.client.orders.list(account_id) if busy else ()
            held = Held(bulk.cash.get(account_id, ZERO), positions, orders)
            views.append(view_of(each, held, market))
        return tuple(views)

    def held(self, account_id: str) -> Held:
        trading = self.client.accounts.trading(account_id)
        positions = tuple(self.client.accounts.positions(account_id))
        return Held(trading.cash, positions, self.client.orders.list(account_id))

    def market(self, symbols: Iterable[str]) -> Market:
        assets: Mapping[str, Asset] = {asset.symbol: asset for asset in self.client.market.assets()}
        wanted = sorted(set(symbols))
        trades = self.client.market.latest_trades(wanted) if wanted else {}
        return Market(self.client.market.clock(), trades, assets)


class RealReading:
    """The real API: no bulk answer, so account by account, a few at once; ten thousand assets, so only those needed.

    `now` gives seconds of a clock that never goes back.
    """

    def __init__(self, client: Client, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._assets: dict[str, tuple[float, Asset | None]] = {}

    def book(self) -> tuple[AccountView, ...]:
        """Open orders are read only where something is reserved: they matter to a plan, not to drift."""
        listed = (account for account in self._client.accounts.list() if account.status not in NOT_TRADING)
        followed = _followed(self._client, listed)
        answers = _at_once(self._try_held, [each.account.id for each in followed])
        market = self.market(_wanted(followed, [held.positions for held, _ in answers]))
        return tuple(
            view_of(each, held, market, problem) for each, (held, problem) in zip(followed, answers, strict=True)
        )

    def held(self, account_id: str) -> Held:
        accounts = self._client.accounts
        trading, positions = accounts.trading(account_id), tuple(accounts.positions(account_id))
        return Held(trading.cash, positions, self._client.orders.list(account_id))

    def market(self, symbols: Iterable[str]) -> Market:
        assets = self._assets_of(set(symbols))
        # One unknown symbol, or a coin's, would make the data host refuse the whole request.
        stocks = sorted(symbol for symbol, asset in assets.items() if asset.asset_class == US_EQUITY)
        trades = self._client.market.latest_trades(stocks) if stocks else {}
        return Market(self._client.market.clock(), trades, assets)

    def _try_held(self, account_id: str) -> tuple[Held, str | None]:
        """Holdings of an account of the book, or the sentence with which the backend refuses this one account."""
        accounts = self._client.accounts
        try:
            trading, positions = accounts.trading(account_id), tuple(accounts.positions(account_id))
            orders = self._client.orders.list(account_id) if _busy(trading, positions) else ()
        except (BackendNotFound, Rejected) as error:
            return Held(ZERO), f"The backend gives no holdings of this account: {error}"
        return Held(trading.cash, positions, orders), None

    def _assets_of(self, symbols: set[str]) -> dict[str, Asset]:
        now = self._now()
        missing = sorted(s for s in symbols if s not in self._assets or self._assets[s][0] < now)
        for symbol, asset in zip(missing, _at_once(self._asset, missing), strict=True):
            self._assets[symbol] = (now + ASSETS_KEPT_SECONDS, asset)
        found = ((symbol, self._assets[symbol][1]) for symbol in symbols)
        return {symbol: asset for symbol, asset in found if asset is not None}

    def _asset(self, symbol: str) -> Asset | None:
        try:
            return self._client.market.asset(symbol)
        except BackendNotFound:
            return None


def _busy(trading: TradingAccount, positions: Iterable[Position]) -> bool:
    """Whether open orders reserve something: `cash` includes what they reserve, `buying_power` does not."""
    return _reserved(positions) or trading.buying_power < trading.cash


def _at_once(read: Callable[[str], T], keys: Iterable[str]) -> list[T]:
    """`read` of each of `keys`, in their order, a few at a time; the first error ends what has not begun."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="driftdesk-read") as pool:
        futures = [pool.submit(read, key) for key in keys]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
