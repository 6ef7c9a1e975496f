"""Automatic evaluation of the book: once a session, and at the next opportunity where a flag is set (rules.md 5.1).

Every evaluation leaves a decision, one per account and session and one more when its outcome changes (rules.md 5.8).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from driftdesk.backend.queueing import SystemRun, open_run_of, queue_system_run
from driftdesk.backend.rows import portfolio_message
from driftdesk.backend.store.tables import decisions, portfolios, subscriptions
from driftdesk.backend.world import Market, World
from driftdesk.engine.schedule import Session
from driftdesk.engine.snapshot import RunId
from driftdesk.engine.targets import Portfolio
from driftdesk.engine.triggers import Decision, Outcome, Standing, evaluate
from driftdesk.translate import from_decision, to_portfolio

_LAST_EVALUATED: Final = "last_evaluated_session"
Row = Mapping[str, Any]


def standing_of(connection: Connection, subscription: Row, portfolio_status: str, session: Session) -> Standing:
    """What the subscription and its account remember, for the engine."""
    open_run = open_run_of(connection, subscription["account_id"])
    return Standing(
        portfolio_status=portfolio_status,
        last_rebalanced_at=subscription["last_rebalanced_at"],
        last_evaluated=subscription["last_evaluated"],
        evaluate_flag=subscription["evaluate_flag"],
        portfolio_changed=subscription["portfolio_changed"],
        subscription_created=subscription["subscription_created"],
        uninvested_inflow=subscription["uninvested_inflow"],
        open_run=RunId(open_run) if open_run else None,
        ran_this_session=subscription["last_run_session"] == session.date,
        held=subscription["held"],
    )


class Evaluator:
    """Evaluates the subscriptions of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def evaluate_due(self, now: datetime) -> int:
        """Evaluate what is due at `now`: all once the session's instant has come, flagged ones at once.

        Returns how many runs were created. Outside the run window nothing is evaluated (rules.md 5.3).
        """
        session = self._world.sessions.at(now)
        if session is None or now > session.last_start:
            return 0
        scheduled = (
            now >= session.evaluation and self._world.database.get_meta(_LAST_EVALUATED) != session.date.isoformat()
        )
        if not scheduled and not self._any_flag():
            return 0
        created = 0
        with self._world.database.write() as connection:
            query = select(subscriptions).where(subscriptions.c.deleted_at.is_(None))
            if not scheduled:
                query = query.where(subscriptions.c.evaluate_flag)
            market = self._world.market(connection, now)
            models = _models(connection)
            for row in connection.execute(query.order_by(subscriptions.c.id)).mappings().all():
                model, status = models[row["portfolio_id"]]
                created += self._evaluate_one(connection, row, (model, status), market, session)
                done: dict[str, Any] = {"evaluate_flag": False}
                if scheduled:
                    done["last_evaluated"] = session.date
                connection.execute(update(subscriptions).where(subscriptions.c.id == row["id"]).values(done))
            if scheduled:
                self._world.database.set_meta(_LAST_EVALUATED, session.date.isoformat())
        return created

    def _any_flag(self) -> bool:
        with self._world.database.read() as connection:
            flagged = select(subscriptions.c.id).where(
                subscriptions.c.evaluate_flag, subscriptions.c.deleted_at.is_(None)
            )
            return connection.scalar(flagged.limit(1)) is not None

    def _evaluate_one(
        self, connection: Connection, row: Row, portfolio: tuple[Portfolio, str], market: Market, session: Session
    ) -> int:
        model, status = portfolio
        snapshot = self._world.snapshot(connection, row["account_id"], model.targets.symbols, market)
        standing = standing_of(connection, row, status, session)
        decision = evaluate(snapshot, model, standing, session, self._world.sessions, self._world.min_notional)
        run_id = None
        if decision.outcome is Outcome.RUN and decision.run_type is not None:
            run_id = queue_system_run(
                self._world, connection, row, SystemRun(decision.run_type, decision.summary), market.now
            )
        self._record(connection, decision, run_id)
        return 1 if run_id else 0

    def _record(self, connection: Connection, decision: Decision, run_id: str | None) -> None:
        last = connection.execute(
            select(decisions.c.outcome, decisions.c.seq)
            .where(decisions.c.account_id == decision.account_id, decisions.c.session == decision.session)
            .order_by(decisions.c.seq.desc())
        ).first()
        if last is not None and last.outcome == decision.outcome and run_id is None:
            return
        decision_id = self._world.new_id("decision", decision.account_id, decision.at, decision.outcome)
        connection.execute(
            insert(decisions).values(
                id=decision_id,
                account_id=decision.account_id,
                portfolio_id=decision.portfolio_id,
                session=decision.session,
                at=decision.at,
                outcome=decision.outcome,
                run_id=run_id,
                body=from_decision(decision, decision_id, run_id).model_dump_json(),
            )
        )


def _models(connection: Connection) -> dict[str, tuple[Portfolio, str]]:
    models: dict[str, tuple[Portfolio, str]] = {}
    for row in connection.execute(select(portfolios)).mappings():
        message = portfolio_message(row)
        models[row["id"]] = (to_portfolio(message), row["status"])
    return models
