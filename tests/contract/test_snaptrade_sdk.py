"""The official SDK of SnapTrade, unmodified, over a real socket: three of its versions, under both bases.

11.0.81 has the seed's `cancel_user_account_order`, 12.1.0 has both cancels, 13.0.49 only `cancel_order`
(wire/snaptrade.md 0, 10). The two older ones are installed beside, for this test alone, on the newest one's
dependencies; each runs in a process of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from snaptrade_client import ApiException, SnapTrade, SnapTradeAuth
from snaptrade_client.model.account import Account
from snaptrade_client.model.account_balances_v2_response import AccountBalancesV2Response
from snaptrade_client.model.account_order_record import AccountOrderRecord
from snaptrade_client.model.all_account_positions_response import AllAccountPositionsResponse
from snaptrade_client.model.all_user_accounts_response import AllUserAccountsResponse
from snaptrade_client.model.brokerage_authorization import BrokerageAuthorization
from snaptrade_client.model.brokerage_instruments_response import BrokerageInstrumentsResponse
from snaptrade_client.model.manual_trade_and_impact import ManualTradeAndImpact
from snaptrade_client.model.recent_orders_response import RecentOrdersResponse
from snaptrade_client.model.symbols_quotes import SymbolsQuotes
from snaptrade_client.model.universal_symbol import UniversalSymbol

from driftdesk.backend.service import Service
from driftdesk.wire.simulation import Advance, CreateAccount, NewPosition, SetPrices
from driftdesk.wire.snaptrade.orders import OrderRecord
from driftdesk.wire.snaptrade.served import UserAndSecret
from driftdesk.wire.snaptrade.trading import NewOrder

KEYS = ("key", "secret")
CURRENT = "13.0.49"
# Which cancels a version has.
OLDER = {"11.0.81": {"orders/cancel"}, "12.1.0": {"orders/cancel", "trading/cancel"}}
PROGRAM = Path(__file__).with_name("snaptrade_sdk_program.py")
# The seed's record has these keys and no others.
SEED_KEYS = set(OrderRecord.model_fields) - {
    "quote_universal_symbol",
    "quote_currency",
    "child_brokerage_order_ids",
    "trailing_stop",
    "brokerage_group_order_id",
    "order_role",
}


@pytest.fixture(scope="session")
def older_sdk(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of an older SDK, installed at first use; the test is skipped where that is not possible."""
    made: dict[str, Path] = {}
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--retries", "1", "--timeout", "10"]

    def install(version: str) -> Path:
        if version not in made:
            target = tmp_path_factory.mktemp("snaptrade") / version
            command = [*pip, "--target", f"{target}", f"snaptrade-python-sdk=={version}"]
            try:
                subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
            except subprocess.SubprocessError as problem:
                said = getattr(problem, "stderr", None) or f"{problem}"
                pytest.skip(f"snaptrade-python-sdk {version} cannot be installed here: {said.strip()[-200:]}")
            made[version] = target
        return made[version]

    return install


@pytest.fixture
def account(service: Service) -> str:
    """10,000.00 USD and 40 SPY at 100; TLT is at 50."""
    service.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50)}))
    holding = NewPosition(symbol="SPY", qty=Decimal(40))
    return service.simulate_account(CreateAccount(cash=Decimal(10_000), positions=(holding,))).id


@pytest.fixture
def user(service: Service) -> UserAndSecret:
    return service.snaptrade.register_user("alice")


@pytest.fixture
def order_ids(service: Service, account: str) -> list[str]:
    """Two orders that rest: to buy 10 TLT, limit 40."""
    words = {"action": "BUY", "order_type": "Limit", "time_in_force": "GTC", "symbol": "TLT", "units": 10, "price": 40}
    order = NewOrder.model_validate({"account_id": account, **words})
    return [service.snaptrade.place(order).brokerage_order_id or "" for _ in range(2)]


@pytest.fixture
def run_program(address: str, account: str, user: UserAndSecret, order_ids: list[str]) -> Callable[..., dict[str, Any]]:
    """Run the program in a process with `sdk` first on its path (None: the installed one), under `base`."""

    def run(sdk: Path | None, base: str) -> dict[str, Any]:
        asked = {
            "host": address + base,
            "client_id": KEYS[0],
            "consumer_key": KEYS[1],
            "user_id": user.userId,
            "user_secret": user.userSecret,
            "account_id": account,
            "order_ids": order_ids,
        }
        paths = {} if sdk is None else {"PYTHONPATH": f"{sdk}"}
        done = subprocess.run(
            [sys.executable, f"{PROGRAM}"],
            input=json.dumps(asked),
            env={**os.environ, **paths},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return run


@pytest.mark.parametrize("base", ["", "/api/v1"])
@pytest.mark.parametrize("version", [*OLDER, CURRENT])
def test_every_version_lists_cancels_and_is_refused(
    version: str,
    base: str,
    older_sdk: Callable[[str], Path],
    run_program: Callable[..., dict[str, Any]],
    account: str,
    order_ids: list[str],
) -> None:
    """wire/snaptrade.md 10: list, cancel (200), again (400), unknown (400), bad key and bad secrets (401)."""
    told = run_program(None if version == CURRENT else older_sdk(version), base)

    assert [200, True] == [told["status"][0], told["status"][1]["online"]]
    assert [account] == [found["id"] for found in told["accounts"][1]]
    assert {("ACCEPTED", 200)} == {(order["status"], told["list"][0]) for order in told["list"][1]}
    assert set(order_ids) == {order["brokerage_order_id"] for order in told["list"][1]}
    if "detail" in told:
        assert [200, order_ids[0]] == [told["detail"][0], told["detail"][1]["brokerage_order_id"]]

    cancels = OLDER.get(version, {"trading/cancel"})
    assert cancels == set(told) & {"orders/cancel", "trading/cancel"}
    for route, order_id in zip(("orders/cancel", "trading/cancel"), order_ids, strict=True):
        if route in cancels:
            assert_canceled(route, told[route], order_id)
    left = {} if len(cancels) == 2 else dict(zip(("trading/cancel", "orders/cancel"), order_ids, strict=True))
    assert {left[route] for route in cancels if left} == {
        order["brokerage_order_id"] for order in told["open at last"][1]
    }

    for wrong, code in (("bad key", "1076"), ("bad consumer key", "1076"), ("bad secret", "1083")):
        assert [401, 401, code] == [told[wrong][0], told[wrong][1]["status_code"], told[wrong][1]["code"]]


def assert_canceled(route: str, told: dict[str, Any], order_id: str) -> None:
    """The first cancel's answer in the form of its route, and two refusals."""
    status, body = told["first"]
    assert (200, order_id) == (status, body["brokerage_order_id"])
    if route == "orders/cancel":
        assert SEED_KEYS == set(body)
        assert ("CANCELED", 10, 0, 10, 0, 40) == tuple(
            body[name]
            for name in (
                "status",
                "total_quantity",
                "filled_quantity",
                "canceled_quantity",
                "open_quantity",
                "limit_price",
            )
        )
    else:
        assert {"brokerage_order_id": order_id, "raw_response": None} == body
    for name in ("again", "unknown"):
        status, body = told[name]
        assert (400, 400, "1076") == (status, body["status_code"], body["code"])


@pytest.fixture
def sdk(address: str) -> SnapTrade:
    """The installed SDK with a commercial key."""
    return SnapTrade(auth=SnapTradeAuth.commercial_api_key(client_id=KEYS[0], consumer_key=KEYS[1]), host=address)


@pytest.fixture
def who(user: UserAndSecret) -> dict[str, str]:
    return {"user_id": user.userId, "user_secret": user.userSecret}


def test_what_is_held(sdk: SnapTrade, who: dict[str, str], account: str) -> None:
    """Connection, accounts, details, balances in numbers, positions in text."""
    [connection] = sdk.connections.list_brokerage_authorizations(**who).body
    assert ("DRIFTDESK", "trade", False) == (
        connection["brokerage"]["slug"],
        connection["type"],
        connection["disabled"],
    )
    [found] = sdk.account_information.list_all_user_accounts(**who).body["results"]
    assert ("investment", account, connection["id"]) == (found["kind"], found["id"], found["connection_id"])
    assert found == sdk.account_information.get_account_details(account_id=account, **who).body
    [balance] = sdk.account_information.get_user_account_balance(account_id=account, **who).body
    assert ("USD", 10_000, 10_000) == (balance["currency"]["code"], balance["cash"], balance["buying_power"])
    [position] = sdk.account_information.get_all_account_positions(account_id=account, **who).body["results"]
    assert ("SPY", "40", "100", "100") == (
        position["instrument"]["symbol"],
        position["units"],
        position["price"],
        position["cost_basis"],
    )
    v2 = sdk.account_information.get_account_balances_v2(account_id=account, **who).body
    assert {"currency": "USD", "amount": "14000"} == v2["net_value"]


def test_an_order_from_its_preview_to_its_cancel(
    sdk: SnapTrade, service: Service, who: dict[str, str], account: str
) -> None:
    """Quote, impact in floats, place the trade, place by ticker and by notional, see them, replace, cancel."""
    [quoted] = sdk.trading.get_user_account_quotes(symbols="TLT", account_id=account, use_ticker=True, **who).body
    assert (50, "TLT", "XNAS") == (
        quoted["last_trade_price"],
        quoted["symbol"]["symbol"],
        quoted["symbol"]["exchange"]["mic_code"],
    )
    limit = {"order_type": "Limit", "time_in_force": "GTC", "price": 40.0}
    trade = sdk.trading.get_order_impact(
        account_id=account, action="BUY", universal_symbol_id=quoted["symbol"]["id"], units=3.0, **limit, **who
    ).body
    assert [9880] == [impact["remaining_cash"] for impact in trade["trade_impacts"]]
    checked = sdk.trading.place_order(trade_id=trade["trade"]["id"], **who).body
    by_units = place(sdk, who, account, units=2.0, **limit)
    # An order can be replaced once it rests at the exchange.
    service.advance(Advance(seconds=2))
    by_notional = place(sdk, who, account, notional_value="123.45")
    assert ["3", "2", "2.469"] == [order["total_quantity"] for order in (checked, by_units, by_notional)]

    replaced = sdk.trading.replace_order(
        account_id=account, brokerage_order_id=by_units["brokerage_order_id"], action="BUY", units=5.0, **limit, **who
    ).body
    recent = sdk.account_information.get_user_account_recent_orders(account_id=account, only_executed=False, **who)
    assert ["ACCEPTED", "ACCEPTED", "REPLACED", "ACCEPTED"] == [order["status"] for order in recent.body["orders"]]
    assert replaced == recent.body["orders"][0]
    for order in (checked, replaced):
        sdk.trading.cancel_order(account_id=account, brokerage_order_id=order["brokerage_order_id"], **who)
    still_open = sdk.account_information.get_user_account_orders(account_id=account, state="open", **who).body
    assert [by_notional["brokerage_order_id"]] == [order["brokerage_order_id"] for order in still_open]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"units": -1.0}, "units"),
        ({"units": 0.0}, "units"),
        ({"units": 1.0, "notional_value": 10.0}, "units"),
        ({}, "units"),
        ({"units": 1.0, "time_in_force": "GTD"}, "expiry_date"),
        ({"units": 1.0, "order_type": "Limit"}, "price"),
    ],
)
def test_what_the_sdk_lets_through_is_refused(
    sdk: SnapTrade, who: dict[str, str], account: str, terms: dict[str, Any], field: str
) -> None:
    """It checks neither signs nor what excludes what (wire/snaptrade.md 5)."""
    with pytest.raises(ApiException) as refused:
        place(sdk, who, account, **terms)
    assert (400, 400, "1076") == (refused.value.status, refused.value.body["status_code"], refused.value.body["code"])
    assert refused.value.body["detail"].startswith(f"{field} of the order must be ")


def test_a_personal_key_sends_no_user(address: str, account: str) -> None:
    """It acts for the owner of the world."""
    auth = SnapTradeAuth.personal_api_key(client_id=KEYS[0], consumer_key=KEYS[1])
    sdk = SnapTrade(auth=auth, host=address)
    assert [account] == [found["id"] for found in sdk.account_information.list_all_user_accounts().body["results"]]
    assert 200 == sdk.account_information.get_user_account_orders(account_id=account).status


def test_users(sdk: SnapTrade) -> None:
    """Register, list, a new secret, delete."""
    users = sdk.authentication
    ada = users.register_snap_trade_user(user_id="ada").body
    assert ["ada", "alice"] == sorted([*users.list_snap_trade_users().body, "alice"])
    newer = users.reset_snap_trade_user_secret(user_id="ada", user_secret=ada["userSecret"]).body
    assert "ada" == newer["userId"]
    assert newer["userSecret"] != ada["userSecret"]
    assert "deleted" == users.delete_snap_trade_user(user_id="ada").body["status"]


def test_what_is_answered_is_valid_by_the_sdks_own_models(
    sdk: SnapTrade, service: Service, who: dict[str, str], account: str
) -> None:
    """Which it does not check by itself: orders in every state, accounts, positions, quotes, a preview."""
    accounts = sdk.account_information
    filled = place(sdk, who, account, units=2.5)
    service.advance(Advance(seconds=5))
    place(sdk, who, account, notional_value=100.0)
    sdk.trading.cancel_order(
        account_id=account, brokerage_order_id=place(sdk, who, account, units=1.0)["brokerage_order_id"], **who
    )
    quotes = sdk.trading.get_user_account_quotes(symbols="TLT,SPY", account_id=account, use_ticker=True, **who).body
    impact = sdk.trading.get_order_impact(
        account_id=account,
        action="SELL",
        universal_symbol_id=quotes[0]["symbol"]["id"],
        order_type="Market",
        time_in_force="Day",
        units=1.0,
        **who,
    )
    answers: list[tuple[Any, Any]] = [
        (AccountOrderRecord, record) for record in accounts.get_user_account_orders(account_id=account, **who).body
    ]
    assert 3 == len(answers)
    assert (
        "EXECUTED"
        == accounts.get_user_account_order_detail(
            account_id=account, brokerage_order_id=filled["brokerage_order_id"], **who
        ).body["status"]
    )
    answers += [
        (AllUserAccountsResponse, accounts.list_all_user_accounts(**who).body),
        (Account, accounts.get_user_account_details(account_id=account, **who).body),
        (AllAccountPositionsResponse, accounts.get_all_account_positions(account_id=account, **who).body),
        (AccountBalancesV2Response, accounts.get_account_balances_v2(account_id=account, **who).body),
        (RecentOrdersResponse, accounts.get_user_account_recent_orders(account_id=account, **who).body),
        (BrokerageAuthorization, sdk.connections.list_brokerage_authorizations(**who).body[0]),
        (SymbolsQuotes, quotes),
        (ManualTradeAndImpact, impact.body),
        (BrokerageInstrumentsResponse, sdk.reference_data.list_all_brokerage_instruments(slug="DRIFTDESK").body),
        (
            UniversalSymbol,
            sdk.reference_data.symbol_search_user_account(account_id=account, substring="tlt", **who).body[0],
        ),
    ]
    for model, body in answers:
        # Its models take a whole number only with a point behind it.
        model.from_openapi_data_oapg(json.loads(json.dumps(body), parse_int=float))


def place(sdk: SnapTrade, who: dict[str, str], account: str, **terms: Any) -> dict[str, Any]:
    """A market day order for TLT, but for `terms`; its record."""
    words = {"action": "BUY", "order_type": "Market", "time_in_force": "Day", "symbol": "TLT"} | terms
    record: dict[str, Any] = sdk.trading.place_force_order(account_id=account, **words, **who).body
    return record
