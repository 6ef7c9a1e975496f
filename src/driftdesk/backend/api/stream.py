"""Server-sent events from anything that is read by watermark (wire/alpaca.md 9.3).

A stream reads as its reader reads: a page at a time, from a table that keeps everything. So it holds no more than one
page, no writer ever waits for a reader, and whoever was cut off goes on behind the last id.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio
from fastapi import Response
from starlette.types import Receive, Scope, Send

_log: Final = logging.getLogger(__name__)

GREETING: Final = "connected"
HEARTBEAT: Final = "heartbeat"
# The reader knows by these words that the end is none, and comes again (see driftdesk.client.events).
TOO_SLOW: Final = "you are reading too slowly; {behind} messages were not sent, go on with Last-Event-Id"
SHUTTING_DOWN: Final = "the server is shutting down; go on with Last-Event-Id"
FAILED: Final = "internal server error; go on with Last-Event-Id"


class Source(Protocol):
    """What a stream is made of; `mark` is the id that was read last, or the one to begin behind."""

    @property
    def mark(self) -> str: ...

    def read(self, limit: int) -> Sequence[tuple[str, str]]:
        """The next events, oldest first: id, and JSON on one line."""

    def behind(self) -> int:
        """How many events are waiting to be read."""

    def is_over(self) -> bool:
        """Whether nothing more can come than what can be read now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a stream keeps time, in seconds, and how much a live reader may leave waiting."""

    poll: float = 0.25
    heartbeat: float = 15.0
    # A live reader that needs longer than this for a page, with more than that many events waiting, is too slow.
    slow: float = 1.0
    most_behind: int = 1000
    # One that takes nothing for so long is gone.
    patience: float = 60.0
    page: int = 200


class Streams:
    """The open streams of one app, which a server that shuts down has to end."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.pace = pace or Pace()
        self.closing = False

    def close(self) -> None:
        """End them all, each at its next look; may be called from any thread."""
        self.closing = True


class _Gone(Exception):
    """The reader took nothing within the stream's patience."""


class EventStream(Response):
    """200 with what `source` has and will have, until it is over, the reader leaves, or `streams` close."""

    media_type = "text/event-stream"

    def __init__(self, source: Source, streams: Streams) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        # There is no length to tell.
        del self.headers["content-length"]
        self._source = source
        self._streams = streams
        self._pace = streams.pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def put(text: str, *, more: bool = True) -> None:
            with anyio.move_on_after(self._pace.patience) as waiting:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": more})
            if waiting.cancelled_caught:
                raise _Gone

        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch)
            try:
                await self._follow(put)
                await put("", more=False)
            except _Gone:
                _log.info("a reader of %s took nothing for %s s", scope["path"], self._pace.patience)
            group.cancel_scope.cancel()

    async def _follow(self, put: "_Put") -> None:
        # An id without data tells an empty stream's reader where it stands, so that it too can be resumed.
        await put(f": {GREETING}\nid: {self._source.mark}\n\n")
        try:
            last_words = await self._send_all(put)
        except _Gone:
            raise
        except Exception:
            _log.exception("a stream of events failed")
            last_words = FAILED
        if last_words:
            await put(_comment(last_words))

    async def _send_all(self, put: "_Put") -> str:
        """Send history, then what comes; returns the comment to end with, empty where the end is one."""
        pace, source = self._pace, self._source
        live, said_at = False, time.monotonic()
        while not self._streams.closing:
            # Asked before reading: what was committed before the end is read, whatever is committed meanwhile.
            over = source.is_over()
            page = source.read(pace.page)
            if page:
                began = time.monotonic()
                await put("".join(f"id: {event_id}\ndata: {text}\n\n" for event_id, text in page))
                said_at = time.monotonic()
                if live and said_at - began > pace.slow and (behind := source.behind()) > pace.most_behind:
                    return TOO_SLOW.format(behind=behind)
                # A long history must not keep others waiting.
                await anyio.lowlevel.checkpoint()
                continue
            if over:
                return ""
            live = True
            if time.monotonic() - said_at >= pace.heartbeat:
                await put(_comment(HEARTBEAT))
                said_at = time.monotonic()
            await anyio.sleep(pace.poll)
        return SHUTTING_DOWN


class _Put(Protocol):
    async def __call__(self, text: str, *, more: bool = True) -> None: ...


def _comment(text: str) -> str:
    return f": {text}\n\n"
