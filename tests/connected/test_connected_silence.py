"""What a brokerage does not say, or says late: orders taken for no other, runs that end, nothing sent where none is."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from connected.brokerage import EVERY_ORDER, PLACE, Brokerage, open_brokerage

from driftdesk.errors import Rejected
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.simulation import FaultEntry, FaultScript

HALF = {"SPY": "50", "GLD": "30", "cash": "20"}
WEBULL = {"slug": "WEBULL", "name": "Webull", "id": "b-1", "allows_trading": True}


def order(**fields: Any) -> CreateOrder:
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": "2"}
    return CreateOrder.model_validate({**body, **fields})


def take_shares_only(brokerage: Brokerage) -> None:
    brokerage.wire.change("/authorizations", lambda answer: [{**each, "brokerage": WEBULL} for each in answer])


def lines_of(brokerage: Brokerage, run_id: str) -> dict[str, str | None]:
    return {line.symbol: line.state for line in brokerage.desk.run(run_id).plan or ()}


@pytest.mark.parametrize(
    ("wait", "theirs"),
    [(1, {"qty": "3"}), (1, {"qty": "10", "type": "limit", "limit_price": "200"}), (300, {"qty": "10"})],
    ids=["another size", "another type", "too late"],
)
def test_an_order_of_somebody_else_is_not_taken_for_one_that_was_lost(
    brokerage: Brokerage, wait: int, theirs: dict[str, str]
) -> None:
    """The request for 2,000.00 USD of GLD never arrived, and a person buys GLD at the brokerage: the run stops, and
    goes on saying that nobody knows."""
    account = brokerage.open_account("10000.00")
    run = brokerage.rebalance(account, brokerage.portfolio({"GLD": "20", "cash": "80"}))
    brokerage.wire.lose_request(PLACE)
    brokerage.work()
    brokerage.pass_time(wait)
    brokerage.backend.place_order(account, order(symbol="GLD", **theirs))
    assert "ERROR" == brokerage.finish(run.id, seconds=10).status
    brokerage.pass_time(20)
    found = {each.client_order_id: each for each in brokerage.desk.client.orders.list(account, status="all")}
    assert 2 == len(found)
    assert "pending_new" == next(each.status for name, each in found.items() if name.startswith(run.id))


def test_a_run_is_canceled_while_one_of_its_orders_is_in_doubt(brokerage: Brokerage) -> None:
    """The others are canceled all the same, and what is in doubt is left to a person."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    brokerage.backend.set_fault_script(FaultScript(faults=(FaultEntry(kind="delay", symbol="SPY", value=600),)))
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.wire.lose_request(PLACE)
    brokerage.work()
    brokerage.desk.cancel_run(run.id)
    done = brokerage.finish(run.id, seconds=30)
    assert "CANCELED_MID_RUN" == done.status
    for _ in range(4):
        brokerage.pass_time(30)
    assert {"TLT": "UNKNOWN", "SPY": "FAILED", "GLD": "DROPPED"} == lines_of(brokerage, run.id)
    assert {"canceled"} == {str(each.status) for each in brokerage.backend.list_orders(account, EVERY_ORDER)}


@pytest.mark.parametrize("status", [429, 503])
def test_an_order_that_cannot_be_sized_was_not_sent(brokerage: Brokerage, status: int) -> None:
    """No price comes for a buy by shares: it is neither in doubt nor refused, and is sent once there is a price."""
    account = brokerage.open_account("10000.00")
    take_shares_only(brokerage)
    run = brokerage.rebalance(account, brokerage.portfolio({"GLD": "20", "cash": "80"}))
    brokerage.wire.refuse("/quotes", status, "busy")
    for _ in range(3):
        brokerage.pass_time(5)
    assert ([], {"GLD": "SUBMITTING"}) == (
        brokerage.backend.list_orders(account, EVERY_ORDER),
        lines_of(brokerage, run.id),
    )
    brokerage.wire.disturb.clear()
    take_shares_only(brokerage)
    assert "COMPLETED_SUCCESS" == brokerage.finish(run.id, seconds=10).status
    assert [Decimal(10)] == [each.qty for each in brokerage.backend.list_orders(account, EVERY_ORDER)]


def test_a_sell_by_shares_is_never_of_more_than_are_held(brokerage: Brokerage) -> None:
    """SPY falls by half between plan and order: the planned amount would be of more shares than there are."""
    account = brokerage.open_account("0.00", SPY="60")
    take_shares_only(brokerage)
    run = brokerage.rebalance(account, brokerage.portfolio({"SPY": "5", "cash": "95"}))
    brokerage.wire.change("/quotes", lambda answer: [{**each, "last_trade_price": 50} for each in answer])
    brokerage.finish(run.id)
    assert [Decimal(60)] == [each.qty for each in brokerage.backend.list_orders(account, EVERY_ORDER)]


def test_an_answer_that_names_no_order_leaves_it_in_doubt(brokerage: Brokerage) -> None:
    """And it is looked for at once, as after silence, instead of waiting for the close."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.wire.change(PLACE, lambda _: {"status": "PENDING"})
    brokerage.wire.change("/recentOrders", lambda _: {"orders": []})
    done = brokerage.finish(run.id, seconds=10)
    assert "ERROR" == done.status
    assert "No answer came" in (done.reason or "")


def test_an_answer_with_the_id_alone_is_enough(brokerage: Brokerage) -> None:
    """What the order comes to is looked up by its id, also where a twin makes its look ambiguous."""
    account = brokerage.open_account("1000.00", SPY="10")
    brokerage.desk.book()
    brokerage.wire.change(PLACE, lambda answer: {"brokerage_order_id": answer["brokerage_order_id"]})
    brokerage.desk.client.orders.place(account, order(client_order_id="mine"))
    brokerage.backend.place_order(account, order(client_order_id="twin"))
    brokerage.pass_time(3)
    found = {each.client_order_id: each.status for each in brokerage.desk.client.orders.list(account, status="all")}
    assert "filled" == found["mine"]
    assert 2 == len(found)


def test_the_run_of_an_account_that_is_gone_ends_at_the_close(brokerage: Brokerage) -> None:
    """Its connection was removed: until the close nobody knows; then its orders end, and the run with them."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    brokerage.backend.set_fault_script(FaultScript(faults=(FaultEntry(kind="delay", value=80_000),)))
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.work()
    brokerage.wire.change("/accounts/all", lambda _: {"results": []})
    for path in ("/recentOrders", "/orders", "/orders/details", "/trading/cancel"):
        brokerage.wire.refuse(path, 404, "no such account")
    brokerage.pass_time(60)
    assert "IN_PROGRESS" == brokerage.desk.run(run.id).status
    done = brokerage.finish(run.id, seconds=1800)
    assert "TIMEOUT" == done.status
    assert all("does not list this account" in (each.reject_reason or "") for each in done.failed_orders)
    brokerage.wire.asked.clear()
    for _ in range(30):
        brokerage.pass_time(60)
    assert not [each for each in brokerage.wire.asked if account in each]


@pytest.mark.parametrize("status", [403, 501])
def test_a_brokerage_without_recent_orders_is_read_from_its_list(brokerage: Brokerage, status: int) -> None:
    """Not every brokerage tells orders as they are now: its list does, and the account is no worse for it."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    brokerage.wire.refuse("/recentOrders", status, "not offered")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    assert "COMPLETED_SUCCESS" == brokerage.finish(run.id).status


def test_a_desk_that_looks_only_sends_nothing_for_an_account_that_it_cannot_read(tmp_path: Path) -> None:
    """Neither an order nor a cancel: whatever is wrong with the account, real money stays where it is."""
    there = open_brokerage(tmp_path)
    account = there.open_account("1000.00", SPY="60")
    there.desk.book()
    placed = there.desk.client.orders.place(account, order(type="limit", limit_price="1"))
    there.close()
    brokerage = open_brokerage(tmp_path, look_only="Opened to look.")
    brokerage.wire.refuse("/balances", 503, "busy")
    assert "busy" in (brokerage.desk.account(account).problem or "")
    with pytest.raises(Rejected, match="Opened to look"):
        brokerage.desk.client.orders.place(account, order())
    with pytest.raises(Rejected, match="Opened to look"):
        brokerage.desk.client.orders.cancel(account, placed.id)
    brokerage.pass_time(5)
    assert not [each for each in brokerage.wire.asked if each.startswith("POST") and not each.endswith("details")]
    brokerage.close()


def test_the_day_alone_is_no_time_of_a_fill(brokerage: Brokerage) -> None:
    """Some brokerages say only the day on which an order was filled: the fill is of when it was seen."""
    account = brokerage.open_account("1000.00", SPY="10")
    brokerage.desk.book()
    midnight = brokerage.backend.world.now().date().isoformat()

    def of_the_day(answer: Any) -> Any:
        return {"orders": [{**each, "time_executed": midnight, "time_updated": None} for each in answer["orders"]]}

    brokerage.wire.change("/recentOrders", of_the_day)
    brokerage.desk.client.orders.place(account, order())
    brokerage.pass_time(3)
    [fill] = brokerage.desk.client.accounts.activities(account, types=("FILL",))
    assert fill.transaction_time is not None
    assert brokerage.backend.world.now() - fill.transaction_time <= timedelta(seconds=3)


@pytest.mark.parametrize(("told_after", "price"), [(3, "100.25"), (200, "100")])
def test_a_fill_without_a_price_waits_for_it(brokerage: Brokerage, told_after: int, price: str) -> None:
    """What was filled is told before its price, 100.25: nothing is booked at another one, unless none comes for two
    minutes, where the last price counts."""
    account = brokerage.open_account("1000.00", SPY="10")
    brokerage.desk.account(account)
    told: dict[str, str | None] = {"execution_price": None}
    brokerage.wire.change("/recentOrders", lambda answer: {"orders": [{**each, **told} for each in answer["orders"]]})
    brokerage.wire.change(PLACE, lambda answer: {**answer, **told})
    brokerage.desk.client.orders.place(account, order())
    brokerage.pass_time(told_after)
    told["execution_price"] = "100.25"
    brokerage.pass_time(2)
    [fill] = brokerage.desk.client.accounts.activities(account, types=("FILL",))
    assert Decimal(price) == fill.price
