"""Slippage, turnover and accuracy."""

from decimal import Decimal

import pytest
from domain import book, model

from driftdesk.engine.drift import measure_drift
from driftdesk.engine.measures import accuracy, one_way_turnover, slippage_bps
from driftdesk.engine.snapshot import Side


@pytest.mark.parametrize(
    ("fill", "side", "bps"),
    [("100.05", Side.BUY, "5"), ("99.95", Side.BUY, "-5"), ("99.95", Side.SELL, "5"), ("100", Side.SELL, "0")],
)
def test_slippage_is_positive_when_it_costs(fill: str, side: Side, bps: str) -> None:
    """Against a plan's price of 100; paying more and getting less are both cost."""
    assert Decimal(bps) == slippage_bps(Decimal(fill), Decimal(100), side)


def test_turnover_counts_a_switch_once() -> None:
    """Selling 100 and buying 100 of 1000 turns over a tenth."""
    assert Decimal("0.1") == one_way_turnover([Decimal(100), Decimal(100)], Decimal(1000))


@pytest.mark.parametrize(
    ("account", "expected"),
    [("cash 0 | SPY 60@1 | TLT 40@1", "1"), ("cash 0 | SPY 70@1 | TLT 30@1", "0.9"), ("cash 1 | SPY @1 | TLT @1", "0")],
)
def test_accuracy_is_the_part_of_equity_in_its_place(account: str, expected: str) -> None:
    """60 / 40: ten points over here are ten under there, counted once."""
    assert Decimal(expected) == accuracy(measure_drift(book(account), model("SPY 60 | TLT 40")))
