"""Our client of SnapTrade against our routes: in process, and over a socket under the older base.

10:00 New York on Monday 3 March 2025. The account: 10,000.00 USD and 40 SPY at 100; TLT is at 50.
"""

from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from contract.conftest import KEYS, START, served
from fastapi import FastAPI

from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.service import Service
from driftdesk.client.snaptrade import SnapTradeClient, SnapTradeKeys, SnapTradeUser
from driftdesk.client.snaptrade.orders import Generation
from driftdesk.client.transport import Waiting
from driftdesk.errors import BackendError, BackendNotFound, Rejected, Unavailable
from driftdesk.translate_snaptrade import Connected, snaptrade_snapshot
from driftdesk.wire.simulation import Advance, CreateAccount, FaultEntry, FaultScript, NewPosition, SetPrices
from driftdesk.wire.snaptrade.orders import OrderRecord, OrderStatus
from driftdesk.wire.snaptrade.served import ConnectionSetting
from driftdesk.wire.snaptrade.trading import NewOrder

UNKNOWN = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def account(service: Service) -> str:
    service.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50)}))
    holding = NewPosition(symbol="SPY", qty=Decimal(40))
    return service.simulate_account(CreateAccount(name="Ada", cash=Decimal(10_000), positions=(holding,))).id


@pytest.fixture(params=["in-process", "socket"])
def where(request: pytest.FixtureRequest, app: FastAPI) -> Iterator[tuple[str, httpx.BaseTransport | None]]:
    if request.param == "in-process":
        yield "http://embedded", InProcessTransport(app)
        return
    with served(app) as url:
        yield f"{url}/api/v1", None


@pytest.fixture
def client(where: tuple[str, httpx.BaseTransport | None], service: Service, account: str) -> Iterator[SnapTradeClient]:
    """The client of a registered user, whose waits take no time."""
    user = service.snaptrade.register_user("ada o'b&=é")
    keys = SnapTradeKeys(*KEYS, SnapTradeUser(user.userId, user.userSecret))
    url, transport = where
    waiting = Waiting(sleep=lambda seconds: None)
    with SnapTradeClient(keys, base_url=url, transport=transport, waiting=waiting) as opened:
        yield opened


def order(account: str, size: str, **more: object) -> NewOrder:
    """``order(account, "10")`` buys ten TLT at the market, ``order(account, "$10")`` for ten dollars."""
    sized = {"notional_value": size[1:]} if size.startswith("$") else {"units": size}
    words = {"account_id": account, "action": "BUY", "order_type": "Market", "time_in_force": "Day", "symbol": "TLT"}
    return NewOrder.model_validate({**words, **sized, **more})


RESTS = {"order_type": "Limit", "time_in_force": "GTC", "price": "40"}


def test_what_is_held(client: SnapTradeClient, account: str) -> None:
    """Connection, account, balance and position, and the snapshot that is made of them."""
    [connection] = client.accounts.connections()
    [found] = client.accounts.list()
    assert (connection.id, "Ada", "investment", "USD", 14_000) == (
        found.connection_id,
        found.name,
        found.category,
        found.currency,
        found.total,
    )
    assert found == client.accounts.get(account)
    read = Connected(
        account=found,
        connection=connection,
        balances=client.accounts.balances(account),
        positions=client.accounts.positions(account),
        quotes=client.accounts.quotes(account, ["SPY", "TLT", "NONE"]),
        orders=client.orders.recent(account),
    )
    snapshot = snaptrade_snapshot(read, as_of=START, market_open=True, targets=("TLT",))
    assert () == snapshot.findings
    assert (10_000, "SPY", 40) == (
        snapshot.snapshot.cash,
        snapshot.snapshot.holdings[0].symbol,
        snapshot.snapshot.holdings[0].quantity,
    )
    assert [100, 50] == [quote.price for quote in snapshot.snapshot.quotes]


@pytest.mark.parametrize("generation", list(Generation))
def test_place_see_cancel(client: SnapTradeClient, account: str, generation: Generation) -> None:
    """Both cancels end in the same record; a second one and one of an unknown order are refused."""
    placed = client.trading.place(order(account, "2.5", order_type="Limit", price="40"))
    order_id = placed.brokerage_order_id or ""
    assert (OrderStatus.ACCEPTED, Decimal("2.5"), "TLT") == (
        placed.status,
        placed.open_quantity,
        placed.universal_symbol and placed.universal_symbol.symbol,
    )
    assert [placed] == list(client.orders.list(account, state="open", days=1)) == list(client.orders.recent(account))
    assert placed == client.orders.get(account, order_id)
    outcome = client.orders.cancel(account, order_id, generation=generation)
    assert f"Canceled order {order_id}, 0 of 2.5 filled." == outcome.text
    for which in (order_id, "unknown"):
        with pytest.raises(Rejected, match="code 1076") as refused:
            client.orders.cancel(account, which, generation=generation)
        assert (400, True) == (refused.value.status, bool(refused.value.request_id))
    assert () == client.orders.list(account, state="open")
    assert () == client.orders.recent(account, only_executed=True)


def test_preview_and_place_checked(client: SnapTradeClient, account: str) -> None:
    """An impact can be placed once."""
    [quote] = client.accounts.quotes(account, ["TLT"])
    by_id = {"symbol": None, "universal_symbol_id": quote.symbol.id}
    impact = client.trading.impact(order(account, "10", **RESTS, **by_id))
    assert [9_600] == [estimate.remaining_cash for estimate in impact.trade_impacts]
    assert () == client.orders.recent(account)
    placed = client.trading.place_checked(impact.trade)
    assert (10, 40) == (placed.total_quantity, placed.limit_price)
    with pytest.raises(Rejected, match="was placed, or is older"):
        client.trading.place_checked(impact.trade)
    assert [placed] == list(client.orders.recent(account))


def test_fills_are_seen(client: SnapTradeClient, service: Service, account: str) -> None:
    """After a second of the world's clock: executed orders, and what is held then."""
    placed = client.trading.place(order(account, "$123.45"))
    service.advance(Advance(seconds=2))
    filled = client.orders.get(account, placed.brokerage_order_id or "")
    assert (OrderStatus.EXECUTED, Decimal("2.469"), 50) == (
        filled.status,
        filled.filled_quantity,
        filled.execution_price,
    )
    assert [filled] == list(client.orders.recent(account, only_executed=True))
    assert [filled] == list(client.orders.list(account, state="executed"))
    assert {"SPY": 40, "TLT": Decimal("2.469")} == {
        position.instrument.symbol: position.units for position in client.accounts.positions(account).results
    }
    assert [Decimal("9876.55")] == [balance.cash for balance in client.accounts.balances(account)]


@pytest.mark.parametrize("kind", ["time_out", "lose"])
def test_a_silent_exchange_leaves_it_unknown(
    client: SnapTradeClient, service: Service, account: str, kind: str
) -> None:
    """503: nobody knows then, and the orders tell; it was sent once."""
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind=kind),)))
    with pytest.raises(Unavailable, match="Whether it took effect is not known") as silent:
        client.trading.place(order(account, "1"))
    assert 503 == silent.value.status
    assert (1 if kind == "time_out" else 0) == len(client.orders.recent(account))


def test_a_disabled_and_a_read_only_connection(client: SnapTradeClient, service: Service, account: str) -> None:
    """Reads go on, as of the moment it was disabled; nothing can be placed or canceled."""
    placed = client.trading.place(order(account, "1", **RESTS))
    for setting, status in (({"disabled": True}, 402), ({"disabled": False, "type": "read"}, 403)):
        service.snaptrade.set_connection(ConnectionSetting.model_validate(setting))
        service.advance(Advance(seconds=60))
        for refused in (
            lambda: client.trading.place(order(account, "1")),
            lambda: client.orders.cancel(account, placed.brokerage_order_id or ""),
        ):
            with pytest.raises(BackendError) as problem:
                refused()
            assert status == problem.value.status
        [connection] = client.accounts.connections()
        assert (status == 402, "trade" if status == 402 else "read") == (connection.disabled, connection.type)
        assert placed.brokerage_order_id == client.orders.list(account)[0].brokerage_order_id
        freshness = client.accounts.positions(account).data_freshness
        assert (START if status == 402 else service.world.now()) == (freshness and freshness.as_of)


def test_what_is_not_there(client: SnapTradeClient) -> None:
    """404 for an account that nobody has."""
    for call in (client.accounts.get, client.accounts.balances, client.accounts.positions, client.orders.list):
        with pytest.raises(BackendNotFound):
            call(UNKNOWN)


def test_records_have_no_warnings(client: SnapTradeClient, service: Service, account: str) -> None:
    """Filled, canceled in part, rejected: none of them contradicts itself."""
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="fill_part", value=Decimal("0.4")),)))
    partial = client.trading.place(order(account, "10"))
    service.advance(Advance(seconds=2))
    client.orders.cancel(account, partial.brokerage_order_id or "")
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject"),)))
    client.trading.place(order(account, "$10"))
    records: tuple[OrderRecord, ...] = client.orders.list(account)
    assert ["REJECTED", "PARTIAL_CANCELED"] == [record.status for record in records]
    assert [(), ()] == [record.warnings for record in records]
