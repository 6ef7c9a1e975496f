"""The drift chart: what stands where, which sign it carries, and what its words say."""

from decimal import Decimal
from typing import Any

import pytest
from domain import bands, book, model

from driftdesk.engine.drift import DriftReport, measure_drift
from driftdesk.figures import DARK, LIGHT, Scale, drift_alt, drift_figure, drift_table, near_edge

# E = 1000. SPY 70 % of 60 (+10), TLT 25 % of 35 (-10), cash at its 5 %; each band is 5 points.
BREACHED = measure_drift(book("cash 50 | SPY 7@100 | TLT 5@50"), model("cash 5 | SPY 60 | TLT 35"), bands("abs 5"))
# E = 1000. SPY uses 4.5 of its 5 points; XYZ is not in the portfolio; cash is not listed.
NEAR = measure_drift(book("cash 0 | SPY 645@1 | TLT 345@1 | XYZ 10@1"), model("SPY 60 | TLT 40"), bands("abs 5.5"))


def trace(report: DriftReport, name: str, scale: Scale = Scale.WEIGHT) -> Any:
    return next(part for part in drift_figure(report, scale).data if part.name == name)


def marks(report: DriftReport) -> dict[str, str]:
    current = trace(report, "current")
    return dict(zip(current.customdata, current.marker.symbol, strict=True))


def test_a_breach_points_away_from_its_band() -> None:
    """Over the band a triangle to the right in the sell colour, under it one to the left in the buy colour."""
    current = trace(BREACHED, "current")
    assert {"SPY": "triangle-right", "TLT": "triangle-left", "$CASH": "circle"} == marks(BREACHED)
    assert {"SPY": LIGHT.sell, "TLT": LIGHT.buy, "$CASH": LIGHT.neutral} == dict(
        zip(current.customdata, current.marker.color, strict=True)
    )


def test_near_the_edge_is_hollow_and_untargeted_is_a_cross() -> None:
    """SPY has used 82 % of its band, TLT all of it but no more; XYZ and cash have no target."""
    assert {"SPY": "diamond-open", "TLT": "diamond-open", "XYZ": "x", "$CASH": "x"} == marks(NEAR)
    assert {"SPY", "TLT"} == {row.symbol for row in NEAR.rows if near_edge(row)}


def test_four_fifths_of_a_band_is_not_yet_near() -> None:
    """Exactly 80 % is inside: the sign is for what is past it."""
    report = measure_drift(book("cash 0 | SPY 64@10 | TLT 36@10"), model("SPY 60 | TLT 40"), bands("abs 5"))
    assert {"circle"} == {mark for symbol, mark in marks(report).items() if symbol != "$CASH"}


@pytest.mark.parametrize(
    ("expected", "scale"),
    [
        ({"SPY": 70.0, "TLT": 25.0, "$CASH": 5.0}, Scale.WEIGHT),
        ({"SPY": 10.0, "TLT": -10.0, "$CASH": 0.0}, Scale.DRIFT),
        ({"SPY": 200.0, "TLT": -200.0, "$CASH": 0.0}, Scale.BAND_USED),
    ],
)
def test_three_scales_place_the_same_rows(expected: dict[str, float], scale: Scale) -> None:
    """Weight in percent, drift in points, and the share of the band used with the sign of the drift."""
    current = trace(BREACHED, "current", scale)
    assert expected == dict(zip(current.customdata, current.x, strict=True))


def test_bands_stand_behind_with_their_edges() -> None:
    """SPY may weigh 55 to 65 %, TLT 30 to 40 %, cash 0 to 10 %."""
    band = trace(BREACHED, "band")
    assert {"SPY": (55.0, 10.0), "TLT": (30.0, 10.0), "Cash": (0.0, 10.0)} == dict(
        zip(band.y, zip(band.base, band.x, strict=True), strict=True)
    )
    assert band.hoverinfo == "skip"


def test_a_band_below_zero_is_drawn_from_zero() -> None:
    """Cash of 2 % with a band of 5 points has nothing to the left of zero."""
    report = measure_drift(book("cash 20 | SPY 98@10"), model("cash 2 | SPY 98"), bands("abs 5"))
    band = trace(report, "band")
    assert (0.0, 7.0) == next(
        (base, width) for label, base, width in zip(band.y, band.base, band.x, strict=True) if label == "Cash"
    )


def test_what_has_no_band_has_no_place_on_the_scale_of_bands() -> None:
    """Untargeted rows keep their line and their numbers; no target tick stands at zero for them."""
    assert {"SPY", "TLT"} == set(trace(NEAR, "current", Scale.BAND_USED).customdata)
    assert {"SPY", "TLT"} == set(trace(NEAR, "target").y)
    assert ("TLT", "SPY", "XYZ", "Cash") == drift_figure(NEAR).layout.yaxis.categoryarray


def test_numbers_stand_beside_the_plot_with_breaches_bold() -> None:
    """True minus signs; the quiet rows are neither bold nor coloured."""
    notes = drift_figure(BREACHED, theme=DARK).layout.annotations
    texts = {note.text: note.font.color for note in notes}
    assert {"Drift", "Of band", "<b>+10.00 pp</b>", "<b>−10.00 pp</b>", "<b>200%</b>", "0.00 pp", "0%"} == set(texts)
    assert (DARK.sell, DARK.buy, DARK.muted) == (
        texts["<b>+10.00 pp</b>"],
        texts["<b>−10.00 pp</b>"],
        texts["0.00 pp"],
    )


def test_height_follows_the_rows() -> None:
    """68 pixels and 29 for each of three rows; nothing can be dragged or zoomed."""
    layout = drift_figure(BREACHED).layout
    assert (155, False, True) == (layout.height, layout.dragmode, layout.xaxis.fixedrange)


def test_the_table_has_the_same_numbers_exactly() -> None:
    """Percents with four decimals, the band in words, values in cents; cash has no quantity."""
    rows = drift_table(BREACHED).set_index("Symbol")
    assert ["SPY", "TLT", "Cash"] == list(rows.index)
    assert ("Over its band", Decimal(60), Decimal(70), Decimal(10), "5 pp", Decimal(200), Decimal(700)) == tuple(
        rows.loc["SPY", ["Status", "Target %", "Weight %", "Drift pp", "Band", "Band used %", "Value"]]
    )
    assert rows.loc["Cash", "Quantity"] is None
    assert "20% of target" in set(drift_table(measure_drift(*_relative()))["Band"])


def _relative() -> tuple[Any, Any, Any]:
    return book("cash 0 | SPY 64@10 | TLT 36@10"), model("SPY 60 | TLT 40"), bands("rel 20")


@pytest.mark.parametrize(
    ("expected", "report"),
    [
        (
            "2 of 3 holdings outside their bands: SPY over its target by 10.00 points, TLT under its target by 10.00 "
            "points.",
            BREACHED,
        ),
        ("All 2 holdings with a band are inside it; TLT is nearest to its edge, 100% of its band used.", NEAR),
        (
            "2 holdings without a band; drift is shown, nothing can be outside.",
            measure_drift(book("cash 0 | SPY 1@10"), model("SPY 100")),
        ),
    ],
)
def test_the_words_name_the_takeaway(expected: str, report: DriftReport) -> None:
    """Who cannot see the chart reads which holdings are outside, or which is nearest."""
    assert expected == drift_alt(report)
