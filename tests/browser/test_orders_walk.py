"""The orders page in a real browser: placed by three clicks once, filled in parts, the rest canceled; and live."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import simulated_feed
from on_a_socket import served
from playwright.sync_api import Page, expect
from walking import PAGE_MS, Walk

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.clock import SystemClock
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.connect import Backend
from driftdesk.wire.simulation import CreateAccount, FillModelSetting

# Tuesday 24 November 2026, 10:30 in New York.
OPEN = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


class OrdersWalk(Walk):
    """What a person does on the page, and what they then read there."""

    def __init__(self, page: Page, shots: Path) -> None:
        super().__init__(page, shots)
        self.side = page.get_by_test_id("stSidebar")
        self.dialog = page.get_by_role("dialog")

    def type(self, label: str, text: str) -> None:
        """Type into a field of the dialog."""
        self.dialog.get_by_label(label, exact=True).fill(text)
        self.page.keyboard.press("Enter")
        self.settled()

    def confirm(self, clicks: int) -> None:
        """Press the button of the dialog, quickly, `clicks` times."""
        button = self.dialog.locator(".st-key-order_confirm button")
        expect(button).to_be_enabled()
        button.evaluate(f"button => {{ for (let i = 0; i < {clicks}; i++) button.click(); }}")
        expect(self.dialog).to_have_count(0, timeout=PAGE_MS)
        self.settled()

    def minute(self) -> None:
        """Let a minute pass on the simulated clock."""
        now = self.side.get_by_text("As of")
        before = now.inner_text()
        self.page.get_by_role("button", name="Advance 1 minute").click()
        expect(now).not_to_have_text(before, timeout=PAGE_MS)
        self.settled()


def fill_in_parts(walk: OrdersWalk) -> None:
    """Have the exchange fill 1 to 4 shares a minute: 30% of a volume of 5 to 15."""
    walk.side.get_by_text("Exchange").click()
    walk.settled()
    walk.side.get_by_label("Orders are filled").click()
    walk.page.get_by_role("option", name="In parts").click()
    walk.settled()
    walk.side.get_by_label("Share of volume").fill("30")
    walk.side.get_by_label("Shares traded a minute").fill("10")
    walk.side.get_by_role("button", name="Fill so from now on").click()
    expect(walk.side.get_by_text("This is how orders are filled now.")).to_be_visible(timeout=PAGE_MS)
    walk.settled()


def test_an_order_from_its_ticket_to_its_end(visit: Callable[[str], Page], shots: Path) -> None:
    """Three quick clicks make one order; it fills in part, the rest is canceled, and the page was loaded once."""
    page = visit("/orders?account=Juniper")
    walk = OrdersWalk(page, shots)
    expect(page.get_by_role("heading", level=1, name="Orders")).to_be_visible(timeout=PAGE_MS)
    walk.settled()
    page.evaluate("() => { window.loadedOnce = true; }")
    before = walk.table("download_orders")
    fill_in_parts(walk)

    walk.press("new_order")
    walk.type("Symbol", "bnd")
    walk.dialog.get_by_text("Sell", exact=True).click()
    walk.settled()
    walk.type("Size", "30")
    expect(walk.dialog.get_by_text("At the market now about")).to_be_visible()
    walk.picture("orders_1_ticket")
    walk.confirm(clicks=3)
    rows = walk.table("download_orders")
    assert (len(before) + 1, "Accepted") == (len(rows), rows[0]["State"])

    walk.minute()
    told = page.get_by_text(re.compile(r"Filled [1-4] of 30 shares")).first
    expect(told).to_be_visible()
    filled = re.findall(r"Filled (\d) of", told.inner_text())[0]
    assert ["Accepted", "Partial fill"] == [row["Event"] for row in walk.table("download_order")]
    walk.picture("orders_2_partly_filled")

    walk.press("cancel_order")
    expect(walk.dialog.get_by_text(f"{30 - int(filled)} shares not filled yet")).to_be_visible()
    walk.picture("orders_3_cancel")
    walk.confirm(clicks=3)
    assert ["Accepted", "Partial fill", "Canceled"] == [row["Event"] for row in walk.table("download_order")]
    first = walk.table("download_orders")[0]
    assert ("Canceled", filled) == (first["State"], first["Filled quantity"].removesuffix(".000000000"))
    expect(page.get_by_role("button", name="Cancel order")).to_have_count(0)
    walk.picture("orders_4_result")
    assert page.evaluate("() => window.loadedOnce === true")


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A served backend on a clock that runs, in an open market, whose exchange fills 1 to 4 shares a minute.

    `visit` opens its pages. The account Maple has 100,000.00 USD.
    """
    path = tmp_path / "served.db"
    made = open_service(path, simulated_feed(), start=OPEN, seed=1)
    made.simulate_account(CreateAccount(name="Maple", cash=Decimal(100_000)))
    made.set_fill_model(
        FillModelSetting(name="participation", seed=1, participation_percent=Decimal(30), minute_volume=Decimal(10))
    )
    made.close()
    late = datetime.now(UTC) - OPEN
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) - late)
    backend = Backend(open_service(path, simulated_feed(), system_clock=True))
    backend.start_worker()
    with served(create_app(backend.service, Credentials("key", "secret"))) as url:
        for name, value in (("BACKEND", url), ("KEY", "key"), ("SECRET", "secret")):
            monkeypatch.setenv(f"DRIFTDESK_{name}", value)
        yield backend.service
    backend.close()


def test_on_a_clock_that_runs_the_page_looks_by_itself(
    live: Service, visit: Callable[[str], Page], shots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody touches it: a fill shows, and what somebody else cancels; when nothing is open it looks no more."""
    looks: list[str] = []
    page = visit("/orders?account=Maple")
    walk = OrdersWalk(page, shots)
    expect(page.get_by_role("heading", level=1, name="Orders")).to_be_visible(timeout=PAGE_MS)
    walk.settled()
    page.evaluate("() => { window.loadedOnce = true; }")
    looking = page.get_by_text("Open orders are looked at every two seconds.")
    expect(looking).to_have_count(0)

    walk.press("new_order")
    walk.type("Symbol", "spy")
    walk.type("Size", "30")
    walk.confirm(clicks=1)
    expect(looking).to_be_visible()
    expect(page.get_by_text(re.compile(r"Filled [1-4] of 30 shares")).first).to_be_visible(timeout=PAGE_MS)
    assert ["Accepted", "Partial fill"] == [row["Event"] for row in walk.table("download_order")]
    walk.picture("orders_5_live")

    live.cancel_orders(live.account_of_key(None))
    expect(page.get_by_role("button", name="Cancel order")).to_have_count(0, timeout=PAGE_MS)
    walk.settled()
    expect(looking).to_have_count(0)
    assert ["Accepted", "Partial fill", "Canceled"] == [row["Event"] for row in walk.table("download_order")]
    listed = live.list_orders
    monkeypatch.setattr(live, "list_orders", lambda *asked: (looks.append("look"), listed(*asked))[1])
    page.wait_for_timeout(5_000)
    assert [] == looks
    assert page.evaluate("() => window.loadedOnce === true")
