"""Accounts, balances, positions and the connection at the SnapTrade routes, shape by shape (wire/snaptrade.md 4)."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from backend.snaptrade.conftest import KEY, SECRET, Asker, order_body
from backend.snaptrade.test_snaptrade_signing import refused

from driftdesk.backend.service import Service

UNKNOWN = "99999999-9999-4999-8999-999999999999"
NOW = "2026-03-11T14:00:00.000Z"
ORDINARY = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
SWITCH = "/v1/simulation/snaptrade"


@pytest.fixture
def connection(service: Service) -> str:
    return service.snaptrade.connection_id


def test_an_account_in_both_shapes(ask: Asker, service: Service, account: str, connection: str) -> None:
    """10,000.00 USD and 40 SPY at 100 are worth 14,000; numbers are JSON numbers."""
    number = service.get_account(account).account_number
    newer = {
        "kind": "investment",
        "id": account,
        "connection_id": connection,
        "display_name": "Account 1",
        "masked_account_number": f"****{number[-4:]}",
        "institution_account_id": number,
        "raw_type": "Cash",
        "cash_or_margin": "cash",
        "sync_status": {"positions": NOW, "balances": NOW, "orders": NOW},
        "is_paper": True,
        "net_value": {"amount": 14_000, "currency": "USD"},
    }
    older = {
        "id": account,
        "brokerage_authorization": connection,
        "name": "Account 1",
        "number": number,
        "institution_account_id": number,
        "institution_name": "driftdesk simulated exchange",
        "created_date": NOW,
        "sync_status": {
            "holdings": {"initial_sync_completed": True, "last_successful_sync": NOW, "holdings_unavailable": False}
        },
        "balance": {"total": {"amount": 14_000, "currency": "USD"}},
        "status": "open",
        "raw_type": "Cash",
        "account_category": "INVESTMENT",
        "is_paper": True,
    }
    assert {"results": [newer]} == ask("GET", "/accounts/all").json()
    assert newer == ask("GET", f"/accounts/{account}/details").json()
    assert [older] == ask("GET", "/accounts").json()
    assert older == ask("GET", f"/accounts/{account}").json()


def test_balances_in_both_shapes(ask: Asker, account: str, place: Callable[..., dict[str, Any]]) -> None:
    """Cash includes what an open buy reserves, buying power does not."""
    place(units=10)
    [balance] = ask("GET", f"/accounts/{account}/balances").json()
    assert ("USD", 10_000, 9_500) == (balance["currency"]["code"], balance["cash"], balance["buying_power"])
    assert {
        "account_id": account,
        "cash_or_margin": "cash",
        "net_value": {"currency": "USD", "amount": "14000"},
        "cash": [{"currency": "USD", "amount": "10000"}],
        "buying_power": [{"currency": "USD", "amount": "9500", "basis": "cash"}],
        "margin": None,
        "data_freshness": {"as_of": NOW},
    } == ask("GET", f"/accounts/{account}/balances/v2").json()


def test_positions_in_both_shapes(ask: Asker, service: Service, open_account: Callable[..., str]) -> None:
    """Unified in text, older in numbers; cost per share."""
    account = open_account("0", SPY="2.5")
    spy = service.get_asset("SPY")
    assert {
        "results": [
            {
                "instrument": {
                    "kind": "etf",
                    "id": spy.id,
                    "symbol": "SPY",
                    "raw_symbol": "SPY",
                    "description": spy.name,
                    "currency": "USD",
                    "exchange": "ARCX",
                },
                "units": "2.5",
                "price": "100",
                "cost_basis": "100",
                "currency": "USD",
            }
        ],
        "data_freshness": {"as_of": NOW},
    } == ask("GET", f"/accounts/{account}/positions/all").json()
    [older] = ask("GET", f"/accounts/{account}/positions").json()
    assert ("SPY", 2.5, 100, 0, 100, False) == (
        older["symbol"]["symbol"]["symbol"],
        older["units"],
        older["price"],
        older["open_pnl"],
        older["average_purchase_price"],
        older["cash_equivalent"],
    )


def test_an_empty_world_and_an_empty_account(ask: Asker, open_account: Callable[..., str]) -> None:
    """Empty lists, and a connection all the same."""
    assert {"results": []} == ask("GET", "/accounts/all").json()
    assert 1 == len(ask("GET", "/authorizations").json())
    assert [] == ask("GET", f"/accounts/{open_account('1')}/positions/all").json()["results"]


@pytest.mark.parametrize(
    "path", ["", "/details", "/balances", "/balances/v2", "/positions", "/positions/all", "/orders", "/recentOrders"]
)
def test_an_account_that_is_not_there(ask: Asker, path: str) -> None:
    """404, never an empty list."""
    assert (404, "1011", f"There is no account {UNKNOWN}.") == refused(ask("GET", f"/accounts/{UNKNOWN}{path}"))


@pytest.mark.parametrize(
    ("path", "body"),
    [("symbols", {"substring": "t"}), ("trading/replace", order_body(UNKNOWN, brokerage_order_id="x"))],
)
def test_what_is_posted_to_an_account_that_is_not_there(ask: Asker, path: str, body: dict[str, object]) -> None:
    """404 too."""
    assert (404, "1011") == refused(ask("POST", f"/accounts/{UNKNOWN}/{path}", body))[:2]


def test_the_connection_and_its_brokerage(ask: Asker, account: str, connection: str) -> None:
    """One connection of type trade to one brokerage."""
    [found] = ask("GET", "/authorizations").json()
    assert found == ask("GET", f"/authorizations/{connection}").json()
    assert (connection, "trade", False, None) == tuple(
        found[name] for name in ("id", "type", "disabled", "disabled_date")
    )
    [brokerage] = ask("GET", "/brokerages").json()
    assert found["brokerage"] == brokerage
    assert ("DRIFTDESK", True, False) == tuple(
        brokerage[name] for name in ("slug", "allows_trading", "maintenance_mode")
    )
    said = f"Connection {connection} is up to date."
    assert {"detail": said} == ask("POST", f"/authorizations/{connection}/refresh").json()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/authorizations/{UNKNOWN}"),
        ("POST", f"/authorizations/{UNKNOWN}/refresh"),
        ("GET", "/brokerages/NONE/instruments"),
    ],
)
def test_connections_and_brokerages_that_are_not_there(ask: Asker, method: str, path: str) -> None:
    """404."""
    assert (404, "1011") == refused(ask(method, path))[:2]


def test_delisted_assets_are_no_instruments(ask: Asker, service: Service) -> None:
    """What cannot be traded for a day still is one, and says so."""
    before = {
        row["symbol"]: row["tradeable"] for row in ask("GET", "/brokerages/DRIFTDESK/instruments").json()["instruments"]
    }
    assert before["GLD"]
    assert set(before) == {asset.symbol for asset in service.list_assets(status="active")}


@pytest.fixture
def switch(http: httpx.Client) -> Callable[..., httpx.Response]:
    """Set the connection, with the ordinary keys."""

    def setter(**setting: object) -> httpx.Response:
        return http.patch(SWITCH, json=setting, headers=ORDINARY)

    return setter


def test_the_switch(http: httpx.Client, switch: Callable[..., httpx.Response], pass_time: Callable[..., None]) -> None:
    """Each field by itself; the moment of disabling stays until it is enabled."""
    assert {"type": "trade", "disabled": False, "disabled_at": None} == http.get(SWITCH, headers=ORDINARY).json()
    assert {"type": "trade", "disabled": True, "disabled_at": NOW} == switch(disabled=True).json()
    pass_time(minutes=1)
    assert {"type": "read", "disabled": True, "disabled_at": NOW} == switch(type="read", disabled=True).json()
    assert {"type": "read", "disabled": False, "disabled_at": None} == switch(disabled=False).json()
    assert {"type": "read", "disabled": False, "disabled_at": None} == http.get(SWITCH, headers=ORDINARY).json()


@pytest.mark.parametrize(
    ("setting", "status", "said"),
    [
        ({"type": "write"}, 422, "type must be one of trade, read; received 'write'."),
        ({"disabled": "perhaps"}, 400, "disabled must be true or false; received 'perhaps'."),
    ],
)
def test_what_the_switch_refuses(
    switch: Callable[..., httpx.Response], http: httpx.Client, setting: dict[str, object], status: int, said: str
) -> None:
    """In the shape of the ordinary doors, behind their keys."""
    answer = switch(**setting)
    assert (status, said, {"code", "message"}) == (answer.status_code, answer.json()["message"], set(answer.json()))
    assert 401 == http.patch(SWITCH, json={"disabled": True}).status_code


@pytest.mark.parametrize(
    ("setting", "expected"), [({"disabled": True}, (402, "3003")), ({"type": "read"}, (403, "1066"))]
)
def test_a_connection_that_may_not_trade(
    ask: Asker,
    account: str,
    place: Callable[..., dict[str, Any]],
    switch: Callable[..., httpx.Response],
    setting: dict[str, object],
    expected: tuple[int, str],
) -> None:
    """Place, preview, both cancels and replace are refused; reads go on."""
    order = place(order_type="Limit", price=40)
    switch(**setting)
    reference = {"brokerage_order_id": order["brokerage_order_id"]}
    by_id = {"symbol": None, "universal_symbol_id": order["universal_symbol"]["id"]}
    for path, body in (
        ("/trade/place", order_body(account)),
        ("/trade/impact", order_body(account, **by_id)),
        (f"/accounts/{account}/orders/cancel", reference),
        (f"/accounts/{account}/trading/cancel", reference),
        (f"/accounts/{account}/trading/replace", order_body(account, **reference)),
    ):
        assert expected == refused(ask("POST", path, body))[:2]
    assert [order] == ask("GET", f"/accounts/{account}/orders").json()


def test_a_disabled_connection_tells_of_the_moment_it_was_disabled(
    ask: Asker, account: str, connection: str, switch: Callable[..., httpx.Response], pass_time: Callable[..., None]
) -> None:
    """No error, but no fresh data either; it cannot be refreshed."""
    switch(disabled=True)
    pass_time(minutes=60)
    assert {"as_of": NOW} == ask("GET", f"/accounts/{account}/positions/all").json()["data_freshness"]
    assert NOW == ask("GET", f"/accounts/{account}/details").json()["sync_status"]["positions"]
    assert NOW == ask("GET", "/authorizations").json()[0]["disabled_date"]
    assert (402, "3003") == refused(ask("POST", f"/authorizations/{connection}/refresh"))[:2]
