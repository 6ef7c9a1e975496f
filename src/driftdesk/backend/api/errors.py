"""Every refusal as {"code", "message"}: the one table from errors to HTTP statuses (rules.md 2.9, wire/alpaca.md 8).

code = HTTP status x 100000 + 10000 + n, where n tells apart the causes that share a status.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from driftdesk.backend.api.findings import sentence
from driftdesk.errors import (
    BackendError,
    DataError,
    DriftdeskError,
    InputError,
    Insufficient,
    NotFound,
    PreviewMoved,
    StateError,
)
from driftdesk.wire.errors import ErrorBody

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

INTERNAL_MESSAGE: Final = "The backend failed to answer; its log says why under the request id of this answer."

# The first class that fits decides: (status, n).
_STATUSES: Final[tuple[tuple[type[DriftdeskError], HTTPStatus, int], ...]] = (
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY, 0),
    (PreviewMoved, HTTPStatus.CONFLICT, 1),
    (Insufficient, HTTPStatus.FORBIDDEN, 0),
    (StateError, HTTPStatus.UNPROCESSABLE_ENTITY, 1),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY, 2),
    (NotFound, HTTPStatus.NOT_FOUND, 0),
    (BackendError, HTTPStatus.BAD_GATEWAY, 0),
    (DriftdeskError, HTTPStatus.UNPROCESSABLE_ENTITY, 3),
)


def error_response(
    status: int, message: str, *, n: int = 0, preview_hash: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a refused request; `n` tells apart the causes of one status."""
    body = ErrorBody(code=status * 100_000 + 10_000 + n, message=message, preview_hash=preview_hash)
    return Response(body.model_dump_json(exclude_none=True), status, headers=headers, media_type="application/json")


def refusal(error: DriftdeskError) -> Response:
    """The answer to an error of ours, by the table above."""
    if isinstance(error, StateError) and error.conflict and not isinstance(error, PreviewMoved):
        return error_response(HTTPStatus.CONFLICT, str(error))
    status, n = next((status, n) for kind, status, n in _STATUSES if isinstance(error, kind))
    moved = error.preview_hash if isinstance(error, PreviewMoved) else None
    return error_response(status, str(error), n=n, preview_hash=moved)


def register(app: FastAPI) -> None:
    """Answer our errors and the framework's own in one shape."""
    app.add_exception_handler(DriftdeskError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(OverflowError, _on_overflow)


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
