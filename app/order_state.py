"""What the orders page shows: the orders, the filters, the one that the link names, and whether they have moved.

Session, link and cache are reached through state.py; what is written is in order_writes.py.
"""

from collections.abc import Iterable
from typing import Any

import state

from driftdesk import BackendError
from driftdesk.figures import AccountOrder, is_final, words

ORDER = "order"
ANY, OPEN = "Any", "Open"


def listed(*, everyone: bool) -> tuple[AccountOrder, ...]:
    """The orders of all accounts, or of the one in the sidebar: open ones first, then newest first."""
    if everyone:
        return state.orders(tuple(view.account.id for view in state.book()))
    return state.orders((state.account().account.id,))


def fitting(rows: Iterable[AccountOrder], status: str, symbol: str, side: str) -> list[AccountOrder]:
    """The rows that the filters let through; `status` is Any, Open, or a status in words."""
    return [
        row
        for row in rows
        if status in (ANY, words(row.order.status)) or (status == OPEN and row.is_open)
        if symbol in (ANY, row.order.symbol)
        if side in (ANY, words(row.order.side))
    ]


def select(key: str, ids: list[str]) -> None:
    """Put the order of the selected row of the table `key` into the link, or take it out."""
    row = state.selected_row(key)
    state.link(ORDER, ids[row] if row is not None and row < len(ids) else None)


def show(order_id: str | None) -> None:
    """Open an order, or close the one that is open."""
    state.link(ORDER, order_id)


def opened(rows: Iterable[AccountOrder]) -> AccountOrder | None:
    """The order that the link names: of `rows`, else one of the account in the sidebar. An unknown one is said."""
    wanted = state.linked(ORDER)
    if not wanted:
        return None
    found = next((row for row in rows if row.order.id == wanted), None)
    if found is not None:
        return found
    account_id = state.account().account.id
    try:
        order = state.desk().client.orders.get(account_id, wanted)
    except BackendError as error:
        # The real API does not recognize an id of another form.
        if error.status not in (state.NOT_FOUND, *state.REFUSED):
            raise
        state.say(f"There is no order {wanted} in {state.chosen_account()}; choose one of the table.", "problem")
        state.link(ORDER, None)
        state.show_said()
        return None
    return AccountOrder(account_id, order, not is_final(order))


def is_watched(rows: Iterable[AccountOrder], *, everyone: bool) -> bool:
    """Whether the page looks again by itself: while orders are open and time passes by itself. All accounts of the
    real API are hundreds of requests; they are read again when a person asks."""
    moving = state.desk().simulation is None and not (everyone and state.desk().estimates)
    return moving and any(row.is_open for row in rows)


def moved(rows: Iterable[AccountOrder]) -> bool:
    """Whether the backend's open orders are others by now than those of `rows`, in the accounts that have some."""
    drawn = {(row.account_id, *_standing(row.order)) for row in rows if row.is_open}
    accounts = {account_id for account_id, *_ in drawn}
    orders = state.desk().client.orders
    return drawn != {(account, *_standing(order)) for account in accounts for order in orders.list(account)}


def _standing(order: Any) -> tuple[str, str, Any]:
    return order.id, str(order.status), order.filled_qty


def may_send() -> bool:
    """Whether orders are placed by hand here: never with real money."""
    return not state.desk().asks_for("orders")


def may_replace(order: Any) -> bool:
    """Whether an open order can get other terms here: one that rests, and not at a brokerage."""
    return may_send() and not state.desk().by_hand and order.qty is not None and order.type != "market"
