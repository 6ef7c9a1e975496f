"""What a column takes and what it refuses: exact decimals and zoned instants only (rules.md 1.1)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select
from sqlalchemy.exc import StatementError
from sqlalchemy.types import TypeDecorator

from driftdesk.backend.store.types import CENTS, DAY, EXACT, INSTANT, NOTIONAL, PRICE, QUANTITY
from driftdesk.engine.schedule import NEW_YORK

Kind = TypeDecorator[Any]


def stored(kind: Kind, value: Any) -> Any:
    """`value` after a way through a column of that kind."""
    engine = create_engine("sqlite://")
    table = Table("t", MetaData(), Column("value", kind))
    try:
        with engine.begin() as connection:
            table.create(connection)
            connection.execute(insert(table).values(value=value))
            return connection.scalar(select(table.c.value))
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (CENTS, Decimal("-12.34")),
        (CENTS, Decimal("99999999999999.99")),
        (PRICE, Decimal("417.8000")),
        (QUANTITY, Decimal("72.865432211")),
        (NOTIONAL, Decimal("30443.177578017")),
        (EXACT, Decimal("30443.1775780170000000001")),
        (INSTANT, datetime(2026, 3, 8, 1, 59, 59, 999999, tzinfo=NEW_YORK)),
        (INSTANT, datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC)),
        (DAY, date(2026, 3, 8)),
        *[(kind, None) for kind in (CENTS, EXACT, INSTANT, DAY)],
    ],
)
def test_a_value_comes_back_as_it_was(kind: Kind, value: Any) -> None:
    """To the last digit and the last microsecond."""
    assert value == stored(kind, value)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (CENTS, 1.5, "not float"),
        (CENTS, 1, "not int"),
        (CENTS, "1.50", "not str"),
        (EXACT, 0.1, "not float"),
        (CENTS, Decimal("0.001"), "more than 2 decimals"),
        (PRICE, Decimal("0.00001"), "more than 4 decimals"),
        (QUANTITY, Decimal("0.0000000001"), "more than 9 decimals"),
        (CENTS, Decimal("NaN"), "decimals"),
        (INSTANT, datetime(2026, 3, 11, 10), "time zone"),  # noqa: DTZ001 - a naive one on purpose
        (DAY, datetime(2026, 3, 11, 10, tzinfo=NEW_YORK), "not an instant"),
    ],
)
def test_what_would_lose_something_is_refused(kind: Kind, value: Any, said: str) -> None:
    """Floats, excess decimals, times without a zone, instants as dates."""
    with pytest.raises(StatementError, match=said):
        stored(kind, value)


def test_an_instant_is_one_whatever_its_zone() -> None:
    """10:00 in New York on 11 March 2026 is 14:00 UTC, and comes back as that."""
    back = stored(INSTANT, datetime(2026, 3, 11, 10, tzinfo=NEW_YORK))
    assert datetime(2026, 3, 11, 14, tzinfo=UTC) == back
    assert UTC == back.tzinfo


@given(st.integers(min_value=-(10**16), max_value=10**16))
def test_scaled_columns_round_trip(cents: int) -> None:
    """Every whole count of cents is a value of the column, and the reverse."""
    value = CENTS.process_result_value(cents, None)  # type: ignore[arg-type]
    assert cents == CENTS.process_bind_param(value, None)  # type: ignore[arg-type]
