"""A whole book as frozen numpy arrays of whole numbers: the input of scan and plan.

The accounts of one portfolio stand together in a block, holdings by accounts, so that one numpy operation runs over all
accounts of a model and each holding's numbers are contiguous. Quantities are counts of 1e-9 share, prices of 1e-4 USD,
cash of cents (rules.md 1.1, 1.3). What an account holds outside its model stands in a side table of the block.

An account that the engine would refuse (rules.md 3.1) is no part of the columns; it is a finding with the engine's
sentence. So is one that 64 bits cannot hold, with a sentence of ours; for that one the engine still has an answer.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from driftdesk.book.exact import CENT, Bools, Ints
from driftdesk.book.model import Model
from driftdesk.engine.snapshot import AccountId, Holding, Quote, Snapshot, Symbol
from driftdesk.engine.targets import Portfolio
from driftdesk.errors import DataError
from driftdesk.money import from_scaled

Names = NDArray[np.str_]

# What an account may hold and owe (USD, as counts of cents), and what a share may cost (1e-4 USD). Together they keep
# every error in exact.py below one cent: 100 billion USD, 1,000,000 USD a share.
LARGEST_CENTS: Final = 10**13
DEAREST: Final = 10**10
# Cells (rows x accounts) that are worked on at once, so that they and their floats stay in the second-level cache.
CELLS_AT_ONCE: Final = 2**16


def accounts_at_once(height: int) -> int:
    """How many accounts of `height` assets are worked on at once."""
    return max(64, CELLS_AT_ONCE // (height + 1))


@dataclass(frozen=True, slots=True)
class Finding:
    """Why an account has no place in a column or a result: one sentence for a person."""

    account_id: AccountId
    sentence: str


@dataclass(frozen=True, slots=True, eq=False)
class Outside:
    """Holdings outside their account's model, m rows by account: `account` its position in the block, ascending."""

    account: Ints
    symbol: Names
    quantity: Ints
    price: Ints

    def of(self, chosen: Bools | Ints | slice) -> "Outside":
        """The chosen rows."""
        return Outside(self.account[chosen], self.symbol[chosen], self.quantity[chosen], self.price[chosen])


def nothing_outside() -> Outside:
    """The side table of a block whose accounts hold nothing outside their model."""
    none = np.zeros(0, np.int64)
    return Outside(none, np.zeros(0, np.str_), none, none)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The n accounts of one portfolio of h assets, rows in the order of `model.symbols`.

    `accounts` names [n], `cash` int64 [n] in cents, `quantity` int64 [h, n] in 1e-9 share, `price` int64 in 1e-4 USD:
    [h, 1] where all accounts share them, [h, n] where each has its own. `apart` are accounts, by position, that only
    the engine can plan: with open orders, reserved shares, something untradable or not fractionable (rules.md 6.2).
    """

    model: Model
    accounts: Names
    cash: Ints
    quantity: Ints
    price: Ints
    outside: Outside = field(default_factory=nothing_outside)
    apart: Mapping[int, Snapshot] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of accounts, n."""
        return len(self.accounts)

    def parts(self) -> Iterator[slice]:
        """The block's accounts in runs that fit the cache."""
        step = accounts_at_once(self.model.height)
        yield from (slice(start, min(start + step, self.size)) for start in range(0, self.size, step))

    def lots(self, part: slice) -> tuple[Ints, Ints]:
        """Quantities [h, len] and prices [h, 1] or [h, len] of the accounts in `part`."""
        return self.quantity[:, part], self.prices(part)

    def prices(self, part: slice | Ints) -> Ints:
        """`price` of the accounts in `part`, [h, 1] or [h, len]."""
        return self.price if self.price.shape[1] == 1 else self.price[:, part]

    def take(self, chosen: Ints) -> "Block":
        """The block of the `chosen` accounts, positions in ascending order."""
        place = np.full(self.size, -1, np.int64)
        place[chosen] = np.arange(len(chosen))
        kept = self.outside.of(place[self.outside.account] >= 0)
        return Block(
            self.model,
            self.accounts[chosen],
            self.cash[chosen],
            self.quantity[:, chosen],
            self.prices(chosen),
            Outside(place[kept.account], kept.symbol, kept.quantity, kept.price),
            {int(place[account]): snapshot for account, snapshot in self.apart.items() if place[account] >= 0},
        )

    def equity_at(self, position: int) -> int:
        """Exact equity of one account in 1e-13 USD (rules.md 3.1)."""
        outside = self.outside.of(self.outside.account == position)
        prices = self.prices(np.array([position]))[:, 0]
        lots = [
            *zip(self.quantity[:, position].tolist(), prices.tolist(), strict=True),
            *zip(outside.quantity.tolist(), outside.price.tolist(), strict=True),
        ]
        value: int = sum(quantity * price for quantity, price in lots)
        return int(self.cash[position]) * CENT + value


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """A book: its blocks, and what was found about the accounts that are not in them.

    The accounts are numbered 0..size-1 through the blocks; `starts` is the number of each block's first account.
    """

    blocks: tuple[Block, ...]
    findings: tuple[Finding, ...] = ()
    starts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        sizes = (block.size for block in self.blocks[:-1])
        object.__setattr__(self, "starts", (*accumulate(sizes, initial=0),)[: len(self.blocks)])

    @property
    def size(self) -> int:
        """Number of accounts in the blocks."""
        return sum(block.size for block in self.blocks)

    @property
    def accounts(self) -> Names:
        """The name of every account [size]."""
        return np.concatenate([block.accounts for block in self.blocks] or [np.zeros(0, np.str_)])

    @property
    def cash(self) -> Ints:
        """Cash of every account [size], in cents."""
        return np.concatenate([block.cash for block in self.blocks] or [np.zeros(0, np.int64)])

    @property
    def outside(self) -> Outside:
        """The side tables of all blocks as one, by account number."""
        tables = [(block.outside, start) for block, start in zip(self.blocks, self.starts, strict=True)]
        filled = [(table, start) for table, start in tables if len(table.account)]
        if not filled:
            return nothing_outside()
        return Outside(
            np.concatenate([table.account + start for table, start in filled]),
            np.concatenate([table.symbol for table, _ in filled]),
            np.concatenate([table.quantity for table, _ in filled]),
            np.concatenate([table.price for table, _ in filled]),
        )

    def apart(self) -> dict[int, tuple[Snapshot, Portfolio]]:
        """The accounts that only the engine can plan, by account number."""
        return {
            start + position: (snapshot, block.model.portfolio)
            for block, start in zip(self.blocks, self.starts, strict=True)
            for position, snapshot in block.apart.items()
        }

    def locate(self, account: int) -> tuple[Block, int]:
        """The block of account number `account`, and its position there; IndexError where there is none."""
        if not 0 <= account < self.size:
            raise IndexError(f"There is no account number {account} in columns of {self.size} accounts.")
        number = bisect_right(self.starts, account) - 1
        return self.blocks[number], account - self.starts[number]

    def snapshot(self, account: int, as_of: datetime) -> Snapshot:
        """Account number `account` as the engine reads it, its prices taken at `as_of`, outside a session.

        An account that the engine has to plan comes back as the snapshot that it came from.
        """
        return snapshot_at(*self.locate(account), as_of)


def value_of(quantity: Ints, price: Ints) -> Ints:
    """Sum of quantity x price over the rows, by account, in 1e-13 USD modulo 2**64; `price` may have one column."""
    value: Ints
    if price.shape[1] == 1:
        value = np.einsum("k,kn->n", price[:, 0], quantity)
    else:
        value = np.einsum("kn,kn->n", price, quantity)
    return value


def frozen_ints(values: ArrayLike) -> Ints:
    """`values` as a read-only int64 array with contiguous rows, copied only where it is none; DataError for floats."""
    given = np.asarray(values)
    if given.size and not np.issubdtype(given.dtype, np.signedinteger):
        raise DataError(
            f"Columns hold 64-bit whole numbers; an array of {given.dtype} was given. Scale it to integers."
        )
    return _frozen(np.ascontiguousarray(given, np.int64))


def freeze(block: Block) -> Block:
    """`block` with read-only arrays; the arrays given are not copied and must not be written to afterwards."""
    outside = block.outside
    return Block(
        block.model,
        _frozen(np.asarray(block.accounts, np.str_)),
        frozen_ints(block.cash),
        frozen_ints(block.quantity),
        frozen_ints(block.price),
        Outside(
            frozen_ints(outside.account),
            _frozen(np.asarray(outside.symbol, np.str_)),
            frozen_ints(outside.quantity),
            frozen_ints(outside.price),
        ),
        block.apart,
    )


def snapshot_at(block: Block, position: int, as_of: datetime) -> Snapshot:
    """The account at `position` of `block` as the engine reads it (see `Columns.snapshot`)."""
    if position in block.apart:
        return block.apart[position]
    held = block.quantity[:, position]
    prices = block.prices(np.array([position]))[:, 0]
    outside = block.outside.of(block.outside.account == position)
    lots = [
        *zip(block.model.symbols, held.tolist(), prices.tolist(), strict=True),
        *zip(outside.symbol.tolist(), outside.quantity.tolist(), outside.price.tolist(), strict=True),
    ]
    quantities = [(Symbol(symbol), from_scaled(count, 9)) for symbol, count, _ in lots if count]
    return Snapshot(
        account_id=AccountId(str(block.accounts[position])),
        as_of=as_of,
        cash=from_scaled(int(block.cash[position]), 2),
        holdings=tuple(Holding(symbol, quantity, quantity) for symbol, quantity in quantities),
        quotes=tuple(Quote(Symbol(symbol), from_scaled(price, 4), as_of) for symbol, _, price in lots),
    )


def _frozen(values: NDArray[Any]) -> NDArray[Any]:
    view = values.view()
    view.flags.writeable = False
    return view
