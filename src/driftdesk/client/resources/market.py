"""Clock, calendar, assets and market data (wire/alpaca.md 11.5, 11.6, 12)."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Final, TypeVar

from driftdesk.client.resources.paging import segment
from driftdesk.client.transport import QueryValue, Transport
from driftdesk.wire.accounts import Asset
from driftdesk.wire.base import write_time
from driftdesk.wire.market import (
    Bar,
    BarPage,
    CalendarDay,
    Clock,
    LatestBars,
    LatestQuotes,
    LatestTrades,
    Quote,
    StockSnapshot,
    Trade,
)

T = TypeVar("T")

# Keeps an address well under the 8 kB that servers commonly take.
_SYMBOLS_A_REQUEST: Final = 200
_BARS_A_PAGE: Final = 10_000


class Market:
    """`client.market`. Every method raises BackendError.

    Market data leave out symbols that have none, and ask for many symbols in several requests; none for no symbols.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def clock(self) -> Clock:
        """The exchange's time and whether it is open."""
        return self._transport.get(Clock, "/v1/clock")

    def calendar(
        self, start: date | None = None, end: date | None = None, *, by_settlement: bool = False
    ) -> tuple[CalendarDay, ...]:
        """Trading days from `start` to `end`, both inclusive, or those that settle on the days from start to end."""
        query: dict[str, QueryValue] = {
            "start": None if start is None else start.isoformat(),
            "end": None if end is None else end.isoformat(),
            "date_type": "SETTLEMENT" if by_settlement else None,
        }
        return self._transport.get(tuple[CalendarDay, ...], "/v1/calendar", query)

    def assets(
        self, *, status: str | None = None, asset_class: str | None = None, exchange: str | None = None
    ) -> tuple[Asset, ...]:
        """The assets that the backend knows and the filters let pass."""
        query: dict[str, QueryValue] = {"status": status, "asset_class": asset_class, "exchange": exchange}
        return self._transport.get(tuple[Asset, ...], "/v1/assets", query)

    def asset(self, symbol: str) -> Asset:
        """One asset by symbol or id; BackendNotFound where the backend does not know it."""
        return self._transport.get(Asset, f"/v1/assets/{segment(symbol)}")

    def latest_trades(self, symbols: Iterable[str]) -> dict[str, Trade]:
        """The latest trade of each of `symbols`."""
        answers = self._in_pieces(LatestTrades, "/v2/stocks/trades/latest", symbols)
        return {symbol: trade for answer in answers for symbol, trade in answer.trades.items()}

    def latest_quotes(self, symbols: Iterable[str]) -> dict[str, Quote]:
        """The best bid and ask of each of `symbols`."""
        answers = self._in_pieces(LatestQuotes, "/v2/stocks/quotes/latest", symbols)
        return {symbol: quote for answer in answers for symbol, quote in answer.quotes.items()}

    def latest_bars(self, symbols: Iterable[str]) -> dict[str, Bar]:
        """The latest minute of trading of each of `symbols`."""
        answers = self._in_pieces(LatestBars, "/v2/stocks/bars/latest", symbols)
        return {symbol: bar for answer in answers for symbol, bar in answer.bars.items()}

    def snapshots(self, symbols: Iterable[str]) -> dict[str, StockSnapshot]:
        """Latest trade, quote, minute, this session and the one before, of each of `symbols`."""
        answers = self._in_pieces(dict[str, StockSnapshot | None], "/v2/stocks/snapshots", symbols)
        return {symbol: found for answer in answers for symbol, found in answer.items() if found is not None}

    def daily_bars(
        self, symbols: Iterable[str], start: datetime, end: datetime | None = None
    ) -> dict[str, tuple[Bar, ...]]:
        """The daily bars of each of `symbols` from `start` to `end` (default now), oldest first, of all pages.

        A bar stands at the New York midnight of its session. A day that is not over has the bar so far.
        """
        query: dict[str, QueryValue] = {
            "timeframe": "1Day",
            "start": write_time(start),
            "end": None if end is None else write_time(end),
            "limit": _BARS_A_PAGE,
        }
        bars: dict[str, tuple[Bar, ...]] = {}
        for some in _pieces(symbols):
            seen: set[str | None] = {None}
            token: str | None = None
            while True:
                page = self._transport.get(BarPage, "/v2/stocks/bars", {**query, "symbols": some, "page_token": token})
                for symbol, found in page.bars.items():
                    bars[symbol] = bars.get(symbol, ()) + found
                token = page.next_page_token or None
                # A token seen before would never end the list.
                if token in seen:
                    break
                seen.add(token)
        return bars

    def _in_pieces(self, kind: type[T], path: str, symbols: Iterable[str]) -> Iterator[T]:
        for some in _pieces(symbols):
            yield self._transport.get(kind, path, {"symbols": some})


def _pieces(symbols: Iterable[str]) -> Iterator[str]:
    """Each symbol once, in order, so many to a request, separated by commas."""
    wanted = sorted(set(symbols))
    for first in range(0, len(wanted), _SYMBOLS_A_REQUEST):
        yield ",".join(wanted[first : first + _SYMBOLS_A_REQUEST])
