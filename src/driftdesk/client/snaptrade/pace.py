"""Keep to SnapTrade's rate limits without being told: 250 requests a minute for a client, one order a second for an
account (wire/snaptrade.md 6).
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `most` within any `span` seconds."""

    most: int
    span: float


REQUESTS: Final = Rate(250, 60.0)
ORDERS: Final = Rate(1, 1.0)


class Pace:
    """Says how long to wait before the next request or order; safe to share between threads.

    Times are seconds since 1970 and passed in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[float] = deque(maxlen=REQUESTS.most)
        self._orders: dict[str, deque[float]] = {}

    def request(self, now: float) -> float:
        """Seconds until a request may be sent; it is counted."""
        return self._wait(self._requests, REQUESTS, now)

    def order(self, account_id: str, now: float) -> float:
        """Seconds until an order of the account may be sent; it is counted."""
        with self._lock:
            sent = self._orders.setdefault(account_id, deque(maxlen=ORDERS.most))
        return self._wait(sent, ORDERS, now)

    def _wait(self, sent: deque[float], rate: Rate, now: float) -> float:
        with self._lock:
            # A full window holds just the instants that count: the next one is free when its oldest leaves it.
            at = now if len(sent) < rate.most else max(now, sent[0] + rate.span)
            sent.append(at)
        return at - now
