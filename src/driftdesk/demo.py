"""One seeded world for app, notebooks and tests. Its history is made by the engine itself, never typed in.

Twelve accounts follow four portfolios for two years: subscriptions, triggered runs, deposits that are invested, skipped
orders, a rejected order, a canceled run. The same seed or the same price file gives the same world on every machine.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from filelock import FileLock

from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.feeds.simulated import SimulatedFeed
from driftdesk.backend.opening import DEFAULT_SEED, SIMULATED, PriceSource, make_feed, open_service
from driftdesk.backend.service import Service
from driftdesk.backend.store.database import make_directory, unused
from driftdesk.demo_history import HISTORY, Progress, Replay, handover
from driftdesk.engine.schedule import NEW_YORK, new_york_date
from driftdesk.errors import DataError, InputError, StateError
from driftdesk.market_calendar import new_york_sessions

_SHORTEST_HISTORY: Final = timedelta(days=30)
# A price file keeps this many sessions to go on to.
_SESSIONS_AHEAD: Final = 60
_SIMULATED_NOW: Final = datetime(2026, 11, 20, 14, 0, tzinfo=NEW_YORK)
_BUILT: Final = "demo_built"
# The lock files beside a database, of no use once it has another name.
_LEFT_BEHIND: Final = (".stepping", ".open")


def demo_now(feed: PriceFeed) -> datetime:
    """The instant at which a demo world on `feed` is handed over: 14:00 New York of a session with more to come.

    Raises DataError for a feed that is too short for a month of history and a month to go on to.
    """
    if isinstance(feed, SimulatedFeed):
        return _SIMULATED_NOW
    sessions = new_york_sessions().between(feed.first, feed.last)
    if len(sessions) < 2 * _SESSIONS_AHEAD:
        raise DataError(
            f"{feed.label} has {len(sessions)} sessions; the demo world needs {2 * _SESSIONS_AHEAD}: use a longer file."
        )
    return handover(sessions[-_SESSIONS_AHEAD])


def check_start(feed: PriceFeed, start: datetime) -> None:
    """Refuse, with InputError, an instant at which no demo world on `feed` can be handed over.

    It needs a month of prices before it, and a price at it.
    """
    earliest, latest = feed.first + _SHORTEST_HISTORY, feed.last
    if not earliest <= new_york_date(start) <= latest:
        raise InputError(
            f"--start must lie between {earliest} and {latest} for a demo world on {feed.label}; "
            f"received {start.astimezone(NEW_YORK).isoformat()}.",
            field="--start",
            received=start.isoformat(),
            allowed=f"{earliest} to {latest}",
        )


def ensure_world(directory: Path, source: PriceSource = SIMULATED, *, progress: Progress | None = None) -> Path:
    """The database of the demo world in `directory`, built where it is missing (some seconds).

    One world a source of prices, side by side. `progress` is told a fraction and a sentence. Raises DataError or
    InputError for a price file, and InputError for a directory, that cannot be used.
    """
    path = _path(directory, source)
    if path.exists():
        return path
    make_directory(directory)
    building = path.with_suffix(".building")
    # Two programs that start at once must not build the same file.
    with FileLock(building):
        half_built = path.with_suffix(".building.db")
        try:
            if not path.exists():
                _remove(half_built, *_LEFT_BEHIND)
                feed = make_feed(source)
                build_world(half_built, feed, until=demo_now(feed), seed=source.seed, progress=progress)
                half_built.rename(path)
        finally:
            _remove(half_built, *_LEFT_BEHIND)
            # Whoever waits for it sees that it is gone and asks anew. Windows keeps a file that is open.
            with suppress(OSError):
                building.unlink()
    return path


def open_world(directory: Path, source: PriceSource = SIMULATED) -> Service:
    """The service of a demo world that `ensure_world` has made."""
    return open_service(_path(directory, source), make_feed(source))


def reset_world(directory: Path, source: PriceSource = SIMULATED, *, progress: Progress | None = None) -> Path:
    """Throw the demo world away and build it anew; StateError while a program has it open."""
    # The price file is read first: a bad one must not cost the old world.
    demo_now(make_feed(source))
    path = _path(directory, source)
    make_directory(directory)
    with unused(path):
        _remove(path)
        return ensure_world(directory, source, progress=progress)


def build_world(
    path: Path, feed: PriceFeed, *, until: datetime, seed: int = DEFAULT_SEED, progress: Progress | None = None
) -> None:
    """Replay the demo's history into the database at `path`; nothing happens to one that holds it already.

    Raises StateError for a database that holds anything else, DataError where no symbol has a price at the beginning.
    """
    begin = max(until - HISTORY, handover(new_york_sessions().between(feed.first, feed.last)[0]))
    symbols = _priced_symbols(feed, begin)
    service = open_service(path, feed, start=begin, seed=seed, durable=False)
    try:
        if service.world.database.get_meta(_BUILT) is None:
            if service.list_portfolios() or service.list_accounts():
                raise StateError(
                    f"{path} holds a world already, or a demo world that was not finished; delete it or name another."
                )
            Replay(service, begin, until, progress or _quiet).run(symbols)
            service.world.database.set_meta(_BUILT, until.isoformat())
            # One file to rename: nothing may be left in the write-ahead log.
            service.world.database.checkpoint()
    finally:
        service.close()


def _priced_symbols(feed: PriceFeed, begin: datetime) -> list[str]:
    """The symbols that can be traded from the first day on: one of a price file may start late."""
    symbols = [str(asset.symbol) for asset in feed.assets if feed.price(asset.symbol, begin) is not None]
    if not symbols:
        raise DataError(
            f"{feed.label} has no price on {new_york_date(begin)}, where the demo world begins; use a file in which at "
            "least one symbol starts by then."
        )
    return symbols


def _path(directory: Path, source: PriceSource) -> Path:
    return directory / f"demo-{source.key}.db"


def _remove(path: Path, *further: str) -> None:
    for suffix in ("", "-wal", "-shm", *further):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _quiet(_done: float, _sentence: str) -> None:
    """Tell nobody."""
