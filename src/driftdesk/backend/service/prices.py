"""Market data (wire/alpaca.md 12): trades, quotes, bars and snapshots, from daily closes.

The world trades all of a session at its close (rules.md 5.1). So a bar's open, high, low and average are its close,
there is no spread (bid = ask = price), and sizes, volumes and counts of trades are 0, because nobody counts them here.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from driftdesk.backend.service.base import Base
from driftdesk.backend.service.closes import Closes
from driftdesk.engine.schedule import NEW_YORK, Session, new_york_date
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import InputError
from driftdesk.money import ZERO
from driftdesk.wire.market import Bar, BarPage, LatestBars, LatestQuotes, LatestTrades, Quote, StockSnapshot, Trade

_MINUTE: Final = timedelta(minutes=1)

_Place = tuple[str, date]


class Prices(Base):
    """Prices in effect now, and closes of the sessions so far; a symbol without a price is left out."""

    def latest_trades(self, symbols: Iterable[str]) -> LatestTrades:
        """The price in effect of each symbol."""
        with self.world.database.read() as connection:
            return LatestTrades(
                trades={symbol: Trade(t=at, p=price) for symbol, at, price in self._now(connection, symbols)}
            )

    def latest_quotes(self, symbols: Iterable[str]) -> LatestQuotes:
        """The price in effect of each symbol, as bid and as ask."""
        with self.world.database.read() as connection:
            return LatestQuotes(
                quotes={symbol: Quote(t=at, ap=price, bp=price) for symbol, at, price in self._now(connection, symbols)}
            )

    def latest_bars(self, symbols: Iterable[str]) -> LatestBars:
        """The last minute of trading of each symbol."""
        minute = self._last_minute()
        with self.world.database.read() as connection:
            return LatestBars(bars={symbol: _bar(minute, price) for symbol, _, price in self._now(connection, symbols)})

    def snapshots(self, symbols: Iterable[str]) -> dict[str, StockSnapshot]:
        """Trade, quote, minute, this session and the one before, of each symbol."""
        today = self.world.sessions.latest_opened(self.world.now())
        yesterday = self.world.sessions.before(today.date)
        minute = self._last_minute()
        with self.world.database.read() as connection:
            closes = Closes(self.world, connection)
            return {
                symbol: StockSnapshot(
                    latest_trade=Trade(t=at, p=price),
                    latest_quote=Quote(t=at, ap=price, bp=price),
                    minute_bar=_bar(minute, price),
                    daily_bar=_daily_bar(today, closes.close(symbol, today)),
                    prev_daily_bar=_daily_bar(yesterday, closes.close(symbol, yesterday)),
                )
                for symbol, at, price in self._now(connection, symbols)
            }

    def daily_bars(
        self,
        symbols: Iterable[str],
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 1000,
        descending: bool = False,
        page_token: str | None = None,
    ) -> BarPage:
        """Daily bars whose New York midnight is from `start` (default today's) to `end` (default now), both included.

        By symbol, then time; at most `limit` in all. InputError for a page token that is not ours.
        """
        now = self.world.now()
        days = self._sessions(start or _midnight(new_york_date(now)), min(end or now, now))
        after = None if page_token is None else _place(page_token)
        if descending:
            days = days[::-1]
        with self.world.database.read() as connection:
            closes = Closes(self.world, connection)
        found = list(islice(_walk(sorted(set(symbols)), days, closes, after, descending=descending), limit + 1))
        bars: dict[str, list[Bar]] = {}
        for symbol, session, close in found[:limit]:
            bars.setdefault(symbol, []).append(_bar(_midnight(session.date), close))
        more = len(found) > limit
        return BarPage(
            bars={symbol: tuple(listed) for symbol, listed in bars.items()},
            next_page_token=_token((found[limit - 1][0], found[limit - 1][1].date)) if more else None,
        )

    def _now(self, connection: Connection, symbols: Iterable[str]) -> Iterator[tuple[str, datetime, Decimal]]:
        """(symbol, instant, price in USD) of those that have a price now."""
        market = self.world.market(connection, self.world.now())
        for symbol in dict.fromkeys(symbols):
            quote = market.quote(Symbol(symbol))
            if quote.price is not None and quote.at is not None:
                yield symbol, quote.at, quote.price

    def _last_minute(self) -> datetime:
        """When the minute began in which the exchange was last open."""
        now = self.world.now()
        session = self.world.sessions.latest_opened(now)
        return now.replace(second=0, microsecond=0) if now < session.close else session.close - _MINUTE

    def _sessions(self, start: datetime, end: datetime) -> tuple[Session, ...]:
        """The sessions that have opened, whose midnight is from `start` to `end`."""
        sessions = self.world.sessions
        start = max(start, _midnight(sessions.first))
        if end < start:
            return ()
        first = new_york_date(start)
        if start > _midnight(first):
            first += timedelta(days=1)
        return sessions.between(first, min(new_york_date(end), sessions.latest_opened(self.world.now()).date))


def _walk(
    symbols: list[str], days: tuple[Session, ...], closes: Closes, after: _Place | None, *, descending: bool
) -> Iterator[tuple[str, Session, Decimal]]:
    """(symbol, session, close) in order, from what follows `after` on."""
    for symbol in symbols:
        if after is not None and symbol < after[0]:
            continue
        for session in days:
            passed = after is not None and symbol == after[0]
            if passed and after is not None and (session.date >= after[1] if descending else session.date <= after[1]):
                continue
            close = closes.close(symbol, session)
            if close is not None:
                yield symbol, session, close


def _bar(at: datetime, price: Decimal) -> Bar:
    return Bar(t=at, o=price, h=price, l=price, c=price, v=ZERO, n=ZERO, vw=price)


def _daily_bar(session: Session, close: Decimal | None) -> Bar | None:
    return None if close is None else _bar(_midnight(session.date), close)


def _midnight(day: date) -> datetime:
    """When a day begins in New York: the time of its daily bar."""
    return datetime.combine(day, time(), NEW_YORK)


def _token(place: _Place) -> str:
    return base64.urlsafe_b64encode(f"{place[0]}|{place[1].isoformat()}".encode()).decode()


def _place(page_token: str) -> _Place:
    try:
        symbol, _, day = base64.urlsafe_b64decode(page_token.encode()).decode().partition("|")
        return symbol, date.fromisoformat(day)
    except (ValueError, binascii.Error):
        raise InputError(
            f"page_token {page_token!r} is not one of ours; pass next_page_token as it was received.",
            field="page_token",
            received=page_token,
            allowed="a next_page_token as received",
        ) from None
