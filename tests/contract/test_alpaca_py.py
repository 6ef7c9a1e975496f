"""The official SDK (alpaca-py) against this backend, over a real socket: all 13 rebalancing methods.

What the SDK needs of an answer stands in wire/alpaca.md 0 and 4; what it cannot send, in 5.6. Accounts, positions,
assets, clock and market data are in test_alpaca_py_surroundings.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.enums import PortfolioStatus, RunInitiatedFrom, RunStatus, RunType, WeightType
from alpaca.broker.models import Order, Portfolio, RebalancingRun, Subscription
from alpaca.broker.requests import (
    CreatePortfolioRequest,
    CreateRunRequest,
    CreateSubscriptionRequest,
    GetPortfoliosRequest,
    GetRunsRequest,
    GetSubscriptionsRequest,
    RebalancingConditions,
    UpdatePortfolioRequest,
    Weight,
)
from alpaca.common.enums import PaginationType
from alpaca.common.exceptions import APIError
from pydantic import BaseModel

from driftdesk.backend.service import Service
from driftdesk.client import Client, ClientKeys
from driftdesk.client.resources.simulation import Simulation
from driftdesk.wire.simulation import SetPrices

KEYS = ("key", "secret")
UNKNOWN = "99999999-9999-4999-8999-999999999999"
NIL = UUID(int=0)
PRICES = {"SPY": Decimal(100), "TLT": Decimal(50), "GLD": Decimal(200)}
# Monday 3 March 2025 closes at 16:00 in New York; the world starts at 10:00.
CLOSE = datetime(2025, 3, 3, 21, tzinfo=UTC)
WEDNESDAY_10AM = datetime(2025, 3, 5, 15, tzinfo=UTC)


@contextmanager
def broker_client(url: str, keys: tuple[str, str] = KEYS, **more: Any) -> Iterator[BrokerClient]:
    """The SDK's client of `url`; its one session is closed in the end, for which it has no method of its own."""
    client = BrokerClient(*keys, url_override=url, **more)
    try:
        yield client
    finally:
        client._session.close()


@pytest.fixture
def sdk(address: str) -> Iterator[BrokerClient]:
    with broker_client(address) as client:
        yield client


@pytest.fixture
def raw(address: str) -> Iterator[BrokerClient]:
    """The SDK without its models: dictionaries as they came."""
    with broker_client(address, raw_data=True) as client:
        yield client


@pytest.fixture
def simulation(address: str, service: Service) -> Iterator[Simulation]:
    """What the SDK does not have: accounts, prices, the clock. SPY stands at 100, TLT at 50, GLD at 200."""
    service.set_prices(SetPrices(prices=PRICES))
    with Client(address, ClientKeys(*KEYS)) as client:
        yield client.simulation


def weights(text: str) -> list[Weight]:
    """``cash 5 | SPY 60 | TLT 35``: weights in percent, floats in the SDK."""
    pairs = [part.split() for part in text.split("|")]
    return [
        Weight(type=WeightType.CASH, percent=float(percent))
        if name == "cash"
        else Weight(type=WeightType.ASSET, symbol=name, percent=float(percent))
        for name, percent in pairs
    ]


def conditions() -> list[RebalancingConditions]:
    """A band of 5 points, a band of a fifth of the target, and every Wednesday."""
    return [
        RebalancingConditions(type="drift_band", sub_type="absolute", percent=5),
        RebalancingConditions(type="drift_band", sub_type="relative", percent=20),
        RebalancingConditions(type="calendar", sub_type="weekly", day="Wednesday"),
    ]


def portfolio(sdk: BrokerClient, text: str = "cash 5 | SPY 60 | TLT 35", **changes: Any) -> Portfolio:
    request = {"name": "Balanced", "description": "", "weights": weights(text), "cooldown_days": 7, **changes}
    return sdk.create_portfolio(CreatePortfolioRequest(**request))


def subscribe(sdk: BrokerClient, account_id: str, followed: Portfolio) -> Subscription:
    return sdk.create_subscription(CreateSubscriptionRequest(account_id=account_id, portfolio_id=followed.id))


def run(sdk: BrokerClient, account_id: str, text: str = "SPY 60 | TLT 40", kind: str = "full_rebalance") -> Any:
    """A one-off run, or with the text "" one of the account's own portfolio."""
    wanted = weights(text) if text else []
    return sdk.create_manual_run(CreateRunRequest(account_id=account_id, type=kind, weights=wanted))


def account(simulation: Simulation, cash: str = "10000", **positions: str) -> str:
    quantities = {symbol: Decimal(quantity) for symbol, quantity in positions.items()}
    return simulation.create_account("Alder", cash=Decimal(cash), positions=quantities).id


# --- portfolios ---------------------------------------------------------------------------------------------------


def test_a_portfolio_is_created_and_read(sdk: BrokerClient) -> None:
    """The SDK sends floats, no symbol for cash, no null keys; all comes back (wire/alpaca.md 5.1)."""
    made = portfolio(sdk, "cash 33.33 | SPY 33.33 | TLT 33.34", description="calm", rebalance_conditions=conditions())
    assert made == sdk.get_portfolio_by_id(made.id)
    assert ("Balanced", "calm", PortfolioStatus.ACTIVE, 7) == (
        made.name,
        made.description,
        made.status,
        made.cooldown_days,
    )
    assert weights("cash 33.33 | SPY 33.33 | TLT 33.34") == made.weights
    assert conditions() == made.rebalance_conditions


def test_an_empty_description_is_never_sent_and_stays_empty(sdk: BrokerClient) -> None:
    """The SDK drops empty text from requests and refuses null in answers (wire/alpaca.md 0.11)."""
    assert portfolio(sdk, cooldown_days=0, rebalance_conditions=[]).description == ""


def test_portfolios_are_listed_by_every_filter(sdk: BrokerClient) -> None:
    """A bare array; filters are ANDed; inactive ones on request only (wire/alpaca.md 5.2)."""
    first, second = portfolio(sdk, name="Growth"), portfolio(sdk, "GLD 100", name="Gold", description="shiny")
    sdk.inactivate_portfolio_by_id(second.id)

    def found(**filters: Any) -> list[UUID]:
        return [one.id for one in sdk.get_all_portfolios(GetPortfoliosRequest(**filters))]

    assert [first.id] == [one.id for one in sdk.get_all_portfolios()]
    assert [first.id] == found(name="growth", symbol="SPY", portfolio_id=first.id, status=PortfolioStatus.ACTIVE)
    assert [second.id] == found(description="shiny", status=PortfolioStatus.INACTIVE)
    assert [] == found(name="growth", symbol="GLD")
    assert [] == found(status=PortfolioStatus.NEEDS_ADJUSTMENT)


def test_a_portfolio_is_updated_in_parts(sdk: BrokerClient) -> None:
    """Each subset of the fields that the SDK can send (wire/alpaca.md 5.3)."""
    made = portfolio(sdk, rebalance_conditions=conditions())
    for change in (
        {"name": "Bold"},
        {"description": "new"},
        {"weights": weights("GLD 100")},
        {"cooldown_days": 0},
        {"rebalance_conditions": []},
    ):
        made = made.model_copy(update=change)
        changed = sdk.update_portfolio_by_id(made.id, UpdatePortfolioRequest(**change))
        assert made == changed.model_copy(update={"updated_at": made.updated_at})


# --- subscriptions and runs ---------------------------------------------------------------------------------------


def test_the_main_job_from_portfolio_to_filled_orders(sdk: BrokerClient, simulation: Simulation) -> None:
    """10,000.00 at 60 and 35 percent: 60 SPY at 100 and 70 TLT at 50, and 500.00 stay."""
    followed = portfolio(sdk, rebalance_conditions=conditions())
    subscription = subscribe(sdk, account(simulation), followed)
    assert subscription.last_rebalanced_at is None
    (queued,) = sdk.get_all_runs(GetRunsRequest(account_id=subscription.account_id))
    assert (RunStatus.QUEUED, RunInitiatedFrom.SYSTEM, followed.id) == (
        queued.status,
        queued.initiated_from,
        queued.portfolio_id,
    )
    simulation.advance(seconds=60)
    done = sdk.get_run_by_id(queued.id)
    assert (RunStatus.COMPLETED_SUCCESS, followed.weights, [], []) == (
        done.status,
        done.weights,
        done.failed_orders,
        done.skipped_orders,
    )
    assert [("SPY", "6000", "60", "100"), ("TLT", "3500", "70", "50")] == [
        (order.symbol, order.notional, order.filled_qty, order.filled_avg_price) for order in done.orders
    ]
    assert all(isinstance(order.asset_id, UUID) for order in done.orders)
    rebalanced = sdk.get_subscription_by_id(subscription.id)
    assert rebalanced.last_rebalanced_at == done.completed_at
    assert [rebalanced] == sdk.get_all_subscriptions(GetSubscriptionsRequest(portfolio_id=followed.id))
    sdk.unsubscribe_account(subscription.id)
    assert [] == sdk.get_all_subscriptions()
    sdk.inactivate_portfolio_by_id(followed.id)
    assert PortfolioStatus.INACTIVE == sdk.get_portfolio_by_id(followed.id).status


def test_a_run_without_weights_is_the_subscriptions_own(sdk: BrokerClient, simulation: Simulation) -> None:
    """The SDK cannot leave weights out and sends an empty list (wire/alpaca.md 5.5)."""
    alder, followed = account(simulation), portfolio(sdk)
    subscribe(sdk, alder, followed)
    simulation.advance(seconds=60)
    own = run(sdk, alder, "")
    assert (followed.id, RunInitiatedFrom.API, followed.weights) == (own.portfolio_id, own.initiated_from, own.weights)


def test_a_one_off_run_is_answered_as_a_whole(sdk: BrokerClient, simulation: Simulation) -> None:
    """Not with the seed's echo; its portfolio is the nil UUID, which the SDK needs (wire/alpaca.md 0.5, 0.6)."""
    made = run(sdk, account(simulation))
    assert (RunType.FULL_REBALANCE, RunStatus.QUEUED, NIL, [], []) == (
        made.type,
        made.status,
        made.portfolio_id,
        made.orders,
        made.failed_orders,
    )
    assert made == sdk.get_run_by_id(str(made.id))
    sdk.cancel_run_by_id(made.id)
    sdk.cancel_run_by_id(made.id)
    canceled = sdk.get_run_by_id(made.id)
    assert RunStatus.CANCELED == canceled.status
    assert canceled.canceled_at is not None


@pytest.fixture
def five_runs(sdk: BrokerClient, simulation: Simulation) -> list[UUID]:
    """Runs of five accounts, newest first; the newest one only invests cash."""
    kinds = ("full_rebalance",) * 4 + ("invest_cash",)
    return [run(sdk, account(simulation), kind=kind).id for kind in kinds][::-1]


def test_lists_are_read_page_by_page(sdk: BrokerClient, five_runs: list[UUID]) -> None:
    """Pages of two until the token is null; at most three; two pages more on demand; only the first."""

    def listed(**how: Any) -> list[UUID]:
        return [one.id for one in sdk.get_all_runs(GetRunsRequest(limit=2), **how)]

    assert five_runs == listed()
    assert five_runs == listed(handle_pagination=PaginationType.FULL)
    assert five_runs[:3] == listed(max_items_limit=3)
    assert five_runs[:2] == listed(handle_pagination=PaginationType.NONE)
    pages = sdk.get_all_runs(GetRunsRequest(limit=2), handle_pagination=PaginationType.ITERATOR)
    assert [five_runs[:2], five_runs[2:4], five_runs[4:]] == [[one.id for one in page] for page in pages]
    assert five_runs[:1] == [one.id for one in sdk.get_all_runs(GetRunsRequest(type=RunType.INVEST_CASH))]


def test_subscriptions_are_read_page_by_page(sdk: BrokerClient, simulation: Simulation) -> None:
    """Oldest first, by one's own token too; an account follows one portfolio."""
    followed = portfolio(sdk)
    made = [subscribe(sdk, account(simulation), followed).id for _ in range(3)]

    def listed(limit: int | None, **how: Any) -> list[UUID]:
        return [one.id for one in sdk.get_all_subscriptions(GetSubscriptionsRequest(limit=limit), **how)]

    assert made == listed(1) == listed(2) == listed(3) == listed(None)
    assert made[:2] == listed(None, max_items_limit=2)
    assert made[:2] == listed(2, handle_pagination=PaginationType.NONE)


def test_raw_answers_are_dictionaries(raw: BrokerClient, simulation: Simulation) -> None:
    """Decimals are text and every key of the seed is there, also the one that the SDK's models do not have."""
    made = portfolio(raw)
    assert {"type": "cash", "symbol": None, "percent": "5"} == made["weights"][0]
    body = run(raw, account(simulation))
    assert ("api", "api") == (body["initiated_from"], body["initiated_by"])
    pages = raw.get_all_runs(handle_pagination=PaginationType.ITERATOR)
    assert [[body["id"]]] == [[one["id"] for one in page] for page in pages]
    assert [made] == raw.get_all_portfolios()


# --- everything that the backend ever says ------------------------------------------------------------------------


def reject_and_skip(sdk: BrokerClient, simulation: Simulation) -> None:
    """One order of two is rejected; half a dollar is not sent; nothing is filled at all."""
    simulation.set_asset("TLT", halted=True)
    run(sdk, account(simulation, "1000", SPY="80", TLT="20"))
    simulation.set_asset("SPY", halted=True)
    run(sdk, account(simulation))
    simulation.advance(seconds=60)
    simulation.set_asset("SPY", halted=False)
    simulation.set_asset("TLT", halted=False)
    run(sdk, account(simulation, "50"), "SPY 99 | TLT 1")
    simulation.advance(seconds=60)


def cancel_and_time_out(sdk: BrokerClient, simulation: Simulation, service: Service) -> None:
    """Canceled before it starts and while it sells; an accepted sell that no one fills until the close."""
    sdk.cancel_run_by_id(run(sdk, account(simulation)).id)
    midway, late = (run(sdk, account(simulation, "0", TLT="200")).id for _ in range(2))
    for number in (midway, late):
        service.ticker.tick(service.world.now(), str(number))
    sdk.cancel_run_by_id(midway)
    simulation.set_asset("TLT", halted=True)
    simulation.advance(to=CLOSE)
    simulation.set_asset("TLT", halted=False)


def follow_and_invest(sdk: BrokerClient, simulation: Simulation) -> None:
    """A subscription, its first run, a deposit that the system invests a session later; a portfolio of each status."""
    alder = account(simulation)
    subscribe(sdk, alder, portfolio(sdk, rebalance_conditions=conditions()))
    sdk.inactivate_portfolio_by_id(portfolio(sdk, name="Old").id)
    portfolio(sdk, "GLD 100", name="Gold")
    simulation.set_asset("GLD", tradable=False)
    simulation.advance(seconds=60)
    simulation.deposit(alder, Decimal(1000))


@pytest.fixture
def history(sdk: BrokerClient, simulation: Simulation, service: Service) -> None:
    """A day in which everything happened, a quiet one, and a morning that stands still with runs on their way."""
    follow_and_invest(sdk, simulation)
    reject_and_skip(sdk, simulation)
    cancel_and_time_out(sdk, simulation, service)
    simulation.advance(to=WEDNESDAY_10AM)
    at_targets = run(sdk, account(simulation, "0", SPY="60", TLT="80"))
    started = run(sdk, account(simulation))
    for each in (at_targets, started):
        service.ticker.tick(service.world.now(), str(each.id))
    run(sdk, account(simulation))


@pytest.mark.usefixtures("history")
def test_every_status_is_seen_by_the_sdk(sdk: BrokerClient) -> None:
    """All eight of runs, all three of portfolios, both kinds and both initiators (wire/alpaca.md 0.7-0.12)."""
    runs = sdk.get_all_runs()
    assert set(RunStatus) == {one.status for one in runs}
    assert set(RunType) == {one.type for one in runs}
    assert set(RunInitiatedFrom) == {one.initiated_from for one in runs}
    listed = [one for status in PortfolioStatus for one in sdk.get_all_portfolios(GetPortfoliosRequest(status=status))]
    assert set(PortfolioStatus) == {one.status for one in listed}
    assert {"filled", "accepted"} <= {order.status.value for one in runs for order in one.orders}
    assert {"rejected", "canceled", "expired"} == {order.status.value for one in runs for order in one.failed_orders}
    assert {("TLT", "0.5", "ORDER_LESS_THAN_MIN_NOTIONAL")} == {
        (skip.symbol, skip.notional, skip.reason) for one in runs for skip in one.skipped_orders
    }


def same(model: BaseModel, body: dict[str, Any]) -> None:
    """Every field of the SDK's model was in the answer, and holds what the answer said."""
    for name in type(model).model_fields:
        value, said = getattr(model, name), body.get(name)
        match value:
            case BaseModel():
                same(value, said)
            case [BaseModel(), *_]:
                for one, each in zip(value, said, strict=True):
                    same(one, each)
            case float():
                assert Decimal(repr(value)) == Decimal(said)
            case datetime():
                assert value == datetime.fromisoformat(said)
            case UUID():
                assert str(value) == said
            case _:
                assert name in body or value is None
                assert value == said or (name, said) == ("order_class", "")


@pytest.mark.usefixtures("history")
def test_every_answer_is_read_by_the_sdk_without_loss(raw: BrokerClient) -> None:
    """Each portfolio, subscription and run of the history, listed and alone (wire/alpaca.md 16)."""
    portfolios = [
        body for status in PortfolioStatus for body in raw.get_all_portfolios(GetPortfoliosRequest(status=status))
    ]
    subscriptions, runs = raw.get_all_subscriptions(), raw.get_all_runs()
    for body in portfolios:
        same(Portfolio(**body), body)
        assert body == raw.get_portfolio_by_id(body["id"])
    for body in subscriptions:
        same(Subscription(**body), body)
        assert body == raw.get_subscription_by_id(body["id"])
    for body in runs:
        same(RebalancingRun(**body), body)
        alone = raw.get_run_by_id(body["id"])
        same(RebalancingRun(**alone), alone)
        # Plan and events are emitted for one run only.
        assert body == {**alone, "plan": [], "events": []}
    orders = [order for body in runs for order in body["orders"] + body["failed_orders"]]
    for order in orders:
        assert order["asset_id"] == str(Order(**order).asset_id)
    assert (3, 1, 11) == (len(portfolios), len(subscriptions), len(runs))
    assert orders


@pytest.mark.usefixtures("history")
def test_words_that_the_sdk_cannot_read_are_never_said(address: str) -> None:
    """Newer documentation has them; release 0.44 refuses them (wire/alpaca.md 0.7-0.9, 0.13, 16)."""
    paths = ("runs", "portfolios", "portfolios?status=needs_adjustment", "subscriptions")
    said = [httpx.get(f"{address}/v1/rebalancing/{path}", auth=KEYS).text for path in paths]
    for word in ("dashboard", "partial_liquidation", "on_portfolio_update", "sell_short", "archived"):
        assert all(word not in text for text in said)
    assert '"status":"SELLS_IN_PROGRESS"' not in said[0]


# --- refusals and transport ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "words", "call"),
    [
        pytest.param(
            400,
            40010000,
            "weights must be a list; received 'all'.",
            lambda sdk: sdk.post("/rebalancing/portfolios", {"name": "n", "weights": "all"}),
            id="400",
        ),
        pytest.param(404, 40410000, UNKNOWN, lambda sdk: sdk.get_portfolio_by_id(UNKNOWN), id="404-portfolio"),
        pytest.param(404, 40410000, UNKNOWN, lambda sdk: sdk.get_subscription_by_id(UNKNOWN), id="404-subscription"),
        pytest.param(404, 40410000, UNKNOWN, lambda sdk: sdk.get_run_by_id(UNKNOWN), id="404-run"),
        pytest.param(404, 40410000, UNKNOWN, lambda sdk: sdk.cancel_run_by_id(UNKNOWN), id="404-cancel"),
        pytest.param(404, 40410001, "/v1/nowhere", lambda sdk: sdk.get("/nowhere"), id="404-path"),
        pytest.param(405, 40510000, "GET, POST", lambda sdk: sdk.put("/rebalancing/runs", {}), id="405"),
        pytest.param(422, 42210000, "99.99", lambda sdk: portfolio(sdk, "cash 99.99"), id="422-rule"),
        pytest.param(422, 42210001, UNKNOWN, lambda sdk: sdk.unsubscribe_account(UNKNOWN), id="422-moment"),
    ],
)
def test_a_refusal_has_code_message_and_status(
    sdk: BrokerClient, status: int, code: int, words: str, call: Callable[[BrokerClient], object]
) -> None:
    """The SDK reads the three out of the body, which has to be JSON for that (wire/alpaca.md 0.18)."""
    with pytest.raises(APIError) as refused:
        call(sdk)
    assert (status, code) == (refused.value.status_code, refused.value.code)
    assert words in refused.value.message


@pytest.mark.parametrize("keys", [("key", "wrong"), ("wrong", "secret")])
def test_wrong_keys_are_403(address: str, keys: tuple[str, str]) -> None:
    """Which of the two was wrong is not said."""
    with broker_client(address, keys) as stranger, pytest.raises(APIError) as refused:
        stranger.get_all_portfolios()
    assert (403, 40310000) == (refused.value.status_code, refused.value.code)
    assert "The key or the secret is wrong" in refused.value.message


def test_no_keys_are_401(sdk: BrokerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK cannot be made without keys; here it forgets to send them."""
    monkeypatch.setattr(sdk, "_get_auth_headers", dict)
    with pytest.raises(APIError) as refused:
        sdk.get_all_runs()
    assert (401, 40110000) == (refused.value.status_code, refused.value.code)
    assert "Credentials are missing" in refused.value.message


def test_an_address_that_ends_in_a_slash_is_understood(address: str) -> None:
    """The SDK then asks for //v1/rebalancing/portfolios (wire/alpaca.md 0.2)."""
    with broker_client(f"{address}/") as sdk:
        made = portfolio(sdk)
        assert made == sdk.get_portfolio_by_id(made.id)


@pytest.mark.parametrize("path", ["/rebalancing/portfolios/", "/rebalancing/runs/", "/rebalancing/subscriptions/"])
def test_nothing_is_redirected(sdk: BrokerClient, path: str) -> None:
    """The SDK follows no redirect and would read an empty body (wire/alpaca.md 0.1): a slash too many is 404."""
    with pytest.raises(APIError) as refused:
        sdk.get(path)
    assert (404, 40410001) == (refused.value.status_code, refused.value.code)


def test_the_served_command_answers_the_sdk(tmp_path: Path) -> None:
    """`driftdesk serve` as a person starts it: from a portfolio to a completed run."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "driftdesk.cli", "serve", "--empty", "--port", str(port)]
    command += ["--start", "2025-03-03T10:00-05:00", "--database", f"sqlite:///{tmp_path / 'served.db'}"]
    unset = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTDESK_")}
    secrets = {"DRIFTDESK_KEY": KEYS[0], "DRIFTDESK_SECRET": KEYS[1], "DRIFTDESK_DATA": str(tmp_path)}
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=unset | secrets) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline().startswith(f"The API is at {url}")
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as waiting:
                assert waiting.get(f"{url}/health").status_code == 200
            with broker_client(url) as sdk, Client(url, ClientKeys(*KEYS)) as client:
                subscription = subscribe(sdk, account(client.simulation), portfolio(sdk))
                client.simulation.advance(seconds=60)
                (done,) = sdk.get_all_runs(GetRunsRequest(account_id=subscription.account_id))
        finally:
            server.terminate()
    assert (RunStatus.COMPLETED_SUCCESS, ["SPY", "TLT"]) == (done.status, [order.symbol for order in done.orders])
    assert server.returncode == 0
