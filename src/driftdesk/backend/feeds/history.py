"""Real price history from files that a person names: checked line by line, refused rather than repaired.

Two forms are read, plain or gzipped: one CSV with `Date` and a column per symbol, or OHLC files (Date, Open, High,
Low, Close, ...), one per symbol, alone or in a directory, with the column named by the user. What would silently
falsify a replay is refused with file, line and reason: gaps, unsorted, repeated and non-trading dates, blanks, prices
that are not positive numbers, and a move of more than 40 % in a day, which is nearly always a split that the column
does not adjust for. A symbol may start late. What a person accepted, or should know, is kept in `HistoryFeed.findings`.
"""

import itertools
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from driftdesk.backend.feeds.base import NO_PRICE, PRICE_DECIMALS, Finding, TableFeed
from driftdesk.backend.feeds.names import asset_info
from driftdesk.backend.feeds.pricefile import Line, PriceFile, read_lines
from driftdesk.engine.schedule import Sessions
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import DataError, InputError
from driftdesk.money import exact, format_decimal, from_scaled, parse_decimal, round_price, to_scaled

LARGEST_MOVE_PERCENT: Final = 40
# Above any share price there has been, and small enough for every exact product.
PRICE_LIMIT: Final = Decimal(10_000_000)
BLANKS: Final = frozenset({"", "nan", "na", "n/a", "null", "none"})
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,4})?")
_SYMBOL_IN_CAPITALS: Final = re.compile(r"[A-Z]{1,5}([.\-][A-Z]{1,2})?")


@dataclass(frozen=True, slots=True)
class Column:
    """Closes of one symbol in 0.0001 USD on consecutive sessions from `first` to `last` (NO_PRICE before it starts)."""

    symbol: Symbol
    file: str
    first: date
    last: date
    last_line: int
    closes: list[int]


class HistoryFeed(TableFeed):
    """Real prices from files; made by `read_history`. `findings` is what was noted and not refused."""

    def __init__(
        self, label: str, sessions: Sessions, columns: Sequence[Column], findings: Sequence[Finding] = ()
    ) -> None:
        first = min(column.first for column in columns)
        last = min(column.last for column in columns)
        days = [session.date for session in sessions.between(first, last)]
        table = {
            column.symbol: ([NO_PRICE] * bisect_left(days, column.first) + column.closes)[: len(days)]
            for column in columns
        }
        assets = [asset_info(column.symbol) for column in columns]
        super().__init__(f"{label}, {first} to {last}", assets, sessions, first, last, table)
        self.findings = tuple(findings)


def read_history(
    path: Path, sessions: Sessions, *, column: str | None = None, allow_jumps: bool = False
) -> HistoryFeed:
    """The prices in one CSV file (.csv, .csv.gz) or in a directory of OHLC files, exact and rounded to 4 decimals.

    `column` names the price column of OHLC files, as in "Adj Close"; their symbol is the first part of the file name
    (between "_") that is in capitals, else the first part. Files of a directory may start on different days; the feed
    ends with the one that ends first, and a finding says so. With `allow_jumps`, a move of more than 40 % in a day is
    a finding. Raises InputError when the path or the column is wrong, DataError naming file and line otherwise.
    """
    files = price_files(path)
    if path.is_dir() and column is None:
        raise InputError(
            f"{path.name} is a directory of price files; name their price column, for example Adj Close.",
            field="column",
            allowed="the name of a column of the files",
        )
    columns: dict[Symbol, Column] = {}
    findings: list[Finding] = []
    for file in files:
        for found in _read_file(read_lines(file), sessions, column, findings if allow_jumps else None):
            if found.symbol in columns:
                raise DataError(
                    f"{found.file} holds {found.symbol} again, after {columns[found.symbol].file}; keep one of them."
                )
            columns[found.symbol] = found
    findings.extend(_early_ends(columns))
    first, last = max(c.first for c in columns.values()), min(c.last for c in columns.values())
    if last < first:
        raise DataError(f"The files in {path.name} have no day in common: one starts on {first}, one ends on {last}.")
    return HistoryFeed(path.name, sessions, list(columns.values()), findings)


def price_files(path: Path) -> list[Path]:
    """The files that `read_history` reads: `path` itself, or the .csv and .csv.gz files of a directory, by name.

    Raises InputError when there are none.
    """
    if not path.exists():
        raise InputError(f"There is no price file {path}.", field="path", received=str(path))
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(
            f"{path} is neither a price file nor a directory of them; give a CSV file with a Date column.",
            field="path",
            received=str(path),
            allowed="a CSV file or a directory of CSV files",
        )
    files = sorted(file for file in path.iterdir() if file.name.lower().endswith((".csv", ".csv.gz")))
    if not files:
        raise InputError(
            f"{path} holds no price files.", field="path", received=str(path), allowed="files named .csv or .csv.gz"
        )
    return files


def _read_file(file: PriceFile, sessions: Sessions, wanted: str | None, jumps: list[Finding] | None) -> list[Column]:
    picked = _pick_columns(file, wanted)
    days = _check_dates(file, sessions)
    columns = []
    for symbol, index in picked.items():
        closes = _closes(file, symbol, index)
        _check_moves(file, symbol, closes, jumps)
        columns.append(Column(symbol, file.name, days[0], days[-1], file.lines[-1].number, closes))
    return columns


def _pick_columns(file: PriceFile, wanted: str | None) -> dict[Symbol, int]:
    """Symbol -> index of its column: every column of a panel, the wanted one of an OHLC file."""
    header = {cell.casefold(): index for index, cell in enumerate(file.header)}
    listed = ", ".join(file.header[1:])
    if wanted is None:
        if {"open", "high", "low", "close"} <= header.keys():
            raise InputError(
                f"{file.name} has one symbol's opens, highs, lows and closes; name the column to use: {listed}.",
                field="column",
                allowed=listed,
            )
        return _panel_symbols(file)
    index = header.get(wanted.strip().casefold(), 0)
    if index == 0:
        raise InputError(
            f"{file.name} has no price column {wanted!r}; it has {listed}.",
            field="column",
            received=wanted,
            allowed=listed,
        )
    return {_symbol_of(file.name): index}


def _panel_symbols(file: PriceFile) -> dict[Symbol, int]:
    symbols: dict[Symbol, int] = {}
    for index, cell in enumerate(file.header[1:], start=1):
        name = cell.upper()
        if not _SYMBOL.fullmatch(name):
            shown = f"{cell!r}, which is not a ticker symbol" if cell else "no name"
            raise DataError(f"{file.name}, line 1: column {index + 1} has {shown}; each column after Date is a symbol.")
        if Symbol(name) in symbols:
            raise DataError(f"{file.name}, line 1: {name} is listed twice; keep one of its columns.")
        symbols[Symbol(name)] = index
    return symbols


def _symbol_of(name: str) -> Symbol:
    parts = name.split(".csv", maxsplit=1)[0].split("_")
    symbol = next((part for part in parts if _SYMBOL_IN_CAPITALS.fullmatch(part)), parts[0].upper())
    if not _SYMBOL.fullmatch(symbol):
        raise InputError(
            f"The name of {name} tells no ticker symbol; rename it, for example to SPY.csv.",
            field="path",
            received=name,
            allowed="a file name that starts with the symbol, as SPY.csv or SPY_daily.csv",
        )
    return Symbol(symbol)


def _check_dates(file: PriceFile, sessions: Sessions) -> list[date]:
    """The days of the file: consecutive sessions, none missing, none too many."""
    days: list[date] = []
    expected: date | None = None
    _check_order(file)
    for line in file.lines:
        day = line.day
        if not sessions.first <= day < sessions.last:
            raise DataError(
                f"{file.at(line)}: {day} is outside the trading calendar, which knows {sessions.first} to "
                f"{sessions.last}; cut the file to that range."
            )
        if sessions.on(day) is None:
            raise DataError(f"{file.at(line)}: {day} ({day:%A}) is not a trading day in New York; remove the line.")
        if expected is not None and day != expected:
            missing = len(sessions.between(expected, day)) - 1
            count = "1 session is" if missing == 1 else f"{missing} sessions are"
            raise DataError(
                f"{file.at(line)}: {count} missing between {days[-1]} and {day}, the first on {expected}; "
                "add the missing days or start the file after them."
            )
        days.append(day)
        expected = sessions.after(day).date
    return days


def _check_order(file: PriceFile) -> None:
    """Disorder first: a line that stands elsewhere would otherwise be told to be missing."""
    for before, line in itertools.pairwise(file.lines):
        if line.day <= before.day:
            wrong = f"{line.day} is there twice" if line.day == before.day else f"{line.day} comes after {before.day}"
            raise DataError(f"{file.at(line)}: {wrong}; dates must be in order, oldest first, each once.")


def _closes(file: PriceFile, symbol: Symbol, index: int) -> list[int]:
    closes: list[int] = []
    started = False
    for line in file.lines:
        text = line.cells[index]
        if text.casefold() not in BLANKS:
            closes.append(_price(file, line, symbol, text))
            started = True
        elif started:
            raise DataError(
                f"{file.at(line)}: {symbol} has no price on {line.day}; only days before a symbol's first price may "
                "be blank. Fill it in or leave the symbol out."
            )
        else:
            closes.append(NO_PRICE)
    if not started:
        raise DataError(f"{file.name} has no price at all for {symbol}; leave its column out.")
    return closes


def _price(file: PriceFile, line: Line, symbol: Symbol, text: str) -> int:
    try:
        number = parse_decimal(text)
    except InputError:
        raise DataError(f"{file.at(line)}: the price of {symbol} is {text!r}, which is not a number.") from None
    if number <= 0:
        raise DataError(f"{file.at(line)}: the price of {symbol} is {text}; prices must be larger than zero.")
    count = to_scaled(round_price(number), PRICE_DECIMALS) if number < PRICE_LIMIT else NO_PRICE
    if count == NO_PRICE:
        raise DataError(
            f"{file.at(line)}: the price of {symbol} is {text}; prices from 0.0001 to below {PRICE_LIMIT} can be used."
        )
    return count


def _check_moves(file: PriceFile, symbol: Symbol, closes: list[int], jumps: list[Finding] | None) -> None:
    """Refuse a move of more than 40 % in a day, or add it to `jumps` where a person allowed them."""
    before = NO_PRICE
    for line, close in zip(file.lines, closes, strict=True):
        if before != NO_PRICE and abs(close - before) * 100 > LARGEST_MOVE_PERCENT * before:
            moved = (
                f"{symbol} goes from {_shown(before)} to "
                f"{_shown(close)} ({_change_percent(before, close)} %) on {line.day}"
            )
            if jumps is None:
                raise DataError(
                    f"{file.at(line)}: {moved}; more than {LARGEST_MOVE_PERCENT} % in a day looks like a split that "
                    "the prices do not adjust for. Use a column of adjusted prices, or --allow-jumps if it is real."
                )
            jumps.append(Finding(file.name, line.number, symbol, f"{moved}; accepted as a real move."))
        before = close


def _shown(count: int) -> str:
    return format_decimal(from_scaled(count, PRICE_DECIMALS))


@exact
def _change_percent(before: int, close: int) -> str:
    return f"{(Decimal(close) / Decimal(before) - 1) * 100:+.1f}"


def _early_ends(columns: Mapping[Symbol, Column]) -> list[Finding]:
    last = min(column.last for column in columns.values())
    latest = max(column.last for column in columns.values())
    return [
        Finding(
            column.file,
            column.last_line,
            column.symbol,
            f"{column.symbol} ends on {last}, before others that reach {latest}; all prices are used up to {last}.",
        )
        for column in columns.values()
        if column.last == last < latest
    ]
