"""Every refusal as {"code", "message"}: the one table from errors to HTTP statuses (rules.md 2.9, wire/alpaca.md 8).

code = HTTP status x 100000 + 10000 + n, where n tells apart the causes that share a status; an order that lacks
something, or repeats a client order id, has the code of a 400 with 422, as the order API does (wire/alpaca.md 8.3).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from driftdesk.backend.api.findings import sentence
from driftdesk.errors import (
    BackendError,
    DataError,
    DriftdeskError,
    Incomplete,
    InputError,
    Insufficient,
    NotFound,
    PreviewMoved,
    Repeated,
    StateError,
)
from driftdesk.wire.errors import ErrorBody

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

INTERNAL_MESSAGE: Final = "The backend failed to answer; its log says why under the request id of this answer."

# The first class that fits decides: (status, code).
_STATUSES: Final[tuple[tuple[type[DriftdeskError], HTTPStatus, int], ...]] = (
    (Incomplete, HTTPStatus.UNPROCESSABLE_ENTITY, 40_010_001),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY, 42_210_000),
    (PreviewMoved, HTTPStatus.CONFLICT, 40_910_001),
    (Insufficient, HTTPStatus.FORBIDDEN, 40_310_000),
    (Repeated, HTTPStatus.UNPROCESSABLE_ENTITY, 40_010_001),
    (StateError, HTTPStatus.UNPROCESSABLE_ENTITY, 42_210_001),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY, 42_210_002),
    (NotFound, HTTPStatus.NOT_FOUND, 40_410_000),
    (BackendError, HTTPStatus.BAD_GATEWAY, 50_210_000),
    (DriftdeskError, HTTPStatus.UNPROCESSABLE_ENTITY, 42_210_003),
)
_TRY_AGAIN: Final = (HTTPStatus.CONFLICT, 40_910_000)


def error_response(status: int, message: str, *, n: int = 0, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a refused request; `n` tells apart the causes of one status."""
    return _response(status, ErrorBody(code=status * 100_000 + 10_000 + n, message=message), headers)


def told(error: DriftdeskError) -> tuple[HTTPStatus, ErrorBody]:
    """Status and body for an error of ours, by the table above."""
    status, code = next((status, code) for kind, status, code in _STATUSES if isinstance(error, kind))
    if isinstance(error, StateError) and error.conflict and not isinstance(error, PreviewMoved):
        status, code = _TRY_AGAIN
    more: Mapping[str, Any] = {}
    if isinstance(error, PreviewMoved):
        more = {"preview_hash": error.preview_hash}
    elif isinstance(error, Insufficient):
        more = error.details
    return status, ErrorBody(code=code, message=str(error), **more)


def refusal(error: DriftdeskError) -> Response:
    """The answer to an error of ours."""
    return _response(*told(error))


def register(app: FastAPI) -> None:
    """Answer our errors and the framework's own in one shape."""
    app.add_exception_handler(DriftdeskError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(OverflowError, _on_overflow)


def _response(status: int, body: ErrorBody, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(exclude_none=True), status, headers=headers, media_type="application/json")


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, DriftdeskError)
    return refusal(error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    in_body, message = sentence(error.errors(), getattr(error, "model", None))
    # A body of the wrong shape is malformed; a query value is text in any case, so only its meaning can be wrong.
    return error_response(HTTPStatus.BAD_REQUEST if in_body else HTTPStatus.UNPROCESSABLE_ENTITY, message)


async def _on_overflow(request: Request, error: Exception) -> Response:
    # Numbers are bounded when they are read; a product of two of them may still be more than the store can hold.
    return error_response(
        HTTPStatus.UNPROCESSABLE_ENTITY, "A number in the request is larger than this backend can store.", n=4
    )


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path}"
    headers = error.headers
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            message, n = f"There is no {asked}; /docs lists the paths.", 1
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"Allow": _allowed_methods(request)}
            message, n = f"{asked} is not offered; this path takes {headers['Allow']}.", 0
        case _:
            message, n = str(error.detail), 0
    return error_response(error.status_code, message, n=n, headers=headers)


def _allowed_methods(request: Request) -> str:
    """What the path takes; the framework itself names only the methods of the first route that has the path.

    Where a path fits a name and a parameter, as in ``orders/estimation``, it is the name that counts.
    """
    paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    fitting = [path for path in paths if compile_path(path)[0].match(request.url.path)]
    # What is not documented are files and pages.
    offered = paths[min(fitting, key=lambda path: path.count("{"))] if fitting else {"get": None}
    return ", ".join(method for method in _METHODS if method.lower() in offered)
