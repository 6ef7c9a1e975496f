"""The main job on an account at a brokerage, in a real browser: drift, preview, confirm, orders, cancel midway, retry.

The brokerage is a backend of ours, served as SnapTrade; its time is moved by the test, as nobody on the pages can.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import simulated_feed
from on_a_socket import served
from playwright.sync_api import Page, expect
from walking import PAGE_MS, Walk

from driftdesk import connect
from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.wire.portfolios import CreatePortfolio
from driftdesk.wire.simulation import Advance, CreateAccount, FillModelSetting, NewPosition

# Tuesday 24 November 2026, 10:30 in New York.
OPEN = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
BALANCED = {
    "name": "Balanced",
    "weights": [
        {"type": "asset", "symbol": "SPY", "percent": "50"},
        {"type": "asset", "symbol": "AGG", "percent": "40"},
        {"type": "cash", "percent": "10"},
    ],
    "rebalance_conditions": [{"type": "drift_band", "sub_type": "absolute", "percent": "5"}],
}


@pytest.fixture
def brokerage(tmp_path: Path, demo_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A served SnapTrade whose exchange fills a few shares a minute; `visit` opens the demo world and it, side by side.

    The account Willow has 1,000.00 USD, 80 SPY and 40 TLT, and follows a portfolio without TLT.
    """
    service = open_service(tmp_path / "brokerage.db", simulated_feed(), start=OPEN, seed=1)
    held = (NewPosition(symbol="SPY", qty=Decimal(80)), NewPosition(symbol="TLT", qty=Decimal(40)))
    willow = service.simulate_account(CreateAccount(name="Willow", cash=Decimal(1000), positions=held))
    service.set_fill_model(
        FillModelSetting(name="participation", seed=1, participation_percent=Decimal(30), minute_volume=Decimal(40))
    )
    with served(create_app(service, Credentials("key", "secret"))) as url:
        for name, value in (("CLIENT_ID", "key"), ("CONSUMER_KEY", "secret"), ("URL", url)):
            monkeypatch.setenv(f"SNAPTRADE_{name}", value)
        monkeypatch.setenv("DRIFTDESK_BACKEND", "embedded,snaptrade")
        with connect("snaptrade", data=demo_directory) as desk:
            portfolio = desk.client.portfolios.create(CreatePortfolio.model_validate(BALANCED))
            desk.client.subscriptions.create(willow.id, portfolio.id)
        yield service
    service.close()


class BrokerageWalk(Walk):
    """What a person does on the pages, while time passes at the brokerage."""

    def __init__(self, page: Page, shots: Path, brokerage: Service) -> None:
        super().__init__(page, shots)
        self.brokerage = brokerage
        self.home = page.url.rstrip("/").partition("/?")[0]

    def open(self, title: str) -> None:
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        expect(self.page.get_by_role("heading", level=1, name=title)).to_be_visible(timeout=PAGE_MS)
        self.settled()

    def state_of(self, symbol: str) -> str:
        rows = {row["Symbol"]: row["State"] for row in self.table("download_orders")}
        return rows.get(symbol, "none")

    def wait_for(self, symbol: str, state: str, seconds: int) -> None:
        """Let time pass at the brokerage, and look at the orders until one is in that state."""
        for _ in range(30):
            if self.state_of(symbol) == state:
                return
            self.brokerage.advance(Advance(seconds=seconds))
            self.page.wait_for_timeout(1_500)
            self.settled()
        raise AssertionError(f"{symbol} is {self.state_of(symbol)}, not {state}")

    def confirm(self) -> None:
        """Review the orders and create the run, with three quick clicks."""
        self.page.locator(".st-key-review button").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_text("I have checked sides and sizes").click()
        self.settled()
        expect(dialog.get_by_text("covers buys up to these amounts", exact=False)).to_be_visible()
        self.picture("brokerage_3_review")
        create = dialog.locator(".st-key-review_create button")
        expect(create).to_be_enabled()
        create.evaluate("button => { button.click(); button.click(); button.click(); }")
        expect(self.page.get_by_role("heading", level=1, name="Runs & fills")).to_be_visible(timeout=PAGE_MS)
        self.settled()

    def link(self, path: str) -> None:
        """Follow a link that somebody sent."""
        self.page.goto(f"{self.home}{path}")
        self.settled()

    def cancel_order(self, symbol: str) -> None:
        """Cancel the order for `symbol` from its detail."""
        order = next(row for row in self.table("download_orders") if row["Symbol"] == symbol)
        self.link(f"/orders?account=Willow&order={order['Order id']}")
        self.press("cancel_order")
        dialog = self.page.get_by_role("dialog")
        button = dialog.locator(".st-key-order_confirm button")
        expect(button).to_be_enabled()
        button.click()
        expect(dialog).to_have_count(0, timeout=PAGE_MS)

    def cancel_run(self) -> None:
        """Cancel the newest run from its detail, and wait until it has ended."""
        run = self.table("download_runs")[0]["Run"]
        self.link(f"/runs?account=Willow&run={run}")
        self.press("cancel_run")
        self.page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
        ended = self.page.get_by_test_id("stMain").get_by_text("Canceled mid run", exact=True).first
        expect(ended).to_be_visible(timeout=PAGE_MS)
        self.settled()


def test_a_rebalance_at_a_brokerage_canceled_midway(
    brokerage: Service, visit: Callable[[str], Page], shots: Path
) -> None:
    """Previewed, confirmed, sold in parts; one order is canceled by hand, then the run: the rest is a retry plan."""
    page = visit("/")
    walk = BrokerageWalk(page, shots, brokerage)
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible(timeout=PAGE_MS)
    walk.settled()
    beside = {row["Account"]: row["Desk"] for row in walk.table("download_accounts")}
    assert ("SnapTrade", {"SnapTrade", "demo world"}) == (beside["Willow"], set(beside.values()))
    walk.picture("brokerage_1_overview")

    walk.link("/drift?account=Willow")
    expect(page.get_by_text("Nothing is traded at a brokerage by itself")).to_be_visible(timeout=PAGE_MS)
    drifts = {row["Symbol"]: row["Status"] for row in walk.table("download_drift")}
    assert ("Over its band", "Under its band", "No target") == (drifts["SPY"], drifts["AGG"], drifts["TLT"])
    walk.picture("brokerage_2_drift")

    walk.open("Preview & create run")
    planned = [(row["Side"].split()[-1], row["Symbol"]) for row in walk.table("download_orders")]
    assert [("Sell", "SPY"), ("Sell", "TLT"), ("Buy", "AGG")] == planned
    walk.confirm()

    walk.open("Orders")
    expect(page.get_by_text("Open orders are looked at every two seconds.")).to_be_visible(timeout=PAGE_MS)
    walk.wait_for("SPY", "Partially filled", seconds=20)
    walk.picture("brokerage_4_partly_filled")
    walk.cancel_order("SPY")
    walk.wait_for("SPY", "Canceled", seconds=1)
    walk.picture("brokerage_5_canceled_order")

    walk.open("Runs & fills")
    walk.cancel_run()
    page.get_by_role("tab", name="Not traded").click()
    walk.settled()
    expect(page.get_by_text("Retry plan").first).to_be_visible()
    walk.picture("brokerage_6_retry_plan")
    assert [] == brokerage.list_orders(brokerage.account_of_key(None))
