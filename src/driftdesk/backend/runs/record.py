"""Reading and writing runs, their lines and their events; the only writer of a run's status."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from driftdesk.backend.events.outbox import note_run
from driftdesk.backend.rows import order_message, orders_with_assets
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.runs.states import LineState, check_transition
from driftdesk.backend.store.tables import (
    orders,
    portfolios,
    run_events,
    run_lines,
    runs,
    subscriptions,
)
from driftdesk.backend.store.types import Row
from driftdesk.engine.planner import PlannedOrder, PlanRequest, RunType, SkippedOrder
from driftdesk.engine.preview import DEFAULT_MAX_CHANGE
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.money import ZERO
from driftdesk.translate import from_skipped, to_conditions, to_options, to_planned, to_targets
from driftdesk.wire.base import Message
from driftdesk.wire.events import EventType
from driftdesk.wire.orders import Order
from driftdesk.wire.orders import SkippedOrder as WireSkip
from driftdesk.wire.portfolios import Condition, Weight
from driftdesk.wire.runs import PlannedLine, RunOptions, RunStatus

# After this many ERROR or TIMEOUT runs in a row automatic runs are held (rules.md 5.7).
FAILURES_BEFORE_HOLD: Final = 3

# Built once: every move of every run uses them.
_CHANGE: Final = update(runs).where(runs.c.id == bindparam("run"))
_EVENT: Final = insert(run_events)
_LINES: Final = select(run_lines).where(run_lines.c.run_id == bindparam("run")).order_by(run_lines.c.line)


class OrderLists(Message):
    """The two lists of orders of a run, as they stand on the wire."""

    orders: tuple[Order, ...] = ()
    failed_orders: tuple[Order, ...] = ()


def plan_request(run: Row, min_notional: Decimal) -> PlanRequest:
    """What the run asks the planner for, from its stored columns."""
    return PlanRequest(
        targets=to_targets([Weight.model_validate(item) for item in json.loads(run["weights"])]),
        conditions=to_conditions([Condition.model_validate(item) for item in json.loads(run["conditions"])]),
        run_type=RunType(run["type"]),
        amount=run["amount"],
        options=to_options(RunOptions.model_validate_json(run["options"]) if run["options"] else None),
        min_notional=min_notional,
    )


def excluded_of(run: Row) -> frozenset[Symbol]:
    """The holdings that the run leaves out (rules.md 3.1)."""
    if not run["options"]:
        return frozenset()
    return frozenset(map(Symbol, RunOptions.model_validate_json(run["options"]).excluded))


def lines_of(connection: Connection, run_id: str) -> list[Row]:
    """The run's lines in the order of sending."""
    return list(connection.execute(_LINES, {"run": run_id}).mappings())


def set_status(
    connection: Connection, run: Row, status: RunStatus, now: datetime, text: str = "", **values: Any
) -> None:
    """Move the run along the transition table, with an event; StateError where the table has no such move."""
    check_transition(run["status"], status)
    changed = {**values, "status": status, "updated_at": now}
    connection.execute(_CHANGE, {"run": run["id"], **changed})
    note_run(connection, EventType.RUN_STATUS_CHANGED, {**run, **changed}, now)
    add_event(connection, run["id"], now, status, values.get("phase"), text)


def add_event(
    connection: Connection, run_id: str, now: datetime, status: str, phase: str | None = None, text: str = ""
) -> None:
    """Record what happened to a run."""
    connection.execute(_EVENT, {"run_id": run_id, "at": now, "status": status, "phase": phase, "text": text})


def store_plan(connection: Connection, run_id: str, planned: tuple[PlannedOrder, ...]) -> None:
    """Write the lines of a plan before the first of them is sent (rules.md 7.2)."""
    if planned:
        connection.execute(
            insert(run_lines),
            [
                {
                    "run_id": run_id,
                    "line": order.line,
                    "symbol": order.symbol,
                    "side": order.side,
                    "notional": order.notional,
                    "quantity": order.quantity,
                    "price": order.price,
                    "estimated_quantity": order.estimated_quantity,
                    "reason": order.reason,
                    "client_order_id": f"{run_id}-{order.line:03d}",
                    "state": LineState.PLANNED,
                }
                for order in planned
            ],
        )


def dump_skips(skips: tuple[SkippedOrder, ...], before: str = "[]") -> str:
    """Skipped orders as the JSON text of the `skipped` column, added to those already there."""
    return json.dumps(json.loads(before) + [from_skipped(skip).model_dump(mode="json") for skip in skips])


def load_skips(text: str) -> tuple[WireSkip, ...]:
    """The inverse of `dump_skips`."""
    return tuple(WireSkip.model_validate(item) for item in json.loads(text))


def load_preview(run: Row) -> tuple[PlannedOrder, ...] | None:
    """The orders that were previewed when the run was created; None for a run without a preview."""
    if run["preview_orders"] is None:
        return None
    return tuple(to_planned(PlannedLine.model_validate(item)) for item in json.loads(run["preview_orders"]))


def max_change(run: Row) -> Decimal:
    """How far (percent) an order may move from its preview (rules.md 6.6)."""
    return Decimal(run["max_change_percent"]) if run["max_change_percent"] else DEFAULT_MAX_CHANGE


def order_lists(connection: Connection, run_id: str) -> OrderLists:
    """The run's orders and failed orders as they stand, in the order of sending."""
    rows = (
        connection.execute(
            orders_with_assets(run_lines.c.state)
            # An order is named within its account; both names together also find it by an index.
            .join(runs, runs.c.account_id == orders.c.account_id)
            .join(
                run_lines,
                (run_lines.c.run_id == runs.c.id) & (run_lines.c.client_order_id == orders.c.client_order_id),
            )
            .where(runs.c.id == run_id)
            .order_by(run_lines.c.line)
        )
        .mappings()
        .all()
    )
    return OrderLists(
        orders=tuple(order_message(row) for row in rows if row["state"] != LineState.FAILED),
        failed_orders=tuple(order_message(row) for row in rows if row["state"] == LineState.FAILED),
    )


def write_order_list(connection: Connection, run_id: str) -> None:
    """Keep the final orders with the run, so that a list of runs reads one table (rules.md 7.3)."""
    text = order_lists(connection, run_id).model_dump_json()
    connection.execute(_CHANGE, {"run": run_id, "order_list": text})


def planned_order(line: Row) -> PlannedOrder:
    """A stored line as the planner's order."""
    return PlannedOrder(
        line=line["line"],
        symbol=Symbol(line["symbol"]),
        side=Side(line["side"]),
        notional=line["notional"],
        quantity=line["quantity"],
        price=line["price"],
        estimated_quantity=line["estimated_quantity"],
        reason=line["reason"],
    )


def order_request(run: Row, line: Row) -> OrderRequest:
    """What is sent for a line: by quantity where the plan says so, by notional otherwise."""
    by_quantity = line["quantity"] is not None
    return OrderRequest(
        account_id=AccountId(run["account_id"]),
        client_order_id=line["client_order_id"],
        symbol=Symbol(line["symbol"]),
        side=Side(line["side"]),
        notional=None if by_quantity else line["sent_notional"] or line["notional"],
        quantity=line["quantity"] if by_quantity else None,
    )


def note_outcome(connection: Connection, run: Row, status: RunStatus, now: datetime) -> None:
    """What a finished run changes on its subscription (rules.md 5.2, 5.6, 5.7)."""
    if run["subscription_id"] is None:
        return
    mine = subscriptions.c.id == run["subscription_id"]
    if status is RunStatus.COMPLETED_ADJUSTED:
        values: dict[str, Any] = {"failures": 0, "uninvested_inflow": _not_invested(connection, run), "updated_at": now}
        if run["type"] == RunType.FULL_REBALANCE:
            values["last_rebalanced_at"] = now
            model = select(portfolios.c.weights).where(portfolios.c.id == run["portfolio_id"])
            # Weights that were changed while the run was on its way still wait for theirs.
            if connection.scalar(model) == run["weights"]:
                values |= {"portfolio_changed": False, "subscription_created": False}
        connection.execute(update(subscriptions).where(mine).values(values))
    elif run["initiated_from"] == "system" and status in (RunStatus.ERROR, RunStatus.TIMEOUT):
        connection.execute(update(subscriptions).where(mine).values(failures=subscriptions.c.failures + 1))
        held = f"{FAILURES_BEFORE_HOLD} automatic runs in a row failed; look at them and resume."
        connection.execute(
            update(subscriptions).where(mine, subscriptions.c.failures >= FAILURES_BEFORE_HOLD).values(held=held)
        )


def waiting_inflow(connection: Connection, run: Row) -> Decimal:
    """What came into the run's account (USD) and waits to be invested; zero without a subscription."""
    if run["subscription_id"] is None:
        return ZERO
    mine = subscriptions.c.id == run["subscription_id"]
    waiting: Decimal | None = connection.scalar(select(subscriptions.c.uninvested_inflow).where(mine))
    return waiting or ZERO


def _not_invested(connection: Connection, run: Row) -> Decimal:
    """What a completed run leaves waiting: what came in after it was planned, or is above its own cap."""
    planned_with = run["inflow"] or ZERO
    invested = planned_with if run["amount"] is None else min(planned_with, run["amount"])
    return max(ZERO, waiting_inflow(connection, run) - invested)
