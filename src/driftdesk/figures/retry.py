"""What a run left undone, with the reasons, and what a new run would send for it now (rules.md 6, 7.3)."""

from typing import Final

import pandas as pd

from driftdesk.engine.plan import PlannedOrder
from driftdesk.engine.preview import Preview
from driftdesk.figures.fills import DROPPED, SIDE_TEXT, Line, lines_of
from driftdesk.figures.runs import traded
from driftdesk.figures.text import count_of, money, symbol_text, words
from driftdesk.money import ZERO
from driftdesk.wire.orders import Order, OrderStatus
from driftdesk.wire.runs import Run

# Why an order ended without its whole fill, where the broker gives no reason of its own.
ENDED: Final = {
    OrderStatus.CANCELED: "The order was canceled",
    OrderStatus.EXPIRED: "The order expired at the close",
    OrderStatus.REJECTED: "The order was rejected by the broker",
}
# States of a planned line without an order in the run's list.
UNSENT: Final = frozenset({"PLANNED", DROPPED})
NEVER_MEANT: Final = frozenset({"SKIPPED", "FILLED"})


def unfinished(run: Run) -> tuple[Line, ...]:
    """The lines of an ended run that were not filled in full: refused, canceled, expired or never sent. What the plan
    itself left out is none of them, and an open run has none yet."""
    if run.is_open:
        return ()
    return tuple(
        line
        for line in lines_of(run)
        if (line.order is not None and line.order.status != OrderStatus.FILLED)
        or (line.order is None and line.planned is not None and line.planned.state not in NEVER_MEANT)
    )


def refused_table(run: Run) -> pd.DataFrame:
    """What did not trade and why: orders that were refused, canceled or expired, then lines and orders never sent."""
    plans = {line.client_order_id: line for line in run.plan}
    cut_short = [order for order in run.orders if order.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)]
    ended = [
        {
            "What": words(order.status) if order.status != OrderStatus.REJECTED else "Failed, rejected",
            "Side": SIDE_TEXT.get(order.side, order.side),
            "Symbol": order.symbol,
            "Notional": order.notional if order.client_order_id not in plans else plans[order.client_order_id].notional,
            "Why": _why_ended(order),
        }
        for order in (*run.failed_orders, *cut_short)
    ]
    unsent = [
        {
            "What": "Not sent",
            "Side": SIDE_TEXT.get(line.side, line.side),
            "Symbol": line.symbol,
            "Notional": line.planned_notional,
            "Why": "The run ended before the order was sent."
            if line.planned is not None and line.planned.state in UNSENT
            else "The broker knows no such order.",
        }
        for line in unfinished(run)
        if line.order is None
    ]
    skipped = [
        {
            "What": "Skipped",
            "Side": SIDE_TEXT.get(order.side or "", ""),
            "Symbol": symbol_text(order.symbol),
            "Notional": order.notional,
            "Why": order.reason_details,
        }
        for order in run.skipped_orders
    ]
    return pd.DataFrame([*ended, *unsent, *skipped], columns=["What", "Side", "Symbol", "Notional", "Why"])


def _why_ended(order: Order) -> str:
    known = {str(status): text for status, text in ENDED.items()}
    said = order.reject_reason or known.get(order.status, f"The order ended as {words(order.status).lower()}")
    filled = f"; {money(traded(order))} of it was filled" if traded(order) else ""
    return f"{said.rstrip('.')}{filled}."


def retry_table(run: Run, preview: Preview) -> pd.DataFrame:
    """One row per order that the run left unfinished: planned, filled and left in USD, and what the new run of
    `preview` would send for its symbol, with the reason; then the other orders of the new run."""
    left = unfinished(run)
    orders = {str(order.symbol): order for order in preview.plan.orders}
    skipped = {str(order.symbol): order.reason_details for order in preview.plan.skipped}
    symbols = {line.symbol for line in left}
    return pd.DataFrame(
        [
            *(_row(line, orders.get(line.symbol), skipped.get(line.symbol)) for line in left),
            *(_new(order) for order in preview.plan.orders if order.symbol not in symbols),
        ],
        columns=_COLUMNS,
    )


_COLUMNS = [
    "Symbol", "Unfinished order", "Planned notional", "Filled notional", "Left", "Sends now", "Notional now", "Why",
]  # fmt: skip


def _row(line: Line, order: PlannedOrder | None, skipped: str | None) -> dict[str, object]:
    planned = line.planned_notional
    return {
        "Symbol": line.symbol,
        "Unfinished order": SIDE_TEXT.get(line.side, line.side),
        "Planned notional": planned,
        "Filled notional": line.filled_notional,
        "Left": None if planned is None else max(planned - line.filled_notional, ZERO),
        "Sends now": _side(order),
        "Notional now": None if order is None else order.notional,
        "Why": order.reason if order is not None else skipped or "Nothing is left to trade in it.",
    }


def _new(order: PlannedOrder) -> dict[str, object]:
    return {
        "Symbol": order.symbol,
        "Unfinished order": "",
        "Planned notional": None,
        "Filled notional": None,
        "Left": None,
        "Sends now": _side(order),
        "Notional now": order.notional,
        "Why": order.reason,
    }


def _side(order: PlannedOrder | None) -> str:
    return "Nothing" if order is None else SIDE_TEXT[order.side]


def retry_alt(run: Run, preview: Preview) -> str:
    """How much the run left, and how many orders a new run would send for it and beside it."""
    left = unfinished(run)
    symbols = {line.symbol for line in left}
    mine = [order for order in preview.plan.orders if order.symbol in symbols]
    others = len(preview.plan.orders) - len(mine)
    rest = sum((max((line.planned_notional or ZERO) - line.filled_notional, ZERO) for line in left), ZERO)
    total = sum((order.notional for order in mine), ZERO)
    beside = f", and {count_of(others, 'other order')}" if others else ""
    return (
        f"The run left {money(rest)} of {count_of(len(left), 'order')} untraded. A new run would send "
        f"{count_of(len(mine), 'order')} for {money(total)} in the same symbols{beside}."
    )
