"""Sole owner of Decimal: parsing, rounding and formatting of money, quantities, prices and percents (rules.md 1).

Money has 2 decimals (cents), quantities 9, prices 4, percents at most 2. Arithmetic that must be exact runs under
`exact`, a context wide enough for quantity x price x weight x equity without rounding.
"""

import functools
import re
from collections.abc import Callable
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any, Final, ParamSpec, TypeVar

from driftdesk.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
HUNDRED: Final = Decimal(100)
CENT: Final = Decimal("0.01")
PRICE_STEP: Final = Decimal("0.0001")
QUANTITY_STEP: Final = Decimal("0.000000001")
BASIS_POINTS: Final = Decimal(10_000)

# 60 digits hold a quantity (21) x a price (11) x a percent (5) x an equity (17) with room to spare.
_EXACT: Final = Context(prec=60)
_DIGITS_BEFORE_POINT: Final = 14
_DIGITS_AFTER_POINT: Final = 30
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` under the wide context, whatever context the caller's thread has."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(_EXACT):
            return function(*args, **kwargs)

    return wrapper


def read_decimal(value: object) -> Decimal:
    """A finite Decimal from decimal text, int or Decimal; ValueError says in a few words why there is none.

    A float is refused: its decimal text is already lost. So are underscores, digits of other scripts, and numbers wider
    than any amount or ratio can be, which exact arithmetic and 64-bit columns could not hold.
    """
    if isinstance(value, (float, bool)):
        raise ValueError("must be a decimal, as text or a whole number")
    text = value.strip() if isinstance(value, str) else value
    if text == "":
        raise ValueError("value is empty")
    number = Decimal("NaN")
    if isinstance(text, Decimal):
        number = text
    elif isinstance(text, int) or (isinstance(text, str) and _NUMBER.fullmatch(text)):
        number = Decimal(text)
    if not number.is_finite():
        raise ValueError("must be a decimal such as 12.50")
    exponent = number.as_tuple().exponent
    too_fine = isinstance(exponent, int) and exponent < -_DIGITS_AFTER_POINT
    if too_fine or number.adjusted() >= _DIGITS_BEFORE_POINT:
        raise ValueError(
            f"must have at most {_DIGITS_BEFORE_POINT} digits before the point and {_DIGITS_AFTER_POINT} after it"
        )
    return number


def parse_decimal(value: object, *, field: str = "value") -> Decimal:
    """`read_decimal` for what a person typed: InputError naming `field` and what was received."""
    try:
        return read_decimal(value)
    except ValueError as problem:
        said = "must be a decimal: value is empty" if str(problem) == "value is empty" else f"{problem}"
        raise InputError(
            f"{field} {said}; received {value!r}.", field=field, received=value, allowed="a decimal such as 12.50"
        ) from None


def parse_percent(value: object, *, field: str = "percent") -> Decimal:
    """A positive percent with at most two decimals; refused, not rounded, otherwise (rules.md 1.2, seed 000)."""
    number = parse_decimal(value, field=field)
    if number <= 0 or number != round_to(number, CENT, ROUND_FLOOR):
        raise InputError(
            f"{field} must be positive with at most two decimals; received {format_decimal(number)}.",
            field=field,
            received=value,
            allowed="a positive percent with at most two decimals",
        )
    return number


def round_to(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    """`number` at the number of decimals of `step`, under the wide context."""
    return number.quantize(step, rounding=rounding, context=_EXACT)


def floor_cents(number: Decimal) -> Decimal:
    """The largest amount in whole cents that is not above `number` (rules.md 1.3)."""
    return round_to(number, CENT, ROUND_FLOOR)


def round_cents(number: Decimal) -> Decimal:
    """`number` half-up (away from zero on a tie) to the cent (rules.md 1.1, 1.4)."""
    return round_to(number, CENT, ROUND_HALF_UP)


def round_price(number: Decimal) -> Decimal:
    """`number` half-up to 0.0001 (rules.md 1.1)."""
    return round_to(number, PRICE_STEP, ROUND_HALF_UP)


def floor_quantity(number: Decimal) -> Decimal:
    """`number` floored to 9 decimals of a share (rules.md 1.3)."""
    return round_to(number, QUANTITY_STEP, ROUND_FLOOR)


@exact
def quantity_of(notional: Decimal, price: Decimal) -> Decimal:
    """floor(notional / price) to 9 decimals: what a notional order buys (rules.md 1.3; the seed's two fills)."""
    return floor_quantity(notional / price)


@exact
def cash_of(quantity: Decimal, price: Decimal) -> Decimal:
    """quantity x price, half-up to the cent: what an order moves in cash (rules.md 1.4)."""
    return round_cents(quantity * price)


def percent_to_fraction(percent: Decimal) -> Decimal:
    """12.5 (percent) -> 0.125."""
    return percent.scaleb(-2, context=_EXACT)


def fraction_to_percent(fraction: Decimal) -> Decimal:
    """0.125 -> 12.5 (percent)."""
    return fraction.scaleb(2, context=_EXACT)


def format_decimal(number: Decimal) -> str:
    """Plain decimal text without exponent and without trailing zeros: 5.00 -> ``5``, 1E+2 -> ``100``."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def to_scaled(number: Decimal, decimals: int) -> int:
    """`number` as a whole count of 10**-decimals; raises ValueError when digits would be lost."""
    scaled = number.scaleb(decimals, context=_EXACT)
    if scaled != scaled.to_integral_value(context=_EXACT):
        raise ValueError(f"{number} has more than {decimals} decimals")
    return int(scaled)


def from_scaled(count: int, decimals: int) -> Decimal:
    """The inverse of `to_scaled`."""
    return Decimal(count).scaleb(-decimals, context=_EXACT)


def as_float(number: Decimal | Any) -> float:
    """For charts and statistics only (rules.md 1.1)."""
    return float(number)
