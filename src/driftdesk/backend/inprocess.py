"""An httpx transport onto an ASGI app in this process: the embedded default speaks the same wire, without a socket.

The app runs on an event loop in one background thread; any number of threads may send requests at once.
"""

import atexit
import logging
from contextlib import ExitStack
from http import HTTPStatus
from typing import Final

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp, Message, Scope

from driftdesk.wire.errors import ErrorBody

_log: Final = logging.getLogger(__name__)
_INTERNAL: Final = ErrorBody(code=50_010_000, message="The backend failed to answer; its log says why.")

_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class InProcessTransport(httpx.BaseTransport):
    """Sends each request to `app` and waits for its whole answer. `close()` ends the thread; needs no lifespan.

    An exception that escapes the app becomes a 500 answer. Raises httpx.ReadTimeout after the request's own read
    timeout, and httpx.CloseError once closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._exit = ExitStack()
        self._portal = self._exit.enter_context(start_blocking_portal("asyncio", name="driftdesk-backend"))
        # A program that ends without closing would wait for ever on the loop of a thread that is gone by then.
        atexit.register(self.close)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; called by httpx."""
        scope, body = _scope(request), request.read()
        try:
            future = self._portal.start_task_soon(_ask, self._app, scope, body)
        except RuntimeError as error:
            raise httpx.CloseError("the in-process backend is closed", request=request) from error
        try:
            status, headers, content = future.result(request.extensions.get("timeout", {}).get("read"))
        except TimeoutError as error:
            future.cancel()
            raise httpx.ReadTimeout("the in-process backend took too long", request=request) from error
        return httpx.Response(status, headers=headers, content=content, request=request)

    def close(self) -> None:
        """Finish the requests under way and end the background thread; may be called again."""
        atexit.unregister(self.close)
        self._exit.close()


def _scope(request: httpx.Request) -> Scope:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("in-process", 0),
        "server": (url.host, url.port),
        "state": {},
    }


async def _ask(app: ASGIApp, scope: Scope, body: bytes) -> _Answer:
    status: int | None = None
    headers: list[tuple[bytes, bytes]] = []
    content: list[bytes] = []
    read = False
    done = anyio.Event()

    async def receive() -> Message:
        nonlocal read
        if not read:
            read = True
            return {"type": "http.request", "body": body, "more_body": False}
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            content.append(message.get("body", b""))
            if not message.get("more_body", False):
                done.set()

    try:
        await app(scope, receive, send)
    except Exception:
        _log.exception("the app failed: %s %s", scope["method"], scope["path"])
    if status is None or not done.is_set():
        text = _INTERNAL.model_dump_json(exclude_none=True)
        return HTTPStatus.INTERNAL_SERVER_ERROR, [(b"content-type", b"application/json")], text.encode()
    return status, headers, b"".join(content)
