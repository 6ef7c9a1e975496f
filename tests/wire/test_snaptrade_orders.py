"""SnapTrade's order record: read from numbers or text, written again unchanged, its quantities checked (seed 002)."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdesk.wire.base import read_json
from driftdesk.wire.snaptrade.base import Dialect, emit
from driftdesk.wire.snaptrade.instruments import UniversalSymbol
from driftdesk.wire.snaptrade.orders import OrderRecord, OrderState, OrderStatus, state_of

SEED = Path(__file__).parents[2] / "../shared/seeds/002_45ede10ec69c7412.txt"
needs_seed = pytest.mark.skipif(not SEED.exists(), reason="the seed is not beside the checkout (../shared/seeds)")

AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=9)
PRICES = st.none() | st.decimals(min_value=Decimal("0.0001"), max_value=10**6, places=4)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30))])
TIMES = st.none() | st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - the zone is drawn
    max_value=datetime(2099, 1, 1),  # noqa: DTZ001 - the zone is drawn
    timezones=ZONES,
)
WORDS = st.text(st.characters(codec="utf-8"), max_size=12)


def sample() -> str:
    """The seed's record as JSON text: the lines of its listing without the numbers of the lines."""
    _, _, listing = SEED.read_text("utf-8").partition("\n1\n{\n")
    return "{" + "".join(line for line in listing.splitlines() if not line.isdigit())


def order(text: str) -> OrderRecord:
    """``PARTIAL 10 = 3 + 2 + 5``: status, then total = filled + canceled + open, each a number or ``?`` (null)."""
    status, total, _, filled, _, canceled, _, still_open = text.split()
    names = ("total_quantity", "filled_quantity", "canceled_quantity", "open_quantity")
    amounts = (None if word == "?" else word for word in (total, filled, canceled, still_open))
    fields: dict[str, Any] = dict(zip(names, amounts, strict=True))
    return OrderRecord.model_validate({"brokerage_order_id": "o-1", "status": status, **fields})


@needs_seed
def test_the_seeds_sample_is_written_again_unchanged() -> None:
    """Character by character: the order of fields, a field that we do not know, and every number as a number."""
    text = sample()
    record = OrderRecord.model_validate(read_json(text))
    assert json.dumps(json.loads(text), separators=(",", ":")) == emit(record, Dialect.SEED)
    assert (OrderState.OPEN, ()) == (record.state, record.warnings)
    assert (Decimal(80), Decimal("12.34")) == (record.filled_quantity, record.execution_price)


@needs_seed
def test_the_current_dialect_writes_amounts_as_text_and_says_the_same() -> None:
    """Seven amounts become text; the strike price of an option stays a number; read again it is the same record."""
    record = OrderRecord.model_validate(read_json(sample()))
    old, new = read_json(emit(record, Dialect.SEED)), read_json(emit(record, Dialect.CURRENT))
    changed = {name for name in old if old[name] != new[name]}
    expected = {"total_quantity", "open_quantity", "canceled_quantity", "filled_quantity"}
    assert expected | {"execution_price", "limit_price", "stop_price"} == changed
    assert ("100", "12.34", 200) == (
        new["total_quantity"],
        new["execution_price"],
        new["option_symbol"]["strike_price"],
    )
    assert record == OrderRecord.model_validate(new)


def test_of_an_equity_order_the_security_is_filled_and_the_option_null() -> None:
    """What was given as null is written as null, what was not given is not written."""
    record = OrderRecord(
        brokerage_order_id="o-1",
        universal_symbol=UniversalSymbol(symbol="VAB.TO"),
        option_symbol=None,
        total_quantity=Decimal("0.000000001"),
    )
    assert (
        '{"brokerage_order_id":"o-1","universal_symbol":{"symbol":"VAB.TO"},"option_symbol":null,'
        '"total_quantity":0.000000001}'
    ) == emit(record, Dialect.SEED)


@pytest.mark.parametrize("amount", ["12.34", '"12.34"', "1234e-2", '"12.340"'])
def test_amounts_are_read_from_numbers_and_text(amount: str) -> None:
    """Exactly, whichever the route writes."""
    record = OrderRecord.model_validate(read_json(f'{{"limit_price": {amount}}}'))
    assert Decimal("12.34") == record.limit_price


def test_what_we_do_not_know_is_read_and_kept() -> None:
    """New statuses, words of a brokerage, new fields, ids as numbers, and a record that says nothing at all."""
    record = OrderRecord.model_validate(
        read_json('{"brokerage_order_id": 17, "status": "HELD_BY_MOON", "order_type": "Iceberg", "peak": 0.10}')
    )
    assert ("17", "HELD_BY_MOON", OrderState.UNKNOWN) == (record.brokerage_order_id, record.status, record.state)
    assert '{"brokerage_order_id":"17","status":"HELD_BY_MOON","order_type":"Iceberg","peak":0.1}' == emit(record)
    empty = OrderRecord.model_validate({})
    assert ("{}", OrderState.UNKNOWN, ()) == (emit(empty), empty.state, empty.warnings)


def test_every_status_is_open_final_or_says_nothing() -> None:
    """The 20 statuses of the record (wire/snaptrade.md 2c, 3); NONE stands for one that could not be mapped."""
    final = "EXECUTED CANCELED PARTIAL_CANCELED REJECTED FAILED EXPIRED REPLACED STOPPED"
    still_open = (
        "PENDING ACCEPTED PARTIAL QUEUED TRIGGERED ACTIVATED PENDING_RISK_REVIEW CONTINGENT_ORDER REPLACE_PENDING "
        "SUSPENDED CANCEL_PENDING"
    )
    expected = {OrderState.FINAL: set(final.split()), OrderState.OPEN: set(still_open.split())}
    expected[OrderState.UNKNOWN] = {"NONE"}
    assert expected == {state: {s for s in OrderStatus if state_of(s) is state} for state in OrderState}
    assert len(OrderStatus) == 20
    assert state_of("PARTIALLY_EXECUTED") is OrderState.UNKNOWN is state_of(None)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("NONE 10 = 3 + 2 + 5", OrderState.OPEN),
        ("NONE 10 = 8 + 2 + 0", OrderState.FINAL),
        ("NONE 10 = 8 + 1 + 0", OrderState.UNKNOWN),
        ("NONE 10 = ? + ? + 0", OrderState.UNKNOWN),
        ("NONE ? = ? + ? + ?", OrderState.UNKNOWN),
        ("NONE 0 = 0 + 0 + 0", OrderState.UNKNOWN),
        ("PARTIALLY_EXECUTED 10 = 3 + 0 + 7", OrderState.OPEN),
        ("PARTIAL 10 = 10 + 0 + 0", OrderState.OPEN),
    ],
)
def test_where_the_status_says_nothing_the_quantities_do(text: str, state: OrderState) -> None:
    """Only where they are complete and agree; a status that says something is believed."""
    assert state is order(text).state


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("PARTIAL 10 = 3 + 2 + 4", r"filled 3, canceled 2 and open 4 do not add up to its total of 10"),
        ("PARTIAL 10 = 11 + ? + ?", r"filled 11, canceled 0 and open 0 do not add up to its total of 10"),
        ("PARTIAL 10 = 12 + 0 + -2", r"quantity below zero"),
        ("EXECUTED 10 = 8 + 0 + 2", r"is EXECUTED, yet 2 of it is said to be open"),
    ],
)
def test_quantities_that_contradict_each_other_are_warned_of(text: str, says: str) -> None:
    """As a value: the record is shown with it, and no exception hides the order (rules.md 9)."""
    (warning,) = order(text).warnings
    assert warning.startswith("Order o-1")
    assert says in warning


@pytest.mark.parametrize("text", ["PARTIAL 10 = 3 + 2 + 5", "PARTIAL 10 = 3 + ? + ?", "PARTIAL ? = 3 + 2 + 5"])
def test_what_is_not_known_contradicts_nothing(text: str) -> None:
    """A null quantity may be whatever is missing from the total."""
    assert () == order(text).warnings


@st.composite
def records(draw: st.DrawFn) -> OrderRecord:
    """Records whose total is the sum of its parts."""
    filled, canceled, still_open = draw(AMOUNTS), draw(AMOUNTS), draw(AMOUNTS)
    return OrderRecord(
        brokerage_order_id=draw(WORDS),
        status=draw(st.none() | st.sampled_from(OrderStatus) | WORDS),
        universal_symbol=draw(st.none() | st.builds(UniversalSymbol, symbol=WORDS, description=WORDS)),
        option_symbol=None,
        action=draw(st.sampled_from(["BUY", "SELL", "BUY_COVER"])),
        filled_quantity=filled,
        canceled_quantity=canceled,
        open_quantity=still_open,
        total_quantity=filled + canceled + still_open,
        execution_price=draw(PRICES),
        limit_price=draw(PRICES),
        time_placed=draw(TIMES),
        time_updated=draw(TIMES),
    )


@given(records(), st.sampled_from(Dialect))
def test_what_is_written_is_read_as_the_same_record(record: OrderRecord, dialect: Dialect) -> None:
    """In both dialects, whatever the amounts, times and words; nothing is rounded on the way."""
    assert record == OrderRecord.model_validate(read_json(emit(record, dialect)))


@given(records(), st.decimals(min_value=Decimal("0.000000001"), max_value=10**6, places=9))
def test_the_invariant_holds_or_is_warned_of(record: OrderRecord, change: Decimal) -> None:
    """total = filled + canceled + open gives no warning of the sum; any other total, by however little, does."""

    def sums(total: Decimal) -> list[str]:
        changed = record.model_copy(update={"total_quantity": total})
        return [warning for warning in changed.warnings if "do not add up" in warning]

    total = record.total_quantity
    assert total is not None
    assert ([], 1, 1) == (sums(total), len(sums(total + change)), len(sums(total - change)))
