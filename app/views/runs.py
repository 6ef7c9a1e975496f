"""The history of runs, and one run from start to fill."""

import run_detail
import state
import streamlit as st
import widgets

from driftdesk.figures import runs_alt, runs_figure, runs_table

names = {view.account.id: label for label, view in state.labels().items()}
everyone = st.segmented_control(
    "Show", ["All accounts", "This account"], default="All accounts", required=True, key="runs_of", bind="query-params"
)
runs = state.runs(None if everyone == "All accounts" else state.account().account.id)

chosen = state.selected_run()
if chosen is not None:
    with st.container(border=True):
        run_detail.show(chosen, names)

if not runs:
    st.info("No runs yet. Preview an account to create the first one.")
    st.stop()
with st.container(border=True):
    st.subheader("History")
    st.markdown(widgets.RUNS_LEGEND)
    widgets.chart(runs_figure(runs, state.theme()), runs_alt(runs), "runs_chart")
frame = runs_table(runs, names)
ids = [run.id for run in runs]
key = widgets.selection_key("runs", ids)
st.caption("Select a row to see its steps and fills.")
widgets.table(frame, runs_alt(runs), key=key, on_select=lambda: state.select_run(key, ids), selection_mode="single-row")
widgets.download(frame, "runs", key="download_runs")
