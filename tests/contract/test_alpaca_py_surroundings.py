"""The official SDK (alpaca-py) against this backend, over a real socket: what surrounds rebalancing.

Accounts, positions, assets, clock, calendar, activities and portfolio history through BrokerClient; trades, quotes,
bars and snapshots through StockHistoricalDataClient. SPY closes at 604.9766 on Monday 3 March 2025 and at 599.6080 on
Tuesday; the world starts on Monday at 10:00 in New York.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.enums import AccountEntities
from alpaca.broker.models import TradeAccount
from alpaca.broker.requests import GetAccountActivitiesRequest, ListAccountsRequest
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.enums import (
    AccountStatus,
    ActivityType,
    AssetClass,
    AssetExchange,
    AssetStatus,
    OrderSide,
    OrderStatus,
    TradeActivityType,
)
from alpaca.trading.models import NonTradeActivity, TradeActivity
from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest, GetPortfolioHistoryRequest

from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service import Service
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.wire.simulation import Advance, CreateAccount, Deposit, NewPosition

KEYS = ("key", "secret")
UNKNOWN = "99999999-9999-4999-8999-999999999999"
TUESDAY_EVENING = datetime(2025, 3, 4, 22, tzinfo=UTC)
MIDNIGHT = datetime(2025, 3, 3, 5, tzinfo=UTC)


@pytest.fixture
def broker(address: str) -> Iterator[BrokerClient]:
    """The SDK's client; its one session is closed in the end, for which it has no method of its own."""
    client = BrokerClient(*KEYS, url_override=address)
    yield client
    client._session.close()


@pytest.fixture
def data(address: str) -> Iterator[StockHistoricalDataClient]:
    """The SDK's client of market data, with the credentials of a broker."""
    client = StockHistoricalDataClient(*KEYS, url_override=address, use_basic_auth=True)
    yield client
    client._session.close()


@pytest.fixture
def account(service: Service) -> str:
    """10,000 USD and 10 SPY worth 6,049.77; then 2 more SPY are bought for 1,209.95 and 50 USD leave."""
    held = (NewPosition(symbol="SPY", qty=Decimal(10)),)
    opened = service.simulate_account(CreateAccount(name="Alder", cash=Decimal(10_000), positions=held)).id
    request = OrderRequest(AccountId(opened), "two", Symbol("SPY"), Side.BUY, quantity=Decimal(2))
    service.exchange.submit(request, service.world.now())
    service.advance(Advance(seconds=2))
    service.deposit(Deposit(account_id=opened, amount=Decimal(-50)))
    return opened


def refused(error: pytest.ExceptionInfo[APIError]) -> tuple[int | None, int]:
    assert error.value.message
    return error.value.status_code, error.value.code


def test_an_account_is_read(broker: BrokerClient, account: str) -> None:
    """Without the parts that no account has here; before its first close its last equity is what it is worth."""
    found = broker.get_account_by_id(account)
    assert (UUID(account), "DD0000001", AccountStatus.ACTIVE, "USD", "15999.77", None) == (
        found.id,
        found.account_number,
        found.status,
        found.currency,
        found.last_equity,
        found.contact,
    )


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["DD0000002", "DD0000001"]),
        ({"sort": Sort.ASC}, ["DD0000001", "DD0000002"]),
        ({"query": "ald"}, ["DD0000001"]),
        ({"status": [AccountStatus.ACTIVE, AccountStatus.LIMITED]}, ["DD0000002", "DD0000001"]),
        ({"status": [AccountStatus.LIMITED]}, []),
        ({"created_after": datetime(2025, 3, 3, 15, 0, 1)}, ["DD0000002"]),  # noqa: DTZ001 - the SDK sends it as UTC
        ({"created_before": datetime(2025, 3, 3, 15, 0, 1, tzinfo=UTC)}, ["DD0000001"]),
        ({"entities": [AccountEntities.CONTACT, AccountEntities.IDENTITY]}, ["DD0000002", "DD0000001"]),
    ],
)
def test_accounts_are_listed(
    broker: BrokerClient, service: Service, account: str, filters: dict[str, object], found: list[str]
) -> None:
    """Newest first by default; Birch is opened two seconds after Alder."""
    service.simulate_account(CreateAccount(name="Birch", cash=Decimal(1)))
    request = ListAccountsRequest(**filters)  # type: ignore[arg-type]
    assert found == [listed.account_number for listed in broker.list_accounts(request)]


def test_a_trading_account_is_read(broker: BrokerClient, service: Service, account: str) -> None:
    """8,740.05 in cash and 12 SPY: 7,259.72 on Monday, 7,195.30 on Tuesday."""
    before = broker.get_trade_account_by_id(account)
    assert isinstance(before, TradeAccount)
    assert ("8740.05", "15999.77", "8740.05", "1", None) == (
        before.cash,
        before.equity,
        before.buying_power,
        before.multiplier,
        before.last_cash,
    )
    service.advance(Advance(to=TUESDAY_EVENING))
    after = broker.get_trade_account_by_id(account)
    assert ("15935.35", "8740.05", "7195.3", "7195.3", datetime(2025, 3, 4, 21, tzinfo=UTC)) == (
        after.equity,
        after.last_cash,
        after.last_long_market_value,
        after.long_market_value,
        after.previous_close,
    )


def test_positions_are_read(broker: BrokerClient, account: str) -> None:
    """Of one account, of all, and one by symbol and by asset id."""
    (spy,) = broker.get_all_positions_for_account(account)
    assert ("12", "7259.72", "604.9767", "617.3115", AssetExchange.ARCA, False) == (
        spy.qty,
        spy.market_value,
        spy.avg_entry_price,
        spy.lastday_price,
        spy.exchange,
        spy.asset_marginable,
    )
    assert {account: [spy]} == broker.get_all_accounts_positions().positions
    assert spy == broker.get_open_position_for_account(account, "SPY")
    assert spy == broker.get_open_position_for_account(account, spy.asset_id)
    with pytest.raises(APIError) as error:
        broker.get_open_position_for_account(account, "TLT")
    assert (404, 40_410_000) == refused(error)


def test_assets_are_read(broker: BrokerClient) -> None:
    """All, by every filter, and one by symbol and id."""
    everything = broker.get_all_assets()
    assert 25 == len(everything)
    chosen = GetAssetsRequest(
        status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY, exchange=AssetExchange.NYSE, attributes=""
    )
    assert {"JPM", "JNJ", "XOM"} == {asset.symbol for asset in broker.get_all_assets(chosen)}
    assert [] == broker.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    spy = broker.get_asset("SPY")
    assert (spy, True, False) == (broker.get_asset(spy.id), spy.fractionable, spy.easy_to_borrow)
    with pytest.raises(APIError) as error:
        broker.get_asset("NOSUCH")
    assert (404, 40_410_000) == refused(error)


def test_clock_and_calendar_are_read(broker: BrokerClient) -> None:
    """Monday, 10:00 in New York; the early close of the day after Thanksgiving."""
    clock = broker.get_clock()
    assert (datetime(2025, 3, 3, 15, tzinfo=UTC), True, datetime(2025, 3, 3, 21, tzinfo=UTC)) == (
        clock.timestamp,
        clock.is_open,
        clock.next_close,
    )
    days = broker.get_calendar(GetCalendarRequest(start=date(2025, 11, 26), end=date(2025, 11, 28)))
    assert [(26, 16), (28, 13)] == [(day.date.day, day.close.hour) for day in days]


def test_activities_are_read_to_the_end(broker: BrokerClient, account: str) -> None:
    """All in pages of two, and by type; a fill has its order's figures."""
    pages = GetAccountActivitiesRequest(account_id=account, page_size=2)
    withdrawal, fill, opening = broker.get_account_activities(pages)
    assert isinstance(fill, TradeActivity)
    assert isinstance(opening, NonTradeActivity)
    assert isinstance(withdrawal, NonTradeActivity)
    assert (ActivityType.CSD, 10_000.0, ActivityType.CSW, -50.0) == (
        opening.activity_type,
        opening.net_amount,
        withdrawal.activity_type,
        withdrawal.net_amount,
    )
    assert (TradeActivityType.FILL, 604.9766, 2.0, 0.0, 2.0, OrderSide.BUY, OrderStatus.FILLED) == (
        fill.type,
        fill.price,
        fill.qty,
        fill.leaves_qty,
        fill.cum_qty,
        fill.side,
        fill.order_status,
    )
    one_type = GetAccountActivitiesRequest(activity_types=[ActivityType.FILL, ActivityType.DIV], direction=Sort.ASC)
    assert [fill] == broker.get_account_activities(one_type)
    assert [withdrawal] == broker.get_account_activities(pages, max_items_limit=1)


@pytest.mark.parametrize(
    ("filters", "entries"),
    [
        ({"date": datetime(2025, 3, 3, tzinfo=UTC)}, 3),
        ({"date": datetime(2025, 3, 4, tzinfo=UTC)}, 0),
        ({"after": datetime(2025, 3, 3, 15, tzinfo=UTC)}, 2),
        ({"until": datetime(2025, 3, 3, 15, 0, 1, tzinfo=UTC)}, 1),
    ],
)
def test_activities_are_filtered_by_time(
    broker: BrokerClient, account: str, filters: dict[str, datetime], entries: int
) -> None:
    """The SDK sends a date as a midnight in UTC; it means the date."""
    assert entries == len(broker.get_account_activities(GetAccountActivitiesRequest(account_id=account, **filters)))


def test_a_portfolio_history_is_read(broker: BrokerClient, service: Service, account: str) -> None:
    """15,999.77 and 15,935.35 at the closes; 64.42 lost on Tuesday, after the withdrawal of Monday."""
    service.advance(Advance(to=TUESDAY_EVENING))
    chosen = GetPortfolioHistoryRequest(
        period="1D", timeframe="1D", date_end=date(2025, 3, 4), extended_hours=False, cashflow_types="ALL"
    )
    history = broker.get_portfolio_history_for_account(account, chosen)
    assert ([15_935.35], [-64.42], 15_999.77, "1D", {}) == (
        history.equity,
        history.profit_loss,
        history.base_value,
        history.timeframe,
        history.cashflow,
    )
    whole = broker.get_portfolio_history_for_account(account, GetPortfolioHistoryRequest(cashflow_types="ALL"))
    assert ([15_999.77, 15_935.35], {ActivityType.CSD: [10_000.0, 0.0], ActivityType.CSW: [-50.0, 0.0]}) == (
        whole.equity,
        whole.cashflow,
    )
    since = GetPortfolioHistoryRequest(start=datetime(2025, 3, 4, 15, tzinfo=UTC), end=TUESDAY_EVENING)
    assert [15_935.35] == broker.get_portfolio_history_for_account(account, since).equity


def test_a_configuration_is_read(broker: BrokerClient, account: str) -> None:
    """A cash account that trades fractions."""
    what = broker.get_trade_configuration_for_account(account)
    assert (True, "1", True) == (what.fractional_trading, what.max_margin_multiplier, what.no_shorting)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda broker: broker.get_account_by_id(UNKNOWN), id="account"),
        pytest.param(lambda broker: broker.get_trade_account_by_id(UNKNOWN), id="trading account"),
        pytest.param(lambda broker: broker.get_all_positions_for_account(UNKNOWN), id="positions"),
        pytest.param(lambda broker: broker.get_portfolio_history_for_account(UNKNOWN), id="history"),
        pytest.param(lambda broker: broker.get_trade_configuration_for_account(UNKNOWN), id="configuration"),
    ],
)
def test_an_unknown_account_is_not_found(broker: BrokerClient, ask: object) -> None:
    """404 with a code and a sentence, as the SDK's error reads them."""
    with pytest.raises(APIError) as error:
        ask(broker)  # type: ignore[operator]
    assert (404, 40_410_000) == refused(error)


def test_latest_market_data_are_read(data: StockHistoricalDataClient) -> None:
    """One price everywhere; a symbol without one is left out."""
    symbols = ["SPY", "NOSUCH"]
    trade = data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=symbols))
    quote = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=symbols))
    bar = data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="SPY"))
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=symbols))
    assert (["SPY"], ["SPY"], ["SPY"], ["SPY"]) == (list(trade), list(quote), list(bar), list(snapshot))
    assert (604.9766, 604.9766, 604.9766, 604.9766, 0.0) == (
        trade["SPY"].price,
        quote["SPY"].bid_price,
        quote["SPY"].ask_price,
        bar["SPY"].close,
        bar["SPY"].volume,
    )
    spy = snapshot["SPY"]
    assert (trade["SPY"], quote["SPY"], bar["SPY"]) == (spy.latest_trade, spy.latest_quote, spy.minute_bar)
    assert spy.daily_bar is not None
    assert spy.previous_daily_bar is not None
    assert (MIDNIGHT, 604.9766, 617.3115) == (spy.daily_bar.timestamp, spy.daily_bar.high, spy.previous_daily_bar.close)


def test_bars_are_read_to_the_end(data: StockHistoricalDataClient, service: Service) -> None:
    """By pages of 10,000 over all symbols: 25 symbols and 542 sessions since January 2023."""
    symbols = [asset.symbol for asset in service.list_assets()]
    request = StockBarsRequest(
        symbol_or_symbols=symbols, timeframe=TimeFrame.Day, start=datetime(2023, 1, 1, tzinfo=UTC)
    )
    bars = data.get_stock_bars(request).data
    assert {symbol: 542 for symbol in symbols} == {symbol: len(found) for symbol, found in bars.items()}
    assert (604.9766, 604.9766, MIDNIGHT) == (bars["SPY"][-1].open, bars["SPY"][-1].vwap, bars["SPY"][-1].timestamp)


@pytest.mark.parametrize(
    ("chosen", "closes"),
    [
        ({"end": datetime(2025, 2, 28, 12, tzinfo=UTC)}, [619.4355, 618.5984, 617.3115]),
        ({"limit": 2}, [619.4355, 618.5984]),
        ({"limit": 2, "sort": Sort.DESC}, [604.9766, 617.3115]),
    ],
)
def test_bars_are_chosen(data: StockHistoricalDataClient, chosen: dict[str, object], closes: list[float]) -> None:
    """From Wednesday 26 February on, to an end, so many, or the newest first."""
    request = StockBarsRequest(
        symbol_or_symbols="SPY",
        timeframe=TimeFrame.Day,
        start=datetime(2025, 2, 26, tzinfo=UTC),
        **chosen,  # type: ignore[arg-type]
    )
    assert closes == [bar.close for bar in data.get_stock_bars(request).data["SPY"]]


def test_bars_within_a_day_are_refused(data: StockHistoricalDataClient) -> None:
    """There are none to give."""
    with pytest.raises(APIError, match="timeframe must be '1Day' or '1D'") as error:
        data.get_stock_bars(StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Minute))
    assert 422 == refused(error)[0]
