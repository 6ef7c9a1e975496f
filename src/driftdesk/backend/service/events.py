"""Events of the rebalancer, read by watermark (wire/alpaca.md 9)."""

from collections.abc import Sequence

from sqlalchemy import Column, ColumnElement, func, select

from driftdesk.backend.service.base import Base
from driftdesk.backend.store.database import Database
from driftdesk.backend.store.tables import events
from driftdesk.wire.ulid import LOW_BITS, milliseconds, read_ulid, write_ulid


class Events(Base):
    """What a stream of events reads; also events that another process wrote."""

    def last_event_id(self) -> str:
        """The id of the newest event; the least ULID in a world that has none."""
        return newest_id(self.world.database, events.c.event_id)

    def read_events(self, after: str, until: str | None, limit: int) -> Sequence[tuple[str, str]]:
        """(id, JSON) of the next events above `after`, up to and including `until`, oldest first."""
        query = select(events.c.event_id, events.c.payload).where(events.c.event_id > after)
        if until is not None:
            query = query.where(events.c.event_id <= until)
        with self.world.database.read() as connection:
            return [
                (row.event_id, row.payload)
                for row in connection.execute(query.order_by(events.c.event_id).limit(limit))
            ]

    def count_events(self, after: str) -> int:
        """How many events there are above `after`."""
        return count_above(self.world.database, events.c.event_id, after)

    def is_over(self, until: str, *, at_its_end: bool) -> bool:
        """Whether no event up to `until` can come any more: the world's clock is past the time in that id.

        With `at_its_end` a clock that stands in that very millisecond counts as past it.
        """
        now, end = milliseconds(self.world.now()), read_ulid(until) >> LOW_BITS
        return now > end or (at_its_end and now == end)


def newest_id(database: Database, ids: Column[str]) -> str:
    """The greatest id in a column of ULIDs; the least ULID where there is none."""
    with database.read() as connection:
        return connection.scalar(select(func.max(ids))) or write_ulid(0)


def count_above(database: Database, ids: Column[str], after: str, *more: ColumnElement[bool]) -> int:
    """How many rows have an id above `after`, and are as `more` says."""
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(ids > after, *more)) or 0
