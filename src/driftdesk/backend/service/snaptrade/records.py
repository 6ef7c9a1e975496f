"""Rows of orders as SnapTrade's order records (seed 002; wire/snaptrade.md 2c, 3).

For every record at every moment total = filled + canceled + open (rules.md 9). Of an order for a number of shares the
total is that number. An order for a notional has none: its total is what is filled and what the rest of the notional
would buy, floored to nine decimals, at the price now while it is open, and at the price of its end where it was
canceled (a price that was set by hand counts for both); without a price the rest counts as zero. What a replacement
took over counts as canceled in the order that it replaced.
"""

from decimal import Decimal
from typing import Any, Final

from driftdesk.backend.rows import average_price
from driftdesk.backend.service.snaptrade.symbols import universal_symbol
from driftdesk.backend.store.types import Row
from driftdesk.money import ZERO, exact, quantity_of
from driftdesk.wire.orders import OrderStatus as Ours
from driftdesk.wire.orders import OrderType, TimeInForce
from driftdesk.wire.snaptrade.orders import OrderRecord, OrderStatus

_STATUSES: Final = {
    Ours.PENDING_NEW: OrderStatus.PENDING,
    Ours.ACCEPTED: OrderStatus.ACCEPTED,
    Ours.NEW: OrderStatus.ACCEPTED,
    Ours.DONE_FOR_DAY: OrderStatus.ACCEPTED,
    Ours.PARTIALLY_FILLED: OrderStatus.PARTIAL,
    Ours.FILLED: OrderStatus.EXECUTED,
    Ours.PENDING_CANCEL: OrderStatus.CANCEL_PENDING,
    Ours.CANCELED: OrderStatus.CANCELED,
    Ours.EXPIRED: OrderStatus.EXPIRED,
    Ours.REJECTED: OrderStatus.REJECTED,
    Ours.PENDING_REPLACE: OrderStatus.REPLACE_PENDING,
    Ours.REPLACED: OrderStatus.REPLACED,
    Ours.SUSPENDED: OrderStatus.SUSPENDED,
    Ours.STOPPED: OrderStatus.STOPPED,
}
# The same with something filled, where SnapTrade has a word of its own for it.
_PARTLY: Final = {OrderStatus.ACCEPTED: OrderStatus.PARTIAL, OrderStatus.CANCELED: OrderStatus.PARTIAL_CANCELED}
ORDER_TYPES: Final = {
    OrderType.MARKET: "Market",
    OrderType.LIMIT: "Limit",
    OrderType.STOP: "Stop",
    OrderType.STOP_LIMIT: "StopLimit",
}
# Orders for an auction come in by the other doors; MOC is a broker's own word.
TIMES_IN_FORCE: Final = {
    TimeInForce.DAY: "Day",
    TimeInForce.GTC: "GTC",
    TimeInForce.FOK: "FOK",
    TimeInForce.IOC: "IOC",
    TimeInForce.OPG: "MOO",
    TimeInForce.CLS: "MOC",
}
# What came after the seed, and no order here has; the role in a group is left out, which SDK 13 does not take as null.
_NEWER: Final[dict[str, Any]] = {
    "child_brokerage_order_ids": None,
    "quote_universal_symbol": None,
    "quote_currency": None,
    "trailing_stop": None,
    "brokerage_group_order_id": None,
}


def order_record(row: Row, symbol_id: str, price: Decimal | None) -> OrderRecord:
    """The record of an order in the keys of the seed.

    `row` is one of `orders_with_assets` with the asset's `name`; `symbol_id` the id of the security within the account;
    `price` (USD) that of the order's last moment: now while it is open.
    """
    filled, canceled, still_open = _quantities(row, price)
    return OrderRecord(
        brokerage_order_id=row["id"],
        status=_status(row),
        symbol=symbol_id,
        universal_symbol=None if row["asset_id"] is None else universal_symbol(row),
        option_symbol=None,
        action=row["side"].upper(),
        total_quantity=filled + canceled + still_open,
        open_quantity=still_open,
        canceled_quantity=canceled,
        filled_quantity=filled,
        execution_price=average_price(row["filled_value"], filled),
        limit_price=row["limit_price"],
        stop_price=row["stop_price"],
        order_type=ORDER_TYPES[OrderType(row["type"])],
        time_in_force=TIMES_IN_FORCE[TimeInForce(row["time_in_force"])],
        time_placed=row["submitted_at"],
        time_updated=row["updated_at"],
        time_executed=row["filled_at"],
        expiry_date=row["expires_at"],
    )


def newer(record: OrderRecord) -> OrderRecord:
    """`record` with the keys that came after the seed."""
    return record.model_copy(update=_NEWER)


def is_open(row: Row) -> bool:
    """Whether an order may still trade."""
    return row["due_at"] is not None


def _status(row: Row) -> OrderStatus:
    status = _STATUSES.get(Ours(row["status"]), OrderStatus.NONE)
    return _PARTLY.get(status, status) if row["filled_quantity"] else status


@exact
def _quantities(row: Row, price: Decimal | None) -> tuple[Decimal, Decimal, Decimal]:
    """Shares filled, canceled and open, each at least zero."""
    filled: Decimal = row["filled_quantity"]
    if row["quantity"] is not None:
        rest = row["quantity"] - filled
    elif row["status"] == Ours.FILLED or price is None:
        # A notional is done with less than a step of quantity, or with all that the account could give.
        rest = ZERO
    else:
        rest = quantity_of(max(ZERO, row["notional"] - row["filled_value"]), price)
    return (filled, ZERO, rest) if is_open(row) else (filled, rest, ZERO)
