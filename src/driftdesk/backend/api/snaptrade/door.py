"""The door of the SnapTrade routes inside the edge: both bases, signature, user and rate limit, before any route.

``/accounts`` and ``/api/v1/accounts`` are the same; answers under the old base say that it is deprecated. A rate limit
is 250 requests a minute, whatever that of the other doors is, and nothing is told of one where there is none.
"""

import math
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftdesk.backend.api.auth import Credentials
from driftdesk.backend.api.limits import Quota, RateLimits
from driftdesk.backend.api.snaptrade.refusals import MARK, error_answer, refusal
from driftdesk.backend.api.snaptrade.signing import Caller, Signed, Unauthorized, check_signed, unknown_user
from driftdesk.wire.snaptrade.served import GENERAL

if TYPE_CHECKING:
    from driftdesk.backend.service import Service

STATUS: Final = "/"
REQUESTS_A_MINUTE: Final = 250
_OLD_BASE: Final = "/api/v1"
# When SnapTrade deprecated it: 12 June 2026.
_DEPRECATED: Final = "@1781222400"
_ROOTS: Final = frozenset({"accounts", "authorizations", "brokerages", "snapTrade", "trade"})
# Asked by the holder of the client id alone, for users that may not be there yet.
_OF_THE_CLIENT: Final = "/snapTrade/"
_NOBODY: Final = ""


def own_path(path: str) -> str | None:
    """`path` without the old base where it is one of SnapTrade's, None where it is not."""
    below = path.removeprefix(_OLD_BASE) if f"{path}/".startswith(f"{_OLD_BASE}/") else path
    return (below or STATUS) if below in ("", STATUS) or below.split("/")[1] in _ROOTS else None


class SnapTradeDoor:
    """ASGI middleware for requests to an `own_path`; `clock` gives seconds since 1970, by the wall."""

    def __init__(self, app: ASGIApp, credentials: Credentials, *, limited: bool, clock: Callable[[], float]) -> None:
        self.app = app
        self.credentials = credentials
        self.clock = clock
        self.limits = RateLimits(REQUESTS_A_MINUTE, clock) if limited else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, refusals among them. Raises what the app raises."""
        deprecated = scope["path"].startswith(_OLD_BASE)
        path = own_path(scope["path"]) or STATUS
        inner = {**scope, "path": path, "raw_path": path.encode(), MARK: True}
        body = await _read(receive)
        caller: Caller | None = None
        refused: Unauthorized | None = None
        if path != STATUS:
            try:
                caller = check_signed(_signed(scope, body), self.credentials, self.clock())
            except Unauthorized as problem:
                refused = problem
        quota = None if self.limits is None else self.limits.take(_NOBODY if caller is None else self.credentials.key)

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if deprecated:
                    headers["Deprecation"] = _DEPRECATED
                if quota is not None:
                    # SnapTrade tells the seconds that are left.
                    left = max(0, math.ceil(quota.reset - self.clock()))
                    headers.update({**quota.headers, "X-RateLimit-Reset": f"{left}"})
            await send(message)

        if quota is not None and quota.wait is not None:
            await _too_many(quota)(scope, receive, send_more)
            return
        if caller is not None and not path.startswith(_OF_THE_CLIENT):
            refused = _unknown(scope["app"].state.service, caller)
        if refused is not None:
            await refusal(refused)(scope, receive, send_more)
            return
        await self.app(inner, _again(body, receive), send_more)


def _signed(scope: Scope, body: bytes) -> Signed:
    # The path as it was sent, which may be percent-encoded.
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    bare = path.removeprefix(_OLD_BASE)
    signature = Headers(scope=scope).get("signature", "")
    return Signed((bare, _OLD_BASE + bare), scope["query_string"].decode("latin-1"), body, signature)


def _unknown(service: "Service", caller: Caller) -> Unauthorized | None:
    """Why the user is refused, None where it is not; a personal key, without user and secret, is the world's owner."""
    user_id, secret = caller.user_id, caller.user_secret
    if user_id is None and secret is None:
        return None
    known = user_id is not None and secret is not None and service.snaptrade.knows_user(user_id, secret)
    return None if known else unknown_user()


def _too_many(quota: Quota) -> ASGIApp:
    return error_answer(
        HTTPStatus.TOO_MANY_REQUESTS,
        GENERAL,
        f"Request was throttled: more than {quota.limit} requests within a minute. Expected available in {quota.wait} "
        "seconds.",
        {"Retry-After": f"{quota.wait}"},
    )


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once more."""
    waiting = [body]

    async def read() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return read
