"""The whole book at a glance: every account with the worst of its bands, and what needs a person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

import pandas as pd
import plotly.graph_objects as go

from driftdesk.engine.drift import DriftReport
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import Snapshot
from driftdesk.figures.drift import NEAR_EDGE
from driftdesk.figures.runs import FAILED_STATUSES
from driftdesk.figures.text import count_of, new_york, of_band, percent_cell, points, signed_points, symbol_text
from driftdesk.figures.theme import LIGHT, ROW_MARGIN, Theme, height_for, layout, number_columns, row_axis
from driftdesk.figures.theme import value_axis as axis
from driftdesk.money import ZERO, round_cents
from driftdesk.wire.accounts import Account
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.runs import Run
from driftdesk.wire.subscriptions import Subscription

OUTSIDE: Final = "Outside band"
NEAR: Final = "Near the edge"
INSIDE: Final = "Inside"
FREE: Final = "No portfolio"
PROBLEM: Final = "Problem"
# In percent of a band. Beyond it a bar runs off the chart, and its number stands beside it: one account full of cash
# must not press all others flat.
FARTHEST: Final = 300.0
ENDINGS: Final = {"ERROR": "ended in an error", "TIMEOUT": "timed out"}
# Worst first: what a person should see without a click.
STANDINGS: Final = (PROBLEM, OUTSIDE, NEAR, INSIDE, FREE)


class BookAccount(Protocol):
    """What a row of the book needs of an account; `desk.book()` gives such rows."""

    @property
    def account(self) -> Account: ...
    @property
    def subscription(self) -> Subscription | None: ...
    @property
    def portfolio(self) -> Portfolio | None: ...
    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def drift(self) -> DriftReport | None: ...
    @property
    def problem(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing that needs a person: a sentence, and the account or run that it is about."""

    kind: str
    text: str
    account_id: str
    run_id: str | None = None


def account_name(account: Account) -> str:
    """What people call the account: its name, or its number where it has none."""
    return account.name or account.account_number


def standing(view: BookAccount) -> str:
    """One of STANDINGS: how the account stands against its bands."""
    if view.problem:
        return PROBLEM
    if view.drift is None:
        return FREE
    if view.drift.breached:
        return OUTSIDE
    used = view.drift.largest_band_used
    return NEAR if used is not None and used > NEAR_EDGE else INSIDE


def worst_first(views: Iterable[BookAccount]) -> list[BookAccount]:
    """Accounts sorted by standing, then by the largest share of a band used, then by name."""
    return sorted(views, key=lambda view: (STANDINGS.index(standing(view)), -_used(view), account_name(view.account)))


def equity_of(view: BookAccount) -> Decimal:
    """Equity in USD as measured now; the last known one where it cannot be measured."""
    return view.account.last_equity if view.drift is None else view.drift.equity


def _used(view: BookAccount) -> Decimal:
    return (view.drift.largest_band_used if view.drift is not None else None) or ZERO


def book_table(views: Iterable[BookAccount]) -> pd.DataFrame:
    """One row per account, worst first. Band used in percent, money in USD, times New York's."""
    return pd.DataFrame([_row(view) for view in worst_first(views)], columns=_COLUMNS)


_COLUMNS = [
    "Account", "Standing", "Worst holding", "Drift pp", "Band used %", "Outside", "Portfolio", "Equity", "Cash",
    "Last rebalanced", "Account id",
]  # fmt: skip


def _row(view: BookAccount) -> dict[str, object]:
    worst = view.drift.rows[0] if view.drift is not None and view.drift.rows else None
    rebalanced = None if view.subscription is None else view.subscription.last_rebalanced_at
    return {
        "Account": account_name(view.account),
        "Standing": standing(view),
        "Worst holding": "" if worst is None or worst.band is None else symbol_text(worst.symbol),
        "Drift pp": None if worst is None or worst.band is None else percent_cell(worst.drift),
        "Band used %": None if view.drift is None else percent_cell(view.drift.largest_band_used),
        "Outside": None if view.drift is None else len(view.drift.breached),
        "Portfolio": "" if view.portfolio is None else view.portfolio.name,
        "Equity": round_cents(equity_of(view)),
        "Cash": view.snapshot.cash,
        "Last rebalanced": None if rebalanced is None else pd.Timestamp(rebalanced).tz_convert(NEW_YORK),
        "Account id": view.account.id,
    }


def book_figure(views: Iterable[BookAccount], theme: Theme = LIGHT) -> go.Figure:
    """The largest share of a band used in each account, worst on top; `customdata` is the account id."""
    measured = [view for view in worst_first(views) if view.drift is not None and view.drift.largest_band_used]
    labels = _unique([account_name(view.account) for view in measured])
    rows = [_worst(view) for view in measured]
    used = [points(_used(view)) for view in measured]
    alarms = [theme.sell if standing(view) == OUTSIDE else None for view in measured]
    return go.Figure(
        [
            go.Bar(
                name="band used",
                orientation="h",
                x=used,
                y=labels,
                width=0.52,
                marker={"color": [alarm or theme.neutral for alarm in alarms]},
                customdata=[view.account.id for view in measured],
                text=[f"{share} of the band of {symbol}" for symbol, _, share in rows],
                textposition="none",
                hovertemplate="<b>%{y}</b><br>%{text}<extra></extra>",
            )
        ],
        layout(
            theme,
            height=height_for(len(measured)),
            margin=ROW_MARGIN,
            xaxis=axis(theme, ticksuffix="%", range=[0, min(max([1, *used]), FARTHEST) * 1.05]),
            yaxis=row_axis(theme, labels),
            shapes=[
                {
                    "type": "line",
                    "xref": "x",
                    "yref": "paper",
                    "x0": 100,
                    "x1": 100,
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": theme.strong, "width": 1.5, "dash": "dot"},
                }
            ],
            annotations=number_columns(
                theme,
                ("Worst", "Of band"),
                [
                    (label, (symbol, colour), (share, colour))
                    for label, (symbol, _, share), colour in zip(labels, rows, alarms, strict=True)
                ],
            ),
        ),
    )


def _worst(view: BookAccount) -> tuple[str, str, str]:
    """Symbol, drift and share of band used of the account's worst holding, as text."""
    if view.drift is None or not view.drift.rows:
        return "", "", ""
    row = view.drift.rows[0]
    return symbol_text(row.symbol), signed_points(row.drift), of_band(row.band_used)


def _unique(labels: list[str]) -> list[str]:
    """A repeated label gets its number, because a chart merges equal rows."""
    return [text if text not in labels[:index] else f"{text} ({index + 1})" for index, text in enumerate(labels)]


def book_alt(views: Sequence[BookAccount]) -> str:
    """How many accounts stand where, and which is worst."""
    outside = [view for view in worst_first(views) if standing(view) == OUTSIDE]
    if not outside:
        return f"None of {count_of(len(views), 'account')} outside its bands."
    symbol, drift, used = _worst(outside[0])
    return (
        f"{len(outside)} of {count_of(len(views), 'account')} outside the bands; worst is "
        f"{account_name(outside[0].account)} with {symbol} at {drift}, {used} of its band."
    )


def attention(views: Sequence[BookAccount], runs: Sequence[Run], since: datetime) -> tuple[Attention, ...]:
    """Problems, breached accounts and runs since `since` that failed or had failed orders, in that order."""
    names: Mapping[str, str] = {view.account.id: account_name(view.account) for view in views}
    found = [
        Attention("problem", f"{account_name(view.account)}: {view.problem}", view.account.id)
        for view in worst_first(views)
        if view.problem
    ]
    for view in worst_first(views):
        if standing(view) == OUTSIDE and view.drift is not None:
            symbol, drift, used = _worst(view)
            more = len(view.drift.breached) - 1
            tail = f" and {more} more" if more else ""
            found.append(
                Attention(
                    "breach",
                    f"{account_name(view.account)}: {symbol} {drift}, {used} of its band{tail}.",
                    view.account.id,
                )
            )
    for run in runs:
        if run.created_at < since or (run.status not in FAILED_STATUSES and not run.failed_orders):
            continue
        ending = ENDINGS.get(str(run.status), "")
        refused = f"{count_of(len(run.failed_orders), 'order')} refused" if run.failed_orders else ""
        found.append(
            Attention(
                "run",
                f"{names.get(run.account_id, run.account_id)}: run of {new_york(run.created_at)} "
                f"{', '.join(part for part in (ending, refused) if part)}.",
                run.account_id,
                run.id,
            )
        )
    return tuple(found)
