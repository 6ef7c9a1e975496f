"""Who asks SnapTrade, and when: the keys, and what they add to a query (wire/snaptrade.md 1).

What is signed is the text of the query exactly as it is sent, so it is built here and nowhere encoded again.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from driftdesk.errors import InputError
from driftdesk.wire.snaptrade.signature import sign

__all__ = ["SnapTradeKeys", "SnapTradeUser", "plain_query", "sign", "signed_query"]

_OURS: Final = ("userId=", "userSecret=", "clientId=", "timestamp=")


@dataclass(frozen=True, slots=True)
class SnapTradeUser:
    """The user of a commercial key whose accounts are asked for."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SnapTradeKeys:
    """A client id and its consumer key; a commercial key acts for a `user`, a personal one has none.

    Raises InputError where one of them is empty.
    """

    client_id: str
    consumer_key: str = field(repr=False)
    user: SnapTradeUser | None = None

    def __post_init__(self) -> None:
        given = {"client_id": self.client_id, "consumer_key": self.consumer_key}
        if self.user is not None:
            given |= {"user.id": self.user.id, "user.secret": self.user.secret}
        for name, text in given.items():
            if not text.strip():
                raise InputError(
                    f"{name} of the SnapTrade keys is empty; a commercial key needs client id, consumer key, user id "
                    "and user secret, a personal key only the first two.",
                    field=name,
                    allowed="text that is not empty",
                )


def signed_query(query: str, keys: SnapTradeKeys, timestamp: int) -> str:
    """The raw `query` with user, client and `timestamp` (whole seconds since 1970), each value percent-encoded."""
    parts = [plain] if (plain := plain_query(query)) else []
    if keys.user is not None:
        parts += [f"userId={quote(keys.user.id, safe='')}", f"userSecret={quote(keys.user.secret, safe='')}"]
    return "&".join([*parts, f"clientId={quote(keys.client_id, safe='')}", f"timestamp={timestamp}"])


def plain_query(query: str) -> str:
    """The raw `query` without user, client and timestamp."""
    return "&".join(part for part in query.split("&") if part and not part.startswith(_OURS))
