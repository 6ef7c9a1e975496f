"""Keep to the rate limit that a backend tells of in its headers, before it has to refuse (wire/alpaca.md 14).

Every answer of the real API carries X-RateLimit-Remaining and X-RateLimit-Reset. Nothing is assumed where they are
missing: a backend that tells of no limit is not held back.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

# Nobody waits longer than this for one attempt, whatever a backend asks for.
MAX_WAIT: Final = 60.0
# Longer digits are no instant, and Python refuses to read them from some length on.
_MOST_DIGITS: Final = 20


@dataclass
class _Window:
    """How many requests are left until the instant `reset`, in seconds since 1970."""

    remaining: int
    reset: int


class Limiter:
    """Says how long a request has to wait until its host's window begins anew; safe to share between threads.

    Times are seconds since 1970 and passed in.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}

    def wait(self, host: str, now: float) -> float:
        """Seconds to wait before a request to `host`, 0 to 60; the request is counted."""
        with self._lock:
            window = self._windows.get(host)
            if window is None:
                return 0.0
            if window.remaining > 0:
                window.remaining -= 1
                return 0.0
            # Whoever has waited sends, also where the two clocks differ: the next answer tells of the new window.
            return max(0.0, min(MAX_WAIT, window.reset - now))

    def told(self, host: str, headers: Mapping[str, str]) -> None:
        """Note the window that an answer of `host` tells of; headers that are missing or no numbers tell nothing."""
        remaining, reset = whole_number(headers, "X-RateLimit-Remaining"), whole_number(headers, "X-RateLimit-Reset")
        if remaining is None or reset is None:
            return
        told = _Window(remaining, reset)
        with self._lock:
            known = self._windows.get(host)
            # Requests under way are counted already, so an answer about the same window can only lower its rest; one
            # about an earlier window comes late.
            if known is None or told.reset > known.reset:
                self._windows[host] = told
            elif told.reset == known.reset:
                known.remaining = min(known.remaining, told.remaining)


def asked_wait(status: int, headers: Mapping[str, str], now: float) -> float:
    """Seconds that a refusal asks to wait (Retry-After, on 429 else X-RateLimit-Reset), 0 to 60."""
    seconds = 0.0
    if after := headers.get("Retry-After"):
        try:
            seconds = float(after) if after.strip().isdecimal() else parsedate_to_datetime(after).timestamp() - now
        except ValueError:
            seconds = 0.0
    # Every answer of the real backend carries the reset; only a 429 means that it has to be waited for.
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        reset = whole_number(headers, "X-RateLimit-Reset")
        seconds = 0.0 if reset is None else reset - now
    return max(0.0, min(MAX_WAIT, seconds))


def whole_number(headers: Mapping[str, str], name: str) -> int | None:
    """The header `name` as a number, None where it is missing or none."""
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
