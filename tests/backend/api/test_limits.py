"""Rate limits: headers on every answer but /health, and a 429 above the limit (wire/alpaca.md 14)."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.api.edge import Edge
from driftdesk.backend.api.limits import UNLIMITED, Quota, RateLimits
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.cli import build_parser
from driftdesk.errors import InputError

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
# 2026-03-02 17:00:00.5 UTC.
NOON = 1772470800.5


class Wall:
    """A wall clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> float:
        return self.time


@contextmanager
def limited(service: object, limit: int | None, wall: Wall | None = None) -> Iterator[httpx.Client]:
    """A client with the right key of an app with that limit."""
    app = create_app(service, Credentials("key", "secret"), rate_limit=limit)
    if wall is not None:
        (edge,) = (each for each in app.user_middleware if each.cls is Edge)
        edge.kwargs["limits"] = RateLimits(limit, wall)
    with httpx.Client(base_url="http://desk", transport=InProcessTransport(app), auth=("key", "secret")) as client:
        yield client


def told(answer: httpx.Response) -> tuple[int, ...]:
    return tuple(int(answer.headers[name]) for name in HEADERS)


# --- counting -----------------------------------------------------------------------------------------------------


def test_requests_are_counted_down_to_the_limit_and_then_refused() -> None:
    """Three a minute: the fourth waits for the rest of the minute, which began with the first."""
    wall = Wall()
    limits = RateLimits(3, wall)
    assert [limits.take("key").remaining for _ in range(3)] == [2, 1, 0]
    wall.time += 19.5
    assert Quota(3, 0, 1772470861, wait=41) == limits.take("key")


def test_a_minute_later_all_is_there_again() -> None:
    """At the very end of the window, not before; refused requests do not prolong it."""
    wall = Wall()
    limits = RateLimits(1, wall)
    limits.take("key")
    wall.time += 59.9
    assert 2 >= (limits.take("key").wait or 0) >= 1
    wall.time = NOON + 60
    assert Quota(1, 0, 1772470921) == limits.take("key")


def test_holders_have_their_own_windows() -> None:
    """One key's haste is no other's wait."""
    limits = RateLimits(1, Wall())
    assert limits.take("one").wait is None
    assert limits.take("two").wait is None
    assert limits.take("one").wait == 61


def test_a_clock_that_was_set_back_does_not_lock_anybody_out() -> None:
    """The window begins anew."""
    wall = Wall()
    limits = RateLimits(1, wall)
    limits.take("key")
    wall.time -= 3600
    assert limits.take("key").wait is None


def test_without_a_limit_nothing_is_refused_and_nobody_holds_back() -> None:
    """The headers tell of more than a minute can see."""
    limits = RateLimits(None, Wall())
    quotas = [limits.take("key") for _ in range(3000)]
    assert all(quota.wait is None for quota in quotas)
    assert UNLIMITED - 3000 == quotas[-1].remaining > 0


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_would_refuse_everything_is_no_limit(limit: int) -> None:
    """Zero would shut the door; who means none says None."""
    with pytest.raises(InputError, match="1 or more requests a minute"):
        RateLimits(limit)


# --- over HTTP ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (200, "GET", "/v1/clock"),
        (404, "GET", "/v1/nothing"),
        (405, "PUT", "/v1/clock"),
        (415, "POST", "/v1/rebalancing/portfolios"),
        (422, "GET", "/v1/rebalancing/runs?limit=0"),
        (200, "GET", "/openapi.json"),
    ],
)
def test_every_answer_tells_of_the_limit(service: object, status: int, method: str, path: str) -> None:
    """Refusals too."""
    with limited(service, 10, Wall()) as http:
        answer = http.request(method, path, content=b"x" if method == "POST" else None)
    assert (status, (10, 9, 1772470861)) == (answer.status_code, told(answer))


def test_refused_credentials_and_failures_tell_of_the_limit(service: object) -> None:
    """401, 403 and 500 have the headers; a wrong key counts for nobody's key."""
    service.answers["clock"] = RuntimeError("broken")  # type: ignore[attr-defined]
    with limited(service, 10, Wall()) as http:
        assert (500, (10, 9, 1772470861)) == ((answer := http.get("/v1/clock")).status_code, told(answer))
        assert (403, (10, 9, 1772470861)) == (
            (answer := http.get("/v1/x", auth=("key", "no"))).status_code,
            told(answer),
        )
        http.auth = None
        assert (401, (10, 8, 1772470861)) == ((answer := http.get("/v1/x")).status_code, told(answer))


def test_health_is_not_counted(service: object) -> None:
    """Whoever watches over the server may ask as often as they like."""
    with limited(service, 1) as http:
        answers = [http.get("/health") for _ in range(3)]
    assert {200} == {answer.status_code for answer in answers}
    assert not any(name in answer.headers for answer in answers for name in HEADERS)


def test_above_the_limit_the_answer_is_429(service: object) -> None:
    """With one sentence, Retry-After, and nothing done."""
    with limited(service, 2, wall := Wall()) as http:
        for _ in range(2):
            assert 200 == http.get("/v1/clock").status_code
        refused = http.get("/v1/clock")
        calls = len(service.calls)  # type: ignore[attr-defined]
        wall.time += 60
        again = http.get("/v1/clock")
    assert (429, (2, 0, 1772470861), "61") == (refused.status_code, told(refused), refused.headers["Retry-After"])
    assert refused.json() == {
        "code": 42910000,
        "message": "More than 2 requests within a minute; wait 61 seconds and send it again.",
    }
    assert refused.headers["X-Request-ID"]
    assert (2, 200) == (calls, again.status_code)


def test_the_embedded_default_refuses_nothing(service: object) -> None:
    """Pages may ask as often as they need."""
    with limited(service, None) as http:
        assert {200} == {http.get("/v1/clock").status_code for _ in range(1100)}


@pytest.mark.parametrize(("said", "limit"), [((), 1000), (("--rate-limit", "5"), 5), (("--rate-limit", "0"), 0)])
def test_a_server_is_told_its_limit(said: tuple[str, ...], limit: int) -> None:
    """`driftdesk serve` has the documented one unless it is told another, or none."""
    assert limit == build_parser().parse_args(["serve", *said]).rate_limit


@pytest.mark.parametrize("said", ["-1", "many", "1.5", "9999999999"])
def test_a_limit_that_is_no_number_is_refused(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one sentence that says what is allowed."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["serve", f"--rate-limit={said}"])
    assert f"{said!r} is not a number of requests; use a whole number" in capsys.readouterr().err


def test_429_is_documented(service: object) -> None:
    """On every path that may answer it."""
    with limited(service, None) as http:
        paths = http.get("/openapi.json").json()["paths"]
    assert all(
        "429" in operation["responses"] for path, operations in paths.items() if path != "/health"
        for operation in operations.values()
    )  # fmt: skip
