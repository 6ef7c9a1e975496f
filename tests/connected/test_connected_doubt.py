"""An order of which nobody knows whether it arrived: looked for, taken for the one it is, or left to a person.

SnapTrade knows no client order ids, so sending again is never the answer (rules.md 7.6, 9).
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from connected.brokerage import EVERY_ORDER, PATIENCE, PLACE, Brokerage, connect_to, open_brokerage
from sqlalchemy import Connection

from driftdesk.backend.store.database import Database
from driftdesk.connected.venue import BrokerageVenue
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.runs import Run

HALF = {"SPY": "50", "GLD": "30", "cash": "20"}


def placed(brokerage: Brokerage, account: str) -> list[tuple[str, str]]:
    """Every order that the brokerage ever took."""
    orders = brokerage.backend.list_orders(account, EVERY_ORDER)
    return sorted((order.symbol, str(order.side)) for order in orders)


def begin(brokerage: Brokerage) -> tuple[str, Run]:
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    return account, brokerage.rebalance(account, brokerage.portfolio(HALF))


def test_a_lost_answer_is_found_among_the_orders(brokerage: Brokerage) -> None:
    """The order arrived: it is the only one like it, is taken over, and the run completes without a second one."""
    account, run = begin(brokerage)
    brokerage.wire.lose_answer(PLACE)
    done = brokerage.finish(run.id)
    assert "COMPLETED_SUCCESS" == done.status
    assert [("GLD", "buy"), ("SPY", "sell"), ("TLT", "sell")] == placed(brokerage, account)
    assert Decimal("1800.00") == brokerage.desk.snapshot(account).cash


def test_a_request_that_never_arrived_stops_the_run_for_a_person(brokerage: Brokerage) -> None:
    """Nobody can tell that it did not arrive: nothing is sent again, what is open is followed, and the run says so."""
    account, run = begin(brokerage)
    brokerage.wire.lose_request(PLACE)
    done = brokerage.finish(run.id, seconds=10)
    assert "ERROR" == done.status
    assert "No answer came to the order for TLT" in (done.reason or "")
    assert "look there" in (done.reason or "")
    assert {"TLT": "UNKNOWN", "SPY": "FILLED", "GLD": "DROPPED"} == {
        line.symbol: line.state for line in done.plan or ()
    }
    assert [("SPY", "sell")] == placed(brokerage, account)


def test_two_orders_alike_are_taken_for_neither(brokerage: Brokerage) -> None:
    """Somebody sold as many TLT at the brokerage in the same minute: which is ours cannot be told, so the run stops."""
    account, run = begin(brokerage)
    brokerage.wire.lose_answer(PLACE)
    body = {"symbol": "TLT", "side": "sell", "type": "limit", "limit_price": "500", "time_in_force": "day"}
    twin = CreateOrder.model_validate({**body, "qty": "40"})

    def sell_as_many(request: httpx.Request, go_on: Any) -> httpx.Response | None:
        if request.url.path.endswith(PLACE):
            brokerage.wire.disturb.remove(sell_as_many)
            with pytest.raises(httpx.ReadTimeout):
                brokerage.wire.handle_request(request)
            brokerage.backend.cancel_orders(account)
            brokerage.backend.place_order(account, twin)
            raise httpx.ReadTimeout("lost", request=request)
        return None

    brokerage.wire.disturb.insert(0, sell_as_many)
    done = brokerage.finish(run.id, seconds=10)
    assert "ERROR" == done.status
    assert "UNKNOWN" in {line.state for line in done.plan or ()}


def test_an_order_by_hand_without_an_answer_is_found_too(brokerage: Brokerage) -> None:
    """It stands in the list as on its way, under its own name; a look later it is what it came to."""
    account = brokerage.open_account("1000.00", SPY="60")
    brokerage.desk.book()
    brokerage.wire.lose_answer(PLACE)
    body = CreateOrder.model_validate(
        {
            "symbol": "SPY",
            "side": "buy",
            "type": "market",
            "time_in_force": "day",
            "qty": "2",
            "client_order_id": "mine",
        }
    )
    assert "pending_new" == brokerage.desk.client.orders.place(account, body).status
    brokerage.pass_time(3)
    found = brokerage.desk.client.orders.list(account, status="all")
    assert [("mine", "filled", Decimal(2))] == [(it.client_order_id, it.status, it.filled_qty) for it in found]


def test_an_order_in_doubt_ends_with_its_session(brokerage: Brokerage) -> None:
    """It holds cash back until the close; then it is marked as never confirmed, and holds nothing."""
    account = brokerage.open_account("1000.00", SPY="60")
    brokerage.desk.book()
    brokerage.wire.lose_request(PLACE)
    body = CreateOrder.model_validate(
        {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": "2"}
    )
    brokerage.desk.client.orders.place(account, body)
    assert Decimal("800.00") == brokerage.desk.client.accounts.trading(account).buying_power
    brokerage.pass_time(seconds=7 * 3600)
    [order] = brokerage.desk.client.orders.list(account, status="all")
    assert ("expired", Decimal("1000.00")) == (
        order.status,
        brokerage.desk.client.accounts.trading(account).buying_power,
    )
    assert "never confirmed" in (order.reject_reason or "")


class Killed(BaseException):
    """The process ended here."""


def work_until_killed(brokerage: Brokerage, at: int, patch: pytest.MonkeyPatch) -> bool:
    """Work through the run with a kill at the boundary `at`: after a commit of this side, before or after a request
    that places an order. Whether it was reached."""
    passed = [0]
    write = Database.write
    mine = brokerage.service.world.database

    def boundary() -> None:
        passed[0] += 1
        if passed[0] == at:
            raise Killed

    @contextmanager
    def counted_write(self: Database) -> Iterator[Connection]:
        outermost = self is mine and getattr(self._local, "connection", None) is None
        with write(self) as connection:
            yield connection
        if outermost:
            boundary()

    def around(request: httpx.Request, go_on: Any) -> httpx.Response | None:
        if not request.url.path.endswith(PLACE):
            return None
        boundary()
        answer = go_on()
        answer.read()
        boundary()
        return httpx.Response(answer.status_code, content=answer.content)

    brokerage.wire.disturb.append(around)
    with patch.context() as patched:
        patched.setattr(Database, "write", counted_write)
        try:
            for _ in range(6):
                brokerage.pass_time(3)
        except Killed:
            return True
    return False


def test_a_kill_at_any_boundary_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed once at each boundary, opened again: the run completes as undisturbed or stops for a person, and no order
    is ever placed twice. Only a kill between the mark and the request stops it."""
    outcomes: list[str] = []
    there = open_brokerage(tmp_path)
    # Read once each time it is opened: what lies between two kills is the run.
    once = replace(PATIENCE, account=timedelta(hours=1), instruments=timedelta(days=1))
    for at in range(1, 200):
        there.wire.disturb.clear()
        account = there.open_account("1000.00", SPY="60", TLT="40")
        there.wire.show_only(account)
        killed_one = connect_to(there.backend, there.wire, tmp_path / f"{at}.db", patience=once)
        run = killed_one.rebalance(account, killed_one.portfolio(HALF))
        killed = work_until_killed(killed_one, at, monkeypatch)
        killed_one.leave()
        again = connect_to(there.backend, there.wire, tmp_path / f"{at}.db", patience=once)
        done = again.finish(run.id, seconds=10)
        orders = placed(again, account)
        assert len(orders) == len(set(orders))
        assert done.status in ("COMPLETED_SUCCESS", "ERROR")
        if done.status == "COMPLETED_SUCCESS":
            assert [("GLD", "buy"), ("SPY", "sell"), ("TLT", "sell")] == orders
            assert Decimal("1800.00") == again.desk.snapshot(account).cash
        outcomes.append(done.status)
        again.leave()
        if not killed:
            break
    there.close()
    assert "COMPLETED_SUCCESS" == outcomes[-1]
    # Of each of the three orders: after its row was written, and just before its request leaves.
    assert 6 == outcomes.count("ERROR")
    assert len(outcomes) > 20


def test_a_venue_that_sends_again_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: with fresh names and another try after silence, a lost answer doubles an order."""
    brokerage = open_brokerage(tmp_path)
    account = brokerage.open_account("10000.00")
    brokerage.rebalance(account, brokerage.portfolio({"GLD": "20", "cash": "80"}))
    monkeypatch.setattr(BrokerageVenue, "in_doubt", lambda *_: ())
    monkeypatch.setattr("driftdesk.connected.venue.settle_doubts", lambda *_: None)
    write = BrokerageVenue._write

    def write_anew(self: BrokerageVenue, request: Any, now: Any) -> Any:
        with self._database.write() as connection:
            connection.exec_driver_sql("DELETE FROM orders WHERE broker_order_id IS NULL")
        return write(self, request, now)

    monkeypatch.setattr(BrokerageVenue, "_write", write_anew)
    # The name that travels is fresh each time, as at a brokerage that does not know it.
    monkeypatch.setattr("driftdesk.connected.sizing.uuid.uuid5", lambda *_: uuid.uuid4())
    brokerage.wire.lose_answer(PLACE)
    for _ in range(12):
        brokerage.pass_time(10)
    orders = placed(brokerage, account)
    brokerage.close()
    assert [("GLD", "buy")] * 2 == orders
