"""What can be done beside the list of orders: place one, cancel those that are shown, let time pass, and look again."""

import order_state
import order_writes
import sidebar
import state
import streamlit as st

from driftdesk.figures import AccountOrder, count_of

POLL = "2s"


def buttons(waiting: tuple[AccountOrder, ...], *, minute: bool) -> None:
    """The row of buttons above the list; `waiting` are the open orders in it. `minute`: whether to offer one there."""
    accounts = {row.account_id for row in waiting}
    with st.container(horizontal=True, vertical_alignment="center"):
        if order_state.may_send():
            st.button(
                "New order",
                icon=":material/add:",
                key="new_order",
                on_click=order_writes.ask,
                args=(order_writes.PLACE, state.account().account.id),
            )
        else:
            st.caption("Orders are not placed by hand with real money: preview an account and create a run.")
        # With real money one account's number is typed, so one account's orders are canceled at a time.
        if waiting and (order_state.may_send() or len(accounts) == 1):
            st.button(
                f"Cancel {count_of(len(waiting), 'open order')}",
                icon=":material/cancel:",
                key="cancel_orders",
                on_click=order_writes.ask,
                args=(order_writes.CANCEL, waiting[0].account_id, waiting),
            )
        if waiting and minute:
            advance()


def advance() -> None:
    """A button for a minute of market time, where time stands still by itself."""
    if state.desk().simulation is not None:
        sidebar.advance_button("Advance 1 minute", state.desk().clock().timestamp + sidebar.MINUTE, width="content")


@st.fragment(run_every=POLL, key="watched_orders")
def watch(drawn: tuple[AccountOrder, ...]) -> None:
    """Look again every two seconds; draw the page anew when something has happened, which also ends the looking."""
    with state.sentences():
        if order_state.moved(drawn):
            state.refresh()
            st.rerun(scope="app")
        st.caption(":material/sync: Open orders are looked at every two seconds.")
