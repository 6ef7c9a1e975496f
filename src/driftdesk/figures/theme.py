"""The two palettes of the charts, and the layout that every chart starts from.

Each colour is AA on its own page tone and still readable on the other one, because switching the appearance does not
redraw a chart. Buy and sell stay apart for every common colour vision; colour is never the only sign.
"""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours (hex or rgba) by role. `strong` is for symbols and ticks, `muted` for numbers and axis labels."""

    name: str
    buy: str
    sell: str
    neutral: str
    strong: str
    muted: str
    grid: str
    band_fill: str
    band_line: str


LIGHT: Final = Theme(
    name="light",
    buy="#1F6FC4",
    sell="#B85300",
    neutral="#6B7685",
    strong="#4B5563",
    muted="#6B7685",
    grid="rgba(125,136,151,.22)",
    band_fill="rgba(125,136,151,.20)",
    band_line="rgba(125,136,151,.55)",
)
DARK: Final = Theme(
    name="dark",
    buy="#5AA2EE",
    sell="#E38428",
    neutral="#8792A1",
    strong="#9AA5B4",
    muted="#8792A1",
    grid="rgba(125,136,151,.22)",
    band_fill="rgba(125,136,151,.20)",
    band_line="rgba(125,136,151,.55)",
)

# What a page hands to the chart element: a still picture whose points can be clicked, without a tool bar.
CHART_CONFIG: Final = {"displayModeBar": False, "scrollZoom": False}

ROW_HEIGHT: Final = 29
HEAD_HEIGHT: Final = 68
# Margins of a chart with one line per row: its head above, axis and title below, two number columns on the right.
ROW_MARGIN: Final = {"l": 8, "r": 146, "t": 24, "b": 44}
# Distance in pixels from the plot's right edge to the right edges of the two number columns.
NUMBER_COLUMNS: Final = (74, 138)


def theme_of(appearance: str | None) -> Theme:
    """The palette for "light" or "dark"; light where the appearance is not known."""
    return DARK if appearance == "dark" else LIGHT


def height_for(rows: int) -> int:
    """Height in pixels of a chart with one line per row."""
    return HEAD_HEIGHT + ROW_HEIGHT * max(rows, 1)


def layout(theme: Theme, *, height: int, **changes: Any) -> dict[str, Any]:
    """The layout of one chart as a single dict; a key in `changes` replaces the whole of that key.

    One dict, because building a chart by repeated calls costs ten times as much.
    """
    return {
        "height": height,
        "margin": {"l": 8, "r": 16, "t": 24, "b": 34},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": theme.muted, "size": 12},
        "showlegend": False,
        "dragmode": False,
        "clickmode": "event+select",
        "hovermode": "closest",
        "barmode": "overlay",
        **changes,
    }


def value_axis(theme: Theme, **changes: Any) -> dict[str, Any]:
    """A horizontal axis of values: faint vertical grid, fixed range."""
    return {
        "fixedrange": True,
        "gridcolor": theme.grid,
        "zeroline": False,
        "tickfont": {"color": theme.muted, "size": 11},
        "automargin": False,
        **changes,
    }


def row_axis(theme: Theme, labels: list[str], **changes: Any) -> dict[str, Any]:
    """A vertical axis with one category per row, the first on top."""
    return {
        "fixedrange": True,
        "categoryorder": "array",
        "categoryarray": labels,
        "range": [len(labels) - 0.5, -0.5],
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "ticklabelstandoff": 14,
        "tickfont": {"color": theme.strong, "size": 13},
        **changes,
    }


def axis_title(theme: Theme, text: str) -> dict[str, Any]:
    """A title below the axis of values."""
    return {"text": text, "font": {"color": theme.muted, "size": 12}, "standoff": 8}


# A text beside the plot and its colour; None is the quiet colour, any other is set bold.
Cell = tuple[str, str | None]


def number_columns(theme: Theme, heads: tuple[str, str], rows: list[tuple[str, Cell, Cell]]) -> list[dict[str, Any]]:
    """Annotations that set two right-aligned columns of text beside the plot; a row is (category, cell, cell)."""
    base = {"xref": "paper", "x": 1, "xanchor": "right", "showarrow": False, "align": "right"}
    notes: list[dict[str, Any]] = [
        {
            **base,
            "yref": "paper",
            "y": 1,
            "yanchor": "bottom",
            "xshift": shift,
            "text": head,
            "font": {"color": theme.muted, "size": 12},
        }
        for head, shift in zip(heads, NUMBER_COLUMNS, strict=True)
    ]
    for category, *cells in rows:
        notes.extend(
            {
                **base,
                "yref": "y",
                "y": category,
                "xshift": shift,
                "text": f"<b>{text}</b>" if colour else text,
                "font": {"color": colour or theme.muted, "size": 13},
            }
            for (text, colour), shift in zip(cells, NUMBER_COLUMNS, strict=True)
        )
    return notes


def rows_layout(
    theme: Theme, axis: dict[str, Any], title: str, heads: tuple[str, str], rows: list[tuple[str, Cell, Cell]]
) -> dict[str, Any]:
    """The layout of a chart with a row per thing: values on `axis` with `title` below, and two numbers beside each row,
    under `heads`; a row is (category, cell, cell)."""
    return layout(
        theme,
        height=height_for(len(rows)),
        margin=ROW_MARGIN,
        xaxis=value_axis(theme, **axis, title=axis_title(theme, title)),
        yaxis=row_axis(theme, [category for category, *_ in rows]),
        annotations=number_columns(theme, heads, rows),
    )
