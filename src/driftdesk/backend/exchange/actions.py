"""Corporate actions: splits, cash dividends, delisting. A halt is a flag of the asset (service/simulation.py).

A split multiplies the shares held, floored to nine decimals, and divides the price; what is open in the symbol is
canceled, because its terms speak of the old shares. A dividend pays its amount per share, half-up to the cent.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import gcd

from sqlalchemy import Connection, insert, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.ledger import DIVIDEND, MARKET, OUTSIDE, USD, Transfer, post
from driftdesk.backend.store.tables import assets, flows, orders, positions, price_marks
from driftdesk.errors import InputError
from driftdesk.money import ZERO, cash_of, exact, floor_quantity, round_price
from driftdesk.wire.orders import OrderStatus

_LARGEST_RATIO = 1000


@dataclass(frozen=True, slots=True)
class Ratio:
    """`new` shares for `old` ones: 4 for 1, or 1 for 10 in a reverse split."""

    new: int
    old: int

    def __post_init__(self) -> None:
        for field, value in (("new", self.new), ("old", self.old)):
            if not 0 < value <= _LARGEST_RATIO:
                raise InputError(f"{field} must be from 1 to {_LARGEST_RATIO}; received {value}.", field=field)
        if self.new == self.old:
            raise InputError("A split of as many new shares as old ones changes nothing.", field="new")


@exact
def split(connection: Connection, symbol: str, ratio: Ratio, now: datetime) -> None:
    """Split the symbol's shares from now on: positions, its price, the orders that are open in it."""
    cancel_open(connection, symbol, now, f"{symbol} was split {ratio.new} for {ratio.old}")
    for row in connection.execute(select(positions).where(positions.c.symbol == symbol)).all():
        shares = floor_quantity(row.quantity * ratio.new / ratio.old)
        # All of the old shares go and all of the new ones come, so that the cost basis stays.
        exchanged = [
            Transfer(symbol, row.account_id, MARKET, row.quantity),
            Transfer(symbol, MARKET, row.account_id, shares, cost=row.cost_basis),
        ]
        post(connection, now, "split", symbol, exchanged)
    asset = connection.execute(select(assets.c.split_to, assets.c.split_from).where(assets.c.symbol == symbol)).one()
    to, before = asset.split_to * ratio.new, asset.split_from * ratio.old
    common = gcd(to, before)
    connection.execute(
        update(assets).where(assets.c.symbol == symbol).values(split_to=to // common, split_from=before // common)
    )
    mark = connection.scalar(select(price_marks.c.price).where(price_marks.c.symbol == symbol))
    if mark is not None:
        price = round_price(mark * ratio.old / ratio.new)
        # Since when it holds stays: it counts for the closes since then, in the new shares.
        connection.execute(update(price_marks).where(price_marks.c.symbol == symbol).values(price=price))


@exact
def pay_dividend(connection: Connection, symbol: str, per_share: Decimal, now: datetime) -> dict[str, Decimal]:
    """Pay `per_share` (USD) on every share held now; what each account got (USD)."""
    if not per_share > ZERO or per_share != round_price(per_share):
        raise InputError(
            f"per_share must be positive with at most four decimals; received {per_share}.",
            field="per_share",
            received=per_share,
            allowed="USD with at most four decimals",
        )
    paid: dict[str, Decimal] = {}
    for row in connection.execute(select(positions).where(positions.c.symbol == symbol)).all():
        amount = cash_of(row.quantity, per_share)
        if amount == ZERO:
            continue
        post(connection, now, DIVIDEND, symbol, [Transfer(USD, OUTSIDE, row.account_id, amount)])
        connection.execute(insert(flows).values(account_id=row.account_id, at=now, kind=DIVIDEND, amount=amount))
        paid[row.account_id] = amount
    return paid


def delist(connection: Connection, symbol: str, now: datetime) -> None:
    """End trading in the symbol for good; what is open in it is canceled, what is held stays."""
    cancel_open(connection, symbol, now, f"{symbol} was delisted")
    connection.execute(
        update(assets).where(assets.c.symbol == symbol).values(tradable=False, delisted_at=now, halted=False)
    )


def cancel_open(connection: Connection, symbol: str, now: datetime, reason: str) -> None:
    """Cancel every open order in the symbol, with the reason."""
    for row in (
        connection.execute(select(orders).where(orders.c.symbol == symbol, orders.c.due_at.is_not(None)))
        .mappings()
        .all()
    ):
        book.set_status(connection, row, OrderStatus.CANCELED, now, reason)
