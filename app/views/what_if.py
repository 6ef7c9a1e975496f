"""Any holdings against any weights and bands: drift, decision and orders at once. Nothing is saved."""

import state
import streamlit as st
import what_if_input
import widgets

from driftdesk import what_if
from driftdesk.figures import (
    Scale,
    before_after_alt,
    before_after_figure,
    drift_alt,
    drift_figure,
    drift_table,
    orders_alt,
    orders_table,
    skipped_table,
)

st.caption("Change any number: drift, decision and orders follow. Nothing is saved and nothing is sent.")
start = what_if_input.start()
left, right = st.columns(2, gap="medium")
# Both are drawn before either is read: a sentence about one must not take the other away.
with left:
    typed_holdings = what_if_input.holdings(start)
with right:
    typed_targets = what_if_input.targets(start)
if start.note:
    st.caption(state.plain(start.note))
holdings, cash = what_if_input.read_typed_holdings(*typed_holdings)
weights, bands = what_if_input.read_typed_targets(*typed_targets)

answer = what_if(holdings, cash=cash, weights=weights, bands=bands, as_of=state.desk().clock().timestamp)

with st.container(border=True):
    widgets.decision(answer.decision)
with st.container(border=True):
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Current weight against band")
        scale = st.segmented_control(
            "Scale",
            [scale.value for scale in Scale],
            default=Scale.WEIGHT.value,
            required=True,
            key="what_if_scale",
            persist_state="session",
            label_visibility="collapsed",
        )
    st.markdown(widgets.DRIFT_LEGEND)
    widgets.chart(drift_figure(answer.drift, Scale(scale), state.theme()), drift_alt(answer.drift), "what_if_drift")
    with st.expander(
        "Same numbers as a table", icon=":material/table_rows:", on_change="rerun", key="what_if_rows"
    ) as rows:
        if rows.open:
            widgets.table(drift_table(answer.drift), drift_alt(answer.drift))

st.subheader("Orders")
widgets.preview_metrics(answer.preview)
for warning in answer.preview.warnings:
    st.warning(state.plain(warning), icon=":material/warning:")
frame = orders_table(answer.preview)
if len(frame):
    widgets.table(frame, orders_alt(answer.preview))
    widgets.download(frame, "what-if-orders", key="download_what_if")
else:
    st.info("With these weights and bands there is nothing to send.")
skipped = skipped_table(answer.preview)
if len(skipped):
    widgets.table(skipped, f"{len(skipped)} skipped orders, each with its reason.")
with st.container(border=True):
    st.subheader("Before and after")
    st.markdown(widgets.MOVE_LEGEND)
    widgets.chart(
        before_after_figure(answer.preview, Scale.DRIFT, state.theme()),
        before_after_alt(answer.preview),
        "what_if_before_after",
    )
