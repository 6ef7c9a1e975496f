"""A stream of events to one reader: how it paces itself, what it says, and how it ends (wire/alpaca.md 9.3)."""

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from starlette.types import Message

from driftdesk.backend.api.stream import EventStream, Pace, Streams

QUICK = Pace(poll=0.001, heartbeat=60, slow=0.02, most_behind=3, patience=0.2, page=2)
GREETING = ": connected\nid: 0\n\n"


class Numbers:
    """Events 1, 2, 3 ... as far as they were written; over when `end` was read."""

    def __init__(self, written: int = 0, end: int | None = None) -> None:
        self.written = written
        self.end = end
        self.mark = "0"
        self.reads = 0

    def read(self, limit: int) -> Sequence[tuple[str, str]]:
        self.reads += 1
        begin = int(self.mark)
        page = [(str(number), f"{{{number}}}") for number in range(begin + 1, min(self.written, begin + limit) + 1)]
        self.mark = str(begin + len(page))
        return page

    def behind(self) -> int:
        return self.written - int(self.mark)

    def is_over(self) -> bool:
        return self.end is not None and int(self.mark) >= self.end


class Reader:
    """Takes what a stream sends; `taking` is awaited for every piece, and `leave` disconnects."""

    def __init__(self, taking: Callable[[str], Any] | None = None) -> None:
        self.pieces: list[str] = []
        self.whole = False
        self.head: Message = {}
        self._taking = taking
        self._left = anyio.Event()

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.head = message
            return
        piece = message["body"].decode()
        if self._taking is not None:
            await self._taking(piece)
        if piece:
            self.pieces.append(piece)
        self.whole = not message["more_body"]

    def leave(self) -> None:
        self._left.set()


def framed(*numbers: int) -> str:
    return "".join(f"id: {number}\ndata: {{{number}}}\n\n" for number in numbers)


def run(source: Numbers, make: Callable[[], Reader] = Reader, streams: Streams | None = None) -> Reader:
    """One stream to its end, which must come."""

    async def main() -> Reader:
        reader = make()
        with anyio.fail_after(10):
            await EventStream(source, streams or Streams(QUICK))({"path": "/events"}, reader.receive, reader.send)
        return reader

    return anyio.run(main)


def test_history_is_sent_page_by_page_and_the_end_is_whole() -> None:
    """Five events in pages of two, behind a greeting that says where the stream stands."""
    reader = run(Numbers(written=5, end=5))
    assert reader.pieces == [GREETING, framed(1, 2), framed(3, 4), framed(5)]
    assert reader.whole
    headers = dict(reader.head["headers"])
    assert (200, b"no-cache") == (reader.head["status"], headers[b"cache-control"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert b"content-length" not in headers


def test_a_thousand_events_are_read_in_pages() -> None:
    """Two hundred at a time: five reads, and one that finds no more."""
    source = Numbers(written=1000, end=1000)
    reader = run(source, streams=Streams())
    assert 6 == source.reads
    assert 1000 == "".join(reader.pieces).count("data: ")


def test_what_happens_later_is_sent_when_it_happens() -> None:
    """History first, then live, each event once and in order."""
    source = Numbers(written=1, end=4)

    async def write_more(_: str) -> None:
        source.written += source.written < 4

    reader = run(source, lambda: Reader(write_more))
    assert "".join(reader.pieces).replace(GREETING, "") == framed(1, 2, 3, 4)


def test_a_stream_without_events_gives_a_sign_of_life() -> None:
    """A heartbeat comment after each quiet while, until the reader leaves."""

    def make() -> Reader:
        async def leave_at_the_third(piece: str) -> None:
            if len(reader.pieces) == 3:
                reader.leave()

        reader = Reader(leave_at_the_third)
        return reader

    reader = run(Numbers(), make, Streams(Pace(poll=0.001, heartbeat=0.005)))
    assert reader.pieces[:4] == [GREETING, *[": heartbeat\n\n"] * 3]
    assert not reader.whole


def test_a_slow_reader_is_told_and_cut_off_behind_what_it_has() -> None:
    """Over the allowed time for a page and over three events behind: a notice, a whole end, nothing skipped."""
    source = Numbers(written=0)

    def make() -> Reader:
        async def taking(piece: str) -> None:
            if "data" in piece:
                source.written += 4
                await anyio.sleep(0.05)

        return Reader(taking)

    async def main() -> Reader:
        reader = make()
        async with anyio.create_task_group() as group:
            stream = EventStream(source, Streams(QUICK))
            group.start_soon(stream, {"path": "/events"}, reader.receive, reader.send)
            await anyio.sleep(0.05)
            source.written = 1
            with anyio.fail_after(10):
                while not reader.whole:
                    await anyio.sleep(0.001)
        return reader

    reader = anyio.run(main)
    notice = ": you are reading too slowly, 4 messages were not sent; go on with Last-Event-Id\n\n"
    assert reader.pieces == [GREETING, framed(1), notice]
    assert source.mark == "1"


@pytest.mark.parametrize("more", [0, 1])
def test_a_reader_that_is_slow_without_falling_behind_is_left_alone(more: int) -> None:
    """Slow pages alone do no harm: the table keeps what waits."""
    source = Numbers(written=1)

    async def main() -> Reader:
        async def taking(piece: str) -> None:
            if "data" in piece and source.written < 5:
                source.written += more
                await anyio.sleep(0.03)

        reader = Reader(taking)
        async with anyio.create_task_group() as group:
            stream = EventStream(source, Streams(QUICK))
            group.start_soon(stream, {"path": "/events"}, reader.receive, reader.send)
            await anyio.sleep(0.2)
            reader.leave()
        return reader

    assert not any("slow" in piece for piece in anyio.run(main).pieces)


def test_a_long_history_may_be_read_slowly() -> None:
    """Only live readers are measured: history waits in the table anyway."""

    async def taking(_: str) -> None:
        await anyio.sleep(0.03)

    reader = run(Numbers(written=12, end=12), lambda: Reader(taking))
    assert "".join(reader.pieces).replace(GREETING, "") == framed(*range(1, 13))


def test_a_reader_that_takes_nothing_is_given_up() -> None:
    """After the stream's patience, without an end: the connection is dropped."""

    async def never(piece: str) -> None:
        if "data" in piece:
            await anyio.sleep_forever()

    reader = run(Numbers(written=1), lambda: Reader(never))
    assert reader.pieces == [GREETING]
    assert not reader.whole


def test_streams_end_when_their_server_does() -> None:
    """With the reason, so that the reader comes again."""
    streams = Streams(QUICK)
    streams.close()
    reader = run(Numbers(written=1), streams=streams)
    assert reader.pieces == [GREETING, ": the server is shutting down; go on with Last-Event-Id\n\n"]
    assert reader.whole


def test_a_failure_is_said_and_ends_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    """As the documentation has it: a comment, and the server closes; the cause is in the log only."""

    class Broken(Numbers):
        def read(self, limit: int) -> Sequence[tuple[str, str]]:
            raise RuntimeError("internal detail")

    reader = run(Broken())
    assert reader.pieces == [GREETING, ": internal server error; go on with Last-Event-Id\n\n"]
    assert reader.whole
    assert "internal detail" in caplog.text
