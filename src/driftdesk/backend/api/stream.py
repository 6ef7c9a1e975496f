"""Streams from anything that is read by watermark, and server-sent events of them (wire/alpaca.md 9.3).

A stream reads as its reader reads: a page at a time, from a table that keeps everything. So it holds no more than one
page, no writer ever waits for a reader, and whoever was cut off goes on behind the last id.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import anyio
from fastapi import Response
from starlette.types import Receive, Scope, Send

_log: Final = logging.getLogger(__name__)

GREETING: Final = "connected"
HEARTBEAT: Final = "heartbeat"
# The reader knows by these words that the end is none, and comes again (see driftdesk.client.events).
TOO_SLOW: Final = "you are reading too slowly, {behind} messages were not sent"
SHUTTING_DOWN: Final = "the server is shutting down"
FAILED: Final = "internal server error"
GO_ON: Final = "go on with Last-Event-Id"


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
    """The open streams of one app, which a server that shuts down has to end.

    `is_cut()` tells whether the fault script wants the open ones cut now, each once, and uses that up.
    """

    def __init__(self, pace: Pace | None = None, is_cut: Callable[[], bool] = lambda: False) -> None:
        self.pace = pace or Pace()
        self.closing = False
        self.cuts = 0
        self._is_cut = is_cut

    def look_for_cut(self) -> int:
        """How often the open streams were cut so far, now included: one that sees the number grow is cut."""
        if self._is_cut():
            self.cuts += 1
        return self.cuts

    def close(self) -> None:
        """End them all, each at its next look; may be called from any thread."""
        self.closing = True


class Gone(Exception):
    """The connection is dropped without a word; the text says why, for the log."""


async def in_time(patience: float, taking: Awaitable[None]) -> None:
    """Wait for the reader to take something; Gone after `patience` seconds."""
    with anyio.move_on_after(patience) as waiting:
        await taking
    if waiting.cancelled_caught:
        raise Gone(f"took nothing for {patience:g} s")


async def follow(
    source: Source,
    streams: Streams,
    send: Callable[[Sequence[tuple[str, str]]], Awaitable[None]],
    beat: Callable[[], Awaitable[None]] | None = None,
) -> str:
    """Send history, then what comes; returns why the stream ends early, empty where the end is one.

    `beat` gives a sign of life after each quiet while. Raises Gone where the fault script cuts the stream, and what
    `send`, `beat` and the source raise.
    """
    pace = streams.pace
    cuts, live, said_at = streams.cuts, False, time.monotonic()
    while not streams.closing:
        # Asked before reading: what was committed before the end is read, whatever is committed meanwhile.
        over = source.is_over()
        page = source.read(pace.page)
        if page:
            began = time.monotonic()
            await send(page)
            said_at = time.monotonic()
            if live and said_at - began > pace.slow and (behind := source.behind()) > pace.most_behind:
                return TOO_SLOW.format(behind=behind)
        elif over:
            return ""
        # After what was read, so that a script that cuts for ever stops nobody from getting on.
        if streams.look_for_cut() != cuts:
            raise Gone("was cut off by the fault script")
        if page:
            # A long history must not keep others waiting.
            await anyio.lowlevel.checkpoint()
            continue
        live = True
        if beat is not None and time.monotonic() - said_at >= pace.heartbeat:
            await beat()
            said_at = time.monotonic()
        await anyio.sleep(pace.poll)
    return SHUTTING_DOWN


class EventStream(Response):
    """200 with what `source` has and will have, until it is over, the reader leaves, or `streams` close."""

    media_type = "text/event-stream"

    def __init__(self, source: Source, streams: Streams) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        # There is no length to tell.
        del self.headers["content-length"]
        self._source = source
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def put(text: str, *, more: bool = True) -> None:
            message = {"type": "http.response.body", "body": text.encode(), "more_body": more}
            await in_time(self._streams.pace.patience, send(message))

        async with anyio.create_task_group() as group:

            async def watch() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(watch)
            try:
                await self._follow(put)
                await put("", more=False)
            except Gone as gone:
                _log.info("a reader of %s %s", scope["path"], gone)
            group.cancel_scope.cancel()

    async def _follow(self, put: "_Put") -> None:
        # An id without data tells an empty stream's reader where it stands, so that it too can be resumed.
        await put(f": {GREETING}\nid: {self._source.mark}\n\n")

        async def send(page: Sequence[tuple[str, str]]) -> None:
            await put("".join(f"id: {event_id}\ndata: {text}\n\n" for event_id, text in page))

        try:
            last_words = await follow(self._source, self._streams, send, lambda: put(_comment(HEARTBEAT)))
        except Gone:
            raise
        except Exception:
            _log.exception("a stream of events failed")
            last_words = FAILED
        if last_words:
            await put(_comment(f"{last_words}; {GO_ON}"))


class _Put(Protocol):
    async def __call__(self, text: str, *, more: bool = True) -> None: ...


def _comment(text: str) -> str:
    return f": {text}\n\n"
