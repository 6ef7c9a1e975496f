"""Accounts, positions, history, activities, market data over HTTP: what is asked, what is answered, what is refused.

The service behind is the recording one of conftest.py.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from driftdesk.wire.accounts import BulkPositions, Position
from driftdesk.wire.activities import NonTradeActivity, TradeActivity
from driftdesk.wire.arrow import MEDIA_TYPE, positions_from_arrow
from driftdesk.wire.history import PortfolioHistory
from driftdesk.wire.market import Bar, BarPage, Quote, StockSnapshot

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, 5, tzinfo=UTC)
ACCOUNT = "/v1/trading/accounts/a"
HISTORY = f"{ACCOUNT}/account/portfolio/history"
ACTIVITIES = "/v1/accounts/activities"
BARS = "/v2/stocks/bars"
HELD = Position(asset_id="1", symbol="SPY", avg_entry_price=Decimal(1), qty=Decimal("0.5"), cost_basis=Decimal("0.5"))
BULK = BulkPositions(as_of=NOON, positions={"a": (HELD,)}, cash={"a": Decimal("1.50")})


@pytest.mark.parametrize(
    ("accept", "arrow"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        (MEDIA_TYPE, True),
        (MEDIA_TYPE.upper(), True),
        (f"{MEDIA_TYPE}, application/json;q=0.9", True),
        (f"application/json, {MEDIA_TYPE};q=0.9", False),
        (f"application/json , {MEDIA_TYPE} ; q=1.0", True),
        (f"{MEDIA_TYPE};q=0", False),
        (f"{MEDIA_TYPE};q=much", False),
        ("application/*", False),
    ],
)
def test_an_arrow_stream_is_sent_to_who_asks(http: httpx.Client, service: Any, accept: str | None, arrow: bool) -> None:
    """By name and not less than JSON; the values are the same either way, and caches keep them apart."""
    service.answers["all_positions"] = BULK
    found = http.get("/v1/accounts/positions", headers={} if accept is None else {"Accept": accept})
    assert (MEDIA_TYPE if arrow else "application/json", "Accept") == (
        found.headers["Content-Type"],
        found.headers["Vary"],
    )
    read = positions_from_arrow(found.content) if arrow else BulkPositions.model_validate_json(found.content)
    assert BULK == read


def test_positions_of_all_are_not_an_account(http: httpx.Client, service: Any) -> None:
    """The paths of positions and activities come before that of an account."""
    service.answers |= {"all_positions": BULK, "list_activities": []}
    http.get("/v1/accounts/positions")
    http.get(ACTIVITIES)
    http.get(f"{ACTIVITIES}/FILL")
    assert ["all_positions", "list_activities", "list_activities"] == [name for name, _, _ in service.calls]


def test_account_filters_reach_the_service(http: httpx.Client, service: Any) -> None:
    """As the official SDK sends them: repeated statuses, entities and a junk parameter."""
    service.answers["list_accounts"] = []
    http.get("/v1/accounts?query=alder+dd&status=ACTIVE&status=LIMITED&sort=asc&entities=contact,identity&params=")
    http.get("/v1/accounts?created_after=2026-03-02&created_before=2026-03-02T17:00:00%2B00:00")
    (_, _, first), (_, _, second) = service.calls
    assert ("alder dd", ["ACTIVE", "LIMITED"], False) == (first["query"], first["statuses"], first["descending"])
    assert (MIDNIGHT, NOON, True) == (second["created_after"], second["created_before"], second["descending"])


def test_history_is_asked_for_by_new_york_dates(http: httpx.Client, service: Any) -> None:
    """A time counts as its date in New York; what concerns times within a day is accepted."""
    service.answers["portfolio_history"] = PortfolioHistory(timestamp=(), equity=(), timeframe="1D")
    for query in (
        "period=1A&timeframe=1D&date_end=2026-03-02&extended_hours=True&pnl_reset=no_reset",
        "start=2026-03-02T04:00:00Z&end=2026-03-02&cashflow_types=ALL&intraday_reporting=market_hours",
        "date_end=2026-03-02T00:00:00%2B00:00",
    ):
        assert http.get(f"{HISTORY}?{query}").status_code == 200
    asked = [(call["period"], call["start"], call["end"], call["cashflow_types"]) for _, _, call in service.calls]
    day = date(2026, 3, 2)
    assert [("1A", None, day, "NONE"), (None, date(2026, 3, 1), day, "ALL"), (None, None, day, "NONE")] == asked


def test_history_leaves_as_numbers(http: httpx.Client, service: Any) -> None:
    """With their own digits; a share of nothing is null."""
    service.answers["portfolio_history"] = PortfolioHistory(
        timestamp=(1,),
        equity=("1234567890.12",),
        profit_loss=("-0.1",),
        profit_loss_pct=(None,),
        base_value=0,
        timeframe="1D",
    )
    text = http.get(HISTORY).text
    for part in ('"equity":[1234567890.12]', '"profit_loss":[-0.1]', '"profit_loss_pct":[null]', '"base_value":0,'):
        assert part in text


def test_activity_filters_reach_the_service(http: httpx.Client, service: Any) -> None:
    """Types by comma and repeated, or by the path; the date of a time is the date as it is written."""
    service.answers["list_activities"] = []
    http.get(f"{ACTIVITIES}?account_id=a&activity_types=FILL,CSD&activity_types=CSW&direction=asc&page_size=5")
    http.get(f"{ACTIVITIES}/FILL?date=2026-03-02T00:00:00%2B00:00&page_token=")
    http.get(f"{ACTIVITIES}?after=2026-03-02&until=2026-03-02T17:00:00Z&page_token=x")
    first, second, third = (call for _, _, call in service.calls)
    assert ("a", ["FILL,CSD", "CSW"], True, 5) == (
        first["account_id"],
        first["types"],
        first["ascending"],
        first["limit"],
    )
    assert (["FILL"], date(2026, 3, 2), None, None) == (
        second["types"],
        second["day"],
        second["limit"],
        second["page_token"],
    )
    assert (MIDNIGHT, NOON, "x", []) == (third["after"], third["until"], third["page_token"], third["types"])


def test_fills_and_money_are_told_apart(http: httpx.Client, service: Any) -> None:
    """In one list, decimals as strings."""
    fill = TradeActivity(
        id="1",
        account_id="a",
        activity_type="FILL",
        transaction_time=NOON,
        type="fill",
        price=Decimal("604.9766"),
        qty=Decimal("1.5"),
        side="buy",
        symbol="SPY",
        leaves_qty=0,
        order_id="o",
        cum_qty=Decimal("1.5"),
        order_status="filled",
    )
    money = NonTradeActivity(
        id="2", account_id="a", activity_type="CSD", date="2026-03-02", net_amount=Decimal("500.00")
    )
    service.answers["list_activities"] = [fill, money]
    first, second = http.get(ACTIVITIES).json()
    assert ("604.9766", "1.5", "0", "500") == (
        first["price"],
        first["qty"],
        first["leaves_qty"],
        second["net_amount"],
    )
    assert "net_amount" not in first
    assert "transaction_time" not in second


def test_asset_filters_reach_the_service(http: httpx.Client, service: Any) -> None:
    """Attributes are split at commas."""
    service.answers["list_assets"] = []
    http.get("/v1/assets?status=active&asset_class=crypto&exchange=ARCA&attributes=one,two,")
    expected = {"status": "active", "asset_class": "crypto", "exchange": "ARCA", "attributes": ["one", "two"]}
    assert ("list_assets", (), expected) == service.calls[0]


@pytest.mark.parametrize(("query", "by_settlement"), [("", False), ("date_type=SETTLEMENT", True)])
def test_a_calendar_is_of_trade_or_of_settlement(
    http: httpx.Client, service: Any, query: str, by_settlement: bool
) -> None:
    """Of trade where nothing is said."""
    service.answers["calendar"] = []
    http.get(f"/v1/calendar?start=2026-03-02&{query}")
    assert ("calendar", (date(2026, 3, 2), None), {"by_settlement": by_settlement}) == service.calls[0]


def test_bars_are_asked_for_by_times_or_dates(http: httpx.Client, service: Any) -> None:
    """A date is its midnight in New York; a time without a zone is in UTC, as the official SDK means it."""
    service.answers["daily_bars"] = BarPage(bars={})
    http.get(f"{BARS}?symbols=SPY,TLT&timeframe=1Day&start=2026-03-02&end=2026-03-02T17:00:00&feed=iex&adjustment=all")
    http.get(f"{BARS}?symbols=SPY&timeframe=1D&limit=10000&sort=desc&page_token=x&currency=USD&asof=2026-03-02")
    (_, (symbols,), first), (_, _, second) = service.calls
    assert (["SPY", "TLT"], MIDNIGHT, NOON, 1000, False, None) == (
        symbols,
        first["start"],
        first["end"],
        first["limit"],
        first["descending"],
        first["page_token"],
    )
    assert (10_000, True, "x") == (second["limit"], second["descending"], second["page_token"])


def test_market_data_leave_as_numbers_under_short_names(http: httpx.Client, service: Any) -> None:
    """Unlike the strings of accounts; a snapshot has no wrapper."""
    price = Decimal("604.9766")
    quote = Quote(t=NOON, ap=price, bp=price)
    bar = Bar(t=NOON, o=price, h=price, l=price, c=price, v=0, n=0, vw=price)
    service.answers["snapshots"] = {"SPY": StockSnapshot(latest_quote=quote, daily_bar=bar)}
    spy = http.get("/v2/stocks/snapshots?symbols=SPY").json()["SPY"]
    assert {"t": "2026-03-02T17:00:00Z", "ap": 604.9766, "as": 0, "bp": 604.9766, "bs": 0} == spy["latestQuote"]
    assert {"t", "o", "h", "l", "c", "v", "n", "vw"} == set(spy["dailyBar"])
    assert (604.9766, None, None) == (spy["dailyBar"]["vw"], spy["latestTrade"], spy["prevDailyBar"])


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/v1/accounts?sort=up", "sort must be 'asc' or 'desc'; received 'up'."),
        ("/v1/accounts?created_after=soon", "created_after must be a time such as 2026-01-02T15:00:00Z; received 'so"),
        ("/v1/assets?exchange=LSE", "exchange must be 'AMEX',"),
        ("/v1/calendar?date_type=BOTH", "date_type must be 'TRADING' or 'SETTLEMENT'; received 'BOTH'."),
        (f"{HISTORY}?timeframe=5Min", "timeframe must be '1D'; received '5Min'."),
        (f"{HISTORY}?date_end=later", "date_end must be a date such as 2026-01-02; received 'later'."),
        (f"{HISTORY}?date_end=2026-03-02&end=2026-03-02", "end and date_end cannot be used together; leave one out."),
        (f"{ACTIVITIES}?page_size=0", "page_size must be a whole number from 1 to 1000000; received '0'."),
        (f"{ACTIVITIES}?date=2026-02-30", "date must be a date such as 2026-01-02; received '2026-02-30'."),
        (f"{ACTIVITIES}?direction=up", "direction must be 'asc' or 'desc'; received 'up'."),
        (f"{BARS}?timeframe=1Day", "symbols is missing; add it to the query."),
        (f"{BARS}?symbols=SPY", "timeframe is missing; add it to the query."),
        (f"{BARS}?symbols=SPY&timeframe=1Min", "timeframe must be '1Day' or '1D'; received '1Min'."),
        (f"{BARS}?symbols=SPY&timeframe=1Day&limit=10001", "limit must be a whole number from 1 to 10000;"),
        ("/v2/stocks/quotes/latest?symbols=SPY&currency=EUR", "currency must be 'USD'; received 'EUR'."),
    ],
)
def test_what_is_not_offered_is_refused_in_one_sentence(http: httpx.Client, path: str, sentence: str) -> None:
    """422 with the parameter, what was received, and what is allowed."""
    refused = http.get(path)
    assert 422 == refused.status_code
    assert refused.json()["message"].startswith(sentence)
