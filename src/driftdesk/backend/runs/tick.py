"""One tick: every due run makes one move. What is sent is marked and committed first, sent once, then recorded; what is
canceled is canceled after the commit too, and asked for again where that did not come through.

    PLANNED -- commit --> SUBMITTING -- sent once --> SUBMITTED

A process may be killed between any two lines here: an order met in SUBMITTING that this tick did not mark is looked up
at the broker by its client order id, adopted when found and sent again when absent (durability.md, Runs).
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select, update

from driftdesk.backend.runs.broker import BrokerOrder
from driftdesk.backend.runs.lines import lines_under_way, set_sent
from driftdesk.backend.runs.states import LineState
from driftdesk.backend.runs.step import Act, Cancel, Moment, Send, Stepper
from driftdesk.backend.store.tables import runs
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import AccountId
from driftdesk.errors import BackendError, StateError
from driftdesk.wire.runs import RunStatus

_NEXT_DUE: Final = select(func.min(runs.c.due_at))
# A run canceled meanwhile stays due now, so that what was just sent is canceled too.
_LOOK_AGAIN: Final = update(runs).where(runs.c.id == bindparam("run"), runs.c.status == RunStatus.IN_PROGRESS)
_LATER: Final = update(runs).where(runs.c.id == bindparam("run"))


class Ticker:
    """Moves the runs of one world."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._database = stepper.world.database

    def next_due(self) -> datetime | None:
        """The earliest instant at which a run is due, None when none is."""
        with self._database.read() as connection:
            due: datetime | None = connection.scalar(_NEXT_DUE)
            return due

    def tick(self, now: datetime, only: str | None = None) -> int:
        """Make one move for every run that is due at `now`, or for the run `only`; how many moved."""
        query = select(runs.c.id, runs.c.account_id).where(runs.c.due_at <= now)
        if only is not None:
            query = query.where(runs.c.id == only)
        with self._database.read() as connection:
            due = connection.execute(query).all()
            if not due:
                return 0
            under_way: dict[str, list[Row]] = {}
            for line in lines_under_way(connection, [run.id for run in due]):
                under_way.setdefault(line["run_id"], []).append(line)
        found: dict[str, dict[str, BrokerOrder]] = {}
        silent: dict[str, AccountId] = {}
        for run_id, account_id in due:
            if run_id in under_way:
                try:
                    found[run_id] = self._ask(account_id, under_way[run_id])
                except BackendError:
                    # What the broker does not say is not guessed; the other runs go on.
                    silent[run_id] = account_id
        moment_id = str(uuid.uuid4())
        acts: list[Act] = []
        with self._database.write() as connection:
            moment = Moment(self._stepper.world, connection, now, moment_id)
            for run in (
                connection.execute(
                    select(runs)
                    .where(runs.c.id.in_([run_id for run_id, _ in due if run_id not in silent]), runs.c.due_at <= now)
                    .order_by(runs.c.seq)
                )
                .mappings()
                .all()
            ):
                acts += self._stepper.step(moment, run, found.get(run["id"], {}))
        self._send([act for act in acts if isinstance(act, Send)], now)
        waiting = self._cancel([act for act in acts if isinstance(act, Cancel)], now)
        self._look_later(silent | waiting, now)
        return len(due) - len(silent)

    def _ask(self, account_id: str, lines: Sequence[Row]) -> dict[str, BrokerOrder]:
        return self._stepper.broker.find(AccountId(account_id), self._at_broker(lines))

    def _at_broker(self, lines: Sequence[Row]) -> list[str]:
        return [
            line["client_order_id"] for line in lines if line["state"] in (LineState.SUBMITTING, LineState.SUBMITTED)
        ]

    def _send(self, sends: list[Send], now: datetime) -> None:
        if not sends:
            return
        broker = self._stepper.broker
        sent: list[tuple[str, int]] = []
        with broker.sending():
            for send in sends:
                try:
                    broker.submit(send.request, now)
                except (BackendError, StateError):
                    # Unknown or known already: the line stays SUBMITTING and the next tick looks it up.
                    continue
                sent.append((send.run_id, send.line))
        with self._database.write() as connection:
            set_sent(connection, sent)
            asked = {send.run_id: send.request.account_id for send in sends}
            connection.execute(
                _LOOK_AGAIN,
                [{"run": run_id, "due_at": broker.next_update(account, now)} for run_id, account in asked.items()],
            )

    def _cancel(self, cancels: list[Cancel], now: datetime) -> dict[str, AccountId]:
        """Cancel at the broker; the runs, with their accounts, of which an order may still be open after that."""
        waiting: dict[str, AccountId] = {}
        for cancel in cancels:
            try:
                final = self._stepper.broker.cancel(cancel.account_id, cancel.client_order_id, now)
            except (BackendError, StateError):
                final = False
            if not final:
                waiting[cancel.run_id] = cancel.account_id
        return waiting

    def _look_later(self, waiting: dict[str, AccountId], now: datetime) -> None:
        if waiting:
            broker = self._stepper.broker
            later = [{"run": run, "due_at": broker.next_update(account, now)} for run, account in waiting.items()]
            with self._database.write() as connection:
                connection.execute(_LATER, later)
