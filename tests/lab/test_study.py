"""Studies: the same numbers however they are computed, and no winner that the intervals do not support."""

import re
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from math import isnan
from multiprocessing import get_context

import numpy as np
import pytest
from lab.words import closes, on_weekdays, policy

from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import InputError
from driftdesk.lab.measures import MEASURES, Measure
from driftdesk.lab.paths import Bootstrap, PriceHistory, resample
from driftdesk.lab.policy import Policy
from driftdesk.lab.simulate import simulate
from driftdesk.lab.study import Estimate, Study, study

WEIGHTS = "AAA 60 | BBB 35 | cash 5"
TIGHT, WIDE, NEVER = policy(WEIGHTS, "abs 1"), policy(WEIGHTS, "abs 4"), policy(WEIGHTS)


def wandering(sessions: int = 120) -> PriceHistory:
    """Two symbols that wander for half a year."""
    moves = np.random.default_rng(8).normal(0, (0.012, 0.006), (sessions, 2))
    prices = np.cumprod(1 + moves, axis=0) * 100
    return on_weekdays({Symbol("AAA"): prices[:, 0].tolist(), Symbol("BBB"): prices[:, 1].tolist()})


def made_up(*paths: list[float], measure: Measure = Measure.TRACKING_ERROR) -> Study:
    """A study of the policies TIGHT, WIDE, ... with these values of one measure: the history's, then each path's."""
    values = np.zeros((len(paths), len(paths[0]), len(MEASURES)))
    values[:, :, MEASURES.index(measure)] = paths
    some = (TIGHT, WIDE, NEVER)[: len(paths[0])]
    first, *_, last = wandering().dates
    return Study(some, first, last, Bootstrap(1, paths=max(1, len(paths) - 1)), values[0], values[1:])


def lead_of(found: Study) -> tuple[Policy, Estimate]:
    """Who has the lowest tracking error, and by how much."""
    lead = found.lead(Measure.TRACKING_ERROR)
    assert lead is not None
    return lead


def test_a_table_has_the_numbers_of_plain_simulation() -> None:
    """Each cell is simulated on the history; its interval holds 95 % of what is simulated on each path."""
    history, bootstrap = wandering(), Bootstrap(3, paths=20, block_length=10)
    table = study((TIGHT, NEVER), history, bootstrap).table()
    assert [TIGHT, NEVER] == [row.policy for row in table]
    for row in table:
        paths = [simulate(row.policy, resample(history, bootstrap, number)).measures for number in range(20)]
        for measure, value in simulate(row.policy, history).measures.items():
            estimate = row.estimates[measure]
            if isnan(value):
                assert (True, None, None) == (isnan(estimate.value), estimate.low, estimate.high)
                continue
            low, high = np.quantile([path[measure] for path in paths], [0.025, 0.975])
            assert Estimate(value, low, high) == estimate


def test_policies_keep_their_places_among_other_targets() -> None:
    """Two models in one study, mixed: each row is its own policy's."""
    other = policy("AAA 50 | BBB 50", "abs 2")
    history = wandering()
    found = study((TIGHT, other, WIDE), history)
    for one, row in zip((TIGHT, other, WIDE), found.measured, strict=True):
        assert list(simulate(one, history).measures.values()) == row.tolist()


@pytest.mark.parametrize(
    "opened",
    [lambda: ThreadPoolExecutor(2), lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn"))],
    ids=["threads", "processes"],
)
def test_an_executor_changes_no_bit(opened: Callable[[], Executor]) -> None:
    """Nine paths in three tasks, in this thread or elsewhere."""
    history, bootstrap = wandering(), Bootstrap(3, paths=9)
    alone = study((TIGHT, WIDE), history, bootstrap)
    with opened() as helpers:
        helped = study((TIGHT, WIDE), history, bootstrap, helpers)
    assert (9, 2, len(MEASURES)) == alone.resampled.shape
    assert alone.resampled.tobytes() == helped.resampled.tobytes()
    assert alone.measured.tobytes() == helped.measured.tobytes()


def test_a_study_without_paths_declares_nothing() -> None:
    """One history alone: values without intervals, and the sentence says why that is not enough."""
    found = study((TIGHT, WIDE), wandering())
    assert {(None, None)} == {(cell.low, cell.high) for row in found.table() for cell in row.estimates.values()}
    assert (
        'This is one history, 2026-03-02 to 2026-08-14, and on it "absolute 1" has the lowest tracking error. '
        "With 0 resampled paths (at least 100 are needed) nothing says whether that is more than luck."
    ) == found.verdict()


def test_a_winner_needs_an_interval_above_zero() -> None:
    """TIGHT leads by 0.2 points on the history, and on 200 paths by 0.1 to 0.3 points, evenly."""
    paths = [[0.01, 0.011 + 0.002 * step / 199] for step in range(200)]
    found = made_up([0.01, 0.012], *paths)
    best, lead = lead_of(found)
    assert TIGHT == best
    assert (0.002, 0.00105, 0.00295) == pytest.approx((lead.value, lead.low, lead.high))
    assert found.verdict().endswith(
        "Resampling supports it: its lead over the best of the others lies between 0.105 points and 0.295 points "
        "on 95 % of 200 resampled paths."
    )


@pytest.mark.parametrize("beaten", [6, 100, 200])
def test_a_lead_that_paths_take_back_is_no_winner(beaten: int) -> None:
    """Beaten on 6 of 200 paths, 3 %, is too often for an interval of 95 %; so is more, or always."""
    paths = [[0.01, 0.008] if number < beaten else [0.01, 0.02] for number in range(200)]
    said = made_up([0.01, 0.02], *paths).verdict()
    assert "Resampling does not support a winner" in said
    assert 'on it "absolute 1" has the lowest tracking error' in said


def test_the_lead_is_over_the_best_of_all_others() -> None:
    """On each path one of the others is better, never the same: pairwise TIGHT leads both on half of the paths."""
    paths = [[0.02, 0.01, 0.09] if number % 2 else [0.02, 0.09, 0.01] for number in range(100)]
    _, lead = lead_of(made_up([0.02, 0.03, 0.03], *paths))
    assert (0.01, -0.01, -0.01) == pytest.approx((lead.value, lead.low, lead.high))


def test_more_return_is_better() -> None:
    """The one measure of which more is wanted; everything else is wanted low."""
    found = made_up([0.05, 0.07], *[[0.05, 0.07]] * 100, measure=Measure.RETURN).verdict(Measure.RETURN)
    assert re.search('"absolute 4" has the highest return a year. Resampling supports it', found)


def test_equals_share_the_first_place() -> None:
    """Bands so wide that neither is ever left are the same policy by other names."""
    history = wandering()
    found = study((policy(WEIGHTS, "abs 50"), policy(WEIGHTS, "abs 40")), history, Bootstrap(1, paths=100))
    assert found.verdict().endswith("several policies share the lowest tracking error: there is no winner.")


def test_one_policy_cannot_win() -> None:
    """Nor can one that is alone in having a measure: NEVER has no band to be outside of."""
    assert "nothing to compare" in study((TIGHT,), wandering()).verdict()
    assert "nothing to compare" in study((TIGHT, NEVER), wandering()).verdict(Measure.OUTSIDE_BAND)
    assert "nothing to compare" not in study((TIGHT, NEVER), wandering()).verdict(Measure.COST)


def test_a_real_difference_is_found() -> None:
    """The same policy at 50 bps costs more than for nothing on every path; on return alone it takes paths to tell."""
    dear = replace(TIGHT, cost_bps=Decimal(50))
    found = study((dear, TIGHT), wandering(), Bootstrap(2, paths=100))
    assert 'on it "absolute 1" has the lowest cost a year. Resampling supports it' in found.verdict(Measure.COST)
    assert "Resampling supports it" in found.verdict(Measure.RETURN)
    assert "Resampling supports it" not in study((WIDE, TIGHT), wandering(), Bootstrap(2, paths=100)).verdict(
        Measure.RETURN
    )


def test_a_study_needs_policies_and_prices() -> None:
    """Nothing to study and a symbol without prices are refused before anything is computed."""
    with pytest.raises(InputError, match="at least one policy"):
        study((), wandering())
    with pytest.raises(InputError, match="no BBB"):
        study((TIGHT,), closes("AAA 1 2 3"), Bootstrap(1))
