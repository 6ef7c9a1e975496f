"""One move of one run. No loop, no clock, no talk to the broker: what is to be sent or canceled, `tick` does.

A run's plan is stored when it starts and not changed afterwards. Sells are sent and awaited; then the planned buys,
reduced only when there is less cash than planned (rules.md 7.2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, bindparam, update

from driftdesk.backend.runs import record
from driftdesk.backend.runs.broker import Broker, BrokerOrder, OrderRequest
from driftdesk.backend.runs.lines import set_lines, set_states
from driftdesk.backend.runs.states import ENDED_LINES, LineState, Phase
from driftdesk.backend.store.tables import runs
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import Market, World
from driftdesk.engine.planner import Plan, SkippedOrder, cap_buys, plan_orders, spendable_now, trim_buys
from driftdesk.engine.preview import compare_plans, preview_hash
from driftdesk.engine.schedule import Session
from driftdesk.engine.snapshot import AccountId, Side
from driftdesk.errors import DataError, DriftdeskError
from driftdesk.money import ZERO, format_decimal
from driftdesk.wire.orders import OrderStatus
from driftdesk.wire.runs import RunStatus

# Columns with nine decimals hold no more, in USD or in shares.
_LARGEST_ORDER: Final = Decimal(9_000_000_000)
_NOT_FILLED: Final = "The session closed before every order was filled."
_LOOK: Final = (
    "The brokerage cannot tell whether it has it, so nothing more was sent: look there before creating another run."
)
_CHANGE: Final = update(runs).where(runs.c.id == bindparam("run"))

# A row of the runs table, or one with the changes of this step laid over it.
Run = Row


@dataclass(frozen=True, slots=True)
class Send:
    """An order that was marked SUBMITTING and is to be sent once its mark is committed."""

    run_id: str
    line: int
    request: OrderRequest


@dataclass(frozen=True, slots=True)
class Cancel:
    """An order of an ended run that may be open still, to be canceled once this move is committed."""

    run_id: str
    account_id: AccountId
    client_order_id: str


Act = Send | Cancel


@dataclass(frozen=True)
class Moment:
    """What a step needs besides the run: the open transaction, the instant, and the name of this tick."""

    world: World
    connection: Connection
    now: datetime
    tick_id: str

    @cached_property
    def market(self) -> Market:
        """Every asset's quote, read once for all runs of the tick."""
        return self.world.market(self.connection, self.now)


class Stepper:
    """Steps runs of one world at one broker."""

    def __init__(self, world: World, broker: Broker) -> None:
        self.world = world
        self.broker = broker

    def step(self, moment: Moment, run: Run, found: Mapping[str, BrokerOrder]) -> Sequence[Act]:
        """Make the next move of `run`; `found` are its orders at the broker by client order id.

        Returns what to send or to cancel after the commit. Sets when the run is due next.
        """
        if run["status"] == RunStatus.QUEUED:
            return self._start(moment, run)
        lines = self._observe(moment, run, found)
        if run["status"] == RunStatus.IN_PROGRESS:
            expired = any(order.status is OrderStatus.EXPIRED for order in found.values())
            # Orders that the close ended are no failures of their own: the run did not finish (rules.md 7.5).
            if expired and moment.now >= self._session(run).close:
                return self._end(moment, run, RunStatus.TIMEOUT, _NOT_FILLED)
            return self._progress(moment, run, lines)
        return self._wind_down(moment, run, lines)

    def _start(self, moment: Moment, run: Run) -> list[Send]:
        now, connection = moment.now, moment.connection
        session = self.world.sessions.at(now)
        if session is None or now > session.last_start:
            self._look_again(moment, run, self.world.sessions.next_open(now))
            return []
        try:
            plan, note, cash = self._replan(moment, run)
        except DriftdeskError as problem:
            record.set_status(connection, run, RunStatus.IN_PROGRESS, now, session=session.date)
            return self._end(moment, {**run, "status": RunStatus.IN_PROGRESS}, RunStatus.ERROR, str(problem))
        if plan is None:
            record.set_status(connection, run, RunStatus.CANCELED, now, note, reason=note, canceled_at=now, due_at=None)
            return []
        record.store_plan(connection, run["id"], plan.orders)
        start = {
            "phase": Phase.SELLS,
            "session": session.date,
            "planned_cash": cash,
            "inflow": record.waiting_inflow(connection, run),
            "skipped": record.dump_skips(plan.skipped),
        }
        record.set_status(connection, run, RunStatus.IN_PROGRESS, now, note, **start)
        started = {**run, **start, "status": RunStatus.IN_PROGRESS}
        lines = record.lines_of(connection, run["id"])
        sends = self._mark(moment, started, [line for line in lines if line["side"] == Side.SELL])
        return sends or self._progress(moment, started, lines)

    def _replan(self, moment: Moment, run: Run) -> tuple[Plan | None, str, Decimal]:
        """The plan at this instant, what changed since the preview, and the cash (USD) that is not reserved.

        There is no plan where the orders moved further than the preview allows (rules.md 6.6).
        """
        request, excluded = record.plan_request(run, self.world.min_notional), record.excluded_of(run)
        account, symbols = run["account_id"], request.targets.symbols
        snapshot = self.world.snapshot(moment.connection, account, symbols, moment.market, excluded)
        cash = snapshot.cash - snapshot.reserved_cash
        plan = plan_orders(snapshot, request)
        _check_size(plan)
        previewed = record.load_preview(run)
        if previewed is None or preview_hash(snapshot, request) == run["preview_hash"]:
            return plan, "", cash
        changes = compare_plans(previewed, plan.orders, record.max_change(run))
        told = "; ".join(
            f"{change.side} {change.symbol} {format_decimal(change.planned)} -> {format_decimal(change.replanned)}"
            for change in changes
        )
        if all(change.allowed for change in changes):
            if self.world.connected:
                plan = cap_buys(plan, previewed)
            return plan, f"Prices or holdings moved since the preview: {told}." if told else "", cash
        return None, f"The orders moved too far from the preview ({told}); preview again and create a new run.", cash

    def _observe(self, moment: Moment, run: Run, found: Mapping[str, BrokerOrder]) -> list[Row]:
        lines = record.lines_of(moment.connection, run["id"])
        seen = [self._seen(line, found.get(line["client_order_id"])) for line in lines]
        moved = [(line, state) for line, state in zip(lines, seen, strict=True) if state != line["state"]]
        set_lines(moment.connection, [line for line, _ in moved], [{"state": state} for _, state in moved])
        return [{**line, "state": state} for line, state in zip(lines, seen, strict=True)]

    def _seen(self, line: Row, order: BrokerOrder | None) -> LineState:
        """Where the line stands, by what the broker says of its order."""
        state = LineState(line["state"])
        if order is None or state not in (LineState.SUBMITTING, LineState.SUBMITTED):
            return state
        if not order.final:
            return LineState.SUBMITTED
        filled = order.status is OrderStatus.FILLED or order.filled_quantity > ZERO
        return LineState.FILLED if filled else LineState.FAILED

    def _progress(self, moment: Moment, run: Run, lines: Sequence[Row]) -> list[Send]:
        lost = [line for line in lines if self._lost(moment, line)]
        # After the close a plan is too old to send: what was lost stays unsent and the run times out.
        if doubtful := self._doubtful(run, lost):
            symbols = ", ".join(line["symbol"] for line in doubtful)
            return self._end(moment, run, RunStatus.ERROR, f"No answer came to the order for {symbols}. {_LOOK}")
        if lost and moment.now < self._session(run).close:
            return self._mark(moment, run, lost)
        sells_ended = all(line["state"] in ENDED_LINES for line in lines if line["side"] == Side.SELL)
        session = self._session(run)
        if all(line["state"] in ENDED_LINES for line in lines):
            return self._complete(moment, run, lines)
        if moment.now >= session.close:
            return self._end(moment, run, RunStatus.TIMEOUT, _NOT_FILLED)
        if sells_ended and run["phase"] == Phase.SELLS:
            return self._begin_buys(moment, run, lines)
        self._look_again(moment, run, min(self.broker.next_update(run["account_id"], moment.now), session.close))
        return []

    def _session(self, run: Run) -> Session:
        session = self.world.sessions.on(run["session"])
        assert session is not None
        return session

    def _lost(self, moment: Moment, line: Row) -> bool:
        # Marked by an earlier tick, and the broker does not know it: the send never arrived (durability.md).
        return (
            line["state"] == LineState.SUBMITTING
            and line["marked_by"] != moment.tick_id
            and bool(moment.now - line["marked_at"] >= self.broker.grace)
        )

    def _doubtful(self, run: Run, lost: Sequence[Row]) -> list[Row]:
        """Those of the lost lines of which nobody can tell whether their orders arrived."""
        names = [line["client_order_id"] for line in lost]
        doubted = self.broker.in_doubt(run["account_id"], names) if names else ()
        return [line for line in lost if line["client_order_id"] in doubted]

    def _begin_buys(self, moment: Moment, run: Run, lines: Sequence[Row]) -> list[Send]:
        connection = moment.connection
        proceeds = sum((line["notional"] for line in lines if line["side"] == Side.SELL), ZERO)
        planned = [line for line in lines if line["side"] == Side.BUY]
        buys = tuple(map(record.planned_order, planned))
        short = run["planned_cash"] + proceeds - self.world.free_cash(connection, run["account_id"])
        skips: tuple[SkippedOrder, ...] = ()
        if short > ZERO:
            try:
                buys, skips = trim_buys(buys, self._spendable(moment, run), self.world.min_notional)
            except DriftdeskError as problem:
                return self._end(moment, run, RunStatus.ERROR, f"The buys cannot be sized any more: {problem}")
        note = f"There is {format_decimal(short)} USD less cash than planned." if short > ZERO else ""
        begun = {"phase": Phase.BUYS, "skipped": record.dump_skips(skips, run["skipped"])}
        connection.execute(_CHANGE, {"run": run["id"], "updated_at": moment.now, **begun})
        record.add_event(connection, run["id"], moment.now, RunStatus.IN_PROGRESS, Phase.BUYS, note)
        sizes = {order.line: order.notional for order in buys}
        sized = [{"sent_notional": sizes.get(line["line"])} for line in planned]
        left_out = [line for line in planned if line["line"] not in sizes]
        set_states(connection, left_out, LineState.SKIPPED)
        planned = set_lines(connection, planned, sized)
        bought = {**run, **begun}
        sends = self._mark(moment, bought, [line for line in planned if line["line"] in sizes])
        return sends or self._progress(moment, bought, record.lines_of(connection, run["id"]))

    def _spendable(self, moment: Moment, run: Run) -> Decimal:
        request, excluded = record.plan_request(run, self.world.min_notional), record.excluded_of(run)
        account, symbols = run["account_id"], request.targets.symbols
        return spendable_now(self.world.snapshot(moment.connection, account, symbols, moment.market, excluded), request)

    def _mark(self, moment: Moment, run: Run, lines: Sequence[Row]) -> list[Send]:
        if not lines:
            return []
        set_states(moment.connection, lines, LineState.SUBMITTING, marked_by=moment.tick_id, marked_at=moment.now)
        self._look_again(moment, run, moment.now)
        return [Send(run["id"], line["line"], record.order_request(run, line)) for line in lines]

    def _complete(self, moment: Moment, run: Run, lines: Sequence[Row]) -> list[Send]:
        filled = [line for line in lines if line["state"] == LineState.FILLED]
        failed = [line for line in lines if line["state"] == LineState.FAILED]
        if failed and not filled:
            return self._end(moment, run, RunStatus.ERROR, f"None of the {len(failed)} orders was filled.")
        reason = None
        if not lines:
            skipped = len(record.load_skips(run["skipped"]))
            reason = (
                f"Nothing was sent: all {skipped} orders are below the minimum."
                if skipped
                else "Nothing to trade: the account is at its targets."
            )
        elif failed:
            reason = f"{len(failed)} of {len(lines)} orders failed."
        record.set_status(
            moment.connection,
            run,
            RunStatus.COMPLETED_ADJUSTED,
            moment.now,
            reason or "",
            phase=None,
            reason=reason,
            completed_at=moment.now,
            due_at=moment.now,
        )
        record.note_outcome(moment.connection, run, RunStatus.COMPLETED_ADJUSTED, moment.now)
        return []

    def _end(self, moment: Moment, run: Run, status: RunStatus, reason: str) -> list[Send]:
        # Due once more, so that open orders are canceled and the order list is written: see `_wind_down`.
        record.set_status(
            moment.connection, run, status, moment.now, reason, phase=None, reason=reason, due_at=moment.now
        )
        record.note_outcome(moment.connection, run, status, moment.now)
        return []

    def _wind_down(self, moment: Moment, run: Run, lines: Sequence[Row]) -> list[Cancel]:
        """After the end: cancel what is still open, drop what was never sent, write the order list."""
        connection, now = moment.connection, moment.now
        lost = [line for line in lines if self._lost(moment, line)]
        doubtful = self._doubtful(run, lost)
        set_states(connection, doubtful, LineState.UNKNOWN)
        unsent = [line for line in lines if line["state"] == LineState.PLANNED or line in lost]
        set_states(connection, [line for line in unsent if line not in doubtful], LineState.DROPPED)
        under_way = (LineState.SUBMITTING, LineState.SUBMITTED)
        open_lines = [line for line in lines if line["state"] in under_way and line not in lost]
        if open_lines:
            self._look_again(moment, run, now)
            return [Cancel(run["id"], run["account_id"], line["client_order_id"]) for line in open_lines]
        if run["status"] == RunStatus.COMPLETED_ADJUSTED:
            record.set_status(connection, run, RunStatus.COMPLETED_SUCCESS, now, reason=run["reason"], due_at=None)
        else:
            connection.execute(_CHANGE, {"run": run["id"], "due_at": None, "updated_at": now})
        record.write_order_list(connection, run["id"])
        return []

    def _look_again(self, moment: Moment, run: Run, at: datetime) -> None:
        moment.connection.execute(_CHANGE, {"run": run["id"], "due_at": at})


def _check_size(plan: Plan) -> None:
    """Raise DataError for an order that the store could not hold: the run ends, and the others go on."""
    for order in plan.orders:
        if max(order.notional, order.estimated_quantity) > _LARGEST_ORDER:
            raise DataError(
                f"The order for {order.symbol} is larger than {_LARGEST_ORDER} USD or shares; split the account."
            )
