"""What the simulated exchange and the demo world ask of prices, whatever they come from.

A daily series gives day d's close from d's open until the next open (rules.md 5.1), so that what trades during d and
what is measured after d use one number.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Protocol

import numpy as np

from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Symbol
from driftdesk.money import from_scaled

PRICE_DECIMALS: Final = 4
NO_PRICE: Final = 0


@dataclass(frozen=True, slots=True)
class AssetInfo:
    """A symbol, its name, and the exchange that lists it: ARCA, NASDAQ, NYSE or BATS."""

    symbol: Symbol
    name: str
    exchange: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a price file that a person should know, though it is not refused. `line` counts from 1."""

    file: str
    line: int
    symbol: Symbol
    text: str


class PriceFeed(Protocol):
    """Daily prices in USD with 4 decimals for `assets`, on every session from `first` to `last`."""

    @property
    def label(self) -> str:
        """What people read as the source, as in "Simulated market (seed 7)"."""

    @property
    def identity(self) -> str:
        """What tells these prices from others: a world is only opened with the prices that it was made on."""

    @property
    def assets(self) -> tuple[AssetInfo, ...]:
        """The symbols that have prices."""

    @property
    def first(self) -> date:
        """The first session covered."""

    @property
    def last(self) -> date:
        """The last session covered."""

    def price(self, symbol: Symbol, at: datetime) -> Decimal | None:
        """The price in effect at an instant; None before the first and after the last, and for an unknown symbol."""

    def close(self, symbol: Symbol, day: date) -> Decimal | None:
        """The close of one session; None where there is none."""

    def closes(self, symbol: Symbol, start: date, end: date) -> tuple[tuple[date, Decimal], ...]:
        """The closes from `start` to `end`, both inclusive, as far as there are any."""


class TableFeed:
    """A price feed over columns of closes, held as whole counts of 0.0001 USD; NO_PRICE marks a missing one.

    `columns` has, for each asset, one number per session from `first` to `last`. `findings` is what a person should
    know of the prices. Raises DataError when the trading calendar does not reach that far.
    """

    findings: tuple[Finding, ...] = ()

    def __init__(
        self,
        label: str,
        assets: Sequence[AssetInfo],
        sessions: Sessions,
        first: date,
        last: date,
        columns: Mapping[Symbol, Sequence[int]],
    ) -> None:
        covered = sessions.between(first, last)
        self.label = label
        self.assets = tuple(assets)
        self.first = covered[0].date
        self.last = covered[-1].date
        self._dates = tuple(session.date for session in covered)
        self._opens = tuple(session.open for session in covered)
        self._until = sessions.next_open(covered[-1].open) if self.last < sessions.last else covered[-1].close
        self._columns = dict(columns)

    @property
    def identity(self) -> str:
        """A digest of the days and of every price."""
        digest = hashlib.sha256(f"{self.first} {self.last}".encode())
        for symbol in sorted(self._columns):
            digest.update(f" {symbol} ".encode())
            digest.update(np.asarray(self._columns[symbol], dtype="<i8").tobytes())
        return digest.hexdigest()

    def price(self, symbol: Symbol, at: datetime) -> Decimal | None:
        """The close of the latest session opened at `at` (rules.md 5.1); None outside the sessions covered."""
        index = bisect_right(self._opens, at) - 1
        return self._price(symbol, index) if index >= 0 and at < self._until else None

    def close(self, symbol: Symbol, day: date) -> Decimal | None:
        """The close of the session of `day`; None on other days and for an unknown symbol."""
        index = bisect_left(self._dates, day)
        return self._price(symbol, index) if index < len(self._dates) and self._dates[index] == day else None

    def closes(self, symbol: Symbol, start: date, end: date) -> tuple[tuple[date, Decimal], ...]:
        """(date, close) from `start` to `end`, both inclusive, of the sessions that have one; () when unknown."""
        indices = range(bisect_left(self._dates, start), bisect_right(self._dates, end))
        found = ((self._dates[index], self._price(symbol, index)) for index in indices)
        return tuple((day, close) for day, close in found if close is not None)

    def _price(self, symbol: Symbol, index: int) -> Decimal | None:
        column = self._columns.get(symbol)
        count = column[index] if column else NO_PRICE
        return None if count == NO_PRICE else from_scaled(count, PRICE_DECIMALS)
