"""Orders and skipped orders (seed 000's samples, seed 003, wire/alpaca.md 4.6-4.7)."""

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field

from driftdesk.money import ZERO
from driftdesk.wire.base import Answer, Message, WireDecimal, WireList, WireTime
from driftdesk.wire.errors import ErrorBody


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


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class OrderEvent(StrEnum):
    """What an update of a stream tells (wire/alpaca.md 9.2), as far as this exchange makes them."""

    NEW = "new"
    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    FILL = "fill"
    PARTIAL_FILL = "partial_fill"
    DONE_FOR_DAY = "done_for_day"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"
    RESTATED = "restated"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    OPG = "opg"
    CLS = "cls"
    IOC = "ioc"
    FOK = "fok"


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
    exchange: str | None = None
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
    expires_at: WireTime | None = None
    extended_hours: bool = False
    legs: tuple[dict[str, Any], ...] | None = None
    trail_percent: WireDecimal | None = None
    trail_price: WireDecimal | None = None
    hwm: WireDecimal | None = None
    subtag: str | None = None
    source: str | None = None
    # Ours: why the exchange refused the order.
    reject_reason: str | None = None


class SeedOrder(Answer):
    """An order as seed 003 shows it: these keys and no others."""

    id: str
    client_order_id: str
    created_at: WireTime
    updated_at: WireTime | None
    submitted_at: WireTime | None
    filled_at: WireTime | None
    expired_at: WireTime | None
    canceled_at: WireTime | None
    failed_at: WireTime | None
    asset_id: str | None
    symbol: str
    exchange: str | None
    asset_class: str
    qty: WireDecimal | None
    filled_qty: WireDecimal
    type: str
    side: str
    time_in_force: str
    limit_price: WireDecimal | None
    stop_price: WireDecimal | None
    filled_avg_price: WireDecimal | None
    status: str

    @classmethod
    def of(cls, order: Order) -> Self:
        """`order` in those keys; of a rejected one, too, nothing was filled."""
        return cls.model_validate({**order.model_dump(), "filled_qty": order.filled_qty or ZERO})


class SkippedOrder(Answer):
    """An order that was not sent, with the seed's reason code and a sentence."""

    symbol: str
    side: str | None = None
    notional: WireDecimal | None = None
    currency: str | None = "USD"
    reason: str
    reason_details: str


class CreateOrder(Message):
    """Body of a request for an order, at every door (seed 003, wire/alpaca.md 11.4). `symbol` may be an asset id.

    Order classes, legs, extended hours, trailing stops and shorts are not offered; they are refused by name.
    """

    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: WireDecimal | None = None
    notional: WireDecimal | None = None
    limit_price: WireDecimal | None = None
    stop_price: WireDecimal | None = None
    client_order_id: str | None = None
    order_class: str | None = None
    extended_hours: bool | None = None
    trail_price: WireDecimal | None = None
    trail_percent: WireDecimal | None = None
    take_profit: dict[str, Any] | None = None
    stop_loss: dict[str, Any] | None = None
    legs: tuple[dict[str, Any], ...] | None = None
    position_intent: str | None = None


class ReplaceOrder(Message):
    """Body of a request to replace an order; a term left out stays as it is."""

    qty: WireDecimal | None = None
    time_in_force: str | None = None
    limit_price: WireDecimal | None = None
    stop_price: WireDecimal | None = None
    trail: WireDecimal | None = None
    client_order_id: str | None = None


class CanceledOrder(Answer):
    """What became of one order when all were canceled: `status` is an HTTP status."""

    id: str
    status: int
    body: Order | None = None


class ClosedPosition(Answer):
    """What became of one position when all were closed: the order that sells it, or why there is none.

    `status` is an HTTP status.
    """

    symbol: str
    status: int
    order_id: str | None = None
    body: Annotated[Order | ErrorBody, Field(union_mode="left_to_right")]


class OrderUpdate(Answer):
    """What happened to an order, as streams tell it (wire/alpaca.md 9.2). Prices in USD, quantities in shares."""

    event_id: str
    event: Annotated[OrderEvent | str, Field(union_mode="left_to_right")]
    account_id: str
    at: WireTime
    timestamp: WireTime | None = None
    execution_id: str | None = None
    order: Order
    price: WireDecimal | None = None
    qty: WireDecimal | None = None
    position_qty: WireDecimal | None = None
    reason: str | None = None


class OrderHistory(Answer):
    """Everything that happened to one order, oldest first (ours)."""

    order: Order
    updates: WireList[OrderUpdate]
