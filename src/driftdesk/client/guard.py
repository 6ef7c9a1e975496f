"""Writes that move real money: each needs the name of what it changes, typed by a person just before.

The guard stands in the transport, in front of every POST, PATCH and DELETE, so that neither a page nor a notebook nor a
method of the client that is added later can write by accident.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftdesk.client.resources.paging import segment
from driftdesk.errors import StateError
from driftdesk.wire.accounts import Account
from driftdesk.wire.base import read_json
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.runs import Run
from driftdesk.wire.subscriptions import Subscription

if TYPE_CHECKING:
    from driftdesk.client.transport import Transport

NAME: Final = "the name of the portfolio"
NUMBER: Final = "the number of the account"
# Says that only orders and runs move real money: portfolios and who follows them are kept in a store of ours.
ORDERS: Final = "orders"
_KEPT_HERE: Final = ("/v1/rebalancing/portfolios", "/v1/rebalancing/subscriptions")


@dataclass(frozen=True, slots=True)
class _Typed:
    """What was typed for one block, and what was changed in it."""

    text: str
    changed: set[str] = field(default_factory=set)


class Guard:
    """Lets a write pass when what it changes was typed: an account's number, or a portfolio's name.

    `transport` reads what belongs to an id. The typed text holds for one block, in its own thread. With `orders_only`
    portfolios and subscriptions are written freely.
    """

    def __init__(self, transport: "Transport", *, orders_only: bool = False) -> None:
        self._transport = transport
        self._free = _KEPT_HERE if orders_only else ()
        self._typed: ContextVar[_Typed | None] = ContextVar("typed", default=None)

    @contextmanager
    def confirming(self, typed: str) -> Iterator[None]:
        """Writes inside the block are confirmed by `typed`."""
        token = self._typed.set(_Typed(typed.strip()))
        try:
            yield
        finally:
            self._typed.reset(token)

    def check(self, method: str, path: str, body: str | None) -> None:
        """Raise StateError, before anything is sent, unless the typed text is what this write changes."""
        if path.startswith(self._free):
            return
        typed = self._typed.get()
        # A change may be sent twice, under two names of one field, and the first may have changed the portfolio's name.
        if typed is not None and method == "PATCH" and path in typed.changed:
            return
        what, expected = self._expected(path, read_json(body) if body else {})
        if typed is None or not typed.text:
            raise StateError(
                f"Nothing was sent: {method} {path} moves real money, so {what} has to be typed first; in a notebook: "
                'with desk.confirming("..."): around the write.'
            )
        if typed.text != expected:
            raise StateError(
                f"Nothing was sent: {typed.text!r} was typed, but this write needs {what}, {expected!r}; type that if "
                "it is what you mean."
            )
        typed.changed.add(path)

    def _expected(self, path: str, body: Any) -> tuple[str, str]:
        """What has to be typed for a write, in words and as text."""
        match path.split("/")[1:]:
            case ["v1", "rebalancing", "portfolios"]:
                return NAME, str(body.get("name", "")).strip()
            case ["v1", "rebalancing", "portfolios", _]:
                return NAME, self._transport.get(Portfolio, path).name.strip()
            case ["v1", "rebalancing", "subscriptions" | "runs"]:
                return self._number_of(segment(str(body.get("account_id", ""))))
            case ["v1", "rebalancing", "subscriptions", _]:
                return self._number_of(segment(self._transport.get(Subscription, path).account_id))
            case ["v1", "rebalancing", "runs", _]:
                return self._number_of(segment(self._transport.get(Run, path).account_id))
            case ["v1", "trading", "accounts", account, _, *_]:
                return self._number_of(account)
        raise StateError(f"Nothing was sent: {path} is not among the writes that are offered on real money.")

    def _number_of(self, account: str) -> tuple[str, str]:
        return NUMBER, self._transport.get(Account, f"/v1/accounts/{account}").account_number
