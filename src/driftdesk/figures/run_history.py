"""What runs traded day by day, and the turnover of it (rules.md 10: one-way, sum of |trade| / 2 over equity)."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.measures import one_way_turnover
from driftdesk.engine.schedule import new_york_date
from driftdesk.figures.runs import traded
from driftdesk.figures.text import count_of, dollars, money, percent, percent_cell, points
from driftdesk.figures.theme import LIGHT, Theme, layout, value_axis
from driftdesk.money import ZERO
from driftdesk.wire.accounts import EquityHistory
from driftdesk.wire.orders import Order
from driftdesk.wire.runs import Run

# Days that a chart shows at most, newest first to stay; a table shows all.
MOST_DAYS: Final = 1_000
# A first investment is a hundred times a later adjustment: an axis ends at so many times what nine days in ten reach.
REACH, USUAL, DAYS_NEEDED = Decimal(3), Decimal("0.9"), 10
# A little room beyond the longest bar.
REST: Final = Decimal("1.05")


@dataclass(frozen=True, slots=True)
class Day:
    """What runs traded on one New York date, in USD. `equity` is that of all accounts at the day's close, or at the
    last one before; `turnover` is one-way, a fraction of it. Both are None where no equity is told."""

    date: date
    runs: int
    sold: Decimal
    bought: Decimal
    equity: Decimal | None

    @property
    def traded(self) -> Decimal:
        """Both sides together."""
        return self.sold + self.bought

    @property
    def turnover(self) -> Decimal | None:
        """Half the traded value over equity."""
        return one_way_turnover((self.sold, self.bought), self.equity) if self.equity else None


def days_of(runs: Sequence[Run], histories: Iterable[EquityHistory] = ()) -> tuple[Day, ...]:
    """The days on which orders of `runs` were filled, oldest first; an order counts on the day of its last fill.

    `histories` are those of all accounts that the turnover is to be of, also of those that did not trade.
    """
    sides: defaultdict[date, dict[str, Decimal]] = defaultdict(lambda: {"sell": ZERO, "buy": ZERO})
    makers: defaultdict[date, set[str]] = defaultdict(set)
    for run in runs:
        for order in run.orders:
            if amount := traded(order):
                day = _day(order)
                sides[day]["sell" if order.side == "sell" else "buy"] += amount
                makers[day].add(run.id)
    closes = [sorted((point.date, point.equity) for point in history.points) for history in histories]
    return tuple(
        Day(day, len(makers[day]), amounts["sell"], amounts["buy"], _equity_on(day, closes))
        for day, amounts in sorted(sides.items())
    )


def _day(order: Order) -> date:
    # A canceled order was filled in part at an instant that the order itself does not tell.
    return new_york_date(order.filled_at or order.submitted_at or order.created_at)


def _equity_on(day: date, closes: list[list[tuple[str, Decimal]]]) -> Decimal | None:
    known = [
        account[found - 1][1]
        for account in closes
        if (found := bisect_right(account, day.isoformat(), key=lambda point: point[0]))
    ]
    return sum(known, ZERO) or None


def days_figure(days: Sequence[Day], theme: Theme = LIGHT) -> go.Figure:
    """Bought above and sold below zero for each day in USD; under them the turnover in percent of equity.

    An axis may end before its longest bars; how many of them it cuts stands above it.
    """
    shown = list(days)[-MOST_DAYS:]
    dates = [day.date.isoformat() for day in shown]
    rated = [(day.date.isoformat(), day.turnover) for day in shown if day.turnover is not None]
    bars = [
        ("bought", theme.buy, [dollars(day.bought) for day in shown], [money(day.bought) for day in shown]),
        ("sold", theme.sell, [-dollars(day.sold) for day in shown], [money(day.sold) for day in shown]),
    ]
    top, low = (_end([getattr(day, side) for day in shown]) for side in ("bought", "sold"))
    most = _end([turnover for _, turnover in rated])
    cut = sum((bool(top) and day.bought > top) + (bool(low) and day.sold > low) for day in shown)
    axis = {
        "fixedrange": True,
        "gridcolor": theme.grid,
        "zeroline": True,
        "zerolinecolor": theme.band_line,
        "automargin": True,
        "tickfont": {"color": theme.muted, "size": 11},
    }
    return go.Figure(
        [
            *(
                go.Bar(
                    name=name,
                    x=dates,
                    y=amounts,
                    marker={"color": colour, "line": {"color": colour, "width": 1}},
                    text=said,
                    textposition="none",
                    hovertemplate=f"%{{x|%Y-%m-%d}}: %{{text}} {name}<extra></extra>",
                )
                for name, colour, amounts, said in bars
            ),
            go.Bar(
                name="turnover",
                x=[day for day, _ in rated],
                y=[points(turnover) for _, turnover in rated],
                yaxis="y2",
                marker={"color": theme.neutral, "line": {"color": theme.neutral, "width": 1}},
                hovertemplate="%{x|%Y-%m-%d}: %{y:.2f}% of equity<extra></extra>",
            ),
        ],
        layout(
            theme,
            height=360 if rated else 250,
            margin={"l": 8, "r": 16, "t": 22, "b": 46},
            barmode="relative",
            xaxis=value_axis(theme, type="date", anchor="y2" if rated else "y"),
            yaxis={
                **axis,
                "tickprefix": "$",
                "domain": [0.44, 1] if rated else [0, 1],
                "range": [-dollars(low * REST), dollars(top * REST)],
            },
            yaxis2={
                **axis,
                "ticksuffix": "%",
                "domain": [0, 0.32],
                "range": [0, points(most * REST)],
                "visible": bool(rated),
            },
            annotations=_cut_note(theme, cut),
        ),
    )


def _end(values: Sequence[Decimal]) -> Decimal:
    """Where an axis of these values ends: at the largest, or earlier where few are far beyond the usual."""
    ordered = sorted(value for value in values if value)
    if not ordered:
        return ZERO
    usual = ordered[min(len(ordered) - 1, int(len(ordered) * USUAL))] * REACH
    return min(usual, ordered[-1]) if len(ordered) >= DAYS_NEEDED else ordered[-1]


def _cut_note(theme: Theme, cut: int) -> list[dict[str, object]]:
    if not cut:
        return []
    return [
        {
            "xref": "paper",
            "yref": "paper",
            "x": 1,
            "y": 1,
            "xanchor": "right",
            "yanchor": "bottom",
            "showarrow": False,
            "text": f"{count_of(cut, 'bar')} reach{'es' if cut == 1 else ''} beyond the axis",
            "font": {"color": theme.muted, "size": 11},
        }
    ]


def days_table(days: Sequence[Day]) -> pd.DataFrame:
    """One row per day, newest first: runs, sold, bought and traded in USD, equity, turnover in percent."""
    return pd.DataFrame(
        [
            {
                "Day": day.date,
                "Runs": day.runs,
                "Sold": day.sold,
                "Bought": day.bought,
                "Traded": day.traded,
                "Equity": day.equity,
                "Turnover %": percent_cell(day.turnover),
            }
            for day in reversed(days)
        ],
        columns=["Day", "Runs", "Sold", "Bought", "Traded", "Equity", "Turnover %"],
    )


def days_alt(days: Sequence[Day]) -> str:
    """How much was traded on how many days, the largest day, and the turnover of all days together."""
    if not days:
        return "Nothing was traded."
    total = sum((day.traded for day in days), ZERO)
    most = max(days, key=lambda day: day.traded)
    rates = [day.turnover for day in days if day.turnover is not None]
    turned = f" One-way turnover {percent(sum(rates, ZERO))} of equity in all." if len(rates) == len(days) else ""
    return (
        f"{money(total, cents=False)} traded on {count_of(len(days), 'day')}; "
        f"most on {most.date.isoformat()}, {money(most.traded, cents=False)}.{turned}"
    )
