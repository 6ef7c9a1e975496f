"""What is due at brokerages as time goes on: open orders are looked at, and accounts read whose runs are to start."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

from sqlalchemy import select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.store.tables import orders, runs
from driftdesk.connected.reader import Reader
from driftdesk.errors import BackendError
from driftdesk.wire.orders import OrderStatus
from driftdesk.wire.runs import RunStatus

_GONE: Final = (
    "SnapTrade does not list this account any more and the order's session is over: what became of it is only known "
    "at the brokerage."
)


class Upkeep:
    """`look(account_id, now)` takes over what became of an account's orders, and says how many of them traded."""

    def __init__(self, reader: Reader, look: Callable[[str, datetime], int]) -> None:
        self._reader = reader
        self._look = look
        self._world = reader.world
        self._database = reader.world.database

    def settle(self, now: datetime) -> int:
        """Look at what is due; how many orders traded. What cannot be read is looked at later, and so is its run."""
        traded = 0
        for account_id in self._due_accounts(now):
            try:
                traded += self._look(account_id, now)
            except BackendError as error:
                self.put_off(account_id, now)
                if error.status == HTTPStatus.NOT_FOUND:
                    self._give_up(account_id, now)
        for account_id in self._starting(now):
            try:
                self._reader.read(account_id, now)
            except BackendError:
                later = {"due_at": now + self._reader.patience.order}
                queued = (runs.c.account_id == account_id, runs.c.status == RunStatus.QUEUED)
                with self._database.write() as connection:
                    connection.execute(update(runs).where(*queued).values(later))
        return traded

    def _give_up(self, account_id: str, now: datetime) -> None:
        """End the orders of an account that SnapTrade lists no more, once their session is over."""
        try:
            if self._reader.lists(account_id, now):
                return
        except BackendError:
            return
        mine = (orders.c.account_id == account_id, orders.c.due_at.is_not(None))
        with self._database.write() as connection:
            rows = connection.execute(select(orders).where(*mine)).mappings().all()
            over = [row for row in rows if now >= self._world.sessions.current_or_next(row["submitted_at"]).close]
            book.set_status(connection, over, OrderStatus.EXPIRED, now, _GONE)

    def _due_accounts(self, now: datetime) -> list[str]:
        with self._database.read() as connection:
            due = select(orders.c.account_id).where(orders.c.due_at <= now).distinct()
            return list(connection.scalars(due))

    def _starting(self, now: datetime) -> list[str]:
        session = self._world.sessions.at(now)
        if session is None or not session.in_run_window(now):
            return []
        with self._database.read() as connection:
            due = select(runs.c.account_id).where(runs.c.due_at <= now, runs.c.status == RunStatus.QUEUED)
            return list(connection.scalars(due))

    def put_off(self, account_id: str, now: datetime) -> None:
        """Look at the account's orders later."""
        later = {"due_at": self._reader.looks.next_look(now)}
        with self._database.write() as connection:
            mine = (orders.c.account_id == account_id, orders.c.due_at.is_not(None))
            connection.execute(update(orders).where(*mine).values(later))
