"""Some accounts of several blocks side by side, so that a few accounts of many models cost a few numpy operations.

The models differ in height; shorter ones are filled up with rows of no shares, no target and no band, which change
nothing. Cash stands in vectors of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from driftdesk.book.columns import Columns, Outside, accounts_at_once, value_of
from driftdesk.book.exact import CENT, Ints, whole_and_rest

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """S accounts, by account number ascending (`numbers` int64 [S]); `block` int64 [S] the number of each one's block.

    H rows of assets each: `quantity`, `price`, `target` int64 [H, S] as in `Block` and `Model`; `cash`, `cash_target`
    int64 [S]. `outside`: their holdings outside the model, `account` being the position in the batch.
    """

    numbers: Ints
    block: Ints
    quantity: Ints
    price: Ints
    target: Ints
    cash: Ints
    cash_target: Ints
    outside: Outside

    def equity(self) -> tuple[Ints, Ints]:
        """Exact equity by account [S]: whole cents, and a rest in 1e-13 USD from 0 to a cent (rules.md 3.1)."""
        wrapped = value_of(self.quantity, self.price) + self.cash * CENT
        near = np.einsum("kn,kn->n", self.price, self.quantity, dtype=np.float64) + self.cash * float(CENT)
        np.add.at(wrapped, self.outside.account, self.outside.quantity * self.outside.price)
        np.add.at(near, self.outside.account, self.outside.quantity.astype(np.float64) * self.outside.price)
        return whole_and_rest(near / CENT, wrapped, CENT)


def batches(columns: Columns, numbers: Ints) -> Iterator[Batch]:
    """The accounts `numbers`, ascending, in batches that fit the cache."""
    if len(numbers) == 0:
        return
    targets = table([block.model.target for block in columns.blocks])
    # Where accounts have prices of their own, they overwrite the column's first.
    prices = table([np.append(block.price[:, 0], 0) for block in columns.blocks])[:-1]
    cash, outside = columns.cash, columns.outside
    starts = np.array([*columns.starts, columns.size])
    for start in range(0, len(numbers), accounts_at_once(len(prices))):
        some = numbers[start : start + accounts_at_once(len(prices))]
        block = np.searchsorted(starts, some, side="right") - 1
        quantity, price, target = np.zeros((len(prices), len(some)), np.int64), prices[:, block], targets[:, block]
        cuts = np.searchsorted(some, starts)
        for number in np.unique(block).tolist():
            held, here = columns.blocks[number], slice(cuts[number], cuts[number + 1])
            chosen = some[here] - starts[number]
            quantity[: held.model.height, here] = held.quantity.take(chosen, axis=1)
            if held.price.shape[1] > 1:
                price[: held.model.height, here] = held.price.take(chosen, axis=1)
        yield Batch(some, block, quantity, price, target[:-1], cash[some], target[-1], _outside(outside, some))


def table(columns: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """Columns of h + 1 rows side by side, [H + 1, len]: the last row stays the last, what lies between is 0."""
    filled = np.zeros((max(len(column) for column in columns), len(columns)), columns[0].dtype)
    for number, column in enumerate(columns):
        filled[: len(column) - 1, number] = column[:-1]
        filled[-1, number] = column[-1]
    return filled


def _outside(outside: Outside, numbers: Ints) -> Outside:
    """The rows of the accounts `numbers`, numbered by position in the batch."""
    near = outside.of(slice(*np.searchsorted(outside.account, (numbers[0], numbers[-1] + 1))))
    place = np.searchsorted(numbers, near.account)
    chosen = np.flatnonzero(numbers[place] == near.account)
    kept = near.of(chosen)
    return Outside(place[chosen], kept.symbol, kept.quantity, kept.price)
