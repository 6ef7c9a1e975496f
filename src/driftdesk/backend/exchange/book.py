"""Rows of orders and their events: the one place that writes them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnClause, Connection, bindparam, func, insert, literal_column, select, update

from driftdesk.backend.events.outbox import next_event_id
from driftdesk.backend.rows import STAMPS
from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.store.tables import order_events, orders, positions
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import Side
from driftdesk.money import ZERO
from driftdesk.wire.orders import OrderEvent, OrderStatus

# The event that tells of a status; a fill's depends on whether anything is left.
_EVENTS = {
    OrderStatus.ACCEPTED: OrderEvent.ACCEPTED,
    OrderStatus.NEW: OrderEvent.NEW,
    OrderStatus.PENDING_NEW: OrderEvent.PENDING_NEW,
    OrderStatus.PENDING_CANCEL: OrderEvent.PENDING_CANCEL,
    OrderStatus.PARTIALLY_FILLED: OrderEvent.PARTIAL_FILL,
    OrderStatus.FILLED: OrderEvent.FILL,
    OrderStatus.CANCELED: OrderEvent.CANCELED,
    OrderStatus.EXPIRED: OrderEvent.EXPIRED,
    OrderStatus.DONE_FOR_DAY: OrderEvent.DONE_FOR_DAY,
    OrderStatus.REPLACED: OrderEvent.REPLACED,
    OrderStatus.REJECTED: OrderEvent.REJECTED,
}

# Orders of one instant, of which a simulated clock has many, stand in the order in which they came in.
ARRIVAL: Final[ColumnClause[int]] = literal_column("orders.rowid")

# Built once: building a statement costs more than running it.
_ADD: Final = insert(orders)
_NOTE: Final = insert(order_events)
_NEWEST: Final = select(func.max(order_events.c.event_id))
_CHANGE: Final = update(orders).where(orders.c.id == bindparam("order"))
_OPEN: Final = select(orders).where(
    orders.c.account_id == bindparam("account"),
    orders.c.client_order_id == bindparam("name"),
    orders.c.due_at.is_not(None),
)
_SHARES: Final = select(
    positions.c.quantity,
    select(func.sum(orders.c.reserved))
    .where(
        orders.c.account_id == positions.c.account_id,
        orders.c.symbol == positions.c.symbol,
        orders.c.side == Side.SELL,
        orders.c.due_at.is_not(None),
    )
    .scalar_subquery()
    .label("reserved"),
).where(positions.c.account_id == bindparam("account"), positions.c.symbol == bindparam("of"))


class EventIds:
    """Makes the ids of events inside one write transaction, each above all before it; the table is asked once."""

    def __init__(self, connection: Connection) -> None:
        self._last: str | None = connection.scalar(_NEWEST)

    def make(self, order_id: str, status: OrderStatus, now: datetime) -> str:
        """The next id. A seeded world repeats it: nothing but the order, its status and the instant goes into it."""
        self._last = next_event_id(self._last, now, f"{order_id}|{status}")
        return self._last


def order_row(order_id: str, request: OrderRequest, now: datetime, **values: Any) -> dict[str, Any]:
    """The row of an order that arrives, with `values` (status, reserved, due_at ...)."""
    return {
        "id": order_id,
        "account_id": request.account_id,
        "client_order_id": request.client_order_id,
        "symbol": request.symbol,
        "side": request.side,
        "notional": request.notional,
        "quantity": request.quantity,
        "type": request.type,
        "time_in_force": request.time_in_force,
        "limit_price": request.limit_price,
        "stop_price": request.stop_price,
        "stopped_at": None,
        "reject_reason": None,
        "filled_quantity": ZERO,
        "filled_value": ZERO,
        "filled_cash": ZERO,
        "reserved": ZERO,
        "submitted_at": now,
        "updated_at": now,
        "failed_at": None,
        "replaces": None,
        "expires_at": None,
        "due_at": None,
        **values,
    }


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert orders as `order_row` makes them, in their order, each with its first event."""
    ids = EventIds(connection)
    told = [event(ids, row, row["status"], row["submitted_at"], reason=row["reject_reason"]) for row in rows]
    connection.execute(_ADD, rows)
    connection.execute(_NOTE, told)


def set_status(
    connection: Connection, rows: Sequence[Row], status: OrderStatus, now: datetime, reason: str | None = None
) -> None:
    """Move open orders to `status`, each with its event."""
    if not rows:
        return
    ids, changes = EventIds(connection), status_changes(status, now, reason)
    told = [event(ids, {**row, **changes}, status, now, reason=reason) for row in rows]
    connection.execute(_CHANGE, [{"order": row["id"], **changes} for row in rows])
    connection.execute(_NOTE, told)


def status_changes(status: OrderStatus, now: datetime, reason: str | None = None) -> dict[str, Any]:
    """The columns that a status sets; a final one lets go what the order reserved, and it is due no more."""
    stamp = STAMPS.get(status)
    ended = {stamp: now, "due_at": None, "reserved": ZERO} if stamp else {}
    said = {"reject_reason": reason} if reason else {}
    return {"status": status, "updated_at": now, **ended, **said}


def event(
    ids: EventIds,
    row: Row,
    status: OrderStatus,
    now: datetime,
    *,
    fill: tuple[Decimal, Decimal, Decimal] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """What happened to an order, as a row of its events; `fill` is price, quantity and the position after it."""
    price, quantity, position = fill or (None, None, None)
    return {
        "event_id": ids.make(row["id"], status, now),
        "order_id": row["id"],
        "account_id": row["account_id"],
        "at": now,
        # A rest that goes on after the night was partly filled before: nothing new was filled.
        "event": _EVENTS[status] if fill or status is not OrderStatus.PARTIALLY_FILLED else OrderEvent.RESTATED,
        "status": status,
        "filled_quantity": row["filled_quantity"],
        "filled_value": row["filled_value"],
        "price": price,
        "quantity": quantity,
        "position": position,
        "reason": reason,
    }


def open_order(connection: Connection, account_id: str, client_order_id: str) -> Row | None:
    """The account's order of that client id while it is open."""
    asked = {"account": account_id, "name": client_order_id}
    return connection.execute(_OPEN, asked).mappings().first()


def shares(connection: Connection, account_id: str, symbol: str) -> tuple[Decimal, Decimal]:
    """Shares held of a symbol, and those of them that no open sell reserves."""
    row = connection.execute(_SHARES, {"account": account_id, "of": symbol}).first()
    return (ZERO, ZERO) if row is None else (row.quantity, row.quantity - (row.reserved or ZERO))


def broker_order(row: Row) -> BrokerOrder:
    """A row as runs see it."""
    return BrokerOrder(
        id=row["id"],
        client_order_id=row["client_order_id"],
        status=OrderStatus(row["status"]),
        filled_quantity=row["filled_quantity"],
        filled_cash=row["filled_cash"],
        reason=row["reject_reason"],
    )
