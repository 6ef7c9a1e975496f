"""The in-process transport: many threads, broken apps, slow apps, streamed answers, and an end."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from driftdesk.backend.inprocess import InProcessTransport


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 201 with the method, the path, the query and the body, in two pieces."""
    body = (await receive())["body"]
    head = f"{scope['method']} {scope['path']} {scope['query_string'].decode()} ".encode()
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1")]})
    await send({"type": "http.response.body", "body": head, "more_body": True})
    await send({"type": "http.response.body", "body": body})
    assert (await receive())["type"] == "http.disconnect"


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """Fails before it answers."""
    raise RuntimeError("internal detail")


async def half(scope: Scope, receive: Receive, send: Send) -> None:
    """Fails in the middle of its answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("internal detail")


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Ends without an answer."""


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Never answers."""
    await anyio.sleep_forever()


def client(app: object) -> httpx.Client:
    return httpx.Client(base_url="http://desk", transport=InProcessTransport(app))


def test_a_request_reaches_the_app_and_its_answer_comes_back_whole() -> None:
    """Method, decoded path, query and body arrive; status, headers and all pieces return."""
    with client(echo) as http:
        answer = http.post("/a%20b?c=1", content=b"body")
    assert (201, "1", "POST /a b c=1 body") == (answer.status_code, answer.headers["x-a"], answer.text)


class Ticking:
    """Sends its number a piece at a time until `last`, or until nobody reads; notes how it ended."""

    def __init__(self, last: int | None = None, *, breaks: bool = False) -> None:
        self.last = last
        self.breaks = breaks
        self.sent = 0
        self.ended = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]})
            while self.last is None or self.sent < self.last:
                self.sent += 1
                await send({"type": "http.response.body", "body": b"%d " % self.sent, "more_body": True})
            if self.breaks:
                raise RuntimeError("internal detail")
            await send({"type": "http.response.body", "body": b"end"})
        finally:
            self.ended.set()


def test_an_answer_in_pieces_is_read_as_it_comes() -> None:
    """The first pieces are there while the app, which never ends, waits for its reader; then the reader leaves."""
    app = Ticking()
    with client(app) as http:
        with http.stream("GET", "/") as answer:
            assert (200, "1") == (answer.status_code, answer.headers["x-a"])
            read = b""
            for piece in answer.iter_raw():
                read += piece
                if b" 100 " in read:
                    break
            assert not app.ended.is_set()
            # What a reader has not taken is not made: it may be 16 pieces behind, and one in the making.
            assert app.sent <= read.count(b" ") + 2 * 17
        assert app.ended.wait(5)


def test_a_streamed_answer_ends_as_a_whole() -> None:
    """Also for a reader that does not stream; nothing is left running."""
    with client(app := Ticking(50)) as http:
        assert " ".join(map(str, range(1, 51))) + " end" == http.get("/").text
        assert app.ended.is_set()


def test_a_streamed_answer_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    """As over a socket: what came before is there, then an error."""
    read = []
    broken_off = pytest.raises(httpx.RemoteProtocolError)
    with client(Ticking(3, breaks=True)) as http, http.stream("GET", "/") as answer, broken_off:
        read.extend(answer.iter_raw())
    assert b"1 2 3 " == b"".join(read)


async def stalls(scope: Scope, receive: Receive, send: Send) -> None:
    """One piece, and then nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    assert (await receive())["type"] == "http.request"
    assert (await receive())["type"] == "http.disconnect"


def test_the_read_timeout_holds_between_pieces() -> None:
    """A stream that falls silent is given up."""
    with client(stalls) as http, http.stream("GET", "/", timeout=0.05) as answer, pytest.raises(httpx.ReadTimeout):
        answer.read()


def test_closing_cuts_off_the_streams() -> None:
    """A reader in another thread gets an error, and nothing waits for ever."""
    http = client(stalls)

    def read() -> None:
        with http.stream("GET", "/") as answer:
            for _ in answer.iter_raw():
                begun.set()

    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        assert begun.wait(5)
        http.close()
        with pytest.raises(httpx.TransportError):
            reading.result(5)


def test_streams_that_were_left_leave_no_tasks() -> None:
    """A hundred readers that go after the first piece: the loop is as empty as before."""
    with client(stalls) as http:
        portal = http._transport._portal
        before = portal.call(lambda: len(asyncio.all_tasks()))
        for _ in range(100):
            with http.stream("GET", "/") as answer:
                assert b"one" == next(answer.iter_raw())
        for _ in range(100):
            if portal.call(lambda: len(asyncio.all_tasks())) == before:
                break
            time.sleep(0.01)
        assert before == portal.call(lambda: len(asyncio.all_tasks()))
        assert http._transport._streams == set()


def test_threads_get_their_own_answers() -> None:
    """Several sessions share one transport."""
    with client(echo) as http, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: http.post("/", content=str(n)).text, range(200)))
    assert [f"POST /  {n}" for n in range(200)] == answers


@pytest.mark.parametrize("app", [broken, half, silent])
def test_an_app_that_fails_answers_500(app: object) -> None:
    """Neither a hang nor an exception of the app's; no internals."""
    with client(app) as http:
        answer = http.get("/")
    assert (500, 50010000) == (answer.status_code, answer.json()["code"])
    assert "internal detail" not in answer.text


def test_an_app_that_never_answers_runs_into_the_timeout() -> None:
    """The client's own read timeout holds in-process too, and the transport still closes."""
    with client(slow) as http, pytest.raises(httpx.ReadTimeout):
        http.get("/", timeout=0.05)


def test_a_closed_transport_says_so_and_closes_twice() -> None:
    """Requests after the end fail at once."""
    transport = InProcessTransport(echo)
    transport.close()
    transport.close()
    with pytest.raises(httpx.CloseError):
        transport.handle_request(httpx.Request("GET", "http://desk/"))


def test_a_program_that_forgets_to_close_still_ends() -> None:
    """The background thread does not keep the interpreter from exiting."""
    program = (
        "from starlette.applications import Starlette; import httpx;"
        "from driftdesk.backend.inprocess import InProcessTransport;"
        "kept = httpx.Client(transport=InProcessTransport(Starlette()));"
        "print(kept.get('http://here/').status_code)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "404" == ended.stdout.strip()
