"""How often the brokerages are asked, as the real service allows it (wire/snaptrade.md 6): with the usual patience."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from connected.brokerage import Brokerage, open_brokerage

from driftdesk.connected.patience import Patience
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.simulation import FaultEntry, FaultScript

HALF = {"SPY": "50", "GLD": "30", "cash": "20"}
# Within this no wall clock of a test machine passes a minute.
USUAL = replace(Patience(), settling=Patience().settling * 0)


def order(**fields: Any) -> CreateOrder:
    body = {"symbol": "SPY", "side": "buy", "type": "limit", "limit_price": "1", "time_in_force": "gtc", "qty": "1"}
    return CreateOrder.model_validate({**body, **fields})


def asked(brokerage: Brokerage) -> Counter[str]:
    """What was asked since the last call, by the last part of the path; the stand-in's clock left out."""
    paths = Counter(each.rsplit("/", 1)[-1] for each in brokerage.wire.asked if not each.endswith(" /"))
    brokerage.wire.asked.clear()
    return paths


@pytest.fixture
def usual(tmp_path: Path) -> Any:
    opened = open_brokerage(tmp_path, patience=USUAL)
    yield opened
    opened.close()


def test_a_page_asks_once_a_minute_and_an_idle_desk_not_at_all(usual: Brokerage) -> None:
    """A view of an account is six requests, the next ones within the minute none; a minute of the worker without an
    open order none."""
    account = usual.open_account("1000.00", SPY="60", TLT="40")
    usual.desk.account(account)
    asked(usual)
    for _ in range(30):
        usual.desk.account(account)
    assert {} == asked(usual)
    for _ in range(20):
        usual.pass_time(3)
    assert {} == asked(usual)
    # A minute has passed at the brokerage: the list of accounts is read again too.
    usual.desk.preview(account, model=usual.portfolio(HALF))
    assert {"authorizations": 1, "balances": 1, "all": 2, "recentOrders": 1, "quotes": 1} == asked(usual)


def test_an_open_order_is_looked_at_every_quarter_minute(usual: Brokerage) -> None:
    """A minute of a run that waits for its orders is four requests, however often pages and worker come by."""
    account = usual.open_account("1000.00", SPY="60", TLT="40")
    usual.backend.set_fault_script(FaultScript(faults=(FaultEntry(kind="delay", symbol="SPY", value=600),)))
    run = usual.rebalance(account, usual.portfolio(HALF))
    usual.work()
    asked(usual)
    for _ in range(60):
        usual.pass_time(1)
        usual.desk.run(run.id)
    assert {"recentOrders": 4} == asked(usual)


def test_canceling_a_run_looks_once_for_all_its_orders(usual: Brokerage) -> None:
    """Two open orders: two cancels and one look, and the run has ended."""
    account = usual.open_account("1000.00", SPY="60", TLT="40")
    usual.backend.set_fault_script(FaultScript(faults=(FaultEntry(kind="delay", value=600),)))
    run = usual.rebalance(account, usual.portfolio(HALF))
    usual.work()
    asked(usual)
    usual.desk.cancel_run(run.id)
    assert {"cancel": 2, "recentOrders": 1} == asked(usual)
    done = usual.desk.run(run.id)
    assert ("CANCELED_MID_RUN", {"canceled"}) == (
        done.status,
        {order.status for order in (*done.orders, *done.failed_orders)},
    )


def test_what_rests_for_days_or_is_shown_no_more_is_asked_for_seldom(usual: Brokerage) -> None:
    """An order that no list shows any more is not asked for every second, but every ten minutes."""
    account = usual.open_account("1000.00", SPY="60")
    usual.desk.account(account)
    usual.desk.client.orders.place(account, order())
    usual.wire.change("/recentOrders", lambda _: {"orders": []})
    usual.wire.refuse("/orders/details", 404, "only orders placed here")
    usual.wire.change("/orders", lambda _: [])
    asked(usual)
    for _ in range(60):
        usual.pass_time(10)
    assert asked(usual).total() <= 6


def test_nothing_trades_at_night(usual: Brokerage) -> None:
    """An order that waits for the morning is looked at every ten minutes until then."""
    account = usual.open_account("1000.00", SPY="60")
    usual.desk.account(account)
    usual.desk.client.orders.place(account, order())
    usual.pass_time(10 * 3600)
    asked(usual)
    for _ in range(60):
        usual.pass_time(60)
    assert {"recentOrders": 6} == asked(usual)


def test_an_account_that_fails_is_left_alone_for_a_while(usual: Brokerage) -> None:
    """Pages that come by every two seconds do not ask a brokerage that fails each time; the reason stands meanwhile."""
    account = usual.open_account("1000.00", SPY="60")
    usual.wire.refuse("/balances", 500, "unexpected")
    for _ in range(10):
        assert "unexpected" in (usual.desk.account(account).problem or "")
    assert 1 == asked(usual)["balances"]
