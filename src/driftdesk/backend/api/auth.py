"""Who may call: one key and secret, by HTTP Basic or by the two APCA headers (wire/alpaca.md 0.3).

The doors of the trading API act for "the account of the API key" (seed 003), and one key serves every account here: so
``KEY.DD0000003`` with the same secret is the key of that account, and ``KEY`` alone that of the first one.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

_OF_ACCOUNT: Final = b"."


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
    sent = _sent(headers)
    if sent is None:
        return Access.MISSING
    # All comparisons always run, so that timing does not tell which of them was wrong.
    key = credentials.key.encode()
    right_key = hmac.compare_digest(sent[0], key)
    right_before_account = hmac.compare_digest(sent[0].rpartition(_OF_ACCOUNT)[0], key)
    right_secret = hmac.compare_digest(sent[1], credentials.secret.encode())
    return Access.GRANTED if (right_key or right_before_account) and right_secret else Access.WRONG


def account_of_key(headers: Iterable[tuple[bytes, bytes]], credentials: Credentials) -> str | None:
    """The account number or id that a granted key names, None where it names none."""
    sent = _sent(headers)
    named = b"" if sent is None else sent[0][len(credentials.key.encode()) + len(_OF_ACCOUNT) :]
    return named.decode(errors="replace") or None


def _sent(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, bytes] | None:
    named = dict(headers)
    key, secret = named.get(b"apca-api-key-id"), named.get(b"apca-api-secret-key")
    if key is not None and secret is not None:
        return key, secret
    return _from_basic(named.get(b"authorization", b""))


def _from_basic(header: bytes) -> tuple[bytes, bytes] | None:
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        key, colon, secret = base64.b64decode(token.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (key, secret) if colon else None
