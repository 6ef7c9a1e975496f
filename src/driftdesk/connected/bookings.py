"""What became of orders at brokerages, written into the store: ours and those of others, with their fills.

What an order of ours has filled is booked at once, as the simulated exchange books it: a brokerage may tell of the cash
minutes later, and the buys of a run wait for it. The brokerage's own word on balances counts again when nothing of ours
is under way.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.ledger import Balances, trade
from driftdesk.backend.store.tables import fills, order_events, orders, price_marks
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import World
from driftdesk.connected.records import Seen, read_record, value_of
from driftdesk.engine.snapshot import AccountId, Side, Symbol, dearest_price
from driftdesk.money import PRICE_STEP, ZERO, cash_of, exact, quantity_of, round_cents, round_price
from driftdesk.wire.orders import FINAL_ORDER_STATUSES, OrderStatus
from driftdesk.wire.snaptrade.orders import OrderRecord

_OPEN: Final = select(orders).where(orders.c.account_id == bindparam("account"), orders.c.due_at.is_not(None))
_NAMED: Final = select(orders).where(
    orders.c.account_id == bindparam("account"), orders.c.broker_order_id.in_(bindparam("ids", expanding=True))
)
_CHANGE: Final = update(orders).where(orders.c.id == bindparam("order"))
# For so long after an order was sent the price of its fills is waited for; then the last one counts.
_PRICED_WITHIN: Final = timedelta(minutes=2)
_MARKS: Final = select(price_marks.c.symbol, price_marks.c.price)


class Bookings:
    """Writes what was seen of orders, inside the write transactions of its callers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def take_orders(
        self,
        connection: Connection,
        account_id: str,
        records: Iterable[OrderRecord],
        now: datetime,
        next_look: datetime,
    ) -> int:
        """Take over what became of the account's orders; how many of them traded.

        Fills of orders that we sent are booked; of others the balances tell.
        """
        seen = {found.broker_order_id: found for record in records if (found := read_record(record)) is not None}
        asked = {"account": account_id, "ids": list(seen)}
        rows = {row["broker_order_id"]: row for row in connection.execute(_NAMED, asked).mappings()}
        traded = 0
        for name, found in seen.items():
            row = rows.get(name)
            if row is None:
                self._add_theirs(connection, AccountId(account_id), found, now, next_look)
            else:
                traded += self.take(connection, row, found, now, next_look)
        return traded

    @exact
    def take(self, connection: Connection, row: Row, seen: Seen, now: datetime, next_look: datetime) -> bool:
        """Bring one order up to what was seen of it; whether it traded since. `row` is the order as it stands now."""
        if row["due_at"] is None:
            return False
        filled = seen.filled - row["filled_quantity"]
        if filled > ZERO and seen.price is None and now - row["submitted_at"] < _PRICED_WITHIN:
            # Some brokerages tell of a fill before they tell its price: booked at another, it would stay so.
            connection.execute(_CHANGE, {"order": row["id"], "due_at": next_look})
            return False
        ids, marks = book.EventIds(connection), self._marks(connection)
        changes: dict[str, Any] = {}
        events = []
        value = value_of(seen, marks.get(seen.symbol))
        traded = filled > ZERO and value is not None
        final = seen.status in FINAL_ORDER_STATUSES
        # A brokerage that was asked to cancel may say for a while that the order is as it was.
        canceling = row["status"] == OrderStatus.PENDING_CANCEL and not final
        if traded and value is not None:
            after = {"filled_quantity": seen.filled, "filled_value": value, "filled_cash": round_cents(value)}
            status = OrderStatus.FILLED if seen.status is OrderStatus.FILLED else OrderStatus.PARTIALLY_FILLED
            price = max(PRICE_STEP, round_price((value - row["filled_value"]) / filled))
            position = self._book_fill(connection, row, after, _filled_at(row, seen, now), price)
            changes |= after
            told = book.event(ids, {**row, **changes}, status, now, fill=(price, filled, position))
            events.append(told)
        if (seen.status != row["status"] and not canceling) or final:
            changes |= book.status_changes(seen.status, now)
            if not (traded and seen.status in (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)):
                events.append(book.event(ids, {**row, **changes}, seen.status, now))
        if not final:
            current = {**row, **changes}
            changes |= {"due_at": next_look, "reserved": reserved(current, marks.get(Symbol(row["symbol"])))}
        changes["updated_at"] = now
        connection.execute(_CHANGE, {"order": row["id"], **changes})
        if events:
            connection.execute(insert(order_events), events)
        return traded

    def adopt(self, connection: Connection, order_id: str, seen: Seen, now: datetime, next_look: datetime) -> None:
        """Take what was seen for the order `order_id` of ours, whose name at the brokerage was not known.

        What was entered for it meanwhile as somebody else's order goes.
        """
        row = connection.execute(select(orders).where(orders.c.id == order_id)).mappings().one()
        theirs = (orders.c.account_id == row["account_id"], orders.c.client_order_id == seen.broker_order_id)
        for entered in connection.scalars(select(orders.c.id).where(*theirs, orders.c.id != order_id)).all():
            for table in (fills, order_events):
                connection.execute(table.delete().where(table.c.order_id == entered))
            connection.execute(orders.delete().where(orders.c.id == entered))
        name = {"broker_order_id": seen.broker_order_id}
        connection.execute(_CHANGE, {"order": order_id, **name})
        self.take(connection, {**row, **name}, seen, now, next_look)

    def reserve(self, connection: Connection, account_id: str) -> None:
        """What open orders hold back, at the prices of now."""
        marks = self._marks(connection)
        for row in connection.execute(_OPEN, {"account": account_id}).mappings().all():
            values = {"order": row["id"], "reserved": reserved(row, marks.get(Symbol(row["symbol"])))}
            connection.execute(_CHANGE, values)

    def _add_theirs(
        self, connection: Connection, account_id: AccountId, seen: Seen, now: datetime, next_look: datetime
    ) -> None:
        """Enter an order that was not sent from here: it goes by the brokerage's id, the balances have its cash."""
        final = seen.status in FINAL_ORDER_STATUSES
        request = seen.request(account_id)
        marks = self._marks(connection)
        value = value_of(seen, marks.get(seen.symbol)) or ZERO
        values = {
            **book.status_changes(seen.status, seen.executed_at or now),
            "status": seen.status,
            "broker_order_id": seen.broker_order_id,
            "filled_quantity": seen.filled,
            "filled_value": value,
            "filled_cash": round_cents(value),
            "due_at": None if final else next_look,
        }
        # Entered at the instant at which it was placed, so that lists by time show it there.
        order_id = self._world.new_id("order", account_id, seen.broker_order_id)
        row = book.order_row(order_id, request, seen.placed_at or now, **values)
        if not final:
            row["reserved"] = reserved(row, marks.get(seen.symbol))
        book.add(connection, [row])

    def _book_fill(
        self, connection: Connection, row: Row, after: Mapping[str, Decimal], at: datetime, price: Decimal
    ) -> Decimal:
        """Write the fill; the shares held after it. Cash and shares move for our own orders only."""
        account, symbol = row["account_id"], row["symbol"]
        quantity = after["filled_quantity"] - row["filled_quantity"]
        value = after["filled_value"] - row["filled_value"]
        cash = after["filled_cash"] - row["filled_cash"]
        balances = Balances(connection, [account])
        if row["client_order_id"] != row["broker_order_id"] and cash >= ZERO:
            moves = trade(row["side"] == Side.BUY, account, symbol, quantity, value, cash)
            balances.post(at, "fill", row["id"], moves)
            balances.write()
        connection.execute(
            insert(fills).values(
                order_id=row["id"],
                account_id=account,
                symbol=symbol,
                side=row["side"],
                at=at,
                quantity=quantity,
                price=price,
                cash=cash,
                rounding=cash - value,
            )
        )
        return balances.held(account, symbol)

    def _marks(self, connection: Connection) -> dict[Symbol, Decimal]:
        return {Symbol(row.symbol): row.price for row in connection.execute(_MARKS)}


@exact
def reserved(row: Row, price: Decimal | None) -> Decimal:
    """What the rest of an open order holds back: USD of a buy, shares of a sell. Without a price, nothing is known."""
    quantity: Decimal = row["quantity"] or ZERO
    spent: Decimal = row["filled_cash"]
    if row["quantity"] is None:
        left = max(ZERO, row["notional"] - spent)
        return left if row["side"] == Side.BUY else (quantity_of(left, price) if price else ZERO)
    if row["side"] == Side.SELL:
        left_over: Decimal = quantity - row["filled_quantity"]
        return max(ZERO, left_over)
    dearest = dearest_price(price or ZERO, row["limit_price"], row["stop_price"])
    return max(ZERO, cash_of(quantity, dearest) - spent)


def _filled_at(row: Row, seen: Seen, now: datetime) -> datetime:
    """When it was filled as far as it is said: some brokerages tell the day only."""
    said = seen.executed_at
    return now if said is None or not row["submitted_at"] <= said <= now else said
