"""Many policies over one history and over paths resampled from it: a table with intervals, and a careful verdict.

One history is one draw: that a policy came first on it says little about the next twenty years. A study therefore says
how each measure varies over resampled paths, and speaks for a policy only where the interval of its lead over the best
of the others on the same path lies above zero (rules.md 10). That one interval compares with all others at once. What
it cannot remove is the luck of the history itself, of whose days every path is made; the verdict names it each time.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

import numpy as np

from driftdesk.errors import InputError
from driftdesk.lab.cohort import Cohort, cohorts_of
from driftdesk.lab.measures import MEASURES, Measure
from driftdesk.lab.paths import Bootstrap, Floats, PriceHistory, resample_closes
from driftdesk.lab.policy import Policy
from driftdesk.lab.sweep import sweep

# Two-sided intervals of 95 % are read off the resampled paths; fewer paths leave too few beyond either end.
TAIL: Final = 0.025
LEAST_PATHS: Final = 100
# Paths per task of an executor: long enough that sending it does not count.
PATHS_PER_TASK: Final = 4

LARGER_IS_BETTER: Final = frozenset({Measure.RETURN})
_NAMES: Final = {
    Measure.RETURN: "return a year",
    Measure.VOLATILITY: "volatility",
    Measure.TRACKING_ERROR: "tracking error",
    Measure.REBALANCES: "number of rebalances a year",
    Measure.TURNOVER: "turnover a year",
    Measure.COST: "cost a year",
    Measure.OUTSIDE_BAND: "share of sessions outside a band",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure on the history itself, and the ends of its 95 % interval over resampled paths (None without paths).

    Units as in Measure; NaN where the policy has no such measure.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One policy's estimates, one for each Measure."""

    policy: Policy
    estimates: dict[Measure, Estimate]


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Policies measured on one history, from `first` to `last`, and on `resampled` paths.

    `measured` (policies, measures) is the history's, `resampled` (paths, policies, measures) that of the paths; the
    columns are those of Measure. There are no paths where `bootstrap` is None.
    """

    policies: tuple[Policy, ...]
    first: date
    last: date
    bootstrap: Bootstrap | None
    measured: Floats
    resampled: Floats

    def table(self) -> tuple[StudyRow, ...]:
        """A row per policy, in the order given."""
        return tuple(
            StudyRow(
                policy,
                {
                    measure: _estimate(self.measured[place, column], self.resampled[:, place, column])
                    for column, measure in enumerate(MEASURES)
                },
            )
            for place, policy in enumerate(self.policies)
        )

    def lead(self, measure: Measure) -> tuple[Policy, Estimate] | None:
        """The policy that is best on the history, and by how much it leads the best of the others on the same path.

        A lead below zero is a path on which another was better. Lower is better, except for RETURN. Policies without
        the measure are left out; None when fewer than two have it.
        """
        column = MEASURES.index(measure)
        sign = 1 if measure in LARGER_IS_BETTER else -1
        ranked = np.flatnonzero(~np.isnan(self.measured[:, column]))
        if len(ranked) <= 1:
            return None
        best = ranked[np.argmax(sign * self.measured[ranked, column])]
        others = ranked[ranked != best]
        leads = [
            sign * rows[..., best, column] - (sign * rows[..., others, column]).max(axis=-1)
            for rows in (self.measured, self.resampled)
        ]
        return self.policies[best], _estimate(leads[0], leads[1])

    def verdict(self, measure: Measure = Measure.TRACKING_ERROR) -> str:
        """What may be said about the best policy by `measure`, in two sentences; see the module's own text."""
        span = f"This is one history, {self.first} to {self.last}"
        found = self.lead(measure)
        if found is None:
            return f"{span}. Fewer than two policies have a {_NAMES[measure]}, so there is nothing to compare."
        policy, lead = found
        extreme = "highest" if measure in LARGER_IS_BETTER else "lowest"
        seen = f'{span}, and on it "{policy.label}" has the {extreme} {_NAMES[measure]}'
        if lead.value == 0:
            return f"{span}, and on it several policies share the {extreme} {_NAMES[measure]}: there is no winner."
        if lead.low is None or lead.high is None or len(self.resampled) < LEAST_PATHS:
            few = f"With {len(self.resampled)} resampled paths (at least {LEAST_PATHS} are needed)"
            return f"{seen}. {few} nothing says whether that is more than luck."
        ends = f"between {_shown(lead.low, measure)} and {_shown(lead.high, measure)}"
        lies = f"its lead over the best of the others lies {ends} on 95 % of {len(self.resampled)} resampled paths"
        if lead.low > 0:
            return f"{seen}. Resampling supports it: {lies}."
        return f"{seen}. Resampling does not support a winner: {lies}."


def study(
    policies: Sequence[Policy],
    history: PriceHistory,
    bootstrap: Bootstrap | None = None,
    executor: Executor | None = None,
) -> Study:
    """`policies` on `history`, and on the paths of `bootstrap` where there is one.

    `executor` takes the paths in tasks of a few, pickled where it needs that; the result is the same with it and
    without, to the last bit. Raises InputError without policies, and when the history lacks a symbol of one.
    """
    if not policies:
        raise InputError("A study needs at least one policy.", field="policies", allowed="one policy or more")
    cohorts = cohorts_of(policies, history)
    resampled = np.empty((0, len(policies), len(MEASURES)))
    if bootstrap is not None:
        tasks = [
            range(first, min(first + PATHS_PER_TASK, bootstrap.paths))
            for first in range(0, bootstrap.paths, PATHS_PER_TASK)
        ]
        work = partial(_measure_paths, cohorts, history.closes, bootstrap)
        resampled = np.concatenate(list(map(work, tasks) if executor is None else executor.map(work, tasks)))
    return Study(
        policies=tuple(policies),
        first=history.dates[0],
        last=history.dates[-1],
        bootstrap=bootstrap,
        measured=_measure(cohorts, history.closes),
        resampled=resampled,
    )


def _measure(cohorts: Sequence[Cohort], closes: Floats) -> Floats:
    """All policies on one path, in the order that the cohorts' places tell; shape (policies, measures)."""
    measured = np.empty((sum(len(cohort.places) for cohort in cohorts), len(MEASURES)))
    for cohort in cohorts:
        measured[cohort.places] = sweep(cohort, closes).measures
    return measured


def _measure_paths(cohorts: Sequence[Cohort], closes: Floats, bootstrap: Bootstrap, numbers: Sequence[int]) -> Floats:
    """The paths of these numbers; shape (paths, policies, measures)."""
    return np.stack([_measure(cohorts, resample_closes(closes, bootstrap, number)) for number in numbers])


def _estimate(value: float, sample: Floats) -> Estimate:
    if np.isnan(value) or not len(sample):
        return Estimate(float(value), None, None)
    low, high = np.quantile(sample, (TAIL, 1 - TAIL))
    return Estimate(float(value), float(low), float(high))


def _shown(lead: float, measure: Measure) -> str:
    """Three digits of a difference: percentage points, or a number a year."""
    if measure is Measure.REBALANCES:
        return np.format_float_positional(lead, precision=3, fractional=False, trim="-")
    return f"{np.format_float_positional(lead * 100, precision=3, fractional=False, trim='-')} points"
