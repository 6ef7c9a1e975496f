"""The fills of a run in time, slippage by order, fill and run, and what runs traded by day."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from driftdesk.figures import (
    LIGHT,
    cumulative_alt,
    cumulative_figure,
    days_alt,
    days_figure,
    days_of,
    days_table,
    executions,
    executions_table,
    run_cost,
    run_slippage,
    run_traded,
    runs_slippage_alt,
    runs_slippage_figure,
    runs_slippage_table,
    slippage_alt,
    slippage_figure,
    slippage_time_figure,
)
from driftdesk.figures.executions import MOST_POINTS, Execution, thinned
from driftdesk.wire.accounts import EquityHistory
from driftdesk.wire.activities import NonTradeActivity, TradeActivity
from driftdesk.wire.orders import Order
from driftdesk.wire.runs import Run

AT = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)  # 15:30 New York


def line(number: int, symbol: str, side: str, notional: str, price: str) -> dict[str, Any]:
    return {
        "line": number, "symbol": symbol, "side": side, "notional": notional, "price": price, "estimated_qty": "1",
        "reason": "Off.", "state": "FILLED", "client_order_id": f"run-{number}",
    }  # fmt: skip


def order(number: int, symbol: str, side: str, qty: str, price: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"order-{number}", "client_order_id": f"run-{number}", "created_at": AT, "symbol": symbol, "side": side,
        "notional": "100.00", "filled_qty": qty, "filled_avg_price": price or None, "status": "filled",
        "filled_at": AT + timedelta(seconds=4), **changes,
    }  # fmt: skip


def run(**changes: Any) -> Run:
    values = {
        "id": "run", "type": "full_rebalance", "status": "COMPLETED_SUCCESS", "account_id": "alder",
        "portfolio_id": "model", "weights": (), "created_at": AT, "updated_at": AT,
        "completed_at": AT + timedelta(seconds=9), **changes,
    }  # fmt: skip
    return Run.model_validate(values)


# 400 of SPY to be sold at 100, 200 of TLT to be bought at 50. SPY went in two parts, at 99 and at 98: 4 shares for 394.
# TLT was bought at 49: 4 shares for 196.
PARTS = run(
    plan=(line(1, "SPY", "sell", "400", "100"), line(2, "TLT", "buy", "200", "50")),
    orders=(order(1, "SPY", "sell", "4", "98.5"), order(2, "TLT", "buy", "4", "49")),
    events=(
        {"at": AT, "status": "QUEUED"},
        {"at": AT + timedelta(seconds=1), "status": "IN_PROGRESS", "phase": "SELLS_IN_PROGRESS"},
        {"at": AT + timedelta(seconds=9), "status": "COMPLETED_SUCCESS"},
    ),
)


def fill(order_id: str, seconds: int, qty: str, price: str) -> TradeActivity:
    values = {
        "id": f"{order_id}-{seconds}", "account_id": "alder", "activity_type": "FILL", "type": "partial_fill",
        "transaction_time": AT + timedelta(seconds=seconds), "price": price, "qty": qty, "side": "sell",
        "symbol": "SPY", "leaves_qty": "0", "order_id": order_id, "cum_qty": qty, "order_status": "filled",
    }  # fmt: skip
    return TradeActivity.model_validate(values)


MONEY_IN = NonTradeActivity(
    id="in", account_id="alder", activity_type="CSD", date="2026-11-20", net_amount=Decimal(1000)
)
TOLD = (fill("order-1", 2, "2", "99"), fill("order-1", 6, "2", "98"), fill("another", 3, "9", "9"), MONEY_IN)
FILLS = executions(PARTS, TOLD)


def test_fills_are_those_of_the_runs_orders() -> None:
    """Two parts of SPY, one of TLT that nobody told apart; what another order filled and a deposit are left out."""
    assert [
        (2, "SPY", Decimal("198.00"), Decimal(100)),
        (4, "TLT", Decimal("196.00"), Decimal(-200)),
        (6, "SPY", Decimal("196.00"), Decimal(200)),
    ] == [((it.at - AT).seconds, it.symbol, it.notional, it.slippage) for it in FILLS]


def test_the_fills_of_an_order_add_up_to_what_it_moved() -> None:
    """Three thirds of a share at 10.01 are 3.34, 3.33 and 3.34: each alone would be 3.34, and all three 10.02."""
    whole = PARTS.model_copy(update={"orders": (Order.model_validate(order(1, "SPY", "sell", "1", "10.01")),)})
    parts = [
        fill("order-1", second, qty, "10.01")
        for second, qty in ((3, "0.333333333"), (1, "0.333333333"), (2, "0.333333334"))
    ]
    assert ["3.34", "3.33", "3.34"] == [str(it.notional) for it in executions(whole, parts)]
    assert Decimal("10.01") == run_traded(whole)


def test_an_order_without_its_plan_has_no_slippage() -> None:
    """A backend that tells no plan: the fills stand, against nothing."""
    bare = PARTS.model_copy(update={"plan": ()})
    assert [None, None, None] == [it.slippage for it in executions(bare, TOLD)]
    assert (None, 0) == (run_slippage(bare), len(slippage_time_figure(executions(bare, TOLD)).data[1].x))


def test_an_order_that_filled_nothing_is_no_fill() -> None:
    """A rejected order has no price."""
    assert () == executions(run(orders=(order(1, "SPY", "sell", "0", "", status="rejected", filled_at=None),)))


def test_cumulative_fills_step_up_to_their_plan() -> None:
    """Sold 198, then 394 of 400; bought 196 of 200; from the first send at 15:30:01 to the end at 15:30:09."""
    sold, to_sell, bought, to_buy = cumulative_figure(PARTS, FILLS).data
    times = ("2026-11-20T15:30:01", "2026-11-20T15:30:02", "2026-11-20T15:30:06", "2026-11-20T15:30:09")
    assert (times, (0.0, 198.0, 394.0, 394.0)) == (sold.x, sold.y)
    assert ((0.0, 196.0, 196.0), (400.0, 400.0), (200.0, 200.0)) == (bought.y, to_sell.y, to_buy.y)
    assert ("hv", LIGHT.sell, "dash") == (sold.line.shape, sold.line.color, to_sell.line.dash)


def test_the_words_of_the_cumulative_fills() -> None:
    """394 of 400 are 98.5 %, half up 99; 196 of 200 are 98 %."""
    assert (
        "3 fills from 2026-11-20 15:30:02 to 2026-11-20 15:30:06 New York: $394.00 sold, 99% of the plan; "
        "$196.00 bought, 98% of the plan."
    ) == cumulative_alt(PARTS, FILLS)
    assert "Nothing was filled." == cumulative_alt(PARTS, ())


def test_nothing_filled_yet_draws_the_plan_alone() -> None:
    """An open run: both goals dashed, both curves at zero."""
    waiting = PARTS.model_copy(update={"orders": (), "status": "IN_PROGRESS", "completed_at": None})
    assert [(0.0, 0.0), (400.0, 400.0), (0.0, 0.0), (200.0, 200.0)] == [
        trace.y for trace in cumulative_figure(waiting, ()).data
    ]


def test_the_fills_as_a_table() -> None:
    """Oldest first, New York times."""
    rows = executions_table(FILLS).to_dict("records")
    assert [("SPY", Decimal(2), Decimal(99)), ("TLT", Decimal(4), Decimal(49)), ("SPY", Decimal(2), Decimal(98))] == [
        (row["Symbol"], row["Filled quantity"], row["Fill price"]) for row in rows
    ]
    assert "2026-11-20T15:30:02-05:00" == rows[0]["At"].isoformat()


@pytest.mark.parametrize(("expected", "count"), [(0, 0), (1, 1), (MOST_POINTS, MOST_POINTS)])
def test_few_points_are_all_shown(expected: int, count: int) -> None:
    """Nothing is left out up to the most that a curve shows."""
    assert list(range(expected)) == thinned(range(count))


def test_many_points_are_thinned_and_keep_the_last() -> None:
    """100,000 fills come to at most 1,201 points; the final total is one of them."""
    shown = thinned(range(100_000))
    assert (True, 0, 99_999) == (len(shown) <= MOST_POINTS + 1, shown[0], shown[-1])


def test_a_charts_points_stay_few() -> None:
    """10,000 fills: every trace stays far below 5,000 points."""
    many = [Execution(AT, "SPY", "sell", Decimal(1), Decimal(9), Decimal(9), Decimal(1), "run-1")] * 10_000
    traces = (*cumulative_figure(PARTS, many).data, *slippage_time_figure(many).data)
    assert max(len(trace.x) for trace in traces) <= MOST_POINTS + 3


def test_slippage_of_orders_run_and_cost() -> None:
    """SPY sold 1.50 lower: 150 bp, 6 dollars; TLT bought 1 lower: -200 bp, 4 dollars saved; 2 on 600 are 33.3 bp."""
    [bars] = slippage_figure(PARTS).data
    assert {"run-1": 150.0, "run-2": -200.0} == dict(zip(bars.customdata, bars.x, strict=True))
    texts = [note.text for note in slippage_figure(PARTS).layout.annotations]
    assert ["Cost", "Slippage", "$6.00", "+150.0 bp", "−$4.00", "−200.0 bp"] == texts
    assert (Decimal(2), "33.33") == (run_cost(PARTS), f"{run_slippage(PARTS):.2f}")


def test_the_words_of_slippage() -> None:
    """Total, cost and the dearest order."""
    assert (
        "+33.3 bp over 2 orders, which cost $2.00 against the plan's prices; the dearest is SPY at +150.0 bp."
        == slippage_alt(PARTS)
    )
    saved = PARTS.model_copy(update={"orders": PARTS.orders[1:]})
    assert "−200.0 bp over 1 order, which saved $4.00" in slippage_alt(saved)
    assert "No fill can be compared with a planned price." == slippage_alt(run())


def test_slippage_in_time_with_its_average() -> None:
    """100 on 198, then -200 on 196, then 200 on 196: 100, then -19400/394 = -49.24, then 19800/590 = 33.56."""
    average, marks = slippage_time_figure(FILLS).data
    assert ([100.0, -49.24, 33.56], [100.0, -200.0, 200.0]) == (list(average.y), list(marks.y))
    assert ("triangle-down", "triangle-up", "triangle-down") == marks.marker.symbol
    assert ("run-1", "run-2", "run-1") == marks.customdata


def test_fills_at_the_plans_price_do_not_stretch_the_axis() -> None:
    """Zero slippage everywhere: the axis spans a basis point each way."""
    even = PARTS.model_copy(update={"orders": PARTS.orders[:0]})
    assert (-1, 1) == slippage_figure(even).layout.xaxis.range


def test_slippage_of_runs_in_time() -> None:
    """One mark per run with a fill; one that cost is orange."""
    empty = run(id="none")
    [marks] = runs_slippage_figure([PARTS, empty]).data
    assert ((33.33,), ("run",), (LIGHT.sell,)) == (marks.y, marks.customdata, marks.marker.color)
    [row] = runs_slippage_table([PARTS, empty], {"alder": "Alder"}).to_dict("records")
    assert ("Alder", Decimal(590), Decimal("33.3333"), Decimal(2)) == tuple(
        row[name] for name in ("Account", "Traded", "Slippage bp", "Cost")
    )
    assert (
        "The fills of 1 run cost $2.00 against the plans' prices; the dearest run, of 2026-11-20 15:30, +33.3 bp."
        == runs_slippage_alt([PARTS, empty])
    )
    assert runs_slippage_alt([empty]).startswith("No run here")


def history(account: str, **equity: str) -> EquityHistory:
    points = [{"date": day[1:].replace("_", "-"), "equity": value, "flow": "0"} for day, value in equity.items()]
    return EquityHistory.model_validate({"account_id": account, "points": points})


# The day before, another account bought for 100; its order tells no fill time, only when it was sent.
EARLIER = run(
    id="earlier",
    account_id="birch",
    orders=(
        order(1, "SPY", "buy", "1", "100", status="canceled", filled_at=None, submitted_at=AT - timedelta(days=1)),
    ),
)
EQUITY = (history("alder", _2026_11_18="900", _2026_11_20="1180"), history("birch", _2026_11_19="1100"))


def test_days_have_their_sides_and_their_turnover() -> None:
    """19 Nov: 100 / 2 over 900 + 1100 is 2.5 %. 20 Nov: 590 / 2 over 1180 + 1100 is 12.9386 %."""
    days = days_of([PARTS, EARLIER], EQUITY)
    assert [
        (date(2026, 11, 19), 1, Decimal(0), Decimal(100), Decimal(2000)),
        (date(2026, 11, 20), 1, Decimal(394), Decimal(196), Decimal(2280)),
    ] == [(it.date, it.runs, it.sold, it.bought, it.equity) for it in days]
    assert [Decimal("12.9386"), Decimal("2.5000")] == list(days_table(days)["Turnover %"])
    bought, sold, turnover = days_figure(days).data
    assert ((100.0, 196.0), (0.0, -394.0), (2.5, 12.9386)) == (bought.y, sold.y, turnover.y)
    assert ("2026-11-19", "2026-11-20") == bought.x


def test_without_equity_there_is_no_turnover() -> None:
    """The panel of turnover is not drawn, the bars are."""
    days = days_of([PARTS])
    figure = days_figure(days)
    assert ([None], (), False) == ([it.turnover for it in days], figure.data[2].x, figure.layout.yaxis2.visible)
    assert "$590 traded on 1 day; most on 2026-11-20, $590." == days_alt(days)


def test_the_words_of_the_days() -> None:
    """Turnover adds up: 2.5 % and 12.94 %."""
    assert "$690 traded on 2 days; most on 2026-11-20, $590. One-way turnover 15.44% of equity in all." == days_alt(
        days_of([PARTS, EARLIER], EQUITY)
    )
    assert "Nothing was traded." == days_alt(())


def test_a_first_investment_does_not_flatten_the_days_after_it() -> None:
    """Nineteen days of 100 and one of 100,000: the axis ends at 3 x 100 and a little, and says that a bar goes on."""
    runs = [
        run(id=str(back), orders=(order(1, "SPY", "buy", "1", price, filled_at=AT - timedelta(days=back)),))
        for back, price in [*((back, "100") for back in range(19)), (19, "100000")]
    ]
    figure = days_figure(days_of(runs))
    assert (315.0, ["1 bar reaches beyond the axis"]) == (
        figure.layout.yaxis.range[1],
        [note.text for note in figure.layout.annotations],
    )
    few = days_figure(days_of(runs[-3:]))
    assert (105_000.0, ()) == (few.layout.yaxis.range[1], few.layout.annotations)


def test_no_runs_draw_an_empty_chart() -> None:
    """Nothing to add up, and no exception."""
    assert [(), (), ()] == [trace.x for trace in days_figure(()).data]
