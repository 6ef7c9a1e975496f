"""Our client over answers in the documented shapes of the real API: the seed's samples, and what newer documents add.

Each payload is what the tables of the documentation describe, in the spelling that is hardest to read: numbers for
text, text for numbers, nanoseconds, values and fields that are not known here, lists that are null.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from driftdesk.client import Client, ClientKeys
from driftdesk.errors import BackendError, Rejected
from driftdesk.translate import to_portfolio
from driftdesk.wire.base import NIL_UUID
from driftdesk.wire.runs import CreateRun

SEED = Path(__file__).parents[2] / "../shared/seeds/000_b63cadbc4e1d6a42.txt"
needs_seed = pytest.mark.skipif(not SEED.exists(), reason="the seed is not beside the checkout (../shared/seeds)")

NANOSECONDS = "2022-08-06T19:12:13.555858187-04:00"
SAME_INSTANT = datetime(2022, 8, 6, 23, 12, 13, 555858, UTC)
TIMES = {"created_at": NANOSECONDS, "updated_at": NANOSECONDS}

WEIGHTS = [{"type": "cash", "symbol": None, "percent": 5}, {"type": "asset", "symbol": "SPY", "percent": 95.0}]
PORTFOLIO = {
    "id": "6819ecd2-db92-4688-821d-8fac2a8f4744",
    "name": 60,
    "description": None,
    "status": "archived",
    "cooldown_days": 7,
    "weights": WEIGHTS,
    "rebalancing_conditions": [
        {"type": "on_portfolio_update"},
        {"type": "drift_band", "sub_type": "absolute", "percent": 5.5, "day": None, "scope": "all"},
        {"type": "calendar", "sub_type": "monthly", "percent": None, "day": 15},
    ],
    "owner": {"id": 1},
    **TIMES,
}
ORDER = {
    "id": "c29dd94b-eaaf-4681-9d1f-4fd47571804b",
    "client_order_id": "cb2d1ff5-8355-4c92-84d7-dfff43f44cb2",
    "created_at": NANOSECONDS,
    "updated_at": None,
    "submitted_at": NANOSECONDS,
    "symbol": "SPY",
    "asset_class": "",
    "notional": 30443.177578017,
    "qty": None,
    "filled_qty": 72.865432211,
    "filled_avg_price": 417.8,
    "order_class": "",
    "order_type": "",
    "type": "market",
    "side": "sell_short",
    "time_in_force": "day",
    "status": "pending_magic",
    "extended_hours": False,
    "legs": None,
    "commission_type": "bps",
    "expires_at": None,
    "usd": {"notional": "1"},
}
RUN = {
    "id": "36699e7f-56a0-4b87-8e03-968363f4b6df",
    "type": "partial_liquidation",
    "amount": 1234.5,
    "initiated_by": "dashboard",
    "status": "SELLS_IN_PROGRESS",
    "reason": None,
    "account_id": "b3130eeb-1219-46f3-8bfb-7715f00d736b",
    "portfolio_id": None,
    "weights": None,
    "orders": [ORDER],
    "failed_orders": None,
    "skipped_orders": [
        {
            "symbol": "AAPL",
            "side": "sell_short",
            "notional": 0.1,
            "currency": None,
            "reason": "SOMETHING_NEW",
            "reason_details": "text",
        }
    ],
    "completed_at": None,
    **TIMES,
}
SUBSCRIPTION = {"id": "s", "account_id": "a", "portfolio_id": "p", "created_at": NANOSECONDS, "trade_marker": "robotic"}
ACCOUNT = {
    "id": "a",
    "account_number": 927721227,
    "status": "BRAND_NEW_STATUS",
    "crypto_status": "INACTIVE",
    "currency": "USD",
    "last_equity": 1500.25,
    "created_at": NANOSECONDS,
    "enabled_assets": ["us_equity"],
}
TRADING = {
    "id": "a",
    "account_number": "927721227",
    "status": "ACTIVE",
    "cash": 100.5,
    "equity": "1600.75",
    "last_equity": 1500.25,
    "buying_power": "201",
    "long_market_value": "1500.25",
    "clearing_broker": "Velox",
    "previous_close": "2022-08-05T16:00:00-04:00",
    "last_long_market_value": "0",
    "accrued_fees": "0",
}
POSITION = {
    "asset_id": "b28f4066-5c6d-479b-a2af-85dc1a8f16fb",
    "symbol": "SPY",
    "exchange": "ARCA",
    "asset_class": "us_equity",
    "avg_entry_price": 400,
    "qty": 5.123456789,
    "qty_available": "4",
    "side": "long",
    "cost_basis": "2049.38",
    "swap_rate": "1",
}
CLOCK = {
    "timestamp": "2022-08-08T10:00:00.123456789-04:00",
    "is_open": True,
    "next_open": "2022-08-09T09:30:00-04:00",
    "next_close": "2022-08-08T16:00:00-04:00",
}
ASSET = {
    "id": "b28f4066-5c6d-479b-a2af-85dc1a8f16fb",
    "class": "us_equity",
    "exchange": "NEW_EXCHANGE",
    "symbol": "SPY",
    "status": "active",
    "tradable": True,
    "marginable": True,
    "shortable": True,
    "borrow_status": "easy_to_borrow",
    "fractionable": True,
    "margin_requirement_long": "30",
    "attributes": ["has_options"],
}
TRADES = {"trades": {"SPY": {"t": NANOSECONDS, "p": 417.8, "s": 100, "x": "V", "i": 1, "c": ["@"], "z": "B"}}}


def answering(*answers: Any, status: int = 200) -> Client:
    """A client whose backend gives these answers in turn; text and bytes as they are, the rest as JSON."""
    given = list(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        body = given.pop(0)
        return httpx.Response(status, content=body if isinstance(body, (str, bytes)) else json.dumps(body))

    return Client("https://broker.test", ClientKeys("k", "s"), httpx.MockTransport(answer))


def samples(section: str) -> list[Any]:
    """The JSON documents of one section of the seed; it has commas before brackets, and dots for further items."""
    text = SEED.read_text("utf-8").partition(f"\n{section} #\n")[2]
    text = re.split(r"^(?:Create|List All|Get|Update|Inactivate|Unsubscribe|Cancel) .* #$", text, flags=re.MULTILINE)[0]
    text = re.sub(r",(?=\s*[}\]])", "", text.replace("\n...\n", "\n"))
    found, at = [], 0
    while (start := re.compile(r"^[{\[]$", re.MULTILINE).search(text, at)) is not None:
        value, length = json.JSONDecoder().raw_decode(text[start.start() :])
        found.append(value)
        at = start.start() + length
    return found


@needs_seed
def test_the_seeds_runs_are_read() -> None:
    """Two orders with nine decimals, one failed, one skipped by a number, and a whole number as the next token."""
    [page] = samples("List All Runs")
    [run] = answering(page, {"runs": [], "next_page_token": None}).runs.list()
    assert [Decimal("30443.177578017"), Decimal("17121.076868834")] == [order.notional for order in run.orders]
    assert (["rejected"], [Decimal("0.1")]) == (
        [str(order.status) for order in run.failed_orders],
        [skip.notional for skip in run.skipped_orders],
    )
    assert ("system", "system", None) == (run.initiated_from, run.initiated_by, run.completed_at)
    [single] = samples("Get Run by ID")
    assert {order.id for order in run.orders} == {order.id for order in answering(single).runs.get("x").orders}


@needs_seed
def test_the_seeds_portfolios_are_read_and_understood() -> None:
    """Three portfolios with two bands each, which the engine takes as they are; and the one that was created."""
    [listed] = samples("List All Portfolios")
    models = [to_portfolio(portfolio) for portfolio in answering(listed).portfolios.list()]
    assert [("My Portfolio", 2), ("Balanced", 2), ("Balanced Two", 2)] == [
        (model.name, len(model.conditions)) for model in models
    ]
    created = samples("Create Portfolio")[1]
    assert SAME_INSTANT == answering(created).portfolios.get("x").created_at


@needs_seed
def test_the_seeds_subscriptions_are_read() -> None:
    """An envelope, and an answer to a creation with nanoseconds and without `updated_at`."""
    [page] = samples("List All Subscriptions")
    [subscription] = answering(page).subscriptions.list()
    assert (None, None, None) == (
        subscription.last_rebalanced_at,
        subscription.updated_at,
        subscription.trade_marker,
    )
    created = samples("Create Subscription")[1]
    assert "57d4ec79-9658-4916-9eb1-7c672be97e3e" == answering(created).subscriptions.create("a", "p").portfolio_id


@needs_seed
def test_the_seeds_echo_of_a_created_run_is_told_as_taken() -> None:
    """It has no id, so it is no run; the run was created all the same, and the sentence says so."""
    echo = samples("Create run (Manual rebalancing event)")[1]
    with pytest.raises(BackendError, match=r"its field id is not as documented.*The backend took the request"):
        answering(echo).runs.create(CreateRun(account_id="a", type="full_rebalance"))


def test_a_run_of_the_newer_documents_is_read() -> None:
    """dashboard, partial_liquidation, sell_short, an internal status, null for lists and for the portfolio."""
    [run] = answering({"runs": [RUN], "next_page_token": ""}).runs.list()
    assert ("partial_liquidation", "dashboard", "dashboard", "SELLS_IN_PROGRESS", NIL_UUID) == (
        run.type,
        run.initiated_from,
        run.initiated_by,
        run.status,
        run.portfolio_id,
    )
    assert (Decimal("1234.5"), (), (), SAME_INSTANT) == (run.amount, run.weights, run.failed_orders, run.created_at)
    [order], [skip] = run.orders, run.skipped_orders
    assert ("sell_short", "pending_magic", Decimal("30443.177578017"), Decimal("72.865432211")) == (
        order.side,
        order.status,
        order.notional,
        order.filled_qty,
    )
    assert ("sell_short", Decimal("0.1"), "SOMETHING_NEW") == (skip.side, skip.notional, skip.reason)


def test_a_portfolio_of_the_newer_documents_is_read() -> None:
    """The other name of the conditions, `on_portfolio_update`, numbers for text, an unknown status."""
    [portfolio] = answering([PORTFOLIO]).portfolios.list()
    assert ("60", "", "archived", Decimal(95)) == (
        portfolio.name,
        portfolio.description,
        portfolio.status,
        portfolio.weights[1].percent,
    )
    assert ["on_portfolio_update", "drift_band", "calendar"] == [
        condition.type for condition in portfolio.rebalance_conditions
    ]
    # What the engine makes of it: the band and the calendar day; changed weights trigger by themselves.
    assert 2 == len(to_portfolio(portfolio).conditions)


@pytest.mark.parametrize("token", [100, "MTAwMA==", 0])
def test_pages_are_followed_by_any_token(token: int | str) -> None:
    """Whole numbers and text, zero included."""
    pages = [{"subscriptions": [SUBSCRIPTION], "next_page_token": after} for after in (token, None)]
    found = answering(*pages).subscriptions.list()
    assert ["robotic", "robotic"] == [subscription.trade_marker for subscription in found]


def test_an_account_with_money_and_positions_is_read() -> None:
    """Numbers for text and text for numbers; every decimal with all its digits."""
    client = answering([ACCOUNT], TRADING, [POSITION], CLOCK, ASSET, TRADES)
    [account] = client.accounts.list()
    assert ("927721227", "BRAND_NEW_STATUS", Decimal("1500.25")) == (
        account.account_number,
        account.status,
        account.last_equity,
    )
    assert Decimal("100.5") == client.accounts.trading("a").cash
    [position] = client.accounts.positions("a")
    assert (Decimal("5.123456789"), Decimal(4)) == (position.qty, position.qty_available)
    assert datetime(2022, 8, 8, 14, 0, 0, 123456, UTC) == client.market.clock().timestamp
    assert ("us_equity", False) == ((asset := client.market.asset("SPY")).asset_class, asset.easy_to_borrow)
    assert (Decimal("417.8"), SAME_INSTANT) == ((trade := client.market.latest_trades(["SPY"])["SPY"]).p, trade.t)


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("account not funded", {"error": "unprocessable", "message": "account not funded"}),
        ("boom", {"error": "boom"}),
        ("unauthorized", {"message": "unauthorized"}),
        ("gave no reason", "<html><body><h1>502 Bad Gateway</h1></body></html>"),
        ("gave no reason", ""),
        ("insufficient", {"code": "40310000", "message": "insufficient buying power", "buying_power": "0"}),
    ],
)
def test_every_documented_body_of_an_error_becomes_a_sentence(message: str, body: Any) -> None:
    """With and without a code, without JSON, and without anything (wire/alpaca.md 8.1)."""
    with pytest.raises(Rejected, match=message):
        answering(body, status=422).accounts.list()


READS: dict[str, Callable[[Client], object]] = {
    "accounts": lambda client: client.accounts.list(),
    "account": lambda client: client.accounts.get("a"),
    "trading": lambda client: client.accounts.trading("a"),
    "positions": lambda client: client.accounts.positions("a"),
    "orders": lambda client: client.orders.list("a"),
    "portfolios": lambda client: client.portfolios.list(),
    "subscriptions": lambda client: client.subscriptions.list(),
    "runs": lambda client: client.runs.list(),
    "run": lambda client: client.runs.get("r"),
    "clock": lambda client: client.market.clock(),
    "asset": lambda client: client.market.asset("SPY"),
    "trades": lambda client: client.market.latest_trades(["SPY"]),
}


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", "[null]", '{"runs": 5}', "<html>", "1e999", '"text"', "\x00"])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_success_with_the_wrong_body_never_trips(read: Callable[[Client], object], body: str) -> None:
    """A value, or one sentence of a BackendError; never an exception of a parser."""
    try:
        found = read(answering(body))
    except BackendError as refusal:
        found = str(refusal)
        assert "cannot be used" in found
    # An empty list is a value; nothing at all is not.
    assert found is not None
