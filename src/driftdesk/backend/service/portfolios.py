"""Portfolios and subscriptions (rules.md 2)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from driftdesk.backend.evaluation import queue_first_run
from driftdesk.backend.queueing import open_run_of
from driftdesk.backend.rows import portfolio_message, subscription_message
from driftdesk.backend.runs.record import set_status
from driftdesk.backend.service.base import Base, dump_messages, find_row, next_token, page_mark
from driftdesk.backend.store.tables import accounts, assets, portfolios, runs, subscriptions
from driftdesk.engine.drift import equity_of
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import DataError, InputError, NotFound, StateError
from driftdesk.money import ZERO
from driftdesk.translate import from_conditions, from_weights, to_conditions, to_targets
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Portfolio, UpdatePortfolio, Weight
from driftdesk.wire.runs import RunStatus
from driftdesk.wire.subscriptions import CreateSubscription, Subscription, SubscriptionPage


class Portfolios(Base):
    """Use cases of portfolios and subscriptions."""

    def create_portfolio(self, body: CreatePortfolio) -> Portfolio:
        """Create a portfolio. InputError for weights or conditions against a rule, or assets that cannot be used."""
        now = self.world.now()
        _check_name(body.name)
        _check_cooldown(body.cooldown_days)
        with self.world.database.write() as connection:
            values: dict[str, Any] = {
                "name": body.name,
                "description": body.description,
                "status": "active",
                "cooldown_days": body.cooldown_days,
                "weights": _checked_weights(connection, body.weights),
                "conditions": _checked_conditions(body.rebalance_conditions),
                "created_at": now,
                "updated_at": now,
            }
            count = connection.scalar(select(func.count()).select_from(portfolios))
            values["id"] = self.world.new_id("portfolio", count)
            connection.execute(insert(portfolios).values(values))
        return portfolio_message(values)

    def list_portfolios(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        symbol: str | None = None,
        portfolio_id: str | None = None,
        status: str | None = None,
    ) -> list[Portfolio]:
        """Portfolios that meet every filter; inactive ones only when asked for by status (rules.md 2.5, 2.8)."""
        query = select(portfolios).order_by(portfolios.c.created_at, portfolios.c.id)
        query = query.where(portfolios.c.status == status if status else portfolios.c.status != "inactive")
        if portfolio_id:
            query = query.where(portfolios.c.id == portfolio_id)
        with self.world.database.read() as connection:
            found = [portfolio_message(row) for row in connection.execute(query).mappings()]
        return [
            portfolio
            for portfolio in found
            if (not name or name.casefold() in portfolio.name.casefold())
            and (not description or description.casefold() in portfolio.description.casefold())
            and (not symbol or any(weight.symbol == symbol.upper() for weight in portfolio.weights))
        ]

    def get_portfolio(self, portfolio_id: str) -> Portfolio:
        """One portfolio; NotFound without it."""
        with self.world.database.read() as connection:
            return portfolio_message(find_row(connection, portfolios, portfolio_id, "portfolio"))

    def update_portfolio(self, portfolio_id: str, body: UpdatePortfolio) -> Portfolio:
        """Change only the fields sent. Changed weights are a trigger, changed conditions cause an evaluation (2.4)."""
        now = self.world.now()
        with self.world.database.write() as connection:
            row = find_row(connection, portfolios, portfolio_id, "portfolio")
            if row["status"] == "inactive":
                raise StateError(f"Portfolio {portfolio_id} is inactive and cannot be changed; create a new one.")
            before = portfolio_message(row)
            values = _changes(connection, body)
            flags: dict[str, Any] = {}
            if body.weights is not None:
                # Weights that are all eligible make a portfolio that needed adjustment active again (rules.md 2.7).
                values["status"] = "active"
                if row["status"] == "needs_adjustment":
                    flags["evaluate_flag"] = True
                if set(to_targets(body.weights).weights) != set(to_targets(before.weights).weights):
                    flags |= {"portfolio_changed": True, "evaluate_flag": True}
            if body.rebalance_conditions is not None and set(to_conditions(body.rebalance_conditions)) != set(
                to_conditions(before.rebalance_conditions)
            ):
                flags["evaluate_flag"] = True
            connection.execute(
                update(portfolios).where(portfolios.c.id == portfolio_id).values(**values, updated_at=now)
            )
            if flags:
                connection.execute(
                    update(subscriptions)
                    .where(subscriptions.c.portfolio_id == portfolio_id, subscriptions.c.deleted_at.is_(None))
                    .values(**flags, updated_at=now)
                )
            return portfolio_message(find_row(connection, portfolios, portfolio_id, "portfolio"))

    def inactivate_portfolio(self, portfolio_id: str) -> None:
        """Make a portfolio inactive; StateError while it has active subscriptions or is inactive already (2.5)."""
        with self.world.database.write() as connection:
            row = find_row(connection, portfolios, portfolio_id, "portfolio")
            if row["status"] == "inactive":
                raise StateError("nothing to delete")
            followers = connection.scalar(
                select(func.count())
                .select_from(subscriptions)
                .where(subscriptions.c.portfolio_id == portfolio_id, subscriptions.c.deleted_at.is_(None))
            )
            if followers:
                raise StateError(f"Portfolio {portfolio_id} has {followers} active subscriptions; delete those first.")
            connection.execute(
                update(portfolios)
                .where(portfolios.c.id == portfolio_id)
                .values(status="inactive", updated_at=self.world.now())
            )

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
            if _subscription_of(connection, body.account_id) is not None:
                raise StateError(
                    f"Account {body.account_id} has an active subscription already; delete it before making another."
                )
            count = connection.scalar(
                select(func.count()).select_from(subscriptions).where(subscriptions.c.account_id == body.account_id)
            )
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
                "subscription_created": True,
                "uninvested_inflow": ZERO,
                "failures": 0,
            }
            ready = open_run_of(connection, body.account_id) is None and self._has_equity(connection, body, now)
            connection.execute(insert(subscriptions).values({**values, "evaluate_flag": not ready}))
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


def _subscription_of(connection: Connection, account_id: str) -> str | None:
    return connection.scalar(
        select(subscriptions.c.id).where(subscriptions.c.account_id == account_id, subscriptions.c.deleted_at.is_(None))
    )


def _changes(connection: Connection, body: UpdatePortfolio) -> dict[str, Any]:
    """The columns that the fields sent change; InputError where one is against a rule."""
    values: dict[str, Any] = {}
    if body.name is not None:
        _check_name(body.name)
        values["name"] = body.name
    if body.description is not None:
        values["description"] = body.description
    if body.cooldown_days is not None:
        _check_cooldown(body.cooldown_days)
        values["cooldown_days"] = body.cooldown_days
    if body.weights is not None:
        values["weights"] = _checked_weights(connection, body.weights)
    if body.rebalance_conditions is not None:
        values["conditions"] = _checked_conditions(body.rebalance_conditions)
    return values


def _check_name(name: str) -> None:
    if not name.strip():
        raise InputError("name must not be empty.", field="name", received=name, allowed="any text")


def _check_cooldown(days: int) -> None:
    if days < 0:
        raise InputError(
            f"cooldown_days must be zero or more; received {days}.",
            field="cooldown_days",
            received=days,
            allowed="a whole number of calendar days, 0 or more",
        )


def _checked_conditions(conditions: Sequence[Condition]) -> str:
    return dump_messages(from_conditions(to_conditions(conditions)))


def _checked_weights(connection: Connection, weights: Sequence[Weight]) -> str:
    """Weights as stored; every asset must be known, tradable and fractionable (rules.md 2.1)."""
    targets = to_targets(weights)
    check_assets(connection, targets.symbols)
    return dump_messages(from_weights(targets))


def check_assets(connection: Connection, symbols: Sequence[Symbol]) -> None:
    """Raise InputError naming the first symbol that is unknown, not tradable or not fractionable."""
    known = {row.symbol: row for row in connection.execute(select(assets).where(assets.c.symbol.in_(list(symbols))))}
    for index, symbol in enumerate(symbols):
        row = known.get(symbol)
        problem = (
            "is not an asset known here"
            if row is None
            else "is not tradable"
            if not row.tradable
            else "is not fractionable"
            if not row.fractionable
            else None
        )
        if problem:
            raise InputError(
                f"{symbol} {problem}; use assets that are listed, tradable and fractionable.",
                field=f"weights[{index}].symbol",
                received=symbol,
                allowed="a tradable, fractionable asset",
            )
