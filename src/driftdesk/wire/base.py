"""What all messages share: decimals as JSON strings, timestamps in UTC, tolerance when reading.

Reading accepts numbers or strings, unknown enum values, unknown fields; writing is exact (rules.md 1.5,
wire/alpaca.md 0).
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic_core import PydanticCustomError

from driftdesk.money import format_decimal, read_decimal

T = TypeVar("T")

NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"

_MAX_INT: Final = 2**31 - 1


def _read_decimal(value: Any) -> Decimal:
    try:
        # A float comes from a caller who parsed JSON without parse_float=Decimal; its shortest text is the best left.
        return read_decimal(repr(value) if isinstance(value, float) else value)
    except ValueError as problem:
        raise PydanticCustomError("decimal", f"{problem}") from None


def _in_utc(value: datetime) -> datetime:
    try:
        # The official SDK reads and sends times without an offset as UTC (wire/alpaca.md 2).
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "must be a time between the years 1 and 9999 UTC") from None


def write_time(value: datetime) -> str:
    """An instant as it stands on the wire: ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


def _in_range(value: int) -> int:
    if abs(value) > _MAX_INT:
        raise PydanticCustomError("range", f"must be a whole number of at most {_MAX_INT}")
    return value


def _null_is_empty(value: Any) -> Any:
    return () if value is None else value


WireDecimal = Annotated[
    Decimal,
    BeforeValidator(_read_decimal),
    PlainSerializer(format_decimal, return_type=str, when_used="json"),
]
WireTime = Annotated[
    datetime,
    AfterValidator(_in_utc),
    PlainSerializer(write_time, return_type=str, when_used="json"),
]
# A JSON whole number of 32 bits; true and false are not numbers here.
WireInt = Annotated[int, BeforeValidator(_refuse_bool), AfterValidator(_in_range)]
# A list that may be null or missing on the wire and is empty here.
WireList = Annotated[tuple[T, ...], BeforeValidator(_null_is_empty)]


class Message(BaseModel):
    """Base of every message: frozen, unknown fields ignored, fields readable by name or alias."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Answer(Message):
    """Base of what a backend sends: text fields also take numbers, which a request's may not."""

    model_config = ConfigDict(coerce_numbers_to_str=True)


def read_json(text: str | bytes) -> Any:
    """The value of a JSON document, its decimals as exact `Decimal` and never as float (rules.md 1.1, 1.2).

    Raises ValueError when it is not JSON, holds NaN, Infinity or half a character, or is nested too deeply.
    """
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
        # Half of a surrogate pair is text that no store or answer can hold.
        json.dumps(value, default=str, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is no character") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
