"""What a person typed or exported: numbers that may be "$1,234.50", and tables of them with a header and lines. One
InputError names the field, or file and line, of whatever cannot be used.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from driftdesk.engine.snapshot import CASH, Symbol
from driftdesk.errors import InputError
from driftdesk.money import parse_decimal

# What a file may call cash. As a ticker CASH exists (Nasdaq); a file that means the ticker is refused by its price.
CASH_NAMES: Final = frozenset({"CASH", "USD", "$CASH"})
SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,4})?")
# More dollars or shares than any account has, and small enough for every exact product.
LIMIT: Final = Decimal(1_000_000_000_000)
# What was pasted may be a page long; the sentence about it is not.
LONGEST_SHOWN: Final = 40
# A comma only where it separates thousands: "1,5" must not become 15.
_NUMBER: Final = re.compile(r"(-?)(?:\$ ?)?(-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.[0-9]*)?)")


def read_number(text: str, what: str, *, field: str = "value") -> Decimal:
    """The number that a person typed for `what`, as ``-1234.5``, ``$1,234.50`` or ``.5``: "$" and separated thousands
    are allowed, a comma anywhere else is not. Raises InputError with `field` where it is none or too large."""
    text = text.strip()
    if not text:
        raise InputError(f"{what} is missing.", field=field, received=text, allowed="a number such as 1234.50")
    match = _NUMBER.fullmatch(text)
    try:
        number = parse_decimal((match[1] + match[2]).replace(",", "") if match else "")
    except InputError:
        raise InputError(
            f"{what} is {_shortened(text)!r}, which is not a number; write one as 1234.50.",
            field=field,
            received=text,
            allowed="as 1234.50",
        ) from None
    if abs(number) >= LIMIT:
        raise InputError(
            f"{what} is {_shortened(text)}, which is too large; it must be less than {LIMIT:,}.",
            field=field,
            received=text,
            allowed=f"less than {LIMIT}",
        )
    return number


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line of a table, under the names of its columns; `where` is file and line."""

    where: str
    cells: Mapping[str, str]

    def refuse(self, problem: str, column: str, allowed: str = "") -> InputError:
        """The error for this line, to be raised."""
        return InputError(
            f"{self.where}: {problem}", field=column, received=self.cells.get(column, ""), allowed=allowed
        )

    def number(self, column: str, what: str) -> Decimal:
        """The number in `column`, with "$" and separated thousands allowed."""
        return read_number(self.cells.get(column, ""), f"{self.where}: {what}", field=column)

    def symbol(self) -> Symbol:
        """The symbol in capitals; CASH for every name of cash."""
        text = self.cells["symbol"].upper()
        if text in CASH_NAMES:
            return CASH
        if not SYMBOL.fullmatch(text):
            shown = f"{text!r} is not a ticker symbol" if text else "the symbol is missing"
            raise self.refuse(f"{shown}; write one as SPY or BRK.B, or CASH.", "symbol", "a ticker symbol or CASH")
        return Symbol(text)


def each_once(rows: Iterable[Row]) -> Iterator[tuple[Row, Symbol]]:
    """The rows with their symbols; InputError at the second row of a symbol or of cash."""
    seen: dict[Symbol, str] = {}
    for row in rows:
        symbol = row.symbol()
        if symbol in seen:
            name = "cash" if symbol == CASH else symbol
            raise row.refuse(f"{name} is listed again, after {seen[symbol]}; each may stand once.", "symbol")
        seen[symbol] = row.where.rsplit(", ", 1)[-1]
        yield row, symbol


def read_table(text: str, name: str, columns: Mapping[str, str], required: tuple[str, ...]) -> list[Row]:
    """The lines of a CSV under the names of `columns`, headers in any case; empty lines are passed over.

    `columns` maps each spelling that a header may have to the column it means. Raises InputError naming `name` (the
    file's) and the line: an unknown, repeated or missing column, too many cells, nothing in the file.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True, skipinitialspace=True)
    header: list[str] = []
    rows: list[Row] = []
    try:
        for line in reader:
            cells = [cell.strip() for cell in line]
            where = f"{name}, line {reader.line_num}"
            if not any(cells):
                continue
            if not header:
                header = _table_header(cells, where, columns, required)
            elif len(cells) > len(header):
                raise InputError(
                    f"{where}: there are {len(cells)} cells but {len(header)} columns; put numbers with commas in "
                    'quotes, as "1,234.50".'
                )
            else:
                rows.append(Row(where, dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True))))
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: this is not readable as CSV ({error}).") from None
    if not rows:
        what = "has a header and nothing else" if header else "is empty"
        raise InputError(f"{name} {what}; it needs the columns {', '.join(required)} and at least one line.")
    return rows


def _table_header(cells: list[str], where: str, columns: Mapping[str, str], required: tuple[str, ...]) -> list[str]:
    allowed = ", ".join(dict.fromkeys(columns.values()))
    header: list[str] = []
    for cell in cells:
        column = columns.get(cell.casefold())
        if column is None or column in header:
            problem = f"column {cell!r} is not known" if column is None else f"column {column} is there twice"
            raise InputError(f"{where}: {problem}; use {allowed}.", field=cell, received=cell, allowed=allowed)
        header.append(column)
    missing = [column for column in required if column not in header]
    if missing:
        raise InputError(f"{where}: column {missing[0]} is missing; use {allowed}.", field=missing[0], allowed=allowed)
    return header
