"""The words that tests are written in: an account, a portfolio and its bands as one line of text each."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from driftdesk.engine.schedule import NEW_YORK, Session, Sessions
from driftdesk.engine.snapshot import CASH, AccountId, Holding, OpenOrder, Quote, Side, Snapshot, Symbol
from driftdesk.engine.targets import BandKind, DriftBand, Targets, parse_targets

# Monday 2 March 2026, 15:30 in New York: the configured instant of an evaluation.
EVALUATION = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)

_KINDS = {"abs": BandKind.ABSOLUTE, "rel": BandKind.RELATIVE}


def book(text: str, *, as_of: datetime = EVALUATION, market_open: bool = True) -> Snapshot:
    """``cash 500 | SPY 60@100 | TLT 40@50 | GLD @70``: cash, quantity @ price, and a price of something not held.

    ``SPY 60(45)@100`` leaves 45 of the 60 shares free of open orders; a price of ``?`` is a price that is missing.
    """
    cash, holdings, quotes = Decimal(0), [], []
    for part in text.split("|"):
        name, _, rest = part.strip().partition(" ")
        if name == "cash":
            cash = Decimal(rest)
            continue
        symbol = Symbol(name)
        quantity, _, price = rest.partition("@")
        if quantity.strip():
            held, _, free = quantity.strip().rstrip(")").partition("(")
            holdings.append(Holding(symbol, Decimal(held), Decimal(free or held)))
        missing = price.strip() == "?"
        quotes.append(Quote(symbol, None if missing else Decimal(price), None if missing else as_of))
    return Snapshot(
        account_id=AccountId("acct"),
        as_of=as_of,
        cash=cash,
        holdings=tuple(holdings),
        quotes=tuple(quotes),
        market_open=market_open,
    )


def model(text: str) -> Targets:
    """``cash 5 | SPY 60 | TLT 35``: target weights in percent."""
    pairs = [part.split() for part in text.split("|")]
    return parse_targets([(CASH if name == "cash" else Symbol(name), percent) for name, percent in pairs])


def bands(text: str) -> tuple[DriftBand, ...]:
    """``abs 5, rel 20``: bands of 5 points and of 20 percent of the target."""
    pairs = [part.split() for part in text.split(",")]
    return tuple(DriftBand(_KINDS[kind], Decimal(percent)) for kind, percent in pairs)


def with_quote(snapshot: Snapshot, symbol: str, **changes: object) -> Snapshot:
    """`snapshot` with the quote of `symbol` changed, as in ``tradable=False``."""
    quotes = tuple(replace(q, **changes) if q.symbol == symbol else q for q in snapshot.quotes)  # type: ignore[arg-type]
    return replace(snapshot, quotes=quotes)


def with_open_order(snapshot: Snapshot, text: str) -> Snapshot:
    """`snapshot` with an order like ``buy SPY 300`` (USD reserved) or ``sell SPY 15`` (shares reserved) open."""
    side, symbol, reserved = text.split()
    order = OpenOrder(f"open-{len(snapshot.open_orders)}", Symbol(symbol), Side(side), Decimal(reserved))
    return replace(snapshot, open_orders=(*snapshot.open_orders, order))


def weekdays(start: str, end: str, *, without: str = "") -> Sessions:
    """Sessions from 9:30 to 16:00 New York on the weekdays from `start` to `end`, less the dates in `without`."""
    first, last, holidays = date.fromisoformat(start), date.fromisoformat(end), without.split()
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    opens, closes = time(9, 30), time(16)
    return Sessions(
        tuple(
            Session(
                day,
                datetime.combine(day, opens, NEW_YORK).astimezone(UTC),
                datetime.combine(day, closes, NEW_YORK).astimezone(UTC),
            )
            for day in days
            if day.isoweekday() <= 5 and day.isoformat() not in holidays
        )
    )
