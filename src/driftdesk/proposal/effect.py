"""What saving a changed portfolio would do: each subscribed account under the portfolio of today and under the draft.

The accounts are decided on by the engine's own evaluation, at the instant at which the backend would next evaluate
them if no price moved before (rules.md 2.4, 5.1); nothing is written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from driftdesk.desk import AccountView, Desk
from driftdesk.desk.deciding import next_evaluation, snapshot_then, standing_of
from driftdesk.engine.decision import Block, BlockKind, Decision, Outcome, TriggerKind
from driftdesk.engine.drift import equity_of, measure_drift
from driftdesk.engine.measures import one_way_turnover
from driftdesk.engine.plan import Plan, PlanRequest, RunType
from driftdesk.engine.planner import plan_orders
from driftdesk.engine.schedule import Session, Sessions
from driftdesk.engine.snapshot import PortfolioId, Quote, RunId, Snapshot, Symbol
from driftdesk.engine.targets import Portfolio
from driftdesk.engine.triggers import evaluate
from driftdesk.errors import DriftdeskError
from driftdesk.money import ZERO, exact
from driftdesk.proposal.draft import conditions_changed, update_of, weights_changed
from driftdesk.translate import to_conditions, to_portfolio, to_targets
from driftdesk.wire import portfolios as wire
from driftdesk.wire.accounts import Account
from driftdesk.wire.runs import OPEN_RUN_STATUSES
from driftdesk.wire.subscriptions import Subscription

# Blocks that say that the account cannot be valued, and so not planned.
_UNVALUED: Final = frozenset({BlockKind.NO_PRICE, BlockKind.NO_EQUITY})


@dataclass(frozen=True, slots=True)
class Case:
    """What the next evaluation makes of an account under one portfolio. `plan` is what the run would send, also of one
    that has to wait; None where nothing is due or the account cannot be valued. `equity` in USD."""

    decision: Decision
    plan: Plan | None
    equity: Decimal

    @property
    def waits(self) -> bool:
        """Whether orders are to be sent, but not now: something blocks them."""
        return self.decision.outcome is Outcome.BLOCKED and self.orders > 0

    @property
    def orders(self) -> int:
        """How many orders would be sent."""
        return 0 if self.plan is None else len(self.plan.orders)

    @property
    def notional(self) -> Decimal:
        """Planned value of all orders, sells and buys together, in USD."""
        return ZERO if self.plan is None else _total(order.notional for order in self.plan.orders)

    @property
    def turnover(self) -> Decimal:
        """One-way turnover, a fraction of the account's equity."""
        return _turnover(self.notional, self.equity)


@dataclass(frozen=True, slots=True)
class AccountProposal:
    """One account under the portfolio of today (`now`) and under the draft (`changed`)."""

    account: Account
    now: Case
    changed: Case


@dataclass(frozen=True, slots=True)
class Totals:
    """Several accounts together: how many, their orders, notional (USD), and one-way turnover as a fraction of the
    equity of every account that follows the portfolio."""

    accounts: int
    orders: int
    notional: Decimal
    turnover: Decimal


@dataclass(frozen=True, slots=True)
class Proposal:
    """Every account that follows a portfolio, by name, and whether the draft changes what they are held to."""

    accounts: tuple[AccountProposal, ...]
    weights_changed: bool
    conditions_changed: bool

    @property
    def runs_now(self) -> Totals:
        """The accounts that the next evaluation would rebalance with the portfolio as it is."""
        return _totals([row.now for row in self.accounts], lambda case: case.decision.outcome is Outcome.RUN)

    @property
    def runs(self) -> Totals:
        """The accounts that the next evaluation would rebalance with the draft."""
        return _totals([row.changed for row in self.accounts], lambda case: case.decision.outcome is Outcome.RUN)

    @property
    def waits(self) -> Totals:
        """The accounts that the draft makes due later: a cooldown, an open run or a hold is in the way."""
        return _totals([row.changed for row in self.accounts], lambda case: case.waits)


def _totals(cases: Sequence[Case], counts: Callable[[Case], bool]) -> Totals:
    counted = [case for case in cases if counts(case)]
    notional = _total(case.notional for case in counted)
    equity = _total(case.equity for case in cases)
    return Totals(len(counted), sum(case.orders for case in counted), notional, _turnover(notional, equity))


@exact
def _total(numbers: Iterable[Decimal]) -> Decimal:
    return sum(numbers, ZERO)


def _turnover(notional: Decimal, equity: Decimal) -> Decimal:
    return one_way_turnover((notional,), equity) if equity > ZERO else ZERO


def propose(
    desk: Desk, portfolio: wire.Portfolio, draft: wire.CreatePortfolio, views: Iterable[AccountView] | None = None
) -> Proposal:
    """What every account that follows `portfolio` would do if it were saved as `draft` now.

    `views` spares reading the book where it was just read. Beside it one read of the open runs, and the prices of what
    the draft adds, however many accounts there are. Raises BackendError where the backend cannot be read, InputError
    for a draft against a rule (rules.md 2.1, 2.3).
    """
    book = desk.book() if views is None else views
    followers = [
        (view, view.subscription)
        for view in sorted(book, key=lambda view: (view.account.name or view.account.account_number).casefold())
        if view.subscription and view.subscription.portfolio_id == portfolio.id
    ]
    wanted = {weight.symbol for weight in draft.weights if weight.symbol}
    quotes = {quote.symbol: quote for view, _ in followers for quote in view.snapshot.quotes}
    if followers and wanted - quotes.keys():
        # Any account will do: the quotes are what is asked for.
        asked = desk.snapshot(followers[0][0].account.id, wanted)
        quotes |= {quote.symbol: quote for quote in asked.quotes}
    running = {run.account_id: RunId(run.id) for status in OPEN_RUN_STATUSES for run in desk.runs(status=status)}
    shared = _Shared(desk.sessions, quotes, running)
    before = _Rules(to_portfolio(portfolio), str(portfolio.status))
    after = _drafted(portfolio, draft)
    return Proposal(
        accounts=tuple(
            AccountProposal(view.account, *(_case(view, subscription, rules, shared) for rules in (before, after)))
            for view, subscription in followers
        ),
        weights_changed=after.weights_changed,
        conditions_changed=conditions_changed(portfolio, draft),
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    """What is the same for every account: sessions, quotes of all symbols, open runs by account."""

    sessions: Sessions
    quotes: Mapping[Symbol, Quote]
    running: Mapping[str, RunId]


@dataclass(frozen=True, slots=True)
class _Rules:
    """A portfolio as an evaluation meets it. `flagged`: saving it asks for an evaluation at the next opportunity."""

    model: Portfolio
    status: str
    weights_changed: bool = False
    flagged: bool = False


def _drafted(portfolio: wire.Portfolio, draft: wire.CreatePortfolio) -> _Rules:
    sent = update_of(portfolio, draft)
    model = Portfolio(
        id=PortfolioId(portfolio.id),
        name=draft.name,
        targets=to_targets(draft.weights),
        conditions=to_conditions(draft.rebalance_conditions),
        cooldown_days=draft.cooldown_days,
    )
    return _Rules(
        model=model,
        # Weights that are sent are all eligible, and make the portfolio active again (rules.md 2.7).
        status=str(portfolio.status) if sent.weights is None else wire.PortfolioStatus.ACTIVE.value,
        weights_changed=weights_changed(portfolio, draft),
        flagged=sent.weights is not None or sent.rebalance_conditions is not None,
    )


def _case(view: AccountView, subscription: Subscription, rules: _Rules, shared: _Shared) -> Case:
    session, at = next_evaluation(view.snapshot.as_of, subscription, shared.sessions, flagged=rules.flagged)
    if unread := _unread(view):
        return _not_evaluated(view, rules, session, at, unread)
    snapshot = _at(view.snapshot, at, rules.model, shared.quotes)
    running = shared.running.get(subscription.account_id)
    standing = standing_of(subscription, rules.status, running, session, shared.sessions)
    if rules.weights_changed:
        standing = replace(standing, portfolio_changed=True)
    decision = evaluate(snapshot, rules.model, standing, session, shared.sessions)
    if any(block.kind in _UNVALUED for block in decision.blocks):
        return Case(decision, None, ZERO)
    plan = None if _comes_to_nothing(decision) else plan_orders(snapshot, _request(rules.model, decision))
    return Case(decision, plan, equity_of(snapshot))


def _unread(view: AccountView) -> str | None:
    """Why the view is not the whole account: a problem that its snapshot alone does not show."""
    if view.problem is None or view.model is None:
        return view.problem
    try:
        measure_drift(view.snapshot, view.model.targets, view.model.conditions)
    except DriftdeskError:
        # The evaluation finds the same, or under the draft perhaps no longer.
        return None
    return view.problem


def _not_evaluated(view: AccountView, rules: _Rules, session: Session, at: datetime, problem: str) -> Case:
    decision = Decision(
        account_id=view.snapshot.account_id,
        portfolio_id=rules.model.id,
        session=session.date,
        at=at,
        outcome=Outcome.BLOCKED,
        run_type=None,
        triggers=(),
        blocks=(Block(BlockKind.NO_PRICE, problem),),
        summary=f"Not evaluated: {problem}",
    )
    return Case(decision, None, ZERO)


def _at(snapshot: Snapshot, at: datetime, model: Portfolio, quotes: Mapping[Symbol, Quote]) -> Snapshot:
    """The account at the instant `at`, at the prices of now, with quotes for what `model` adds."""
    held = {quote.symbol for quote in snapshot.quotes}
    added = tuple(quotes[symbol] for symbol in model.targets.symbols if symbol not in held and symbol in quotes)
    return snapshot_then(snapshot, at, added)


def _comes_to_nothing(decision: Decision) -> bool:
    """Whether no order follows: nothing is due, the orders would not help, or a calendar day is lost (5.2, 5.7)."""
    kinds = {block.kind for block in decision.blocks}
    lost = BlockKind.COOLDOWN in kinds and {trigger.kind for trigger in decision.triggers} == {TriggerKind.CALENDAR}
    return decision.outcome is not Outcome.RUN and (not decision.triggers or BlockKind.DUST in kinds or lost)


def _request(model: Portfolio, decision: Decision) -> PlanRequest:
    run_type = decision.run_type or RunType.FULL_REBALANCE
    return PlanRequest(targets=model.targets, conditions=model.conditions, run_type=run_type)
