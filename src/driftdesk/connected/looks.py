"""Looks at what became of an account's orders, and has it mirrored, as seldom as serves (connected.patience)."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from sqlalchemy import select, update

from driftdesk.backend.store.tables import orders
from driftdesk.backend.world import World
from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.connected.bookings import Bookings
from driftdesk.connected.instruments import NOT_OFFERED
from driftdesk.connected.patience import Patience
from driftdesk.errors import BackendError, Unavailable
from driftdesk.wire.snaptrade.orders import OrderRecord

# Brokerages tell what became of the orders of a day some time after its close.
_TOLD_WITHIN: Final = timedelta(minutes=15)
# As far back as SnapTrade lists orders.
_DAYS: Final = 90


class Looks:
    """Reads orders through `client`. Every method raises BackendError where SnapTrade cannot be reached or refuses."""

    def __init__(self, world: World, client: SnapTradeClient, bookings: Bookings, patience: Patience) -> None:
        self._world = world
        self._client = client
        self._bookings = bookings
        self._patience = patience

    def next_look(self, now: datetime) -> datetime:
        """When an order that is open at `now` is worth another look: at the close at the latest."""
        session = self._world.sessions.at(now)
        if session is not None and now < session.close:
            return min(now + self._patience.order, session.close)
        just_closed = self._world.sessions.at(now - _TOLD_WITHIN) is not None
        return now + (self._patience.order if just_closed else self._patience.rest)

    def recent(self, account_id: str) -> tuple[OrderRecord, ...]:
        """The orders of the last 24 hours as they are now; of the list, where a brokerage does not tell them so."""
        try:
            return self._client.orders.recent(account_id)
        except BackendError as error:
            if error.status not in NOT_OFFERED:
                raise
            return self._client.orders.list(account_id, days=2)

    def resting(self, account_id: str) -> tuple[OrderRecord, ...]:
        """Open orders of more than a day ago; some plans answer from a copy of the day, which recent ones correct."""
        try:
            return self._client.orders.list(account_id, state="open", days=_DAYS)
        except Unavailable:
            return ()
        except BackendError as error:
            if error.status not in NOT_OFFERED:
                raise
            return ()

    def look(self, account_id: str, now: datetime) -> int:
        """Take over what became of the account's orders; how many of them traded since the last look."""
        records = self.recent(account_id)
        mine = (orders.c.account_id == account_id, orders.c.broker_order_id.is_not(None), orders.c.due_at <= now)
        with self._world.database.read() as connection:
            due = set(connection.scalars(select(orders.c.broker_order_id).where(*mine)))
        # What rests for longer than a day is asked for by name, and seldom.
        names = sorted(due - {record.brokerage_order_id for record in records})
        older = [record for name in names if (record := self._older(account_id, name)) is not None]
        later = now + self._patience.rest
        with self._world.database.write() as connection:
            traded = self._bookings.take_orders(connection, account_id, records, now, self.next_look(now))
            traded += self._bookings.take_orders(connection, account_id, older, now, later)
            # What nobody shows any more is not asked for every second.
            connection.execute(update(orders).where(*mine).values(due_at=later))
        return traded

    def _older(self, account_id: str, order_id: str) -> OrderRecord | None:
        try:
            return self._client.orders.get(account_id, order_id)
        except BackendError as error:
            if error.status in (*NOT_OFFERED, HTTPStatus.BAD_REQUEST):
                listed = self._client.orders.list(account_id, days=_DAYS)
                return next((record for record in listed if record.brokerage_order_id == order_id), None)
            raise
