"""Automatic evaluation of the book: once a session, and at the next opportunity where a flag is set (rules.md 5.1).

Every evaluation leaves a decision, one per account and session and one more when its outcome changes (rules.md 5.8).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, text, update

from driftdesk.backend.queueing import SystemRun, queue_system_run, starting_session
from driftdesk.backend.rows import portfolio_message
from driftdesk.backend.store.tables import decisions, portfolios, runs, subscriptions
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import Market, World
from driftdesk.engine.planner import RunType
from driftdesk.engine.schedule import Session
from driftdesk.engine.snapshot import AccountId, PortfolioId, RunId
from driftdesk.engine.targets import Portfolio
from driftdesk.engine.triggers import BlockKind, Decision, Outcome, Standing, Trigger, TriggerKind, evaluate
from driftdesk.translate import from_decision, to_portfolio

_LAST_EVALUATED: Final = "last_evaluated_session"
# Blocks that say nothing about the calendar day itself: it stays due until they are gone.
_PASSING: Final = frozenset(
    {
        BlockKind.OPEN_RUN,
        BlockKind.ONCE_A_SESSION,
        BlockKind.HELD,
        BlockKind.NEEDS_ADJUSTMENT,
        BlockKind.NO_EQUITY,
        BlockKind.NO_PRICE,
    }
)

# By account, because that is what the index of decisions begins with: a book has many more days than accounts.
_EARLIER: Final = (
    select(decisions.c.account_id, decisions.c.outcome, runs.c.session.label("started"))
    .outerjoin(runs, runs.c.id == decisions.c.run_id)
    .where(decisions.c.account_id.in_(bindparam("ids", expanding=True)), decisions.c.session == bindparam("day"))
    .order_by(decisions.c.seq)
)


@dataclass(frozen=True, slots=True)
class _Earlier:
    """Decisions that an account has had for a session: how many, the last outcome, and whether a run started."""

    count: int = 0
    last: str | None = None
    ran: bool = False


_NOTHING_EARLIER: Final = _Earlier()


class Evaluator:
    """Evaluates the subscriptions of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def evaluate_due(self, now: datetime) -> int:
        """Evaluate what is due at `now`: all once the session's instant has come, flagged ones at once.

        Returns how many runs were created. Outside the run window nothing is evaluated (rules.md 5.3), nor is anything
        in a connected world, where a person confirms every run (rules.md 9).
        """
        if self._world.connected:
            return 0
        session = self._world.sessions.at(now)
        if session is None or not session.in_run_window(now):
            return 0
        scheduled = (
            now >= session.evaluation and self._world.database.get_meta(_LAST_EVALUATED) != session.date.isoformat()
        )
        query = select(subscriptions).where(subscriptions.c.deleted_at.is_(None)).order_by(subscriptions.c.id)
        if not scheduled:
            query = query.where(subscriptions.c.evaluate_flag)
            with self._world.database.read() as connection:
                if connection.execute(query.limit(1)).first() is None:
                    return 0
        with self._world.database.write() as connection:
            # Read inside the transaction: a subscription deleted or a portfolio changed meanwhile must count.
            due = connection.execute(query).mappings().all()
            busy = _open_runs(connection)
            made = self._evaluate(connection, due, busy, self._world.market(connection, now), session)
            # While a run is open the flag stays, so that its end is the next opportunity (rules.md 5.1).
            connection.execute(
                update(subscriptions)
                .where(subscriptions.c.id.in_([row["id"] for row in due if row["account_id"] not in busy]))
                .values(evaluate_flag=False)
            )
            if scheduled:
                # Only the scheduled evaluation settles the calendar day of a session: a flagged one at ten in the
                # morning may be blocked, and must not use it up.
                settled = [row["id"] for row, decision in zip(due, made, strict=True) if not _carries_over(decision)]
                connection.execute(
                    update(subscriptions).where(subscriptions.c.id.in_(settled)).values(last_evaluated=session.date)
                )
                self._world.database.set_meta(_LAST_EVALUATED, session.date.isoformat())
            served = [row["id"] for row, decision in zip(due, made, strict=True) if _is_served(decision)]
            connection.execute(
                update(subscriptions)
                .where(subscriptions.c.id.in_(served))
                .values(portfolio_changed=False, subscription_created=False)
            )
        return sum(decision.outcome is Outcome.RUN for decision in made)

    def _evaluate(
        self, connection: Connection, due: Sequence[Row], busy: Mapping[str, RunId], market: Market, session: Session
    ) -> list[Decision]:
        models = _models(connection)
        wanted = {row["account_id"]: models[row["portfolio_id"]][0].targets.symbols for row in due}
        snapshots = self._world.snapshots(connection, wanted, market)
        before = _earlier(connection, list(wanted), session)
        made: list[Decision] = []
        records = []
        for row in due:
            model, status = models[row["portfolio_id"]]
            account_id = row["account_id"]
            earlier = before.get(account_id, _NOTHING_EARLIER)
            ran = row["last_run_session"] == session.date or earlier.ran
            standing = _standing(row, status, busy.get(account_id), ran)
            decision = evaluate(
                snapshots[account_id], model, standing, session, self._world.sessions, self._world.min_notional
            )
            made.append(decision)
            run_id = None
            if decision.outcome is Outcome.RUN and decision.run_type is not None:
                asked = SystemRun(decision.run_type, decision.summary)
                run_id = queue_system_run(self._world, connection, row, asked, market.now)
            if run_id is not None or earlier.last != decision.outcome:
                records.append(decision_row(self._world, decision, run_id, earlier.count))
        if records:
            connection.execute(insert(decisions), records)
        return made


def _carries_over(decision: Decision) -> bool:
    """Whether a calendar day that was due waits for the next session: only a cooldown loses one (rules.md 5.2)."""
    due = any(trigger.kind is TriggerKind.CALENDAR for trigger in decision.triggers)
    return due and decision.outcome is Outcome.BLOCKED and any(block.kind in _PASSING for block in decision.blocks)


def _is_served(decision: Decision) -> bool:
    """Whether changed weights have nothing left to ask for: the account is where they want it (rules.md 2.4)."""
    return decision.outcome is Outcome.BLOCKED and {block.kind for block in decision.blocks} == {
        BlockKind.NOTHING_TO_TRADE
    }


def decision_row(world: World, decision: Decision, run_id: str | None, earlier: int) -> dict[str, Any]:
    """The row of a decision; `earlier`: how many the account has had for this session, which makes its id its own."""
    decision_id = world.new_id("decision", decision.account_id, decision.session, earlier)
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


def queue_first_run(world: World, connection: Connection, subscription: Row, sentence: str, now: datetime) -> None:
    """Queue the run of a new subscription, with the decision that explains it by `sentence` (rules.md 2.6, 5.8).

    Where the account has had its automatic run of the session, for a subscription that was deleted, it waits as a flag
    (rules.md 5.1).
    """
    account_id = subscription["account_id"]
    session = starting_session(world.sessions, now)
    earlier = _earlier(connection, [account_id], session).get(account_id, _NOTHING_EARLIER)
    if earlier.ran:
        mine = subscriptions.c.id == subscription["id"]
        connection.execute(update(subscriptions).where(mine).values(evaluate_flag=True))
        return
    run_id = queue_system_run(world, connection, subscription, SystemRun(RunType.FULL_REBALANCE, sentence), now)
    decision = Decision(
        account_id=AccountId(account_id),
        portfolio_id=PortfolioId(subscription["portfolio_id"]),
        session=session.date,
        at=now,
        outcome=Outcome.RUN,
        run_type=RunType.FULL_REBALANCE,
        triggers=(Trigger(TriggerKind.SUBSCRIPTION_CREATED, sentence),),
        blocks=(),
        summary=sentence,
    )
    connection.execute(insert(decisions).values(decision_row(world, decision, run_id, earlier.count)))


def _open_runs(connection: Connection) -> dict[str, RunId]:
    return {
        row.account_id: RunId(row.id)
        for row in connection.execute(
            select(runs.c.account_id, runs.c.id).where(text("status IN ('QUEUED', 'IN_PROGRESS')"))
        )
    }


def _earlier(connection: Connection, account_ids: Sequence[str], session: Session) -> dict[str, _Earlier]:
    """What the accounts have had of `session`; those without a decision are left out."""
    found: dict[str, _Earlier] = {}
    for row in connection.execute(_EARLIER, {"ids": account_ids, "day": session.date}):
        before = found.get(row.account_id, _NOTHING_EARLIER)
        # A run that was canceled before it started has traded nothing, and another may take its place.
        found[row.account_id] = _Earlier(before.count + 1, row.outcome, before.ran or row.started is not None)
    return found


def _standing(subscription: Row, portfolio_status: str, open_run: RunId | None, ran: bool) -> Standing:
    return Standing(
        portfolio_status=portfolio_status,
        last_rebalanced_at=subscription["last_rebalanced_at"],
        last_evaluated=subscription["last_evaluated"],
        portfolio_changed=subscription["portfolio_changed"],
        subscription_created=subscription["subscription_created"],
        uninvested_inflow=subscription["uninvested_inflow"],
        open_run=open_run,
        ran_this_session=ran,
        held=subscription["held"],
    )


def _models(connection: Connection) -> dict[str, tuple[Portfolio, str]]:
    models: dict[str, tuple[Portfolio, str]] = {}
    for row in connection.execute(select(portfolios)).mappings():
        message = portfolio_message(row)
        models[row["id"]] = (to_portfolio(message), row["status"])
    return models
