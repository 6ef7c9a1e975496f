"""When a run is due, when it is blocked, and what the decision says."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from domain import bands, book, model, weekdays, with_quote

from driftdesk.engine.planner import RunType
from driftdesk.engine.snapshot import PortfolioId, RunId, Snapshot, Symbol
from driftdesk.engine.targets import CalendarKind, CalendarRule, Condition, Portfolio
from driftdesk.engine.triggers import BlockKind, Decision, Outcome, Standing, TriggerKind, evaluate

SESSIONS = weekdays("2025-12-01", "2027-06-30", without="2026-04-03")
ON_TARGET = "cash 500 | SPY 60@100 | TLT 70@50"
RALLIED = "cash 500 | SPY 70@100 | TLT 40@50"
MONTHLY = CalendarRule(CalendarKind.MONTHLY, "15")


def portfolio(*conditions: Condition, cooldown: int = 0, targets: str = "cash 5 | SPY 60 | TLT 35") -> Portfolio:
    """The seed's Balanced portfolio with other conditions."""
    return Portfolio(PortfolioId("balanced"), "Balanced", model(targets), conditions, cooldown)


BANDED = portfolio(*bands("abs 5, rel 20"))


def decide(
    account: str | Snapshot,
    follows: Portfolio = BANDED,
    *,
    on: str = "2026-03-02",
    at: datetime | None = None,
    **standing: object,
) -> Decision:
    """The decision in the session of `on`, at its instant of evaluation where `at` does not say otherwise."""
    session = SESSIONS.on(date.fromisoformat(on))
    assert session is not None
    instant = session.evaluation if at is None else at
    snapshot = book(account, as_of=instant) if isinstance(account, str) else account
    return evaluate(snapshot, follows, Standing(**standing), session, SESSIONS)  # type: ignore[arg-type]


def kinds(decision: Decision) -> tuple[list[str], list[str]]:
    """Kinds of the triggers and of the blocks."""
    return [trigger.kind.value for trigger in decision.triggers], [block.kind.value for block in decision.blocks]


def new_york(text: str) -> datetime:
    """An instant in UTC from text like 2026-03-02T20:45:00."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_breached_band_makes_a_run() -> None:
    """Both holdings are outside: TLT 13.95 points under, SPY 13.68 over; each is a trigger of its own."""
    decision = decide(RALLIED)
    assert (Outcome.RUN, RunType.FULL_REBALANCE) == (decision.outcome, decision.run_type)
    assert [(Symbol("TLT"), Decimal("13.947369")), (Symbol("SPY"), Decimal("13.684211"))] == [
        (trigger.symbol, trigger.measured) for trigger in decision.triggers
    ]
    assert {Decimal(5)} == {trigger.limit for trigger in decision.triggers}
    assert decision.triggers[1].text == "SPY is overweight by 13.68 points, beyond its band of ±5."
    assert (
        decision.summary
        == "Full rebalance: TLT is underweight by 13.95 points, beyond its band of ±5 (1 more trigger)."
    )


def test_a_relative_band_is_measured_in_percent_of_the_target() -> None:
    """Cash of 6.5% against 5% is 30% of its target too much."""
    trigger = decide("cash 650 | SPY 60@100 | TLT 67@50").triggers[0]
    assert (Decimal(30), Decimal(20)) == (trigger.measured, trigger.limit)
    assert trigger.text == "Cash is overweight by 30.00% of its target, beyond its band of ±20% of its target."


def test_inside_every_band_nothing_is_due() -> None:
    """The summary names the nearest miss: SPY and TLT use 4 of their 5 points."""
    decision = decide("cash 500 | SPY 64@100 | TLT 62@50")
    assert (Outcome.NOT_DUE, None, (), ()) == (decision.outcome, decision.run_type, decision.triggers, decision.blocks)
    assert decision.summary == "Nothing is due; the nearest miss: SPY uses 80% of its band of ±5."


def test_the_edge_of_a_band_is_not_due() -> None:
    """65% against 60 and 5 points is still permitted."""
    assert decide("cash 500 | SPY 65@100 | TLT 60@50").outcome is Outcome.NOT_DUE


@pytest.mark.parametrize(
    ("on", "last", "nominal"),
    [
        ("2026-04-15", "2026-04-14", "2026-04-15"),
        ("2026-04-14", "2026-04-13", None),
        ("2026-03-13", "2026-03-12", "2026-03-15"),  # the 15th is a Sunday
        ("2026-04-17", "2026-04-14", "2026-04-15"),  # the process was down on the 15th and 16th
        ("2026-04-17", "2026-04-15", None),
        ("2026-04-15", "2026-04-15", None),  # a second evaluation in the same session
        ("2026-04-15", None, "2026-04-15"),
        ("2026-04-16", None, None),  # nothing before the first evaluation is made up for
    ],
)
def test_a_calendar_day_fires_once(on: str, last: str | None, nominal: str | None) -> None:
    """The 15th, or the last session before it; missed sessions are made up for at the next evaluation."""
    evaluated = None if last is None else date.fromisoformat(last)
    decision = decide(RALLIED, portfolio(MONTHLY), on=on, last_evaluated=evaluated)
    fired = [str(trigger.nominal_date) for trigger in decision.triggers]
    assert ([] if nominal is None else [nominal]) == fired


@pytest.mark.parametrize(
    ("flag", "kind"),
    [("portfolio_changed", TriggerKind.PORTFOLIO_CHANGED), ("subscription_created", TriggerKind.SUBSCRIPTION_CREATED)],
)
def test_flags_trigger_without_any_condition(flag: str, kind: TriggerKind) -> None:
    """Changed weights and a new subscription are triggers themselves."""
    decision = decide(RALLIED, portfolio(), **{flag: True})
    assert (Outcome.RUN, [kind]) == (decision.outcome, [trigger.kind for trigger in decision.triggers])


@pytest.mark.parametrize(
    ("standing", "kind", "until"),
    [
        ({"portfolio_status": "needs_adjustment"}, BlockKind.NEEDS_ADJUSTMENT, None),
        ({"portfolio_status": "inactive"}, BlockKind.NEEDS_ADJUSTMENT, None),
        ({"held": "three runs failed in a row."}, BlockKind.HELD, None),
        ({"open_run": RunId("run-7")}, BlockKind.OPEN_RUN, None),
        ({"ran_this_session": True}, BlockKind.ONCE_A_SESSION, date(2026, 3, 3)),
    ],
)
def test_what_bars_a_run(standing: dict[str, object], kind: BlockKind, until: date | None) -> None:
    """Each by itself turns a run into a blocked decision that keeps its triggers."""
    decision = decide(RALLIED, **standing)
    assert (Outcome.BLOCKED, RunType.FULL_REBALANCE) == (decision.outcome, decision.run_type)
    assert [(kind, until)] == [(block.kind, block.until) for block in decision.blocks]
    assert len(decision.triggers) == 2
    assert decision.summary == f"Due, but not now: {decision.blocks[0].text}"


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-02T14:29:59", date(2026, 3, 2)),
        ("2026-03-02T14:30:00", None),
        ("2026-03-02T20:45:00", None),
        ("2026-03-02T20:45:01", date(2026, 3, 3)),
    ],
)
def test_runs_start_inside_the_window_only(at: str, until: date | None) -> None:
    """From 9:30:00 to 15:45:00 New York, both included."""
    decision = decide(RALLIED, at=new_york(at))
    expected = [] if until is None else [(BlockKind.MARKET_CLOSED, until)]
    assert expected == [(block.kind, block.until) for block in decision.blocks]


@pytest.mark.parametrize(("on", "outcome"), [("2026-03-06", Outcome.BLOCKED), ("2026-03-09", Outcome.RUN)])
def test_a_breach_waits_for_the_end_of_the_cooldown(on: str, outcome: Outcome) -> None:
    """Seven days after a rebalance in the night of 2 March, New York, is 9 March."""
    rested = replace(BANDED, cooldown_days=7)
    decision = decide(RALLIED, rested, on=on, last_rebalanced_at=new_york("2026-03-03T02:00:00"))
    assert outcome is decision.outcome
    if outcome is Outcome.BLOCKED:
        block = decision.blocks[0]
        assert (BlockKind.COOLDOWN, date(2026, 3, 9)) == (block.kind, block.until)
        assert block.text == "The cooldown of 7 days after the last full rebalance lasts until 2026-03-09."


def test_a_calendar_day_inside_the_cooldown_is_lost() -> None:
    """The decision names the lost day and the next due one: 15 May is a Friday."""
    rested = portfolio(MONTHLY, cooldown=30)
    decision = decide(RALLIED, rested, on="2026-04-15", last_rebalanced_at=new_york("2026-04-01T15:00:00"))
    assert (["calendar"], ["cooldown"]) == kinds(decision)
    assert decision.outcome is Outcome.BLOCKED
    assert decision.blocks[0].text == (
        "The cooldown of 30 days after the last full rebalance lasts until 2026-05-01. "
        "The calendar day 2026-04-15 fell inside the cooldown and is lost; the next one is due on 2026-05-15."
    )


@pytest.mark.parametrize(("cooldown", "following"), [(12, "2026-04-13"), (13, "2026-04-20"), (30, "2026-05-04")])
def test_the_next_due_day_named_is_one_that_the_cooldown_permits(cooldown: int, following: str) -> None:
    """Weekly Mondays, rebalanced on 1 April: 12 days end on Monday 13 April itself, 30 on Friday 1 May."""
    rested = portfolio(CalendarRule(CalendarKind.WEEKLY, "Monday"), cooldown=cooldown)
    decision = decide(RALLIED, rested, on="2026-04-06", last_rebalanced_at=new_york("2026-04-01T15:00:00"))
    assert decision.blocks[0].text.endswith(f"the next one is due on {following}.")


def test_a_day_lost_while_the_process_was_down_stays_lost() -> None:
    """The 15th lay in the cooldown that ended on the 16th; on the 17th it is named, not made up for."""
    rested = portfolio(MONTHLY, cooldown=15)
    rebalanced, seen = new_york("2026-04-01T15:00:00"), date(2026, 4, 14)
    decision = decide(RALLIED, rested, on="2026-04-17", last_rebalanced_at=rebalanced, last_evaluated=seen)
    assert (Outcome.BLOCKED, ["cooldown"]) == (decision.outcome, kinds(decision)[1])
    both = replace(rested, conditions=(MONTHLY, *bands("abs 5")))
    decision = decide(RALLIED, both, on="2026-04-17", last_rebalanced_at=rebalanced, last_evaluated=seen)
    assert (Outcome.RUN, ["cooldown"]) == (decision.outcome, kinds(decision)[1])
    assert "2026-04-15 fell inside the cooldown and is lost" in decision.blocks[0].text


INFLOW = "cash 900 | SPY 60@100 | TLT 70@50"


def test_cash_that_came_in_is_invested() -> None:
    """400 above the cash target of 5%, inside every band."""
    decision = decide(INFLOW, portfolio(), uninvested_inflow=Decimal(400))
    assert (Outcome.RUN, RunType.INVEST_CASH) == (decision.outcome, decision.run_type)
    assert decision.summary == "Invest cash: 400.00 USD came in and can be invested."


def test_an_inflow_too_small_for_an_order_is_not_due() -> None:
    """0.90 above the cash target makes no order of 1.00."""
    decision = decide("cash 500.90 | SPY 60@100 | TLT 70@50", portfolio(), uninvested_inflow=Decimal("0.90"))
    assert (Outcome.NOT_DUE, ()) == (decision.outcome, decision.triggers)


def test_without_an_inflow_spare_cash_is_left_alone() -> None:
    """Cash above its target is a matter of bands; only what came in is invested."""
    assert decide(INFLOW, portfolio()).outcome is Outcome.NOT_DUE


def test_the_full_rebalance_wins_when_both_are_due() -> None:
    """Both triggers are told."""
    decision = decide(RALLIED.replace("cash 500", "cash 5000"), uninvested_inflow=Decimal(4500))
    assert RunType.FULL_REBALANCE is decision.run_type
    assert TriggerKind.CASH_INFLOW in {trigger.kind for trigger in decision.triggers}


def test_a_cooldown_does_not_keep_cash_from_being_invested() -> None:
    """The breach waits, the deposit does not; the decision says both."""
    rested = replace(BANDED, cooldown_days=30)
    decision = decide(
        "cash 2000 | SPY 60@100 | TLT 70@50",
        rested,
        last_rebalanced_at=new_york("2026-02-27T15:00:00"),
        uninvested_inflow=Decimal(1500),
    )
    assert (Outcome.RUN, RunType.INVEST_CASH) == (decision.outcome, decision.run_type)
    assert (["drift_band", "drift_band", "cash_inflow"], ["cooldown"]) == kinds(decision)


def test_an_inflow_is_barred_like_any_run() -> None:
    """It is the session's automatic run."""
    decision = decide(INFLOW, portfolio(), uninvested_inflow=Decimal(400), ran_this_session=True)
    assert (Outcome.BLOCKED, RunType.INVEST_CASH) == (decision.outcome, decision.run_type)


def test_a_calendar_day_with_nothing_to_trade_makes_no_run() -> None:
    """On target to the cent, and a few cents off it."""
    decision = decide(ON_TARGET, portfolio(MONTHLY), on="2026-04-15")
    assert (Outcome.BLOCKED, ["nothing_to_trade"]) == (decision.outcome, kinds(decision)[1])
    assert decision.blocks[0].text == "There is nothing to send: no order is needed."
    decision = decide("cash 500.50 | SPY 60@100 | TLT 70@50", portfolio(MONTHLY), on="2026-04-15")
    assert decision.blocks[0].text == "There is nothing to send: every order is below the minimum of 1.00 USD."


@pytest.mark.parametrize("price", ["1", "0.9999", "1.0001"])
def test_a_run_that_would_not_help_is_dust(price: str) -> None:
    """SPY is halted outside its band; selling two dollars of XYZ leaves its share of the band, but for rounding."""
    snapshot = book(f"cash 0 | SPY 70@100 | TLT 30@100 | XYZ 2@{price} | GLD @9", as_of=new_york("2026-03-02T20:30:00"))
    decision = decide(
        with_quote(snapshot, "SPY", tradable=False), portfolio(*bands("abs 5"), targets="SPY 60 | TLT 32 | GLD 8")
    )
    assert (Outcome.BLOCKED, ["dust"]) == (decision.outcome, kinds(decision)[1])
    assert decision.blocks[0].text == "The orders would not help: SPY uses 200% of its band of ±5."


def test_a_run_that_helps_a_little_is_no_dust() -> None:
    """A hundred dollars for GLD bring its share of the band from 200% to 181%; nothing else can be traded."""
    snapshot = book("cash 100 | SPY 70@100 | TLT 31@100 | GLD @9", as_of=new_york("2026-03-02T20:30:00"))
    for symbol in ("SPY", "TLT"):
        snapshot = with_quote(snapshot, symbol, tradable=False)
    decision = decide(snapshot, portfolio(*bands("abs 5"), targets="SPY 63 | TLT 27 | GLD 10"))
    assert (Outcome.RUN, []) == (decision.outcome, kinds(decision)[1])


@pytest.mark.parametrize(
    ("account", "kind"),
    [
        ("cash 0 | SPY @100 | TLT @50", BlockKind.NO_EQUITY),
        ("cash 500 | SPY 60@? | TLT 70@50", BlockKind.NO_PRICE),
        ("cash 500 | SPY -1@100 | TLT 70@50", BlockKind.NO_PRICE),
    ],
)
def test_a_snapshot_that_is_refused_becomes_a_block(account: str, kind: BlockKind) -> None:
    """No exception leaves an evaluation; bands that cannot be measured are told as blocked."""
    decision = decide(account)
    assert (Outcome.BLOCKED, [kind.value]) == (decision.outcome, kinds(decision)[1])
    assert decision.summary == f"Not evaluated: {decision.blocks[0].text}"
    waiting = decide(account, portfolio(), subscription_created=True)
    assert ([TriggerKind.SUBSCRIPTION_CREATED.value], [kind.value]) == kinds(waiting)
    assert decide(account, portfolio()).outcome is Outcome.NOT_DUE


def test_stale_prices_become_a_block() -> None:
    """An hour-old price in a live session."""
    at = new_york("2026-03-02T20:30:00")
    snapshot = replace(book(RALLIED, as_of=at - timedelta(hours=1)), as_of=at)
    assert (["no_price"]) == kinds(decide(snapshot))[1]


def test_a_decision_says_where_and_when() -> None:
    """Account, portfolio, session and instant stand in it."""
    decision = decide(ON_TARGET)
    where = (decision.account_id, decision.portfolio_id, decision.session, decision.at)
    assert ("acct", "balanced", date(2026, 3, 2), new_york("2026-03-02T20:30:00")) == where
