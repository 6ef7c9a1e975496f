"""Orders of the SnapTrade routes: see them, cancel them (seed 002, wire/snaptrade.md 2, 4)."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnClause, ColumnElement, Connection, literal_column

from driftdesk.backend.rows import orders_with_assets
from driftdesk.backend.service.order_requests import check_choice
from driftdesk.backend.service.snaptrade.accounts import Accounts
from driftdesk.backend.service.snaptrade.records import is_open, newer, order_record
from driftdesk.backend.store.tables import assets, orders
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import InputError, NotFound
from driftdesk.money import ZERO
from driftdesk.wire.snaptrade.orders import CancelAnswer, OrderPage, OrderRecord

MOST_DAYS: Final = 90
_STATES: Final = ("all", "open", "executed")
_RECENT: Final = timedelta(hours=24)
_MOST_RECENT: Final = 100
# Orders of one instant in the order in which they came in.
_CAME_IN: Final[ColumnClause[int]] = literal_column("orders.rowid")
_NEWEST_FIRST: Final = (orders.c.submitted_at.desc(), _CAME_IN.desc())
# Final, with something filled: what executed in part and was then canceled, expired or replaced is among them.
_EXECUTED: Final = orders.c.due_at.is_(None) & (orders.c.filled_quantity > ZERO)


class Orders(Accounts):
    """Orders of any account. NotFound for an unknown account."""

    def list_orders(self, account_id: str, *, state: str = "all", days: int = 30) -> list[OrderRecord]:
        """Orders placed in the last `days` of the world's clock (more than 90 mean 90), newest first.

        `state` open: what may still trade; executed: what is final and filled at least in part.
        """
        check_choice("state", state, _STATES)
        wanted = self._since(timedelta(days=min(days, MOST_DAYS)))
        if state != "all":
            wanted &= orders.c.due_at.is_not(None) if state == "open" else _EXECUTED
        return self._records(account_id, wanted)

    def recent_orders(self, account_id: str, *, only_executed: bool = True) -> OrderPage:
        """The newest orders of the last 24 hours of the world's clock, at most 100."""
        wanted = self._since(_RECENT)
        if only_executed:
            wanted &= _EXECUTED
        return OrderPage(orders=tuple(self._records(account_id, wanted, _MOST_RECENT)))

    def order(self, account_id: str, order_id: str) -> OrderRecord:
        """One order; NotFound without it."""
        with self._world.database.read() as connection:
            self._world.account_row(connection, account_id)
            row = self._order_row(connection, account_id, order_id)
            if row is None:
                raise NotFound(f"Order {order_id} is not found in account {account_id}.")
            return newer(self._record(connection, row))

    def cancel_for_record(self, account_id: str, order_id: str) -> OrderRecord:
        """Cancel what is open of an order; its record after that, in the keys of the seed.

        Raises InputError for an order that the account has not, StateError where nothing of it is open any more.
        """
        self._check_account(account_id)
        with self._world.database.read() as connection:
            self._known_row(connection, account_id, order_id)
        self._service.cancel_order(account_id, order_id)
        with self._world.database.read() as connection:
            return self._record(connection, self._known_row(connection, account_id, order_id))

    def cancel(self, account_id: str, order_id: str) -> CancelAnswer:
        """The same with the answer of the newer route, which does not tell what became of the order."""
        self.cancel_for_record(account_id, order_id)
        return CancelAnswer(brokerage_order_id=order_id, raw_response=None)

    def _check_account(self, account_id: str) -> None:
        """Raise NotFound for an unknown account, a StateError of `connection` where nothing can be sent for it."""
        with self._world.database.read() as connection:
            self._world.account_row(connection, account_id)
        self._check_can_trade()

    def _since(self, span: timedelta) -> ColumnElement[bool]:
        return orders.c.submitted_at >= self._world.now() - span

    def _records(self, account_id: str, wanted: ColumnElement[bool], most: int | None = None) -> list[OrderRecord]:
        query = _query().where(orders.c.account_id == account_id, wanted).order_by(*_NEWEST_FIRST).limit(most)
        with self._world.database.read() as connection:
            self._world.account_row(connection, account_id)
            return [newer(self._record(connection, row)) for row in connection.execute(query).mappings().all()]

    def _record(self, connection: Connection, row: Row) -> OrderRecord:
        price = None
        if row["notional"] is not None:
            at: datetime = self._world.now() if is_open(row) else row["updated_at"]
            price = self._world.quote(connection, Symbol(row["symbol"]), at)[0].price
        return order_record(row, self._symbol_id(row["account_id"], row["symbol"]), price)

    def _known_row(self, connection: Connection, account_id: str, order_id: str) -> Row:
        row = self._order_row(connection, account_id, order_id)
        if row is None:
            raise InputError(
                f"brokerage_order_id {order_id} is no order of account {account_id}.",
                field="brokerage_order_id",
                received=order_id,
                allowed="the id of an order of the account",
            )
        return row

    def _order_row(self, connection: Connection, account_id: str, order_id: str) -> Row | None:
        query = _query().where(orders.c.account_id == account_id, orders.c.id == order_id)
        return connection.execute(query).mappings().first()


def _query() -> Any:
    return orders_with_assets(assets.c.name)
