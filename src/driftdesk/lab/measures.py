"""What is measured about a policy on a path: what it earned, how far it strayed, what it traded and what that cost.

Plain simulation and shared sweep both measure here, so that they can only differ in which sessions they trade.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from driftdesk.lab.paths import Floats


class Measure(StrEnum):
    """A column of a study. All are fractions (0.01 is 1 %) but REBALANCES, which is a number a year.

    RETURN: compound return a year, after costs. VOLATILITY: annualised standard deviation of the daily return.
    TRACKING_ERROR: annualised standard deviation of the active return, against a portfolio that is at target at every
    close and pays nothing. TURNOVER: one-way, sum |trade| / 2 over value, cash counted, a year. COST: of value, a
    year. OUTSIDE_BAND: share of the evaluated sessions with a holding outside its band; NaN without a band.

    Years have 365.25 days (rules.md 10); a year has as many sessions as the path has on average.
    """

    RETURN = "return"
    VOLATILITY = "volatility"
    TRACKING_ERROR = "tracking_error"
    REBALANCES = "rebalances"
    TURNOVER = "turnover"
    COST = "cost"
    OUTSIDE_BAND = "outside_band"


MEASURES = tuple(Measure)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What a policy did over a path, one number per policy: rebalances, one-way turnover and cost (sums of fractions of
    value), sessions outside a band (NaN without a band).
    """

    rebalances: Floats
    turnover: Floats
    cost: Floats
    outside: Floats


def measure(values: Floats, steady: Floats, tally: Tally, years: float) -> Floats:
    """One row per policy, one column per member of Measure.

    `values` (policies, sessions) is the growth of 1 at each close after costs, `steady` (sessions - 1,) the growth from
    close to close of the portfolio that is always at target. Each row depends on its own policy only, to the last bit.
    """
    steps = values.shape[1] - 1
    growth = values[:, 1:] / values[:, :-1]
    per_year = np.sqrt(steps / years)
    columns = {
        Measure.RETURN: np.array([_compound(float(value), years) for value in values[:, -1]]),
        Measure.VOLATILITY: growth.std(axis=1, ddof=1) * per_year,
        Measure.TRACKING_ERROR: (growth - steady).std(axis=1, ddof=1) * per_year,
        Measure.REBALANCES: tally.rebalances / years,
        Measure.TURNOVER: tally.turnover / years,
        Measure.COST: tally.cost / years,
        Measure.OUTSIDE_BAND: tally.outside / steps,
    }
    return np.column_stack([columns[name] for name in MEASURES])


def _compound(growth: float, years: float) -> float:
    """Return a year; infinite where a leap within a few days has no finite one.

    One by one, because the last bit of numpy's powers may depend on the place in an array.
    """
    try:
        return math.pow(growth, 1 / years) - 1
    except OverflowError:
        return math.inf
