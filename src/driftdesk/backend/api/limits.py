"""How many requests a key may send: X-RateLimit headers on every answer, 429 above the limit (wire/alpaca.md 14)."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from driftdesk.errors import InputError

WINDOW_SECONDS: Final = 60.0
# What the headers tell where nothing is refused: more than a window can see, so that no reader holds itself back.
UNLIMITED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Quota:
    """What a request finds: `remaining` more until `reset` (seconds since 1970, server time).

    `wait` in seconds where it is refused.
    """

    limit: int
    remaining: int
    reset: int
    wait: int | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The three headers of every answer."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@dataclass(slots=True)
class _Window:
    began: float
    used: int = 0


class RateLimits:
    """Counts requests of each holder in windows of a minute, the first of which begins with its first request.

    `limit` None never refuses anything. `clock` gives seconds since 1970: a limit is about real time, also where the
    world's clock is simulated. Raises InputError for a limit below 1.
    """

    def __init__(self, limit: int | None, clock: Callable[[], float] = time.time) -> None:
        if limit is not None and limit < 1:
            raise InputError(
                f"The rate limit must be 1 or more requests a minute, or none; received {limit}.",
                field="rate_limit",
                received=limit,
                allowed="a whole number of 1 or more",
            )
        self._limit = limit
        self._clock = clock
        # One entry a key that is known here, and one for everybody else.
        self._windows: dict[str, _Window] = {}

    @property
    def refuses(self) -> bool:
        """Whether there is a limit at all."""
        return self._limit is not None

    def take(self, holder: str) -> Quota:
        """Count one request of `holder`."""
        now = self._clock()
        window = self._windows.get(holder)
        # A clock that was set back begins a new window too.
        if window is None or not window.began <= now < window.began + WINDOW_SECONDS:
            window = self._windows[holder] = _Window(now)
        window.used += 1
        limit = UNLIMITED if self._limit is None else self._limit
        reset = math.ceil(window.began + WINDOW_SECONDS)
        refused = self._limit is not None and window.used > limit
        wait = max(1, math.ceil(reset - now)) if refused else None
        return Quota(limit, max(0, limit - window.used), reset, wait)
