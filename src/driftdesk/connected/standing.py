"""How an account stands in the store: what it is to hold, and whether cash and holdings are the brokerage's or ours."""

import json
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, or_, select, text

from driftdesk.backend.store.database import Database
from driftdesk.backend.store.tables import fills, orders, portfolios, runs, subscriptions
from driftdesk.translate_snaptrade import Connected

# An order of ours that is open and younger than this may be in the balances before it is among the orders.
_UNDER_WAY: Final = timedelta(minutes=1)


def targets_of(database: Database, account_id: str) -> frozenset[str]:
    """What the account is to hold: by the portfolio that it follows, and by a run that has not ended."""
    followed = (
        select(portfolios.c.weights)
        .join(subscriptions, subscriptions.c.portfolio_id == portfolios.c.id)
        .where(subscriptions.c.account_id == account_id, subscriptions.c.deleted_at.is_(None))
    )
    running = select(runs.c.weights).where(runs.c.account_id == account_id, text("status IN ('QUEUED', 'IN_PROGRESS')"))
    with database.read() as connection:
        lists = [*connection.scalars(followed), *connection.scalars(running)]
    return frozenset(weight["symbol"] for found in lists for weight in json.loads(found) if weight.get("symbol"))


def counted_here(connection: Connection, read: Connected, now: datetime, settling: timedelta) -> str | None:
    """Why cash and holdings stay as they were counted here, None where the brokerage's word is the last.

    Something of ours is under way, or its report may be of before our last fill: taken over, what was bought would
    be bought again. Empty where a person need not know.
    """
    account = read.account.id
    running = select(runs.c.id).where(runs.c.account_id == account, text("status = 'IN_PROGRESS'"))
    ours = or_(orders.c.broker_order_id.is_(None), orders.c.client_order_id != orders.c.broker_order_id)
    young = max(settling, _UNDER_WAY)
    sent = select(orders.c.id).where(
        orders.c.account_id == account, ours, orders.c.due_at.is_not(None), orders.c.submitted_at > now - young
    )
    if connection.scalar(running) is not None or connection.scalar(sent) is not None:
        return ""
    filled = select(func.max(fills.c.at)).join(orders, orders.c.id == fills.c.order_id)
    last: datetime | None = connection.scalar(filled.where(fills.c.account_id == account, ours))
    if last is None:
        return None
    as_of = read.positions.data_freshness.as_of if read.positions.data_freshness else None
    if as_of is not None and as_of < last:
        return (
            f"The brokerage's report of cash and holdings is of {as_of:%Y-%m-%d %H:%M} UTC, before the last order "
            "was filled: they are shown as counted here since."
        )
    return None if now - last >= settling else ""
