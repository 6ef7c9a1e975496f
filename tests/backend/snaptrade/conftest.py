"""The SnapTrade routes of a small world, asked as anyone may ask them: each request is signed by hand here."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.service import Service
from driftdesk.wire.snaptrade.signature import sign

KEY, SECRET = "key", "secret"
# The wall's clock, which has nothing to do with the world's.
WALL = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


class Wall:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now = WALL

    def __call__(self) -> float:
        return self.now


class Asker:
    """Signs and sends: ``ask("GET", "/accounts/all")``. `user` is id and secret, None for a personal key."""

    def __init__(self, http: httpx.Client, wall: Wall) -> None:
        self.http, self.wall = http, wall
        self.user: tuple[str, str] | None = None
        self.base = ""

    def __call__(self, method: str, path: str, body: Any = None, **query: object) -> httpx.Response:
        said = {name: f"{value}".lower() if isinstance(value, bool) else f"{value}" for name, value in query.items()}
        if self.user is not None:
            said |= {"userId": self.user[0], "userSecret": self.user[1]}
        said |= {"clientId": KEY, "timestamp": f"{self.wall.now:.0f}"}
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items())
        content = b"" if body is None else json.dumps(body).encode()
        return self.send(method, self.base + path, text, content, sign(SECRET, path, text, content))

    def send(self, method: str, path: str, query: str, content: bytes, signature: str) -> httpx.Response:
        """A request exactly as told."""
        headers = {"Signature": signature, "Content-Type": "application/json"}
        return self.http.request(method, f"{path}?{query}", content=content, headers=headers)


@pytest.fixture(scope="session")
def shared() -> tuple[FastAPI, Wall]:
    """One app for all tests, for what its first request costs; each gives it a world of its own."""
    wall = Wall()
    return create_app(cast(Service, None), Credentials(KEY, SECRET), wall=wall), wall


@pytest.fixture
def wall(shared: tuple[FastAPI, Wall]) -> Wall:
    shared[1].now = WALL
    return shared[1]


@pytest.fixture
def http(service: Service, shared: tuple[FastAPI, Wall]) -> Iterator[httpx.Client]:
    app, _ = shared
    app.state.service = service
    with httpx.Client(base_url="http://desk", transport=InProcessTransport(app)) as client:
        yield client


@pytest.fixture
def ask(http: httpx.Client, wall: Wall) -> Asker:
    return Asker(http, wall)


@pytest.fixture
def account(open_account: Callable[..., str]) -> str:
    """10,000.00 USD and 40 SPY (at 100)."""
    return open_account("10000", SPY="40")


@pytest.fixture
def place(ask: Asker, account: str) -> Callable[..., dict[str, Any]]:
    """Place an order, a market day order to buy 10 TLT where nothing else is said; its record."""

    def placer(**terms: object) -> dict[str, Any]:
        answer = ask("POST", "/trade/place", order_body(account, **terms))
        assert 200 == answer.status_code, answer.text
        record: dict[str, Any] = answer.json()
        return record

    return placer


def order_body(account: str, **terms: object) -> dict[str, Any]:
    """A market day order to buy 10 TLT, but for `terms`; one that is None is left out."""
    body = {
        "account_id": account,
        "action": "BUY",
        "order_type": "Market",
        "time_in_force": "Day",
        "symbol": "TLT",
        "units": 10,
    }
    return {name: value for name, value in (body | terms).items() if value is not None}
