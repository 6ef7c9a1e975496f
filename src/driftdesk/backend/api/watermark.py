"""What of a stream may be asked for, and how it is read by watermark (wire/alpaca.md 9.1, 9.3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends, Header, Query, Request, Response

from driftdesk.backend.api.stream import EventStream
from driftdesk.errors import InputError
from driftdesk.wire.base import WireTime
from driftdesk.wire.ulid import LOW_BITS, last_ulid, milliseconds, read_ulid, write_ulid

Since = Annotated[WireTime | None, Query(description="History from this time on; compared with the time in event_id.")]
Until = Annotated[WireTime | None, Query(description="Ends with this time; needs `since`.")]
SinceId = Annotated[str | None, Query(description="History behind this event_id, which itself is not sent again.")]
UntilId = Annotated[str | None, Query(description="Ends with this event_id; needs `since_id`.")]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-Id", description="Acts as `since_id` and wins over it; not with `since`.")
]


def described(example: str) -> dict[int | str, dict[str, object]]:
    """The answer of a stream, for the documentation page; `example` is what stands behind ``data:``."""
    return {
        200: {
            "description": "Events, oldest first; the stream ends where `until` or `until_id` is reached.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": f"id: 01K...\ndata: {example}\n\n",
                }
            },
        }
    }


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a stream that was asked for; texts of ids are not yet read."""

    since: datetime | None
    until: datetime | None
    since_id: str | None
    until_id: str | None
    last_event_id: str | None


def span(
    *,
    since: Since = None,
    until: Until = None,
    since_id: SinceId = None,
    until_id: UntilId = None,
    last_event_id: LastEventId = None,
) -> Span:
    """What was asked for; InputError for what the documentation does not let go together (wire/alpaca.md 9.1)."""
    begins_behind = since_id is not None or bool(last_event_id)
    if since is not None and last_event_id:
        raise InputError("Last-Event-Id cannot be combined with since; leave one of them out.", field="since")
    if since is not None and begins_behind:
        raise InputError("since and since_id cannot be used together; leave one of them out.", field="since_id")
    if until is not None and until_id is not None:
        raise InputError("until and until_id cannot be used together; leave one of them out.", field="until_id")
    if until is not None and since is None:
        raise InputError("until needs since; give both, or since_id with until_id.", field="until")
    if until_id is not None and not begins_behind:
        raise InputError("until_id needs since_id; give both, or since with until.", field="until_id")
    return Span(since, until, since_id, until_id, last_event_id or None)


Asked = Annotated[Span, Depends(span)]


class IsOver(Protocol):
    def __call__(self, until: str, *, at_its_end: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class Log:
    """A table of events as streams read it: by ids, which are ULIDs and grow."""

    newest: Callable[[], str]
    read: Callable[[str, str | None, int], Sequence[tuple[str, str]]]
    count: Callable[[str], int]
    is_over: IsOver


class Watermark:
    """The events above `after`, up to and including `until`, as a stream reads them."""

    def __init__(self, log: Log, after: str, until: str | None = None) -> None:
        self._log = log
        self.mark = after
        self._until = until
        # Where the end was reached before the stream began, there is history only, also while a clock stands still.
        self._only_history = until is not None and log.is_over(until, at_its_end=True)

    def read(self, limit: int) -> Sequence[tuple[str, str]]:
        page = self._log.read(self.mark, self._until, limit)
        if page:
            self.mark = page[-1][0]
        return page

    def behind(self) -> int:
        return self._log.count(self.mark)

    def is_over(self) -> bool:
        if self._until is None:
            return False
        return self._only_history or self.mark == self._until or self._log.is_over(self._until, at_its_end=False)


def answer_stream(request: Request, log: Log, asked: Span) -> Response:
    """The stream of `log` as it was asked for; InputError for ids that are none, or an end before the beginning."""
    if asked.since is not None:
        after = _just_before(milliseconds(asked.since))
    elif asked.last_event_id:
        after = checked(asked.last_event_id, "Last-Event-Id")
    elif asked.since_id is not None:
        after = checked(asked.since_id, "since_id")
    else:
        after = log.newest()
    end = None if asked.until is None else last_ulid(asked.until)
    if asked.until_id is not None:
        end = checked(asked.until_id, "until_id")
    # A time begins with the first id of its millisecond, and an id begins behind itself.
    if end is not None and (end < after or (asked.since is not None and end == after)):
        start = "since" if asked.since is not None else "Last-Event-Id" if asked.last_event_id else "since_id"
        limit = "until" if asked.until is not None else "until_id"
        raise InputError(f"{limit} must not lie before {start}; give a later one.", field=limit)
    return EventStream(Watermark(log, after, end), request.app.state.streams)


def checked(text: str, name: str, also: str = "") -> str:
    """A ULID as it is stored; InputError where it is none, which names what is allowed `also`."""
    try:
        return write_ulid(read_ulid(text))
    except ValueError:
        raise InputError(
            f"{name} must be the event_id of an event, a ULID of 26 characters{also}; received {text[:40]!r}.",
            field=name,
            received=text,
            allowed="a ULID",
        ) from None


def _just_before(millisecond: int) -> str:
    """The greatest id before a millisecond."""
    return write_ulid(max(0, (millisecond << LOW_BITS) - 1))
