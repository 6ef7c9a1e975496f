"""Who may call: one key and secret, by HTTP Basic or by the two APCA headers (wire/alpaca.md 0.3)."""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key and secret of the one caller that this backend knows."""

    key: str
    secret: str = field(repr=False)


class Access(Enum):
    """What the headers of a request prove."""

    GRANTED = auto()
    MISSING = auto()
    WRONG = auto()


def check(headers: Iterable[tuple[bytes, bytes]], credentials: Credentials) -> Access:
    """Compare the credentials in `headers` (lower-case names, as ASGI gives them) in constant time.

    The APCA headers win over an Authorization header when both are sent.
    """
    named = dict(headers)
    key, secret = named.get(b"apca-api-key-id"), named.get(b"apca-api-secret-key")
    if key is None or secret is None:
        basic = _from_basic(named.get(b"authorization", b""))
        if basic is None:
            return Access.MISSING
        key, secret = basic
    # Both comparisons always run, so that timing does not tell which of the two was wrong.
    right_key = hmac.compare_digest(key, credentials.key.encode())
    right_secret = hmac.compare_digest(secret, credentials.secret.encode())
    return Access.GRANTED if right_key and right_secret else Access.WRONG


def _from_basic(header: bytes) -> tuple[bytes, bytes] | None:
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        key, colon, secret = base64.b64decode(token.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (key, secret) if colon else None
