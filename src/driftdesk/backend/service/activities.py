"""What happened in accounts: fills, deposits and withdrawals, in one list (wire/alpaca.md 11.7).

An entry's id tells its instant and its row: ``YYYYMMDDHHMMSSmmm::uuid`` in UTC, the uuid (version 8) made of the table
and the row's number. So a page begins after any id without a memory of the pages before.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from driftdesk.backend.service.base import Base
from driftdesk.backend.service.entries import (
    OPENING,
    ROW_BITS,
    SOURCE_SHIFT,
    TRADE,
    entries_of,
    fills_of,
    id_of,
    money_message,
    opening_cash,
    trade_message,
)
from driftdesk.backend.store.tables import fills, flows
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError
from driftdesk.money import exact
from driftdesk.wire.activities import Activity

# Every type of the wire; this world has fills, deposits and withdrawals.
# fmt: off
ACTIVITY_TYPES: Final = (
    "FILL", "ACATC", "ACATS", "CFEE", "CIL", "CSD", "CSW", "DIV", "DIVCGL", "DIVCGS", "DIVNRA", "DIVROC", "DIVTXEX",
    "DIVWH", "EXTRD", "FEE", "FXTRD", "INT", "INTPNL", "JNLC", "JNLS", "MA", "MEM", "NC", "OCT", "OPASN", "OPCSH",
    "OPEXC", "OPEXP", "OPTRD", "PTC", "REORG", "SPIN", "SPLIT", "SWP", "VOF", "WH",
)
# fmt: on

LARGEST_PAGE: Final = 100

_ID: Final = re.compile(r"[0-9]{17}::([0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})")

_Columns = tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]]


class Activities(Base):
    """The history of what was traded and paid."""

    @exact
    def list_activities(  # noqa: PLR0913 - the documented filters
        self,
        *,
        account_id: str | None = None,
        types: Sequence[str] = (),
        day: date | None = None,
        after: datetime | None = None,
        until: datetime | None = None,
        ascending: bool = False,
        limit: int | None = None,
        page_token: str | None = None,
    ) -> list[Activity]:
        """Entries by instant, newest first unless `ascending`, at most `limit`, beginning after the entry `page_token`.

        Filters are ANDed: `types` (none: all), a New York `day`, `after` and `until`, which are excluded. `limit` is
        100 and may not be larger, except that a day is given at once and with any limit. InputError for a type or a
        page token that does not exist, and for a day together with `after` or `until`.
        """
        if day is not None and (after is not None or until is not None):
            raise InputError(
                "date cannot be used together with after or until; leave one of them out.",
                field="date",
                received=day,
                allowed="either date, or after and until",
            )
        wanted = parse_types(types, field="activity_types")
        entries = entries_of(account_id, wanted or ACTIVITY_TYPES)
        if entries is None:
            return []
        place = (entries.c.at, entries.c.source, entries.c.row)
        query = select(entries)
        if day is not None:
            query = query.where(entries.c.at >= _midnight(day), entries.c.at < _midnight(day + timedelta(days=1)))
        if after is not None:
            query = query.where(entries.c.at > after)
        if until is not None:
            query = query.where(entries.c.at < until)
        with self.world.database.read() as connection:
            if page_token is not None:
                query = query.where(_beyond(place, _place_of(connection, page_token), ascending=ascending))
            query = query.order_by(*(column.asc() if ascending else column.desc() for column in place))
            rows = connection.execute(query.limit(limit if day is not None else _page_size(limit))).all()
            filled = fills_of(connection, {row.what for row in rows if row.source == TRADE})
            opened = opening_cash(connection, {row.account_id for row in rows if row.what == OPENING})
        return [
            trade_message(row, filled[row.what]) if row.source == TRADE else money_message(row, opened) for row in rows
        ]


def parse_types(texts: Iterable[str], *, field: str, allowed: Sequence[str] = ACTIVITY_TYPES) -> tuple[str, ...]:
    """The activity types in `texts`, each one or several separated by commas; InputError for one that is unknown."""
    types = tuple(part.strip().upper() for text in texts for part in text.split(",") if part.strip())
    for kind in types:
        if kind not in ACTIVITY_TYPES:
            raise InputError(
                f"{field} has {kind!r}, which is no activity type; use {', '.join(allowed)}.",
                field=field,
                received=kind,
                allowed=", ".join(allowed),
            )
    return types


def _page_size(limit: int | None) -> int:
    if limit is not None and limit > LARGEST_PAGE:
        raise InputError(
            f"page_size must be a whole number from 1 to {LARGEST_PAGE} where no date is given; received {limit}.",
            field="page_size",
            received=limit,
            allowed=f"1 to {LARGEST_PAGE}",
        )
    return LARGEST_PAGE if limit is None else limit


def _beyond(place: _Columns, mark: tuple[datetime, int, int], *, ascending: bool) -> ColumnElement[bool]:
    """Whether a row stands after `mark` in the order of the list."""
    (at, source, row), (then, kind, number) = place, mark
    if ascending:
        return or_(at > then, and_(at == then, or_(source > kind, and_(source == kind, row > number))))
    return or_(at < then, and_(at == then, or_(source < kind, and_(source == kind, row < number))))


def _place_of(connection: Connection, page_token: str) -> tuple[datetime, int, int]:
    match = _ID.fullmatch(page_token)
    number = UUID(match[1]).int if match else 0
    source, row = number >> SOURCE_SHIFT, number & ((1 << ROW_BITS) - 1)
    table = fills if source == TRADE else flows
    at = connection.scalar(select(table.c.at).where(table.c.id == row)) if match else None
    if at is None or page_token != id_of(at, source, row):
        raise InputError(
            f"page_token {page_token!r} is no id of an activity; pass the id of the last one received.",
            field="page_token",
            received=page_token,
            allowed="the id of an activity",
        )
    return at, source, row


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), NEW_YORK)
