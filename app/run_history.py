"""The history of runs: filters that a link carries, and how the runs ended, what they traded and what they cost."""

from typing import Any

import state
import streamlit as st
import widgets

from driftdesk.figures import (
    STATUS_ORDER,
    count_of,
    days_alt,
    days_figure,
    days_of,
    days_table,
    run_traded,
    runs_alt,
    runs_figure,
    runs_slippage_alt,
    runs_slippage_figure,
    runs_slippage_table,
    same_time_later,
    words,
)

TYPES = ("full_rebalance", "invest_cash")
SOURCES = ("system", "api")
PERIODS: dict[str, dict[str, int]] = {
    "1 week": {"days": -7},
    "1 month": {"months": -1},
    "3 months": {"months": -3},
    "1 year": {"months": -12},
}
# As many as `state.runs` reads.
MOST_RUNS = 500
# Each needs a request of its own.
MOST_PLANS, MOST_ACCOUNTS = 60, 50
DAYS_LEGEND = widgets.legend(":blue[▮] bought", ":orange[▮] sold", ":gray[▮] turnover, one-way, percent of equity")
COST_LEGEND = widgets.legend(":orange[●] fills cost against the plan", ":gray[●] they did not")


def filtered() -> tuple[tuple[Any, ...], str | None]:
    """The runs that fit the filters, newest first, and the account whose runs they are, None for all accounts.

    The filters are drawn, and a link carries them.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        everyone = st.segmented_control(
            "Show",
            ["All accounts", "This account"],
            default="All accounts",
            required=True,
            key="runs_of",
            bind="query-params",
        )
        states = st.multiselect(
            "State",
            [str(status) for status in STATUS_ORDER],
            format_func=words,
            placeholder="Any state",
            key="runs_state",
            bind="query-params",
            width=260,
        )
        kind = _one("Type", TYPES, "Any type", "runs_type")
        source = _one("Initiated from", SOURCES, "Anywhere", "runs_from")
        period = st.selectbox(
            "Period",
            list(PERIODS),
            index=None,
            placeholder="Any time",
            key="runs_period",
            bind="query-params",
            width=140,
            help="Counted back from now by the time at which the run was created.",
        )
    account_id = None if everyone == "All accounts" else state.account().account.id
    runs = state.runs(account_id)
    if len(runs) == MOST_RUNS:
        st.caption(f"Of the newest {MOST_RUNS} runs. Show one account to reach further back.")
    since = same_time_later(state.desk().clock().timestamp, **PERIODS[period]) if period else None
    fitting = (
        run
        for run in runs
        if (not states or run.status in states)
        and kind in (None, run.type)
        and source in (None, run.initiated_from)
        and (since is None or run.created_at >= since)
    )
    return tuple(fitting), account_id


def _one(label: str, options: tuple[str, ...], placeholder: str, key: str) -> str | None:
    chosen: str | None = st.selectbox(
        label,
        options,
        index=None,
        format_func=words,
        placeholder=placeholder,
        key=key,
        bind="query-params",
        width=150,
    )
    return chosen


def charts(runs: tuple[Any, ...], account_id: str | None, names: dict[str, str]) -> None:
    """How the runs ended; what they traded day by day; what their fills cost. `account_id` None: of all accounts."""
    ended, by_day, slippage = st.tabs(
        ["Runs", "By day", "Slippage"], key="history", on_change="rerun", bind="query-params"
    )
    with ended:
        if ended.open:
            st.markdown(widgets.RUNS_LEGEND)
            widgets.chart(runs_figure(runs, state.theme()), runs_alt(runs), "runs_chart")
    with by_day:
        if by_day.open:
            _by_day(runs, account_id)
    with slippage:
        if slippage.open:
            _slippage(runs, names)


def _by_day(runs: tuple[Any, ...], account_id: str | None) -> None:
    # Turnover is of all accounts that are shown, also of those that did not trade.
    accounts = (account_id,) if account_id else tuple(view.account.id for view in state.book())
    told = len(accounts) <= MOST_ACCOUNTS
    days = days_of(runs, state.equity_histories(accounts) if told else ())
    st.markdown(DAYS_LEGEND)
    widgets.chart(days_figure(days, state.theme()), days_alt(days), "days_chart")
    st.caption(
        "Turnover is half of what was traded, over the equity of "
        f"{count_of(len(accounts), 'account')} at the day's close, or at the last close before it."
        if told
        else f"Turnover needs the equity of every account, one request each; show one account of these {len(accounts)}."
    )
    frame = days_table(days)
    _rows(frame, days_alt(days), "days_rows")
    widgets.download(frame, "runs-by-day", key="download_days")


def _slippage(runs: tuple[Any, ...], names: dict[str, str]) -> None:
    if state.desk().estimates:
        st.caption("This backend does not tell what a run planned, so there is nothing to compare its fills with.")
        return
    traded = [run for run in runs if not run.is_open and run_traded(run)]
    planned = [state.ended_run(run.id, run.updated_at) for run in traded[:MOST_PLANS]]
    st.markdown(COST_LEGEND)
    widgets.chart(runs_slippage_figure(planned, state.theme()), runs_slippage_alt(planned), "runs_slippage_chart")
    st.caption(state.plain(runs_slippage_alt(planned)))
    if len(traded) > MOST_PLANS:
        st.caption(f"The newest {MOST_PLANS} of {len(traded)} runs that traded; filter for others.")
    frame = runs_slippage_table(planned, names)
    _rows(frame, runs_slippage_alt(planned), "slippage_rows")
    widgets.download(frame, "slippage", key="download_slippage")


def _rows(frame: Any, alt: str, key: str) -> None:
    with st.expander("Same numbers as a table", icon=":material/table_rows:", on_change="rerun", key=key) as rows:
        if rows.open:
            widgets.table(frame, alt)
