"""Whether an account is due for a run, and why, or why not (rules.md 5).

Triggers of a full rebalance are breached bands, calendar days, changed weights and new subscriptions; cash that came
in triggers investing it. Blocks keep a triggered account from running now. The full rebalance wins when both are due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_UP, Decimal
from typing import Final

from driftdesk.engine import schedule
from driftdesk.engine.decision import (
    Block,
    BlockKind,
    Decision,
    Outcome,
    Standing,
    Trigger,
    TriggerKind,
    describe_band_use,
    summarise,
)
from driftdesk.engine.drift import (
    DriftReport,
    HoldingDrift,
    check_equity,
    check_exclusions,
    check_holdings,
    measure_drift,
)
from driftdesk.engine.planner import MIN_NOTIONAL, Plan, PlanRequest, RunType, plan_orders
from driftdesk.engine.preview import project
from driftdesk.engine.schedule import Session, Sessions
from driftdesk.engine.snapshot import Snapshot, label
from driftdesk.engine.targets import BandKind, CalendarRule, DriftBand, Portfolio
from driftdesk.engine.wording import band_text, points, usd
from driftdesk.errors import DataError, InputError
from driftdesk.money import ZERO, exact, fraction_to_percent, round_to

__all__ = [
    "Block",
    "BlockKind",
    "Decision",
    "Outcome",
    "Standing",
    "Trigger",
    "TriggerKind",
    "evaluate",
]

_MEASURE_STEP: Final = Decimal("0.000001")
# Flooring quantities moves equity by fractions of a cent, and with it every weight. A fall below a ten-thousandth of a
# band is that, not help: without this limit a halted holding would cause a run in about every second session.
_LEAST_FALL: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """The inputs of one evaluation; `report` is None when the snapshot is refused."""

    snapshot: Snapshot
    portfolio: Portfolio
    standing: Standing
    session: Session
    sessions: Sessions
    min_notional: Decimal
    report: DriftReport | None

    def plan(self, run_type: RunType) -> Plan:
        return plan_orders(self.snapshot, self._request(run_type))

    def _request(self, run_type: RunType) -> PlanRequest:
        return PlanRequest(
            targets=self.portfolio.targets,
            conditions=self.portfolio.conditions,
            run_type=run_type,
            min_notional=self.min_notional,
        )


@exact
def evaluate(
    snapshot: Snapshot,
    portfolio: Portfolio,
    standing: Standing,
    session: Session,
    sessions: Sessions,
    min_notional: Decimal = MIN_NOTIONAL,
) -> Decision:
    """The decision on one account at `snapshot.as_of`, in `session` (rules.md 5).

    A snapshot that cannot be used becomes a block, never an exception. Calendar days of every session after
    `standing.last_evaluated` up to `session` count (5.1). Raises DataError only where `sessions` do not reach.
    """
    refusal = _refusal(snapshot, portfolio)
    report = None if refusal else measure_drift(snapshot, portfolio.targets, portfolio.conditions)
    it = _Evaluation(snapshot, portfolio, standing, session, sessions, min_notional, report)
    calendar, lost = _calendar_days(it)
    full = [*_drift_triggers(it), *calendar, *_flag_triggers(standing)]
    inflow = _inflow_triggers(it)
    triggers = (*full, *lost, *inflow)
    unknown = refusal is not None and bool(portfolio.bands or standing.uninvested_inflow > ZERO)
    if not triggers and not unknown:
        return _decision(it, Outcome.NOT_DUE, None, (), ())
    barred = [*_standing_blocks(it), *([refusal] if refusal else [])]
    cooldown = _cooldown_blocks(it, full, lost)
    unfit = _plan_blocks(it) if full else []
    blocks = (*barred, *cooldown, *unfit)
    resting = bool(_resting_until(it))
    if not barred and full and not resting and not unfit:
        return _decision(it, Outcome.RUN, RunType.FULL_REBALANCE, triggers, blocks)
    if not barred and inflow:
        return _decision(it, Outcome.RUN, RunType.INVEST_CASH, triggers, blocks)
    blocked_type = RunType.FULL_REBALANCE if full or lost or not inflow else RunType.INVEST_CASH
    return _decision(it, Outcome.BLOCKED, blocked_type, triggers, blocks)


def _refusal(snapshot: Snapshot, portfolio: Portfolio) -> Block | None:
    """Why the snapshot cannot be used, as a block (rules.md 3.1)."""
    try:
        check_exclusions(snapshot, portfolio.targets)
        check_holdings(snapshot, portfolio.targets)
    except (DataError, InputError) as error:
        return Block(BlockKind.NO_PRICE, str(error))
    try:
        check_equity(snapshot)
    except DataError as error:
        return Block(BlockKind.NO_EQUITY, str(error))
    return None


def _drift_triggers(it: _Evaluation) -> list[Trigger]:
    rows = it.report.breached if it.report is not None else ()
    return [_drift_trigger(row, row.band.condition) for row in rows if row.band is not None]


def _drift_trigger(row: HoldingDrift, band: DriftBand) -> Trigger:
    absolute = band.kind is BandKind.ABSOLUTE
    measure = abs(row.drift if absolute else row.drift / row.target)
    off = points(measure) if absolute else f"{points(measure).removesuffix(' points')}% of its target"
    return Trigger(
        TriggerKind.DRIFT_BAND,
        f"{label(row.symbol)} is {row.status} by {off}, beyond its band of {band_text(band)}.",
        symbol=row.symbol,
        measured=round_to(fraction_to_percent(measure), _MEASURE_STEP, ROUND_UP),
        limit=band.percent,
    )


def _calendar_days(it: _Evaluation) -> tuple[list[Trigger], list[Trigger]]:
    """Calendar days due since the last evaluation, and those among them that a cooldown loses (rules.md 5.1, 5.2)."""
    rule, last = it.portfolio.calendar, it.standing.last_evaluated
    if rule is None:
        return [], []
    start = it.session.date if last is None else last + timedelta(days=1)
    rebalanced = it.standing.last_rebalanced_at
    # A day on which the account was rebalanced has had what it asks for: neither due again nor lost.
    served = None if rebalanced is None else schedule.new_york_date(rebalanced)
    due: list[Trigger] = []
    lost: list[Trigger] = []
    for session in it.sessions.between(start, it.session.date) if start <= it.session.date else ():
        nominal = schedule.due(rule, session, it.sessions)
        if nominal is None or session.date == served:
            continue
        text = f"The {rule.kind} day {nominal} is due in the session of {session.date}."
        trigger = Trigger(TriggerKind.CALENDAR, text, nominal_date=nominal)
        cooldown = it.portfolio.cooldown_days
        is_lost = schedule.in_cooldown(it.standing.last_rebalanced_at, cooldown, session.date)
        (lost if is_lost else due).append(trigger)
    return due, lost


def _flag_triggers(standing: Standing) -> list[Trigger]:
    triggers = []
    if standing.portfolio_changed:
        text = "The weights of the portfolio changed since the last rebalance."
        triggers.append(Trigger(TriggerKind.PORTFOLIO_CHANGED, text))
    if standing.subscription_created:
        text = "The account was subscribed to the portfolio and has not been rebalanced to it yet."
        triggers.append(Trigger(TriggerKind.SUBSCRIPTION_CREATED, text))
    return triggers


def _inflow_triggers(it: _Evaluation) -> list[Trigger]:
    """Cash that came in, when at least one order to invest it reaches the minimum (rules.md 5.6)."""
    inflow = it.standing.uninvested_inflow
    if inflow <= ZERO or it.report is None or not it.plan(RunType.INVEST_CASH).orders:
        return []
    return [Trigger(TriggerKind.CASH_INFLOW, f"{usd(inflow)} came in and can be invested.")]


def _standing_blocks(it: _Evaluation) -> list[Block]:
    """What bars every automatic run of the account now, whatever triggered it."""
    standing, at = it.standing, it.snapshot.as_of
    blocks = []
    if standing.portfolio_status != "active":
        text = f"The portfolio is {standing.portfolio_status}; only an active one is rebalanced."
        blocks.append(Block(BlockKind.NEEDS_ADJUSTMENT, text))
    if standing.held is not None:
        text = f"Automatic runs of this account are held until a person resumes them: {standing.held.rstrip('.')}."
        blocks.append(Block(BlockKind.HELD, text))
    if standing.open_run is not None:
        blocks.append(Block(BlockKind.OPEN_RUN, f"Run {standing.open_run} of this account is not finished."))
    if standing.ran_this_session:
        text = f"The session of {it.session.date} has had its automatic run."
        blocks.append(Block(BlockKind.ONCE_A_SESSION, text, _next_session(it)))
    if not it.session.in_run_window(at):
        until = it.session.date if at < it.session.open else _next_session(it)
        text = f"Runs of {it.session.date} start from the open until 15 minutes before the close."
        blocks.append(Block(BlockKind.MARKET_CLOSED, text, until))
    return blocks


def _next_session(it: _Evaluation) -> date | None:
    try:
        return it.sessions.after(it.session.date).date
    except DataError:
        return None


def _resting_until(it: _Evaluation) -> date | None:
    """The first date after the cooldown when the session lies inside it, None otherwise."""
    last, days = it.standing.last_rebalanced_at, it.portfolio.cooldown_days
    if not schedule.in_cooldown(last, days, it.session.date):
        return None
    return schedule.eligible_from(last, days)


def _cooldown_blocks(it: _Evaluation, full: Sequence[Trigger], lost: Sequence[Trigger]) -> list[Block]:
    until = _resting_until(it)
    sentences = []
    if until is not None and (full or lost):
        days = it.portfolio.cooldown_days
        sentences.append(f"The cooldown of {days} days after the last full rebalance lasts until {until}.")
    if lost:
        sentences.append(_lost_sentence(it, lost, until))
    return [Block(BlockKind.COOLDOWN, " ".join(sentences), until)] if sentences else []


def _lost_sentence(it: _Evaluation, lost: Sequence[Trigger], until: date | None) -> str:
    days = ", ".join(str(trigger.nominal_date) for trigger in lost)
    named = f"The calendar day {days} fell inside the cooldown and is lost"
    rule = it.portfolio.calendar
    following = None if rule is None else _next_due(it, rule, until)
    return f"{named}." if following is None else f"{named}; the next one is due on {following}."


def _next_due(it: _Evaluation, rule: CalendarRule, until: date | None) -> date | None:
    """The session date of the next calendar day that the present cooldown does not lose."""
    after = it.session.date if until is None else max(it.session.date, until - timedelta(days=1))
    try:
        return schedule.next_due(rule, after, it.sessions)[1].date
    except DataError:
        return None


def _plan_blocks(it: _Evaluation) -> list[Block]:
    """Why a full rebalance would not be worth sending (rules.md 5.7)."""
    if it.report is None:
        return []
    plan = it.plan(RunType.FULL_REBALANCE)
    if not plan.orders:
        why = f"every order is below the minimum of {usd(it.min_notional)}" if plan.skipped else "no order is needed"
        return [Block(BlockKind.NOTHING_TO_TRADE, f"There is nothing to send: {why}.")]
    before = it.report.largest_band_used
    projected = measure_drift(project(it.snapshot, plan), it.portfolio.targets, it.portfolio.conditions)
    after = projected.largest_band_used
    if before is None or after is None or before - after >= _LEAST_FALL:
        return []
    return [Block(BlockKind.DUST, f"The orders would not help: {describe_band_use(projected.rows[0])}.")]


def _decision(
    it: _Evaluation,
    outcome: Outcome,
    run_type: RunType | None,
    triggers: tuple[Trigger, ...],
    blocks: tuple[Block, ...],
) -> Decision:
    return Decision(
        account_id=it.snapshot.account_id,
        portfolio_id=it.portfolio.id,
        session=it.session.date,
        at=it.snapshot.as_of,
        outcome=outcome,
        run_type=run_type,
        triggers=triggers,
        blocks=blocks,
        summary=summarise(outcome, run_type, triggers, blocks, it.report),
    )
