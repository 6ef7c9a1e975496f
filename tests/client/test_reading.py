"""Reading accounts and market data: what is sent, how it pages, and answers that are not quite as ours."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from driftdesk.client import Client, ClientKeys
from driftdesk.wire.accounts import BulkPositions, Position
from driftdesk.wire.activities import NonTradeActivity, TradeActivity
from driftdesk.wire.arrow import MEDIA_TYPE, positions_to_arrow

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
STAMP = "2026-03-02T17:00:00Z"
HELD = Position(asset_id="1", symbol="SPY", avg_entry_price=Decimal(1), qty=Decimal("0.5"), cost_basis=Decimal("0.5"))
BULK = BulkPositions(as_of=NOON, positions={"a": (HELD,)}, cash={"a": Decimal("1.50")})
FILL = {
    "id": "1",
    "account_id": "a",
    "activity_type": "FILL",
    "transaction_time": STAMP,
    "type": "partial_fill",
    "price": 604.9766,
    "qty": "1",
    "side": "sell_short",
    "symbol": "SPY",
    "leaves_qty": "0",
    "order_id": "o",
    "cum_qty": "1",
    "order_status": "filled",
}
DIVIDEND = {
    "id": "2",
    "account_id": "a",
    "activity_type": "DIV",
    "date": "2026-03-02",
    "net_amount": "1.02",
    "symbol": "T",
    "qty": "2",
    "per_share_amount": "0.51",
}
BAR = {"t": STAMP, "o": 1, "h": 2, "l": 0.5, "c": 1.5, "v": 10}


def desk(answer: Callable[[httpx.Request], Any]) -> tuple[Client, list[httpx.Request]]:
    """A client whose requests are noted and answered by `answer`: a response, or what becomes JSON."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        given = answer(request)
        return given if isinstance(given, httpx.Response) else httpx.Response(200, json=given)

    return Client("http://desk", ClientKeys("k", "s"), httpx.MockTransport(handle)), asked


def sent(asked: list[httpx.Request]) -> list[str]:
    return [request.url.raw_path.decode() for request in asked]


def as_json(bulk: BulkPositions) -> httpx.Response:
    return httpx.Response(200, content=bulk.model_dump_json(), headers={"Content-Type": "application/json"})


def as_arrow(content: bytes) -> httpx.Response:
    return httpx.Response(200, content=content, headers={"Content-Type": MEDIA_TYPE})


@pytest.mark.parametrize("arrow", [True, False])
def test_all_positions_are_read_as_they_come(arrow: bool) -> None:
    """Arrow is asked for first; a backend that never heard of it answers with JSON."""
    client, asked = desk(lambda request: as_arrow(positions_to_arrow(BULK)) if arrow else as_json(BULK))
    assert BULK == client.accounts.all_positions()
    assert [f"{MEDIA_TYPE}, application/json;q=0.9"] == [request.headers["Accept"] for request in asked]


def test_a_stream_of_another_form_is_asked_for_as_json() -> None:
    """A newer backend may stream more fields; JSON is understood by all."""
    client, asked = desk(
        lambda request: as_arrow(b"newer") if MEDIA_TYPE in request.headers["Accept"] else as_json(BULK)
    )
    assert BULK == client.accounts.all_positions()
    assert ["application/json"] == [request.headers["Accept"] for request in asked[1:]]


def test_accounts_are_asked_for_by_filters() -> None:
    """In order of opening unless told otherwise; what is not given is not sent."""
    client, asked = desk(lambda request: [])
    client.accounts.list()
    client.accounts.list(query="al der", status="ACTIVE", created_after=NOON, sort="desc")
    assert [
        "/v1/accounts?sort=asc",
        "/v1/accounts?query=al+der&status=ACTIVE&created_after=2026-03-02T17%3A00%3A00Z&sort=desc",
    ] == sent(asked)


def test_a_history_is_asked_for_by_dates() -> None:
    """The start as noon in New York, the end as a date; lists that are null are empty."""
    answer = {"timestamp": None, "equity": None, "profit_loss": None, "profit_loss_pct": None, "timeframe": "1D"}
    client, asked = desk(lambda request: answer)
    found = client.accounts.portfolio_history("a", start=date(2026, 3, 2), end=date(2026, 3, 9), cashflow_types="ALL")
    assert ((), (), {}) == (found.equity, found.profit_loss_pct, found.cashflow)
    assert dict(asked[0].url.params) == {
        "timeframe": "1D",
        "start": "2026-03-02T12:00:00-05:00",
        "date_end": "2026-03-09",
        "cashflow_types": "ALL",
    }


def test_a_configuration_is_read() -> None:
    """The multiplier is text on the wire."""
    answer = {
        "fractional_trading": True,
        "max_margin_multiplier": "4",
        "no_shorting": False,
        "suspend_trade": False,
        "trade_confirm_email": "all",
    }
    client, asked = desk(lambda request: answer)
    assert Decimal(4) == client.accounts.configuration("a").max_margin_multiplier
    assert ["/v1/trading/accounts/a/account/configurations"] == sent(asked)


def test_activities_are_told_apart_by_their_fields() -> None:
    """A fill with a number for its price, a dividend of a type that we have no word for."""
    client, _ = desk(lambda request: [] if "page_token" in request.url.params else [FILL, DIVIDEND])
    fill, dividend = client.accounts.activities()
    assert isinstance(fill, TradeActivity)
    assert isinstance(dividend, NonTradeActivity)
    assert (Decimal("604.9766"), "sell_short", Decimal("0.51")) == (fill.price, fill.side, dividend.per_share_amount)


def numbered(last: int) -> Callable[[httpx.Request], Any]:
    """Dividends 1 to `last`, in pages of the size asked for."""

    def answer(request: httpx.Request) -> Any:
        first = int(request.url.params.get("page_token", 0)) + 1
        size = int(request.url.params["page_size"])
        return [{**DIVIDEND, "id": str(number)} for number in range(first, min(last, first + size - 1) + 1)]

    return answer


@pytest.mark.parametrize(
    ("max_items", "found", "sizes"), [(None, 150, [100, 100, 100]), (120, 120, [100, 20]), (0, 0, [])]
)
def test_activities_are_read_to_the_empty_page(max_items: int | None, found: int, sizes: list[int]) -> None:
    """The id of the last one is the token of the next page; no more is asked for than wanted."""
    client, asked = desk(numbered(150))
    read = client.accounts.activities("a", types=["FILL", "CSD"], until=NOON, max_items=max_items)
    assert [str(number) for number in range(1, found + 1)] == [activity.id for activity in read]
    assert sizes == [int(request.url.params["page_size"]) for request in asked]
    assert {("a", "FILL,CSD", STAMP, "desc")} >= {
        tuple(request.url.params[name] for name in ("account_id", "activity_types", "until", "direction"))
        for request in asked
    }


def test_a_backend_that_repeats_its_page_is_left() -> None:
    """One that ignores the token would go on for ever."""
    client, asked = desk(lambda request: [FILL, DIVIDEND])
    assert 2 == len(client.accounts.activities())
    assert 2 == len(asked)


def test_a_calendar_is_asked_for_by_settlement() -> None:
    """Of trade is what a backend gives by itself."""
    client, asked = desk(lambda request: [])
    client.market.calendar(date(2026, 3, 1), by_settlement=True)
    assert ["/v1/calendar?start=2026-03-01&date_type=SETTLEMENT"] == sent(asked)


def test_assets_are_asked_for_by_filters() -> None:
    """The wire's names."""
    client, asked = desk(lambda request: [])
    client.market.assets(status="active", exchange="ARCA")
    assert ["/v1/assets?status=active&exchange=ARCA"] == sent(asked)


def test_market_data_are_read_from_numbers() -> None:
    """Exactly; counts may be left out, a symbol without data may be null."""
    answers: dict[str, Any] = {
        "/v2/stocks/quotes/latest": {"quotes": {"SPY": {"t": STAMP, "ap": 604.9766, "as": 2, "bp": 0, "bs": 0}}},
        "/v2/stocks/bars/latest": {"bars": {"SPY": BAR}, "currency": "USD"},
        "/v2/stocks/snapshots": {"SPY": {"latestTrade": {"t": STAMP, "p": 1.1, "s": 5}, "dailyBar": BAR}, "XX": None},
    }
    client, _ = desk(lambda request: answers[request.url.path])
    quote = client.market.latest_quotes(["SPY"])["SPY"]
    assert (Decimal("604.9766"), Decimal(2), Decimal(0)) == (quote.ap, quote.ask_size, quote.bp)
    assert (Decimal("0.5"), None) == ((bar := client.market.latest_bars(["SPY"])["SPY"]).l, bar.vw)
    snapshots = client.market.snapshots(["SPY", "XX"])
    assert ["SPY"] == list(snapshots)
    assert snapshots["SPY"].latest_trade is not None
    assert (Decimal("1.1"), bar, None) == (
        snapshots["SPY"].latest_trade.p,
        snapshots["SPY"].daily_bar,
        snapshots["SPY"].minute_bar,
    )


def test_bars_of_all_pages_are_put_together() -> None:
    """A symbol may go on on the next page; a token that comes back ends the reading."""
    pages: dict[str | None, Any] = {
        None: {"bars": {"SPY": [BAR]}, "next_page_token": "x"},
        "x": {"bars": {"SPY": [BAR], "TLT": [BAR]}, "next_page_token": "x"},
    }
    client, asked = desk(lambda request: pages[request.url.params.get("page_token")])
    bars = client.market.daily_bars(["TLT", "SPY"], NOON)
    assert {"SPY": 2, "TLT": 1} == {symbol: len(found) for symbol, found in bars.items()}
    assert (2, "SPY,TLT", STAMP) == (len(asked), asked[1].url.params["symbols"], asked[0].url.params["start"])


def test_nothing_is_asked_for_no_symbols() -> None:
    """No request where there is nothing to ask for."""
    client, asked = desk(lambda request: {})
    market = client.market
    assert ({}, {}, {}, {}) == (
        market.latest_quotes([]),
        market.latest_bars([]),
        market.snapshots([]),
        market.daily_bars([], NOON),
    )
    assert asked == []
