"""Who may call: client id, timestamp, signature, user, under both bases; the rate limit (wire/snaptrade.md 1, 6)."""

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import digest
from typing import Any
from uuid import UUID

import httpx
import pytest
from backend.snaptrade.conftest import KEY, SECRET, WALL, Asker, Wall

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.service import Service
from driftdesk.wire.snaptrade.signature import sign

LIST = "/accounts/all"
QUERY = f"clientId={KEY}&timestamp={WALL:.0f}"


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and sentence of a refusal, which has this shape and no other, and a request id."""
    body = answer.json()
    assert {"detail", "status_code", "code"} == set(body)
    assert answer.status_code == body["status_code"]
    UUID(answer.headers["X-Request-ID"])
    return answer.status_code, body["code"], body["detail"]


def test_a_signed_request_is_answered(ask: Asker, account: str) -> None:
    """By a personal key, without a user."""
    assert [account] == [found["id"] for found in ask("GET", LIST).json()["results"]]


@pytest.mark.parametrize("base", ["", "/api/v1"])
@pytest.mark.parametrize("signed", ["", "/api/v1"])
def test_both_bases_and_both_signed_paths(ask: Asker, account: str, base: str, signed: str) -> None:
    """SDKs since 11.0.208 sign the path without the old base, also where the URL has it; the old base says so."""
    path = f"/accounts/{account}/balances"
    answer = ask.send("GET", base + path, QUERY, b"", sign(SECRET, signed + path, QUERY))
    assert 200 == answer.status_code
    assert ("@1781222400" if base else None) == answer.headers.get("Deprecation")
    assert 401 == ask.send("GET", base + path, QUERY, b"", sign(SECRET, f"/v1{path}", QUERY)).status_code


@pytest.mark.parametrize("escaped", [True, False])
def test_what_is_not_ascii_may_be_escaped_or_not(ask: Asker, account: str, escaped: bool) -> None:
    """Python escapes it before it signs, JavaScript does not."""
    path, body = f"/accounts/{account}/symbols", json.dumps({"substring": "é"}, ensure_ascii=False).encode()
    text = json.dumps(
        {"content": {"substring": "é"}, "path": path, "query": QUERY},
        separators=(",", ":"),
        sort_keys=True,
        ensure_ascii=escaped,
    )
    signature = b64encode(digest(SECRET.encode(), text.encode(), sha256)).decode()
    assert [] == ask.send("POST", path, QUERY, body, signature).json()


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_no_body_and_an_empty_one_are_signed_as_null(ask: Asker, body: bytes) -> None:
    """The SDK sends {} where it has nothing to send."""
    signed = sign(SECRET, "/trade/t-1", QUERY)
    assert (400, "1076") == refused(ask.send("POST", "/trade/t-1", QUERY, body, signed))[:2]


def test_the_query_is_signed_as_it_was_sent(ask: Asker, account: str) -> None:
    """Neither decoded nor sorted: an encoded user and an order of its own are signed as they stand."""
    ask.user = ("user one+x@y", "no")
    assert (401, "1083") == refused(ask("GET", LIST))[:2]
    ask.user = None
    query = f"timestamp={WALL:.0f}&symbols=SPY%2CTLT&clientId={KEY}&use_ticker=true"
    path = f"/accounts/{account}/quotes"
    assert 2 == len(ask.send("GET", path, query, b"", sign(SECRET, path, query)).json())
    decoded = query.replace("%2C", ",")
    assert 401 == ask.send("GET", path, query, b"", sign(SECRET, path, decoded)).status_code


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "clientId is missing or is not the key"),
        (f"timestamp={WALL:.0f}", "clientId is missing or is not the key"),
        (f"clientId=kee&timestamp={WALL:.0f}", "clientId is missing or is not the key"),
        (f"clientId={KEY}", "timestamp is missing or not a number"),
        (f"clientId={KEY}&timestamp=", "timestamp is missing or not a number"),
        (f"clientId={KEY}&timestamp=soon", "timestamp is missing or not a number"),
        (f"clientId={KEY}&timestamp=%C2%B2", "timestamp is missing or not a number"),
        (f"clientId={KEY}&timestamp={'9' * 5000}", "timestamp is missing or not a number"),
        (f"clientId={KEY}&timestamp={WALL - 301:.0f}", "more than 300 seconds away"),
        (f"clientId={KEY}&timestamp={WALL + 301:.0f}", "more than 300 seconds away"),
    ],
)
def test_a_wrong_client_or_time_is_refused(ask: Asker, query: str, said: str) -> None:
    """Also where it is signed."""
    status, code, detail = refused(ask.send("GET", LIST, query, b"", sign(SECRET, LIST, query)))
    assert (401, "1076") == (status, code)
    assert said in detail


@pytest.mark.parametrize("shift", [-300, 300])
def test_five_minutes_of_the_wall_clock_are_tolerated(ask: Asker, wall: Wall, shift: int) -> None:
    """The world's own clock, months away, has no part in it."""
    query = f"clientId={KEY}&timestamp={WALL + shift:.0f}"
    assert 200 == ask.send("GET", LIST, query, b"", sign(SECRET, LIST, query)).status_code


@pytest.mark.parametrize(
    "signature",
    ["", "x", "é", sign("other", LIST, QUERY), sign(SECRET, LIST, f"{QUERY}&x=1"), sign(SECRET, "/accounts", QUERY)],
)
def test_a_wrong_signature_is_refused(http: httpx.Client, signature: str) -> None:
    """One that is missing, of another key, query or path."""
    headers = {"Signature": signature.encode("latin-1")}
    status, code, detail = refused(http.get(f"{LIST}?{QUERY}", headers=headers))
    assert (401, "1076") == (status, code)
    assert detail.startswith("Unable to verify signature sent")
    assert SECRET not in detail.replace("secret.", "")


def test_a_changed_body_is_refused(ask: Asker, account: str) -> None:
    """Nothing is placed with the amounts of another."""
    path = "/trade/place"
    signed = sign(SECRET, path, QUERY, b'{"units":1}')
    assert 401 == ask.send("POST", path, QUERY, b'{"units":2}', signed).status_code


@pytest.mark.parametrize("body", [b"{", b'{"a":' + b"[" * 20_000, b'"\\ud800"', b"\xff"])
def test_a_body_that_cannot_be_signed_is_refused(ask: Asker, body: bytes) -> None:
    """What is no JSON, too deep, or no text, is nobody's."""
    assert 401 == refused(ask.send("POST", "/trade/place", QUERY, body, sign(SECRET, "/trade/place", QUERY)))[0]


def test_the_status_is_unsigned_and_tells_the_worlds_instant(http: httpx.Client) -> None:
    """GET / under both bases."""
    told = {"version": 1, "timestamp": "2026-03-11T14:00:00.000Z", "online": True}
    for path in ("/", "/api/v1/", "/api/v1"):
        assert told == http.get(path).json()
    assert "Deprecation" in http.get("/api/v1").headers


def test_other_routes_keep_their_own_keys(http: httpx.Client, ask: Asker) -> None:
    """A signature opens none of them, and their keys open no SnapTrade route."""
    assert 401 == ask("GET", "/v1/accounts").status_code
    assert 401 == ask("GET", "/api/v1/v1/accounts").status_code
    ordinary = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    assert 200 == http.get("/v1/accounts", headers=ordinary).status_code
    assert 401 == refused(http.get(LIST, headers=ordinary))[0]


def test_a_doubled_slash_is_tolerated(ask: Asker) -> None:
    """A host that ends in a slash gives one; it is signed as it was sent."""
    signature = sign(SECRET, "//accounts//all", QUERY)
    assert 200 == ask.send("GET", "http://desk//accounts//all", QUERY, b"", signature).status_code


def test_users_and_their_secrets(ask: Asker) -> None:
    """Registered, listed, given a new secret, deleted; each asks with the secret it has then."""
    ada = ask("POST", "/snapTrade/registerUser", {"userId": "ada"}).json()
    assert {"userId": "ada", "userSecret": f"{UUID(ada['userSecret'])}"} == ada
    ask("POST", "/snapTrade/registerUser", {"userId": "bea"})
    assert ["ada", "bea"] == ask("GET", "/snapTrade/listUsers").json()

    ask.user = ("ada", ada["userSecret"])
    assert 200 == ask("GET", LIST).status_code
    ask.user = None
    newer = ask("POST", "/snapTrade/resetUserSecret", ada).json()
    assert newer["userId"] == "ada" != newer["userSecret"] != ada["userSecret"]
    for secret, status in ((ada["userSecret"], 401), (newer["userSecret"], 200)):
        ask.user = ("ada", secret)
        assert status == ask("GET", LIST).status_code

    ask.user = None
    gone = {"status": "deleted", "detail": "User ada is deleted.", "userId": "ada"}
    assert gone == ask("DELETE", "/snapTrade/deleteUser", userId="ada").json()
    ask.user = ("ada", newer["userSecret"])
    assert (401, "1083") == refused(ask("GET", LIST))[:2]
    ask.user = None
    assert ["bea"] == ask("GET", "/snapTrade/listUsers").json()


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "expected"),
    [
        ("POST", "registerUser", {"userId": "ada"}, {}, (400, "1076", "User ada is registered already")),
        ("POST", "registerUser", {"userId": " "}, {}, (400, "1076", "userId must have 1 to 100")),
        ("POST", "registerUser", {"userId": "a" * 101}, {}, (400, "1076", "userId must")),
        ("POST", "registerUser", {}, {}, (400, "1076", "userId is missing")),
        ("POST", "resetUserSecret", {"userId": "ada", "userSecret": "x"}, {}, (404, "1011", "There is no user")),
        ("POST", "resetUserSecret", {"userId": "zoe", "userSecret": ""}, {}, (404, "1011", "There is no user")),
        ("DELETE", "deleteUser", None, {"userId": "zoe"}, (404, "1011", "There is no user zoe.")),
        ("DELETE", "deleteUser", None, {}, (400, "1076", "userId is missing")),
    ],
)
def test_what_cannot_be_done_with_users(
    ask: Asker, method: str, path: str, body: Any, query: dict[str, str], expected: tuple[int, str, str]
) -> None:
    """A repeated, empty or too long id; a user that is not there, or has another secret."""
    ask("POST", "/snapTrade/registerUser", {"userId": "ada"})
    status, code, detail = refused(ask(method, f"/snapTrade/{path}", body, **query))
    assert expected[:2] == (status, code)
    assert detail.startswith(expected[2])


@pytest.mark.parametrize("extra", ["userId=ada", "userSecret=x", "userId=ada&userSecret=x", "userId=&userSecret="])
def test_a_user_comes_with_the_right_secret(ask: Asker, extra: str) -> None:
    """One of the two alone, or both empty, is not a personal key."""
    ask("POST", "/snapTrade/registerUser", {"userId": "ada"})
    query = f"{extra}&{QUERY}"
    assert (401, "1083") == refused(ask.send("GET", LIST, query, b"", sign(SECRET, LIST, query)))[:2]


@pytest.fixture
def limited(service: Service, wall: Wall) -> Callable[[], httpx.Client]:
    def opened() -> httpx.Client:
        app = create_app(service, Credentials(KEY, SECRET), rate_limit=1, wall=wall)
        return httpx.Client(base_url="http://desk", transport=InProcessTransport(app))

    return opened


def test_a_rate_limit_is_250_a_minute_and_tells_the_seconds_left(
    limited: Callable[[], httpx.Client], wall: Wall
) -> None:
    """Whatever the limit of the other doors is; whoever signs nothing has a limit of their own."""
    with limited() as http:
        ask = Asker(http, wall)
        first = ask("GET", LIST).headers
        assert ("250", "249", "60") == tuple(first[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset"))
        wall.now += 20
        for _ in range(249):
            last = ask("GET", LIST)
        assert ("0", "40") == (last.headers["X-RateLimit-Remaining"], last.headers["X-RateLimit-Reset"])
        over = ask("GET", LIST)
        assert (429, "0000") == refused(over)[:2]
        assert ("40", "40") == (over.headers["Retry-After"], over.headers["X-RateLimit-Reset"])
        assert "249" == http.get("/").headers["X-RateLimit-Remaining"]
        assert 401 == http.get(LIST).status_code
        wall.now += 40
        assert 200 == ask("GET", LIST).status_code


def test_without_a_limit_nothing_is_told(ask: Asker) -> None:
    """A client finds no header to read."""
    assert "X-RateLimit-Limit" not in ask("GET", LIST).headers


def test_a_failure_is_told_in_the_same_shape(ask: Asker, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 with code 1000, and nothing of the cause."""

    def fail() -> None:
        raise RuntimeError("secret cause")

    monkeypatch.setattr(service.snaptrade, "list_accounts", fail)
    status, code, detail = refused(ask("GET", LIST))
    assert (500, "1000") == (status, code)
    assert "cause" not in detail


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/accounts/a/b/c", (404, "1011")),
        ("DELETE", "/accounts/all", (405, "0000")),
        ("GET", "/trade", (404, "1011")),
    ],
)
def test_unknown_paths_and_methods(ask: Asker, method: str, path: str, expected: tuple[int, str]) -> None:
    """The same shape, once the request is signed; a path that is there says what it takes."""
    answer = ask(method, path)
    assert expected == refused(answer)[:2]
    assert ("GET" if expected[0] == 405 else None) == answer.headers.get("Allow")
