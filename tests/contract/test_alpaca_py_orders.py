"""The official SDK (alpaca-py) against this backend, over a real socket: orders, at its two doors.

TradingClient speaks for the account of its key under /v2, BrokerClient for any account under /v1/trading. It is Monday
3 March 2025, 10:00 in New York; SPY 100, TLT 50. The first account has 10,000.00 USD and 40 SPY, the second 500.00 USD.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.requests import LimitOrderRequest as BrokerLimitOrder
from alpaca.broker.requests import MarketOrderRequest as BrokerMarketOrder
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, OrderType, PositionIntent, QueryOrderStatus, TimeInForce
from alpaca.trading.models import (
    AccountConfiguration,
    Clock,
    FailedClosePositionDetails,
    Order,
    PortfolioHistory,
    TradeAccount,
)
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
    TrailingStopOrderRequest,
)

from driftdesk.backend.service import Service
from driftdesk.wire.simulation import Advance, CreateAccount, NewPosition, SetPrices

UNKNOWN = "99999999-9999-4999-8999-999999999999"
BUY, SELL, DAY, GTC = OrderSide.BUY, OrderSide.SELL, TimeInForce.DAY, TimeInForce.GTC


@pytest.fixture
def accounts(service: Service) -> tuple[str, str]:
    """The ids of DD0000001 and DD0000002."""
    service.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50)}))
    held = (NewPosition(symbol="SPY", qty=Decimal(40)),)
    return (
        service.simulate_account(CreateAccount(cash=Decimal(10_000), positions=held)).id,
        service.simulate_account(CreateAccount(cash=Decimal(500))).id,
    )


@pytest.fixture
def trading_as(address: str, accounts: tuple[str, str]) -> Iterator[Callable[[str], TradingClient]]:
    """The SDK's client with a key; its sessions are closed in the end, for which it has no method of its own."""
    made: list[TradingClient] = []

    def make(key: str) -> TradingClient:
        made.append(TradingClient(key, "secret", url_override=address))
        return made[-1]

    yield make
    for client in made:
        client._session.close()


@pytest.fixture
def trading(trading_as: Callable[[str], TradingClient]) -> TradingClient:
    return trading_as("key")


@pytest.fixture
def broker(address: str, accounts: tuple[str, str]) -> Iterator[BrokerClient]:
    client = BrokerClient("key", "secret", url_override=address)
    yield client
    client._session.close()


@pytest.fixture
def wait(service: Service) -> Callable[..., None]:
    """Let market time pass: `wait(2)` seconds, or until an instant."""

    def waiter(seconds: int = 0, to: datetime | None = None) -> None:
        service.advance(Advance(to=to, seconds=None if to else seconds))

    return waiter


def refused(ask: Callable[[], object]) -> tuple[int | None, int, str]:
    """Status, code and sentence of what the SDK raises."""
    with pytest.raises(APIError) as error:
        ask()
    return error.value.status_code, error.value.code, error.value.message


def market(size: float, symbol: str = "SPY", side: OrderSide = BUY, **more: Any) -> MarketOrderRequest:
    return MarketOrderRequest(symbol=symbol, qty=size, side=side, **{"time_in_force": DAY, **more})


def limit(size: float, price: float, side: OrderSide = BUY, **more: Any) -> LimitOrderRequest:
    return LimitOrderRequest(symbol="SPY", qty=size, limit_price=price, side=side, **{"time_in_force": GTC, **more})


def test_a_market_order_is_filled(trading: TradingClient, wait: Callable[..., None]) -> None:
    """3 SPY at 100: accepted, then filled a second later."""
    sent = trading.submit_order(market(3, client_order_id="three"))
    assert isinstance(sent, Order)
    assert (OrderStatus.ACCEPTED, "3", "0", None, "three") == (
        sent.status,
        sent.qty,
        sent.filled_qty,
        sent.filled_avg_price,
        sent.client_order_id,
    )
    wait(1)
    filled = trading.get_order_by_id(sent.id)
    assert (OrderStatus.FILLED, "3", "100", datetime(2025, 3, 3, 15, 0, 1, tzinfo=UTC)) == (
        filled.status,
        filled.filled_qty,
        filled.filled_avg_price,
        filled.filled_at,
    )
    assert filled == trading.get_order_by_client_id("three")
    assert filled == trading.get_order_by_id(sent.id, GetOrderByIdRequest(nested=True))


def test_a_notional_buys_a_fraction(trading: TradingClient, wait: Callable[..., None]) -> None:
    """125.50 USD at 100 are 1.255 shares; the size that was not given is null."""
    request = MarketOrderRequest(symbol="SPY", notional=125.5, side=BUY, time_in_force=DAY)
    sent = trading.submit_order(request)
    wait(1)
    filled = trading.get_order_by_id(sent.id)
    assert ("125.5", None, "1.255") == (filled.notional, filled.qty, filled.filled_qty)


@pytest.mark.parametrize(
    ("request_", "price", "status"),
    [
        pytest.param(limit(1, 95), "94", OrderStatus.FILLED, id="limit"),
        pytest.param(limit(1, 95, time_in_force=DAY), "95.01", OrderStatus.NEW, id="limit missed by a cent"),
        pytest.param(
            StopOrderRequest(symbol="SPY", qty=1, side=SELL, time_in_force=GTC, stop_price=90),
            "89",
            OrderStatus.FILLED,
            id="stop",
        ),
        pytest.param(
            StopLimitOrderRequest(symbol="SPY", qty=1, side=SELL, time_in_force=DAY, stop_price=90, limit_price=88),
            "87",
            OrderStatus.NEW,
            id="stop limit that fell through",
        ),
        pytest.param(
            LimitOrderRequest(symbol="SPY", notional=50, side=BUY, time_in_force=DAY, limit_price=95),
            "94",
            OrderStatus.FILLED,
            id="limit by notional",
        ),
    ],
)
def test_every_type_of_order(
    trading: TradingClient,
    service: Service,
    wait: Callable[..., None],
    request_: OrderRequest,
    price: str,
    status: OrderStatus,
) -> None:
    """It rests at 100, and is looked at again when the price is set."""
    sent = trading.submit_order(request_)
    assert request_.type == sent.type == sent.order_type
    wait(1)
    assert OrderStatus.NEW == trading.get_order_by_id(sent.id).status
    service.set_prices(SetPrices(prices={"SPY": Decimal(price)}))
    wait(0)
    assert status == trading.get_order_by_id(sent.id).status


@pytest.mark.parametrize(
    ("time_in_force", "statuses"),
    [
        (TimeInForce.DAY, (OrderStatus.FILLED, OrderStatus.EXPIRED)),
        (TimeInForce.GTC, (OrderStatus.FILLED, OrderStatus.DONE_FOR_DAY)),
        (TimeInForce.IOC, (OrderStatus.FILLED, OrderStatus.CANCELED)),
        (TimeInForce.FOK, (OrderStatus.FILLED, OrderStatus.CANCELED)),
        (TimeInForce.CLS, (OrderStatus.FILLED, OrderStatus.CANCELED)),
    ],
)
def test_every_time_in_force(
    trading: TradingClient,
    wait: Callable[..., None],
    time_in_force: TimeInForce,
    statuses: tuple[OrderStatus, OrderStatus],
) -> None:
    """One order at the market and one with a limit that is missed, looked at after the close."""
    sent = [
        trading.submit_order(market(1, time_in_force=time_in_force)),
        trading.submit_order(limit(1, 95, time_in_force=time_in_force)),
    ]
    wait(to=datetime(2025, 3, 3, 22, tzinfo=UTC))
    assert statuses == tuple(trading.get_order_by_id(order.id).status for order in sent)


def test_an_order_for_the_opening_auction(trading: TradingClient, wait: Callable[..., None]) -> None:
    """Not taken at 10:00; sent at 20:00 it is filled at the open, to the second."""
    status, _, sentence = refused(lambda: trading.submit_order(market(1, time_in_force=TimeInForce.OPG)))
    assert (422, "opg orders are taken until 9:28") == (status, sentence[:31])
    wait(to=datetime(2025, 3, 4, 1, tzinfo=UTC))
    sent = trading.submit_order(market(1, time_in_force=TimeInForce.OPG))
    wait(to=datetime(2025, 3, 4, 15, tzinfo=UTC))
    assert datetime(2025, 3, 4, 14, 30, tzinfo=UTC) == trading.get_order_by_id(sent.id).filled_at


@pytest.fixture
def four(trading: TradingClient, wait: Callable[..., None]) -> list[str]:
    """a, b, c, d, a minute apart from 10:00 on; d is filled, c is for TLT and b sells."""
    wait(0)
    for name, request in (
        ("a", limit(1, 90)),
        ("b", limit(1, 120, SELL)),
        ("c", LimitOrderRequest(symbol="TLT", qty=1, limit_price=40, side=BUY, time_in_force=GTC)),
        ("d", market(1)),
    ):
        trading.submit_order(request.model_copy(update={"client_order_id": name}))
        wait(60)
    return ["a", "b", "c", "d"]


TEN = datetime(2025, 3, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (None, "cba"),
        ({}, "cba"),
        ({"status": QueryOrderStatus.OPEN}, "cba"),
        ({"status": QueryOrderStatus.CLOSED}, "d"),
        ({"status": QueryOrderStatus.ALL}, "dcba"),
        ({"status": QueryOrderStatus.ALL, "limit": 2}, "dc"),
        ({"direction": Sort.ASC}, "abc"),
        ({"after": TEN}, "cb"),
        ({"until": TEN + timedelta(minutes=2)}, "ba"),
        ({"after": TEN, "until": TEN + timedelta(minutes=2)}, "b"),
        ({"side": SELL}, "b"),
        ({"symbols": ["TLT", "GLD"]}, "c"),
        ({"nested": True}, "cba"),
    ],
)
def test_orders_are_listed(trading: TradingClient, four: list[str], filters: dict[str, Any] | None, found: str) -> None:
    """Newest first by default and open ones only; both instants are excluded."""
    request = None if filters is None else GetOrdersRequest(**filters)
    assert list(found) == [order.client_order_id for order in trading.get_orders(request)]


def test_orders_of_one_instant_are_listed_as_they_came(trading: TradingClient) -> None:
    """The clock stands still between them."""
    for name in "abcdef":
        trading.submit_order(limit(1, 90, client_order_id=name))
    assert list("fedcba") == [order.client_order_id for order in trading.get_orders()]
    assert list("abc") == [
        order.client_order_id for order in trading.get_orders(GetOrdersRequest(direction=Sort.ASC, limit=3))
    ]


def test_an_order_is_replaced(trading: TradingClient, wait: Callable[..., None]) -> None:
    """Once it rests: the old one ends as replaced and names the new one."""
    sent = trading.submit_order(limit(5, 90))
    change = ReplaceOrderRequest(qty=7, limit_price=91.5, time_in_force=DAY, client_order_id="seven")
    assert 422 == refused(lambda: trading.replace_order_by_id(sent.id, change))[0]
    wait(1)
    made = trading.replace_order_by_id(sent.id, change)
    old = trading.get_order_by_id(sent.id)
    assert ("7", "91.5", DAY, "seven", sent.id) == (
        made.qty,
        made.limit_price,
        made.time_in_force,
        made.client_order_id,
        made.replaces,
    )
    assert (OrderStatus.REPLACED, made.id) == (old.status, old.replaced_by)
    assert "9359.5" == trading.get_account().buying_power


def test_orders_are_canceled(trading: TradingClient) -> None:
    """One by its id, then all that are left; one that has ended is refused with 422."""
    first, *rest = [trading.submit_order(limit(1, 90)) for _ in range(3)]
    trading.cancel_order_by_id(first.id)
    assert OrderStatus.CANCELED == trading.get_order_by_id(first.id).status
    status, _, sentence = refused(lambda: trading.cancel_order_by_id(first.id))
    assert (422, True) == (status, "is canceled; only an open order can be canceled" in sentence)
    answers = trading.cancel_orders()
    assert {(order.id, 200) for order in rest} == {(answer.id, answer.status) for answer in answers}
    assert [] == trading.get_orders()
    assert [] == trading.cancel_orders()


def test_positions_are_read_and_closed(trading: TradingClient, wait: Callable[..., None]) -> None:
    """40 SPY: a quarter, then 5 shares, then what is left, while one of them is promised to a limit."""
    (held,) = trading.get_all_positions()
    assert ("SPY", "40", "40") == (held.symbol, held.qty, held.qty_available)
    assert held == trading.get_open_position("SPY") == trading.get_open_position(held.asset_id)
    assert "10" == trading.close_position("SPY", ClosePositionRequest(percentage="25")).qty
    assert "5" == trading.close_position(held.asset_id, ClosePositionRequest(qty="5")).qty
    resting = trading.submit_order(limit(1, 120, SELL))
    wait(1)
    (closed,) = trading.close_all_positions()
    assert ("SPY", 200, "24") == (closed.symbol, closed.status, closed.body.qty)
    assert closed.order_id == closed.body.id
    wait(1)
    (refusal,) = trading.close_all_positions()
    assert isinstance(refusal.body, FailedClosePositionDetails)
    assert (403, 40_310_000, "SPY", 0.0, 1.0, 1.0) == (
        refusal.status,
        refusal.body.code,
        refusal.body.symbol,
        refusal.body.available,
        refusal.body.existing_qty,
        refusal.body.held_for_orders,
    )
    (last,) = trading.close_all_positions(cancel_orders=True)
    assert (OrderStatus.CANCELED, "1") == (trading.get_order_by_id(resting.id).status, last.body.qty)
    wait(1)
    assert [] == trading.get_all_positions()
    assert (404, 40_410_000) == refused(lambda: trading.get_open_position("SPY"))[:2]
    assert (404, 40_410_000) == refused(lambda: trading.close_position("SPY"))[:2]


@pytest.mark.parametrize(
    ("request_", "status", "code", "sentence"),
    [
        pytest.param(market(101), 403, 40_310_000, "insufficient buying power: the order needs 10100 USD", id="cash"),
        pytest.param(market(41, side=SELL), 403, 40_310_000, "insufficient quantity of SPY available", id="shares"),
        pytest.param(market(1, "NOSUCH"), 422, 42_210_000, "symbol NOSUCH is not an asset known here", id="symbol"),
        pytest.param(
            limit(1, 90.123), 422, 42_210_000, "limit_price must be a positive price in steps", id="sub-penny"
        ),
        pytest.param(
            market(1.5, time_in_force=GTC), 422, 42_210_000, "time_in_force must be day for", id="fraction overnight"
        ),
        pytest.param(
            TrailingStopOrderRequest(symbol="SPY", qty=1, side=SELL, time_in_force=DAY, trail_percent=5),
            422,
            42_210_000,
            "trail_percent is not offered here; allowed is null.",
            id="trailing stop",
        ),
        pytest.param(
            market(1, extended_hours=True), 422, 42_210_000, "extended_hours is not offered", id="extended hours"
        ),
        pytest.param(
            limit(1, 90, stop_loss={"stop_price": 80}),
            422,
            42_210_000,
            "stop_loss is not offered",
            id="a stop loss is not ignored",
        ),
        pytest.param(
            market(1, position_intent=PositionIntent.BUY_TO_CLOSE),
            422,
            42_210_000,
            "position_intent is not offered here; allowed is buy_to_open.",
            id="nothing is short, so nothing is bought back",
        ),
        pytest.param(
            market(1, client_order_id="x" * 129), 422, 42_210_000, "client_order_id must have 1 to 128", id="id"
        ),
    ],
)
def test_what_cannot_be_is_refused(
    trading: TradingClient, request_: OrderRequest, status: int, code: int, sentence: str
) -> None:
    """With the codes that the order API gives (wire/alpaca.md 8.3), and nothing is there afterwards."""
    found = refused(lambda: trading.submit_order(request_))
    assert (status, code, sentence) == (*found[:2], found[2][: len(sentence)])
    assert [] == trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL))


def test_an_intent_that_is_the_side_s_own_is_taken(trading: TradingClient) -> None:
    """A buy opens and a sale closes: there is nothing else."""
    for side, intent in ((BUY, PositionIntent.BUY_TO_OPEN), (SELL, PositionIntent.SELL_TO_CLOSE)):
        assert OrderStatus.ACCEPTED == trading.submit_order(market(1, side=side, position_intent=intent)).status


def test_a_client_order_id_is_used_once(trading: TradingClient) -> None:
    """422 with the code of a 400 (wire/alpaca.md 8.3)."""
    trading.submit_order(market(1, client_order_id="mine"))
    status, code, sentence = refused(lambda: trading.submit_order(market(2, client_order_id="mine")))
    assert (422, 40_010_001, "client_order_id mine is used already; each order needs its own.") == (
        status,
        code,
        sentence,
    )
    assert (404, 40_410_000) == refused(lambda: trading.get_order_by_client_id("yours"))[:2]


def test_a_key_speaks_for_its_account(trading_as: Callable[[str], TradingClient], accounts: tuple[str, str]) -> None:
    """The plain key for the first, a key with a number or an id for that one; the others' orders are not found."""
    first, second = trading_as("key"), trading_as("key.DD0000002")
    assert list(map(UUID, (*accounts, accounts[1]))) == [
        client.get_account().id for client in (first, second, trading_as(f"key.{accounts[1]}"))
    ]
    sent = first.submit_order(market(1))
    assert [] == second.get_orders()
    assert (404, 40_410_000) == refused(lambda: second.get_order_by_id(sent.id))[:2]
    assert (404, 40_410_000) == refused(lambda: second.cancel_order_by_id(sent.id))[:2]
    assert (404, "There is no account DD0000009.") == refused(trading_as("key.DD0000009").get_account)[::2]
    assert (403, 40_310_000) == refused(trading_as("wrong.DD0000002").get_account)[:2]


def test_the_account_is_read(trading: TradingClient) -> None:
    """10,000 USD and 40 SPY at 100, of which an order for 1,000 USD holds back that much."""
    trading.submit_order(limit(10, 100))
    account = trading.get_account()
    assert isinstance(account, TradeAccount)
    assert ("DD0000001", "10000", "9000", "14000") == (
        account.account_number,
        account.cash,
        account.buying_power,
        account.equity,
    )


def test_a_configuration_is_read_and_stays(trading: TradingClient) -> None:
    """It may be sent back as it is; what would change it is refused by name."""
    kept = trading.get_account_configurations()
    assert isinstance(kept, AccountConfiguration)
    assert kept == trading.set_account_configurations(kept)
    wanted = kept.model_copy(update={"suspend_trade": True})
    status, _, sentence = refused(lambda: trading.set_account_configurations(wanted))
    assert (422, "suspend_trade is False for every account") == (status, sentence[:40])


def test_clock_calendar_and_assets_are_read(trading: TradingClient, address: str) -> None:
    """The plain clock, with the clocks of the broker API beside it; the same calendar and assets as under /v1."""
    clock = trading.get_clock()
    assert isinstance(clock, Clock)
    assert (TEN, True, datetime(2025, 3, 3, 21, tzinfo=UTC)) == (clock.timestamp, clock.is_open, clock.next_close)
    (market_clock,) = httpx.get(f"{address}/v2/clock", auth=("key", "secret")).json()["clocks"]
    assert ("NYSE", "core", "2025-03-03T21:00:00Z") == tuple(
        market_clock[name] for name in ("market", "phase", "phase_until")
    )
    days = trading.get_calendar(GetCalendarRequest(start=date(2025, 11, 26), end=date(2025, 11, 28)))
    assert [(26, 16), (28, 13)] == [(day.date.day, day.close.hour) for day in days]
    assert 25 == len(trading.get_all_assets(GetAssetsRequest()))
    spy = trading.get_asset("SPY")
    assert spy == trading.get_asset(str(spy.id))
    assert (404, 40_410_000) == refused(lambda: trading.get_asset("NOSUCH"))[:2]


def test_a_portfolio_history_is_read(trading: TradingClient, wait: Callable[..., None]) -> None:
    """14,000 at Monday's close, with 10,000 that came in as cash."""
    wait(to=datetime(2025, 3, 3, 22, tzinfo=UTC))
    history = trading.get_portfolio_history(GetPortfolioHistoryRequest(period="1M", timeframe="1D"))
    assert isinstance(history, PortfolioHistory)
    assert ([14_000.0], "1D") == (history.equity, history.timeframe)
    assert history == trading.get_portfolio_history()


def test_the_brokers_door(broker: BrokerClient, accounts: tuple[str, str], wait: Callable[..., None]) -> None:
    """Every order method, for the second account: 500 USD."""
    account = accounts[1]
    resting = broker.submit_order_for_account(
        account, BrokerLimitOrder(symbol="SPY", qty=1, side=BUY, time_in_force=GTC, limit_price=90, client_order_id="r")
    )
    bought = broker.submit_order_for_account(
        account, BrokerMarketOrder(symbol="TLT", notional=100.25, side=BUY, time_in_force=DAY)
    )
    wait(1)
    assert (OrderType.MARKET, "100.25", "2.005") == (
        bought.type,
        bought.notional,
        broker.get_order_for_account_by_id(account, bought.id).filled_qty,
    )
    asked = GetOrdersRequest(status=QueryOrderStatus.ALL, direction=Sort.ASC)
    assert [resting.id, bought.id] == [order.id for order in broker.get_orders_for_account(account, asked)]
    assert resting.id == broker.get_order_for_account_by_client_id(account, "r").id
    made = broker.replace_order_for_account_by_id(account, resting.id, ReplaceOrderRequest(limit_price=91))
    broker.cancel_order_for_account_by_id(account, made.id)
    assert OrderStatus.CANCELED == broker.get_order_for_account_by_id(account, made.id).status
    assert [] == broker.cancel_orders_for_account(account)
    sold = broker.close_position_for_account(account, "TLT", ClosePositionRequest(percentage="50"))
    assert "1.0025" == sold.qty
    (closed,) = broker.close_all_positions_for_account(account, cancel_orders=True)
    assert "2.005" == closed.body.qty
    wait(1)
    assert [] == broker.get_all_positions_for_account(account)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda broker, account: broker.get_order_for_account_by_id(account, UNKNOWN), id="order"),
        pytest.param(lambda broker, account: broker.get_order_for_account_by_client_id(account, "x"), id="client id"),
        pytest.param(lambda broker, account: broker.cancel_order_for_account_by_id(account, UNKNOWN), id="cancel"),
        pytest.param(
            lambda broker, account: broker.replace_order_for_account_by_id(
                account, UNKNOWN, ReplaceOrderRequest(qty=1)
            ),
            id="replace",
        ),
        pytest.param(lambda broker, account: broker.get_orders_for_account(UNKNOWN), id="account"),
        pytest.param(lambda broker, account: broker.cancel_orders_for_account(UNKNOWN), id="cancel all"),
        pytest.param(lambda broker, account: broker.submit_order_for_account(UNKNOWN, market(1)), id="submit"),
        pytest.param(lambda broker, account: broker.close_position_for_account(account, "GLD"), id="position"),
    ],
)
def test_what_is_not_known_is_not_found(
    broker: BrokerClient, accounts: tuple[str, str], ask: Callable[[BrokerClient, str], object]
) -> None:
    """404 with a code and a sentence."""
    assert (404, 40_410_000) == refused(lambda: ask(broker, accounts[0]))[:2]


def test_an_estimate_places_nothing(broker: BrokerClient, accounts: tuple[str, str], address: str) -> None:
    """1,000 USD of SPY at 100, in the shape of an order that the SDK reads, though it has no method for it."""
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "notional": "1000"}
    path = f"{address}/v1/trading/accounts/{accounts[0]}/orders/estimation"
    estimate = Order(**httpx.post(path, json=body, auth=("key", "secret")).json())
    assert ("1000", "10", "100", UUID(int=0)) == (
        estimate.notional,
        estimate.filled_qty,
        estimate.filled_avg_price,
        estimate.id,
    )
    assert [] == broker.get_orders_for_account(accounts[0], GetOrdersRequest(status=QueryOrderStatus.ALL))
