"""Orders of the SnapTrade routes: records in both dialects, lists by the world's clock, cancels and replacements.

10:00 New York on Wednesday 11 March 2026; the account has 10,000.00 USD and 40 SPY (at 100), TLT is at 50.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from backend.snaptrade.conftest import Asker, order_body
from backend.snaptrade.test_snaptrade_signing import refused
from wire.test_snaptrade_orders import needs_seed, sample

from driftdesk.backend.api.snaptrade.answers import answer
from driftdesk.backend.service import Service
from driftdesk.wire.base import read_json
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.simulation import FaultEntry, FaultScript
from driftdesk.wire.snaptrade.base import Dialect
from driftdesk.wire.snaptrade.orders import OrderRecord

Place = Callable[..., dict[str, Any]]
LIMIT = {"order_type": "Limit", "time_in_force": "GTC", "price": 40}
UNKNOWN = "99999999-9999-4999-8999-999999999999"

# Of a record what came after the seed, and the seed's own in their order.
NEWER_KEYS = {
    "quote_universal_symbol",
    "quote_currency",
    "child_brokerage_order_ids",
    "trailing_stop",
    "brokerage_group_order_id",
}
SEED_KEYS = [name for name in OrderRecord.model_fields if name not in {*NEWER_KEYS, "order_role"}]


@needs_seed
def test_the_seeds_sample_leaves_its_route_as_it_came() -> None:
    """Key by key, digit by digit, in the order of the seed."""
    response = answer(OrderRecord.model_validate(read_json(sample())), Dialect.SEED)
    assert json.dumps(json.loads(sample()), separators=(",", ":")) == bytes(response.body).decode()
    assert SEED_KEYS == list(json.loads(sample()))


def test_the_seeds_cancel_answers_the_seeds_keys_in_numbers(ask: Asker, account: str, place: Place) -> None:
    """2.5 TLT at a limit of 40.25, canceled before any fill."""
    order_id = place(units=2.5, **LIMIT | {"price": 40.25, "time_in_force": "Day"})["brokerage_order_id"]
    answer = ask("POST", f"/accounts/{account}/orders/cancel", {"brokerage_order_id": order_id})
    record = answer.json()
    assert SEED_KEYS == list(record)
    quantities = ("total_quantity", "open_quantity", "canceled_quantity", "filled_quantity", "limit_price")
    assert [2.5, 0, 2.5, 0, 40.25] == [record[name] for name in quantities]
    assert '"canceled_quantity":2.5,' in answer.text
    assert ("CANCELED", "BUY", "Limit", "Day", None) == tuple(
        record[name] for name in ("status", "action", "order_type", "time_in_force", "execution_price")
    )


def test_newer_routes_answer_in_text(ask: Asker, account: str, place: Place) -> None:
    """The same record, with the keys that came after the seed and amounts as text."""
    record = place(units=2.5, order_type="StopLimit", time_in_force="Day", price=60.5, stop=60)
    assert {*SEED_KEYS, *NEWER_KEYS} == set(record)
    assert ["2.5", "2.5", "0", "0", "60.5", "60"] == [
        record[name]
        for name in (
            "total_quantity",
            "open_quantity",
            "canceled_quantity",
            "filled_quantity",
            "limit_price",
            "stop_price",
        )
    ]
    assert ("2026-03-11T14:00:00.000Z", "2026-03-11T20:00:00.000Z") == (record["time_placed"], record["expiry_date"])
    assert (
        record
        == ask(
            "POST", f"/accounts/{account}/orders/details", {"brokerage_order_id": record["brokerage_order_id"]}
        ).json()
    )


def test_the_security_is_told_whole(service: Service, place: Place) -> None:
    """An ETF of NYSE Arca and a stock of Nasdaq; ids are those of the assets, and stable."""
    spy = place(symbol="SPY", units=1)
    asset = service.get_asset("SPY").id
    assert spy["option_symbol"] is None
    assert {"id": asset, "symbol": "SPY", "raw_symbol": "SPY", "description": "SPDR S&P 500 ETF"}.items() <= spy[
        "universal_symbol"
    ].items()
    assert ("ARCX", "ARCX", "et") == (
        spy["universal_symbol"]["exchange"]["code"],
        spy["universal_symbol"]["exchange"]["mic_code"],
        spy["universal_symbol"]["type"]["code"],
    )
    apple = place(symbol="AAPL", units=1)["universal_symbol"]
    assert ("XNAS", "cs", "USD") == (apple["exchange"]["mic_code"], apple["type"]["code"], apple["currency"]["code"])
    assert spy["symbol"] == place(symbol="SPY", units=1)["symbol"] != spy["universal_symbol"]["id"]


def test_orders_of_the_other_doors_are_seen(
    ask: Asker, service: Service, account: str, pass_time: Callable[..., None]
) -> None:
    """Orders for an auction are MOO and MOC; one exchange and one ledger."""
    for time_in_force in ("cls", "opg"):
        body = {"symbol": "TLT", "qty": "1", "side": "buy", "type": "market", "time_in_force": time_in_force}
        service.place_order(account, CreateOrder.model_validate(body))
        # The next morning's auction takes orders from 19:00 on.
        pass_time(minutes=9 * 60)
    found = ask("GET", f"/accounts/{account}/orders").json()
    assert ["MOO", "MOC"] == [record["time_in_force"] for record in found]


def test_a_rejected_order_is_a_record(ask: Asker, service: Service, account: str, place: Place) -> None:
    """What the venue refuses is REJECTED, with all of it canceled, and stays so."""
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject"),)))
    rejected = place(units=3)
    assert ("REJECTED", "3", "3") == (
        rejected["status"],
        rejected["total_quantity"],
        rejected["canceled_quantity"],
    )
    assert [rejected] == ask("GET", f"/accounts/{account}/orders").json()


@pytest.fixture
def days(ask: Asker, account: str, place: Place, pass_time: Callable[..., None]) -> Callable[..., list[str]]:
    """Sizes of the orders that a list shows: 1 filled and 2 resting since 33 days and an hour, 3 filled and 4 canceled
    today."""
    place(units=1)
    place(units=2, **LIMIT)
    pass_time(minutes=33 * 24 * 60)
    place(units=3)
    pass_time(minutes=60)
    canceled = place(units=4, **LIMIT)["brokerage_order_id"]
    ask("POST", f"/accounts/{account}/trading/cancel", {"brokerage_order_id": canceled})

    def listed(path: str = "orders", **query: object) -> list[str]:
        answer = ask("GET", f"/accounts/{account}/{path}", **query).json()
        records = answer["orders"] if path == "recentOrders" else answer
        return [record["total_quantity"] for record in records]

    return listed


def test_lists(days: Callable[..., list[str]]) -> None:
    """Newest first; by state; 30 days of the world's clock where nothing is said, and at most 90."""
    assert ["4", "3"] == days()
    assert ["4", "3", "2", "1"] == days(days=90) == days(days=10_000)
    assert ["2"] == days(days=90, state="open")
    assert ["3", "1"] == days(days=90, state="executed")
    assert ["3"] == days("recentOrders") == days("recentOrders", only_executed="true")
    assert ["4", "3"] == days("recentOrders", only_executed="false")


def test_what_filled_in_part_before_its_end_has_executed(
    ask: Asker, service: Service, account: str, place: Place, pass_time: Callable[..., None]
) -> None:
    """PARTIAL is open, PARTIAL_CANCELED is executed."""
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="fill_part", value=Decimal("0.5")),)))
    order_id = place(units=2)["brokerage_order_id"]
    pass_time(seconds=2)
    recent = f"/accounts/{account}/recentOrders"
    assert [] == ask("GET", recent).json()["orders"]
    assert ["PARTIAL"] == [record["status"] for record in ask("GET", recent, only_executed=False).json()["orders"]]
    ask("POST", f"/accounts/{account}/trading/cancel", {"brokerage_order_id": order_id})
    [record] = ask("GET", recent).json()["orders"]
    assert ("PARTIAL_CANCELED", "50") == (record["status"], record["execution_price"])


def test_recent_orders_are_at_most_a_hundred(ask: Asker, account: str, place: Place) -> None:
    """The newest ones."""
    for size in range(1, 103):
        place(units=size, **LIMIT | {"price": 1})
    recent = ask("GET", f"/accounts/{account}/recentOrders", only_executed=False).json()["orders"]
    assert [f"{size}" for size in range(102, 2, -1)] == [record["total_quantity"] for record in recent]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"state": "closed"}, "state must be"),
        ({"state": "ALL"}, "state must be"),
        ({"days": 0}, "days must be a whole number from 1"),
        ({"days": -1}, "days must be"),
        ({"days": "1.5"}, "days must be"),
        ({"days": "many"}, "days must be"),
        ({"days": "9" * 30}, "days must be"),
    ],
)
def test_lists_that_cannot_be_meant(ask: Asker, account: str, query: dict[str, object], said: str) -> None:
    """400, naming what is allowed."""
    status, code, detail = refused(ask("GET", f"/accounts/{account}/orders", **query))
    assert (400, "1076") == (status, code)
    assert detail.startswith(said)


@pytest.mark.parametrize("path", ["orders/cancel", "trading/cancel", "orders/details"])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "brokerage_order_id is missing; it must be text."),
        ({"orderId": "x"}, "brokerage_order_id is missing; it must be text."),
        ({"brokerage_order_id": None}, "brokerage_order_id must be text; received null."),
        ({"brokerage_order_id": 7}, "brokerage_order_id must be text; received 7."),
        (["x"], "The body must be a JSON object."),
        (None, "The body must be a JSON object."),
    ],
)
def test_a_body_without_the_orders_id(ask: Asker, account: str, path: str, body: Any, said: str) -> None:
    """400, naming the field; other programs are known to send orderId."""
    assert (400, "1076", said) == refused(ask("POST", f"/accounts/{account}/{path}", body))


@pytest.mark.parametrize(
    ("path", "unknown_order"),
    [("orders/cancel", (400, "1076")), ("trading/cancel", (400, "1076")), ("orders/details", (404, "1011"))],
)
def test_orders_that_are_not_there(
    ask: Asker, account: str, place: Place, open_account: Callable[..., str], path: str, unknown_order: tuple[int, str]
) -> None:
    """An unknown order, one of another account, and an account that is not there."""
    mine = {"brokerage_order_id": place(**LIMIT)["brokerage_order_id"]}
    assert unknown_order == refused(ask("POST", f"/accounts/{account}/{path}", {"brokerage_order_id": "none"}))[:2]
    assert unknown_order == refused(ask("POST", f"/accounts/{open_account('1')}/{path}", mine))[:2]
    assert (404, "1011") == refused(ask("POST", f"/accounts/{UNKNOWN}/{path}", mine))[:2]


@pytest.mark.parametrize("path", ["orders/cancel", "trading/cancel"])
def test_a_final_order_is_not_canceled_again(
    ask: Asker, account: str, place: Place, pass_time: Callable[..., None], path: str
) -> None:
    """Canceled, filled, expired: 400, naming what became of it."""
    canceled, filled, expired = place(**LIMIT), place(units=1), place(**LIMIT | {"time_in_force": "Day"})
    where = f"/accounts/{account}/{path}"
    assert 200 == ask("POST", where, {"brokerage_order_id": canceled["brokerage_order_id"]}).status_code
    pass_time(minutes=7 * 60)
    for order, became in ((canceled, "canceled"), (filled, "filled"), (expired, "expired")):
        order_id = order["brokerage_order_id"]
        said = f"Order {order_id} is {became}; only an open order can be canceled."
        assert (400, "1076", said) == refused(ask("POST", where, {"brokerage_order_id": order_id}))


def test_replace(ask: Asker, account: str, place: Place, pass_time: Callable[..., None]) -> None:
    """Another limit and size under a new id; the first one ends as REPLACED."""
    before = place(units=10, **LIMIT)["brokerage_order_id"]
    pass_time(seconds=2)
    body = {"brokerage_order_id": before, "action": "BUY", "units": 12, **LIMIT, "price": 41.5, "symbol": "tlt"}
    made = ask("POST", f"/accounts/{account}/trading/replace", body).json()
    assert ("12", "41.5", "GTC") == (made["open_quantity"], made["limit_price"], made["time_in_force"])
    assert made["brokerage_order_id"] != before
    statuses = [record["status"] for record in ask("GET", f"/accounts/{account}/orders").json()]
    assert ["ACCEPTED", "REPLACED"] == statuses


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"brokerage_order_id": "none"}, "brokerage_order_id none is no order of account"),
        ({"action": "SELL"}, "action of the order must be one of BUY"),
        ({"order_type": "Market"}, "order_type of the order must be one of Limit"),
        ({"time_in_force": "GTD"}, "time_in_force of the order must be one of Day, GTC, FOK, IOC"),
        ({"symbol": "SPY"}, "symbol of the order must be one of TLT"),
        ({"units": 0}, "units must be more than the 0 already filled; received 0."),
        ({"units": -1}, "units must be more than the 0"),
        ({"units": "x"}, "units must be a decimal such as 12.50; received 'x'."),
        ({"price": -1}, "price must be a positive price"),
        ({"price": 40.123}, "price must be a positive price in steps of 0.01 USD; received 40.123."),
        ({"stop": 3}, "stop is not allowed for a limit order."),
        ({"units": 100_000}, "insufficient buying power"),
    ],
)
def test_replacements_that_cannot_be(
    ask: Asker,
    account: str,
    place: Place,
    pass_time: Callable[..., None],
    change: dict[str, object],
    said: str,
) -> None:
    """400 in the words of SnapTrade, and the order stays as it was."""
    before = place(units=10, **LIMIT)
    pass_time(seconds=2)
    body = {"brokerage_order_id": before["brokerage_order_id"], "action": "BUY", "units": 10, **LIMIT} | change
    status, _, detail = refused(ask("POST", f"/accounts/{account}/trading/replace", body))
    assert 400 == status
    assert detail.startswith(said)
    [after] = ask("GET", f"/accounts/{account}/orders").json()
    assert ("ACCEPTED", "10", "40") == (after["status"], after["open_quantity"], after["limit_price"])


def test_what_is_final_is_not_replaced(ask: Asker, account: str, place: Place, pass_time: Callable[..., None]) -> None:
    """Nor one that has not reached the exchange yet."""
    order_id = place(units=10)["brokerage_order_id"]
    body = order_body(account, brokerage_order_id=order_id, account_id=None, symbol=None)
    for became in ("accepted", "filled"):
        said = f"Order {order_id} is {became}; only one that rests at the exchange is replaced."
        assert (400, "1076", said) == refused(ask("POST", f"/accounts/{account}/trading/replace", body))
        pass_time(seconds=2)
