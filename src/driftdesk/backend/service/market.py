"""Assets, clock and calendar (wire/alpaca.md 11.5, 11.6)."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from sqlalchemy import or_, select

from driftdesk.backend.service.base import Base
from driftdesk.backend.settlement import LONGEST, settlement_date
from driftdesk.backend.store.tables import assets
from driftdesk.backend.store.types import Row
from driftdesk.engine.schedule import NEW_YORK, new_york_date
from driftdesk.errors import NotFound
from driftdesk.wire.accounts import Asset
from driftdesk.wire.market import CalendarDay, Clock, MarketClock, MarketClocks

_CALENDAR_DEFAULT: Final = timedelta(days=365)
_ACTIVE, _INACTIVE, _US_EQUITY = "active", "inactive", "us_equity"


class Market(Base):
    """What may be traded, and when."""

    def list_assets(
        self,
        *,
        status: str | None = None,
        asset_class: str = _US_EQUITY,
        exchange: str | None = None,
        attributes: Iterable[str] = (),
    ) -> list[Asset]:
        """Assets by symbol; filters are ANDed, one of `attributes` is enough.

        Every asset here is a share or fund without attributes: other classes and attributes have none. It is active
        until it is delisted.
        """
        if asset_class != _US_EQUITY or any(attributes):
            return []
        query = select(assets).order_by(assets.c.symbol)
        if status not in (None, "all"):
            listed = assets.c.delisted_at.is_(None)
            query = query.where(listed if status == _ACTIVE else ~listed)
        if exchange is not None:
            query = query.where(assets.c.exchange == exchange)
        with self.world.database.read() as connection:
            return [_asset(row) for row in connection.execute(query).mappings()]

    def get_asset(self, symbol_or_id: str) -> Asset:
        """One asset by symbol or id; NotFound without it."""
        self.world.learn((symbol_or_id.upper(),))
        query = select(assets).where(or_(assets.c.symbol == symbol_or_id.upper(), assets.c.id == symbol_or_id))
        with self.world.database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"There is no asset {symbol_or_id}.")
        return _asset(row)

    def clock(self) -> Clock:
        """The instant, whether the exchange is open, and when that changes next."""
        now = self.world.now()
        return Clock(
            timestamp=now,
            is_open=self.world.sessions.at(now) is not None,
            next_open=self.world.sessions.next_open(now),
            next_close=self.world.sessions.next_close(now),
            simulated=self.world.clock.simulated,
            feed=self.world.feed.label,
        )

    def market_clocks(self) -> MarketClocks:
        """The same, and beside it that of the one market there is."""
        clock = self.clock()
        return MarketClocks(
            **dict(clock),
            clocks=(
                MarketClock(
                    market="NYSE",
                    timestamp=clock.timestamp,
                    is_market_day=self.world.sessions.on(new_york_date(clock.timestamp)) is not None,
                    next_market_open=clock.next_open,
                    next_market_close=clock.next_close,
                    phase="core" if clock.is_open else "closed",
                    phase_until=clock.next_close if clock.is_open else clock.next_open,
                ),
            ),
        )

    def calendar(self, start: date | None, end: date | None, *, by_settlement: bool = False) -> list[CalendarDay]:
        """Trading days from `start` (default today) to `end` (default a year on), both included.

        `by_settlement`: those whose trades settle in that time.
        """
        sessions = self.world.sessions
        first = start or new_york_date(self.world.now())
        last = end or min(first, date.max - _CALENDAR_DEFAULT) + _CALENDAR_DEFAULT
        earliest = max(sessions.first, first - LONGEST) if by_settlement and first >= sessions.first else first
        settled = [(session, settlement_date(session.date, sessions)) for session in sessions.between(earliest, last)]
        return [
            CalendarDay(
                date=session.date.isoformat(),
                open=session.open.astimezone(NEW_YORK).strftime("%H:%M"),
                close=session.close.astimezone(NEW_YORK).strftime("%H:%M"),
                session_open="0400",
                session_close="2000",
                settlement_date=None if settles is None else settles.isoformat(),
            )
            for session, settles in settled
            if not by_settlement or (settles is not None and first <= settles <= last)
        ]


def _asset(row: Row) -> Asset:
    """An asset that is bought with cash: there is no margin, and nothing is lent to be sold short."""
    return Asset(
        id=row["id"],
        exchange=row["exchange"],
        symbol=row["symbol"],
        name=row["name"],
        status=_ACTIVE if row["delisted_at"] is None else _INACTIVE,
        tradable=row["tradable"],
        marginable=False,
        shortable=False,
        easy_to_borrow=False,
        fractionable=row["fractionable"],
    )
