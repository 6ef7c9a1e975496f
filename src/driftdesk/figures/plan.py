"""What a preview would do: orders, skips, and the weights before and after (rules.md 6.6)."""

from decimal import Decimal

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.drift import HoldingDrift
from driftdesk.engine.preview import Preview
from driftdesk.engine.snapshot import Side
from driftdesk.figures.drift import Scale, alarm, band_trace, line_trace, mark_of, place, target_trace
from driftdesk.figures.text import count_of, dollars, money, percent, percent_cell, signed_points, symbol_text
from driftdesk.figures.theme import LIGHT, Theme, rows_layout

SIDE_TEXT = {Side.SELL: "▼ Sell", Side.BUY: "▲ Buy"}


def before_after_figure(preview: Preview, scale: Scale = Scale.DRIFT, theme: Theme = LIGHT) -> go.Figure:
    """Hollow: where each row stands; filled: where the orders would bring it. `customdata` is the symbol."""
    rows = preview.before.rows
    moves = [(row, *position) for row in rows if (position := _move(preview, row, scale)) is not None]
    named = [symbol_text(row.symbol) for row, *_ in moves]
    now = [mark_of(row, theme).colour for row, *_ in moves]
    then = [_alarm_after(preview, row, theme) or theme.neutral for row, *_ in moves]
    hover = [
        f"<b>{symbol_text(row.symbol)}</b><br>weight {percent(row.actual)} now, "
        f"{percent(_weight_after(preview, row))} after"
        for row, *_ in moves
    ]

    def dots(title: str, positions: list[float], symbol: str, colours: list[str], size: int) -> go.Scatter:
        return go.Scatter(
            name=title,
            mode="markers",
            x=positions,
            y=named,
            marker={
                "symbol": symbol,
                "size": size,
                "color": colours,
                "line": {"width": 1.5 if title == "before" else 0, "color": colours},
            },
            customdata=[row.symbol for row, *_ in moves],
            text=hover,
            hovertemplate="%{text}<extra></extra>",
        )

    return go.Figure(
        [
            band_trace(rows, scale, theme),
            line_trace([(symbol_text(row.symbol), before, after) for row, _, before, after in moves], theme),
            target_trace(named, [target for _, target, _, _ in moves], theme),
            dots("before", [before for *_, before, _ in moves], "circle-open", now, 12),
            dots("after", [after for *_, after in moves], "circle", then, 9),
        ],
        rows_layout(
            theme,
            {"ticksuffix": "" if scale is Scale.DRIFT else "%"},
            f"{scale.value}: hollow before, filled after",
            ("Drift now", "After"),
            [
                (
                    symbol_text(row.symbol),
                    (signed_points(row.drift), alarm(row, theme)),
                    (signed_points(_drift_after(preview, row)), _alarm_after(preview, row, theme)),
                )
                for row in rows
            ],
        ),
    )


def _after(preview: Preview, row: HoldingDrift) -> HoldingDrift | None:
    return next((after for after in preview.after.rows if after.symbol == row.symbol), None)


def _weight_after(preview: Preview, row: HoldingDrift) -> Decimal:
    after = _after(preview, row)
    return Decimal(0) if after is None else after.actual


def _drift_after(preview: Preview, row: HoldingDrift) -> Decimal:
    return _weight_after(preview, row) - row.target


def _alarm_after(preview: Preview, row: HoldingDrift, theme: Theme) -> str | None:
    after = _after(preview, row)
    return None if after is None else alarm(after, theme)


def _move(preview: Preview, row: HoldingDrift, scale: Scale) -> tuple[float, float, float] | None:
    """Target, position before and position after; None where the scale cannot place the row."""
    before = place(row, scale)
    after = _after(preview, row)
    if before is None:
        return None
    if after is not None and (placed := place(after, scale)) is not None:
        return before[0], before[1], placed[1]
    # Sold completely and without a target: the row is gone, its weight and its drift are zero.
    return before[0], before[1], 0.0


def before_after_alt(preview: Preview) -> str:
    """The takeaway of the before and after chart in one sentence."""
    before, after = len(preview.before.breached), len(preview.after.breached)
    orders = count_of(len(preview.plan.orders), "order")
    cash = f"cash {percent(_cash(preview.before.rows))} before, {percent(_cash(preview.after.rows))} after"
    return f"{count_of(before, 'holding')} outside the band before, {after} after {orders}; {cash}."


def _cash(rows: tuple[HoldingDrift, ...]) -> Decimal:
    return next((row.actual for row in rows if row.quantity is None), Decimal(0))


def orders_figure(preview: Preview, theme: Theme = LIGHT) -> go.Figure:
    """Planned notionals: sells to the left, buys to the right, in the order of sending; `customdata` is the line."""
    orders = preview.plan.orders
    labels = [f"{order.symbol}" for order in orders]
    signed = [dollars(order.notional if order.side is Side.BUY else -order.notional) for order in orders]
    return go.Figure(
        [
            go.Bar(
                name="notional",
                orientation="h",
                x=signed,
                y=labels,
                width=0.52,
                marker={"color": [theme.buy if order.side is Side.BUY else theme.sell for order in orders]},
                customdata=[order.line for order in orders],
                text=[f"{SIDE_TEXT[order.side]} {money(order.notional)}" for order in orders],
                textposition="none",
                hovertemplate="<b>%{y}</b> %{text}<extra></extra>",
            )
        ],
        rows_layout(
            theme,
            {"tickprefix": "$", "zeroline": True, "zerolinecolor": theme.band_line},
            "◀ sell · buy ▶, planned notional",
            ("Notional", "Of equity"),
            [
                (
                    label,
                    (money(order.notional, cents=False), theme.buy if order.side is Side.BUY else theme.sell),
                    (percent(order.notional / preview.before.equity), None),
                )
                for label, order in zip(labels, orders, strict=True)
            ],
        ),
    )


def orders_alt(preview: Preview) -> str:
    """What the orders come to, in one sentence."""
    plan = preview.plan
    if not plan.orders:
        return f"No orders; {count_of(len(plan.skipped), 'order')} skipped."
    return (
        f"{count_of(len(plan.sells), 'sell')} for {money(preview.sells_total)} and "
        f"{count_of(len(plan.buys), 'buy')} for {money(preview.buys_total)}; {len(plan.skipped)} skipped."
    )


def orders_table(preview: Preview) -> pd.DataFrame:
    """The orders in the order of sending, each with its reason. Weights and band in percent; quantity as estimated."""
    before = {row.symbol: row for row in preview.before.rows}
    after = {row.symbol: row for row in preview.after.rows}
    rows = []
    for order in preview.plan.orders:
        now, then = before.get(order.symbol), after.get(order.symbol)
        rows.append(
            {
                "Line": order.line,
                "Side": SIDE_TEXT[order.side],
                "Symbol": symbol_text(order.symbol),
                "Quantity": order.estimated_quantity,
                "Price": order.price,
                "Notional": order.notional,
                "Weight now %": percent_cell(Decimal(0) if now is None else now.actual),
                "Weight after %": percent_cell(Decimal(0) if then is None else then.actual),
                "Band used %": None if now is None else percent_cell(now.band_used),
                "Why": order.reason,
            }
        )
    return pd.DataFrame(rows, columns=_ORDER_COLUMNS)


_ORDER_COLUMNS = [
    "Line", "Side", "Symbol", "Quantity", "Price", "Notional", "Weight now %", "Weight after %", "Band used %", "Why",
]  # fmt: skip


def skipped_table(preview: Preview) -> pd.DataFrame:
    """The orders that are not sent, each with the code and the sentence of its reason."""
    return pd.DataFrame(
        [
            {
                "Side": SIDE_TEXT[order.side],
                "Symbol": symbol_text(order.symbol),
                "Notional": order.notional,
                "Code": order.reason,
                "Why": order.reason_details,
            }
            for order in preview.plan.skipped
        ],
        columns=["Side", "Symbol", "Notional", "Code", "Why"],
    )
