"""The fill models: prices by hand, volumes by their bounds, the same for the same seed (issue 4)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from conftest import WEDNESDAY_10AM

from driftdesk.backend.exchange.fillmodel import FillModel, FillModelName
from driftdesk.engine.snapshot import Side, Symbol
from driftdesk.errors import InputError

SPY = Symbol("SPY")


@pytest.mark.parametrize(
    ("name", "side", "price"),
    [
        ("immediate", "buy", "100"),
        ("immediate", "sell", "100"),
        ("next_open", "buy", "100"),
        ("spread", "buy", "100.08"),
        ("spread", "sell", "99.92"),
        ("participation", "buy", "100.08"),
    ],
)
def test_the_spread_and_the_slippage_are_against_the_order(name: str, side: str, price: str) -> None:
    """Half of 10 bps and 3 bps more: 8 bps of 100."""
    model = FillModel(FillModelName(name), spread_bps=Decimal(10), slippage_bps=Decimal(3))
    assert Decimal(price) == model.price(Side(side), Decimal(100))


def test_no_price_is_below_the_smallest_step() -> None:
    """0.0001 less 99 % is 0.0000 rounded, and still trades at 0.0001."""
    model = FillModel(FillModelName.SPREAD, slippage_bps=Decimal(4999))
    assert Decimal("0.0001") == model.price(Side.SELL, Decimal("0.0001"))


def test_a_minute_takes_its_share_of_the_volume() -> None:
    """20 % of 50 to 150 shares are 10 to 30, the same for the same seed and minute, others for others."""
    model = FillModel(FillModelName.PARTICIPATION, participation_percent=Decimal(20), seed=1)
    minutes = [WEDNESDAY_10AM + timedelta(minutes=minute) for minute in range(200)]
    sizes = [model.size(SPY, at, Decimal(1000)) for at in minutes]
    assert all(10 <= size <= 30 and size == size // 1 for size in sizes)
    assert len(set(sizes)) > 10
    assert sizes == [model.size(SPY, at + timedelta(seconds=59), Decimal(1000)) for at in minutes]
    other = FillModel(FillModelName.PARTICIPATION, participation_percent=Decimal(20), seed=2)
    assert sizes != [other.size(SPY, at, Decimal(1000)) for at in minutes]


def test_whole_shares_stay_whole_and_fractions_are_exact() -> None:
    """However little trades in a minute: at least one share of whole ones, nine decimals of others."""
    slow = FillModel(FillModelName.PARTICIPATION, participation_percent=Decimal(1), minute_volume=Decimal(1))
    assert Decimal(1) == slow.size(SPY, WEDNESDAY_10AM, Decimal(5))
    part = slow.size(SPY, WEDNESDAY_10AM, Decimal("5.5"))
    assert Decimal("0.005") <= part <= Decimal("0.015")
    assert part == round(part, 9)
    assert Decimal("0.001") == slow.size(SPY, WEDNESDAY_10AM, Decimal("0.001"))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"spread_bps": Decimal(-1)}, "spread_bps"),
        ({"spread_bps": Decimal(10_000)}, "spread_bps"),
        ({"slippage_bps": Decimal(5_000)}, "slippage_bps"),
        ({"participation_percent": Decimal(0)}, "participation_percent"),
        ({"participation_percent": Decimal("100.1")}, "participation_percent"),
        ({"minute_volume": Decimal(0)}, "minute_volume"),
    ],
)
def test_a_model_that_cannot_be_is_refused(values: dict[str, Decimal], field: str) -> None:
    """By name of the value."""
    with pytest.raises(InputError) as refused:
        FillModel(**values)  # type: ignore[arg-type]
    assert field == refused.value.field
