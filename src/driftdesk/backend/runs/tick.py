"""One tick: every due run makes one move. What is sent is marked and committed first, sent once, then recorded.

    PLANNED -- commit --> SUBMITTING -- sent once --> SUBMITTED

A process may be killed between any two lines here: an order met in SUBMITTING that this tick did not mark is looked up
at the broker by its client order id, adopted when found and sent again when absent (durability.md, Runs).
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from driftdesk.backend.runs import record
from driftdesk.backend.runs.states import LineState
from driftdesk.backend.runs.step import Moment, Send, Stepper
from driftdesk.backend.store.tables import run_lines, runs
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import AccountId
from driftdesk.errors import BackendError, StateError
from driftdesk.wire.runs import RunStatus


class Ticker:
    """Moves the runs of one world."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._database = stepper.world.database

    def next_due(self) -> datetime | None:
        """The earliest instant at which a run is due, None when none is."""
        with self._database.read() as connection:
            due: datetime | None = connection.scalar(select(func.min(runs.c.due_at)))
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
            asked = {
                run.id: self._at_broker(connection_lines)
                for run in due
                if (connection_lines := record.lines_of(connection, run.id))
            }
        broker = self._stepper.broker
        found = {run.id: broker.find(AccountId(run.account_id), asked[run.id]) for run in due if asked.get(run.id)}
        moment_id = str(uuid.uuid4())
        sends: list[Send] = []
        with self._database.write() as connection:
            moment = Moment(connection, now, moment_id)
            for run in (
                connection.execute(
                    select(runs)
                    .where(runs.c.id.in_([run.id for run in due]), runs.c.due_at <= now)
                    .order_by(runs.c.seq)
                )
                .mappings()
                .all()
            ):
                sends += self._stepper.step(moment, run, found.get(run["id"], {}))
        self._send(sends, now)
        return len(due)

    def _at_broker(self, lines: Sequence[Row]) -> list[str]:
        return [
            line["client_order_id"] for line in lines if line["state"] in (LineState.SUBMITTING, LineState.SUBMITTED)
        ]

    def _send(self, sends: list[Send], now: datetime) -> None:
        sent: list[Send] = []
        for send in sends:
            try:
                self._stepper.broker.submit(send.request, now)
            except (BackendError, StateError):
                # Unknown or known already: the line stays SUBMITTING and the next tick looks it up.
                continue
            sent.append(send)
        if not sends:
            return
        with self._database.write() as connection:
            for send in sent:
                connection.execute(
                    update(run_lines)
                    .where(
                        run_lines.c.run_id == send.run_id,
                        run_lines.c.line == send.line,
                        run_lines.c.state == LineState.SUBMITTING,
                    )
                    .values(state=LineState.SUBMITTED)
                )
            for run_id, account_id in {(send.run_id, send.request.account_id) for send in sends}:
                # A run canceled meanwhile stays due now, so that what was just sent is canceled too.
                connection.execute(
                    update(runs)
                    .where(runs.c.id == run_id, runs.c.status == RunStatus.IN_PROGRESS)
                    .values(due_at=self._stepper.broker.next_update(account_id, now))
                )
