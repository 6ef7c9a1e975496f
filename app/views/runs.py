"""The history of runs, and one run from start to fill."""

import run_detail
import run_history
import state
import streamlit as st
import widgets

from driftdesk.figures import runs_alt, runs_table

names = {view.account.id: label for label, view in state.labels().items()}
chosen = state.selected_run()
if chosen:
    # Whatever is wrong with one run, the history is still below it.
    with state.sentences():
        run_detail.show(chosen, names)

st.subheader("History")
runs, account_id = run_history.filtered()
if not runs:
    st.info(
        "No run fits these filters." if state.runs() else "No runs yet. Preview an account to create the first one."
    )
    st.stop()
with st.container(border=True):
    run_history.charts(runs, account_id, names)
frame = runs_table(runs, names)
ids = [run.id for run in runs]
key = widgets.selection_key("runs", ids)
st.caption(f"{state.plain(runs_alt(runs))} Filled % is of what was sent. Select a row to see its steps and fills.")
widgets.table(frame, runs_alt(runs), key=key, on_select=lambda: state.select_run(key, ids), selection_mode="single-row")
widgets.download(frame, "runs", key="download_runs")
