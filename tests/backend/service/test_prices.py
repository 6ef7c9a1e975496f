"""Market data from daily closes: nothing from the future, nothing that nobody measured (wire/alpaca.md 12).

SPY closes at 617.3115, 604.9766, 599.6080 and 606.9212 on 28 February and 3, 4 and 5 March 2025; TLT at 74.8216,
74.4096, 74.3904 and 73.4924. It is Wednesday 5 March, 10:15:30 in New York.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import simulated_feed

from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError
from driftdesk.wire.market import Bar, BarPage
from driftdesk.wire.simulation import Advance, SetPrices

NOW = datetime(2025, 3, 5, 10, 15, 30, tzinfo=NEW_YORK)


@pytest.fixture
def wednesday(tmp_path: Path) -> Iterator[Service]:
    opened = open_service(tmp_path / "wednesday.db", simulated_feed(), start=NOW, seed=1, durable=False)
    yield opened
    opened.close()


def march(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2025, 3, day, hour, minute, tzinfo=NEW_YORK)


def told(page: BarPage) -> str:
    """``SPY 3 604.9766 | TLT 3 74.4096``: symbol, day of March, close."""
    return " | ".join(
        f"{symbol} {bar.t.astimezone(NEW_YORK).day} {bar.c:f}" for symbol, bars in page.bars.items() for bar in bars
    )


def flat(at: datetime, price: str) -> Bar:
    """A bar that never moved, of trades that nobody counted."""
    all_day = Decimal(price)
    return Bar(t=at, o=all_day, h=all_day, l=all_day, c=all_day, v=Decimal(0), n=Decimal(0), vw=all_day)


def test_a_quote_has_no_spread(wednesday: Service) -> None:
    """Bid and ask are the price, their sizes are not known; NOSUCH is left out."""
    quotes = wednesday.latest_quotes(["SPY", "NOSUCH"]).quotes
    assert ["SPY"] == list(quotes)
    spy = quotes["SPY"]
    assert (NOW, Decimal("606.9212"), Decimal("606.9212"), 0, 0) == (spy.t, spy.bp, spy.ap, spy.bs, spy.ask_size)


@pytest.mark.parametrize(
    ("now", "minute"),
    [
        pytest.param(NOW, march(5, 10, 15), id="in the session"),
        pytest.param(march(5, 16, 0), march(5, 15, 59), id="at the close"),
        pytest.param(march(8, 12, 0), march(7, 15, 59), id="on a Saturday"),
    ],
)
def test_the_latest_bar_is_the_last_minute_of_trading(wednesday: Service, now: datetime, minute: datetime) -> None:
    """It began at the full minute, and the price stood still in it."""
    wednesday.advance(Advance(to=now))
    bar = wednesday.latest_bars(["SPY"]).bars["SPY"]
    assert flat(minute, f"{bar.c:f}") == bar


def test_a_snapshot_has_this_session_and_the_one_before(wednesday: Service) -> None:
    """Wednesday at 606.9212 after Tuesday at 599.6080."""
    spy = wednesday.snapshots(["SPY", "NOSUCH"])["SPY"]
    assert spy.latest_trade is not None
    assert spy.latest_quote is not None
    assert (Decimal("606.9212"), Decimal("606.9212")) == (spy.latest_trade.p, spy.latest_quote.ap)
    assert flat(march(5, 10, 15), "606.9212") == spy.minute_bar
    assert (flat(march(5), "606.9212"), flat(march(4), "599.6080")) == (spy.daily_bar, spy.prev_daily_bar)


@pytest.mark.parametrize(
    ("start", "end", "bars"),
    [
        pytest.param(march(3), None, "SPY 3 604.9766 | SPY 4 599.6080 | SPY 5 606.9212", id="up to now"),
        pytest.param(march(3), march(20), "SPY 3 604.9766 | SPY 4 599.6080 | SPY 5 606.9212", id="not the future"),
        pytest.param(march(3), march(4), "SPY 3 604.9766 | SPY 4 599.6080", id="both ends"),
        pytest.param(march(3, 0, 1), march(4), "SPY 4 599.6080", id="after the first midnight"),
        pytest.param(march(3), march(3, 23), "SPY 3 604.9766", id="before the second"),
        pytest.param(march(1), march(2), "", id="a weekend"),
        pytest.param(march(4), march(3), "", id="backwards"),
        pytest.param(None, None, "SPY 5 606.9212", id="today"),
    ],
)
def test_bars_stand_at_midnight(wednesday: Service, start: datetime | None, end: datetime | None, bars: str) -> None:
    """In New York; an end later than now shows nothing of what is to come."""
    assert bars == told(wednesday.daily_bars(["SPY"], start=start, end=end))


def test_before_the_open_there_is_no_bar_of_the_day(wednesday: Service) -> None:
    """On Thursday at 9:29 the last bar is Wednesday's."""
    wednesday.advance(Advance(to=march(6, 9, 29)))
    assert "SPY 5 606.9212" == told(wednesday.daily_bars(["SPY"], start=march(5)))


def test_bars_reach_as_far_as_the_prices(wednesday: Service) -> None:
    """The simulated market begins on 3 January 2023, the calendar in 1990; the year 1 is no trouble."""
    page = wednesday.daily_bars(["SPY"], start=datetime(1, 1, 1, tzinfo=UTC), limit=1)
    assert [datetime(2023, 1, 3, tzinfo=NEW_YORK)] == [bar.t for bar in page.bars["SPY"]]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6])
def test_pages_go_by_symbol_and_time(wednesday: Service, limit: int, descending: bool) -> None:
    """Six bars, each once, whatever the size of a page; the last page has no token."""
    read: list[str] = []
    token: str | None = None
    while True:
        page = wednesday.daily_bars(
            ["TLT", "SPY", "TLT", "NOSUCH"], start=march(3), limit=limit, descending=descending, page_token=token
        )
        assert sum(len(bars) for bars in page.bars.values()) <= limit
        read.append(told(page))
        token = page.next_page_token
        if token is None:
            break
    days = (3, 4, 5)[:: -1 if descending else 1]
    closes = {("SPY", 3): "604.9766", ("SPY", 4): "599.6080", ("SPY", 5): "606.9212"}
    closes |= {("TLT", 3): "74.4096", ("TLT", 4): "74.3904", ("TLT", 5): "73.4924"}
    assert " | ".join(f"{symbol} {day} {closes[symbol, day]}" for symbol in ("SPY", "TLT") for day in days) == (
        " | ".join(read)
    )
    assert -(-6 // limit) == len(read)


def test_a_price_set_by_hand_is_the_close_from_its_session_on(wednesday: Service) -> None:
    """600 on Wednesday, also on Thursday; Tuesday stays."""
    wednesday.set_prices(SetPrices(prices={"SPY": Decimal(600)}))
    wednesday.advance(Advance(to=NOW + timedelta(days=1)))
    assert "SPY 4 599.6080 | SPY 5 600.0000 | SPY 6 600.0000" == told(wednesday.daily_bars(["SPY"], start=march(4)))


@pytest.mark.parametrize("token", ["x", "U1BZ", "U1BZfDIwMjUtMDItMzA="])
def test_a_token_that_is_not_ours_is_refused(wednesday: Service, token: str) -> None:
    """No base64, no day, and 30 February."""
    with pytest.raises(InputError, match="is not one of ours") as refused:
        wednesday.daily_bars(["SPY"], page_token=token)
    assert "page_token" == refused.value.field
