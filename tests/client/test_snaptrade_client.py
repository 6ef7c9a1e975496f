"""The client of SnapTrade: what is asked and read, what is tried again, the rate limits, and refusals as sentences."""

import logging
from decimal import Decimal

import httpx
import pytest
from client.snaptrade_words import KEYS, START, A, Call, SnapTrade, ok, record

from driftdesk.client.snaptrade import SnapTradeKeys
from driftdesk.errors import BackendError, BackendNotFound, InputError, RateLimited, Rejected, Unavailable
from driftdesk.wire.snaptrade.trading import NewOrder, Trade

BUY = NewOrder(
    account_id="acc-1", action="BUY", order_type="Market", time_in_force="Day", symbol="SPY", units=Decimal("0.5")
)
BY_ID = BUY.model_copy(update={"symbol": None, "universal_symbol_id": "u-1"})
TRADE = Trade(id="t-1", account="acc-1")


def test_accounts_are_read_in_both_shapes() -> None:
    """The newer one names connection and net value, the older one authorization and balance; numbers become Decimal."""
    wire = SnapTrade(
        ok(
            {
                "results": [
                    {
                        "kind": "investment",
                        "id": "acc-1",
                        "connection_id": "c-1",
                        "display_name": "IRA",
                        "masked_account_number": "****8443",
                        "net_value": {"amount": 10.10, "currency": "USD"},
                        "sync_status": {"positions": "2026-03-02T16:00:00Z"},
                        "is_paper": False,
                    },
                    {
                        "id": "acc-2",
                        "brokerage_authorization": "c-2",
                        "name": "TFSA",
                        "number": 17,
                        "account_category": "INVESTMENT",
                        "balance": {"total": {"amount": "15.2", "currency": "CAD"}},
                        "sync_status": {"holdings": {"holdings_unavailable": True}},
                    },
                    {"id": "acc-3", "net_value": None, "balance": {"total": None}},
                ]
            }
        )
    )
    new, old, bare = wire.client.accounts.list()
    assert ["GET /accounts/all"] == wire.asked
    assert ("c-1", "IRA", "****8443", "investment", Decimal("10.1"), "USD") == (
        new.connection_id,
        new.name,
        new.number,
        new.category,
        new.total,
        new.currency,
    )
    assert ("c-2", "TFSA", "17", "investment", Decimal("15.2"), "CAD") == (
        old.connection_id,
        old.name,
        old.number,
        old.category,
        old.total,
        old.currency,
    )
    assert old.sync_status is not None
    assert old.sync_status.holdings is not None
    assert old.sync_status.holdings.holdings_unavailable
    assert (None, None) == (bare.total, bare.currency)


def test_what_an_account_holds() -> None:
    """Balances, positions and connections at their addresses, amounts exact from numbers and text."""
    wire = SnapTrade(
        ok([{"currency": {"code": "USD"}, "cash": 300.71, "buying_power": None}]),
        ok(
            {
                "results": [
                    {
                        "instrument": {"kind": "etf", "symbol": "SPY"},
                        "units": "1.5",
                        "price": 410.10,
                        "currency": "USD",
                    }
                ],
                "data_freshness": {"as_of": "2026-03-02T12:00:00-05:00"},
            }
        ),
        ok([{"id": "c-1", "type": "read", "disabled": True, "brokerage": {"slug": "X", "allows_trading": None}}]),
        ok({"id": "acc-1"}),
    )
    (balance,) = wire.client.accounts.balances("acc-1")
    positions = wire.client.accounts.positions("acc-1")
    (connection,) = wire.client.accounts.connections()
    assert "acc-1" == wire.client.accounts.get("acc-1").id
    assert [f"GET {A}/balances", f"GET {A}/positions/all", "GET /authorizations", f"GET {A}/details"] == wire.asked
    assert (Decimal("300.71"), None) == (balance.cash, balance.buying_power)
    assert (Decimal("1.5"), Decimal("410.1")) == (positions.results[0].units, positions.results[0].price)
    assert positions.data_freshness is not None
    assert START == positions.data_freshness.as_of
    assert (True, "read") == (connection.disabled, connection.type)


def test_quotes_are_asked_for_ten_at_a_time() -> None:
    """Eleven tickers make two requests, and the answers one tuple; ids are asked for as ids."""
    quote = {"symbol": {"symbol": "SPY"}, "last_trade_price": 410.1, "bid_size": 3}
    wire = SnapTrade(ok([quote]))
    assert 2 == len(wire.client.accounts.quotes("acc-1", [f"S{number}" for number in range(11)]))
    assert () == wire.client.accounts.quotes("acc-1", [])
    (found,) = wire.client.accounts.quotes("acc-1", ["u-1"], by_id=True)
    assert Decimal("410.1") == found.last_trade_price
    tens = ",".join(f"S{number}" for number in range(10))
    assert [
        f"GET {A}/quotes symbols={tens} use_ticker=true",
        f"GET {A}/quotes symbols=S10 use_ticker=true",
        f"GET {A}/quotes symbols=u-1 use_ticker=false",
    ] == wire.asked


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client: client.accounts.list(), id="accounts"),
        pytest.param(lambda client: client.accounts.positions("acc-1"), id="positions"),
        pytest.param(lambda client: client.orders.recent("acc-1"), id="recent orders"),
    ],
)
@pytest.mark.parametrize("body", [{}, {"results": None, "orders": None}, None, {"detail": "later"}])
def test_an_answer_without_its_list_is_not_an_empty_list(call: Call, body: object) -> None:
    """An account would look empty that is not."""
    with pytest.raises(BackendError, match="cannot be used: "):
        call(SnapTrade(ok(body)).client)


def test_impact_and_placing_send_amounts_as_exact_numbers() -> None:
    """What is sent is the decimal's own digits; the previewed trade is placed by its id."""
    impact = {
        "trade": {"id": "t-1", "account": "acc-1", "units": 0.5},
        "trade_impacts": [{"remaining_cash": 95.05, "estimated_commission": None}],
    }
    wire = SnapTrade(ok(impact), ok(record("ACCEPTED", still_open="1")), ok(record("EXECUTED", filled="1")))
    preview = wire.client.trading.impact(BY_ID)
    assert (Decimal("95.05"), None) == (
        preview.trade_impacts[0].remaining_cash,
        preview.trade_impacts[0].estimated_commission,
    )
    limit = {"order_type": "Limit", "price": Decimal("410.10"), "units": Decimal("123456789012.123456789")}
    wire.client.trading.place(BUY.model_copy(update=limit))
    assert "EXECUTED" == wire.client.trading.place_checked(preview.trade).status
    assert ["POST /trade/impact", "POST /trade/place", "POST /trade/t-1"] == wire.asked
    assert (
        b'{"account_id":"acc-1","action":"BUY","order_type":"Limit","time_in_force":"Day","symbol":"SPY",'
        b'"units":123456789012.123456789,"price":410.1}'
    ) == wire.requests[1].content
    assert {"wait_to_confirm": True} == wire.bodies[2]


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"action": "buy"}, "action", "one of BUY, SELL, BUY_TO_OPEN"),
        ({"order_type": "market"}, "order_type", "one of Market, Limit, Stop, StopLimit"),
        ({"time_in_force": "DAY"}, "time_in_force", "one of Day, GTC, FOK, IOC, GTD"),
        ({"symbol": None}, "symbol", "given, or universal_symbol_id, and not both"),
        ({"universal_symbol_id": "u-1"}, "symbol", "given, or universal_symbol_id, and not both"),
        ({"units": None}, "units", "given, or notional_value, and not both"),
        ({"notional_value": Decimal(5)}, "units", "given, or notional_value, and not both"),
        (
            {"units": None, "notional_value": Decimal(5), "time_in_force": "GTC"},
            "notional_value",
            "unless the order is Market and Day",
        ),
        ({"order_type": "StopLimit", "stop": Decimal(1)}, "price", "given for StopLimit"),
        ({"price": Decimal(1)}, "price", "left out for Market"),
        ({"order_type": "Stop"}, "stop", "given for Stop"),
        ({"time_in_force": "GTD"}, "expiry_date", "given for GTD"),
        ({"expiry_date": START}, "expiry_date", "only for GTD"),
        ({"units": Decimal(0)}, "units", "above zero; received 0"),
        ({"units": Decimal("-1.50")}, "units", "above zero; received -1.5"),
    ],
)
def test_an_order_that_cannot_be_meant_is_not_sent(changes: dict[str, object], field: str, says: str) -> None:
    """The service catches some of these late and some never; here the first one is named by its field."""
    wire = SnapTrade(ok({}))
    with pytest.raises(InputError, match=rf"^{field} of the order must be .*{says}") as refused:
        wire.client.trading.place(BUY.model_copy(update=changes))
    assert (field, []) == (refused.value.field, wire.requests)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"action": "BUY_TO_OPEN"}, "action"),
        ({"time_in_force": "GTD", "expiry_date": START}, "time_in_force"),
        ({"symbol": "SPY", "universal_symbol_id": None}, "universal_symbol_id"),
        ({"symbol": "SPY"}, "symbol"),
    ],
)
def test_an_impact_knows_fewer_words_than_an_order(changes: dict[str, object], field: str) -> None:
    """No options, no GTD, no tickers."""
    wire = SnapTrade(ok({}))
    with pytest.raises(InputError) as refused:
        wire.client.trading.impact(BY_ID.model_copy(update=changes))
    assert (field, []) == (refused.value.field, wire.requests)


@pytest.mark.parametrize("base_url", ["https://snaptrade.test", "https://snaptrade.test/api/v1/"])
@pytest.mark.parametrize("keys", [KEYS, SnapTradeKeys("CLIENT", "SECRET")], ids=["commercial", "personal"])
def test_both_bases_and_both_kinds_of_keys(base_url: str, keys: SnapTradeKeys) -> None:
    """The path is signed as it is called (the script checks it); only a commercial key sends a user."""
    wire = SnapTrade(ok([]), keys=keys, base_url=base_url)
    wire.client.accounts.connections()
    (request,) = wire.requests
    assert f"{httpx.URL(base_url).path.rstrip('/')}/authorizations" == request.url.path
    assert (None if keys.user is None else "wonder-1") == request.url.params.get("userSecret")


@pytest.mark.parametrize("failure", [httpx.Response(429), httpx.Response(503), httpx.ConnectError("refused")])
def test_a_read_is_tried_again_with_a_new_signature(failure: httpx.Response | httpx.HTTPError) -> None:
    """As with every backend; the timestamp is that of the attempt (the script checks it)."""
    wire = SnapTrade(failure, failure, failure, ok([]))
    assert () == wire.client.orders.list("acc-1")
    assert [0.25, 0.5, 1.0] == wire.waits
    assert ["1772470800", "1772470801"] == [wire.requests[at].url.params["timestamp"] for at in (0, 3)]


@pytest.mark.parametrize(
    "failure",
    [httpx.Response(429), httpx.Response(500), httpx.Response(503), httpx.ReadTimeout("slow"), httpx.ReadError("cut")],
)
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client: client.trading.place(BUY), id="place"),
        pytest.param(lambda client: client.trading.place_checked(TRADE), id="place checked"),
        pytest.param(lambda client: client.orders.cancel("acc-1", "o-1"), id="cancel"),
        pytest.param(lambda client: client.trading.impact(BY_ID), id="impact"),
    ],
)
def test_what_trades_or_cancels_is_sent_once(failure: httpx.Response | httpx.HTTPError, call: Call) -> None:
    """Whatever happens; where the effect is not known, the error says so."""
    wire = SnapTrade(failure)
    with pytest.raises(BackendError) as failed:
        call(wire.client)
    assert (1, []) == (len(wire.requests), wire.waits)
    known = isinstance(failed.value, RateLimited)
    assert known != ("Whether it took effect is not known; look before" in str(failed.value))


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "says"),
    [
        (400, {"detail": "Market is closed", "code": "1019"}, Rejected, 1019, "It said: Market is closed"),
        (400, {}, Rejected, None, "It gave no reason"),
        (401, {"default_detail": "Unable to verify", "default_code": 1076}, Rejected, 1076, "clock of this computer"),
        (402, {"detail": "disabled", "code": "3003"}, Rejected, 3003, "connection to the brokerage is disabled"),
        (403, {"detail": {"why": "feature"}, "code": "1141"}, Rejected, 1141, "need a connection of type trade"),
        (404, {"detail": "none", "code": "1011"}, BackendNotFound, 1011, "nothing under that id"),
        (409, {"detail": "conflict"}, Rejected, None, "contradict each other just now"),
        (410, {"detail": "Gone"}, Rejected, None, "nothing is known about what the account holds"),
        (425, {"detail": "populating", "code": "3012"}, Rejected, 3012, "reading this account for the first time"),
        (429, {"detail": "slow down", "code": "throttled"}, RateLimited, None, "too many requests"),
        (500, "<html>oops</html>", Unavailable, None, r"\(500\)\. Try again in a few minutes\. It gave no reason\.$"),
        (500, {"detail": 1.5, "code": 1.5}, Unavailable, None, r"\(500, code \"1\.5\"\)\. .* It said: "),
        (501, {"error": "no"}, Unavailable, None, "does not offer this for the brokerage"),
        (503, {"detail": "bad answer", "code": "3002"}, Unavailable, 3002, "the brokerage gave no usable answer"),
    ],
)
def test_each_refusal_is_a_sentence(
    status: int, body: object, kind: type[BackendError], code: int | None, says: str
) -> None:
    """With status, code and the id that SnapTrade's support asks for; a 410 is never an empty account."""
    sent = {"text": body} if isinstance(body, str) else {"json": body}
    wire = SnapTrade(httpx.Response(status, headers={"X-Request-ID": "req-7"}, **sent))  # type: ignore[arg-type]
    with pytest.raises(BackendError, match=says) as refused:
        wire.client.accounts.positions("acc-1")
    error = refused.value
    assert (kind, status, code, "req-7") == (type(error), error.status, error.code, error.request_id)
    assert str(error).startswith(f"SnapTrade refused GET {A}/positions/all ({status}")


def test_a_long_reason_is_cut() -> None:
    """What is shown stays a sentence."""
    with pytest.raises(Rejected, match=rf"It said: {'x' * 300}…$"):
        SnapTrade(httpx.Response(400, json={"detail": "x" * 999})).client.accounts.list()


def test_secrets_stand_in_no_log_and_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Although they are sent in the query: neither httpx's log of requests nor an error's text or request has them."""
    caplog.set_level(logging.DEBUG)
    wire = SnapTrade(httpx.Response(500), httpx.ReadTimeout("slow"))
    for _ in range(2):
        with pytest.raises(Unavailable) as failed:
            wire.client.accounts.list()
        cause = failed.value.__cause__
        seen = f"{failed.value} {cause.request.url if isinstance(cause, httpx.HTTPError) else ''} {caplog.text}"
        assert "/accounts/all" in seen
        assert not any(secret in seen for secret in ("wonder-1", "SECRET", "alice"))
    assert "wonder-1" == wire.requests[0].url.params["userSecret"]


def test_the_251st_request_of_a_minute_waits() -> None:
    """Until the first one is a minute old; the one after it goes when the second is."""
    wire = SnapTrade(ok([]))
    for number in range(252):
        if number == 1:
            wire.sleep(6)
        wire.client.accounts.connections()
    assert [6.0, 54.0, 6.0] == wire.waits
    assert 60.0 == (wire.times[250] - wire.times[0]).total_seconds()


def test_orders_of_one_account_are_a_second_apart() -> None:
    """Both ways of placing count together, another account does not, nor do reads and cancels."""
    wire = SnapTrade(ok(record("EXECUTED", filled="1")))
    wire.client.trading.place(BUY)
    wire.client.trading.place(BUY.model_copy(update={"account_id": "acc-2"}))
    wire.client.orders.get("acc-1", "o-1")
    assert [] == wire.waits
    wire.client.trading.place_checked(TRADE)
    wire.client.trading.place(BUY)
    assert [1.0, 1.0] == wire.waits
    wire.sleep(5)
    wire.client.trading.place(BUY)
    assert [1.0, 1.0, 5.0] == wire.waits


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "7"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"},
        {"X-RateLimit-Remaining": "9", "X-RateLimit-Account-Remaining": "0", "X-RateLimit-Account-Reset": "7"},
    ],
)
def test_too_many_requests_are_waited_for_as_told(headers: dict[str, str]) -> None:
    """SnapTrade tells seconds, for the client or for the account, where other backends tell an instant."""
    wire = SnapTrade(httpx.Response(429, headers=headers), ok([]))
    assert () == wire.client.accounts.connections()
    assert 7.0 == sum(wire.waits)


def test_a_window_that_is_used_up_is_waited_for() -> None:
    """Before SnapTrade has to refuse: nothing left for the next three seconds."""
    told = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3"}
    wire = SnapTrade(httpx.Response(200, json=[], headers=told), ok([]))
    wire.client.accounts.connections()
    wire.client.accounts.connections()
    assert [3.0] == wire.waits


def test_a_redirect_on_the_same_host_is_signed_anew(caplog: pytest.LogCaptureFixture) -> None:
    """A read follows it once; user, client and time stand once in its query, and its address in no log with them."""
    caplog.set_level(logging.DEBUG)
    there = f"https://snaptrade.test{A}/details?userId=alice&userSecret=wonder-1&clientId=CLIENT&timestamp=1&x=2"
    wire = SnapTrade(httpx.Response(307, headers={"Location": there}), ok({"id": "acc-1"}))
    assert "acc-1" == wire.client.accounts.get("acc-1").id
    assert b"x=2&userId=alice&userSecret=wonder-1&clientId=CLIENT&timestamp=1772470800" == wire.requests[1].url.query
    assert "details?x=2" in caplog.text
    assert "wonder-1" not in caplog.text


def test_the_client_closes_what_it_was_given() -> None:
    """Its transport, once the block that used it ends."""
    closed: list[bool] = []

    class Inner(httpx.MockTransport):
        def close(self) -> None:
            closed.append(True)

    wire = SnapTrade(ok([]))
    with type(wire.client)(KEYS, transport=Inner(wire.answer)):
        pass
    assert [True] == closed
