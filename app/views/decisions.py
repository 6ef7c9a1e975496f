"""Why accounts were rebalanced, and why they were not: every evaluation that was recorded, with its reasons."""

import state
import streamlit as st
import widgets

from driftdesk.figures import OUTCOMES, decisions_alt, decisions_table

lacking = state.desk().missing("decisions")
if lacking:
    elsewhere = "" if state.desk().by_hand else " The Drift page says what the next evaluation would decide."
    st.info(f"{lacking}{elsewhere}")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    everyone = st.segmented_control(
        "Show",
        ["This account", "All accounts"],
        default="This account",
        required=True,
        key="decisions_of",
        bind="query-params",
    )
    outcome = st.selectbox(
        "Outcome",
        list(OUTCOMES),
        index=None,
        format_func=OUTCOMES.get,
        placeholder="Any outcome",
        key="outcome",
        bind="query-params",
        width=240,
    )
    day = st.date_input(
        "Session",
        value=None,
        format="YYYY-MM-DD",
        key="decisions_day",
        width=160,
        help="One trading day; empty: the newest.",
    )

account = None if everyone == "All accounts" else state.account().account.id
decisions = state.decisions(account, day.isoformat() if day else None, outcome)
if not decisions:
    st.info("No decision fits. An account is evaluated once a session while it follows a portfolio.")
    st.stop()
names = {view.account.id: label for label, view in state.labels().items()}
models = {portfolio.id: portfolio.name for portfolio in state.desk().portfolios()}
frame = decisions_table(decisions, names, models)
key = widgets.selection_key("decisions", [made.id for made in decisions])
st.caption(decisions_alt(decisions) + " Select a row to see what triggered and what blocked.")
event = widgets.table(frame, decisions_alt(decisions), key=key, on_select="rerun", selection_mode="single-row")
for chosen in event.selection.rows[:1]:
    made = decisions[chosen]
    with st.container(border=True):
        st.markdown(f"**{state.plain(frame['Account'][chosen])}**, {made.session}: {state.plain(made.summary)}")
        for part in (*made.triggers, *made.blocks):
            st.markdown(f"- {state.plain(part.text)}")
        widgets.moment(made.at, "Evaluated ")
        if made.run_id:
            st.page_link(
                "views/runs.py",
                label="The run that came of it",
                icon=":material/receipt_long:",
                query_params=state.run_link(made.run_id),
            )
widgets.download(frame, "decisions", key="download_decisions")
