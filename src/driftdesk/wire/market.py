"""Clock, calendar and latest trades (wire/alpaca.md 11.6, 12)."""

from driftdesk.wire.base import Answer, WireDecimal, WireTime


class Clock(Answer):
    """`simulated` and `feed` are ours: whether the clock can be advanced, and where prices come from."""

    timestamp: WireTime
    is_open: bool
    next_open: WireTime
    next_close: WireTime
    simulated: bool = False
    feed: str | None = None


class CalendarDay(Answer):
    """A trading day: New York date, open and close as HH:MM in New York."""

    date: str
    open: str
    close: str
    session_open: str | None = None
    session_close: str | None = None
    settlement_date: str | None = None


class Trade(Answer):
    """Latest trade: `p` price in USD, `t` time, `s` size."""

    t: WireTime
    p: WireDecimal
    s: int = 0


class LatestTrades(Answer):
    """The latest trade of each symbol asked for; a symbol without a price is left out."""

    trades: dict[str, Trade]
