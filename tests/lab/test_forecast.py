"""Closed forms for bands: worked by hand, and held against simulation."""

from dataclasses import astuple
from math import sqrt

import numpy as np
import pytest
from lab.words import on_weekdays, policy

from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import InputError
from driftdesk.lab.bands import forecast
from driftdesk.lab.paths import PriceHistory
from driftdesk.lab.simulate import simulate

SESSIONS_PER_YEAR = 5 * 365.25 / 7


@pytest.mark.parametrize(
    ("expected", "target", "half_width", "volatility"),
    [
        # Half and half at 20 %: the weight moves by 5 points a year. Twice the band lasts four times as long.
        ((1, 1, 0.05, 0.05), 0.5, 0.05, 0.2),
        ((4, 0.25, 0.10, 0.025), 0.5, 0.10, 0.2),
        # A tenth: 0.1 x 0.9 x 0.2 = 1.8 points a year against a band of 0.9.
        ((0.25, 4, 0.009, 0.036), 0.1, 0.009, 0.2),
        ((0.25, 4, 0.05, 0.2), 0.5, 0.05, 0.4),
    ],
)
def test_a_band_watched_all_the_time(
    expected: tuple[float, ...], target: float, half_width: float, volatility: float
) -> None:
    """Years between, rebalances a year, turnover of each and of a year: b^2 / v^2, its inverse, b, v^2 / b."""
    assert expected == pytest.approx(astuple(forecast(target, half_width, volatility, None)))


def test_looking_once_a_session_widens_the_band() -> None:
    """At 256 sessions a step of the weight is 5 / 16 points; 0.5826 of it is 0.182 points beyond the 5."""
    found = forecast(0.5, 0.05, 0.2, 256)
    reached = 0.05 + 0.5826 * 0.05 / 16
    assert ((reached / 0.05) ** 2, reached) == pytest.approx((found.years_between, found.turnover_each))


def random_walk(volatility: float, years: int, seed: int) -> PriceHistory:
    """AAA wanders against BBB, which stands still; the logarithm has no drift."""
    count = int(years * SESSIONS_PER_YEAR)
    steps = np.random.default_rng(seed).normal(0, volatility / sqrt(SESSIONS_PER_YEAR), count)
    return on_weekdays({Symbol("AAA"): (100 * np.exp(np.cumsum(steps))).tolist(), Symbol("BBB"): [100.0] * count})


@pytest.mark.parametrize(
    ("target", "points", "volatility", "seed"), [(50, 2, 0.2, 1), (60, 3, 0.3, 2), (20, 1, 0.25, 3), (90, 1, 0.3, 4)]
)
def test_forecasts_hold_in_simulation(target: int, points: int, volatility: float, seed: int) -> None:
    """150 years of a random walk: mean time between rebalances and mean turnover lie within three standard errors."""
    history = random_walk(volatility, 150, seed)
    found = simulate(policy(f"AAA {target} | BBB {100 - target}", f"abs {points}"), history)
    expected = forecast(target / 100, points / 100, volatility, SESSIONS_PER_YEAR)
    starts = [history.dates[0], *(rebalance.session for rebalance in found.rebalances)]
    waits = np.diff([day.toordinal() for day in starts]) / 365.25
    assert len(waits) > 200
    assert abs(waits.mean() - expected.years_between) < 3 * waits.std(ddof=1) / sqrt(len(waits))
    traded = np.array([rebalance.turnover for rebalance in found.rebalances])
    assert abs(traded.mean() - expected.turnover_each) < 3 * traded.std(ddof=1) / sqrt(len(traded))


@pytest.mark.parametrize(
    ("field", "numbers"),
    [
        ("target", (0, 0.05, 0.2)),
        ("target", (1, 0.05, 0.2)),
        ("half_width", (0.5, 0, 0.2)),
        ("half_width", (0.5, 5, 0.2)),
        ("volatility", (0.5, 0.05, 0)),
        ("volatility", (0.5, 0.05, float("nan"))),
        ("sessions_per_year", (0.5, 0.05, 0.2, 0)),
    ],
)
def test_a_forecast_refuses_nonsense(field: str, numbers: tuple[float, ...]) -> None:
    """Fractions, not percents, and nothing that is zero."""
    with pytest.raises(InputError) as error:
        forecast(*numbers)
    assert field == error.value.field
