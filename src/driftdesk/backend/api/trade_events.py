"""The events of orders over HTTP, as two documentations have them (wire/alpaca.md 9.2).

/v2/events/trades   the current one: every id is a ULID
/v1/events/trades   the one before, which the SDK's `get_trade_events` still calls: an event's `event_id` is a number,
                    its ULID stands under `event_ulid`, and either says where to begin and to end
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from driftdesk.backend.api.answers import REFUSALS, service_of
from driftdesk.backend.api.exact import ExactRoute
from driftdesk.backend.api.watermark import (
    Asked,
    LastEventId,
    Log,
    Since,
    SinceId,
    Span,
    Until,
    UntilId,
    answer_stream,
    checked,
    described,
    span,
)
from driftdesk.errors import InputError

if TYPE_CHECKING:
    from driftdesk.backend.service import Service

# No store counts further; longer digits are no number of an event.
_MOST_DIGITS: Final = 18
_WORDS: Final = (
    "What happened to orders of all accounts, or of the one named by `id`, each with the order as it stood then; "
    "price, qty and position_qty for fills. Without a beginning there is no history, only what happens from now on. "
    "Comments are heartbeats, or say why a stream ends early; events may come twice and are told apart by their id."
)

Id = Annotated[str | None, Query(description="Events of this account only (its id).")]
NumberedSinceId = Annotated[str | None, Query(description="History behind this event, by its number or its ULID.")]
NumberedUntilId = Annotated[str | None, Query(description="Ends with this event; needs `since_id`.")]

router = APIRouter(route_class=ExactRoute, responses=REFUSALS, tags=["events"])


def log_of(service: "Service", account_id: str | None = None, *, numbered: bool = False) -> Log:
    """The events of orders as streams read them; NotFound for an account that there is not."""
    if account_id is not None:
        service.get_account(account_id)
    return Log(
        service.last_trade_event_id,
        partial(service.read_trade_events, account_id=account_id, numbered=numbered),
        partial(service.count_trade_events, account_id=account_id),
        service.is_over,
    )


def numbered_span(  # noqa: PLR0913 - both names of each id
    request: Request,
    *,
    since: Since = None,
    until: Until = None,
    since_id: NumberedSinceId = None,
    until_id: NumberedUntilId = None,
    since_ulid: SinceId = None,
    until_ulid: UntilId = None,
    last_event_id: LastEventId = None,
) -> Span:
    """What was asked for at the older door, its numbers as the ULIDs that they stand for."""
    for name, number, ulid in (("since", since_id, since_ulid), ("until", until_id, until_ulid)):
        if number is not None and ulid is not None:
            raise InputError(
                f"{name}_id and {name}_ulid name the same thing; leave one of them out.", field=f"{name}_ulid"
            )
    return span(
        since=since,
        until=until,
        since_id=_event_id(request, "since_id", since_id) if since_ulid is None else checked(since_ulid, "since_ulid"),
        until_id=_event_id(request, "until_id", until_id) if until_ulid is None else checked(until_ulid, "until_ulid"),
        last_event_id=last_event_id,
    )


@router.get(
    "/v2/events/trades",
    summary="What happens to orders (server-sent events)",
    description=_WORDS,
    response_class=Response,
    responses=described('{"event_id":"01K...","event":"fill","account_id":"...","at":"...","order":{},"qty":"1"}'),
)
async def trade_events(request: Request, asked: Asked, *, id: Id = None) -> Response:
    return answer_stream(request, log_of(service_of(request), id), asked)


@router.get(
    "/v1/events/trades",
    summary="What happens to orders, by numbers (server-sent events, as the SDK reads them)",
    description=_WORDS,
    response_class=Response,
    responses=described('{"event_id":7,"event_ulid":"01K...","event":"fill","account_id":"...","order":{},"qty":"1"}'),
)
async def numbered_trade_events(
    request: Request, asked: Annotated[Span, Depends(numbered_span)], *, id: Id = None
) -> Response:
    return answer_stream(request, log_of(service_of(request), id, numbered=True), asked)


def _event_id(request: Request, name: str, text: str | None) -> str | None:
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS:
        return service_of(request).trade_event_id(int(text), name)
    return checked(text, name, ", or its number")
