"""The event stream of the rebalancer over HTTP (wire/alpaca.md 9.1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Header, Query, Request, Response

from driftdesk.backend.api.answers import REFUSALS, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.stream import EventStream
from driftdesk.errors import InputError
from driftdesk.wire.base import WireTime
from driftdesk.wire.ulid import LOW_BITS, last_ulid, milliseconds, read_ulid, write_ulid

if TYPE_CHECKING:
    from driftdesk.backend.service import Service

PATH: Final = "/v2/events/rebalancer"

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["events"])

_STREAM: Final[dict[int | str, dict[str, object]]] = {
    200: {
        "description": "Events, oldest first; the stream ends where `until` or `until_id` is reached.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 01K...\ndata: {"event_id":"01K...","event_type":"run.created","at":"...","run":{}}\n\n',
            }
        },
    }
}

Since = Annotated[WireTime | None, Query(description="History from this time on; compared with the time in event_id.")]
Until = Annotated[WireTime | None, Query(description="Ends with this time; needs `since`.")]
SinceId = Annotated[str | None, Query(description="History behind this event_id, which itself is not sent again.")]
UntilId = Annotated[str | None, Query(description="Ends with this event_id; needs `since_id`.")]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-Id", description="Acts as `since_id` and wins over it; not with `since`.")
]


@router.get(
    PATH,
    summary="Changes of portfolios and runs as they happen (server-sent events)",
    description="Without `since` or `since_id` there is no history, only what happens from now on. Types: "
    "portfolio.status_changed with `portfolio`, run.created and run.status_changed with `run` (without its three lists "
    "of orders). A run that was canceled under way is CANCELED here: CANCELED_MID_RUN is never on this stream. Times "
    "are those of the backend's clock. Comments are heartbeats, or say why a stream ends early; events may come twice "
    "and are told apart by event_id.",
    response_class=Response,
    responses=_STREAM,
)
async def rebalancer_events(
    request: Request,
    *,
    since: Since = None,
    until: Until = None,
    since_id: SinceId = None,
    until_id: UntilId = None,
    last_event_id: LastEventId = None,
) -> Response:
    _check_combination(
        since=since is not None,
        until=until is not None,
        since_id=since_id is not None or bool(last_event_id),
        until_id=until_id is not None,
        header=bool(last_event_id),
    )
    service = service_of(request)
    if since is not None:
        after = _just_before(milliseconds(since))
    elif last_event_id:
        after = _checked(last_event_id, "Last-Event-Id")
    elif since_id is not None:
        after = _checked(since_id, "since_id")
    else:
        after = service.last_event_id()
    end = None if until is None else last_ulid(until)
    if until_id is not None:
        end = _checked(until_id, "until_id")
    # A time begins with the first id of its millisecond, and an id begins behind itself.
    if end is not None and (end < after or (since is not None and end == after)):
        start = "since" if since is not None else "Last-Event-Id" if last_event_id else "since_id"
        limit = "until" if until is not None else "until_id"
        raise InputError(f"{limit} must not lie before {start}; give a later one.", field=limit)
    return EventStream(Watermark(service, after, end), request.app.state.streams)


class Watermark:
    """The events above `after`, up to and including `until`, as a stream reads them."""

    def __init__(self, service: "Service", after: str, until: str | None) -> None:
        self._service = service
        self.mark = after
        self._until = until
        # Where the end was reached before the stream began, there is history only, also while a clock stands still.
        self._only_history = until is not None and service.is_over(until, at_its_end=True)

    def read(self, limit: int) -> Sequence[tuple[str, str]]:
        page = self._service.read_events(self.mark, self._until, limit)
        if page:
            self.mark = page[-1][0]
        return page

    def behind(self) -> int:
        return self._service.count_events(self.mark)

    def is_over(self) -> bool:
        if self._until is None:
            return False
        return self._only_history or self.mark == self._until or self._service.is_over(self._until, at_its_end=False)


def _check_combination(*, since: bool, until: bool, since_id: bool, until_id: bool, header: bool) -> None:
    """Raise InputError for what the documentation does not let go together (wire/alpaca.md 9.1)."""
    if since and header:
        raise InputError("Last-Event-Id cannot be combined with since; leave one of them out.", field="since")
    if since and since_id:
        raise InputError("since and since_id cannot be used together; leave one of them out.", field="since_id")
    if until and until_id:
        raise InputError("until and until_id cannot be used together; leave one of them out.", field="until_id")
    if until and not since:
        raise InputError("until needs since; give both, or since_id with until_id.", field="until")
    if until_id and not since_id:
        raise InputError("until_id needs since_id; give both, or since with until.", field="until_id")


def _checked(text: str, name: str) -> str:
    """A ULID as it is stored; InputError where it is none."""
    try:
        return write_ulid(read_ulid(text))
    except ValueError:
        raise InputError(
            f"{name} must be the event_id of an event, a ULID of 26 characters; received {text[:40]!r}.",
            field=name,
            received=text,
            allowed="a ULID",
        ) from None


def _just_before(millisecond: int) -> str:
    """The greatest id before a millisecond."""
    return write_ulid(max(0, (millisecond << LOW_BITS) - 1))
