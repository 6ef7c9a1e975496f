"""Portfolios, weights and conditions (seed 000, rules.md 2)."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from driftdesk.wire.base import Answer, Message, WireDecimal, WireInt, WireList, WireTime


def _null_is_no_text(value: Any) -> Any:
    return "" if value is None else value


class PortfolioStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    NEEDS_ADJUSTMENT = "needs_adjustment"


class WeightType(StrEnum):
    CASH = "cash"
    ASSET = "asset"


class Weight(Message):
    """`percent` of equity for `symbol`, or for cash (symbol null)."""

    type: Annotated[WeightType | str, Field(union_mode="left_to_right")]
    symbol: str | None = None
    percent: WireDecimal


class Condition(Message):
    """A drift band (`percent`) or a calendar day (`day`); the unused fields are null on the wire."""

    type: str
    sub_type: str | None = None
    percent: WireDecimal | None = None
    day: Annotated[str | None, Field(coerce_numbers_to_str=True)] = None


class Portfolio(Answer):
    """Target weights, conditions and a cooldown (calendar days) that accounts can subscribe to."""

    id: str
    name: str
    description: Annotated[str, BeforeValidator(_null_is_no_text)] = ""
    status: Annotated[PortfolioStatus | str, Field(union_mode="left_to_right")]
    cooldown_days: WireInt = 0
    created_at: WireTime
    updated_at: WireTime
    weights: tuple[Weight, ...]
    rebalance_conditions: Annotated[
        WireList[Condition], Field(validation_alias=AliasChoices("rebalance_conditions", "rebalancing_conditions"))
    ] = ()
    # Ours: what a person should know about what was just saved.
    warnings: tuple[str, ...] = ()


class CreatePortfolio(Message):
    """Body of POST /v1/rebalancing/portfolios. Rules beyond types are checked by the engine (one place)."""

    name: str
    description: Annotated[str, BeforeValidator(_null_is_no_text)] = ""
    weights: tuple[Weight, ...]
    cooldown_days: WireInt = 0
    rebalance_conditions: Annotated[
        WireList[Condition], Field(validation_alias=AliasChoices("rebalance_conditions", "rebalancing_conditions"))
    ] = ()


class UpdatePortfolio(Message):
    """Body of PATCH: only the fields sent are changed (`model_fields_set`); a field sent as null counts as not sent."""

    name: str | None = None
    description: str | None = None
    weights: tuple[Weight, ...] | None = None
    cooldown_days: WireInt | None = None
    rebalance_conditions: Annotated[
        tuple[Condition, ...] | None,
        Field(validation_alias=AliasChoices("rebalance_conditions", "rebalancing_conditions")),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_sent(cls, data: Any) -> Any:
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data
