"""Numbers as people type them (rules.md 1.1): what is read, and what is refused instead of guessed."""

from decimal import Decimal

import pytest

from driftdesk import InputError, read_number


@pytest.mark.parametrize(
    ("number", "typed"),
    [
        ("1234.5", "1234.50"),
        ("1234.5", " $1,234.50 "),
        ("1234567", "1,234,567"),
        ("-5", "-$5"),
        ("0.5", ".5"),
        ("7", "7."),
    ],
)
def test_a_number_as_people_write_it(number: str, typed: str) -> None:
    """A dollar sign and separated thousands change nothing."""
    assert Decimal(number) == read_number(typed, "The amount")


@pytest.mark.parametrize(
    "typed", ["1,5", "1,23", "12,34.5", "1,2345", "1.234,50", "1e3", "inf", "ten", "\u0661", "1 000"]
)
def test_a_comma_is_never_a_decimal_point(typed: str) -> None:
    """1,5 is neither 15 nor 1.5: it is refused with what was typed and how to write it."""
    with pytest.raises(
        InputError, match=r"^The amount is .* which is not a number; write one as 1234\.50\.$"
    ) as refused:
        read_number(typed, "The amount", field="amount")
    assert ("amount", typed) == (refused.value.field, refused.value.received)


@pytest.mark.parametrize("typed", ["1" * 13, "1" * 70, "9" * 5000, "0." + "1" * 70])
def test_a_number_too_wide_is_one_short_sentence(typed: str) -> None:
    """Seventy digits are a slip of the hand; the sentence does not repeat all of them."""
    with pytest.raises(InputError) as refused:
        read_number(typed, "The amount")
    assert len(str(refused.value)) < 200


def test_nothing_typed_is_missing() -> None:
    """Blank is not zero."""
    with pytest.raises(InputError, match=r"The amount is missing\."):
        read_number("  ", "The amount")
