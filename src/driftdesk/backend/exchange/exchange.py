"""Accepts market day orders, reserves cash and shares, fills at the feed's price, expires them at the close.

Fills take `FILL_DELAY` of market time, so that a run can be seen on its way and canceled (rules.md 7.4). Quantities
have 9 decimals, floored; an order moves its cumulative value half-up to the cent and the difference is kept with the
fill: the rounding account is their sum (rules.md 1.3, 1.4).
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.store.tables import accounts, fills, orders, positions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import Market, World
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import StateError
from driftdesk.money import CENT, ZERO, cash_of, exact, quantity_of, round_cents, round_to
from driftdesk.wire.orders import OrderStatus

FILL_DELAY: Final = timedelta(seconds=1)
# How often an order that cannot fill yet (halted, no price) is looked at again.
RETRY_DELAY: Final = timedelta(minutes=1)


class Exchange:
    """A broker (runs.broker.Broker) over the world's store. It knows orders by client order id, so `grace` is zero."""

    grace = timedelta(0)

    def __init__(self, world: World) -> None:
        self._world = world

    def submit(self, request: OrderRequest, now: datetime) -> BrokerOrder:
        """Accept or reject an order; a rejected one is recorded as such. StateError for a repeated client order id."""
        with self._world.database.write() as connection:
            taken = connection.scalar(_one(orders.c.id, request.account_id, request.client_order_id))
            if taken is not None:
                raise StateError(
                    f"client_order_id {request.client_order_id} is used already; each order needs its own."
                )
            market = self._world.market(connection, now)
            reserved, refusal = self._reserve(connection, request, market)
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
            connection.execute(insert(orders).values(values))
        return _broker_order(values)

    def find(self, account_id: AccountId, client_order_ids: Collection[str]) -> dict[str, BrokerOrder]:
        """The account's orders with these client order ids; those it never received are left out."""
        with self._world.database.read() as connection:
            rows = connection.execute(
                select(orders).where(
                    orders.c.account_id == account_id, orders.c.client_order_id.in_(list(client_order_ids))
                )
            ).mappings()
            return {row["client_order_id"]: _broker_order(row) for row in rows}

    def cancel(self, account_id: AccountId, client_order_id: str, now: datetime) -> None:
        """Cancel what is still open of an order; a final order stays as it is."""
        with self._world.database.write() as connection:
            _end(connection, _one(orders.c.id, account_id, client_order_id), OrderStatus.CANCELED, "canceled_at", now)

    def next_update(self, account_id: AccountId, now: datetime) -> datetime:
        """The soonest instant after `now` at which asking again can show something new about the account's orders."""
        with self._world.database.read() as connection:
            due = connection.scalar(
                select(func.min(orders.c.due_at)).where(orders.c.account_id == account_id, orders.c.due_at.is_not(None))
            )
        return max(now, due) if due else now + FILL_DELAY

    def next_event(self) -> datetime | None:
        """The earliest instant at which an open order is due, None without one."""
        with self._world.database.read() as connection:
            due: datetime | None = connection.scalar(select(func.min(orders.c.due_at)))
            return due

    def settle(self, now: datetime) -> int:
        """Fill or expire every order due at `now`, oldest first; the number of orders filled."""
        first = self.next_event()
        if first is None or first > now:
            return 0
        filled = 0
        with self._world.database.write() as connection:
            due = (
                connection.execute(
                    select(orders).where(orders.c.due_at <= now).order_by(orders.c.submitted_at, orders.c.id)
                )
                .mappings()
                .all()
            )
            market = self._world.market(connection, now)
            for row in due:
                close = self._world.sessions.current_or_next(row["submitted_at"]).close
                if now >= close:
                    _end(connection, row["id"], OrderStatus.EXPIRED, "expired_at", now)
                elif not market.is_open or row["symbol"] in market.halted or not market.quote(row["symbol"]).price:
                    again = min(now + RETRY_DELAY, close) if market.is_open else self._first_look(now)
                    connection.execute(update(orders).where(orders.c.id == row["id"]).values(due_at=again))
                else:
                    _fill(connection, row, market)
                    filled += 1
        return filled

    def _first_look(self, now: datetime) -> datetime:
        session = self._world.sessions.current_or_next(now)
        return min(max(now, session.open) + FILL_DELAY, session.close)

    def _reserve(self, connection: Connection, request: OrderRequest, market: Market) -> tuple[Decimal, str | None]:
        quote = market.quote(request.symbol)
        if not quote.tradable:
            return ZERO, f"{request.symbol} is not tradable"
        if request.symbol in market.halted:
            return ZERO, f"{request.symbol} is halted"
        if quote.price is None:
            return ZERO, f"{request.symbol} has no price"
        snapshot = self._world.snapshot(connection, request.account_id, (), market)
        if request.side is Side.BUY:
            cost = request.notional if request.notional is not None else cash_of(request.quantity or ZERO, quote.price)
            free = snapshot.cash - snapshot.reserved_cash
            return round_cents(cost), "insufficient buying power" if round_cents(cost) > free else None
        holding = snapshot.holding(request.symbol)
        available = holding.available if holding else ZERO
        wanted = (
            request.quantity if request.quantity is not None else quantity_of(request.notional or ZERO, quote.price)
        )
        return wanted, f"insufficient quantity of {request.symbol} available" if wanted > available else None


def _one(column: Any, account_id: str, client_order_id: str) -> Any:
    return select(column).where(orders.c.account_id == account_id, orders.c.client_order_id == client_order_id)


def _end(connection: Connection, order_id: Any, status: OrderStatus, stamp: str, now: datetime) -> None:
    open_one = orders.c.id == order_id if isinstance(order_id, str) else orders.c.id.in_(order_id)
    connection.execute(
        update(orders)
        .where(open_one, orders.c.due_at.is_not(None))
        .values({"status": status, stamp: now, "updated_at": now, "due_at": None, "reserved": ZERO})
    )


@exact
def _fill(connection: Connection, row: Row, market: Market) -> None:
    """Fill what is left of the order at the quote, and move shares and cash."""
    price = market.quote(Symbol(row["symbol"])).price
    assert price is not None
    held = (
        connection.execute(
            select(positions).where(positions.c.account_id == row["account_id"], positions.c.symbol == row["symbol"])
        )
        .mappings()
        .first()
    )
    selling = row["side"] == Side.SELL
    wanted = row["quantity"] if row["quantity"] is not None else quantity_of(row["notional"], price)
    # The price may have fallen since the shares were reserved; never sell more than is held.
    limit = (held["quantity"] if held else ZERO) if selling else _affordable(connection, row, price)
    quantity = min(wanted, limit)
    if quantity <= 0:
        _end(connection, row["id"], OrderStatus.EXPIRED, "expired_at", market.now)
        return
    value = row["filled_value"] + quantity * price
    cash = round_cents(value) - row["filled_cash"]
    connection.execute(
        insert(fills).values(
            order_id=row["id"],
            account_id=row["account_id"],
            symbol=row["symbol"],
            side=row["side"],
            at=market.now,
            quantity=quantity,
            price=price,
            cash=cash,
            rounding=cash - quantity * price,
        )
    )
    connection.execute(
        update(orders)
        .where(orders.c.id == row["id"])
        .values(
            status=OrderStatus.FILLED,
            filled_quantity=quantity,
            filled_value=value,
            filled_cash=round_cents(value),
            filled_at=market.now,
            updated_at=market.now,
            due_at=None,
            reserved=ZERO,
        )
    )
    _move(connection, row, held, quantity if not selling else -quantity, cash)


def _affordable(connection: Connection, order: Row, price: Decimal) -> Decimal:
    """How many shares the account can pay for with the cash that other open buys do not reserve."""
    cash: Decimal = connection.scalar(select(accounts.c.cash).where(accounts.c.id == order["account_id"])) or ZERO
    others: Decimal | None = connection.scalar(
        select(func.sum(orders.c.reserved)).where(
            orders.c.account_id == order["account_id"],
            orders.c.side == Side.BUY,
            orders.c.due_at.is_not(None),
            orders.c.id != order["id"],
        )
    )
    return quantity_of(max(ZERO, cash - (others or ZERO)), price)


@exact
def _move(connection: Connection, order: Row, held: Row | None, shares: Decimal, cash: Decimal) -> None:
    paid = cash if shares > 0 else -cash
    connection.execute(update(accounts).where(accounts.c.id == order["account_id"]).values(cash=accounts.c.cash - paid))
    key = (positions.c.account_id == order["account_id"], positions.c.symbol == order["symbol"])
    if held is None:
        connection.execute(
            insert(positions).values(
                account_id=order["account_id"], symbol=order["symbol"], quantity=shares, cost_basis=cash
            )
        )
        return
    left = held["quantity"] + shares
    if left == 0:
        connection.execute(positions.delete().where(*key))
        return
    basis = (
        held["cost_basis"] + cash
        if shares > 0
        else round_to(held["cost_basis"] * left / held["quantity"], CENT, ROUND_HALF_UP)
    )
    connection.execute(update(positions).where(*key).values(quantity=left, cost_basis=basis))


def _broker_order(row: Row) -> BrokerOrder:
    return BrokerOrder(
        id=row["id"],
        client_order_id=row["client_order_id"],
        status=OrderStatus(row["status"]),
        filled_quantity=row["filled_quantity"],
        filled_cash=row["filled_cash"],
        reason=row["reject_reason"],
    )
