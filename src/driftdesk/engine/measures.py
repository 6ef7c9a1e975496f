"""Figures about plans, fills and reports that pages and notebooks show."""

from collections.abc import Iterable
from decimal import Decimal

from driftdesk.engine.drift import DriftReport
from driftdesk.engine.snapshot import Side
from driftdesk.money import BASIS_POINTS, ONE, ZERO, exact


@exact
def slippage_bps(fill_price: Decimal, reference_price: Decimal, side: Side) -> Decimal:
    """Fill against the plan's price in basis points of the plan's price; positive is cost for either side.

    `reference_price` must be above zero.
    """
    paid_more = fill_price - reference_price if side is Side.BUY else reference_price - fill_price
    return paid_more * BASIS_POINTS / reference_price


@exact
def one_way_turnover(traded: Iterable[Decimal], equity: Decimal) -> Decimal:
    """Half the traded value (USD, buys and sells) over equity (USD, above zero), a fraction (rules.md 6.6)."""
    return sum((abs(notional) for notional in traded), ZERO) / 2 / equity


@exact
def accuracy(report: DriftReport) -> Decimal:
    """1 - half the sum of |drift|: the fraction of equity that is where the targets want it; 1 is on target."""
    return ONE - sum((abs(row.drift) for row in report.rows), ZERO) / 2
