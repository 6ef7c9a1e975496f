"""One account's lines of a book plan, in the order and the words of the engine."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from driftdesk.book.columns import Block
from driftdesk.book.model import BAND_UNIT
from driftdesk.book.plan import MIN_CENTS, BookPlan, Orders
from driftdesk.book.scan import excess_of
from driftdesk.engine.plan import Plan
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.errors import DataError
from driftdesk.money import from_scaled


@dataclass(frozen=True, slots=True)
class Line:
    """An order, or one that is not sent (`skipped`). `notional` in USD; `quantity` where it is sent by quantity."""

    symbol: Symbol
    side: Side
    notional: Decimal
    quantity: Decimal | None
    skipped: bool


def lines_of(book_plan: BookPlan, account: int) -> tuple[Line, ...]:
    """The lines of account number `account`: orders, then skips; each sells first, largest drift first, then symbol.

    Raises DataError where the account has no plan.
    """
    if account in book_plan.by_engine:
        return _from_engine(book_plan.by_engine[account])
    for part in book_plan.parts:
        place = int(np.searchsorted(part.numbers, account))
        if place < len(part.numbers) and part.numbers[place] == account:
            return _from_columns(part, place, *book_plan.columns.locate(account))
    raise DataError(f"Account number {account} is not in this plan; choose it in `which`.")


def _from_engine(made: Plan) -> tuple[Line, ...]:
    orders = (Line(order.symbol, order.side, order.notional, order.quantity, False) for order in made.orders)
    skips = (Line(skip.symbol, skip.side, skip.notional, None, True) for skip in made.skipped)
    return (*orders, *skips)


def _from_columns(part: Orders, place: int, block: Block, position: int) -> tuple[Line, ...]:
    equity = block.equity_at(position)
    found = [
        (abs(excess_of(block, position, row, equity)), _line(symbol, cents, None))
        for row, (symbol, cents) in enumerate(zip(block.model.symbols, part.notional[:, place].tolist(), strict=False))
        if cents
    ]
    for row in np.flatnonzero(part.outside.account == place).tolist():
        quantity, price = int(part.outside.quantity[row]), int(part.outside.price[row])
        line = _line(Symbol(str(part.outside.symbol[row])), -int(part.exits[row]), from_scaled(quantity, 9))
        found.append((quantity * price * BAND_UNIT, line))
    found.sort(key=lambda pair: (pair[1].skipped, pair[1].side is Side.BUY, -pair[0], pair[1].symbol))
    return tuple(line for _, line in found)


def _line(symbol: Symbol, cents: int, quantity: Decimal | None) -> Line:
    skipped = abs(cents) < MIN_CENTS
    side = Side.BUY if cents > 0 else Side.SELL
    return Line(symbol, side, from_scaled(abs(cents), 2), None if skipped else quantity, skipped)
