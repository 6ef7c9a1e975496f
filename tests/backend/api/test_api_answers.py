"""Answers as the wire wants them: exact decimals in and out, request ids, idempotent POSTs, empty DELETEs."""

import re
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from driftdesk.wire.accounts import Asset
from driftdesk.wire.portfolios import Portfolio, Weight
from driftdesk.wire.runs import Run, RunPage
from driftdesk.wire.simulation import Advanced

PORTFOLIOS = "/v1/rebalancing/portfolios"
RUNS = "/v1/rebalancing/runs"
SOME_ID = "11111111-1111-4111-8111-111111111111"
NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
BODY = {"name": "Balanced", "weights": [{"type": "cash", "percent": "100"}], "cooldown_days": 7}

WEIGHTS = (Weight(type="cash", percent=Decimal("5.00")), Weight(type="asset", symbol="SPY", percent=Decimal(95)))
PORTFOLIO = Portfolio(
    id=SOME_ID,
    name="Balanced",
    status="active",
    created_at=NOON,
    updated_at=NOON,
    weights=WEIGHTS,
    rebalance_conditions=[{"type": "drift_band", "sub_type": "absolute", "percent": "5"}],
)
RUN = Run(
    id=SOME_ID,
    type="invest_cash",
    amount=Decimal("1E+2"),
    initiated_from="api",
    status="QUEUED",
    account_id=SOME_ID,
    portfolio_id=SOME_ID,
    weights=WEIGHTS,
    created_at=NOON,
    updated_at=NOON,
)


@pytest.mark.parametrize("sent", ["33.10", '"33.10"', "3.310e1"])
def test_percents_arrive_as_their_decimal_text(http: httpx.Client, service: Any, sent: str) -> None:
    """A JSON number is read from its text, never through a float (rules.md 1.2)."""
    service.answers["create_portfolio"] = PORTFOLIO
    body = f'{{"name": "n", "weights": [{{"type": "asset", "symbol": "SPY", "percent": {sent}}}]}}'
    assert http.post(PORTFOLIOS, content=body, headers={"Content-Type": "application/json"}).status_code == 200
    (_, (received,), _) = service.calls[0]
    assert Decimal("33.10") == received.weights[0].percent


def test_a_number_that_no_float_can_hold_arrives_exactly(http: httpx.Client, service: Any) -> None:
    """23 digits survive."""
    service.answers["create_run"] = RUN
    body = '{"account_id": "a", "type": "invest_cash", "amount": 12345678901234.567890123}'
    http.post(RUNS, content=body, headers={"Content-Type": "application/json"})
    assert Decimal("12345678901234.567890123") == service.calls[0][1][0].amount


def test_a_portfolio_leaves_with_every_key(http: httpx.Client, service: Any) -> None:
    """Percents as strings, symbol null for cash, four keys in every condition (rules.md 2.2; seed 000)."""
    service.answers["get_portfolio"] = PORTFOLIO
    body = http.get(f"{PORTFOLIOS}/{SOME_ID}").json()
    assert body["weights"][0] == {"type": "cash", "symbol": None, "percent": "5"}
    assert body["rebalance_conditions"] == [{"type": "drift_band", "sub_type": "absolute", "percent": "5", "day": None}]
    assert body["description"] == ""
    assert body["created_at"] == "2026-03-02T17:00:00Z"


def test_portfolios_are_a_bare_array_and_runs_an_envelope(http: httpx.Client, service: Any) -> None:
    """The two list shapes of the seed (rules.md 2.8)."""
    service.answers |= {"list_portfolios": [PORTFOLIO, PORTFOLIO], "list_runs": RunPage(runs=(RUN,))}
    assert [SOME_ID, SOME_ID] == [portfolio["id"] for portfolio in http.get(PORTFOLIOS).json()]
    assert {"runs", "next_page_token"} == set(http.get(RUNS).json())


def test_a_run_says_twice_who_initiated_it(http: httpx.Client, service: Any) -> None:
    """The seed's tables and samples use two names (rules.md 2.2); amounts leave without an exponent."""
    service.answers["get_run"] = RUN
    body = http.get(f"{RUNS}/{SOME_ID}").json()
    assert ("api", "api", "100") == (body["initiated_from"], body["initiated_by"], body["amount"])


def test_an_asset_leaves_with_its_class(http: httpx.Client, service: Any) -> None:
    """The wire's key is a reserved word in Python."""
    service.answers["get_asset"] = Asset(id="1", exchange="ARCA", symbol="SPY", tradable=True, fractionable=True)
    assert http.get("/v1/assets/SPY").json()["class"] == "us_equity"


def test_list_filters_reach_the_service(http: httpx.Client, service: Any) -> None:
    """`type` is spelled run_type inside; an empty page token means the first page; unknown parameters are ignored."""
    service.answers["list_runs"] = RunPage(runs=())
    http.get(f"{RUNS}?type=invest_cash&status=QUEUED&limit=1&page_token=&nested=True")
    expected = {"account_id": None, "run_type": "invest_cash", "status": "QUEUED", "limit": 1, "page_token": None}
    assert ("list_runs", (), expected) == service.calls[0]


def test_symbols_are_split_at_commas(http: httpx.Client, service: Any) -> None:
    """Blanks and empty pieces do not count."""
    http.get("/v2/stocks/trades/latest?symbols=SPY,%20TLT,,")
    assert ("latest_trades", (["SPY", "TLT"],), {}) == service.calls[0]


def test_patch_knows_which_fields_were_sent(http: httpx.Client, service: Any) -> None:
    """Both spellings of the conditions count; null counts as not sent (rules.md 2.2, 2.4)."""
    service.answers["update_portfolio"] = PORTFOLIO
    http.patch(f"{PORTFOLIOS}/{SOME_ID}", json={"rebalancing_conditions": [], "name": None, "cooldown_days": 0})
    assert {"rebalance_conditions", "cooldown_days"} == service.calls[0][1][1].model_fields_set


def test_delete_answers_204_with_nothing(http: httpx.Client) -> None:
    """Portfolio, subscription and run alike."""
    for path in (f"{PORTFOLIOS}/{SOME_ID}", f"/v1/rebalancing/subscriptions/{SOME_ID}", f"{RUNS}/{SOME_ID}"):
        answer = http.delete(path)
        assert (204, b"") == (answer.status_code, answer.content)


def test_the_same_key_and_body_give_the_first_answer_again(http: httpx.Client, service: Any) -> None:
    """Three clicks make one portfolio; another body under the key is 422, another key makes another (rules.md 2.10)."""
    service.answers["create_portfolio"] = PORTFOLIO
    first, second, third = (http.post(PORTFOLIOS, json=BODY, headers={"Idempotency-Key": "k"}) for _ in range(3))
    assert first.text == second.text == third.text
    assert len(service.calls) == 1
    assert http.post(PORTFOLIOS, json=BODY | {"name": "x"}, headers={"Idempotency-Key": "k"}).status_code == 422
    assert http.post(PORTFOLIOS, json=BODY, headers={"Idempotency-Key": "l"}).status_code == 200
    assert len(service.calls) == 2


def test_a_key_is_scoped_to_method_and_path(http: httpx.Client, service: Any) -> None:
    """The same key on another path is another request; a doubled slash is the same path."""
    service.answers |= {"create_portfolio": PORTFOLIO, "create_run": RUN}
    for path in (PORTFOLIOS, "http://desk//" + PORTFOLIOS.lstrip("/"), RUNS):
        body = BODY if "portfolios" in path else {"account_id": SOME_ID, "type": "full_rebalance"}
        assert http.post(path, json=body, headers={"Idempotency-Key": "k"}).status_code == 200
    assert [f"k|POST|{PORTFOLIOS}", f"k|POST|{RUNS}"] == list(service.kept)


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_without_sense_is_refused(http: httpx.Client, key: str) -> None:
    """1 to 255 characters."""
    answer = http.post(PORTFOLIOS, json=BODY, headers={"Idempotency-Key": key})
    assert (422, "Idempotency-Key must have 1 to 255 characters.") == (answer.status_code, answer.json()["message"])


def test_a_simulation_call_without_an_object_is_204_and_idempotent(http: httpx.Client, service: Any) -> None:
    """Setting prices answers nothing; null returns a symbol to the feed."""
    for _ in range(2):
        body = {"prices": {"SPY": "500.25", "TLT": None}}
        answer = http.post("/v1/simulation/prices", json=body, headers={"Idempotency-Key": "k"})
        assert (204, b"") == (answer.status_code, answer.content)
    assert len(service.calls) == 1
    assert {"SPY": Decimal("500.25"), "TLT": None} == service.calls[0][1][0].prices


def test_others_are_answered_while_the_clock_advances(http: httpx.Client, service: Any) -> None:
    """A slow advance runs in a thread: the clock can be read meanwhile."""
    may_finish = threading.Event()

    def slow(body: object) -> Advanced:
        assert may_finish.wait(10)
        return Advanced(now=NOON, target=NOON, done=True)

    service.advance = slow
    answers: list[int] = []
    click = threading.Thread(
        target=lambda: answers.append(http.post("/v1/simulation/advance", json={"seconds": 1}).status_code)
    )
    click.start()
    assert http.get("/v1/clock").status_code == 200
    assert answers == []
    may_finish.set()
    click.join()
    assert answers == [200]


def test_every_answer_has_its_own_request_id(http: httpx.Client) -> None:
    """Successes and refusals alike carry a UUID."""
    paths = ("/v1/clock", "/v1/nowhere", "/health")
    ids = {str(UUID(http.get(path).headers["X-Request-ID"])) for path in paths}
    assert len(ids) == len(paths)


def test_a_doubled_slash_is_tolerated(http: httpx.Client) -> None:
    """The official SDK sends //v1 when its base address ends in a slash (wire/alpaca.md 0.2)."""
    assert http.get("http://desk//v1//clock").status_code == 200


def test_the_documentation_has_titles_tags_and_the_simulation(anonymous: httpx.Client) -> None:
    """Every operation has a summary and a tag, and 422 is documented as our own error body."""
    schema = anonymous.get("/openapi.json").json()
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert all(operation["summary"] and operation["tags"] for operation in operations)
    assert "/v1/simulation/advance" in schema["paths"]
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    assert {"basic", "key", "secret"} == set(schema["components"]["securitySchemes"])


def test_the_documentation_page_asks_no_other_host(anonymous: httpx.Client) -> None:
    """Page, script and style come from this server, without credentials, so that they open offline."""
    page = anonymous.get("/docs").text
    assert [] == re.findall(r"https?://", page)
    for file in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/docs/files/{file}" in page
        assert 200 == anonymous.get(f"/docs/files/{file}").status_code
