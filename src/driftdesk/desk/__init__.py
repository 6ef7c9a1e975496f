"""The desk: what pages and notebooks talk to. One fetch makes one snapshot; drift, decision and preview come from it.

Reading goes through the client on every call, so the embedded world and a remote one behave alike (architecture.md).
What the real API lacks is said in a sentence (`missing`), never met as an exception.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

from driftdesk.client import ORDERS, Client
from driftdesk.client.resources.simulation import Simulation
from driftdesk.desk.creating import RealRuns, own_run
from driftdesk.desk.deciding import expected_decision
from driftdesk.desk.history import equity_history
from driftdesk.desk.reading import OwnReading, Reading, RealReading
from driftdesk.desk.view import AccountView, Followed, symbols_of, view_of
from driftdesk.engine.planner import MIN_NOTIONAL, Options, PlanRequest, RunType
from driftdesk.engine.preview import Preview, preview
from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Snapshot, Symbol
from driftdesk.engine.targets import Portfolio
from driftdesk.engine.triggers import Decision
from driftdesk.errors import DataError, InputError, NotFound, StateError
from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import ZERO
from driftdesk.translate import to_snapshot
from driftdesk.wire import accounts as wire_accounts
from driftdesk.wire import decisions as wire_decisions
from driftdesk.wire import portfolios as wire_portfolios
from driftdesk.wire import runs as wire_runs
from driftdesk.wire.market import Clock

__all__ = ["AccountView", "Desk", "Mode"]

ESTIMATE: Final = (
    "An estimate, computed here from the account's cash, positions and latest prices: the backend plans for itself "
    "when the run starts, and may send other orders."
)
# What a backend of ours tells and the real API does not.
_LACKING: Final[Mapping[str, str]] = {
    "decisions": "This backend keeps no decisions.",
    "held": "This backend does not hold accounts back, so there is nothing to resume.",
}
# What an account at a brokerage has not: nothing is traded there by itself (rules.md 9).
_BY_HAND: Final[Mapping[str, str]] = {
    "decisions": "Nothing is traded at a brokerage by itself, so nothing is decided without you: preview when you want "
    "to, and confirm the orders.",
    "held": "Nothing is traded at a brokerage by itself, so there is nothing to resume.",
}
_NAMES_TOLD: Final = 12
Refresh = Callable[[str | None, Iterable[str]], None]


class Mode(StrEnum):
    """What a write on this desk moves: nothing real, a sandbox, real money, or accounts at brokerages."""

    SIMULATED = "simulated"
    SANDBOX = "sandbox"
    LIVE = "live"
    REMOTE = "remote"
    CONNECTED = "connected"


class Desk:
    """Reads, previews and runs over one client. `simulation` is None where the clock is not simulated.

    `refresh(account_id, symbols)` is called before accounts are read: it brings what is mirrored of them up to date, of
    one with the prices of `symbols`, or of all of them (None).

    Every method raises BackendError (or a subclass) when the backend refuses or cannot be reached. In live mode a write
    needs what it changes to be typed (`confirming`), and raises StateError without; the client must be made with
    `real_money`.
    """

    def __init__(
        self,
        client: Client,
        *,
        mode: Mode,
        label: str,
        on_close: Callable[[], None] | None = None,
        refresh: Refresh | None = None,
    ) -> None:
        if mode is Mode.LIVE and not client.real_money:
            raise InputError("A live desk needs a client that asks before it writes; make it with real_money=True.")
        self.client = client
        self.mode = mode
        self.label = label
        self.simulation: Simulation | None = client.simulation if mode is Mode.SIMULATED else None
        self.sessions: Sessions = new_york_sessions()
        self._on_close = on_close
        self._refresh = refresh
        self._reading: Reading = RealReading(client) if self.estimates else OwnReading(client)
        self._real_runs = RealRuns(client, self._read_again)

    @property
    def estimates(self) -> bool:
        """Whether a preview only estimates what a run will send: the real API plans for itself (rules.md 6.6)."""
        return self.mode in (Mode.SANDBOX, Mode.LIVE)

    @property
    def estimate_note(self) -> str | None:
        """The sentence that belongs beside every preview and chart of an estimate; None where previews are exact."""
        return ESTIMATE if self.estimates else None

    @property
    def by_hand(self) -> bool:
        """Whether nothing is traded unless a person asks for it, as at brokerages (rules.md 9)."""
        return self.mode is Mode.CONNECTED

    def missing(self, surface: str) -> str | None:
        """Why this backend has nothing to show for ``decisions`` or ``held``, in a sentence; None where it has."""
        if self.by_hand:
            return _BY_HAND.get(surface)
        return _LACKING.get(surface) if self.estimates else None

    def asks_for(self, stakes: str) -> bool:
        """Whether a write that moves ``orders``, or changes a ``plan`` that they would follow, is confirmed by typing
        what it changes: both on a live service, only the first at brokerages, whose plans are kept here."""
        return self.client.real_money is True or (stakes == ORDERS and self.client.real_money == ORDERS)

    def confirming(self, typed: str) -> AbstractContextManager[None]:
        """Writes inside the block are confirmed by `typed`, what a person typed: the number of the account that they
        concern, or the name of the portfolio. Needed in live mode only; elsewhere the block changes nothing."""
        return self.client.confirming(typed)

    def clock(self) -> Clock:
        """The backend's instant, whether the exchange is open, and when that changes next."""
        return self.client.market.clock()

    def portfolios(self) -> tuple[wire_portfolios.Portfolio, ...]:
        """Portfolios that are not inactive."""
        return tuple(self.client.portfolios.list())

    def book(self) -> tuple[AccountView, ...]:
        """Every account with its drift, in the order of the backend's list; on the real API those that can trade."""
        if self._refresh is not None:
            self._refresh(None, ())
        return self._reading.book()

    def account(self, account_id: str) -> AccountView:
        """One account with its drift; BackendNotFound for an unknown id."""
        if self._refresh is not None:
            self._refresh(account_id, ())
        account = self.client.accounts.get(account_id)
        subscription = next(iter(self.client.subscriptions.list(account_id=account_id)), None)
        portfolio = self.client.portfolios.get(subscription.portfolio_id) if subscription else None
        held = self._reading.held(account_id)
        wanted = symbols_of([portfolio] if portfolio else ()) | {position.symbol for position in held.positions}
        return view_of(Followed(account, subscription, portfolio), held, self._reading.market(wanted))

    def snapshot(self, account_id: str, symbols: Iterable[str] = ()) -> Snapshot:
        """The account now, with quotes for what it holds and for `symbols`.

        Raises DataError for an account at a brokerage whose holdings cannot be used.
        """
        wanted = set(symbols)
        if self._refresh is not None:
            self._refresh(account_id, wanted)
            problem = self.client.accounts.get(account_id).problem
            if problem is not None:
                raise DataError(problem)
        held = self._reading.held(account_id)
        market = self._reading.market(wanted | {position.symbol for position in held.positions})
        return to_snapshot(account_id, held, market, wanted)

    def preview(  # noqa: PLR0913 - the choices of a person on one page, by name
        self,
        account_id: str,
        *,
        model: Portfolio | None = None,
        run_type: RunType = RunType.FULL_REBALANCE,
        amount: Decimal | None = None,
        options: Options | None = None,
        min_notional: Decimal = MIN_NOTIONAL,
        cost_bps: Decimal = ZERO,
        excluded: Iterable[str] = (),
    ) -> Preview:
        """What a run would send now: against `model`, or the portfolio that the account follows.

        `cost_bps` of the traded value is what the trades are expected to cost; it changes no order. `excluded` holdings
        are left out of equity and plan (rules.md 3.1). On the real API it is an estimate (`estimate_note`).

        Raises InputError when there is neither, DataError when the snapshot cannot be used (rules.md 3.1).
        """
        if model is None:
            view = self.account(account_id)
            if view.model is None:
                raise InputError(
                    view.problem or "The account follows no portfolio; choose one to preview against.",
                    field="portfolio",
                    allowed="a portfolio",
                )
            model = view.model
        request = PlanRequest(
            targets=model.targets,
            conditions=model.conditions,
            run_type=run_type,
            amount=amount,
            options=options or Options(),
            min_notional=min_notional,
        )
        snapshot = replace(self.snapshot(account_id, model.targets.symbols), excluded=frozenset(map(Symbol, excluded)))
        return preview(snapshot, request, cost_bps=cost_bps)

    def decide(self, view: AccountView) -> Decision:
        """What the next evaluation of a subscribed account decides if nothing moves before it (rules.md 5).

        By our rules: the real API may decide otherwise. Raises InputError for an account without a subscription.
        """
        runs = self.runs(view.account.id, max_items=5) if view.subscription is not None else ()
        return expected_decision(view, runs, self.sessions)

    def create_run(self, previewed: Preview, *, idempotency_key: str) -> wire_runs.Run:
        """Create the run that was previewed; the same key never makes a second one.

        Raises Rejected (409) or PreviewMoved when the orders no longer stand as previewed (rules.md 6.6). On the real
        API: InputError for a preview that it cannot be told, and Unavailable when there was no answer and the list of
        runs does not show that the run was created.
        """
        if self.estimates:
            return self._real_runs.create(previewed, idempotency_key)
        account_id = previewed.snapshot.account_id
        if self._refresh is not None:
            self._refresh(account_id, previewed.request.targets.symbols)
        subscribed = next(iter(self.client.subscriptions.list(account_id=account_id)), None) is not None
        return self.client.runs.create(own_run(previewed, subscribed=subscribed), idempotency_key=idempotency_key)

    def runs(
        self, account_id: str | None = None, status: str | None = None, max_items: int | None = None
    ) -> tuple[wire_runs.Run, ...]:
        """Runs, newest first, with their orders, failed and skipped orders."""
        return tuple(self.client.runs.list(account_id=account_id, status=status, max_items=max_items))

    def run(self, run_id: str) -> wire_runs.Run:
        """One run, with its plan and events where the backend tells them."""
        return self.client.runs.get(run_id)

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run that is QUEUED or IN_PROGRESS; what filled stays (rules.md 7.4)."""
        self.client.runs.cancel(run_id)

    def resume(self, view: AccountView) -> None:
        """Let the automatic runs of a subscribed account go on after they were held (rules.md 5.7).

        Raises StateError where the backend holds none.
        """
        if why := self.missing("held"):
            raise StateError(why)
        if view.subscription is not None:
            self.client.subscriptions.resume(view.subscription.id)

    def decisions(
        self,
        account_id: str | None = None,
        session: str | None = None,
        outcome: str | None = None,
        max_items: int | None = None,
    ) -> tuple[wire_decisions.Decision, ...]:
        """Recorded decisions, newest first; none where the backend keeps none (`missing`)."""
        if self.missing("decisions"):
            return ()
        return tuple(
            self.client.decisions.list(account_id=account_id, session=session, outcome=outcome, max_items=max_items)
        )

    def equity_history(self, account_id: str) -> wire_accounts.EquityHistory:
        """Equity of the account at each close; on the real API of the last year, without cash."""
        if self.estimates:
            return equity_history(self.client, account_id)
        return self.client.accounts.equity_history(account_id)

    def find_account(self, name: str) -> wire_accounts.Account:
        """The account of that name, number or id; NotFound, with names there are, without one."""
        listed = self.client.accounts.list()
        for account in listed:
            if name and name in (account.name, account.account_number, account.id):
                return account
        names = [account.name or account.account_number for account in listed]
        more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
        raise NotFound(f"There is no account {name!r}; there are {', '.join(names[:_NAMES_TOLD])}{more}.")

    def close(self) -> None:
        """End the connection; an embedded backend is closed with it."""
        self.client.close()
        if self._on_close is not None:
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_again(self, previewed: Preview) -> Snapshot:
        before = previewed.snapshot
        return replace(self.snapshot(before.account_id, previewed.request.targets.symbols), excluded=before.excluded)
