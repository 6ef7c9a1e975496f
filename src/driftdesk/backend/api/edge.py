"""The outermost layer: request id, credentials, rate limit, doubled slashes, and no exception past it.

What is SnapTrade's goes through a door of its own, which has another signature and another limit.
Sources: wire/alpaca.md 0.2, 8, 14.
"""

import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from fastapi import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftdesk.backend.api.auth import Access, Credentials, check
from driftdesk.backend.api.documentation import FILES, PAGE
from driftdesk.backend.api.errors import INTERNAL_MESSAGE, error_response
from driftdesk.backend.api.limits import Quota, RateLimits
from driftdesk.backend.api.snaptrade.door import SnapTradeDoor, own_path
from driftdesk.backend.api.snaptrade.refusals import failure

HEALTH: Final = "/health"
OPEN_PATHS: Final = frozenset({HEALTH, PAGE, "/openapi.json"})

# Whoever proves no key shares one rate limit with all others who do not.
_NOBODY: Final = ""
_SLASHES: Final = re.compile("/{2,}")
_log: Final = logging.getLogger(__name__)


class Edge:
    """ASGI middleware around the whole API."""

    def __init__(self, app: ASGIApp, credentials: Credentials, limits: RateLimits, wall: Callable[[], float]) -> None:
        self.app = app
        self.credentials = credentials
        self.limits = limits
        self.snaptrade = SnapTradeDoor(app, credentials, limited=limits.refuses, clock=wall)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A websocket shows its credentials in its first message (see websocket.py).
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = _SLASHES.sub("/", scope["path"])
        snaptrade = own_path(path) is not None
        # A signature covers the path as it was sent.
        scope = {**scope, "path": path} | ({} if snaptrade else {"raw_path": path.encode()})
        request_id = str(uuid4())
        access = None if snaptrade else self._access(scope)
        quota = None if snaptrade else self._quota(path, access)
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if quota is not None:
                    headers.update(quota.headers)
            await send(message)

        try:
            if snaptrade:
                await self.snaptrade(scope, receive, send_with_id)
            elif quota is not None and quota.wait is not None:
                await _too_many(quota.limit, quota.wait)(scope, receive, send_with_id)
            else:
                await self._answer(access, scope, receive, send_with_id)
        except Exception:
            _log.exception("request %s failed: %s %s", request_id, scope["method"], path)
            if started:
                raise
            failed = error_response(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_MESSAGE)
            await (failure(INTERNAL_MESSAGE) if snaptrade else failed)(scope, receive, send_with_id)

    def _access(self, scope: Scope) -> Access | None:
        """What the request may do; None for what is open to everybody."""
        path = scope["path"]
        is_open = path in OPEN_PATHS or path.startswith(f"{FILES}/")
        return None if is_open else check(scope["headers"], self.credentials)

    def _quota(self, path: str, access: Access | None) -> Quota | None:
        # Whoever watches over the server asks for its health as often as they like.
        if path == HEALTH:
            return None
        return self.limits.take(self.credentials.key if access is Access.GRANTED else _NOBODY)

    async def _answer(self, access: Access | None, scope: Scope, receive: Receive, send: Send) -> None:
        match access:
            case Access.GRANTED | None:
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


def _too_many(limit: int, wait: int) -> Response:
    return error_response(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"More than {limit} requests within a minute; wait {wait} seconds and send it again.",
        headers={"Retry-After": str(wait)},
    )
