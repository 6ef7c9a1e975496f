"""Accepts market day orders, reserves cash and shares, fills at the feed's price, expires them at the close.

Fills take `FILL_DELAY` of market time, so that a run can be seen on its way and canceled (rules.md 7.4). Quantities
have 9 decimals, floored; an order moves its cumulative value half-up to the cent and the difference is kept with the
fill: the rounding account is their sum (rules.md 1.3, 1.4).
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from driftdesk.backend.exchange.ledger import Ledger
from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.store.tables import orders, positions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import World
from driftdesk.engine.snapshot import AccountId, Side
from driftdesk.errors import StateError
from driftdesk.money import ZERO, cash_of, quantity_of, round_cents
from driftdesk.wire.orders import OrderStatus

FILL_DELAY: Final = timedelta(seconds=1)
# How often an order that cannot fill yet (halted, no price) is looked at again.
RETRY_DELAY: Final = timedelta(minutes=1)

_NEXT: Final = select(func.min(orders.c.due_at))
_NEXT_OF: Final = _NEXT.where(orders.c.account_id == bindparam("account"), orders.c.due_at.is_not(None))
_NAMED: Final = select(orders).where(
    orders.c.account_id == bindparam("account"), orders.c.client_order_id.in_(bindparam("names", expanding=True))
)
_TAKEN: Final = select(orders.c.id).where(
    orders.c.account_id == bindparam("account"), orders.c.client_order_id == bindparam("name")
)
_ACCEPT: Final = insert(orders)
_HELD: Final = select(positions.c.quantity).where(
    positions.c.account_id == bindparam("account"), positions.c.symbol == bindparam("of")
)
_ON_SALE: Final = select(func.sum(orders.c.reserved)).where(
    orders.c.account_id == bindparam("account"),
    orders.c.symbol == bindparam("of"),
    orders.c.side == Side.SELL,
    orders.c.due_at.is_not(None),
)
_CANCEL: Final = update(orders).where(
    orders.c.account_id == bindparam("account"),
    orders.c.client_order_id == bindparam("name"),
    orders.c.due_at.is_not(None),
)


class Exchange:
    """A broker (runs.broker.Broker) over the world's store. It knows orders by client order id, so `grace` is zero."""

    grace = timedelta(0)

    def __init__(self, world: World) -> None:
        self._world = world

    @contextmanager
    def sending(self) -> Iterator[None]:
        """What is submitted inside arrives together, in one transaction."""
        with self._world.database.write():
            yield

    def submit(self, request: OrderRequest, now: datetime) -> BrokerOrder:
        """Accept or reject an order; a rejected one is recorded as such. StateError for a repeated client order id."""
        with self._world.database.write() as connection:
            name = {"account": request.account_id, "name": request.client_order_id}
            if connection.scalar(_TAKEN, name) is not None:
                raise StateError(
                    f"client_order_id {request.client_order_id} is used already; each order needs its own."
                )
            reserved, refusal = self._reserve(connection, request, now)
            values: dict[str, Any] = {
                "id": self._world.new_id("order", request.account_id, request.client_order_id),
                "account_id": request.account_id,
                "client_order_id": request.client_order_id,
                "symbol": request.symbol,
                "side": request.side,
                "notional": request.notional,
                "quantity": request.quantity,
                "status": OrderStatus.REJECTED if refusal else OrderStatus.ACCEPTED,
                "reject_reason": refusal,
                "filled_quantity": ZERO,
                "filled_value": ZERO,
                "filled_cash": ZERO,
                "reserved": ZERO if refusal else reserved,
                "submitted_at": now,
                "updated_at": now,
                "failed_at": now if refusal else None,
                "due_at": None if refusal else self._first_look(now),
            }
            connection.execute(_ACCEPT, values)
        return _broker_order(values)

    def find(self, account_id: AccountId, client_order_ids: Collection[str]) -> dict[str, BrokerOrder]:
        """The account's orders with these client order ids; those it never received are left out."""
        with self._world.database.read() as connection:
            rows = connection.execute(_NAMED, {"account": account_id, "names": list(client_order_ids)}).mappings()
            return {row["client_order_id"]: _broker_order(row) for row in rows}

    def cancel(self, account_id: AccountId, client_order_id: str, now: datetime) -> None:
        """Cancel what is still open of an order; a final order stays as it is."""
        ended = {"status": OrderStatus.CANCELED, "canceled_at": now, "updated_at": now, "due_at": None}
        with self._world.database.write() as connection:
            connection.execute(_CANCEL, {"account": account_id, "name": client_order_id, "reserved": ZERO, **ended})

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
        """Fill or expire every order due at `now`, oldest first; the number of orders filled."""
        first = self.next_event()
        if first is None or first > now:
            return 0
        with self._world.database.write() as connection:
            ledger = Ledger(connection, now)
            market = self._world.market(connection, now)
            for order in ledger.due:
                close = self._world.sessions.current_or_next(order["submitted_at"]).close
                price = market.quote(order["symbol"]).price
                if now >= close:
                    ledger.expire(order)
                elif not market.is_open or order["symbol"] in market.halted or not price:
                    ledger.look_again(order, min(now + RETRY_DELAY, close) if market.is_open else self._first_look(now))
                else:
                    ledger.fill(order, price)
            return ledger.write()

    def _first_look(self, now: datetime) -> datetime:
        session = self._world.sessions.current_or_next(now)
        return min(max(now, session.open) + FILL_DELAY, session.close)

    def _reserve(self, connection: Connection, request: OrderRequest, now: datetime) -> tuple[Decimal, str | None]:
        """What the order holds back, and why it is refused if it is."""
        symbol = request.symbol
        quote, halted = self._world.quote(connection, symbol, now)
        if not quote.tradable:
            return ZERO, f"{symbol} is not tradable"
        if halted:
            return ZERO, f"{symbol} is halted"
        if quote.price is None:
            return ZERO, f"{symbol} has no price"
        if request.side is Side.BUY:
            cost = request.notional if request.notional is not None else cash_of(request.quantity or ZERO, quote.price)
            free = self._world.free_cash(connection, request.account_id)
            return round_cents(cost), "insufficient buying power" if round_cents(cost) > free else None
        mine = {"account": request.account_id, "of": symbol}
        held, on_sale = connection.scalar(_HELD, mine) or ZERO, connection.scalar(_ON_SALE, mine) or ZERO
        wanted = (
            request.quantity if request.quantity is not None else quantity_of(request.notional or ZERO, quote.price)
        )
        return wanted, f"insufficient quantity of {symbol} available" if wanted > held - on_sale else None


def _broker_order(row: Row) -> BrokerOrder:
    return BrokerOrder(
        id=row["id"],
        client_order_id=row["client_order_id"],
        status=OrderStatus(row["status"]),
        filled_quantity=row["filled_quantity"],
        filled_cash=row["filled_cash"],
        reason=row["reject_reason"],
    )
