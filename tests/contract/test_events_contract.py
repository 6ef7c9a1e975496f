"""GET /v2/events/rebalancer, over both transports: what may be asked, what comes, and that it comes once (9.1)."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert

from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.service import Service
from driftdesk.backend.serving import Server
from driftdesk.backend.store.tables import events
from driftdesk.client import Client, ClientKeys
from driftdesk.client.events import Cursor, Events
from driftdesk.client.transport import Transport, Waiting
from driftdesk.wire.events import RebalancerEvent
from driftdesk.wire.portfolios import CreatePortfolio, Weight
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import Advance, CreateAccount
from driftdesk.wire.ulid import last_ulid, read_ulid, time_of, write_ulid

PATH = "/v2/events/rebalancer"
NAMES = ("since", "until", "since_id", "until_id", "Last-Event-Id")
# By the documentation: no history; a time, with or without an end; an id, of the query or of the header (which wins),
# with or without an end. Everything else is refused.
ALLOWED = {
    frozenset(names)
    for names in (
        (),
        ("since",),
        ("since", "until"),
        ("since_id",),
        ("since_id", "until_id"),
        ("Last-Event-Id",),
        ("Last-Event-Id", "until_id"),
        ("Last-Event-Id", "since_id"),
        ("Last-Event-Id", "since_id", "until_id"),
    )
}
COMBINATIONS = [frozenset(names) for size in range(6) for names in itertools.combinations(NAMES, size)]


@pytest.fixture(params=["in-process", "socket"])
def http(request: pytest.FixtureRequest, app: FastAPI) -> Iterator[httpx.Client]:
    """A plain HTTP client of the backend."""
    if request.param == "in-process":
        with httpx.Client(
            base_url="http://embedded", auth=("key", "secret"), transport=InProcessTransport(app)
        ) as made:
            yield made
        return
    with httpx.Client(base_url=request.getfixturevalue("address"), auth=("key", "secret")) as made:
        yield made


WEIGHTS = (
    Weight(type="cash", percent=Decimal(5)),
    Weight(type="asset", symbol="SPY", percent=Decimal(95)),
)


def change(service: Service) -> str:
    """Make one event: a portfolio that becomes inactive. Its id."""
    portfolio = service.create_portfolio(CreatePortfolio(name="Model", weights=WEIGHTS))
    service.inactivate_portfolio(portfolio.id)
    return portfolio.id


@pytest.fixture
def history(service: Service) -> list[str]:
    """Six events, two an instant, an hour apart; their ids."""
    for _ in range(3):
        change(service)
        change(service)
        service.advance(Advance(seconds=3600))
    return [event_id for event_id, _ in service.read_events(write_ulid(0), None, 99)]


def asked(names: frozenset[str], history: list[str]) -> dict[str, dict[str, str]]:
    """Query and headers that ask for the whole history by these names."""
    start, end = time_of(history[0]), time_of(history[-1])
    values = {
        "since": start.isoformat(),
        "until": end.isoformat(),
        "since_id": write_ulid(read_ulid(history[0]) - 1),
        "until_id": history[-1],
        "Last-Event-Id": history[0],
    }
    said = {name: values[name] for name in names}
    headers = {"Last-Event-Id": said.pop("Last-Event-Id")} if "Last-Event-Id" in said else {}
    return {"params": said, "headers": headers}


def replay(http: httpx.Client, headers: dict[str, str] | None = None, **query: str) -> list[str]:
    """The ids of a stream that ends."""
    answer = http.get(PATH, params=query, headers=headers)
    assert 200 == answer.status_code, answer.text
    payloads = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    return [json.loads(payload)["event_id"] for payload in payloads]


# --- what may be asked --------------------------------------------------------------------------------------------


def test_every_combination_of_the_query(http: httpx.Client, history: list[str]) -> None:
    """Nine of thirty-two are a stream, the others are refused in one sentence that names what does not fit."""
    assert 32 == len(COMBINATIONS)
    for names in COMBINATIONS:
        with http.stream("GET", PATH, **asked(names, history)) as answer:
            if names in ALLOWED:
                assert 200 == answer.status_code, names
                assert "text/event-stream" == answer.headers["content-type"].partition(";")[0]
                assert b": connected\n" in next(answer.iter_bytes())
                continue
            answer.read()
        assert (422, 42210000) == (answer.status_code, answer.json()["code"]), names
        message = answer.json()["message"]
        assert any(name in message for name in names)
        assert message.endswith(".")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"since": "yesterday"}, "since must be a time such as"),
        ({"since": "2025-03-03T15:00:00Z", "until": "x"}, "until must be a time such as"),
        ({"since_id": "12"}, "since_id must be the event_id of an event"),
        ({"since_id": ""}, "since_id must be the event_id of an event"),
        ({"since_id": "0" * 26, "until_id": "U" * 26}, "until_id must be the event_id of an event"),
        ({"since": "2025-03-03T15:00:00Z", "until": "2025-03-03T14:59:59.999Z"}, "until must not lie before since"),
        ({"since_id": "1".zfill(26), "until_id": "0" * 26}, "until_id must not lie before since_id"),
    ],
)
def test_values_that_are_none_are_refused(http: httpx.Client, query: dict[str, str], sentence: str) -> None:
    """No time, no ULID, an end before the beginning."""
    answer = http.get(PATH, params=query)
    assert 422 == answer.status_code
    assert sentence in answer.json()["message"]


def test_a_header_that_is_no_id_is_refused(http: httpx.Client) -> None:
    """By its own name; an empty one, as a fresh reader has it, is none."""
    answer = http.get(PATH, headers={"Last-Event-Id": "7"})
    assert (422, True) == (answer.status_code, answer.json()["message"].startswith("Last-Event-Id must be"))
    with http.stream("GET", PATH, headers={"Last-Event-Id": ""}, params={"since": "2025-01-01T00:00:00Z"}) as answer:
        assert 200 == answer.status_code


def test_who_sends_no_key_gets_no_stream(http: httpx.Client) -> None:
    """As everywhere."""
    http.auth = None
    assert 401 == http.get(PATH).status_code


# --- history ------------------------------------------------------------------------------------------------------


def test_replay_behind_every_event_gives_exactly_the_rest(http: httpx.Client, history: list[str]) -> None:
    """By the query and by the header; up to every event gives exactly what comes before and itself."""
    assert history == sorted(set(history))
    before = write_ulid(read_ulid(history[0]) - 1)
    for index, event_id in enumerate(history):
        rest = history[index + 1 :]
        assert rest == replay(http, since_id=event_id, until_id=history[-1])
        assert rest == replay(http, {"Last-Event-Id": event_id.lower()}, until_id=history[-1])
        assert history[: index + 1] == replay(http, since_id=before, until_id=event_id)


def test_the_header_wins_over_the_query(http: httpx.Client, history: list[str]) -> None:
    """As a browser resumes a stream whose address has a since_id."""
    assert history[4:] == replay(http, {"Last-Event-Id": history[3]}, since_id=history[0], until_id=history[-1])


def test_times_are_compared_with_the_time_in_the_id(http: httpx.Client, history: list[str]) -> None:
    """Both ends belong to it, to the millisecond; the second pair of events was an hour after the first."""
    second = time_of(history[2])
    millisecond, end = timedelta(milliseconds=1), time_of(history[-1]).isoformat()
    assert history[2:] == replay(http, since=second.isoformat(), until=end)
    assert history[4:] == replay(http, since=(second + millisecond).isoformat(), until=end)
    start = time_of(history[0]).isoformat()
    assert history[:4] == replay(http, since=start, until=second.isoformat())
    assert history[:2] == replay(http, since=start, until=(second - millisecond).isoformat())
    assert history == replay(http, since="1960-01-01T00:00:00Z", until=end)


def test_an_event_is_framed_as_the_standard_wants_it(http: httpx.Client, history: list[str]) -> None:
    """Its id, and one line of JSON."""
    text = http.get(PATH, params={"since_id": history[-2], "until_id": history[-1]}).text
    greeting, event, end = text.split("\n\n")
    assert (f": connected\nid: {history[-2]}", "") == (greeting, end)
    first, second = event.split("\n")
    assert f"id: {history[-1]}" == first
    payload = json.loads(second.removeprefix("data: "))
    assert ("portfolio.status_changed", "inactive") == (payload["event_type"], payload["portfolio"]["status"])


def test_a_thousand_events_are_replayed_whole(http: httpx.Client, service: Service, history: list[str]) -> None:
    """In order, over more than one page."""
    last = read_ulid(history[-1])
    made = [write_ulid(last + number) for number in range(1, 1001)]
    with service.world.database.write() as connection:
        connection.execute(
            insert(events),
            [
                {
                    "event_id": event_id,
                    "event_type": "run.created",
                    "at": time_of(event_id),
                    "payload": json.dumps({"event_id": event_id, "event_type": "run.created", "x": "y" * 1000}),
                }
                for event_id in made
            ],
        )
    assert made == replay(http, since_id=history[-1], until_id=made[-1])


# --- live ---------------------------------------------------------------------------------------------------------


class Follower(threading.Thread):
    """Reads a stream in a thread of its own."""

    def __init__(self, read: Callable[[], Iterator[RebalancerEvent]]) -> None:
        super().__init__()
        self.read = read
        self.events: list[RebalancerEvent] = []
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            for event in self.read():
                self.events.append(event)
        except Exception as error:
            self.error = error

    def wait_for(self, count: int) -> list[str]:
        """The ids of the first `count` events, once they are there."""
        deadline = time.monotonic() + 10
        while len(self.events) < count:
            assert time.monotonic() < deadline, (self.events, self.error)
            time.sleep(0.01)
        return [event.event_id for event in self.events]


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_happens_arrives(client: Client, service: Service, history: list[str]) -> None:
    """History, then live events as they are made, in order; the stream ends when the client is closed."""
    follower = Follower(lambda: client.events.rebalancer(after_id=history[3]))
    assert history[4:] == follower.wait_for(2)
    made = [change(service), change(service)]
    follower.wait_for(4)
    assert made == [event.portfolio and event.portfolio.id for event in follower.events[2:]]
    client.close()
    follower.join(10)
    assert not follower.is_alive()


def test_without_a_beginning_only_what_happens_from_now_on_arrives(
    client: Client, service: Service, history: list[str]
) -> None:
    """No history; the place is known before the first event."""
    cursor = Cursor()
    follower = Follower(lambda: client.events.rebalancer(cursor=cursor))
    wait_until(lambda: cursor.event_id)
    assert history[-1] == cursor.event_id
    made = change(service)
    follower.wait_for(1)
    assert [made] == [event.portfolio and event.portfolio.id for event in follower.events]
    client.close()
    follower.join(10)


def test_an_empty_world_can_be_followed(client: Client, service: Service) -> None:
    """From before its first event on."""
    cursor = Cursor()
    follower = Follower(lambda: client.events.rebalancer(cursor=cursor))
    wait_until(lambda: cursor.event_id)
    made = change(service)
    follower.wait_for(1)
    assert [made] == [event.portfolio and event.portfolio.id for event in follower.events]
    client.close()
    follower.join(10)


def test_a_run_is_followed_to_its_end(client: Client, service: Service) -> None:
    """A page that watches a run sees its four events, with the run as it then stood."""
    account = service.simulate_account(CreateAccount(cash=Decimal(10000)))
    follower = Follower(lambda: client.events.rebalancer(since=service.world.now()))
    run = client.runs.create(CreateRun(account_id=account.id, type="full_rebalance", weights=WEIGHTS))
    client.simulation.advance(seconds=120)
    follower.wait_for(4)
    assert ["QUEUED", "IN_PROGRESS", "COMPLETED_ADJUSTED", "COMPLETED_SUCCESS"] == [
        event.run and event.run.status for event in follower.events
    ]
    assert {run.id} == {event.run and event.run.id for event in follower.events}
    client.close()
    follower.join(10)


def test_an_end_in_the_future_is_waited_for(client: Client, service: Service, history: list[str]) -> None:
    """The stream ends once the simulated clock has passed it, with everything up to it."""
    until = service.world.now() + timedelta(hours=1)
    follower = Follower(lambda: client.events.rebalancer(after_id=history[-1], until=until))
    made = [change(service)]
    assert follower.wait_for(1)
    service.advance(Advance(to=until))
    made.append(change(service))
    follower.wait_for(2)
    assert follower.is_alive()
    service.advance(Advance(seconds=1))
    change(service)
    follower.join(10)
    assert not follower.is_alive()
    assert made == [event.portfolio and event.portfolio.id for event in follower.events]


def test_an_end_that_is_reached_gives_history_and_stops(client: Client, service: Service, history: list[str]) -> None:
    """Also where the simulated clock stands still at that very instant."""
    change(service)
    start: datetime = time_of(history[0])
    expected = [*history, service.last_event_id()]
    assert expected == [event.event_id for event in client.events.rebalancer(since=start, follow=False)]
    assert expected[3:] == [event.event_id for event in client.events.rebalancer(after_id=history[2], follow=False)]
    assert [] == list(client.events.rebalancer(after_id=last_ulid(service.world.now()), follow=False))


# --- lost and found -----------------------------------------------------------------------------------------------


class Cut(httpx.BaseTransport):
    """Lets so many bytes of each answer pass and then loses the connection."""

    def __init__(self, inner: httpx.BaseTransport, size: int) -> None:
        self.inner = inner
        self.size = size
        self.connections = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.inner.handle_request(request)
        if not request.url.path.startswith(PATH):
            return answer
        self.connections += 1
        return httpx.Response(answer.status_code, headers=answer.headers, stream=CutBody(answer, self.size))

    def close(self) -> None:
        self.inner.close()


class CutBody(httpx.SyncByteStream):
    def __init__(self, answer: httpx.Response, size: int) -> None:
        self.answer = answer
        self.left = size

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.answer.iter_raw():
            yield piece[: self.left]
            self.left -= len(piece)
            if self.left <= 0:
                raise httpx.ReadError("the connection was lost")

    def close(self) -> None:
        self.answer.close()


@pytest.mark.parametrize("size", [700, 1100, 2000])
def test_a_connection_that_is_lost_again_and_again_loses_and_doubles_nothing(
    app: FastAPI, request: pytest.FixtureRequest, history: list[str], size: int
) -> None:
    """Cut in the middle of an event, over a real socket: every event arrives, once, in order."""
    cut = Cut(httpx.HTTPTransport(), size)
    waiting = Waiting(sleep=lambda _: None)
    transport = Transport(
        request.getfixturevalue("address"), ClientKeys("key", "secret"), transport=cut, waiting=waiting
    )
    found = Events(transport, waiting).rebalancer(since=time_of(history[0]), follow=False)
    assert history == [event.event_id for event in found]
    assert cut.connections > 1
    transport.close()


def test_a_reader_that_fails_reads_on_where_it_was(client: Client, history: list[str]) -> None:
    """With nothing but the id that it stored: the event it failed at comes again, and then the rest."""
    cursor, handled = Cursor(), []

    def handle(events: Iterator[RebalancerEvent], fails_at: str | None) -> None:
        for event in events:
            if event.event_id == fails_at:
                raise ZeroDivisionError
            handled.append(event.event_id)

    with pytest.raises(ZeroDivisionError):
        handle(client.events.rebalancer(since=time_of(history[0]), follow=False, cursor=cursor), history[3])
    stored = json.loads(json.dumps({"cursor": cursor.event_id}))
    handle(client.events.rebalancer(follow=False, cursor=Cursor(stored["cursor"])), None)
    assert history == handled


def test_a_server_that_shuts_down_does_not_wait_for_its_streams(app: FastAPI, history: list[str]) -> None:
    """The reader is told, and comes again; here nobody answers any more."""
    server = Server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with (
        httpx.Client(base_url=url, auth=("key", "secret")) as http,
        http.stream("GET", PATH, params={"since_id": history[-1]}) as answer,
    ):
        pieces: Any = answer.iter_text()
        assert "connected" in next(pieces)
        server.should_exit = True
        assert "shutting down" in "".join(pieces)
        thread.join(4)
    assert not thread.is_alive()


def test_a_reader_that_leaves_ends_its_stream(app: FastAPI, http: httpx.Client, service: Service) -> None:
    """The backend stops reading the table for it."""
    reads: list[str] = []
    read = service.read_events

    def counted(after: str, until: str | None, limit: int) -> Any:
        reads.append(after)
        return read(after, until, limit)

    service.read_events = counted  # type: ignore[method-assign]
    with http.stream("GET", PATH) as answer:
        next(answer.iter_bytes())
        wait_until(lambda: reads)
    time.sleep(0.1)
    before = len(reads)
    # Two looks' time.
    time.sleep(0.6)
    assert before == len(reads)
