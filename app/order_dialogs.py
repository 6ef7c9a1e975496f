"""What the dialogs of the orders page share, and the one that cancels: exactly the orders that it names."""

from typing import Any

import confirmation
import order_writes
import state
import streamlit as st
import widgets

from driftdesk.figures import broker_orders_alt, broker_orders_table, count_of, left_text, order_text


def dialog(title: str, icon: str) -> Any:
    """A dialog that a write is reviewed in."""
    return st.dialog(title, width="medium", icon=icon, on_dismiss=order_writes.close_write)


@dialog("Cancel orders", ":material/cancel:")
def cancel() -> None:
    """Cancel one order, or all that were shown."""
    it = order_writes.under_review()
    if len(it.targets) == 1:
        [row] = it.targets
        st.markdown(state.plain(f"{order_text(row.order)}: {left_text(row.order)} not filled yet."))
        st.caption(f"Order {row.order.id}")
    else:
        names = {view.account.id: label for label, view in state.labels().items()}
        table = broker_orders_table(it.targets, names)[["Account", "Side", "Symbol", "Terms", "Order id"]]
        table.insert(3, "Not filled yet", [left_text(row.order) for row in it.targets])
        widgets.table(table, broker_orders_alt(it.targets), hide=())
    st.caption("What is filled stays. An order that ends meanwhile is told, and nothing else is canceled for it.")
    footer(f"Cancel {count_of(len(it.targets), 'order')}", ":material/cancel:", it.targets)


def footer(label: str, icon: str, body: Any) -> None:
    """The problem of the last try, what is to be typed, and the buttons; None as `body` keeps the write from being
    done. It is done from here."""
    it = order_writes.under_review()
    if not it.open:
        st.rerun()
    if body != it.body:
        # A field left by clicking the button: what it holds now was never shown with its estimate. Left in another way,
        # the problem was that of what is typed no more.
        changed = "What is typed was changed with that click. Check it, and send it again."
        it.problem, it.writing, it.body = changed if it.writing else None, False, body
    if it.problem:
        st.error(state.plain(it.problem), icon=":material/error:")
    number = state.number_of(it.account_id)
    typed = confirmation.typed("the account number", number, f"typed_{it.key}_{it.again}", disabled=it.writing)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Back", key="order_back", on_click=order_writes.close_write, disabled=it.writing)
        st.button(
            label,
            key="order_confirm",
            type="primary",
            icon=icon,
            disabled=it.writing or body is None or typed is None,
            on_click=order_writes.press,
            args=(body, typed or ""),
        )
    if it.writing:
        order_writes.write()
        st.rerun()
