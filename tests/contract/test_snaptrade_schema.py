"""The SnapTrade routes against the OpenAPI document, as in test_schema, with every request signed on its way.

What test_schema cannot do: a request that proves who sent it has a signature over itself.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast
from urllib.parse import parse_qsl, urlencode

import pytest
import schemathesis
from conftest import simulated_feed
from contract.test_schema import CHECKS, HOW, KNOWN, ground
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.api.snaptrade.answers import TAG
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.wire.simulation import CreateAccount, NewPosition
from driftdesk.wire.snaptrade.signature import sign
from driftdesk.wire.snaptrade.trading import NewOrder

START = datetime(2025, 3, 3, 15, tzinfo=UTC)
WALL = 1_764_072_000.0
# What the signature brings along, whatever was made up for it.
_OURS = ("clientId", "timestamp", "userId", "userSecret")


class Signing:
    """ASGI middleware that signs for a personal key; a body that is no JSON stays unsigned and is refused."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        message = await receive()
        body = message.get("body", b"")
        said = [pair for pair in parse_qsl(scope["query_string"].decode(), True) if pair[0] not in _OURS]
        if scope["path"].startswith("/snapTrade/"):
            said += [pair for pair in parse_qsl(scope["query_string"].decode(), True) if pair[0] == "userId"]
        query = urlencode([*said, ("clientId", "key"), ("timestamp", f"{WALL:.0f}")])
        try:
            signature = sign("secret", scope["raw_path"].partition(b"?")[0].decode(), query, body)
        except (ValueError, RecursionError):
            signature = ""
        headers = [pair for pair in scope["headers"] if pair[0] != b"signature"]
        signed = {**scope, "query_string": query.encode(), "headers": [*headers, (b"signature", signature.encode())]}
        waiting = [message]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.app(signed, again, send)


app = create_app(cast(Service, None), Credentials("key", "secret"), wall=lambda: WALL)
schema = schemathesis.openapi.from_dict(app.openapi()).include(tag=TAG)
schema.app = Signing(app)


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An account with positions and an order that rests; on Monday 3 March 2025 at 10:00 in New York."""
    path = tmp_path_factory.mktemp("snaptrade-schema") / "world.db"
    service = open_service(path, simulated_feed(), start=START, seed=1, durable=False)
    holding = NewPosition(symbol="SPY", qty=Decimal(4))
    account = service.simulate_account(CreateAccount(cash=Decimal(5000), positions=(holding,))).id
    service.snaptrade.register_user("ada")
    words = {"action": "BUY", "order_type": "Limit", "time_in_force": "GTC", "symbol": "TLT", "units": 1, "price": 10}
    order = service.snaptrade.place(NewOrder.model_validate({"account_id": account, **words}))
    known = {
        "account_id": [account],
        "brokerage_order_id": [order.brokerage_order_id],
        "authorization_id": [service.snaptrade.connection_id],
        "slug": ["DRIFTDESK"],
        "symbols": ["TLT,SPY"],
        "symbol": ["TLT"],
        "universal_symbol_id": [service.get_asset("TLT").id],
        "action": ["BUY", "SELL"],
        "order_type": ["Market", "Limit"],
        "time_in_force": ["Day", "GTC"],
        "units": [1],
        "userId": ["ada"],
    }
    KNOWN.clear()
    KNOWN.update(known)
    app.state.service = service
    yield
    service.close()


@schema.parametrize()
@HOW
def test_signed_answers_are_as_documented(case: schemathesis.Case) -> None:
    """Whatever is sent, the answer has a documented status, type and shape."""
    ground(case)
    case.call_and_validate(checks=CHECKS)


def test_signed_requests_get_through() -> None:
    """Positive control: not every request above is refused for its signature."""
    answer = schema["/accounts/all"]["GET"].Case().call()
    assert [200, 1] == [answer.status_code, len(answer.json()["results"])]
