"""Orders of any account: list, place, replace, cancel, history (wire/alpaca.md 11.4, the broker's door)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import uuid4

from driftdesk.client.resources.paging import segment
from driftdesk.client.transport import QueryValue, Transport
from driftdesk.errors import BackendError, BackendNotFound, DataError, Unavailable
from driftdesk.wire.base import write_time
from driftdesk.wire.orders import (
    CanceledOrder,
    ClosedPosition,
    CreateOrder,
    Order,
    OrderHistory,
    ReplaceOrder,
)

# What one answer holds at most.
_MOST: Final = 500
# A time is told to the microsecond; `after` and `until` exclude the instant that they name.
_INSTANT: Final = timedelta(microseconds=1)


class Orders:
    """`client.orders`. Every method raises BackendError; a refused order is Rejected: 403 without cash or shares."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(  # noqa: PLR0913 - the documented filters
        self,
        account_id: str,
        *,
        status: str = "open",
        after: datetime | None = None,
        until: datetime | None = None,
        direction: str = "desc",
        symbols: Iterable[str] = (),
        side: str | None = None,
        limit: int | None = None,
    ) -> tuple[Order, ...]:
        """Orders that are `open`, `closed` or `all`, by submission time; `after` and `until` are exclusive.

        Without a `limit` (1 to 500) every open order, over as many requests as it takes, because plans and cancels are
        made from them; of `closed` and `all`, which only grow, the first 500. Raises DataError where so many are open
        since one instant that the API cannot tell them all.
        """
        query: dict[str, QueryValue] = {
            "status": status,
            "limit": _MOST if limit is None else limit,
            "direction": direction,
            "after": None if after is None else write_time(after),
            "until": None if until is None else write_time(until),
            "symbols": ",".join(symbols) or None,
            "side": side,
        }
        page = self._page(account_id, query)
        if limit is not None or status != "open" or len(page) < _MOST:
            return page
        newest_first = self._every(account_id, {**query, "direction": "desc"})
        return newest_first if direction == "desc" else newest_first[::-1]

    def _page(self, account_id: str, query: Mapping[str, QueryValue]) -> tuple[Order, ...]:
        return self._transport.get(tuple[Order, ...], _orders(account_id), query)

    def _every(self, account_id: str, query: Mapping[str, QueryValue]) -> tuple[Order, ...]:
        """Every order that `query` asks for, newest first."""
        found: dict[str, Order] = {}
        page = self._page(account_id, query)
        while len(page) == _MOST and any(order.id not in found for order in page):
            found |= {order.id: order for order in page}
            # The oldest instant is asked for once more: the page may have ended in the middle of it.
            oldest = _submitted(page[-1])
            until = oldest + _INSTANT
            if _submitted(page[0]) == oldest:
                found |= self._rest_of_instant(account_id, query, page)
                until = oldest
            page = self._page(account_id, {**query, "until": write_time(until)})
        return tuple((found | {order.id: order for order in page}).values())

    def _rest_of_instant(
        self, account_id: str, query: Mapping[str, QueryValue], newest: tuple[Order, ...]
    ) -> dict[str, Order]:
        """Where orders of one instant fill a page, `newest`: those of it that came first, by id, newest first."""
        instant = _submitted(newest[0])
        around = {"after": write_time(instant - _INSTANT), "until": write_time(instant + _INSTANT)}
        oldest = self._page(account_id, {**query, **around, "direction": "asc"})
        if len(oldest) == _MOST and not {order.id for order in newest} & {order.id for order in oldest}:
            raise DataError(
                f"Account {account_id} has {2 * _MOST} or more open orders of one instant, {write_time(instant)}: more "
                "than can be listed. Cancel some first, or all of them at once."
            )
        return {order.id: order for order in reversed(oldest)}

    def get(self, account_id: str, order_id: str) -> Order:
        """One order; BackendNotFound where the account has none of that id."""
        return self._transport.get(Order, f"{_orders(account_id)}/{segment(order_id)}")

    def get_by_client_id(self, account_id: str, client_order_id: str) -> Order:
        """One order by its client order id."""
        query: dict[str, QueryValue] = {"client_order_id": client_order_id}
        return self._transport.get(Order, f"{_orders(account_id)}:by_client_order_id", query)

    def place(self, account_id: str, order: CreateOrder) -> Order:
        """Send an order, once. Where no answer comes back it is looked for by its client order id before anybody sends
        another: the order that is there, or Unavailable that says that none is.

        Give a `client_order_id` of your own to be able to send the same order again then: a backend takes it once. An
        order without one gets one here.
        """
        named = order if order.client_order_id else order.model_copy(update={"client_order_id": str(uuid4())})
        name = named.client_order_id or ""
        try:
            return self._transport.post(Order, _orders(account_id), named)
        except Unavailable as silence:
            try:
                return self.get_by_client_id(account_id, name)
            except BackendNotFound:
                raise Unavailable(
                    f"No answer came to the order, and there is none with client_order_id {name}. To try again, send "
                    "it with the same client_order_id, so that it cannot be placed twice.",
                    status=silence.status,
                    code=silence.code,
                    request_id=silence.request_id,
                ) from silence
            except BackendError as unknown:
                raise Unavailable(
                    f"No answer came to the order, and it could not be looked for ({unknown}): whether it was placed "
                    f"is not known. Look for client_order_id {name} before sending another.",
                    request_id=silence.request_id,
                ) from silence

    def estimate(self, account_id: str, order: CreateOrder) -> Order:
        """What a market order would fill at now; nothing is placed."""
        return self._transport.post(Order, f"{_orders(account_id)}/estimation", order)

    def replace(self, account_id: str, order_id: str, changes: ReplaceOrder) -> Order:
        """Replace an open order by one with other terms; the new order."""
        return self._transport.patch(Order, f"{_orders(account_id)}/{segment(order_id)}", changes)

    def cancel(self, account_id: str, order_id: str) -> None:
        """Cancel an open order; Rejected (422) for one that has ended."""
        self._transport.delete(f"{_orders(account_id)}/{segment(order_id)}")

    def cancel_all(self, account_id: str) -> tuple[CanceledOrder, ...]:
        """Cancel every open order; what became of each."""
        return self._transport.delete_as(tuple[CanceledOrder, ...], _orders(account_id))

    def close_position(
        self, account_id: str, symbol: str, *, qty: Decimal | None = None, percentage: Decimal | None = None
    ) -> Order:
        """Sell a position at the market: all of it, `qty` shares, or `percentage` of it."""
        query: dict[str, QueryValue] = {
            "qty": None if qty is None else str(qty),
            "percentage": None if percentage is None else str(percentage),
        }
        return self._transport.delete_as(Order, f"{_positions(account_id)}/{segment(symbol)}", query)

    def close_all_positions(self, account_id: str, *, cancel_orders: bool = False) -> tuple[ClosedPosition, ...]:
        """Sell every position at the market, after canceling the open orders if asked to; what became of each."""
        query: dict[str, QueryValue] = {"cancel_orders": "true" if cancel_orders else "false"}
        return self._transport.delete_as(tuple[ClosedPosition, ...], _positions(account_id), query)

    def history(self, account_id: str, order_id: str) -> OrderHistory:
        """One order and everything that happened to it, oldest first (ours)."""
        return self._transport.get(OrderHistory, f"{_orders(account_id)}/{segment(order_id)}/history")


def _submitted(order: Order) -> datetime:
    return order.submitted_at or order.created_at


def _orders(account_id: str) -> str:
    return f"/v1/trading/accounts/{segment(account_id)}/orders"


def _positions(account_id: str) -> str:
    return f"/v1/trading/accounts/{segment(account_id)}/positions"
