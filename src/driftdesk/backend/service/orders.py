"""Orders by hand: place, look up, cancel, replace, close positions, at every door (rules.md 8; seed 003)."""

from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from sqlalchemy import ColumnClause, ColumnElement, Connection, and_, literal_column, select

from driftdesk.backend.exchange import Changes
from driftdesk.backend.exchange.terms import check_terms, short_of_shares
from driftdesk.backend.rows import order_message, orders_with_assets, update_message
from driftdesk.backend.service.holdings import Holdings
from driftdesk.backend.service.order_requests import (
    ALL_TERMS,
    Terms,
    asset_row,
    check_choice,
    check_offered,
    read_choice,
    read_client_order_id,
    read_request,
)
from driftdesk.backend.store.tables import accounts, order_events, orders
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import AccountId, Side
from driftdesk.errors import DataError, DriftdeskError, InputError, NotFound, StateError
from driftdesk.money import HUNDRED, ZERO, exact, floor_quantity, quantity_of
from driftdesk.wire.base import NIL_UUID
from driftdesk.wire.orders import (
    CanceledOrder,
    CreateOrder,
    Order,
    OrderHistory,
    OrderStatus,
    OrderType,
    ReplaceOrder,
    TimeInForce,
)

_CAME_IN: Final[ColumnClause[int]] = literal_column("orders.rowid")
_LISTS: Final = ("open", "closed", "all")
_DIRECTIONS: Final = ("asc", "desc")


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What a list of orders shows; `after` and `until` are exclusive, no `limit` and no `symbols` mean all (rules.md
    8.3)."""

    status: str = "open"
    limit: int | None = 50
    after: datetime | None = None
    until: datetime | None = None
    direction: str = "desc"
    symbols: Collection[str] = ()
    side: str | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """What became of a position that was to be sold: the order, or why there is none."""

    symbol: str
    body: Order | DriftdeskError


class Orders(Holdings):
    """Use cases of orders. An order of another account is not found."""

    def place_order(self, account_id: str, body: CreateOrder, terms: Terms = ALL_TERMS) -> Order:
        """Send an order to the exchange.

        Raises InputError for terms that cannot be, Insufficient without the cash or the shares (403), StateError for an
        account that may not trade or a client_order_id used before.
        """
        now = self.world.now()
        check_offered(body)
        with self.world.database.read() as connection:
            account = self.world.account_row(connection, account_id)
            if account["status"] != "ACTIVE":
                raise StateError(f"Account {account_id} is {account['status']}; only an active one can trade.")
            request = read_request(account_id, asset_row(connection, body.symbol), body, terms)
        # A transaction of its own: where the fault script keeps the answer back, the order is there all the same.
        return self.get_order(account_id, self.exchange.place(request, now))

    def estimate_order(self, account_id: str, body: CreateOrder) -> Order:
        """The order as it would fill now, at the price that its side trades at; nothing is placed or stored."""
        check_offered(body)
        if body.type != OrderType.MARKET:
            raise InputError(
                f"type must be market for an estimate; received {body.type!r}.", field="type", received=body.type
            )
        now = self.world.now()
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            asset = asset_row(connection, body.symbol)
            request = read_request(account_id, asset, body, ALL_TERMS)
            check_terms(request)
            last = self.world.market(connection, now).quote(request.symbol).price
        if last is None:
            raise DataError(f"{request.symbol} has no price now, so nothing can be estimated.")
        price = self.exchange.model.price(request.side, last)
        quantity = request.quantity if request.notional is None else quantity_of(request.notional, price)
        return Order(
            id=NIL_UUID,
            client_order_id=request.client_order_id,
            created_at=now,
            updated_at=now,
            submitted_at=now,
            filled_at=now,
            asset_id=asset["id"],
            exchange=asset["exchange"],
            symbol=request.symbol,
            notional=request.notional,
            qty=request.quantity,
            filled_qty=quantity,
            filled_avg_price=price,
            side=request.side,
            status=OrderStatus.FILLED,
        )

    def order_history(self, account_id: str, order_id: str) -> OrderHistory:
        """One order and everything that happened to it, oldest first."""
        with self.world.database.read() as connection:
            row = self._row(connection, account_id, orders.c.id == order_id, order_id)
            query = select(order_events).where(order_events.c.order_id == order_id).order_by(order_events.c.id)
            told = tuple(update_message(row, event) for event in connection.execute(query).mappings())
        return OrderHistory(order=order_message(row), updates=told)

    def account_of_key(self, named: str | None) -> str:
        """The id of the account that an API key names by number or id, the first one where it names none."""
        query = select(accounts.c.id).order_by(accounts.c.number)
        if named is not None:
            query = query.where((accounts.c.number == named) | (accounts.c.id == named))
        with self.world.database.read() as connection:
            found: str | None = connection.scalar(query.limit(1))
        if found is None:
            raise NotFound(f"There is no account {named}." if named else "There is no account yet; open one first.")
        return found

    def get_order(self, account_id: str, order_id: str) -> Order:
        """One order of the account; NotFound without it."""
        with self.world.database.read() as connection:
            return self._order(connection, account_id, orders.c.id == order_id, order_id)

    def get_order_by_client_id(self, account_id: str, client_order_id: str) -> Order:
        """One order of the account by its client order id; NotFound without it."""
        with self.world.database.read() as connection:
            return self._order(connection, account_id, orders.c.client_order_id == client_order_id, client_order_id)

    def list_orders(self, account_id: str, wanted: OrderFilter = OrderFilter()) -> list[Order]:
        """Orders by submission time (rules.md 8.3)."""
        check_choice("status", wanted.status, _LISTS)
        check_choice("direction", wanted.direction, _DIRECTIONS)
        if wanted.side:
            check_choice("side", wanted.side, tuple(Side))
        query = orders_with_assets().where(orders.c.account_id == account_id)
        if wanted.status != "all":
            is_open = wanted.status == "open"
            query = query.where(orders.c.due_at.is_not(None) if is_open else orders.c.due_at.is_(None))
        if wanted.after is not None:
            query = query.where(orders.c.submitted_at > wanted.after)
        if wanted.until is not None:
            query = query.where(orders.c.submitted_at < wanted.until)
        if wanted.symbols:
            query = query.where(orders.c.symbol.in_([symbol.upper() for symbol in wanted.symbols]))
        if wanted.side:
            query = query.where(orders.c.side == wanted.side)
        # Orders of one instant, of which a simulated clock has many, in the order in which they came in.
        by = (orders.c.submitted_at, _CAME_IN)
        query = query.order_by(*(part.asc() if wanted.direction == "asc" else part.desc() for part in by))
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            return [order_message(row) for row in connection.execute(query.limit(wanted.limit)).mappings()]

    def cancel_order(self, account_id: str, order_id: str) -> None:
        """Cancel an open order; NotFound without it, StateError when it is final (seed 003)."""
        with self._together():
            order = self.get_order(account_id, order_id)
            if not self.exchange.cancel_open(AccountId(account_id), order.client_order_id, self.world.now()):
                raise StateError(f"Order {order_id} is {order.status}; only an open order can be canceled.")

    def cancel_orders(self, account_id: str) -> list[CanceledOrder]:
        """Cancel every open order of the account; what became of each."""
        found = []
        with self._together():
            for order in self.list_orders(account_id, OrderFilter(limit=None)):
                self.exchange.cancel(AccountId(account_id), order.client_order_id, self.world.now())
                canceled = self.get_order(account_id, order.id)
                found.append(CanceledOrder(id=order.id, status=HTTPStatus.OK, body=canceled))
        return found

    def replace_order(self, account_id: str, order_id: str, body: ReplaceOrder, terms: Terms = ALL_TERMS) -> Order:
        """Replace an open order by one with other terms; the new order. A new qty counts what has been filled."""
        if body.trail is not None:
            raise InputError("trail is not offered; there are no trailing stops here.", field="trail", allowed="null")
        with self.world.database.write() as connection:
            row = self._row(connection, account_id, orders.c.id == order_id, order_id)
            changes = Changes(
                client_order_id=read_client_order_id(body.client_order_id, terms),
                quantity=body.qty,
                time_in_force=read_choice(TimeInForce, "time_in_force", body.time_in_force, terms.times_in_force)
                if body.time_in_force
                else None,
                limit_price=body.limit_price,
                stop_price=body.stop_price,
            )
            made = self.exchange.replace(row, changes, self.world.now())
            return self._order(connection, account_id, orders.c.id == made, made)

    @exact
    def close_position(
        self, account_id: str, symbol: str, *, qty: Decimal | None = None, percentage: Decimal | None = None
    ) -> Order:
        """Sell a position at the market: all that is available, `qty` shares, or `percentage` of it."""
        if qty is not None and percentage is not None:
            raise InputError("Give either qty or percentage, and not both.", field="qty", allowed="one of the two")
        if percentage is not None and not ZERO < percentage <= HUNDRED:
            raise InputError(
                f"percentage must be above 0 and at most 100; received {percentage}.",
                field="percentage",
                received=percentage,
                allowed="above 0, at most 100",
            )
        position = self.position(account_id, symbol)
        available = position.qty_available or ZERO
        size = available if qty is None else qty
        if percentage is not None:
            size = floor_quantity(position.qty * percentage / HUNDRED)
        elif qty is None and available == ZERO:
            raise short_of_shares(position.symbol, position.qty, position.qty, available)
        body = CreateOrder(
            symbol=position.symbol, side=Side.SELL, type=OrderType.MARKET, time_in_force=TimeInForce.DAY, qty=size
        )
        return self.place_order(account_id, body)

    def close_positions(self, account_id: str, *, cancel_orders: bool = False) -> list[Closing]:
        """Sell every position at the market, after canceling the open orders if asked to; what became of each."""
        found = []
        with self._together():
            if cancel_orders:
                self.cancel_orders(account_id)
            for position in self.positions(account_id):
                try:
                    found.append(Closing(position.symbol, self.close_position(account_id, position.symbol)))
                except DriftdeskError as problem:
                    found.append(Closing(position.symbol, problem))
        return found

    def _together(self) -> AbstractContextManager[object]:
        """What is asked of the simulated exchange inside happens in one transaction. A brokerage is asked with none
        open: its answer may take half a minute, and others write meanwhile."""
        return nullcontext() if self.world.connected else self.world.database.write()

    def _order(self, connection: Connection, account_id: str, which: ColumnElement[bool], said: str) -> Order:
        return order_message(self._row(connection, account_id, which, said))

    def _row(self, connection: Connection, account_id: str, which: ColumnElement[bool], said: str) -> Row:
        self.world.account_row(connection, account_id)
        query = orders_with_assets().where(and_(orders.c.account_id == account_id, which))
        row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"Order {said} is not found in account {account_id}.")
        return row
