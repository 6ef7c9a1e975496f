"""Events of orders, read by watermark with each order as it stood then (wire/alpaca.md 9.2)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, true

from driftdesk.backend.exchange.faults import FaultKind, take_fault
from driftdesk.backend.rows import orders_with_assets, update_message
from driftdesk.backend.service.base import Base
from driftdesk.backend.service.events import count_above, newest_id
from driftdesk.backend.store.tables import faults, order_events, orders
from driftdesk.backend.store.types import Row
from driftdesk.errors import InputError
from driftdesk.wire.ulid import write_ulid

_OF_EVENTS: Final = orders_with_assets().where(orders.c.id.in_(bindparam("ids", expanding=True)))
_CUT: Final = select(faults.c.id).where(faults.c.kind == FaultKind.DISCONNECT).limit(1)


class TradeEvents(Base):
    """What streams of orders read; also what another process wrote."""

    def last_trade_event_id(self) -> str:
        """The id of the newest event of an order; the least ULID in a world that has none."""
        return newest_id(self.world.database, order_events.c.event_id)

    def trade_event_id(self, number: int, name: str = "since_id") -> str:
        """The ULID of the event of that number; the least one for 0. InputError, naming `name`, beyond the newest."""
        with self.world.database.read() as connection:
            newest = connection.scalar(select(func.max(order_events.c.id))) or 0
            if number > newest:
                raise InputError(
                    f"{name} must be the number of an event, from 0 to {newest}, or its ULID; received {number}.",
                    field=name,
                    received=number,
                    allowed=f"0 to {newest}",
                )
            found = select(func.max(order_events.c.event_id)).where(order_events.c.id <= number)
            return connection.scalar(found) or write_ulid(0)

    def read_trade_events(
        self, after: str, until: str | None, limit: int, *, account_id: str | None = None, numbered: bool = False
    ) -> Sequence[tuple[str, str]]:
        """(ULID, JSON) of the next events above `after`, up to and including `until`, oldest first.

        `numbered`: with the event's number as `event_id` and the ULID beside it, as the older documentation has it.
        """
        query = select(order_events).where(order_events.c.event_id > after, _of(account_id))
        if until is not None:
            query = query.where(order_events.c.event_id <= until)
        with self.world.database.read() as connection:
            page = connection.execute(query.order_by(order_events.c.event_id).limit(limit)).mappings().all()
            rows = _orders_of(connection, page)
        return [(row["event_id"], _payload(rows[row["order_id"]], row, numbered=numbered)) for row in page]

    def count_trade_events(self, after: str, *, account_id: str | None = None) -> int:
        """How many events there are above `after`."""
        return count_above(self.world.database, order_events.c.event_id, after, _of(account_id))

    def take_disconnect(self) -> bool:
        """Whether the fault script wants the open streams cut now; that is used up by asking."""
        with self.world.database.read() as connection:
            if connection.scalar(_CUT) is None:
                return False
        with self.world.database.write() as connection:
            return take_fault(connection, FaultKind.DISCONNECT) is not None


def _of(account_id: str | None) -> ColumnElement[bool]:
    return true() if account_id is None else order_events.c.account_id == account_id


def _orders_of(connection: Connection, page: Sequence[Row]) -> Mapping[str, Row]:
    ids = sorted({row["order_id"] for row in page})
    return {row["id"]: row for row in connection.execute(_OF_EVENTS, {"ids": ids}).mappings()} if ids else {}


def _payload(order: Row, event: Row, *, numbered: bool) -> str:
    told = update_message(order, event).model_dump(mode="json")
    # Prices and quantities stand in fills only; inside the order a key that is empty stays, as everywhere.
    said: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if numbered:
        said |= {"event_id": event["id"], "event_ulid": event["event_id"]}
    # ASCII on one line: no reader can take a character inside a reason for the end of the line.
    return json.dumps(said, separators=(",", ":"))
