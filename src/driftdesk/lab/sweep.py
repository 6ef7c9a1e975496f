"""Many policies over one path at once: the shared sweep.

After a rebalance the weights equal the target whatever came before, so all policies of the same targets whose last
rebalance was session s share one drift path from s. The sweep walks the sessions once; at each it takes the policies
that rebalanced there together, computes their drift path as far as the last of them needs it, finds for each the first
session that ends it, and hands it on to that session. Costs only scale value and change no date, so levels of cost are
nearly free.

The answers are those of `simulate`, policy by policy and to the last bit: the arithmetic is the same, operation by
operation, and what lies at the edge of a band is decided by the same exact comparison (weights.py).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftdesk.lab.cohort import Bools, Cohort
from driftdesk.lab.measures import Tally, measure
from driftdesk.lab.paths import Floats, Ints
from driftdesk.lab.simulate import NOTHING, steady_growth
from driftdesk.lab.weights import drift, is_outside_exactly, traded

# A drift path is computed this many sessions ahead, then each time twice as far.
FIRST_LOOK: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """What a cohort did on a path: `values` (policies, sessions) as in Simulation, and `measures` (policies, columns of
    Measure).
    """

    values: Floats
    measures: Floats


def sweep(cohort: Cohort, closes: Floats) -> Swept:
    """`cohort` on a path over its sessions; `closes` (sessions, symbols) has the columns of the cohort's history."""
    own = closes[:, cohort.columns]
    walk = _Walk(cohort, own)
    for session in range(len(own)):
        walk.leave(session)
    tally = Tally(walk.rebalances, walk.turnover, walk.cost, walk.outside)
    return Swept(walk.values, measure(walk.values, steady_growth(cohort.weights, own), tally, cohort.years))


class _DriftPath:
    """An account from target at session `start`: its growth and its largest drift (fraction of equity) and relative
    drift (fraction of the target) among the targets, at each session before `stop`, as far as `reach` was asked for.

    Arrays are indexed by session and belong to the walk, which follows one drift path at a time.
    """

    def __init__(self, cohort: Cohort, closes: Floats) -> None:
        self._cash = cohort.weights.cash
        self._weights = np.array(cohort.weights.assets)[:, None]
        self._closes = np.ascontiguousarray(closes.T)
        self._banded = bool(np.isfinite(cohort.absolute).any() or np.isfinite(cohort.relative).any())
        self.growth, self.absolute, self.relative = np.zeros((3, len(closes)))
        self.start = self.stop = 0

    def restart(self, start: int) -> None:
        """Begin at target at `start`."""
        self.start, self.stop = start, start + 1
        self._scale = self._weights / self._closes[:, start, None]

    def reach(self, stop: int) -> None:
        """Compute what is missing before session `stop`."""
        if stop <= self.stop:
            return
        window = slice(self.stop, stop)
        values = self._closes[:, window] * self._scale
        # Added one by one: numpy's own sum depends, in its last bit, on how many sessions are asked for.
        growth = np.full(stop - self.stop, self._cash)
        for value in values:
            growth += value
        self.growth[window] = growth
        if self._banded:
            drifts = np.abs(values / growth - self._weights)
            absolute = drifts.max(axis=0, initial=0)
            relative = (drifts / self._weights).max(axis=0, initial=0)
            if self._cash:
                cash = np.abs(self._cash / growth - self._cash)
                absolute, relative = np.maximum(absolute, cash), np.maximum(relative, cash / self._cash)
            self.absolute[window], self.relative[window] = absolute, relative
        self.stop = stop


class _Walk:
    """A cohort on its way along one path: who waits at which session, and what each has done so far."""

    def __init__(self, cohort: Cohort, closes: Floats) -> None:
        count, self._sessions = len(cohort.policies), len(closes)
        self._cohort, self._rows = cohort, closes.tolist()
        self._path = _DriftPath(cohort, closes)
        self._waiting: list[list[Ints]] = [[] for _ in range(self._sessions)]
        self._waiting[0].append(np.arange(count))
        banded = np.isfinite(cohort.absolute[:, 0]) | np.isfinite(cohort.relative[:, 0])
        self.values = np.ones((count, self._sessions))
        self.rebalances, self.turnover, self.cost = np.zeros((3, count))
        self.outside = np.where(banded, 0.0, np.nan)

    def leave(self, session: int) -> None:
        """Take all policies whose last rebalance was `session` to their next one, or to the end of the path."""
        if not self._waiting[session]:
            return
        members = np.concatenate(self._waiting[session])
        self._waiting[session] = []
        self._path.restart(session)
        eligible = self._cohort.eligible[self._cohort.cooldowns[members], session]
        self._count_outside(members, eligible)
        while members.size:
            ends, drifted = self._ends(members, eligible)
            idle = np.zeros(len(members), dtype=np.bool_)
            for end in set(ends.tolist()):
                there = ends == end
                if not self._arrive(members[there], drifted[there], end):
                    idle |= there
            members, eligible = members[idle], ends[idle] + 1

    def _arrive(self, members: Ints, drifted: Bools, end: int) -> bool:
        """Rebalance `members` at the close of `end`, as bands (`drifted`) or the calendar ask; False: nothing to trade.

        Where `end` is the number of sessions, they go to the end of the path without another one.
        """
        path = self._path
        after = slice(path.start + 1, end + 1)
        bought_and_sold = 0.0
        if end < self._sessions:
            account = drift(self._cohort.weights, self._rows[path.start], self._rows[end])
            bought_and_sold, turnover = traded(self._cohort.weights, account)
            if turnover <= NOTHING:
                return False
            self._waiting[end].append(members)
            self.rebalances[members] += 1
            self.turnover[members] += turnover
            self.outside[members] += drifted
        self.values[members, after] = self.values[members, path.start, None] * path.growth[after]
        if end < self._sessions:
            cost = self._cohort.cost_rates[members] * bought_and_sold
            self.cost[members] += cost
            self.values[members, end] *= 1 - cost
        return True

    def _ends(self, members: Ints, eligible: Ints) -> tuple[Ints, Bools]:
        """The first session from `eligible` on that triggers each member, and whether it is outside a band there."""
        path, count = self._path, self._sessions
        due = self._cohort.next_due[self._cohort.rules[members], eligible]
        ends, drifted = np.full(len(members), count), np.zeros(len(members), dtype=np.bool_)
        unsettled = np.arange(len(members))
        stop = min(count, path.start + 1 + FIRST_LOOK)
        while unsettled.size:
            path.reach(stop)
            outside = self._first_outside(members[unsettled], eligible[unsettled], stop)
            first = np.minimum(outside, due[unsettled])
            settled = (first < stop) | (stop == count)
            ends[unsettled[settled]] = first[settled]
            drifted[unsettled[settled]] = (outside == first)[settled]
            unsettled = unsettled[~settled]
            stop = min(count, 2 * stop - path.start)
        return ends, drifted

    def _first_outside(self, members: Ints, eligible: Ints, stop: int) -> Ints:
        """The first session from `eligible` to before `stop` at which each member is outside a band, else `stop`."""
        path, found = self._path, np.full(len(members), stop)
        for first in set(eligible[eligible < stop].tolist()):
            there = np.flatnonzero(eligible == first)
            who, window = members[there], slice(first, stop)
            perhaps, surely = (
                first
                + np.minimum(
                    np.searchsorted(np.maximum.accumulate(path.absolute[window]), self._cohort.absolute[who], "right"),
                    np.searchsorted(np.maximum.accumulate(path.relative[window]), self._cohort.relative[who], "right"),
                ).T
            )
            for place in np.flatnonzero(perhaps < surely):
                near = range(perhaps[place], surely[place])
                surely[place] = next((at for at in near if self._is_outside(who[place], at)), surely[place])
            found[there] = surely
        return found

    def _count_outside(self, members: Ints, eligible: Ints) -> None:
        """Count the sessions inside a cooldown at which members are outside a band: they wait, they do not trade."""
        path = self._path
        start = path.start + 1
        for first in set(eligible[eligible > start].tolist()):
            there = members[eligible == first]
            path.reach(first)
            absolute, relative = path.absolute[start:first, None], path.relative[start:first, None]
            perhaps, surely = (
                (absolute > self._cohort.absolute[there, edge]) | (relative > self._cohort.relative[there, edge])
                for edge in (0, 1)
            )
            if (perhaps != surely).any():
                for at, place in np.argwhere(perhaps & ~surely):
                    surely[at, place] = self._is_outside(there[place], start + at)
            self.outside[there] += surely.sum(axis=0)

    def _is_outside(self, member: int, session: int) -> bool:
        policy = self._cohort.policies[member]
        return is_outside_exactly(policy, self._rows[self._path.start], self._rows[session])
