"""One small world, reached in two ways: in-process, and over a real socket. Every contract test runs over both."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.opening import make_feed, open_service
from driftdesk.backend.service import Service
from driftdesk.backend.serving import Server
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


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The URL under which `app` answers on a real socket of this machine, until the block ends."""
    server = Server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


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
