"""A service that records what the API asked of it and answers as told, and a client of the API in front of it; and
whole worlds, for the sentences of the seed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from seed_world import World, at

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.opening import make_feed, open_service
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


@pytest.fixture(scope="session")
def feed() -> PriceFeed:
    return make_feed()


@contextmanager
def opened(path: Path, feed: PriceFeed, start: str) -> Iterator[World]:
    service = open_service(path, feed, start=at(start), seed=1, durable=False)
    transport = InProcessTransport(create_app(service, Credentials("key", "secret")))
    # A year of the clock may take longer than a client waits by itself.
    client = httpx.Client(base_url="http://desk", transport=transport, auth=("key", "secret"), timeout=None)
    with closing(service), client:
        world = World(client, service)
        world.price(SPY="100", TLT="50", GLD="200")
        yield world


@pytest.fixture
def open_world(feed: PriceFeed, tmp_path: Path) -> Iterator[Callable[[str], World]]:
    """Open a world at an instant, as in ``open_world("2026-03-11 10:00")``."""
    with ExitStack() as stack:
        yield lambda start: stack.enter_context(opened(tmp_path / "world.db", feed, start))


@pytest.fixture
def world(open_world: Callable[[str], World]) -> World:
    return open_world("2026-03-11 10:00")


@pytest.fixture(scope="module")
def untouched(feed: PriceFeed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for the requests that change nothing."""
    with opened(tmp_path_factory.mktemp("untouched") / "world.db", feed, "2026-03-11 10:00") as world:
        yield world
