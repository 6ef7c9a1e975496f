"""Policies of the same targets as columns, with all that does not depend on prices worked out once for many paths.

Sessions are counted from 0 in a history; the number of sessions stands for "never".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftdesk.engine.targets import BandKind, Targets
from driftdesk.lab.paths import Floats, Ints, PriceHistory
from driftdesk.lab.policy import Policy
from driftdesk.lab.simulate import cost_rate, due_sessions
from driftdesk.lab.weights import MARGIN, PerTarget, symbol_columns, weights_of
from driftdesk.money import as_float, percent_to_fraction

Bools = NDArray[np.bool_]

# Bounds the matrix of values: 40 MB for 20 years. Each cohort computes its own drift paths.
LARGEST_COHORT: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Policies of the same targets as columns, for any path over the same sessions; made by `cohorts_of`.

    `places` says where the policies stood. `columns` picks the closes of the targets. `absolute` and `relative`
    (policies, 2) are the tightest bands as fractions, infinite where there is none, a margin below and above the edge.
    `eligible[cooldowns[p], s]` is the first session that may follow a rebalance in s, `next_due[rules[p], s]` the first
    from s on that a calendar day falls on; both are the number of sessions where there is none.
    """

    policies: tuple[Policy, ...]
    places: Ints
    columns: Ints
    weights: PerTarget
    absolute: Floats
    relative: Floats
    cooldowns: Ints
    eligible: Ints
    rules: Ints
    next_due: Ints
    cost_rates: Floats
    years: float


def cohorts_of(policies: Sequence[Policy], history: PriceHistory) -> tuple[Cohort, ...]:
    """`policies` in cohorts that share their drift; raises InputError when `history` lacks a symbol of one."""
    shared: dict[Targets, list[int]] = {}
    for place, policy in enumerate(policies):
        shared.setdefault(policy.targets, []).append(place)
    return tuple(
        _cohort([policies[place] for place in places[first : first + LARGEST_COHORT]], places[first:], history)
        for places in shared.values()
        for first in range(0, len(places), LARGEST_COHORT)
    )


def _cohort(policies: list[Policy], places: list[int], history: PriceHistory) -> Cohort:
    targets = policies[0].targets
    pauses = sorted({policy.cooldown_days for policy in policies})
    calendars = list(dict.fromkeys(policy.calendar for policy in policies))
    absolute = _edges(policies, BandKind.ABSOLUTE)
    relative = _edges(policies, BandKind.RELATIVE)
    return Cohort(
        policies=tuple(policies),
        places=np.array(places[: len(policies)]),
        columns=np.array(symbol_columns(targets, history), dtype=np.int64),
        weights=weights_of(targets),
        absolute=absolute[:, None] + np.array([-MARGIN, MARGIN]),
        relative=relative[:, None] * np.array([1 - MARGIN, 1 + MARGIN]) + np.array([-MARGIN, MARGIN]),
        cooldowns=np.array([pauses.index(policy.cooldown_days) for policy in policies]),
        eligible=np.array([_eligible(days, history) for days in pauses]),
        rules=np.array([calendars.index(policy.calendar) for policy in policies]),
        next_due=np.array([_next_due(due_sessions(rule, history)) for rule in calendars]),
        cost_rates=np.array([cost_rate(policy) for policy in policies]),
        years=history.years,
    )


def _edges(policies: Sequence[Policy], kind: BandKind) -> Floats:
    """The tightest band of a kind per policy as a fraction, infinite where there is none."""
    tightest = (min((band.percent for band in policy.bands if band.kind is kind), default=None) for policy in policies)
    return np.array([np.inf if percent is None else as_float(percent_to_fraction(percent)) for percent in tightest])


def _eligible(cooldown_days: int, history: PriceHistory) -> Ints:
    """Per session the first later one that is `cooldown_days` calendar days away or more (rules.md 5.2)."""
    ordinals = np.array([day.toordinal() for day in history.dates])
    longest = int(ordinals[-1] - ordinals[0]) + 1
    # A later session is at least one day away.
    return np.searchsorted(ordinals, ordinals + min(max(1, cooldown_days), longest))


def _next_due(due: Bools) -> Ints:
    """Per session, and for the one after the last, the first due session from there on."""
    count = len(due)
    own = np.where(due, np.arange(count), count)
    return np.append(np.minimum.accumulate(own[::-1])[::-1], count)
