"""The outbox: an event is a row, written in the transaction of the change that it tells of.

So a process that is killed at any instant loses no event and doubles none, and any process may read them afterwards by
watermark: SQLite has one writer at a time, so ids are committed in their own order and none appears behind a reader.
"""

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from driftdesk.backend.rows import portfolio_message, run_message
from driftdesk.backend.store.tables import events, portfolios
from driftdesk.backend.store.types import Row
from driftdesk.wire.base import write_time
from driftdesk.wire.events import EventType
from driftdesk.wire.runs import RunStatus
from driftdesk.wire.ulid import LOW_BITS, milliseconds, read_ulid, write_ulid

# Beside the three lists of orders (wire/alpaca.md 9.1), what only GET of one run carries.
_NOT_ON_THE_STREAM: Final = {"orders", "failed_orders", "skipped_orders", "plan", "events"}
_LOW_BYTES: Final = LOW_BITS // 8
# Built once: every move of every run uses them.
_NEWEST: Final = select(func.max(events.c.event_id))
_NEW: Final = insert(events)


def note_portfolio_status(connection: Connection, portfolio_id: str, before: str, now: datetime) -> None:
    """Record the portfolio as it stands, where its status is no longer `before`.

    Creating one is no change of status and leaves no event; the documented types have none for it.
    """
    row = connection.execute(select(portfolios).where(portfolios.c.id == portfolio_id)).mappings().one()
    if row["status"] == before:
        return
    portfolio = portfolio_message(row)
    snapshot = portfolio.model_dump(mode="json", exclude={"warnings", "rebalance_conditions"})
    # Empty keys of a condition are left out on the stream, unlike everywhere else (wire/alpaca.md 4.3).
    snapshot["rebalance_conditions"] = [
        condition.model_dump(mode="json", exclude_none=True) for condition in portfolio.rebalance_conditions
    ]
    _add(connection, EventType.PORTFOLIO_STATUS_CHANGED, snapshot, now)


def note_run(connection: Connection, event_type: EventType, run: Row, now: datetime) -> None:
    """Record a run that was created or changed its status; `run`: its columns after that.

    CANCELED_MID_RUN is never on the stream (wire/alpaca.md 9.1): it is shown as CANCELED, with the reason. That the
    run was under way shows in the IN_PROGRESS before it; GET of the run tells the status in full.
    """
    snapshot = run_message(run).model_dump(mode="json", exclude=_NOT_ON_THE_STREAM)
    if snapshot["status"] == RunStatus.CANCELED_MID_RUN:
        snapshot["status"] = RunStatus.CANCELED.value
    _add(connection, event_type, snapshot, now)


def next_event_id(last: str | None, at: datetime, seed: str) -> str:
    """A ULID greater than `last`, whose time is that of `at`, or of `last` where that is not earlier.

    `seed` gives its lower bits, so that a seeded world repeats its ids. A clock that was set back stands still here.
    """
    now = milliseconds(at)
    if last is not None and read_ulid(last) >> LOW_BITS >= now:
        return write_ulid(read_ulid(last) + 1)
    low = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:_LOW_BYTES], "big")
    # The highest bit is left free, so that counting on from here stays inside the millisecond.
    return write_ulid(now << LOW_BITS | low >> 1)


def _add(connection: Connection, event_type: EventType, snapshot: dict[str, Any], now: datetime) -> None:
    last: str | None = connection.scalar(_NEWEST)
    event_id = next_event_id(last, now, f"{event_type}|{snapshot['id']}|{snapshot['status']}|{now.isoformat()}")
    name = event_type.partition(".")[0]
    payload = {"event_id": event_id, "event_type": event_type, "at": write_time(now), name: snapshot}
    # ASCII on one line: no reader can take a character inside a name for the end of the line.
    text = json.dumps(payload, separators=(",", ":"))
    connection.execute(_NEW, {"event_id": event_id, "event_type": event_type, "at": now, "payload": text})
