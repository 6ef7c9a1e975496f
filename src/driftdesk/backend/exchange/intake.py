"""Orders that come in: each is checked, reserves what it needs, and is accepted or recorded as rejected (rules.md 8).

What all orders of a transaction need is read once, what is free is counted on in memory, and the orders are written
together, so that many take a handful of statements and have the result of one after the other.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from driftdesk.backend.exchange import book
from driftdesk.backend.exchange.faults import FaultKind, script, take_fault
from driftdesk.backend.exchange.fillmodel import FillModel
from driftdesk.backend.exchange.terms import (
    LARGEST_ORDER,
    Timing,
    check_terms,
    floor_whole,
    short_of_cash,
    short_of_shares,
    timing,
    too_small,
    too_valuable,
    worst_price,
)
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.store.tables import orders
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import World
from driftdesk.engine.snapshot import Quote, Side, Symbol
from driftdesk.errors import InputError, Repeated, StateError
from driftdesk.money import ZERO, exact, quantity_of, round_cents
from driftdesk.wire.orders import OrderStatus, TimeInForce

_TAKEN: Final = select(orders.c.id).where(
    orders.c.account_id == bindparam("account"), orders.c.client_order_id == bindparam("name")
)


class _VenueRefusal(StateError):
    """What only shows once the order is at the exchange: it is recorded as rejected instead of refused."""


class Intake:
    """Takes orders inside a write transaction, in which nothing else moves cash, shares, prices or orders meanwhile."""

    def __init__(self, connection: Connection, world: World, model: FillModel) -> None:
        self._connection = connection
        self._world = world
        self._model = model
        self._faulty = bool(script(connection))
        self._timings: dict[tuple[TimeInForce, datetime], Timing] = {}
        self._quotes: dict[tuple[Symbol, datetime], tuple[Quote, bool]] = {}
        self._free_cash: dict[str, Decimal] = {}
        # Shares held, and those of them that no open sell reserves.
        self._shares: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        self._taken: dict[tuple[str, str], dict[str, Any]] = {}

    def disturbed(self, kind: FaultKind, symbol: str) -> bool:
        """Whether the fault script wants that for an order in `symbol`; it is used up then."""
        return self._faulty and take_fault(self._connection, kind, symbol) is not None

    def take(self, request: OrderRequest, now: datetime, *, strict: bool, **values: Any) -> Row:
        """Accept an order, or reject it with the reason; its row, with `values` beside the order's own.

        Raises Repeated for a client order id used before, and where `strict` what `Exchange.place` raises.
        """
        name = (request.account_id, request.client_order_id)
        asked = {"account": request.account_id, "name": request.client_order_id}
        if name in self._taken or self._connection.scalar(_TAKEN, asked) is not None:
            raise Repeated(f"client_order_id {request.client_order_id} is used already; each order needs its own.")
        order_id = self._world.new_id("order", *name)
        try:
            outcome = self._accept(request, now)
        except (InputError, StateError) as problem:
            if strict and not isinstance(problem, _VenueRefusal):
                raise
            outcome = {"status": OrderStatus.REJECTED, "reject_reason": str(problem), "failed_at": now}
        row = self._taken[name] = book.order_row(order_id, request, now, **outcome, **values)
        return row

    def write(self) -> None:
        """Write what was taken."""
        if self._taken:
            book.add(self._connection, list(self._taken.values()))

    def _accept(self, request: OrderRequest, now: datetime) -> dict[str, Any]:
        check_terms(request)
        key = (request.time_in_force, now)
        if key not in self._timings:
            self._timings[key] = timing(request.time_in_force, now, self._world.sessions, self._model)
        timed = self._timings[key]
        price = self._price(request, now)
        reserved = self._cost(request, price) if request.side is Side.BUY else self._on_sale(request, price)
        if self.disturbed(FaultKind.REJECT, request.symbol):
            raise _VenueRefusal(f"{request.symbol} was rejected by the exchange (fault script)")
        if request.side is Side.BUY:
            self._free_cash[request.account_id] -= reserved
        else:
            held, free = self._shares[request.account_id, request.symbol]
            self._shares[request.account_id, request.symbol] = (held, free - reserved)
        return {
            "status": OrderStatus.ACCEPTED,
            "reserved": reserved,
            "due_at": timed.first_look,
            "expires_at": timed.expires_at,
        }

    def _price(self, request: OrderRequest, now: datetime) -> Decimal:
        symbol = request.symbol
        if (symbol, now) not in self._quotes:
            self._quotes[symbol, now] = self._world.quote(self._connection, symbol, now)
        quote, halted = self._quotes[symbol, now]
        if not quote.tradable:
            raise _VenueRefusal(f"{symbol} is not tradable")
        if halted:
            raise _VenueRefusal(f"{symbol} is halted")
        if quote.price is None:
            raise _VenueRefusal(f"{symbol} has no price")
        if not quote.fractionable and (request.quantity is None or request.quantity != floor_whole(request.quantity)):
            raise _VenueRefusal(f"{symbol} is not fractionable, only whole shares of it are traded")
        return quote.price

    @exact
    def _cost(self, request: OrderRequest, price: Decimal) -> Decimal:
        """What a buy holds back (USD)."""
        value = request.notional or (request.quantity or ZERO) * worst_price(request, price)
        if value < self._world.min_notional:
            raise too_small(request, value, self._world.min_notional)
        if value > LARGEST_ORDER:
            raise too_valuable(request, value)
        cost, account = round_cents(value), request.account_id
        if account not in self._free_cash:
            self._free_cash[account] = self._world.free_cash(self._connection, account)
        if cost > self._free_cash[account]:
            raise short_of_cash(cost, self._free_cash[account])
        return cost

    def _on_sale(self, request: OrderRequest, price: Decimal) -> Decimal:
        """What a sell holds back (shares)."""
        wanted = request.quantity or quantity_of(request.notional or ZERO, price)
        key = (request.account_id, request.symbol)
        if key not in self._shares:
            self._shares[key] = book.shares(self._connection, *key)
        held, free = self._shares[key]
        if wanted > free:
            raise short_of_shares(request.symbol, wanted, held, free)
        return wanted
