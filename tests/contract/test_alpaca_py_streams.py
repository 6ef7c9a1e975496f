"""The official SDK's two streams of orders against this backend, over a real socket: TradingStream and BrokerClient."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.requests import GetEventsRequest
from alpaca.trading.enums import OrderStatus, TradeEvent
from alpaca.trading.models import TradeUpdate
from alpaca.trading.stream import TradingStream

from driftdesk.backend.service import Service
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.simulation import Advance, CreateAccount, FaultEntry, FaultScript, SetPrices

CUT = FaultScript(faults=(FaultEntry(kind="disconnect"),))


@pytest.fixture
def account(service: Service) -> str:
    """The first account, with 100,000.00 USD; SPY stands at 100."""
    service.set_prices(SetPrices(prices={"SPY": Decimal(100)}))
    return service.simulate_account(CreateAccount(cash=Decimal(100_000))).id


def buy(service: Service, account: str, qty: str = "2") -> str:
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": qty}
    return service.place_order(account, CreateOrder.model_validate(body)).id


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Listener:
    """The SDK's TradingStream in a thread of its own, as its documentation has it run."""

    def __init__(self, address: str, *keys: str) -> None:
        self.updates: list[TradeUpdate] = []
        self.is_done = False
        # Noted by the backend: each time that this listens.
        self.heard: list[str] = []
        self.stream = TradingStream(*keys, url_override=address.replace("http", "ws") + "/stream")
        # A test need not wait a second after a lost connection.
        self.stream._reconnect_min_backoff = 0.01

        async def note(update: TradeUpdate) -> None:
            if not self.is_done:
                self.updates.append(update)

        self.stream.subscribe_trade_updates(note)
        self.thread = threading.Thread(target=self.stream.run)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(str(update.order.id), update.event) for update in self.updates]


@contextmanager
def listening(address: str, service: Service, account: str, *keys: str) -> Iterator[Listener]:
    """A listener that the backend has heard of; it is stopped in the end as the SDK stops it."""
    asked = service.last_trade_event_id
    listener = Listener(address, *(keys or ("key", "secret")))

    def noted() -> str:
        listener.heard.append("listen")
        return asked()

    service.last_trade_event_id = noted  # type: ignore[method-assign]
    listener.thread.start()
    try:
        wait_until(lambda: listener.heard)
        yield listener
    finally:
        listener.stream.stop()
        # It looks whether it shall stop after each message, or after five seconds: one more spares the wait.
        listener.is_done = True
        buy(service, account, "1")
        listener.thread.join(10)
        assert not listener.thread.is_alive()


def test_the_trading_stream_tells_an_order_from_its_acceptance_to_its_fill(
    address: str, service: Service, account: str
) -> None:
    """As models of the SDK: half is filled, then the rest."""
    with listening(address, service, account) as listener:
        service.set_fault_script(FaultScript(faults=(FaultEntry(kind="fill_part", value=Decimal("0.5")),)))
        order = buy(service, account)
        service.advance(Advance(seconds=120))
        wait_until(lambda: len(listener.updates) == 3)
    accepted, part, filled = listener.updates
    assert [TradeEvent.ACCEPTED, TradeEvent.PARTIAL_FILL, TradeEvent.FILL] == [
        update.event for update in (accepted, part, filled)
    ]
    assert {order} == {str(update.order.id) for update in listener.updates}
    assert [OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED] == [
        update.order.status for update in listener.updates
    ]
    assert (None, 1.0, 1.0) == (accepted.qty, part.qty, filled.qty)
    assert (100.0, 1.0, 2.0) == (part.price, part.position_qty, filled.position_qty)
    assert 3 == len({update.execution_id for update in listener.updates})
    assert filled.order.filled_at == filled.timestamp


def test_the_key_says_whose_orders(address: str, service: Service, account: str) -> None:
    """KEY.NUMBER is the key of one account, and hears of no other's orders."""
    other = service.simulate_account(CreateAccount(cash=Decimal(1000)))
    with listening(address, service, other.id, f"key.{other.account_number}", "secret") as listener:
        buy(service, account)
        mine = buy(service, other.id)
        wait_until(lambda: listener.updates)
    assert [(mine, TradeEvent.ACCEPTED)] == listener.told


def test_the_trading_stream_comes_again_after_it_was_cut(address: str, service: Service, account: str) -> None:
    """By itself; what happens then is told."""
    with listening(address, service, account) as listener:
        service.set_fault_script(CUT)
        wait_until(lambda: 2 == len(listener.heard))
        order = buy(service, account)
        wait_until(lambda: listener.updates)
    assert [(order, TradeEvent.ACCEPTED)] == listener.told


def test_wrong_keys_fail_to_authenticate(address: str, account: str, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK reads the documented answer, says so in its log, and tries again until it is stopped."""
    caplog.set_level(logging.ERROR, "alpaca.trading.stream")
    listener = Listener(address, "key", "wrong")
    listener.thread.start()
    wait_until(lambda: "failed to authenticate" in caplog.text)
    listener.stream.stop()
    listener.thread.join(10)
    assert not listener.thread.is_alive()


@pytest.fixture
def sdk(address: str) -> Iterator[BrokerClient]:
    client = BrokerClient("key", "secret", url_override=address)
    yield client
    client._session.close()


def read(sdk: BrokerClient, **query: Any) -> list[dict[str, Any]]:
    return [json.loads(data) for data in sdk.get_trade_events(GetEventsRequest(**query))]


def test_get_trade_events_replays_by_time(sdk: BrokerClient, service: Service, account: str) -> None:
    """The SDK asks the older door, and gets the data of each event as text."""
    order = buy(service, account)
    service.advance(Advance(seconds=5))
    events = read(sdk, since="2025-03-03T00:00:00Z", until=service.world.now().isoformat())
    assert [(1, "accepted", order), (2, "fill", order)] == [
        (event["event_id"], event["event"], event["order"]["id"]) for event in events
    ]
    assert TradeUpdate(**events[1]).order.status is OrderStatus.FILLED


def test_get_trade_events_goes_on_behind_a_number(sdk: BrokerClient, service: Service, account: str) -> None:
    """The SDK's ids are whole numbers: those that the events of that door carry; `id` is an account."""
    other = service.simulate_account(CreateAccount(cash=Decimal(1000))).id
    for buyer in (account, other, account, other):
        buy(service, buyer, "1")
    assert [2, 3] == [event["event_id"] for event in read(sdk, since_id=1, until_id=3)]
    assert [2, 4] == [event["event_id"] for event in read(sdk, id=other, since_id=0, until_id=4)]


def test_get_trade_events_follows(sdk: BrokerClient, service: Service, account: str) -> None:
    """Without a filter: what happens from now on, as it happens."""
    found: list[dict[str, Any]] = []

    def follow() -> None:
        for data in sdk.get_trade_events():
            found.append(json.loads(data))
            if len(found) == 2:
                return

    asked = service.last_trade_event_id
    heard: list[str] = []
    service.last_trade_event_id = lambda: heard.append("asked") or asked()  # type: ignore[method-assign, func-returns-value]
    reader = threading.Thread(target=follow)
    reader.start()
    wait_until(lambda: heard)
    orders = [buy(service, account), buy(service, account)]
    reader.join(10)
    assert not reader.is_alive()
    assert orders == [event["order"]["id"] for event in found]
