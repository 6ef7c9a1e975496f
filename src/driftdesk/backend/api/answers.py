"""How handlers answer: messages as exact JSON, and a POST with an Idempotency-Key only once (rules.md 1.5, 2.10)."""

import hashlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from anyio import to_thread
from fastapi import Header, Query, Request, Response
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from driftdesk.wire.base import Message
from driftdesk.wire.errors import ErrorBody

if TYPE_CHECKING:
    from driftdesk.backend.service import Service

T = TypeVar("T")

_JSON: Final = "application/json"

# What a route with rules may refuse, for the documentation page.
REFUSALS: Final[dict[int | str, dict[str, object]]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in (
        (400, "The body is not JSON or has a value of the wrong type."),
        (401, "No credentials were sent."),
        (403, "The credentials are wrong."),
        (404, "There is no such object."),
        (409, "Try again: something else is in the way, or the preview no longer stands."),
        (415, "The body was not sent as application/json."),
        (422, "A rule forbids it, or the moment is wrong."),
        (429, "Too many requests within a minute: wait as many seconds as Retry-After says."),
        (500, "The backend failed."),
    )
}

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Same key and body: the first answer again, nothing is done twice. Kept for 24 hours.",
    ),
]


def within(low: int, high: int) -> Callable[[object], int]:
    """A validator for a query value that must be a whole number from `low` to `high`, and says so in one sentence."""

    def read(value: object) -> int:
        text = str(value).strip()
        # Longer digits than the largest allowed number cannot be in range, and need not be parsed.
        number = int(text) if text.isdecimal() and text.isascii() and len(text) <= len(str(high)) else None
        if number is None or not low <= number <= high:
            raise PydanticCustomError("range", f"must be a whole number from {low} to {high}")
        return number

    return read


Limit = Annotated[int, BeforeValidator(within(1, 1000)), Query(description="How many at most, 1 to 1000.")]
PageToken = Annotated[str | None, Query(description="`next_page_token` of the page before.")]


def service_of(request: Request) -> "Service":
    """The service that this app was built for."""
    service: Service = request.app.state.service
    return service


async def at_work(request: Request, act: Callable[[], T]) -> T:
    """What `act` returns; done in a thread where the app was made so (see `create_app`)."""
    return await to_thread.run_sync(act) if request.app.state.in_threads else act()


def answer(message: Message) -> Response:
    """200 with one message."""
    return Response(_text(message), media_type=_JSON)


def answer_list(messages: Iterable[Message]) -> Response:
    """200 with a bare JSON array."""
    return Response("[" + ",".join(map(_text, messages)) + "]", media_type=_JSON)


def no_content() -> Response:
    """204 with an empty body."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def answer_once(request: Request, key: str | None, act: Callable[[], Message | None]) -> Response:
    """The answer to a POST: 200 with what `act` returns, 204 when that is None.

    With a key, the effect and the answer are stored together; the same key and body give the same answer again, and a
    refused act leaves nothing behind (rules.md 2.10). Raises what `act` raises, and StateError for a reused key.
    """

    def produce() -> tuple[int, str]:
        message = act()
        return (HTTPStatus.NO_CONTENT.value, "") if message is None else (HTTPStatus.OK.value, _text(message))

    if key is None:
        status, text = await at_work(request, produce)
    else:
        digest = hashlib.sha256(await request.body()).hexdigest()
        scope = f"{key}|{request.method}|{request.url.path}"
        service = service_of(request)
        status, text = await at_work(request, lambda: service.answer_once(scope, digest, produce))
    return Response(text, status, media_type=_JSON) if text else Response(status_code=status)


def _text(message: Message) -> str:
    return message.model_dump_json(by_alias=True)
