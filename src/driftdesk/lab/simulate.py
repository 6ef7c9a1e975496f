"""One policy over one path, session by session, as rules.md 10 says; plain, so that it can be read against the rules.

The account starts at target at the first close, which counts as its first rebalance: a cooldown runs from there, as it
does in the backend from the run that a new subscription causes. Every later session is evaluated at its close, and a
rebalance trades at that close. Cash earns nothing. The trades are those to the target weights of the value before
costs; the cost, in bps of what is bought and sold (cash is neither), then scales the value, and the weights are exactly
the target again. As in the backend, a session on which there is nothing to trade makes no rebalance (rules.md 5.7).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftdesk.engine import schedule
from driftdesk.engine.decision import TriggerKind
from driftdesk.engine.targets import CalendarRule
from driftdesk.lab.measures import MEASURES, Measure, Tally, measure
from driftdesk.lab.paths import Floats, PriceHistory
from driftdesk.lab.policy import Policy
from driftdesk.lab.weights import PerTarget, drift, half_widths_of, is_outside, symbol_columns, traded, weights_of
from driftdesk.money import BASIS_POINTS, as_float

# Turnover up to this is rounding: a cent in ten million. The narrowest band there is trades ten times as much.
NOTHING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Rebalance:
    """A rebalance at the close of `session`: what triggered it (a band, the calendar, or both), its one-way turnover
    and its cost, both as fractions of the value before it.
    """

    session: date
    triggers: tuple[TriggerKind, ...]
    turnover: float
    cost: float


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """A policy on a path. `values` (sessions,) is the growth of 1 at each close, after costs; `lost` has the sessions
    of the calendar days that a cooldown lost (rules.md 5.2). The units of `measures` stand in Measure.
    """

    policy: Policy
    values: Floats
    rebalances: tuple[Rebalance, ...]
    lost: tuple[date, ...]
    measures: dict[Measure, float]


def simulate(policy: Policy, history: PriceHistory) -> Simulation:
    """`policy` on `history`, one session after the other (rules.md 10).

    Raises InputError when the history lacks a symbol of the policy.
    """
    weights, half_widths = weights_of(policy.targets), half_widths_of(policy)
    closes = history.closes[:, symbol_columns(policy.targets, history)]
    due, rate = due_sessions(policy.calendar, history), cost_rate(policy)
    rows, days = closes.tolist(), history.sessions.days
    values, last, base, outside = [1.0], 0, 1.0, 0
    rebalances: list[Rebalance] = []
    lost: list[date] = []
    for index in range(1, len(rows)):
        today = days[index].date
        account = drift(weights, rows[last], rows[index])
        values.append(base * account.growth)
        triggers = []
        if policy.bands and is_outside(policy, weights, half_widths, account):
            outside += 1
            triggers.append(TriggerKind.DRIFT_BAND)
        if due[index]:
            triggers.append(TriggerKind.CALENDAR)
        if not triggers:
            continue
        if schedule.in_cooldown(days[last].close, policy.cooldown_days, today):
            lost += [today] if due[index] else []
            continue
        bought_and_sold, turnover = traded(weights, account)
        if turnover > NOTHING:
            cost = rate * bought_and_sold
            rebalances.append(Rebalance(today, tuple(triggers), turnover, cost))
            base = values[-1] = values[-1] * (1 - cost)
            last = index
    tally = Tally(
        rebalances=np.array([float(len(rebalances))]),
        turnover=np.array([_sum(rebalance.turnover for rebalance in rebalances)]),
        cost=np.array([_sum(rebalance.cost for rebalance in rebalances)]),
        outside=np.array([float(outside) if policy.bands else np.nan]),
    )
    found = measure(np.array([values]), steady_growth(weights, closes), tally, history.years)
    measures = dict(zip(MEASURES, found[0].tolist(), strict=True))
    return Simulation(policy, np.array(values), tuple(rebalances), tuple(lost), measures)


def due_sessions(rule: CalendarRule | None, history: PriceHistory) -> NDArray[np.bool_]:
    """Whether a nominal day of `rule` fires on each session of `history`, by the engine's own schedule (rules.md 4)."""
    dates = history.dates
    due = np.zeros(len(dates), dtype=np.bool_)
    if rule is not None:
        place = {day: index for index, day in enumerate(dates)}
        beyond = history.sessions.last
        for nominal in schedule.nominal_days(rule, dates[0], beyond - timedelta(days=1)):
            due[place[schedule.trigger_session(nominal, history.sessions).date]] = True
    return due


def cost_rate(policy: Policy) -> float:
    """Cost as a fraction of traded value."""
    return as_float(policy.cost_bps / BASIS_POINTS)


def steady_growth(weights: PerTarget, closes: Floats) -> Floats:
    """Growth from close to close (sessions - 1,) of the portfolio that is at target at every close and pays nothing."""
    growth = np.full(len(closes) - 1, weights.cash)
    for weight, column in zip(weights.assets, closes.T, strict=True):
        growth += column[1:] * (weight / column[:-1])
    return growth


def _sum(numbers: Iterable[float]) -> float:
    """Added one after the other: Python's own sum of floats has other last bits since 3.12."""
    total = 0.0
    for number in numbers:
        total += number
    return total
