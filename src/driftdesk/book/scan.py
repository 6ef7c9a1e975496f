"""Drift of a whole book against its bands: float64 for all rows, whole numbers for those near an edge (rules.md 3).

With value v and equity E in 1e-13 USD, half width h and target t as fractions, a row uses u = |v / (E h) - t / h| of
its band; it is breached when u > 1, strictly. The scan computes u in float64, where each operation is off by at most a
factor 1 + e, e = 2**-53 (the slack below covers higher powers). Counted along the way of one row of an account of H
holdings that owes nothing:

    c = price x (1e8 / eff)       2e         the price is below 2**34, so it is a float itself; a division, a product
    w = quantity x c             +2e         the quantity becomes a float; a product
    E = sum of w x eff / 1e8     (H + 8)e    terms of 6e, none negative, so that sums of H + 2 of them add H + 2
    V = w / E                    (H + 14)e   a division and a product
    s = target x 1e4 / eff        1e
    V - s                        +1e         of the result

So the computed u is off by at most (H + 14)e V + e s + e u. As V <= u + s, that is (H + 15)e (u + s) at most, up to
higher powers. Cash goes the same way with 1e11 for its price. With

    margin = (H + 32) 2e (1 + s) = (H + 32) 2**-52 (1 + s)

a computed u above 1 + margin can only come from a true one above 1, and one below 1 - margin only from one below 1: for
a true u <= 1 a computed one above 1 + margin would be off by more than (2H + 64)e (1 + s), and for a true u > 1 to come
down below 1 - margin it would have to be off by u - 1 more than that. The largest H and s of the book serve all rows.
Rows between the two are decided exactly,

    |v x 1e8 - target x 1e4 x E| > eff x E        in Python's unbounded integers,

so every row is decided exactly, and the float decides only what it can (rules.md 1.1, 3.8). Where cash is owed, terms
of both signs meet in the sum, and E may be off by any factor. Those accounts are computed a second time, with the exact
equity cents x 1e11 + rest: E within 2e, V = w x (1 / E) within 8e, |V| <= u + s, so that 16e (1 + s) would suffice by
the same words; the larger margin is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from driftdesk.book.batch import Batch, batches, table
from driftdesk.book.columns import Block, Columns, Finding, snapshot_at, value_of
from driftdesk.book.exact import CENT, WHOLE, Bools, Floats, Ints, whole_and_rest
from driftdesk.book.model import BAND_UNIT
from driftdesk.engine.drift import check_equity
from driftdesk.errors import DataError

# The float just above 1: the least share of a band that a breach can show.
_JUST_OUTSIDE: Final = float(np.nextafter(1.0, 2.0))


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What a scan found, by account number [N] of its columns.

    Exact: `cents` and `rest` int64, equity = cents x 0.01 + rest x 1e-13 USD, 0 <= rest < a cent; `triggered` bool; the
    breaches, int64 [b] by account and row: `breach_account` (ascending), `breach_row` (row of the block's model, the
    last being cash). float64: `band_used`, the largest share of a band used, above 1 exactly where the account is
    triggered, nan where nothing has a band. Accounts whose equity is not above zero are `findings`; they have no
    band_used, no breach and are not triggered.
    """

    columns: Columns
    cents: Ints
    rest: Ints
    band_used: Floats
    triggered: Bools
    breach_account: Ints
    breach_row: Ints
    findings: tuple[Finding, ...]

    def block_of(self, number: int) -> slice:
        """The account numbers of block `number`."""
        start = self.columns.starts[number]
        return slice(start, start + self.columns.blocks[number].size)

    def weights(self, number: int) -> Floats:
        """Actual weights float64 [h + 1, n] of block `number`, as fractions of equity; nan where equity is not above 0.

        They are computed when asked for: stored for every row, they would be as large as the book.
        """
        block, part = self.columns.blocks[number], self.block_of(number)
        inverse = inverse_of(self.cents[part], self.rest[part])
        weights = np.empty((block.model.height + 1, block.size))
        np.multiply(block.quantity, block.price.astype(np.float64), out=weights[:-1])
        np.multiply(block.cash, float(CENT), out=weights[-1])
        weights *= inverse
        return weights

    def drifts(self, number: int) -> Floats:
        """Signed drifts float64 [h + 1, n] of block `number`, actual less target weight, as fractions of equity."""
        drifts: Floats = self.weights(number) - (self.columns.blocks[number].model.target / WHOLE)[:, np.newaxis]
        return drifts

    def shares(self, number: int) -> Floats:
        """Shares of their band used, float64 [h + 1, n], of block `number`; nan where a row has no band."""
        model = self.columns.blocks[number].model
        widths = np.where(model.eff > 0, model.width, np.nan)
        shares: Floats = np.abs(self.drifts(number)) / widths[:, np.newaxis]
        return shares

    def breached(self, number: int) -> Bools:
        """Exactly which rows are outside their band, bool [h + 1, n], of block `number` (rules.md 3.3)."""
        block, part = self.columns.blocks[number], self.block_of(number)
        flags = np.zeros((block.model.height + 1, block.size), np.bool_)
        some = slice(*np.searchsorted(self.breach_account, (part.start, part.stop)))
        flags[self.breach_row[some], self.breach_account[some] - part.start] = True
        return flags


def scan(columns: Columns) -> Scan:
    """Equity, breaches and triggers of every account, exact; shares of bands in float64 (rules.md 3).

    It agrees with `measure_drift` on every account, also exactly at the edge. Accounts with an equity that is not above
    zero become findings with the engine's sentence; nothing is raised.
    """
    margin = _margin(columns)
    cents, rest, used, rows = _all_rows(columns, 1.0 - margin)
    banded = np.repeat(np.array([block.model.banded for block in columns.blocks], np.bool_), _sizes(columns))
    owing = columns.cash < 0
    again = [
        _owing_rows(columns, batch, (cents, rest), used) for batch in batches(columns, np.flatnonzero(owing & banded))
    ]
    near = _joined([rows.of(~owing[rows.account]), *(some.of(some.share >= 1.0 - margin) for some in again)])
    breached = near.share > 1.0 + margin
    for place in np.flatnonzero(~breached).tolist():
        breached[place] = _is_breached(columns, int(near.account[place]), int(near.row[place]), cents, rest)
    breaches = near.of(breached)
    breaches = breaches.of(np.lexsort((breaches.row, breaches.account)))
    triggered = np.zeros(columns.size, np.bool_)
    triggered[breaches.account] = True
    # The float of an account on its very edge may lie on either side of 1; the decision does not.
    used = np.where(triggered, np.maximum(used, _JUST_OUTSIDE), np.minimum(used, 1.0))
    findings = (*columns.findings, *no_equity(columns, cents, rest))
    return Scan(columns, cents, rest, used, triggered, breaches.account, breaches.row, findings)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of accounts: account numbers, rows of their models, computed shares of their bands."""

    account: Ints
    row: Ints
    share: Floats

    def of(self, chosen: Bools | Ints) -> "_Rows":
        return _Rows(self.account[chosen], self.row[chosen], self.share[chosen])


def _joined(parts: Sequence[_Rows]) -> _Rows:
    return _Rows(
        np.concatenate([part.account for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.share for part in parts]),
    )


def _sizes(columns: Columns) -> list[int]:
    return [block.size for block in columns.blocks]


def _margin(columns: Columns) -> float:
    """The margin of the file's first lines, for the most holdings and the longest reach of the book."""
    models = [block.model for block in columns.blocks]
    reach = max((float(model.reach.max()) for model in models), default=0.0)
    height = max((model.height for model in models), default=0)
    beside = np.bincount(columns.outside.account, minlength=1).max()
    return (height + int(beside) + 32) * 2.0**-52 * (1.0 + reach)


def _all_rows(columns: Columns, threshold: float) -> tuple[Ints, Ints, Floats, _Rows]:
    """Equity in cents and rest and the largest share used by account, and the rows with shares from `threshold` on.

    The equity is exact; the shares of accounts that owe cash are not to be trusted.
    """
    cash, outside = columns.cash, columns.outside
    wrapped = cash * CENT
    near: Floats = np.multiply(cash, float(CENT), dtype=np.float64)
    np.add.at(wrapped, outside.account, outside.quantity * outside.price)
    np.add.at(near, outside.account, outside.quantity.astype(np.float64) * outside.price)
    used = np.full(columns.size, np.nan)
    found: list[_Rows] = []
    # An account without anything has 0 / 0 of its band in use, which is nan and says so.
    with np.errstate(divide="ignore", invalid="ignore"):
        for block, start in zip(columns.blocks, columns.starts, strict=True):
            model = block.model
            scale, reach = model.scale[:-1, np.newaxis], model.reach[:-1, np.newaxis]
            for part in block.parts():
                here, quantity, price = slice(start + part.start, start + part.stop), *block.lots(part)
                wrapped[here] += value_of(quantity, price)
                shares = quantity.astype(np.float64)
                shares *= price * scale
                near[here] += model.width[:-1] @ shares
                if model.banded:
                    shares *= 1.0 / near[here]
                    shares -= reach
                    np.abs(shares, out=shares)
                    shares.max(axis=0, initial=0.0, out=used[here])
                    # Most accounts are well inside: only the others are looked at row by row.
                    suspects = np.flatnonzero(used[here] >= threshold)
                    some = shares.take(suspects, axis=1)
                    row, place = (some >= threshold).nonzero()
                    found.append(_Rows(suspects[place] + here.start, row, some[row, place]))
        found.append(_cash_rows(columns, near, used, threshold))
    cents, rest = whole_and_rest(near / CENT, wrapped, CENT)
    return cents, rest, used, _joined(found)


def _cash_rows(columns: Columns, near: Floats, used: Floats, threshold: float) -> _Rows:
    """The cash rows with shares from `threshold` on; `near` is the equity, `used` is raised to the shares."""
    models, sizes = [block.model for block in columns.blocks], _sizes(columns)
    scale = np.repeat(np.array([model.scale[-1] * model.cash_banded for model in models], np.float64), sizes)
    reach = np.repeat(np.array([model.reach[-1] * model.cash_banded for model in models], np.float64), sizes)
    rows = np.repeat(np.array([model.height for model in models], np.int64), sizes)
    shares = np.abs(columns.cash * (float(CENT) * scale) / near - reach)
    np.maximum(used, shares, out=used)
    chosen = np.flatnonzero(shares >= threshold)
    return _Rows(chosen, rows[chosen], shares[chosen])


def _owing_rows(columns: Columns, batch: Batch, equity: tuple[Ints, Ints], used: Floats) -> _Rows:
    """All rows with a band of the accounts in `batch`, computed with their exact equity.

    `equity` in cents and rest, and `used`, by account number; `used` gets the largest shares, nan without equity.
    """
    models = [block.model for block in columns.blocks]
    scale = table([model.scale * (model.eff > 0) for model in models])[:, batch.block]
    reach = table([model.reach * (model.eff > 0) for model in models])[:, batch.block]
    shares = np.vstack([batch.quantity * (batch.price * scale[:-1]), batch.cash * (float(CENT) * scale[-1])])
    shares *= inverse_of(equity[0][batch.numbers], equity[1][batch.numbers])
    shares -= reach
    np.abs(shares, out=shares)
    used[batch.numbers] = shares.max(axis=0)
    row, place = (scale > 0).nonzero()
    heights = np.array([model.height for model in models])[batch.block[place]]
    return _Rows(batch.numbers[place], np.where(row == len(shares) - 1, heights, row), shares[row, place])


def _is_breached(columns: Columns, account: int, row: int, cents: Ints, rest: Ints) -> bool:
    """Whether the row is outside its band, decided in whole numbers of any size (rules.md 3.3)."""
    block, position = columns.locate(account)
    equity = int(cents[account]) * CENT + int(rest[account])
    return abs(excess_of(block, position, row, equity)) > int(block.model.eff[row]) * equity


def no_equity(columns: Columns, cents: Ints, rest: Ints) -> tuple[Finding, ...]:
    """The engine's sentence for every account of `columns` whose equity (cents, rest) is not above zero."""
    return tuple(_poor(*columns.locate(int(account))) for account in np.flatnonzero(~above_zero(cents, rest)))


def above_zero(cents: Ints, rest: Ints) -> Bools:
    """Whether the equity is above zero, exactly."""
    above: Bools = (cents > 0) | ((cents == 0) & (rest > 0))
    return above


def _poor(block: Block, position: int) -> Finding:
    snapshot = snapshot_at(block, position, datetime(1970, 1, 1, tzinfo=UTC))
    try:
        check_equity(snapshot)
    except DataError as refusal:
        return Finding(snapshot.account_id, str(refusal))
    raise AssertionError(f"the engine finds equity in account {snapshot.account_id}")


def inverse_of(cents: Ints, rest: Ints) -> Floats:
    """1 / equity in 1 / 1e-13 USD; nan where equity is not above zero."""
    equity = cents * float(CENT) + rest
    return 1.0 / np.where(above_zero(cents, rest), equity, np.nan)


def excess_of(block: Block, position: int, row: int, equity: int) -> int:
    """value - target x equity of a row of the account at `position`, in 1e-21 USD; `equity` in 1e-13 USD."""
    if row == block.model.height:
        value = int(block.cash[position]) * CENT
    else:
        value = int(block.quantity[row, position]) * int(block.price[row, position % block.price.shape[1]])
    return value * BAND_UNIT - int(block.model.target[row]) * WHOLE * equity
