"""Pieces that several pages show: charts and tables with their words, badges, metrics, times and downloads."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import state
import streamlit as st

from driftdesk import AccountView, Preview, accuracy
from driftdesk.figures import (
    CHART_CONFIG,
    Attention,
    count_of,
    csv_text,
    file_name,
    money,
    near_edge,
    new_york,
    percent,
    signed_points,
    symbol_text,
    utc,
)

PERCENT = st.column_config.NumberColumn(format="%.2f%%", width="small")
MONEY = st.column_config.NumberColumn(format="dollar", step=0.01)
WHY_WIDTH, STATE_WIDTH = 480, 130
COLUMNS = {
    **dict.fromkeys(("Target %", "Weight %", "Lower %", "Upper %", "Turnover %"), PERCENT),
    "Weight now %": st.column_config.NumberColumn("Now %", format="%.2f%%", width="small", help="Weight now"),
    "Weight after %": st.column_config.NumberColumn("After %", format="%.2f%%", width="small", help="Weight after"),
    "Notional": st.column_config.NumberColumn(format="dollar", step=0.01, width=100),
    **dict.fromkeys(("Equity", "Cash", "Value", "Traded", "Planned notional", "Filled notional"), MONEY),
    **dict.fromkeys(("Sold", "Bought", "Left", "Notional now", "Cost"), MONEY),
    "Day": st.column_config.DateColumn(format="YYYY-MM-DD"),
    "Price": st.column_config.NumberColumn(format="$%,.2f", width="small"),
    "Planned price": st.column_config.NumberColumn(format="$%.4f"),
    "Average price": st.column_config.NumberColumn(format="$%.4f"),
    "Drift pp": st.column_config.NumberColumn(format="%+.2f", width="small"),
    "Drift % of target": st.column_config.NumberColumn("Of target", format="%+.1f%%", width="small"),
    "Band used %": st.column_config.NumberColumn(format="%.0f%%", width="small"),
    "Filled %": st.column_config.NumberColumn(format="%.0f%%", width="small"),
    "Slippage bp": st.column_config.NumberColumn(format="%.1f", width="small"),
    "Quantity": st.column_config.NumberColumn(format="%,.4f", width="small"),
    "Filled quantity": st.column_config.NumberColumn(format="%,.4f"),
    "Fill price": st.column_config.NumberColumn(format="$%.4f", width="small"),
    "Position": st.column_config.NumberColumn(format="%,.4f", width="small", help="Shares held after it"),
    "At": st.column_config.DatetimeColumn("Time", format="YYYY-MM-DD HH:mm:ss", timezone="America/New_York"),
    "Why": st.column_config.TextColumn(width=WHY_WIDTH),
    "What happened": st.column_config.TextColumn(width="large"),
    "Details": st.column_config.TextColumn(width=300),
    "Terms": st.column_config.TextColumn(width=130),
    "Next session": st.column_config.DateColumn(
        format="ddd D MMM YYYY", width=125, help="When its calendar day is next due"
    ),
    **dict.fromkeys(
        ("Created", "Last rebalanced", "Time", "Filled at"),
        st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", timezone="America/New_York"),
    ),
}
BADGES = {
    "Side": ["▼ Sell", "▲ Buy"],
    "Standing": ["Problem", "Outside band", "Near the edge", "Inside", "No portfolio"],
    "Status": ["Over its band", "Under its band", "In band", "No target"],
    "State": [
        *("Error", "Timeout", "Held", "Needs adjustment", "Problem", "Rejected", "Expired"),
        *("Queued", "In progress", "Open run", "Waits", "New", "Accepted", "Partially filled", "Pending cancel"),
    ],
}
BADGE_COLOURS = {
    "Side": ["orange", "blue"],
    "Standing": ["orange", "orange", "gray", "gray", "gray"],
    "Status": ["orange", "blue", "gray", "gray"],
    "State": [*["orange"] * 7, *["blue"] * 8],
}
OUTCOMES: dict[str, tuple[str, str, Any]] = {
    "run": ("Would rebalance", ":material/sync_alt:", "orange"),
    "blocked": ("Waits", ":material/hourglass:", "orange"),
    "not_due": ("Nothing due", ":material/check:", "gray"),
}
ATTENTION_ICONS = {"problem": ":material/error:", "breach": ":material/straighten:", "run": ":material/sms_failed:"}
# Longer tables scroll inside themselves.
ALL_ROWS = 15
HIDDEN = ("Account id", "Portfolio id", "Run", "Line", "Order id", "Client order id")


def legend(*items: str) -> str:
    """One line of signs and their meanings; a sign never parts from its meaning at the end of a line."""
    return ":small[" + " &emsp; ".join(item.replace(" ", "&nbsp;") for item in items) + "]"


DRIFT_LEGEND = legend(
    ":orange[**▶**] over its band, sell",
    ":blue[**◀**] under its band, buy",
    "◇ inside, past 80% of the band",
    "● inside",
    "✕ no target",
    "▭ allowed band",
    "**|** target",
)
MOVE_LEGEND = legend("○ now", "● after the orders", "▭ allowed band", "**|** target")
RUNS_LEGEND = legend(
    "● completed",
    "◇ ○ open",
    "— canceled",
    ":orange[✖] failed",
    ":orange[▼] sold, :blue[▲] bought in a month",
)


def chart(figure: go.Figure, alt: str, key: str) -> None:
    """A chart as wide as its place, with its takeaway for those who do not see it."""
    st.plotly_chart(figure, width="stretch", config=CHART_CONFIG, alt=alt, key=key)


def _shown(frame: pd.DataFrame, hide: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    # Hidden columns would still be sent to the browser, so they are dropped.
    shown = frame.drop(columns=[name for name in hide if name in frame.columns])
    config: dict[str, Any] = {name: COLUMNS[name] for name in shown.columns if name in COLUMNS}
    for name in BADGES.keys() & set(shown.columns):
        shown = shown.assign(**{name: [[value] for value in shown[name]]})
        others = [value for [value] in shown[name] if value not in BADGES[name]]
        config[name] = st.column_config.MultiselectColumn(
            options=[*BADGES[name], *dict.fromkeys(others)],
            color=[*BADGE_COLOURS[name], *("gray" for _ in dict.fromkeys(others))],
            # A state may grow longer while it is watched, and a column keeps the width that it began with.
            width=STATE_WIDTH if name == "State" else None,
        )
    return shown, config


def table(frame: pd.DataFrame, alt: str, *, hide: Sequence[str] = HIDDEN, **options: Any) -> Any:
    """A table without its index and without the columns in `hide`; `options` go to the table."""
    shown, config = _shown(frame, hide)
    defaults = {"placeholder": "", "height": "content" if len(frame) <= ALL_ROWS else 560}
    return st.dataframe(shown, hide_index=True, column_config=config, alt=alt, **{**defaults, **options})


def selection_key(name: str, ids: Iterable[str]) -> str:
    """A key that changes with the rows: a selection is kept by position and would slip to another row otherwise."""
    return f"{name}_{hashlib.sha256('|'.join(ids).encode()).hexdigest()[:12]}"


def download(frame: pd.DataFrame, *names: str, key: str) -> None:
    """A button that gives the whole table as CSV; the file is made only when it is asked for."""
    st.download_button(
        "Download CSV",
        data=lambda: csv_text(frame),
        file_name=file_name(*names),
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=key,
    )


def metrics(items: Sequence[tuple[str, str, str, str]], across: int = 4) -> None:
    """Cards of (label, value, line below, colour of that line), `across` of them side by side where there is room."""
    with st.grid(across, gap="small", min_column_width=140):
        for label, value, below, colour in items:
            st.metric(label, value, below or None, delta_color=colour, delta_arrow="off", border=True, height="stretch")


def moment(at: datetime, before: str = "") -> None:
    """An instant in New York time; UTC when pointed at."""
    st.caption(f"{before}{new_york(at)} New York", help=utc(at))


def estimate_note() -> None:
    """The sentence that a preview is an estimate, where it is one; under metrics and charts alike."""
    if note := state.desk().estimate_note:
        st.caption(f":material/calculate: {note}")


def preview_metrics(preview: Preview) -> None:
    """What the orders come to; accuracy is the share of equity that is where the targets want it."""
    orders, equity = preview.plan.orders, preview.before.equity
    share = percent(preview.cash_after / equity) if equity else ""
    metrics(
        [
            ("Orders", str(len(orders)), f"{len(preview.plan.skipped)} skipped", "gray"),
            ("Sells", money(preview.sells_total), count_of(len(preview.plan.sells), "order"), "orange"),
            ("Buys", money(preview.buys_total), count_of(len(preview.plan.buys), "order"), "blue"),
            ("Cash after", money(preview.cash_after), f"{share} of equity", "gray"),
            ("Turnover", percent(preview.turnover), "one way", "gray"),
            ("Estimated cost", money(preview.estimated_cost), _cost(preview), "gray"),
            ("Outside band after", str(len(preview.after.breached)), f"{len(preview.before.breached)} now", "gray"),
            ("Accuracy after", percent(accuracy(preview.after)), f"{percent(accuracy(preview.before))} now", "gray"),
        ],
    )


def drift_metrics(preview: Preview, last_equity: Decimal) -> None:
    """How far the account is from its targets, and what going back would turn over."""
    report = preview.before
    worst, near = report.rows[0], sum(map(near_edge, report.rows))
    banded = sum(row.band is not None for row in report.rows)
    alarming = "orange" if report.breached or near else "gray"
    change = money(report.equity - last_equity, cents=False)
    used = "no band" if worst.band_used is None else f"{percent(worst.band_used, 0)} of its band"
    orders = count_of(len(preview.plan.orders), "order")
    metrics(
        [
            ("Equity", money(report.equity, cents=False), f"{change} since last close", "gray"),
            ("Outside band", f"{len(report.breached)} of {banded}", f"{near} near the edge", alarming),
            (
                f"Largest drift, {symbol_text(worst.symbol)}",
                signed_points(worst.drift),
                used,
                "orange" if worst.breached else "gray",
            ),
            ("Turnover to target", percent(preview.turnover), f"{orders}, one way", "gray"),
        ]
    )


def attention_link(item: Attention, label: str) -> None:
    """A link to the account or the run that needs a look."""
    page, link = "views/drift.py", {state.ACCOUNT: label}
    if item.run_id is not None:
        page, link = "views/runs.py", {**link, state.RUN: item.run_id}
    st.page_link(page, label=state.plain(item.text), icon=ATTENTION_ICONS[item.kind], query_params=link)


def _cost(preview: Preview) -> str:
    traded = preview.sells_total + preview.buys_total
    if not traded:
        return "no trades"
    if not preview.estimated_cost:
        return "no cost assumed"
    return f"{preview.estimated_cost / traded * 10_000:.1f} bp of trades"


def decision(made: Any) -> datetime:
    """What the next evaluation would decide, and why, in the decision's own words; when that is."""
    label, icon, colour = OUTCOMES[str(made.outcome)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(label, icon=icon, color=colour)
        st.markdown(state.plain(made.summary))
    at: datetime = made.at
    return at


def notes(view: AccountView) -> None:
    """What a person should know of an account at a brokerage before trading in it."""
    for text in dict.fromkeys((*view.account.notes, *([view.account.refusal] if view.account.refusal else []))):
        st.warning(state.plain(text), icon=":material/account_balance:")


def state_colour(status: str) -> str:
    """The badge colour of a run's status: orange asks for a look, blue is under way."""
    if status in ("ERROR", "TIMEOUT"):
        return "orange"
    return "blue" if status in ("QUEUED", "IN_PROGRESS") else "gray"
