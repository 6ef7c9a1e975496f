"""Quotes, searches, previews and placing at the SnapTrade routes, and every order that they refuse.

10:00 New York on Wednesday 11 March 2026; the account has 10,000.00 USD and 40 SPY (at 100), TLT is at 50.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from backend.snaptrade.conftest import Asker, Wall, order_body
from backend.snaptrade.test_snaptrade_signing import refused

from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.wire.simulation import Delist, FaultEntry, FaultScript, FillModelSetting, SetAsset

Place = Callable[..., dict[str, Any]]
LIMIT = {"order_type": "Limit", "time_in_force": "GTC", "price": 40}
UNKNOWN = "99999999-9999-4999-8999-999999999999"


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({}, "BUY Market Day 10"),
        ({"action": "SELL", "symbol": "spy", "units": 2.5}, "SELL Market Day 2.5"),
        ({"units": "0.679"}, "BUY Market Day 0.679"),
        ({"units": None, "notional_value": "99.99"}, "BUY Market Day 1.9998"),
        ({"units": None, "notional_value": 100}, "BUY Market Day 2"),
        (LIMIT, "BUY Limit GTC 10"),
        ({"order_type": "Stop", "stop": 60}, "BUY Stop Day 10"),
        ({"order_type": "StopLimit", "stop": 60, "price": 61.5}, "BUY StopLimit Day 10"),
        ({"time_in_force": "IOC"}, "BUY Market IOC 10"),
        ({"time_in_force": "FOK"}, "BUY Market FOK 10"),
        ({"trading_session": "REGULAR"}, "BUY Market Day 10"),
    ],
)
def test_orders_of_every_kind(place: Place, terms: dict[str, object], said: str) -> None:
    """Side, type, time in force and size come back as they were asked for."""
    record = place(**terms)
    names = ("action", "order_type", "time_in_force", "total_quantity")
    assert said == " ".join(record[name] for name in names)
    assert "ACCEPTED" == record["status"]


def test_a_security_by_its_id(ask: Asker, service: Service, account: str, place: Place) -> None:
    """An asset's id is its universal symbol id."""
    asset = service.get_asset("TLT").id
    assert "TLT" == place(symbol=None, universal_symbol_id=asset)["universal_symbol"]["symbol"]
    body = order_body(account, universal_symbol_id=asset)
    said = "symbol of the order must be given, or universal_symbol_id, and not both; received 'TLT'."
    # A field named symbol, but not an unknown one.
    assert (400, said) == refused(ask("POST", "/trade/place", body))[::2]


@pytest.mark.parametrize(
    ("terms", "code", "said"),
    [
        ({"action": "buy"}, "1076", "action of the order must be one of BUY, SELL"),
        ({"action": "BUY_TO_OPEN"}, "1076", "action of the order must be one of BUY, SELL, spelled so"),
        ({"order_type": "market"}, "1076", "order_type of the order must be one of Market, Limit, Stop, StopLimit"),
        ({"time_in_force": "DAY"}, "1076", "time_in_force of the order must be one of Day, GTC, FOK, IOC"),
        ({"time_in_force": "MOO"}, "1076", "time_in_force of the order must be one of"),
        ({"time_in_force": "GTD", "expiry_date": "2026-04-01T20:00:00Z"}, "1076", "time_in_force of the order must be"),
        ({"time_in_force": "GTD"}, "1076", "expiry_date of the order must be given for GTD"),
        ({"expiry_date": "2026-04-01T20:00:00Z"}, "1076", "expiry_date of the order must be given for GTD and only"),
        ({"trading_session": "EXTENDED"}, "1076", "trading_session of the order must be one of REGULAR"),
        ({"symbol": "NOPE"}, "1063", "symbol NOPE is not an asset known here"),
        ({"symbol": None, "universal_symbol_id": UNKNOWN}, "1063", f"symbol {UNKNOWN} is not an asset known here"),
        ({"symbol": None}, "1076", "symbol of the order must be given, or universal_symbol_id"),
        ({"units": None}, "1076", "units of the order must be given, or notional_value"),
        ({"notional_value": 10}, "1076", "units of the order must be given, or notional_value, and not both"),
        ({"units": None, "notional_value": 10} | LIMIT, "1076", "notional_value of the order must be left out unless"),
        ({"units": 0}, "1076", "units of the order must be above zero; received 0."),
        ({"units": -1}, "1076", "units of the order must be above zero; received -1."),
        ({"units": None, "notional_value": -5}, "1076", "notional_value of the order must be above zero"),
        ({"units": None, "notional_value": "1.005"}, "1076", "notional_value must have at most two decimals"),
        ({"units": None, "notional_value": "0.5"}, "1076", "notional_value must be worth at least 1 USD"),
        ({"units": "1e-10"}, "1076", "units must be positive"),
        ({"units": "ten"}, "1076", "units must be a decimal such as 12.50; received 'ten'."),
        ({"units": True}, "1076", "units must be a decimal"),
        ({"order_type": "Limit"}, "1076", "price of the order must be given for Limit"),
        ({"price": 40}, "1076", "price of the order must be left out for Market"),
        ({"stop": 40}, "1076", "stop of the order must be left out for Market"),
        (LIMIT | {"price": 0}, "1076", "price of the order must be above zero"),
        (LIMIT | {"price": 40.123}, "1076", "price must be a positive price in steps of 0.01 USD"),
        ({"order_type": "Stop", "stop": 60.123}, "1076", "stop must be a positive price in steps of 0.01 USD"),
        (LIMIT | {"units": 2.5}, "1076", "time_in_force must be day for a notional or a fraction of a share"),
        ({"client_order_id": "mine"}, "1076", "client_order_id must be a UUID; received 'mine'."),
        ({"account_id": None}, "1076", "account_id is missing; it must be text."),
        ({"units": 201}, "1076", "insufficient buying power: the order needs 10050 USD and 10000 are free."),
        ({"action": "SELL", "symbol": "SPY", "units": 41}, "1076", "insufficient quantity of SPY available"),
    ],
)
def test_orders_that_are_refused(ask: Asker, account: str, terms: dict[str, object], code: str, said: str) -> None:
    """400 in one sentence that names the field as SnapTrade does; nothing is placed."""
    answer = refused(ask("POST", "/trade/place", order_body(account, **terms)))
    assert (400, code) == answer[:2]
    assert answer[2].startswith(said)
    assert [] == ask("GET", f"/accounts/{account}/orders").json()


def test_an_account_that_is_not_there(ask: Asker) -> None:
    """404 before anything else is looked at."""
    assert (404, "1011") == refused(ask("POST", "/trade/place", order_body(UNKNOWN)))[:2]


def test_a_client_order_id_is_used_once(ask: Asker, service: Service, account: str, place: Place) -> None:
    """It is the order's own at our exchange, which refuses to take it twice, however it is spelled."""
    name = f"{uuid4()}"
    order_id = place(client_order_id=name)["brokerage_order_id"]
    assert order_id == service.get_order_by_client_id(account, name).id
    again = refused(ask("POST", "/trade/place", order_body(account, client_order_id=name.upper())))
    assert (400, "1076", f"client_order_id {name} is used already; each order needs its own.") == again


def test_what_may_not_be_traded_is_rejected(service: Service, place: Place) -> None:
    """The venue's refusal is a record, not an error; a halted, a delisted and a whole-share asset."""
    service.set_asset(SetAsset(symbol="TLT", halted=True))
    assert "REJECTED" == place()["status"]
    service.delist(Delist(symbol="GLD"))
    assert "REJECTED" == place(symbol="GLD", units=1)["status"]


def test_whole_shares_only(ask: Asker, service: Service, account: str, place: Place) -> None:
    """An asset that is not fractionable, as the brokerage's instruments say."""
    service.set_asset(SetAsset(symbol="TLT", fractionable=False))
    for size in ({"units": 2.5}, {"units": None, "notional_value": 100}):
        said = "TLT is not fractionable; give a whole number of shares as units."
        assert (400, "1076", said) == refused(ask("POST", "/trade/place", order_body(account, **size)))
    instruments = {row["symbol"]: row for row in ask("GET", "/brokerages/DRIFTDESK/instruments").json()["instruments"]}
    assert {
        "symbol": "TLT",
        "exchange_mic": "XNAS",
        "tradeable": True,
        "fractionable": False,
        "universal_symbol_id": service.get_asset("TLT").id,
    } == instruments["TLT"]
    assert instruments["SPY"]["fractionable"]


def test_orders_wait_for_the_open(ask: Asker, account: str, place: Place, pass_time: Callable[..., None]) -> None:
    """A closed market is no error; only what must trade at once is refused then."""
    pass_time(to=datetime(2026, 3, 11, 20, tzinfo=NEW_YORK))
    assert "ACCEPTED" == place()["status"]
    refusal = refused(ask("POST", "/trade/place", order_body(account, time_in_force="IOC")))
    assert (400, "1076") == refusal[:2]
    pass_time(to=datetime(2026, 3, 12, 9, 31, tzinfo=NEW_YORK))
    assert ["EXECUTED"] == [order["status"] for order in ask("GET", f"/accounts/{account}/orders").json()]


@pytest.mark.parametrize(("kind", "there"), [("time_out", 1), ("lose", 0)])
def test_a_silent_exchange(ask: Asker, service: Service, account: str, kind: str, there: int) -> None:
    """503: the order is there or not, and only the list tells."""
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind=kind),)))
    assert (503, "3002") == refused(ask("POST", "/trade/place", order_body(account)))[:2]
    assert there == len(ask("GET", f"/accounts/{account}/orders").json())


# --- previews -----------------------------------------------------------------------------------------------------


@pytest.fixture
def preview(ask: Asker, service: Service, account: str) -> Callable[..., dict[str, Any]]:
    """Ask for the impact of an order as in `place`."""

    def ask_for(**terms: object) -> dict[str, Any]:
        asset = {"symbol": None, "universal_symbol_id": service.get_asset("TLT").id}
        answer = ask("POST", "/trade/impact", order_body(account, **asset | terms))
        assert 200 == answer.status_code, answer.text
        body: dict[str, Any] = answer.json()
        return body

    return ask_for


@pytest.mark.parametrize(
    ("terms", "left"),
    [
        ({}, 9_500),
        ({"units": 2.5}, 9_875),
        ({"units": None, "notional_value": 100.5}, 9_899.5),
        (LIMIT, 9_600),
        ({"order_type": "Stop", "stop": 60}, 9_400),
        ({"units": 1, "price": 0.01} | LIMIT | {"price": 49.99}, 9_950.01),
    ],
)
def test_the_impact_of_a_buy(
    ask: Asker, account: str, preview: Callable[..., dict[str, Any]], terms: dict[str, object], left: float
) -> None:
    """Cash left in USD at the dearest that it may cost, no commission, no fees; nothing is placed."""
    body = preview(**terms)
    [impact] = body["trade_impacts"]
    assert (account, left, 0, 0) == (
        impact["account"],
        impact["remaining_cash"],
        impact["estimated_commission"],
        impact["forex_fees"],
    )
    assert (left, "USD") == (
        body["combined_remaining_balance"]["cash"],
        body["combined_remaining_balance"]["currency"]["code"],
    )
    assert [] == ask("GET", f"/accounts/{account}/orders").json()


def test_the_impact_of_a_sale(preview: Callable[..., dict[str, Any]], service: Service) -> None:
    """Proceeds at the price of its side: half of 100 basis points below 100."""
    service.set_fill_model(FillModelSetting(name="spread", spread_bps=Decimal(100)))
    body = preview(action="SELL", universal_symbol_id=service.get_asset("SPY").id)
    assert [10_995] == [impact["remaining_cash"] for impact in body["trade_impacts"]]
    assert ("SELL", "SPY", 10) == (body["trade"]["action"], body["trade"]["symbol"]["symbol"], body["trade"]["units"])


@pytest.mark.parametrize("body", [None, {}, {"wait_to_confirm": False}])
def test_a_preview_is_placed_once(
    ask: Asker, account: str, preview: Callable[..., dict[str, Any]], body: dict[str, bool] | None
) -> None:
    """With and without a body."""
    trade = preview(**LIMIT)["trade"]
    placed = ask("POST", f"/trade/{trade['id']}", body).json()
    assert ("Limit", "10", "40") == (placed["order_type"], placed["total_quantity"], placed["limit_price"])
    assert (400, "1076") == refused(ask("POST", f"/trade/{trade['id']}", body))[:2]
    assert [placed] == ask("GET", f"/accounts/{account}/orders").json()


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 400)])
def test_a_preview_is_good_for_five_minutes(
    ask: Asker, wall: Wall, preview: Callable[..., dict[str, Any]], seconds: int, status: int
) -> None:
    """By the wall's clock; another preview meanwhile leaves it."""
    trade_id = preview()["trade"]["id"]
    wall.now += seconds
    preview()
    assert status == ask("POST", f"/trade/{trade_id}").status_code


@pytest.mark.parametrize(
    ("terms", "code", "said"),
    [
        ({"symbol": "TLT", "universal_symbol_id": None}, "1076", "universal_symbol_id of the order must be given"),
        ({"universal_symbol_id": UNKNOWN}, "1063", "symbol 9999"),
        ({"time_in_force": "GTD", "expiry_date": "2026-04-01T20:00:00Z"}, "1076", "time_in_force of the order must be"),
        ({"units": 201}, "1076", "insufficient buying power: the order needs 10050 USD and 10000 are free."),
        ({"action": "SELL", "units": 1}, "1076", "insufficient quantity of TLT available: the order needs 1 shares"),
        ({"units": -1}, "1076", "units of the order must be above zero"),
        (LIMIT | {"price": 40.123}, "1076", "price must be a positive price in steps"),
    ],
)
def test_previews_that_are_refused(
    ask: Asker, service: Service, account: str, terms: dict[str, object], code: str, said: str
) -> None:
    """As the order itself would be."""
    asset = {"symbol": None, "universal_symbol_id": service.get_asset("TLT").id}
    answer = refused(ask("POST", "/trade/impact", order_body(account, **asset | terms)))
    assert (400, code) == answer[:2]
    assert answer[2].startswith(said)


# --- prices and securities ----------------------------------------------------------------------------------------


def test_quotes(ask: Asker, service: Service, account: str) -> None:
    """By ticker or by id, with the prices at which either side trades; what is not known is left out."""
    service.set_fill_model(FillModelSetting(name="spread", spread_bps=Decimal(100)))
    path = f"/accounts/{account}/quotes"
    by_ticker = ask("GET", path, symbols="tlt, SPY,NOPE", use_ticker=True).json()
    assert [("SPY", 100, 99.5, 100.5), ("TLT", 50, 49.75, 50.25)] == [
        (quote["symbol"]["symbol"], quote["last_trade_price"], quote["bid_price"], quote["ask_price"])
        for quote in by_ticker
    ]
    by_id = ask("GET", path, symbols=",".join(quote["symbol"]["id"] for quote in by_ticker)).json()
    assert by_ticker == by_id
    assert [] == ask("GET", path, symbols="TLT").json()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "symbols is missing"),
        ({"symbols": ""}, "symbols must name 1 to 10 securities; received 0."),
        ({"symbols": ",".join("ABCDEFGHIJK")}, "symbols must name 1 to 10 securities; received 11."),
        ({"symbols": "TLT", "use_ticker": "perhaps"}, "use_ticker"),
    ],
)
def test_quotes_that_are_refused(ask: Asker, account: str, query: dict[str, object], said: str) -> None:
    """Without a name, with more than ten."""
    answer = refused(ask("GET", f"/accounts/{account}/quotes", **query))
    assert (400, "1076") == answer[:2]
    assert answer[2].startswith(said)


@pytest.mark.parametrize(
    ("part", "first", "most"),
    [("tlt", ["TLT"], 1), (" treasury", ["IEF"], 20), ("100%", [], 0), ("_", [], 0), ("", ["AAPL", "AGG"], 20)],
)
def test_search(ask: Asker, account: str, part: str, first: list[str], most: int) -> None:
    """Part of a ticker or a name, in either case; at most twenty, by ticker."""
    found = [symbol["symbol"] for symbol in ask("POST", f"/accounts/{account}/symbols", {"substring": part}).json()]
    assert first == found[: len(first)]
    assert sorted(found) == found
    assert len(found) <= most
