"""Automatic evaluation of the book: once a session, and at the next opportunity where a flag is set (rules.md 5.1).

Every evaluation leaves a decision, one per account and session and one more when its outcome changes (rules.md 5.8).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, text, update

from driftdesk.backend.queueing import SystemRun, queue_system_run
from driftdesk.backend.rows import portfolio_message
from driftdesk.backend.store.tables import decisions, portfolios, runs, subscriptions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import Market, World
from driftdesk.engine.schedule import Session
from driftdesk.engine.snapshot import RunId
from driftdesk.engine.targets import Portfolio
from driftdesk.engine.triggers import Decision, Outcome, Standing, evaluate
from driftdesk.translate import from_decision, to_portfolio

_LAST_EVALUATED: Final = "last_evaluated_session"


class Evaluator:
    """Evaluates the subscriptions of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def evaluate_due(self, now: datetime) -> int:
        """Evaluate what is due at `now`: all once the session's instant has come, flagged ones at once.

        Returns how many runs were created. Outside the run window nothing is evaluated (rules.md 5.3).
        """
        session = self._world.sessions.at(now)
        if session is None or not session.in_run_window(now):
            return 0
        scheduled = (
            now >= session.evaluation and self._world.database.get_meta(_LAST_EVALUATED) != session.date.isoformat()
        )
        with self._world.database.read() as connection:
            query = select(subscriptions).where(subscriptions.c.deleted_at.is_(None))
            if not scheduled:
                query = query.where(subscriptions.c.evaluate_flag)
            due = connection.execute(query.order_by(subscriptions.c.id)).mappings().all()
        if not due and not scheduled:
            return 0
        with self._world.database.write() as connection:
            created = self._evaluate(connection, due, self._world.market(connection, now), session)
            done: dict[str, Any] = {"evaluate_flag": False}
            if scheduled:
                # Only the scheduled evaluation settles the calendar day of a session: a flagged one at ten in the
                # morning may be blocked, and must not use it up.
                done["last_evaluated"] = session.date
                self._world.database.set_meta(_LAST_EVALUATED, session.date.isoformat())
            connection.execute(
                update(subscriptions).where(subscriptions.c.id.in_([row["id"] for row in due])).values(done)
            )
        return created

    def _evaluate(self, connection: Connection, due: Sequence[Row], market: Market, session: Session) -> int:
        models = _models(connection)
        wanted = {row["account_id"]: models[row["portfolio_id"]][0].targets.symbols for row in due}
        snapshots = self._world.snapshots(connection, wanted, market)
        busy = {
            row.account_id: RunId(row.id)
            for row in connection.execute(
                select(runs.c.account_id, runs.c.id).where(text("status IN ('QUEUED', 'IN_PROGRESS')"))
            )
        }
        last: dict[str, str] = {
            row.account_id: row.outcome
            for row in connection.execute(
                select(decisions.c.account_id, decisions.c.outcome)
                .where(decisions.c.session == session.date)
                .order_by(decisions.c.seq)
            )
        }
        created, records = 0, []
        for row in due:
            model, status = models[row["portfolio_id"]]
            account_id = row["account_id"]
            standing = _standing(row, status, busy.get(account_id), session)
            decision = evaluate(
                snapshots[account_id], model, standing, session, self._world.sessions, self._world.min_notional
            )
            run_id = None
            if decision.outcome is Outcome.RUN and decision.run_type is not None:
                asked = SystemRun(decision.run_type, decision.summary)
                run_id = queue_system_run(self._world, connection, row, asked, market.now)
                created += 1
            if run_id is not None or last.get(account_id) != decision.outcome:
                records.append(self._record(decision, run_id))
        if records:
            connection.execute(insert(decisions), records)
        return created

    def _record(self, decision: Decision, run_id: str | None) -> dict[str, Any]:
        decision_id = self._world.new_id("decision", decision.account_id, decision.at, decision.outcome)
        return {
            "id": decision_id,
            "account_id": decision.account_id,
            "portfolio_id": decision.portfolio_id,
            "session": decision.session,
            "at": decision.at,
            "outcome": decision.outcome,
            "run_id": run_id,
            "body": from_decision(decision, decision_id, run_id).model_dump_json(),
        }


def _standing(subscription: Row, portfolio_status: str, open_run: RunId | None, session: Session) -> Standing:
    return Standing(
        portfolio_status=portfolio_status,
        last_rebalanced_at=subscription["last_rebalanced_at"],
        last_evaluated=subscription["last_evaluated"],
        evaluate_flag=subscription["evaluate_flag"],
        portfolio_changed=subscription["portfolio_changed"],
        subscription_created=subscription["subscription_created"],
        uninvested_inflow=subscription["uninvested_inflow"],
        open_run=open_run,
        ran_this_session=subscription["last_run_session"] == session.date,
        held=subscription["held"],
    )


def _models(connection: Connection) -> dict[str, tuple[Portfolio, str]]:
    models: dict[str, tuple[Portfolio, str]] = {}
    for row in connection.execute(select(portfolios)).mappings():
        message = portfolio_message(row)
        models[row["id"]] = (to_portfolio(message), row["status"])
    return models
