"""A service that records what the API asked of it and answers as told, and a client of the API in front of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.errors import StateError
from driftdesk.wire.market import Clock

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)


class FakeService:
    """Answers each method with what `answers` holds under its name (raised when it is an exception)."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"clock": Clock(timestamp=NOON, is_open=True, next_open=NOON, next_close=NOON)}
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.kept: dict[str, tuple[str, tuple[int, str]]] = {}

    def answer_once(self, scope: str, digest: str, act: Callable[[], tuple[int, str]]) -> tuple[int, str]:
        if scope in self.kept:
            kept_digest, answer = self.kept[scope]
            if kept_digest != digest:
                raise StateError("This key was used with another body.")
            return answer
        self.kept[scope] = (digest, act())
        return self.kept[scope][1]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            told = self.answers.get(name)
            if isinstance(told, BaseException):
                raise told
            return told

        return method


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def anonymous(service: FakeService) -> Iterator[httpx.Client]:
    app = create_app(service, Credentials("key", "secret"))
    with httpx.Client(base_url="http://desk", transport=InProcessTransport(app)) as client:
        yield client


@pytest.fixture
def http(anonymous: httpx.Client) -> httpx.Client:
    anonymous.auth = httpx.BasicAuth("key", "secret")
    return anonymous
