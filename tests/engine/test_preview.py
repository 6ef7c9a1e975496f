"""Previews: before and after, cost and turnover, the hash, and how a plan may move before it is sent."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from domain import bands, book, model, with_open_order, with_quote

from driftdesk.engine.planner import Options, PlannedOrder, PlanRequest, RunType, Toward
from driftdesk.engine.preview import OrderChange, compare_plans, preview, preview_hash
from driftdesk.engine.snapshot import AccountId, Side, Snapshot, Symbol

REQUEST = PlanRequest(model("cash 5 | SPY 60 | TLT 35"), bands("abs 5, rel 20"))
RALLIED = book("cash 500 | SPY 70@100 | TLT 40@50")


def test_a_preview_shows_before_and_after() -> None:
    """E = 9500; 1300 of SPY go, 1325 of TLT come, cash ends at its 5%."""
    seen = preview(RALLIED, REQUEST, cost_bps=Decimal(4))
    assert Decimal(475) == seen.cash_after
    assert (Decimal(1300), Decimal(1325)) == (seen.sells_total, seen.buys_total)
    assert Decimal("1.05") == seen.estimated_cost  # 2625 x 0.0004
    assert Decimal("0.138158") == round(seen.turnover, 6)  # 2625 / 2 / 9500
    assert {"SPY", "TLT"} == {row.symbol for row in seen.before.breached}
    assert {"0"} == {str(abs(row.drift.normalize())) for row in seen.after.rows}


def test_after_moves_cash_by_the_notional_and_shares_by_the_floored_quantity() -> None:
    """100.00 at 3 buys 33.333333333 shares and costs 100.00."""
    after = preview(book("cash 100 | SPY @3"), PlanRequest(model("SPY 100"))).after
    assert Decimal(0) == after.cash
    assert Decimal("33.333333333") == next(row.quantity for row in after.rows if row.symbol == "SPY")


def test_a_position_sold_out_is_gone_after() -> None:
    """XYZ leaves the report."""
    after = preview(book("cash 0 | SPY 1@100 | XYZ 2.5@40"), PlanRequest(model("SPY 100"))).after
    assert "XYZ" not in {row.symbol for row in after.rows}


def test_what_stays_outside_its_band_is_a_warning() -> None:
    """SPY cannot be traded, so 7000 of 9500 stay where 60% is wanted."""
    seen = preview(with_quote(RALLIED, "SPY", tradable=False), REQUEST)
    assert "SPY stays outside its band after these orders: 13.68 points from its target." in seen.warnings


def reordered(snapshot: Snapshot) -> Snapshot:
    """The same account, listed the other way round."""
    return replace(snapshot, holdings=snapshot.holdings[::-1], quotes=snapshot.quotes[::-1])


@pytest.mark.parametrize(
    ("snapshot", "request_"),
    [
        (reordered(RALLIED), REQUEST),
        (replace(RALLIED, as_of=RALLIED.as_of + timedelta(days=1)), REQUEST),
        (replace(RALLIED, market_open=False), REQUEST),
        (book("cash 500.00 | SPY 70.0@100.0000 | TLT 4E1@50 | GLD @9"), REQUEST),
        (RALLIED, replace(REQUEST, targets=model("TLT 35.00 | SPY 60.0 | cash 5"))),
        (RALLIED, replace(REQUEST, conditions=bands("rel 20.00, abs 5.0"))),
    ],
    ids=["order", "time", "market", "spelling", "weights", "conditions"],
)
def test_the_hash_ignores_what_the_plan_ignores(snapshot: Snapshot, request_: PlanRequest) -> None:
    """Order, time, spelling of numbers, and quotes of what is neither held nor targeted do not matter."""
    assert preview_hash(RALLIED, REQUEST) == preview_hash(snapshot, request_)


CHANGED_SNAPSHOTS = {
    "account": replace(RALLIED, account_id=AccountId("other")),
    "cash": replace(RALLIED, cash=Decimal("500.01")),
    "quantity": book("cash 500 | SPY 70.000000001@100 | TLT 40@50"),
    "available": book("cash 500 | SPY 70(69)@100 | TLT 40@50"),
    "price": book("cash 500 | SPY 70@100.0001 | TLT 40@50"),
    "tradable": with_quote(RALLIED, "SPY", tradable=False),
    "open order": with_open_order(RALLIED, "buy SPY 5"),
    "excluded": replace(RALLIED, excluded=frozenset({Symbol("XYZ")})),
}
CHANGED_REQUESTS = {
    "weights": replace(REQUEST, targets=model("cash 5 | SPY 60.01 | TLT 34.99")),
    "conditions": replace(REQUEST, conditions=bands("abs 5")),
    "run type": replace(REQUEST, run_type=RunType.INVEST_CASH),
    "amount": replace(REQUEST, run_type=RunType.INVEST_CASH, amount=Decimal(5)),
    "minimum": replace(REQUEST, min_notional=Decimal(2)),
    "toward": replace(REQUEST, options=Options(toward=Toward.EDGE)),
    "breached only": replace(REQUEST, options=Options(breached_only=True)),
    "buffer": replace(REQUEST, options=Options(cash_buffer=Decimal(1))),
    "raise cash": replace(REQUEST, options=Options(raise_cash=Decimal(1))),
    "never buy": replace(REQUEST, options=Options(never_buy=frozenset({Symbol("SPY")}))),
    "never sell": replace(REQUEST, options=Options(never_sell=frozenset({Symbol("SPY")}))),
    "whole shares": replace(REQUEST, options=Options(whole_shares=True)),
}


def test_the_hash_knows_everything_that_the_plan_depends_on() -> None:
    """Every change of an input is another hash, each its own."""
    hashes = {preview_hash(RALLIED, REQUEST)}
    hashes |= {preview_hash(snapshot, REQUEST) for snapshot in CHANGED_SNAPSHOTS.values()}
    hashes |= {preview_hash(RALLIED, request) for request in CHANGED_REQUESTS.values()}
    assert 1 + len(CHANGED_SNAPSHOTS) + len(CHANGED_REQUESTS) == len(hashes)


CANONICAL = (
    '{"account":"acct","amount":null,"cash":"500","conditions":[["absolute","5"],["relative","20"]],"excluded":[],'
    '"holdings":[["SPY","70","70"],["TLT","40","40"]],"min_notional":"1","open_orders":[],'
    '"options":{"breached_only":false,"cash_buffer":"0","never_buy":[],"never_sell":[],"raise_cash":"0",'
    '"toward":"target","whole_shares":false},'
    '"quotes":[["SPY","100",true,true],["TLT","50",true,true]],"run_type":"full_rebalance",'
    '"weights":[["$CASH","0.05"],["SPY","0.6"],["TLT","0.35"]]}'
)


def test_the_text_under_the_hash_is_an_interface() -> None:
    """Client and service of different versions must agree, so the text itself is written down here."""
    assert hashlib.sha256(CANONICAL.encode()).hexdigest() == preview_hash(RALLIED, REQUEST)


def order(symbol: str, side: Side, notional: str) -> PlannedOrder:
    """A planned order of which only symbol, side and notional matter."""
    amount = Decimal(notional)
    return PlannedOrder(1, Symbol(symbol), side, amount, None, Decimal(1), amount, "")


@pytest.mark.parametrize(
    ("planned", "replanned", "allowed"),
    [("100.00", "105.00", True), ("100.00", "105.01", False), ("100.00", "95.00", True), ("100.00", "94.99", False)],
)
def test_an_order_may_move_by_the_limit(planned: str, replanned: str, allowed: bool) -> None:
    """Five percent of the planned notional, either way, the limit itself included."""
    changes = compare_plans([order("SPY", Side.BUY, planned)], [order("SPY", Side.BUY, replanned)], Decimal(5))
    assert changes == (OrderChange("SPY", "buy", Decimal(planned), Decimal(replanned), allowed),)


def test_orders_that_appear_disappear_or_turn_are_not_allowed() -> None:
    """Sells are listed first; an order that turned counts as one gone and one new."""
    planned = [order("AAA", Side.BUY, "10.00"), order("BBB", Side.SELL, "10.00"), order("CCC", Side.BUY, "10.00")]
    replanned = [order("AAA", Side.SELL, "10.00"), order("CCC", Side.BUY, "10.00"), order("DDD", Side.BUY, "1.00")]
    changes = compare_plans(planned, replanned, Decimal(5))
    assert [
        ("AAA", "sell", False),
        ("BBB", "sell", False),
        ("AAA", "buy", False),
        ("CCC", "buy", True),
        ("DDD", "buy", False),
    ] == [(change.symbol, change.side, change.allowed) for change in changes]
