"""One small world, reached in two ways: in-process, and over a real socket. Every contract test runs over both."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from on_a_socket import served

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.opening import make_feed, open_service
from driftdesk.backend.service import Service
from driftdesk.client import Client, ClientKeys

# Monday 3 March 2025, 10:00 in New York: half an hour into a full session.
START = datetime(2025, 3, 3, 15, tzinfo=UTC)
KEYS = ("key", "secret")


@pytest.fixture(scope="session")
def feed() -> PriceFeed:
    return make_feed()


@pytest.fixture
def service(tmp_path: Path, feed: PriceFeed) -> Iterator[Service]:
    opened = open_service(tmp_path / "world.db", feed, start=START, seed=1, durable=False)
    yield opened
    opened.close()


@pytest.fixture
def app(service: Service) -> FastAPI:
    return create_app(service, Credentials(*KEYS))


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The URL of the served app, without a version or a slash at its end: what an SDK takes as `url_override`."""
    with served(app) as url:
        yield url


@pytest.fixture(params=["in-process", "socket"])
def client(request: pytest.FixtureRequest, app: FastAPI) -> Iterator[Client]:
    if request.param == "in-process":
        with Client("http://embedded", ClientKeys(*KEYS), InProcessTransport(app)) as client:
            yield client
        return
    with served(app) as url, Client(url, ClientKeys(*KEYS)) as client:
        yield client
