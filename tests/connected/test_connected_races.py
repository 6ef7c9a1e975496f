"""Two threads, and a brokerage whose balances and orders do not tell the same moment: nothing is counted twice."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from connected.brokerage import EVERY_ORDER, PLACE, Brokerage

from driftdesk.backend.ledger import check_balances
from driftdesk.engine.snapshot import AccountId
from driftdesk.wire.orders import CreateOrder, Order
from driftdesk.wire.simulation import FaultEntry, FaultScript

HALF = {"SPY": "50", "GLD": "30", "cash": "20"}
CANCEL = "/trading/cancel"
FILLED = {"status": "EXECUTED", "filled_quantity": "2", "open_quantity": "0", "execution_price": "100"}


def order(**fields: Any) -> CreateOrder:
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": "2"}
    return CreateOrder.model_validate({**body, **fields})


def meanwhile(brokerage: Brokerage, path: str, act: Callable[[], object], **changed: Any) -> None:
    """After a request whose path ends so took effect, before its answer (`changed`) is read, another thread acts."""

    def between(request: httpx.Request, go_on: Callable[[], httpx.Response]) -> httpx.Response | None:
        if not request.url.path.endswith(path):
            return None
        brokerage.wire.disturb.remove(between)
        answer = go_on()
        answer.read()
        other = threading.Thread(target=act)
        other.start()
        other.join(20)
        assert not other.is_alive()
        return httpx.Response(answer.status_code, json={**answer.json(), **changed})

    brokerage.wire.disturb.append(between)


def held(brokerage: Brokerage, account: str) -> tuple[Decimal, dict[str, Decimal]]:
    snapshot = brokerage.desk.snapshot(account)
    return snapshot.cash, {holding.symbol: holding.quantity for holding in snapshot.holdings}


def listed(brokerage: Brokerage, account: str) -> list[Order]:
    return list(brokerage.desk.client.orders.list(account, status="all"))


def fills_of(brokerage: Brokerage, account: str) -> list[Decimal | None]:
    return [fill.qty for fill in brokerage.desk.client.accounts.activities(account, types=("FILL",))]


@pytest.mark.parametrize("who", ["a page", "the worker"])
def test_whoever_looks_while_an_order_is_being_placed_books_no_fill_twice(brokerage: Brokerage, who: str) -> None:
    """The order has traded and its answer is on the way: what was entered for it as somebody else's order goes, with
    its fills, and cash and shares move once."""
    account = brokerage.open_account("1000.00", SPY="10")
    brokerage.desk.book()
    # Another open order makes the worker look at the account.
    brokerage.desk.client.orders.place(account, order(type="limit", limit_price="1", qty="1"))

    def look() -> None:
        brokerage.pass_time(2)
        if who == "a page":
            brokerage.reader.refresh(account)

    meanwhile(brokerage, PLACE, look, **FILLED)
    brokerage.desk.client.orders.place(account, order())
    assert Decimal("800.00") == brokerage.desk.client.accounts.trading(account).cash
    brokerage.pass_time(2)
    cash, shares = held(brokerage, account)
    assert (Decimal("800.00"), {"SPY": Decimal(12)}) == (cash, shares)
    assert [Decimal(2)] == fills_of(brokerage, account)
    assert 2 == len(listed(brokerage, account))
    with brokerage.service.world.database.read() as connection:
        assert [] == check_balances(connection)


def test_an_order_that_fills_while_it_is_canceled_stays_filled(brokerage: Brokerage) -> None:
    """The worker sees it filled before the answer to the cancel is read: it does not wait for a cancel for ever."""
    account = brokerage.open_account("1000.00", SPY="10")
    brokerage.backend.set_fault_script(FaultScript(faults=(FaultEntry(kind="delay", symbol="SPY", value=Decimal(60)),)))
    brokerage.desk.book()
    placed = brokerage.desk.client.orders.place(account, order())

    def fill() -> None:
        brokerage.wire.change("/recentOrders", lambda answer: {"orders": [{**o, **FILLED} for o in answer["orders"]]})
        brokerage.pass_time(2)

    meanwhile(brokerage, CANCEL, fill)
    brokerage.service.exchange.cancel(AccountId(account), placed.client_order_id, brokerage.service.world.now())
    [seen] = listed(brokerage, account)
    assert ("filled", Decimal(2)) == (seen.status, seen.filled_qty)


def test_a_report_of_before_the_last_fill_does_not_undo_it(brokerage: Brokerage) -> None:
    """A brokerage that is read once a day shows this morning's holdings after the run: they stay as counted here, with
    a note, and planning again finds nothing. Its next report counts."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    model = brokerage.portfolio(HALF)
    cash_then = [each.model_dump(mode="json") for each in brokerage.client.accounts.balances(account)]
    then = brokerage.client.accounts.positions(account).model_dump(mode="json")
    run = brokerage.rebalance(account, model)
    as_of = (brokerage.backend.world.now() - timedelta(hours=3)).isoformat()
    brokerage.wire.change("/balances", lambda _: cash_then)
    brokerage.wire.change("/positions/all", lambda _: {**then, "data_freshness": {"as_of": as_of}})
    assert "COMPLETED_SUCCESS" == brokerage.finish(run.id).status
    brokerage.pass_time(seconds=3600)
    cash, shares = held(brokerage, account)
    assert (Decimal("1800.00"), {"SPY": Decimal(45), "GLD": Decimal("13.5")}) == (cash, shares)
    assert () == brokerage.desk.preview(account, model=model).plan.orders
    assert any("before the last order was filled" in note for note in brokerage.desk.account(account).account.notes)
    brokerage.wire.disturb.clear()
    assert not any("before the last order" in note for note in brokerage.desk.account(account).account.notes)
    assert cash == held(brokerage, account)[0]


def test_a_cancel_is_asked_for_once_and_again_where_it_shows_no_effect(brokerage: Brokerage) -> None:
    """A brokerage goes on saying that the order is open: it stands as being canceled, is not asked again with every
    look, and is once a minute has passed."""
    account = brokerage.open_account("1000.00", SPY="10")
    brokerage.desk.book()
    placed = brokerage.desk.client.orders.place(account, order(type="limit", limit_price="1"))
    unmoved = {"brokerage_order_id": "x", "raw_response": None}

    def swallow(request: httpx.Request, _go_on: object) -> httpx.Response | None:
        return httpx.Response(200, json=unmoved) if request.url.path.endswith(CANCEL) else None

    brokerage.wire.disturb.append(swallow)

    def asked() -> int:
        return sum(each.endswith(CANCEL) for each in brokerage.wire.asked)

    for wait, expected in ((1, 1), (3, 1), (90, 2)):
        brokerage.pass_time(wait)
        brokerage.desk.client.orders.cancel(account, placed.id)
        assert (expected, "pending_cancel") == (asked(), listed(brokerage, account)[0].status)
    brokerage.wire.disturb.clear()
    brokerage.pass_time(90)
    brokerage.desk.client.orders.cancel(account, placed.id)
    brokerage.pass_time(2)
    assert "canceled" == listed(brokerage, account)[0].status
    assert [] == [each for each in brokerage.backend.list_orders(account, EVERY_ORDER) if each.status == "filled"]


def test_two_holdings_of_one_symbol_are_one(brokerage: Brokerage) -> None:
    """Some brokerages list a security once for cash and once for margin: their shares add up."""
    account = brokerage.open_account("1000.00", SPY="60")

    def split(answer: Any) -> Any:
        [position] = answer["results"]
        return {**answer, "results": [{**position, "units": "45"}, {**position, "units": "15.5"}]}

    brokerage.wire.change("/positions/all", split)
    assert {"SPY": Decimal("60.5")} == held(brokerage, account)[1]
    assert Decimal(7050) == brokerage.desk.preview(account, model=brokerage.portfolio(HALF)).before.equity
