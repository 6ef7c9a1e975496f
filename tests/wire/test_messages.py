"""Messages read what backends really send and write exactly what the wire wants (rules.md 1.5; wire/alpaca.md 0, 4)."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from driftdesk.wire.accounts import Asset, Position
from driftdesk.wire.base import read_json
from driftdesk.wire.orders import Order, OrderStatus, SkippedOrder
from driftdesk.wire.portfolios import CreatePortfolio, Portfolio, UpdatePortfolio, Weight
from driftdesk.wire.runs import Run, RunPage, RunStatus
from driftdesk.wire.simulation import Advance

T = "2022-08-06T19:12:13.555858187-04:00"
RUN: dict[str, Any] = {
    "id": "r",
    "type": "full_rebalance",
    "status": "QUEUED",
    "account_id": "a",
    "portfolio_id": "p",
    "weights": [],
    "created_at": T,
    "updated_at": T,
}
ORDER: dict[str, Any] = {
    "id": "o",
    "client_order_id": "c",
    "created_at": T,
    "symbol": "SPY",
    "side": "buy",
    "status": "filled",
}


@pytest.mark.parametrize("sent", ["417.80", '"417.80"', "4.1780E+2"])
def test_decimals_are_read_as_text_or_number(sent: str) -> None:
    """A seed sample has the number 0.1 where the SDK wants a string; readers take both (rules.md 1.5)."""
    order = Order.model_validate({**ORDER, "filled_avg_price": read_json(sent)})
    assert Decimal("417.80") == order.filled_avg_price
    assert json.loads(order.model_dump_json())["filled_avg_price"] == "417.8"


def test_a_skipped_order_of_the_seed_is_read() -> None:
    """Its notional is a JSON number there and leaves as text."""
    text = '{"symbol": "AAPL", "side": "buy", "notional": 0.1, "currency": "USD", "reason": "R", "reason_details": "d"}'
    skipped = SkippedOrder.model_validate(read_json(text))
    assert Decimal("0.1") == skipped.notional
    assert json.loads(skipped.model_dump_json())["notional"] == "0.1"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**13), max_value=10**13))
def test_a_decimal_survives_the_wire_unchanged(number: Decimal) -> None:
    """Written as text without exponent, read back equal."""
    weight = Weight(type="asset", symbol="SPY", percent=number)
    text = weight.model_dump_json()
    assert number == Weight.model_validate(read_json(text)).percent
    assert "E" not in json.loads(text)["percent"]


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "1e14", "1e-31", "1e9999999999", 10**30, "1_000", "\u0663", "", "five", True, None, [1]],
)
def test_what_is_no_decimal_is_refused(value: object) -> None:
    """Nor is one so large or so fine that exact arithmetic would choke on it."""
    with pytest.raises(ValidationError):
        Weight.model_validate({"type": "cash", "percent": value})


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "{", "", "[" * 100_000])
def test_only_json_is_json(text: str) -> None:
    """The standard parser would let NaN and Infinity pass, and fail in another way on deep nesting."""
    with pytest.raises(ValueError, match=r"JSON|nested|Expecting"):
        read_json(text)


def test_times_are_read_into_utc() -> None:
    """Nanoseconds are cut, offsets converted, a time without offset is UTC; written with a Z."""
    run = Run.model_validate({**RUN, "updated_at": "2022-08-06T19:12:13"})
    assert datetime(2022, 8, 6, 23, 12, 13, 555858, tzinfo=UTC) == run.created_at
    assert run.created_at.tzinfo is UTC
    assert datetime(2022, 8, 6, 19, 12, 13, tzinfo=UTC) == run.updated_at
    assert json.loads(run.model_dump_json())["created_at"] == "2022-08-06T23:12:13.555858Z"


def test_a_time_that_utc_cannot_hold_is_refused() -> None:
    """Not an error of arithmetic."""
    with pytest.raises(ValidationError, match="between the years 1 and 9999"):
        Advance.model_validate({"to": "0001-01-01T00:00:00+14:00"})


def test_unknown_words_and_fields_do_not_trip_the_reader() -> None:
    """New statuses, types and keys appear on the real API before anybody documents them (wire/alpaca.md 16)."""
    run = Run.model_validate(
        {**RUN, "status": "SELLS_IN_PROGRESS", "type": "partial_liquidation", "initiated_from": "dashboard", "new": 1}
    )
    assert ("SELLS_IN_PROGRESS", "partial_liquidation", "dashboard") == (run.status, run.type, run.initiated_from)
    assert Order.model_validate({**ORDER, "status": "undreamt"}).status == "undreamt"


def test_known_words_become_their_enums() -> None:
    """So that code compares with names."""
    assert Run.model_validate(RUN).status is RunStatus.QUEUED
    assert Order.model_validate(ORDER).status is OrderStatus.FILLED


def test_answers_take_numbers_for_text_and_null_for_empty() -> None:
    """An id sent as a number, lists and a description sent as null."""
    run = Run.model_validate({**RUN, "id": 7, "orders": None, "skipped_orders": None, "reason": Decimal("1.5")})
    assert ("7", (), (), "1.5") == (run.id, run.orders, run.skipped_orders, run.reason)
    portfolio = Portfolio.model_validate(
        {"id": "p", "name": 5, "description": None, "status": "active", "weights": [], "rebalance_conditions": None}
        | {"created_at": T, "updated_at": T}
    )
    assert ("5", "", ()) == (portfolio.name, portfolio.description, portfolio.rebalance_conditions)


def test_requests_do_not_take_numbers_for_text() -> None:
    """A name of 5 is a mistake of the caller's (rules.md 2.9)."""
    with pytest.raises(ValidationError):
        CreatePortfolio.model_validate({"name": 5, "weights": []})


@pytest.mark.parametrize("name", ["rebalance_conditions", "rebalancing_conditions"])
def test_conditions_are_read_under_both_names_and_written_under_one(name: str) -> None:
    """The seed's table has the one, its samples the other (rules.md 2.2); a day may be a number."""
    body = {"name": "n", "weights": [], name: [{"type": "calendar", "sub_type": "monthly", "day": 15}]}
    written = json.loads(CreatePortfolio.model_validate(body).model_dump_json())
    assert written["rebalance_conditions"] == [
        {"type": "calendar", "sub_type": "monthly", "percent": None, "day": "15"}
    ]
    assert "rebalancing_conditions" not in written


@pytest.mark.parametrize("name", ["initiated_from", "initiated_by"])
def test_both_names_of_the_initiator_are_filled_from_either(name: str) -> None:
    """The seed's table says initiated_by, everything else initiated_from (rules.md 2.2)."""
    run = Run.model_validate({**RUN, name: "system"})
    assert ("system", "system") == (run.initiated_from, run.initiated_by)


def test_a_patch_forgets_nulls() -> None:
    """A field sent as null counts as not sent; zero, empty text and empty lists are values."""
    body = {"name": None, "description": "", "cooldown_days": 0, "weights": None, "rebalance_conditions": []}
    assert {"description", "cooldown_days", "rebalance_conditions"} == UpdatePortfolio.model_validate(
        body
    ).model_fields_set


def test_page_tokens_are_text_or_numbers() -> None:
    """The seed shows the number 100, the documentation opaque text."""
    tokens = [
        RunPage.model_validate({"runs": [], "next_page_token": token}).next_page_token for token in (100, "MTA=", None)
    ]
    assert [100, "MTA=", None] == tokens


def test_an_asset_keeps_its_class_both_ways() -> None:
    """`class` on the wire, asset_class here."""
    body = {"id": "1", "class": "crypto", "exchange": "X", "symbol": "B", "tradable": True, "fractionable": True}
    asset = Asset.model_validate(body)
    assert asset.asset_class == "crypto"
    assert json.loads(asset.model_dump_json(by_alias=True))["class"] == "crypto"


def test_long_ratios_of_a_real_backend_are_read() -> None:
    """Positions carry profit percentages with more digits than any price."""
    position = Position.model_validate(
        {"asset_id": "1", "symbol": "SPY", "avg_entry_price": 1, "qty": "1", "cost_basis": "1"}
        | {"unrealized_plpc": "0.0312345678901234567890123"}
    )
    assert Decimal("0.0312345678901234567890123") == position.unrealized_plpc
