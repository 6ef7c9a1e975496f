"""What becomes a column, what becomes a finding, what is refused."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from book.cases import portfolio_of
from domain import EVALUATION, bands, book

from driftdesk.book.build import columns_from, columns_of
from driftdesk.book.columns import Block, Outside
from driftdesk.book.exact import CENT, whole_and_rest
from driftdesk.book.model import model_of
from driftdesk.book.scan import scan
from driftdesk.engine.drift import equity_of
from driftdesk.engine.snapshot import AccountId, PortfolioId, Snapshot, Symbol
from driftdesk.engine.targets import BandKind, DriftBand, Portfolio, Target, Targets
from driftdesk.errors import DataError

SIXTY_FORTY = portfolio_of({"TLT": "40", "SPY": "60"}, bands("abs 5, rel 10"))


def block(**changes: object) -> Block:
    """Two accounts of SPY and TLT at 1 and 2 USD, the second with 10 DOGE at 0.50; arrays to change."""
    given = Block(
        model_of(SIXTY_FORTY),
        np.array(["a", "b"]),
        np.array([100, -200]),
        np.array([[60, 70], [20, 30]]) * 10**9,
        np.array([[10_000], [20_000]]),
        Outside(np.array([1]), np.array(["DOGE"]), np.array([10 * 10**9]), np.array([5_000])),
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def sentences(accounts: list[Snapshot], portfolio: Portfolio = SIXTY_FORTY) -> list[str]:
    """What is found about accounts none of which can be a column."""
    columns = columns_of([(account, portfolio) for account in accounts])
    assert 0 == columns.size
    return [finding.sentence for finding in columns.findings]


def test_a_snapshot_becomes_whole_numbers() -> None:
    """Billionths of a share, 1e-4 USD, cents; rows by symbol; what is outside the model in the side table."""
    first, second = book("cash 1.25 | TLT 0.000000001@50.0001 | SPY @100"), book("TLT 3@50.0001 | SPY 2@100 | X 1@7")
    held = columns_of([(first, SIXTY_FORTY), (second, SIXTY_FORTY)]).blocks[0]
    assert ("SPY", "TLT") == held.model.symbols
    assert [[0, 2 * 10**9], [1, 3 * 10**9]] == held.quantity.tolist()
    assert [[1_000_000], [500_001]] == held.price.tolist()
    assert ([125, 0], [1], ["X"]) == (held.cash.tolist(), held.outside.account.tolist(), held.outside.symbol.tolist())


def test_accounts_with_prices_of_their_own_keep_them() -> None:
    """One price per account where they differ."""
    accounts = [(book(f"SPY 1@{price} | TLT @7"), SIXTY_FORTY) for price in (10, 11)]
    assert [[100_000, 110_000], [70_000, 70_000]] == columns_of(accounts).blocks[0].price.tolist()


def test_an_account_comes_back_as_it_was() -> None:
    """The engine reads the same cash, holdings and equity out of the columns."""
    snapshot = book("cash -3.21 | SPY 1.000000007@99.9999 | TLT 2@3 | DOGE 5@0.0001")
    again = columns_of([(snapshot, SIXTY_FORTY)]).snapshot(0, EVALUATION)
    assert (snapshot.cash, equity_of(snapshot)) == (again.cash, equity_of(again))
    assert set(snapshot.holdings) == set(again.holdings)
    with pytest.raises(IndexError, match="no account number 1"):
        columns_of([(snapshot, SIXTY_FORTY)]).snapshot(1, EVALUATION)


def test_what_is_left_out_does_not_count() -> None:
    """An excluded short is no part of the account."""
    snapshot = replace(book("cash 40 | SPY 60@1 | TLT @1 | OIL -5@1"), excluded=frozenset({Symbol("OIL")}))
    columns = columns_of([(snapshot, SIXTY_FORTY)])
    assert (0, 10_000) == (len(columns.blocks[0].outside.account), scan(columns).cents[0])


def test_the_tightest_band_is_one_number_per_row() -> None:
    """Of abs 5 and rel 10, 60 % has ±5 points and 40 % ±4; cash is not listed and has none."""
    model = model_of(SIXTY_FORTY)
    assert ([6000, 4000, 0], [5_000_00 * 10, 4_000_00 * 10, 0]) == (model.target.tolist(), [*map(int, model.eff)])
    assert (True, False) == (model.banded, model.cash_banded)


def test_what_the_engine_refuses_is_a_finding_in_its_words() -> None:
    """A short, a missing price, a target without a price though a row of zero shares is there, no equity."""
    assert [
        "OIL is held short, which is not supported; exclude it.",
        "TLT is a target of the portfolio and has no price above zero; supply one.",
        "TLT has no price above zero; supply one.",
        "Account acct has an equity of -1 USD; it must be above zero to compare weights or plan orders.",
    ] == sentences(
        [
            book("SPY 1@1 | TLT 1@1 | OIL -1@1"),
            book("SPY 1@1 | TLT 1@?"),
            book("SPY 1@1 | TLT 0@?"),
            book("cash -3 | SPY 1@1 | TLT 1@1"),
        ]
    )


def test_what_columns_cannot_hold_is_a_finding_that_names_the_account() -> None:
    """Too many decimals, too many shares, too dear a share, too large an account."""
    large = (
        "Account acct is larger than columns can hold: they take up to 9 billion shares of a holding, "
        "1,000,000 USD a share, 100 billion USD in holdings and as much in cash. Look at it on its own."
    )
    assert [
        "Account acct cannot be held in columns: 1E-10 has more than 9 decimals.",
        "Account acct cannot be held in columns: 1.00001 has more than 4 decimals.",
        "Account acct cannot be held in columns: 0.001 has more than 2 decimals.",
        *[large] * 4,
    ] == sentences(
        [
            book("SPY 0.0000000001@1 | TLT @1"),
            book("SPY 1@1.00001 | TLT @1"),
            book("cash 0.001 | SPY 1@1 | TLT @1"),
            book("SPY 10000000000@0.0001 | TLT @1"),
            book("SPY 1@1000000.0001 | TLT @1"),
            book("SPY 500000@200000 | TLT 1@1"),
            book("cash 100000000000.01 | SPY 1@1 | TLT 1@1"),
        ]
    )


@pytest.mark.parametrize(
    ("weights", "conditions", "sentence"),
    [
        (("0.60001", "0.39999"), (), "has a weight or band with more than two decimals of a percent."),
        (("0", "1"), (), "has a weight that is not above 0 and at most 100 percent."),
        (("0.6", "0.4"), (Decimal("1000000.01"),), "has a band that is not above 0 and at most 1,000,000 percent."),
    ],
)
def test_a_portfolio_that_columns_cannot_hold(
    weights: tuple[str, str], conditions: tuple[Decimal, ...], sentence: str
) -> None:
    """Its accounts are findings."""
    targets = Targets((Target(Symbol("SPY"), Decimal(weights[0])), Target(Symbol("TLT"), Decimal(weights[1]))))
    odd = Portfolio(PortfolioId("odd"), "odd", targets, tuple(DriftBand(BandKind.RELATIVE, w) for w in conditions))
    assert [f"Portfolio odd {sentence}"] == sentences([book("SPY 1@1 | TLT 1@1")], odd)


def test_a_symbol_may_stand_once_in_a_portfolio() -> None:
    """Twice is refused: the two could not be told apart."""
    half = Target(Symbol("SPY"), Decimal("0.5"))
    with pytest.raises(DataError, match="lists a symbol more than once"):
        model_of(Portfolio(PortfolioId("twice"), "twice", Targets((half, half))))


def test_arrays_become_columns_and_cannot_be_written() -> None:
    """They are taken as they are: 60 + 2 x 20 + 1.00 of cash, 70 + 2 x 30 - 2.00 + 10 x 0.50."""
    columns = columns_from([block()])
    assert [10_100, 13_300] == scan(columns).cents.tolist()
    with pytest.raises(ValueError, match="read-only"):
        columns.blocks[0].quantity[0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quantity": np.array([[1, -1], [1, 1]])}, "SPY is held short, which is not supported; exclude it."),
        (
            {"price": np.array([[1, 1], [1, 0]])},
            "TLT is a target of the portfolio and has no price above zero; supply one.",
        ),
        (
            {"outside": Outside(np.array([1]), np.array(["OIL"]), np.array([1]), np.array([0]))},
            "OIL is held and has no price above zero; supply one or exclude it.",
        ),
        (
            {"outside": Outside(np.array([1, 1]), np.array(["OIL", "OIL"]), np.array([1, 2]), np.array([1, 1]))},
            "OIL appears more than once among the holdings; combine the rows.",
        ),
        (
            {"cash": np.array([0, -(2**63)])},
            "Account b is larger than columns can hold: they take up to 9 billion shares of a holding, "
            "1,000,000 USD a share, 100 billion USD in holdings and as much in cash. Look at it on its own.",
        ),
    ],
)
def test_an_account_of_arrays_that_cannot_be_used_is_a_finding(changes: dict[str, object], sentence: str) -> None:
    """The second account leaves its block with the engine's sentence, or ours; the first stays."""
    columns = columns_from([block(**changes)])
    assert (["a"], [(AccountId("b"), sentence)]) == (
        columns.accounts.tolist(),
        [(finding.account_id, finding.sentence) for finding in columns.findings],
    )


def test_empty_lots_of_the_side_table_count_for_nothing() -> None:
    """Zero shares need no price."""
    outside = Outside(np.array([0]), np.array(["OIL"]), np.array([0]), np.array([0]))
    columns = columns_from([block(outside=outside)])
    assert (2, 0) == (columns.size, len(columns.blocks[0].outside.account))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cash": np.array([1])}, r"cash must have the shape \(2,\)"),
        ({"quantity": np.array([[1, 1]])}, r"quantity must have the shape \(2, 2\)"),
        ({"price": np.array([[1]])}, "price must have 2 rows"),
        ({"outside": Outside(np.array([2]), np.array(["X"]), np.array([1]), np.array([1]))}, "sorted by account"),
        ({"outside": Outside(np.array([0]), np.array(["X"]), np.array([1, 2]), np.array([1]))}, "of one length"),
        ({"outside": Outside(np.array([0]), np.array(["SPY"]), np.array([1]), np.array([1]))}, "must not name assets"),
        ({"quantity": np.array([[1.5, 1], [1, 1]])}, "an array of float64 was given"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, object], problem: str) -> None:
    """The block as a whole, with what is wrong."""
    with pytest.raises(DataError, match=problem):
        columns_from([block(**changes)])


@pytest.mark.parametrize("amount", [0, -1, CENT - 1, -CENT, 12345678901234567890123, -(10**24) + 7])
@pytest.mark.parametrize("off", [-0.9, 0.0, 0.9, 5e6])
def test_a_number_wider_than_64_bits_is_split_exactly(amount: int, off: float) -> None:
    """Whole units and rest give the number back, however it wrapped and although the estimate is off."""
    wrapped = np.array([(amount + 2**63) % 2**64 - 2**63])
    whole, rest = whole_and_rest(np.array([amount / CENT + off]), wrapped, CENT)
    assert (amount // CENT, amount % CENT) == (whole[0], rest[0])
