"""Drift of one account against its targets and bands, as a chart, a table and one sentence (rules.md 3.7)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.drift import DriftReport, DriftStatus, HoldingDrift
from driftdesk.figures.text import count_of, of_band, percent, percent_cell, points, signed_points, symbol_text
from driftdesk.figures.theme import (
    LIGHT,
    ROW_MARGIN,
    Theme,
    axis_title,
    height_for,
    layout,
    number_columns,
    row_axis,
    value_axis,
)
from driftdesk.money import format_decimal, round_cents

# Beyond this share of its band a holding is drawn as near the edge.
NEAR_EDGE: Final = Decimal("0.8")

STATUS_TEXT: Final = {
    DriftStatus.IN_BAND: "In band",
    DriftStatus.UNDERWEIGHT: "Under its band",
    DriftStatus.OVERWEIGHT: "Over its band",
    DriftStatus.UNTARGETED: "No target",
}


class Scale(StrEnum):
    """What the horizontal axis measures. The value is the label that pages show and links carry."""

    WEIGHT = "Weight"
    DRIFT = "Drift (pp)"
    BAND_USED = "Band used"


AXIS_TITLES: Final = {
    Scale.WEIGHT: "Weight, % of equity",
    Scale.DRIFT: "Drift from target, percentage points",
    Scale.BAND_USED: "Share of the band used, %",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """The marker of a row: its plotly symbol and colour; hollow where `filled` is false."""

    symbol: str
    colour: str
    filled: bool = True


def near_edge(row: HoldingDrift) -> bool:
    """Whether an unbreached row has used more than 80 % of its band."""
    return not row.breached and row.band_used is not None and row.band_used > NEAR_EDGE


def mark_of(row: HoldingDrift, theme: Theme) -> Mark:
    """Triangles point away from the band, a hollow diamond is near its edge, a cross has no target."""
    if row.status is DriftStatus.OVERWEIGHT:
        return Mark("triangle-right", theme.sell)
    if row.status is DriftStatus.UNDERWEIGHT:
        return Mark("triangle-left", theme.buy)
    if row.status is DriftStatus.UNTARGETED:
        return Mark("x", theme.strong)
    if near_edge(row):
        return Mark("diamond-open", theme.strong, filled=False)
    return Mark("circle", theme.neutral)


def alarm(row: HoldingDrift, theme: Theme) -> str | None:
    """The colour of the row's numbers where it is outside its band, None inside."""
    return mark_of(row, theme).colour if row.breached else None


def band_span(row: HoldingDrift, scale: Scale) -> tuple[float, float] | None:
    """Lower and upper edge of the row's band on `scale`, None without a band."""
    if row.band is None:
        return None
    if scale is Scale.WEIGHT:
        # Weights below zero are not allowed, so the band is drawn from zero.
        return max(points(row.band.lower), 0.0), points(row.band.upper)
    half = points(row.band.half_width) if scale is Scale.DRIFT else 100.0
    return -half, half


def place(row: HoldingDrift, scale: Scale) -> tuple[float, float] | None:
    """Target and current position of the row on `scale`; None where the scale cannot place it."""
    if scale is Scale.WEIGHT:
        return points(row.target), points(row.actual)
    if scale is Scale.DRIFT:
        return 0.0, points(row.drift)
    if row.band_used is None:
        return None
    return 0.0, points(row.band_used.copy_sign(row.drift))


def band_trace(rows: tuple[HoldingDrift, ...], scale: Scale, theme: Theme) -> go.Bar:
    """The allowed bands as horizontal bars behind everything else."""
    spans = [(symbol_text(row.symbol), span) for row in rows if (span := band_span(row, scale)) is not None]
    return go.Bar(
        name="band",
        orientation="h",
        y=[label for label, _ in spans],
        base=[round(low, 4) for _, (low, _) in spans],
        x=[round(high - low, 4) for _, (low, high) in spans],
        width=0.52,
        marker={"color": theme.band_fill, "line": {"color": theme.band_line, "width": 1}},
        hoverinfo="skip",
    )


def target_trace(labels: list[str], positions: list[float], theme: Theme) -> go.Scatter:
    """The targets as upright ticks."""
    return go.Scatter(
        name="target",
        mode="text",
        x=positions,
        y=labels,
        text=["|"] * len(labels),
        textfont={"color": theme.strong, "size": 21, "weight": "bold"},
        hoverinfo="skip",
    )


def line_trace(lines: list[tuple[str, float, float]], theme: Theme) -> go.Scatter:
    """Thin lines, one per (row, from, to)."""
    return go.Scatter(
        name="gap",
        mode="lines",
        x=[value for _, start, end in lines for value in (start, end, None)],
        y=[value for label, _, _ in lines for value in (label, label, None)],
        line={"color": theme.neutral, "width": 1.5},
        hoverinfo="skip",
    )


def drift_figure(report: DriftReport, scale: Scale = Scale.WEIGHT, theme: Theme = LIGHT) -> go.Figure:
    """Every row's band, target and current position, worst on top; `customdata` of a marker is its symbol."""
    placed = [(row, position) for row in report.rows if (position := place(row, scale)) is not None]
    labels = [symbol_text(row.symbol) for row in report.rows]
    marks = [mark_of(row, theme) for row, _ in placed]
    current = go.Scatter(
        name="current",
        mode="markers",
        x=[now for _, (_, now) in placed],
        y=[symbol_text(row.symbol) for row, _ in placed],
        marker={
            "symbol": [mark.symbol for mark in marks],
            "color": [mark.colour for mark in marks],
            "opacity": 1,
            "size": [13 if mark.symbol != "x" else 10 for mark in marks],
            "line": {"width": [0 if mark.filled else 2 for mark in marks], "color": [mark.colour for mark in marks]},
        },
        # A holding that is not there yet stands at zero, on the axis.
        cliponaxis=False,
        customdata=[row.symbol for row, _ in placed],
        text=[hover_text(row) for row, _ in placed],
        hovertemplate="%{text}<extra></extra>",
    )
    targeted = [(row, position) for row, position in placed if row.status is not DriftStatus.UNTARGETED]
    return go.Figure(
        [
            band_trace(report.rows, scale, theme),
            line_trace([(symbol_text(row.symbol), *position) for row, position in placed], theme),
            target_trace([symbol_text(row.symbol) for row, _ in targeted], [at for _, (at, _) in targeted], theme),
            current,
        ],
        layout(
            theme,
            height=height_for(len(report.rows)),
            margin=ROW_MARGIN,
            xaxis=_value_axis(scale, theme),
            yaxis=row_axis(theme, labels),
            annotations=number_columns(
                theme,
                ("Drift", "Of band"),
                [
                    (
                        symbol_text(row.symbol),
                        (signed_points(row.drift), alarm(row, theme)),
                        (of_band(row.band_used), alarm(row, theme)),
                    )
                    for row in report.rows
                ],
            ),
        ),
    )


def _value_axis(scale: Scale, theme: Theme) -> dict[str, Any]:
    centred = {"zeroline": True, "zerolinecolor": theme.band_line, "zerolinewidth": 1}
    return value_axis(
        theme,
        title=axis_title(theme, AXIS_TITLES[scale]),
        ticksuffix="" if scale is Scale.DRIFT else "%",
        **({"rangemode": "tozero"} if scale is Scale.WEIGHT else centred),
    )


def hover_text(row: HoldingDrift) -> str:
    """What a point says when it is pointed at: weight, target, band, drift."""
    band = "no band" if row.band is None else f"band {percent(row.band.lower)} to {percent(row.band.upper)}"
    return (
        f"<b>{symbol_text(row.symbol)}</b> {STATUS_TEXT[row.status].lower()}<br>weight {percent(row.actual)}, "
        f"target {percent(row.target)}<br>{band}<br>drift {signed_points(row.drift)}"
    )


def band_text(row: HoldingDrift) -> str:
    """The rule behind the row's band: ``5 pp`` or ``20% of target``; empty without a band."""
    if row.band is None:
        return ""
    number = format_decimal(row.band.condition.percent)
    return f"{number} pp" if row.band.condition.kind == "absolute" else f"{number}% of target"


def drift_table(report: DriftReport) -> pd.DataFrame:
    """The report's rows, worst first. Percents with four decimals, drift in percentage points, value in USD."""
    return pd.DataFrame(
        [
            {
                "Symbol": symbol_text(row.symbol),
                "Status": STATUS_TEXT[row.status],
                "Target %": percent_cell(row.target),
                "Weight %": percent_cell(row.actual),
                "Drift pp": percent_cell(row.drift),
                "Drift % of target": percent_cell(row.relative_drift),
                "Band": band_text(row),
                "Lower %": None if row.band is None else percent_cell(row.band.lower),
                "Upper %": None if row.band is None else percent_cell(row.band.upper),
                "Band used %": percent_cell(row.band_used),
                "Quantity": row.quantity,
                "Price": row.price,
                "Value": round_cents(row.value),
            }
            for row in report.rows
        ]
    )


def drift_alt(report: DriftReport) -> str:
    """The takeaway in one or two sentences, for those who do not see the chart."""
    banded = [row for row in report.rows if row.band is not None]
    if not banded:
        return f"{count_of(len(report.rows), 'holding')} without a band; drift is shown, nothing can be outside."
    if not report.breached:
        nearest = report.nearest
        tail = "" if nearest is None else f"; {symbol_text(nearest.symbol)} is nearest to its edge"
        used = "" if nearest is None else f", {of_band(nearest.band_used)} of its band used"
        return f"All {len(banded)} holdings with a band are inside it{tail}{used}."
    breaches = ", ".join(
        f"{symbol_text(row.symbol)} {'over' if row.status is DriftStatus.OVERWEIGHT else 'under'} its target by "
        f"{signed_points(abs(row.drift)).removeprefix('+').replace(' pp', ' points')}"
        for row in report.breached
    )
    return f"{len(report.breached)} of {count_of(len(banded), 'holding')} outside their bands: {breaches}."
