"""Settlement dates against the regulator's published schedules and the calendar on the wall."""

from datetime import date

import pytest

from driftdesk.backend.settlement import settlement_date
from driftdesk.market_calendar import new_york_sessions


@pytest.mark.parametrize(
    ("traded", "settles"),
    [
        pytest.param("2025-03-03", "2025-03-04", id="the next day"),
        pytest.param("2025-03-07", "2025-03-10", id="over a weekend"),
        pytest.param("2025-04-17", "2025-04-21", id="over Good Friday"),
        pytest.param("2025-10-10", "2025-10-14", id="over Columbus Day"),
        pytest.param("2025-10-13", "2025-10-14", id="on Columbus Day"),
        pytest.param("2025-11-10", "2025-11-12", id="over Veterans Day"),
        pytest.param("2018-11-08", "2018-11-13", id="Veterans Day moved from a Sunday"),
        pytest.param("2023-11-09", "2023-11-13", id="Veterans Day on a Saturday"),
        pytest.param("2024-05-24", "2024-05-29", id="the last in two days"),
        pytest.param("2024-05-28", "2024-05-29", id="the first in one day"),
        pytest.param("2017-09-01", "2017-09-07", id="the last in three days"),
        pytest.param("2017-09-05", "2017-09-07", id="the first in two days"),
        pytest.param("1999-10-05", "1999-10-08", id="FINRA 99-83"),
        pytest.param("1999-10-08", "1999-10-14", id="FINRA 99-83 over Columbus Day"),
        pytest.param("1999-10-11", "1999-10-14", id="FINRA 99-83 on Columbus Day"),
        pytest.param("1995-06-06", "1995-06-13", id="the last in five days"),
    ],
)
def test_a_trade_settles_on_the_published_day(traded: str, settles: str) -> None:
    """T+5, T+3, T+2 and T+1 in turn; days on which banks are closed do not count."""
    assert date.fromisoformat(settles) == settlement_date(date.fromisoformat(traded), new_york_sessions())


def test_what_settles_after_the_calendar_has_no_date() -> None:
    """The calendar ends with 31 December 2040, a Monday."""
    sessions = new_york_sessions()
    assert (date(2040, 12, 31), None) == (sessions.last, settlement_date(sessions.last, sessions))
