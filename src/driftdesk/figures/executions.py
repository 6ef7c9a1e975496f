"""The fills of one run in time: how much was traded when, and at what price against the plan (rules.md 1.4, 7.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Final, TypeVar

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.measures import slippage_bps
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import Side
from driftdesk.figures.fills import SIDE_TEXT, Line, lines_of
from driftdesk.figures.runs import traded
from driftdesk.figures.text import count_of, dollars, money, new_york, percent, wall
from driftdesk.figures.theme import LIGHT, Theme, layout, value_axis
from driftdesk.money import ZERO, exact, round_cents
from driftdesk.wire.activities import Activity, TradeActivity
from driftdesk.wire.orders import Order
from driftdesk.wire.runs import Run

# More points than a curve of this width can show; the last one always stays.
MOST_POINTS: Final = 1_200
SIDES: Final = (("sell", "sold"), ("buy", "bought"))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill of an order of a run. Price in USD a share, notional in USD; `slippage` in basis points against the
    plan's price, positive is cost, None for an order that no line planned."""

    at: datetime
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    notional: Decimal
    slippage: Decimal | None
    client_order_id: str


@exact
def executions(run: Run, told: Iterable[Activity] = ()) -> tuple[Execution, ...]:
    """Every fill of the run's orders, oldest first; the notionals of one order add up to what it moved (rules.md 1.4).

    `told` are activities of the account; those of other orders are left out. An order whose fills are not told counts
    as one fill, at its average price and the instant at which it was filled or else last changed.
    """
    lines = {line.order.id: (line, line.order) for line in lines_of(run) if line.order is not None}
    fills = [fill for fill in told if isinstance(fill, TradeActivity) and fill.order_id in lines]
    values: dict[str, Decimal] = {}
    found: list[Execution] = []
    for fill in sorted(fills, key=lambda fill: fill.transaction_time):
        before = values.get(fill.order_id, ZERO)
        after = values[fill.order_id] = before + fill.qty * fill.price
        line, order = lines[fill.order_id]
        notional = round_cents(after) - round_cents(before)
        found.append(_execution(line, order, fill.transaction_time, fill.qty, fill.price, notional))
    for line, order in lines.values():
        if order.id not in values and order.filled_qty and order.filled_avg_price:
            at = order.filled_at or order.updated_at or order.created_at
            found.append(_execution(line, order, at, order.filled_qty, order.filled_avg_price, traded(order)))
    return tuple(sorted(found, key=lambda fill: fill.at))


def _execution(
    line: Line, order: Order, at: datetime, quantity: Decimal, price: Decimal, notional: Decimal
) -> Execution:
    reference = None if line.planned is None else line.planned.price
    slippage = slippage_bps(price, reference, Side(line.side)) if reference else None
    return Execution(at, line.symbol, line.side, quantity, price, notional, slippage, order.client_order_id)


def thinned(items: Sequence[T], most: int = MOST_POINTS) -> list[T]:
    """At most about `most` of the items, evenly taken, always with the last one."""
    step = max(1, -(-len(items) // most))
    return [*items[:-1:step], *items[-1:]]


def cumulative_figure(run: Run, fills: Sequence[Execution], theme: Theme = LIGHT) -> go.Figure:
    """What was sold and bought so far, in USD, as steps from the run's start to its end; dashed: what was planned."""
    start, end = _span(run, fills)
    lines = lines_of(run)
    traces: list[go.Scatter] = []
    for side, done in SIDES:
        colour = theme.sell if side == "sell" else theme.buy
        goal = sum((line.planned_notional or ZERO for line in lines if line.side == side), ZERO)
        mine = [fill for fill in fills if fill.side == side]
        if not goal and not mine:
            continue
        steps = thinned(list(zip(mine, accumulate(fill.notional for fill in mine), strict=True)))
        total = steps[-1][1] if steps else ZERO
        traces.append(
            go.Scatter(
                name=done,
                mode="lines+markers",
                x=[wall(start), *(wall(fill.at) for fill, _ in steps), wall(end)],
                y=[0.0, *(dollars(amount) for _, amount in steps), dollars(total)],
                line={"color": colour, "width": 2, "shape": "hv"},
                marker={
                    "symbol": "triangle-down" if side == "sell" else "triangle-up",
                    "color": colour,
                    "size": [0, *([8] * len(steps)), 0],
                },
                # A mark at the edge of the axis is drawn whole.
                cliponaxis=False,
                text=["", *(_hover(fill, amount, done) for fill, amount in steps), ""],
                hovertemplate="%{text}<extra></extra>",
            )
        )
        traces.append(
            go.Scatter(
                name=f"to be {done}",
                mode="lines",
                x=[wall(start), wall(end)],
                y=[dollars(goal)] * 2,
                line={"color": colour, "width": 1, "dash": "dash"},
                hovertemplate=f"planned: {money(goal)} to be {done}<extra></extra>",
            )
        )
    return go.Figure(
        traces,
        layout(
            theme,
            height=280,
            margin={"l": 8, "r": 16, "t": 12, "b": 34},
            xaxis=value_axis(theme, type="date"),
            yaxis={
                "fixedrange": True,
                "gridcolor": theme.grid,
                "zeroline": False,
                "rangemode": "tozero",
                "tickprefix": "$",
                "automargin": True,
                "tickfont": {"color": theme.muted, "size": 11},
            },
        ),
    )


def _span(run: Run, fills: Sequence[Execution]) -> tuple[datetime, datetime]:
    """From the start of the run to its end, or to what is known last of one that is open."""
    started = next((event.at for event in run.events if event.status == "IN_PROGRESS"), None)
    first, last = (fills[0].at, fills[-1].at) if fills else (run.created_at, run.updated_at)
    ended = run.completed_at or run.canceled_at or (run.events[-1].at if run.events else last)
    return min(started or first, first), max(ended, last)


def _hover(fill: Execution, amount: Decimal, done: str) -> str:
    return (
        f"{SIDE_TEXT.get(fill.side, fill.side)} {fill.symbol}, {money(fill.notional)}<br>"
        f"{new_york(fill.at, seconds=True)} New York<br>{money(amount)} {done} so far"
    )


def cumulative_alt(run: Run, fills: Sequence[Execution]) -> str:
    """How much of each side was filled, in how many fills, from when to when."""
    if not fills:
        return "Nothing was filled."
    parts = []
    for side, done in SIDES:
        goal = sum((line.planned_notional or ZERO for line in lines_of(run) if line.side == side), ZERO)
        total = sum((fill.notional for fill in fills if fill.side == side), ZERO)
        if goal:
            parts.append(f"{money(total)} {done}, {percent(total / goal, 0)} of the plan")
        elif total:
            parts.append(f"{money(total)} {done}")
    first, last = (new_york(fill.at, seconds=True) for fill in (fills[0], fills[-1]))
    return f"{count_of(len(fills), 'fill')} from {first} to {last} New York: {'; '.join(parts)}."


def executions_table(fills: Sequence[Execution]) -> pd.DataFrame:
    """One row per fill, oldest first: New York time, quantity, price, notional, slippage in bps (positive is cost)."""
    return pd.DataFrame(
        [
            {
                "At": pd.Timestamp(fill.at).tz_convert(NEW_YORK),
                "Side": SIDE_TEXT.get(fill.side, fill.side),
                "Symbol": fill.symbol,
                "Filled quantity": fill.quantity,
                "Fill price": fill.price,
                "Filled notional": fill.notional,
                "Slippage bp": None if fill.slippage is None else round(fill.slippage, 4),
                "Client order id": fill.client_order_id,
            }
            for fill in fills
        ],
        columns=_COLUMNS,
    )


_COLUMNS = [
    "At", "Side", "Symbol", "Filled quantity", "Fill price", "Filled notional", "Slippage bp", "Client order id",
]  # fmt: skip
