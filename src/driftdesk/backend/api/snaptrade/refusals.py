"""Every refusal of a SnapTrade route as {"detail", "status_code", "code"}: the table of errors (wire/snaptrade.md 6).

An exchange that does not answer is a 503: whether an order is there is not known then, and a client must read the
orders before it sends another (rules.md 9). A closed market is no error; orders wait for the open.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from driftdesk.backend.api.snaptrade.signing import Unauthorized
from driftdesk.backend.service.snaptrade.connection import ConnectionDisabled, ReadOnly
from driftdesk.backend.service.snaptrade.trading import UnknownSymbol
from driftdesk.errors import DriftdeskError, NotFound, Unavailable
from driftdesk.wire.snaptrade.base import emit
from driftdesk.wire.snaptrade.served import (
    BAD_ANSWER,
    DISABLED,
    GENERAL,
    NO_PERMISSION,
    NO_SUCH_RESOURCE,
    NO_SUCH_SYMBOL,
    NOT_VERIFIED,
    UNEXPECTED,
    ErrorAnswer,
)

# What the door leaves in the scope of a request that came through it.
MARK: Final = "driftdesk.snaptrade"

# The first class that fits decides.
_STATUSES: Final[tuple[tuple[type[DriftdeskError], HTTPStatus, str], ...]] = (
    (Unauthorized, HTTPStatus.UNAUTHORIZED, NOT_VERIFIED),
    (ConnectionDisabled, HTTPStatus.PAYMENT_REQUIRED, DISABLED),
    (ReadOnly, HTTPStatus.FORBIDDEN, NO_PERMISSION),
    (NotFound, HTTPStatus.NOT_FOUND, NO_SUCH_RESOURCE),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, BAD_ANSWER),
    (UnknownSymbol, HTTPStatus.BAD_REQUEST, NO_SUCH_SYMBOL),
    (DriftdeskError, HTTPStatus.BAD_REQUEST, NOT_VERIFIED),
)
_KINDS: Final[tuple[type[Exception], ...]] = (DriftdeskError, RequestValidationError, HTTPException, OverflowError)

_Handler = Callable[[Request, Exception], Awaitable[Response]]

# What a route may refuse, for the documentation page.
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in (
        (400, "The request is malformed or rejected: an order that cannot be, or is not open any more."),
        (401, "Client id, signature, timestamp, user or user secret is missing or wrong."),
        (402, "The connection is disabled."),
        (403, "The connection is read-only."),
        (404, "There is no such resource."),
        (415, "The body was not sent as application/json."),
        (429, "Too many requests within a minute: wait as many seconds as X-RateLimit-Reset says."),
        (500, "The backend failed; whether it took effect is not known."),
        (503, "The exchange did not answer; whether an order was placed is not known."),
    )
}


def error_answer(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a refused request."""
    body = emit(ErrorAnswer(detail=detail, status_code=int(status), code=code))
    return Response(body, status, headers=headers, media_type="application/json")


def refusal(error: DriftdeskError) -> Response:
    """The answer to an error of ours."""
    status, code = next((status, code) for kind, status, code in _STATUSES if isinstance(error, kind))
    return error_answer(status, error.code if isinstance(error, Unauthorized) else code, str(error))


def failure(message: str) -> Response:
    """The answer where the backend itself failed."""
    return error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, UNEXPECTED, message)


def register(app: FastAPI) -> None:
    """Answer errors in this shape where the request came through the SnapTrade door, as before elsewhere."""
    for kind in _KINDS:
        app.add_exception_handler(kind, _by_door(cast(_Handler, app.exception_handlers[kind])))


def _by_door(elsewhere: _Handler) -> _Handler:
    async def handle(request: Request, error: Exception) -> Response:
        if not request.scope.get(MARK):
            return await elsewhere(request, error)
        if isinstance(error, DriftdeskError):
            return refusal(error)
        # The sentence is the same at every door.
        told = await elsewhere(request, error)
        known = isinstance(error, HTTPException) and told.status_code != HTTPStatus.BAD_REQUEST
        status, code = (told.status_code, GENERAL) if known else (HTTPStatus.BAD_REQUEST, NOT_VERIFIED)
        if status == HTTPStatus.NOT_FOUND:
            code = NO_SUCH_RESOURCE
        kept = {name: value for name, value in told.headers.items() if name == "allow"}
        return error_answer(status, code, json.loads(bytes(told.body))["message"], kept)

    return handle
