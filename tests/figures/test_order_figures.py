"""Orders at the broker in words and tables: the terms, what is filled of what was wanted, and what happened."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from driftdesk.figures import (
    AccountOrder,
    broker_orders_alt,
    broker_orders_table,
    ended_text,
    estimate_text,
    filled_share,
    filled_text,
    is_final,
    left_text,
    order_events_alt,
    order_events_table,
    order_text,
)
from driftdesk.wire.orders import CreateOrder, Order, OrderUpdate

AT = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)


def order(**changes: Any) -> Order:
    """Buy 10 VTI at the market, three of them filled at 312.40."""
    values = {
        "id": "order-1",
        "client_order_id": "hand-1",
        "created_at": AT,
        "submitted_at": AT,
        "symbol": "VTI",
        "side": "buy",
        "qty": "10",
        "filled_qty": "3",
        "filled_avg_price": "312.4",
        "status": "partially_filled",
        **changes,
    }
    return Order.model_validate(values)


@pytest.mark.parametrize(
    ("expected", "terms"),
    [
        ("Buy 10 VTI, market, day", {}),
        ("Sell $250.50 VTI, market, day", {"side": "sell", "qty": None, "notional": "250.5"}),
        ("Buy 10 VTI, limit $300.00, gtc", {"type": "limit", "limit_price": "300", "time_in_force": "gtc"}),
        ("Buy 10 VTI, stop $0.1234, day", {"type": "stop", "stop_price": "0.1234"}),
        (
            "Buy 0.5 VTI, stop limit, stop $310.00, limit $311.50, day",
            {"type": "stop_limit", "qty": "0.5", "stop_price": "310", "limit_price": "311.5"},
        ),
    ],
)
def test_the_terms_in_words(expected: str, terms: dict[str, Any]) -> None:
    """Side, size in shares or dollars, type with its prices, time in force."""
    assert expected == order_text(order(**terms))


@pytest.mark.parametrize(
    ("share", "left", "text", "changes"),
    [
        ("0.3", "7 shares", "Filled 3 of 10 shares (30%) at $312.40 on average.", {}),
        ("0", "10 shares", "Filled 0 of 10 shares (0%).", {"filled_qty": None, "filled_avg_price": None}),
        ("0", "1 share", "Filled 0 of 1 share (0%).", {"qty": "1", "filled_qty": "0", "filled_avg_price": None}),
        # 0.8 x 312.40 = 249.92 of 500.
        (
            "0.49984",
            "$250.08",
            "Filled $249.92 of $500.00 (50%) at $312.40 on average.",
            {"qty": None, "notional": "500", "filled_qty": "0.8"},
        ),
        # A filled notional is filled whole, though rounding left four cents.
        (
            "1",
            "$0.04",
            "Filled $499.96 of $500.00 (100%) at $312.475 on average.",
            {"qty": None, "notional": "500", "filled_qty": "1.6", "filled_avg_price": "312.475", "status": "filled"},
        ),
    ],
)
def test_filled_against_wanted(share: str, left: str, text: str, changes: dict[str, Any]) -> None:
    """In shares for an order by quantity, in dollars for one by notional."""
    it = order(**changes)
    assert (Decimal(share), left, text) == (filled_share(it), left_text(it), filled_text(it))


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("canceled, 3 of 10 filled", {"status": "canceled"}),
        ("canceled", {"status": "canceled", "filled_qty": "0"}),
        ("filled", {"status": "filled", "filled_qty": "10"}),
        ("pending cancel, 3 of 10 filled", {"status": "pending_cancel"}),
        ("expired, $937.20 of $1,000.00 filled", {"status": "expired", "qty": None, "notional": "1000"}),
    ],
)
def test_how_an_order_stands_for_whoever_canceled_it(expected: str, changes: dict[str, Any]) -> None:
    """Its status, and what stays filled where that is not all of it. 3 x 312.40 = 937.20."""
    it = order(**changes)
    assert (expected, "pending" not in expected) == (ended_text(it), is_final(it))


def wanted(**changes: Any) -> CreateOrder:
    values = {"symbol": "VTI", "side": "buy", "type": "market", "time_in_force": "day", "qty": "10", **changes}
    return CreateOrder.model_validate(values)


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("", {}),
        (" At its limit at most $300.00 a share, $3,000.00.", {"limit_price": "300"}),
        (" At its limit at least $320.25 a share, $3,202.50.", {"limit_price": "320.25", "side": "sell"}),
        (" At its limit at most $300.00 a share.", {"limit_price": "300", "qty": None, "notional": "3124"}),
        (
            " It waits until the price reaches $320.00. At its limit at most $321.00 a share, $3,210.00.",
            {"stop_price": "320", "limit_price": "321"},
        ),
    ],
)
def test_an_estimate_in_words(expected: str, changes: dict[str, Any]) -> None:
    """10 shares at 312.40 are 3,124; limit and stop are said beside it."""
    market = order(filled_qty="10", status="filled")
    text = f"At the market now about $3,124.00: 10 shares at $312.40.{expected}"
    assert text == estimate_text(wanted(**changes), market)


def test_the_list_of_orders() -> None:
    """Exact decimals, New York time, the account's name, the reason of a rejected one; how many are open and failed."""
    rejected = order(
        id="order-2", status="rejected", filled_qty=None, filled_avg_price=None, reject_reason="VTI halted"
    )
    rows = [AccountOrder("acct", order(), is_open=True), AccountOrder("other", rejected, is_open=False)]
    table = broker_orders_table(rows, {"acct": "Alder"})
    first, second = table.to_dict("records")
    assert ("▲ Buy", "Market", Decimal("30.00"), "Partially filled", "Alder") == (
        first["Side"], first["Terms"], first["Filled %"], first["State"], first["Account"],
    )  # fmt: skip
    assert "2026-11-20 15:30:00-05:00" == str(first["Time"])
    assert ("Rejected", "VTI halted", "other", Decimal(0)) == (
        second["State"], second["Details"], second["Account"], second["Filled %"],
    )  # fmt: skip
    assert "2 orders: 1 open, 1 rejected or expired." == broker_orders_alt(rows)
    assert ("No orders.", 0) == (broker_orders_alt([]), len(broker_orders_table([], {})))


def test_what_happened_to_an_order() -> None:
    """Accepted at 15:30:00, two shares at 312.30 a second later, one more at 312.60 after a minute."""
    steps = [(0, "accepted", None, None, "0", None), (1, "partial_fill", "312.3", "2", "2", "12")]
    steps.append((61, "partial_fill", "312.6", "1", "3", "13"))
    updates = [
        OrderUpdate.model_validate(
            {
                "event_id": str(index),
                "event": event,
                "account_id": "acct",
                "at": AT + timedelta(seconds=after),
                "order": order(filled_qty=filled),
                "price": price,
                "qty": qty,
                "position_qty": position,
            }
        )
        for index, (after, event, price, qty, filled, position) in enumerate(steps)
    ]
    table = order_events_table(order(), updates)
    assert [
        ("Accepted", None, None, Decimal(0), None),
        ("Partial fill", Decimal(2), Decimal("312.3"), Decimal(2), Decimal(12)),
        ("Partial fill", Decimal(1), Decimal("312.6"), Decimal(3), Decimal(13)),
    ] == list(
        table[["Event", "Quantity", "Fill price", "Filled quantity", "Position"]].itertuples(index=False, name=None)
    )
    assert order_events_alt(table) == (
        "Events of the order in New York time: accepted 2026-11-20 15:30:00, partial fill 2026-11-20 15:30:01, "
        "partial fill 2026-11-20 15:31:01."
    )


def test_an_order_s_own_times_stand_in_for_events() -> None:
    """A backend without histories: submitted, and canceled five minutes later."""
    table = order_events_table(order(status="canceled", canceled_at=AT + timedelta(minutes=5)))
    assert ["Submitted", "Canceled"] == list(table["Event"])
    assert "2026-11-20 15:35:00-05:00" == str(table["At"].iloc[1])
