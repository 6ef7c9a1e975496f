"""Decimals: parsing, flooring, rounding and writing them."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from driftdesk.errors import InputError
from driftdesk.money import (
    cash_of,
    floor_cents,
    floor_quantity,
    format_decimal,
    fraction_to_percent,
    from_scaled,
    parse_decimal,
    parse_percent,
    percent_to_fraction,
    quantity_of,
    round_cents,
    round_price,
    to_scaled,
)

ANSWERS = Path(__file__).parent / "answers" / "fills.csv"
FILLS = list(csv.DictReader(ANSWERS.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize("fill", FILLS, ids=[f"{fill['notional']}@{fill['price']}" for fill in FILLS])
def test_a_notional_buys_the_floored_quantity(fill: dict[str, str]) -> None:
    """The seed's two fills and others worked by hand: quantity floored at 9 decimals, cash half-up to the cent."""
    quantity = quantity_of(Decimal(fill["notional"]), Decimal(fill["price"]))
    assert Decimal(fill["quantity"]) == quantity
    assert Decimal(fill["cash"]) == cash_of(quantity, Decimal(fill["price"]))


@pytest.mark.parametrize(
    ("function", "number", "expected"),
    [
        (floor_cents, "12.349", "12.34"),
        (floor_cents, "-12.341", "-12.35"),
        (round_cents, "12.345", "12.35"),
        (round_cents, "-12.345", "-12.35"),
        (round_cents, "12.3449", "12.34"),
        (round_price, "1.00005", "1.0001"),
        (round_price, "1.00004", "1.0000"),
        (floor_quantity, "0.0000000019", "0.000000001"),
        (percent_to_fraction, "12.5", "0.125"),
        (fraction_to_percent, "0.125", "12.5"),
    ],
)
def test_numbers_keep_their_places(function: object, number: str, expected: str) -> None:
    """Each unit is cut or rounded at its own number of decimals, exactly."""
    assert Decimal(expected) == function(Decimal(number))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("5.00", "5"),
        ("1E+2", "100"),
        ("0.10", "0.1"),
        ("-0.00", "0"),
        ("0E+3", "0"),
        ("120", "120"),
        ("1E-9", "0.000000001"),
    ],
)
def test_decimal_text_is_plain(number: str, text: str) -> None:
    """No exponent, no trailing zeros, no negative zero."""
    assert text == format_decimal(Decimal(number))


@pytest.mark.parametrize("value", ["5", "5.0", "5.00", 5, Decimal("5.00"), " 5 "], ids=repr)
def test_a_percent_may_come_in_many_spellings(value: object) -> None:
    """Text, whole number and Decimal mean the same percent."""
    assert Decimal(5) == parse_percent(value)


@pytest.mark.parametrize("value", ["0", "-1", "5.001", "abc", "", "NaN", "Infinity", 5.5, None, True], ids=repr)
def test_a_percent_is_refused_not_rounded(value: object) -> None:
    """What is not a positive percent with two decimals is refused with the name of its field."""
    with pytest.raises(InputError, match=r"weights\[1\]\.percent must be") as refusal:
        parse_percent(value, field="weights[1].percent")
    assert refusal.value.field == "weights[1].percent"


def test_a_float_is_refused_as_money() -> None:
    """The decimal text of a float is already lost when it arrives."""
    with pytest.raises(InputError, match=r"cash must be a decimal, as text or a whole number; received 0\.1"):
        parse_decimal(0.1, field="cash")


@pytest.mark.parametrize(("number", "decimals", "count"), [("12.34", 2, 1234), ("-0.0001", 4, -1), ("7", 9, 7 * 10**9)])
def test_scaled_integers_go_there_and_back(number: str, decimals: int, count: int) -> None:
    """A scaled integer is the number and nothing less."""
    assert count == to_scaled(Decimal(number), decimals)
    assert Decimal(number) == from_scaled(count, decimals)


def test_scaling_refuses_to_lose_a_digit() -> None:
    """A number with more decimals than the scale has is an error, not a rounding."""
    with pytest.raises(ValueError, match=r"0\.001 has more than 2 decimals"):
        to_scaled(Decimal("0.001"), 2)
