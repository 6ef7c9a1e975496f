"""Clock, calendar, and the market data of wire/alpaca.md 12, whose short names are the wire's own.

Prices of market data are JSON numbers, unlike the decimals of accounts and orders.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import AliasChoices, Field, PlainSerializer

from driftdesk.money import ZERO, as_float
from driftdesk.wire.base import Answer, WireDecimal, WireTime


def _number(number: Decimal) -> int | float:
    # A float tells 15 digits apart: a price has at most 11, an amount of money fewer than 15.
    return int(number) if number == number.to_integral_value() else as_float(number)


# Read exactly and written as a JSON number with the decimal's own digits.
WireNumber = Annotated[WireDecimal, PlainSerializer(_number, return_type=int | float, when_used="json")]


class Clock(Answer):
    """`simulated` and `feed` are ours: whether the clock can be advanced, and where prices come from."""

    timestamp: WireTime
    is_open: bool
    next_open: WireTime
    next_close: WireTime
    simulated: bool = False
    feed: str | None = None


class MarketClock(Answer):
    """The clock of one market: `phase` is ``core`` in the session and ``closed`` outside, until `phase_until`."""

    market: str
    timestamp: WireTime
    is_market_day: bool
    next_market_open: WireTime
    next_market_close: WireTime
    phase: str
    phase_until: WireTime


class MarketClocks(Clock):
    """The clock as the trading API tells it and, beside it, that of each market, as the broker API does
    (wire/alpaca.md 11.6)."""

    clocks: tuple[MarketClock, ...]


class CalendarDay(Answer):
    """A trading day: New York date, open and close as HH:MM in New York, and the date on which its trades settle."""

    date: str
    open: str
    close: str
    session_open: str | None = None
    session_close: str | None = None
    settlement_date: str | None = None


class Trade(Answer):
    """Latest trade: `p` price in USD, `t` time, `s` size (0 where it is not known)."""

    t: WireTime
    p: WireNumber
    s: WireNumber = ZERO


class LatestTrades(Answer):
    """The latest trade of each symbol asked for; a symbol without a price is left out."""

    trades: dict[str, Trade]


class Quote(Answer):
    """Best offer: `ap` asked and `bp` bid in USD (0 where there is none), `as` and `bs` their sizes, `t` time."""

    t: WireTime
    ap: WireNumber
    # The wire calls it "as", a reserved word here.
    ask_size: Annotated[
        WireNumber, Field(validation_alias=AliasChoices("as", "ask_size"), serialization_alias="as")
    ] = ZERO
    bp: WireNumber
    bs: WireNumber = ZERO


class LatestQuotes(Answer):
    """The latest quote of each symbol asked for; a symbol without a price is left out."""

    quotes: dict[str, Quote]


class Bar(Answer):
    """Open, high, low and close in USD of the time that begins at `t`; `v` shares, `n` trades, `vw` average price."""

    t: WireTime
    o: WireNumber
    h: WireNumber
    l: WireNumber  # noqa: E741 - the wire's name
    c: WireNumber
    v: WireNumber
    n: WireNumber | None = None
    vw: WireNumber | None = None


class LatestBars(Answer):
    """The latest minute bar of each symbol asked for; a symbol without a price is left out."""

    bars: dict[str, Bar]


class BarPage(Answer):
    """Bars of each symbol in order of time, and the token of the next page (null at the end)."""

    bars: dict[str, tuple[Bar, ...]]
    next_page_token: str | None = None


class StockSnapshot(Answer):
    """Latest trade, quote, minute bar, and the bars of this session and the one before; null where there is none."""

    latest_trade: Annotated[Trade | None, Field(alias="latestTrade")] = None
    latest_quote: Annotated[Quote | None, Field(alias="latestQuote")] = None
    minute_bar: Annotated[Bar | None, Field(alias="minuteBar")] = None
    daily_bar: Annotated[Bar | None, Field(alias="dailyBar")] = None
    prev_daily_bar: Annotated[Bar | None, Field(alias="prevDailyBar")] = None
