"""The what-if page: where it starts from, and how it refuses what it cannot read."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from driftdesk.engine.targets import BandKind, CalendarKind, CalendarRule, DriftBand

Pages = Callable[..., AppTest]


def charts(app: AppTest) -> list[Any]:
    return list(app.get("plotly_chart"))


def test_what_if_refuses_weights_that_do_not_sum(pages: Pages) -> None:
    """The example's VTI at 49.99 instead of 50."""
    app = pages("what_if")
    app.session_state["what_if_weights_example"] = {
        "edited_rows": {0: {"Percent": "49.99"}},
        "added_rows": [],
        "deleted_rows": [],
    }
    app.run()
    assert ["weights must sum to exactly 100.00 percent; they sum to 99.99."] == [
        message.value.replace("\\", "") for message in app.error
    ]
    assert len(app.exception) == 0


def test_what_if_begins_with_the_chosen_account(pages: Pages) -> None:
    """Its own holdings, weights and bands give its own drift."""
    app = pages("what_if", account="Ginkgo")
    app.segmented_control(key="what_if_start").set_value("This account").run()
    there = pages("drift", account="Ginkgo")
    assert charts(app)[0].proto.alt == charts(there)[0].proto.alt


def type_in(app: AppTest, key: str, row: int, **cells: str) -> AppTest:
    """Type into a row of an editable table."""
    app.session_state[key] = {"edited_rows": {row: cells}, "added_rows": [], "deleted_rows": []}
    return app.run()


@pytest.mark.parametrize(
    ("expected", "table", "cells"),
    [
        ("The price of VTI is '1,5'", "holdings", {"Price": "1,5"}),
        ("The quantity of VTI is '", "holdings", {"Quantity": "8" * 70}),
        ("The quantity of VTI is missing", "holdings", {"Quantity": ""}),
        ("VTI has more than 9 decimals", "holdings", {"Quantity": "1.0000000001"}),
        ("'<b>x</b>' is not a ticker", "holdings", {"Symbol": "<b>x</b>"}),
        ("The percent of VTI is '5,0'", "weights", {"Percent": "5,0"}),
        ("VXUS has two weights", "weights", {"Symbol": "vxus", "Percent": "20"}),
    ],
)
def test_what_if_refuses_what_it_cannot_read(pages: Pages, expected: str, table: str, cells: dict[str, str]) -> None:
    """One sentence that names the cell, both tables still there, and no guess."""
    app = type_in(pages("what_if"), f"what_if_{table}_example", 0, **cells)
    assert ([True], 0) == (
        [expected in message.value.replace("\\", "") for message in app.error],
        len(app.exception),
    )
    assert ["Holdings", "Weights and bands"] == [heading.value for heading in app.subheader]


def test_what_if_on_empty_tables_is_one_sentence(pages: Pages) -> None:
    """Every row deleted."""
    app = pages("what_if")
    for table, rows in (("holdings", 4), ("weights", 5)):
        app.session_state[f"what_if_{table}_example"] = {
            "edited_rows": {},
            "added_rows": [],
            "deleted_rows": list(range(rows)),
        }
    app.run()
    assert (1, 0) == (len(app.error), len(app.exception))


def test_what_if_takes_the_tightest_bands_and_names_what_it_leaves_out(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 3, 7 and 5 points, 3 governs (rules.md 3.6); calendar and cooldown are not asked for, and the page says so."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    pages()
    views = tuple(
        replace(
            view,
            model=replace(
                view.model,
                conditions=(
                    *(DriftBand(BandKind.ABSOLUTE, Decimal(points)) for points in (7, 3, 5)),
                    CalendarRule(CalendarKind.MONTHLY, "15"),
                ),
                cooldown_days=30,
            ),
        )
        if view.model
        else view
        for view in state.book()
    )
    monkeypatch.setattr(type(state.desk()), "book", lambda _: views)
    state.refresh()
    app = pages("what_if", account="Ginkgo")
    app.segmented_control(key="what_if_start").set_value("This account").run()
    fields = {field.label: field.value for field in app.text_input}
    assert ("3", "") == (fields["Band, points"], fields["Band, % of target"])
    [note] = [caption.value for caption in app.caption if "Left out here" in caption.value]
    assert "the monthly calendar day (15), the cooldown of 30 days" in note


def test_what_if_follows_the_account(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cash that came in since the tables were drawn: the field shows it, not what it showed before."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    app = pages("what_if", account="Ginkgo")
    app.segmented_control(key="what_if_start").set_value("This account").run()
    richer = tuple(replace(view, snapshot=replace(view.snapshot, cash=Decimal("9000.01"))) for view in state.book())
    monkeypatch.setattr(type(state.desk()), "book", lambda _: richer)
    state.refresh()
    app.run()
    assert ["9000.01"] == [field.value for field in app.text_input if field.label == "Cash, $"]


def test_what_if_of_an_account_without_a_portfolio_starts_from_one(pages: Pages) -> None:
    """Its holdings against the first portfolio, and the page says whose weights these are."""
    app = pages("what_if", account="Ivy")
    app.segmented_control(key="what_if_start").set_value("This account").run()
    assert (0, 0) == (len(app.error), len(app.exception))
    [note] = [caption.value for caption in app.caption if "Ivy follows no portfolio" in caption.value]
    assert "Drift page" not in note


@pytest.mark.parametrize(
    ("expected", "content"),
    [
        ("line 2", b"symbol,quantity,price\nSPY,ten,100\n"),
        ("line 1", b"ticker,amount\nSPY,1\n"),
        ("is empty", b""),
    ],
)
def test_a_broken_file_is_named_with_its_line(pages: Pages, expected: str, content: bytes) -> None:
    """One sentence with the file and the line, and no traceback."""
    app = pages("what_if")
    app.segmented_control(key="what_if_start").set_value("CSV files").run()
    app.file_uploader(key="what_if_holdings").upload("mine.csv", content)
    app.run()
    [message] = [found.value.replace("\\", "") for found in app.error]
    assert ("mine.csv" in message, expected in message, len(app.exception)) == (True, True, 0)
