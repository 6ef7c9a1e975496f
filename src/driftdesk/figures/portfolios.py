"""Portfolios: their conditions in plain words, when a calendar next fires, and what a change would change."""

import calendar
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

import pandas as pd

from driftdesk.engine.schedule import new_york_date, next_due, swallowed
from driftdesk.engine.targets import BandKind, CalendarKind, CalendarRule, Condition, DriftBand
from driftdesk.engine.wording import band_text
from driftdesk.errors import DataError
from driftdesk.figures.book import BookAccount, equity_of, standing
from driftdesk.figures.text import EN_DASH, MINUS, count_of, symbol_text, words
from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import ZERO, format_decimal, fraction_to_percent, round_cents
from driftdesk.translate import to_conditions, to_targets
from driftdesk.wire import portfolios as wire

# The 29th, 30th and 31st are the last day of a month that does not have them (rules.md 4.2).
_LAST_SURE_DAY: Final = 28
_MONTHS_AHEAD: Final = 24
_TEENS: Final = range(11, 14)


class Rules(Protocol):
    """What a portfolio and a draft of one have in common."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def weights(self) -> tuple[wire.Weight, ...]: ...
    @property
    def cooldown_days(self) -> int: ...
    @property
    def rebalance_conditions(self) -> tuple[wire.Condition, ...]: ...


def day_text(day: date | None) -> str:
    """``Fri 28 Nov 2025``; a dash for no day."""
    return EN_DASH if day is None else f"{day:%a} {day.day} {day:%b %Y}"


def next_session(rule: CalendarRule | None, now: datetime, not_before: date | None = None) -> date | None:
    """The New York date of the next session on which `rule` fires: today's counts until its evaluation, sessions before
    `not_before` (the end of a cooldown) do not. None without a rule, or beyond the calendar that is known."""
    if rule is None:
        return None
    sessions = new_york_sessions()
    coming = sessions.current_or_next(now)
    after = coming.date if now > coming.evaluation else coming.date - timedelta(days=1)
    if not_before is not None:
        after = max(after, not_before - timedelta(days=1))
    try:
        return next_due(rule, after, sessions)[1].date
    except DataError:
        return None


def condition_words(condition: Condition) -> str:
    """A condition as a person says it, and when it fires."""
    if isinstance(condition, DriftBand):
        size = format_decimal(condition.percent)
        far = f"{size} points of equity" if condition.kind is BandKind.ABSOLUTE else f"{size}% of it"
        return f"Fires when a holding is away from its target by more than {far}."
    return f"Fires on the last session on or before {_named_day(condition)}."


def _named_day(rule: CalendarRule) -> str:
    """``each Monday``, ``the 15th of each month``, ``29 February of each year``."""
    match rule.kind:
        case CalendarKind.WEEKLY:
            return f"each {rule.day}"
        case CalendarKind.ANNUALLY:
            month, day = rule.day.split("-")
            return f"{int(day)} {calendar.month_name[int(month)]} of each year"
        case kind:
            months = "each month" if kind is CalendarKind.MONTHLY else "January, March, June and December"
            return f"{_ordinal_day(int(rule.day))} of {months}"


def _ordinal_day(day: int) -> str:
    ending = "th" if day in _TEENS else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    shorter = " (or the last day)" if day > _LAST_SURE_DAY else ""
    return f"the {day}{ending}{shorter}"


def conditions_words(conditions: Iterable[wire.Condition], cooldown_days: int, now: datetime) -> list[str]:
    """One sentence a condition, the calendar's with its next session, and one about the calendar days that the cooldown
    of `cooldown_days` would lose in the next 24 months (rules.md 5.2). Raises InputError for one against a rule."""
    found = []
    for condition in to_conditions(conditions):
        text = condition_words(condition)
        if isinstance(condition, CalendarRule):
            text = f"{text.removesuffix('.')}; next: {day_text(next_session(condition, now))}."
        found.append(text)
        if isinstance(condition, CalendarRule):
            found += _lost_words(condition, cooldown_days, now)
    return found


def _lost_words(rule: CalendarRule, cooldown_days: int, now: datetime) -> list[str]:
    lost = swallowed(rule, cooldown_days, new_york_date(now), _MONTHS_AHEAD, new_york_sessions())
    if not lost:
        return []
    days = f"{len(lost)} of these days" if len(lost) > 1 else "one of these days"
    return [f"The cooldown would lose {days} in the next {_MONTHS_AHEAD} months, the first on {day_text(lost[0])}."]


def _short(condition: Condition) -> str:
    """A condition in the width of a cell: ``±5 points``, ``monthly 15``."""
    if isinstance(condition, CalendarRule):
        return f"{condition.kind.value} {condition.day}"
    size = band_text(condition)
    return size.replace(" of its target", " of target") if "%" in size else f"{size} points"


def _weights_text(portfolio: Rules) -> str:
    return " · ".join(
        f"{symbol_text(target.symbol)} {format_decimal(fraction_to_percent(target.weight))}"
        for target in to_targets(portfolio.weights).weights
    )


def calendar_of(portfolio: Rules) -> CalendarRule | None:
    """The calendar condition of a portfolio, None where it has none."""
    found = (rule for rule in to_conditions(portfolio.rebalance_conditions) if isinstance(rule, CalendarRule))
    return next(found, None)


# --- the portfolios -----------------------------------------------------------------------------------------------


def portfolios_table(portfolios: Iterable[wire.Portfolio], views: Sequence[BookAccount], now: datetime) -> pd.DataFrame:
    """One row a portfolio, in the order given. `Equity` of the accounts that follow it in USD, percents in words,
    `Next session` the New York date on which its calendar next fires."""
    rows = []
    for portfolio in portfolios:
        followers = [view for view in views if view.portfolio is not None and view.portfolio.id == portfolio.id]
        rows.append(
            {
                "Portfolio": portfolio.name,
                "State": words(str(portfolio.status)),
                "Accounts": len(followers),
                "Equity": round_cents(sum(map(equity_of, followers), ZERO)),
                "Outside band": sum(standing(view) == "Outside band" for view in followers),
                "Weights %": _weights_text(portfolio),
                "Conditions": ", ".join(map(_short, to_conditions(portfolio.rebalance_conditions))) or "none",
                "Cooldown": count_of(portfolio.cooldown_days, "day") if portfolio.cooldown_days else "none",
                "Next session": next_session(calendar_of(portfolio), now),
                "Portfolio id": portfolio.id,
            }
        )
    return pd.DataFrame(rows, columns=_PORTFOLIO_COLUMNS)


_PORTFOLIO_COLUMNS: Final = [
    "Portfolio", "State", "Accounts", "Equity", "Outside band", "Conditions", "Cooldown", "Next session", "Weights %",
    "Portfolio id",
]  # fmt: skip


def portfolios_alt(portfolios: Sequence[wire.Portfolio], views: Sequence[BookAccount]) -> str:
    """How many portfolios there are and how many accounts follow one."""
    following = sum(view.subscription is not None for view in views)
    return f"{count_of(len(portfolios), 'portfolio')}, followed by {following} of {count_of(len(views), 'account')}."


# --- a change -----------------------------------------------------------------------------------------------------


def changes_table(before: Rules | None, after: Rules) -> pd.DataFrame:
    """What saving `after` changes, one row for each weight, band, day and field that differs: what, old and new value,
    and for weights the difference in points. `before` None: everything is new."""
    rows = [
        *_field_rows("Name", before.name if before else "", after.name),
        *_field_rows("Description", before.description if before else "", after.description),
        *_weight_rows(before, after),
        *_condition_rows(before, after),
        *_field_rows("Cooldown", _days(before) if before else "", _days(after)),
    ]
    return pd.DataFrame(rows, columns=["What", "Old", "New", "Change"])


def _days(portfolio: Rules) -> str:
    return count_of(portfolio.cooldown_days, "day")


def _field_rows(what: str, old: str, new: str) -> list[dict[str, str]]:
    if old == new:
        return []
    return [{"What": what, "Old": old or EN_DASH, "New": new or EN_DASH, "Change": ""}]


def _weight_rows(before: Rules | None, after: Rules) -> list[dict[str, str]]:
    old = {target.symbol: target.weight for target in to_targets(before.weights).weights} if before else {}
    new = {target.symbol: target.weight for target in to_targets(after.weights).weights}
    rows = []
    for symbol in [*old, *(symbol for symbol in new if symbol not in old)]:
        was, now = old.get(symbol), new.get(symbol)
        if was != now:
            change = (now or ZERO) - (was or ZERO)
            rows.append(
                {
                    "What": f"Weight of {symbol_text(symbol)}",
                    "Old": _percent(was),
                    "New": _percent(now),
                    "Change": _signed(fraction_to_percent(change)),
                }
            )
    return rows


def _percent(weight: Decimal | None) -> str:
    return EN_DASH if weight is None else f"{format_decimal(fraction_to_percent(weight))}%"


def _signed(points: Decimal) -> str:
    return f"{'+' if points > ZERO else MINUS}{format_decimal(abs(points))} pp"


def _condition_rows(before: Rules | None, after: Rules) -> list[dict[str, str]]:
    """Conditions that went and that came; a second band of the same size is no other condition."""
    old = dict.fromkeys(to_conditions(before.rebalance_conditions)) if before else {}
    new = dict.fromkeys(to_conditions(after.rebalance_conditions))
    gone = [condition for condition in old if condition not in new]
    come = [condition for condition in new if condition not in old]
    rows = []
    for kind, what in ((DriftBand, "Band"), (CalendarRule, "Calendar")):
        left = [_short(condition) for condition in gone if isinstance(condition, kind)]
        right = [_short(condition) for condition in come if isinstance(condition, kind)]
        for index in range(max(len(left), len(right))):
            rows.append(
                {
                    "What": what,
                    "Old": left[index] if index < len(left) else EN_DASH,
                    "New": right[index] if index < len(right) else EN_DASH,
                    "Change": "",
                }
            )
    return rows


def changes_alt(table: pd.DataFrame) -> str:
    """How much a change changes, out of the table that `changes_table` gave."""
    if table.empty:
        return "Nothing changes."
    listed = "; ".join(f"{row.What} {row.Old} to {row.New}" for row in table.itertuples())
    return f"{count_of(len(table), 'change')}: {listed}."
