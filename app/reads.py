"""What the pages read, kept for a moment so that the pieces of one page read it once: the only file with a cache.

Everything is kept by the name of its desk: accounts of the demo world and at brokerages may stand side by side.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import streamlit as st

from driftdesk import (
    AccountView,
    BackendError,
    Desk,
    Proposal,
    connect_from_environment,
    propose,
    targets_from_environment,
)
from driftdesk.figures import AccountOrder

NOT_FOUND = 404
MOST_FILLS = 5_000


def names() -> tuple[str, ...]:
    """The desks that the pages show, the first one first."""
    return targets_from_environment()


def _close(desk: Desk) -> None:
    desk.close()


@st.cache_resource(max_entries=8, on_release=_close, show_spinner="Opening the desk. The first time makes its history.")
def desk(name: str) -> Desk:
    """The one connection of this process to a desk; every browser tab sees the same world through it."""
    return connect_from_environment(name)


def label_of(view: AccountView) -> str:
    """What the account is called in lists and links; its number where it has no name."""
    return str(view.account.name or view.account.account_number)


def book(name: str) -> tuple[AccountView, ...]:
    """Every account of a desk with its drift, by name."""
    return _far_book(name) if desk(name).estimates else _near_book(name)


# Sidebar and page of one script run read the book together; two seconds bound how stale another tab may be.
@st.cache_resource(ttl=2, max_entries=8, show_spinner=False)
def _near_book(name: str) -> tuple[AccountView, ...]:
    return _sorted_book(name)


# The real API has no bulk answer: hundreds of accounts take a minute. The chosen one is read anew on every page.
@st.cache_resource(ttl=300, max_entries=8, show_spinner="Reading every account.")
def _far_book(name: str) -> tuple[AccountView, ...]:
    return _sorted_book(name)


def _sorted_book(name: str) -> tuple[AccountView, ...]:
    return tuple(sorted(desk(name).book(), key=lambda view: label_of(view).casefold()))


def account(name: str, view: AccountView) -> AccountView:
    """The account of the book that a page is about; read anew where the book is kept for long."""
    return _far_account(name, view.account.id) if desk(name).estimates else view


@st.cache_resource(ttl=5, max_entries=8, show_spinner=False)
def _far_account(name: str, account_id: str) -> AccountView:
    return desk(name).account(account_id)


def runs(name: str, account_id: str | None = None) -> tuple[Any, ...]:
    """The newest runs, of one account or of all."""
    return _far_runs(name, account_id) if desk(name).estimates else _near_runs(name, account_id)


@st.cache_resource(ttl=2, max_entries=32, show_spinner=False)
def _near_runs(name: str, account_id: str | None) -> tuple[Any, ...]:
    return desk(name).runs(account_id=account_id, max_items=500)


@st.cache_resource(ttl=15, max_entries=32, show_spinner=False)
def _far_runs(name: str, account_id: str | None) -> tuple[Any, ...]:
    return desk(name).runs(account_id=account_id, max_items=500)


@st.cache_resource(ttl=2, max_entries=32, show_spinner=False)
def decisions(name: str, account_id: str | None, session: str | None, outcome: str | None) -> tuple[Any, ...]:
    """The newest recorded decisions that fit."""
    return desk(name).decisions(account_id=account_id, session=session, outcome=outcome, max_items=500)


@st.cache_resource(ttl=2, max_entries=8, show_spinner=False)
def open_runs(name: str) -> tuple[Any, ...]:
    """Every run that has not ended, of however many accounts."""
    return (*desk(name).runs(status="QUEUED"), *desk(name).runs(status="IN_PROGRESS"))


def orders(name: str, account_ids: tuple[str, ...]) -> tuple[AccountOrder, ...]:
    """The open orders of these accounts, then those that ended, newest first, up to 500 of each account."""
    far = desk(name).estimates and len(account_ids) > 1
    return _far_orders(name, account_ids) if far else _near_orders(name, account_ids)


@st.cache_resource(ttl=2, max_entries=32, show_spinner=False)
def _near_orders(name: str, account_ids: tuple[str, ...]) -> tuple[AccountOrder, ...]:
    return _listed_orders(name, account_ids)


@st.cache_resource(ttl=300, max_entries=8, show_spinner="Reading the orders of every account.")
def _far_orders(name: str, account_ids: tuple[str, ...]) -> tuple[AccountOrder, ...]:
    return _listed_orders(name, account_ids)


def _listed_orders(name: str, account_ids: tuple[str, ...]) -> tuple[AccountOrder, ...]:
    # Two lists: many that ended must not push an open one out. What ends between the two is in both.
    found = {
        order.id: AccountOrder(account_id, order, status == "open")
        for account_id in account_ids
        for status in ("open", "closed")
        for order in desk(name).client.orders.list(account_id, status=status)
    }
    newest = sorted(found.values(), key=lambda row: row.order.submitted_at or row.order.created_at, reverse=True)
    return tuple(sorted(newest, key=lambda row: not row.is_open))


# An account trades in many runs: only what was filled between a run's creation and its end can be the run's.
@st.cache_resource(ttl=5, max_entries=64, show_spinner=False)
def fills(name: str, account_id: str, after: datetime, until: datetime | None) -> tuple[Any, ...]:
    """What was filled in an account between two instants, oldest first."""
    return desk(name).client.accounts.activities(
        account_id, types=("FILL",), after=after, until=until, direction="asc", max_items=MOST_FILLS
    )


@st.cache_resource(ttl=3600, max_entries=500, show_spinner=False)
def ended_run(name: str, run_id: str, updated_at: datetime) -> Any:
    """A run that has ended, with its plan, as it stood at `updated_at`: its list of orders may be written later."""
    return desk(name).run(run_id)


@st.cache_resource(ttl=60, max_entries=8, show_spinner="Reading the equity of the accounts.")
def equity_histories(name: str, account_ids: tuple[str, ...]) -> tuple[Any, ...]:
    """The equity of each account at the close of its sessions."""
    return tuple(desk(name).equity_history(account_id) for account_id in account_ids)


def assets(name: str, symbols: Iterable[str]) -> dict[str, Any]:
    """What the backend knows of `symbols`; one that it does not know is missing."""
    return {symbol: asset for symbol in symbols if (asset := _asset(name, symbol)) is not None}


# One at a time: the real API lists ten thousand.
@st.cache_resource(ttl=60, max_entries=1000, show_spinner=False)
def _asset(name: str, symbol: str) -> Any:
    try:
        return desk(name).client.market.asset(symbol)
    except BackendError as error:
        if error.status == NOT_FOUND:
            return None
        raise


@st.cache_resource(ttl=15, max_entries=8, show_spinner="Working out what every account would do.")
def proposal(name: str, question: str, _portfolio: Any, _draft: Any) -> Proposal:
    """What saving the draft would do to the accounts; `question` says in text what is asked, and as of when."""
    return propose(desk(name), _portfolio, _draft, book(name))


def refresh() -> None:
    """Forget what was read: something was written."""
    books = (_near_book, _far_book, _far_account, _near_runs, _far_runs, _near_orders, _far_orders)
    for read in (*books, decisions, open_runs, fills, equity_histories, _asset, proposal):
        read.clear()
