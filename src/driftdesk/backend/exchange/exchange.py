"""The simulated broker's front: takes orders, reserves cash and shares, cancels, replaces, settles what is due.

Fills follow the world's fill model and may be disturbed by its fault script; a fill takes at least a second of market
time, so that a run can be seen on its way and canceled (rules.md 7.4, 8).
"""

import dataclasses
import json
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, and_, bindparam, case, exists, func, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.exchange.faults import FaultKind
from driftdesk.backend.exchange.fillmodel import FILL_DELAY, MINUTE, FillModel, FillModelName
from driftdesk.backend.exchange.intake import Intake
from driftdesk.backend.exchange.matching import Settling
from driftdesk.backend.exchange.terms import STOPPED
from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.store.tables import faults, orders
from driftdesk.backend.store.types import PRICE, Row
from driftdesk.backend.world import World
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import InputError, StateError, Unavailable
from driftdesk.money import format_decimal
from driftdesk.wire.orders import OrderStatus, OrderType, TimeInForce

_NEXT: Final = select(func.min(orders.c.due_at))
_NEXT_OF: Final = _NEXT.where(orders.c.account_id == bindparam("account"), orders.c.due_at.is_not(None))
_NAMED: Final = select(orders).where(
    orders.c.account_id == bindparam("account"), orders.c.client_order_id.in_(bindparam("names", expanding=True))
)
_LOSES: Final = select(exists(select(faults.c.id).where(faults.c.kind == FaultKind.LOSE)))
# The necessary half of what a look decides: a fill is never better than the last price.
_WAITS_FOR_STOP: Final = and_(orders.c.type.in_(sorted(STOPPED)), orders.c.stopped_at.is_(None))
_LAST: Final = bindparam("last", type_=PRICE)
_BUYS: Final = orders.c.side == Side.BUY
_REACHED: Final = case(
    (and_(_WAITS_FOR_STOP, _BUYS), orders.c.stop_price <= _LAST),
    (_WAITS_FOR_STOP, orders.c.stop_price >= _LAST),
    (_BUYS, orders.c.limit_price >= _LAST),
    else_=orders.c.limit_price <= _LAST,
)
_WAKE: Final = (
    update(orders)
    .where(
        # An order that rests for its price is due at the close.
        orders.c.due_at == bindparam("close"),
        orders.c.symbol == bindparam("of"),
        orders.c.status.in_([OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED]),
        _REACHED,
    )
    .values(due_at=bindparam("now"))
)
_FILL_MODEL: Final = "fill_model"
# An order may only be replaced while it rests at the exchange (wire/alpaca.md 11.4).
_REPLACEABLE: Final = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.DONE_FOR_DAY})


@dataclass(frozen=True, slots=True)
class Changes:
    """What replaces an order; None leaves a term as it is."""

    client_order_id: str
    quantity: Decimal | None = None
    time_in_force: TimeInForce | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class Exchange:
    """A broker (runs.broker.Broker) over the world's store. It knows orders by client order id, so `grace` is zero."""

    grace = timedelta(0)

    def __init__(self, world: World) -> None:
        self._world = world
        self._local = threading.local()

    @property
    def model(self) -> FillModel:
        """How orders are filled in this world; `immediate` until set."""
        text = self._world.database.get_meta(_FILL_MODEL)
        if text is None:
            return FillModel()
        kept = json.loads(text)
        decimals = {name: Decimal(value) for name, value in kept.items() if name not in ("name", "seed")}
        return FillModel(name=FillModelName(kept["name"]), seed=kept["seed"], **decimals)

    def set_model(self, model: FillModel) -> None:
        """Fill by `model` from now on, orders that are open included."""
        with self._world.database.write():
            self._world.database.set_meta(_FILL_MODEL, json.dumps(dataclasses.asdict(model), default=str))

    @contextmanager
    def sending(self) -> Iterator[None]:
        """What is submitted inside arrives together at its end, in one transaction; nothing else happens in it."""
        with self._intake() as intake:
            outer: Intake | None = getattr(self._local, "intake", None)
            self._local.intake = intake
            try:
                yield
            finally:
                self._local.intake = outer

    def submit(self, request: OrderRequest, now: datetime) -> BrokerOrder:
        """Accept a run's order, or record it as rejected with the reason. StateError for a repeated client order id;
        Unavailable where the fault script keeps the answer back."""
        return book.broker_order(self._take(request, now, strict=False))

    def place(self, request: OrderRequest, now: datetime) -> str:
        """Accept an order of a person; its id. What only the venue refuses is recorded as rejected.

        Raises InputError for terms that cannot be, Insufficient without the cash or the shares, StateError for a
        repeated client order id, Unavailable where the fault script keeps the answer back.
        """
        return str(self._take(request, now, strict=True)["id"])

    def find(self, account_id: AccountId, client_order_ids: Collection[str]) -> dict[str, BrokerOrder]:
        """The account's orders with these client order ids; those it never received are left out."""
        with self._world.database.read() as connection:
            rows = connection.execute(_NAMED, {"account": account_id, "names": list(client_order_ids)}).mappings()
            return {row["client_order_id"]: book.broker_order(row) for row in rows}

    def in_doubt(self, account_id: AccountId, client_order_ids: Collection[str]) -> Collection[str]:
        """None: what `find` does not show was never received."""
        return ()

    def cancel(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """Cancel what is still open of an order; a final order stays as it is. Nothing of it is open afterwards."""
        self.cancel_open(account_id, client_order_id, now)
        return True

    def cancel_open(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """`cancel`, telling whether there was anything open."""
        with self._world.database.write() as connection:
            row = book.open_order(connection, account_id, client_order_id)
            if row is not None:
                book.set_status(connection, [row], OrderStatus.CANCELED, now)
            return row is not None

    def replace(self, row: Row, changes: Changes, now: datetime) -> str:
        """Replace an open order by one with other terms; the id of the new one.

        A new `quantity` counts what has been filled already, which stays with the old order. Raises StateError for an
        order that cannot be replaced, and what `place` raises, with the old order left as it is.
        """
        if row["due_at"] is None or row["status"] not in _REPLACEABLE:
            raise StateError(f"Order {row['id']} is {row['status']}; only one that rests at the exchange is replaced.")
        if row["notional"] is not None or row["quantity"] != row["quantity"] // 1:
            raise StateError(f"Order {row['id']} is for a notional or a fraction of a share; cancel it instead.")
        total = row["quantity"] if changes.quantity is None else changes.quantity
        if total <= row["filled_quantity"]:
            raise InputError(
                f"qty must be more than the {format_decimal(row['filled_quantity'])} already filled; "
                f"received {format_decimal(total)}.",
                field="qty",
                received=total,
                allowed=f"more than {format_decimal(row['filled_quantity'])}",
            )
        request = OrderRequest(
            account_id=row["account_id"],
            client_order_id=changes.client_order_id,
            symbol=row["symbol"],
            side=Side(row["side"]),
            quantity=total - row["filled_quantity"],
            type=OrderType(row["type"]),
            time_in_force=changes.time_in_force or TimeInForce(row["time_in_force"]),
            limit_price=changes.limit_price if changes.limit_price is not None else row["limit_price"],
            stop_price=changes.stop_price if changes.stop_price is not None else row["stop_price"],
        )
        # A stop that was reached stays so, unless another one is wanted.
        stopped_at = row["stopped_at"] if changes.stop_price is None else None
        with self._world.database.write() as connection:
            book.set_status(connection, [row], OrderStatus.REPLACED, now)
            intake = Intake(connection, self._world, self.model)
            made = intake.take(request, now, strict=True, replaces=row["id"], stopped_at=stopped_at)
            if made["status"] == OrderStatus.REJECTED:
                raise StateError(f"Order {row['id']} cannot be replaced: {made['reject_reason']}.")
            intake.write()
            connection.execute(update(orders).where(orders.c.id == row["id"]).values(replaced_by=made["id"]))
        return str(made["id"])

    def wake(self, connection: Connection, symbols: Collection[str], now: datetime) -> None:
        """Look again at the orders of these symbols that rest for a price, where the present one reaches their stop or
        their limit. Those that wait for anything else (a first look, an auction, the next minute) keep their time."""
        close = self._world.sessions.next_close(now)
        for symbol in symbols:
            quote, _ = self._world.quote(connection, Symbol(symbol), now)
            if quote.price is not None:
                connection.execute(_WAKE, {"of": symbol, "close": close, "last": quote.price, "now": now})

    def next_update(self, account_id: AccountId, now: datetime) -> datetime:
        """The soonest instant after `now` at which asking again can show something new about the account's orders."""
        with self._world.database.read() as connection:
            due: datetime | None = connection.scalar(_NEXT_OF, {"account": account_id})
            if due is not None:
                return max(now, due)
            # Where submissions are still to be lost, sending again at once would only lose the next one.
            return now + (MINUTE if connection.scalar(_LOSES) else FILL_DELAY)

    def next_event(self) -> datetime | None:
        """The earliest instant at which an open order is due, None without one."""
        with self._world.database.read() as connection:
            due: datetime | None = connection.scalar(_NEXT)
            return due

    def settle(self, now: datetime) -> int:
        """Fill, expire or put off every order due at `now`, oldest first; how many traded."""
        traded = 0
        while (due := self.next_event()) is not None and due <= now:
            with self._world.database.write() as connection:
                market = self._world.market(connection, now)
                traded += Settling(connection, market, self._world.sessions, self.model).settle()
        return traded

    @contextmanager
    def _intake(self) -> Iterator[Intake]:
        """The intake of the `sending` that this thread is in, or else one in a transaction of its own."""
        open_one: Intake | None = getattr(self._local, "intake", None)
        if open_one is not None:
            yield open_one
            return
        with self._world.database.write() as connection:
            intake = Intake(connection, self._world, self.model)
            yield intake
            intake.write()

    def _take(self, request: OrderRequest, now: datetime, *, strict: bool) -> Row:
        with self._intake() as intake:
            lost = intake.disturbed(FaultKind.LOSE, request.symbol)
            silent = lost or intake.disturbed(FaultKind.TIME_OUT, request.symbol)
            row = None if lost else intake.take(request, now, strict=strict)
        if row is None or silent:
            raise Unavailable(f"No answer from the exchange to order {request.client_order_id} (fault script).")
        return row
