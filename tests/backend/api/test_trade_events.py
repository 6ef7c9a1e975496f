"""The events of orders: their ids, what each tells, and what may be asked of the two doors (wire/alpaca.md 9.2)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from alembic.config import Config
from conftest import WEDNESDAY_10AM, simulated_feed
from sqlalchemy import create_engine, inspect, select

from driftdesk.backend import store
from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.exchange import book
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.backend.store.tables import order_events
from driftdesk.wire.orders import CreateOrder, ReplaceOrder
from driftdesk.wire.simulation import Advance, CreateAccount, FaultEntry, FaultScript, SetPrices
from driftdesk.wire.ulid import read_ulid, time_of, write_ulid

FIRST = write_ulid(0)
NEWER, OLDER = "/v2/events/trades", "/v1/events/trades"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A world at 10:00 New York on Wednesday 11 March 2026: SPY at 100."""
    opened = open_world(tmp_path / "world.db")
    yield opened
    opened.close()


def open_world(path: Path) -> Service:
    opened = open_service(path, simulated_feed(), start=WEDNESDAY_10AM, seed=1, durable=False)
    opened.set_prices(SetPrices(prices={"SPY": Decimal(100)}))
    return opened


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    app = create_app(service, Credentials("key", "secret"))
    with httpx.Client(base_url="http://desk", transport=InProcessTransport(app), auth=("key", "secret")) as made:
        yield made


def account(service: Service, cash: int = 1000) -> str:
    return service.simulate_account(CreateAccount(cash=Decimal(cash))).id


def buy(service: Service, account_id: str, qty: str = "2", **more: Any) -> str:
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": qty, **more}
    return service.place_order(account_id, CreateOrder.model_validate(body)).id


def told(service: Service, after: str = FIRST, **more: Any) -> list[dict[str, Any]]:
    return [json.loads(payload) for _, payload in service.read_trade_events(after, None, 99, **more)]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


# --- ids ----------------------------------------------------------------------------------------------------------


def test_ids_grow_over_placing_and_settling(service: Service) -> None:
    """Over accounts and transactions, also where a settling writes several at one instant; the time is in them."""
    buyers = [account(service), account(service)]
    for buyer in (*buyers, *buyers):
        buy(service, buyer)
    service.advance(Advance(seconds=5))
    ids = [event_id for event_id, _ in service.read_trade_events(FIRST, None, 99)]
    assert 8 == len(ids)
    assert sorted(set(ids)) == ids
    assert [WEDNESDAY_10AM] * 4 == [time_of(event_id) for event_id in ids[:4]]
    assert read_ulid(ids[4]) + 3 == read_ulid(ids[7])
    assert WEDNESDAY_10AM < time_of(ids[4]) <= WEDNESDAY_10AM + timedelta(seconds=5)


def test_a_seeded_world_repeats_its_ids(tmp_path: Path) -> None:
    """Two worlds of one seed and one story tell the same, to the byte."""
    stories = []
    for name in ("one", "two"):
        service = open_world(tmp_path / f"{name}.db")
        buyer = account(service)
        buy(service, buyer, client_order_id="mine")
        service.advance(Advance(seconds=5))
        stories.append(service.read_trade_events(FIRST, None, 99))
        service.close()
    assert stories[0] == stories[1]
    assert 2 == len(stories[0])


def test_a_settling_asks_for_the_newest_id_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of orders: the rest is counted on in memory."""
    buyer = account(service, 10_000)
    for _ in range(20):
        buy(service, buyer)
    asked: list[str] = []
    make = book.EventIds.__init__
    monkeypatch.setattr(
        book.EventIds, "__init__", lambda self, connection: (asked.append("newest"), make(self, connection))[1]
    )
    assert 20 == service.exchange.settle(WEDNESDAY_10AM + timedelta(seconds=5))
    assert ["newest"] == asked


def test_events_of_before_get_their_ids_when_the_world_is_opened(tmp_path: Path) -> None:
    """In the order in which they were written, also two of one instant; what happens next is above them."""
    path = tmp_path / "world.db"
    service = open_world(path)
    buyer = account(service)
    buy(service, buyer)
    buy(service, buyer)
    service.advance(Advance(seconds=5))
    before = told(service)
    service.close()
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        assert "event_id" not in {column["name"] for column in inspect(connection).get_columns("order_events")}
    engine.dispose()
    again = open_world(path)
    after = told(again)
    ids = [event["event_id"] for event in after]
    assert sorted(set(ids)) == ids
    assert [time_of(event["event_id"]) for event in before] == [time_of(event_id) for event_id in ids]
    assert [(event["event"], event["order"]) for event in before] == [
        (event["event"], event["order"]) for event in after
    ]
    buy(again, buyer)
    assert told(again)[-1]["event_id"] > ids[-1]
    again.close()


# --- what an event tells ------------------------------------------------------------------------------------------


def test_each_event_has_the_order_as_it_stood_then(service: Service) -> None:
    """Half is filled, then it is canceled: nothing of the end shows in the events before it."""
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="fill_part", value=Decimal("0.5")),)))
    buyer = account(service)
    order = buy(service, buyer, "4")
    service.advance(Advance(seconds=5))
    service.cancel_order(buyer, order)
    accepted, part, canceled = told(service)
    assert ["accepted", "partial_fill", "canceled"] == names([accepted, part, canceled])
    assert ("accepted", "0", None, None) == tuple(
        accepted["order"][name] for name in ("status", "filled_qty", "filled_avg_price", "canceled_at")
    )
    assert ("partially_filled", "2", "100", None) == tuple(
        part["order"][name] for name in ("status", "filled_qty", "filled_avg_price", "canceled_at")
    )
    assert ("100", "2", "2") == (part["price"], part["qty"], part["position_qty"])
    assert ("canceled", "2", canceled["at"]) == tuple(
        canceled["order"][name] for name in ("status", "filled_qty", "canceled_at")
    )
    assert {"price", "qty", "position_qty", "reason"}.isdisjoint({*accepted, *canceled})
    assert 3 == len({event["execution_id"] for event in (accepted, part, canceled)})


def test_a_replacement_is_told_from_both_sides(service: Service) -> None:
    """The old order names the new one only where it was replaced, and the new one the old from its beginning."""
    buyer = account(service)
    old = buy(service, buyer, type="limit", limit_price="90")
    service.advance(Advance(seconds=5))
    new = service.replace_order(buyer, old, ReplaceOrder(limit_price=Decimal(91))).id
    events = told(service)
    assert ["accepted", "new", "replaced", "accepted"] == names(events)
    assert [None, None, new, None] == [event["order"]["replaced_by"] for event in events]
    assert [None, None, None, old] == [event["order"]["replaces"] for event in events]


def test_a_reason_that_would_end_a_line_does_not(service: Service) -> None:
    """A payload is one line of ASCII, whatever a reason says."""
    order = buy(service, account(service))
    with service.world.database.write() as connection:
        connection.execute(order_events.update().values(reason="one\ntwo\u2028three"))
    ((_, payload),) = service.read_trade_events(FIRST, None, 9)
    assert payload.isascii()
    assert [payload] == payload.splitlines()
    assert ("one\ntwo\u2028three", order) == (json.loads(payload)["reason"], json.loads(payload)["order"]["id"])


# --- what may be asked --------------------------------------------------------------------------------------------


@pytest.fixture
def history(service: Service) -> list[str]:
    """Six events of two accounts; their ULIDs."""
    buyers = (account(service), account(service))
    for buyer in buyers:
        buy(service, buyer)
    service.advance(Advance(seconds=5))
    for buyer in buyers:
        buy(service, buyer, "3", type="limit", limit_price="50")
    with service.world.database.read() as connection:
        return list(connection.scalars(select(order_events.c.event_id).order_by(order_events.c.id)))


def replay(http: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = http.get(path, params=query)
    assert 200 == answer.status_code, answer.text
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n") if line.startswith("data: ")]


def test_the_newer_door_speaks_in_ulids(http: httpx.Client, history: list[str]) -> None:
    """Behind every event comes exactly the rest."""
    for index, event_id in enumerate(history):
        rest = replay(http, NEWER, since_id=event_id, until_id=history[-1])
        assert history[index + 1 :] == [event["event_id"] for event in rest]


def test_the_older_door_takes_numbers_and_ulids(http: httpx.Client, history: list[str]) -> None:
    """An event says both, so that a reader with either can go on; 0 is before the first."""
    events = replay(http, OLDER, since_id=0, until_id=6)
    assert [(number, history[number - 1]) for number in range(1, 7)] == [
        (event["event_id"], event["event_ulid"]) for event in events
    ]
    for query in (
        {"since_id": 4, "until_id": 6},
        {"since_id": history[3], "until_id": history[5].lower()},
        {"since_ulid": history[3], "until_ulid": history[5]},
        {"since_ulid": history[3], "until_id": "6"},
    ):
        assert [5, 6] == [event["event_id"] for event in replay(http, OLDER, **query)], query


@pytest.mark.parametrize("path", [NEWER, OLDER])
def test_one_account_can_be_asked_for(http: httpx.Client, history: list[str], path: str) -> None:
    """By its id, as the SDK's filter names it; without it all accounts come."""
    events = replay(http, path, since_id=FIRST, until_id=history[-1])
    mine = events[0]["account_id"]
    assert [mine] * 3 == [
        event["account_id"] for event in replay(http, path, since_id=FIRST, until_id=history[-1], id=mine)
    ]
    assert 6 == len(events)


@pytest.mark.parametrize(
    ("path", "query", "status", "sentence"),
    [
        (
            NEWER,
            {"since_id": "3"},
            422,
            "since_id must be the event_id of an event, a ULID of 26 characters; received '3'.",
        ),
        (NEWER, {"until_id": FIRST}, 422, "until_id needs since_id"),
        (NEWER, {"id": "nobody"}, 404, "There is no account nobody."),
        (OLDER, {"since_id": "x"}, 422, "a ULID of 26 characters, or its number; received 'x'."),
        (OLDER, {"since_id": "-1"}, 422, "a ULID of 26 characters, or its number; received '-1'."),
        (
            OLDER,
            {"since_id": "7"},
            422,
            "since_id must be the number of an event, from 0 to 6, or its ULID; received 7.",
        ),
        (OLDER, {"since_id": "1", "until_id": "9" * 18}, 422, "until_id must be the number of an event, from 0 to 6"),
        (OLDER, {"since_id": "9" * 30}, 422, "since_id must be the event_id of an event"),
        (OLDER, {"since_id": "2", "until_id": "1"}, 422, "until_id must not lie before since_id"),
        (OLDER, {"since_id": "1", "since_ulid": FIRST}, 422, "since_id and since_ulid name the same thing"),
        (OLDER, {"since_ulid": "1"}, 422, "since_ulid must be the event_id of an event"),
        (OLDER, {"since": "2026-03-11T14:00:00Z", "since_id": "1"}, 422, "since and since_id cannot be used together"),
        (OLDER, {"since": "yesterday"}, 422, "since must be a time such as"),
    ],
)
@pytest.mark.usefixtures("history")
def test_nonsense_is_refused_in_a_sentence(
    http: httpx.Client, path: str, query: dict[str, str], status: int, sentence: str
) -> None:
    """Which names what does not fit; nothing is skipped in silence."""
    answer = http.get(path, params=query)
    assert status == answer.status_code
    assert sentence in answer.json()["message"]


def test_a_thousand_events_are_replayed_in_order(http: httpx.Client, service: Service) -> None:
    """Five hundred orders, accepted and filled, over more than one page."""
    buyer = account(service, 1_000_000)
    for _ in range(500):
        buy(service, buyer, "1")
    service.advance(Advance(seconds=5))
    events = replay(http, NEWER, since_id=FIRST, until_id=service.last_trade_event_id())
    ids = [event["event_id"] for event in events]
    assert 1000 == len(ids)
    assert sorted(set(ids)) == ids
    assert "500" == events[-1]["position_qty"]


def test_streams_are_cut_once_for_each_time_of_the_script(service: Service) -> None:
    """A disconnect with times=2 is used up by two looks, and there is none without a script."""
    assert not service.take_disconnect()
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="disconnect", times=2),)))
    assert [True, True, False] == [service.take_disconnect() for _ in range(3)]
