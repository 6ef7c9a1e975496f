"""The New York Stock Exchange's sessions, taken once from exchange_calendars and turned into plain values.

The library is slow to import and slow without bounds; nothing else in driftdesk touches it.
"""

import functools
from datetime import UTC, date, datetime

from driftdesk.engine.schedule import Session, Sessions

NANOSECONDS = 1_000_000_000


@functools.cache
def new_york_sessions(first: date = date(1990, 1, 1), last: date = date(2040, 12, 31)) -> Sessions:
    """Every XNYS session from `first` to `last`, both inclusive, with opens and closes in UTC.

    Holidays and early closes of future years are those that the exchange's present rules imply. Takes about 0.2 s and
    the import of the library; the answer is kept for the life of the process.
    """
    # Half a second that a command which needs no calendar should not pay.
    import exchange_calendars  # type: ignore[import-untyped]  # noqa: PLC0415

    xnys = exchange_calendars.get_calendar("XNYS", start=first.isoformat(), end=last.isoformat())
    return Sessions(
        tuple(
            Session(label.date(), _instant(opened), _instant(closed))
            for label, opened, closed in zip(xnys.sessions, xnys.opens_nanos, xnys.closes_nanos, strict=True)
        )
    )


def _instant(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(int(nanoseconds) // NANOSECONDS, UTC)
