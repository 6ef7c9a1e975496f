"""What every walk through the pages does: wait until they are drawn, press, read tables, take pictures."""

import csv
from pathlib import Path

from playwright.sync_api import Download, Page, TimeoutError, expect

PAGE_MS = 60_000
DOWNLOAD_MS, DOWNLOAD_TRIES = 20_000, 4


class Walk:
    """A person at a page of `driftdesk`; pictures go to `shots`, downloads beside them."""

    def __init__(self, page: Page, shots: Path) -> None:
        self.page = page
        self.shots = shots

    def settled(self, timeout: int = PAGE_MS) -> None:
        """Wait until the script has ended, and see that it did not end in an error."""
        # A click takes a moment to reach the script, which still counts as ended until then.
        self.page.wait_for_timeout(400)
        app = self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        expect(app).to_be_visible(timeout=timeout)
        expect(self.page.get_by_test_id("stException")).to_have_count(0)

    def press(self, key: str) -> None:
        self.page.locator(f".st-key-{key} button").click()
        self.settled()

    def table(self, key: str) -> list[dict[str, str]]:
        """The rows of the table whose download button has `key`: the canvas itself cannot be read."""
        file = self.shots / f"{key}.csv"
        self._download(key).save_as(file)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.DictReader(lines))

    def _download(self, key: str) -> Download:
        """What the button gives. A page that looks again by itself may draw a new one under the click, which is lost
        then, as it is for a person; so it is pressed once more."""
        for _ in range(DOWNLOAD_TRIES):
            try:
                with self.page.expect_download(timeout=DOWNLOAD_MS) as download:
                    self.page.locator(f".st-key-{key} button").click()
                return download.value
            except TimeoutError as error:
                lost = error
        raise lost

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.shots / f"{name}.png")
