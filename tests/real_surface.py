"""The documented surface of the real API, over a service of ours: two hosts, no extension of ours, in or out.

A path or a field that the real API does not have is refused here as it would be there, so that a desk which leans on
one fails in a test and not at an adviser's.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.service import Service
from driftdesk.client import Client, ClientKeys
from driftdesk.desk import Desk, Mode

BROKER, DATA = "https://broker.test", "https://data.test"
KEYS = ("key", "secret")
PATHS = {
    "broker.test": (
        r"/v1/rebalancing/(portfolios|subscriptions|runs)(/[^/]+)?",
        r"/v1/accounts(?!/positions)(/[^/]+)?",
        r"/v1/trading/accounts/[^/]+/(account|positions|orders|account/portfolio/history)(/[^/]+)?",
        r"/v1/(clock|calendar|assets)(/[^/]+)?",
    ),
    "data.test": (r"/v2/stocks/(trades|quotes|bars)/latest", r"/v2/stocks/(snapshots|bars)"),
}
# What the documentation knows of each body (wire/alpaca.md 5).
FIELDS = {
    "portfolios": {"name", "description", "weights", "cooldown_days", "rebalance_conditions", "rebalancing_conditions"},
    "subscriptions": {"account_id", "portfolio_id", "trade_marker"},
    "runs": {"account_id", "type", "weights", "amount"},
}
OURS = {
    "waiting", "warnings", "initiated_by", "preview_hash", "options", "trigger", "plan", "events", "reject_reason",
    "simulated", "feed",
}  # fmt: skip


class RealSurface(httpx.BaseTransport):
    """Answers as the real API would; `requests` notes what was asked. `before(request)` may answer or fail instead."""

    def __init__(self, service: Service) -> None:
        self._inner = InProcessTransport(create_app(service, Credentials(*KEYS)))
        self.requests: list[httpx.Request] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.after: Callable[[httpx.Request], None] = lambda request: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        if not any(re.fullmatch(pattern, path) for pattern in PATHS[request.url.host]):
            return httpx.Response(404, json={"code": 40410000, "message": f"endpoint not found: {path}"})
        unknown = self._unknown_fields(request)
        if unknown:
            return httpx.Response(400, json={"code": 40010000, "message": f"unknown fields {sorted(unknown)}"})
        if (given := self.before(request)) is not None:
            return given
        answer = self._inner.handle_request(request)
        self.after(request)
        if answer.status_code == 204:
            return answer
        body = stripped(json.loads(answer.content), named="/accounts" not in path)
        return httpx.Response(answer.status_code, json=body, headers={"X-RateLimit-Remaining": "500"})

    def close(self) -> None:
        self._inner.close()

    def sent(self, method: str) -> list[tuple[str, Any]]:
        """Path and body of the requests of one method."""
        return [
            (request.url.path, json.loads(request.content or "null"))
            for request in self.requests
            if request.method == method
        ]

    @staticmethod
    def _unknown_fields(request: httpx.Request) -> set[str]:
        kind = request.url.path.split("/")[3] if request.url.path.startswith("/v1/rebalancing/") else ""
        return set(json.loads(request.content)) - FIELDS[kind] if request.content else set()


def stripped(value: Any, *, named: bool) -> Any:
    """`value` without the fields that are ours; the name of an account is one of them."""
    if isinstance(value, list):
        return [stripped(item, named=named) for item in value]
    if isinstance(value, dict):
        left_out = OURS if named else OURS | {"name"}
        return {key: stripped(item, named=named) for key, item in value.items() if key not in left_out}
    return value


def real_desk(service: Service, mode: Mode) -> tuple[Desk, RealSurface]:
    """A desk as `connect` makes it for a real service, on this surface."""
    surface = RealSurface(service)
    client = Client(BROKER, ClientKeys(*KEYS), surface, data_url=DATA, real_money=mode is Mode.LIVE)
    return Desk(client, mode=mode, label="surface", on_close=service.close), surface
