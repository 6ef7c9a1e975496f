"""The simulated broker's front: takes orders, reserves cash and shares, cancels, replaces, settles what is due.

Fills follow the world's fill model and may be disturbed by its fault script; a fill takes at least a second of market
time, so that a run can be seen on its way and canceled (rules.md 7.4, 8).
"""

import dataclasses
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.exchange.faults import FaultKind, script, take_fault
from driftdesk.backend.exchange.fillmodel import FILL_DELAY, FillModel, FillModelName
from driftdesk.backend.exchange.matching import Settling
from driftdesk.backend.exchange.terms import check_terms, short_of_cash, short_of_shares, timing, worst_price
from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.store.tables import orders, positions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import World
from driftdesk.engine.snapshot import AccountId, Side
from driftdesk.errors import InputError, Repeated, StateError, Unavailable
from driftdesk.money import ZERO, cash_of, format_decimal, quantity_of, round_cents
from driftdesk.wire.orders import OrderStatus, OrderType, TimeInForce

_NEXT: Final = select(func.min(orders.c.due_at))
_NEXT_OF: Final = _NEXT.where(orders.c.account_id == bindparam("account"), orders.c.due_at.is_not(None))
_NAMED: Final = select(orders).where(
    orders.c.account_id == bindparam("account"), orders.c.client_order_id.in_(bindparam("names", expanding=True))
)
_TAKEN: Final = select(orders.c.id).where(
    orders.c.account_id == bindparam("account"), orders.c.client_order_id == bindparam("name")
)
_HELD: Final = select(positions.c.quantity).where(
    positions.c.account_id == bindparam("account"), positions.c.symbol == bindparam("of")
)
_FILL_MODEL: Final = "fill_model"
# An order may only be replaced while it rests at the exchange (wire/alpaca.md 11.4).
_REPLACEABLE: Final = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.DONE_FOR_DAY})


class _VenueRefusal(StateError):
    """What only shows once the order is at the exchange: it is recorded as rejected instead of refused."""


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
    tells = True

    def __init__(self, world: World) -> None:
        self._world = world

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
        """What is submitted inside arrives together, in one transaction."""
        with self._world.database.write():
            yield

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

    def cancel(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """Cancel what is still open of an order; a final order stays as it is. Nothing of it is open afterwards."""
        self.cancel_open(account_id, client_order_id, now)
        return True

    def cancel_open(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool:
        """`cancel`, telling whether there was anything open."""
        with self._world.database.write() as connection:
            row = book.open_order(connection, account_id, client_order_id)
            if row is not None:
                book.set_status(connection, row, OrderStatus.CANCELED, now)
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
        with self._world.database.write() as connection:
            replaced = book.set_status(connection, row, OrderStatus.REPLACED, now)
            made = self._accept(connection, request, now, strict=True, replaces=row["id"])
            if made["status"] == OrderStatus.REJECTED:
                raise StateError(f"Order {row['id']} cannot be replaced: {made['reject_reason']}.")
            connection.execute(update(orders).where(orders.c.id == replaced["id"]).values(replaced_by=made["id"]))
        return str(made["id"])

    def wake(self, connection: Connection, symbols: Collection[str], now: datetime) -> None:
        """Look at the resting orders of these symbols again: their price has changed. Those that wait for their first
        look, or for an auction, keep their time."""
        connection.execute(
            update(orders)
            .where(
                orders.c.symbol.in_(list(symbols)),
                orders.c.due_at > now,
                orders.c.status.in_([OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED]),
            )
            .values(due_at=now)
        )

    def next_update(self, account_id: AccountId, now: datetime) -> datetime:
        """The soonest instant after `now` at which asking again can show something new about the account's orders."""
        with self._world.database.read() as connection:
            due = connection.scalar(_NEXT_OF, {"account": account_id})
        return max(now, due) if due else now + FILL_DELAY

    def next_event(self) -> datetime | None:
        """The earliest instant at which an open order is due, None without one."""
        with self._world.database.read() as connection:
            due: datetime | None = connection.scalar(_NEXT)
            return due

    def settle(self, now: datetime) -> int:
        """Fill, expire or put off every order due at `now`, oldest first; how many traded."""
        first = self.next_event()
        if first is None or first > now:
            return 0
        with self._world.database.write() as connection:
            market = self._world.market(connection, now)
            return Settling(connection, market, self._world.sessions, self.model).settle()

    def _take(self, request: OrderRequest, now: datetime, *, strict: bool) -> Row:
        with self._world.database.write() as connection:
            faulty = bool(script(connection))
            lost = faulty and take_fault(connection, FaultKind.LOSE, request.symbol)
            silent = lost or (faulty and take_fault(connection, FaultKind.TIME_OUT, request.symbol))
            row = None if lost else self._accept(connection, request, now, strict=strict)
        if row is None or silent:
            raise Unavailable(f"No answer from the exchange to order {request.client_order_id} (fault script).")
        return row

    def _accept(
        self, connection: Connection, request: OrderRequest, now: datetime, *, strict: bool, replaces: str | None = None
    ) -> Row:
        taken = connection.scalar(_TAKEN, {"account": request.account_id, "name": request.client_order_id})
        if taken is not None:
            raise Repeated(f"client_order_id {request.client_order_id} is used already; each order needs its own.")
        order_id = self._world.new_id("order", request.account_id, request.client_order_id)
        try:
            check_terms(request)
            timed = timing(request.time_in_force, now, self._world.sessions, self.model)
            reserved = self._reserve(connection, request, now)
            if take_fault(connection, FaultKind.REJECT, request.symbol):
                raise _VenueRefusal(f"{request.symbol} was rejected by the exchange (fault script)")
        except (InputError, StateError) as problem:
            if strict and not isinstance(problem, _VenueRefusal):
                raise
            return book.add(
                connection,
                order_id,
                request,
                now,
                status=OrderStatus.REJECTED,
                reject_reason=str(problem),
                failed_at=now,
                replaces=replaces,
            )
        return book.add(
            connection,
            order_id,
            request,
            now,
            status=OrderStatus.ACCEPTED,
            reserved=reserved,
            due_at=timed.first_look,
            expires_at=timed.expires_at,
            replaces=replaces,
        )

    def _reserve(self, connection: Connection, request: OrderRequest, now: datetime) -> Decimal:
        """What the order holds back: USD for a buy, shares for a sell. Raises Insufficient, or _VenueRefusal."""
        symbol = request.symbol
        quote, halted = self._world.quote(connection, symbol, now)
        if not quote.tradable:
            raise _VenueRefusal(f"{symbol} is not tradable")
        if halted:
            raise _VenueRefusal(f"{symbol} is halted")
        if quote.price is None:
            raise _VenueRefusal(f"{symbol} has no price")
        if request.side is Side.BUY:
            cost = round_cents(request.notional or cash_of(request.quantity or ZERO, worst_price(request, quote.price)))
            free = self._world.free_cash(connection, request.account_id)
            if cost > free:
                raise short_of_cash(cost, free)
            return cost
        wanted = request.quantity or quantity_of(request.notional or ZERO, quote.price)
        available = book.free_shares(connection, request.account_id, symbol)
        if wanted > available:
            held = connection.scalar(_HELD, {"account": request.account_id, "of": symbol}) or ZERO
            raise short_of_shares(symbol, wanted, held, available)
        return wanted
