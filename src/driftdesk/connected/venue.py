"""Brokerages as the venue of a connected world: orders go out through SnapTrade, once, and are looked up afterwards.

    order written, PENDING_NEW -- committed --> sent once --> answered: it has the brokerage's id
                                                          --> refused: REJECTED, with the reason
                                                          --> no answer: in doubt

SnapTrade does not know orders by our client order id, so an order in doubt is looked for among the account's orders:
the only one like it that nobody here sent is taken for it. Where there is none, or more than one, nobody can tell, and
a person has to look (rules.md 7.6, 9; wire/snaptrade.md 4). Nothing that trades is ever sent twice.
"""

import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, select, update

from driftdesk.backend.exchange import Changes, book
from driftdesk.backend.exchange.fillmodel import FillModel
from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.store.tables import assets, orders, price_marks, runs
from driftdesk.backend.store.types import Row
from driftdesk.connected.mirror import reserved
from driftdesk.connected.reader import Reader
from driftdesk.connected.records import TIMES, Seen, read_record
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import BackendError, DriftdeskError, InputError, NotFound, Repeated, StateError, Unavailable
from driftdesk.money import ZERO, floor_quantity, quantity_of
from driftdesk.wire.orders import OrderStatus, OrderType, TimeInForce
from driftdesk.wire.runs import RunStatus
from driftdesk.wire.snaptrade.orders import OrderRecord
from driftdesk.wire.snaptrade.trading import NewOrder

# The clocks of this machine and of a brokerage may differ by so much.
_CLOCKS_DIFFER: Final = timedelta(minutes=1)
_TYPES: Final = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP: "Stop",
    OrderType.STOP_LIMIT: "StopLimit",
}
_TIMES: Final = {ours: theirs for theirs, ours in TIMES.items() if theirs != "GTD"}
_NEVER_SEEN: Final = "The brokerage never confirmed this order, and its session is over; look there to be sure."


class BrokerageVenue:
    """The venue (exchange.venue.Venue) of a connected world. Raises BackendError where SnapTrade cannot be reached."""

    # An order that the brokerage does not show by then is not there, as far as anybody can tell.
    grace = timedelta(minutes=1)

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._world = reader.world
        self._database = reader.world.database
        self._client = reader.client

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
        """
        self._check_takes_orders(request.account_id)
        row = self._write(request, now)
        try:
            record = self._client.trading.place(self._new_order(request))
        except DriftdeskError as error:
            if isinstance(error, BackendError) and _in_doubt(error):
                raise Unavailable(f"{error}") from error
            return book.broker_order(self._refuse(row, f"{error}", now))
        with self._database.write() as connection:
            return book.broker_order(self._adopt(connection, row, record, now))

    def place(self, request: OrderRequest, now: datetime) -> str:
        """Send an order of a person; its id. Refusals are recorded, as in `submit`."""
        self.submit(request, now)
        with self._database.read() as connection:
            return str(self._row(connection, request.account_id, request.client_order_id)["id"])

    def find(self, account_id: AccountId, client_order_ids: Collection[str]) -> dict[str, BrokerOrder]:
        """Those of the account's orders that the brokerage is known to have had, as they stand now."""
        now = self._world.now()
        rows = self._named(account_id, client_order_ids)
        if any(row["due_at"] is not None for row in rows):
            self._reader.look_at_orders(account_id, now)
            self._look_for_lost(account_id, now)
            rows = self._named(account_id, client_order_ids)
        known = (row for row in rows if row["broker_order_id"] is not None or row["due_at"] is None)
        return {row["client_order_id"]: book.broker_order(row) for row in known}

    def in_doubt(self, account_id: AccountId, client_order_ids: Collection[str]) -> Collection[str]:
        """Those that were written, which is before they are sent, and that nobody confirmed."""
        rows = self._named(account_id, client_order_ids)
        return {row["client_order_id"] for row in rows if row["broker_order_id"] is None}

    def cancel(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """Ask the brokerage to cancel what is open of an order, once; whether the order is final now."""
        self.cancel_open(account_id, client_order_id, now)
        return self._open(account_id, client_order_id) is None

    def cancel_open(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """`cancel`, telling whether there was anything open. Raises StateError for an order that is in doubt."""
        row = self._open(account_id, client_order_id)
        if row is None:
            return False
        if row["broker_order_id"] is None:
            raise StateError(
                "The brokerage has not confirmed this order yet, so it cannot be canceled from here; look there."
            )
        if row["status"] != OrderStatus.PENDING_CANCEL:
            try:
                self._client.orders.cancel(account_id, row["broker_order_id"], rereads=())
            except BackendError as error:
                # Too late is no failure: what it came to is read below. Where even that fails, the error stands.
                if _in_doubt(error):
                    raise
                self._reader.look_at_orders(account_id, now)
                if self._open(account_id, client_order_id) is not None:
                    raise
                return False
            with self._database.write() as connection:
                book.set_status(connection, [row], OrderStatus.PENDING_CANCEL, now)
        self._reader.look_at_orders(account_id, now)
        return True

    def replace(self, row: Row, changes: Changes, now: datetime) -> str:
        """Orders at brokerages are not replaced from here: StateError."""
        raise StateError("Cancel the order and place another: orders at a brokerage are not replaced from here.")

    def next_update(self, account_id: AccountId, now: datetime) -> datetime:
        """When asking again is worth it."""
        return now + self._reader.patience.order

    def next_event(self) -> datetime | None:
        """When an open order is looked at next, None without one."""
        with self._database.read() as connection:
            due: datetime | None = connection.scalar(select(func.min(orders.c.due_at)))
            return due

    def settle(self, now: datetime) -> int:
        """Look at open orders that are due, and at the accounts whose runs are about to start; how many orders traded.

        An account that cannot be read is looked at later, and so is its run.
        """
        traded = 0
        for account_id in self._due_accounts(now):
            try:
                traded += self._reader.look_at_orders(account_id, now)
                self._look_for_lost(account_id, now)
            except BackendError:
                self._put_off(account_id, now)
        for account_id in self._starting(now):
            try:
                self._reader.read(account_id, now)
            except BackendError:
                later = {"due_at": now + self._reader.patience.order}
                queued = (runs.c.account_id == account_id, runs.c.status == RunStatus.QUEUED)
                with self._database.write() as connection:
                    connection.execute(update(runs).where(*queued).values(later))
        return traded

    # --- writing ----------------------------------------------------------------------------------------------

    def _check_takes_orders(self, account_id: AccountId) -> None:
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
            sized = {"quantity": request.quantity, "notional": request.notional, "side": request.side}
            held_back = reserved(
                {
                    **sized,
                    "limit_price": request.limit_price,
                    "stop_price": request.stop_price,
                    "filled_quantity": ZERO,
                    "filled_cash": ZERO,
                },
                price,
            )
            look = now + self._reader.patience.order
            values = {"status": OrderStatus.PENDING_NEW, "reserved": held_back, "due_at": look, "broker_order_id": None}
            row = book.order_row(order_id, request, now, **values)
            book.add(connection, [row])
            return row

    def _refuse(self, row: Row, reason: str, now: datetime) -> Row:
        with self._database.write() as connection:
            book.set_status(connection, [row], OrderStatus.REJECTED, now, reason)
            return self._row(connection, row["account_id"], row["client_order_id"])

    def _adopt(self, connection: Connection, row: Row, record: OrderRecord, now: datetime) -> Row:
        """Take `record` for the order that was sent; a row that was entered for it as somebody else's goes."""
        seen = read_record(record)
        if seen is None or record.brokerage_order_id is None:
            return row
        theirs = (orders.c.account_id == row["account_id"], orders.c.client_order_id == seen.broker_order_id)
        connection.execute(orders.delete().where(*theirs))
        connection.execute(update(orders).where(orders.c.id == row["id"]).values(broker_order_id=seen.broker_order_id))
        named = {**row, "broker_order_id": seen.broker_order_id}
        self._reader.mirror.take(connection, named, seen, now, now + self._reader.patience.order)
        return self._row(connection, row["account_id"], row["client_order_id"])

    def _new_order(self, request: OrderRequest) -> NewOrder:
        """The order in SnapTrade's words; an amount becomes shares where the brokerage is not known to take amounts."""
        notional, units = request.notional, request.quantity
        if notional is not None and not self._reader.takes_notional(request.account_id):
            notional, units = None, self._shares_for(request)
        if request.time_in_force not in _TIMES:
            raise InputError(f"time_in_force {request.time_in_force} is not taken by SnapTrade.", field="time_in_force")
        return NewOrder(
            account_id=request.account_id,
            action=request.side.upper(),
            order_type=_TYPES[request.type],
            time_in_force=_TIMES[request.time_in_force],
            symbol=request.symbol,
            units=units,
            notional_value=notional,
            price=request.limit_price,
            stop=request.stop_price,
            # The same for the same order, so that a brokerage that minds it refuses a second one.
            client_order_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{request.account_id}|{request.client_order_id}")),
        )

    def _shares_for(self, request: OrderRequest) -> Decimal:
        """As many shares as the amount pays for at the price of now, never more; whole ones where fractions are not
        offered. Raises NotFound without a price, InputError where it does not pay for one."""
        quotes = self._client.accounts.quotes(request.account_id, [request.symbol])
        quote = next((quote for quote in quotes if quote.symbol.symbol == request.symbol), None)
        prices = [quote.last_trade_price, quote.ask_price if request.side is Side.BUY else None] if quote else []
        dearest = max((price for price in prices if price), default=None)
        if dearest is None:
            raise NotFound(f"SnapTrade has no price of {request.symbol} now, so its order cannot be sized.")
        shares = quantity_of(request.notional or ZERO, dearest)
        with self._database.read() as connection:
            whole = connection.scalar(select(assets.c.fractionable).where(assets.c.symbol == request.symbol)) is False
        shares = shares // 1 if whole else floor_quantity(shares)
        if shares <= ZERO:
            raise InputError(f"{request.notional} USD do not pay for a share of {request.symbol}.", field="notional")
        return shares

    # --- looking ----------------------------------------------------------------------------------------------

    def _look_for_lost(self, account_id: str, now: datetime) -> None:
        """Find the orders in doubt among those that nobody here sent: the only one like it is taken for it."""
        mine = orders.c.account_id == account_id
        lost = mine & orders.c.broker_order_id.is_(None) & orders.c.due_at.is_not(None)
        with self._database.write() as connection:
            for row in connection.execute(select(orders).where(lost)).mappings().all():
                session = self._world.sessions.current_or_next(row["submitted_at"])
                if now >= session.close:
                    book.set_status(connection, [row], OrderStatus.EXPIRED, now, _NEVER_SEEN)
                    continue
                alike = connection.execute(select(orders).where(*_like(row))).mappings().all()
                if len(alike) == 1:
                    self._take_for(connection, row, alike[0], now)
                else:
                    due = {"due_at": now + self._reader.patience.order}
                    connection.execute(update(orders).where(orders.c.id == row["id"]).values(due))

    def _take_for(self, connection: Connection, row: Row, theirs: Row, now: datetime) -> None:
        """`theirs` is the order that `row` was sent as."""
        seen = Seen(
            broker_order_id=theirs["broker_order_id"],
            symbol=Symbol(theirs["symbol"]),
            side=Side(theirs["side"]),
            status=OrderStatus(theirs["status"]),
            total=theirs["quantity"],
            filled=theirs["filled_quantity"],
            price=None if not theirs["filled_quantity"] else theirs["filled_value"] / theirs["filled_quantity"],
            type=OrderType(theirs["type"]),
            time_in_force=TimeInForce(theirs["time_in_force"]),
            limit_price=theirs["limit_price"],
            stop_price=theirs["stop_price"],
            placed_at=theirs["submitted_at"],
            executed_at=theirs["filled_at"],
        )
        connection.execute(orders.delete().where(orders.c.id == theirs["id"]))
        named = {"broker_order_id": seen.broker_order_id}
        connection.execute(update(orders).where(orders.c.id == row["id"]).values(named))
        self._reader.mirror.take(connection, {**row, **named}, seen, now, now + self._reader.patience.order)

    def _due_accounts(self, now: datetime) -> list[str]:
        with self._database.read() as connection:
            due = select(orders.c.account_id).where(orders.c.due_at <= now).distinct()
            return list(connection.scalars(due))

    def _starting(self, now: datetime) -> list[str]:
        session = self._world.sessions.at(now)
        if session is None or not session.in_run_window(now):
            return []
        with self._database.read() as connection:
            due = select(runs.c.account_id).where(runs.c.due_at <= now, runs.c.status == RunStatus.QUEUED)
            return list(connection.scalars(due))

    def _put_off(self, account_id: str, now: datetime) -> None:
        later = {"due_at": now + self._reader.patience.order}
        with self._database.write() as connection:
            mine = (orders.c.account_id == account_id, orders.c.due_at.is_not(None))
            connection.execute(update(orders).where(*mine).values(later))

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
    return failed or error.status < HTTPStatus.BAD_REQUEST


def _like(row: Row) -> tuple[ColumnElement[bool], ...]:
    """What an order at the brokerage must be to be the one of `row`: by nobody here, alike, and not older."""
    size = () if row["quantity"] is None else (orders.c.quantity == row["quantity"],)
    return (
        orders.c.account_id == row["account_id"],
        orders.c.client_order_id == orders.c.broker_order_id,
        orders.c.symbol == row["symbol"],
        orders.c.side == row["side"],
        orders.c.submitted_at >= row["submitted_at"] - _CLOCKS_DIFFER,
        *size,
    )
