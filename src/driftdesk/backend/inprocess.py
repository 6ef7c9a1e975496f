"""An httpx transport onto an ASGI app in this process: the embedded default speaks the same wire, without a socket.

The app runs on an event loop in one background thread; any number of threads may send requests at once.
"""

import atexit
import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from http import HTTPStatus
from typing import Final

import anyio
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.types import ASGIApp, Message, Scope

from driftdesk.wire.errors import ErrorBody

_log: Final = logging.getLogger(__name__)
_INTERNAL: Final = ErrorBody(code=50_010_000, message="The backend failed to answer; its log says why.")
# So many pieces of an answer wait for their reader; then the app waits.
_MOST_PIECES: Final = 16

_Headers = list[tuple[bytes, bytes]]


class InProcessTransport(httpx.BaseTransport):
    """Sends each request to `app`. `close()` ends the thread and the open streams with it; needs no lifespan.

    An answer that comes in one piece is waited for; one that comes in several is read as it comes, by `httpx.stream`.
    An exception that escapes the app before its first piece becomes a 500 answer. Raises httpx.ReadTimeout after the
    request's own read timeout, httpx.RemoteProtocolError for an answer that ends too early, and httpx.CloseError once
    closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._streams: set[Future[None]] = set()
        self._closed = False
        self._exit = ExitStack()
        self._portal = self._exit.enter_context(start_blocking_portal("asyncio", name="driftdesk-backend"))
        # A program that ends without closing would wait for ever on the loop of a thread that is gone by then.
        atexit.register(self.close)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; called by httpx."""
        exchange = _Exchange(_scope(request), request.read())
        timeout: float | None = request.extensions.get("timeout", {}).get("read")
        try:
            task = self._portal.start_task_soon(exchange.run, self._app)
        except RuntimeError as error:
            raise httpx.CloseError("the in-process backend is closed", request=request) from error
        try:
            status, headers, content = exchange.head.result(timeout)
        except TimeoutError as error:
            task.cancel()
            raise httpx.ReadTimeout("the in-process backend took too long", request=request) from error
        if content is not None:
            return httpx.Response(status, headers=headers, content=content, request=request)
        self._keep(task)
        body = _Body(self._portal, exchange.pieces, task, timeout)
        return httpx.Response(status, headers=headers, stream=body, request=request)

    def close(self) -> None:
        """Finish the requests under way, cut off the streams, end the background thread; may be called again."""
        self._closed = True
        for task in tuple(self._streams):
            task.cancel()
        atexit.unregister(self.close)
        self._exit.close()

    def _keep(self, task: "Future[None]") -> None:
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        # Else one that begins while the transport closes would be waited for.
        if self._closed:
            task.cancel()


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


class _Pieces:
    """The body of a streamed answer between the app and its reader; lives on the loop."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._ended = False
        self._changed = anyio.Event()
        self.whole = False

    async def put(self, piece: bytes) -> None:
        """Hand a piece on, once the reader is not too far behind."""
        while len(self._waiting) >= _MOST_PIECES:
            await self._changed.wait()
        # An empty piece would mean the end.
        if piece:
            self._waiting.append(piece)
            self._wake()

    async def take(self) -> bytes:
        """All that waits, as soon as anything does; empty at the end."""
        while not self._waiting and not self._ended:
            await self._changed.wait()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self._wake()
        return taken

    def end(self, *, whole: bool) -> None:
        """Nothing more comes; `whole` says whether the app had come to its end."""
        self._ended, self.whole = True, whole
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class _Exchange:
    """One request and its answer. `head` gets status, headers, and the body unless it streams through `pieces`."""

    def __init__(self, scope: Scope, body: bytes) -> None:
        self.head: Future[tuple[int, _Headers, bytes | None]] = Future()
        self.pieces: _Pieces
        self._scope = scope
        self._body = body

    async def run(self, app: ASGIApp) -> None:
        status: int | None = None
        headers: _Headers = []
        content = b""
        read = streams = False
        done = anyio.Event()

        async def receive() -> Message:
            nonlocal read
            if not read:
                read = True
                return {"type": "http.request", "body": self._body, "more_body": False}
            await done.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status, headers, content, streams
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message.get("headers", []))
            elif message["type"] == "http.response.body" and status is not None:
                more, piece = message.get("more_body", False), message.get("body", b"")
                if more and not streams:
                    streams = True
                    self.pieces = _Pieces()
                    self.head.set_result((status, headers, None))
                if streams:
                    await self.pieces.put(piece)
                else:
                    content = piece
                if not more:
                    done.set()

        try:
            await app(self._scope, receive, send)
        except Exception:
            _log.exception("the app failed: %s %s", self._scope["method"], self._scope["path"])
        finally:
            # Also when the reader left or the transport closes, which cancels this task.
            if streams:
                self.pieces.end(whole=done.is_set())
            elif status is None or not done.is_set():
                text = _INTERNAL.model_dump_json(exclude_none=True).encode()
                failed = HTTPStatus.INTERNAL_SERVER_ERROR.value, [(b"content-type", b"application/json")], text
                self.head.set_result(failed)
            else:
                self.head.set_result((status, headers, content))


class _Body(httpx.SyncByteStream):
    """A streamed answer as its reader sees it; `timeout` in seconds for each piece."""

    def __init__(self, portal: BlockingPortal, pieces: _Pieces, task: "Future[None]", timeout: float | None) -> None:
        self._portal = portal
        self._pieces = pieces
        self._task = task
        self._timeout = timeout

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._take():
            yield piece
        if not self._pieces.whole:
            raise httpx.RemoteProtocolError("the in-process backend ended its answer early")

    def close(self) -> None:
        """Called at the end, or when the reader has seen enough: that is told to the app by canceling it."""
        if not self._pieces.whole:
            self._task.cancel()

    def _take(self) -> bytes:
        try:
            taken = self._portal.start_task_soon(self._pieces.take)
        except RuntimeError as error:
            raise httpx.ReadError("the in-process backend was closed") from error
        try:
            return taken.result(self._timeout)
        except TimeoutError as error:
            taken.cancel()
            raise httpx.ReadTimeout("the in-process backend took too long") from error
        except CancelledError as error:
            raise httpx.ReadError("the in-process backend was closed") from error
