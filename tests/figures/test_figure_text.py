"""How numbers, times and codes read to a person, and what a spreadsheet gets."""

from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest

from driftdesk.figures import csv_text, file_name, money, new_york, percent, same_time_later, signed_points, utc, words
from driftdesk.figures.text import of_band, percent_cell, points, share, wall


@pytest.mark.parametrize(
    ("expected", "amount", "cents"),
    [
        ("$0.00", "0", True),
        ("$1,234.50", "1234.5", True),
        ("−$0.01", "-0.005", True),
        ("$2,487,311", "2487310.55", False),
    ],
)
def test_money_has_separators_and_a_true_minus(expected: str, amount: str, cents: bool) -> None:
    """Cents are half-up, the sign stands before the dollar sign."""
    assert expected == money(Decimal(amount), cents=cents)


@pytest.mark.parametrize(
    ("expected", "drift"), [("+1.64 pp", "0.0164"), ("−4.09 pp", "-0.0409"), ("0.00 pp", "0.00004"), ("0.00 pp", "0")]
)
def test_drift_is_signed_in_points(expected: str, drift: str) -> None:
    """A drift that rounds to nothing has no sign."""
    assert expected == signed_points(Decimal(drift))


@pytest.mark.parametrize(
    ("expected", "used"),
    [
        ("1,200%", "12"),
        ("164%", "1.635"),
        (">100%", "1.0001"),
        ("100%", "1"),
        ("<100%", "0.9999"),
        ("0%", "0"),
    ],
)
def test_rounding_never_hides_the_side_of_the_edge(expected: str, used: str) -> None:
    """Exactly the edge reads 100%; a breath outside or inside it does not."""
    assert expected == of_band(Decimal(used))


def test_without_a_band_there_is_a_dash() -> None:
    """A holding without a target has no band to use."""
    assert of_band(None) == "–"


def test_percents_of_fractions() -> None:
    """0.1 + 0.2 of a third: four decimals in a table, a rounded float in a chart."""
    third = Decimal(1) / Decimal(3)
    assert percent(third) == "33.33%"
    assert percent(Decimal("-0.005"), 0) == "−1%"
    assert Decimal("33.3333") == percent_cell(third)
    assert percent_cell(None) is None
    assert points(third) == 33.3333
    assert Decimal("66.67") == share(Decimal(2), Decimal(3))
    assert share(Decimal(0), Decimal(0)) is None


@pytest.mark.parametrize(
    ("expected", "instant"),
    [
        ("2026-03-07 15:30", datetime(2026, 3, 7, 20, 30, tzinfo=UTC)),
        ("2026-03-09 15:30", datetime(2026, 3, 9, 19, 30, tzinfo=UTC)),
        ("2026-10-30 15:30", datetime(2026, 10, 30, 19, 30, tzinfo=UTC)),
        ("2026-11-02 15:30", datetime(2026, 11, 2, 20, 30, tzinfo=UTC)),
    ],
)
def test_times_are_new_york_times_on_both_sides_of_a_change(expected: str, instant: datetime) -> None:
    """Summer time began on 8 March and ended on 1 November 2026: half past three stays half past three."""
    assert expected == new_york(instant)
    assert expected.replace(" ", "T") + ":00" == wall(instant)


def test_utc_is_named() -> None:
    """What is shown when an instant is pointed at."""
    assert utc(datetime(2026, 11, 20, 20, 59, tzinfo=UTC)) == "2026-11-20 20:59:00 UTC"


@pytest.mark.parametrize(
    ("expected", "start", "days", "months"),
    [
        (datetime(2026, 3, 8, 19, 30, tzinfo=UTC), datetime(2026, 3, 7, 20, 30, tzinfo=UTC), 1, 0),
        (datetime(2026, 11, 1, 20, 30, tzinfo=UTC), datetime(2026, 10, 31, 19, 30, tzinfo=UTC), 1, 0),
        (datetime(2026, 2, 28, 20, 30, tzinfo=UTC), datetime(2026, 1, 31, 20, 30, tzinfo=UTC), 0, 1),
        (datetime(2027, 1, 15, 20, 30, tzinfo=UTC), datetime(2026, 12, 15, 20, 30, tzinfo=UTC), 0, 1),
    ],
)
def test_a_day_or_a_month_later_is_the_same_time_of_day(
    expected: datetime, start: datetime, days: int, months: int
) -> None:
    """The wall time stays over a change of clocks; a day that its month does not have is the month's last."""
    assert expected == same_time_later(start, days=days, months=months)


def test_codes_become_words() -> None:
    """COMPLETED_SUCCESS is for machines."""
    assert (words("COMPLETED_SUCCESS"), words("api"), words("")) == ("Completed success", "API", "")


def test_a_csv_cell_cannot_become_a_formula() -> None:
    """Text that begins like a formula is quoted; a negative number stays a number."""
    frame = pd.DataFrame({"Name": ["=1+1", "@cmd", "-2", "Alder"], "Drift": [Decimal("-4.09"), 1, 2, 3]})
    assert csv_text(frame) == "Name,Drift\n'=1+1,-4.09\n'@cmd,1\n'-2,2\nAlder,3\n"


def test_a_file_is_named_after_what_it_holds() -> None:
    """Only letters, digits and hyphens, whatever a person called the account."""
    assert file_name("drift", "Cedar, Ann & Paul") == "drift-cedar-ann-paul.csv"
