"""What was filled against what was planned, order by order (rules.md 7.2; slippage: positive is cost)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.measures import slippage_bps
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import Side
from driftdesk.figures.runs import PREVIEWED, run_traded, traded
from driftdesk.figures.text import EN_DASH, count_of, dollars, money, percent, signed_bps, words
from driftdesk.figures.theme import LIGHT, Cell, Theme, rows_layout
from driftdesk.money import ZERO
from driftdesk.wire.orders import Order, OrderStatus
from driftdesk.wire.runs import PlannedLine, Run

SIDE_TEXT: Final = {"sell": "▼ Sell", "buy": "▲ Buy"}
# The state of a planned line that was never sent.
DROPPED: Final = "DROPPED"


@dataclass(frozen=True, slots=True)
class Line:
    """One order of a run beside its planned line; either may be missing. Money in USD."""

    symbol: str
    side: str
    planned: PlannedLine | None
    order: Order | None

    @property
    def planned_notional(self) -> Decimal | None:
        """What was meant to trade; None for an order by quantity without its plan."""
        if self.planned is not None:
            return self.planned.notional
        return None if self.order is None else self.order.notional

    @property
    def filled_notional(self) -> Decimal:
        """What traded."""
        return ZERO if self.order is None else traded(self.order)

    @property
    def slippage(self) -> Decimal | None:
        """Fill against the plan's price in basis points, positive is cost; None before a fill or without a plan."""
        if self.planned is None or self.order is None or not self.order.filled_avg_price or not self.order.filled_qty:
            return None
        return slippage_bps(self.order.filled_avg_price, self.planned.price, Side(self.side))


def lines_of(run: Run) -> tuple[Line, ...]:
    """The run's planned lines with their orders (matched by client_order_id), then orders that no line planned.

    Lines that were only previewed are none of them: nothing was planned or sent yet.
    """
    orders = {order.client_order_id: order for order in (*run.orders, *run.failed_orders)}
    lines = [
        Line(line.symbol, line.side, line, orders.pop(line.client_order_id, None))
        for line in sorted(run.plan, key=lambda line: line.line)
        if line.state != PREVIEWED
    ]
    return (*lines, *(Line(order.symbol, order.side, None, order) for order in orders.values()))


def fills_figure(run: Run, theme: Theme = LIGHT) -> go.Figure:
    """Hollow bar: planned notional; filled bar inside it: what traded. `customdata` is the client order id."""
    lines = lines_of(run)
    labels = labels_of(lines)
    colours = [theme.sell if line.side == "sell" else theme.buy for line in lines]
    hover = [
        f"<b>{label}</b><br>planned {_money(line.planned_notional)}, filled {money(line.filled_notional)}"
        for label, line in zip(labels, lines, strict=True)
    ]
    return go.Figure(
        [
            go.Bar(
                name="planned",
                orientation="h",
                x=[dollars(line.planned_notional or ZERO) for line in lines],
                y=labels,
                width=0.6,
                marker={"color": theme.band_fill, "line": {"color": theme.band_line, "width": 1}},
                hoverinfo="skip",
            ),
            go.Bar(
                name="filled",
                orientation="h",
                x=[dollars(line.filled_notional) for line in lines],
                y=labels,
                width=0.3,
                marker={"color": colours},
                customdata=[_client_id(line) for line in lines],
                text=hover,
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
            ),
        ],
        lines_layout(
            theme,
            lines,
            {"tickprefix": "$", "rangemode": "tozero"},
            "Notional: outlined planned, solid filled",
            ("Filled", _filled),
        ),
    )


def lines_layout(
    theme: Theme, lines: tuple[Line, ...], axis: dict[str, Any], title: str, column: tuple[str, Callable[[Line], str]]
) -> dict[str, Any]:
    """The layout of a chart with a row per order: its values on `axis` with `title` below, and two numbers beside each
    row, the one of `column` (its head, its text) and the slippage."""
    labels = labels_of(lines)
    head, text = column
    rows: list[tuple[str, Cell, Cell]] = [
        (label, (text(line), None), (_slippage(line), None)) for label, line in zip(labels, lines, strict=True)
    ]
    return rows_layout(theme, axis, title, (head, "Slippage"), rows)


def labels_of(lines: tuple[Line, ...]) -> list[str]:
    """One label per line; a repeated one gets its number, because a chart merges equal rows."""
    labels: list[str] = []
    for line in lines:
        text = f"{SIDE_TEXT.get(line.side, line.side)} {line.symbol}"
        labels.append(text if text not in labels else f"{text} ({len(labels) + 1})")
    return labels


def _client_id(line: Line) -> str:
    if line.planned is not None:
        return line.planned.client_order_id
    return "" if line.order is None else line.order.client_order_id


def _money(amount: Decimal | None) -> str:
    return EN_DASH if amount is None else money(amount)


def _filled(line: Line) -> str:
    planned = line.planned_notional
    return EN_DASH if not planned else percent(line.filled_notional / planned, 0)


def _slippage(line: Line) -> str:
    return EN_DASH if line.slippage is None else signed_bps(line.slippage)


def fills_table(run: Run) -> pd.DataFrame:
    """One row per planned line or order: planned and filled, prices, slippage in bps (positive is cost), status."""
    return pd.DataFrame([_row(line) for line in lines_of(run)], columns=_COLUMNS)


_COLUMNS = [
    "Line", "Side", "Symbol", "Planned notional", "Planned price", "Filled quantity", "Average price",
    "Filled notional", "Slippage bp", "State", "Filled at", "Why", "Client order id",
]  # fmt: skip


def _row(line: Line) -> dict[str, object]:
    order, plan = line.order, line.planned
    filled_at = None if order is None else order.filled_at
    return {
        "Line": None if plan is None else plan.line,
        "Side": SIDE_TEXT.get(line.side, line.side),
        "Symbol": line.symbol,
        "Planned notional": line.planned_notional,
        "Planned price": None if plan is None else plan.price,
        "Filled quantity": None if order is None else order.filled_qty,
        "Average price": None if order is None else order.filled_avg_price,
        "Filled notional": line.filled_notional,
        "Slippage bp": None if line.slippage is None else round(line.slippage, 4),
        "State": _state(line),
        "Filled at": None if filled_at is None else pd.Timestamp(filled_at).tz_convert(NEW_YORK),
        "Why": "" if plan is None else plan.reason,
        "Client order id": _client_id(line),
    }


def _state(line: Line) -> str:
    if line.order is not None:
        return words(line.order.status)
    if line.planned is None:
        return ""
    return "Not sent" if line.planned.state == DROPPED else words(line.planned.state)


def previewed_table(run: Run) -> pd.DataFrame:
    """The orders that a run was created from, one row each, until it starts; empty once it planned its own. USD."""
    return pd.DataFrame(
        [
            {
                "Side": SIDE_TEXT.get(line.side, line.side),
                "Symbol": line.symbol,
                "Notional": line.notional,
                "Quantity": line.estimated_qty if line.qty is None else line.qty,
                "Price": line.price,
                "Why": line.reason,
            }
            for line in sorted(run.plan, key=lambda line: line.line)
            if line.state == PREVIEWED
        ],
        columns=["Side", "Symbol", "Notional", "Quantity", "Price", "Why"],
    )


def previewed_alt(run: Run) -> str:
    """How many orders were previewed, and for how much."""
    notionals = [line.notional for line in run.plan if line.state == PREVIEWED]
    yet = " yet" if run.is_open else ""
    return f"{count_of(len(notionals), 'previewed order')} for {money(sum(notionals, ZERO))}; nothing was sent{yet}."


def fills_alt(run: Run) -> str:
    """How much of the plan was filled, and at what slippage, in one sentence."""
    lines = lines_of(run)
    if not lines:
        return "The run has no orders."
    done = sum(1 for line in lines if line.order is not None and line.order.status == OrderStatus.FILLED)
    costs = [line.slippage for line in lines if line.slippage is not None]
    worst = f"; largest slippage {signed_bps(max(costs, key=abs))}" if costs else ""
    return f"{done} of {count_of(len(lines), 'order')} filled for {money(run_traded(run))}{worst}."
