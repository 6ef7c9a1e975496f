"""Orders at the broker: what is open, what became of the others, one of them in detail; placed and canceled by hand."""

import order_actions
import order_detail
import order_dialogs
import order_state
import order_ticket
import order_writes
import state
import streamlit as st
import widgets

from driftdesk.figures import broker_orders_alt, broker_orders_table

THIS, EVERYONE = "This account", "All accounts"
STATES = [order_state.ANY, order_state.OPEN, "Filled", "Canceled", "Rejected", "Expired", "Replaced"]
SIDES = [order_state.ANY, "Buy", "Sell"]
DIALOGS = {
    order_writes.PLACE: order_ticket.place,
    order_writes.REPLACE: order_ticket.replace,
    order_writes.CANCEL: order_dialogs.cancel,
}

names = {view.account.id: label for label, view in state.labels().items()}
with st.container(horizontal=True, vertical_alignment="bottom"):
    of = st.segmented_control(
        "Show", [THIS, EVERYONE], default=THIS, required=True, key="orders_of", bind="query-params"
    )
    everyone = of == EVERYONE
    rows = order_state.listed(everyone=everyone)
    symbols = [order_state.ANY, *sorted({row.order.symbol for row in rows})]
    status = st.selectbox("State", STATES, key="orders_state", bind="query-params", width=150)
    symbol = st.selectbox("Symbol", symbols, key="orders_symbol", bind="query-params", width=150)
    side = st.segmented_control("Side", SIDES, default=SIDES[0], required=True, key="orders_side", bind="query-params")
shown = order_state.fitting(rows, str(status), str(symbol), str(side))

chosen = order_state.opened(rows)
if chosen is not None:
    with st.container(border=True):
        order_detail.show(chosen, names)
waiting = tuple(row for row in shown if row.is_open)
order_actions.buttons(waiting, minute=chosen is None or not chosen.is_open)

if shown:
    table = broker_orders_table(shown, names)
    ids = list(table["Order id"])
    key = widgets.selection_key("orders", ids)
    st.caption(f"{broker_orders_alt(shown)} Select a row to see what happened to it.")
    widgets.table(
        table,
        broker_orders_alt(shown),
        key=key,
        hide=widgets.HIDDEN if everyone else (*widgets.HIDDEN, "Account"),
        on_select=lambda: order_state.select(key, ids),
        selection_mode="single-row",
    )
    widgets.download(table, "orders", key="download_orders")
else:
    st.info("No order fits these filters." if rows else "No orders yet. Runs send them, and you can place one by hand.")

it = order_writes.under_review()
if it.open:
    # Not watched meanwhile: drawing again would take the dialog away from under a person's hands.
    DIALOGS[it.kind]()
elif order_state.is_watched(rows, everyone=everyone):
    order_actions.watch(rows)
