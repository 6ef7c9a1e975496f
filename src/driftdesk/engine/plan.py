"""What a plan is made of: the request with its options, planned orders, skipped orders (rules.md 6)."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.engine.targets import Condition, Targets

MIN_NOTIONAL: Final = Decimal("1.00")
ORDER_LESS_THAN_MIN_NOTIONAL: Final = "ORDER_LESS_THAN_MIN_NOTIONAL"


class RunType(StrEnum):
    FULL_REBALANCE = "full_rebalance"
    INVEST_CASH = "invest_cash"


class Toward(StrEnum):
    """How far an order moves a holding (rules.md 6.7)."""

    TARGET = "target"
    HALFWAY = "halfway"
    EDGE = "edge"


@dataclass(frozen=True, slots=True)
class Options:
    """Choices beyond the seed (rules.md 6.7), all off by default. `cash_buffer` and `raise_cash` in USD."""

    breached_only: bool = False
    toward: Toward = Toward.TARGET
    cash_buffer: Decimal = Decimal(0)
    never_buy: frozenset[Symbol] = frozenset()
    never_sell: frozenset[Symbol] = frozenset()
    raise_cash: Decimal = Decimal(0)
    whole_shares: bool = False


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What to plan: the kind of run, the cap on the cash to invest (`amount`, invest_cash only), options, minimum."""

    targets: Targets
    conditions: tuple[Condition, ...] = ()
    run_type: RunType = RunType.FULL_REBALANCE
    amount: Decimal | None = None
    options: Options = field(default_factory=Options)
    min_notional: Decimal = MIN_NOTIONAL


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """A market day order. `quantity` is set when the order is sent by quantity (a sell that closes a position, or
    whole shares); otherwise it is sent by `notional`. `notional` is always the planned value in USD (cents; for an
    order by quantity: quantity x price half-up), `estimated_quantity` what it is expected to fill at `price`.
    `reason` is one sentence for a person. `line` counts from 1 in the order of sending: sells, then buys.
    """

    line: int
    symbol: Symbol
    side: Side
    notional: Decimal
    quantity: Decimal | None
    price: Decimal
    estimated_quantity: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class SkippedOrder:
    """An order that is not sent. `reason` is a code of the seed, `reason_details` a sentence."""

    symbol: Symbol
    side: Side
    notional: Decimal
    reason: str
    reason_details: str
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders to send (sells first), orders skipped, and warnings in plain sentences."""

    account_id: AccountId
    run_type: RunType
    orders: tuple[PlannedOrder, ...]
    skipped: tuple[SkippedOrder, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sells(self) -> tuple[PlannedOrder, ...]:
        return tuple(order for order in self.orders if order.side is Side.SELL)

    @property
    def buys(self) -> tuple[PlannedOrder, ...]:
        return tuple(order for order in self.orders if order.side is Side.BUY)
