"""One run: its steps, fills, slippage, what did not trade and what is left, and a way to cancel it while open."""

from decimal import Decimal
from typing import Any

import confirmation
import run_retry
import run_writes
import sidebar
import state
import streamlit as st
import widgets

from driftdesk import BackendError
from driftdesk.figures import (
    count_of,
    cumulative_alt,
    cumulative_figure,
    executions,
    executions_table,
    fills_alt,
    fills_figure,
    fills_table,
    money,
    previewed_alt,
    previewed_table,
    refused_table,
    run_cost,
    run_reason,
    run_slippage,
    run_traded,
    runs_table,
    signed_bps,
    slippage_alt,
    slippage_figure,
    slippage_time_figure,
    timeline_alt,
    timeline_figure,
    timeline_table,
    unfinished,
    words,
)

POLL = "2s"
# How a planned line stands that has no order, while its run is open and afterwards.
UNSENT = ("Planned", "Not sent")
SECTIONS = ("Fills", "Over time", "Slippage", "Not traded", "Drift now", "Steps")
CURVE_LEGEND = widgets.legend(":orange[▼] sold so far", ":blue[▲] bought so far", "┄ planned")
SLIPPAGE_LEGEND = widgets.legend(":orange[▼] sell", ":blue[▲] buy", ":gray[—] average so far, weighted by value")


def show(run_id: str, names: dict[str, str]) -> None:
    """Draw the run; while it is open on a real clock, look again every two seconds. An unknown one is said."""
    try:
        run = state.desk().run(run_id)
    except BackendError as error:
        # The real API does not recognize an id of another form.
        if error.status not in (state.NOT_FOUND, *state.REFUSED):
            raise
        state.link(state.RUN, None)
        st.error(state.plain(f"There is no run {run_id}; choose one of the table."), icon=":material/error:")
        return
    with st.container(border=True):
        if run.is_open and run_writes.canceling() == run.id:
            # Not watched meanwhile: drawing again would take the dialog away from under a person's hands.
            _draw(run, names)
            _confirm_cancel(run)
        elif run.is_open and state.desk().simulation is None:
            _watch(run_id, names)
        else:
            _draw(run, names)


@st.fragment(run_every=POLL, key="watched_run")
def _watch(run_id: str, names: dict[str, str]) -> None:
    run = state.desk().run(run_id)
    if not run.is_open:
        # Only on the change: a full rerun that asked for another would never end.
        state.refresh()
        st.rerun(scope="app")
    _draw(run, names)


def _draw(run: Any, names: dict[str, str]) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(state.plain(f"{names.get(run.account_id, run.account_id)}, run {run.id[:8]}"))
        st.badge(words(run.status), color=widgets.state_colour(run.status))
    about = (words(run.type), f"initiated from {words(run.initiated_from or 'unknown')}", run_reason(run))
    st.markdown(state.plain(" · ".join(part for part in about if part)))
    widgets.moment(run.created_at, "Created ")
    if run.events:
        widgets.chart(timeline_figure(run, state.theme()), timeline_alt(run), "timeline_chart")
    if run.is_open:
        _while_open(run)
    previewed = previewed_table(run)
    if len(previewed):
        _previewed(run, previewed)
    elif len(fills_table(run)) or len(refused_table(run)):
        _metrics(run)
        _sections(run)
    else:
        st.caption("The orders are planned when the run starts." if run.is_open else "This run has no orders.")


def _previewed(run: Any, previewed: Any) -> None:
    st.markdown("**Previewed orders**")
    widgets.table(previewed, previewed_alt(run))
    later = "the run plans again when it starts, and sends these unless prices moved far."
    st.caption(f"Nothing was sent yet: {later}" if run.is_open else "The run ended before it started: none was sent.")


def _metrics(run: Any) -> None:
    fills = fills_table(run)
    done = int((fills["State"] == "Filled").sum())
    # Out of the history's own row: a run says one thing in both places.
    [of_sent] = runs_table([run], {})["Filled %"]
    slippage = run_slippage(run)
    left = len(unfinished(run))
    widgets.metrics(
        [
            (
                "Orders filled",
                f"{done} of {len(fills)}",
                f"{left} not in full" if left else f"{len(run.skipped_orders)} skipped",
                "orange" if left else "gray",
            ),
            (
                "Traded",
                money(run_traded(run), cents=False),
                "nothing filled" if of_sent is None else f"{of_sent:.0f}% of what was sent",
                "gray",
            ),
            (
                "Slippage",
                "none" if slippage is None else signed_bps(slippage),
                "no fill to compare" if slippage is None else f"{money(run_cost(run))} against the plan",
                "gray",
            ),
        ],
        across=3,
    )
    unsent = fills[fills["State"].isin(UNSENT)]
    if len(unsent):
        rest = f"for {money(sum(unsent['Planned notional'], Decimal(0)))}"
        when = "Not sent yet" if run.is_open else "Never sent"
        st.caption(state.plain(f"{when}: {count_of(len(unsent), 'planned order')} {rest}."))


def _sections(run: Any) -> None:
    fills, over_time, slippage, not_traded, drift, steps = st.tabs(
        SECTIONS, key="section", on_change="rerun", bind="query-params"
    )
    with fills:
        if fills.open:
            frame = fills_table(run)
            widgets.chart(fills_figure(run, state.theme()), fills_alt(run), "fills_chart")
            widgets.table(frame, fills_alt(run))
            widgets.download(frame, "fills", run.id[:8], key="download_fills")
    with over_time:
        if over_time.open:
            _over_time(run)
    with slippage:
        if slippage.open:
            _slippage(run)
    with not_traded:
        if not_traded.open:
            run_retry.not_traded(run)
    with drift, state.sentences():
        if drift.open:
            run_retry.drift_left(run)
    with steps:
        if steps.open and not run.events:
            st.caption("This backend records no steps of a run.")
        elif steps.open:
            widgets.table(timeline_table(run), timeline_alt(run))
            widgets.download(timeline_table(run), "steps", run.id[:8], key="download_steps")


def _executions(run: Any) -> Any:
    until = None if run.is_open else run.updated_at + sidebar.MINUTE
    return executions(run, state.fills(run.account_id, run.created_at - sidebar.MINUTE, until))


def _over_time(run: Any) -> None:
    done = _executions(run)
    st.markdown(CURVE_LEGEND)
    widgets.chart(cumulative_figure(run, done, state.theme()), cumulative_alt(run, done), "cumulative_chart")
    st.caption(state.plain(cumulative_alt(run, done)))
    frame = executions_table(done)
    widgets.table(frame, cumulative_alt(run, done))
    widgets.download(frame, "fills-over-time", run.id[:8], key="download_executions")


def _slippage(run: Any) -> None:
    done = _executions(run)
    st.caption(state.plain(slippage_alt(run)))
    if run_slippage(run) is None:
        return
    widgets.chart(slippage_figure(run, state.theme()), slippage_alt(run), "slippage_chart")
    st.markdown("**Fill by fill**")
    st.markdown(SLIPPAGE_LEGEND)
    widgets.chart(slippage_time_figure(done, state.theme()), slippage_alt(run), "slippage_time_chart")
    widgets.download(executions_table(done), "slippage", run.id[:8], key="download_slippage_fills")


def _while_open(run: Any) -> None:
    with st.container(horizontal=True):
        if state.desk().simulation is not None:
            sidebar.advance_button("Advance 1 minute", state.desk().clock().timestamp + sidebar.MINUTE, width="content")
        if st.button("Cancel run", icon=":material/cancel:", key="cancel_run"):
            run_writes.ask_to_cancel(run.id)
            st.rerun()


@st.dialog("Cancel run", icon=":material/cancel:", on_dismiss=run_writes.keep_run)
def _confirm_cancel(run: Any) -> None:
    fills = fills_table(run)
    planned = sum(fills["Planned notional"].dropna(), Decimal(0))
    begun = f"{count_of(len(fills), 'planned order')} for {money(planned)}; what was filled stays"
    st.markdown(state.plain(f"Run {run.id[:8]}: {begun if len(fills) else 'not started yet, nothing was sent'}."))
    if state.desk().estimates:
        st.caption("Orders that the backend has placed already are not recalled.")
    number = state.number_of(run.account_id)
    typed = confirmation.typed("the account number", number, f"typed_cancel_{run.id}")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Back", key="cancel_back", on_click=run_writes.keep_run):
            st.rerun()
        if st.button(
            "Cancel run",
            type="primary",
            key="cancel_confirm",
            disabled=typed is None,
            on_click=run_writes.cancel_run,
            args=(run.id, typed),
        ):
            st.rerun()
