"""Slippage: fills against the plan's prices in basis points, positive is cost, by order, by fill and by run."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.schedule import NEW_YORK
from driftdesk.figures.executions import Execution, thinned
from driftdesk.figures.fills import Line, labels_of, lines_layout, lines_of
from driftdesk.figures.runs import run_traded
from driftdesk.figures.text import EN_DASH, count_of, money, new_york, signed_bps, wall, words
from driftdesk.figures.theme import LIGHT, Theme, layout, value_axis
from driftdesk.money import BASIS_POINTS, ZERO, as_float, exact, round_cents
from driftdesk.wire.runs import Run


@exact
def order_cost(line: Line) -> Decimal | None:
    """What a line's fill cost against the plan's price, in USD to the cent; negative is a saving, None as slippage."""
    if line.slippage is None or line.planned is None or line.order is None or line.order.filled_qty is None:
        return None
    return round_cents(line.slippage * line.planned.price * line.order.filled_qty / BASIS_POINTS)


@exact
def run_slippage(run: Run) -> Decimal | None:
    """Slippage of all fills of the run together in basis points of their value at the plan's prices; None without."""
    cost, value = ZERO, ZERO
    for line in lines_of(run):
        if line.slippage is not None and line.planned is not None and line.order is not None:
            reference = line.planned.price * (line.order.filled_qty or ZERO)
            cost, value = cost + line.slippage * reference, value + reference
    return cost / value if value else None


def run_cost(run: Run) -> Decimal:
    """What the run's fills cost against the plan's prices, in USD; negative is a saving."""
    return sum((order_cost(line) or ZERO for line in lines_of(run)), ZERO)


def slippage_figure(run: Run, theme: Theme = LIGHT) -> go.Figure:
    """A bar per order from zero: to the right it cost, to the left it saved. `customdata` is the client order id."""
    lines = lines_of(run)
    labels = labels_of(lines)
    filled = [(label, line) for label, line in zip(labels, lines, strict=True) if line.slippage is not None]
    return go.Figure(
        [
            go.Bar(
                name="slippage",
                orientation="h",
                x=[_bps(line.slippage) for _, line in filled],
                y=[label for label, _ in filled],
                width=0.34,
                marker={"color": [theme.sell if line.side == "sell" else theme.buy for _, line in filled]},
                customdata=[line.planned.client_order_id if line.planned else "" for _, line in filled],
                hovertemplate="%{y}: %{x:+.1f} bp<extra></extra>",
            )
        ],
        lines_layout(
            theme,
            lines,
            {
                "ticksuffix": " bp",
                "zeroline": True,
                "zerolinecolor": theme.band_line,
                "zerolinewidth": 1,
                **_at_least_a_point([line.slippage for _, line in filled]),
            },
            "Slippage against the plan's price: right of zero it cost",
            ("Cost", _cost),
        ),
    )


def _at_least_a_point(values: Sequence[Decimal | None]) -> dict[str, object]:
    """The range of an axis whose values are all within a basis point: it would be one of millionths otherwise."""
    if any(value is not None and abs(value) >= 1 for value in values):
        return {}
    return {"range": [-1, 1]}


def _bps(value: Decimal | None) -> float:
    return round(as_float(value or ZERO), 2)


def _cost(line: Line) -> str:
    cost = order_cost(line)
    return EN_DASH if cost is None else money(cost)


def slippage_alt(run: Run) -> str:
    """The run's slippage and its cost, and the order that cost most."""
    total = run_slippage(run)
    if total is None:
        return "No fill can be compared with a planned price."
    filled = [line for line in lines_of(run) if line.slippage is not None]
    worst = max(filled, key=lambda line: line.slippage or ZERO)
    cost = run_cost(run)
    what = f"cost {money(cost)}" if cost >= 0 else f"saved {money(-cost)}"
    return (
        f"{signed_bps(total)} over {count_of(len(filled), 'order')}, which {what} against the plan's prices; "
        f"the dearest is {worst.symbol} at {signed_bps(worst.slippage or ZERO)}."
    )


def slippage_time_figure(fills: Sequence[Execution], theme: Theme = LIGHT) -> go.Figure:
    """A mark per fill of one run in time, and the average so far, weighted by value. `customdata` is the client order
    id; fills of orders that no line planned are left out."""
    priced = [fill for fill in fills if fill.slippage is not None]
    so_far = _average_so_far(priced)
    shown, average = thinned(priced), thinned(list(zip(priced, so_far, strict=True)))
    return go.Figure(
        [
            go.Scatter(
                name="average so far",
                mode="lines",
                x=[wall(fill.at) for fill, _ in average],
                y=[_bps(value) for _, value in average],
                line={"color": theme.neutral, "width": 1.5, "shape": "hv"},
                hovertemplate="average so far: %{y:+.1f} bp<extra></extra>",
            ),
            go.Scatter(
                name="fills",
                mode="markers",
                x=[wall(fill.at) for fill in shown],
                y=[_bps(fill.slippage) for fill in shown],
                marker={
                    "symbol": ["triangle-down" if fill.side == "sell" else "triangle-up" for fill in shown],
                    "color": [theme.sell if fill.side == "sell" else theme.buy for fill in shown],
                    "size": 9,
                },
                # A mark at the edge of the axis is drawn whole.
                cliponaxis=False,
                customdata=[fill.client_order_id for fill in shown],
                text=[
                    f"{fill.symbol}, {money(fill.notional)} at {money(fill.price)}<br>{new_york(fill.at, seconds=True)}"
                    for fill in shown
                ],
                hovertemplate="%{text}<br>%{y:+.1f} bp<extra></extra>",
            ),
        ],
        _time_layout(theme, [fill.slippage for fill in priced]),
    )


@exact
def _average_so_far(fills: Sequence[Execution]) -> list[Decimal]:
    costs = accumulate((fill.slippage or ZERO) * fill.notional for fill in fills)
    values = accumulate(fill.notional for fill in fills)
    return [cost / value if value else ZERO for cost, value in zip(costs, values, strict=True)]


def _time_layout(theme: Theme, values: Sequence[Decimal | None]) -> dict[str, object]:
    return layout(
        theme,
        height=260,
        margin={"l": 8, "r": 16, "t": 12, "b": 34},
        xaxis=value_axis(theme, type="date"),
        yaxis={
            "fixedrange": True,
            "gridcolor": theme.grid,
            "zeroline": True,
            "zerolinecolor": theme.band_line,
            "rangemode": "tozero",
            "ticksuffix": " bp",
            "automargin": True,
            "tickfont": {"color": theme.muted, "size": 11},
            **_at_least_a_point(values),
        },
    )


def runs_slippage_figure(runs: Sequence[Run], theme: Theme = LIGHT) -> go.Figure:
    """Slippage of each run through time; `customdata` is the run id. Runs need their plan: an answer for one run has
    it, a list has not. Runs without a fill are left out."""
    priced = [(run, value) for run in runs if (value := run_slippage(run)) is not None]
    return go.Figure(
        [
            go.Scatter(
                name="runs",
                mode="markers",
                x=[wall(run.created_at) for run, _ in priced],
                y=[_bps(value) for _, value in priced],
                marker={"size": 9, "color": [theme.sell if value > 0 else theme.neutral for _, value in priced]},
                cliponaxis=False,
                customdata=[run.id for run, _ in priced],
                text=[
                    f"{new_york(run.created_at)} New York<br>{words(run.type)}, {money(run_traded(run))} traded, "
                    f"cost {money(run_cost(run))}"
                    for run, _ in priced
                ],
                hovertemplate="%{text}<br>%{y:+.1f} bp<extra></extra>",
            )
        ],
        _time_layout(theme, [value for _, value in priced]),
    )


def runs_slippage_table(runs: Sequence[Run], names: dict[str, str]) -> pd.DataFrame:
    """One row per run with fills: slippage in bps, cost and traded value in USD. `names` by account id."""
    return pd.DataFrame(
        [
            {
                "Created": pd.Timestamp(run.created_at).tz_convert(NEW_YORK),
                "Account": names.get(run.account_id, run.account_id),
                "Type": words(run.type),
                "Traded": run_traded(run),
                "Slippage bp": round(value, 4),
                "Cost": run_cost(run),
                "Run": run.id,
            }
            for run in runs
            if (value := run_slippage(run)) is not None
        ],
        columns=["Created", "Account", "Type", "Traded", "Slippage bp", "Cost", "Run"],
    )


def runs_slippage_alt(runs: Sequence[Run]) -> str:
    """How many runs could be compared with their plan, and what they cost together."""
    priced = [run for run in runs if run_slippage(run) is not None]
    if not priced:
        return "No run here has a fill that can be compared with a planned price."
    cost = sum((run_cost(run) for run in priced), ZERO)
    worst = max(priced, key=lambda run: run_slippage(run) or ZERO)
    what = f"cost {money(cost)}" if cost >= 0 else f"saved {money(-cost)}"
    return (
        f"The fills of {count_of(len(priced), 'run')} {what} against the plans' prices; the dearest run, of "
        f"{new_york(worst.created_at)}, {signed_bps(run_slippage(worst) or ZERO)}."
    )
