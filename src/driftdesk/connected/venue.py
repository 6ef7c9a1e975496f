"""Brokerages as the venue of a connected world: orders go out through SnapTrade, once, and are looked up afterwards.

    order written, PENDING_NEW -- committed --> sent once --> answered: it has the brokerage's id
                                                          --> refused: REJECTED, with the reason
                                                          --> no answer: in doubt

SnapTrade does not know orders by our client order id, so an order in doubt is looked for among the account's orders:
the only one like it that nobody here sent is taken for it. Where there is none, or more than one, nobody can tell, and
a person has to look (rules.md 7.6, 9; wire/snaptrade.md 4). Nothing that trades is ever sent twice.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from sqlalchemy import Connection, func, select, update

from driftdesk.backend.exchange import Changes, book
from driftdesk.backend.exchange.fillmodel import FillModel
from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.store.tables import order_events, orders, price_marks
from driftdesk.backend.store.types import Row
from driftdesk.connected.bookings import reserved
from driftdesk.connected.doubt import settle_doubts
from driftdesk.connected.reader import Reader
from driftdesk.connected.records import read_record
from driftdesk.connected.sizing import new_order, sized
from driftdesk.connected.upkeep import Upkeep
from driftdesk.engine.snapshot import AccountId
from driftdesk.errors import BackendError, DriftdeskError, Repeated, StateError, Unavailable
from driftdesk.wire.orders import OrderEvent, OrderStatus
from driftdesk.wire.snaptrade.orders import OrderRecord

# A cancel that shows no effect for so long is asked for again, after the order was read again.
_CANCELS_TAKE: Final = timedelta(minutes=1)
_NO_NAME: Final = "SnapTrade's answer to order {} does not say which order at the brokerage it is."


class BrokerageVenue:
    """The venue (exchange.venue.Venue) of a connected world. Raises BackendError where SnapTrade cannot be reached."""

    # An order that the brokerage does not show by then is not there, as far as anybody can tell.
    grace = timedelta(minutes=1)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._world = reader.world
        self._database = reader.world.database
        self._client = reader.client
        # Ids of orders that this process has sent and whose answer is awaited.
        self._sending: set[str] = set()
        self._upkeep = Upkeep(reader, self._look)

    @property
    def model(self) -> FillModel:
        """Orders are estimated at the last price."""
        return FillModel()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Orders leave one by one: each is written before it is sent, and nothing is held open meanwhile."""
        yield

    def submit(self, request: OrderRequest, now: datetime) -> BrokerOrder:
        """Send a run's order; one that is refused is recorded as rejected, with the reason.

        Raises Repeated for a client order id used before, Unavailable where no answer came: the order is in doubt then.
        Any other BackendError: nothing was written or sent.
        """
        self._check_takes_orders(request.account_id)
        # The moment of sending, also for the last of many: an order in doubt is looked for around it.
        now = max(now, self._world.now())
        try:
            request = sized(self._reader, request)
        except BackendError:
            raise
        except DriftdeskError as error:
            return book.broker_order(self._refuse(self._write(request, now), f"{error}", now))
        row = self._write(request, now)
        self._sending.add(row["id"])
        try:
            return book.broker_order(self._send(row, request, now))
        finally:
            self._sending.discard(row["id"])

    def place(self, request: OrderRequest, now: datetime) -> str:
        """Send an order of a person; its id. Refusals are recorded, as in `submit`."""
        self.submit(request, now)
        with self._database.read() as connection:
            return str(self._row(connection, request.account_id, request.client_order_id)["id"])

    def find(self, account_id: AccountId, client_order_ids: Collection[str]) -> dict[str, BrokerOrder]:
        """Those of the account's orders that the brokerage is known to have had, as they stand now."""
        now = self._world.now()
        rows = self._named(account_id, client_order_ids)
        if any(_needs_look(row, now) for row in rows):
            try:
                self._look(account_id, now)
            except BackendError:
                self._upkeep.put_off(account_id, now)
                raise
            rows = self._named(account_id, client_order_ids)
        known = (row for row in rows if row["broker_order_id"] is not None or row["due_at"] is None)
        return {row["client_order_id"]: book.broker_order(row) for row in known}

    def in_doubt(self, account_id: AccountId, client_order_ids: Collection[str]) -> Collection[str]:
        """Those that were written, which is before they are sent, and that nobody confirmed."""
        rows = self._named(account_id, client_order_ids)
        return {row["client_order_id"] for row in rows if row["broker_order_id"] is None}

    def cancel(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """Ask the brokerage to cancel what is open of an order; whether the order is final now.

        It is asked once; `next_update` is now then, so that one look tells of all that were canceled together.
        """
        row = self._open(account_id, client_order_id)
        if row is not None and row["broker_order_id"] is not None:
            self._ask_to_cancel(row, now)
        return self._open(account_id, client_order_id) is None

    def cancel_open(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """Ask as `cancel` does, then look; whether there was anything open. StateError for an order in doubt."""
        row = self._open(account_id, client_order_id)
        if row is None:
            return False
        if row["broker_order_id"] is None:
            raise StateError(
                "The brokerage has not confirmed this order yet, so it cannot be canceled from here; look there."
            )
        if not self._ask_to_cancel(row, now):
            return False
        self._look(account_id, now)
        return True

    def replace(self, row: Row, changes: Changes, now: datetime) -> str:
        """Orders at brokerages are not replaced from here: StateError."""
        raise StateError("Cancel the order and place another: orders at a brokerage are not replaced from here.")

    def next_update(self, account_id: AccountId, now: datetime) -> datetime:
        """When the account's open orders are looked at next; asking before would tell nothing new."""
        named = (orders.c.account_id == account_id, orders.c.broker_order_id.is_not(None))
        with self._database.read() as connection:
            due: datetime | None = connection.scalar(select(func.min(orders.c.due_at)).where(*named))
        return self._reader.looks.next_look(now) if due is None else max(now, due)

    def next_event(self) -> datetime | None:
        """When an open order is looked at next, None without one."""
        with self._database.read() as connection:
            due: datetime | None = connection.scalar(select(func.min(orders.c.due_at)))
            return due

    def settle(self, now: datetime) -> int:
        """Look at open orders that are due, and at the accounts whose runs are about to start; how many orders traded.

        An account that cannot be read is looked at later, and so is its run.
        """
        return self._upkeep.settle(now)

    # --- writing ----------------------------------------------------------------------------------------------

    def _check_sends(self) -> None:
        if self._reader.look_only is not None:
            raise StateError(self._reader.look_only)

    def _check_takes_orders(self, account_id: AccountId) -> None:
        self._check_sends()
        with self._database.read() as connection:
            account = self._world.account_row(connection, account_id)
        if account["refusal"] is not None:
            raise StateError(account["refusal"])

    def _write(self, request: OrderRequest, now: datetime) -> Row:
        """The order's row, committed before it is sent: without an id of the brokerage it is in doubt."""
        with self._database.write() as connection:
            taken = (orders.c.account_id == request.account_id, orders.c.client_order_id == request.client_order_id)
            if connection.scalar(select(orders.c.id).where(*taken)) is not None:
                raise Repeated(f"client_order_id {request.client_order_id} is used already; each order needs its own.")
            order_id = self._world.new_id("order", request.account_id, request.client_order_id)
            price = connection.scalar(select(price_marks.c.price).where(price_marks.c.symbol == request.symbol))
            look = self._reader.looks.next_look(now)
            values = {"status": OrderStatus.PENDING_NEW, "due_at": look, "broker_order_id": None}
            row = book.order_row(order_id, request, now, **values)
            row["reserved"] = reserved(row, price)
            book.add(connection, [row])
            return row

    def _send(self, row: Row, request: OrderRequest, now: datetime) -> Row:
        """Send it once; the order as it is after the answer."""
        try:
            record = self._client.trading.place(new_order(request))
        except DriftdeskError as error:
            if isinstance(error, BackendError) and _in_doubt(error):
                raise Unavailable(f"{error}") from error
            return self._refuse(row, f"{error}", now)
        return self._adopt(row, record, now)

    def _refuse(self, row: Row, reason: str, now: datetime) -> Row:
        with self._database.write() as connection:
            book.set_status(connection, [row], OrderStatus.REJECTED, now, reason)
            return self._row(connection, row["account_id"], row["client_order_id"])

    def _adopt(self, row: Row, record: OrderRecord, now: datetime) -> Row:
        """Take `record`, the answer, for the order that was sent; Unavailable where it does not name one."""
        if record.brokerage_order_id is None:
            raise Unavailable(_NO_NAME.format(row["client_order_id"]))
        seen = read_record(record)
        with self._database.write() as connection:
            if seen is None:
                # Its name is enough: what it comes to is looked up by it.
                named = {"broker_order_id": record.brokerage_order_id}
                connection.execute(update(orders).where(orders.c.id == row["id"]).values(named))
            else:
                next_look = self._reader.looks.next_look(now)
                self._reader.bookings.adopt(connection, row["id"], seen, now, next_look)
            return self._row(connection, row["account_id"], row["client_order_id"])

    def _ask_to_cancel(self, row: Row, now: datetime) -> bool:
        """Ask once in a while for the cancel of an open order; whether it may still be open.

        The order is due for a look then. Raises BackendError where the cancel was refused though it is open, or no
        answer came.
        """
        account_id, name = row["account_id"], row["client_order_id"]
        if row["status"] == OrderStatus.PENDING_CANCEL and self._asked_lately(row, now):
            return True
        self._check_sends()
        try:
            self._client.orders.cancel(account_id, row["broker_order_id"], rereads=())
        except BackendError as error:
            # Too late is no failure: what it came to is read below. Where even that fails, the error stands.
            if _in_doubt(error):
                raise
            self._look(account_id, now)
            if self._open(account_id, name) is not None:
                raise
            return False
        with self._database.write() as connection:
            # It may have ended meanwhile, as another thread saw.
            current = book.open_order(connection, account_id, name)
            if current is not None:
                book.set_status(connection, [current], OrderStatus.PENDING_CANCEL, now)
                connection.execute(update(orders).where(orders.c.id == row["id"]).values(due_at=now))
        return current is not None

    def _asked_lately(self, row: Row, now: datetime) -> bool:
        asked = select(func.max(order_events.c.at)).where(
            order_events.c.order_id == row["id"], order_events.c.event == OrderEvent.PENDING_CANCEL
        )
        with self._database.read() as connection:
            last: datetime | None = connection.scalar(asked)
        return last is not None and now - last < _CANCELS_TAKE

    # --- looking ----------------------------------------------------------------------------------------------

    def _look(self, account_id: str, now: datetime) -> int:
        """Look at the account's orders and find those in doubt among them; how many orders traded."""
        traded = self._reader.looks.look(account_id, now)
        with self._database.write() as connection:
            settle_doubts(connection, self._reader, account_id, now, frozenset(self._sending))
        return traded

    def _open(self, account_id: str, client_order_id: str) -> Row | None:
        with self._database.read() as connection:
            return book.open_order(connection, account_id, client_order_id)

    def _named(self, account_id: str, names: Collection[str]) -> list[Row]:
        mine = (orders.c.account_id == account_id, orders.c.client_order_id.in_(list(names)))
        with self._database.read() as connection:
            return list(connection.execute(select(orders).where(*mine)).mappings())

    def _row(self, connection: Connection, account_id: str, client_order_id: str) -> Row:
        mine = (orders.c.account_id == account_id, orders.c.client_order_id == client_order_id)
        return connection.execute(select(orders).where(*mine)).mappings().one()


def _in_doubt(error: BackendError) -> bool:
    """Whether the order may have been taken: no answer, a server's failure, or an answer that cannot be read."""
    if error.status is None:
        return True
    failed = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.status != HTTPStatus.NOT_IMPLEMENTED
    return failed or error.status < HTTPStatus.BAD_REQUEST or error.status == HTTPStatus.REQUEST_TIMEOUT


def _needs_look(row: Row, now: datetime) -> bool:
    """Whether anything may have changed since the last look, or the order is in doubt."""
    return row["due_at"] is not None and (row["broker_order_id"] is None or row["due_at"] <= now)
