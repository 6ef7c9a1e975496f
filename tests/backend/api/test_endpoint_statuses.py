"""The 13 rebalancing endpoints by the statuses they may answer: each refusal is {"code", "message"} (rules.md 2.9)."""

import httpx
import pytest
from seed_world import PORTFOLIOS, RUNS, SUBSCRIPTIONS, World

UNKNOWN = "99999999-9999-4999-8999-999999999999"
ENDPOINTS = (
    ("POST", PORTFOLIOS),
    ("GET", PORTFOLIOS),
    ("GET", f"{PORTFOLIOS}/{UNKNOWN}"),
    ("PATCH", f"{PORTFOLIOS}/{UNKNOWN}"),
    ("DELETE", f"{PORTFOLIOS}/{UNKNOWN}"),
    ("POST", SUBSCRIPTIONS),
    ("GET", SUBSCRIPTIONS),
    ("GET", f"{SUBSCRIPTIONS}/{UNKNOWN}"),
    ("DELETE", f"{SUBSCRIPTIONS}/{UNKNOWN}"),
    ("POST", RUNS),
    ("GET", RUNS),
    ("GET", f"{RUNS}/{UNKNOWN}"),
    ("DELETE", f"{RUNS}/{UNKNOWN}"),
)
WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint[0] in ("POST", "PATCH")]
JSON = {"Content-Type": "application/json"}
LISTS = (SUBSCRIPTIONS, RUNS)
# The number of the seed's sample, no base64, and base64 of -1.
TOKENS = ("100", "zzz", "LTE=")


def refusal(answer: httpx.Response) -> tuple[int, int, str]:
    """Status, the n of the code, and the message of an answer that has nothing else."""
    body = answer.json()
    assert {"code", "message"} == set(body)
    status, n = divmod(body["code"] - 10_000, 100_000)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    return status, n, body["message"]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_credentials_come_first(untouched: World, method: str, path: str) -> None:
    """401 without and 403 with wrong ones, before path, body and ids are looked at."""
    missing = untouched.http.request(method, path, content="{", headers=JSON, auth=lambda request: request)
    assert (401, 0) == refusal(missing)[:2]
    assert "Basic" in missing.headers["WWW-Authenticate"]
    wrong = untouched.http.request(method, path, content="{", headers=JSON, auth=("key", "wrong"))
    assert (403, 0, "The key or the secret is wrong; check both and send them again.") == refusal(wrong)


@pytest.mark.parametrize("endpoint", WITH_BODY)
@pytest.mark.parametrize(
    ("status", "words", "content", "headers"),
    [
        pytest.param(400, "The body is not valid JSON: Expecting", '{"name":', JSON, id="broken"),
        pytest.param(400, "The body is not valid JSON: NaN", '{"cooldown_days": NaN}', JSON, id="NaN"),
        pytest.param(400, "The body must be a JSON object", "[]", JSON, id="list"),
        pytest.param(400, "The body must be a JSON object", "", JSON, id="empty"),
        pytest.param(415, "Content-Type: application/json", "{}", {"Content-Type": "text/plain"}, id="text"),
        pytest.param(415, "Content-Type: application/json", "a=b", {}, id="form"),
    ],
)
def test_a_body_that_cannot_be_read(
    untouched: World, endpoint: tuple[str, str], status: int, words: str, content: str, headers: dict[str, str]
) -> None:
    """400 for what is no JSON object, 415 for what is not sent as JSON."""
    answer = untouched.http.request(*endpoint, content=content, headers=headers)
    assert (status, 0) == refusal(answer)[:2]
    assert words in refusal(answer)[2]


@pytest.mark.parametrize(
    ("message", "method", "path", "body"),
    [
        ("name is missing; it must be text.", "POST", PORTFOLIOS, {}),
        ("weights is missing; it must be a list.", "POST", PORTFOLIOS, {"name": "n"}),
        ("weights must be a list; received {}.", "PATCH", f"{PORTFOLIOS}/{UNKNOWN}", {"weights": {}}),
        ("name must be text; received 5.", "PATCH", f"{PORTFOLIOS}/{UNKNOWN}", {"name": 5}),
        ("account_id is missing; it must be text.", "POST", SUBSCRIPTIONS, {"portfolio_id": UNKNOWN}),
        ("portfolio_id is missing; it must be text.", "POST", SUBSCRIPTIONS, {"account_id": UNKNOWN}),
        (
            "account_id must be text; received null.",
            "POST",
            SUBSCRIPTIONS,
            {"account_id": None, "portfolio_id": UNKNOWN},
        ),
        ("type is missing; it must be text.", "POST", RUNS, {"account_id": UNKNOWN}),
        (
            "weights must be a list; received 'all'.",
            "POST",
            RUNS,
            {"account_id": UNKNOWN, "type": "x", "weights": "all"},
        ),
    ],
)
def test_a_field_that_is_missing_or_of_another_type(
    untouched: World, message: str, method: str, path: str, body: object
) -> None:
    """400 with the field, what was received and what is allowed."""
    assert (400, 0, message) == refusal(untouched.http.request(method, path, json=body))


@pytest.mark.parametrize(
    ("code", "message", "method", "path"),
    [
        ((404, 0), "There is no portfolio {}.", "GET", PORTFOLIOS),
        ((404, 0), "There is no portfolio {}.", "PATCH", PORTFOLIOS),
        ((404, 0), "There is no subscription {}.", "GET", SUBSCRIPTIONS),
        ((422, 1), "There is no active subscription {} to delete.", "DELETE", SUBSCRIPTIONS),
        ((404, 0), "There is no run {}.", "GET", RUNS),
        ((404, 0), "There is no run {}.", "DELETE", RUNS),
    ],
)
@pytest.mark.parametrize("identifier", [UNKNOWN, "not-a-uuid"])
def test_an_id_that_is_not_known(
    untouched: World, code: tuple[int, int], message: str, method: str, path: str, identifier: str
) -> None:
    """404, but 422 for the deletion of a subscription; an id of another form is just as unknown."""
    sent = {"json": {"name": "x"}} if method == "PATCH" else {}
    answer = untouched.http.request(method, f"{path}/{identifier}", **sent)
    assert (*code, message.format(identifier)) == refusal(answer)


def test_a_portfolio_to_delete_that_is_not_known(untouched: World) -> None:
    """404, and 422 for an id that can be none (rules.md 2.9)."""
    assert (404, 0) == refusal(untouched.http.delete(f"{PORTFOLIOS}/{UNKNOWN}"))[:2]
    status, n, message = refusal(untouched.http.delete(f"{PORTFOLIOS}/not-a-uuid"))
    assert (422, 0, "invalid portfolio_id") == (status, n, message.partition(":")[0])


def test_an_id_inside_a_body_that_is_not_known(untouched: World) -> None:
    """404 by name, account first; the path itself is known, which the code tells apart."""
    made, alder = untouched.portfolio(), untouched.account()
    for noun, path, body in (
        ("account", SUBSCRIPTIONS, {"account_id": UNKNOWN, "portfolio_id": made}),
        ("portfolio", SUBSCRIPTIONS, {"account_id": alder, "portfolio_id": UNKNOWN}),
        ("account", RUNS, {"account_id": UNKNOWN, "type": "full_rebalance"}),
    ):
        assert (404, 0, f"There is no {noun} {UNKNOWN}.") == refusal(untouched.http.post(path, json=body))


@pytest.mark.parametrize(
    ("allowed", "path"),
    [
        ("GET, POST", PORTFOLIOS),
        ("GET, PATCH, DELETE", f"{PORTFOLIOS}/{UNKNOWN}"),
        ("GET, POST", SUBSCRIPTIONS),
        ("GET, DELETE", f"{SUBSCRIPTIONS}/{UNKNOWN}"),
        ("GET, POST", RUNS),
        ("GET, DELETE", f"{RUNS}/{UNKNOWN}"),
        ("GET", "/docs/files/swagger-ui.css"),
    ],
)
def test_another_method_is_405_with_those_that_are_offered(untouched: World, allowed: str, path: str) -> None:
    """In the message and in the Allow header, all of them."""
    answer = untouched.http.put(path, json={})
    assert (405, 0, f"PUT {path} is not offered; this path takes {allowed}.") == refusal(answer)
    assert allowed == answer.headers["Allow"]


@pytest.mark.parametrize("path", [PORTFOLIOS, SUBSCRIPTIONS, RUNS])
def test_a_path_with_a_slash_too_many(untouched: World, path: str) -> None:
    """At its end it is another path, and no redirect; doubled elsewhere it is tolerated (wire/alpaca.md 0.1-0.2)."""
    assert (404, 1, f"There is no GET {path}/; /docs lists the paths.") == refusal(untouched.http.get(f"{path}/"))
    assert 200 == untouched.http.get(f"http://desk//{path.lstrip('/').replace('/', '//')}").status_code


WHOLE_NUMBER = "limit must be a whole number from 1 to 1000"
NOT_OURS = "is not one of ours; pass next_page_token as it was received"
A_STATUS = "status must be 'active', 'inactive' or 'needs_adjustment'"
A_RUN_STATUS = (
    "status must be 'QUEUED', 'IN_PROGRESS', 'CANCELED', 'CANCELED_MID_RUN', 'ERROR', 'TIMEOUT', "
    "'COMPLETED_ADJUSTED' or 'COMPLETED_SUCCESS'"
)
A_TYPE = "type must be 'full_rebalance' or 'invest_cash'"


@pytest.mark.parametrize(
    ("message", "path", "name", "value"),
    [
        *((WHOLE_NUMBER, path, "limit", number) for path in LISTS for number in ("0", "-1", "1001", "abc", "1.5", "")),
        *((f"page_token {token!r} {NOT_OURS}", path, "page_token", token) for path in LISTS for token in TOKENS),
        (A_STATUS, PORTFOLIOS, "status", "foo"),
        (A_STATUS, PORTFOLIOS, "status", "ACTIVE"),
        (A_RUN_STATUS, RUNS, "status", "queued"),
        (A_RUN_STATUS, RUNS, "status", "SELLS_IN_PROGRESS"),
        (A_TYPE, RUNS, "type", "partial_liquidation"),
    ],
)
def test_a_query_value_that_means_nothing_is_422(
    untouched: World, message: str, path: str, name: str, value: str
) -> None:
    """Well-formed, as all text in a query is, and against a rule; an empty list would hide the mistake (2.9)."""
    told = message if name == "page_token" else f"{message}; received {value!r}"
    assert (422, 0, f"{told}.") == refusal(untouched.http.get(path, params={name: value}))


@pytest.mark.parametrize("limit", ["1", "1000", "0100"])
def test_a_limit_within_its_bounds(untouched: World, limit: str) -> None:
    """1 to 1000, also with the page token that says "from the beginning" (rules.md 2.8, wire/alpaca.md 6)."""
    for path in LISTS:
        assert 200 == untouched.http.get(path, params={"limit": limit, "page_token": ""}).status_code
