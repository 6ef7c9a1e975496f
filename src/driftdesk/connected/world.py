"""A world whose accounts are at brokerages: its prices are marks, its assets are learned, its time is real."""

import time
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from driftdesk.backend.feeds.base import AssetInfo
from driftdesk.backend.world import World
from driftdesk.client.snaptrade import SnapTradeClient
from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Symbol

_ASKED_AGAIN_AFTER_SECONDS: Final = 1.0


class ConnectedWorld(World):
    """Nothing is traded here unless a person asks (World.connected). `source` enters assets that a brokerage knows."""

    connected = True
    source: Callable[[Iterable[str]], None] | None = None

    def learn(self, symbols: Iterable[str]) -> None:
        """Enter those of `symbols` that a brokerage knows and that were not met yet."""
        if self.source is not None:
            self.source(symbols)


class NoFeed:
    """A price feed without prices of its own (feeds.base.PriceFeed): those of a connected world are marks."""

    label = "Brokerages, through SnapTrade"
    identity = "snaptrade"
    assets: tuple[AssetInfo, ...] = ()

    def __init__(self, sessions: Sessions) -> None:
        self.first: date = sessions.first
        self.last: date = sessions.last

    def price(self, symbol: Symbol, at: datetime) -> Decimal | None:
        """None: there are marks only."""
        return None

    def close(self, symbol: Symbol, day: date) -> Decimal | None:
        """None: no history is read from a brokerage."""
        return None

    def closes(self, symbol: Symbol, start: date, end: date) -> tuple[tuple[date, Decimal], ...]:
        """None of them."""
        return ()


class StandInClock:
    """The time of a SnapTrade of ours, which may stand still or be moved on; read once a second at most."""

    simulated = False

    def __init__(self, client: SnapTradeClient, wall: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._wall = wall
        self._read_at: float | None = None
        self._now: datetime | None = None

    def now(self) -> datetime:
        """The server's instant; it never goes back. Raises BackendError where the server gives no answer."""
        wall = self._wall()
        if self._now is None or self._read_at is None or wall - self._read_at >= _ASKED_AGAIN_AFTER_SECONDS:
            told = self._client.status().timestamp
            self._now = told if self._now is None else max(self._now, told)
            self._read_at = wall
        return self._now
