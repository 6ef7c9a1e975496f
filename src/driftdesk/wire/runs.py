"""Runs (seed 000, rules.md 5.5 and 7)."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BeforeValidator, Field

from driftdesk.wire.base import NIL_UUID, Answer, Message, WireDecimal, WireList, WireTime
from driftdesk.wire.orders import Order, SkippedOrder
from driftdesk.wire.portfolios import Condition, Weight


def _null_is_nil(value: Any) -> Any:
    return NIL_UUID if value is None else value


class RunStatus(StrEnum):
    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    CANCELED = "CANCELED"
    CANCELED_MID_RUN = "CANCELED_MID_RUN"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    COMPLETED_ADJUSTED = "COMPLETED_ADJUSTED"
    COMPLETED_SUCCESS = "COMPLETED_SUCCESS"


OPEN_RUN_STATUSES: Final = frozenset({RunStatus.QUEUED, RunStatus.IN_PROGRESS})


class RunOptions(Message):
    """Options beyond the seed (rules.md 6.7); the real API knows none of them."""

    breached_only: bool = False
    toward: str = "target"
    cash_buffer: WireDecimal | None = None
    never_buy: tuple[str, ...] = ()
    never_sell: tuple[str, ...] = ()
    raise_cash: WireDecimal | None = None
    whole_shares: bool = False
    # Holdings that a person left out of equity and plan (rules.md 3.1).
    excluded: tuple[str, ...] = ()


class PlannedLine(Answer):
    """One line of the stored plan (ours; emitted only on GET of one run)."""

    line: int
    symbol: str
    side: str
    notional: WireDecimal
    qty: WireDecimal | None = None
    price: WireDecimal
    estimated_qty: WireDecimal
    reason: str
    state: str
    client_order_id: str


class RunEvent(Answer):
    """A change of status or phase (ours)."""

    at: WireTime
    status: str
    phase: str | None = None
    text: str = ""


class Run(Answer):
    """A run and its orders. Both `initiated_from` and `initiated_by` leave, whichever was given (rules.md 2.2)."""

    id: str
    type: str
    amount: WireDecimal | None = None
    initiated_from: Annotated[str | None, Field(validation_alias=AliasChoices("initiated_from", "initiated_by"))] = None
    initiated_by: Annotated[str | None, Field(validation_alias=AliasChoices("initiated_by", "initiated_from"))] = None
    status: Annotated[RunStatus | str, Field(union_mode="left_to_right")]
    reason: str | None = None
    account_id: str
    # What a one-off run carries on the real API is not documented; null is read as ours writes it.
    portfolio_id: Annotated[str, BeforeValidator(_null_is_nil)]
    weights: WireList[Weight]
    orders: WireList[Order] = ()
    failed_orders: WireList[Order] = ()
    skipped_orders: WireList[SkippedOrder] = ()
    completed_at: WireTime | None = None
    canceled_at: WireTime | None = None
    created_at: WireTime
    updated_at: WireTime
    # Ours, beside the seed's fields:
    preview_hash: str | None = None
    options: RunOptions | None = None
    trigger: str | None = None
    plan: WireList[PlannedLine] = ()
    events: WireList[RunEvent] = ()

    @property
    def is_open(self) -> bool:
        """Whether the run still frees nothing: QUEUED or IN_PROGRESS (rules.md 5.4)."""
        return self.status in OPEN_RUN_STATUSES


class CreateRun(Message):
    """Body of POST /v1/rebalancing/runs; `preview_hash`, `max_change_percent` and `options` are ours (6.6, 6.7)."""

    account_id: str
    type: str
    weights: tuple[Weight, ...] | None = None
    amount: WireDecimal | None = None
    # Ours, with weights only: the bands that a one-off run is planned with.
    rebalance_conditions: Annotated[
        tuple[Condition, ...] | None,
        Field(validation_alias=AliasChoices("rebalance_conditions", "rebalancing_conditions")),
    ] = None
    preview_hash: str | None = None
    # The previewed lines are needed when inputs moved: orders that stay within max_change_percent go ahead.
    preview_orders: tuple[PlannedLine, ...] | None = None
    max_change_percent: WireDecimal | None = None
    options: RunOptions | None = None


class RunPage(Answer):
    """One page of runs, newest first."""

    runs: WireList[Run]
    next_page_token: str | int | None = None
