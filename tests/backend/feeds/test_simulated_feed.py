"""The simulated market: the same for a seed, plausible, correlated and clearly labelled."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from driftdesk.backend.feeds.simulated import SimulatedFeed
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import DataError, InputError
from driftdesk.market_calendar import new_york_sessions

SPY = Symbol("SPY")
D = date.fromisoformat


@pytest.fixture(scope="module")
def feed() -> SimulatedFeed:
    """The market of seed 7, to the end of 2036."""
    return SimulatedFeed(7, new_york_sessions())


def new_york(text: str) -> datetime:
    """An instant from New York wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def returns(feed: SimulatedFeed, symbol: str) -> NDArray[np.float64]:
    """Daily returns over the whole range."""
    closes = np.array([float(close) for _, close in feed.closes(Symbol(symbol), feed.first, feed.last)])
    return closes[1:] / closes[:-1] - 1


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's correlation of two series of returns."""
    return float(np.corrcoef(one, other)[0, 1])


def test_it_says_what_it_is(feed: SimulatedFeed) -> None:
    """The label names the simulation and its seed; 25 assets carry names and known exchanges."""
    assert feed.label == "Simulated market (seed 7)"
    assert len({asset.symbol for asset in feed.assets}) == 25
    assert {asset.exchange for asset in feed.assets} <= {"ARCA", "NASDAQ", "NYSE", "BATS"}
    assert all(asset.name != asset.symbol for asset in feed.assets)
    assert (D("2023-01-03"), D("2036-12-31")) == (feed.first, feed.last)


@pytest.mark.parametrize(
    ("expected", "symbol", "day"),
    [
        ("381", "SPY", "2023-01-03"),
        ("385.8811", "SPY", "2023-01-04"),
        ("657.3840", "SPY", "2026-11-27"),
        ("16.7656", "NVDA", "2036-12-31"),
        ("82.1429", "TLT", "2030-06-03"),
    ],
)
def test_prices_of_seed_7_never_change(expected: str, symbol: str, day: str, feed: SimulatedFeed) -> None:
    """Recorded once: another machine, or another numpy, gives the same prices to the last digit."""
    assert Decimal(expected) == feed.close(Symbol(symbol), D(day))


def test_another_seed_is_another_market_and_a_longer_one_the_same(feed: SimulatedFeed) -> None:
    """The range asked for does not touch the prices inside it; the seed changes them all."""
    sessions = new_york_sessions()
    short = SimulatedFeed(7, sessions, last=D("2023-03-31"))
    span = (D("2023-01-03"), D("2023-03-31"))
    assert short.closes(SPY, *span) == feed.closes(SPY, *span)
    other = SimulatedFeed(8, sessions, last=D("2023-03-31")).closes(SPY, *span)
    assert all(ours != theirs for ours, theirs in zip(short.closes(SPY, *span)[1:], other[1:], strict=True))


def test_every_session_has_a_price_of_at_most_four_decimals(feed: SimulatedFeed) -> None:
    """No gaps, nothing at or below zero, nothing finer than 0.0001 (rules.md 1.1)."""
    days = [session.date for session in new_york_sessions().between(feed.first, feed.last)]
    for asset in feed.assets:
        closes = feed.closes(asset.symbol, feed.first, feed.last)
        assert days == [day for day, _ in closes]
        assert all(close > 0 and close == round(close, 4) for _, close in closes)


@pytest.mark.parametrize("seed", [0, 1, 7, 2024])
def test_days_are_plausible(seed: int) -> None:
    """No day beyond 20 %; stocks move like stocks and bonds like bonds; company follows market, bonds do not."""
    feed = SimulatedFeed(seed, new_york_sessions(), last=D("2032-12-31"))
    moves = {asset.symbol: returns(feed, asset.symbol) for asset in feed.assets}
    annual = {symbol: values.std() * 252**0.5 for symbol, values in moves.items()}
    assert max(np.abs(values).max() for values in moves.values()) < 0.2001
    assert 0.12 < annual[SPY] < 0.20
    assert 0.04 < annual[Symbol("AGG")] < 0.08
    assert 0.35 < annual[Symbol("NVDA")] < 0.55
    assert correlation(moves[SPY], moves[Symbol("QQQ")]) > 0.75
    assert correlation(moves[Symbol("AGG")], moves[Symbol("TLT")]) > 0.9
    assert abs(correlation(moves[SPY], moves[Symbol("TLT")])) < 0.15


def test_storms_give_mildly_fat_tails(feed: SimulatedFeed) -> None:
    """Days beyond three standard deviations come more often than the 0.27 % of a normal law, and stay rare."""
    values = returns(feed, "SPY")
    beyond = (np.abs(values) > 3 * values.std()).mean()
    assert 0.0027 < beyond < 0.02


@pytest.mark.parametrize(
    ("close_of", "instant"),
    [
        (None, "2023-01-03 09:29:59"),
        ("2023-01-03", "2023-01-03 09:30:00"),
        ("2023-01-03", "2023-01-04 09:29:59"),
        ("2023-01-04", "2023-01-04 09:30:00"),
        ("2026-11-25", "2026-11-26 12:00:00"),  # Thanksgiving
        ("2026-11-27", "2026-11-27 13:00:00"),  # after an early close
        ("2026-11-27", "2026-11-29 23:59:59"),  # the weekend after it
        ("2026-11-30", "2026-11-30 09:30:00"),
        ("2036-12-31", "2036-12-31 16:00:00"),
        ("2036-12-31", "2037-01-02 09:29:59"),
        (None, "2037-01-02 09:30:00"),
    ],
)
def test_a_close_is_the_price_from_its_open_to_the_next(
    close_of: str | None, instant: str, feed: SimulatedFeed
) -> None:
    """Day d's close is in effect from d's open until the next open (rules.md 5.1); nothing outside the range."""
    expected = feed.close(SPY, D(close_of)) if close_of else None
    assert (expected is None) == (close_of is None)
    assert expected == feed.price(SPY, new_york(instant))


def test_what_is_not_there_is_none(feed: SimulatedFeed) -> None:
    """Unknown symbols, closed days and days outside the range have no close and no price."""
    assert feed.price(Symbol("TSLA"), new_york("2026-06-10 12:00")) is None
    assert feed.close(Symbol("TSLA"), D("2026-06-10")) is None
    assert feed.closes(Symbol("TSLA"), feed.first, feed.last) == ()
    assert feed.close(SPY, D("2026-06-13")) is None
    assert feed.close(SPY, D("1999-06-10")) is None
    assert feed.close(SPY, D("2040-06-11")) is None


def test_closes_includes_both_ends_and_only_what_is_covered(feed: SimulatedFeed) -> None:
    """Thanksgiving week has four closes; a range that starts before the first session starts there."""
    week = feed.closes(SPY, D("2026-11-23"), D("2026-11-27"))
    assert " ".join(f"{day:%d}" for day, _ in week) == "23 24 25 27"
    assert feed.closes(SPY, D("2000-01-01"), D("2023-01-04"))[0][0] == feed.first
    assert feed.closes(SPY, D("2036-12-31"), D("2040-01-01"))[-1][0] == feed.last
    assert feed.closes(SPY, D("2026-11-27"), D("2026-11-23")) == ()


def test_the_end_of_the_calendar_ends_the_feed() -> None:
    """Where no later session is known, the last close is in effect until its session closes."""
    sessions = new_york_sessions(D("2026-06-01"), D("2026-06-30"))
    feed = SimulatedFeed(7, sessions, first=D("2026-06-01"), last=D("2026-06-30"))
    assert feed.price(SPY, sessions.days[-1].close - timedelta(seconds=1)) == feed.close(SPY, D("2026-06-30"))
    assert feed.price(SPY, sessions.days[-1].close) is None


def test_refusals() -> None:
    """A negative seed and a range that the calendar does not reach are refused in a sentence."""
    with pytest.raises(InputError, match="seed must be a whole number, 0 or larger; received -1"):
        SimulatedFeed(-1, new_york_sessions())
    with pytest.raises(DataError, match="outside the trading calendar"):
        SimulatedFeed(7, new_york_sessions(), last=D("2050-01-03"))


def test_a_simulated_market_is_known_by_its_seed(feed: SimulatedFeed) -> None:
    """A longer one of the same seed is the same market."""
    sessions = new_york_sessions()
    assert feed.identity == SimulatedFeed(feed.seed, sessions, last=date(2023, 2, 1)).identity
    assert feed.identity != SimulatedFeed(feed.seed + 1, sessions, last=date(2023, 2, 1)).identity
