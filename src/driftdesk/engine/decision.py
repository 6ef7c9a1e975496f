"""What one evaluation of an account finds: triggers, blocks and the decision they make (rules.md 5.8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from driftdesk.engine.drift import DriftReport, HoldingDrift
from driftdesk.engine.plan import RunType
from driftdesk.engine.snapshot import AccountId, PortfolioId, RunId, Symbol, label
from driftdesk.engine.wording import band_share


class TriggerKind(StrEnum):
    DRIFT_BAND = "drift_band"
    CALENDAR = "calendar"
    PORTFOLIO_CHANGED = "portfolio_changed"
    SUBSCRIPTION_CREATED = "subscription_created"
    CASH_INFLOW = "cash_inflow"


class BlockKind(StrEnum):
    COOLDOWN = "cooldown"
    MARKET_CLOSED = "market_closed"
    OPEN_RUN = "open_run"
    ONCE_A_SESSION = "once_a_session"
    NEEDS_ADJUSTMENT = "needs_adjustment"
    HELD = "held"
    NOTHING_TO_TRADE = "nothing_to_trade"
    DUST = "dust"
    NO_EQUITY = "no_equity"
    NO_PRICE = "no_price"


class Outcome(StrEnum):
    RUN = "run"
    BLOCKED = "blocked"
    NOT_DUE = "not_due"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A condition that fired. `measured` and `limit` in percent (points or of target, as the band says); None where
    there is nothing to measure. `measured` has no sign and is rounded up to 6 decimals, so it always exceeds the limit.
    `nominal_date` is the calendar's own day. `text` is one sentence for a person.
    """

    kind: TriggerKind
    text: str
    symbol: Symbol | None = None
    measured: Decimal | None = None
    limit: Decimal | None = None
    nominal_date: date | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Why a trigger does not become a run now. `until` is the first date on which it can, None when unknown.

    A lost calendar day is a block too (cooldown), also beside a run that something else triggered.
    """

    kind: BlockKind
    text: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the subscription and the account remember between evaluations."""

    portfolio_status: str = "active"
    last_rebalanced_at: datetime | None = None
    last_evaluated: date | None = None  # session of the last evaluation; sessions after it are made up for
    portfolio_changed: bool = False  # weights changed: a trigger (rules.md 2.4)
    subscription_created: bool = False  # first system run still waiting (rules.md 2.6)
    uninvested_inflow: Decimal = Decimal(0)  # USD that came in and was not yet invested (rules.md 5.6)
    open_run: RunId | None = None
    ran_this_session: bool = False  # an automatic run was created in this session
    held: str | None = None  # why automatic runs are held (rules.md 5.7)


@dataclass(frozen=True, slots=True)
class Decision:
    """One evaluation: what triggered, what blocked, and the outcome (rules.md 5.8).

    `run_type` is the kind of run to create, or the one that is blocked; None when nothing is due. Blocks beside the
    outcome RUN say why the full rebalance gives way to investing cash, or which calendar days were lost.
    """

    account_id: AccountId
    portfolio_id: PortfolioId
    session: date
    at: datetime
    outcome: Outcome
    run_type: RunType | None
    triggers: tuple[Trigger, ...]
    blocks: tuple[Block, ...]
    summary: str


def summarise(
    outcome: Outcome,
    run_type: RunType | None,
    triggers: Sequence[Trigger],
    blocks: Sequence[Block],
    report: DriftReport | None,
) -> str:
    """One sentence for a person: what runs and why, what bars it, or how near the account is to its bands."""
    if outcome is Outcome.NOT_DUE:
        if report is None or report.nearest is None:
            return "Nothing is due: no condition fired and nothing has a drift band."
        return f"Nothing is due; the nearest miss: {describe_band_use(report.nearest)}."
    if outcome is Outcome.BLOCKED:
        return f"Due, but not now: {blocks[0].text}" if triggers else f"Not evaluated: {blocks[0].text}"
    if run_type is RunType.INVEST_CASH:
        inflow = next(trigger for trigger in triggers if trigger.kind is TriggerKind.CASH_INFLOW)
        return f"Invest cash: {inflow.text}"
    more = len(triggers) - 1
    others = f" ({more} more trigger{'s' if more > 1 else ''})" if more else ""
    return f"Full rebalance: {triggers[0].text.rstrip('.')}{others}."


def describe_band_use(row: HoldingDrift) -> str:
    """``SPY uses 94% of its band of ±5``."""
    if row.band is None or row.band_used is None:
        return f"{label(row.symbol)} has no band"
    return f"{label(row.symbol)} uses {band_share(row.band_used, row.band)}"
