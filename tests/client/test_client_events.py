"""Reading the stream of events: resumed, told once, in whatever shape an event comes (wire/alpaca.md 9)."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import httpx
import pytest

from driftdesk.client.events import MAX_LOSSES, SILENCE_SECONDS, Cursor, Events
from driftdesk.client.sse import Block, read_blocks
from driftdesk.client.transport import ClientKeys, Transport, Waiting
from driftdesk.errors import BackendError, InputError, Rejected, Unavailable
from driftdesk.wire.events import EventType
from driftdesk.wire.ulid import LOW_BITS, milliseconds, read_ulid, write_ulid

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 18, tzinfo=UTC)
# The millisecond of 18:00:00.000 ends with this id.
UNTIL_LATER = write_ulid((milliseconds(LATER) + 1 << LOW_BITS) - 1)
RUN = {
    "id": "r",
    "type": "full_rebalance",
    "status": "QUEUED",
    "account_id": "a",
    "portfolio_id": "p",
    "weights": [{"type": "asset", "symbol": "SPY", "percent": "100"}],
    "created_at": "2026-03-02T17:00:00Z",
    "updated_at": "2026-03-02T17:00:00Z",
}
PORTFOLIO = {
    "id": "p",
    "name": "Model",
    "status": "needs_adjustment",
    "weights": [{"type": "cash", "symbol": None, "percent": "100"}],
    "rebalance_conditions": [{"type": "drift_band", "sub_type": "absolute", "percent": "5"}],
    "created_at": "2026-03-02T17:00:00Z",
    "updated_at": "2026-03-02T17:00:00Z",
}
HEARTBEAT = b": heartbeat\n\n"
SLOW = b": you are reading too slowly; 5 messages were not sent\n\n"

Piece = bytes | httpx.HTTPError


def ulid(number: int) -> str:
    """The `number`-th id of noon."""
    return write_ulid((milliseconds(NOON) << LOW_BITS) + number)


def event(number: int, **more: Any) -> bytes:
    """An event of a run as it stands on the wire."""
    said = {"event_id": ulid(number), "event_type": "run.created", "at": NOON.isoformat(), "run": RUN, **more}
    return f"id: {ulid(number)}\ndata: {json.dumps(said)}\n\n".encode()


def greeting(number: int) -> bytes:
    return f": connected\nid: {ulid(number)}\n\n".encode()


class Body(httpx.SyncByteStream):
    """Pieces of an answer; one that is an error is raised, as a lost connection is."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, httpx.HTTPError):
                raise piece
            yield piece


class Wire:
    """A backend that answers each connection by a line of a script; the last one repeats. Notes requests and waits."""

    def __init__(self, *script: Iterable[Piece] | httpx.Response | httpx.HTTPError) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        waiting = Waiting(sleep=self.waits.append, jitter=lambda: 0.0, now=lambda: NOON)
        self.transport = Transport(
            "https://desk.test",
            ClientKeys("key", "secret"),
            transport=httpx.MockTransport(self.answer),
            waiting=waiting,
        )
        self.events = Events(self.transport, waiting)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/clock":
            times = dict.fromkeys(("timestamp", "next_open", "next_close"), LATER.isoformat())
            return httpx.Response(200, json={**times, "is_open": True})
        self.requests.append(request)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(line, httpx.HTTPError):
            raise line
        return line if isinstance(line, httpx.Response) else httpx.Response(200, stream=Body(line))

    @property
    def asked(self) -> list[tuple[dict[str, str], str | None]]:
        """Query and Last-Event-Id of each connection."""
        return [(dict(request.url.params), request.headers.get("Last-Event-Id")) for request in self.requests]


def lost() -> httpx.HTTPError:
    return httpx.ReadError("reset")


def numbers(events: Iterable[Any], most: int = 99) -> list[int]:
    """Which events came, as `ulid` counts them; at most `most` are asked for."""
    return [read_ulid(each.event_id) % 2**LOW_BITS for each in islice(events, most)]


# --- bytes to blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"data: one\n\n", [Block(data="one")]),
        (b"data:one\r\ndata: two\r\n\r\n", [Block(data="one\ntwo")]),
        (b"id: 7\revent: e\rdata: x\r\r\n", [Block(data="x", id="7", event="e")]),
        (b": hello\n:again\n\n", [Block(comment="hello"), Block(comment="again")]),
        (b"id: 7\n\n", [Block(id="7")]),
        (b"id\ndata\n\n", [Block(id="")]),
        (b"retry: 5\nunknown: x\ndata: 1\n\n", [Block(data="1")]),
        (b"data: cut off", []),
        (b"data: cut off\n", []),
        (b"data: a: b  \n\n", [Block(data="a: b  ")]),
        ("data: é\u2028\x85\n\n".encode(), [Block(data="é\u2028\x85")]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_blocks_are_read_however_the_bytes_are_cut(text: bytes, expected: list[Block], size: int) -> None:
    """All three line ends, comments, ids alone, and no line ends that are none."""
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert expected == list(read_blocks(chunks))


# --- what an event is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param({"run": RUN}, id="run"),
        pytest.param({"data": RUN}, id="data"),
        pytest.param(RUN, id="inlined"),
        pytest.param({"run": {**RUN, "type": "partial_liquidation", "initiated_from": "dashboard"}}, id="new words"),
    ],
)
def test_a_run_is_found_wherever_it_stands(shape: dict[str, Any]) -> None:
    """Under its own key, under data, or spread over the event; unknown enum values are kept."""
    said = {"event_id": ulid(1), "event_type": "run.status_changed", "at": NOON.isoformat(), **shape}
    wire = Wire([f"data: {json.dumps(said)}\n\n".encode()])
    (found,) = wire.events.rebalancer(since=NOON, until=LATER)
    assert (found.event_id, found.event_type, found.at) == (ulid(1), EventType.RUN_STATUS_CHANGED, NOON)
    assert found.run is not None
    assert ("r", "QUEUED", "100") == (found.run.id, found.run.status, str(found.run.weights[0].percent))
    assert (None, None) == (found.portfolio, found.data)


def test_a_portfolio_is_found_too() -> None:
    """Its conditions come without their empty keys."""
    said = {"event_id": ulid(1), "event_type": "portfolio.status_changed", "portfolio": PORTFOLIO}
    (found,) = Wire([f"data: {json.dumps(said)}\n\n".encode()]).events.rebalancer(since=NOON, until=LATER)
    assert found.portfolio is not None
    assert ("needs_adjustment", None) == (found.portfolio.status, found.portfolio.rebalance_conditions[0].day)
    assert (None, None, None) == (found.run, found.data, found.at)


@pytest.mark.parametrize(
    ("event_type", "shape"), [("account.closed", {"account": {"id": "a"}}), ("run.created", {"run": {"id": "r"}})]
)
def test_what_is_not_known_is_kept(event_type: str, shape: dict[str, Any]) -> None:
    """An unknown type, or a snapshot that is not as documented, does not end the stream."""
    said = {"event_id": ulid(1), "event_type": event_type, **shape}
    wire = Wire([f"data: {json.dumps(said)}\n\n".encode(), event(2)])
    strange, known = wire.events.rebalancer(since=NOON, until=LATER)
    assert strange.event_type == event_type
    assert strange.data == (shape if event_type == "account.closed" else {"id": "r"})
    assert known.run is not None


def test_id_and_type_may_stand_outside_the_data() -> None:
    """In the block's own fields, where the standard has them."""
    block = f"id: {ulid(1)}\nevent: run.created\ndata: {json.dumps({'run': RUN})}\n\n"
    (found,) = Wire([block.encode()]).events.rebalancer(since=NOON, until=LATER)
    assert (ulid(1), "run.created", "r") == (found.event_id, found.event_type, found.run and found.run.id)


@pytest.mark.parametrize("data", ["no json", "[1]", '{"run": {}}'])
def test_what_is_no_event_is_said(data: str) -> None:
    """Neither skipped in silence nor taken for an event."""
    with pytest.raises(BackendError, match="cannot be used"):
        list(Wire([f"data: {data}\n\n".encode()]).events.rebalancer(since=NOON, until=LATER))


# --- where it begins and ends -------------------------------------------------------------------------------------


def test_times_are_asked_for_first_and_ids_afterwards() -> None:
    """Behind an event the documentation wants ids on both sides; since is not repeated."""
    wire = Wire([event(1), lost()], [event(2)])
    assert [1, 2] == numbers(wire.events.rebalancer(since=NOON, until=LATER))
    assert wire.asked == [
        ({"since": "2026-03-02T17:00:00Z", "until": "2026-03-02T18:00:00Z"}, None),
        ({"until_id": UNTIL_LATER}, ulid(1)),
    ]


def test_after_an_id() -> None:
    """As Last-Event-Id, which wins over everything; the end is an id then."""
    wire = Wire([event(2)])
    assert [2] == numbers(wire.events.rebalancer(after_id=ulid(1), until=LATER))
    assert wire.asked == [({"until_id": UNTIL_LATER}, ulid(1))]


def test_without_following_the_end_is_the_backends_present() -> None:
    """Its clock says 18:00."""
    wire = Wire([event(1)])
    assert [1] == numbers(wire.events.rebalancer(since=NOON, follow=False))
    assert [({"since": "2026-03-02T17:00:00Z", "until": "2026-03-02T18:00:00Z"}, None)] == wire.asked


@pytest.mark.parametrize(
    "arguments", [{"since": LATER, "until": NOON}, {"after_id": UNTIL_LATER, "until": NOON}], ids=["times", "id"]
)
def test_an_end_before_the_beginning_asks_nothing(arguments: dict[str, Any]) -> None:
    """There is nothing in between, and a backend would refuse."""
    wire = Wire([event(1)])
    assert [] == list(wire.events.rebalancer(**arguments))
    assert wire.requests == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"since": NOON, "after_id": ulid(1)}, "after_id already says"),
        ({"cursor": Cursor(), "after_id": ulid(1)}, "after_id already says"),
        ({"until": LATER}, "no history to end"),
        ({"follow": False}, "no history to end"),
        ({"follow": False, "cursor": Cursor()}, "no history to end"),
        ({"since": datetime(2026, 3, 2)}, "since needs a time zone"),  # noqa: DTZ001 - the mistake itself
        ({"since": NOON, "until": datetime(2026, 3, 2)}, "until needs a time zone"),  # noqa: DTZ001
    ],
)
def test_arguments_that_do_not_go_together(arguments: dict[str, Any], sentence: str) -> None:
    """Refused at the call, before anything is read."""
    with pytest.raises(InputError, match=sentence):
        Wire([]).events.rebalancer(**arguments)


# --- lost and found -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [
        [httpx.ReadError("reset")],
        [httpx.ReadTimeout("silent")],
        [httpx.RemoteProtocolError("cut")],
        [SLOW],
        [b": the server is shutting down\n\n"],
        [b": internal server error\n\n"],
    ],
    ids=["reset", "silent", "cut", "slow", "shutdown", "error"],
)
def test_a_lost_stream_goes_on_behind_the_last_event(end: list[Piece]) -> None:
    """Also one that ends by itself with a reason, which is not the end that was asked for."""
    wire = Wire([event(1), event(2), *end], [event(3)])
    assert [1, 2, 3] == numbers(wire.events.rebalancer(since=NOON, until=LATER))
    assert [None, ulid(2)] == [last for _, last in wire.asked]
    assert [0.5] == wire.waits


def test_without_an_end_the_stream_is_opened_again_whenever_it_ends() -> None:
    """Nothing lies between two connections: even before the first event the place is known."""
    wire = Wire([greeting(7)], [event(8)], [event(9)])
    assert [8, 9] == numbers(wire.events.rebalancer(), most=2)
    assert [({}, None), ({}, ulid(7)), ({}, ulid(8))] == wire.asked


def test_repeats_are_dropped() -> None:
    """A backend may send an event again, the one that was resumed behind too."""
    wire = Wire([event(1), event(1), event(2), lost()], [event(1), event(2), event(3)])
    assert [1, 2, 3] == numbers(wire.events.rebalancer(since=NOON, until=LATER))
    assert [2] == numbers(Wire([event(1), event(2)]).events.rebalancer(after_id=ulid(1), until=LATER))


def test_a_backend_that_stays_away_is_given_up() -> None:
    """After nine losses in a row, with waits that double to a minute; it says where to read on."""
    wire = Wire([event(1), lost()], httpx.ConnectError("refused"))
    events = wire.events.rebalancer(since=NOON)
    next(events)
    with pytest.raises(Unavailable, match=rf"9 times in a row: No answer .*refused.*after_id='{ulid(1)}'"):
        next(events)
    assert MAX_LOSSES == 8 == len(wire.waits)
    assert [0.5, 1, 2, 4, 8, 16, 32, 60] == wire.waits


@pytest.mark.parametrize("sign", [event(1), HEARTBEAT], ids=["event", "heartbeat"])
def test_a_sign_of_life_begins_the_count_anew(sign: bytes) -> None:
    """Every connection lives for a while: that may go on for ever."""
    script = [[event(number) if sign != HEARTBEAT else sign, lost()] for number in range(1, 30)]
    wire = Wire(*script, [event(99)])
    assert numbers(wire.events.rebalancer(since=NOON, until=LATER))
    assert {0.5} == set(wire.waits)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_backend_that_is_busy_for_a_while_is_asked_again(status: int) -> None:
    """Only a stream that had been open before."""
    wire = Wire([event(1), lost()], httpx.Response(status), [event(2)])
    assert [1, 2] == numbers(wire.events.rebalancer(since=NOON, until=LATER))


def test_a_stream_that_cannot_be_opened_at_first_says_so() -> None:
    """At once: a wrong address does not get right by waiting."""
    wire = Wire(httpx.ConnectError("refused"))
    with pytest.raises(Unavailable, match="refused"):
        next(wire.events.rebalancer())
    assert wire.waits == []


def test_a_refusal_is_final() -> None:
    """With the backend's own sentence, on opening and on resuming."""
    refused = httpx.Response(422, json={"code": 42210000, "message": "since_id must be a ULID."})
    for script in ([refused], [[event(1), lost()], refused]):
        with pytest.raises(Rejected, match="since_id must be a ULID"):
            list(Wire(*script).events.rebalancer(since=NOON))


def test_a_closed_client_ends_the_stream() -> None:
    """A reader in a thread stops when the desk is closed."""
    wire = Wire([event(1), lost()], [event(2)])
    events = wire.events.rebalancer(since=NOON)
    next(events)
    wire.transport.close()
    assert [] == list(events)


def test_a_client_that_is_closed_while_a_stream_opens_leaves_no_reader_behind() -> None:
    """The answer came after the others were hung up: it is not read, though it has an event."""
    wire = Wire([event(1)])

    def closing(request: httpx.Request) -> httpx.Response:
        transport.close()
        return wire.answer(request)

    transport = Transport("https://desk.test", ClientKeys("key", "secret"), transport=httpx.MockTransport(closing))
    with pytest.raises(Unavailable, match="The client was closed"):
        list(Events(transport).rebalancer(since=NOON))


def test_silence_is_measured_in_heartbeats() -> None:
    """The time-out of an ordinary request is shorter than the wait between two of them."""
    wire = Wire([event(1)])
    list(wire.events.rebalancer(since=NOON, until=LATER))
    (request,) = wire.requests
    assert SILENCE_SECONDS == 45 == request.extensions["timeout"]["read"]
    assert "text/event-stream" == request.headers["Accept"]


# --- the cursor ---------------------------------------------------------------------------------------------------


def test_the_cursor_stands_at_the_last_event_that_was_done_with() -> None:
    """While an event is dealt with it stands before it: who fails there gets it again."""
    cursor = Cursor()
    events = Wire([event(1), event(2)]).events.rebalancer(since=NOON, until=LATER, cursor=cursor)
    next(events)
    assert cursor.event_id is None
    next(events)
    assert cursor.event_id == ulid(1)
    assert [] == list(events)
    assert cursor.event_id == ulid(2)


def test_a_stored_cursor_goes_on_where_it_stood() -> None:
    """`since` is only where a fresh one begins."""
    wire = Wire([event(2), event(3)])
    assert [2, 3] == numbers(wire.events.rebalancer(since=NOON, until=LATER, cursor=Cursor(ulid(1))))
    assert wire.asked == [({"until_id": UNTIL_LATER}, ulid(1))]


def test_a_fresh_cursor_of_a_quiet_stream_knows_its_place() -> None:
    """The backend said where the stream began, before anything happened."""
    cursor = Cursor()
    events = Wire([greeting(7), event(8)]).events.rebalancer(cursor=cursor)
    next(events)
    assert cursor.event_id == ulid(7)
