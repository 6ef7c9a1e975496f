"""A price file as lines with a date and cells: the part of reading that is the same whatever the columns mean."""

import csv
import gzip
import io
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from driftdesk.errors import DataError

# pandas writes a day as midnight, with or without a zone; the day is what stands before it.
_DAY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})([ T]00:00(:00(\.0+)?)?(Z|[+-]\d{2}:\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a price file: its number (from 1, the header), its date, and all its cells without blanks around."""

    number: int
    day: date
    cells: list[str]


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A price file: its name, its header (Date first) and at least one line, each as long as the header."""

    name: str
    header: list[str]
    lines: list[Line]

    def at(self, line: Line) -> str:
        """Where a line stands, for a person."""
        return f"{self.name}, line {line.number}"


def read_lines(path: Path) -> PriceFile:
    """The lines of a .csv or .csv.gz file in UTF-8, with or without a byte order mark; empty lines are passed over.

    Raises DataError naming file and line when it cannot be read, has no lines, or a line does not fit the header.
    """
    reader = csv.reader(io.StringIO(_text(path)), strict=True)
    header: list[str] = []
    lines: list[Line] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not header:
                header = _header(path.name, cells)
                continue
            where = f"{path.name}, line {reader.line_num}"
            if len(cells) != len(header):
                raise DataError(f"{where}: there are {len(cells)} cells where the header has {len(header)} columns.")
            lines.append(Line(reader.line_num, _day(where, cells[0]), cells))
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: this is not readable as CSV ({error}).") from None
    if not lines:
        raise DataError(f"{path.name} has no prices; it must have a header and at least one line.")
    return PriceFile(path.name, header, lines)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is not text in UTF-8; save it as a CSV file in UTF-8.") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from None


def _header(name: str, cells: list[str]) -> list[str]:
    if cells[0].casefold() != "date" or len(cells) == 1:
        raise DataError(
            f"{name}, line 1: the header must be Date and at least one column of prices; it is {', '.join(cells)!r}."
        )
    return cells


def _day(where: str, text: str) -> date:
    match = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(match.group(1) if match else "")
    except ValueError:
        raise DataError(f"{where}: {text!r} is not a date; dates are written YYYY-MM-DD.") from None
