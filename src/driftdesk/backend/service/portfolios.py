"""Portfolios (rules.md 2.1-2.5)."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from driftdesk.backend.events.outbox import note_portfolio_status
from driftdesk.backend.rows import portfolio_message
from driftdesk.backend.service.base import Base, dump_messages, find_row
from driftdesk.backend.store.tables import assets, portfolios, subscriptions
from driftdesk.backend.world import World
from driftdesk.engine.schedule import new_york_date, swallowed
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import InputError, StateError
from driftdesk.translate import from_conditions, from_weights, to_conditions, to_portfolio, to_targets
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Portfolio, UpdatePortfolio, Weight

# How far saving a portfolio looks ahead for calendar days that its cooldown would lose (rules.md 5.2).
_MONTHS_AHEAD: Final = 24


class Portfolios(Base):
    """Use cases of portfolios."""

    def create_portfolio(self, body: CreatePortfolio) -> Portfolio:
        """Create a portfolio. InputError for weights or conditions against a rule, or assets that cannot be used."""
        now = self.world.now()
        _check_name(body.name)
        _check_cooldown(body.cooldown_days)
        self.world.learn(weight.symbol for weight in body.weights if weight.symbol)
        with self.world.database.write() as connection:
            values: dict[str, Any] = {
                "name": body.name,
                "description": body.description,
                "status": "active",
                "cooldown_days": body.cooldown_days,
                "weights": _checked_weights(self.world, connection, body.weights),
                "conditions": _checked_conditions(body.rebalance_conditions),
                "created_at": now,
                "updated_at": now,
            }
            count = connection.scalar(select(func.count()).select_from(portfolios))
            values["id"] = self.world.new_id("portfolio", count)
            connection.execute(insert(portfolios).values(values))
            return self._saved(connection, values["id"])

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
        self.world.learn(weight.symbol for weight in body.weights or () if weight.symbol)
        with self.world.database.write() as connection:
            row = find_row(connection, portfolios, portfolio_id, "portfolio")
            if row["status"] == "inactive":
                raise StateError(f"Portfolio {portfolio_id} is inactive and cannot be changed; create a new one.")
            before = portfolio_message(row)
            values = _changes(self.world, connection, body)
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
            note_portfolio_status(connection, portfolio_id, row["status"], now)
            # Nothing is evaluated in a connected world, so nothing may wait for it (rules.md 9).
            if flags and not self.world.connected:
                connection.execute(
                    update(subscriptions)
                    .where(subscriptions.c.portfolio_id == portfolio_id, subscriptions.c.deleted_at.is_(None))
                    .values(**flags, updated_at=now)
                )
            return self._saved(connection, portfolio_id)

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
            now = self.world.now()
            connection.execute(
                update(portfolios).where(portfolios.c.id == portfolio_id).values(status="inactive", updated_at=now)
            )
            note_portfolio_status(connection, portfolio_id, row["status"], now)

    def _saved(self, connection: Connection, portfolio_id: str) -> Portfolio:
        """The portfolio as it stands, with what a person should know about its own cooldown (rules.md 5.2)."""
        message = portfolio_message(find_row(connection, portfolios, portfolio_id, "portfolio"))
        rule = to_portfolio(message).calendar
        if rule is None:
            return message
        start = new_york_date(self.world.now())
        lost = swallowed(rule, message.cooldown_days, start, _MONTHS_AHEAD, self.world.sessions)
        if not lost:
            return message
        warning = (
            f"In the next {_MONTHS_AHEAD} months the cooldown of {message.cooldown_days} days loses {len(lost)} of the "
            f"portfolio's own calendar days, the first on {lost[0]}."
        )
        return message.model_copy(update={"warnings": (warning,)})


def _changes(world: World, connection: Connection, body: UpdatePortfolio) -> dict[str, Any]:
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
        values["weights"] = _checked_weights(world, connection, body.weights)
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


def _checked_weights(world: World, connection: Connection, weights: Sequence[Weight]) -> str:
    """Weights as stored; every asset must be known, tradable and fractionable (rules.md 2.1)."""
    targets = to_targets(weights)
    check_assets(world, connection, targets.symbols)
    return dump_messages(from_weights(targets))


def check_assets(world: World, connection: Connection, symbols: Sequence[Symbol]) -> None:
    """Raise InputError naming the first symbol that is unknown, not tradable or not fractionable.

    At a brokerage what is not fractionable is planned in whole shares, so there it is no fault.
    """
    known = {row.symbol: row for row in connection.execute(select(assets).where(assets.c.symbol.in_(list(symbols))))}
    for index, symbol in enumerate(symbols):
        row = known.get(symbol)
        problem = (
            "is not an asset known here"
            if row is None
            else "is not tradable"
            if not row.tradable
            else "is not fractionable"
            if not (row.fractionable or world.connected)
            else None
        )
        if problem:
            allowed = "listed and tradable" if world.connected else "listed, tradable and fractionable"
            raise InputError(
                f"{symbol} {problem}; use assets that are {allowed}.",
                field=f"weights[{index}].symbol",
                received=symbol,
                allowed=f"an asset that is {allowed}",
            )
