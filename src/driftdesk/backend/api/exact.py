"""Request bodies read exactly: decimals from their text, only as JSON, refused in one sentence (rules.md 1.2, 2.9)."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from driftdesk.wire.base import read_json


class ExactRequest(Request):
    """A request whose `json()` keeps decimals exact; 400 when the body is not JSON."""

    async def json(self) -> Any:
        try:
            return read_json(await self.body())
        except JSONDecodeError as error:
            at = f"line {error.lineno}, column {error.colno}"
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON: {error.msg} at {at}.") from None
        except UnicodeDecodeError:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "The body is not valid JSON: it is not UTF-8 text.") from None
        except ValueError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON: {error}.") from None


class InvalidBody(RequestValidationError):
    """A validation error that knows the message it was validated against."""

    def __init__(self, error: RequestValidationError, model: Any) -> None:
        super().__init__(error.errors(), body=error.body)
        self.model = model


class ExactRoute(APIRoute):
    """A route whose body must be JSON (415 otherwise) and is read exactly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        model = None if self.body_field is None else self.body_field.field_info.annotation

        async def exactly(request: Request) -> Response:
            if model is None:
                return await handle(request)
            exact = ExactRequest(request.scope, request.receive)
            if not _is_json(exact.headers.get("content-type", "")) and await exact.body():
                raise HTTPException(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be sent with Content-Type: application/json."
                )
            try:
                return await handle(exact)
            except RequestValidationError as error:
                raise InvalidBody(error, model) from None

        return exactly


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
