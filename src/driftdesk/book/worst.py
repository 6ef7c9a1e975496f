"""The row that each account should be looked at for: the one that uses most of its band."""

from fractions import Fraction

import numpy as np

from driftdesk.book.columns import Block
from driftdesk.book.exact import CENT, Ints
from driftdesk.book.scan import Scan, excess_of

# Shares this close, relative to 1 + share + target / half width, may be equal: counted as in scan.py, `Scan.shares` is
# off by at most 9 * 2**-53 of that, and two of them are compared.
_NEAR = 2.0**-47


def worst_rows(scan: Scan) -> Ints:
    """The worst row of every account [N], as a row of its block's model (the last is cash); -1 where none has a band.

    The first row of the engine's report: largest share of a band used, then |drift|, then symbol. Ties are frequent
    (the two assets of a 60/40 portfolio drift by the same amount); rows that are close are compared exactly.
    """
    rows = np.full(scan.columns.size, -1, np.int64)
    for number, block in enumerate(scan.columns.blocks):
        part = scan.block_of(number)
        if block.model.banded:
            rows[part] = _worst_rows(scan, number, block)
    rows[np.isnan(scan.band_used)] = -1
    return rows


def _worst_rows(scan: Scan, number: int, block: Block) -> Ints:
    model, start = block.model, scan.block_of(number).start
    shares = np.where(np.isnan(scan.shares(number)), -1.0, scan.shares(number))
    best = shares.max(axis=0)
    close = shares >= best - _NEAR * (1.0 + float(model.reach.max()) + np.abs(best))
    rows: Ints = np.argmax(close, axis=0)
    for position in np.flatnonzero(close.sum(axis=0) > 1).tolist():
        equity = int(scan.cents[start + position]) * CENT + int(scan.rest[start + position])
        rows[position] = _first(block, position, equity, np.flatnonzero(close[:, position]).tolist())
    return rows


def _first(block: Block, position: int, equity: int, candidates: list[int]) -> int:
    """The candidate that the engine's report lists first."""
    excess = {row: abs(excess_of(block, position, row, equity)) for row in candidates}
    names = block.model.names
    return min(
        (row for row in candidates if block.model.eff[row] > 0),
        key=lambda row: (-Fraction(excess[row], int(block.model.eff[row])), -excess[row], names[row]),
    )
