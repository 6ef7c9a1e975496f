"""Drift, bands and the snapshots that are refused."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from domain import EVALUATION, bands, book, model, with_quote

from driftdesk.engine.drift import DriftStatus, HoldingDrift, measure_drift
from driftdesk.engine.snapshot import CASH, Holding, Symbol
from driftdesk.errors import DataError, InputError

BALANCED = "cash 5 | SPY 60 | TLT 35"


def row_of(account: str, symbol: str, targets: str = BALANCED, conditions: str = "abs 5, rel 20") -> HoldingDrift:
    """The row of `symbol` in the report of an account."""
    rows = measure_drift(book(account), model(targets), bands(conditions)).rows
    return next(row for row in rows if row.symbol == symbol)


def test_a_report_shows_every_holding_every_target_and_cash() -> None:
    """E = 500 + 6500 + 3000 = 10000; GLD is neither targeted nor held and stays out."""
    report = measure_drift(book("cash 500 | SPY 65@100 | TLT 60@50 | GLD @9"), model(BALANCED), bands("abs 5, rel 20"))
    assert Decimal(10000) == report.equity
    assert [("SPY", "0.65"), ("TLT", "0.3"), (CASH, "0.05")] == [(row.symbol, str(row.actual)) for row in report.rows]
    assert ["0.05", "-0.05", "0.00"] == [str(row.drift) for row in report.rows]


@pytest.mark.parametrize(
    ("spy", "status"),
    [
        ("65", DriftStatus.IN_BAND),
        ("65.000000001", DriftStatus.OVERWEIGHT),
        ("55", DriftStatus.IN_BAND),
        ("54.999999999", DriftStatus.UNDERWEIGHT),
    ],
)
def test_a_band_is_breached_strictly_beyond_its_edge(spy: str, status: DriftStatus) -> None:
    """60% with a band of 5 points of 10000: 6500 and 5500 are permitted, a billionth of a share more is not."""
    rest = 10000 - Decimal(spy) * 100
    row = row_of(f"cash {rest} | SPY {spy}@100 | TLT @50", "SPY", "SPY 60 | TLT 40", "abs 5")
    assert status is row.status


@pytest.mark.parametrize(
    ("targets", "symbol", "half_width", "lower", "upper"),
    [
        (BALANCED, "SPY", "0.05", "0.55", "0.65"),
        (BALANCED, "TLT", "0.05", "0.30", "0.40"),
        (BALANCED, CASH, "0.01", "0.04", "0.06"),
        ("SPY 20 | TLT 80", "SPY", "0.04", "0.16", "0.24"),
    ],
)
def test_the_tightest_band_governs(targets: str, symbol: str, half_width: str, lower: str, upper: str) -> None:
    """5 points against 20% of the target: they meet at 25%, below it the relative one is tighter."""
    band = row_of("cash 500 | SPY 60@100 | TLT 70@50", symbol, targets).band
    assert band is not None
    assert [Decimal(half_width), Decimal(lower), Decimal(upper)] == [band.half_width, band.lower, band.upper]


def test_cash_has_a_band_only_where_it_is_listed() -> None:
    """10% cash breaches a listed 5% with 20% of it, and nothing where cash is not listed."""
    assert row_of("cash 1000 | SPY 60@100 | TLT 60@50", CASH).status is DriftStatus.OVERWEIGHT
    unlisted = row_of("cash 1000 | SPY 60@100 | TLT 60@50", CASH, "SPY 60 | TLT 40")
    assert unlisted.band is None
    assert unlisted.status is DriftStatus.UNTARGETED


def test_a_holding_outside_the_portfolio_is_untargeted() -> None:
    """It has target 0 and no band, however large it is."""
    row = row_of("cash 500 | SPY 60@100 | TLT 70@50 | XYZ 100@100", "XYZ")
    assert row.status is DriftStatus.UNTARGETED
    assert (row.target, row.band, row.band_used, row.relative_drift) == (Decimal(0), None, None, None)


def test_rows_come_worst_first_and_the_nearest_miss_is_named() -> None:
    """Band used: TLT 3 / 5, SPY 2 / 5 points, cash 1 / 1 of its five percent; XYZ without a band comes last."""
    report = measure_drift(
        book("cash 600 | SPY 62@100 | TLT 64@50 | XYZ 0.0001@1"), model(BALANCED), bands("abs 5, rel 20")
    )
    assert [CASH, "TLT", "SPY", "XYZ"] == [row.symbol for row in report.rows]
    assert report.nearest is not None
    assert report.nearest.symbol == CASH


def test_a_breached_row_is_not_the_nearest_miss() -> None:
    """SPY is outside; TLT is the one that is nearest to its edge."""
    report = measure_drift(
        book("cash 0 | SPY 66@100 | TLT 34@100 | GLD @9"), model("SPY 60 | TLT 37 | GLD 3"), bands("abs 5")
    )
    assert [row.symbol for row in report.breached] == ["SPY"]
    assert report.nearest is not None
    assert (report.nearest.symbol, report.nearest.band_used) == ("GLD", Decimal("0.6"))
    assert Decimal("1.2") == report.largest_band_used


def test_without_bands_nothing_is_breached() -> None:
    """There is no nearest miss either."""
    report = measure_drift(book("cash 0 | SPY 99@100 | TLT 1@100"), model("SPY 60 | TLT 40"))
    assert (report.breached, report.nearest, report.largest_band_used) == ((), None, None)


def test_excluded_holdings_leave_equity() -> None:
    """E is 1000 whatever the excluded holding is worth, and it needs no price."""
    snapshot = replace(book("cash 400 | SPY 6@100 | XYZ 5@?"), excluded=frozenset({Symbol("XYZ")}))
    report = measure_drift(snapshot, model("cash 40 | SPY 60"))
    assert Decimal(1000) == report.equity
    assert {CASH, "SPY"} == {row.symbol for row in report.rows}


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        ("cash 0 | SPY 1@? | TLT 1@50", "SPY is a target of the portfolio and has no price above zero; supply one"),
        ("cash 0 | SPY 1@100 | TLT @?", "TLT is a target of the portfolio and has no price"),
        ("cash 0 | SPY 1@100", "TLT is a target of the portfolio and has no price"),
        ("cash 0 | SPY 1@0 | TLT 1@50", "SPY is a target of the portfolio and has no price"),
        (
            "cash 0 | SPY 1@100 | TLT 1@50 | XYZ 1@?",
            "XYZ is held and has no price above zero; supply one or exclude it",
        ),
        ("cash 0 | SPY -1@100 | TLT 9@50", "SPY is held short, which is not supported; exclude it"),
        ("cash 0 | SPY 1@100 | SPY 2@100 | TLT 9@50", "SPY appears more than once among the holdings"),
        ("cash -150 | SPY 1@100 | TLT 1@50", "Account acct has an equity of 0 USD; it must be above zero"),
        ("cash -150.01 | SPY 1@100 | TLT 1@50", r"equity of -0\.01 USD"),
    ],
)
def test_a_snapshot_that_allows_no_safe_answer_is_refused(account: str, sentence: str) -> None:
    """One sentence names the holding and what to do."""
    with pytest.raises(DataError, match=sentence):
        measure_drift(book(account), model(BALANCED))


@pytest.mark.parametrize("asset_class", ["us_option", "crypto"])
def test_options_and_crypto_are_refused_by_name(asset_class: str) -> None:
    """They are refused until a person excludes them."""
    snapshot = book("cash 0 | SPY 1@100 | TLT 1@50 | BTC/USD @60000")
    odd = Holding(Symbol("BTC/USD"), Decimal(1), Decimal(1), asset_class)
    snapshot = replace(snapshot, holdings=(*snapshot.holdings, odd))
    with pytest.raises(DataError, match="BTC/USD is neither a stock nor an ETF"):
        measure_drift(snapshot, model(BALANCED))
    excluded = replace(snapshot, excluded=frozenset({Symbol("BTC/USD")}))
    assert Decimal(150) == measure_drift(excluded, model(BALANCED)).equity


def test_a_target_cannot_be_excluded() -> None:
    """The plan would buy what the person wanted left alone."""
    snapshot = replace(book("cash 0 | SPY 1@100 | TLT 1@50"), excluded=frozenset({Symbol("SPY")}))
    with pytest.raises(InputError, match="SPY is a target and cannot be excluded"):
        measure_drift(snapshot, model(BALANCED))


@pytest.mark.parametrize(("minutes", "seconds", "stale"), [(15, 0, False), (15, 1, True)])
def test_prices_older_than_fifteen_minutes_are_stale(minutes: int, seconds: int, stale: bool) -> None:
    """Exactly fifteen minutes are permitted, and any age while the market is closed."""
    old = EVALUATION - timedelta(minutes=minutes, seconds=seconds)
    snapshot = with_quote(book("cash 0 | SPY 1@100 | TLT 1@50"), "TLT", at=old)
    if stale:
        with pytest.raises(DataError, match="TLT has a price older than 15 minutes while the market is open"):
            measure_drift(snapshot, model(BALANCED))
        snapshot = replace(snapshot, market_open=False)
    assert Decimal(150) == measure_drift(snapshot, model(BALANCED)).equity
