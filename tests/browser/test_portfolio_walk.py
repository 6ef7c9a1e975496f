"""The portfolios page in a real browser: a portfolio typed, created by three clicks once, followed, changed and left.

Pictures of the way go to the directory in DRIFTDESK_SHOTS, else to pytest's temporary one.
"""

import csv
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS = 180
PAGE_MS = 60_000
# Heights of a table's header and rows, in pixels: its cells are drawn on a canvas and can only be pointed at.
ROW = 31

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
        page.goto(f"{address}/portfolios")
        yield page
        chromium.close()


class Walk:
    """What a person does on the page, and what he then reads there."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder
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

    def grid(self, prefix: str) -> Locator:
        return self.page.locator(f'[class*="st-key-{prefix}_"]').get_by_test_id("stDataFrame")

    def type_cell(self, prefix: str, row: int, column: int, text: str) -> None:
        """Type into a cell of an editable table with two columns, 1 and 2. The first click after a dialog only brings
        the focus back to the page, so what was typed is looked for, and typed again."""
        for _ in range(3):
            box = self.grid(prefix).bounding_box()
            assert box is not None
            self.page.mouse.click(box["x"] + box["width"] * (0.35 * column), box["y"] + ROW * (row + 1.5))
            self.page.wait_for_timeout(400)
            self.page.keyboard.type(text, delay=40)
            self.page.keyboard.press("Enter")
            self.settled()
            if self.grid(prefix).get_by_test_id(f"glide-cell-{column}-{row}").text_content() == text:
                return
        pytest.fail(f"{text} could not be typed into row {row} of {prefix}")

    def confirm(self, clicks: int = 1) -> None:
        """Check what is to be checked in the dialog, and press its button, quickly, `clicks` times."""
        dialog = self.page.get_by_role("dialog")
        for box in dialog.locator('[data-testid="stCheckbox"] label').all():
            box.click()
        button = dialog.locator(".st-key-write_confirm button")
        expect(button).to_be_enabled()
        button.evaluate(f"button => {{ for (let i = 0; i < {clicks}; i++) button.click(); }}")
        expect(dialog).to_have_count(0, timeout=PAGE_MS)
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
        self.page.screenshot(path=self.shots / f"portfolios_{name}.png")


def names_without(page: Page) -> list[str]:
    """The inputs of the page that a screen reader could not name."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('main input, main textarea, main select, [data-testid=stMain] input')]
            .filter(it => it.type !== 'hidden' && it.offsetParent !== null && it.tabIndex >= 0)
            .filter(it => !it.getAttribute('aria-label') && !it.getAttribute('aria-labelledby') && !it.labels?.length)
            .map(it => it.outerHTML)"""
    )
    return found


def follow_and_change(walk: Walk) -> None:
    """Subscribe the only free account, see what other weights would do to it, and save them."""
    walk.press("subscribe")
    expect(walk.page.get_by_role("dialog").get_by_text("queues a run at once")).to_be_visible()
    walk.picture("4_subscribe")
    walk.confirm(clicks=3)
    assert [("Ivy", "Open run")] == [(row["Account"], row["State"]) for row in walk.table("download_subscriptions")]

    walk.type_cell("weights", 0, 2, "50")
    walk.type_cell("weights", 1, 2, "50")
    expect(walk.page.get_by_text("What if it were saved now")).to_be_visible()
    assert [("Ivy", "Waits")] == [(row["Account"], row["Changed"]) for row in walk.table("download_proposal")]
    walk.picture("5_what_if")
    walk.press("review_change")
    walk.confirm(clicks=3)
    assert ["Cash 50 · VTI 50"] == [
        row["Weights %"] for row in walk.table("download_portfolios") if row["Portfolio"] == "Mine"
    ]


def test_a_portfolio_from_the_first_letter_to_its_end(page: Page, tmp_path: Path) -> None:
    """Three quick clicks make one portfolio; an account follows it, its weights change, and it is left again."""
    walk = Walk(page, tmp_path)
    heading = page.get_by_role("heading", level=1, name="Portfolios & subscriptions")
    expect(heading).to_be_visible(timeout=PAGE_MS)
    walk.settled()
    before = walk.table("download_portfolios")
    walk.picture("1_list")

    walk.press("new_portfolio")
    page.get_by_label("Name", exact=True).fill("Mine")
    page.keyboard.press("Enter")
    walk.settled()
    walk.type_cell("weights", 0, 2, "40")
    expect(page.get_by_text("Total 40.00%, 60 missing")).to_be_visible()
    expect(page.locator(".st-key-review_change button")).to_be_disabled()
    # The empty row below the last one is a new one.
    walk.type_cell("weights", 1, 1, "vti")
    walk.type_cell("weights", 1, 2, "60.00")
    expect(page.get_by_text("Total 100.00%")).to_be_visible()
    assert names_without(page) == []
    walk.picture("2_new")
    walk.press("review_change")
    walk.picture("3_review")
    walk.confirm(clicks=3)
    rows = walk.table("download_portfolios")
    assert len(before) + 1 == len(rows)
    assert ["Cash 40 · VTI 60"] == [row["Weights %"] for row in rows if row["Portfolio"] == "Mine"]

    follow_and_change(walk)

    walk.press("unsubscribe")
    walk.confirm(clicks=3)
    expect(page.get_by_text("No account follows this portfolio.")).to_be_visible()
    walk.press("inactivate")
    walk.confirm(clicks=3)
    assert [row["Portfolio"] for row in before] == [row["Portfolio"] for row in walk.table("download_portfolios")]

    # The first subscription of the table: its row leads to its drift.
    first = walk.table("download_subscriptions")[0]["Account"]
    box = walk.grid("subscriptions").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 16, box["y"] + ROW * 1.5)
    expect(page.get_by_role("heading", level=1, name="Drift")).to_be_visible()
    walk.settled()
    assert f"account={first}" in page.url
