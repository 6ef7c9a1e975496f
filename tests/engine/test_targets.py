"""Target weights as they are accepted or refused."""

from decimal import Decimal

import pytest
from domain import bands, model

from driftdesk.engine.snapshot import CASH, Symbol
from driftdesk.engine.targets import CalendarKind, CalendarRule, Portfolio, Target, parse_targets
from driftdesk.errors import InputError


def test_weights_are_fractions_in_the_order_given() -> None:
    """The seed's Balanced portfolio: cash 5, SPY 60, TLT 35."""
    targets = model("cash 5 | SPY 60 | TLT 35")
    assert targets.weights == (
        Target(CASH, Decimal("0.05")),
        Target(Symbol("SPY"), Decimal("0.60")),
        Target(Symbol("TLT"), Decimal("0.35")),
    )
    assert targets.symbols == ("SPY", "TLT")
    assert targets.cash_listed
    assert targets.weight(Symbol("GLD")) == 0


def test_cash_that_is_not_listed_has_no_target() -> None:
    """A portfolio without a cash weight wants no cash and has no cash band."""
    targets = model("SPY 60 | TLT 40")
    assert targets.cash == 0
    assert not targets.cash_listed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("SPY 60 | TLT 39.99", r"weights must sum to exactly 100\.00 percent; they sum to 99\.99"),
        ("SPY 60 | TLT 40.01", r"they sum to 100\.01"),
        ("SPY 60 | SPY 40", r"weights\[1\] repeats SPY"),
        ("cash 60 | cash 40", r"weights\[1\] repeats cash"),
        ("SPY 100 | TLT 0", r"weights\[1\]\.percent must be positive"),
        ("SPY 99.999 | TLT 0.001", r"weights\[0\]\.percent must be positive with at most two decimals"),
    ],
)
def test_weights_that_break_a_rule_are_refused(text: str, sentence: str) -> None:
    """Each refusal is one sentence that names the field."""
    with pytest.raises(InputError, match=sentence):
        model(text)


def test_no_weights_are_no_portfolio() -> None:
    """An empty list sums to zero."""
    with pytest.raises(InputError, match="they sum to 0"):
        parse_targets([])


def test_a_portfolio_tells_its_bands_from_its_calendar() -> None:
    """Conditions of both types stand in one list."""
    monthly = CalendarRule(CalendarKind.MONTHLY, "15")
    portfolio = Portfolio("p", "Balanced", model("SPY 100"), (*bands("abs 5"), monthly, *bands("rel 20")))  # type: ignore[arg-type]
    assert portfolio.bands == bands("abs 5, rel 20")
    assert portfolio.calendar == monthly
