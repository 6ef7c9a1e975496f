"""The outermost layer: request id, credentials, doubled slashes, and no exception past it (wire/alpaca.md 0.2, 8)."""

import logging
import re
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftdesk.backend.api.auth import Access, Credentials, check
from driftdesk.backend.api.documentation import FILES, PAGE
from driftdesk.backend.api.errors import INTERNAL_MESSAGE, error_response

OPEN_PATHS: Final = frozenset({"/health", PAGE, "/openapi.json"})

_SLASHES: Final = re.compile("/{2,}")
_log: Final = logging.getLogger(__name__)


class Edge:
    """ASGI middleware around the whole API."""

    def __init__(self, app: ASGIApp, credentials: Credentials) -> None:
        self.app = app
        self.credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = _SLASHES.sub("/", scope["path"])
        scope = {**scope, "path": path, "raw_path": _SLASHES.sub("/", scope["path"]).encode()}
        request_id = str(uuid4())
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._answer(scope, receive, send_with_id)
        except Exception:
            _log.exception("request %s failed: %s %s", request_id, scope["method"], path)
            if started:
                raise
            await error_response(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_MESSAGE)(scope, receive, send_with_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        is_open = path in OPEN_PATHS or path.startswith(f"{FILES}/")
        access = Access.GRANTED if is_open else check(scope["headers"], self.credentials)
        match access:
            case Access.GRANTED:
                await self.app(scope, receive, send)
            case Access.MISSING:
                refused = error_response(
                    HTTPStatus.UNAUTHORIZED,
                    "Credentials are missing: send the key and secret by HTTP Basic, or as APCA-API-KEY-ID and "
                    "APCA-API-SECRET-KEY.",
                    headers={"WWW-Authenticate": 'Basic realm="driftdesk"'},
                )
                await refused(scope, receive, send)
            case Access.WRONG:
                refused = error_response(
                    HTTPStatus.FORBIDDEN, "The key or the secret is wrong; check both and send them again."
                )
                await refused(scope, receive, send)
