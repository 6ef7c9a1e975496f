"""One run: its steps, its fills against the plan, what failed or was skipped, and a way to cancel it while open."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import confirmation
import sidebar
import state
import streamlit as st
import widgets

from driftdesk.figures import (
    count_of,
    fills_alt,
    fills_figure,
    fills_table,
    money,
    previewed_alt,
    previewed_table,
    refused_table,
    run_reason,
    timeline_alt,
    timeline_figure,
    timeline_table,
    words,
)

POLL = "2s"
MINUTE = timedelta(minutes=1)


def show(run_id: str, names: dict[str, str]) -> None:
    """Draw the run; while it is open on a real clock, look again every two seconds."""
    run = state.desk().run(run_id)
    if run.is_open and state.canceling() == run.id:
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
    fills, previewed = fills_table(run), previewed_table(run)
    if len(previewed):
        st.markdown("**Previewed orders**")
        widgets.table(previewed, previewed_alt(run))
        later = "the run plans again when it starts, and sends these unless prices moved far."
        st.caption(
            f"Nothing was sent yet: {later}" if run.is_open else "The run ended before it started: none was sent."
        )
    elif len(fills):
        widgets.chart(fills_figure(run, state.theme()), fills_alt(run), "fills_chart")
        widgets.table(fills, fills_alt(run))
        widgets.download(fills, "fills", run.id[:8], key="download_fills")
    else:
        st.caption("The orders are planned when the run starts." if run.is_open else "This run has no orders.")
    refused = refused_table(run)
    if len(refused):
        st.markdown("**Not traded, or not in full**")
        widgets.table(refused, f"{count_of(len(refused), 'order')} not traded or not in full, each with its reason.")
    if run.events:
        with st.expander("Steps as a table", icon=":material/table_rows:", on_change="rerun", key="steps_rows") as rows:
            if rows.open:
                widgets.table(timeline_table(run), timeline_alt(run))


def _while_open(run: Any) -> None:
    with st.container(horizontal=True):
        if state.desk().simulation is not None:
            sidebar.advance_button("Advance 1 minute", state.desk().clock().timestamp + MINUTE, width="content")
        if st.button("Cancel run", icon=":material/cancel:", key="cancel_run"):
            state.ask_to_cancel(run.id)
            st.rerun()


@st.dialog("Cancel run", icon=":material/cancel:", on_dismiss=state.keep_run)
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
        if st.button("Back", key="cancel_back", on_click=state.keep_run):
            st.rerun()
        if st.button(
            "Cancel run",
            type="primary",
            key="cancel_confirm",
            disabled=typed is None,
            on_click=state.cancel_run,
            args=(run.id, typed),
        ):
            st.rerun()
