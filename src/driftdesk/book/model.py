"""A portfolio as numbers that a column can be compared with: targets and bands of its rows.

One number per row, eff = min(absolute x 1e4, relative x target) in 1e-8 of equity, holds all drift bands of the
portfolio: they are ORed, so the tightest governs (rules.md 3.6), and it does not depend on the account.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from driftdesk.book.exact import WHOLE, Floats, Ints
from driftdesk.engine.snapshot import CASH, Symbol
from driftdesk.engine.targets import BandKind, Portfolio
from driftdesk.errors import DataError
from driftdesk.money import to_scaled

# The unit of eff and of everything it is compared with: 1e-8 of equity.
BAND_UNIT: Final = WHOLE * WHOLE
# A band of a million percent permits anything; wider ones would not fit beside the rest in 64 bits.
WIDEST_BAND: Final = 10**8


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The assets of a portfolio sorted by symbol, then cash: rows 0..h-1 and row h, whether cash is listed or not.

    `target` int64 [h + 1] in basis points (6000 is 60 percent), 0 for cash that is not listed. `eff` int64 [h + 1]: the
    band's half width in 1e-8 of equity, 0 where the row has no band. Derived from them, float64 [h + 1]: `width`, the
    half width as a fraction of equity (1 where there is none), `scale`, one over it, `reach`, the target in half
    widths. `banded`: whether any row has a band; `cash_banded`: whether cash has one, being listed (rules.md 3.4).
    """

    portfolio: Portfolio
    symbols: tuple[Symbol, ...]
    target: Ints
    eff: Ints
    width: Floats
    scale: Floats
    reach: Floats
    banded: bool
    cash_banded: bool

    @property
    def height(self) -> int:
        """Number of assets, h."""
        return len(self.symbols)

    @property
    def names(self) -> tuple[Symbol, ...]:
        """The symbol of every row, cash included."""
        return (*self.symbols, CASH)


def model_of(portfolio: Portfolio) -> Model:
    """`portfolio` in basis points. Calendar conditions are no business of a column and are left out.

    Raises DataError when the portfolio repeats a symbol, or a weight or band is not above zero, has more than two
    decimals (rules.md 1.2) or, a band, is wider than 1,000,000 percent.
    """
    weights = {target.symbol: target.weight for target in portfolio.targets.weights}
    if len(weights) < len(portfolio.targets.weights):
        raise DataError(f"Portfolio {portfolio.id} lists a symbol more than once; list each once.")
    symbols = tuple(sorted(symbol for symbol in weights if symbol != CASH))
    rows = (*symbols, CASH)
    try:
        target = [to_scaled(weights[symbol], 4) if symbol in weights else 0 for symbol in rows]
        bands = [(band.kind, to_scaled(band.percent, 2)) for band in portfolio.bands]
    except ValueError:
        raise DataError(
            f"Portfolio {portfolio.id} has a weight or band with more than two decimals of a percent."
        ) from None
    if any(not 0 < target[rows.index(symbol)] <= WHOLE for symbol in weights):
        raise DataError(f"Portfolio {portfolio.id} has a weight that is not above 0 and at most 100 percent.")
    if any(not 0 < width <= WIDEST_BAND for _, width in bands):
        raise DataError(f"Portfolio {portfolio.id} has a band that is not above 0 and at most 1,000,000 percent.")
    eff = np.array([_tightest(weight, bands) for weight in target], np.int64)
    points = np.array(target, np.int64)
    divisor = np.where(eff > 0, eff, BAND_UNIT).astype(np.float64)
    return Model(
        portfolio=portfolio,
        symbols=symbols,
        target=points,
        eff=eff,
        width=divisor / BAND_UNIT,
        scale=BAND_UNIT / divisor,
        reach=points * WHOLE / divisor,
        banded=bool(eff.any()),
        cash_banded=bool(eff[-1] > 0),
    )


def _tightest(target: int, bands: list[tuple[BandKind, int]]) -> int:
    """Half width in 1e-8 of equity of the tightest band around `target` basis points; 0 without target or band."""
    if target == 0:
        return 0
    widths = (width * (WHOLE if kind is BandKind.ABSOLUTE else target) for kind, width in bands)
    return min(widths, default=0)
