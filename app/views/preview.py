"""The orders that a run would send, and the way to create it: controls, preview, review, create."""

import review
import run_writes
import state
import streamlit as st
import widgets

from driftdesk.figures import (
    Scale,
    before_after_alt,
    before_after_figure,
    count_of,
    orders_alt,
    orders_figure,
    orders_table,
    skipped_table,
)

if run_writes.review().following:
    review.follow()
view = state.account()
widgets.notes(view)
choice = review.controls(view)
preview = state.desk().preview(
    view.account.id,
    model=choice.model,
    run_type=choice.run_type,
    amount=choice.amount,
    options=choice.options,
    min_notional=choice.min_notional,
    cost_bps=choice.cost_bps,
    excluded=choice.excluded,
)
orders = preview.plan.orders
widgets.preview_metrics(preview)
widgets.estimate_note()
for warning in preview.warnings:
    st.warning(state.plain(warning), icon=":material/warning:")

frame = orders_table(preview)
if orders:
    widgets.table(frame, orders_alt(preview))
else:
    st.info("With these choices there is nothing to send.")

obstacle = review.obstacle(view, choice)
running = next((run for run in state.runs(view.account.id) if run.is_open), None)
with st.container(horizontal=True, vertical_alignment="center"):
    st.button(
        f"Review {count_of(len(orders), 'order')}",
        type="primary",
        icon=":material/checklist:",
        disabled=not orders or obstacle is not None or running is not None,
        on_click=run_writes.open_review,
        args=(preview,),
        key="review",
    )
    if orders:
        widgets.download(frame, "orders", state.label_of(view), key="download_orders")
if running is not None and not run_writes.review().following:
    st.info("This account has an open run, and may have one at a time.", icon=":material/info:")
    st.page_link(
        "views/runs.py",
        label="See or cancel the open run",
        icon=":material/receipt_long:",
        query_params=state.run_link(running.id),
    )
if obstacle is not None:
    st.info(state.plain(obstacle), icon=":material/info:")

skipped = skipped_table(preview)
if len(skipped):
    title = f"{count_of(len(skipped), 'order')} skipped"
    with st.expander(title, icon=":material/filter_alt_off:", on_change="rerun", key="skipped_rows") as rows:
        if rows.open:
            widgets.table(skipped, f"{title}, each with its reason.")

before, notionals = st.tabs(["Before and after", "Order sizes"], key="preview_charts", on_change="rerun")
with before:
    if before.open:
        st.markdown(widgets.MOVE_LEGEND)
        widgets.chart(
            before_after_figure(preview, Scale.DRIFT, state.theme()), before_after_alt(preview), "before_after_chart"
        )
        widgets.estimate_note()
with notionals:
    if notionals.open:
        widgets.chart(orders_figure(preview, state.theme()), orders_alt(preview), "orders_chart")
        widgets.estimate_note()

reviewed = run_writes.under_review(preview)
if reviewed is not None and obstacle is None:
    review.confirm(reviewed, view)
