"""Opening a connected world: its store, its clock, its client of SnapTrade."""

import time
from pathlib import Path

from driftdesk.backend.clock import Clock, SystemClock
from driftdesk.backend.service import Service
from driftdesk.backend.store.database import Database
from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.connected.patience import NEAR, Patience
from driftdesk.connected.reader import Reader
from driftdesk.connected.venue import BrokerageVenue
from driftdesk.connected.world import ConnectedWorld, NoFeed, StandInClock
from driftdesk.market_calendar import new_york_sessions


def open_connected(
    path: Path,
    client: SnapTradeClient,
    *,
    stand_in: bool,
    look_only: str | None = None,
    patience: Patience | None = None,
) -> tuple[Service, Reader]:
    """The service over a SQLite file, made where it is missing, and what reads the brokerages into it.

    A `stand_in` is a server of ours in SnapTrade's place: its own time counts, and it is asked as often as is useful.
    `look_only` says in a sentence why no orders are sent, None where they are. `patience` replaces the usual one.
    Closing the service closes neither the client nor its connections.
    """
    clock: Clock = StandInClock(client) if stand_in else SystemClock()
    database = Database(f"sqlite:///{path}")
    try:
        sessions = new_york_sessions()
        world = ConnectedWorld(database, clock, NoFeed(sessions), sessions)
        usual = NEAR if stand_in else Patience()

        def passed() -> float:
            # A stand-in's time counts too: where it is moved on by a day, a day has passed.
            return time.monotonic() + (clock.now().timestamp() if stand_in else 0.0)

        reader = Reader(world, client, patience or usual, look_only=look_only, wall=passed)
        world.source = reader.learn
        return Service(world, BrokerageVenue(reader)), reader
    except BaseException:
        database.close()
        raise
