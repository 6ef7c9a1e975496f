"""The calendar taken from exchange_calendars, against dates known from the exchange's own notices."""

from datetime import UTC, date, timedelta

import pytest

from driftdesk.engine.schedule import WEEKDAYS
from driftdesk.market_calendar import new_york_sessions

D = date.fromisoformat


@pytest.mark.parametrize(("count", "year"), [(252, 2024), (250, 2025), (251, 2026), (248, 2001)])
def test_sessions_per_year(count: int, year: int) -> None:
    """250 in 2025 with its day of mourning; 248 in 2001 with four closed days in September."""
    assert count == len(new_york_sessions().between(date(year, 1, 1), date(year, 12, 31)))


def test_holidays_of_2026() -> None:
    """The ten weekdays of 2026 on which the exchange is closed, July 3 standing for Saturday the 4th."""
    sessions = new_york_sessions()
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    closed = [day.isoformat()[5:] for day in days if f"{day:%A}" in WEEKDAYS and sessions.on(day) is None]
    expected = "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25"
    assert expected == " ".join(closed)


def test_early_closes_from_2024_to_2026() -> None:
    """July 3 when both it and the 4th are weekdays, the day after Thanksgiving, and Christmas Eve on weekdays."""
    days = new_york_sessions().between(D("2024-01-01"), D("2026-12-31"))
    early = [session.date.isoformat() for session in days if session.early_close]
    expected = "2024-07-03 2024-11-29 2024-12-24 2025-07-03 2025-11-28 2025-12-24 2026-11-27 2026-12-24"
    assert expected == " ".join(early)


def test_every_session_is_in_utc_and_on_its_own_date() -> None:
    """Opens and closes are whole UTC minutes of the session's date, at most six and a half hours apart."""
    for session in new_york_sessions().days:
        assert session.open.tzinfo is UTC
        assert session.close.tzinfo is UTC
        assert session.open.date() == session.date == session.close.date()
        assert timedelta(0) < session.close - session.open <= timedelta(hours=6.5)


def test_bounds_are_those_asked_for() -> None:
    """The default reaches from 1990 to 2040; a month is a month; the same question gives the same object."""
    assert (D("1990-01-02"), D("2040-12-31")) == (new_york_sessions().first, new_york_sessions().last)
    june = new_york_sessions(D("2026-06-01"), D("2026-06-30"))
    assert (D("2026-06-01"), D("2026-06-30"), 21) == (june.first, june.last, len(june.days))
    assert new_york_sessions(D("2026-06-01"), D("2026-06-30")) is june
