"""A seeded, correlated market that exists nowhere: plausible prices for well-known symbols, never real ones.

Each day's return is an expected return plus exposures to shared factors (the whole market, interest rates, ...) plus a
shock of the symbol's own. Quiet and stormy times alternate, which gives mildly fat tails; no day moves a symbol by
more than 20 %.

One seed gives the same prices on every machine: only PCG64's raw bits are used, whose stream is guaranteed, and only
+, -, x, / and square roots, which IEEE 754 fixes to the last bit. numpy's normal variates, logarithms and matrix
products carry no such promise; hence normals as sums of twelve uniforms and factors added one after the other.
"""

import math
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftdesk.backend.feeds.base import PRICE_DECIMALS, TableFeed
from driftdesk.backend.feeds.names import asset_info
from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import InputError

SESSIONS_PER_YEAR: Final = 252
LARGEST_DAY: Final = 0.20
UNIFORMS_PER_NORMAL: Final = 12
# Variance of tomorrow = calm + persistence x today's variance + reaction x today's squared market shock; mean 1.
CALM, PERSISTENCE, REACTION, STORMIEST = 0.05, 0.85, 0.10, 6.0

# Annual volatility of each shared factor. Rates: the return of a bond fund of about seven years' duration.
FACTORS: Final = {
    "market": 0.15,
    "rates": 0.06,
    "tech": 0.09,
    "small": 0.08,
    "international": 0.07,
    "gold": 0.13,
    "commodities": 0.16,
}


@dataclass(frozen=True, slots=True)
class Member:
    """A symbol of the simulated market: first price (USD), expected return and own volatility (a year), exposures."""

    symbol: str
    start: float
    expected: float
    own: float
    exposures: dict[str, float] = field(default_factory=dict)


MEMBERS: Final = (
    Member("SPY", 381.0, 0.085, 0.005, {"market": 1.0}),
    Member("VTI", 191.0, 0.085, 0.006, {"market": 1.0, "small": 0.1}),
    Member("QQQ", 264.0, 0.100, 0.020, {"market": 1.05, "tech": 1.0}),
    Member("IWM", 174.0, 0.080, 0.020, {"market": 1.1, "small": 1.0}),
    Member("VXUS", 52.0, 0.070, 0.015, {"market": 0.8, "international": 1.0}),
    Member("EFA", 66.0, 0.070, 0.015, {"market": 0.8, "international": 1.05}),
    Member("VWO", 39.0, 0.070, 0.080, {"market": 0.75, "international": 1.0}),
    Member("AGG", 97.0, 0.038, 0.006, {"rates": 0.9}),
    Member("BND", 72.0, 0.038, 0.006, {"rates": 0.9}),
    Member("TLT", 101.0, 0.040, 0.025, {"rates": 2.2}),
    Member("IEF", 96.0, 0.036, 0.008, {"rates": 1.1}),
    Member("TIP", 107.0, 0.036, 0.015, {"rates": 0.8, "gold": 0.05}),
    Member("BNDX", 47.5, 0.034, 0.012, {"rates": 0.6}),
    Member("GLD", 171.0, 0.050, 0.010, {"gold": 1.0, "rates": 0.3}),
    Member("VNQ", 83.0, 0.070, 0.080, {"market": 0.85, "rates": 0.7}),
    Member("PDBC", 14.6, 0.040, 0.030, {"commodities": 1.0, "market": 0.2}),
    Member("SCHD", 25.2, 0.080, 0.030, {"market": 0.8, "tech": -0.4}),
    Member("AAPL", 125.0, 0.110, 0.180, {"market": 1.1, "tech": 0.8}),
    Member("MSFT", 239.0, 0.110, 0.160, {"market": 1.05, "tech": 0.8}),
    Member("GOOG", 89.7, 0.105, 0.200, {"market": 1.05, "tech": 0.8}),
    Member("AMZN", 85.8, 0.110, 0.220, {"market": 1.1, "tech": 0.9}),
    Member("NVDA", 14.3, 0.160, 0.330, {"market": 1.5, "tech": 1.7}),
    Member("JPM", 135.0, 0.090, 0.160, {"market": 1.0, "tech": -0.4, "rates": -0.5}),
    Member("XOM", 106.0, 0.080, 0.150, {"market": 0.7, "commodities": 0.7}),
    Member("JNJ", 178.0, 0.065, 0.130, {"market": 0.5, "tech": -0.2}),
)

Floats = NDArray[np.float64]


class SimulatedFeed(TableFeed):
    """The simulated market of one `seed` (a whole number, not negative) from `first` to `last`.

    A later `last` leaves the prices before it as they are. Raises InputError for a negative seed and DataError when
    the trading calendar does not reach that far.
    """

    def __init__(
        self, seed: int, sessions: Sessions, first: date = date(2023, 1, 3), last: date = date(2036, 12, 31)
    ) -> None:
        if seed < 0:
            raise InputError(
                f"seed must be a whole number, 0 or larger; received {seed}.",
                field="seed",
                received=seed,
                allowed="0, 1, 2, ...",
            )
        days = len(sessions.between(first, last))
        assets = tuple(asset_info(Symbol(member.symbol)) for member in MEMBERS)
        super().__init__(f"Simulated market (seed {seed})", assets, sessions, first, last, _simulate(seed, days))
        self.seed = seed

    @property
    def identity(self) -> str:
        """The seed says it all: a later last day changes no price."""
        return f"simulated market, seed {self.seed}"


def _simulate(seed: int, days: int) -> dict[Symbol, list[int]]:
    """Closes of every member on `days` sessions, in 0.0001 USD."""
    names = list(FACTORS)
    shocks = _normals(seed, days, len(names) + len(MEMBERS))
    daily = 1 / math.sqrt(SESSIONS_PER_YEAR)
    weather = _weather(shocks[:, 0]) * daily
    factors = {name: shocks[:, index] * weather * FACTORS[name] for index, name in enumerate(names)}
    columns: dict[Symbol, list[int]] = {}
    for index, member in enumerate(MEMBERS, start=len(names)):
        returns = member.expected / SESSIONS_PER_YEAR + shocks[:, index] * weather * member.own
        for name, exposure in member.exposures.items():
            returns = returns + factors[name] * exposure
        growth = 1 + np.clip(returns, -LARGEST_DAY, LARGEST_DAY)
        growth[0] = 1.0
        prices = np.rint(member.start * np.cumprod(growth) * 10**PRICE_DECIMALS)
        columns[Symbol(member.symbol)] = [max(1, int(price)) for price in prices.tolist()]
    return columns


def _normals(seed: int, days: int, series: int) -> Floats:
    """Nearly standard normal numbers, (days, series): twelve uniforms added, less six."""
    raw = np.random.PCG64(seed).random_raw(days * series * UNIFORMS_PER_NORMAL)
    uniforms = ((raw >> np.uint64(11)).astype(np.float64) / 2.0**53).reshape(days, series, UNIFORMS_PER_NORMAL)
    total: Floats = uniforms[:, :, 0] - UNIFORMS_PER_NORMAL / 2
    for index in range(1, UNIFORMS_PER_NORMAL):
        total = total + uniforms[:, :, index]
    return total


def _weather(market: Floats) -> Floats:
    """Volatility of each day relative to the long run: storms follow large market shocks and die down."""
    variance, levels = 1.0, []
    for shock in market.tolist():
        levels.append(math.sqrt(variance))
        variance = min(STORMIEST, CALM + variance * (PERSISTENCE + REACTION * shock * shock))
    return np.array(levels)
