"""How much a shared sweep saves over one policy after the other (performance.md, J3).

    python tests/benchmarks/lab.py

Twenty years of daily closes of ten assets, made with a seed, and the first 1, 100 and 500 policies of one grid. Three
ways, in alternation: the sweep; the same sweep given one policy at a time, which is the vectorised kernel without
anything to share; and plain `simulate`, session by session. What does not depend on prices (calendars, cooldowns) is
worked out before the clock starts for the first two, as a study does once for all its paths. Times are those of the
process, on one core, and wander on shared machines: only the ratios count, each the median over the rounds of one run.
The outputs are compared to the last bit, and a difference ends the run. Plain simulation is timed on 20 policies spread
over the large grids, and scaled.
"""

import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from statistics import median
from time import process_time

import numpy as np

from driftdesk.engine.snapshot import CASH, Symbol
from driftdesk.engine.targets import parse_targets
from driftdesk.lab.cohort import Cohort, cohorts_of
from driftdesk.lab.measures import MEASURES
from driftdesk.lab.paths import Floats, PriceHistory, price_history
from driftdesk.lab.policy import Policy, policy_grid
from driftdesk.lab.simulate import simulate
from driftdesk.lab.sweep import sweep
from driftdesk.market_calendar import new_york_sessions

ROUNDS = 3
COUNTS = (1, 100, 500)
SAMPLE = 20


def market() -> PriceHistory:
    """Ten assets from 2004 to 2023: one shared factor and shocks of their own, 5 % to 35 % volatility a year."""
    calendar = new_york_sessions()
    days = [session.date for session in calendar.between(date(2004, 1, 2), date(2023, 12, 29))]
    rng = np.random.default_rng(2026)
    shared = rng.normal(0, 0.008, (len(days), 1)) * np.linspace(0.2, 1.4, 10)
    own = rng.normal(0, 1, (len(days), 10)) * np.linspace(0.05, 0.35, 10) / 16
    closes = np.round(100 * np.cumprod(1 + shared + own, axis=0), 4)
    return price_history(days, {Symbol(f"A{place}"): closes[:, place].tolist() for place in range(10)}, calendar)


def grid() -> tuple[Policy, ...]:
    """500 policies: 25 bands x 5 calendars x 4 cooldowns, none of them a copy of another."""
    targets = parse_targets([(CASH, 5), *((Symbol(f"A{place}"), "9.5") for place in range(10))])
    points = [f"absolute {step / 4 + 0.75:g}" for step in range(1, 13)]
    shares = [f"relative {share}" for share in range(10, 58, 4)]
    calendars = ("none", "weekly Friday", "monthly 1", "quarterly 31", "annually 12-31")
    policies = policy_grid(
        targets,
        bands=(*points, *shares, "absolute 3 + relative 25"),
        calendars=calendars,
        cooldowns=(0, 7, 30, 90),
        costs_bps=(10,),
    )
    # Any first part of them is spread over the whole grid.
    order = np.random.default_rng(1).permutation(len(policies))
    return tuple(policies[place] for place in order)


def swept(cohorts: Sequence[Cohort], history: PriceHistory) -> Floats:
    """The measures of each cohort's policies, one cohort after the other."""
    return np.concatenate([sweep(cohort, history.closes).measures for cohort in cohorts])


def plain(policies: Sequence[Policy], history: PriceHistory) -> Floats:
    """The same by plain simulation."""
    return np.array([[simulate(policy, history).measures[name] for name in MEASURES] for policy in policies])


def timed(function: Callable[[], Floats]) -> tuple[float, Floats]:
    """Seconds of this process and the answer."""
    start = process_time()
    answer = function()
    return process_time() - start, answer


def main() -> None:
    """Print the table; ends with an error when two ways disagree."""
    history, policies = market(), grid()
    print(f"{len(history.dates)} sessions, {len(history.symbols)} assets and cash; median of {ROUNDS} rounds")
    heads = ("shared sweep", "one by one", "plain", "over one by one", "over plain")
    print("policies", *(f"{head:>15}" for head in heads))
    for count in COUNTS:
        chosen, every = policies[:count], max(1, count // SAMPLE)
        shared = cohorts_of(chosen, history)
        singles = [cohort for policy in chosen for cohort in cohorts_of([policy], history)]
        rounds = []
        for _ in range(ROUNDS):
            together, answer = timed(partial(swept, shared, history))
            alone, answer_alone = timed(partial(swept, singles, history))
            slow, answer_plain = timed(partial(plain, chosen[::every], history))
            if answer.tobytes() != answer_alone.tobytes() or answer[::every].tobytes() != answer_plain.tobytes():
                sys.exit(f"The ways disagree on {count} policies.")
            rounds.append((together, alone, slow * count / len(answer_plain)))
        times = (f"{median(column):13.3f} s" for column in zip(*rounds, strict=True))
        ratios = (f"{median(row[way] / row[0] for row in rounds):14.1f}x" for way in (1, 2))
        print(f"{count:8}", *times, *ratios)


if __name__ == "__main__":
    main()
