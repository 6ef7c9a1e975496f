"""The main job in a real browser, from `driftdesk` to a completed run: one walk, as a person would take it."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Page, expect
from walking import PAGE_MS, Walk

# Drawing charts with a software renderer on a busy machine takes some time.
ADVANCE_MS = 120_000


class MainJob(Walk):
    """What a person does on the pages, and what they then read there."""

    def open(self, title: str) -> None:
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        self.at(title)

    def at(self, title: str) -> None:
        expect(self.page.get_by_role("heading", level=1, name=title)).to_be_visible(timeout=PAGE_MS)
        self.settled()

    def metric(self, label: str) -> str:
        card = self.page.get_by_test_id("stMetric").filter(has_text=label).first
        return card.get_by_test_id("stMetricValue").inner_text()

    def advance(self, label: str) -> None:
        """Advance the simulated clock with the sidebar's button `label`, and wait until it stands there."""
        before = self.page.get_by_test_id("stSidebar").get_by_text("As of").inner_text()
        self.page.get_by_test_id("stSidebar").get_by_role("button", name=label).click()
        expect(self.page.get_by_test_id("stSidebar").get_by_text("As of")).not_to_have_text(before, timeout=ADVANCE_MS)
        self.settled(ADVANCE_MS)


def notionals(rows: list[dict[str, str]], column: str) -> dict[tuple[str, str], Decimal]:
    """(side, symbol) -> USD, exactly as the table's CSV has it."""
    return {(row["Side"], row["Symbol"]): Decimal(row[column]) for row in rows}


def test_from_drift_to_a_completed_run(visit: Callable[[str], Page], shots: Path) -> None:
    """Drift is seen without a click; the previewed orders, sent once by three clicks, are filled to the cent."""
    page = visit("/")
    walk = MainJob(page, shots)
    walk.at("Overview")
    assert walk.metric("Equity").startswith("$")
    assert len(walk.table("download_accounts")) >= 10
    walk.picture("1_overview")

    # Fills at the previewed prices need an open market; the world's clock may stand anywhere.
    if page.get_by_test_id("stSidebar").get_by_text("Closed, opens in").count():
        walk.advance("Next open")
    walk.open("Runs & fills")
    runs_before = {row["Run"] for row in walk.table("download_runs")}

    walk.open("Drift")
    assert not walk.metric("Outside band").startswith("0 of")
    expect(page.get_by_role("figure").first).to_have_attribute("aria-label", re.compile(r"outside", re.IGNORECASE))
    assert {row["Status"] for row in walk.table("download_drift")} & {"Over its band", "Under its band"}
    walk.picture("2_drift")

    walk.open("Preview & create run")
    orders = walk.table("download_orders")
    assert orders
    assert all(row["Why"] for row in orders)
    planned = notionals(orders, "Notional")
    walk.picture("3_preview")

    page.locator(".st-key-review button").click()
    dialog = page.get_by_role("dialog")
    create = dialog.locator(".st-key-review_create button")
    expect(create).to_be_disabled()
    dialog.get_by_text("I have checked sides and sizes").click()
    expect(create).to_be_enabled()
    walk.picture("4_review")
    create.evaluate("button => { button.click(); button.click(); button.click(); }")
    walk.at("Runs & fills")
    walk.picture("5_created")

    walk.advance("1 day")
    expect(page.get_by_test_id("stMain").get_by_text("Completed success", exact=True).first).to_be_visible()
    fills = walk.table("download_fills")
    assert planned == notionals(fills, "Filled notional")
    assert planned == notionals(fills, "Planned notional")
    walk.picture("6_filled")

    history = [row for row in walk.table("download_runs") if row["Run"] not in runs_before]
    by_hand = [row for row in history if row["Initiated from"].lower() == "api"]
    assert [("Completed success", "100.00", "0")] == [(row["State"], row["Filled %"], row["Failed"]) for row in by_hand]
