"""Policies, their labels, and grids written in words."""

from dataclasses import replace
from decimal import Decimal

import pytest
from domain import model
from lab.words import policy

from driftdesk.engine.targets import BandKind, CalendarKind, CalendarRule, DriftBand
from driftdesk.errors import InputError
from driftdesk.lab.policy import policy_grid

BALANCED = "SPY 60 | TLT 40"


@pytest.mark.parametrize(
    ("label", "rules", "cooldown", "bps"),
    [
        ("never", [], 0, "0"),
        ("absolute 5", ["abs 5.00"], 0, "0"),
        ("absolute 5 + relative 20, monthly 31, cooldown 30 days, 2.5 bps", ["abs 5, rel 20", "monthly 31"], 30, "2.5"),
        ("weekly Friday, cooldown 1 day", ["weekly Friday"], 1, "0"),
        ("never, 10 bps", [], 0, "10"),
    ],
)
def test_a_label_says_what_a_policy_does(label: str, rules: list[str], cooldown: int, bps: str) -> None:
    """Bands, calendar, cooldown and cost, each only where there is one."""
    assert label == policy(BALANCED, *rules, cooldown=cooldown, bps=bps).label


def test_a_grid_holds_every_combination_in_order() -> None:
    """Two bands x two calendars x two cooldowns x one cost; bands change slowest."""
    grid = policy_grid(
        model(BALANCED),
        bands=("absolute 5", "absolute 5 + relative 20"),
        calendars=("none", "quarterly 31"),
        cooldowns=(0, 30),
        costs_bps=("2.5",),
    )
    assert [
        "absolute 5, 2.5 bps",
        "absolute 5, cooldown 30 days, 2.5 bps",
        "absolute 5, quarterly 31, 2.5 bps",
        "absolute 5, quarterly 31, cooldown 30 days, 2.5 bps",
        "absolute 5 + relative 20, 2.5 bps",
        "absolute 5 + relative 20, cooldown 30 days, 2.5 bps",
        "absolute 5 + relative 20, quarterly 31, 2.5 bps",
        "absolute 5 + relative 20, quarterly 31, cooldown 30 days, 2.5 bps",
    ] == [one.label for one in grid]
    assert (
        DriftBand(BandKind.ABSOLUTE, Decimal(5)),
        DriftBand(BandKind.RELATIVE, Decimal(20)),
        CalendarRule(CalendarKind.QUARTERLY, "31"),
    ) == grid[-1].conditions


def test_a_grid_without_rules_is_one_policy_that_never_trades() -> None:
    """Every part has "none" or nothing as its only value."""
    assert (policy(BALANCED),) == policy_grid(model(BALANCED))


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("bands[1]", {"bands": ("none", "absolute")}),
        ("bands[0]", {"bands": ("5",)}),
        ("bands[0][1].percent", {"bands": ("absolute 5 + relative 0",)}),
        ("bands[0][0].sub_type", {"bands": ("total 5",)}),
        ("calendars[0][0].day", {"calendars": ("monthly 32",)}),
        ("calendars[0][1].type", {"calendars": ("monthly 1 + weekly Friday",)}),
        ("cooldown_days", {"cooldowns": (-1,)}),
        ("cost_bps", {"costs_bps": ("1000.01",)}),
        ("cost_bps", {"costs_bps": (-1,)}),
        ("costs_bps", {"costs_bps": ("dear",)}),
    ],
)
def test_a_grid_refuses_what_no_portfolio_could_have(field: str, parts: dict[str, tuple[object, ...]]) -> None:
    """The field that is wrong is named, as where a portfolio is saved."""
    with pytest.raises(InputError) as error:
        policy_grid(model(BALANCED), **parts)  # type: ignore[arg-type]
    assert field == error.value.field


def test_a_policy_has_one_calendar() -> None:
    """A second one is refused however the policy is made (rules.md 2.1)."""
    monthly = policy(BALANCED, "monthly 1")
    with pytest.raises(InputError, match="second calendar"):
        replace(monthly, conditions=(*monthly.conditions, CalendarRule(CalendarKind.WEEKLY, "Friday")))
