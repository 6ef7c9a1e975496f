"""Bulk positions through an Arrow stream: every value as it was, and nothing else taken for one."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow
import pytest

from driftdesk.wire.accounts import BulkPositions, Position
from driftdesk.wire.arrow import FORMAT, positions_from_arrow, positions_to_arrow

NOON = datetime(2026, 3, 2, 17, 0, 0, 123456, tzinfo=UTC)
FULL = Position(
    asset_id="a-1",
    symbol="SPY",
    exchange="ARCA",
    asset_marginable=False,
    avg_entry_price=Decimal("604.9766"),
    qty=Decimal("99999999.123456789"),
    qty_available=Decimal("0.000000001"),
    market_value=Decimal("99999999999999.99"),
    cost_basis=Decimal("0.01"),
    current_price=Decimal("9999999.9999"),
    lastday_price=Decimal("0.0001"),
    change_today=Decimal("-0.019982"),
    unrealized_pl=Decimal("-123.35"),
    unrealized_plpc=Decimal("1234567.5"),
    unrealized_intraday_pl=Decimal(0),
    unrealized_intraday_plpc=Decimal("0.000001"),
)
# Without a price there is no value and no profit.
BARE = Position(asset_id="a-2", symbol="TLT", avg_entry_price=Decimal(1), qty=Decimal(1), cost_basis=Decimal(1))
BULK = BulkPositions(
    as_of=NOON,
    positions={"alder": (FULL, BARE), "birch": (), "cedar": (BARE,)},
    cash={"alder": Decimal("-0.01"), "birch": Decimal("1E+3"), "cedar": Decimal(0)},
    reserved_cash={"cedar": Decimal("5.5")},
)


def test_every_value_comes_back_exactly() -> None:
    """The largest and the smallest that the store can hold, missing ones, accounts with nothing, in order."""
    back = positions_from_arrow(positions_to_arrow(BULK))
    assert BULK == back
    assert list(BULK.positions) == list(back.positions)
    assert BULK.model_dump_json() == back.model_dump_json()


def test_no_accounts_are_a_stream_too() -> None:
    """Nothing comes back as nothing."""
    empty = BulkPositions(as_of=NOON, positions={})
    assert empty == positions_from_arrow(positions_to_arrow(empty))


def test_any_reader_of_arrow_can_use_it() -> None:
    """One row an account; decimals with their own number of places."""
    table = pyarrow.ipc.open_stream(positions_to_arrow(BULK)).read_all()
    assert ["account_id", "cash", "reserved_cash", "positions"] == table.column_names
    assert FORMAT.encode() == table.schema.metadata[b"format"]
    first = table["positions"][0].as_py()[0]
    assert ("SPY", Decimal("99999999.123456789"), Decimal("-0.019982")) == (
        first["symbol"],
        first["qty"],
        first["change_today"],
    )


def stream(table: pyarrow.Table) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(positions_to_arrow(BULK)[:-200], id="cut off"),
        pytest.param(stream(pyarrow.table({"account_id": ["alder"]})), id="something else"),
        pytest.param(
            stream(pyarrow.table({"account_id": ["alder"]}).replace_schema_metadata({"format": FORMAT})),
            id="called by our name",
        ),
    ],
)
def test_another_stream_is_not_taken_for_positions(data: bytes) -> None:
    """A ValueError, upon which a client asks for JSON."""
    with pytest.raises(ValueError, match="Arrow stream"):
        positions_from_arrow(data)


def test_a_position_without_its_quantity_is_none() -> None:
    """Every position has one; a stream where it is missing is refused."""
    broken = BULK.model_copy(update={"positions": {"alder": (BARE.model_copy(update={"qty": None}),)}})
    with pytest.raises(ValueError, match="a value is missing"):
        positions_from_arrow(positions_to_arrow(broken))
