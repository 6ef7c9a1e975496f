"""The main job in a real browser, from `driftdesk` to a completed run: one walk, as a person would take it.

Pictures of the way go to the directory in DRIFTDESK_SHOTS, else to pytest's temporary one.
"""

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS = 180
PAGE_MS = 30_000
# Building the history once takes seconds; drawing charts with a software renderer on a busy machine takes some too.
ADVANCE_MS = 120_000

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, demo_template: Path) -> Iterator[str]:
    """The pages, opened by the command itself on a data directory of their own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("world")
    shutil.copytree(demo_template, folder / "data")
    command = [
        sys.executable,
        "-m",
        "driftdesk.cli",
        "--no-browser",
        "--port",
        str(port),
        "--data",
        str(folder / "data"),
    ]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}", process, folder / "log.txt")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"driftdesk did not open within {START_SECONDS} s:\n{log.read_text('utf-8')[-2000:]}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, address: str, tmp_path: Path) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 1000}, accept_downloads=True, color_scheme="light")
    page.set_default_timeout(PAGE_MS)
    page.goto(address)
    yield page
    page.close()


class Walk:
    """What a person does on the pages, and what they then read there."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.shots = Path(os.environ.get("DRIFTDESK_SHOTS") or folder / "shots")
        self.shots.mkdir(parents=True, exist_ok=True)

    def settled(self, timeout: int = PAGE_MS) -> None:
        """Wait until the script has ended, and see that it did not end in an error."""
        app = self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        expect(app).to_be_visible(timeout=timeout)
        expect(self.page.get_by_test_id("stException")).to_have_count(0)

    def open(self, title: str) -> None:
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
        self.at(title)

    def at(self, title: str) -> None:
        expect(self.page.get_by_role("heading", level=1, name=title)).to_be_visible()
        self.settled()

    def metric(self, label: str) -> str:
        card = self.page.get_by_test_id("stMetric").filter(has_text=label).first
        return card.get_by_test_id("stMetricValue").inner_text()

    def table(self, key: str) -> list[dict[str, str]]:
        """The rows of the table whose download button has `key`: the canvas itself cannot be read."""
        with self.page.expect_download() as download:
            self.page.locator(f".st-key-{key} button").click()
        file = self.folder / f"{key}.csv"
        download.value.save_as(file)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.DictReader(lines))

    def advance(self, label: str) -> None:
        """Advance the simulated clock with the sidebar's button `label`, and wait until it stands there."""
        before = self.page.get_by_test_id("stSidebar").get_by_text("As of").inner_text()
        self.page.get_by_test_id("stSidebar").get_by_role("button", name=label).click()
        expect(self.page.get_by_test_id("stSidebar").get_by_text("As of")).not_to_have_text(before, timeout=ADVANCE_MS)
        self.settled(ADVANCE_MS)

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.shots / f"{name}.png")


def notionals(rows: list[dict[str, str]], column: str) -> dict[tuple[str, str], Decimal]:
    """(side, symbol) -> USD, exactly as the table's CSV has it."""
    return {(row["Side"], row["Symbol"]): Decimal(row[column]) for row in rows}


def test_from_drift_to_a_completed_run(page: Page, tmp_path: Path) -> None:
    """Drift is seen without a click; the previewed orders, sent once by three clicks, are filled to the cent."""
    walk = Walk(page, tmp_path)
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
