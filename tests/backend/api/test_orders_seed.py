"""The Orders API of seed 003, sentence by sentence: each parameter, each property, each error of its five endpoints.

Wednesday 11 March 2026, 10:00 in New York; SPY 100, TLT 50, GLD 200. The account of the key has 10,000.00 USD and 40
SPY. ``world.ask`` fails for another status than the one expected, 200 by default.
"""

from datetime import datetime
from typing import Any

import pytest
from seed_world import World, at

from driftdesk.backend.api.auth import Access, Credentials, account_of_key, check
from driftdesk.backend.store.tables import accounts
from driftdesk.wire.simulation import Advance

ORDERS = "/v1/orders"
BY_CLIENT_ID = "/v1/orders:by_client_order_id"
UNKNOWN = "99999999-9999-4999-8999-999999999999"
# In the order of the seed's example.
KEYS = [
    "id", "client_order_id", "created_at", "updated_at", "submitted_at", "filled_at", "expired_at", "canceled_at",
    "failed_at", "asset_id", "symbol", "exchange", "asset_class", "qty", "filled_qty", "type", "side", "time_in_force",
    "limit_price", "stop_price", "filled_avg_price", "status",
]  # fmt: skip
NULLABLE = {
    "updated_at", "submitted_at", "filled_at", "expired_at", "canceled_at", "failed_at", "limit_price", "stop_price",
    "filled_avg_price",
}  # fmt: skip


@pytest.fixture
def desk(world: World) -> World:
    world.account("10000", SPY="40")
    return world


def order(text: str = "buy 1 SPY", **more: Any) -> dict[str, Any]:
    """``buy 1 SPY limit 95 gtc``: the body of a request, a market order for the day unless it says otherwise."""
    side, qty, symbol, *rest = text.split()
    body = {"symbol": symbol, "qty": qty, "side": side, "type": "market", "time_in_force": "day"}
    given = []
    words = iter(rest)
    for word in words:
        if word in ("limit", "stop"):
            body[f"{word}_price"] = next(words)
            given.append(word)
        else:
            body["time_in_force"] = word
    body["type"] = {"": "market", "limit": "limit", "stop": "stop"}.get("".join(given), "stop_limit")
    return {**body, **more}


def place(world: World, text: str = "buy 1 SPY", **more: Any) -> dict[str, Any]:
    placed: dict[str, Any] = world.ask("POST", ORDERS, order(text, **more))
    return placed


def wait(world: World, seconds: int = 0, to: datetime | None = None) -> None:
    world.service.advance(Advance(to=to, seconds=None if to else seconds))


def refusal(world: World, body: Any, status: int = 422) -> tuple[int, str]:
    """Code and sentence of a refused order, which leaves nothing behind."""
    error = world.ask("POST", ORDERS, body, status)
    assert [] == world.ask("GET", ORDERS, status="all")
    return error["code"], error["message"]


# [GET] Get a list of orders


@pytest.fixture
def listed(desk: World) -> World:
    """a, b and c rest, d is filled; submitted at 10:00, 10:01, 10:02 and 10:03."""
    for name in "abcd":
        place(desk, "buy 1 SPY" if name == "d" else "buy 1 SPY limit 90 gtc", client_order_id=name)
        wait(desk, 60)
    return desk


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({}, "cba", id="open ones, newest first, by default"),
        pytest.param({"status": "open"}, "cba", id="open"),
        pytest.param({"status": "closed"}, "d", id="closed"),
        pytest.param({"status": "all"}, "dcba", id="all"),
        pytest.param({"status": "all", "limit": 1}, "d", id="at most one"),
        pytest.param({"status": "all", "limit": 500}, "dcba", id="the largest limit"),
        pytest.param({"after": "2026-03-11T14:00:00Z"}, "cb", id="after, exclusive"),
        pytest.param({"after": "2026-03-11T13:59:59.999999Z"}, "cba", id="after, just before"),
        pytest.param({"until": "2026-03-11T14:02:00Z"}, "ba", id="until, exclusive"),
        pytest.param({"until": "2026-03-11T14:02:00.000001Z"}, "cba", id="until, just behind"),
        pytest.param({"until": "2026-03-11T10:02:00-04:00"}, "ba", id="a timestamp of another zone"),
        pytest.param({"after": "2026-03-11"}, "cba", id="a date"),
        pytest.param({"status": "all", "direction": "asc"}, "abcd", id="oldest first"),
        pytest.param({"status": "all", "direction": "desc"}, "dcba", id="newest first"),
        pytest.param({"status": "all", "direction": "asc", "limit": 2}, "ab", id="the oldest two"),
        pytest.param({"symbols": "TLT", "side": "sell"}, "cba", id="filters of the newer doors are none here"),
    ],
)
def test_a_list_is_filtered(listed: World, query: dict[str, Any], found: str) -> None:
    """By the five parameters of the seed."""
    assert list(found) == [order["client_order_id"] for order in listed.ask("GET", ORDERS, **query)]


def test_fifty_are_listed_by_default(desk: World) -> None:
    """Of 51 the newest 50."""
    for number in range(51):
        place(desk, "buy 1 SPY limit 90 gtc", client_order_id=str(number))
    assert [str(number) for number in range(50, 0, -1)] == [
        order["client_order_id"] for order in desk.ask("GET", ORDERS)
    ]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"status": "filled"}, "status must be 'open', 'closed' or 'all'; received 'filled'."),
        ({"limit": 0}, "limit must be a whole number from 1 to 500; received '0'."),
        ({"limit": 501}, "limit must be a whole number from 1 to 500; received '501'."),
        ({"limit": "many"}, "limit must be a whole number from 1 to 500; received 'many'."),
        ({"after": "soon"}, "after must be a time such as 2026-01-02T15:00:00Z; received 'soon'."),
        ({"until": "1"}, None),
        ({"direction": "up"}, "direction must be 'asc' or 'desc'; received 'up'."),
    ],
)
def test_a_parameter_that_is_not_recognized(desk: World, query: dict[str, Any], sentence: str | None) -> None:
    """422 with the parameter, what was received and what is allowed; seconds since 1970 are a time, too."""
    if sentence is None:
        assert [] == desk.ask("GET", ORDERS, **query)
        return
    error = desk.ask("GET", ORDERS, expect=422, **query)
    assert (42_210_000, sentence) == (error["code"], error["message"])


# [POST] Request a new order


def test_an_order_has_the_keys_of_the_seed(desk: World) -> None:
    """In its order and no others; what the seed does not call nullable is never null."""
    spy = desk.ask("GET", "/v1/assets/SPY")
    placed = place(desk, "buy 15 SPY limit 107 gtc", client_order_id="mine")
    assert KEYS == list(placed)
    assert {
        "client_order_id": "mine",
        "created_at": "2026-03-11T14:00:00Z",
        "updated_at": "2026-03-11T14:00:00Z",
        "submitted_at": "2026-03-11T14:00:00Z",
        "filled_at": None,
        "asset_id": spy["id"],
        "symbol": "SPY",
        "exchange": spy["exchange"],
        "asset_class": "us_equity",
        "qty": "15",
        "filled_qty": "0",
        "type": "limit",
        "side": "buy",
        "time_in_force": "gtc",
        "limit_price": "107",
        "stop_price": None,
        "filled_avg_price": None,
        "status": "accepted",
    }.items() <= placed.items()


def test_the_times_and_figures_of_an_order_are_told_as_it_ends(desk: World) -> None:
    """Filled, canceled, expired and failed, each with its own time; a rejected one filled nothing."""
    filled, expiring, canceled = (
        place(desk, text) for text in ("buy 2 SPY", "buy 1 SPY limit 90", "buy 1 SPY limit 91")
    )
    wait(desk, 1)
    desk.ask("DELETE", f"{ORDERS}/{canceled['id']}", expect=204)
    desk.ask("POST", "/v1/simulation/assets", {"symbol": "TLT", "halted": True})
    rejected = place(desk, "buy 1 TLT")
    wait(desk, to=at("2026-03-11 16:00"))
    found = [desk.ask("GET", f"{ORDERS}/{each['id']}") for each in (filled, expiring, canceled, rejected)]
    second, close = "2026-03-11T14:00:01Z", "2026-03-11T20:00:00Z"
    assert [
        ("filled", second, None, None, None, "2", "100"),
        ("expired", None, close, None, None, "0", None),
        ("canceled", None, None, second, None, "0", None),
        ("rejected", None, None, None, second, "0", None),
    ] == [
        tuple(
            each[name]
            for name in (
                "status", "filled_at", "expired_at", "canceled_at", "failed_at", "filled_qty", "filled_avg_price"
            )
        )
        for each in found
    ]  # fmt: skip
    assert all(each[name] is not None for each in found for name in KEYS if name not in NULLABLE)


def test_a_symbol_or_an_asset_id_names_the_asset(desk: World) -> None:
    """Both give the same asset, and either case of letters."""
    spy = desk.ask("GET", "/v1/assets/SPY")["id"]
    assert {(spy, "SPY")} == {
        (placed["asset_id"], placed["symbol"])
        for placed in (place(desk, symbol=named) for named in ("SPY", "spy", spy))
    }


@pytest.mark.parametrize("qty", [pytest.param("7", id="text"), pytest.param(7, id="number"), "7.0"])
def test_a_quantity_is_a_whole_number_as_text(desk: World, qty: object) -> None:
    """Written as text without a point, however it was sent."""
    assert "7" == place(desk, qty=qty)["qty"]


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ("buy 1 SPY", (None, None)),
        ("buy 1 SPY limit 95.5", ("95.5", None)),
        ("sell 1 SPY stop 90", (None, "90")),
        ("sell 1 SPY stop 90 limit 89.99", ("89.99", "90")),
    ],
)
def test_the_four_types(desk: World, text: str, prices: tuple[str | None, str | None]) -> None:
    """Each with the prices that it needs."""
    placed = place(desk, text)
    assert (order(text)["type"], *prices) == (placed["type"], placed["limit_price"], placed["stop_price"])


@pytest.mark.parametrize(("time_in_force", "hour"), [("day", 10), ("gtc", 10), ("opg", 20)])
def test_the_three_times_in_force(desk: World, time_in_force: str, hour: int) -> None:
    """The opening auction takes orders again from 19:00 on."""
    wait(desk, to=at(f"2026-03-11 {hour}:00"))
    assert time_in_force == place(desk, time_in_force=time_in_force)["time_in_force"]


def test_a_client_order_id_is_made_if_it_is_not_sent(desk: World) -> None:
    """Another one each time, of at most 48 characters; a given one of 48 is kept."""
    first, second = place(desk)["client_order_id"], place(desk)["client_order_id"]
    assert first != second
    assert 0 < len(first) <= 48
    assert 48 * "x" == place(desk, client_order_id=48 * "x")["client_order_id"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(order("buy 101 SPY"), "insufficient buying power: the order needs 10100 USD and 10000", id="cash"),
        pytest.param(
            order("buy 1001 SPY limit 10"), "insufficient buying power: the order needs 10010", id="at a limit"
        ),
        pytest.param(order("sell 41 SPY"), "insufficient quantity of SPY available: the order needs 41", id="shares"),
        pytest.param(order("sell 1 TLT"), "insufficient quantity of TLT available: the order needs 1", id="none held"),
    ],
)
def test_buying_power_or_shares_are_not_sufficient(desk: World, body: dict[str, Any], sentence: str) -> None:
    """403 Forbidden."""
    code, message = refusal(desk, body, 403)
    assert (40_310_000, sentence) == (code, message[: len(sentence)])


def test_an_account_that_is_not_authorized_for_trading(desk: World) -> None:
    """422 with how the account stands; what it asks for could be paid."""
    with desk.service.world.database.write() as connection:
        connection.execute(accounts.update().values(status="INACTIVE"))
    _, message = refusal(desk, order())
    assert message.endswith(" is INACTIVE; only an active one can trade.")


def test_a_refusal_tells_the_figures(desk: World) -> None:
    """What is free and needed, less what is promised to other orders (wire/alpaca.md 8.3)."""
    place(desk, "buy 20 SPY limit 100 gtc")
    place(desk, "sell 10 SPY limit 120 gtc")
    cash, shares = (desk.ask("POST", ORDERS, order(text), 403) for text in ("buy 81 SPY", "sell 31 SPY"))
    assert {
        "code": 40_310_000,
        "message": "insufficient buying power: the order needs 8100 USD and 8000 are free.",
        "buying_power": "8000",
        "cost_basis": "8100",
    } == cash
    assert {
        "code": 40_310_000,
        "message": "insufficient quantity of SPY available: the order needs 31 shares and 30 of 40 are free.",
        "symbol": "SPY",
        "available": "30",
        "existing_qty": "40",
        "held_for_orders": "10",
    } == shares


SIZE = "qty must be positive, at most 9000000000, with at most nine decimals; received"
CENTS = "must be a positive price in steps of 0.01 USD; received"
LESS = "must be a positive price in steps of 0.0001 USD; received"


def without(name: str, text: str = "buy 1 SPY") -> dict[str, Any]:
    return {field: value for field, value in order(text).items() if field != name}


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (without("symbol"), 40_010_001, "symbol is missing; it must be text."),
        (without("qty"), 40_010_001, "qty is required: the number of shares to trade."),
        (without("side"), 40_010_001, "side is missing; it must be text."),
        (without("type"), 40_010_001, "type is missing; it must be text."),
        (without("time_in_force"), 40_010_001, "time_in_force is missing; it must be text."),
        ([], 40_010_001, "The body must be a JSON object."),
        (order(symbol=5), 40_010_001, "symbol must be text; received 5."),
        (order(qty="many"), 40_010_001, "qty must be a decimal such as 12.50; received 'many'."),
        (order(qty=""), 40_010_001, "qty: value is empty; it must be a decimal such as 12.50."),
        (order("buy 1 NOSUCH"), 42_210_000, "symbol NOSUCH is not an asset known here; /v2/assets lists them."),
        (order(qty="1.5"), 42_210_000, "qty must be a whole number of shares at this door; received 1.5."),
        (order(qty="0"), 42_210_000, f"{SIZE} 0."),
        (order(qty="-1"), 42_210_000, f"{SIZE} -1."),
        (
            without("qty") | {"notional": "100"},
            42_210_000,
            "notional is not taken at this door, only a whole number of shares as qty; /v2/orders takes notionals.",
        ),
        (order(side="hold"), 42_210_000, "side must be one of buy, sell; received 'hold'."),
        (order(type="oco"), 42_210_000, "type must be one of market, limit, stop, stop_limit; received 'oco'."),
        (order(time_in_force="ioc"), 42_210_000, "time_in_force must be one of day, gtc, opg; received 'ioc'."),
        (order(time_in_force="cls"), 42_210_000, "time_in_force must be one of day, gtc, opg; received 'cls'."),
        (without("limit_price", "buy 1 SPY limit 9"), 42_210_000, "limit_price is required for a limit order."),
        (without("stop_price", "buy 1 SPY stop 9"), 42_210_000, "stop_price is required for a stop order."),
        (
            without("limit_price", "buy 1 SPY stop 9 limit 9"),
            42_210_000,
            "limit_price is required for a stop_limit order.",
        ),
        (
            without("stop_price", "buy 1 SPY stop 9 limit 9"),
            42_210_000,
            "stop_price is required for a stop_limit order.",
        ),
        (order(limit_price="9"), 42_210_000, "limit_price is not allowed for a market order."),
        (order(stop_price="9"), 42_210_000, "stop_price is not allowed for a market order."),
        (order("buy 1 SPY limit 0"), 42_210_000, f"limit_price {LESS} 0."),
        (order("buy 1 SPY limit 90.123"), 42_210_000, f"limit_price {CENTS} 90.123."),
        (order("buy 1 SPY stop 0.00001"), 42_210_000, f"stop_price {LESS} 0.00001."),
        (order(client_order_id=""), 42_210_000, "client_order_id must have 1 to 48 characters; received 0."),
        (order(client_order_id=49 * "x"), 42_210_000, "client_order_id must have 1 to 48 characters; received 49."),
    ],
)
def test_input_parameters_that_are_not_recognized(desk: World, body: Any, code: int, sentence: str) -> None:
    """422 Unprocessable: with the field, what was received and what is allowed; there is no order then."""
    assert (code, sentence) == refusal(desk, body)


def test_a_body_that_is_no_json_is_malformed(desk: World) -> None:
    """400, and 415 where it was not sent as JSON, as everywhere (rules.md 2.9)."""
    for content, kind, status in (("{", "application/json", 400), ("{}", "text/plain", 415)):
        answer = desk.http.post(ORDERS, content=content, headers={"Content-Type": kind})
        assert status == answer.status_code


def test_a_client_order_id_is_unique(desk: World) -> None:
    """A repeated one is refused, also after its order has ended (rules.md 8.2)."""
    place(desk, client_order_id="mine")
    wait(desk, 1)
    error = desk.ask("POST", ORDERS, order("buy 2 SPY", client_order_id="mine"), 422)
    assert (40_010_001, "client_order_id mine is used already; each order needs its own.") == (
        error["code"],
        error["message"],
    )


# [GET] Get an order, [GET] Get an order by client order id


def test_an_order_is_got_by_both_ids(desk: World) -> None:
    """The same order, in the same keys."""
    placed = place(desk, client_order_id="a/b c:d")
    assert placed == desk.ask("GET", f"{ORDERS}/{placed['id']}")
    assert placed == desk.ask("GET", BY_CLIENT_ID, client_order_id="a/b c:d")


@pytest.mark.parametrize("order_id", [UNKNOWN, "not-a-uuid"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_order_that_is_not_found(desk: World, method: str, order_id: str) -> None:
    """404 Not found, for an id of another form too."""
    error = desk.ask(method, f"{ORDERS}/{order_id}", expect=404)
    assert 40_410_000 == error["code"]
    assert f"Order {order_id} is not found" in error["message"]


def test_a_client_order_id_that_is_not_found(desk: World) -> None:
    """404; without the parameter there is nothing to look for."""
    assert 40_410_000 == desk.ask("GET", BY_CLIENT_ID, expect=404, client_order_id="yours")["code"]
    assert "client_order_id is missing; add it to the query." == desk.refused("GET", BY_CLIENT_ID)


# [DELETE] Cancel an order


def test_an_open_order_is_canceled(desk: World) -> None:
    """204 and nothing more; afterwards it is canceled, and the cash is free again."""
    placed = place(desk, "buy 100 SPY limit 100 gtc")
    assert desk.ask("DELETE", f"{ORDERS}/{placed['id']}", expect=204) is None
    assert "canceled" == desk.ask("GET", f"{ORDERS}/{placed['id']}")["status"]
    assert "accepted" == place(desk, "buy 100 SPY")["status"]


def test_an_order_that_is_no_longer_cancelable(desk: World) -> None:
    """422: filled, and canceled already."""
    filled, canceled = place(desk), place(desk, "buy 1 SPY limit 90")
    wait(desk, 1)
    desk.ask("DELETE", f"{ORDERS}/{canceled['id']}", expect=204)
    for ended, status in ((filled, "filled"), (canceled, "canceled")):
        sentence = f"Order {ended['id']} is {status}; only an open order can be canceled."
        assert sentence == desk.refused("DELETE", f"{ORDERS}/{ended['id']}")


# The account of the API key


def test_each_key_sees_its_own_orders(desk: World) -> None:
    """The plain key is the first account's; with a number behind a point it is that account's."""
    desk.account("500")
    mine = place(desk)
    theirs = ("key.DD0000002", "secret")
    assert [] == desk.http.get(ORDERS, auth=theirs).json()
    assert [mine["id"]] == [each["id"] for each in desk.http.get(ORDERS, auth=("key.DD0000001", "secret")).json()]
    assert 404 == desk.http.get(f"{ORDERS}/{mine['id']}", auth=theirs).status_code
    assert 404 == desk.http.delete(f"{ORDERS}/{mine['id']}", auth=theirs).status_code
    assert 403 == desk.http.post(ORDERS, json=order("buy 6 SPY"), auth=theirs).status_code
    assert 200 == desk.http.post(ORDERS, json=order("buy 5 SPY"), auth=theirs).status_code


@pytest.mark.parametrize(
    ("key", "status"),
    [("key.", 200), ("key.DD0000009", 404), ("key.DD0000001.x", 403), ("other.DD0000001", 403), (".DD0000001", 403)],
)
def test_keys_that_name_no_account(desk: World, key: str, status: int) -> None:
    """Nothing after the point names none, so it is the first; an unknown one is not found; a wrong key is wrong."""
    assert status == desk.http.get(ORDERS, auth=(key, "secret")).status_code


def test_a_key_may_have_points_of_its_own() -> None:
    """Only what stands behind the last point of a longer key names an account."""
    own = Credentials("my.key", "secret")
    for key, access, account in (
        ("my.key", Access.GRANTED, None),
        ("my.key.DD0000002", Access.GRANTED, "DD0000002"),
        ("my", Access.WRONG, None),
        ("my.DD0000002", Access.WRONG, None),
    ):
        headers = [(b"apca-api-key-id", key.encode()), (b"apca-api-secret-key", b"secret")]
        assert access is check(headers, own)
        assert access is Access.WRONG or account == account_of_key(headers, own)


def test_without_any_account_there_is_none_to_trade_for(world: World) -> None:
    """404, and what to do."""
    assert "There is no account yet; open one first." == world.refused("GET", ORDERS, status=404)


def test_no_answer_from_the_exchange(desk: World) -> None:
    """502 where the fault script keeps the answer back; the order is there, also where the request had a key."""
    for headers, name in (({}, "plain"), ({"Idempotency-Key": "k"}, "keyed")):
        desk.ask("PUT", "/v1/simulation/faults", {"faults": [{"kind": "time_out"}]})
        answer = desk.http.post(ORDERS, json=order(client_order_id=name), headers=headers)
        assert (502, 50_210_000) == (answer.status_code, answer.json()["code"])
        assert "accepted" == desk.ask("GET", BY_CLIENT_ID, client_order_id=name)["status"]
        assert [] == desk.ask("GET", "/v1/simulation/faults")["faults"]
