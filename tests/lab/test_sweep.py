"""The shared sweep gives, policy by policy and to the last bit, what plain simulation gives."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.words import closes, needs_real_prices, on_weekdays, policy, real_prices

from driftdesk.engine.snapshot import Symbol
from driftdesk.lab import cohort
from driftdesk.lab.cohort import cohorts_of
from driftdesk.lab.measures import MEASURES, Measure
from driftdesk.lab.paths import Bootstrap, PriceHistory, resample
from driftdesk.lab.policy import Policy, policy_grid
from driftdesk.lab.simulate import simulate
from driftdesk.lab.sweep import sweep


def check(policies: Sequence[Policy], history: PriceHistory) -> None:
    """Every value and every measure of the sweep is bit for bit that of `simulate`."""
    swept = 0
    for together in cohorts_of(policies, history):
        found = sweep(together, history.closes)
        for place, values, measures in zip(together.places, found.values, found.measures, strict=True):
            alone = simulate(policies[place], history)
            assert alone.values.tolist() == values.tolist(), policies[place].label
            expected = [alone.measures[name] for name in MEASURES]
            assert np.array_equal(expected, measures, equal_nan=True), policies[place].label
            swept += 1
    assert len(policies) == swept


BANDS = ["none", "abs 2", "abs 5", "abs 10", "rel 5", "rel 10", "abs 5, rel 20", "abs 3, abs 4, rel 25"]
CALENDARS = ["none", "weekly Friday", "monthly 31", "quarterly 15", "annually 03-01"]
MODELS = ["AAA 50 | BBB 50", "AAA 60 | BBB 30 | cash 10", "BBB 100", "cash 100", "cash 20 | BBB 0.01 | AAA 79.99"]
# Closes that meet the edges of round bands time and again, and closes that hardly ever do.
ROUND = st.integers(8, 12).map(lambda count: count * 5.0)
FINE = st.integers(80_0000, 120_0000).map(lambda count: count / 10_000)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any model, bands, calendar, cooldown and cost."""
    rules = [draw(st.sampled_from(BANDS)), draw(st.sampled_from(CALENDARS))]
    return policy(
        draw(st.sampled_from(MODELS)),
        *[rule for rule in rules if rule != "none"],
        cooldown=draw(st.sampled_from([0, 1, 2, 5, 30, 10**12])),
        bps=draw(st.sampled_from(["0", "5", "100"])),
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(policies(), min_size=1, max_size=12), st.integers(3, 60), st.sampled_from([ROUND, FINE]), st.data())
def test_the_sweep_is_plain_simulation(
    some: list[Policy], sessions: int, price: st.SearchStrategy[float], data: st.DataObject
) -> None:
    """Random policies, some twice and of several models, on random closes."""
    series = st.lists(price, min_size=sessions, max_size=sessions)
    check(some, on_weekdays({Symbol("BBB"): data.draw(series), Symbol("AAA"): data.draw(series)}))


def wandering(sessions: int, seed: int) -> PriceHistory:
    """Two symbols that wander for long enough that drift paths have to be looked ahead several times."""
    moves = np.random.default_rng(seed).normal(0, (0.01, 0.005), (sessions, 2))
    prices = np.cumprod(1 + moves, axis=0) * 100
    return on_weekdays({Symbol("AAA"): prices[:, 0].tolist(), Symbol("BBB"): prices[:, 1].tolist()})


def test_long_drift_paths_are_followed_to_their_end() -> None:
    """700 sessions: bands that wait for hundreds of them, yearly days, long cooldowns, and one that never trades."""
    rules = [["abs 8"], ["rel 12"], ["annually 06-30"], ["abs 6", "annually 06-30"], ["abs 30"], []]
    some = [policy("AAA 50 | BBB 45 | cash 5", *rule, cooldown=days, bps="7") for rule in rules for days in (0, 300)]
    check(some, wandering(700, 4))


@pytest.mark.parametrize("days", [0, 3, 30])
@pytest.mark.parametrize(("outside", "beyond"), [(0, "65 35"), (1, "65.00000000000001 34.99999999999999")])
def test_edges_are_decided_exactly(outside: int, beyond: str, days: int) -> None:
    """65 of 100 for a target of 60 is not outside a band of 5, a hair more is; in a cooldown and after it."""
    more, less = beyond.split()
    history = closes(f"AAA 60 65 {more} 65 65 65 | BBB 40 35 {less} 35 35 35")
    one = policy("AAA 60 | BBB 40", "abs 5", cooldown=days)
    check([one], history)
    share = sweep(cohorts_of([one], history)[0], history.closes).measures[0, MEASURES.index(Measure.OUTSIDE_BAND)]
    assert outside / 5 == share


def test_large_grids_are_swept_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cohorts of at most three give what one of eight gives; each policy keeps its place."""
    monkeypatch.setattr(cohort, "LARGEST_COHORT", 3)
    history = wandering(80, 5)
    some = [policy(weights, f"abs {band}") for band in (1, 2, 3, 4) for weights in MODELS[:2]]
    assert [[0, 2, 4], [6], [1, 3, 5], [7]] == [part.places.tolist() for part in cohorts_of(some, history)]
    check(some, history)


def test_costs_change_values_and_no_date() -> None:
    """With and without costs the same sessions trade: all measures of trading agree but the cost itself."""
    history = wandering(300, 6)
    free = policy(MODELS[0], "abs 1")
    found = sweep(cohorts_of([free, replace(free, cost_bps=Decimal(25))], history)[0], history.closes)
    trading = [MEASURES.index(name) for name in (Measure.REBALANCES, Measure.TURNOVER, Measure.OUTSIDE_BAND)]
    assert found.measures[0, trading].tolist() == found.measures[1, trading].tolist()
    assert 0 == found.measures[0, MEASURES.index(Measure.COST)] < found.measures[1, MEASURES.index(Measure.COST)]


@needs_real_prices
def test_twenty_years_of_real_prices() -> None:
    """SPY, TLT and GLD from 2004 to 2024, and a path resampled from them, over a grid of 24 policies."""
    history = real_prices("SPY", "TLT", "GLD")
    grid = policy_grid(
        policy("SPY 55 | TLT 35 | GLD 5 | cash 5").targets,
        bands=("none", "absolute 5", "relative 20", "absolute 5 + relative 25"),
        calendars=("none", "quarterly 31", "annually 01-01"),
        cooldowns=(0, 60),
        costs_bps=(10,),
    )
    check(grid, history)
    check(grid[::5], resample(history, Bootstrap(1), 0))
