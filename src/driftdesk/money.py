"""Sole owner of Decimal: parsing, rounding and formatting of money, quantities, prices and percents (rules.md 1).

Money has 2 decimals (cents), quantities 9, prices 4, percents at most 2. Arithmetic that must be exact runs under
`exact`, a context wide enough for quantity x price x weight x equity without rounding.
"""

import functools
from collections.abc import Callable
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext
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
# Longer numbers are refused when read, so that nothing computed from them outgrows the context.
_LONGEST: Final = 30


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` under the wide context, whatever context the caller's thread has."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(_EXACT):
            return function(*args, **kwargs)

    return wrapper


def parse_decimal(value: object, *, field: str = "value") -> Decimal:
    """A finite Decimal from text, int or Decimal. A float is refused: its decimal text is already lost.

    Raises InputError naming `field` and what was received.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise InputError(
            f"{field} must be a decimal, as text or a whole number; received {value!r}.",
            field=field,
            received=value,
            allowed="a decimal such as 12.50",
        )
    text = value.strip() if isinstance(value, str) else value
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        shown = "value is empty" if text == "" else f"received {value!r}"
        raise InputError(
            f"{field} must be a decimal: {shown}.", field=field, received=value, allowed="a decimal such as 12.50"
        )
    _, digits, exponent = number.as_tuple()
    if len(digits) + abs(int(exponent)) > _LONGEST:
        raise InputError(
            f"{field} is beyond any amount we can hold exactly.", field=field, received=value, allowed="at most 30 digits"
        )
    return number


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
