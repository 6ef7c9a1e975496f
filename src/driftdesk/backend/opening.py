"""Opening a world: its price feed, its store, its clock."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from driftdesk.backend.clock import Clock, SimulatedClock, SystemClock
from driftdesk.backend.feeds.base import PriceFeed, TableFeed
from driftdesk.backend.feeds.history import price_files, read_history
from driftdesk.backend.feeds.simulated import SimulatedFeed
from driftdesk.backend.service import Service
from driftdesk.backend.store.database import Database
from driftdesk.backend.world import World
from driftdesk.market_calendar import new_york_sessions

DEFAULT_SEED: Final = 7
_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Where prices come from: a file or directory of history, or without one the simulated market of `seed`.

    `column` names the price column of OHLC files. With `allow_jumps`, a move of more than 40 % in a day is a finding
    of the feed, else it is refused.
    """

    file: Path | None = None
    column: str | None = None
    allow_jumps: bool = False
    seed: int = DEFAULT_SEED

    @property
    def key(self) -> str:
        """A short name for the prices, the same wherever the files lie; InputError where there is no file."""
        if self.file is None:
            return f"seed-{self.seed}"
        digest = hashlib.sha256((self.column or "").encode())
        for file in price_files(self.file):
            # The name of an OHLC file says whose prices they are.
            digest.update(file.name.encode() if self.column else b"")
            digest.update(file.read_bytes())
        return digest.hexdigest()[:_DIGITS]


SIMULATED: Final = PriceSource()


def make_feed(source: PriceSource = SIMULATED) -> TableFeed:
    """The feed of a price file, or the simulated market; DataError or InputError for a file that cannot be used."""
    sessions = new_york_sessions()
    if source.file is None:
        return SimulatedFeed(source.seed, sessions)
    return read_history(source.file, sessions, column=source.column, allow_jumps=source.allow_jumps)


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

    `durable=False` spares the flush of each commit, for a history that can be replayed again. Raises InputError for a
    file that is no database, StateError for a world that was made on other prices.
    """
    database = Database(f"sqlite:///{path}", durable=durable)
    try:
        clock: Clock = SystemClock() if system_clock else SimulatedClock(database, start)
        return Service(World(database, clock, feed, new_york_sessions(), seed=seed))
    except BaseException:
        database.close()
        raise
