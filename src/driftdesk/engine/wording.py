"""The sentences of a plan: why an order is sent, why one is skipped, what a person should know before confirming."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from driftdesk.engine.drift import Band, DriftReport, counted_holdings
from driftdesk.engine.plan import PlanRequest, Toward
from driftdesk.engine.sizing import Gap
from driftdesk.engine.snapshot import Side, Snapshot, Symbol, label
from driftdesk.engine.targets import BandKind, DriftBand
from driftdesk.money import (
    CENT,
    HUNDRED,
    ONE,
    ZERO,
    exact,
    format_decimal,
    fraction_to_percent,
    round_cents,
    round_to,
)


def usd(amount: Decimal) -> str:
    """1234.5 -> ``1,234.50 USD``."""
    return f"{round_cents(amount):,.2f} USD"


def points(drift: Decimal) -> str:
    """Size of a drift fraction in percentage points with two decimals: -0.0472 -> ``4.72 points``."""
    return f"{round_cents(fraction_to_percent(abs(drift))):.2f} points"


def percent(fraction: Decimal) -> str:
    """A fraction as percent with at most two decimals: 0.325 -> ``32.5%``."""
    return f"{format_decimal(round_cents(fraction_to_percent(fraction)))}%"


def band_text(band: DriftBand) -> str:
    """A drift band as a person writes it: ``±4`` (points) or ``±20% of its target``."""
    size = f"±{format_decimal(band.percent)}"
    return size if band.kind is BandKind.ABSOLUTE else f"{size}% of its target"


def band_share(band_used: Decimal, band: Band) -> str:
    """Share of a band in use: ``118% of its band of ±4``."""
    return f"{share_used(band_used)} of its band of {band_text(band.condition)}"


def share_used(band_used: Decimal) -> str:
    """A share of a band as ``164%``, half-up; rounding never hides the side of the edge: ``>100%``, ``<100%``."""
    rounded = round_to(fraction_to_percent(band_used), ONE, ROUND_HALF_UP)
    if rounded == HUNDRED and band_used != ONE:
        return ">100%" if band_used > ONE else "<100%"
    return f"{rounded:,}%"


@exact
def order_reason(gap: Gap, toward: Toward, *, scaled: bool = False) -> str:
    """One sentence: how far the holding is off, against which band, and where the order takes it."""
    if gap.closing:
        return f"Not in the portfolio; sell {_closing_quantity(gap)}."
    row = gap.row
    weight = "Overweight" if row.drift > ZERO else "Underweight"
    used = f" ({band_share(row.band_used, row.band)})" if row.band is not None and row.band_used is not None else ""
    verb = "sell down to" if gap.side is Side.SELL else "buy up to"
    if scaled:
        verb = "buy, as far as the cash reaches, towards"
    place = {Toward.TARGET: "", Toward.HALFWAY: ", half way to its target", Toward.EDGE: ", the edge of its band"}
    against_drift = gap.side is Side.SELL and row.drift <= ZERO
    purpose = " to raise cash" if against_drift else "" if row.band is None and toward is Toward.EDGE else place[toward]
    return f"{weight} by {points(row.drift)}{used}; {verb} {percent(gap.aim)}{purpose}."


def _closing_quantity(gap: Gap) -> str:
    if gap.row.quantity is not None and gap.available < gap.row.quantity:
        return f"the {format_decimal(gap.available)} that open orders leave free"
    return "all whole shares" if gap.whole else "all"


def skip_details(notional: Decimal, min_notional: Decimal, given_to: Symbol | None = None) -> str:
    """One sentence naming the value and the minimum (rules.md 6.3), and who gets the money instead (6.4)."""
    gift = "" if given_to is None else f"; its share goes to {given_to}"
    return f"The order value of {usd(notional)} is below the minimum of {usd(min_notional)}{gift}."


def reservation_warnings(snapshot: Snapshot) -> list[str]:
    """What open orders reserve, and cash that is owed."""
    reserved = [usd(snapshot.reserved_cash)] if snapshot.reserved_cash > ZERO else []
    reserved += [
        f"{format_decimal(holding.quantity - holding.available)} {holding.symbol}"
        for holding in sorted(counted_holdings(snapshot), key=lambda holding: holding.symbol)
        if holding.available < holding.quantity
    ]
    warnings = [f"Open orders reserve {' and '.join(reserved)}; the plan uses what they leave."] if reserved else []
    if snapshot.cash < ZERO:
        warnings.append(f"The account owes {usd(-snapshot.cash)}; sale proceeds pay it back before anything is bought.")
    return warnings


def untradable_warning(gap: Gap) -> str:
    """Why a holding or target is left out of the plan (rules.md 6.2)."""
    if gap.row.value == ZERO:
        return f"{gap.symbol} cannot be traded now; it is not bought."
    return f"{gap.symbol} cannot be traded now; its {usd(gap.row.value)} stay as they are and cannot be invested."


def listed_warning(gap: Gap) -> str:
    """What a never-buy or never-sell list keeps from being traded (rules.md 6.7)."""
    what = "excess" if gap.side is Side.SELL else "shortfall"
    return f"{gap.symbol} is on the never-{gap.side} list; its {what} of {usd(gap.amount)} stays."


def whole_share_warnings(gaps: Iterable[Gap]) -> list[str]:
    """The gaps of less than one share, which whole shares cannot close (rules.md 6.7)."""
    return [
        f"The {usd(gap.amount)} of {gap.symbol} are less than one share at {usd(gap.price)}; nothing is ordered."
        for gap in gaps
        if gap.whole and CENT <= gap.amount < gap.price
    ]


def scaled_warning(wanted: Decimal, spendable: Decimal) -> str:
    """That the buys got less cash than they need (rules.md 6.1)."""
    return (
        f"Cash and sale proceeds cover {usd(spendable)} of the {usd(wanted)} that the buys need; they are scaled down."
    )


def idle_warning(report: DriftReport, request: PlanRequest) -> str:
    """That nothing is traded although something is outside its band, or nothing has a band to be outside of."""
    if request.options.breached_only and not any(isinstance(c, DriftBand) for c in request.conditions):
        return "Only breached holdings were asked for and there is no drift band; nothing is traded."
    one = len(report.breached) == 1
    outside = "is outside its band" if one else "are outside their bands"
    return f"Nothing is traded although {_names(row.symbol for row in report.breached)} {outside}."


def _names(symbols: Iterable[Symbol]) -> str:
    return ", ".join(label(symbol) for symbol in symbols)


def still_outside_warnings(after: DriftReport) -> list[str]:
    """The holdings that stay outside their bands after a plan."""
    return [
        f"{label(row.symbol)} stays outside its band after these orders: {points(row.drift)} from its target."
        for row in after.breached
    ]
