"""The portfolios page in a real browser: a portfolio typed, created by three clicks once, followed, changed, left."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from walking import PAGE_MS, Walk

# Heights of a table's header and rows, in pixels: its cells are drawn on a canvas and can only be pointed at.
ROW = 31


class PortfolioWalk(Walk):
    """What a person does on the page, and what they then read there."""

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


def names_without(page: Page) -> list[str]:
    """The inputs of the page that a screen reader could not name."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('main input, main textarea, main select, [data-testid=stMain] input')]
            .filter(it => it.type !== 'hidden' && it.offsetParent !== null && it.tabIndex >= 0)
            .filter(it => !it.getAttribute('aria-label') && !it.getAttribute('aria-labelledby') && !it.labels?.length)
            .map(it => it.outerHTML)"""
    )
    return found


def follow_and_change(walk: PortfolioWalk) -> None:
    """Subscribe the only free account, see what other weights would do to it, and save them."""
    walk.press("subscribe")
    expect(walk.page.get_by_role("dialog").get_by_text("queues a run at once")).to_be_visible()
    walk.picture("portfolios_4_subscribe")
    walk.confirm(clicks=3)
    assert [("Ivy", "Open run")] == [(row["Account"], row["State"]) for row in walk.table("download_subscriptions")]

    walk.type_cell("weights", 0, 2, "50")
    walk.type_cell("weights", 1, 2, "50")
    expect(walk.page.get_by_text("What if it were saved now")).to_be_visible()
    assert [("Ivy", "Waits")] == [(row["Account"], row["Changed"]) for row in walk.table("download_proposal")]
    walk.picture("portfolios_5_what_if")
    walk.press("review_change")
    walk.confirm(clicks=3)
    assert ["Cash 50 · VTI 50"] == [
        row["Weights %"] for row in walk.table("download_portfolios") if row["Portfolio"] == "Mine"
    ]


def test_a_portfolio_from_the_first_letter_to_its_end(visit: Callable[[str], Page], shots: Path) -> None:
    """Three quick clicks make one portfolio; an account follows it, its weights change, and it is left again."""
    page = visit("/portfolios")
    walk = PortfolioWalk(page, shots)
    heading = page.get_by_role("heading", level=1, name="Portfolios & subscriptions")
    expect(heading).to_be_visible(timeout=PAGE_MS)
    walk.settled()
    before = walk.table("download_portfolios")
    walk.picture("portfolios_1_list")

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
    walk.picture("portfolios_2_new")
    walk.press("review_change")
    walk.picture("portfolios_3_review")
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
