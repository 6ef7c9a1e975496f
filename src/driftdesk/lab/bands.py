"""What to expect of a band before any simulation: closed forms for one asset against the rest of the account.

Assumption: the logarithm of the asset's price relative to the rest (cash included) is a random walk without drift, with
an annual volatility of sigma. Near a target weight w the weight then moves as a Brownian motion with the volatility
w (1 - w) sigma, the derivative of w / (w + (1 - w) exp(-x)) times sigma. Starting at target, a Brownian motion of
volatility v leaves (-b, b) after b^2 / v^2 on average, because its square less v^2 t is a martingale (for example
Karatzas and Shreve, Brownian Motion and Stochastic Calculus, 1991, section 2.8). Each such exit is one rebalance, and
it trades the drift b: one-way, b bought or sold.

An account is not watched all the time but once a session, and is found somewhat beyond the edge. The mean overshoot of
a normal random walk is 0.5826 (-zeta(1/2) / sqrt(2 pi)) times the standard deviation of one step (Siegmund, Sequential
Analysis, 1985; Broadie, Glasserman and Kou, A Continuity Correction for Discrete Barrier Options, 1997): the band acts
as if it were wider by that much.

What the forms leave out: several holdings with bands at once (the first to leave triggers, so there are more
rebalances), cooldowns and calendars, a drift of the price, fat tails, and the change of w (1 - w) inside the band. For
bands well below the target weight that change matters little.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from driftdesk.errors import InputError

OVERSHOOT: Final = 0.5826
SESSIONS_PER_YEAR: Final = 252


@dataclass(frozen=True, slots=True)
class BandForecast:
    """What a band leads to on average: years from target to the next rebalance, rebalances a year, one-way turnover of
    each as a fraction of value, and one-way turnover a year.
    """

    years_between: float
    rebalances: float
    turnover_each: float
    turnover: float


def forecast(
    target: float, half_width: float, volatility: float, sessions_per_year: float | None = SESSIONS_PER_YEAR
) -> BandForecast:
    """Expectation for one asset with the weight `target` and a band of `half_width` around it, both fractions.

    `volatility` is the annualised standard deviation of the asset's log return relative to the rest of the account (an
    absolute band of 5 points is a half width of 0.05; a relative one of 20 % of a target of 0.3 is 0.06). None for
    `sessions_per_year` means watched all the time. Formulas and assumptions stand in the module's text. Raises
    InputError when target or half width do not lie strictly between 0 and 1, or a number that must be positive is not.
    """
    for field, value in (("target", target), ("half_width", half_width)):
        if not 0 < value < 1:
            raise _refused(field, value, "a fraction between 0 and 1")
    if not volatility > 0:
        raise _refused("volatility", volatility, "a number above zero")
    if sessions_per_year is not None and not sessions_per_year > 0:
        raise _refused("sessions_per_year", sessions_per_year, "a number above zero")
    of_weight = target * (1 - target) * volatility
    overshoot = 0.0 if sessions_per_year is None else OVERSHOOT * of_weight / sqrt(sessions_per_year)
    reached = half_width + overshoot
    rebalances = (of_weight / reached) ** 2
    return BandForecast(1 / rebalances, rebalances, reached, reached * rebalances)


def _refused(field: str, received: float, allowed: str) -> InputError:
    return InputError(
        f"{field} must be {allowed}; received {received}.", field=field, received=received, allowed=allowed
    )
