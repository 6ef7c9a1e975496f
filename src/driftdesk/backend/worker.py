"""The worker: what happens by itself as time goes on. Orders settle, runs move, accounts are evaluated, days close.

It owns no clock: `work` is told the instant, by the thread that follows the system's clock or by `advance`, which moves
a simulated clock from event to event (rules.md 5.1, 11). Start-up and recovery are the same path.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from filelock import FileLock, Timeout

from driftdesk.backend.clock import SimulatedClock
from driftdesk.backend.daybook import close_day
from driftdesk.backend.evaluation import Evaluator
from driftdesk.backend.exchange import Venue
from driftdesk.backend.runs.tick import Ticker
from driftdesk.backend.world import World
from driftdesk.errors import StateError

# A run makes a handful of moves at one instant; far more than this means that something does not come to rest.
_MOVES_AT_ONE_INSTANT: Final = 1000


@dataclass(frozen=True, slots=True)
class Worked:
    """What was done: runs created by evaluations, orders filled."""

    runs_created: int = 0
    orders_filled: int = 0

    def __add__(self, other: "Worked") -> "Worked":
        return Worked(self.runs_created + other.runs_created, self.orders_filled + other.orders_filled)


class Worker:
    """Steps one world; one process at a time may do so, held by a lock file beside the database (rules.md 11)."""

    def __init__(self, world: World, exchange: Venue, ticker: Ticker, evaluator: Evaluator) -> None:
        self._world = world
        self._exchange = exchange
        self._ticker = ticker
        self._evaluator = evaluator

    def lock(self) -> FileLock:
        """A fresh handle on the stepping lock; acquire it with ``timeout=0``."""
        return FileLock(f"{self._world.database.path}.stepping", thread_local=False)

    def work(self, now: datetime) -> Worked:
        """Everything that is due at `now`, until nothing is."""
        done = Worked()
        for _ in range(_MOVES_AT_ONE_INSTANT):
            filled = self._exchange.settle(now)
            moved = self._ticker.tick(now)
            created = 0 if moved else self._evaluator.evaluate_due(now)
            done += Worked(created, filled)
            if not (filled or moved or created):
                close_day(self._world, now)
                return done
        raise StateError(f"The runs due at {now.isoformat()} do not come to rest; this is a defect in driftdesk.")

    def next_event(self, now: datetime) -> datetime:
        """The next instant at which something may happen: an order, a run, an open, an evaluation, a close."""
        session = self._world.sessions.current_or_next(now)
        fixed = [at for at in (session.open, session.evaluation, session.close) if at > now]
        due = [max(at, now) for at in (self._exchange.next_event(), self._ticker.next_due()) if at is not None]
        return min(fixed + due)

    def advance(
        self,
        clock: SimulatedClock,
        target: datetime,
        *,
        budget_seconds: float | None = None,
        wall: Callable[[], float] = time.monotonic,
    ) -> Worked:
        """Move the simulated clock to `target` through every event on the way, or as far as the budget lasts.

        Raises StateError (conflict) while another advance of this world is under way.
        """
        try:
            with self.lock().acquire(timeout=0):
                started = wall()
                now = clock.now()
                done = self.work(now)
                while (event := self.next_event(now)) <= target:
                    clock.move_to(event)
                    now = event
                    done += self.work(now)
                    if budget_seconds is not None and wall() - started > budget_seconds:
                        return done
                clock.move_to(target)
                return done
        except Timeout:
            raise StateError(
                "The clock is being advanced already, here or by another program; try again when that is done.",
                conflict=True,
            ) from None
