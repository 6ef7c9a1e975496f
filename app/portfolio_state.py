"""What the portfolios page remembers: the portfolio that is open, what is being typed, and the one write under review.

Session, link and cache are reached through state.py. Every write of this page takes place in `write`, and only there.
"""

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import state

from driftdesk import (
    AccountView,
    DriftdeskError,
    InputError,
    StateError,
    TypedPortfolio,
    draft_of,
    read_draft,
    update_of,
)

PORTFOLIO, NEW = "portfolio", "new"
SAVE, SUBSCRIBE, UNSUBSCRIBE, INACTIVATE = "save", "subscribe", "unsubscribe", "inactivate"


# --- what is open -------------------------------------------------------------------------------------------------


def opened(portfolios: Sequence[Any]) -> tuple[bool, Any]:
    """Whether an editor is open, and on which portfolio (None: a new one). A link to an unknown one is said and
    closed."""
    wanted = state.linked(PORTFOLIO)
    if wanted in (None, NEW):
        return wanted == NEW, None
    found = next((portfolio for portfolio in portfolios if portfolio.id == wanted), None)
    if found is None:
        state.say(f"There is no portfolio {wanted} here; choose one of the table.", "problem")
        state.link(PORTFOLIO, None)
        state.show_said()
    return found is not None, found


def open_row(key: str, ids: list[str]) -> None:
    """Open the portfolio of the selected row of the table `key`, or close it."""
    row = state.selected_row(key)
    state.link(PORTFOLIO, ids[row] if row is not None and row < len(ids) else None)


def open_new() -> None:
    """Open an empty editor."""
    state.link(PORTFOLIO, NEW)


def close() -> None:
    """Close the editor; what was typed is kept."""
    state.link(PORTFOLIO, None)


@dataclass
class _Visit:
    """The account whose row was selected, until its page opens."""

    label: str | None = None


def select_account(key: str, labels: list[str]) -> None:
    """Note the account of the selected row of the table `key`: its page is about to open."""
    row = state.selected_row(key)
    state.kept("_visit", _Visit).label = labels[row] if row is not None and row < len(labels) else None


def visited() -> str | None:
    """The account to go to, once."""
    visit = state.kept("_visit", _Visit)
    label, visit.label = visit.label, None
    return label


# --- what is typed ------------------------------------------------------------------------------------------------


@dataclass
class Editing:
    """One portfolio being typed: what its fields began with, what they hold, and how often it was begun anew."""

    start: TypedPortfolio
    begin: TypedPortfolio
    typed: TypedPortfolio
    again: int = 0


def editing(subject: str, start: TypedPortfolio) -> Editing:
    """What is being typed for `subject`. Where the page is opened anew its fields begin with what they last held: the
    browser forgets an editable table when the page is left."""
    kept: dict[str, Editing] = state.kept("_editing", dict)
    it = kept.setdefault(subject, Editing(start, start, start))
    if not state.is_drawn(f"weights_{subject}_{it.again}"):
        it.begin = it.typed
    return it


def discard(it: Editing) -> None:
    """Begin anew with what is saved."""
    it.typed, it.again = it.start, it.again + 1


def _forget(subject: str) -> None:
    """What was typed is saved: the next editor begins with what the backend holds."""
    kept: dict[str, Editing] = state.kept("_editing", dict)
    for name in [name for name in kept if name.startswith(subject)]:
        del kept[name]


def read(typed: TypedPortfolio) -> tuple[Any, str | None]:
    """The draft, or why what was typed cannot be saved, in one sentence."""
    try:
        fractional = not state.desk().by_hand
        return read_draft(typed, state.assets(typed.symbols), fractional=fractional), None
    except InputError as error:
        return None, str(error)


# --- what is written ----------------------------------------------------------------------------------------------


@dataclass
class Write:
    """A write under review: what it is about, its key, and how far it came. Kept in the session, one at a time."""

    kind: str = ""
    portfolio: Any = None
    draft: Any = None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    open: bool = False
    writing: bool = False
    typed: str = ""
    marker: str | None = None
    tried: bool = False
    done: bool = False
    problem: str | None = None
    lock: Any = field(default_factory=threading.Lock, compare=False)


def under_review() -> Write:
    """The write of this tab; a closed one before the first."""
    return state.kept("_write", Slot).write


@dataclass
class Slot:
    """Where the session keeps the write."""

    write: Write = field(default_factory=Write)


def ask(kind: str, portfolio: Any = None, draft: Any = None) -> None:
    """Open the dialog of a write. The key stays until it has succeeded; another write, or the next, gets a new one."""
    slot = state.kept("_write", Slot)
    it = slot.write
    if it.done or (it.kind, it.portfolio, it.draft) != (kind, portfolio, draft):
        it = slot.write = Write(kind, portfolio, draft)
    it.open, it.writing, it.problem = True, False, None


def close_write() -> None:
    """Close the dialog and keep the key, so that trying again cannot write twice."""
    under_review().open = False


def press(typed: str, marker: str | None) -> None:
    """Lock the dialog, with what was typed and chosen: its button is disabled until the backend has answered."""
    it = under_review()
    it.writing, it.typed, it.marker = True, typed, marker


def write(view: AccountView | None = None) -> None:
    """Do the write under review, once, confirmed by what was typed; `view` is the account of a subscription. A refusal
    stays in the dialog.

    Quick clicks run the script at the same time, each in its own thread: the later ones wait here and find it done.
    """
    it = under_review()
    with it.lock:
        if it.done:
            return
        try:
            with state.desk().confirming(it.typed):
                said = _WRITES[it.kind](it, view)
        except DriftdeskError as error:
            it.problem, it.tried = str(error), True
        else:
            it.done, it.open = True, False
            state.say(said)
        finally:
            it.writing = False
            state.refresh()


def _save(it: Write, _view: AccountView | None) -> str:
    client = state.desk().client.portfolios
    if it.portfolio is None:
        # Not every backend keeps keys: after a try whose end is unknown, look before creating (rules.md 2.10).
        made = [like for like in client.list(name=it.draft.name) if draft_of(like) == it.draft] if it.tried else []
        saved = made[-1] if made else client.create(it.draft, idempotency_key=it.key)
        state.link(PORTFOLIO, saved.id)
    else:
        if draft_of(client.get(it.portfolio.id)) != draft_of(it.portfolio):
            raise StateError(
                f"{it.portfolio.name} was changed by somebody else since this page was drawn; go back, and review your "
                "change against it as it is now."
            )
        saved = client.update(it.portfolio.id, update_of(it.portfolio, it.draft))
    _forget(it.portfolio.id if it.portfolio else NEW)
    for warning in saved.warnings:
        state.say(f"{saved.name} is saved. {warning}", "problem")
    return f"{saved.name} saved."


def _subscribe(it: Write, view: AccountView) -> str:
    client = state.desk().client.subscriptions
    followed = client.list(account_id=view.account.id, portfolio_id=it.portfolio.id) if it.tried else ()
    if not followed:
        key = f"{it.key}-{view.account.id}"
        client.create(view.account.id, it.portfolio.id, trade_marker=it.marker, idempotency_key=key)
    return f"{state.label_of(view)} follows {it.portfolio.name}."


def _unsubscribe(it: Write, view: AccountView) -> str:
    state.desk().client.subscriptions.delete(view.subscription.id)
    return f"{state.label_of(view)} no longer follows {it.portfolio.name}."


def _inactivate(it: Write, _view: AccountView | None) -> str:
    state.desk().client.portfolios.inactivate(it.portfolio.id)
    close()
    return f"{it.portfolio.name} is inactive."


_WRITES = {SAVE: _save, SUBSCRIBE: _subscribe, UNSUBSCRIBE: _unsubscribe, INACTIVATE: _inactivate}
