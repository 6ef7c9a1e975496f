"""A portfolio as a person types it, read into the body of the request that would save it.

Every sentence names the row or the field as the person sees it; the backend checks the same rules again, by its own
paths (rules.md 2.1, 2.3).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from driftdesk.engine.snapshot import CASH
from driftdesk.engine.targets import BandKind, CalendarRule, DriftBand
from driftdesk.errors import InputError
from driftdesk.money import HUNDRED, ZERO, exact, format_decimal, fraction_to_percent, parse_percent
from driftdesk.tables import CASH_NAMES, LONGEST_SHOWN, SYMBOL, read_number
from driftdesk.translate import to_conditions, to_targets
from driftdesk.wire.accounts import Asset
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Portfolio, UpdatePortfolio, Weight, WeightType

# What the cash row is called where a person types weights.
CASH_ROW: Final = "Cash"
_LISTED: Final = "use assets that are listed, tradable and fractionable"


@dataclass(frozen=True, slots=True)
class TypedPortfolio:
    """A portfolio as typed: `weights` are (symbol, percent) and `bands` (kind, percent), all text; `calendar` is
    (sub_type, day) or None."""

    name: str = ""
    description: str = ""
    weights: tuple[tuple[str, str], ...] = ()
    bands: tuple[tuple[str, str], ...] = ()
    calendar: tuple[str, str] | None = None
    cooldown_days: int = 0

    @property
    def symbols(self) -> tuple[str, ...]:
        """The ticker symbols among the weights, in capitals; what is none is left for `read_draft` to name."""
        found = (symbol.strip().upper() for symbol, _ in self.weights)
        return tuple(dict.fromkeys(s for s in found if SYMBOL.fullmatch(s) and s not in CASH_NAMES))

    @property
    def total(self) -> Decimal:
        """The sum in percent of the weights that are numbers: a cell half typed must not hide the rest."""
        return _sum(number for _, text in self.weights if (number := _number(text)) is not None)


@exact
def _sum(numbers: Iterable[Decimal]) -> Decimal:
    return sum(numbers, ZERO)


def _number(text: str) -> Decimal | None:
    try:
        return read_number(text.strip().removesuffix("%"), "The percent")
    except InputError:
        return None


def weights_off(total: Decimal) -> str:
    """How far weights are from the 100.00 percent that they must sum to: ``0.5 missing``, ``2 too much``."""
    off = total - HUNDRED
    return f"{format_decimal(abs(off))} {'too much' if off > ZERO else 'missing'}" if off else ""


def typed_of(portfolio: Portfolio | CreatePortfolio) -> TypedPortfolio:
    """The portfolio as the text that an editor begins with."""
    conditions = to_conditions(portfolio.rebalance_conditions)
    rules = [condition for condition in conditions if isinstance(condition, CalendarRule)]
    return TypedPortfolio(
        name=portfolio.name,
        description=portfolio.description,
        weights=tuple(
            (CASH_ROW if target.symbol == CASH else target.symbol, format_decimal(fraction_to_percent(target.weight)))
            for target in to_targets(portfolio.weights).weights
        ),
        bands=tuple(
            (condition.kind.value, format_decimal(condition.percent))
            for condition in conditions
            if isinstance(condition, DriftBand)
        ),
        calendar=(rules[0].kind.value, rules[0].day) if rules else None,
        cooldown_days=portfolio.cooldown_days,
    )


def draft_of(portfolio: Portfolio) -> CreatePortfolio:
    """A saved portfolio as the body that would make another one like it."""
    return CreatePortfolio(
        name=portfolio.name,
        description=portfolio.description,
        weights=portfolio.weights,
        cooldown_days=portfolio.cooldown_days,
        rebalance_conditions=portfolio.rebalance_conditions,
    )


def read_draft(typed: TypedPortfolio, assets: Mapping[str, Asset], *, fractional: bool = True) -> CreatePortfolio:
    """The body that saves what was typed; `assets` by symbol are those that the backend knows.

    Raises InputError in one sentence: no name, a weight that is no percent, a symbol that is unknown or cannot be held,
    a sum other than 100.00, a band or a calendar day against a rule (rules.md 1.2, 2.1, 2.3).
    """
    if not typed.name.strip():
        raise InputError("Give the portfolio a name.", field="name", received=typed.name, allowed="any text")
    weights = _weights(typed.weights)
    unfit = unfit_assets((weight.symbol for weight in weights if weight.symbol), assets, fractional=fractional)
    if unfit:
        raise InputError(f"{'; '.join(unfit)}. For weights, {_LISTED}.", field="weights", allowed=_LISTED)
    total = _sum(weight.percent for weight in weights)
    if total != HUNDRED:
        raise InputError(
            f"The weights sum to {format_decimal(total)}%: {weights_off(total)}. They must sum to exactly 100.00%.",
            field="weights",
            received=format_decimal(total),
            allowed="percents that sum to 100.00",
        )
    if typed.cooldown_days < 0:
        raise InputError(
            f"The cooldown is {typed.cooldown_days} days; it must be zero or more.",
            field="cooldown_days",
            received=typed.cooldown_days,
            allowed="0 or more",
        )
    return CreatePortfolio(
        name=typed.name.strip(),
        description=typed.description.strip(),
        weights=weights,
        cooldown_days=typed.cooldown_days,
        rebalance_conditions=read_conditions(typed),
    )


def read_conditions(typed: TypedPortfolio) -> tuple[Condition, ...]:
    """The bands and the calendar that were typed. Raises InputError for one against a rule (rules.md 2.3)."""
    conditions = [_band(kind, text, number) for number, (kind, text) in enumerate(typed.bands, start=1)]
    if typed.calendar is not None:
        sub_type, day = typed.calendar
        conditions.append(Condition(type="calendar", sub_type=sub_type, day=day))
    to_conditions(conditions, field="conditions")
    return tuple(conditions)


def unfit_assets(symbols: Iterable[str], assets: Mapping[str, Asset], *, fractional: bool = True) -> list[str]:
    """Why each of `symbols` that cannot be a weight cannot: ``ABC is not known here``, ``TLT is not tradable``.

    `fractional`: whether weights need fractions of shares; at a brokerage they are planned in whole shares else.
    """
    found = []
    for symbol in symbols:
        asset = assets.get(symbol)
        if asset is None:
            found.append(f"{symbol} is not an asset known here")
        elif not asset.tradable:
            found.append(f"{symbol} is not tradable")
        elif fractional and not asset.fractionable:
            found.append(f"{symbol} is not fractionable")
    return found


def _weights(rows: Iterable[tuple[str, str]]) -> tuple[Weight, ...]:
    weights: list[Weight] = []
    for number, (typed, percent) in enumerate(rows, start=1):
        symbol = _symbol(typed, number)
        name = symbol or CASH_ROW
        if any(weight.symbol == symbol for weight in weights):
            raise InputError(f"{name} has two weights; list each once.", field="weights", received=typed)
        kind = WeightType.CASH if symbol is None else WeightType.ASSET
        weights.append(Weight(type=kind, symbol=symbol, percent=_percent(percent, f"The percent of {name}")))
    if not weights:
        raise InputError("There are no weights yet; add a row for each asset, and one for Cash.", field="weights")
    return tuple(weights)


def _symbol(typed: str, number: int) -> str | None:
    """The symbol in capitals, None for cash."""
    symbol = typed.strip().upper()
    if symbol in CASH_NAMES:
        return None
    if not SYMBOL.fullmatch(symbol):
        shown = f"{typed.strip()[:LONGEST_SHOWN]!r} is not a ticker symbol" if symbol else "the symbol is missing"
        raise InputError(
            f"Row {number} of the weights: {shown}; write one as SPY or BRK.B, or {CASH_ROW}.",
            field="weights",
            received=typed,
            allowed=f"a ticker symbol or {CASH_ROW}",
        )
    return symbol


def _percent(text: str, what: str) -> Decimal:
    return parse_percent(read_number(text.strip().removesuffix("%"), what), field=what)


def _band(kind: str, text: str, number: int) -> Condition:
    if kind not in tuple(BandKind):
        raise InputError(
            f"Band {number} has no kind; choose points or % of target.", field="bands", received=kind, allowed="a kind"
        )
    return Condition(type="drift_band", sub_type=kind, percent=_percent(text, f"The size of band {number}"))


def weights_changed(portfolio: Portfolio, draft: CreatePortfolio) -> bool:
    """Whether the draft has other weights, compared canonically: neither order nor "5" = "5.00" matters (2.4)."""
    return set(to_targets(portfolio.weights).weights) != set(to_targets(draft.weights).weights)


def conditions_changed(portfolio: Portfolio, draft: CreatePortfolio) -> bool:
    """Whether the draft has other conditions, compared canonically (rules.md 2.4)."""
    return set(to_conditions(portfolio.rebalance_conditions)) != set(to_conditions(draft.rebalance_conditions))


def update_of(portfolio: Portfolio, draft: CreatePortfolio) -> UpdatePortfolio:
    """The PATCH that makes `portfolio` what the draft says: only the fields that differ (rules.md 2.4).

    Where the portfolio needs adjustment its weights are always sent: eligible ones make it active again, changed or
    not (rules.md 2.7). Without any difference no field is set.
    """
    fields: dict[str, Any] = {
        name: getattr(draft, name)
        for name in ("name", "description", "cooldown_days")
        if getattr(draft, name) != getattr(portfolio, name)
    }
    if weights_changed(portfolio, draft) or portfolio.status == "needs_adjustment":
        fields["weights"] = draft.weights
    if conditions_changed(portfolio, draft):
        fields["rebalance_conditions"] = draft.rebalance_conditions
    return UpdatePortfolio(**fields)
