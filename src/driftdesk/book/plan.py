"""Exact orders and skips of many accounts at once (rules.md 6.1, 6.3, 6.4), equal to the engine's to the cent.

Full rebalances and invested cash, both with the default options: every holding back to its target, no cash buffer, no
lists, the minimum of 1.00 USD. Accounts with open orders, or with something that is untradable or not fractionable, are
planned by the engine itself, one by one.

Amounts are kept as whole cents and a rest in 1e-17 USD, found without rounding (see exact.py), so flooring an amount to
cents is dropping its rest. Buys that the cash does not cover become floor(amount x spendable / total), which is wider
than 64 bits: each factor is within 3e of its float64, e = 2**-53, product and quotient add 2e, so the true piece lies
within 11e of the computed one. Where floor(piece x (1 - 16e)) and floor(piece x (1 + 16e)) agree, that is the answer;
where they do not (about one row in a hundred million), Python's unbounded integers give it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftdesk.book.batch import Batch, batches
from driftdesk.book.columns import Columns, Finding, Outside
from driftdesk.book.exact import CENT, FINE_CENT, WHOLE, Bools, Floats, Ints, whole_and_rest
from driftdesk.book.scan import above_zero, no_equity
from driftdesk.engine.plan import MIN_NOTIONAL, Plan, PlanRequest, RunType
from driftdesk.engine.planner import plan_orders
from driftdesk.engine.snapshot import Snapshot
from driftdesk.engine.targets import Portfolio
from driftdesk.errors import DataError
from driftdesk.money import to_scaled

# The least order in cents.
MIN_CENTS: Final = to_scaled(MIN_NOTIONAL, 2)
_SLACK: Final = 2.0**-49


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """What S accounts buy and sell, rows of assets by accounts; `numbers` int64 [S] their account numbers, ascending.

    `notional` int64 [H, S], rows as in each account's model: cents to buy (above zero) or sell (below). `outside` has
    their holdings outside the model, `account` being the position here, and `exits` int64 beside it the cents that the
    sale of the whole holding, by its quantity, brings; there are none when cash is invested. What is below the minimum
    is a skip, an exit of 0 cents too.
    """

    numbers: Ints
    notional: Ints
    outside: Outside
    exits: Ints


@dataclass(frozen=True, slots=True, eq=False)
class BookPlan:
    """The plans of the chosen accounts, and totals by planned account [M] in the order of `accounts`.

    `accounts` int64: account numbers, ascending. `sold`, `bought` int64: cents of the orders to send. `orders`, `skips`
    int64: how many are sent and skipped. `parts` hold the orders; `by_engine`, by account number, the plans that the
    engine made. `findings`: the chosen accounts that have no plan, and why.
    """

    columns: Columns
    run_type: RunType
    parts: tuple[Orders, ...]
    by_engine: Mapping[int, Plan]
    accounts: Ints
    sold: Ints
    bought: Ints
    orders: Ints
    skips: Ints
    findings: tuple[Finding, ...]


def plan(columns: Columns, which: Bools, run_type: RunType = RunType.FULL_REBALANCE) -> BookPlan:
    """Plan the accounts chosen by `which`, bool [N] by account number, for example `scan(columns).triggered`.

    Symbol, side, notional, the quantity of complete sales and the skips equal those of `plan_orders` with default
    options. Raises DataError when `which` has another shape; an account without equity is a finding.
    """
    if which.shape != (columns.size,) or which.dtype != np.bool_:
        raise DataError(f"which must be {columns.size} booleans, one by account; received {which.dtype} {which.shape}.")
    apart = {number: case for number, case in columns.apart().items() if which[number]}
    by_engine = {number: _by_engine(*case, run_type) for number, case in apart.items()}
    in_columns = which.copy()
    in_columns[list(apart)] = False
    cents, rest = np.ones(columns.size, np.int64), np.zeros(columns.size, np.int64)
    parts: list[Orders] = []
    for chosen in batches(columns, np.flatnonzero(in_columns)):
        cents[chosen.numbers], rest[chosen.numbers] = chosen.equity()
        funded = chosen.numbers[above_zero(cents[chosen.numbers], rest[chosen.numbers])]
        for batch in [chosen] if len(funded) == len(chosen.numbers) else batches(columns, funded):
            parts.append(_plan_batch(batch, (cents[batch.numbers], rest[batch.numbers]), run_type))
    accounts = np.concatenate([*(part.numbers for part in parts), np.array(list(apart), np.int64)])
    totals = np.hstack([*map(_totals, parts), *map(_totals_of, by_engine.values()), np.zeros((4, 0), np.int64)])
    ascending = np.argsort(accounts)
    sold, bought, orders, skips = totals[:, ascending]
    return BookPlan(
        columns=columns,
        run_type=run_type,
        parts=tuple(parts),
        by_engine=by_engine,
        accounts=accounts[ascending],
        sold=sold,
        bought=bought,
        orders=orders,
        skips=skips,
        findings=no_equity(columns, cents, rest),
    )


def _plan_batch(batch: Batch, equity: tuple[Ints, Ints], run_type: RunType) -> Orders:
    full = run_type is RunType.FULL_REBALANCE
    cents, rest = equity
    wrapped, near = cents * CENT + rest, cents + rest / CENT
    # What is missing to the target: cents and rest, negative where there is too much. Rows by account.
    short, short_rest = whole_and_rest(
        batch.target / WHOLE * near - batch.quantity * (batch.price / CENT),
        batch.target * wrapped - batch.quantity * batch.price * WHOLE,
        FINE_CENT,
    )
    wanted, wanted_rest = np.maximum(short, 0), np.where(short >= 0, short_rest, 0)
    if not full:
        spendable, _ = _spendable(batch, batch.cash, wrapped, near)
        pieces = _shared_out(wanted, wanted_rest, spendable, np.zeros_like(spendable))
        nothing = batch.outside.of(slice(0))
        return Orders(batch.numbers, _small_given(pieces, wanted, wanted_rest), nothing, nothing.quantity)
    # A sell is the floored excess: the distance to zero of a floored negative number is too long by one.
    sells = np.where(short < 0, -short - (short_rest > 0), 0)
    exits = _exit_cents(batch.outside)
    cash = batch.cash + np.where(sells >= MIN_CENTS, sells, 0).sum(axis=0)
    np.add.at(cash, batch.outside.account, np.where(exits >= MIN_CENTS, exits, 0))
    buys = _shared_out(wanted, wanted_rest, *_spendable(batch, cash, wrapped, near))
    return Orders(batch.numbers, buys - sells, batch.outside, exits)


def _spendable(batch: Batch, cash: Ints, wrapped: Ints, near: Floats) -> tuple[Ints, Ints]:
    """Cents, and the rest, of `cash` above its target by account; nothing where it is below (rules.md 6.1)."""
    estimate = cash - batch.cash_target / WHOLE * near
    spendable, rest = whole_and_rest(estimate, cash * FINE_CENT - batch.cash_target * wrapped, FINE_CENT)
    return np.maximum(spendable, 0), np.where(spendable >= 0, rest, 0)


def _exit_cents(outside: Outside) -> Ints:
    """Value of every holding outside a model in cents, half-up (rules.md 1.4)."""
    near = outside.quantity * (outside.price / CENT) + 0.5
    return whole_and_rest(near, outside.quantity * outside.price + CENT // 2, CENT)[0]


def _shared_out(wanted: Ints, rest: Ints, spendable: Ints, spendable_rest: Ints) -> Ints:
    """Cents to buy [h, m]: what is wanted, floored; in proportion where that exceeds `spendable` (rules.md 6.1)."""
    total, total_rest = wanted.sum(axis=0), rest.sum(axis=0)
    pieces = wanted.copy()
    scaled = np.flatnonzero(total > spendable)
    if len(scaled) == 0:
        return pieces
    share = _near(spendable[scaled], spendable_rest[scaled]) / _near(total[scaled], total_rest[scaled])
    near = _near(wanted[:, scaled], rest[:, scaled]) * share
    low = np.floor(near * (1.0 - _SLACK))
    pieces[:, scaled] = low
    for row, place in np.argwhere(low != np.floor(near * (1.0 + _SLACK))).tolist():
        account = scaled[place]
        amount, whole, free = (
            int(cents) * FINE_CENT + int(more)
            for cents, more in (
                (wanted[row, account], rest[row, account]),
                (total[account], total_rest[account]),
                (spendable[account], spendable_rest[account]),
            )
        )
        pieces[row, account] = amount * free // (whole * FINE_CENT)
    return pieces


def _near(cents: Ints, rest: Ints) -> Floats:
    return cents + rest / FINE_CENT


def _small_given(pieces: Ints, wanted: Ints, rest: Ints) -> Ints:
    """Pieces under the minimum given to the largest shortfall, up to its target, where there is one (rules.md 6.4).

    Pieces that were given away stay in their place: they are skips.
    """
    if len(pieces) == 0:
        return pieces
    # The first of the largest: the rows are sorted by symbol, as the engine's ties are.
    largest = wanted.max(axis=0)
    rest_of_largest = np.where(wanted == largest, rest, -1).max(axis=0)
    first = np.argmax((wanted == largest) & (rest == rest_of_largest), axis=0)
    accounts = np.arange(pieces.shape[1])
    own = pieces[first, accounts]
    small = np.where(pieces < MIN_CENTS, pieces, 0)
    small[first, accounts] = 0
    given = pieces.copy()
    given[first, accounts] = np.minimum(own + small.sum(axis=0), largest)
    return given


def _totals(part: Orders) -> Ints:
    """Sold and bought in cents, orders and skips by account: int64 [4, S]."""
    size = np.abs(part.notional)
    sent, exits = size >= MIN_CENTS, part.exits >= MIN_CENTS
    totals = np.array(
        [
            np.where(sent & (part.notional < 0), size, 0).sum(axis=0),
            np.where(sent & (part.notional > 0), size, 0).sum(axis=0),
            sent.sum(axis=0),
            ((size > 0) & ~sent).sum(axis=0),
        ]
    )
    np.add.at(totals[0], part.outside.account, np.where(exits, part.exits, 0))
    np.add.at(totals[2], part.outside.account, exits)
    np.add.at(totals[3], part.outside.account, ~exits)
    return totals


def _by_engine(snapshot: Snapshot, portfolio: Portfolio, run_type: RunType) -> Plan:
    return plan_orders(snapshot, PlanRequest(portfolio.targets, portfolio.conditions, run_type))


def _totals_of(made: Plan) -> Ints:
    """The same for a plan of the engine: int64 [4, 1]."""
    sold, bought = (sum(to_scaled(order.notional, 2) for order in side) for side in (made.sells, made.buys))
    return np.array([[sold], [bought], [len(made.orders)], [len(made.skipped)]], np.int64)
