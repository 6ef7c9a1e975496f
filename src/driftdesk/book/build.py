"""Columns out of engine snapshots, or out of arrays that a loader of a large book has made.

Both ways end in the same checks. The sentence about an account that the engine refuses is always the engine's own,
taken from the engine's check of that account.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import numpy as np

from driftdesk.book.columns import (
    DEAREST,
    LARGEST_CENTS,
    Block,
    Columns,
    Finding,
    Outside,
    freeze,
    snapshot_at,
)
from driftdesk.book.exact import CENT, Bools, Floats
from driftdesk.book.model import Model, model_of
from driftdesk.engine.drift import check_holdings, check_snapshot, counted_holdings, price_of
from driftdesk.engine.snapshot import Snapshot, Symbol
from driftdesk.engine.targets import Portfolio
from driftdesk.errors import DataError, DriftdeskError
from driftdesk.money import to_scaled

# Shares of one holding that an int64 counts in billionths, and the refusal of what is larger than columns can hold.
_MOST_SHARES: Final = 9 * 10**18
_TOO_LARGE: Final = (
    "Account {account} is larger than columns can hold: they take up to 9 billion shares of a holding, "
    "1,000,000 USD a share, 100 billion USD in holdings and as much in cash. Look at it on its own."
)
# The instant of a snapshot that is only made for its sentence; outside a session, time plays no part.
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

_Lot = tuple[int, int]


def columns_of(accounts: Iterable[tuple[Snapshot, Portfolio]]) -> Columns:
    """The accounts, each with its portfolio, as columns; those of equal portfolios share a block, in the order given.

    An account becomes a finding, not an error, where `check_snapshot` refuses it, or where it cannot be held: more than
    9 decimals of a share, 4 of a price, 2 of cash or of a percent, or too large for 64 bits.
    """
    groups: dict[Portfolio, list[Snapshot]] = {}
    models: dict[Portfolio, Model] = {}
    findings: list[Finding] = []
    for snapshot, portfolio in accounts:
        try:
            check_snapshot(snapshot, portfolio.targets)
            for symbol in portfolio.targets.symbols:
                price_of(snapshot, symbol)
            if portfolio not in models:
                models[portfolio] = model_of(portfolio)
            _check_countable(snapshot, portfolio)
        except DriftdeskError as refusal:
            findings.append(Finding(snapshot.account_id, str(refusal)))
        else:
            groups.setdefault(portfolio, []).append(snapshot)
    held = columns_from(_block(models[portfolio], snapshots) for portfolio, snapshots in groups.items())
    return Columns(held.blocks, (*findings, *held.findings))


def columns_from(blocks: Iterable[Block]) -> Columns:
    """Columns of blocks made from arrays, in the units and shapes of `Block`; the arrays are frozen, not copied.

    Accounts that cannot be used become findings and leave their block; only an equity that is not above zero is left to
    scan and plan, which compute it anyway. Raises DataError where the arrays themselves do not fit: shapes, types, a
    side table out of order or naming an asset of the model.
    """
    kept: list[Block] = []
    findings: list[Finding] = []
    for given in blocks:
        block = freeze(given)
        _check_shapes(block)
        refused = _refused(block)
        findings.extend(_finding(block, int(position)) for position in np.flatnonzero(refused))
        if refused.any():
            block = freeze(block.take(np.flatnonzero(~refused)))
        if (block.outside.quantity == 0).any():
            block = _without_empty_lots(block)
        if block.size:
            kept.append(block)
    return Columns(tuple(kept), tuple(findings))


def _check_countable(snapshot: Snapshot, portfolio: Portfolio) -> None:
    """Raise DataError naming the account where a number has too many decimals, or too many digits, for a column."""
    try:
        to_scaled(snapshot.cash, 2)
        lots = _lots(snapshot, portfolio).values()
    except ValueError as problem:
        raise DataError(f"Account {snapshot.account_id} cannot be held in columns: {problem}.") from None
    if abs(snapshot.cash) * 100 > LARGEST_CENTS or any(max(lot) > _MOST_SHARES for lot in lots):
        raise DataError(_TOO_LARGE.format(account=snapshot.account_id))


def _lots(snapshot: Snapshot, portfolio: Portfolio) -> dict[Symbol, _Lot]:
    """Quantity (1e-9 share) and price (1e-4 USD) of every target and counted holding; ValueError where not whole."""
    prices = {quote.symbol: quote.price for quote in reversed(snapshot.quotes)}
    quantities = {symbol: Decimal(0) for symbol in portfolio.targets.symbols}
    quantities |= {holding.symbol: holding.quantity for holding in counted_holdings(snapshot)}
    return {
        symbol: (to_scaled(quantity, 9), to_scaled(prices[symbol] or Decimal(0), 4))
        for symbol, quantity in quantities.items()
    }


def _block(model: Model, snapshots: Sequence[Snapshot]) -> Block:
    """The block of accounts that `_check_countable` has passed."""
    lots = [_lots(snapshot, model.portfolio) for snapshot in snapshots]
    inside = np.array([[lot[symbol] for symbol in model.symbols] for lot in lots], np.int64)
    quantity, price = inside.reshape(len(lots), model.height, 2).transpose(2, 1, 0)
    shared = bool((price == price[:, :1]).all())
    outside = [
        (position, symbol, *pair)
        for position, lot in enumerate(lots)
        for symbol, pair in sorted(lot.items())
        if symbol not in model.symbols
    ]
    return Block(
        model,
        np.array([snapshot.account_id for snapshot in snapshots], np.str_),
        np.array([to_scaled(snapshot.cash, 2) for snapshot in snapshots], np.int64),
        quantity,
        price[:, :1] if shared else price,
        Outside(
            np.array([row[0] for row in outside], np.int64),
            np.array([row[1] for row in outside], np.str_),
            np.array([row[2] for row in outside], np.int64),
            np.array([row[3] for row in outside], np.int64),
        ),
        {
            position: snapshot
            for position, snapshot in enumerate(snapshots)
            if _needs_the_engine(snapshot, lots[position])
        },
    )


def _needs_the_engine(snapshot: Snapshot, lots: dict[Symbol, _Lot]) -> bool:
    """Whether open orders, reserved shares or what may be traded bear on the plan (rules.md 6.2)."""
    return (
        bool(snapshot.open_orders)
        or any(holding.available < holding.quantity for holding in snapshot.holdings)
        or any(not (quote.tradable and quote.fractionable) for quote in snapshot.quotes if quote.symbol in lots)
    )


def _check_shapes(block: Block) -> None:
    """Raise DataError naming the portfolio where the arrays of `block` do not fit together."""
    model, outside = block.model, block.outside
    height, size = model.height, block.size
    rows = len(outside.account)
    positions = outside.account
    findings = (
        (block.accounts.ndim != 1, "accounts must be a one-dimensional array of names"),
        (block.cash.shape != (size,), f"cash must have the shape ({size},)"),
        (
            block.quantity.shape != (height, size),
            f"quantity must have the shape ({height}, {size}): assets by accounts",
        ),
        (
            block.price.shape not in ((height, 1), (height, size)),
            f"price must have {height} rows and 1 or {size} columns",
        ),
        (
            any(column.shape != (rows,) for column in (outside.symbol, outside.quantity, outside.price)),
            "the columns of the side table must be of one length",
        ),
        (
            rows > 0 and (positions.min() < 0 or positions.max() >= size or bool((np.diff(positions) < 0).any())),
            "the side table must be sorted by account and name accounts of the block only",
        ),
        (bool(np.isin(outside.symbol, model.symbols).any()), "the side table must not name assets of the portfolio"),
    )
    for wrong, sentence in findings:
        if wrong:
            raise DataError(f"The block of portfolio {model.portfolio.id} does not fit together: {sentence}.")


def _refused(block: Block) -> Bools:
    """Which accounts [n] the engine refuses whatever their equity, or 64 bits cannot hold."""
    outside = block.outside
    wrong = (block.price.min(axis=0, initial=DEAREST) <= 0) | (block.price.max(axis=0, initial=1) > DEAREST)
    refused: Bools = (block.quantity.min(axis=0, initial=0) < 0) | wrong
    refused |= (block.cash > LARGEST_CENTS) | (block.cash < -LARGEST_CENTS)
    price = np.broadcast_to(block.price, block.quantity.shape)
    gross: Floats = np.einsum("kn,kn->n", price, block.quantity, dtype=np.float64)
    np.add.at(gross, outside.account, outside.quantity.astype(np.float64) * outside.price)
    refused |= gross > float(LARGEST_CENTS * CENT)
    lots = (outside.quantity < 0) | (outside.price > DEAREST) | ((outside.price <= 0) & (outside.quantity != 0))
    refused[outside.account[lots | _repeated(outside)]] = True
    return refused


def _repeated(outside: Outside) -> Bools:
    """Which rows of the side table name a holding that another row of the account names too."""
    if len(outside.account) == 0:
        return np.zeros(0, np.bool_)
    _, code = np.unique(outside.symbol, return_inverse=True)
    pairs = outside.account * (int(code.max()) + 1) + code
    _, where, count = np.unique(pairs, return_inverse=True, return_counts=True)
    repeated: Bools = count[where] > 1
    return repeated


def _finding(block: Block, position: int) -> Finding:
    """The engine's sentence about the account at `position`, or ours where the engine could answer."""
    snapshot = snapshot_at(block, position, _NO_TIME)
    try:
        check_holdings(snapshot, block.model.portfolio.targets)
    except DataError as refusal:
        return Finding(snapshot.account_id, str(refusal))
    return Finding(snapshot.account_id, _TOO_LARGE.format(account=snapshot.account_id))


def _without_empty_lots(block: Block) -> Block:
    """`block` without side table rows of quantity zero, which count for nothing (rules.md 3.1)."""
    held = block.outside.of(block.outside.quantity != 0)
    return Block(block.model, block.accounts, block.cash, block.quantity, block.price, held, block.apart)
