"""How numbers, times and codes read to a person, and the tidy cells of tables and their CSV files.

Decimals become floats in `points` and `dollars` only, rounded, on their way into a chart (rules.md 1.1).
"""

import calendar
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import pandas as pd

from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import Symbol, label
from driftdesk.engine.wording import share_used
from driftdesk.money import CENT, HUNDRED, as_float, fraction_to_percent, round_to

MINUS: Final = "\N{MINUS SIGN}"
EN_DASH: Final = "\N{EN DASH}"
PERCENT_STEP: Final = Decimal("0.0001")
# A spreadsheet runs a cell that starts so as a formula.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def percent_cell(fraction: Decimal | None) -> Decimal | None:
    """A fraction as a percent with four decimals for a table; None stays None."""
    return None if fraction is None else round_to(fraction_to_percent(fraction), PERCENT_STEP, ROUND_HALF_UP)


def points(fraction: Decimal) -> float:
    """A fraction as percent for a chart, rounded to four decimals."""
    return round(as_float(fraction) * 100, 4)


def dollars(amount: Decimal) -> float:
    """An amount in USD for a chart, rounded to the cent."""
    return round(as_float(amount), 2)


def money(amount: Decimal, *, cents: bool = True) -> str:
    """``$1,234.50``, with a true minus sign before the dollar sign."""
    number = round_to(amount, CENT if cents else Decimal(1), ROUND_HALF_UP)
    return f"{MINUS if number < 0 else ''}${abs(number):,}"


def percent(fraction: Decimal, decimals: int = 2) -> str:
    """A fraction as ``12.34%``, with a true minus sign."""
    number = round_to(fraction_to_percent(fraction), Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{MINUS if number < 0 else ''}{abs(number):,}%"


def signed_points(fraction: Decimal) -> str:
    """A drift (fraction of equity) as ``+1.64 pp``, signed with a true minus; zero has no sign."""
    number = round_to(fraction_to_percent(fraction), CENT, ROUND_HALF_UP)
    sign = "+" if number > 0 else MINUS if number < 0 else ""
    return f"{sign}{abs(number)} pp"


def of_band(used: Decimal | None) -> str:
    """The share of a band used as ``164%``, in the engine's own words; a dash without a band."""
    return EN_DASH if used is None else share_used(used)


def signed_bps(bps: Decimal) -> str:
    """Basis points as ``+1.3 bp``; positive is cost."""
    number = round_to(bps, Decimal("0.1"), ROUND_HALF_UP)
    sign = "+" if number > 0 else MINUS if number < 0 else ""
    return f"{sign}{abs(number)} bp"


def count_of(count: int, thing: str) -> str:
    """``1 order``, ``4 orders``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def new_york(at: datetime, *, seconds: bool = False) -> str:
    """``2026-11-20 15:59`` in New York; `at` is timezone-aware."""
    return at.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def utc(at: datetime) -> str:
    """``2026-11-20 20:59:00 UTC``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def wall(at: datetime) -> str:
    """New York's wall time as ISO text without an offset: what the time axis of a chart shows."""
    return at.astimezone(NEW_YORK).replace(tzinfo=None).isoformat(timespec="seconds")


def same_time_later(at: datetime, *, days: int = 0, months: int = 0) -> datetime:
    """The same wall time in New York some days or calendar months later (UTC); the 31st becomes a month's last day."""
    local = at.astimezone(NEW_YORK)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return (local.replace(year=year, month=month + 1, day=day) + timedelta(days=days)).astimezone(UTC)


def words(code: str) -> str:
    """A code of the wire as words: ``COMPLETED_SUCCESS`` -> ``Completed success``."""
    return "API" if code == "api" else code.replace("_", " ").strip().capitalize()


def symbol_text(symbol: str) -> str:
    """What a row is called: "Cash" for the cash row, the ticker otherwise."""
    return label(Symbol(symbol))


def share(part: Decimal, whole: Decimal) -> Decimal | None:
    """`part` of `whole` in percent with two decimals, None where the whole is zero."""
    return round_to(part / whole * HUNDRED, CENT, ROUND_HALF_UP) if whole else None


def csv_text(frame: pd.DataFrame) -> str:
    """`frame` as CSV without its index. Text that a spreadsheet would run as a formula gets a leading apostrophe;
    numbers, which may be negative, are left as they are."""
    safe = frame.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell)
    return str(safe.to_csv(index=False))


def file_name(*parts: str) -> str:
    """A file name for a download from names that people typed: ``drift-alder-family-trust.csv``."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-") + ".csv"
