"""Opening a world: its price feed, its store, its clock."""

from datetime import datetime
from pathlib import Path
from typing import Final

from driftdesk.backend.clock import Clock, SimulatedClock, SystemClock
from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.feeds.history import read_history
from driftdesk.backend.feeds.simulated import SimulatedFeed
from driftdesk.backend.service import Service
from driftdesk.backend.store.database import Database
from driftdesk.backend.world import World
from driftdesk.market_calendar import new_york_sessions

DEFAULT_SEED: Final = 7


def make_feed(prices: Path | None, column: str | None = None, seed: int = DEFAULT_SEED) -> PriceFeed:
    """The feed of a price file, or the simulated market; DataError or InputError for a file that cannot be used."""
    sessions = new_york_sessions()
    return SimulatedFeed(seed, sessions) if prices is None else read_history(prices, sessions, column=column)


def open_service(
    path: Path,
    feed: PriceFeed,
    *,
    start: datetime | None = None,
    system_clock: bool = False,
    seed: int | None = None,
    durable: bool = True,
) -> Service:
    """The service over a SQLite file, made where it is missing; `start` sets the simulated clock of a new one.

    `durable=False` spares the flush of each commit, for a history that can be replayed again.
    """
    database = Database(f"sqlite:///{path}", durable=durable)
    clock: Clock = SystemClock() if system_clock else SimulatedClock(database, start)
    return Service(World(database, clock, feed, new_york_sessions(), seed=seed))
