"""The orders page in a real browser: placed by three clicks once, filled in parts, the rest canceled, never reloaded.

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
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS = 180
PAGE_MS = 60_000

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"
)


@pytest.fixture
def address(demo_directory: Path) -> Iterator[str]:
    """The pages on a demo world of the test's own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "driftdesk.cli",
        "--no-browser",
        "--port",
        str(port),
        "--data",
        str(demo_directory),
    ]
    log = demo_directory / "log.txt"
    with log.open("w") as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _healthy(f"http://127.0.0.1:{port}"):
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail(f"driftdesk did not open within {START_SECONDS} s:\n{log.read_text('utf-8')[-2000:]}")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = chromium.new_page(viewport={"width": 1440, "height": 1600}, accept_downloads=True, color_scheme="light")
        page.set_default_timeout(PAGE_MS)
        page.goto(f"{address}/orders?account=Juniper")
        yield page
        chromium.close()


class Walk:
    """What a person does on the page, and what they then read there."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.side = page.get_by_test_id("stSidebar")
        self.dialog = page.get_by_role("dialog")
        self.shots = Path(os.environ.get("DRIFTDESK_SHOTS") or folder / "shots")
        self.shots.mkdir(parents=True, exist_ok=True)

    def settled(self) -> None:
        """Wait until the script has ended, and see that it did not end in an error."""
        self.page.wait_for_timeout(400)
        expect(self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(
            timeout=PAGE_MS
        )
        expect(self.page.get_by_test_id("stException")).to_have_count(0)

    def press(self, key: str) -> None:
        self.page.locator(f".st-key-{key} button").click()
        self.settled()

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

    def table(self, key: str) -> list[dict[str, str]]:
        """The rows of the table whose download button has `key`: the canvas itself cannot be read."""
        with self.page.expect_download() as download:
            self.page.locator(f".st-key-{key} button").click()
        file = self.folder / f"{key}.csv"
        download.value.save_as(file)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.DictReader(lines))

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.shots / f"orders_{name}.png")


def fill_in_parts(walk: Walk) -> None:
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


def test_an_order_from_its_ticket_to_its_end(page: Page, tmp_path: Path) -> None:
    """Three quick clicks make one order; it fills in part, the rest is canceled, and the page was loaded once."""
    walk = Walk(page, tmp_path)
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
    walk.picture("1_ticket")
    walk.confirm(clicks=3)
    rows = walk.table("download_orders")
    assert (len(before) + 1, "Accepted") == (len(rows), rows[0]["State"])

    walk.minute()
    told = page.get_by_text(re.compile(r"Filled [1-4] of 30 shares")).first
    expect(told).to_be_visible()
    filled = re.findall(r"Filled (\d) of", told.inner_text())[0]
    assert ["Accepted", "Partial fill"] == [row["Event"] for row in walk.table("download_order")]
    walk.picture("2_partly_filled")

    walk.press("cancel_order")
    expect(walk.dialog.get_by_text(f"{30 - int(filled)} shares not filled yet")).to_be_visible()
    walk.picture("3_cancel")
    walk.confirm(clicks=3)
    assert ["Accepted", "Partial fill", "Canceled"] == [row["Event"] for row in walk.table("download_order")]
    first = walk.table("download_orders")[0]
    assert ("Canceled", filled) == (first["State"], first["Filled quantity"].removesuffix(".000000000"))
    expect(page.get_by_role("button", name="Cancel order")).to_have_count(0)
    walk.picture("4_result")
    assert page.evaluate("() => window.loadedOnce === true")
