"""One account against its targets and bands."""

import state
import streamlit as st
import widgets

from driftdesk.figures import (
    Scale,
    drift_alt,
    drift_figure,
    drift_table,
)

view = state.account()
widgets.notes(view)
chosen = state.chosen_portfolio(state.COMPARE)
other = chosen is not None and (view.portfolio is None or chosen.id != view.portfolio.id)
if view.problem and not other:
    st.error(state.plain(view.problem), icon=":material/error:")
    st.page_link("views/preview.py", label="Preview the orders, or leave a holding out", icon=":material/fact_check:")
    st.stop()
if view.drift is None and not other:
    st.info("This account follows no portfolio. Choose one under “Compare with” to measure it.")
    st.page_link("views/preview.py", label="Preview the orders against a portfolio", icon=":material/fact_check:")
    st.stop()

preview = state.desk().preview(view.account.id, model=state.desk_model(chosen) if other else None)
report = preview.before
rebalanced = view.subscription.last_rebalanced_at if view.subscription else None
widgets.drift_metrics(preview, view.account.last_equity)
widgets.estimate_note()
if other:
    st.info(f"Measured against {state.plain(chosen.name)}, which this account does not follow.")
else:
    with st.container(border=True):
        at = None if state.desk().by_hand else widgets.decision(state.desk().decide(view))
        held = view.subscription.waiting.held if view.subscription and view.subscription.waiting else None
        if held:
            st.button("Resume automatic runs", icon=":material/play_arrow:", on_click=state.resume, args=(view,))
        with st.container(horizontal=True, gap="large"):
            if at is None:
                st.caption(state.desk().missing("decisions"))
            else:
                widgets.moment(at, "Next evaluation ")
            if rebalanced is not None:
                widgets.moment(rebalanced, "Last full rebalance ")

with st.container(border=True):
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Current weight against band")
        scale = st.segmented_control(
            "Scale",
            [scale.value for scale in Scale],
            default=Scale.WEIGHT.value,
            required=True,
            key="scale",
            bind="query-params",
            label_visibility="collapsed",
        )
    st.markdown(widgets.DRIFT_LEGEND)
    widgets.chart(drift_figure(report, Scale(scale), state.theme()), drift_alt(report), "drift_chart")

frame = drift_table(report)
with st.expander("Same numbers as a table", icon=":material/table_rows:", on_change="rerun", key="drift_rows") as rows:
    if rows.open:
        widgets.table(frame, drift_alt(report))
with st.container(horizontal=True, vertical_alignment="center"):
    widgets.download(frame, "drift", state.label_of(view), key="download_drift")
    st.page_link("views/preview.py", label="Preview the orders", icon=":material/fact_check:")
