"""Clock, calendar, assets and latest trades (wire/alpaca.md 11.5, 11.6, 12)."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from driftdesk.client.resources.paging import segment
from driftdesk.client.transport import Transport
from driftdesk.wire.accounts import Asset
from driftdesk.wire.market import CalendarDay, Clock, LatestTrades, Trade

# Keeps an address well under the 8 kB that servers commonly take.
_SYMBOLS_A_REQUEST: Final = 200


class Market:
    """`client.market`. Every method raises BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def clock(self) -> Clock:
        """The exchange's time and whether it is open."""
        return self._transport.get(Clock, "/v1/clock")

    def calendar(self, start: date | None = None, end: date | None = None) -> tuple[CalendarDay, ...]:
        """Trading days from `start` to `end`, both inclusive."""
        query = {"start": None if start is None else start.isoformat(), "end": None if end is None else end.isoformat()}
        return self._transport.get(tuple[CalendarDay, ...], "/v1/calendar", query)

    def assets(self) -> tuple[Asset, ...]:
        """Every asset that the backend knows."""
        return self._transport.get(tuple[Asset, ...], "/v1/assets")

    def asset(self, symbol: str) -> Asset:
        """One asset; BackendNotFound where the backend does not know it."""
        return self._transport.get(Asset, f"/v1/assets/{segment(symbol)}")

    def latest_trades(self, symbols: Iterable[str]) -> dict[str, Trade]:
        """The latest trade of each of `symbols` that has one; no request for no symbols."""
        wanted = sorted(set(symbols))
        trades: dict[str, Trade] = {}
        for first in range(0, len(wanted), _SYMBOLS_A_REQUEST):
            some = ",".join(wanted[first : first + _SYMBOLS_A_REQUEST])
            trades |= self._transport.get(LatestTrades, "/v2/stocks/trades/latest", {"symbols": some}).trades
        return trades
