"""One order: its terms, what is filled of what was wanted, everything that happened to it, and what may be done."""

import order_actions
import order_state
import order_writes
import state
import streamlit as st
import widgets

from driftdesk.figures import (
    AccountOrder,
    filled_share,
    filled_text,
    order_events_alt,
    order_events_table,
    order_text,
    words,
)


def show(row: AccountOrder, names: dict[str, str]) -> None:
    """Draw the order."""
    order = row.order
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(state.plain(order_text(order)))
        failed = order.status in ("rejected", "expired")
        st.badge(words(order.status), color="blue" if row.is_open else "orange" if failed else "gray")
    st.caption(state.plain(f"{names.get(row.account_id, row.account_id)} · order {order.id}"))
    if order.reject_reason:
        st.warning(state.plain(f"{order.reject_reason.rstrip('.')}."), icon=":material/error:")
    # A bar knows only floats; the sentence beside it is exact.
    st.progress(float(filled_share(order)), text=state.plain(filled_text(order)))
    _buttons(row)
    # The real API keeps no history of an order; its own times stand in for it.
    told = () if state.desk().estimates else state.desk().client.orders.history(row.account_id, order.id).updates
    table = order_events_table(order, told)
    widgets.table(table, order_events_alt(table))
    widgets.download(table, "order", order.id[:8], key="download_order")


def _buttons(row: AccountOrder) -> None:
    order = row.order
    with st.container(horizontal=True):
        if row.is_open:
            order_actions.advance()
            ask, account, target = order_writes.ask, row.account_id, (row,)
            st.button(
                "Cancel order",
                icon=":material/cancel:",
                key="cancel_order",
                on_click=ask,
                args=(order_writes.CANCEL, account, target),
            )
            if order_state.may_replace(order):
                st.button(
                    "Replace",
                    icon=":material/edit:",
                    key="replace_order",
                    on_click=ask,
                    args=(order_writes.REPLACE, account, target),
                )
        for label, other in (("The order that replaces it", order.replaced_by), ("The replaced order", order.replaces)):
            if other:
                st.button(label, icon=":material/link:", key=f"go_{other}", on_click=order_state.show, args=(other,))
        st.button("Close", icon=":material/close:", key="close_order", on_click=order_state.show, args=(None,))
