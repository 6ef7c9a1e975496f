"""Closing a session: one row an account with its equity, its cash and the money that came in that day."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, insert, select

from driftdesk.backend.ledger import DIVIDEND
from driftdesk.backend.store.tables import accounts, equity_days, flows, positions
from driftdesk.backend.world import World
from driftdesk.engine.snapshot import Symbol
from driftdesk.money import ZERO, exact, round_cents

_LAST_CLOSED = "last_closed_session"


@exact
def close_day(world: World, now: datetime) -> None:
    """Write the day of the last session that has closed by `now`, once. A holding without a price counts as zero."""
    session = world.sessions.latest_opened(now)
    if now < session.close:
        return
    last = world.database.get_meta(_LAST_CLOSED)
    if last == session.date.isoformat():
        return
    # Where the process was down for days, their flows belong to the next day that is written.
    known = world.sessions.on(date.fromisoformat(last)) if last else None
    since = (known or world.sessions.before(session.date)).close
    with world.database.write() as connection:
        # Valued at the close's prices, which stay in effect until the next open.
        market = world.market(connection, session.close)
        worth: dict[str, Decimal] = {}
        for row in connection.execute(select(positions.c.account_id, positions.c.symbol, positions.c.quantity)):
            price = market.quote(Symbol(row.symbol)).price or ZERO
            worth[row.account_id] = worth.get(row.account_id, ZERO) + row.quantity * price
        # A dividend is earned, not brought in: it belongs to the day's return.
        came_in = {
            row.account_id: row.amount
            for row in connection.execute(
                select(flows.c.account_id, func.sum(flows.c.amount).label("amount"))
                .where(flows.c.at > since, flows.c.at <= session.close, flows.c.kind != DIVIDEND)
                .group_by(flows.c.account_id)
            )
        }
        days = [
            {
                "account_id": row.id,
                "session": session.date,
                "equity": round_cents(row.cash + worth.get(row.id, ZERO)),
                "cash": row.cash,
                "flow": came_in.get(row.id, ZERO),
            }
            for row in connection.execute(
                select(accounts.c.id, accounts.c.cash).where(accounts.c.created_at <= session.close)
            )
        ]
        if days:
            connection.execute(insert(equity_days), days)
        world.database.set_meta(_LAST_CLOSED, session.date.isoformat())
