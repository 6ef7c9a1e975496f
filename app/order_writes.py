"""The one write of the orders page that is under review: placing, replacing or canceling. It is done by `write` alone.

Its key is the client order id of what is placed: however often it is sent, there is one order (rules.md 8.2).
"""

import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import order_state
import state

from driftdesk import BackendError, CreateOrder, DriftdeskError
from driftdesk.figures import AccountOrder, count_of, ended_text, order_text, words

PLACE, REPLACE, CANCEL = "place", "replace", "cancel"


@dataclass(frozen=True)
class Typed:
    """An order as typed: sizes and prices are text."""

    symbol: str = ""
    side: str = "Buy"
    type: str = "Market"
    unit: str = "Shares"
    size: str = ""
    limit: str = ""
    stop: str = ""
    time_in_force: str = "day"


@dataclass
class Write:
    """A write under review: which orders it is about, what was typed, its key, and how far it came. One at a time.

    The key is the client order id of what is placed: however often it is sent, there is one order.
    """

    kind: str = ""
    account_id: str = ""
    targets: tuple[AccountOrder, ...] = ()
    begin: Typed = field(default_factory=Typed)
    typed: Typed = field(default_factory=Typed)
    key: str = field(default_factory=lambda: f"hand-{uuid.uuid4()}")
    body: Any = None
    confirmed: str = ""
    again: int = 0
    open: bool = False
    writing: bool = False
    tried: bool = False
    done: bool = False
    problem: str | None = None
    lock: Any = field(default_factory=threading.Lock, compare=False)

    @property
    def subject(self) -> tuple[str, str, tuple[str, ...]]:
        """What tells this write from another."""
        return self.kind, self.account_id, tuple(row.order.id for row in self.targets)


@dataclass
class Slot:
    """Where the session keeps the write."""

    write: Write = field(default_factory=Write)


def under_review() -> Write:
    """The write of this tab; a closed one before the first."""
    return state.kept("_order_write", Slot).write


def ask(kind: str, account_id: str, targets: tuple[AccountOrder, ...] = ()) -> None:
    """Open the dialog of a write. Key and fields stay until it has succeeded; another write gets new ones."""
    slot = state.kept("_order_write", Slot)
    new, it = Write(kind, account_id, targets), slot.write
    if it.done or it.subject != new.subject:
        it = slot.write = new
    it.begin, it.again, it.targets = it.typed, it.again + 1, targets
    it.open, it.writing, it.problem = True, False, None


def close_write() -> None:
    """Close the dialog and keep the key, so that trying again cannot make a second order."""
    under_review().open = False


def press(body: Any, confirmed: str) -> None:
    """Lock the dialog, with what it shows: its button is disabled from here on, until the backend has answered."""
    it = under_review()
    it.writing, it.body, it.confirmed = True, body, confirmed


def write() -> None:
    """Do the write under review, once. A refusal stays in the dialog.

    Quick clicks run the script at the same time, each in its own thread: the later ones wait here and find it done.
    """
    it = under_review()
    with it.lock:
        if it.done:
            return
        try:
            with state.desk().confirming(it.confirmed):
                _WRITES[it.kind](it)
        except DriftdeskError as error:
            it.problem, it.tried = str(error), True
        else:
            it.done, it.open = True, False
        finally:
            it.writing = False
            state.refresh()


def _place(it: Write) -> None:
    body: CreateOrder = it.body
    # After a try whose end is unknown: look before sending (rules.md 2.10).
    order = _sent_before(it) if it.tried else None
    _tell(order or state.desk().client.orders.place(it.account_id, body), "sent")


def _sent_before(it: Write) -> Any:
    try:
        return state.desk().client.orders.get_by_client_id(it.account_id, it.key)
    except BackendError as error:
        if error.status == state.NOT_FOUND:
            return None
        raise


def _replace(it: Write) -> None:
    orders, [target] = state.desk().client.orders, it.targets
    before = orders.get(it.account_id, target.order.id) if it.tried else target.order
    made = before.replaced_by
    order = orders.get(it.account_id, made) if made else orders.replace(it.account_id, target.order.id, it.body)
    _tell(order, "replaces the other one")


def _tell(order: Any, done: str) -> None:
    """Open the order, and say that it is there, or that the exchange would not have it."""
    order_state.show(order.id)
    if order.status == "rejected":
        state.say(f"{order_text(order)}: the exchange rejected it; the reason is below.", "problem")
    else:
        state.say(f"{order_text(order)}: {done}.")


def _cancel(it: Write) -> None:
    """Cancel exactly the orders that were shown. One that has ended by itself is told, and is no error."""
    results = [_cancel_one(row) for row in it.targets]
    if len(results) == 1:
        [(order, reached)] = results
        before = "" if reached else " before it could be canceled"
        state.say(f"{order_text(order)}: {ended_text(order)}{before}.")
        return
    canceled = sum(done for _, done in results)
    others = Counter(words(order.status).lower() for order, done in results if not done)
    ended = "".join(f"; {count} had ended before: {status}" for status, count in others.items())
    state.say(f"{count_of(canceled, 'order')} canceled{ended}.")


def _cancel_one(row: AccountOrder) -> tuple[Any, bool]:
    """The order after it, and whether the cancel reached it."""
    orders, reached = state.desk().client.orders, True
    try:
        orders.cancel(row.account_id, row.order.id)
    except BackendError as error:
        if error.status not in state.REFUSED:
            raise
        reached = False
    return orders.get(row.account_id, row.order.id), reached


_WRITES = {PLACE: _place, REPLACE: _replace, CANCEL: _cancel}
