"""Portfolios as the engine sees them: target weights as fractions that sum to one, conditions and a cooldown.

Weights and percents are checked here, once, for API, pages, notebooks and files alike (rules.md 1.2, 2.1; seed 000).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from driftdesk.engine.snapshot import CASH, PortfolioId, Symbol
from driftdesk.errors import InputError
from driftdesk.money import HUNDRED, ZERO, format_decimal, parse_percent, percent_to_fraction


@dataclass(frozen=True, slots=True)
class Target:
    """Target weight of one symbol (CASH for cash), a fraction of equity."""

    symbol: Symbol
    weight: Decimal


@dataclass(frozen=True, slots=True)
class Targets:
    """Target weights in the order given; they sum to exactly one."""

    weights: tuple[Target, ...]

    def weight(self, symbol: Symbol) -> Decimal:
        """Target fraction of `symbol`, zero where it is not listed."""
        return next((target.weight for target in self.weights if target.symbol == symbol), ZERO)

    @property
    def cash_listed(self) -> bool:
        """Whether cash has a target of its own, and so a band (rules.md 3.4)."""
        return any(target.symbol == CASH for target in self.weights)

    @property
    def cash(self) -> Decimal:
        """Target fraction of cash; zero where it is not listed."""
        return self.weight(CASH)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The listed assets, without cash, in the order given."""
        return tuple(target.symbol for target in self.weights if target.symbol != CASH)


class BandKind(StrEnum):
    ABSOLUTE = "absolute"
    RELATIVE = "relative"


class CalendarKind(StrEnum):
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    ANNUALLY = "annually"


@dataclass(frozen=True, slots=True)
class DriftBand:
    """Permitted drift: `percent` in percentage points (absolute) or in percent of the target weight (relative)."""

    kind: BandKind
    percent: Decimal


@dataclass(frozen=True, slots=True)
class CalendarRule:
    """A rebalancing day: Monday..Friday, 1..31 or MM-DD, as `kind` asks."""

    kind: CalendarKind
    day: str


Condition = DriftBand | CalendarRule


def bands_of(conditions: Iterable[Condition]) -> tuple[DriftBand, ...]:
    """The drift bands among the conditions."""
    return tuple(condition for condition in conditions if isinstance(condition, DriftBand))


def calendar_of(conditions: Iterable[Condition]) -> CalendarRule | None:
    """The calendar condition, None where there is none (at most one is allowed)."""
    return next((condition for condition in conditions if isinstance(condition, CalendarRule)), None)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The API's model of weights and conditions, never an account's holdings. `cooldown_days` in calendar days."""

    id: PortfolioId
    name: str
    targets: Targets
    conditions: tuple[Condition, ...] = ()
    cooldown_days: int = 0

    @property
    def bands(self) -> tuple[DriftBand, ...]:
        """The drift bands among the conditions."""
        return bands_of(self.conditions)

    @property
    def calendar(self) -> CalendarRule | None:
        """The calendar condition, None where there is none (at most one is allowed)."""
        return calendar_of(self.conditions)


def parse_targets(percents: Iterable[tuple[Symbol, object]], *, field: str = "weights") -> Targets:
    """Targets from (symbol, percent) pairs; CASH stands for cash.

    Raises InputError when a percent is not positive or has more than two decimals, a symbol appears twice, or the
    sum is not exactly 100.00 (rules.md 1.2, 2.1; seed 000).
    """
    targets: list[Target] = []
    total = ZERO
    for index, (symbol, percent) in enumerate(percents):
        number = parse_percent(percent, field=f"{field}[{index}].percent")
        if any(target.symbol == symbol for target in targets):
            name = "cash" if symbol == CASH else symbol
            raise InputError(
                f"{field}[{index}] repeats {name}; each symbol and cash may be listed once.",
                field=f"{field}[{index}].symbol",
                received=symbol,
                allowed="each symbol once, at most one cash weight",
            )
        total += number
        targets.append(Target(symbol, percent_to_fraction(number)))
    if total != HUNDRED:
        raise InputError(
            f"{field} must sum to exactly 100.00 percent; they sum to {format_decimal(total)}.",
            field=field,
            received=format_decimal(total),
            allowed="percents that sum to 100.00",
        )
    return Targets(tuple(targets))
