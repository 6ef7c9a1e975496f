"""The API against its own OpenAPI document, with requests that nobody would write by hand (schemathesis).

Every operation gets requests that the document allows and requests that it does not, in a small world whose ids are
known to about half of them. Whatever comes: no 500, no status, type or shape of an answer that is not documented.

In the suite it is bounded and the same every time. For a longer search with other requests each time:

    DRIFTDESK_SCHEMA_EXAMPLES=500 python -m pytest tests/contract/test_schema.py
"""

import os
import zlib
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
import schemathesis
from conftest import simulated_feed
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.wire.portfolios import CreatePortfolio
from driftdesk.wire.simulation import CreateAccount
from driftdesk.wire.subscriptions import CreateSubscription

EXAMPLES = os.environ.get("DRIFTDESK_SCHEMA_EXAMPLES")
HOW = settings(
    max_examples=int(EXAMPLES or 8),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
    unsupported_method,
]
START = datetime(2025, 3, 3, 15, tzinfo=UTC)
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}

app = create_app(cast(Service, None), Credentials("key", "secret"))
schema = schemathesis.openapi.from_dict(app.openapi())
schema.app = app

# What the world of this module holds, by the name under which requests ask for it.
KNOWN: dict[str, list[Any]] = {
    "symbol": ["SPY", "TLT"],
    "symbol_or_id": ["SPY"],
    "toward": ["target", "halfway"],
    "type": ["full_rebalance", "invest_cash"],
    "weights": [[{"type": "asset", "symbol": "SPY", "percent": "60"}, {"type": "cash", "percent": "40"}]],
}


@pytest.fixture(scope="module", autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A portfolio, an account that follows it, and one that does not; on Monday 3 March 2025 at 10:00 in New York."""
    path = tmp_path_factory.mktemp("schema") / "world.db"
    service = open_service(path, simulated_feed(), start=START, seed=1, durable=False)
    portfolio = service.create_portfolio(
        CreatePortfolio.model_validate({"name": "Model", "weights": KNOWN["weights"][0]})
    )
    follower, other = (service.simulate_account(CreateAccount(cash=Decimal(5000))).id for _ in range(2))
    followed = service.create_subscription(CreateSubscription(account_id=follower, portfolio_id=portfolio.id))
    KNOWN["account_id"] = [follower, other]
    KNOWN["portfolio_id"] = [portfolio.id]
    KNOWN["subscription_id"] = [followed.id]
    KNOWN["run_id"] = [run.id for run in service.list_runs().runs]
    app.state.service = service
    yield
    service.close()


@schema.parametrize()
@HOW
def test_answers_are_as_documented(case: schemathesis.Case) -> None:
    """Whatever is sent, the answer has a documented status, type and shape."""
    ground(case)
    case.call_and_validate(headers=KEYS, checks=CHECKS)


def test_an_answer_that_is_not_documented_is_caught() -> None:
    """Negative control: a document that does not tell of the clock's answer."""
    document = deepcopy(app.openapi())
    del document["paths"]["/v1/clock"]["get"]["responses"]["200"]
    untold = schemathesis.openapi.from_dict(document)
    untold.app = app
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        untold["/v1/clock"]["GET"].Case().call_and_validate(headers=KEYS, checks=CHECKS)


def ground(case: schemathesis.Case) -> None:
    """Let about half of the names in the request be known ones, and every request come to an end."""
    if isinstance(case.path_parameters, dict):
        case.path_parameters = {name: known(name, value) for name, value in case.path_parameters.items()}
    if isinstance(case.query, dict):
        case.query = {name: known(name, value) for name, value in case.query.items()}
        if "/events/" in case.path:
            # Without an end in the past this one answers for ever.
            case.query.pop("until_id", None)
            case.query["until"] = "2025-01-01T00:00:00Z"
    if isinstance(case.body, dict | list):
        case.body = grounded(case.body)
        if case.path == "/v1/simulation/advance" and isinstance(case.body, dict):
            case.body["budget_ms"] = 20


def grounded(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: known(name, grounded(value)) for name, value in body.items()}
    return [grounded(item) for item in body] if isinstance(body, list) else body


def known(name: str, value: Any) -> Any:
    """A known value under that name or the one that was made, by the latter's own text."""
    choice = zlib.crc32(repr(value).encode(errors="replace"))
    names = KNOWN.get(name)
    return names[choice // 2 % len(names)] if names and choice % 2 else value
