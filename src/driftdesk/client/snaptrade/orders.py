"""Orders of a connected account: see them, cancel them (seed 002, wire/snaptrade.md 2, 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from driftdesk.client.resources.paging import segment
from driftdesk.client.transport import Transport, Waiting
from driftdesk.errors import BackendError, InputError
from driftdesk.money import ZERO, format_decimal
from driftdesk.wire.snaptrade.orders import (
    CancelAnswer,
    OrderPage,
    OrderRecord,
    OrderReference,
    OrderState,
    OrderStatus,
)

# Seconds before each time that an order is read again after its cancel: half a minute in all.
REREADS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
STATES: Final = ("all", "open", "executed")
MAX_DAYS: Final = 90

_CANCELED: Final = frozenset({OrderStatus.CANCELED, OrderStatus.PARTIAL_CANCELED})
# Details are only given of single orders placed through SnapTrade, and not for every brokerage.
_NO_DETAIL: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.NOT_IMPLEMENTED})


class Generation(StrEnum):
    """The two routes of a cancel: the seed's answers the order's record, the current one only its id."""

    SEED = "orders"
    CURRENT = "trading"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What is known after SnapTrade took a cancel: the order as read last, None where it could not be read since.

    `problem` says why it could not. What counts are the quantities: a cancel may come too late for some or all of them.
    """

    order_id: str
    order: OrderRecord | None
    problem: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nothing of the order is open any more."""
        return self.order is not None and self.order.state is OrderState.FINAL

    @property
    def text(self) -> str:
        """What became of the order, in one sentence; quantities in shares or contracts."""
        name = f"order {self.order_id}"
        if self.order is None:
            return f"SnapTrade took the cancel of {name}, but the order could not be read since: {self.problem}"
        status, filled, total = self.order.status, self.order.filled_quantity or ZERO, self.order.total_quantity
        so_far = f"{format_decimal(filled)} of {'?' if total is None else format_decimal(total)} filled"
        if not self.is_final:
            return (
                f"SnapTrade took the cancel of {name}, which is still {status} with {so_far}; look again in a minute."
            )
        if self.order.canceled_quantity or status in _CANCELED:
            return f"Canceled {name}, {so_far}."
        return f"The cancel of {name} came too late: it is {status}, {so_far}."


class SnapTradeOrders:
    """Orders of any account of the user. Raises InputError, before anything is sent, for what SnapTrade cannot mean."""

    def __init__(self, transport: Transport, waiting: Waiting) -> None:
        self._transport = transport
        self._waiting = waiting

    def list(self, account_id: str, *, state: str = "all", days: int = 30) -> tuple[OrderRecord, ...]:
        """Orders of the last `days` (1 to 90), `state` all, open or executed; some plans answer from a daily copy."""
        if state not in STATES:
            allowed = ", ".join(STATES)
            raise InputError(
                f"state must be one of {allowed}; received {state!r}.", field="state", received=state, allowed=allowed
            )
        if not 1 <= days <= MAX_DAYS:
            allowed = f"1 to {MAX_DAYS}"
            raise InputError(f"days must be {allowed}; received {days}.", field="days", received=days, allowed=allowed)
        path = f"/accounts/{segment(account_id)}/orders"
        return self._transport.get(tuple[OrderRecord, ...], path, {"state": state, "days": days})

    def recent(self, account_id: str, *, only_executed: bool = False) -> tuple[OrderRecord, ...]:
        """The orders of the last 24 hours, at most 100, as the brokerage has them now."""
        path = f"/accounts/{segment(account_id)}/recentOrders"
        return self._transport.get(OrderPage, path, {"only_executed": "true" if only_executed else "false"}).orders

    def get(self, account_id: str, order_id: str) -> OrderRecord:
        """One single-leg order that was placed through SnapTrade, as the brokerage has it now."""
        path = f"/accounts/{segment(account_id)}/orders/details"
        return self._transport.post(OrderRecord, path, OrderReference(brokerage_order_id=order_id))

    def cancel(
        self,
        account_id: str,
        order_id: str,
        *,
        generation: Generation = Generation.CURRENT,
        rereads: Sequence[float] = REREADS,
    ) -> Cancellation:
        """Ask for a cancel once, then read the order until it is final, at most once per wait in `rereads` (seconds).

        Raises BackendError where the cancel was refused, or where its answer was lost, which leaves its effect unknown.
        After that nothing is raised: that the order could not be read again is part of the answer.
        """
        path = f"/accounts/{segment(account_id)}/{generation}/cancel"
        body = OrderReference(brokerage_order_id=order_id)
        order: OrderRecord | None = None
        if generation is Generation.SEED:
            order = self._transport.post(OrderRecord, path, body)
        else:
            self._transport.post(CancelAnswer, path, body)
        outcome = Cancellation(order_id, order)
        for wait in rereads:
            if outcome.is_final:
                break
            self._waiting.sleep(wait)
            outcome = self._read_again(account_id, outcome)
        return outcome

    def _read_again(self, account_id: str, before: Cancellation) -> Cancellation:
        """`before` with the order as it is now; unchanged, but for the problem, where it cannot be read."""
        try:
            return Cancellation(before.order_id, self.get(account_id, before.order_id))
        except BackendError as error:
            if error.status not in _NO_DETAIL:
                return Cancellation(before.order_id, before.order, f"{error}")
        try:
            recent = self.recent(account_id)
        except BackendError as error:
            return Cancellation(before.order_id, before.order, f"{error}")
        legs = [order for order in recent if order.brokerage_order_id == before.order_id]
        if not legs:
            absent = "it is not among the orders of the last 24 hours; look at the brokerage."
            return Cancellation(before.order_id, before.order, absent)
        # An order with several legs is as open as the most open of them.
        return Cancellation(before.order_id, min(legs, key=lambda leg: leg.state is OrderState.FINAL))
