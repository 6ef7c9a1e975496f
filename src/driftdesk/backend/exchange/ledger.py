"""Cash and shares of the accounts whose orders settle together: read once, moved in memory, written once.

A settlement of many orders takes a handful of statements, however many there are, and has the same result as one after
the other.
"""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from driftdesk.backend.store.tables import accounts, fills, orders, positions
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import Side
from driftdesk.money import CENT, ZERO, exact, quantity_of, round_cents, round_to
from driftdesk.wire.orders import OrderStatus

_DUE: Final = select(orders).where(orders.c.due_at <= bindparam("now")).order_by(orders.c.submitted_at, orders.c.id)
_THEIRS: Final = select(orders.c.account_id).where(orders.c.due_at <= bindparam("now"))
_CASH: Final = select(accounts.c.id, accounts.c.cash).where(accounts.c.id.in_(_THEIRS))
_HELD: Final = select(positions).where(positions.c.account_id.in_(_THEIRS))
_RESERVED: Final = select(orders.c.account_id, orders.c.reserved).where(
    orders.c.account_id.in_(_THEIRS), orders.c.side == Side.BUY, orders.c.due_at.is_not(None)
)
_CHANGE_ORDER: Final = update(orders).where(orders.c.id == bindparam("order"))
_CHANGE_CASH: Final = update(accounts).where(accounts.c.id == bindparam("account"))
_THIS_POSITION: Final = (positions.c.account_id == bindparam("account"), positions.c.symbol == bindparam("of"))
_CHANGE_POSITION: Final = update(positions).where(*_THIS_POSITION)
_CLOSE_POSITION: Final = delete(positions).where(*_THIS_POSITION)

_Key = tuple[str, str]
_Lot = tuple[Decimal, Decimal]


class Ledger:
    """The orders due at `now` and their accounts, inside one write transaction; `write` at the end."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        at = {"now": now}
        self._connection = connection
        self._now = now
        self.due: list[Row] = list(connection.execute(_DUE, at).mappings())
        self._cash: dict[str, Decimal] = {row.id: row.cash for row in connection.execute(_CASH, at)}
        # Quantity and cost basis, as they were read and as they are now.
        self._read: dict[_Key, _Lot] = {
            (row.account_id, row.symbol): (row.quantity, row.cost_basis) for row in connection.execute(_HELD, at)
        }
        self._held = dict(self._read)
        self._reserved: dict[str, Decimal] = {}
        for row in connection.execute(_RESERVED, at):
            self._reserved[row.account_id] = self._reserved.get(row.account_id, ZERO) + row.reserved
        self._paid: set[str] = set()
        self._fills: list[dict[str, Any]] = []
        self._filled: list[dict[str, Any]] = []
        self._expired: list[dict[str, Any]] = []
        self._later: list[dict[str, Any]] = []

    def look_again(self, order: Row, at: datetime) -> None:
        """The order cannot fill yet; it is due again at `at`."""
        self._later.append({"order": order["id"], "due_at": at})

    def expire(self, order: Row) -> None:
        """End the order without a fill; what it held back is free."""
        self._release(order)
        self._end(order)

    @exact
    def fill(self, order: Row, price: Decimal) -> None:
        """Fill what is left of the order at `price` (USD), and move shares and cash (rules.md 1.3, 1.4)."""
        account, now = order["account_id"], self._now
        self._release(order)
        selling = order["side"] == Side.SELL
        wanted = order["quantity"] if order["quantity"] is not None else quantity_of(order["notional"], price)
        # The price may have fallen since the shares were reserved; never sell more than is held.
        held = self._held.get((account, order["symbol"]), (ZERO, ZERO))[0]
        quantity = min(wanted, held if selling else self._affordable(account, price))
        if quantity <= 0:
            self._end(order)
            return
        value = order["filled_value"] + quantity * price
        cash = round_cents(value) - order["filled_cash"]
        self._fills.append(
            {
                "order_id": order["id"],
                "account_id": account,
                "symbol": order["symbol"],
                "side": order["side"],
                "at": now,
                "quantity": quantity,
                "price": price,
                "cash": cash,
                "rounding": cash - quantity * price,
            }
        )
        self._filled.append(
            {
                "order": order["id"],
                "status": OrderStatus.FILLED,
                "filled_quantity": quantity,
                "filled_value": value,
                "filled_cash": round_cents(value),
                "filled_at": now,
                "updated_at": now,
                "due_at": None,
                "reserved": ZERO,
            }
        )
        self._move((account, order["symbol"]), -quantity if selling else quantity, cash)

    def write(self) -> int:
        """Write everything that moved; the number of orders filled."""
        connection = self._connection
        if self._fills:
            connection.execute(insert(fills), self._fills)
        for changed in (self._filled, self._expired, self._later):
            if changed:
                connection.execute(_CHANGE_ORDER, changed)
        if self._paid:
            cash = [{"account": account, "cash": self._cash[account]} for account in sorted(self._paid)]
            connection.execute(_CHANGE_CASH, cash)
        self._write_positions()
        return len(self._filled)

    def _end(self, order: Row) -> None:
        now = self._now
        ended = {"status": OrderStatus.EXPIRED, "expired_at": now, "updated_at": now, "due_at": None, "reserved": ZERO}
        self._expired.append({"order": order["id"], **ended})

    def _affordable(self, account: str, price: Decimal) -> Decimal:
        """How many shares the account can pay for with the cash that its other open buys do not reserve."""
        return quantity_of(max(ZERO, self._cash[account] - self._reserved.get(account, ZERO)), price)

    def _release(self, order: Row) -> None:
        if order["side"] == Side.BUY:
            self._reserved[order["account_id"]] -= order["reserved"]

    def _move(self, key: _Key, shares: Decimal, cash: Decimal) -> None:
        account = key[0]
        self._cash[account] -= cash if shares > 0 else -cash
        self._paid.add(account)
        quantity, basis = self._held.get(key, (ZERO, ZERO))
        left = quantity + shares
        if shares > 0:
            self._held[key] = (left, basis + cash)
        else:
            # A sale takes its proportion of the cost basis with it.
            self._held[key] = (left, round_to(basis * left / quantity, CENT, ROUND_HALF_UP))

    def _write_positions(self) -> None:
        opened, changed, closed = [], [], []
        for (account, symbol), (quantity, basis) in self._held.items():
            before = self._read.get((account, symbol))
            lot = {"quantity": quantity, "cost_basis": basis}
            if before is None and quantity:
                opened.append({"account_id": account, "symbol": symbol, **lot})
            elif before is not None and not quantity:
                closed.append({"account": account, "of": symbol})
            elif before is not None and before != (quantity, basis):
                changed.append({"account": account, "of": symbol, **lot})
        if opened:
            self._connection.execute(insert(positions), opened)
        if changed:
            self._connection.execute(_CHANGE_POSITION, changed)
        if closed:
            self._connection.execute(_CLOSE_POSITION, closed)
