"""Queueing a run: the one place where a row of `runs` is born, by the system or by a request."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from driftdesk.backend.events.outbox import note_run
from driftdesk.backend.runs.record import add_event
from driftdesk.backend.store.tables import portfolios, runs, subscriptions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import World
from driftdesk.engine.planner import RunType
from driftdesk.engine.schedule import Session, Sessions
from driftdesk.errors import StateError
from driftdesk.wire.events import EventType
from driftdesk.wire.runs import RunStatus

_OF_ACCOUNT: Final = runs.c.account_id == bindparam("account")
_OPEN: Final = select(runs.c.id).where(_OF_ACCOUNT, text("status IN ('QUEUED', 'IN_PROGRESS')"))
_COUNT: Final = select(func.count()).select_from(runs).where(_OF_ACCOUNT)
_MODEL: Final = select(portfolios).where(portfolios.c.id == bindparam("portfolio"))
_NEW: Final = insert(runs)
_HAS_ITS_RUN: Final = update(subscriptions).where(subscriptions.c.id == bindparam("subscription"))


@dataclass(frozen=True, slots=True)
class SystemRun:
    """What an evaluation asks for: the kind of run, and the sentence that explains it."""

    type: RunType
    trigger: str


@dataclass(frozen=True, slots=True)
class NewRun:
    """The columns of a new run. `weights` and `conditions` are JSON texts as on the wire."""

    account_id: str
    portfolio_id: str
    type: str
    initiated_from: str
    weights: str
    conditions: str
    subscription_id: str | None = None
    amount: Decimal | None = None
    trigger: str | None = None
    options: str | None = None
    preview_hash: str | None = None
    preview_orders: str | None = None
    max_change_percent: str | None = None


def open_run_of(connection: Connection, account_id: str) -> str | None:
    """The id of the account's QUEUED or IN_PROGRESS run, None without one."""
    return connection.scalar(_OPEN, {"account": account_id})


def queue_run(world: World, connection: Connection, new: NewRun, now: datetime) -> str:
    """Insert a QUEUED run, due at once; its id. StateError while the account has an open run (rules.md 5.4)."""
    blocking = open_run_of(connection, new.account_id)
    if blocking is not None:
        raise StateError(
            f"Account {new.account_id} has an open run {blocking}; only one is allowed at a time: wait or cancel it."
        )
    count = connection.scalar(_COUNT, {"account": new.account_id})
    run_id = world.new_id("run", new.account_id, count)
    values = {
        **asdict(new),
        "id": run_id,
        "status": RunStatus.QUEUED,
        "reason": None,
        "skipped": json.dumps([]),
        "created_at": now,
        "updated_at": now,
        "completed_at": None,
        "canceled_at": None,
        "due_at": now,
    }
    connection.execute(_NEW, values)
    note_run(connection, EventType.RUN_CREATED, values, now)
    add_event(connection, run_id, now, RunStatus.QUEUED, None, new.trigger or "Created by request.")
    return run_id


def queue_system_run(world: World, connection: Connection, subscription: Row, run: SystemRun, now: datetime) -> str:
    """Queue an automatic run of a subscription, the only one of its session; its id.

    The flags that it answers stay until it completes, so that a run that fails or is canceled leaves them (2.4, 2.6).
    """
    model = connection.execute(_MODEL, {"portfolio": subscription["portfolio_id"]}).mappings().one()
    run_id = queue_run(
        world,
        connection,
        NewRun(
            account_id=subscription["account_id"],
            portfolio_id=subscription["portfolio_id"],
            subscription_id=subscription["id"],
            type=run.type,
            initiated_from="system",
            trigger=run.trigger,
            weights=model["weights"],
            conditions=model["conditions"],
        ),
        now,
    )
    session = starting_session(world.sessions, now)
    connection.execute(_HAS_ITS_RUN, {"subscription": subscription["id"], "last_run_session": session.date})
    return run_id


def starting_session(sessions: Sessions, now: datetime) -> Session:
    """The session in which a run that is created at `now` can start first (rules.md 5.3)."""
    session = sessions.current_or_next(now)
    return session if now <= session.last_start else sessions.after(session.date)
