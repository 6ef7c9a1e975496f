"""Who may call the SnapTrade routes: client id, signature, timestamp, and the user (wire/snaptrade.md 1).

The client id is the backend's key and the consumer key its secret, so that nothing more has to be kept. A request
signs its own raw query, its path with or without the old base, and its body; what is not ASCII may be escaped or not.
"""

import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from driftdesk.backend.api.auth import Credentials
from driftdesk.errors import DriftdeskError
from driftdesk.wire.snaptrade.served import NO_SUCH_USER, NOT_VERIFIED
from driftdesk.wire.snaptrade.signature import sign

# Seconds that the caller's clock may be ahead or behind; SnapTrade does not say its own.
TOLERANCE: Final = 300.0


class Unauthorized(DriftdeskError):
    """A request that does not prove who sent it."""

    def __init__(self, message: str, code: str = NOT_VERIFIED) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers, as it was sent, but for `paths`: those under which the caller may have known it."""

    paths: tuple[str, ...]
    query: str
    body: bytes
    signature: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The user whose accounts are asked for; without both the key is a personal one."""

    user_id: str | None
    user_secret: str | None


def check_signed(request: Signed, credentials: Credentials, now: float) -> Caller:
    """Raise Unauthorized unless the holder of `credentials` signed `request` around `now` (seconds since 1970)."""
    said = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
    if not hmac.compare_digest(said.get("clientId", "").encode(), credentials.key.encode()):
        raise Unauthorized("clientId is missing or is not the key of this backend.")
    _check_time(said.get("timestamp", ""), now)
    # All comparisons always run, so that timing does not tell which of them came close.
    fits = [hmac.compare_digest(made, request.signature.encode()) for made in _signatures(request, credentials.secret)]
    if not any(fits):
        raise Unauthorized(
            "Unable to verify signature sent: sign content, path and raw query with the consumer key, which is this "
            "backend's secret."
        )
    return Caller(said.get("userId"), said.get("userSecret"))


def unknown_user() -> Unauthorized:
    """The refusal of a user that is not registered, or of a wrong secret."""
    return Unauthorized(
        "userId or userSecret is wrong or missing; send both, or neither with a personal key.", NO_SUCH_USER
    )


def _check_time(said: str, now: float) -> None:
    if not (said.isascii() and said.isdecimal() and len(said) <= len(f"{now:.0f}") + 1):
        raise Unauthorized("timestamp is missing or not a number of seconds since 1970.")
    if abs(int(said) - now) > TOLERANCE:
        raise Unauthorized(
            f"timestamp {said} is more than {TOLERANCE:.0f} seconds away from this backend's clock; check your own."
        )


def _signatures(request: Signed, secret: str) -> list[bytes]:
    try:
        return [
            sign(secret, path, request.query, request.body, escaped=escaped).encode()
            for path in request.paths
            for escaped in (True, False)
        ]
    except (ValueError, RecursionError):
        raise Unauthorized("Unable to verify signature sent: the body is not JSON.") from None
