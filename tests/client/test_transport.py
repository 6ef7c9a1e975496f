"""One exchange with a backend: which failures are tried again, how long it waits, and what a person reads."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from driftdesk.client.failures import may_follow
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
        ("it is empty", b""),
        ("it is empty", b" \r\n"),
        (r"its field is_open is not as documented \(Field required\)", b'{"timestamp": "2026-03-02T12:00:00Z"}'),
        ("its field the whole answer|its field", b"[]"),
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error_of_the_backend(problem: str, content: bytes) -> None:
    """Not a traceback of the parser."""
    with pytest.raises(BackendError, match=rf"^The answer to GET /v1/clock cannot be used: ({problem})"):
        read(Wire(httpx.Response(200, content=content)))


def test_an_unreadable_answer_to_a_write_says_that_it_was_taken() -> None:
    """An empty 200: the deposit stands, and is not to be sent again without a look."""
    with pytest.raises(BackendError, match=r"it is empty\. The backend took the request; look before sending it again"):
        write(Wire(httpx.Response(200)))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["/v2/clock?a=1", "https://desk.test/v2/clock?a=1"])
def test_a_read_is_redirected_once_on_its_own_host(status: int, to: str) -> None:
    """The keys go along to the same host, and to no second place."""
    wire = Wire(httpx.Response(status, headers={"Location": to}), ok())
    assert NOW == read(wire).timestamp
    first, second = wire.requests
    assert "https://desk.test/v2/clock?a=1" == str(second.url)
    assert first.headers["Authorization"] == second.headers["Authorization"]
    round_and_round = Wire(httpx.Response(status, headers={"Location": to}))
    with pytest.raises(BackendError, match=r"redirected to https://desk\.test/v2/clock and not sent on"):
        read(round_and_round)
    assert 2 == len(round_and_round.requests)


@pytest.mark.parametrize(
    ("where", "headers"),
    [
        (" to https://elsewhere.test/v1/clock", {"Location": "https://elsewhere.test/v1/clock?key=1"}),
        (" to http://desk.test/v1/clock", {"Location": "http://desk.test/v1/clock"}),
        (" to https://desk.test:8443/v1/clock", {"Location": "https://desk.test:8443/v1/clock"}),
        ("", {}),
    ],
)
def test_a_read_is_not_redirected_elsewhere(where: str, headers: dict[str, str]) -> None:
    """Another host, port or scheme, or no address at all: one sentence, without the query, and no second request."""
    wire = Wire(httpx.Response(307, headers=headers), ok())
    with pytest.raises(BackendError) as caught:
        read(wire)
    expected = f"GET /v1/clock was redirected{where} and not sent on; nothing was done. Check the backend's address."
    assert (expected, 307, 1) == (str(caught.value), caught.value.status, len(wire.requests))


def test_a_redirect_to_no_address_is_one_sentence() -> None:
    """It never trips."""
    with pytest.raises(Unavailable, match=r"^No answer from https://desk\.test to GET /v1/clock: Invalid URL"):
        read(Wire(httpx.Response(308, headers={"Location": "https://desk:port"})))


def test_an_upgrade_to_https_is_followed() -> None:
    """The same host, more safely."""
    assert may_follow(httpx.URL("http://desk.test/v1"), httpx.URL("https://desk.test/v1"))


@pytest.mark.parametrize(
    ("effect", "status"),
    [("nothing was done", 301), ("nothing was done", 307), ("nothing was done", 308), ("whether it took", 303)],
)
def test_a_write_is_never_redirected(effect: str, status: int) -> None:
    """It goes where it was sent, or nowhere; "see other" may be the answer to a write that was done."""
    wire = Wire(httpx.Response(status, headers={"Location": "/v1/other"}), ok())
    with pytest.raises(BackendError, match=rf"to https://desk\.test/v1/other and not sent on; {effect}"):
        write(wire)
    assert 1 == len(wire.requests)


def test_market_data_goes_to_its_own_host() -> None:
    """Its paths, and no others; each host has a rate limit of its own."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=CLOCK)

    transport = Transport(
        "https://broker.test",
        ClientKeys("k", "s"),
        transport=httpx.MockTransport(answer),
        data_url="https://data.test/",
    )
    transport.get(Clock, "/v1/clock")
    transport.get(Clock, "/v2/stocks/trades/latest", {"symbols": "A"})
    assert ["https://broker.test/v1/clock", "https://data.test/v2/stocks/trades/latest?symbols=A"] == [
        str(request.url) for request in requests
    ]


def limited(remaining: str, reset: float) -> httpx.Response:
    headers = {"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": str(int(NOW.timestamp() + reset))}
    return httpx.Response(200, json=CLOCK, headers=headers)


@pytest.mark.parametrize("call", [read, write])
def test_a_used_up_window_is_waited_for_before_sending(call: Callable[[Wire], object]) -> None:
    """One is left: the next is sent at once, the one after it 12 seconds later; reads and writes alike."""
    wire = Wire(limited("1", 12), limited("0", 12), limited("99", 72))
    for _ in range(4):
        call(wire)
    assert [12.0] == wire.waits


def test_the_address_of_market_data_is_checked_too() -> None:
    """Before the first request."""
    with pytest.raises(InputError, match="must look like"):
        Transport("https://broker.test", ClientKeys("k", "s"), data_url="data.test")


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
