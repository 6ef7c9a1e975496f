"""The plan of a book equals the engine's plan of each account, to the cent (rules.md 6.1 - 6.4)."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from book.cases import books, edge_book, portfolio_of
from domain import EVALUATION, bands, book, with_open_order, with_quote
from hypothesis import given, settings
from hypothesis import strategies as st

from driftdesk.book.build import columns_of
from driftdesk.book.columns import Columns
from driftdesk.book.lines import Line, lines_of
from driftdesk.book.plan import BookPlan, plan
from driftdesk.book.scan import scan
from driftdesk.engine.plan import Plan, PlanRequest, RunType
from driftdesk.engine.planner import plan_orders
from driftdesk.engine.snapshot import AccountId, Side, Snapshot
from driftdesk.engine.targets import Portfolio
from driftdesk.errors import DataError

SIXTY_FORTY = portfolio_of({"SPY": "60", "TLT": "40"}, bands("abs 5"))
WITH_CASH = portfolio_of({"cash": "10", "SPY": "50", "TLT": "40"}, bands("abs 5"))


def planned(text: str, portfolio: Portfolio, run_type: RunType = RunType.FULL_REBALANCE) -> list[str]:
    """The lines of one account as text: ``sell SPY 50.00``, ``sell DOGE 20.00 (20)``, ``buy TLT 0.50 skipped``."""
    columns = columns_of([(book(text), portfolio)])
    return [shown(line) for line in lines_of(plan(columns, np.array([True]), run_type), 0)]


def shown(line: Line) -> str:
    quantity = "" if line.quantity is None else f" ({line.quantity.normalize():f})"
    return f"{line.side} {line.symbol} {line.notional}{quantity}{' skipped' if line.skipped else ''}"


def lines(made: Plan) -> tuple[Line, ...]:
    """The engine's plan as lines."""
    orders = (Line(order.symbol, order.side, order.notional, order.quantity, False) for order in made.orders)
    skips = (Line(skip.symbol, skip.side, skip.notional, None, True) for skip in made.skipped)
    return (*orders, *skips)


def agrees(columns: Columns, made: BookPlan, account: int) -> None:
    """The lines and totals of `account` are those of the engine's plan."""
    block, _ = columns.locate(account)
    portfolio = block.model.portfolio
    request = PlanRequest(portfolio.targets, portfolio.conditions, made.run_type)
    expected = plan_orders(columns.snapshot(account, EVALUATION), request)
    assert lines(expected) == lines_of(made, account)
    place = made.accounts.tolist().index(account)
    cents = [sum(int(order.notional * 100) for order in side) for side in (expected.sells, expected.buys)]
    assert [*cents, len(expected.orders), len(expected.skipped)] == [
        made.sold[place],
        made.bought[place],
        made.orders[place],
        made.skips[place],
    ]


def test_sells_come_first_and_pay_for_the_buys() -> None:
    """Of 1,000 USD, SPY has 700 and should have 600; DOGE is not in the portfolio and goes completely."""
    expected = ["sell SPY 100.00", "sell DOGE 20.00 (20)", "buy TLT 120.00"]
    assert expected == planned("SPY 7@100 | TLT 28@10 | DOGE 20@1", SIXTY_FORTY)


def test_buys_fit_the_cash_that_floored_sells_leave() -> None:
    """Equity 100.005: SPY's excess 9.997 is sold for 9.99, so TLT's shortfall of 9.997 is bought for 9.99 as well."""
    assert ["sell SPY 9.99", "buy TLT 9.99"] == planned("SPY 70@1 | TLT 30.005@1", SIXTY_FORTY)


def test_what_is_below_the_minimum_is_skipped() -> None:
    """0.99 is skipped on both sides, exactly 1.00 is sent; an exit worth half a cent is a skip of 0.01."""
    assert ["sell SPY 0.99 skipped"] == planned("SPY 600.99@1 | TLT 399.01@1", SIXTY_FORTY)
    assert ["sell SPY 1.00", "buy TLT 1.00"] == planned("SPY 601@1 | TLT 399@1", SIXTY_FORTY)
    assert ["sell DOGE 0.01 skipped"] == planned("SPY 60@1 | TLT 39.995@1 | DOGE 0.005@1", SIXTY_FORTY)


def test_cash_is_invested_up_to_its_target() -> None:
    """100 of 200 in cash stay; the rest is shared as the shortfalls of 100 and 50 are; TLT is over its target."""
    portfolio = portfolio_of({"cash": "10", "SPY": "50", "GLD": "20", "TLT": "20"}, ())
    expected = ["buy SPY 66.66", "buy GLD 33.33"]
    assert expected == planned("cash 200 | SPY 400@1 | GLD 150@1 | TLT 250@1", portfolio, RunType.INVEST_CASH)


def test_small_pieces_go_to_the_largest_shortfall() -> None:
    """10 USD for shortfalls of 95 and 5: TLT's piece of 0.50 goes to SPY, whose order is 10.00."""
    expected = ["buy SPY 10.00", "buy TLT 0.50 skipped"]
    portfolio = portfolio_of({"SPY": "60", "TLT": "40"}, ())
    assert expected == planned("cash 10 | SPY 505@1 | TLT 395@1 | GLD 90@1", portfolio, RunType.INVEST_CASH)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(books(), st.sampled_from(RunType))
def test_the_plan_agrees_with_the_engine(accounts: list[tuple[Snapshot, Portfolio]], run_type: RunType) -> None:
    """Symbol, side, notional, quantity of exits, skips, their order and the totals are the engine's everywhere."""
    columns = columns_of(accounts)
    made = plan(columns, np.ones(columns.size, np.bool_), run_type)
    assert list(range(columns.size)) == made.accounts.tolist()
    for account in range(columns.size):
        agrees(columns, made, account)


@pytest.mark.parametrize("run_type", RunType)
def test_accounts_at_an_edge_are_planned_to_the_cent(run_type: RunType) -> None:
    """1,000 accounts on or beside an edge, cash added so that buys are covered, scaled down, or have nothing."""
    edges = edge_book(200, seed=8).columns
    rng = np.random.default_rng(5)
    blocks = [replace(b, cash=rng.integers(-(10**4), 10**6, b.size) * rng.integers(0, 2, b.size)) for b in edges.blocks]
    columns = Columns(tuple(blocks))
    funded = ~np.isin(columns.accounts, [finding.account_id for finding in scan(columns).findings])
    made = plan(columns, funded, run_type)
    assert made.accounts.tolist() == np.flatnonzero(funded).tolist()
    for account in made.accounts.tolist():
        agrees(columns, made, account)


def test_what_an_account_between_the_chosen_holds_is_nobody_elses() -> None:
    """The middle one of three holds DOGE outside its model and is not planned: nobody sells DOGE."""
    texts = ["SPY 70@1 | TLT 30@1", "SPY 70@1 | TLT 30@1 | DOGE 50@1", "SPY 70@1 | TLT 30@1"]
    columns = columns_of([(book(text), SIXTY_FORTY) for text in texts])
    made = plan(columns, np.array([True, False, True]))
    assert [0, 2] == made.accounts.tolist()
    for account in (0, 2):
        agrees(columns, made, account)


def test_only_the_chosen_accounts_are_planned() -> None:
    """The triggered one of three has lines; asking for another says what to do."""
    texts = ["SPY 60@1 | TLT 40@1", "SPY 70@1 | TLT 30@1", "SPY 61@1 | TLT 39@1"]
    columns = columns_of([(book(text), SIXTY_FORTY) for text in texts])
    made = plan(columns, scan(columns).triggered)
    assert ([1], [1000], [1000], [2]) == (
        made.accounts.tolist(),
        made.sold.tolist(),
        made.bought.tolist(),
        made.orders.tolist(),
    )
    with pytest.raises(DataError, match="Account number 2 is not in this plan"):
        lines_of(made, 2)
    with pytest.raises(DataError, match="which must be 3 booleans"):
        plan(columns, np.array([1]))


def test_accounts_that_columns_cannot_plan_go_to_the_engine() -> None:
    """Open orders, reserved shares, what cannot be traded or not in fractions: the plan is the engine's own."""
    plain = book("cash 50 | SPY 700@1 | TLT 250@1")
    awkward = [
        with_open_order(plain, "buy TLT 20"),
        book("cash 50 | SPY 700(600)@1 | TLT 250@1"),
        with_quote(plain, "TLT", tradable=False),
        with_quote(plain, "SPY", fractionable=False),
        plain,
    ]
    accounts = [(replace(s, account_id=AccountId(f"a{n}")), WITH_CASH) for n, s in enumerate(awkward)]
    columns = columns_of(accounts)
    assert {0, 1, 2, 3} == set(columns.blocks[0].apart)
    made = plan(columns, np.ones(5, np.bool_))
    for account in range(5):
        agrees(columns, made, account)
    assert ["sell SPY 100.00"] == [shown(line) for line in lines_of(made, 1) if line.side is Side.SELL]


def test_an_account_without_equity_has_a_finding_instead_of_a_plan() -> None:
    """Cash that went below the value held, after the columns were made: no lines, the engine's sentence."""
    columns = columns_of([(book("SPY 60@1 | TLT @1"), SIXTY_FORTY), (book("SPY 70@1 | TLT @1"), SIXTY_FORTY)])
    owing = replace(columns.blocks[0], cash=np.array([-7000, 0]))
    made = plan(Columns((owing,)), np.array([True, True]))
    assert [1] == made.accounts.tolist()
    assert ["Account acct has an equity of -10 USD; it must be above zero to compare weights or plan orders."] == [
        finding.sentence for finding in made.findings
    ]
    assert Decimal("28.00") == lines_of(made, 1)[0].notional
