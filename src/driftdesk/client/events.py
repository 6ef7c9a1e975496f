"""Events as they happen: read, resumed after a lost connection, told once (wire/alpaca.md 9). Here the rebalancer's."""

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from pydantic import ValidationError

from driftdesk.client.sse import Block, read_blocks
from driftdesk.client.transport import FIRST_WAIT, QueryValue, Transport, Waiting
from driftdesk.errors import BackendError, InputError, RateLimited, Unavailable
from driftdesk.wire.base import read_json, write_time
from driftdesk.wire.events import RebalancerEvent
from driftdesk.wire.market import Clock
from driftdesk.wire.ulid import last_ulid

PATH: Final = "/v2/events/rebalancer"
# Three heartbeats of ours; a connection that is silent for longer is lost, whatever the network says.
SILENCE_SECONDS: Final = 45.0
# So often in a row a stream is opened anew without a sign of life, after waits that double.
MAX_LOSSES: Final = 8
LONGEST_WAIT: Final = 60.0

_HEARTBEAT: Final = "heartbeat"
# Comments that say why a stream ends before its end.
_INTERRUPTIONS: Final = ("slow", "shutting down", "error")
# Repeats come close together: after a resumption, or in one millisecond.
_IDS_KEPT: Final = 10_000


@dataclass(slots=True)
class Cursor:
    """Where a reader of events stands: the id of the last event that it is done with, None before the first.

    An event is done with when the next one is asked for; so a reader that fails or ends in the middle of one, stores
    `event_id` and later reads on with ``Cursor(event_id)``, gets that event again and misses none.
    """

    event_id: str | None = None


class Identified(Protocol):
    @property
    def event_id(self) -> str: ...


E = TypeVar("E", bound=Identified)


@dataclass(frozen=True, slots=True)
class Feed(Generic[E]):
    """One stream of a backend: its path, and how the JSON of an event is read (ValidationError where it cannot be)."""

    path: str
    read: Callable[[dict[str, Any]], E]


REBALANCER: Final = Feed(PATH, RebalancerEvent.model_validate)


class Events:
    """`client.events`. Every method raises BackendError."""

    def __init__(self, transport: Transport, waiting: Waiting | None = None) -> None:
        self._transport = transport
        self._waiting = waiting or Waiting()

    def rebalancer(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        after_id: str | None = None,
        follow: bool = True,
        cursor: Cursor | None = None,
    ) -> Iterator[RebalancerEvent]:
        """Changes of portfolios and runs, oldest first, each once: history, then what happens, for ever.

        History begins at `since`, or behind the event `after_id`, or behind `cursor` once that has an event; without
        any of them there is none. The end is `until`; with ``follow=False`` it is the backend's present instant. Times
        are those of the backend's clock, compared to the millisecond. `cursor` is moved along.

        A lost connection is resumed behind the last event; the iterator ends when the client is closed. Raises
        InputError for arguments that do not go together, Unavailable when the stream cannot be resumed, and what
        `get` raises when it cannot be opened at first.
        """
        place = beginning(since=since, until=until, after_id=after_id, follow=follow, cursor=cursor)
        return Reading(self._transport, self._waiting, REBALANCER, place, since).events(until, follow=follow)


def beginning(
    *, since: datetime | None, until: datetime | None, after_id: str | None, follow: bool, cursor: Cursor | None
) -> Cursor:
    """Where a reading begins; InputError for arguments that do not go together (see `Events.rebalancer`)."""
    if after_id is not None and (since is not None or cursor is not None):
        raise InputError("after_id already says where to begin; leave since and cursor out.", field="after_id")
    place = cursor if cursor is not None else Cursor(after_id)
    begins = since is not None or place.event_id is not None
    if not begins and (until is not None or not follow):
        raise InputError(
            "Without since, after_id or a cursor there is no history to end; say where it begins.", field="since"
        )
    for name, time in (("since", since), ("until", until)):
        if time is not None and time.tzinfo is None:
            raise InputError(f"{name} needs a time zone; received {time.isoformat()}.", field=name, received=time)
    return place


class Reading(Generic[E]):
    """One reading of a stream over as many connections as it takes, from `cursor` or `since` on."""

    def __init__(
        self, transport: Transport, waiting: Waiting, feed: Feed[E], cursor: Cursor, since: datetime | None = None
    ) -> None:
        self._transport = transport
        self._waiting = waiting
        self._feed = feed
        self._cursor = cursor
        self._since = since
        self._until: datetime | None = None
        # Where the stream goes on, which is ahead of the cursor while an event is being dealt with.
        self._position = cursor.event_id
        self._seen: OrderedDict[str | None, None] = OrderedDict({cursor.event_id: None})
        self._losses = 0
        self._opened = False

    def events(self, until: datetime | None = None, *, follow: bool = True) -> Iterator[E]:
        """Each event once, to `until`; without `follow` to the backend's present instant at the latest."""
        if not follow:
            now = self._transport.get(Clock, "/v1/clock").timestamp
            until = now if until is None else min(now, until)
        self._until = until
        for event in self.events_and_gaps():
            if event is not None:
                yield event

    def events_and_gaps(self) -> Iterator[E | None]:
        """The same, with None wherever a lost connection was replaced, before what follows on the new one."""
        while not self._is_empty():
            loss: BackendError | None = None
            try:
                finished = yield from self._connection()
            except (Unavailable, RateLimited) as error:
                if not self._opened:
                    raise
                finished, loss = False, error
            if finished or self._transport.is_closed:
                return
            self._losses += 1
            if self._losses > MAX_LOSSES:
                raise self._given_up(loss) from loss
            wait = FIRST_WAIT * 2**self._losses * (1 + self._waiting.jitter())
            self._waiting.sleep(min(LONGEST_WAIT, wait))

    def _connection(self) -> Generator[E | None, None, bool]:
        """Read one connection to its end; whether that was the end of the stream too."""
        headers = {} if self._position is None else {"Last-Event-Id": self._position}
        interrupted = False
        with self._transport.stream(self._feed.path, self._query(), headers, SILENCE_SECONDS) as chunks:
            if self._opened:
                yield None
            self._opened = True
            for block in read_blocks(chunks):
                if block.comment is not None:
                    interrupted = any(word in block.comment.lower() for word in _INTERRUPTIONS)
                    if _HEARTBEAT in block.comment.lower():
                        self._losses = 0
                    continue
                event = self._event(block) if block.data else None
                # An id alone says where the stream stands, so that one without events can be resumed too.
                self._position = block.id or (event.event_id if event is not None else None) or self._position
                if event is None:
                    self._cursor.event_id = self._cursor.event_id or self._position
                elif self._is_new(event.event_id):
                    self._losses = 0
                    yield event
                    self._cursor.event_id = event.event_id
        return self._until is not None and not interrupted

    def _query(self) -> dict[str, QueryValue]:
        """`since` and `until` at first; behind an event the documentation wants ids on both sides."""
        if self._position is None:
            times = {"since": self._since, "until": self._until}
            return {name: write_time(time) for name, time in times.items() if time is not None}
        return {} if self._until is None else {"until_id": last_ulid(self._until)}

    def _is_empty(self) -> bool:
        """Whether the end lies before the beginning, which a backend refuses."""
        if self._until is None:
            return False
        if self._position is not None:
            return last_ulid(self._until) < self._position
        return self._since is not None and self._until < self._since

    def _is_new(self, event_id: str) -> bool:
        if event_id in self._seen:
            return False
        self._seen[event_id] = None
        if len(self._seen) > _IDS_KEPT:
            self._seen.popitem(last=False)
        return True

    def _given_up(self, loss: BackendError | None) -> Unavailable:
        after = f" Read on later with after_id={self._cursor.event_id!r}." if self._cursor.event_id else ""
        said = "the backend ended it each time." if loss is None else str(loss)
        return Unavailable(f"The stream of events was lost {MAX_LOSSES + 1} times in a row: {said}{after}")

    def _event(self, block: Block) -> E:
        """The event in a block; its id and type may stand in the block's own fields."""
        try:
            said = read_json(block.data)
        except ValueError:
            said = None
        if isinstance(said, dict):
            around = {name: text for name, text in (("event_id", block.id), ("event_type", block.event)) if text}
            try:
                return self._feed.read({**around, **said})
            except ValidationError:
                pass
        raise BackendError(f"An event of {self._feed.path} cannot be used: it is not as documented, or is not JSON.")
