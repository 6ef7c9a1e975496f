"""Rebalancing policies to compare: what the engine calls a portfolio, and what trading costs.

A policy is the API's model (weights, conditions, cooldown) with a cost, so that what a study finds can be saved as a
portfolio as it stands. Grids are written in words, the way a person says them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from driftdesk.engine.conditions import CALENDAR, DRIFT_BAND, parse_conditions
from driftdesk.engine.targets import (
    BandKind,
    CalendarRule,
    Condition,
    DriftBand,
    Targets,
    bands_of,
    calendar_of,
)
from driftdesk.errors import InputError
from driftdesk.money import ZERO, format_decimal, parse_decimal

NONE: Final = "none"
# As in "absolute 5" and "monthly 31".
WORDS_OF_A_RULE: Final = 2
# A tenth of what is traded. No market costs that; it keeps every account above zero.
COST_LIMIT_BPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """Targets (cash included where it is listed), conditions, cooldown in calendar days, cost in bps of traded value.

    The conditions are ORed: any number of drift bands, at most one calendar (rules.md 2.1). Raises InputError for a
    second calendar, a cooldown that is negative or not whole, and a cost outside 0 to 1000 bps.
    """

    targets: Targets
    conditions: tuple[Condition, ...] = ()
    cooldown_days: int = 0
    cost_bps: Decimal = ZERO

    def __post_init__(self) -> None:
        if sum(isinstance(condition, CalendarRule) for condition in self.conditions) > 1:
            raise InputError(
                "conditions has a second calendar; a policy may have one.", field="conditions", allowed="one calendar"
            )
        if isinstance(self.cooldown_days, bool) or not isinstance(self.cooldown_days, int) or self.cooldown_days < 0:
            raise InputError(
                f"cooldown_days must be a whole number of days from 0 on; received {self.cooldown_days!r}.",
                field="cooldown_days",
                received=self.cooldown_days,
                allowed="a whole number, 0 or more",
            )
        if not ZERO <= self.cost_bps <= COST_LIMIT_BPS:
            raise InputError(
                f"cost_bps must be from 0 to {COST_LIMIT_BPS} basis points; received {self.cost_bps}.",
                field="cost_bps",
                received=self.cost_bps,
                allowed=f"0 to {COST_LIMIT_BPS}",
            )

    @property
    def bands(self) -> tuple[DriftBand, ...]:
        """The drift bands among the conditions."""
        return bands_of(self.conditions)

    @property
    def calendar(self) -> CalendarRule | None:
        """The calendar condition, None where there is none."""
        return calendar_of(self.conditions)

    @property
    def label(self) -> str:
        """What a person reads: ``absolute 5 + relative 20, monthly 1, cooldown 30 days, 10 bps``; ``never`` is no rule.

        Weights are not part of it: policies that are compared usually share them.
        """
        bands = " + ".join(f"{band.kind.value} {format_decimal(band.percent)}" for band in self.bands)
        calendar = "" if self.calendar is None else f"{self.calendar.kind.value} {self.calendar.day}"
        cooldown = f"cooldown {self.cooldown_days} day{'' if self.cooldown_days == 1 else 's'}"
        parts = (
            bands,
            calendar,
            "" if bands or calendar else "never",
            cooldown if self.cooldown_days else "",
            f"{format_decimal(self.cost_bps)} bps" if self.cost_bps else "",
        )
        return ", ".join(part for part in parts if part)


def policy_grid(
    targets: Targets,
    *,
    bands: Sequence[str] = (NONE,),
    calendars: Sequence[str] = (NONE,),
    cooldowns: Sequence[int] = (0,),
    costs_bps: Sequence[object] = (0,),
) -> tuple[Policy, ...]:
    """Every combination, in the order written, bands slowest and costs fastest.

    A band is ``absolute 5`` (points), ``relative 20`` (percent of the target) or several with ``+`` between them; a
    calendar is ``monthly 31``, ``weekly Friday`` and so on; ``none`` leaves one out. Costs are decimal text or whole
    numbers. Raises InputError as `parse_conditions` and `Policy` do.
    """
    return tuple(
        Policy(targets, (*band, *calendar), cooldown, parse_decimal(cost, field="costs_bps"))
        for band in _conditions(bands, DRIFT_BAND, "bands")
        for calendar in _conditions(calendars, CALENDAR, "calendars")
        for cooldown in cooldowns
        for cost in costs_bps
    )


def _conditions(texts: Iterable[str], kind: str, field: str) -> list[tuple[Condition, ...]]:
    number = "percent" if kind == DRIFT_BAND else "day"
    allowed = [sub_type.value for sub_type in BandKind] if kind == DRIFT_BAND else None
    found: list[tuple[Condition, ...]] = []
    for index, text in enumerate(texts):
        parts = [] if text.strip() == NONE else [part.split() for part in text.split("+")]
        if any(len(part) != WORDS_OF_A_RULE for part in parts):
            example = f"{allowed[0]} 5" if allowed else "monthly 1"
            raise InputError(
                f"{field}[{index}] must be {NONE} or read like {example}; received {text!r}.",
                field=f"{field}[{index}]",
                received=text,
                allowed=f"{NONE}, {example}",
            )
        items = [{"type": kind, "sub_type": part[0], number: part[1]} for part in parts]
        found.append(parse_conditions(items, field=f"{field}[{index}]"))
    return found
