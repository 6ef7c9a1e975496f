"""What each session closed at, with the prices that were set by hand, in shares as they are now."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select

from driftdesk.backend.store.tables import assets, price_marks
from driftdesk.backend.world import World, split_price
from driftdesk.engine.schedule import Session
from driftdesk.engine.snapshot import Symbol


class Closes:
    """Closes of the world as it stands in one read.

    A price set by hand counts from the session in which it was set. The store keeps only the latest one of a symbol: a
    session before that has the feed's close, also where another price had been set by hand then. Closes from before a
    split are divided by it, so that they compare with the price now.
    """

    def __init__(self, world: World, connection: Connection) -> None:
        self._feed = world.feed
        self._marks: dict[str, tuple[datetime, Decimal]] = {
            row.symbol: (row.at, row.price) for row in connection.execute(select(price_marks))
        }
        columns = (assets.c.symbol, assets.c.split_from, assets.c.split_to)
        self._splits = {row.symbol: (row.split_from, row.split_to) for row in connection.execute(select(*columns))}

    def close(self, symbol: str, session: Session) -> Decimal | None:
        """The close of `session` in USD, which is the price all through it (rules.md 5.1); None without one."""
        mark = self._marks.get(symbol)
        if mark is not None and mark[0] <= session.close:
            return mark[1]
        return split_price(self._feed.close(Symbol(symbol), session.date), *self._splits.get(symbol, (1, 1)))
