"""Orders at the broker as people read them: the list, the terms of one, what happened to it, filled against wanted.

The orders that a plan would send are another subject (plan.py), and so are a run's fills against its plan (fills.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import pandas as pd

from driftdesk.engine.schedule import NEW_YORK
from driftdesk.figures.fills import SIDE_TEXT
from driftdesk.figures.runs import traded
from driftdesk.figures.text import count_of, money, new_york, percent, share, words
from driftdesk.money import ONE, ZERO, exact, floor_cents, format_decimal
from driftdesk.wire.orders import FINAL_ORDER_STATUSES, CreateOrder, Order, OrderStatus, OrderUpdate

# Orders that ended with less than was wanted, or with nothing.
FAILED: Final = (OrderStatus.REJECTED, OrderStatus.EXPIRED)


@dataclass(frozen=True, slots=True)
class AccountOrder:
    """An order with what the wire's order does not carry: the id of its account, and whether that lists it as open."""

    account_id: str
    order: Order
    is_open: bool


def is_final(order: Order) -> bool:
    """Whether nothing can happen to the order any more."""
    return order.status in FINAL_ORDER_STATUSES


def price_text(price: Decimal) -> str:
    """A price of a share in USD with its own decimals, at least two: ``$300.00``, ``$0.1234``."""
    return money(price) if price == floor_cents(price) else f"${format_decimal(price)}"


def shares_text(quantity: Decimal) -> str:
    """``1 share``, ``2.5 shares``."""
    return f"{format_decimal(quantity)} {'share' if quantity == ONE else 'shares'}"


def size_text(order: Order) -> str:
    """What is wanted: ``10``, which are shares, or ``$250.00``."""
    if order.notional is not None:
        return money(order.notional)
    return format_decimal(order.qty or ZERO)


def terms_text(order: Order) -> str:
    """``market``, ``limit $300.00`` or ``stop limit, stop $310.00, limit $309.00``."""
    stop = None if order.stop_price is None else price_text(order.stop_price)
    limit = None if order.limit_price is None else price_text(order.limit_price)
    if stop and limit:
        return f"stop limit, stop {stop}, limit {limit}"
    return " ".join(part for part in (words(order.type).lower(), stop, limit) if part)


def order_text(order: Order) -> str:
    """The order in a few words: ``Buy 10 VTI, limit $300.00, day``."""
    return f"{words(order.side)} {size_text(order)} {order.symbol}, {terms_text(order)}, {order.time_in_force}"


@exact
def filled_share(order: Order) -> Decimal:
    """What of the order is filled, 0..1. One by notional that is filled is filled whole, whatever the cents say."""
    if order.status == OrderStatus.FILLED:
        return ONE
    wanted, filled = (
        (order.qty, order.filled_qty) if order.notional is None else (order.notional, traded(order))
    )  # fmt: skip
    return min(ONE, (filled or ZERO) / wanted) if wanted else ZERO


@exact
def left_text(order: Order) -> str:
    """What is not filled of it: ``7 shares`` or ``$175.00``."""
    if order.notional is not None:
        return money(max(ZERO, order.notional - traded(order)))
    return shares_text((order.qty or ZERO) - (order.filled_qty or ZERO))


def filled_text(order: Order) -> str:
    """Filled against wanted in one sentence."""
    wanted = size_text(order) if order.notional is not None else shares_text(order.qty or ZERO)
    done = money(traded(order)) if order.notional is not None else format_decimal(order.filled_qty or ZERO)
    at = f" at {price_text(order.filled_avg_price)} on average" if order.filled_avg_price else ""
    return f"Filled {done} of {wanted} ({percent(filled_share(order), 0)}){at}."


def ended_text(order: Order) -> str:
    """How an order stands, for whoever asked for its end: ``filled``, ``canceled, 3 of 10 filled``."""
    state = words(order.status).lower()
    if not order.filled_qty or order.status == OrderStatus.FILLED:
        return state
    done = money(traded(order)) if order.notional is not None else format_decimal(order.filled_qty)
    return f"{state}, {done} of {size_text(order)} filled"


@exact
def estimate_text(wanted: CreateOrder, market: Order) -> str:
    """What an order would cost or bring, before it is sent; `market` is the estimate of its market order (USD)."""
    quantity, price = market.filled_qty or ZERO, market.filled_avg_price or ZERO
    said = [f"At the market now about {money(traded(market))}: {shares_text(quantity)} at {price_text(price)}."]
    if wanted.stop_price is not None:
        said.append(f"It waits until the price reaches {price_text(wanted.stop_price)}.")
    if wanted.limit_price is not None:
        bound = "most" if wanted.side == "buy" else "least"
        whole = f", {money(wanted.qty * wanted.limit_price)}" if wanted.qty is not None else ""
        said.append(f"At its limit at {bound} {price_text(wanted.limit_price)} a share{whole}.")
    return " ".join(said)


def broker_orders_table(rows: Iterable[AccountOrder], names: Mapping[str, str]) -> pd.DataFrame:
    """One row an order, in the order given; quantities in shares, prices and notionals in USD. `names` says what an
    account id is called."""
    return pd.DataFrame([_row(row, names) for row in rows], columns=_COLUMNS)


_COLUMNS: Final = [
    "Time", "Account", "Side", "Symbol", "State", "Terms", "Quantity", "Notional", "Filled %", "Filled quantity",
    "Average price", "Time in force", "Details", "Order id", "Client order id",
]  # fmt: skip


def _row(row: AccountOrder, names: Mapping[str, str]) -> dict[str, object]:
    order = row.order
    return {
        "Time": pd.Timestamp(order.submitted_at or order.created_at).tz_convert(NEW_YORK),
        "Account": names.get(row.account_id, row.account_id),
        "Side": SIDE_TEXT.get(order.side, order.side),
        "Symbol": order.symbol,
        "Terms": words(terms_text(order)),
        "Time in force": order.time_in_force,
        "Quantity": order.qty,
        "Notional": order.notional,
        "Filled quantity": order.filled_qty,
        "Filled %": share(filled_share(order), ONE),
        "Average price": order.filled_avg_price,
        "State": words(order.status),
        "Details": order.reject_reason or "",
        "Order id": order.id,
        "Client order id": order.client_order_id,
    }


def broker_orders_alt(rows: Sequence[AccountOrder]) -> str:
    """How many orders there are, how many are open, and how many failed, in one sentence."""
    if not rows:
        return "No orders."
    waiting = sum(row.is_open for row in rows)
    failed = sum(row.order.status in FAILED for row in rows)
    bad = f", {failed} rejected or expired" if failed else ""
    return f"{count_of(len(rows), 'order')}: {waiting} open{bad}."


def order_events_table(order: Order, updates: Sequence[OrderUpdate] = ()) -> pd.DataFrame:
    """What happened to the order, oldest first: New York time, event, shares and price of a fill (USD), position after
    it, reason. Where the backend tells no events, those that the order's own times show."""
    rows = [
        {
            "At": pd.Timestamp(it.at).tz_convert(NEW_YORK),
            "Event": words(it.event),
            "Quantity": it.qty,
            "Fill price": it.price,
            "Filled quantity": it.order.filled_qty,
            "Position": it.position_qty,
            "Details": it.reason or "",
        }
        for it in updates
    ] or _stamped(order)
    return pd.DataFrame(
        rows, columns=["At", "Event", "Quantity", "Fill price", "Filled quantity", "Position", "Details"]
    )


def _stamped(order: Order) -> list[dict[str, object]]:
    known = {
        "Submitted": order.submitted_at or order.created_at,
        "Filled": order.filled_at,
        "Replaced": order.replaced_at,
        "Canceled": order.canceled_at,
        "Expired": order.expired_at,
        "Rejected": order.failed_at,
    }
    stamps = sorted(((at, event) for event, at in known.items() if at is not None), key=lambda pair: pair[0])
    return [{"At": pd.Timestamp(at).tz_convert(NEW_YORK), "Event": event, "Details": ""} for at, event in stamps]


def order_events_alt(table: pd.DataFrame) -> str:
    """The events with their New York times, out of the table that `order_events_table` gave."""
    pairs = zip(table["Event"], table["At"], strict=True)
    told = [f"{event.lower()} {new_york(at, seconds=True)}" for event, at in pairs]
    return f"Events of the order in New York time: {', '.join(told)}."
