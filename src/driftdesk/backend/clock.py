"""The clock: the system's, or a simulated one that is a row in the store and only moves forward (rules.md 11)."""

from datetime import UTC, datetime
from typing import Protocol

from driftdesk.backend.store.database import Database
from driftdesk.errors import StateError

_NOW = "clock_now"


class Clock(Protocol):
    """Where `now` comes from; everything below takes the instant as an argument."""

    @property
    def simulated(self) -> bool: ...

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock in UTC."""

    simulated = False

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)


class SimulatedClock:
    """An instant in the store, shared by every process that opens it."""

    simulated = True

    def __init__(self, database: Database, start: datetime | None = None) -> None:
        """`start` sets the instant of a new world; a world that has one keeps it."""
        self._database = database
        if start is not None and database.get_meta(_NOW) is None:
            database.set_meta(_NOW, start.astimezone(UTC).isoformat())

    def now(self) -> datetime:
        """The simulated instant in UTC; StateError where the world never had one."""
        value = self._database.get_meta(_NOW)
        if value is None:
            raise StateError("This world has no simulated clock; create it with a start instant.")
        return datetime.fromisoformat(value)

    def move_to(self, instant: datetime) -> None:
        """Advance to `instant`; an instant that is not later changes nothing."""
        with self._database.write():
            if instant > self.now():
                self._database.set_meta(_NOW, instant.astimezone(UTC).isoformat())
