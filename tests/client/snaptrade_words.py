"""A SnapTrade that answers by a script, for tests: it checks every signature and passes time instead of waiting."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from driftdesk.client.snaptrade import SnapTradeClient, SnapTradeKeys, SnapTradeUser
from driftdesk.client.snaptrade.signature import sign
from driftdesk.client.transport import Waiting

START = datetime(2026, 3, 2, 17, tzinfo=UTC)
KEYS = SnapTradeKeys("CLIENT", "SECRET", SnapTradeUser("alice", "wonder-1"))
A = "/accounts/acc-1"

Line = httpx.Response | httpx.HTTPError


def record(status: str, filled: str = "0", canceled: str = "0", still_open: str = "0", **more: Any) -> dict[str, Any]:
    """An order record o-1 whose total is the sum of its parts."""
    parts = {"filled_quantity": filled, "canceled_quantity": canceled, "open_quantity": still_open}
    total = f"{sum(map(int, parts.values()))}"
    return {"brokerage_order_id": "o-1", "status": status, "total_quantity": total, **parts, **more}


def ok(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


class SnapTrade:
    """Answers each request with the next line of `script` (the last one repeats); notes requests and waits."""

    def __init__(self, *script: Line, keys: SnapTradeKeys = KEYS, base_url: str = "https://snaptrade.test") -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.times: list[datetime] = []
        self.now = START
        self.keys = keys
        self.client = SnapTradeClient(
            keys,
            base_url=base_url,
            transport=httpx.MockTransport(self.answer),
            waiting=Waiting(sleep=self.sleep, jitter=lambda: 0.0, now=lambda: self.now),
        )

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        assert sign(self.keys.consumer_key, path, query, request.content) == request.headers["Signature"]
        assert f"{int(self.now.timestamp())}" == request.url.params["timestamp"]
        assert "Authorization" not in request.headers
        self.requests.append(request)
        self.times.append(self.now)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(line, httpx.HTTPError):
            raise line
        return line

    @property
    def asked(self) -> list[str]:
        """What was asked, as in ``GET /accounts/all days=3``, without what every request says."""
        every = {"userId", "userSecret", "clientId", "timestamp"}
        lines = []
        for request in self.requests:
            own = [f"{name}={value}" for name, value in request.url.params.items() if name not in every]
            lines.append(" ".join([request.method, request.url.path, *own]))
        return lines

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies that were sent, as values; None for none."""
        return [json.loads(request.content) if request.content else None for request in self.requests]


Call = Callable[[SnapTradeClient], object]
