"""A confirmed plan becomes orders at a brokerage: sells, wait, buys, the same machine as everywhere (issue 5)."""

from decimal import Decimal

import pytest
from connected.brokerage import PLACE, Brokerage

from driftdesk.backend.ledger import check_balances
from driftdesk.errors import BackendError, Rejected
from driftdesk.retry import retry_of
from driftdesk.wire.portfolios import UpdatePortfolio
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import FaultEntry, FaultScript

HALF = {"SPY": "50", "GLD": "30", "cash": "20"}
CASH_ONLY = {"weights": [{"type": "cash", "percent": "100"}]}


def test_a_plan_is_sold_awaited_and_bought(brokerage: Brokerage) -> None:
    """TLT goes whole, SPY down to half, then GLD with the proceeds; cash and shares are the brokerage's to the cent."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    assert "QUEUED" == run.status
    brokerage.work()
    begun = brokerage.desk.run(run.id)
    assert [("TLT", "SUBMITTED"), ("SPY", "SUBMITTED"), ("GLD", "PLANNED")] == [
        (line.symbol, line.state) for line in begun.plan
    ]
    done = brokerage.finish(run.id)
    assert ("COMPLETED_SUCCESS", None) == (done.status, done.reason)
    assert [("sell", "TLT", Decimal(40)), ("sell", "SPY", Decimal(15)), ("buy", "GLD", Decimal("13.5"))] == [
        (order.side, order.symbol, order.filled_qty) for order in done.orders
    ]
    there = {position.symbol: position.qty for position in brokerage.backend.positions(account)}
    assert {"SPY": Decimal(45), "GLD": Decimal("13.5")} == there
    snapshot = brokerage.desk.snapshot(account)
    assert there == {holding.symbol: holding.quantity for holding in snapshot.holdings}
    assert Decimal("1800.00") == snapshot.cash == brokerage.backend.trading_account(account).cash
    with brokerage.service.world.database.read() as connection:
        assert [] == check_balances(connection)


def test_planning_again_after_it_finds_nothing(brokerage: Brokerage) -> None:
    """Right after the fills, at the same prices, there is no order to send (rules.md 6.5)."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    model = brokerage.portfolio(HALF)
    brokerage.finish(brokerage.rebalance(account, model).id)
    assert () == brokerage.desk.preview(account, model=model).plan.orders


def test_the_fills_of_a_run_are_told(brokerage: Brokerage) -> None:
    """Each order's fill is an activity of the account with its price, as charts of fills need it."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    brokerage.finish(brokerage.rebalance(account, brokerage.portfolio(HALF)).id)
    fills = brokerage.desk.client.accounts.activities(account, types=("FILL",), direction="asc")
    told = [(fill.symbol, fill.qty, fill.price) for fill in fills]
    assert [("SPY", Decimal(15), Decimal(100)), ("TLT", Decimal(40), Decimal(50))] == sorted(told[:2])
    assert [("GLD", Decimal("13.5"), Decimal(200))] == told[2:]


def test_a_run_without_a_preview_is_refused(brokerage: Brokerage) -> None:
    """One confirmation covers one plan: what nobody saw is not sent (rules.md 9)."""
    account = brokerage.open_account("1000.00", SPY="60")
    brokerage.desk.book()
    body = CreateRun.model_validate(
        {"account_id": account, "type": "full_rebalance", "weights": [{"type": "cash", "percent": "100"}]}
    )
    with pytest.raises(Rejected, match="only rebalanced as previewed and confirmed"):
        brokerage.desk.client.runs.create(body)


def test_nothing_is_traded_by_itself(brokerage: Brokerage) -> None:
    """An account that follows a portfolio and is far outside its bands is left alone, at 15:30 as at any time."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    brokerage.desk.book()
    brokerage.portfolio(HALF)
    portfolio = brokerage.desk.portfolios()[0]
    brokerage.desk.client.subscriptions.create(account, portfolio.id)
    brokerage.desk.client.portfolios.update(portfolio.id, UpdatePortfolio.model_validate(CASH_ONLY))
    brokerage.pass_time(seconds=6 * 3600)
    view = brokerage.desk.account(account)
    assert view.subscription is not None
    waiting = view.subscription.waiting
    assert waiting is not None
    assert (False, False) == (waiting.subscription_created, waiting.portfolio_changed)
    assert view.drift is not None
    assert view.drift.breached
    assert ((), ()) == (brokerage.desk.runs(), brokerage.desk.client.orders.list(account, status="all"))


def test_buys_never_exceed_what_was_confirmed(brokerage: Brokerage) -> None:
    """SPY rises 1 % before the run starts, so GLD could take more: it gets the confirmed 2,700.00 and no cent more."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.set_prices(SPY="101")
    done = brokerage.finish(run.id)
    assert "COMPLETED_SUCCESS" == done.status
    bought = next(order for order in done.orders if order.side == "buy")
    assert Decimal("2700.00") == bought.notional
    # Uncapped the buy would be 30 % of 9,060.
    assert brokerage.backend.trading_account(account).cash > Decimal("1800.00")


def test_a_larger_change_asks_again(brokerage: Brokerage) -> None:
    """When orders move by more than 5 % before the start, nothing is sent and the run says why (rules.md 6.6)."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.set_prices(SPY="130")
    done = brokerage.finish(run.id)
    assert "CANCELED" == done.status
    assert "preview again" in (done.reason or "")
    assert [] == [asked for asked in brokerage.wire.asked if asked.endswith(PLACE)]


def test_less_proceeds_reduce_the_buys(brokerage: Brokerage) -> None:
    """TLT falls while it is being sold: what came in less is bought less, and cash keeps its 20 % of 8,600.00."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.work()
    brokerage.set_prices(TLT="40")
    done = brokerage.finish(run.id)
    assert "COMPLETED_SUCCESS" == done.status
    bought = next(order for order in done.orders if order.side == "buy")
    assert bought.notional is not None
    assert bought.notional < Decimal(2700)
    assert Decimal("1720.00") == brokerage.backend.trading_account(account).cash


def test_a_refused_order_fails_and_the_others_go_on(brokerage: Brokerage) -> None:
    """The exchange rejects GLD: the sells stand, the run completes with one failed order and its reason."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    brokerage.backend.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject", symbol="GLD"),)))
    done = brokerage.finish(brokerage.rebalance(account, brokerage.portfolio(HALF)).id)
    assert ("COMPLETED_SUCCESS", "1 of 3 orders failed.") == (done.status, done.reason)
    assert ["GLD"] == [order.symbol for order in done.failed_orders]


def test_canceling_midway_cancels_what_is_open_and_leaves_a_retry_plan(brokerage: Brokerage) -> None:
    """Half of SPY is sold when a person cancels: the rest is canceled, what filled stays, and what is left is told."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    slow = FaultEntry(kind="fill_part", symbol="SPY", value=Decimal("0.4"))
    brokerage.backend.set_fault_script(FaultScript(faults=(slow,)))
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.work()
    brokerage.pass_time(seconds=3)
    brokerage.desk.cancel_run(run.id)
    done = brokerage.finish(run.id)
    assert "CANCELED_MID_RUN" == done.status
    states = {order.symbol: (order.status, order.filled_qty) for order in (*done.orders, *done.failed_orders)}
    assert ("filled", Decimal(40)) == states["TLT"]
    assert ("canceled", Decimal(6)) == states["SPY"]
    assert "GLD" not in states
    assert [] == brokerage.backend.list_orders(account)
    left = retry_of(brokerage.desk, done).preview.plan.orders
    assert [("sell", "SPY"), ("buy", "GLD")] == [(order.side, order.symbol) for order in left]


def test_a_run_that_the_close_overtakes_times_out(brokerage: Brokerage) -> None:
    """An order that never fills ends with the session, and the run with it (rules.md 7.5)."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.work()
    model = {"name": "participation", "participation_percent": Decimal(1), "minute_volume": Decimal("0.01")}
    brokerage.backend.set_fill_model(brokerage.backend.fill_model().model_copy(update=model))
    done = brokerage.finish(run.id, seconds=1800)
    assert "TIMEOUT" == done.status


@pytest.mark.parametrize("path", ["/balances", "/positions/all", "/recentOrders"])
def test_a_run_waits_for_an_account_that_cannot_be_read(brokerage: Brokerage, path: str) -> None:
    """Nothing is planned from what was read before: the run stays queued until the brokerage answers again."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    run = brokerage.rebalance(account, brokerage.portfolio(HALF))
    brokerage.wire.refuse(path, 503, "busy")
    brokerage.pass_time(seconds=60)
    assert "QUEUED" == brokerage.desk.run(run.id).status
    brokerage.wire.disturb.clear()
    brokerage.pass_time(seconds=60)
    assert "COMPLETED_SUCCESS" == brokerage.finish(run.id).status


def test_a_second_click_makes_no_second_run(brokerage: Brokerage) -> None:
    """The same key, the same run (rules.md 2.10); a third party's second run is refused while it is open."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    model = brokerage.portfolio(HALF)
    preview = brokerage.desk.preview(account, model=model)
    first = brokerage.desk.create_run(preview, idempotency_key="k")
    assert first.id == brokerage.desk.create_run(preview, idempotency_key="k").id
    with pytest.raises(BackendError, match="only one is allowed at a time"):
        brokerage.desk.create_run(preview, idempotency_key="other")
