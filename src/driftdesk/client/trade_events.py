"""What happens to orders, as it happens; and the state of an account's orders, kept right over every gap.

A stream may lose its reader, and a service may drop what a slow one did not take (wire/alpaca.md 9.3). So a watch reads
the stream, and after each gap what it missed of it and then the list of orders, which is what counts in the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from driftdesk.client.events import Cursor, Feed, Reading, beginning
from driftdesk.client.resources.orders import Orders
from driftdesk.client.transport import Transport, Waiting
from driftdesk.money import ZERO
from driftdesk.wire.market import Clock
from driftdesk.wire.orders import FINAL_ORDER_STATUSES, Order, OrderEvent, OrderStatus, OrderUpdate

TRADES: Final = Feed("/v2/events/trades", OrderUpdate.model_validate)

# What the first event of an order can be; another one of an order that is not known means that something was missed.
_FIRST: Final = frozenset({OrderEvent.ACCEPTED, OrderEvent.PENDING_NEW, OrderEvent.NEW, OrderEvent.REJECTED})
# What tells two states of one instant apart: of an order that has filled no more, the one that lies further on its way.
_STEPS: Final[dict[str, int]] = {OrderStatus.PENDING_NEW: 0, OrderStatus.ACCEPTED: 1, OrderStatus.NEW: 2}
_UNDER_WAY, _ENDED = 3, 4


class TradeEvents:
    """`client.trade_events`. Every method raises BackendError."""

    def __init__(self, transport: Transport, orders: Orders, waiting: Waiting | None = None) -> None:
        self._transport = transport
        self._orders = orders
        self._waiting = waiting or Waiting()

    def updates(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        after_id: str | None = None,
        follow: bool = True,
        cursor: Cursor | None = None,
    ) -> Iterator[OrderUpdate]:
        """What happened to orders of all accounts, oldest first, each event once.

        Arguments, ends and errors are those of `client.events.rebalancer`.
        """
        place = beginning(since=since, until=until, after_id=after_id, follow=follow, cursor=cursor)
        return Reading(self._transport, self._waiting, TRADES, place, since).events(until, follow=follow)

    def watch_orders(self, account_id: str) -> Iterator[Order]:
        """The open orders of an account as they stand, then every state that one of its orders takes.

        Each state comes once and none is older than the one before it, whatever happens to the connection; a state that
        the backend itself no longer tells is passed over for the one after it. Ends when the client is closed; raises
        Unavailable when the stream cannot be resumed.
        """
        return _Watch(self._transport, self._orders, self._waiting, account_id).states()


@dataclass(frozen=True, slots=True)
class _State:
    """What of an order makes a state, and `rank`: when it was, how much was filled, how far it had come."""

    status: str
    filled: Decimal
    rank: tuple[datetime, Decimal, int]

    @property
    def has_ended(self) -> bool:
        return self.status in FINAL_ORDER_STATUSES


class _Watch:
    """One watch over the orders of one account."""

    def __init__(self, transport: Transport, orders: Orders, waiting: Waiting, account_id: str) -> None:
        self._transport = transport
        self._waiting = waiting
        self._orders = orders
        self._account = account_id
        self._known: dict[str, _State] = {}

    def states(self) -> Iterator[Order]:
        """See `TradeEvents.watch_orders`."""
        # Whatever happens from this instant on is on the stream; what the list shows already is not told again.
        self._since = self._transport.get(Clock, "/v1/clock").timestamp
        for order in self._orders.list(self._account, status="closed"):
            self._known[order.id] = _state(order)
        for order in self._orders.list(self._account):
            yield from self._told(order)
        cursor = Cursor()
        for update in Reading(self._transport, self._waiting, TRADES, cursor, self._since).events_and_gaps():
            if update is None or self._has_gap(update):
                yield from self._caught_up(cursor)
            if update is not None:
                yield from self._heard(update)

    def _has_gap(self, update: OrderUpdate) -> bool:
        """Whether something must have been missed before `update`."""
        return update.account_id == self._account and update.order.id not in self._known and update.event not in _FIRST

    def _caught_up(self, cursor: Cursor) -> Iterator[Order]:
        """What was missed: on the stream, which tells the states between, and what only the list knows."""
        # Read before the stream: what it shows is told there too, and is no newer than where the stream ends.
        listed = self._listed()
        since = self._since if cursor.event_id is None else None
        missed = Reading(self._transport, self._waiting, TRADES, Cursor(cursor.event_id), since)
        for update in missed.events(follow=False):
            yield from self._heard(update)
        for order in listed:
            if order.id in self._known or order.created_at >= self._since:
                yield from self._told(order)

    def _heard(self, update: OrderUpdate) -> Iterator[Order]:
        if update.account_id == self._account:
            yield from self._told(update.order)

    def _listed(self) -> list[Order]:
        """The account's orders as they stand: all that are open, those that ended last, and each that was open when it
        was last seen."""
        closed = self._orders.list(self._account, status="closed")
        listed = {order.id: order for order in (*closed, *self._orders.list(self._account))}
        for order_id, known in self._known.items():
            if not known.has_ended and order_id not in listed:
                listed[order_id] = self._orders.get(self._account, order_id)
        return sorted(listed.values(), key=lambda order: _state(order).rank)

    def _told(self, order: Order) -> Iterator[Order]:
        """The order, unless this state of it, or a later one, was told before."""
        state, known = _state(order), self._known.get(order.id)
        if known is not None and (
            state.rank < known.rank or (state.status, state.filled) == (known.status, known.filled)
        ):
            return
        self._known[order.id] = state
        yield order


def _state(order: Order) -> _State:
    filled = order.filled_qty or ZERO
    step = _ENDED if order.status in FINAL_ORDER_STATUSES else _STEPS.get(order.status, _UNDER_WAY)
    return _State(order.status, filled, (order.updated_at or order.created_at, filled, step))
