"""Price histories as arrays, and paths resampled from them.

A history holds every session of the exchange between its first and its last day: a day without prices would be an
evaluation that never took place. A resampled path keeps the history's days, so calendars and cooldowns mean the same
on it, and draws whole days (all symbols together) in blocks, which keeps what holds between symbols and, inside a
block, from day to day.

One seed gives the same paths on every machine: only PCG64's raw bits are used, whose stream is guaranteed, and only
x and /, which IEEE 754 fixes to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import DataError, InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Two returns are the fewest that have a standard deviation.
LEAST_SESSIONS: Final = 3
DAYS_PER_YEAR: Final = 365.25


@dataclass(frozen=True, slots=True, eq=False)
class PriceHistory:
    """Closes in USD of some symbols on consecutive sessions; made by `price_history` and `resample`.

    `closes` has a row per session and a column per symbol and is read-only. `sessions` has those sessions and the one
    that follows: whether a calendar day falls on a session depends on the next one (rules.md 4.1).
    """

    symbols: tuple[Symbol, ...]
    closes: Floats
    sessions: Sessions

    @property
    def dates(self) -> tuple[date, ...]:
        """The date of each row."""
        return tuple(session.date for session in self.sessions.days[:-1])

    @property
    def years(self) -> float:
        """Length in years of 365.25 days (rules.md 10)."""
        return (self.dates[-1] - self.dates[0]).days / DAYS_PER_YEAR


def price_history(
    dates: Sequence[date], closes: Mapping[Symbol, Sequence[Decimal | float]], calendar: Sessions
) -> PriceHistory:
    """A history from closes (USD) per symbol, one for each of `dates`, which are sessions of `calendar` without a gap.

    Raises DataError when a date is not a session, out of order or missing, when a close is not a positive number, when
    there are fewer than three sessions, and when `calendar` does not know the session after the last.
    """
    if len(dates) < LEAST_SESSIONS:
        raise DataError(f"A price history needs at least {LEAST_SESSIONS} sessions; there are {len(dates)}.")
    for before, day in pairwise(dates):
        if day <= before:
            raise DataError(f"The dates must be in order, each once: {day} comes after {before}.")
    expected = calendar.between(dates[0], dates[-1])
    for index, day in enumerate(dates):
        if calendar.on(day) is None:
            raise DataError(f"{day} ({day:%A}) is not a session of the exchange; leave it out.")
        if expected[index].date != day:
            raise DataError(f"The session of {expected[index].date} is missing; add its closes or start after it.")
    columns = [_column(symbol, series, dates) for symbol, series in closes.items()]
    if not columns:
        raise DataError("A price history needs at least one symbol.")
    following = calendar.after(dates[-1])
    return PriceHistory(tuple(closes), _read_only(np.column_stack(columns)), Sessions((*expected, following)))


def _column(symbol: Symbol, series: Sequence[Decimal | float], dates: Sequence[date]) -> Floats:
    if len(series) != len(dates):
        raise DataError(f"{symbol} has {len(series)} closes for {len(dates)} sessions; there must be one for each.")
    column = np.array([float(close) for close in series], dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(column) & (column > 0)))
    if wrong.size:
        raise DataError(f"The close of {symbol} on {dates[wrong[0]]} is {column[wrong[0]]}; it must be above zero.")
    return column


class BootstrapKind(StrEnum):
    """Whether the blocks of a bootstrap are of random length around the mean, or all of the same length."""

    STATIONARY = "stationary"
    CIRCULAR = "circular"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How to resample: `seed`, how many `paths`, kind of blocks, and their (mean) length in sessions.

    Sources: Politis and Romano, The Stationary Bootstrap (1994); the same authors' circular block bootstrap (1992).
    Either treats the history as a circle, so that every day is drawn equally often. Raises InputError for a negative
    seed, and for no paths or a length below 1.
    """

    seed: int
    paths: int = 200
    block_length: int = 21
    kind: BootstrapKind = BootstrapKind.STATIONARY

    def __post_init__(self) -> None:
        limits = (("seed", self.seed, 0), ("paths", self.paths, 1), ("block_length", self.block_length, 1))
        for field, value, least in limits:
            if value < least:
                raise InputError(
                    f"{field} must be {least} or more; received {value}.",
                    field=field,
                    received=value,
                    allowed=f"a whole number from {least} on",
                )


def resampled_days(bootstrap: Bootstrap, days: int, number: int) -> Ints:
    """Which of `days` daily returns, counted from 0, path `number` draws, in order; shape (days,).

    Each path has a random stream of its own, made of the seed and its number: paths can be made in any order, in
    blocks of any size and in any process, and are the same.
    """
    stream = np.random.PCG64(np.random.SeedSequence(bootstrap.seed, spawn_key=(number,)))
    # A remainder of 64 random bits favours small numbers by less than 1 in 10^14.
    drawn: Ints = (stream.random_raw(days) % np.uint64(days)).astype(np.int64)
    position: Ints = np.arange(days, dtype=np.int64)
    if bootstrap.kind is BootstrapKind.CIRCULAR:
        starts: Ints = position - position % bootstrap.block_length
    else:
        begins = stream.random_raw(days) % np.uint64(bootstrap.block_length) == 0
        begins[0] = True
        starts = np.maximum.accumulate(np.where(begins, position, 0))
    return (drawn[starts] + position - starts) % days


def resample_closes(closes: Floats, bootstrap: Bootstrap, number: int) -> Floats:
    """Closes of path `number`: the first row of `closes`, then its daily price relatives in resampled order.

    Shape (sessions, symbols), as `closes`.
    """
    relatives = closes[1:] / closes[:-1]
    drawn = relatives[resampled_days(bootstrap, len(relatives), number)]
    return np.multiply.accumulate(np.vstack((closes[:1], drawn)), axis=0)


def resample(history: PriceHistory, bootstrap: Bootstrap, number: int) -> PriceHistory:
    """Path `number` of a bootstrap, with the sessions and symbols of `history`."""
    return PriceHistory(
        history.symbols, _read_only(resample_closes(history.closes, bootstrap, number)), history.sessions
    )


def _read_only(array: Floats) -> Floats:
    array.flags.writeable = False
    return array
