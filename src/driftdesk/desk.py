"""The desk: what pages and notebooks talk to. One fetch makes one snapshot; drift, decision and preview come from it.

Reading goes through the client on every call, so the embedded world and a remote one behave alike (architecture.md).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Self

from driftdesk.client import Client
from driftdesk.client.resources.simulation import Simulation
from driftdesk.engine.drift import DriftReport, measure_drift
from driftdesk.engine.planner import MIN_NOTIONAL, Options, PlanRequest, RunType
from driftdesk.engine.preview import Preview, preview
from driftdesk.engine.schedule import Session, Sessions
from driftdesk.engine.snapshot import RunId, Snapshot, Symbol
from driftdesk.engine.targets import Portfolio
from driftdesk.engine.triggers import Decision, Standing, evaluate
from driftdesk.errors import DriftdeskError, InputError, NotFound
from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import ZERO
from driftdesk.translate import (
    Held,
    Market,
    from_conditions,
    from_options,
    from_planned,
    from_weights,
    to_portfolio,
    to_snapshot,
)
from driftdesk.wire import accounts as wire_accounts
from driftdesk.wire import decisions as wire_decisions
from driftdesk.wire import portfolios as wire_portfolios
from driftdesk.wire import runs as wire_runs
from driftdesk.wire.market import Clock
from driftdesk.wire.subscriptions import Subscription, Waiting


class Mode(StrEnum):
    """What a write on this desk moves: nothing real, a sandbox, or real money."""

    SIMULATED = "simulated"
    SANDBOX = "sandbox"
    LIVE = "live"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as a page shows it. `drift` is None without a portfolio, or where `problem` says why in a sentence."""

    account: wire_accounts.Account
    subscription: Subscription | None
    portfolio: wire_portfolios.Portfolio | None
    model: Portfolio | None
    snapshot: Snapshot
    drift: DriftReport | None
    problem: str | None


class Desk:
    """Reads, previews and runs over one client. `simulation` is None where the clock is not simulated.

    Every method raises BackendError (or a subclass) when the backend refuses or cannot be reached.
    """

    def __init__(self, client: Client, *, mode: Mode, label: str, on_close: Callable[[], None] | None = None) -> None:
        self.client = client
        self.mode = mode
        self.label = label
        self.simulation: Simulation | None = client.simulation if mode is Mode.SIMULATED else None
        self.sessions: Sessions = new_york_sessions()
        self._on_close = on_close

    def clock(self) -> Clock:
        """The backend's instant, whether the exchange is open, and when that changes next."""
        return self.client.market.clock()

    def portfolios(self) -> tuple[wire_portfolios.Portfolio, ...]:
        """Portfolios that are not inactive."""
        return tuple(self.client.portfolios.list())

    def book(self) -> tuple[AccountView, ...]:
        """Every account with its drift, in the order of the backend's list."""
        listed = self.client.accounts.list()
        bulk = self.client.accounts.all_positions()
        followed = {subscription.account_id: subscription for subscription in self.client.subscriptions.list()}
        models = {portfolio.id: portfolio for portfolio in self.client.portfolios.list()}
        market = self._market(_symbols(models.values()) | {p.symbol for held in bulk.positions.values() for p in held})
        views = []
        for account in listed:
            positions = bulk.positions.get(account.id, ())
            busy = bulk.reserved_cash.get(account.id, ZERO) > ZERO or any(p.qty_available != p.qty for p in positions)
            orders = tuple(self.client.accounts.orders(account.id)) if busy else ()
            held = Held(bulk.cash.get(account.id, ZERO), positions, orders)
            subscription = followed.get(account.id)
            portfolio = models.get(subscription.portfolio_id) if subscription else None
            views.append(_view(account, subscription, portfolio, held, market))
        return tuple(views)

    def account(self, account_id: str) -> AccountView:
        """One account with its drift; BackendNotFound for an unknown id."""
        account = self.client.accounts.get(account_id)
        subscription = next(iter(self.client.subscriptions.list(account_id=account_id)), None)
        portfolio = self.client.portfolios.get(subscription.portfolio_id) if subscription else None
        held, market = self._held(account_id, _symbols([portfolio] if portfolio else ()))
        return _view(account, subscription, portfolio, held, market)

    def snapshot(self, account_id: str, symbols: Iterable[str] = ()) -> Snapshot:
        """The account now, with quotes for what it holds and for `symbols`."""
        wanted = set(symbols)
        held, market = self._held(account_id, wanted)
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
        are left out of equity and plan (rules.md 3.1).

        Raises InputError when there is neither, DataError when the snapshot cannot be used (rules.md 3.1).
        """
        if model is None:
            model = self.account(account_id).model
        if model is None:
            raise InputError(
                "The account follows no portfolio; choose one to preview against.",
                field="portfolio",
                allowed="a portfolio",
            )
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

        Raises InputError for an account without a subscription.
        """
        if view.subscription is None or view.model is None or view.portfolio is None:
            raise InputError("The account follows no portfolio, so nothing is decided for it.", field="account")
        now = view.snapshot.as_of
        session = self._next_evaluation(now, view.subscription)
        at = max(now, session.evaluation)
        quotes = tuple(replace(quote, at=at if quote.at else None) for quote in view.snapshot.quotes)
        later = replace(view.snapshot, as_of=at, quotes=quotes, market_open=True)
        standing = self._standing(view.subscription, view.portfolio, session)
        return evaluate(later, view.model, standing, session, self.sessions)

    def create_run(self, previewed: Preview, *, idempotency_key: str) -> wire_runs.Run:
        """Create the run that was previewed; the same key never makes a second one.

        Raises Rejected (409) when the orders no longer stand as previewed (rules.md 6.6).
        """
        request = previewed.request
        account_id = previewed.snapshot.account_id
        subscribed = next(iter(self.client.subscriptions.list(account_id=account_id)), None) is not None
        options = from_options(request.options)
        if previewed.snapshot.excluded:
            left_out = tuple(sorted(previewed.snapshot.excluded))
            options = (options or wire_runs.RunOptions()).model_copy(update={"excluded": left_out})
        body = wire_runs.CreateRun(
            account_id=account_id,
            type=request.run_type,
            # A subscribed account runs its own portfolio: the API refuses weights there (rules.md 5.5).
            weights=None if subscribed else from_weights(request.targets),
            # The bands that were previewed with: they are part of the hash, and size orders to a band's edge.
            rebalance_conditions=None if subscribed else from_conditions(request.conditions),
            amount=request.amount,
            preview_hash=previewed.hash,
            preview_orders=tuple(from_planned(order) for order in previewed.plan.orders),
            options=options,
        )
        return self.client.runs.create(body, idempotency_key=idempotency_key)

    def runs(
        self, account_id: str | None = None, status: str | None = None, max_items: int | None = None
    ) -> tuple[wire_runs.Run, ...]:
        """Runs, newest first, with their orders, failed and skipped orders."""
        return tuple(self.client.runs.list(account_id=account_id, status=status, max_items=max_items))

    def run(self, run_id: str) -> wire_runs.Run:
        """One run with its plan and events."""
        return self.client.runs.get(run_id)

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run that is QUEUED or IN_PROGRESS; what filled stays (rules.md 7.4)."""
        self.client.runs.cancel(run_id)

    def resume(self, view: AccountView) -> None:
        """Let the automatic runs of a subscribed account go on after they were held (rules.md 5.7)."""
        if view.subscription is not None:
            self.client.subscriptions.resume(view.subscription.id)

    def decisions(
        self,
        account_id: str | None = None,
        session: str | None = None,
        outcome: str | None = None,
        max_items: int | None = None,
    ) -> tuple[wire_decisions.Decision, ...]:
        """Recorded decisions, newest first."""
        return tuple(
            self.client.decisions.list(account_id=account_id, session=session, outcome=outcome, max_items=max_items)
        )

    def equity_history(self, account_id: str) -> wire_accounts.EquityHistory:
        """Equity of the account at each close."""
        return self.client.accounts.equity_history(account_id)

    def find_account(self, name: str) -> wire_accounts.Account:
        """The account of that name or number; NotFound, with the names there are, without one."""
        listed = self.client.accounts.list()
        for account in listed:
            if name in (account.name, account.account_number, account.id):
                return account
        raise NotFound(f"There is no account {name!r}; there are {', '.join(account.name for account in listed)}.")

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

    def _held(self, account_id: str, symbols: set[str]) -> tuple[Held, Market]:
        trading = self.client.accounts.trading(account_id)
        positions = tuple(self.client.accounts.positions(account_id))
        orders = tuple(self.client.accounts.orders(account_id))
        market = self._market(symbols | {position.symbol for position in positions})
        return Held(trading.cash, positions, orders), market

    def _market(self, symbols: set[str]) -> Market:
        assets: Mapping[str, wire_accounts.Asset] = {asset.symbol: asset for asset in self.client.market.assets()}
        trades = self.client.market.latest_trades(sorted(symbols)) if symbols else {}
        return Market(self.clock(), trades, assets)

    def _next_evaluation(self, now: datetime, subscription: Subscription) -> Session:
        session = self.sessions.current_or_next(now)
        done = subscription.waiting is not None and subscription.waiting.last_evaluated == session.date.isoformat()
        return self.sessions.after(session.date) if done or now > session.last_start else session

    def _standing(self, subscription: Subscription, portfolio: wire_portfolios.Portfolio, session: Session) -> Standing:
        runs = self.runs(subscription.account_id, max_items=5)
        waiting = subscription.waiting or Waiting()
        return Standing(
            portfolio_status=str(portfolio.status),
            last_rebalanced_at=subscription.last_rebalanced_at,
            # Sessions that were missed are made up for (rules.md 5.1); a new subscription has missed none.
            last_evaluated=date.fromisoformat(waiting.last_evaluated)
            if waiting.last_evaluated
            else self.sessions.before(session.date).date,
            portfolio_changed=waiting.portfolio_changed,
            subscription_created=waiting.subscription_created,
            uninvested_inflow=waiting.uninvested_inflow,
            open_run=next((RunId(run.id) for run in runs if run.is_open), None),
            ran_this_session=waiting.last_run_session == session.date.isoformat(),
            held=waiting.held,
        )


def _symbols(portfolios: Iterable[wire_portfolios.Portfolio]) -> set[str]:
    return {weight.symbol for portfolio in portfolios for weight in portfolio.weights if weight.symbol}


def _view(
    account: wire_accounts.Account,
    subscription: Subscription | None,
    portfolio: wire_portfolios.Portfolio | None,
    held: Held,
    market: Market,
) -> AccountView:
    model = to_portfolio(portfolio) if portfolio else None
    snapshot = to_snapshot(account.id, held, market, model.targets.symbols if model else ())
    drift, problem = None, None
    if model is not None:
        try:
            drift = measure_drift(snapshot, model.targets, model.conditions)
        except DriftdeskError as error:
            problem = str(error)
    return AccountView(account, subscription, portfolio, model, snapshot, drift, problem)
