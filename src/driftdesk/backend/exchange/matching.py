"""One settling: every due order gets one look. Does it expire, rest, trade, and how much (rules.md 1.3, 1.4, 8)?

The exchange holds customers' orders against the feed's price; they never trade with each other. Balances are read once,
moved in memory and written once with the fills, the events and the orders that changed, so that a settling of many
orders takes a handful of statements and has the result of one after the other.
"""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.exchange.faults import FaultKind, script, take_fault
from driftdesk.backend.exchange.fillmodel import MINUTE, FillModel
from driftdesk.backend.exchange.terms import (
    LARGEST_ORDER,
    LIMITED,
    ONE_LOOK,
    STOPPED,
    stop_reached,
    within_limit,
)
from driftdesk.backend.ledger import USD, Balances, trade
from driftdesk.backend.store.tables import fills, order_events, orders
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import Market
from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.money import ZERO, exact, quantity_of, round_cents
from driftdesk.wire.orders import OrderStatus, TimeInForce

# So many orders are held in memory; the next ones have a settling of their own.
_AT_ONCE: Final = 5000
_DUE: Final = (
    select(orders)
    .where(orders.c.due_at <= bindparam("now"))
    .order_by(orders.c.submitted_at, book.ARRIVAL)
    .limit(_AT_ONCE)
)
_OPEN: Final = (orders.c.account_id, orders.c.side, orders.c.symbol)
_RESERVED: Final = (
    select(*_OPEN, func.sum(orders.c.reserved).label("reserved"))
    .where(orders.c.account_id.in_(bindparam("ids", expanding=True)), orders.c.due_at.is_not(None))
    .group_by(*_OPEN)
)
_CHANGE: Final = update(orders).where(orders.c.id == bindparam("order"))
_SHORT: Final = {
    Side.BUY: "insufficient buying power for the rest",
    Side.SELL: "insufficient quantity available for the rest",
}
_MISSED: Final = "it could not be looked at in its session"


class Settling:
    """The next orders due at one instant, inside a write transaction: `settle` looks at each and writes what came of
    it. None of them is due at that instant afterwards."""

    def __init__(self, connection: Connection, market: Market, sessions: Sessions, model: FillModel) -> None:
        self._connection = connection
        self._market = market
        self._now = market.now
        self._sessions = sessions
        self._model = model
        self._faulty = bool(script(connection))
        self._due: list[Row] = list(connection.execute(_DUE, {"now": market.now}).mappings())
        ids = sorted({row["account_id"] for row in self._due})
        self._balances = Balances(connection, ids)
        # What open orders hold back of an account's cash, and of its shares of a symbol.
        self._reserved: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        for row in connection.execute(_RESERVED, {"ids": ids}).mappings():
            self._reserved[_pool(row)] += row["reserved"]
        self._changes: dict[str, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._ids = book.EventIds(connection)
        self._fills: list[dict[str, Any]] = []

    def settle(self) -> int:
        """Look at every due order, oldest first; how many traded."""
        for row in self._due:
            self._look_at(row)
        self._balances.write()
        if self._fills:
            self._connection.execute(insert(fills), self._fills)
        if self._events:
            self._connection.execute(insert(order_events), self._events)
        # Statements of many rows want the same columns in each.
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for order_id, changes in self._changes.items():
            alike[tuple(sorted(changes))].append({"order": order_id, **changes})
        for rows in alike.values():
            self._connection.execute(_CHANGE, rows)
        return len(self._fills)

    def _look_at(self, row: Row) -> None:
        symbol, closing = Symbol(row["symbol"]), row["time_in_force"] == TimeInForce.CLS
        quote = self._market.quote(symbol)
        if self._is_over(row, closing=closing):
            # An order with one look has missed it: the exchange was not running then, or the session ended before.
            missed = row["time_in_force"] in ONE_LOOK
            self._set_status(row, *((OrderStatus.CANCELED, _MISSED) if missed else (OrderStatus.EXPIRED,)))
        elif not (self._market.is_open or closing):
            self._rest_until_open(row)
        elif symbol in self._market.halted or not quote.tradable or quote.price is None:
            self._no_trade(row, f"{symbol} could not be traded", again=self._now + MINUTE)
        elif self._faulty and (delayed := take_fault(self._connection, FaultKind.DELAY, symbol)):
            self._look_again(row, self._now + delayed.seconds)
        else:
            self._match(row, quote.price)

    def _is_over(self, row: Row, *, closing: bool) -> bool:
        """Whether the order has expired. The price of a closing auction stands until the next session opens."""
        ends = row["expires_at"]
        if ends is None:
            return False
        until: datetime = self._sessions.next_open(ends) if closing else ends
        return self._now >= until

    @exact
    def _match(self, row: Row, last: Decimal) -> None:
        side, symbol = Side(row["side"]), Symbol(row["symbol"])
        if row["type"] in STOPPED and row["stopped_at"] is None:
            if not stop_reached(side, row["stop_price"], last):
                self._no_trade(row, "the stop was not reached")
                return
            row = self._change(row, stopped_at=self._now)
        price = self._model.price(side, last)
        if row["type"] in LIMITED and not within_limit(side, row["limit_price"], price):
            self._no_trade(row, "the limit was not reached")
            return
        wanted = (
            row["quantity"] - row["filled_quantity"]
            if row["quantity"] is not None
            else quantity_of(row["notional"] - row["filled_value"], price)
        )
        there = self._there_is(row, side, price)
        quantity = min(wanted, there, self._model.size(symbol, self._now, wanted))
        if self._faulty and (part := take_fault(self._connection, FaultKind.FILL_PART, symbol)):
            quantity = min(quantity, part.part_of(wanted))
        if row["time_in_force"] == TimeInForce.FOK and quantity < wanted:
            self._set_status(row, OrderStatus.CANCELED, "not all of it could trade")
            return
        short = there <= quantity
        if quantity > ZERO:
            # A notional order is done with what there is; of a quantity the rest is given back.
            row = self._fill(row, quantity, price, left=ZERO if short and row["notional"] else wanted - quantity)
        if row["due_at"] is None:
            return
        if short:
            self._set_status(row, OrderStatus.CANCELED, _SHORT[side])
        else:
            self._no_trade(row, "the rest could not trade at once", again=self._now + MINUTE)

    def _there_is(self, row: Row, side: Side, price: Decimal) -> Decimal:
        """How many shares the account can sell, or pay for: of what its other open orders do not hold back.

        Prices may have moved since the order was accepted, so that it wants more than it holds back itself.
        """
        account, held = row["account_id"], self._balances.held(row["account_id"], row["symbol"])
        others: Decimal = self._reserved[_pool(row)] - row["reserved"]
        if side is Side.SELL:
            return held - others
        affordable = quantity_of(max(ZERO, self._balances.cash(account) - others), price)
        return min(affordable, LARGEST_ORDER - held)

    @exact
    def _fill(self, row: Row, quantity: Decimal, price: Decimal, *, left: Decimal) -> Row:
        """Trade `quantity` at `price`: the fill, the ledger, the order; `left` is what is still wanted then."""
        account, symbol, buys = row["account_id"], row["symbol"], row["side"] == Side.BUY
        value = quantity * price
        total = row["filled_value"] + value
        cash = round_cents(total) - row["filled_cash"]
        self._fills.append(
            {
                "order_id": row["id"],
                "account_id": account,
                "symbol": symbol,
                "side": row["side"],
                "at": self._now,
                "quantity": quantity,
                "price": price,
                "cash": cash,
                "rounding": cash - value,
            }
        )
        self._balances.post(self._now, "fill", row["id"], trade(buys, account, symbol, quantity, value, cash))
        ended = left == ZERO
        status = OrderStatus.FILLED if ended else OrderStatus.PARTIALLY_FILLED
        filled = self._change(
            row,
            status=status,
            filled_quantity=row["filled_quantity"] + quantity,
            filled_value=total,
            filled_cash=round_cents(total),
            filled_at=self._now if ended else None,
            due_at=None if ended else row["due_at"],
            reserved=ZERO if ended else max(ZERO, row["reserved"] - (cash if buys else quantity)),
        )
        position = self._balances.held(account, symbol)
        self._events.append(book.event(self._ids, filled, status, self._now, fill=(price, quantity, position)))
        return filled

    def _no_trade(self, row: Row, why: str, again: datetime | None = None) -> None:
        """Nothing trades now: an order with one look ends, another rests until `again`, or its price may change."""
        if row["time_in_force"] in ONE_LOOK:
            self._set_status(row, OrderStatus.CANCELED, why)
            return
        if row["status"] in (OrderStatus.ACCEPTED, OrderStatus.DONE_FOR_DAY):
            row = self._set_status(row, OrderStatus.PARTIALLY_FILLED if row["filled_quantity"] else OrderStatus.NEW)
        self._look_again(row, again)

    def _look_again(self, row: Row, at: datetime | None) -> None:
        """Due at `at`, at the latest at the close. A session has one price (rules.md 5.1), unless one is set by hand,
        which wakes the orders that it concerns."""
        close = self._sessions.next_close(self._now)
        self._change(row, due_at=close if at is None else min(at, close))

    def _rest_until_open(self, row: Row) -> None:
        """The session has ended and the order has not: it is done for the day and rests until the next open."""
        if row["status"] not in (OrderStatus.ACCEPTED, OrderStatus.DONE_FOR_DAY):
            row = self._set_status(row, OrderStatus.DONE_FOR_DAY)
        self._change(row, due_at=self._model.first_look(self._now, self._sessions))

    def _set_status(self, row: Row, status: OrderStatus, reason: str | None = None) -> Row:
        changed = self._change(row, **book.status_changes(status, self._now, reason))
        self._events.append(book.event(self._ids, changed, status, self._now, reason=reason))
        return changed

    def _change(self, row: Row, **changes: Any) -> Row:
        changes["updated_at"] = self._now
        self._changes.setdefault(row["id"], {}).update(changes)
        if "reserved" in changes:
            self._reserved[_pool(row)] += changes["reserved"] - row["reserved"]
        return {**row, **changes}


def _pool(row: Row) -> tuple[str, str]:
    """What an order holds something back of: the account's cash, or its shares of the symbol."""
    return row["account_id"], USD if row["side"] == Side.BUY else row["symbol"]
