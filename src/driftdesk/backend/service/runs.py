"""Runs and decisions (rules.md 5.5, 6.6, 7.4)."""

import dataclasses
import json
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal

from filelock import Timeout
from sqlalchemy import Connection, select, update

from driftdesk.backend.queueing import NewRun, queue_run
from driftdesk.backend.rows import decision_message, run_message
from driftdesk.backend.runs import record
from driftdesk.backend.runs.states import LineState
from driftdesk.backend.service.base import Base, dump_messages, find_row, live_subscription, next_token, page_mark
from driftdesk.backend.service.portfolios import check_assets
from driftdesk.backend.store.tables import accounts, decisions, portfolios, run_events, runs, subscriptions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import World
from driftdesk.engine.planner import RunType
from driftdesk.engine.preview import DEFAULT_MAX_CHANGE, compare_plans, preview
from driftdesk.errors import InputError, PreviewMoved, StateError
from driftdesk.money import floor_cents
from driftdesk.translate import (
    from_conditions,
    from_planned,
    from_weights,
    to_conditions,
    to_options,
    to_planned,
    to_targets,
)
from driftdesk.wire.base import NIL_UUID
from driftdesk.wire.decisions import DecisionPage
from driftdesk.wire.orders import SkippedOrder
from driftdesk.wire.runs import CreateRun, PlannedLine, Run, RunEvent, RunPage, RunStatus


class Runs(Base):
    """Use cases of runs and decisions."""

    def create_run(self, body: CreateRun) -> Run:
        """Queue a run by request: of the account's subscription, or one-off with weights (rules.md 5.5).

        The orders are planned now, so that what cannot be planned is refused, and again when the run starts (6.6).
        Raises InputError for a body against a rule, StateError for a wrong moment, DataError for an account that cannot
        be planned for, PreviewMoved when the orders no longer stand as previewed.
        """
        now = self.world.now()
        amount = _checked_amount(body)
        self.world.learn(weight.symbol for weight in body.weights or () if weight.symbol)
        with self.world.database.write() as connection:
            account = find_row(connection, accounts, body.account_id, "account")
            if account["status"] != "ACTIVE":
                raise StateError(
                    f"Account {body.account_id} is {account['status']}; only an active one can be rebalanced."
                )
            if self.world.connected:
                _check_confirmed(account, body)
            # The official SDK cannot leave weights out: it sends an empty list (wire/alpaca.md 5.5).
            if body.weights:
                new = _one_off(self.world, connection, body, amount)
            else:
                new = _subscribed(connection, body, amount)
            new = self._planned(connection, body, new, now)
            run_id = queue_run(self.world, connection, new, now)
        return self.get_run(run_id)

    def list_runs(
        self,
        *,
        account_id: str | None = None,
        run_type: str | None = None,
        status: str | None = None,
        limit: int = 100,
        page_token: str | None = None,
    ) -> RunPage:
        """Runs, newest first, a page at a time (rules.md 2.8)."""
        query = select(runs).order_by(runs.c.seq.desc()).limit(limit + 1)
        if page_token:
            query = query.where(runs.c.seq < page_mark(page_token))
        for column, value in ((runs.c.account_id, account_id), (runs.c.type, run_type), (runs.c.status, status)):
            if value:
                query = query.where(column == value)
        with self.world.database.read() as connection:
            rows = connection.execute(query).mappings().all()
            page = tuple(_message(connection, row) for row in rows[:limit])
        return RunPage(runs=page, next_page_token=next_token(rows[:limit], len(rows) > limit))

    def get_run(self, run_id: str) -> Run:
        """One run with its plan and its events; NotFound without it."""
        with self.world.database.read() as connection:
            row = find_row(connection, runs, run_id, "run")
            events = connection.execute(
                select(run_events).where(run_events.c.run_id == run_id).order_by(run_events.c.id)
            ).all()
            lines = tuple(_line_message(line) for line in record.lines_of(connection, run_id))
            return _message(connection, row).model_copy(
                update={
                    "plan": lines if row["session"] else _previewed_lines(row),
                    "events": tuple(
                        RunEvent(at=event.at, status=event.status, phase=event.phase, text=event.text)
                        for event in events
                    ),
                }
            )

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run: QUEUED ends at once; of one in progress open orders are canceled, what filled stays (7.4)."""
        now = self.world.now()
        with self.world.database.write() as connection:
            run = find_row(connection, runs, run_id, "run")
            reason = "Canceled by request."
            if run["status"] == RunStatus.CANCELED:
                return
            if run["status"] == RunStatus.QUEUED:
                after, due = RunStatus.CANCELED, None
            elif run["status"] == RunStatus.IN_PROGRESS:
                # Due now: the next tick cancels its open orders.
                after, due = RunStatus.CANCELED_MID_RUN, now
            else:
                raise StateError(f"Run {run_id} is {run['status']}; only a QUEUED or IN_PROGRESS run can be canceled.")
            record.set_status(
                connection, run, after, now, reason, phase=None, reason=reason, canceled_at=now, due_at=due
            )
            if run["initiated_from"] == "system":
                connection.execute(
                    update(subscriptions)
                    .where(subscriptions.c.id == run["subscription_id"])
                    .values(held="A person canceled an automatic run; resume when ready.", updated_at=now)
                )
        if due is not None:
            self._cancel_orders(run_id, now)

    def _cancel_orders(self, run_id: str, now: datetime) -> None:
        """Cancel at once what the run has open; where another steps this world, its next tick does (rules.md 11)."""
        with suppress(Timeout), self.worker.lock().acquire(timeout=0):
            self.ticker.tick(now, run_id)
            # The first move cancels; the second one lists what became of the orders.
            self.ticker.tick(now, run_id)

    def list_decisions(
        self,
        *,
        account_id: str | None = None,
        portfolio_id: str | None = None,
        session: date | None = None,
        outcome: str | None = None,
        limit: int = 100,
        page_token: str | None = None,
    ) -> DecisionPage:
        """Decisions, newest first, a page at a time (rules.md 5.8)."""
        query = select(decisions).order_by(decisions.c.seq.desc()).limit(limit + 1)
        if page_token:
            query = query.where(decisions.c.seq < page_mark(page_token))
        filters = (
            (decisions.c.account_id, account_id),
            (decisions.c.portfolio_id, portfolio_id),
            (decisions.c.session, session),
            (decisions.c.outcome, outcome),
        )
        for column, value in filters:
            if value:
                query = query.where(column == value)
        with self.world.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return DecisionPage(
            decisions=tuple(decision_message(row) for row in rows[:limit]),
            next_page_token=next_token(rows[:limit], len(rows) > limit),
        )

    def _planned(self, connection: Connection, body: CreateRun, new: NewRun, now: datetime) -> NewRun:
        """The run with the orders it was previewed with, if it was; PreviewMoved when they no longer stand (6.6)."""
        columns = dataclasses.asdict(new)
        request, excluded = record.plan_request(columns, self.world.min_notional), record.excluded_of(columns)
        market = self.world.market(connection, now)
        snapshot = self.world.snapshot(connection, body.account_id, request.targets.symbols, market, excluded)
        fresh = preview(snapshot, request)
        if body.preview_hash is None:
            return new
        planned = fresh.plan.orders
        if fresh.hash != body.preview_hash:
            planned = tuple(to_planned(line) for line in body.preview_orders or ())
            limit = DEFAULT_MAX_CHANGE if body.max_change_percent is None else body.max_change_percent
            changes = compare_plans(planned, fresh.plan.orders, limit)
            if not planned or not all(change.allowed for change in changes):
                raise PreviewMoved(
                    "Prices, holdings or orders moved since the preview and its orders no longer stand; look at the "
                    f"new preview {fresh.hash} and confirm again.",
                    preview_hash=fresh.hash,
                )
        lines = [from_planned(order) for order in planned]
        return dataclasses.replace(
            new,
            preview_hash=body.preview_hash,
            preview_orders=dump_messages(lines),
            max_change_percent=str(body.max_change_percent) if body.max_change_percent is not None else None,
        )


def _check_confirmed(account: Row, body: CreateRun) -> None:
    """Raise StateError for a connected account that takes no orders, InputError for a run that nobody has seen."""
    if account["refusal"] is not None:
        raise StateError(account["refusal"])
    if body.preview_hash is None:
        raise InputError(
            "preview_hash is missing: an account at a brokerage is only rebalanced as previewed and confirmed; make a "
            "preview and send its hash and orders.",
            field="preview_hash",
            allowed="the hash of a preview, with preview_orders",
        )


def _checked_amount(body: CreateRun) -> Decimal | None:
    if body.type not in set(RunType):
        raise InputError(
            f"type {body.type!r} cannot be created; allowed are full_rebalance and invest_cash.",
            field="type",
            received=body.type,
            allowed="full_rebalance or invest_cash",
        )
    if body.amount is None:
        return None
    if body.type != RunType.INVEST_CASH:
        raise InputError(
            "amount is allowed for invest_cash only; leave it out.",
            field="amount",
            received=body.amount,
            allowed="null",
        )
    if body.amount <= 0 or body.amount != floor_cents(body.amount):
        raise InputError(
            f"amount must be positive, in whole cents; received {body.amount}.",
            field="amount",
            received=body.amount,
            allowed="a positive amount in cents",
        )
    return body.amount


def _options_text(body: CreateRun) -> str | None:
    if body.options is None:
        return None
    to_options(body.options)
    return body.options.model_dump_json()


def _one_off(world: World, connection: Connection, body: CreateRun, amount: Decimal | None) -> NewRun:
    targets = to_targets(body.weights or ())
    check_assets(world, connection, targets.symbols)
    if live_subscription(connection, body.account_id) is not None:
        raise StateError(
            f"Account {body.account_id} has an active subscription; run it without weights, or delete the subscription."
        )
    return NewRun(
        account_id=body.account_id,
        portfolio_id=NIL_UUID,
        type=body.type,
        initiated_from="api",
        weights=dump_messages(from_weights(targets)),
        conditions=dump_messages(from_conditions(to_conditions(body.rebalance_conditions or ()))),
        amount=amount,
        options=_options_text(body),
    )


def _subscribed(connection: Connection, body: CreateRun, amount: Decimal | None) -> NewRun:
    subscription = live_subscription(connection, body.account_id)
    if subscription is None:
        raise StateError(
            f"Account {body.account_id} has no active subscription; send weights for a one-off run, or subscribe it."
        )
    model = find_row(connection, portfolios, subscription["portfolio_id"], "portfolio")
    if model["status"] != "active":
        raise StateError(f"Portfolio {model['id']} is {model['status']}; make it active before running it.")
    return NewRun(
        account_id=body.account_id,
        portfolio_id=model["id"],
        subscription_id=subscription["id"],
        type=body.type,
        initiated_from="api",
        weights=model["weights"],
        conditions=model["conditions"],
        amount=amount,
        options=_options_text(body),
    )


def _message(connection: Connection, row: Row) -> Run:
    lists = (
        record.OrderLists.model_validate_json(row["order_list"])
        if row["order_list"]
        else record.order_lists(connection, row["id"])
    )
    return run_message(row).model_copy(
        update={
            "orders": lists.orders,
            "failed_orders": lists.failed_orders,
            "skipped_orders": tuple(SkippedOrder.model_validate(item) for item in json.loads(row["skipped"])),
        }
    )


def _previewed_lines(row: Row) -> tuple[PlannedLine, ...]:
    """What a run that has not started was previewed with; its plan is made when it starts."""
    lines = [PlannedLine.model_validate(item) for item in json.loads(row["preview_orders"] or "[]")]
    return tuple(line.model_copy(update={"state": "PREVIEWED"}) for line in lines)


def _line_message(line: Row) -> PlannedLine:
    return PlannedLine(
        line=line["line"],
        symbol=line["symbol"],
        side=line["side"],
        notional=line["notional"],
        qty=line["quantity"],
        price=line["price"],
        estimated_qty=line["estimated_quantity"],
        reason=line["reason"],
        state=LineState(line["state"]),
        client_order_id=line["client_order_id"],
    )
