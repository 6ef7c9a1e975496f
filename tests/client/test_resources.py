"""A method per endpoint: what it sends, how it pages, how an advance is cut into short calls."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from driftdesk.client import Client, ClientKeys
from driftdesk.errors import BackendError, InputError, Unavailable
from driftdesk.wire.portfolios import CreatePortfolio, UpdatePortfolio, Weight
from driftdesk.wire.runs import CreateRun

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)
TIMES = {"created_at": "2026-03-02T17:00:00Z", "updated_at": "2026-03-02T17:00:00Z"}
PORTFOLIO = {"id": "p", "name": "n", "description": "", "status": "active", "weights": [], **TIMES}
SUBSCRIPTION = {"id": "s", "account_id": "a", "portfolio_id": "p", **TIMES}
CLOCK = {
    "timestamp": "2026-03-02T17:00:00Z",
    "is_open": True,
    "next_open": "2026-03-02T17:00:00Z",
    "next_close": "2026-03-02T17:00:00Z",
}


def run(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": "t",
        "status": "QUEUED",
        "account_id": "a",
        "portfolio_id": "p",
        "weights": [],
        **TIMES,
    }


class Backend:
    """A client whose requests are answered by `answer(request)`, and noted."""

    def __init__(self, answer: Callable[[httpx.Request], Any]) -> None:
        self.requests: list[httpx.Request] = []
        self.answer = answer
        self.client = Client("http://desk", ClientKeys("k", "s"), httpx.MockTransport(self.handle))

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = self.answer(request)
        return httpx.Response(204) if body is None else httpx.Response(200, json=body)

    @property
    def sent(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]


def paged(pages: dict[str | None, tuple[int, int, str | int | None]]) -> Callable[[httpx.Request], Any]:
    """Runs first..last-1 and the next token, by page token."""

    def answer(request: httpx.Request) -> Any:
        first, last, token = pages[request.url.params.get("page_token")]
        return {"runs": [run(number) for number in range(first, last)], "next_page_token": token}

    return answer


@pytest.mark.parametrize("end", [None, ""])
def test_all_pages_are_read(end: str | None) -> None:
    """Whole-number and text tokens alike; null or empty text ends the list."""
    backend = Backend(paged({None: (0, 2, 100), "100": (2, 4, "MTA="), "MTA=": (4, 5, end)}))
    assert ["0", "1", "2", "3", "4"] == [run.id for run in backend.client.runs.list()]


def test_no_more_is_asked_for_than_wanted() -> None:
    """max_items limits page size, number of pages and result."""
    backend = Backend(paged({None: (0, 100, "x"), "x": (100, 150, "y")}))
    assert len(backend.client.runs.list(account_id="a", max_items=150)) == 150
    assert ["100", "50"] == [request.url.params["limit"] for request in backend.requests]
    assert backend.client.runs.list(max_items=0) == ()


@pytest.mark.parametrize("pages", [{None: (0, 1, "x"), "x": (0, 1, "x")}, {None: (0, 1, "x"), "x": (0, 0, "y")}])
def test_a_backend_that_never_ends_its_list_is_left(pages: dict[str | None, Any]) -> None:
    """A repeated token and an empty page end the reading."""
    backend = Backend(paged(pages))
    backend.client.runs.list()
    assert len(backend.requests) == 2


def test_filters_that_are_not_given_are_not_sent() -> None:
    """`run_type` is the wire's `type`."""
    backend = Backend(paged({None: (0, 0, None)}))
    backend.client.runs.list(run_type="invest_cash", status="QUEUED")
    assert ["GET /v1/rebalancing/runs?type=invest_cash&status=QUEUED&limit=100"] == backend.sent


def test_an_update_sends_only_what_was_set() -> None:
    """PATCH changes the fields sent (rules.md 2.4)."""
    backend = Backend(lambda request: PORTFOLIO)
    backend.client.portfolios.update("p/1", UpdatePortfolio(cooldown_days=0))
    assert ["PATCH /v1/rebalancing/portfolios/p%2F1"] == backend.sent
    assert json.loads(backend.requests[0].content) == {"cooldown_days": 0}


def test_a_new_portfolio_is_sent_with_percents_as_text() -> None:
    """Unused fields are left out, as the official SDK does."""
    backend = Backend(lambda request: PORTFOLIO)
    weights = (Weight(type="cash", percent=Decimal("5.00")), Weight(type="asset", symbol="SPY", percent=Decimal(95)))
    backend.client.portfolios.create(CreatePortfolio(name="n", weights=weights))
    assert json.loads(backend.requests[0].content) == {
        "name": "n",
        "description": "",
        "weights": [{"type": "cash", "percent": "5"}, {"type": "asset", "symbol": "SPY", "percent": "95"}],
        "cooldown_days": 0,
        "rebalance_conditions": [],
    }


def test_a_run_is_created_under_the_key_given() -> None:
    """Without one the header is not sent."""
    backend = Backend(lambda request: run(1))
    body = CreateRun(account_id="a", type="full_rebalance")
    backend.client.runs.create(body, "click-1")
    backend.client.runs.create(body)
    assert ["click-1", None] == [request.headers.get("Idempotency-Key") for request in backend.requests]
    assert json.loads(backend.requests[0].content) == {"account_id": "a", "type": "full_rebalance"}


def test_deletes_expect_no_body() -> None:
    """204 is a success."""
    backend = Backend(lambda request: None)
    backend.client.portfolios.inactivate("p")
    backend.client.subscriptions.delete("s")
    backend.client.runs.cancel("r")
    expected = ["portfolios/p", "subscriptions/s", "runs/r"]
    assert [f"DELETE /v1/rebalancing/{path}" for path in expected] == backend.sent


def test_a_calendar_is_asked_for_by_dates() -> None:
    """ISO dates; None is left out."""
    backend = Backend(lambda request: [{"date": "2026-03-02", "open": "09:30", "close": "16:00"}])
    assert backend.client.market.calendar(date(2026, 3, 1))[0].open == "09:30"
    assert ["GET /v1/calendar?start=2026-03-01"] == backend.sent


def test_latest_trades_are_asked_for_in_pieces() -> None:
    """Each symbol once, 200 to a request, and none for nothing."""

    def answer(request: httpx.Request) -> Any:
        symbols = request.url.params["symbols"].split(",")
        return {"trades": {symbol: {"t": "2026-03-02T17:00:00Z", "p": 1.5} for symbol in symbols}}

    backend = Backend(answer)
    symbols = [f"S{number:03}" for number in range(250)]
    trades = backend.client.market.latest_trades(symbols + symbols)
    assert (250, Decimal("1.5")) == (len(trades), trades["S249"].p)
    assert [200, 50] == [len(request.url.params["symbols"].split(",")) for request in backend.requests]
    assert backend.client.market.latest_trades([]) == {}
    assert len(backend.requests) == 2


def stepping(seconds_a_call: int) -> Callable[[httpx.Request], Any]:
    """A simulated clock that moves by so much in each call."""
    now = [NOON]

    def answer(request: httpx.Request) -> Any:
        if request.method == "GET":
            return CLOCK
        target = datetime.fromisoformat(json.loads(request.content)["to"])
        now[0] = min(target, now[0] + timedelta(seconds=seconds_a_call))
        reached = now[0] == target
        times = {"now": now[0].isoformat(), "target": target.isoformat()}
        return {**times, "done": reached, "runs_created": 1, "orders_filled": 2}

    return answer


def test_an_advance_is_cut_into_calls_with_one_target() -> None:
    """By 100 seconds, 40 at a time: three calls to the same instant, progress told, counts added up."""
    backend = Backend(stepping(40))
    told: list[tuple[float, datetime]] = []
    end = backend.client.simulation.advance(seconds=100, progress=lambda share, now: told.append((share, now)))
    targets = {json.loads(request.content)["to"] for request in backend.requests[1:]}
    assert targets == {"2026-03-02T17:01:40Z"}
    assert [(0.4, NOON + timedelta(seconds=40)), (0.8, NOON + timedelta(seconds=80)), (1.0, end.now)] == told
    assert (3, 6, True) == (end.runs_created, end.orders_filled, end.done)


def test_an_advance_to_an_instant_already_reached_is_one_call() -> None:
    """The fraction is whole."""
    backend = Backend(stepping(40))
    told: list[float] = []
    backend.client.simulation.advance(to=NOON, progress=lambda share, now: told.append(share))
    assert ([1.0], 2) == (told, len(backend.requests))


def test_a_clock_that_stands_still_ends_the_advance() -> None:
    """Instead of asking for ever."""
    backend = Backend(stepping(0))
    with pytest.raises(Unavailable, match="does not advance"):
        backend.client.simulation.advance(seconds=1)


@pytest.mark.parametrize("arguments", [{}, {"to": NOON, "seconds": 1}])
def test_an_advance_needs_one_target(arguments: dict[str, Any]) -> None:
    """Exactly one of `to` and `seconds`."""
    with pytest.raises(InputError):
        Backend(stepping(1)).client.simulation.advance(**arguments)


def test_simulation_calls_send_exact_decimals() -> None:
    """Prices with null, cash and shares as text."""
    backend = Backend(lambda request: None)
    backend.client.simulation.set_prices({"SPY": Decimal("500.10"), "TLT": None})
    assert json.loads(backend.requests[0].content) == {"prices": {"SPY": "500.1", "TLT": None}}


def test_leaving_the_context_closes_the_client() -> None:
    """A closed client sends nothing."""
    backend = Backend(lambda request: CLOCK)
    with backend.client as client:
        client.market.clock()
    with pytest.raises(RuntimeError):
        client.market.clock()


def patched(*answers: list[dict[str, Any]]) -> Backend:
    """A portfolio whose conditions come back as given, one list for each PATCH."""
    given = list(answers)
    return Backend(lambda request: {**PORTFOLIO, "cooldown_days": 7, "rebalance_conditions": given.pop(0)})


BAND = {"type": "drift_band", "sub_type": "absolute", "percent": "5", "day": None}
MONTHLY = {"type": "calendar", "sub_type": "monthly", "percent": None, "day": "5"}
WANTED = UpdatePortfolio.model_validate(
    {
        "rebalance_conditions": [
            {"type": "calendar", "sub_type": "monthly", "day": "05"},
            {"type": "drift_band", "sub_type": "absolute", "percent": "5.00"},
        ]
    }
)


def test_conditions_that_came_back_are_sent_once() -> None:
    """In another order and spelling they are still those that were sent."""
    backend = patched([BAND, MONTHLY])
    backend.client.portfolios.update("p", WANTED)
    assert [["rebalance_conditions"]] == [list(json.loads(request.content)) for request in backend.requests]


def test_conditions_that_did_not_change_are_sent_by_their_other_name() -> None:
    """With the cooldown that the OpenAPI document requires, as it was answered (wire/alpaca.md 5.3)."""
    backend = patched([BAND], [BAND, MONTHLY])
    saved = backend.client.portfolios.update("p", WANTED)
    second = json.loads(backend.requests[1].content)
    assert ({"rebalancing_conditions", "cooldown_days"}, 7, 2) == (
        set(second),
        second["cooldown_days"],
        len(second["rebalancing_conditions"]),
    )
    assert 2 == len(saved.rebalance_conditions)


def test_conditions_that_a_backend_keeps_as_they_were_are_told() -> None:
    """Neither name helped: one sentence, and no third request."""
    backend = patched([BAND], [BAND])
    with pytest.raises(BackendError, match="kept other conditions"):
        backend.client.portfolios.update("p", WANTED)
    assert 2 == len(backend.requests)


def test_conditions_can_be_taken_away() -> None:
    """An empty list is a list that was sent."""
    backend = patched([BAND], [])
    backend.client.portfolios.update("p", UpdatePortfolio(rebalance_conditions=()))
    assert [] == json.loads(backend.requests[1].content)["rebalancing_conditions"]


@pytest.mark.parametrize("marker", [None, "unsolicited"])
def test_a_trade_marker_is_sent_where_one_is_given(marker: str | None) -> None:
    """Left out it means discretionary to the real API, so nothing is put in its place."""
    backend = Backend(lambda request: {**SUBSCRIPTION, "trade_marker": marker})
    made = backend.client.subscriptions.create("a", "p", trade_marker=marker)
    body = {"account_id": "a", "portfolio_id": "p", **({"trade_marker": marker} if marker else {})}
    assert (body, marker) == (json.loads(backend.requests[0].content), made.trade_marker)
