"""Column types: scaled integers for money, quantities and prices; microseconds for instants; text for exact decimals.

Scaled BIGINTs are exact and summable on every database, and refuse floats and excess decimals (durability.md, Store).
Never multiply two scaled columns in SQL: the scales multiply too.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, RowMapping, String, Text
from sqlalchemy.types import TypeDecorator

from driftdesk.money import format_decimal, from_scaled, to_scaled

# A row read by name, or a mapping that stands for one.
Row = Mapping[str, Any] | RowMapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Scaled(TypeDecorator[Decimal]):
    """A Decimal as a whole count of 10**-decimals."""

    impl = BigInteger
    cache_ok = True

    def __init__(self, decimals: int) -> None:
        super().__init__()
        self.decimals = decimals

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"a Decimal is stored here, not {type(value).__name__}")
        return to_scaled(value, self.decimals)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else from_scaled(value, self.decimals)


class Exact(TypeDecorator[Decimal]):
    """A Decimal of any number of decimals, as text: for sums of quantity x price (13 decimals)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"a Decimal is stored here, not {type(value).__name__}")
        return format_decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Instant(TypeDecorator[datetime]):
    """A timezone-aware datetime as microseconds since 1970 UTC; naive datetimes are refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("an instant needs a time zone")
        return int((value - _EPOCH) // _MICROSECOND)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


class Day(TypeDecorator[date]):
    """A New York date as ISO text: sorts as it reads, the same on every database."""

    impl = String(10)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if isinstance(value, datetime):
            raise TypeError("a date is stored here, not an instant")
        return None if value is None else value.isoformat()

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        return None if value is None else date.fromisoformat(value)


CENTS = Scaled(2)
NOTIONAL = Scaled(9)
QUANTITY = Scaled(9)
PRICE = Scaled(4)
INSTANT = Instant()
DAY = Day()
EXACT = Exact()
