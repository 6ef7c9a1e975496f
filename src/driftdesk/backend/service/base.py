"""What the use cases share: the world, lookups that fail in one sentence, pages, and answers that are given once."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Table, delete, insert, select

from driftdesk.backend.evaluation import Evaluator
from driftdesk.backend.exchange import Exchange, Venue
from driftdesk.backend.runs.step import Stepper
from driftdesk.backend.runs.tick import Ticker
from driftdesk.backend.store.tables import idempotency, subscriptions
from driftdesk.backend.store.types import Row
from driftdesk.backend.worker import Worker
from driftdesk.backend.world import World
from driftdesk.errors import InputError, NotFound, StateError, Unavailable
from driftdesk.wire.base import Message

# An answer is kept this long by the wall clock (rules.md 2.10).
KEEP_ANSWERS: Final = timedelta(hours=24)
_LONGEST_LIST: Final = 2**31


class Base:
    """One world with its exchange and worker. `venue` replaces the simulated exchange."""

    def __init__(self, world: World, venue: Venue | None = None) -> None:
        self.world = world
        self.exchange: Venue = venue or Exchange(world)
        self.ticker = Ticker(Stepper(world, self.exchange))
        self.worker = Worker(world, self.exchange, self.ticker, Evaluator(world))

    def answer_once(self, scope: str, digest: str, act: Callable[[], tuple[int, str]]) -> tuple[int, str]:
        """The answer to a request with an idempotency key: `act`'s at first, the stored one afterwards (rules.md 2.10).

        `scope` is key, method and path; `digest` the body's. Effect and answer are stored in one transaction; a request
        that raises leaves nothing. StateError when the key was used with another body. Where `act` raises Unavailable
        its effect stands and no answer is stored: that is what nobody knows then.
        """
        silence: Unavailable | None = None
        with self.world.database.write() as connection:
            # Wall-clock time: the key guards against a person's second click, not against a simulated year.
            wall = datetime.now(UTC)
            connection.execute(delete(idempotency).where(idempotency.c.kept_until < wall))
            kept = connection.execute(select(idempotency).where(idempotency.c.scope == scope)).first()
            if kept is not None:
                if kept.digest != digest:
                    raise StateError(
                        "This Idempotency-Key was used with another body; send the same body again or use a new key."
                    )
                return kept.status, kept.body
            try:
                status, body = act()
            except Unavailable as problem:
                silence = problem
            else:
                connection.execute(
                    insert(idempotency).values(
                        scope=scope, digest=digest, status=status, body=body, kept_until=wall + KEEP_ANSWERS
                    )
                )
                return status, body
        raise silence


def find_row(connection: Connection, table: Table, identifier: str, noun: str) -> Row:
    """The row with that id; NotFound, naming `noun`, without one."""
    row = connection.execute(select(table).where(table.c.id == identifier)).mappings().first()
    if row is None:
        raise NotFound(f"There is no {noun} {identifier}.")
    return row


def live_subscription(connection: Connection, account_id: str) -> Row | None:
    """The account's active subscription, None without one."""
    return (
        connection.execute(
            select(subscriptions).where(subscriptions.c.account_id == account_id, subscriptions.c.deleted_at.is_(None))
        )
        .mappings()
        .first()
    )


def dump_messages(messages: Sequence[Message]) -> str:
    """Messages as the JSON text of a column."""
    return json.dumps([message.model_dump(mode="json") for message in messages])


def page_mark(page_token: str) -> int:
    """The `seq` at which the page before ended; InputError for a token that we did not issue.

    A mark and not an offset: rows that appear or go between two pages neither repeat nor hide others.
    """
    try:
        mark = int(base64.urlsafe_b64decode(page_token.encode()).decode())
        # Wider than any list, and a store's whole number cannot hold it.
        mark = mark if mark < _LONGEST_LIST else -1
    except (ValueError, binascii.Error):
        mark = -1
    if mark < 0:
        raise InputError(
            f"page_token {page_token!r} is not one of ours; pass next_page_token as it was received.",
            field="page_token",
            received=page_token,
            allowed="a next_page_token as received",
        )
    return mark


def next_token(page: Sequence[Row], more: bool) -> str | None:
    """The token of the page after this one, None when there are no `more` rows."""
    return base64.urlsafe_b64encode(str(page[-1]["seq"]).encode()).decode() if more else None
