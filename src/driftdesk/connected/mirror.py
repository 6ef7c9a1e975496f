"""What brokerages say of their accounts, written into the store: accounts, assets, prices, cash and holdings.

Balances follow the brokerage, so that they are right however they came about; orders are of `connected.bookings`.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from driftdesk.backend.ledger import OUTSIDE, USD, Balances, Transfer
from driftdesk.backend.store.tables import accounts, assets, orders, positions, price_marks
from driftdesk.backend.world import World
from driftdesk.engine.snapshot import Quote, Snapshot, Symbol
from driftdesk.money import (
    ZERO,
    cash_of,
    exact,
    floor_quantity,
)
from driftdesk.wire.snaptrade import accounts as wire
from driftdesk.wire.snaptrade.served import BrokerageInstrument

ACTIVE: Final = "ACTIVE"
CLOSED: Final = "ACCOUNT_CLOSED"
# Entries of the ledger that take over what the brokerage says.
MIRRORED: Final = "mirror"

_SHARES: Final = "us_equity"
_KNOWN_ASSETS: Final = select(assets.c.symbol).where(assets.c.symbol.in_(bindparam("symbols", expanding=True)))
_OPEN: Final = select(orders).where(orders.c.account_id == bindparam("account"), orders.c.due_at.is_not(None))
_NAMED: Final = select(orders).where(
    orders.c.account_id == bindparam("account"), orders.c.broker_order_id.in_(bindparam("ids", expanding=True))
)
_CHANGE: Final = update(orders).where(orders.c.id == bindparam("order"))
_MARKS: Final = select(price_marks.c.symbol, price_marks.c.price)
_EXCHANGES: Final = {"ARCX": "ARCA", "XNAS": "NASDAQ", "XNYS": "NYSE", "BATS": "BATS", "XASE": "AMEX"}
_LETTERS: Final = re.compile("[^A-Za-z0-9]+")


class Mirror:
    """Writes what was read, inside the write transactions of its callers. All instants are timezone-aware."""

    def __init__(self, world: World) -> None:
        self._world = world

    def enter(self, connection: Connection, account: wire.Account, now: datetime) -> str:
        """The id of the account, which is entered where it is new; name and status are brought up to date."""
        listed = account.status in (None, "open")
        values = {"name": account.name or account.number or account.id, "status": ACTIVE if listed else CLOSED}
        known = connection.execute(update(accounts).where(accounts.c.id == account.id).values(values)).rowcount
        if not known:
            number = self._number(connection, account)
            new = {"id": account.id, "number": number, "cash": ZERO, "created_at": now}
            connection.execute(insert(accounts).values({**values, **new}))
        return account.id

    def close_others(self, connection: Connection, listed: Collection[str]) -> None:
        """Accounts that SnapTrade lists no more: their connection was removed, and they take no orders."""
        gone = "SnapTrade does not list this account any more: its connection was removed."
        connection.execute(
            update(accounts)
            .where(accounts.c.id.not_in(list(listed)))
            .values(status=CLOSED, problem=gone, refusal=gone, notes="[]")
        )

    def tell(
        self,
        connection: Connection,
        account_id: str,
        *,
        problem: str | None,
        refusal: str | None,
        notes: Sequence[str],
    ) -> None:
        """Keep what a person should know of the account, each in a sentence."""
        told = {"problem": problem, "refusal": refusal, "notes": json.dumps(list(notes))}
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(told))

    def unknown(self, connection: Connection, symbols: Iterable[str]) -> list[str]:
        """Those of `symbols` that are no asset here yet."""
        wanted = sorted(set(symbols))
        here = set(connection.scalars(_KNOWN_ASSETS, {"symbols": wanted}))
        return [symbol for symbol in wanted if symbol not in here]

    def learn(
        self,
        connection: Connection,
        symbols: Iterable[str],
        known: Mapping[str, BrokerageInstrument],
        classes: Mapping[Symbol, str],
    ) -> None:
        """Enter assets that are new here; what a brokerage does not say of one is not a no (issue 5)."""
        rows = []
        for symbol in self.unknown(connection, symbols):
            said = known.get(symbol)
            rows.append(
                {
                    "symbol": symbol,
                    "id": self._world.new_id("asset", symbol),
                    "name": symbol,
                    "exchange": _EXCHANGES.get(said.exchange_mic or "", "") if said else "",
                    "tradable": said is None or said.tradeable is not False,
                    "fractionable": said is None or said.fractionable is not False,
                    "halted": False,
                    "asset_class": classes.get(Symbol(symbol), _SHARES),
                }
            )
        if rows:
            connection.execute(insert(assets), rows)

    def relearn(self, connection: Connection, said: Mapping[str, BrokerageInstrument]) -> None:
        """Bring what may be done with assets that are known here up to date, as far as a brokerage says it."""
        for symbol in said.keys() & set(connection.scalars(select(assets.c.symbol))):
            now = {"tradable": said[symbol].tradeable, "fractionable": said[symbol].fractionable}
            values = {name: value for name, value in now.items() if value is not None}
            if values:
                connection.execute(update(assets).where(assets.c.symbol == symbol).values(values))

    def mark(self, connection: Connection, quotes: Iterable[Quote]) -> None:
        """Take over prices (USD), each with the instant it is of; a symbol that has none any more loses its own."""
        for quote in quotes:
            connection.execute(price_marks.delete().where(price_marks.c.symbol == quote.symbol))
            if quote.price is not None and quote.at is not None:
                connection.execute(insert(price_marks).values(symbol=quote.symbol, price=quote.price, at=quote.at))

    @exact
    def balance(self, connection: Connection, snapshot: Snapshot, costs: Mapping[Symbol, Decimal]) -> None:
        """Take over cash and holdings; what differs from ours is booked as coming from outside or going there.

        `costs` in USD a share, as far as the brokerage says; else shares that came in cost what they are worth.
        """
        account, at = snapshot.account_id, snapshot.as_of
        worth = {quote.symbol: quote.price or ZERO for quote in snapshot.quotes} | dict(costs)
        balances = Balances(connection, [account])
        held = {holding.symbol: floor_quantity(holding.quantity) for holding in snapshot.holdings}
        before = {
            Symbol(row.symbol): row.quantity
            for row in connection.execute(select(positions).where(positions.c.account_id == account))
        }
        moves = [_move(account, USD, snapshot.cash - balances.cash(account), ZERO)]
        for symbol in sorted(held.keys() | before.keys()):
            change = held.get(symbol, ZERO) - before.get(symbol, ZERO)
            moves.append(_move(account, symbol, change, cash_of(abs(change), worth.get(symbol, ZERO))))
        balances.post(at, MIRRORED, account, moves)
        balances.write()

    def _number(self, connection: Connection, account: wire.Account) -> str:
        """The account's number without the marks that hide its beginning; one that is taken gets its id beside it."""
        number = _LETTERS.sub("", account.number or "")[-12:] or account.id[:8]
        taken = connection.scalar(select(accounts.c.id).where(accounts.c.number == number))
        return number if taken is None else f"{number}-{account.id[:6]}"


def _move(account: str, asset: str, change: Decimal, cost: Decimal) -> Transfer:
    if change >= ZERO:
        return Transfer(asset, OUTSIDE, account, change, cost)
    return Transfer(asset, account, OUTSIDE, -change)
