"""Subscriptions: an account follows a portfolio (rules.md 2.6)."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from driftdesk.backend.evaluation import queue_first_run
from driftdesk.backend.queueing import open_run_of
from driftdesk.backend.rows import subscription_message
from driftdesk.backend.runs.record import set_status
from driftdesk.backend.service.base import Base, find_row, live_subscription, next_token, page_mark
from driftdesk.backend.store.tables import accounts, portfolios, runs, subscriptions
from driftdesk.engine.drift import equity_of
from driftdesk.errors import DataError, NotFound, StateError
from driftdesk.money import ZERO
from driftdesk.wire.runs import RunStatus
from driftdesk.wire.subscriptions import CreateSubscription, Subscription, SubscriptionPage


class Subscriptions(Base):
    """Use cases of subscriptions."""

    def create_subscription(self, body: CreateSubscription) -> Subscription:
        """Subscribe an account and queue its first run; the run waits as a flag where it cannot be queued (2.6)."""
        now = self.world.now()
        with self.world.database.write() as connection:
            account = find_row(connection, accounts, body.account_id, "account")
            model = find_row(connection, portfolios, body.portfolio_id, "portfolio")
            if account["status"] != "ACTIVE":
                raise StateError(f"Account {body.account_id} is {account['status']}; only an active one can subscribe.")
            if model["status"] != "active":
                raise StateError(
                    f"Portfolio {body.portfolio_id} is {model['status']}; only an active one can be followed."
                )
            if live_subscription(connection, body.account_id) is not None:
                raise StateError(
                    f"Account {body.account_id} has an active subscription already; delete it before making another."
                )
            count = connection.scalar(
                select(func.count()).select_from(subscriptions).where(subscriptions.c.account_id == body.account_id)
            )
            # In a connected world a person creates every run, so that nothing waits for an evaluation (rules.md 9).
            by_itself = not self.world.connected
            values: dict[str, Any] = {
                "id": self.world.new_id("subscription", body.account_id, count),
                "account_id": body.account_id,
                "portfolio_id": body.portfolio_id,
                "created_at": now,
                "updated_at": now,
                "last_rebalanced_at": None,
                # Sessions from the first one that it can be evaluated in count, also when nobody steps it (5.1).
                "last_evaluated": self._last_missed(now),
                "portfolio_changed": False,
                # Until a full rebalance completes: a first run that fails or is canceled is made up for.
                "subscription_created": by_itself,
                "uninvested_inflow": ZERO,
                "failures": 0,
            }
            free = by_itself and open_run_of(connection, body.account_id) is None
            ready = free and self._has_equity(connection, body, now)
            connection.execute(insert(subscriptions).values({**values, "evaluate_flag": by_itself and not ready}))
            if ready:
                queue_first_run(self.world, connection, values, f"The account was subscribed to {model['name']}.", now)
        return self.get_subscription(values["id"])

    def list_subscriptions(
        self,
        *,
        account_id: str | None = None,
        portfolio_id: str | None = None,
        limit: int = 100,
        page_token: str | None = None,
    ) -> SubscriptionPage:
        """Active subscriptions, oldest first, a page at a time."""
        query = select(subscriptions).where(subscriptions.c.deleted_at.is_(None))
        if account_id:
            query = query.where(subscriptions.c.account_id == account_id)
        if portfolio_id:
            query = query.where(subscriptions.c.portfolio_id == portfolio_id)
        if page_token:
            query = query.where(subscriptions.c.seq > page_mark(page_token))
        query = query.order_by(subscriptions.c.seq).limit(limit + 1)
        with self.world.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return SubscriptionPage(
            subscriptions=tuple(subscription_message(row) for row in rows[:limit]),
            next_page_token=next_token(rows[:limit], len(rows) > limit),
        )

    def get_subscription(self, subscription_id: str) -> Subscription:
        """One active subscription; NotFound without it."""
        with self.world.database.read() as connection:
            row = find_row(connection, subscriptions, subscription_id, "subscription")
        if row["deleted_at"] is not None:
            raise NotFound(f"There is no subscription {subscription_id}; it was deleted.")
        return subscription_message(row)

    def delete_subscription(self, subscription_id: str) -> None:
        """Stop rebalancing an account: its QUEUED runs are canceled, one in progress finishes (rules.md 2.6)."""
        now = self.world.now()
        with self.world.database.write() as connection:
            live = select(subscriptions.c.id).where(
                subscriptions.c.id == subscription_id, subscriptions.c.deleted_at.is_(None)
            )
            if connection.scalar(live) is None:
                # The seed answers 422 here, not 404.
                raise StateError(f"There is no active subscription {subscription_id} to delete.")
            connection.execute(
                update(subscriptions)
                .where(subscriptions.c.id == subscription_id)
                .values(deleted_at=now, updated_at=now)
            )
            for run in (
                connection.execute(
                    select(runs).where(runs.c.subscription_id == subscription_id, runs.c.status == RunStatus.QUEUED)
                )
                .mappings()
                .all()
            ):
                reason = "The subscription was deleted."
                set_status(
                    connection, run, RunStatus.CANCELED, now, reason, reason=reason, canceled_at=now, due_at=None
                )

    def resume_subscription(self, subscription_id: str) -> Subscription:
        """Let automatic runs that are held go on (rules.md 5.7)."""
        with self.world.database.write() as connection:
            connection.execute(
                update(subscriptions)
                .where(subscriptions.c.id == subscription_id, subscriptions.c.deleted_at.is_(None))
                .values(held=None, failures=0, evaluate_flag=True, updated_at=self.world.now())
            )
            return self.get_subscription(subscription_id)

    def _last_missed(self, now: datetime) -> date:
        """The last session whose evaluation a subscription made at `now` came too late for."""
        session = self.world.sessions.current_or_next(now)
        return self.world.sessions.before(session.date).date if now <= session.evaluation else session.date

    def _has_equity(self, connection: Connection, body: CreateSubscription, now: datetime) -> bool:
        snapshot = self.world.snapshot(connection, body.account_id, (), self.world.market(connection, now))
        try:
            return equity_of(snapshot) > ZERO
        except DataError:
            return False
