"""Every refusal is {"code", "message"} with the right status, one sentence, and nothing internal."""

import logging
from typing import Any

import httpx
import pytest

from driftdesk.errors import (
    DataError,
    DriftdeskError,
    InputError,
    NotFound,
    PreviewMoved,
    StateError,
    Unavailable,
)

PORTFOLIOS = "/v1/rebalancing/portfolios"
SUBSCRIPTIONS = "/v1/rebalancing/subscriptions"
RUNS = "/v1/rebalancing/runs"
SOME_ID = "11111111-1111-4111-8111-111111111111"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("The body is not valid JSON: Expecting ',' delimiter at line 1, column 10.", '{"name":1'),
        ("The body is not valid JSON: NaN is not a JSON number.", '{"cooldown_days": NaN}'),
        ("The body is not valid JSON: it is nested too deeply.", "[" * 100_000),
        ("The body is not valid JSON: it is not UTF-8 text.", b'{"name": "\xff"}'),
        (
            "The body is not valid JSON: it holds half of a surrogate pair, which is no character.",
            r'{"name": "\ud800", "weights": []}',
        ),
        ("The body must be a JSON object.", "[]"),
        ("The body must be a JSON object.", "null"),
        ("The body must be a JSON object.", ""),
        ("name is missing; it must be text.", "{}"),
        ("name must be text; received 1.", '{"name": 1}'),
        ("name must be text; received null.", '{"name": null, "weights": []}'),
        ("weights must be a list; received 'abc'.", '{"name": "n", "weights": "abc"}'),
        ("weights[0] must be a JSON object; received 3.", '{"name": "n", "weights": [3]}'),
        ("weights[0].type is missing; it must be cash or asset.", '{"name": "n", "weights": [{"percent": 5}]}'),
        (
            "weights[1].percent is missing; it must be a decimal such as 12.50.",
            '{"name": "n", "weights": [{"type": "cash", "percent": 5}, {"type": "asset"}]}',
        ),
        (
            "weights[0].percent: value is empty; it must be a decimal such as 12.50.",
            '{"name": "n", "weights": [{"type": "cash", "percent": ""}]}',
        ),
        (
            "weights[0].percent must be a decimal such as 12.50; received 'five'.",
            '{"name": "n", "weights": [{"type": "cash", "percent": "five"}]}',
        ),
        (
            "weights[0].percent must have at most 14 digits before the point and 30 after it; received 1E+999999.",
            '{"name": "n", "weights": [{"type": "cash", "percent": 1e999999}]}',
        ),
        ("cooldown_days must be a whole number; received 1.5.", '{"name":"n","weights":[],"cooldown_days":1.5}'),
        (
            "cooldown_days must be a whole number of at most 2147483647; received 2147483648.",
            '{"name":"n","weights":[],"cooldown_days":2147483648}',
        ),
        ("cooldown_days must be a whole number; received True.", '{"name":"n","weights":[],"cooldown_days":true}'),
        (
            "rebalancing_conditions[0].type is missing; it must be text.",
            '{"name": "n", "weights": [], "rebalancing_conditions": [{}]}',
        ),
    ],
)
def test_a_malformed_body_is_400_in_one_sentence(http: httpx.Client, message: str, body: str | bytes) -> None:
    """What is wrong, where, and what is allowed (rules.md 2.9)."""
    answer = http.post(PORTFOLIOS, content=body, headers=JSON)
    assert (400, {"code": 40010000, "message": message}) == (answer.status_code, answer.json())


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ("limit must be a whole number from 1 to 1000; received '0'.", f"{RUNS}?limit=0"),
        ("limit must be a whole number from 1 to 1000; received '1001'.", f"{SUBSCRIPTIONS}?limit=1001"),
        ("limit must be a whole number from 1 to 1000; received 'ten'.", "/v1/decisions?limit=ten"),
        (
            "limit must be a whole number from 1 to 500; received '501'.",
            f"/v1/trading/accounts/{SOME_ID}/orders?limit=501",
        ),
        ("start must be a date such as 2026-01-02; received 'soon'.", "/v1/calendar?start=soon"),
        ("symbols is missing; add it to the query.", "/v2/stocks/trades/latest"),
        (
            "status must be 'open', 'closed' or 'all'; received 'new'.",
            f"/v1/trading/accounts/{SOME_ID}/orders?status=new",
        ),
    ],
)
def test_a_query_that_means_nothing_is_422(http: httpx.Client, message: str, path: str) -> None:
    """Query values are named with what was received and what is allowed."""
    answer = http.get(path)
    assert (422, {"code": 42210000, "message": message}) == (answer.status_code, answer.json())


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (422, 42210000, InputError("no")),
        (422, 42210001, StateError("no")),
        (409, 40910000, StateError("no", conflict=True)),
        (409, 40910001, PreviewMoved("no", preview_hash="abc")),
        (422, 42210002, DataError("no")),
        (404, 40410000, NotFound("no")),
        (502, 50210000, Unavailable("no")),
        (422, 42210003, DriftdeskError("no")),
    ],
)
def test_each_error_of_ours_has_its_status(
    http: httpx.Client, service: Any, status: int, code: int, error: DriftdeskError
) -> None:
    """One table maps errors to statuses; the sentence is passed on."""
    service.answers["create_run"] = error
    answer = http.post(RUNS, json={"account_id": SOME_ID, "type": "full_rebalance"})
    assert (status, code, "no") == (answer.status_code, answer.json()["code"], answer.json()["message"])


def test_a_number_that_the_store_cannot_hold_is_422(http: httpx.Client, service: Any) -> None:
    """Each number is bounded; a product of two may still be too large."""
    service.answers["simulate_account"] = OverflowError("int too large")
    assert http.post("/v1/simulation/accounts", json={"cash": "1"}).json()["code"] == 42210004


def test_a_moved_preview_tells_the_new_hash(http: httpx.Client, service: Any) -> None:
    """409 carries the hash of the new preview (rules.md 6.6)."""
    service.answers["create_run"] = PreviewMoved("moved", preview_hash="abc")
    answer = http.post(RUNS, json={"account_id": SOME_ID, "type": "full_rebalance"})
    assert answer.json() == {"code": 40910001, "message": "moved", "preview_hash": "abc"}


def test_an_unknown_subscription_is_404_to_read_and_422_to_delete(http: httpx.Client, service: Any) -> None:
    """The seed lists 422 for DELETE only (rules.md 2.9)."""
    service.answers |= {"get_subscription": NotFound("none"), "delete_subscription": NotFound("none")}
    assert http.get(f"{SUBSCRIPTIONS}/{SOME_ID}").status_code == 404
    assert http.delete(f"{SUBSCRIPTIONS}/{SOME_ID}").status_code == 422


def test_a_malformed_portfolio_id_is_422_to_delete(http: httpx.Client, service: Any) -> None:
    """The documented message begins with "invalid portfolio_id"; the service is not asked."""
    answer = http.delete(f"{PORTFOLIOS}/abc")
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("invalid portfolio_id")
    assert service.calls == []


@pytest.mark.parametrize(
    ("status", "code", "method", "path"),
    [
        (404, 40410001, "GET", "/v1/nowhere"),
        (404, 40410001, "GET", "/v1/clock/"),
        (405, 40510000, "PUT", "/v1/clock"),
    ],
)
def test_framework_errors_have_the_same_shape(
    http: httpx.Client, status: int, code: int, method: str, path: str
) -> None:
    """No redirect to another path, no HTML, no framework's own body."""
    answer = http.request(method, path)
    assert (status, code) == (answer.status_code, answer.json()["code"])
    assert path in answer.json()["message"]


def test_a_body_that_is_not_sent_as_json_is_415(http: httpx.Client) -> None:
    """Also when no content type is sent at all."""
    assert http.post(PORTFOLIOS, content="{}", headers={"Content-Type": "text/plain"}).json()["code"] == 41510000
    assert http.post(PORTFOLIOS, content="{}").status_code == 415
    assert http.patch(f"{PORTFOLIOS}/{SOME_ID}", data={"name": "n"}).status_code == 415


def test_a_bug_is_500_without_its_details_and_is_logged(
    http: httpx.Client,
    service: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller reads a request id, and the log has the cause under it."""
    service.answers["list_assets"] = RuntimeError("the secret is 1234")
    with caplog.at_level(logging.ERROR):
        answer = http.get("/v1/assets")
    assert (500, 50010000) == (answer.status_code, answer.json()["code"])
    assert "1234" not in answer.text
    assert answer.headers["X-Request-ID"] in caplog.text
    assert "1234" in caplog.text
