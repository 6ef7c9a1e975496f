"""Orders of which nobody knows whether they arrived: each is looked for among those that nobody here sent.

Taken for it is the only one that may be it, where it is so in every respect that a brokerage tells: an order that came
before or much later, or that somebody sent at the brokerage, is not. Where there is none, or more than one, nobody can
tell, and a person has to look (rules.md 7.6).
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.store.tables import orders, price_marks
from driftdesk.backend.store.types import Row
from driftdesk.connected.reader import Reader
from driftdesk.connected.records import Seen
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.money import exact
from driftdesk.wire.orders import OrderStatus, OrderType, TimeInForce

# The clocks of this machine and of a brokerage may differ by so much.
_CLOCKS_DIFFER: Final = timedelta(minutes=1)
# An order reaches the brokerage within the client's waits and its time-out.
_ARRIVES_WITHIN: Final = timedelta(minutes=2)
# An amount and what a brokerage makes of it in shares differ by the price's moves in between.
_PRICES_MOVE: Final = Decimal("0.05")
_NEVER_SEEN: Final = "The brokerage never confirmed this order, and its session is over; look there to be sure."


def settle_doubts(
    connection: Connection, reader: Reader, account_id: str, now: datetime, sending: Collection[str]
) -> None:
    """Find the account's orders in doubt, inside a write transaction; those whose session is over end unconfirmed.

    `sending` are the ids of orders whose answer is still awaited: it will tell.
    """
    later = reader.looks.next_look(now)
    doubted = _in_doubt(connection, account_id)
    for row in doubted:
        if row["id"] not in sending and now >= reader.world.sessions.current_or_next(row["submitted_at"]).close:
            book.set_status(connection, [row], OrderStatus.EXPIRED, now, _NEVER_SEEN)
            continue
        rivals = [each for each in doubted if each["id"] != row["id"] and _alike(each, row)]
        found = None if rivals or row["id"] in sending else _only_one_like(connection, row)
        if found is None:
            connection.execute(update(orders).where(orders.c.id == row["id"]).values(due_at=later))
        else:
            reader.bookings.adopt(connection, row["id"], _seen(found), now, later)


def _in_doubt(connection: Connection, account_id: str) -> list[Row]:
    lost = (orders.c.account_id == account_id, orders.c.broker_order_id.is_(None), orders.c.due_at.is_not(None))
    return list(connection.execute(select(orders).where(*lost)).mappings())


def _alike(one: Row, other: Row) -> bool:
    return bool(one["symbol"] == other["symbol"] and one["side"] == other["side"])


def _only_one_like(connection: Connection, row: Row) -> Row | None:
    """The order at the brokerage that `row` was sent as, where no other may be it."""
    sent = row["submitted_at"]
    theirs = select(orders).where(
        orders.c.account_id == row["account_id"],
        orders.c.client_order_id == orders.c.broker_order_id,
        orders.c.symbol == row["symbol"],
        orders.c.side == row["side"],
        orders.c.submitted_at.between(sent - _CLOCKS_DIFFER, sent + _ARRIVES_WITHIN + _CLOCKS_DIFFER),
    )
    price = connection.scalar(select(price_marks.c.price).where(price_marks.c.symbol == row["symbol"]))
    may_be = [each for each in connection.execute(theirs).mappings() if _same_size(row, each, price)]
    # One of another type may be it too, as brokerages have words of their own, but is not taken for it.
    return may_be[0] if len(may_be) == 1 and may_be[0]["type"] == row["type"] else None


@exact
def _same_size(row: Row, theirs: Row, price: Decimal | None) -> bool:
    """Whether it may be of the size that was sent; a brokerage may not tell the shares of an amount at once."""
    if row["quantity"] is not None:
        return bool(theirs["quantity"] == row["quantity"])
    if not theirs["quantity"] or price is None:
        return True
    return bool(abs(theirs["quantity"] * price - row["notional"]) <= row["notional"] * _PRICES_MOVE)


def _seen(theirs: Row) -> Seen:
    filled: Decimal = theirs["filled_quantity"]
    return Seen(
        broker_order_id=theirs["broker_order_id"],
        symbol=Symbol(theirs["symbol"]),
        side=Side(theirs["side"]),
        status=OrderStatus(theirs["status"]),
        total=theirs["quantity"],
        filled=filled,
        price=_per_share(theirs["filled_value"], filled) if filled else None,
        type=OrderType(theirs["type"]),
        time_in_force=TimeInForce(theirs["time_in_force"]),
        limit_price=theirs["limit_price"],
        stop_price=theirs["stop_price"],
        placed_at=theirs["submitted_at"],
        executed_at=theirs["filled_at"],
    )


@exact
def _per_share(value: Decimal, quantity: Decimal) -> Decimal:
    return value / quantity
