"""Drift of an account against its targets and bands (rules.md 3)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from driftdesk.engine.snapshot import CASH, STALE_AFTER, AccountId, Holding, Snapshot, Symbol
from driftdesk.engine.targets import BandKind, Condition, DriftBand, Targets, bands_of
from driftdesk.errors import DataError, InputError
from driftdesk.money import ONE, ZERO, exact, format_decimal, percent_to_fraction, round_cents


class DriftStatus(StrEnum):
    IN_BAND = "in_band"
    UNDERWEIGHT = "underweight"
    OVERWEIGHT = "overweight"
    UNTARGETED = "untargeted"


@dataclass(frozen=True, slots=True)
class Band:
    """The band that governs a holding: the tightest of the portfolio's. Fractions of equity; `lower` may be below 0."""

    condition: DriftBand
    half_width: Decimal
    lower: Decimal
    upper: Decimal


@dataclass(frozen=True, slots=True)
class HoldingDrift:
    """One row of a drift report. Weights and drift are fractions of equity, value in USD.

    `band_used` is |drift| / half width (1 is the edge), None without a band. `quantity` and `price` are None for cash.
    `status` is underweight or overweight only when the band is breached, which is decided exactly.
    """

    symbol: Symbol
    quantity: Decimal | None
    price: Decimal | None
    value: Decimal
    target: Decimal
    actual: Decimal
    drift: Decimal
    relative_drift: Decimal | None
    band: Band | None
    band_used: Decimal | None
    status: DriftStatus

    @property
    def breached(self) -> bool:
        """Whether |drift| is strictly greater than the band allows (rules.md 3.3)."""
        return self.status in (DriftStatus.UNDERWEIGHT, DriftStatus.OVERWEIGHT)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Drift of every holding, target and cash of an account; rows sorted worst first (band used, then |drift|, symbol).

    The cash row is always present. `nearest` is the unbreached row with the largest share of its band used.
    """

    account_id: AccountId
    as_of: datetime
    equity: Decimal
    cash: Decimal
    rows: tuple[HoldingDrift, ...]
    nearest: HoldingDrift | None

    @property
    def breached(self) -> tuple[HoldingDrift, ...]:
        """The rows outside their band; one is enough to trigger the account (rules.md 3.6)."""
        return tuple(row for row in self.rows if row.breached)

    @property
    def largest_band_used(self) -> Decimal | None:
        """The largest share of a band used, None when nothing has a band."""
        return max((row.band_used for row in self.rows if row.band_used is not None), default=None)


def check_snapshot(snapshot: Snapshot, targets: Targets) -> None:
    """Refuse a snapshot that does not allow a safe answer (rules.md 3.1).

    Raises InputError where an exclusion contradicts the targets, DataError for a short position, an asset that is
    neither stock nor ETF, a missing or stale price, or an equity that is not positive.
    """
    check_exclusions(snapshot, targets)
    check_holdings(snapshot, targets)
    check_equity(snapshot)


def check_exclusions(snapshot: Snapshot, targets: Targets) -> None:
    """Raise InputError when an excluded symbol is a target: it cannot leave the plan and be bought for it."""
    contradicting = [symbol for symbol in targets.symbols if symbol in snapshot.excluded]
    if contradicting:
        raise InputError(
            f"{_list(contradicting)} is a target and cannot be excluded; remove the exclusion or the weight.",
            field="excluded",
            received=contradicting,
            allowed="symbols outside the portfolio",
        )


def check_holdings(snapshot: Snapshot, targets: Targets) -> None:
    """Raise DataError naming holdings that are repeated, short, not us_equity, without a price or with a stale one."""
    seen = Counter(holding.symbol for holding in snapshot.holdings)
    holdings = counted_holdings(snapshot)
    targeted = frozenset(targets.symbols)
    priced = [holding.symbol for holding in holdings] + [s for s in targets.symbols if s not in seen]
    missing = [symbol for symbol in priced if _price(snapshot, symbol) is None]
    findings = (
        ([s for s, count in seen.items() if count > 1], "appears more than once among the holdings; combine the rows"),
        ([h.symbol for h in holdings if h.quantity < ZERO], "is held short, which is not supported; exclude it"),
        (
            [h.symbol for h in holdings if h.asset_class != "us_equity"],
            "is neither a stock nor an ETF (options and crypto are not supported); exclude it",
        ),
        ([s for s in missing if s in targeted], "is a target of the portfolio and has no price above zero; supply one"),
        ([s for s in missing if s not in targeted], "is held and has no price above zero; supply one or exclude it"),
        (
            [s for s in priced if s not in missing and _is_stale(snapshot, s)],
            f"has a price older than {STALE_AFTER.seconds // 60} minutes while the market is open; refresh the prices",
        ),
    )
    for symbols, sentence in findings:
        if symbols:
            raise DataError(f"{_list(symbols)} {sentence}.")


def check_equity(snapshot: Snapshot) -> None:
    """Raise DataError when equity is not above zero; every counted holding must have a price."""
    equity = equity_of(snapshot)
    if equity <= ZERO:
        raise DataError(
            f"Account {snapshot.account_id} has an equity of {format_decimal(round_cents(equity))} USD; "
            "it must be above zero to compare weights or plan orders."
        )


def counted_holdings(snapshot: Snapshot) -> tuple[Holding, ...]:
    """The holdings that count for equity and plan: not excluded, and not empty (rules.md 3.1)."""
    return tuple(h for h in snapshot.holdings if h.symbol not in snapshot.excluded and h.quantity != ZERO)


@exact
def equity_of(snapshot: Snapshot) -> Decimal:
    """Cash + sum of quantity x price over the counted holdings, in USD (rules.md 3.1)."""
    return snapshot.cash + sum(
        (holding.quantity * price_of(snapshot, holding.symbol) for holding in counted_holdings(snapshot)), ZERO
    )


def price_of(snapshot: Snapshot, symbol: Symbol) -> Decimal:
    """Price of `symbol` in USD; raises DataError where the snapshot has none above zero."""
    price = _price(snapshot, symbol)
    if price is None:
        raise DataError(f"{symbol} has no price above zero; supply one.")
    return price


@exact
def measure_drift(snapshot: Snapshot, targets: Targets, conditions: Sequence[Condition] = ()) -> DriftReport:
    """Drift of every target, holding and cash against `targets` and the drift bands in `conditions` (rules.md 3).

    Conditions of other types are ignored. Raises as `check_snapshot` does.
    """
    check_snapshot(snapshot, targets)
    equity = equity_of(snapshot)
    bands = bands_of(conditions)
    quantities = {holding.symbol: holding.quantity for holding in counted_holdings(snapshot)}
    rows = [_row(CASH, None, snapshot.cash, equity, targets.cash, bands)]
    for symbol in {*targets.symbols, *quantities}:
        quantity, price = quantities.get(symbol, ZERO), price_of(snapshot, symbol)
        rows.append(_row(symbol, (quantity, price), quantity * price, equity, targets.weight(symbol), bands))
    rows.sort(key=_worst_first)
    inside = [row for row in rows if row.band_used is not None and not row.breached]
    return DriftReport(
        account_id=snapshot.account_id,
        as_of=snapshot.as_of,
        equity=equity,
        cash=snapshot.cash,
        rows=tuple(rows),
        nearest=inside[0] if inside else None,
    )


def governing_band(target: Decimal, bands: Iterable[DriftBand]) -> Band | None:
    """The tightest of `bands` around the fraction `target`, the first of equals; None without bands (rules.md 3.6)."""
    widths = [(_half_width(target, band), band) for band in bands]
    if not widths:
        return None
    half_width, condition = min(widths, key=lambda pair: pair[0])
    return Band(condition, half_width, target - half_width, target + half_width)


def _half_width(target: Decimal, band: DriftBand) -> Decimal:
    fraction = percent_to_fraction(band.percent)
    return fraction if band.kind is BandKind.ABSOLUTE else fraction * target


def _row(
    symbol: Symbol,
    lot: tuple[Decimal, Decimal] | None,
    value: Decimal,
    equity: Decimal,
    target: Decimal,
    bands: Sequence[DriftBand],
) -> HoldingDrift:
    band = governing_band(target, bands) if target > ZERO else None
    # Both sides of the comparison are products, so the edge itself is decided without rounding (rules.md 3.3, 3.8).
    excess = value - target * equity
    status = DriftStatus.IN_BAND if target > ZERO else DriftStatus.UNTARGETED
    if band is not None and abs(excess) > band.half_width * equity:
        status = DriftStatus.OVERWEIGHT if excess > ZERO else DriftStatus.UNDERWEIGHT
    actual = value / equity
    drift = actual - target
    return HoldingDrift(
        symbol=symbol,
        quantity=None if lot is None else lot[0],
        price=None if lot is None else lot[1],
        value=value,
        target=target,
        actual=actual,
        drift=drift,
        relative_drift=drift / target if target > ZERO else None,
        band=band,
        band_used=None if band is None else abs(excess) / (band.half_width * equity),
        status=status,
    )


def _worst_first(row: HoldingDrift) -> tuple[Decimal, Decimal, Symbol]:
    used = -ONE if row.band_used is None else row.band_used
    return -used, -abs(row.drift), row.symbol


def _price(snapshot: Snapshot, symbol: Symbol) -> Decimal | None:
    quote = snapshot.quote(symbol)
    return None if quote is None or quote.price is None or quote.price <= ZERO else quote.price


def _is_stale(snapshot: Snapshot, symbol: Symbol) -> bool:
    quote = snapshot.quote(symbol)
    if not snapshot.market_open or quote is None:
        return False
    return quote.at is None or snapshot.as_of - quote.at > STALE_AFTER


def _list(symbols: Sequence[Symbol]) -> str:
    return ", ".join(sorted(symbols))
