"""Streams of orders over both transports: history and live, cut and resumed, watched without loss; the websocket.

Sources: wire/alpaca.md 9.2, 9.3, rules.md 8.5, and the real API's page on websocket streaming.
"""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import delete
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from driftdesk.backend.api.stream import Pace
from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.backend.serving import Server
from driftdesk.backend.store.tables import order_events
from driftdesk.client import Client
from driftdesk.client.events import Cursor
from driftdesk.wire.orders import CreateOrder, Order, OrderUpdate
from driftdesk.wire.simulation import Advance, CreateAccount, FaultEntry, FaultScript, SetPrices

KEYS = ("key", "secret")
CUT = FaultScript(faults=(FaultEntry(kind="disconnect"),))


@pytest.fixture
def account(service: Service) -> str:
    """An account with 100,000.00 USD; SPY stands at 100."""
    service.set_prices(SetPrices(prices={"SPY": Decimal(100)}))
    return service.simulate_account(CreateAccount(cash=Decimal(100_000))).id


def buy(service: Service, account: str, qty: str = "1") -> str:
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": qty}
    return service.place_order(account, CreateOrder.model_validate(body)).id


class Follower(threading.Thread):
    """Reads something endless in a thread of its own."""

    def __init__(self, read: Callable[[], Iterator[Any]]) -> None:
        super().__init__()
        self.read = read
        self.found: list[Any] = []
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            for each in self.read():
                self.found.append(each)
        except Exception as error:
            self.error = error

    def wait_for(self, count: int) -> list[Any]:
        """All that was found, once that is `count` or more."""
        wait_until(lambda: len(self.found) >= count or self.error)
        assert self.error is None
        return self.found


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def shown(found: list[Order]) -> list[tuple[str, str]]:
    return [(order.id, order.status) for order in found]


# --- server-sent events -------------------------------------------------------------------------------------------


def test_history_then_what_happens(client: Client, service: Service, account: str) -> None:
    """In order and once; the reader stops when the client is closed."""
    orders = [buy(service, account)]
    follower = Follower(lambda: client.trade_events.updates(since=service.world.now()))
    follower.wait_for(1)
    orders.append(buy(service, account))
    service.advance(Advance(seconds=5))
    updates: list[OrderUpdate] = follower.wait_for(4)
    told = [(update.order.id, update.event) for update in updates]
    assert [(order, "accepted") for order in orders] == told[:2]
    # Two that settle at one instant.
    assert {(order, "fill") for order in orders} == set(told[2:])
    client.close()
    follower.join(10)
    assert not follower.is_alive()


def test_a_cut_stream_goes_on_where_it_was(client: Client, service: Service, account: str) -> None:
    """The script cuts every open stream once; the client comes again and has each event once."""
    cursor = Cursor()
    follower = Follower(lambda: client.trade_events.updates(cursor=cursor))
    wait_until(lambda: cursor.event_id)
    expected = []
    for _ in range(3):
        service.set_fault_script(CUT)
        expected.append(buy(service, account))
        wait_until(lambda: not service.fault_script().faults)
        expected.append(buy(service, account))
    updates = follower.wait_for(6)
    assert expected == [update.order.id for update in updates]
    client.close()
    follower.join(10)


def test_a_reader_that_takes_nothing_makes_no_writer_wait(
    app: FastAPI, address: str, service: Service, account: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up within the server's patience; meanwhile orders are placed as always."""
    caplog.set_level(logging.INFO, "driftdesk.backend.api.stream")
    app.state.streams.pace = Pace(poll=0.01, patience=0.3)
    told = long_ones(service)
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as reader:
        service.read_trade_events = told  # type: ignore[method-assign]
        keys = f"APCA-API-KEY-ID: {KEYS[0]}\r\nAPCA-API-SECRET-KEY: {KEYS[1]}\r\n"
        reader.sendall(f"GET /v2/events/trades HTTP/1.1\r\nHost: {host}:{port}\r\n{keys}\r\n".encode())
        assert b"200 OK" in reader.recv(100)
        began = time.monotonic()
        # More than the buffers between the two take.
        for _ in range(40):
            buy(service, account)
        assert time.monotonic() - began < 5
        wait_until(lambda: "a reader of /v2/events/trades took nothing for 0.3 s" in caplog.text)


def long_ones(service: Service) -> Callable[..., Any]:
    """How `service` reads events, each as long as nine hundred thousand characters."""
    read = service.read_trade_events

    def reader(after: str, until: str | None, limit: int, **more: Any) -> Any:
        return [(event_id, json.dumps("x" * 900_000)) for event_id, _ in read(after, until, limit, **more)]

    return reader


def test_all_open_streams_are_cut_by_one_entry(client: Client, app: FastAPI, service: Service, account: str) -> None:
    """That of the rebalancer too; streams opened afterwards are left alone."""
    cursors = [Cursor(), Cursor()]
    gaps: list[int] = []
    app.state.streams.pace = Pace(poll=0.01)
    read = [
        Follower(lambda: client.trade_events.updates(cursor=cursors[0])),
        Follower(lambda: client.events.rebalancer(cursor=cursors[1])),
    ]
    wait_until(lambda: all(cursor.event_id for cursor in cursors))
    service.set_fault_script(CUT)
    wait_until(lambda: not service.fault_script().faults)
    gaps.append(app.state.streams.cuts)
    buy(service, account)
    read[0].wait_for(1)
    assert [1] == gaps
    assert 1 == app.state.streams.cuts
    client.close()
    for follower in read:
        follower.join(10)


# --- a watch over orders ------------------------------------------------------------------------------------------


def test_a_watch_begins_with_what_is_open(client: Client, service: Service, account: str) -> None:
    """And tells neither what had ended before, nor other accounts' orders, nor one state twice."""
    ended = buy(service, account)
    service.cancel_order(account, ended)
    stands = buy(service, account)
    other = service.simulate_account(CreateAccount(cash=Decimal(1000))).id
    buy(service, other)
    follower = Follower(lambda: client.trade_events.watch_orders(account))
    follower.wait_for(1)
    new = buy(service, account)
    service.advance(Advance(seconds=5))
    found = shown(follower.wait_for(4))
    assert [(stands, "accepted"), (new, "accepted")] == found[:2]
    assert {(stands, "filled"), (new, "filled")} == set(found[2:])
    client.close()
    follower.join(10)


def test_a_watch_begins_with_all_that_is_open(client: Client, service: Service, account: str) -> None:
    """More orders than one answer holds, at one instant."""
    with service.world.database.write():
        expected = {buy(service, account) for _ in range(510)}
    follower = Follower(lambda: client.trade_events.watch_orders(account))
    found = shown(follower.wait_for(510))
    assert (510, {(order, "accepted") for order in expected}) == (len(found), set(found))
    client.close()
    follower.join(10)


def test_a_watch_loses_and_doubles_nothing_over_cuts(
    client: Client, service: Service, account: str, tmp_path: Path, feed: PriceFeed
) -> None:
    """Orders are placed and filled half and whole while the stream is cut again and again, some by another process."""
    rests = {"symbol": "SPY", "side": "buy", "type": "limit", "time_in_force": "gtc", "qty": "1", "limit_price": "1"}
    resting = service.place_order(account, CreateOrder.model_validate(rests)).id
    service.advance(Advance(seconds=5))
    follower = Follower(lambda: client.trade_events.watch_orders(account))
    follower.wait_for(1)
    expected = [(resting, "new")]
    with closing(open_service(tmp_path / "world.db", feed, seed=1, durable=False)) as other:
        for writer in (service, other, service, other):
            half = FaultEntry(kind="fill_part", value=Decimal("0.5"))
            service.set_fault_script(FaultScript(faults=(*CUT.faults, half)))
            order = buy(writer, account, "2")
            # Half of it fills at once, the other half a minute later.
            writer.advance(Advance(seconds=120))
            expected += [(order, status) for status in ("accepted", "partially_filled", "filled")]
            wait_until(lambda: not service.fault_script().faults)
    wait_until(lambda: len(follower.found) >= len(expected) or follower.error)
    assert expected == shown(follower.found)
    client.close()
    follower.join(10)


@pytest.mark.parametrize("cut", [True, False], ids=["after a cut", "at an unknown order"])
def test_what_a_stream_never_told_is_taken_from_the_list(
    client: Client, service: Service, account: str, *, cut: bool
) -> None:
    """A service drops what a slow reader did not take: here the acceptance of an order, and once its fill too."""
    resting = buy(service, account)
    follower = Follower(lambda: client.trade_events.watch_orders(account))
    follower.wait_for(1)
    mark = service.last_trade_event_id()
    with service.world.database.write() as connection:
        lost = buy(service, account)
        connection.execute(delete(order_events).where(order_events.c.event_id > mark))
    if cut:
        service.set_fault_script(CUT)
        assert [(resting, "accepted"), (lost, "accepted")] == shown(follower.wait_for(2))
    service.advance(Advance(seconds=5))
    expected = {(resting, "accepted"), (resting, "filled"), (lost, "filled")} | ({(lost, "accepted")} if cut else set())
    found = shown(follower.wait_for(len(expected)))
    assert (len(expected), expected) == (len(found), set(found))
    client.close()
    follower.join(10)


# --- the websocket ------------------------------------------------------------------------------------------------


@pytest.fixture
def socket_address(address: str) -> str:
    return address.replace("http", "ws") + "/stream"


class Talk:
    """A conversation on a websocket, message by message."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def hear(self, within: float = 10) -> Any:
        frame = self.socket.recv(within)
        assert isinstance(frame, bytes)
        return json.loads(frame)

    def authenticate(self, key: str = KEYS[0], secret: str = KEYS[1]) -> Any:
        self.say(action="authenticate", data={"key_id": key, "secret_key": secret})
        return self.hear()

    def listen(self, *names: str) -> Any:
        self.say(action="listen", data={"streams": names})
        return self.hear()

    def end(self) -> int | None:
        """How the server closed it; what it said before must have been heard."""
        with pytest.raises(ConnectionClosed):
            self.socket.recv(10)
        return self.socket.close_code


@contextmanager
def talk(address: str, **more: Any) -> Iterator[Talk]:
    with connect(address, **more) as socket:
        yield Talk(socket)


def said(status: str, action: str = "authenticate", **more: str) -> dict[str, Any]:
    return {"stream": "authorization", "data": {"status": status, "action": action, **more}}


def test_updates_of_the_account_of_the_key(socket_address: str, service: Service, account: str) -> None:
    """Both forms of authentication; one key for each account, and the key alone for the first one."""
    other = service.simulate_account(CreateAccount(cash=Decimal(1000)))
    number = other.account_number
    with talk(socket_address) as first, talk(socket_address) as second:
        assert said("authorized") == first.authenticate()
        second.say(action="auth", key=f"key.{number}", secret="secret")
        assert said("authorized") == second.hear()
        for reader in (first, second):
            assert {"stream": "listening", "data": {"streams": ["trade_updates"]}} == reader.listen(
                "trade_updates", "x"
            )
        orders = [buy(service, account), buy(service, other.id)]
        service.advance(Advance(seconds=5))
        for reader, order in zip((first, second), orders, strict=True):
            accepted, filled = reader.hear(), reader.hear()
            assert ["trade_updates", "trade_updates"] == [accepted["stream"], filled["stream"]]
            assert [("accepted", order), ("fill", order)] == [
                (update["data"]["event"], update["data"]["order"]["id"]) for update in (accepted, filled)
            ]
            assert ("100", "1", "1") == tuple(filled["data"][name] for name in ("price", "qty", "position_qty"))


@pytest.mark.parametrize("keys", [("key", "wrong"), ("wrong", "secret"), ("", ""), ("key.", "")])
def test_wrong_keys_are_not_authorized(socket_address: str, account: str, keys: tuple[str, str]) -> None:
    """As documented: it is said, for the attempt and for listening; right keys may follow."""
    with talk(socket_address) as reader:
        assert said("unauthorized") == reader.authenticate(*keys)
        assert said("unauthorized", "listen") == reader.listen("trade_updates")
        assert said("authorized") == reader.authenticate()


def test_a_key_of_no_account_is_told_so(socket_address: str, account: str) -> None:
    """With the sentence of the other doors beside the documented keys."""
    with talk(socket_address) as reader:
        assert said("unauthorized", message="There is no account nobody.") == reader.authenticate("key.nobody")


def test_who_stops_listening_hears_nothing(socket_address: str, service: Service, account: str) -> None:
    """An empty list ends it; listening again begins with what happens from then on."""
    with talk(socket_address) as reader:
        reader.authenticate()
        reader.listen("trade_updates")
        assert {"stream": "listening", "data": {"streams": []}} == reader.listen()
        buy(service, account)
        with pytest.raises(TimeoutError):
            reader.hear(within=0.6)
        reader.listen("trade_updates")
        second = buy(service, account)
        assert second == reader.hear()["data"]["order"]["id"]


def test_another_key_hears_of_its_own_account_only(socket_address: str, service: Service, account: str) -> None:
    """Who authenticates anew no longer listens to the account of before."""
    other = service.simulate_account(CreateAccount(cash=Decimal(1000)))
    with talk(socket_address) as reader:
        reader.authenticate()
        reader.listen("trade_updates")
        assert said("authorized") == reader.authenticate(f"key.{other.account_number}")
        buy(service, account)
        with pytest.raises(TimeoutError):
            reader.hear(within=0.6)
        reader.listen("trade_updates")
        buy(service, account)
        mine = buy(service, other.id)
        assert mine == reader.hear()["data"]["order"]["id"]


@pytest.mark.parametrize(
    "text",
    ["hello", "[]", '{"action":"dance"}', '{"action":"listen","data":{}}', '{"action":"auth","key":1}', "\\ud800"],
)
def test_what_is_no_message_ends_the_conversation(socket_address: str, text: str) -> None:
    """With an error as documented, and the number for what is not understood."""
    with talk(socket_address) as reader:
        reader.socket.send(text)
        error = reader.hear()
        assert "error" == error["action"]
        assert "a message must be JSON with the action authenticate" in error["data"]["error_message"]
        assert 1003 == reader.end()


def test_message_pack_is_refused_by_name(socket_address: str) -> None:
    """It would have to be asked for by a header."""
    with talk(socket_address, additional_headers={"Content-Type": "application/msgpack"}) as reader:
        assert "MessagePack is not offered" in reader.hear()["data"]["error_message"]
        assert 1003 == reader.end()


def test_who_does_not_say_who_they_are_is_closed(app: FastAPI, socket_address: str) -> None:
    """Within the patience of the server."""
    app.state.streams.pace = Pace(patience=0.1)
    with talk(socket_address) as reader:
        assert "no authentication within 0.1 seconds" == reader.hear()["data"]["error_message"]
        assert 1008 == reader.end()


def test_a_failure_is_said_and_closes(
    socket_address: str, service: Service, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause stays in the log."""
    with talk(socket_address) as reader:
        reader.authenticate()
        monkeypatch.setattr(service, "read_trade_events", lambda *_, **__: 1 / 0)
        reader.listen("trade_updates")
        assert {"action": "error", "data": {"error_message": "internal server error"}} == reader.hear()
        assert 1011 == reader.end()


def test_a_websocket_is_cut_without_a_word(socket_address: str, service: Service, account: str) -> None:
    """As a lost connection is: no close frame; the next one lives."""
    with talk(socket_address) as reader:
        reader.authenticate()
        reader.listen("trade_updates")
        service.set_fault_script(CUT)
        assert 1006 == reader.end()
    with talk(socket_address) as reader:
        reader.authenticate()
        reader.listen("trade_updates")
        buy(service, account)
        assert "accepted" == reader.hear()["data"]["event"]


def test_a_slow_reader_is_dropped_and_no_writer_waits(
    app: FastAPI, socket_address: str, service: Service, account: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One that takes nothing is given up within the server's patience; meanwhile orders are placed as always."""
    caplog.set_level(logging.INFO, "driftdesk.backend.api.websocket")
    app.state.streams.pace = Pace(poll=0.01, patience=0.3)
    told = long_ones(service)
    with talk(socket_address, max_queue=1, compression=None, close_timeout=0.1) as reader:
        reader.authenticate()
        service.read_trade_events = told  # type: ignore[method-assign]
        reader.listen("trade_updates")
        began = time.monotonic()
        # More than the buffers between the two take.
        for _ in range(40):
            buy(service, account)
        assert time.monotonic() - began < 5
        wait_until(lambda: "a reader of /stream took nothing for 0.3 s" in caplog.text)


def test_one_that_falls_behind_is_told_and_closed(
    app: FastAPI, socket_address: str, service: Service, account: str
) -> None:
    """With how many updates were not sent, and the number for a rule that was broken."""
    app.state.streams.pace = Pace(poll=0.01, slow=0, most_behind=2, page=1)
    with talk(socket_address) as reader:
        reader.authenticate()
        reader.listen("trade_updates")
        with service.world.database.write():
            for _ in range(4):
                buy(service, account)
        assert "accepted" == reader.hear()["data"]["event"]
        error = {"error_message": "you are reading too slowly, 3 messages were not sent"}
        assert {"action": "error", "data": error} == reader.hear()
        assert 1008 == reader.end()


def test_a_server_that_shuts_down_closes_its_websockets(app: FastAPI, account: str) -> None:
    """At once, with the number for a restart, whether they listen or not."""
    server = Server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    address = f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/stream"
    with talk(address) as silent, talk(address) as listening:
        silent.authenticate()
        listening.authenticate()
        listening.listen("trade_updates")
        server.should_exit = True
        assert [1012, 1012] == [silent.end(), listening.end()]
        thread.join(4)
    assert not thread.is_alive()
