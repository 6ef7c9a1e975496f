"""What each session closed at, with the prices that were set by hand."""

from decimal import Decimal

from sqlalchemy import Connection, select

from driftdesk.backend.store.tables import price_marks
from driftdesk.backend.world import World
from driftdesk.engine.schedule import Session
from driftdesk.engine.snapshot import Symbol


class Closes:
    """Closes of the world as it stands in one read.

    A price set by hand counts from the session in which it was set. The store keeps only the latest one of a symbol: a
    session before that has the feed's close, also where another price had been set by hand then.
    """

    def __init__(self, world: World, connection: Connection) -> None:
        self._feed = world.feed
        self._marks = {row.symbol: (row.at, row.price) for row in connection.execute(select(price_marks))}

    def close(self, symbol: str, session: Session) -> Decimal | None:
        """The close of `session` in USD, which is the price all through it (rules.md 5.1); None without one."""
        at, price = self._marks.get(symbol, (None, None))
        return price if at is not None and at <= session.close else self._feed.close(Symbol(symbol), session.date)
