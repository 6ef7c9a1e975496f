"""Fills and flows of the store as entries of one list, and as messages of the wire."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Subquery, and_, func, literal, null, or_, select, union_all

from driftdesk.backend.ledger import DIVIDEND
from driftdesk.backend.store.tables import accounts, fills, flows, orders
from driftdesk.engine.schedule import new_york_date
from driftdesk.engine.snapshot import Side
from driftdesk.money import ZERO, quantity_of
from driftdesk.wire.activities import NonTradeActivity, TradeActivity
from driftdesk.wire.orders import OrderStatus

FILL, DEPOSIT, WITHDRAWAL, INCOME = "FILL", "CSD", "CSW", "DIV"
# The table of an entry; money moves before shares do at the same instant.
MONEY, TRADE = 0, 1
# Of the 128 bits of an entry's UUID: the table above bit 80, version 8 and its variant, the row in the lowest 62.
SOURCE_SHIFT, ROW_BITS = 80, 62
_VERSION_8: Final = 8 << 76 | 2 << 62
OPENING: Final = "opening"
# Fewer than a database takes as the parameters of one statement.
_IDS_A_QUERY: Final = 500

Entry = Row[*tuple[Any, ...]]


class CashMove(NamedTuple):
    """Cash that came in (positive; CSD, or DIV for a dividend) or left (CSW) at an instant, in USD."""

    at: datetime
    kind: str
    amount: Decimal


def entries_of(account_id: str | None, types: Sequence[str]) -> Subquery | None:
    """Fills and flows as rows of one table; None where none of `types` occurs here."""
    parts: list[Select[Any]] = []
    if FILL in types:
        parts.append(
            select(
                fills.c.at,
                literal(TRADE).label("source"),
                fills.c.id.label("row"),
                fills.c.account_id,
                fills.c.order_id.label("what"),
                fills.c.symbol,
                fills.c.side,
                fills.c.quantity,
                fills.c.price,
                fills.c.cash,
            )
        )
    paid_in = flows.c.kind != DIVIDEND
    of_type = {
        DEPOSIT: and_(paid_in, flows.c.amount >= ZERO),
        WITHDRAWAL: and_(paid_in, flows.c.amount < ZERO),
        INCOME: ~paid_in,
    }
    wanted = [rows for name, rows in of_type.items() if name in types]
    if wanted:
        blank = (null().label(name) for name in ("symbol", "side", "quantity", "price"))
        parts.append(
            select(
                flows.c.at,
                literal(MONEY).label("source"),
                flows.c.id.label("row"),
                flows.c.account_id,
                flows.c.kind.label("what"),
                *blank,
                flows.c.amount.label("cash"),
            ).where(or_(*wanted))
        )
    if account_id is not None:
        parts = [part.where(part.selected_columns.account_id == account_id) for part in parts]
    return union_all(*parts).subquery() if parts else None


def id_of(at: datetime, source: int, row: int) -> str:
    """The id of the entry that stands at `at` in the row `row` of a table (MONEY or TRADE)."""
    instant = at.astimezone(UTC)
    number = source << SOURCE_SHIFT | _VERSION_8 | row
    return f"{instant:%Y%m%d%H%M%S}{instant.microsecond // 1000:03d}::{UUID(int=number)}"


def cash_moves(connection: Connection, account_id: str) -> list[CashMove]:
    """Every deposit and withdrawal of an account, oldest first."""
    query = select(flows).where(flows.c.account_id == account_id).order_by(flows.c.at, flows.c.id)
    rows = connection.execute(query).all()
    opened = opening_cash(connection, {account_id})
    return [
        CashMove(row.at, _type(row.kind, row.amount), _cash(row.kind, row.amount, account_id, opened)) for row in rows
    ]


def opening_cash(connection: Connection, account_ids: Iterable[str]) -> dict[str, Decimal]:
    """The cash that accounts were opened with: what they have, less what fills and other flows have moved since.

    The row of an opening has the worth of the positions in it too, which are no cash.
    """
    found: dict[str, Decimal] = {}
    for some in _pieces(account_ids):
        for account in connection.execute(select(accounts.c.id, accounts.c.cash).where(accounts.c.id.in_(some))):
            found[account.id] = account.cash
        for paid in connection.execute(
            select(flows.c.account_id, func.sum(flows.c.amount).label("cash"))
            .where(flows.c.account_id.in_(some), flows.c.kind != OPENING)
            .group_by(flows.c.account_id)
        ):
            found[paid.account_id] -= paid.cash
        for traded in connection.execute(
            select(fills.c.account_id, fills.c.side, func.sum(fills.c.cash).label("cash"))
            .where(fills.c.account_id.in_(some))
            .group_by(fills.c.account_id, fills.c.side)
        ):
            found[traded.account_id] += traded.cash if traded.side == Side.BUY else -traded.cash
    return found


def fills_of(connection: Connection, order_ids: Iterable[str]) -> dict[str, list[Entry]]:
    """Every fill of each order, oldest first, with what its order says."""
    found: dict[str, list[Entry]] = {}
    for some in _pieces(order_ids):
        query = (
            select(
                fills.c.id,
                fills.c.order_id,
                fills.c.quantity,
                fills.c.cash,
                orders.c.status,
                orders.c.quantity.label("ordered"),
                orders.c.notional,
            )
            .join(orders, orders.c.id == fills.c.order_id)
            .where(fills.c.order_id.in_(some))
            .order_by(fills.c.id)
        )
        for row in connection.execute(query):
            found.setdefault(row.order_id, []).append(row)
    return found


def money_message(row: Entry, opened: dict[str, Decimal]) -> NonTradeActivity:
    """The entry of money that moved; of an opening the cash in it, of which `opened` tells by account."""
    cash = _cash(row.what, row.cash, row.account_id, opened)
    positions = row.cash - cash
    return NonTradeActivity(
        id=id_of(row.at, row.source, row.row),
        account_id=row.account_id,
        activity_type=_type(row.what, row.cash),
        date=new_york_date(row.at).isoformat(),
        net_amount=cash,
        description=f"{row.what}, with positions worth {positions} USD" if positions else row.what,
        status="executed",
    )


def trade_message(row: Entry, filled: Sequence[Entry]) -> TradeActivity:
    """The entry of one fill among all of its order, oldest first."""
    so_far = [fill for fill in filled if fill.id <= row.row]
    last = so_far[-1]
    done = len(so_far) == len(filled) and last.status == OrderStatus.FILLED
    quantity = sum((fill.quantity for fill in so_far), ZERO)
    if done:
        left = ZERO
    elif last.ordered is not None:
        left = last.ordered - quantity
    else:
        left = quantity_of(last.notional - sum((fill.cash for fill in so_far), ZERO), row.price)
    return TradeActivity(
        id=id_of(row.at, row.source, row.row),
        account_id=row.account_id,
        activity_type=FILL,
        transaction_time=row.at,
        type="fill" if done else "partial_fill",
        price=row.price,
        qty=row.quantity,
        side=row.side,
        symbol=row.symbol,
        leaves_qty=left,
        order_id=row.what,
        cum_qty=quantity,
        order_status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
    )


def _type(kind: str, amount: Decimal) -> str:
    if kind == DIVIDEND:
        return INCOME
    return DEPOSIT if amount >= ZERO else WITHDRAWAL


def _pieces(ids: Iterable[str]) -> Iterator[list[str]]:
    listed = sorted(ids)
    for first in range(0, len(listed), _IDS_A_QUERY):
        yield listed[first : first + _IDS_A_QUERY]


def _cash(kind: str, amount: Decimal, account_id: str, opened: dict[str, Decimal]) -> Decimal:
    return opened[account_id] if kind == OPENING else amount
