"""Any holdings against any weights, with no backend (rules.md 3, 6): drift, decision and orders worked by hand."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from driftdesk import what_if
from driftdesk.engine.planner import Options, RunType
from driftdesk.errors import DataError, DriftdeskError, InputError
from driftdesk.whatif import WhatIf

# 60 SPY at 100 and 60 TLT at 50 and 1,000: 10,000 in all, 60 / 30 / 10.
HOLDINGS = [("SPY", 60, 100), ("TLT", 60, 50)]
AS_OF = datetime(2026, 3, 11, 14, tzinfo=UTC)


def ask(**changes: Any) -> WhatIf:
    plain: dict[str, Any] = {"cash": 1000, "weights": {"cash": 10, "SPY": 50, "TLT": 40}, "as_of": AS_OF}
    holdings = changes.pop("holdings", HOLDINGS)
    return what_if(holdings, **{**plain, **changes})


def orders(result: WhatIf) -> list[tuple[str, str, Decimal]]:
    return [(order.side, order.symbol, order.notional) for order in result.preview.plan.orders]


def test_drift_and_orders_of_an_account_that_exists_nowhere() -> None:
    """SPY is 10 points over and TLT 10 under: sell and buy 1,000; cash stays at 1,000."""
    result = ask(bands=["absolute 5"])
    assert [("SPY", Decimal("0.1")), ("TLT", Decimal("-0.1"))] == sorted(
        (row.symbol, row.drift) for row in result.drift.breached
    )
    assert [("sell", "SPY", Decimal(1000)), ("buy", "TLT", Decimal(1000))] == orders(result)
    assert Decimal(1000) == result.preview.cash_after
    assert ("run", "full_rebalance") == (result.decision.outcome, result.decision.run_type)


@pytest.mark.parametrize(
    ("bands", "outcome"),
    [
        ([], "not_due"),
        (["absolute 10"], "not_due"),
        (["absolute 9.99"], "run"),
        (["relative 25"], "not_due"),
        (["relative 24.99"], "run"),
        ([" relative  24.99 "], "run"),
        (["absolute 50", "relative 20"], "run"),
    ],
)
def test_which_bands_are_breached(bands: list[str], outcome: str) -> None:
    """10 points and at most 25% of a target (10 of 40): strictly greater breaches (rules.md 3.3)."""
    assert outcome == ask(bands=bands).decision.outcome


def test_cash_may_be_called_either_way_and_symbols_in_any_case() -> None:
    """``cash`` and ``$CASH``, ``spy`` and ``SPY`` are the same."""
    assert ask() == ask(holdings=[("spy", 60, 100), (" tlt ", 60, 50)], weights={"$CASH": 10, "spy": 50, "Tlt": 40})


def test_numbers_may_be_text_int_or_decimal() -> None:
    """All exact; a float is refused, its decimal text being lost."""
    assert ask() == ask(holdings=[("SPY", "60.0", Decimal(100)), ("TLT", Decimal(60), "50")], cash="1000.00")
    with pytest.raises(InputError, match=r"holdings\[0\]\.quantity"):
        ask(holdings=[("SPY", 60.5, 100)])


def test_nine_decimals_of_a_share_are_kept() -> None:
    """The finest quantity there is (rules.md 1.3), as in a file of holdings."""
    assert (
        Decimal("60.000000001")
        == ask(holdings=[("SPY", "60.000000001", 100), HOLDINGS[1]]).snapshot.holdings[0].quantity
    )


def test_what_is_not_held_is_bought_at_the_price_given() -> None:
    """GLD with quantity 0 at 200: 1,000 of cash to 0, all into GLD as five shares."""
    result = ask(
        holdings=[*HOLDINGS, ("GLD", 0, 200)], weights={"SPY": 60, "TLT": 30, "GLD": 10}, run_type=RunType.INVEST_CASH
    )
    assert [("buy", "GLD", Decimal(1000))] == orders(result)
    assert Decimal(5) == result.preview.plan.orders[0].estimated_quantity


def test_options_are_those_of_a_run() -> None:
    """Never selling leaves nothing to buy with (rules.md 6.7)."""
    assert [] == orders(ask(options=Options(never_sell=frozenset({"SPY"}))))  # type: ignore[arg-type]


def test_the_day_only_dates_the_result() -> None:
    """A Sunday and a Wednesday give the same orders and the same hash (rules.md 6.6)."""
    sunday = ask(as_of=datetime(2026, 3, 8, 3, tzinfo=UTC))
    assert (orders(ask()), ask().preview.hash) == (orders(sunday), sunday.preview.hash)


@pytest.mark.parametrize(
    ("error", "said", "changes"),
    [
        (InputError, "99.99", {"weights": {"SPY": "99.99"}}),
        (InputError, "at most two decimals", {"weights": {"SPY": "99.999", "cash": "0.001"}}),
        (InputError, "bands[0]", {"bands": ["absolute"]}),
        (InputError, "bands[1]", {"bands": ["absolute 5", "sideways 5"]}),
        (InputError, "repeats SPY", {"holdings": [("SPY", 1, 100), ("spy", 1, 100)]}),
        (InputError, "price of SPY must be positive", {"holdings": [("SPY", 1, 0)]}),
        (InputError, "price of SPY must be positive", {"holdings": [("SPY", 1, "0.00004")]}),
        (InputError, "SPY has more than 9 decimals", {"holdings": [("SPY", "1.0000000001", 100)]}),
        (InputError, "'S&P 500' is not a ticker symbol", {"holdings": [("S&P 500", 1, 100)]}),
        (InputError, "A symbol is missing", {"weights": {"": 100}}),
        (InputError, "is cash", {"holdings": [("cash", 1000, 1)]}),
        (InputError, "as_of needs a time zone", {"as_of": datetime(2026, 3, 11)}),  # noqa: DTZ001 - on purpose
        (DataError, "TLT", {"holdings": [("SPY", 1, 100)]}),
        (DataError, "equity", {"holdings": [("SPY", 0, 100), ("TLT", 0, 50)], "cash": 0}),
        (DriftdeskError, "short", {"holdings": [("SPY", -1, 100), ("TLT", 60, 50)]}),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    error: type[DriftdeskError], said: str, changes: dict[str, Any]
) -> None:
    """Naming the field or the symbol."""
    with pytest.raises(error) as refused:
        ask(**changes)
    assert said in str(refused.value)
