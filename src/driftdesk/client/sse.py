"""Server-sent events out of a stream of bytes (the WHATWG's HTML standard, "Server-sent events")."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

# A carriage return that ends a chunk may be half of a line's end: it waits for what follows.
_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?=[^\n])")


@dataclass(frozen=True, slots=True)
class Block:
    """What stood between two blank lines, or one comment. `id` is None where none was given."""

    data: str = ""
    id: str | None = None
    event: str = ""
    comment: str | None = None


def read_blocks(chunks: Iterable[bytes]) -> Iterator[Block]:
    """The blocks of a stream as they are complete; one that was cut off is dropped. Comments come at once."""
    fields: dict[str, list[str]] = {}
    for line in _lines(chunks):
        if line.startswith(":"):
            yield Block(comment=line[1:].strip())
        elif line:
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
        elif fields:
            ids = fields.get("id")
            yield Block(
                data="\n".join(fields.get("data", [])),
                id=ids[-1] if ids else None,
                event=fields.get("event", [""])[-1],
            )
            fields = {}


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = _LINE_END.split(rest + chunk)
        for line in whole:
            yield line.decode(errors="replace")
