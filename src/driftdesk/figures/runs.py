"""The history of runs, and the steps of one run, as charts, tables and sentences (rules.md 7)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.schedule import NEW_YORK
from driftdesk.figures.text import count_of, dollars, money, new_york, share, wall, words
from driftdesk.figures.theme import LIGHT, Theme, layout, row_axis, value_axis
from driftdesk.money import ZERO, cash_of
from driftdesk.wire.orders import Order
from driftdesk.wire.runs import Run, RunStatus

# From open to final, then from good to bad: the order of lanes and of sorting.
STATUS_ORDER: Final = (
    RunStatus.QUEUED,
    RunStatus.IN_PROGRESS,
    RunStatus.COMPLETED_SUCCESS,
    RunStatus.COMPLETED_ADJUSTED,
    RunStatus.CANCELED,
    RunStatus.CANCELED_MID_RUN,
    RunStatus.TIMEOUT,
    RunStatus.ERROR,
)
STATUS_MARKS: Final = {
    RunStatus.QUEUED: "circle-open",
    RunStatus.IN_PROGRESS: "diamond-open",
    RunStatus.COMPLETED_SUCCESS: "circle",
    RunStatus.COMPLETED_ADJUSTED: "circle",
    RunStatus.CANCELED: "line-ew-open",
    RunStatus.CANCELED_MID_RUN: "line-ew-open",
    RunStatus.TIMEOUT: "x",
    RunStatus.ERROR: "x",
}
# The state of a line that a run was created from, until it starts: neither planned nor sent.
PREVIEWED: Final = "PREVIEWED"
FAILED_STATUSES: Final = frozenset({RunStatus.ERROR, RunStatus.TIMEOUT})


def traded(order: Order) -> Decimal:
    """What an order moved in USD: filled quantity x average price, half-up to the cent (rules.md 1.4)."""
    if order.filled_qty is None or order.filled_avg_price is None:
        return ZERO
    return cash_of(order.filled_qty, order.filled_avg_price)


def run_sent(run: Run) -> Decimal:
    """What the orders that the run sent were to trade, in USD, also those that failed; never what was only planned,
    which a list of runs does not tell."""
    return sum((_wanted(order) for order in (*run.orders, *run.failed_orders)), ZERO)


def _wanted(order: Order) -> Decimal:
    # One by quantity has no notional: at the price that some of it was filled at, else nothing is known of it.
    if order.notional is not None:
        return order.notional
    return cash_of(order.qty or ZERO, order.filled_avg_price or ZERO)


def run_traded(run: Run) -> Decimal:
    """What the run moved in USD, sells and buys together."""
    return sum((traded(order) for order in run.orders), ZERO)


def run_reason(run: Run) -> str:
    """Why there is the run and why it ended as it did, without the run type that stands beside; "" without either."""
    kind = f"{words(run.type)}:"
    said = (text.removeprefix(kind).strip() for text in (run.trigger or "", run.reason or ""))
    return " ".join(dict.fromkeys(text[:1].upper() + text[1:] for text in said if text))


def runs_figure(runs: Sequence[Run], theme: Theme = LIGHT) -> go.Figure:
    """Runs through time: a lane per status above, the traded value of each month below. `customdata` is the run id."""
    lanes = [words(status) for status in STATUS_ORDER if any(run.status == status for run in runs)]
    points = [run for run in runs if run.status in STATUS_ORDER]
    months = _traded_by_month(points)
    mark_colours = [_colour(run, theme) for run in points]
    return go.Figure(
        [
            go.Scatter(
                name="runs",
                mode="markers",
                x=[wall(run.created_at) for run in points],
                y=[words(run.status) for run in points],
                marker={
                    "symbol": [STATUS_MARKS[RunStatus(run.status)] for run in points],
                    "size": 9,
                    "color": mark_colours,
                    "line": {"width": 1.5, "color": mark_colours},
                },
                customdata=[run.id for run in points],
                text=[
                    f"{words(run.status)}, {words(run.type).lower()}<br>{new_york(run.created_at)} New York<br>"
                    f"{count_of(len(run.orders), 'order')}, {money(run_traded(run))} traded"
                    for run in points
                ],
                hovertemplate="%{text}<extra></extra>",
            ),
            *(
                go.Scatter(
                    name=side,
                    mode="markers",
                    x=[f"{month}-15" for month, amounts in months.items() if amounts[side]],
                    y=[dollars(amounts[side]) for amounts in months.values() if amounts[side]],
                    yaxis="y2",
                    marker={
                        "color": theme.sell if side == "sell" else theme.buy,
                        "symbol": "triangle-down" if side == "sell" else "triangle-up",
                        "size": 9,
                    },
                    hovertemplate=f"%{{x|%B %Y}}: %{{y:$,.0f}} {'sold' if side == 'sell' else 'bought'}<extra></extra>",
                )
                for side in ("sell", "buy")
            ),
        ],
        layout(
            theme,
            height=190 + 26 * len(lanes),
            margin={"l": 8, "r": 16, "t": 8, "b": 46},
            xaxis=value_axis(theme, type="date", anchor="y2"),
            yaxis=row_axis(theme, lanes, domain=[0.54, 1], tickfont={"color": theme.muted, "size": 12}),
            yaxis2={
                "domain": [0, 0.42],
                # A first investment is a hundred times a later adjustment.
                "type": "log",
                "dtick": 1,
                "fixedrange": True,
                "gridcolor": theme.grid,
                "zeroline": False,
                "tickprefix": "$",
                "automargin": True,
                "tickfont": {"color": theme.muted, "size": 11},
            },
        ),
    )


def _colour(run: Run, theme: Theme) -> str:
    if run.status in FAILED_STATUSES:
        return theme.sell
    return theme.buy if run.is_open else theme.neutral


def _traded_by_month(runs: Sequence[Run]) -> dict[str, dict[str, Decimal]]:
    """{"2026-11": {"sell": USD, "buy": USD}} by the New York month of creation, in order."""
    months: defaultdict[str, dict[str, Decimal]] = defaultdict(lambda: {"sell": ZERO, "buy": ZERO})
    for run in runs:
        month = months[run.created_at.astimezone(NEW_YORK).strftime("%Y-%m")]
        for order in run.orders:
            month["sell" if order.side == "sell" else "buy"] += traded(order)
    return dict(sorted(months.items()))


def runs_alt(runs: Sequence[Run]) -> str:
    """How many runs ended how, and what they traded."""
    if not runs:
        return "No runs yet."
    counts = Counter(str(run.status) for run in runs)
    listed = ", ".join(f"{count} {words(status).lower()}" for status, count in counts.most_common())
    total = sum((run_traded(run) for run in runs), ZERO)
    return f"{count_of(len(runs), 'run')}: {listed}; {money(total, cents=False)} traded."


def runs_table(runs: Sequence[Run], names: Mapping[str, str]) -> pd.DataFrame:
    """One row per run in the order given. `names` maps account ids to what people call them; times are New York's,
    timezone-aware; traded in USD. ``Filled %`` is what was traded of what was sent."""
    return pd.DataFrame(
        [
            {
                "State": words(run.status),
                "Created": pd.Timestamp(run.created_at).tz_convert(NEW_YORK),
                "Account": names.get(run.account_id, run.account_id),
                "Type": words(run.type),
                "Initiated from": words(run.initiated_from or "unknown"),
                "Orders": len(run.orders) + len(run.failed_orders),
                "Filled %": share(run_traded(run), run_sent(run)),
                "Skipped": len(run.skipped_orders),
                "Failed": len(run.failed_orders),
                "Traded": run_traded(run),
                "Reason": run_reason(run),
                "Run": run.id,
            }
            for run in runs
        ],
        columns=_RUN_COLUMNS,
    )


_RUN_COLUMNS = [
    "State", "Created", "Account", "Type", "Initiated from", "Orders", "Filled %", "Skipped", "Failed", "Traded",
    "Reason", "Run",
]  # fmt: skip


def timeline_figure(run: Run, theme: Theme = LIGHT) -> go.Figure:
    """The run's steps from left to right, evenly spaced: a queue may last a weekend and a fill a second."""
    steps = [words(event.phase or event.status) for event in run.events]
    last = len(steps) - 1
    failed = run.status in FAILED_STATUSES
    colours = [(theme.sell if failed else theme.buy) if index == last else theme.neutral for index in range(len(steps))]
    return go.Figure(
        [
            go.Scatter(
                name="steps",
                mode="lines+markers+text",
                x=list(range(len(steps))),
                y=[0] * len(steps),
                line={"color": theme.band_line, "width": 2},
                marker={"size": 13, "symbol": ["circle"] * last + ["x" if failed else "circle"], "color": colours},
                text=[
                    f"{'<b>' + step + '</b>' if index == last else step}<br>{new_york(event.at, seconds=True)[5:]}"
                    for index, (step, event) in enumerate(zip(steps, run.events, strict=True))
                ],
                textposition="bottom center",
                textfont={"color": theme.strong, "size": 12},
                customdata=[event.status for event in run.events],
                hovertext=[event.text for event in run.events],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        ],
        layout(
            theme,
            height=104,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            xaxis=value_axis(theme, visible=False, range=[-0.5, max(last, 0) + 0.5]),
            yaxis={"visible": False, "fixedrange": True, "range": [-1.6, 0.6]},
        ),
    )


def timeline_table(run: Run) -> pd.DataFrame:
    """The run's events in order: New York time, status, phase and sentence."""
    return pd.DataFrame(
        [
            {
                "At": pd.Timestamp(event.at).tz_convert(NEW_YORK),
                "State": words(event.status),
                "Phase": words(event.phase or ""),
                "What happened": event.text,
            }
            for event in run.events
        ],
        columns=["At", "State", "Phase", "What happened"],
    )


def timeline_alt(run: Run) -> str:
    """The steps with their New York times, in one sentence."""
    if not run.events:
        return f"{words(run.status)}; no steps recorded."
    steps = ", ".join(
        f"{words(event.phase or event.status).lower()} {new_york(event.at, seconds=True)}" for event in run.events
    )
    return f"Steps of the run in New York time: {steps}."
