"""The scan of a book says what the engine says about each account, at the edge of a band too (rules.md 3.8)."""

from decimal import Decimal

import numpy as np
import pytest
from book.cases import Edges, books, edge_book, funded, portfolio_of
from domain import EVALUATION, bands, book
from hypothesis import given, settings

from driftdesk.book.build import columns_of
from driftdesk.book.columns import Columns
from driftdesk.book.scan import Scan, scan
from driftdesk.book.worst import worst_rows
from driftdesk.engine.drift import DriftReport, measure_drift
from driftdesk.engine.snapshot import Snapshot
from driftdesk.engine.targets import Portfolio
from driftdesk.errors import DataError
from driftdesk.money import from_scaled

SIXTY_FORTY = portfolio_of({"SPY": "60", "TLT": "40"}, bands("abs 5"))


def equity(result: Scan, account: int) -> Decimal:
    """The scan's exact equity of an account in USD."""
    return from_scaled(int(result.cents[account]), 2) + from_scaled(int(result.rest[account]), 13)


def reports(columns: Columns) -> list[DriftReport]:
    """The engine's report of every account in the columns."""
    answers = []
    for block, start in zip(columns.blocks, columns.starts, strict=True):
        portfolio = block.model.portfolio
        for position in range(block.size):
            snapshot = columns.snapshot(start + position, EVALUATION)
            answers.append(measure_drift(snapshot, portfolio.targets, portfolio.conditions))
    return answers


def breaches(result: Scan) -> set[tuple[int, str]]:
    """The breached rows as (account number, symbol)."""
    names = [result.columns.locate(account)[0].model.names for account in result.breach_account.tolist()]
    rows = zip(result.breach_account.tolist(), names, result.breach_row.tolist(), strict=True)
    return {(account, listed[row]) for account, listed, row in rows}


def test_a_breach_is_strictly_outside_the_band() -> None:
    """65 % of a 60 % target with a band of 5 is inside; a billionth of a share more is not, and 34.99... % neither."""
    inside, outside = book("SPY 65@1 | TLT 35@1"), book("SPY 65.000000001@1 | TLT 35@1")
    result = scan(columns_of([(inside, SIXTY_FORTY), (outside, SIXTY_FORTY)]))
    assert [False, True] == result.triggered.tolist()
    assert {(1, "SPY"), (1, "TLT")} == breaches(result)
    assert [1.0, 1.0] == pytest.approx(result.band_used.tolist())
    assert result.band_used[0] <= 1.0 < result.band_used[1]


def test_the_tightest_band_governs_and_listed_cash_has_one() -> None:
    """Of abs 5 and rel 20, GLD's 10 % has the tighter ±2 and cash's 5 % ±1; 7.9 % and 6.2 % are outside."""
    portfolio = portfolio_of({"cash": "5", "SPY": "85", "GLD": "10"}, bands("abs 5, rel 20"))
    result = scan(columns_of([(book("cash 62 | SPY 859@1 | GLD 79@1"), portfolio)]))
    assert {(0, "GLD"), (0, "$CASH")} == breaches(result)
    assert [True, False, True] == result.breached(0)[:, 0].tolist()
    assert [0.079, 0.859, 0.062] == pytest.approx(result.weights(0)[:, 0].tolist())
    assert [-0.021, 0.009, 0.012] == pytest.approx(result.drifts(0)[:, 0].tolist())
    assert [1.05, 0.18, 1.2] == pytest.approx(result.shares(0)[:, 0].tolist())
    assert ["$CASH"] == [result.columns.blocks[0].model.names[row] for row in worst_rows(result)]


def test_what_has_no_band_triggers_nothing() -> None:
    """Cash that is not listed and a holding outside the model take weight from others, and have no band themselves."""
    portfolio = portfolio_of({"SPY": "100"}, bands("abs 40"))
    result = scan(columns_of([(book("cash 20 | SPY 60@1 | DOGE 20@1"), portfolio)]))
    assert (False, Decimal(100)) == (result.triggered[0], equity(result, 0))
    assert [1.0, np.nan] == pytest.approx(result.shares(0)[:, 0].tolist(), nan_ok=True)


def test_a_portfolio_without_bands_has_no_share_to_show() -> None:
    """Nothing triggers, no share of a band, no worst row; equity is there."""
    result = scan(columns_of([(book("SPY 1@333.3333"), portfolio_of({"SPY": "50", "cash": "50"}, ()))]))
    assert (False, Decimal("333.3333"), -1) == (result.triggered[0], equity(result, 0), worst_rows(result)[0])
    assert np.isnan(result.band_used[0])


def test_an_account_without_equity_is_a_finding() -> None:
    """The engine's own sentence for that account; the others are scanned."""
    owing, well = book("cash -65 | SPY 65@1 | TLT 0@1"), book("SPY 60@1 | TLT 40@1")
    result = scan(columns_of([(well, SIXTY_FORTY), (owing, SIXTY_FORTY)]))
    sentence = "Account acct has an equity of 0 USD; it must be above zero to compare weights or plan orders."
    assert [sentence] == [finding.sentence for finding in result.findings]
    assert 1 == result.columns.size


def test_an_empty_book_scans_to_nothing() -> None:
    """No account, no finding, no error."""
    result = scan(columns_of([]))
    assert (0, 0, ()) == (len(result.triggered), len(result.breach_account), result.findings)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(books())
def test_the_scan_agrees_with_the_engine(accounts: list[tuple[Snapshot, Portfolio]]) -> None:
    """Equity, breaches, triggers and worst row are the engine's for every account; so is every refusal."""
    columns = columns_of(accounts)
    result = scan(columns)
    refused = {}
    for snapshot, portfolio in accounts:
        try:
            measure_drift(snapshot, portfolio.targets, portfolio.conditions)
        except DataError as error:
            refused[snapshot.account_id] = str(error)
    assert refused == {finding.account_id: finding.sentence for finding in result.findings}
    assert sum(funded(snapshot) for snapshot, _ in accounts) == columns.size
    assert len(breaches(result)) == len(result.breach_row)
    worst = worst_rows(result)
    for account, report in enumerate(reports(columns)):
        block, position = columns.locate(account)
        number = columns.blocks.index(block)
        assert report.equity == equity(result, account)
        assert {row.symbol for row in report.breached} == {s for a, s in breaches(result) if a == account}
        assert bool(report.breached) == result.triggered[account] == bool(result.breached(number)[:, position].any())
        rows = {row.symbol: row for row in report.rows}
        for name, weight in zip(block.model.names, result.weights(number)[:, position], strict=True):
            assert float(rows[name].actual) == pytest.approx(weight, rel=1e-14, abs=0)
        share = report.largest_band_used
        if share is None:
            assert (-1, True) == (worst[account], np.isnan(result.band_used[account]))
        else:
            assert report.rows[0].symbol == block.model.names[worst[account]]
            assert float(share) == pytest.approx(result.band_used[account], rel=1e-9, abs=1e-11)


@pytest.fixture(scope="module")
def edges() -> Edges:
    """6,000 accounts on an edge, a fifth of each of five kinds, on five portfolios."""
    return edge_book(1200, seed=3)


def first_asset_breached(result: Scan) -> np.ndarray:
    """Whether the first asset of each account is outside its band."""
    return np.concatenate([result.breached(number)[0] for number in range(len(result.columns.blocks))])


def test_thousands_of_accounts_on_the_edge_are_decided_as_the_engine_does(edges: Edges) -> None:
    """On the edge is inside, one 1e-9 share or 1e-4 USD beyond is outside; the exact engine says so on all of them."""
    result = scan(edges.columns)
    assert (edges.beyond == 1).tolist() == first_asset_breached(result).tolist()
    answers = reports(edges.columns)
    expected = {(number, row.symbol) for number, report in enumerate(answers) for row in report.breached}
    assert expected == breaches(result)
    assert [bool(report.breached) for report in answers] == result.triggered.tolist()


def test_neither_plain_floats_nor_an_epsilon_decide_the_edge(edges: Edges) -> None:
    """The edge accounts are hard: float64 is wrong on some that stand on it, a tolerance on some just outside."""
    result = scan(edges.columns)
    drift = np.concatenate([np.abs(result.drifts(number)[0]) for number in range(len(edges.columns.blocks))])
    width = np.concatenate([np.full(b.size, b.model.width[0]) for b in edges.columns.blocks])
    plain_wrong = (drift > width) != (edges.beyond == 1)
    epsilon_wrong = (drift > width + 1e-9) != (edges.beyond == 1)
    assert plain_wrong[edges.beyond == 0].mean() > 0.2
    assert epsilon_wrong[edges.beyond == 1].mean() > 0.2


def test_sixty_thousand_accounts_on_the_edge_and_none_is_wrong() -> None:
    """Which side of the edge each one stands on is known from how it was made."""
    edges = edge_book(12_000, seed=11)
    assert 60_000 == edges.columns.size
    assert 0 == np.count_nonzero(first_asset_breached(scan(edges.columns)) != (edges.beyond == 1))


def test_debts_are_scanned_with_their_exact_equity() -> None:
    """10,000,000 USD of SPY on 9,999,999 USD owed: equity 1 USD, and SPY at a billion percent is far outside."""
    portfolio = portfolio_of({"cash": "10", "SPY": "90"}, bands("rel 10"))
    result = scan(columns_of([(book("cash -9999999 | SPY 10000000@1"), portfolio)]))
    assert (Decimal(1), {(0, "SPY"), (0, "$CASH")}) == (equity(result, 0), breaches(result))
    # Cash: from 10 % to -999,999,900 % in a band of 1 point.
    assert 999_999_910.0 == pytest.approx(result.band_used[0])
