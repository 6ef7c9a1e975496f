"""When trades settle: so many settlement days after the day of the trade (SEC rule 15c6-1).

A settlement day is an exchange session on which banks are open. Columbus Day and Veterans Day are sessions and no
settlement days: their trades settle with those of the session before (FINRA's notices 88-82, 95-77, 99-83).
"""

from datetime import date, timedelta
from typing import Final

from driftdesk.engine.schedule import Sessions

# (First trade date, settlement days until settlement), newest first.
_CYCLES: Final = ((date(2024, 5, 28), 1), (date(2017, 9, 5), 2), (date(1995, 6, 7), 3), (date.min, 5))
# Calendar days that hold more settlement days than any cycle has, whatever holidays fall into them.
LONGEST: Final = timedelta(days=15)

_OCTOBER, _NOVEMBER = 10, 11
_MONDAY, _SATURDAY = 1, 6


def settlement_date(traded: date, sessions: Sessions) -> date | None:
    """The date on which a trade of the New York date `traded` settles; None where it lies after the last session."""
    wait = next(days for first, days in _CYCLES if traded >= first)
    after = sessions.between(traded + timedelta(days=1), min(traded + LONGEST, sessions.last))
    days = [session.date for session in after if not _banks_are_closed(session.date)]
    return days[wait - 1] if len(days) >= wait else None


def _banks_are_closed(session: date) -> bool:
    """Whether `session` is a holiday of banks and not of the exchange: Columbus Day or Veterans Day."""
    if session.month == _OCTOBER:
        return session.isoweekday() == _MONDAY and 8 <= session.day <= 14  # noqa: PLR2004 - the second Monday
    # Veterans Day is the 11th of November; from a Sunday it moves to the Monday, from a Saturday it does not move.
    return session.month == _NOVEMBER and (
        session.day == 11 or (session.day == 12 and session.isoweekday() == _MONDAY)  # noqa: PLR2004
    )
