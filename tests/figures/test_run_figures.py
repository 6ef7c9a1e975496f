"""The history of runs, the steps of one, and its fills against its plan."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from driftdesk.figures import (
    LIGHT,
    fills_alt,
    fills_figure,
    fills_table,
    previewed_alt,
    previewed_table,
    refused_table,
    run_reason,
    runs_alt,
    runs_figure,
    runs_table,
    timeline_alt,
    timeline_figure,
    timeline_table,
)
from driftdesk.wire.orders import Order, SkippedOrder
from driftdesk.wire.runs import PlannedLine, Run, RunEvent

AT = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)


def order(line: int, symbol: str, side: str, filled: str, price: str, **changes: Any) -> Order:
    values = {
        "id": f"order-{line}",
        "client_order_id": f"run-{line}",
        "created_at": AT,
        "symbol": symbol,
        "side": side,
        "notional": "100.00",
        "filled_qty": filled,
        "filled_avg_price": price or None,
        "filled_at": AT + timedelta(seconds=2),
        "status": "filled",
        **changes,
    }
    return Order.model_validate(values)


def planned(line: int, symbol: str, side: str, price: str) -> PlannedLine:
    values = {
        "line": line,
        "symbol": symbol,
        "side": side,
        "notional": "100.00",
        "price": price,
        "estimated_qty": "1",
        "reason": "Over its band.",
        "state": "FILLED",
        "client_order_id": f"run-{line}",
    }
    return PlannedLine.model_validate(values)


def run(**changes: Any) -> Run:
    values = {
        "id": "run-1",
        "type": "full_rebalance",
        "initiated_from": "system",
        "status": "COMPLETED_SUCCESS",
        "account_id": "acct",
        "portfolio_id": "model",
        "weights": (),
        "created_at": AT,
        "updated_at": AT,
        **changes,
    }
    return Run.model_validate(values)


# The sell filled a dollar worse than planned, the buy half and a dollar better; GLD was refused, TIP never sent.
DONE = run(
    plan=(planned(1, "SPY", "sell", "100"), planned(2, "TLT", "buy", "50"), planned(3, "GLD", "buy", "200")),
    orders=(order(1, "SPY", "sell", "1", "99"), order(2, "TLT", "buy", "1", "49", status="canceled")),
    failed_orders=(order(3, "GLD", "buy", "0", "", status="rejected", filled_at=None),),
    skipped_orders=(
        SkippedOrder(
            symbol="TIP",
            side="buy",
            notional=Decimal("0.40"),
            reason="ORDER_LESS_THAN_MIN_NOTIONAL",
            reason_details="Low.",
        ),
    ),
    events=(
        RunEvent(at=AT, status="QUEUED", text="Created by the system."),
        RunEvent(at=AT, status="IN_PROGRESS", phase="SELLS_IN_PROGRESS"),
        RunEvent(at=AT + timedelta(seconds=3), status="COMPLETED_SUCCESS"),
    ),
)


def test_fills_stand_inside_their_plan() -> None:
    """Planned 100 each; 99 and 49 were filled, nothing of GLD."""
    outlined, solid = fills_figure(DONE).data
    assert [100.0, 100.0, 100.0] == list(outlined.x)
    assert {"run-1": 99.0, "run-2": 49.0, "run-3": 0.0} == dict(zip(solid.customdata, solid.x, strict=True))
    assert [LIGHT.sell, LIGHT.buy, LIGHT.buy] == list(solid.marker.color)


def test_slippage_is_positive_when_it_costs() -> None:
    """A sale at 99 instead of 100 costs 100 bp; a purchase at 49 instead of 50 saves 200 bp; no fill has none."""
    assert [Decimal(100), Decimal(-200), None] == [
        None if value != value else value  # noqa: PLR0124 - pandas says "missing" as not equal to itself
        for value in fills_table(DONE)["Slippage bp"]
    ]
    texts = [note.text for note in fills_figure(DONE).layout.annotations]
    assert ["Filled", "Slippage", "99%", "+100.0 bp", "49%", "−200.0 bp", "0%", "–"] == texts


def test_an_order_that_nobody_planned_is_shown() -> None:
    """A list answer has no plan: the orders stand alone, with their own notionals and without slippage."""
    listed = DONE.model_copy(update={"plan": ()})
    rows = fills_table(listed)
    assert ["SPY", "TLT", "GLD"] == list(rows["Symbol"])
    assert [Decimal(100)] * 3 == list(rows["Planned notional"])
    assert rows["Slippage bp"].isna().all()


def test_two_orders_of_one_symbol_keep_their_own_rows() -> None:
    """A chart merges equal labels, so the second one gets a number."""
    twice = run(plan=(planned(1, "SPY", "sell", "100"), planned(2, "SPY", "sell", "100")))
    assert ("▼ Sell SPY", "▼ Sell SPY (2)") == fills_figure(twice).data[0].y


def refused(seen: Run) -> list[tuple[Any, ...]]:
    return [(row["What"], row["Symbol"], row["Notional"], row["Why"]) for row in refused_table(seen).to_dict("records")]


def test_what_did_not_trade_says_why() -> None:
    """Refused by the broker, canceled after a part, or never sent."""
    assert [
        ("Failed, rejected", "GLD", Decimal(100), "The order was rejected by the broker."),
        ("Canceled", "TLT", Decimal(100), "The order was canceled; $49.00 of it was filled."),
        ("Skipped", "TIP", Decimal("0.40"), "Low."),
    ] == refused(DONE)


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("GLD is halted.", {"status": "rejected", "reject_reason": "GLD is halted"}),
        ("GLD is halted.", {"status": "rejected", "reject_reason": "GLD is halted."}),
        ("The order expired at the close.", {"status": "expired"}),
        ("The order was canceled.", {"status": "canceled"}),
        ("The order ended as suspended.", {"status": "suspended"}),
    ],
)
def test_a_failed_order_gives_the_reason_of_its_broker(expected: str, changes: dict[str, Any]) -> None:
    """The broker's own words come before the general sentence; each way to end has its own."""
    failed = order(3, "GLD", "buy", "0", "", filled_at=None, **changes)
    [(_, _, _, why)] = refused(run(failed_orders=(failed,)))
    assert expected == why


QUEUED = run(
    status="QUEUED",
    plan=tuple(
        planned(number, symbol, side, "100").model_copy(update={"state": "PREVIEWED"})
        for number, symbol, side in ((2, "TLT", "buy"), (1, "SPY", "sell"))
    ),
)


def test_previewed_orders_are_shown_and_count_as_neither_planned_nor_sent() -> None:
    """Two previewed lines of a queued run: a table of two, in the order of sending, and nothing to fill yet."""
    assert [("▼ Sell", "SPY", Decimal(100), Decimal(1)), ("▲ Buy", "TLT", Decimal(100), Decimal(1))] == [
        (row["Side"], row["Symbol"], row["Notional"], row["Quantity"])
        for row in previewed_table(QUEUED).to_dict("records")
    ]
    assert "2 previewed orders for $200.00; nothing was sent yet." == previewed_alt(QUEUED)
    canceled = QUEUED.model_copy(update={"status": "CANCELED"})
    assert "2 previewed orders for $200.00; nothing was sent." == previewed_alt(canceled)
    assert ((), 0) == (fills_figure(QUEUED).data[0].x, len(fills_table(QUEUED)))
    assert "The run has no orders." == fills_alt(QUEUED)
    assert [None] == list(runs_table([QUEUED], {})["Filled %"])


def test_planned_orders_are_no_longer_previewed() -> None:
    """Once the run has its own plan, the preview is gone."""
    assert previewed_table(DONE).empty


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("The monthly day.", {"trigger": "Full rebalance: The monthly day."}),
        ("Cash came in.", {"type": "invest_cash", "trigger": "Invest cash: cash came in."}),
        ("Low. 1 of 2 orders failed.", {"trigger": "Full rebalance: Low.", "reason": "1 of 2 orders failed."}),
        ("Canceled by a person.", {"trigger": "Canceled by a person.", "reason": "Canceled by a person."}),
        ("", {}),
    ],
)
def test_a_reason_does_not_repeat_the_run_type(expected: str, changes: dict[str, Any]) -> None:
    """The type stands beside it, on the page and in the table."""
    assert expected == run_reason(run(**changes))
    assert [expected] == list(runs_table([run(**changes)], {})["Reason"])


def test_the_words_of_the_fills() -> None:
    """One of three orders is filled; the largest slippage is the largest either way."""
    assert fills_alt(DONE) == "1 of 3 orders filled for $148.00; largest slippage −200.0 bp."
    assert fills_alt(run()) == "The run has no orders."


def test_a_row_of_the_history() -> None:
    """148 of 300 dollars sent are filled; the time is New York's; the account has its name."""
    [row] = runs_table([DONE], {"acct": "Alder"}).to_dict("records")
    assert ("Completed success", "Alder", "System", 3, Decimal("49.33"), 1, 1, Decimal(148)) == tuple(
        row[name]
        for name in ("State", "Account", "Initiated from", "Orders", "Filled %", "Skipped", "Failed", "Traded")
    )
    assert row["Created"].isoformat() == "2026-11-20T15:30:00-05:00"


@pytest.mark.parametrize(
    ("expected", "orders", "failed"),
    [
        pytest.param(None, (), (), id="nothing sent"),
        pytest.param("49.00", (order(2, "TLT", "buy", "1", "49"),), (), id="of its notional"),
        pytest.param(
            "25.00", (order(2, "TLT", "buy", "1", "49", notional=None, qty="4"),), (), id="of a quantity, in shares"
        ),
        pytest.param(
            "49.50",
            (order(1, "SPY", "sell", "1", "99"),),
            (order(3, "GLD", "buy", "0", "", status="rejected"),),
            id="a rejected one was sent",
        ),
    ],
)
def test_filled_is_of_what_was_sent(expected: str | None, orders: tuple[Order, ...], failed: tuple[Order, ...]) -> None:
    """With the plan of three lines in the answer or without it: a list has none."""
    sent = DONE.model_copy(update={"orders": orders, "failed_orders": failed})
    for seen in (sent, sent.model_copy(update={"plan": ()})):
        [found] = runs_table([seen], {})["Filled %"]
        assert expected == (None if found is None else str(found))


def test_the_history_has_a_lane_per_status_and_the_sides_of_each_month() -> None:
    """Failed runs are marked by shape and colour; an empty side of a month is left out."""
    failed = run(id="run-2", status="ERROR", created_at=AT - timedelta(days=40))
    points, sold, bought = runs_figure([DONE, failed]).data
    assert {"run-1": "circle", "run-2": "x"} == dict(zip(points.customdata, points.marker.symbol, strict=True))
    assert ("Completed success", "Error") == runs_figure([DONE, failed]).layout.yaxis.categoryarray
    assert ([("2026-11-15", 99.0)], [("2026-11-15", 49.0)]) == (
        list(zip(sold.x, sold.y, strict=True)),
        list(zip(bought.x, bought.y, strict=True)),
    )
    assert ("2026-11-20T15:30:00", "2026-10-11T16:30:00") == points.x


def test_the_words_of_the_history() -> None:
    """How many ended how."""
    assert runs_alt([DONE, run(status="ERROR")]) == "2 runs: 1 completed success, 1 error; $148 traded."
    assert runs_alt([]) == "No runs yet."


def test_a_status_from_the_future_does_not_break_the_history() -> None:
    """An unknown status has no lane; its row is still in the table."""
    odd = run(status="PAUSED_BY_MOON")
    assert not runs_figure([odd]).data[0].x
    assert ["Paused by moon"] == list(runs_table([odd], {})["State"])


@pytest.mark.parametrize(("colour", "status"), [(LIGHT.buy, "COMPLETED_SUCCESS"), (LIGHT.sell, "ERROR")])
def test_the_last_step_says_how_it_ended(colour: str, status: str) -> None:
    """Steps are evenly spaced, the phase names the step where there is one."""
    steps = timeline_figure(DONE.model_copy(update={"status": status})).data[0]
    assert ((0, 1, 2), colour) == (steps.x, steps.marker.color[-1])
    assert steps.text[1].startswith("Sells in progress<br>11-20 15:30:00")


def test_the_steps_as_table_and_words() -> None:
    """New York times to the second."""
    assert ["", "Sells in progress", ""] == list(timeline_table(DONE)["Phase"])
    assert timeline_alt(DONE) == (
        "Steps of the run in New York time: queued 2026-11-20 15:30:00, sells in progress 2026-11-20 15:30:00, "
        "completed success 2026-11-20 15:30:03."
    )
    assert timeline_alt(run()) == "Completed success; no steps recorded."
