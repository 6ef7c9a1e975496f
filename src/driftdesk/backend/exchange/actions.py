"""Corporate actions: splits, cash dividends, delisting. A halt is a flag of the asset (service/simulation.py).

A split multiplies the shares held, floored to nine decimals, and divides the price; what is open in the symbol is
canceled, because its terms speak of the old shares. A dividend pays its amount per share, half-up to the cent.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import gcd
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.exchange.terms import LARGEST_ORDER
from driftdesk.backend.feeds.history import PRICE_LIMIT
from driftdesk.backend.ledger import DIVIDEND, MARKET, OUTSIDE, USD, Balances, Transfer
from driftdesk.backend.store.tables import assets, flows, orders, positions, price_marks
from driftdesk.errors import InputError
from driftdesk.money import ZERO, cash_of, exact, floor_quantity, round_price
from driftdesk.wire.orders import OrderStatus

_LARGEST_RATIO: Final = 1000
_HOLDERS: Final = select(positions).where(positions.c.symbol == bindparam("of")).order_by(positions.c.account_id)
_OPEN: Final = (
    select(orders)
    .where(orders.c.symbol == bindparam("of"), orders.c.due_at.is_not(None))
    .order_by(orders.c.submitted_at, book.ARRIVAL)
)


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
    """Split the symbol's shares from now on: positions, its price, the orders that are open in it.

    Raises InputError where a number of shares or a price would be beyond what can be recorded; nothing is split then.
    """
    asset = connection.execute(select(assets.c.split_to, assets.c.split_from).where(assets.c.symbol == symbol)).one()
    to, before = asset.split_to * ratio.new, asset.split_from * ratio.old
    common = gcd(to, before)
    mark = connection.scalar(select(price_marks.c.price).where(price_marks.c.symbol == symbol))
    price = None if mark is None else round_price(mark * ratio.old / ratio.new)
    if max(to, before) > _LARGEST_RATIO * common or not (price is None or ZERO < price < PRICE_LIMIT):
        raise _too_far(
            symbol, ratio, f"all splits of it together from 1 for {_LARGEST_RATIO} to {_LARGEST_RATIO} for 1"
        )
    holders = connection.execute(_HOLDERS, {"of": symbol}).all()
    balances = Balances(connection, [row.account_id for row in holders])
    for row in holders:
        shares = floor_quantity(row.quantity * ratio.new / ratio.old)
        if shares > LARGEST_ORDER:
            raise _too_far(symbol, ratio, f"at most {LARGEST_ORDER} shares in an account")
        # All of the old shares go and all of the new ones come, so that the cost basis stays.
        exchanged = [
            Transfer(symbol, row.account_id, MARKET, row.quantity),
            Transfer(symbol, MARKET, row.account_id, shares, cost=row.cost_basis),
        ]
        balances.post(now, "split", symbol, exchanged)
    balances.write()
    cancel_open(connection, symbol, now, f"{symbol} was split {ratio.new} for {ratio.old}")
    connection.execute(
        update(assets).where(assets.c.symbol == symbol).values(split_to=to // common, split_from=before // common)
    )
    if price is not None:
        # Since when it holds stays: it counts for the closes since then, in the new shares.
        connection.execute(update(price_marks).where(price_marks.c.symbol == symbol).values(price=price))


@exact
def pay_dividend(connection: Connection, symbol: str, per_share: Decimal, now: datetime) -> dict[str, Decimal]:
    """Pay `per_share` (USD) on every share held now; what each account got (USD)."""
    if not ZERO < per_share < PRICE_LIMIT or per_share != round_price(per_share):
        raise InputError(
            f"per_share must be positive, below {PRICE_LIMIT}, with at most four decimals; received {per_share}.",
            field="per_share",
            received=per_share,
            allowed="USD with at most four decimals",
        )
    amounts = {
        row.account_id: cash_of(row.quantity, per_share) for row in connection.execute(_HOLDERS, {"of": symbol}).all()
    }
    paid = {account_id: amount for account_id, amount in amounts.items() if amount}
    if paid:
        balances = Balances(connection, paid)
        for account_id, amount in paid.items():
            balances.post(now, DIVIDEND, symbol, [Transfer(USD, OUTSIDE, account_id, amount)])
        balances.write()
        came_in = [{"account_id": to, "at": now, "kind": DIVIDEND, "amount": amount} for to, amount in paid.items()]
        connection.execute(insert(flows), came_in)
    return paid


def delist(connection: Connection, symbol: str, now: datetime) -> None:
    """End trading in the symbol for good; what is open in it is canceled, what is held stays."""
    cancel_open(connection, symbol, now, f"{symbol} was delisted")
    connection.execute(
        update(assets).where(assets.c.symbol == symbol).values(tradable=False, delisted_at=now, halted=False)
    )


def cancel_open(connection: Connection, symbol: str, now: datetime, reason: str) -> None:
    """Cancel every open order in the symbol, with the reason."""
    rows = connection.execute(_OPEN, {"of": symbol}).mappings().all()
    book.set_status(connection, rows, OrderStatus.CANCELED, now, reason)


def _too_far(symbol: str, ratio: Ratio, allowed: str) -> InputError:
    return InputError(
        f"{symbol} cannot be split {ratio.new} for {ratio.old}; allowed are {allowed}, at prices from 0.0001 USD.",
        field="new",
        received=ratio.new,
        allowed=allowed,
    )
