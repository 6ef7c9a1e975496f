"""One policy over one path: small cases worked by hand, and the same answers as the engine's own decisions."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.words import closes, needs_real_prices, on_weekdays, policy, real_prices

from driftdesk.engine.decision import BlockKind, Outcome, Standing, TriggerKind
from driftdesk.engine.drift import measure_drift
from driftdesk.engine.plan import PlanRequest
from driftdesk.engine.planner import plan_orders
from driftdesk.engine.preview import project
from driftdesk.engine.schedule import Session, due
from driftdesk.engine.snapshot import AccountId, Holding, PortfolioId, Quote, Snapshot, Symbol
from driftdesk.engine.targets import Portfolio
from driftdesk.engine.triggers import evaluate
from driftdesk.errors import InputError
from driftdesk.lab.measures import Measure
from driftdesk.lab.paths import PriceHistory, price_history
from driftdesk.lab.policy import Policy
from driftdesk.lab.simulate import Simulation, simulate
from driftdesk.market_calendar import new_york_sessions

BAND, CALENDAR = TriggerKind.DRIFT_BAND, TriggerKind.CALENDAR
HALVES = "AAA 50 | BBB 50"


def days(found: Simulation) -> str:
    """The days of March 2026 with a rebalance: "4 11"."""
    return " ".join(str(rebalance.session.day) for rebalance in found.rebalances)


def lost(found: Simulation) -> str:
    """The days of March 2026 that a cooldown lost."""
    return " ".join(str(day.day) for day in found.lost)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_path_worked_by_hand() -> None:
    """Halves with a band of 5 points at 10 bps, Monday to Thursday.

    Tuesday AAA gains a half: 0.75 + 0.50 = 1.25, AAA at 60 %. Selling 10 % and buying 10 % costs 0.001 x 0.2 = 0.0002
    of 1.25: 1.24975 are left. Wednesday nothing moves. Thursday BBB gains 20 %: the account 10 %, and AAA is down to
    0.5 / 1.1 = 45.5 %, which is inside.
    """
    found = simulate(policy(HALVES, "abs 5", bps="10"), closes("AAA 100 150 150 150 | BBB 100 100 100 120"))
    assert [1, 1.24975, 1.24975, 1.374725] == pytest.approx(found.values.tolist(), rel=1e-14)
    [rebalance] = found.rebalances
    assert (date(2026, 3, 3), (BAND,)) == (rebalance.session, rebalance.triggers)
    assert (0.1, 0.0002) == pytest.approx((rebalance.turnover, rebalance.cost), rel=1e-12)
    a_year = 365.25 / 3
    # Returns 24.975 %, 0 and 10 %; the portfolio that is always at target has 25 %, 0 and 10 %.
    mean = (0.24975 + 0.1) / 3
    variance = ((0.24975 - mean) ** 2 + mean**2 + (0.1 - mean) ** 2) / 2
    expected = {
        Measure.RETURN: 1.374725**a_year - 1,
        Measure.VOLATILITY: sqrt(variance * 365.25),
        # One active return of -0.00025 and two of none: a standard deviation of 0.00025 / sqrt(3).
        Measure.TRACKING_ERROR: 0.00025 / sqrt(3) * sqrt(365.25),
        Measure.REBALANCES: a_year,
        Measure.TURNOVER: 0.1 * a_year,
        Measure.COST: 0.0002 * a_year,
        Measure.OUTSIDE_BAND: 1 / 3,
    }
    assert expected == pytest.approx(found.measures, rel=1e-9)


def test_cash_counts_in_turnover_and_costs_nothing() -> None:
    """80 of AAA become 120, with 20 of cash 140: 6/7, too much by 2/35. One sale of 2/35 at 100 bps."""
    found = simulate(policy("cash 20 | AAA 80", "abs 5", bps="100"), closes("AAA 100 150 150"))
    [rebalance] = found.rebalances
    assert (2 / 35, 0.01 * 2 / 35) == pytest.approx((rebalance.turnover, rebalance.cost), rel=1e-12)
    assert 1.4 * (1 - 0.01 * 2 / 35) == pytest.approx(found.values[-1], rel=1e-14)


def test_without_rules_nothing_is_traded() -> None:
    """Buy and hold: 0.5 x 1.5 + 0.5; no band, so no share of time outside one."""
    found = simulate(policy(HALVES), closes("AAA 100 120 150 | BBB 100 100 100"))
    assert ((), ()) == (found.rebalances, found.lost)
    assert 1.25 == found.values[-1]
    assert isnan(found.measures[Measure.OUTSIDE_BAND])
    assert 0 == found.measures[Measure.TURNOVER]


def test_always_at_target_is_the_yardstick() -> None:
    """A policy that rebalances at every session for nothing has no tracking error."""
    found = simulate(policy(HALVES, "rel 0.01"), closes("AAA 100 120 150 90 | BBB 100 101 90 130"))
    assert "3 4 5" == days(found)
    assert 0 == pytest.approx(found.measures[Measure.TRACKING_ERROR], abs=1e-14)


def test_a_history_without_a_symbol_is_refused() -> None:
    """The missing symbol is named, and what there is."""
    with pytest.raises(InputError, match="no BBB; it has AAA"):
        simulate(policy(HALVES), closes("AAA 1 2 3"))


# --- edges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rebalanced", "weights", "rule", "text"),
    [
        # 65 of 100 in a target of 60: exactly 5 points, though 0.65 - 0.60 > 0.05 in floats.
        (False, "AAA 60 | BBB 40", "abs 5", "AAA 60 65 60 | BBB 40 35 40"),
        (True, "AAA 60 | BBB 40", "abs 5", "AAA 60 65.0001 60 | BBB 40 34.9999 40"),
        (False, "AAA 60 | BBB 40", "abs 5", "AAA 0.6 0.65 0.6 | BBB 0.4 0.35 0.4"),
        # Beyond the edge by less than floats can tell.
        (True, "AAA 60 | BBB 40", "abs 5", "AAA 60 65.00000000000001 60 | BBB 40 34.99999999999999 40"),
        (False, "AAA 60 | BBB 40", "abs 5", "AAA 60 55 60 | BBB 40 45 40"),
        # 50 of 100 in a target of 40: exactly 25 % of it.
        (False, "AAA 60 | BBB 40", "rel 25", "AAA 60 50 60 | BBB 40 50 40"),
        (True, "AAA 60 | BBB 40", "rel 25", "AAA 60 49.9999 60 | BBB 40 50.0001 40"),
        # 60 of 80 with 20 of cash: 75 % and 25 %, each exactly 5 points off.
        (False, "cash 20 | AAA 80", "abs 5", "AAA 80 60 80"),
        (True, "cash 20 | AAA 80", "abs 5", "AAA 80 59.9999 80"),
        # Cash alone is outside: 20 of 90 is 22.2 %, a ninth above its target; AAA is 2.8 % below its own.
        (True, "cash 20 | AAA 80", "rel 11", "AAA 80 70 80"),
        (False, "cash 20 | AAA 80", "rel 11.12", "AAA 80 70 80"),
        # The tightest of two bands governs.
        (True, "AAA 60 | BBB 40", "abs 9, rel 10", "AAA 60 66.0001 60 | BBB 40 33.9999 40"),
    ],
)
def test_a_band_is_breached_strictly_beyond_its_edge(rebalanced: bool, weights: str, rule: str, text: str) -> None:
    """At the edge nothing happens, a ten-thousandth of a dollar beyond it the account is rebalanced (rules.md 3.3)."""
    found = simulate(policy(weights, rule), closes(text))
    assert rebalanced is any(rebalance.session.day == 3 for rebalance in found.rebalances)


DIVISORS = st.sampled_from([1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100])
CENTS = st.integers(1, 12_000).map(lambda count: count / 100)
ROUND = st.integers(1, 24).map(lambda count: count * 5.0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.tuples(DIVISORS, DIVISORS), st.tuples(CENTS | ROUND, CENTS | ROUND), st.sampled_from(["abs", "rel"]), st.data()
)
def test_breaches_are_those_of_the_engine(
    before: tuple[int, int], now: tuple[float, float], kind: str, data: st.DataObject
) -> None:
    """Round prices, round weights and round bands, which meet at edges: `measure_drift` gives the same answer."""
    first = data.draw(st.sampled_from([5, 10, 20, 25, 50, 60]))
    cash = data.draw(st.sampled_from([0, 5, 10]))
    weights = f"AAA {first} | BBB {100 - first - cash}" + (f" | cash {cash}" if cash else "")
    one = policy(weights, f"{kind} {data.draw(st.sampled_from([1, 2, 5, 10, 20, 25]))}")
    history = on_weekdays({Symbol("AAA"): [before[0], now[0], now[0]], Symbol("BBB"): [before[1], now[1], now[1]]})
    equity = Decimal(1_000_000)
    quantities = [
        one.targets.weight(symbol) * equity / price for symbol, price in zip(one.targets.symbols, before, strict=True)
    ]
    at = history.sessions.days[1].close
    snapshot = Snapshot(
        AccountId("acct"),
        at,
        one.targets.cash * equity,
        tuple(Holding(s, q, q) for s, q in zip(one.targets.symbols, quantities, strict=True)),
        tuple(Quote(s, Decimal(str(price)), at) for s, price in zip(one.targets.symbols, now, strict=True)),
    )
    expected = bool(measure_drift(snapshot, one.targets, one.conditions).breached)
    found = simulate(one, history).rebalances
    assert expected is any(rebalance.session == history.dates[1] for rebalance in found)


# --- triggers and cooldown --------------------------------------------------------------------------------------------

OUT, IN = "AAA 100 150 150", "AAA 100 101 101"
TUESDAY, NO_TUESDAY = "weekly Tuesday", "weekly Friday"


@pytest.mark.parametrize(
    ("triggers", "is_lost", "prices", "rule", "cooldown"),
    [
        # A cooldown of one day ends on Tuesday, the day after the start; of two, on Wednesday.
        ((BAND, CALENDAR), False, OUT, TUESDAY, 1),
        ((BAND,), False, OUT, NO_TUESDAY, 1),
        ((CALENDAR,), False, IN, TUESDAY, 1),
        (None, False, IN, NO_TUESDAY, 1),
        (None, True, OUT, TUESDAY, 2),
        (None, False, OUT, NO_TUESDAY, 2),
        (None, True, IN, TUESDAY, 2),
        (None, False, IN, NO_TUESDAY, 2),
    ],
)
def test_every_trigger_meets_every_cooldown(
    triggers: tuple[TriggerKind, ...] | None, is_lost: bool, prices: str, rule: str, cooldown: int
) -> None:
    """Conditions are ORed and make one rebalance; a cooldown holds all of them back and loses the calendar day."""
    found = simulate(policy(HALVES, "abs 5", rule, cooldown=cooldown), closes(f"{prices} | BBB 100 100 100"))
    tuesday = next((one for one in found.rebalances if one.session.day == 3), None)
    assert triggers == (None if tuesday is None else tuesday.triggers)
    assert is_lost is ("3" in lost(found).split())


def test_a_breach_waits_for_the_cooldown_and_a_calendar_day_does_not() -> None:
    """Four days from Monday 2 March end on Friday 6. The breach of Tuesday waits until then; Wednesday 4 is lost."""
    history = closes("AAA 100 150 150 150 150 150 | BBB 100 100 100 100 100 100")
    banded = simulate(policy(HALVES, "abs 5", cooldown=4), history)
    assert ("6", "") == (days(banded), lost(banded))
    assert 4 / 5 == banded.measures[Measure.OUTSIDE_BAND]
    weekly = simulate(policy(HALVES, "weekly Wednesday", cooldown=4), history)
    assert ("", "4") == (days(weekly), lost(weekly))


@pytest.mark.parametrize(
    ("rebalanced", "swallowed", "cooldown"),
    [("3 10 17 24", "", 1), ("10 17 24", "3", 7), ("10 24", "3 17", 8), ("17", "3 10 24", 15), ("", "3 10 17 24", 30)],
)
def test_a_cooldown_counts_calendar_days_from_the_start_on(rebalanced: str, swallowed: str, cooldown: int) -> None:
    """Tuesdays of March 2026 with a start on Monday 2: the first is one day away, each next one seven."""
    rising = " ".join(str(100 + step) for step in range(20))
    found = simulate(policy(HALVES, "weekly Tuesday", cooldown=cooldown), closes(f"AAA {rising} | BBB {'100 ' * 20}"))
    assert (rebalanced, swallowed) == (days(found), lost(found))


def test_the_last_session_looks_beyond_the_history() -> None:
    """The 8th is a Sunday: its session is Friday 6, the last of the history, because the next one is Monday 9."""
    history = closes("AAA 100 101 102 103 104 | BBB 100 100 100 100 100")
    assert "6" == days(simulate(policy(HALVES, "monthly 8"), history))
    assert "" == days(simulate(policy(HALVES, "monthly 9"), history))


@pytest.mark.parametrize(("weights", "other"), [("AAA 100", "70"), ("cash 100", "70"), (HALVES, "130")])
def test_nothing_to_trade_is_no_rebalance(weights: str, other: str) -> None:
    """At target already: the calendar day passes, neither used nor lost (rules.md 5.7)."""
    found = simulate(policy(weights, "weekly Tuesday"), closes(f"AAA 100 130 130 | BBB 100 {other} 130"))
    assert ((), ()) == (found.rebalances, found.lost)


# --- the engine -------------------------------------------------------------------------------------------------------


def new_york_history(first: str, last: str, seed: int) -> PriceHistory:
    """Three symbols that wander, on the exchange's own sessions; prices with four decimals."""
    calendar = new_york_sessions()
    dates = [session.date for session in calendar.between(date.fromisoformat(first), date.fromisoformat(last))]
    moves = np.random.default_rng(seed).normal(0, (0.02, 0.01, 0.03), (len(dates), 3))
    prices = np.round(100 * np.cumprod(1 + moves, axis=0), 4)
    return price_history(dates, {Symbol(f"{'ABC'[i] * 3}"): prices[:, i].tolist() for i in range(3)}, calendar)


@pytest.mark.parametrize(
    "rule", ["weekly Monday", "weekly Friday", "monthly 1", "monthly 31", "quarterly 15", "annually 02-29"]
)
def test_calendar_days_are_those_of_the_engine(rule: str) -> None:
    """Over five years with all their holidays, what `due` says of each session after the first is what rebalances."""
    history = new_york_history("2019-02-04", "2024-03-28", 1)
    one = policy("AAA 40 | BBB 40 | CCC 20", rule)
    assert one.calendar is not None
    later = history.sessions.days[1:-1]
    expected = [session.date for session in later if due(one.calendar, session, history.sessions) is not None]
    assert expected == [rebalance.session for rebalance in simulate(one, history).rebalances]


def engine_rebalances(one: Policy, history: PriceHistory) -> Iterator[tuple[date, tuple[TriggerKind, ...]] | date]:
    """What the engine decides, session by session, for an account of 10,000,000 USD that starts at target.

    A run as its date and triggers, a lost calendar day as its date alone.
    """
    portfolio = Portfolio(PortfolioId("p"), "P", one.targets, one.conditions, one.cooldown_days)
    first, *later = history.sessions.days[:-1]
    snapshot = priced(Snapshot(AccountId("acct"), first.close, Decimal(10_000_000), (), ()), history, 0, first)
    snapshot = project(snapshot, plan_orders(snapshot, PlanRequest(one.targets)))
    standing = Standing(last_rebalanced_at=first.close, last_evaluated=first.date)
    for index, session in enumerate(later, start=1):
        snapshot = priced(snapshot, history, index, session)
        decision = evaluate(snapshot, portfolio, standing, session, history.sessions)
        if decision.outcome is Outcome.RUN:
            yield session.date, tuple(dict.fromkeys(trigger.kind for trigger in decision.triggers))
            snapshot = project(snapshot, plan_orders(snapshot, PlanRequest(one.targets, one.conditions)))
            standing = replace(standing, last_rebalanced_at=session.evaluation)
        elif any(trigger.kind is CALENDAR for trigger in decision.triggers):
            assert BlockKind.COOLDOWN in {block.kind for block in decision.blocks}
            yield session.date
        standing = replace(standing, last_evaluated=session.date)


def priced(snapshot: Snapshot, history: PriceHistory, index: int, session: Session) -> Snapshot:
    """`snapshot` in a session, at the instant of its evaluation, with the session's closes as prices."""
    row = history.closes[index].tolist()
    quotes = [Quote(s, Decimal(str(price)), session.evaluation) for s, price in zip(history.symbols, row, strict=True)]
    return replace(snapshot, as_of=session.evaluation, quotes=tuple(quotes))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(["abs 2", "abs 5", "rel 10", "abs 4, rel 15", "none"]),
    st.sampled_from(["weekly Friday", "monthly 31", "none"]),
    st.sampled_from([0, 1, 3, 7, 30]),
    st.integers(0, 99),
)
def test_lab_and_engine_trade_on_the_same_days(band: str, calendar: str, cooldown: int, seed: int) -> None:
    """Same runs, same triggers, same lost days: what a study says is what the backend would do (rules.md 5.1)."""
    rules = [rule for rule in (band, calendar) if rule != "none"]
    one = policy("AAA 40 | BBB 30 | CCC 25 | cash 5", *rules, cooldown=cooldown)
    history = new_york_history("2023-11-20", "2024-03-15", seed)
    found = simulate(one, history)
    ours = [(rebalance.session, rebalance.triggers) for rebalance in found.rebalances]
    theirs = list(engine_rebalances(one, history))
    assert [run for run in theirs if isinstance(run, tuple)] == ours
    assert [day for day in theirs if isinstance(day, date)] == list(found.lost)


@needs_real_prices
def test_real_prices_trade_on_the_engines_days() -> None:
    """SPY, TLT and GLD through the autumn of 2008: a band of 4 points and the month's first day, resting 10 days."""
    one = policy("SPY 55 | TLT 35 | GLD 10", "abs 4", "monthly 1", cooldown=10)
    history = real_prices("SPY", "TLT", "GLD", first="2008-06-02", last="2009-03-31")
    # The engine knows prices of four decimals, the file has six.
    history = replace(history, closes=np.round(history.closes, 4))
    found = simulate(one, history)
    ours = [(rebalance.session, rebalance.triggers) for rebalance in found.rebalances]
    assert [*ours, *found.lost] == sorted(engine_rebalances(one, history), key=lambda it: isinstance(it, date))
    assert {(BAND,), (CALENDAR,)} <= {triggers for _, triggers in ours}


@needs_real_prices
def test_a_year_of_real_prices_has_one_new_year() -> None:
    """The session of 1 January is the last one of the year before: 2004-12-31 to 2023-12-29, twenty times."""
    found = simulate(policy("SPY 60 | AGG 40", "annually 01-01"), real_prices("SPY", "AGG"))
    on = [rebalance.session for rebalance in found.rebalances]
    assert (20, date(2004, 12, 31), date(2023, 12, 29)) == (len(on), on[0], on[-1])
