"""Before and after, the orders and their sizes, and what is not sent."""

from decimal import Decimal
from typing import Any

from domain import bands, book, model

from driftdesk.engine.plan import PlanRequest
from driftdesk.engine.preview import preview
from driftdesk.figures import (
    LIGHT,
    Scale,
    before_after_alt,
    before_after_figure,
    orders_alt,
    orders_figure,
    orders_table,
    skipped_table,
)

# E = 1000: SPY 70 % of 60 is sold by 100, TLT 20 % of 35 is bought by 150, XYZ 5 % goes, cash stays at its 5 %.
SEEN = preview(
    book("cash 50 | SPY 7@100 | TLT 4@50 | XYZ 5@10"), PlanRequest(model("cash 5 | SPY 60 | TLT 35"), bands("abs 5"))
)
# E = 100: SPY is 50 cents over its target, less than an order may be worth.
TINY = preview(book("cash 0 | SPY 60.5@1 | TLT 39.5@1"), PlanRequest(model("SPY 60 | TLT 40"), bands("abs 5")))


def trace(figure: Any, name: str) -> dict[str, float]:
    part = next(part for part in figure.data if part.name == name)
    return dict(zip(part.customdata, part.x, strict=True))


def test_hollow_is_before_and_filled_is_after() -> None:
    """On the scale of drift every order ends at zero."""
    figure = before_after_figure(SEEN)
    assert {"SPY": 10.0, "TLT": -15.0, "XYZ": 5.0, "$CASH": 0.0} == trace(figure, "before")
    assert {"SPY": 0.0, "TLT": 0.0, "XYZ": 0.0, "$CASH": 0.0} == trace(figure, "after")
    assert ["circle-open", "circle"] == [part.marker.symbol for part in figure.data[-2:]]


def test_a_position_sold_out_ends_at_no_weight() -> None:
    """XYZ is no longer in the report after; its point stands at zero."""
    assert trace(before_after_figure(SEEN, Scale.WEIGHT), "after")["XYZ"] == 0.0


def test_only_what_stays_outside_is_marked_after() -> None:
    """Before, SPY and TLT are in colour; after, everything is quiet."""
    after = next(part for part in before_after_figure(SEEN).data if part.name == "after")
    assert {LIGHT.neutral} == set(after.marker.color)


def test_sells_go_left_and_buys_right_in_the_order_of_sending() -> None:
    """The lines are 1, 2, 3; notionals in cents."""
    bars = orders_figure(SEEN).data[0]
    assert [1, 2, 3] == list(bars.customdata)
    assert {"SPY": -100.0, "XYZ": -50.0, "TLT": 150.0} == dict(zip(bars.y, bars.x, strict=True))
    assert {"SPY": LIGHT.sell, "XYZ": LIGHT.sell, "TLT": LIGHT.buy} == dict(zip(bars.y, bars.marker.color, strict=True))


def test_each_order_has_its_reason_and_its_weights() -> None:
    """The table keeps the plan's own decimals; what is sold out has no weight after and no band."""
    rows = orders_table(SEEN).set_index("Symbol")
    assert ("▼ Sell", Decimal(1), Decimal(100), Decimal("100.00"), Decimal(70), Decimal(60), Decimal(200)) == tuple(
        rows.loc["SPY", ["Side", "Quantity", "Price", "Notional", "Weight now %", "Weight after %", "Band used %"]]
    )
    assert (Decimal(5), Decimal(0), None) == tuple(
        rows.loc["XYZ", ["Weight now %", "Weight after %", "Band used %"]].where(lambda cell: cell.notna(), None)
    )
    assert [order.reason for order in SEEN.plan.orders] == list(rows["Why"])


def test_what_is_not_sent_says_why() -> None:
    """50 cents of SPY are below the minimum of a dollar; without that sale there is no cash to buy TLT with."""
    rows = skipped_table(TINY)
    assert {("SPY", "▼ Sell", Decimal("0.50"))} == {
        (row["Symbol"], row["Side"], row["Notional"]) for row in rows.to_dict("records")
    }
    assert {"ORDER_LESS_THAN_MIN_NOTIONAL"} == set(rows["Code"])


def test_an_empty_plan_keeps_its_columns() -> None:
    """No orders, one sentence, and a table that can still be downloaded."""
    assert (0, True) == (len(orders_table(TINY)), "Why" in orders_table(TINY).columns)
    assert orders_alt(TINY) == "No orders; 1 order skipped."
    assert not orders_figure(TINY).data[0].x


def test_the_words_say_what_changes() -> None:
    """Two outside before, none after; the sums of both sides."""
    assert before_after_alt(SEEN) == (
        "2 holdings outside the band before, 0 after 3 orders; cash 5.00% before, 5.00% after."
    )
    assert orders_alt(SEEN) == "2 sells for $150.00 and 1 buy for $150.00; 0 skipped."
