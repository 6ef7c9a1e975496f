"""The only file that touches the session: the chosen account and its desk, and what a click starts."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import reads
import streamlit as st
from reads import label_of

from driftdesk import AccountView, Desk, DriftdeskError, Proposal, to_portfolio
from driftdesk.figures import AccountOrder, Theme, new_york, theme_of, worst_first

ACCOUNT, COMPARE, RUN, HERE = "account", "compare", "run", "_here"
FOLLOWED = "its own"
NOT_FOUND, REFUSED = reads.NOT_FOUND, (409, 422)
TITLES = {
    "embedded": "demo world",
    "snaptrade": "SnapTrade",
    "alpaca-sandbox": "Alpaca sandbox",
    "alpaca-live": "Alpaca LIVE",
}
T = TypeVar("T")


@dataclass(frozen=True)
class Books:
    """The accounts of every desk: by desk, and by a short label that is stable, because links carry it.

    `troubles` says in a sentence, by desk, why one is missing; where there is only one its error is raised instead.
    """

    of: dict[str, tuple[AccountView, ...]]
    labels: dict[str, tuple[str, AccountView]]
    troubles: dict[str, str]


def here() -> str:
    """The name of the desk of the chosen account, the first one before any is chosen."""
    name: str = st.session_state.get(HERE, "")
    return name if name in reads.names() else reads.names()[0]


def desk() -> Desk:
    """The desk of the chosen account."""
    return reads.desk(here())


def book() -> tuple[AccountView, ...]:
    """Every account of this desk with its drift, by name."""
    return reads.book(here())


def runs(account_id: str | None = None) -> tuple[Any, ...]:
    """The newest runs, of one account or of all on this desk."""
    return reads.runs(here(), account_id)


def runs_on(name: str) -> tuple[Any, ...]:
    """The newest runs of the desk called `name`."""
    return reads.runs(name)


def runs_of(them: Books) -> list[tuple[str, Any]]:
    """The newest runs of all desks, newest first, each with the label of its account."""
    named = {(name, view.account.id): label for label, (name, view) in them.labels.items()}
    every = [(named.get((name, run.account_id), run.account_id), run) for name in them.of for run in runs_on(name)]
    return sorted(every, key=lambda each: each[1].created_at, reverse=True)


def now_on(name: str) -> datetime:
    """The instant of the desk called `name`."""
    now: datetime = reads.desk(name).clock().timestamp
    return now


def decisions(account_id: str | None, session: str | None, outcome: str | None) -> tuple[Any, ...]:
    """The newest recorded decisions that fit."""
    return reads.decisions(here(), account_id, session, outcome)


def open_runs() -> tuple[Any, ...]:
    """Every run that has not ended, of however many accounts."""
    return reads.open_runs(here())


def orders(account_ids: tuple[str, ...]) -> tuple[AccountOrder, ...]:
    """The open orders of these accounts, then those that ended, newest first, up to 500 of each account."""
    return reads.orders(here(), account_ids)


def fills(account_id: str, after: datetime, until: datetime | None) -> tuple[Any, ...]:
    """What was filled in an account between two instants, oldest first."""
    return reads.fills(here(), account_id, after, until)


def ended_run(run_id: str, updated_at: datetime) -> Any:
    """A run that has ended, with its plan, as it stood at `updated_at`: its list of orders may be written later."""
    return reads.ended_run(here(), run_id, updated_at)


def equity_histories(account_ids: tuple[str, ...]) -> tuple[Any, ...]:
    """The equity of each account at the close of its sessions."""
    return reads.equity_histories(here(), account_ids)


def assets(symbols: Iterable[str]) -> dict[str, Any]:
    """What the backend knows of `symbols`; one that it does not know is missing."""
    return reads.assets(here(), symbols)


def proposal(question: str, portfolio: Any, draft: Any) -> Proposal:
    """What saving the draft would do to the accounts; `question` says in text what is asked, and as of when."""
    return reads.proposal(here(), question, portfolio, draft)


def refresh() -> None:
    """Forget what was read: something was written."""
    reads.refresh()


def theme() -> Theme:
    """The palette of the appearance that the browser shows."""
    return theme_of(st.context.theme.type)


def number_of(account_id: str) -> str:
    """The number of an account, of its id where it is not in the book any more."""
    found = (str(view.account.account_number) for view in book() if view.account.id == account_id)
    return next(found, account_id)


def books() -> Books:
    """What is on every desk. A label that repeats gets the account's number, and on another desk the desk's title."""
    found: dict[str, tuple[AccountView, ...]] = {}
    troubles: dict[str, str] = {}
    for name in reads.names():
        try:
            found[name] = reads.book(name)
        except DriftdeskError as error:
            if len(reads.names()) == 1:
                raise
            troubles[name] = f"{title_of(name)}: {error}"
    labels: dict[str, tuple[str, AccountView]] = {}
    for name, views in found.items():
        for view in views:
            label = label_of(view)
            if label in labels:
                same = labels[label][0] == name
                label = f"{label} ({view.account.account_number if same else title_of(name)})"
            labels[label] = (name, view)
    return Books(found, labels, troubles)


def labels() -> dict[str, AccountView]:
    """The accounts of this desk by their labels."""
    return {label: view for label, (name, view) in books().labels.items() if name == here()}


def title_of(name: str) -> str:
    """What a desk is called beside its accounts."""
    return TITLES.get(name, name.partition("://")[2] or name)


def kept(name: str, make: Callable[[], T]) -> T:
    """What the session keeps under `name`, made when it is first asked for."""
    value: T = st.session_state.setdefault(name, make())
    return value


def keep(name: str, value: object) -> None:
    """Have the session keep `value` under `name`, whatever it kept there before."""
    st.session_state[name] = value


def choose(choices: Mapping[str, Any]) -> None:
    """Set widgets of a page that is about to open, by their keys."""
    for key, value in choices.items():
        st.session_state[key] = value


def is_drawn(key: str) -> bool:
    """Whether the page has drawn the widget `key` since it was opened: leaving a page forgets its widgets."""
    return key in st.session_state


def linked(name: str) -> str | None:
    """The parameter `name` of the link."""
    return st.query_params.get(name)


def link(name: str, value: str | None) -> None:
    """Put the parameter into the link, or take it out."""
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def selected_row(key: str) -> int | None:
    """The position of the row selected in the table `key`."""
    rows = st.session_state[key].selection.rows
    return rows[0] if rows else None


def settle_account() -> Books:
    """Make link and select box name the same account before the box is drawn; the accounts to choose from.

    A link names it; otherwise the one chosen before; on the first visit the one furthest outside its bands. Not a
    bound widget: a page link could not choose an account then, and a page change would take it out of the link.
    """
    them = books()
    known = them.labels
    linked = st.query_params.get(ACCOUNT)
    if linked in known:
        st.session_state[ACCOUNT] = linked
    elif linked is not None and not them.troubles:
        say(f"There is no account {linked} here; another one is shown.", "problem")
    if st.session_state.get(ACCOUNT) not in known:
        everyone = [view for views in them.of.values() for view in views]
        worst = sorted(worst_first(everyone), key=lambda view: view.drift is None)
        st.session_state[ACCOUNT] = next((label for label, (_, view) in known.items() if view in worst[:1]), None)
    if st.session_state[ACCOUNT] is not None:
        st.session_state[HERE] = known[st.session_state[ACCOUNT]][0]
    link_account()
    return them


def link_account() -> None:
    """Put the chosen account into the link."""
    chosen = chosen_account()
    if chosen is not None:
        st.query_params[ACCOUNT] = chosen


def chosen_account() -> str | None:
    """The label of the account chosen in the sidebar."""
    label: str | None = st.session_state.get(ACCOUNT)
    return label


def account() -> AccountView:
    """The account chosen in the sidebar; stops the page with a sentence where there is none."""
    view = labels().get(chosen_account() or "")
    if view is None:
        st.info(
            "The desk of this account cannot be read now; the sidebar says why."
            if books().troubles
            else "There is no account to show yet."
        )
        st.stop()
    return reads.account(here(), view)


@contextmanager
def sentences() -> Iterator[None]:
    """Show whatever driftdesk refuses as one sentence, here and nowhere else."""
    try:
        yield
    except DriftdeskError as error:
        st.error(plain(str(error)), icon=":material/error:")


def plain(text: str) -> str:
    """`text` with the characters escaped that Markdown would read as markup: names and messages are not ours."""
    return "".join(f"\\{character}" if character in "\\`*_[]$~:#<>|" else character for character in text)


def say(text: str, kind: str = "done") -> None:
    """Keep a sentence for the next drawing of the page: `done` shows as a toast, `problem` stays on the page."""
    st.session_state.setdefault("_said", []).append((kind, text))


def show_said() -> None:
    """Show the sentences kept by `say`, once."""
    for kind, text in st.session_state.pop("_said", []):
        if kind == "done":
            st.toast(plain(text), icon=":material/check_circle:")
        else:
            st.warning(plain(text), icon=":material/warning:")


def ask_to_advance(to: datetime) -> None:
    """Note where the clock shall go: the instant that the page showed, however often its button is pressed."""
    st.session_state["_advance_to"] = to


def advancing() -> bool:
    """Whether the clock is on its way."""
    return "_advance_to" in st.session_state


def advance_if_asked() -> None:
    """Advance the simulated clock to where a click wanted it, with a bar, and draw the page again.

    Quick clicks run the script at the same time, each in its own thread. The later ones wait here and find the clock
    advanced, instead of reading that it is being advanced; other tabs do read that.
    """
    to = st.session_state.get("_advance_to")
    if to is None:
        return
    bar = st.progress(0.0, text=f"Advancing to {new_york(to)}")
    lock: threading.Lock = st.session_state.setdefault("_advance_lock", threading.Lock())
    with lock:
        try:
            desk().simulation.advance(to=to, progress=lambda done, _now: bar.progress(min(done, 1.0)))
        except DriftdeskError as error:
            say(str(error), "problem")
        st.session_state.pop("_advance_to", None)
    refresh()
    st.rerun()


def resume(view: AccountView) -> None:
    """Let automatic runs of a held account begin again (rules.md 5.7)."""
    try:
        desk().resume(view)
        say(f"Automatic runs of {label_of(view)} begin again.")
    except DriftdeskError as error:
        say(str(error), "problem")
    finally:
        refresh()


def selected_run() -> str | None:
    """The run named in the link."""
    return st.query_params.get(RUN)


def run_link(run_id: str) -> dict[str, str]:
    """The parameters of a link to a run, with the chosen account."""
    return {RUN: run_id, ACCOUNT: chosen_account() or ""}


def select_run(key: str, ids: list[str]) -> None:
    """Put the run of the selected row of the table `key` into the link, or take it out."""
    row = selected_row(key)
    link(RUN, ids[row] if row is not None and row < len(ids) else None)


def portfolio_named(name: str | None) -> Any:
    """The portfolio of that name, None where there is none."""
    return next((portfolio for portfolio in desk().portfolios() if portfolio.name == name), None)


def chosen_portfolio(key: str) -> Any:
    """The portfolio chosen in the select box `key`, None for the account's own."""
    return portfolio_named(st.session_state.get(key))


def desk_model(portfolio: Any) -> Any:
    """A portfolio of the backend as the engine sees it."""
    return to_portfolio(portfolio)
