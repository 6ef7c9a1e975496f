"""Times in a query: an instant, or a bare date, which means the midnight in New York that begins it."""

from datetime import date, datetime, time
from typing import Annotated, Final

from pydantic import BeforeValidator

from driftdesk.engine.schedule import NEW_YORK
from driftdesk.wire.base import WireTime

_DATE_LENGTH: Final = len("2026-01-02")


def _read_time(value: object) -> object:
    if not isinstance(value, str) or len(value) != _DATE_LENGTH:
        return value
    try:
        return datetime.combine(date.fromisoformat(value), time(), NEW_YORK)
    except ValueError:
        return value


def _read_date(value: object) -> object:
    # The official SDK sends a date as the midnight in UTC that begins it (wire/alpaca.md 2).
    return value[:_DATE_LENGTH] if isinstance(value, str) and value[_DATE_LENGTH : _DATE_LENGTH + 1] == "T" else value


QueryTime = Annotated[WireTime, BeforeValidator(_read_time)]
# A date; of a time its date as it is written, whatever its zone.
QueryDate = Annotated[date, BeforeValidator(_read_date)]
