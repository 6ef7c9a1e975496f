"""Orders and skipped orders (seed 000's samples, seed 003, wire/alpaca.md 4.6-4.7)."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from driftdesk.wire.base import Answer, WireDecimal, WireTime


class OrderStatus(StrEnum):
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    DONE_FOR_DAY = "done_for_day"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    PENDING_REVIEW = "pending_review"
    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    ACCEPTED_FOR_BIDDING = "accepted_for_bidding"
    STOPPED = "stopped"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"
    HELD = "held"


FINAL_ORDER_STATUSES: Final = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REPLACED, OrderStatus.REJECTED}
)


class Order(Answer):
    """An order at the broker: by `notional` (USD) or by `qty` (shares), the other one null."""

    id: str
    client_order_id: str
    created_at: WireTime
    updated_at: WireTime | None = None
    submitted_at: WireTime | None = None
    filled_at: WireTime | None = None
    expired_at: WireTime | None = None
    canceled_at: WireTime | None = None
    failed_at: WireTime | None = None
    replaced_at: WireTime | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    asset_id: str | None = None
    symbol: str
    asset_class: str | None = "us_equity"
    notional: WireDecimal | None = None
    qty: WireDecimal | None = None
    filled_qty: WireDecimal | None = None
    filled_avg_price: WireDecimal | None = None
    order_class: str = ""
    order_type: str = "market"
    type: str = "market"
    side: str
    time_in_force: str = "day"
    limit_price: WireDecimal | None = None
    stop_price: WireDecimal | None = None
    status: Annotated[OrderStatus | str, Field(union_mode="left_to_right")]
    extended_hours: bool = False
    legs: tuple[dict[str, Any], ...] | None = None
    trail_percent: WireDecimal | None = None
    trail_price: WireDecimal | None = None
    hwm: WireDecimal | None = None
    subtag: str | None = None
    source: str | None = None
    # Ours: why the exchange refused the order.
    reject_reason: str | None = None


class SkippedOrder(Answer):
    """An order that was not sent, with the seed's reason code and a sentence."""

    symbol: str
    side: str | None = None
    notional: WireDecimal | None = None
    currency: str | None = "USD"
    reason: str
    reason_details: str
