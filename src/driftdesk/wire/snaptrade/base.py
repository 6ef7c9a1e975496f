"""What the messages of SnapTrade share: nothing is certain to be there, and amounts come as numbers or as text.

In the seed amounts are JSON numbers; since 2025 and 2026 those of an order are text (wire/snaptrade.md 0.2, 3). Both
are read as Decimal; what is written is written in one of the two dialects.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, PlainSerializer, SerializationInfo, WithJsonSchema

from driftdesk.money import format_decimal
from driftdesk.wire.base import Answer, WireDecimal, WireTime

_MICROSECONDS_IN_A_MILLISECOND: Final = 1000


class Dialect(StrEnum):
    """How the amounts of an order are written: as JSON numbers (the seed) or as text (newer routes)."""

    SEED = "seed"
    CURRENT = "current"


def _spell(amount: Decimal, info: SerializationInfo) -> Decimal | str:
    dialect = (info.context or {}).get("dialect", Dialect.CURRENT)
    return amount if dialect is Dialect.SEED else format_decimal(amount)


def _unchanged(amount: Decimal) -> Decimal:
    return amount


def _write_time(value: datetime) -> str:
    whole = value.microsecond % _MICROSECONDS_IN_A_MILLISECOND == 0
    text = value.astimezone(UTC).isoformat(timespec="milliseconds" if whole else "microseconds")
    return text.replace("+00:00", "Z")


# An amount that leaves in the dialect that `emit` is given: those of orders and of what is held.
OrderDecimal = Annotated[
    WireDecimal,
    PlainSerializer(_spell),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]}, mode="serialization"),
]
# An amount that leaves as a JSON number in both dialects.
Number = Annotated[WireDecimal, PlainSerializer(_unchanged), WithJsonSchema({"type": "number"}, mode="serialization")]
# An instant with three decimals of a second, as in the seed's sample; six where they are needed.
OrderTime = Annotated[WireTime, PlainSerializer(_write_time)]


class Record(Answer):
    """Base of what is read and written again: fields that we do not know are kept as they came."""

    model_config = ConfigDict(extra="allow")


def emit(message: BaseModel, dialect: Dialect = Dialect.CURRENT) -> str:
    """`message` as JSON text in `dialect`, with the fields that it was given and no others."""
    return write_json(message.model_dump(exclude_unset=True, context={"dialect": dialect}))


def write_json(value: Any) -> str:
    """`value` as compact JSON text; a Decimal is a number with exactly its digits, never a float (rules.md 1.1)."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(str(name))}:{write_json(item)}" for name, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(write_json, value)) + "]"
        case Decimal():
            return format_decimal(value)
        case _:
            return json.dumps(value)
