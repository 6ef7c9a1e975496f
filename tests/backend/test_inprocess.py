"""The in-process transport: many threads, broken apps, slow apps, and an end."""

import subprocess
import sys
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
