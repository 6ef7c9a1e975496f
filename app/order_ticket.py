"""The dialogs that send an order by hand: a ticket for a new one, and other terms for one that rests."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import order_dialogs
import order_writes
import state
import streamlit as st

from driftdesk import BackendError, CreateOrder, InputError, ReplaceOrder, read_number
from driftdesk.figures import estimate_text, left_text, new_york, order_text

TYPES = {"Market": "market", "Limit": "limit", "Stop": "stop", "Stop limit": "stop_limit"}
LIMITED, STOPPED = ("Limit", "Stop limit"), ("Stop", "Stop limit")
TIMES = {
    "day": "Day",
    "gtc": "Until canceled",
    "opg": "At the open only",
    "cls": "At the close only",
    "ioc": "At once, cancel the rest",
    "fok": "At once and whole, or not at all",
}
# Orders that look at the market when it is open, and wait until then.
WAITING = ("day", "gtc")


@order_dialogs.dialog("New order", ":material/add_shopping_cart:")
def place() -> None:
    """The ticket of a new order."""
    it = order_writes.under_review()
    st.markdown(f"In **{state.plain(str(state.chosen_account()))}**, the account chosen in the sidebar.")
    it.typed = _fields(it)
    body, problem = _read(lambda: _order(it.typed, it.key))
    if body is None:
        st.caption(state.plain(f"Not to be sent yet: {problem}"))
    else:
        _estimate(it.account_id, body)
        _closed(body)
    if it.tried:
        st.caption("Sent again it keeps its client order id: there is one order at most.")
    order_dialogs.footer("Send order", ":material/send:", body)


@order_dialogs.dialog("Replace order", ":material/edit:")
def replace() -> None:
    """Other terms for an order that rests at the exchange."""
    it = order_writes.under_review()
    order = it.targets[0].order
    st.markdown(state.plain(order_text(order)))
    st.caption(f"Order {order.id}. Not filled yet: {left_text(order)}; the quantity counts what is filled.")
    begin, key = it.begin, f"{it.key}_{it.again}"
    with st.container(horizontal=True):
        size = _text("Quantity, shares", begin.size or str(order.qty), f"replace_qty_{key}")
        limit = stop = ""
        if order.limit_price is not None:
            limit = _text("Limit price", begin.limit or str(order.limit_price), f"replace_limit_{key}")
        if order.stop_price is not None:
            stop = _text("Stop price", begin.stop or str(order.stop_price), f"replace_stop_{key}")
    it.typed = order_writes.Typed(size=size, limit=limit, stop=stop)
    body, problem = _read(lambda: _changes(order, it.typed, it.key))
    if body is None:
        st.caption(state.plain(f"Not to be sent yet: {problem}"))
    order_dialogs.footer("Replace order", ":material/edit:", body)


def _fields(it: order_writes.Write) -> order_writes.Typed:
    # Never disabled: the locked drawing has to read what a field holds by then (see `order_dialogs.footer`).
    begin, key = it.begin, f"{it.key}_{it.again}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        symbol = _text("Symbol", begin.symbol, f"ticket_symbol_{key}")
        side = st.segmented_control(
            "Side", ["Buy", "Sell"], default=begin.side, required=True, key=f"ticket_side_{key}"
        )
        kind = st.selectbox("Type", list(TYPES), list(TYPES).index(begin.type), key=f"ticket_type_{key}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        size = _text("Size", begin.size, f"ticket_size_{key}")
        unit = st.segmented_control(
            "Size in", ["Shares", "USD"], default=begin.unit, required=True, key=f"ticket_unit_{key}"
        )
        wait = st.selectbox(
            "Time in force",
            list(TIMES),
            list(TIMES).index(begin.time_in_force),
            format_func=TIMES.__getitem__,
            key=f"ticket_time_{key}",
        )
    limit = stop = ""
    with st.container(horizontal=True):
        if kind in STOPPED:
            stop = _text("Stop price", begin.stop, f"ticket_stop_{key}")
        if kind in LIMITED:
            limit = _text("Limit price", begin.limit, f"ticket_limit_{key}")
    return order_writes.Typed(symbol, side, str(kind), unit, size, limit, stop, str(wait))


def _text(label: str, begin: str, key: str) -> str:
    return st.text_input(label, begin, key=key, autocomplete="off") or ""


def _read(read: Callable[[], Any]) -> tuple[Any, str]:
    """The body, or why what was typed cannot be sent, in one sentence."""
    try:
        return read(), ""
    except InputError as error:
        return None, str(error)


def _order(typed: order_writes.Typed, key: str) -> CreateOrder:
    symbol = typed.symbol.strip().upper()
    if not symbol:
        raise InputError("The symbol is missing.", field="symbol")
    size = read_number(typed.size, "The size", field="size")
    return CreateOrder(
        symbol=symbol,
        side=typed.side.lower(),
        type=TYPES[typed.type],
        time_in_force=typed.time_in_force,
        qty=size if typed.unit == "Shares" else None,
        notional=size if typed.unit == "USD" else None,
        stop_price=_price(typed.stop, "The stop price") if typed.type in STOPPED else None,
        limit_price=_price(typed.limit, "The limit price") if typed.type in LIMITED else None,
        client_order_id=key,
    )


def _price(text: str, what: str) -> Decimal:
    return read_number(text, what, field="price")


def _changes(order: Any, typed: order_writes.Typed, key: str) -> ReplaceOrder:
    read = {"qty": read_number(typed.size, "The quantity", field="qty")}
    if order.limit_price is not None:
        read["limit_price"] = _price(typed.limit, "The limit price")
    if order.stop_price is not None:
        read["stop_price"] = _price(typed.stop, "The stop price")
    changed = {name: number for name, number in read.items() if number != getattr(order, name)}
    if not changed:
        raise InputError("nothing is changed.")
    return ReplaceOrder(client_order_id=key, **changed)


def _estimate(account_id: str, body: CreateOrder) -> None:
    """What the order would come to, or why the backend would not have it: said before it is sent."""
    market = {"type": "market", "limit_price": None, "stop_price": None, "client_order_id": None}
    try:
        estimate = state.desk().client.orders.estimate(account_id, body.model_copy(update=market))
    except BackendError as error:
        st.warning(state.plain(f"No estimate: {error}"), icon=":material/warning:")
    else:
        st.info(state.plain(estimate_text(body, estimate)), icon=":material/calculate:")


def _closed(body: CreateOrder) -> None:
    clock = state.desk().clock()
    if not clock.is_open and body.time_in_force in WAITING:
        st.caption(f"The market is closed: the order waits until it opens, {new_york(clock.next_open)} New York.")
