"""One exchange with a backend: which failures are tried again, how long it waits, and what a person reads."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from driftdesk.client.transport import MAX_ATTEMPTS, ClientKeys, Transport, Waiting
from driftdesk.errors import BackendError, BackendNotFound, InputError, RateLimited, Rejected, Unavailable
from driftdesk.wire.market import Clock
from driftdesk.wire.simulation import Deposit

NOW = datetime(2026, 3, 2, 17, tzinfo=UTC)
CLOCK = {
    "timestamp": "2026-03-02T12:00:00-05:00",
    "is_open": True,
    "next_open": NOW.isoformat(),
    "next_close": NOW.isoformat(),
}
DEPOSIT = Deposit(account_id="a", amount=Decimal(5))

Script = list[httpx.Response | httpx.HTTPError]


class Wire:
    """A backend that answers (or fails) by a script, and notes requests and waits. The last line repeats."""

    def __init__(self, *script: httpx.Response | httpx.HTTPError) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.transport = Transport(
            "https://desk.test/",
            ClientKeys("key", "secret"),
            transport=httpx.MockTransport(self.answer),
            waiting=Waiting(sleep=self.waits.append, jitter=lambda: 0.0, now=lambda: NOW),
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(line, httpx.HTTPError):
            raise line
        return line


def ok() -> httpx.Response:
    return httpx.Response(200, json=CLOCK)


def read(wire: Wire) -> Clock:
    return wire.transport.get(Clock, "/v1/clock")


def write(wire: Wire) -> Clock:
    return wire.transport.post(Clock, "/v1/simulation/deposits", DEPOSIT)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(429),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("closed"),
    ],
)
def test_a_read_is_tried_again_where_that_can_help(failure: httpx.Response | httpx.HTTPError) -> None:
    """Too many requests, a gateway's errors and lost connections; waits double from a quarter of a second."""
    wire = Wire(failure, failure, ok())
    assert read(wire).timestamp == NOW
    assert [0.25, 0.5] == wire.waits


@pytest.mark.parametrize(
    "failure",
    [httpx.Response(400), httpx.Response(404), httpx.Response(500), httpx.ReadTimeout("slow"), httpx.CloseError("")],
)
def test_a_read_that_would_fail_again_is_not_repeated(failure: httpx.Response | httpx.HTTPError) -> None:
    """Refusals and bugs do not go away; a full time-out has been waited for once."""
    wire = Wire(failure, ok())
    with pytest.raises(BackendError):
        read(wire)
    assert wire.waits == []


def test_retries_are_capped() -> None:
    """After four attempts the last failure is told."""
    wire = Wire(httpx.Response(503, json={"code": 50310000, "message": "down"}))
    with pytest.raises(Unavailable, match=r"^down$"):
        read(wire)
    assert MAX_ATTEMPTS == 4 == len(wire.requests)
    assert [0.25, 0.5, 1.0] == wire.waits


@pytest.mark.parametrize("failure", [httpx.Response(429), httpx.Response(503), httpx.ConnectError("refused")])
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(write, id="post"),
        pytest.param(lambda wire: wire.transport.delete("/v1/x"), id="delete"),
        pytest.param(lambda wire: wire.transport.patch(Clock, "/v1/x", DEPOSIT), id="patch"),
    ],
)
def test_a_write_is_never_repeated(failure: httpx.Response | httpx.HTTPError, call: Callable[[Wire], object]) -> None:
    """Whether it took effect is not guessed."""
    wire = Wire(failure, ok())
    with pytest.raises(BackendError):
        call(wire)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("expected", "status", "headers"),
    [
        (7.0, 429, {"Retry-After": "7"}),
        (7.0, 503, {"Retry-After": "7"}),
        (90.0 - 60.0, 429, {"Retry-After": "Mon, 02 Mar 2026 17:00:30 GMT"}),
        (60.0, 429, {"Retry-After": "86400"}),
        (0.25, 429, {"Retry-After": "soon"}),
        (0.25, 429, {"Retry-After": "0"}),
        (12.0, 429, {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 12)}),
        (0.25, 429, {"X-RateLimit-Reset": str(int(NOW.timestamp()) - 5)}),
        (60.0, 429, {"X-RateLimit-Reset": "99999999999999999999"}),
        (5.0, 429, {"Retry-After": "5", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 12)}),
        (0.25, 503, {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 12)}),
    ],
)
def test_the_backend_says_how_long_to_wait(expected: float, status: int, headers: dict[str, str]) -> None:
    """Retry-After first, on 429 else the reset of the rate limit; never more than a minute."""
    wire = Wire(httpx.Response(status, headers=headers), ok())
    read(wire)
    assert [expected] == wire.waits


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Rejected, 400),
        (Rejected, 401),
        (Rejected, 403),
        (BackendNotFound, 404),
        (Rejected, 409),
        (Rejected, 415),
        (Rejected, 422),
        (RateLimited, 429),
        (Unavailable, 500),
        (Unavailable, 503),
        (BackendError, 301),
    ],
)
def test_each_status_has_its_error(kind: type[BackendError], status: int) -> None:
    """The error keeps message, status, code and request id."""
    body = {"code": status * 100_000 + 10_000, "message": "No."}
    wire = Wire(httpx.Response(status, json=body, headers={"X-Request-ID": "r-1"}))
    with pytest.raises(BackendError) as caught:
        write(wire)
    error = caught.value
    assert type(error) is kind
    assert ("No.", status, body["code"], "r-1") == (str(error), error.status, error.code, error.request_id)


@pytest.mark.parametrize(
    ("message", "code", "body"),
    [
        ("No.", None, b'{"message": "No."}'),
        ("No.", None, b'{"error": "broken", "message": "No."}'),
        ("broken", None, b'{"error": "broken"}'),
        ("No.", 40010001, b'{"code": "40010001", "message": "No."}'),
        ("No.", None, b'{"code": null, "message": "No."}'),
        ("No.", None, b'{"code": "E1", "message": "No."}'),
        (None, None, b'{"message": {"text": "No."}}'),
        (None, None, b'["No."]'),
        (None, None, b"<html>Bad Gateway</html>"),
        (None, None, b"\xff"),
        (None, None, b""),
    ],
)
def test_any_error_body_is_understood(message: str | None, code: int | None, body: bytes) -> None:
    """Documented, undocumented and foreign bodies; without a reason the status is told (wire/alpaca.md 8.1)."""
    wire = Wire(httpx.Response(422, content=body))
    with pytest.raises(Rejected) as caught:
        read(wire)
    without = "The backend answered 422 Unprocessable Entity to GET /v1/clock and gave no reason."
    assert (message or without, code) == (str(caught.value), caught.value.code)


def test_no_answer_to_a_write_says_that_its_effect_is_unknown() -> None:
    """A read says only that there was no answer."""
    with pytest.raises(Unavailable, match=r"^No answer from https://desk.test to GET /v1/clock: it took too long\.$"):
        read(Wire(httpx.ReadTimeout("")))
    with pytest.raises(
        Unavailable, match=r"POST /v1/simulation/deposits: refused\. Whether it took effect is not known"
    ):
        write(Wire(httpx.ConnectError("refused")))


@pytest.mark.parametrize(
    ("problem", "content"),
    [
        ("it is not JSON", b"<html>"),
        ("it is not JSON", b""),
        (r"its field is_open is not as documented \(Field required\)", b'{"timestamp": "2026-03-02T12:00:00Z"}'),
        ("its field the whole answer|its field", b"[]"),
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error_of_the_backend(problem: str, content: bytes) -> None:
    """Not a traceback of the parser."""
    with pytest.raises(BackendError, match=rf"^The answer to GET /v1/clock cannot be used: ({problem})"):
        read(Wire(httpx.Response(200, content=content)))


def test_keys_travel_by_basic_authorization() -> None:
    """base64 of key:secret (wire/alpaca.md 0.3), and the secret is not shown by repr."""
    wire = Wire(ok())
    read(wire)
    assert wire.requests[0].headers["Authorization"] == "Basic a2V5OnNlY3JldA=="
    assert "hidden" not in repr(ClientKeys("key", "hidden"))


@pytest.mark.parametrize("address", ["", "desk.test", "ftp://desk.test", "http://", "https://desk:port"])
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    """Before the first request."""
    with pytest.raises(InputError, match="must look like https://host:port"):
        Transport(address, ClientKeys("key", "secret"))
