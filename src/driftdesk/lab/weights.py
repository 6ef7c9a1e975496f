"""How the weights of an account drift between two closes, in floating point, with the edges of bands decided exactly.

An account at target at one close is worth, at a later one, its cash plus weight x price relative of each asset; that
sum is the growth. Nothing else of the past matters, neither value nor number of trades: this is what lets policies
share their drift (sweep.py).

Whether |drift| is strictly greater than a band (rules.md 3.3) is computed in floats with an error below 1e-13 for up to
hundreds of symbols. Within MARGIN of the edge it is decided exactly instead, on prices as the decimal numbers that they
print as: the answer of engine/drift.py for an account with these very weights (rules.md 3.8).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from driftdesk.engine.drift import governing_band
from driftdesk.engine.snapshot import CASH
from driftdesk.engine.targets import Targets
from driftdesk.errors import InputError
from driftdesk.lab.paths import PriceHistory
from driftdesk.lab.policy import Policy
from driftdesk.money import ZERO, as_float

MARGIN: Final = 1e-12


@dataclass(frozen=True, slots=True)
class PerTarget:
    """A fraction of equity for each asset, in the order of the targets, and one for cash."""

    assets: tuple[float, ...]
    cash: float


@dataclass(frozen=True, slots=True)
class Drifted:
    """An account at the closes `now` that was at target at the closes `before` (one close per asset): the `values` of
    its assets and its `growth`, both per 1 of value then.
    """

    before: Sequence[float]
    now: Sequence[float]
    values: tuple[float, ...]
    growth: float


def weights_of(targets: Targets) -> PerTarget:
    """The target weights."""
    return PerTarget(tuple(as_float(targets.weight(symbol)) for symbol in targets.symbols), as_float(targets.cash))


def half_widths_of(policy: Policy) -> PerTarget:
    """Half widths of the governing bands, infinite where there is none: no band, or no target (rules.md 3.4, 3.6)."""

    def half_width(weight: Decimal) -> float:
        band = governing_band(weight, policy.bands) if weight > ZERO else None
        return math.inf if band is None else as_float(band.half_width)

    targets = policy.targets
    return PerTarget(tuple(half_width(targets.weight(symbol)) for symbol in targets.symbols), half_width(targets.cash))


def symbol_columns(targets: Targets, history: PriceHistory) -> list[int]:
    """The columns of `history.closes` in the order of the targets; raises InputError naming what it does not have."""
    missing = [symbol for symbol in targets.symbols if symbol not in history.symbols]
    if missing:
        raise InputError(
            f"The price history has no {', '.join(missing)}; it has {', '.join(history.symbols)}.",
            field="targets",
            received=missing,
            allowed=", ".join(history.symbols),
        )
    return [history.symbols.index(symbol) for symbol in targets.symbols]


def drift(weights: PerTarget, before: Sequence[float], now: Sequence[float]) -> Drifted:
    """An account from target at the closes `before` to the closes `now`.

    The sum runs in the order of the targets, here and in the sweep, so that both give the same bits.
    """
    values = tuple(close * (weight / start) for weight, start, close in zip(weights.assets, before, now, strict=True))
    growth = weights.cash
    for value in values:
        growth += value
    return Drifted(before, now, values, growth)


def traded(weights: PerTarget, account: Drifted) -> tuple[float, float]:
    """What trading back to target buys and sells, cash not counted, and its one-way turnover, cash counted.

    Both as fractions of the account's present value (rules.md 10).
    """
    assets = 0.0
    for value, weight in zip(account.values, weights.assets, strict=True):
        assets += abs(value / account.growth - weight)
    return assets, (assets + abs(weights.cash / account.growth - weights.cash)) / 2


def is_outside(policy: Policy, weights: PerTarget, half_widths: PerTarget, account: Drifted) -> bool:
    """Whether a holding of `account` is outside its band, strictly (rules.md 3.3)."""
    values = (*account.values, weights.cash)
    targets = (*weights.assets, weights.cash)
    near = False
    for value, target, half_width in zip(values, targets, (*half_widths.assets, half_widths.cash), strict=True):
        excess = abs(value / account.growth - target) - half_width
        if excess > MARGIN:
            return True
        near = near or excess >= -MARGIN
    return near and is_outside_exactly(policy, account.before, account.now)


def is_outside_exactly(policy: Policy, before: Sequence[float], now: Sequence[float]) -> bool:
    """Whether a holding is outside its band at the closes `now` after being at target at `before`, without rounding.

    A close is the decimal number that it prints as: 61.8 is 618/10, not the binary fraction next to it.
    """
    targets = policy.targets
    starts = dict(zip(targets.symbols, map(_decimal, before), strict=True))
    ends = dict(zip(targets.symbols, map(_decimal, now), strict=True))
    values = {symbol: Fraction(targets.weight(symbol)) * ends[symbol] / starts[symbol] for symbol in targets.symbols}
    if targets.cash_listed:
        values[CASH] = Fraction(targets.cash)
    equity = sum(values.values(), Fraction(0))
    for symbol, value in values.items():
        target = targets.weight(symbol)
        band = governing_band(target, policy.bands)
        if band is not None and abs(value - Fraction(target) * equity) > Fraction(band.half_width) * equity:
            return True
    return False


def _decimal(close: float) -> Fraction:
    return Fraction(str(float(close)))
