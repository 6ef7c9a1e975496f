"""Price histories that are refused, and paths that are the same wherever they are made."""

from datetime import date

import numpy as np
import pytest
from domain import weekdays
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.words import closes

from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import DataError, InputError
from driftdesk.lab.paths import Bootstrap, BootstrapKind, price_history, resample, resampled_days

A, B = Symbol("AAA"), Symbol("BBB")
D = date.fromisoformat
# Friday 6 March is a holiday here.
CALENDAR = weekdays("2026-03-02", "2026-03-13", without="2026-03-06")
WEEK = [D(f"2026-03-0{day}") for day in (2, 3, 4, 5)]


def test_a_history_holds_closes_by_session_and_symbol() -> None:
    """Four sessions, three days apart: 3 / 365.25 years. The arrays cannot be changed."""
    history = price_history(WEEK, {A: [1, 2, 3, 4], B: [5.5, 6, 7, 8]}, CALENDAR)
    assert (A, B) == history.symbols
    assert [[1, 5.5], [2, 6], [3, 7], [4, 8]] == history.closes.tolist()
    assert tuple(WEEK) == history.dates
    assert D("2026-03-09") == history.sessions.last
    assert 3 / 365.25 == history.years
    with pytest.raises(ValueError, match="read-only"):
        history.closes[0, 0] = 9


@pytest.mark.parametrize(
    ("sentence", "days", "series"),
    [
        ("at least 3 sessions; there are 2", "02 03", [1, 2]),
        ("2026-03-06 .Friday. is not a session", "04 05 06", [1, 2, 3]),
        ("session of 2026-03-03 is missing", "02 04 05", [1, 2, 3]),
        ("2026-03-03 comes after 2026-03-04", "04 03 02", [1, 2, 3]),
        ("2026-03-03 comes after 2026-03-03", "02 03 03", [1, 2, 3]),
        ("AAA has 2 closes for 3 sessions", "02 03 04", [1, 2]),
        ("AAA on 2026-03-03 is 0.0", "02 03 04", [1, 0, 3]),
        ("AAA on 2026-03-04 is nan", "02 03 04", [1, 2, float("nan")]),
        ("AAA on 2026-03-02 is inf", "02 03 04", [float("inf"), 2, 3]),
        ("outside the trading calendar", "11 12 13", [1, 2, 3]),
        ("outside the trading calendar", "12 13 14", [1, 2, 3]),
    ],
)
def test_what_would_falsify_a_study_is_refused(sentence: str, days: str, series: list[float]) -> None:
    """Gaps, strange days, disorder and prices that are none; and a calendar that ends with the last session."""
    with pytest.raises(DataError, match=sentence):
        price_history([D(f"2026-03-{day}") for day in days.split()], {A: series}, CALENDAR)


def test_a_history_has_a_symbol() -> None:
    """Days alone are no history."""
    with pytest.raises(DataError, match="at least one symbol"):
        price_history(WEEK, {}, CALENDAR)


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        ([5, 10, 11, 3, 4, 5, 8, 7, 0, 1, 2, 3], BootstrapKind.STATIONARY),
        ([5, 6, 7, 3, 4, 5, 8, 9, 10, 6, 7, 8], BootstrapKind.CIRCULAR),
    ],
)
def test_a_seed_gives_the_same_path_everywhere(expected: list[int], kind: BootstrapKind) -> None:
    """Kept from the first machine that made them; the fifth path does not depend on the four before it."""
    assert expected == resampled_days(Bootstrap(2026, block_length=3, kind=kind), 12, 4).tolist()


def test_seed_and_number_make_different_paths() -> None:
    """Neither shifts the other: path 1 of seed 1 is not path 0 of seed 2."""
    drawn = {tuple(resampled_days(Bootstrap(seed), 50, number)) for seed in (0, 1, 2) for number in (0, 1, 2)}
    assert 9 == len(drawn)


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 5))
def test_circular_blocks_have_their_length(length: int, days: int, number: int) -> None:
    """Each block goes on day by day, round the end of the history; only its first day is drawn."""
    drawn = resampled_days(Bootstrap(7, block_length=length, kind=BootstrapKind.CIRCULAR), days, number)
    assert days == len(drawn)
    assert all(0 <= day < days for day in drawn)
    assert all((drawn[at - 1] + 1) % days == drawn[at] for at in range(1, days) if at % length)


def test_stationary_blocks_have_their_mean_length() -> None:
    """Blocks of 20 on average: 100,000 days begin 5,000, give or take 3 x sqrt(100000 x 0.05 x 0.95) = 207."""
    days = 100_000
    drawn = resampled_days(Bootstrap(3, block_length=20), days, 0)
    begun = 1 + int(((drawn[1:] - drawn[:-1]) % days != 1).sum())
    assert abs(begun - 5000) < 207


def test_every_day_is_drawn_equally_often() -> None:
    """10 days in 10,000 paths, 10,000 draws each give or take five standard errors of a block-wise count."""
    counts = np.zeros(10)
    for number in range(10_000):
        counts += np.bincount(resampled_days(Bootstrap(11, block_length=2), 10, number), minlength=10)
    assert np.all(np.abs(counts - 10_000) < 5 * np.sqrt(10_000 * 2))


@settings(deadline=None)
@given(st.sampled_from(BootstrapKind), st.integers(1, 9), st.integers(0, 99))
def test_a_path_is_made_of_the_days_of_its_history(kind: BootstrapKind, length: int, number: int) -> None:
    """It keeps sessions, symbols and first closes, and moves all symbols together as on one day of the history."""
    history = closes("AAA 100 110 99 120 60 | BBB 50 51 49 30 33")
    path = resample(history, Bootstrap(5, block_length=length, kind=kind), number)
    assert (history.symbols, history.sessions) == (path.symbols, path.sessions)
    assert history.closes[0].tolist() == path.closes[0].tolist()
    known = history.closes[1:] / history.closes[:-1]
    for moved in path.closes[1:] / path.closes[:-1]:
        assert np.isclose(known, moved, rtol=1e-12, atol=0).all(axis=1).any()


@pytest.mark.parametrize("change", [{"seed": -1}, {"paths": 0}, {"block_length": 0}])
def test_a_bootstrap_refuses_nonsense(change: dict[str, int]) -> None:
    """The field is named."""
    with pytest.raises(InputError) as error:
        Bootstrap(**{"seed": 1, **change})
    assert next(iter(change)) == error.value.field
