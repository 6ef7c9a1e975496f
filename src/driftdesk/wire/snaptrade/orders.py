"""The order record of SnapTrade, its statuses, and cancelling (seed 002, wire/snaptrade.md 2, 3)."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from driftdesk.money import ZERO, exact, format_decimal
from driftdesk.wire.base import Answer, Message
from driftdesk.wire.snaptrade.base import OrderDecimal, OrderTime, Record
from driftdesk.wire.snaptrade.instruments import Currency, OptionSymbol, UniversalSymbol


class OrderStatus(StrEnum):
    NONE = "NONE"
    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    PARTIAL_CANCELED = "PARTIAL_CANCELED"
    CANCEL_PENDING = "CANCEL_PENDING"
    EXECUTED = "EXECUTED"
    PARTIAL = "PARTIAL"
    REPLACE_PENDING = "REPLACE_PENDING"
    REPLACED = "REPLACED"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    QUEUED = "QUEUED"
    TRIGGERED = "TRIGGERED"
    ACTIVATED = "ACTIVATED"
    PENDING_RISK_REVIEW = "PENDING_RISK_REVIEW"
    CONTINGENT_ORDER = "CONTINGENT_ORDER"


class OrderState(StrEnum):
    """Whether an order may still change."""

    OPEN = "open"
    FINAL = "final"
    UNKNOWN = "unknown"


FINAL_STATUSES: Final = frozenset(
    {
        OrderStatus.EXECUTED,
        OrderStatus.CANCELED,
        OrderStatus.PARTIAL_CANCELED,
        OrderStatus.REJECTED,
        OrderStatus.FAILED,
        OrderStatus.EXPIRED,
        OrderStatus.REPLACED,
        OrderStatus.STOPPED,
    }
)
# NONE is what SnapTrade says where it could not map the brokerage's own status: it tells nothing.
OPEN_STATUSES: Final = frozenset(OrderStatus) - FINAL_STATUSES - {OrderStatus.NONE}


def state_of(status: str | None) -> OrderState:
    """What `status` alone says; a status that is not one of the 20 says nothing."""
    if status in FINAL_STATUSES:
        return OrderState.FINAL
    return OrderState.OPEN if status in OPEN_STATUSES else OrderState.UNKNOWN


class OrderRecord(Record):
    """One leg of an order; an order with several legs is several records. No field is certain to be there.

    `universal_symbol` is for stocks, ETFs, funds and crypto, `option_symbol` for options, the other one null. Prices
    are per share, quantities in shares or contracts. `symbol` is an old id that does not last.
    """

    brokerage_order_id: str | None = None
    status: Annotated[OrderStatus | str | None, Field(union_mode="left_to_right")] = None
    symbol: str | None = None
    universal_symbol: UniversalSymbol | None = None
    option_symbol: OptionSymbol | None = None
    quote_universal_symbol: UniversalSymbol | None = None
    quote_currency: Currency | None = None
    action: str | None = None
    total_quantity: OrderDecimal | None = None
    open_quantity: OrderDecimal | None = None
    canceled_quantity: OrderDecimal | None = None
    filled_quantity: OrderDecimal | None = None
    execution_price: OrderDecimal | None = None
    limit_price: OrderDecimal | None = None
    stop_price: OrderDecimal | None = None
    order_type: str | None = None
    time_in_force: str | None = None
    time_placed: OrderTime | None = None
    time_updated: OrderTime | None = None
    time_executed: OrderTime | None = None
    expiry_date: OrderTime | None = None
    child_brokerage_order_ids: dict[str, Any] | None = None
    trailing_stop: dict[str, Any] | None = None
    brokerage_group_order_id: str | None = None
    order_role: str | None = None

    @property
    def state(self) -> OrderState:
        """By status; where that says nothing, by what is still open of the quantity (wire/snaptrade.md 2c)."""
        said = state_of(self.status)
        if said is not OrderState.UNKNOWN or not self.total_quantity or self.open_quantity is None:
            return said
        if self.open_quantity > ZERO:
            return OrderState.OPEN
        return OrderState.UNKNOWN if self.warnings or None in self._parts else OrderState.FINAL

    @property
    @exact
    def warnings(self) -> tuple[str, ...]:
        """A sentence where the quantities contradict each other or the status (rules.md 9); none where they are fine.

        A quantity that is null is not known, so it contradicts nothing, unless those known are more than the total.
        """
        parts = [Decimal(0) if part is None else part for part in self._parts]
        known, total, found = sum(parts, ZERO), self.total_quantity, []
        name = f"Order {self.brokerage_order_id}"
        if total is not None and (known > total or (None not in self._parts and known != total)):
            filled, canceled, still_open = map(format_decimal, parts)
            found.append(
                f"{name}: filled {filled}, canceled {canceled} and open {still_open} do not add up to its total of "
                f"{format_decimal(total)}; check it at the brokerage."
            )
        if min(parts) < ZERO:
            found.append(f"{name} has a quantity below zero; check it at the brokerage.")
        if state_of(self.status) is OrderState.FINAL and self.open_quantity:
            found.append(
                f"{name} is {self.status}, yet {format_decimal(self.open_quantity)} of it is said to be open; check it "
                "at the brokerage."
            )
        return tuple(found)

    @property
    def _parts(self) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        return self.filled_quantity, self.canceled_quantity, self.open_quantity


class OrderPage(Answer):
    """Recent orders come in an envelope, all others as a bare array."""

    orders: tuple[OrderRecord, ...]


class OrderReference(Message):
    """The body of a cancel and of a request for one order."""

    brokerage_order_id: str


class CancelAnswer(Record):
    """What `trading/cancel` answers: the order's id and what the brokerage said, not whether it is canceled."""

    brokerage_order_id: str
    raw_response: Any = None
