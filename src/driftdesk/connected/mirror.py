"""What brokerages say of their accounts, written into the store: accounts, prices, cash, holdings, orders and fills.

Balances follow the brokerage, so that they are right however they came about. What an order of ours has filled is
booked at once, as the simulated exchange books it: a brokerage may tell of the cash minutes later, and the buys of a
run wait for it. The brokerage's own word counts again when nothing of ours is under way.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from driftdesk.backend.exchange import book
from driftdesk.backend.ledger import OUTSIDE, USD, Balances, Transfer, trade
from driftdesk.backend.store.tables import accounts, assets, fills, order_events, orders, positions, price_marks
from driftdesk.backend.store.types import Row
from driftdesk.backend.world import World
from driftdesk.connected.records import Seen, read_record, value_of
from driftdesk.engine.snapshot import AccountId, Quote, Side, Snapshot, Symbol, dearest_price
from driftdesk.money import (
    PRICE_STEP,
    ZERO,
    cash_of,
    exact,
    floor_quantity,
    quantity_of,
    round_cents,
    round_price,
)
from driftdesk.wire.orders import FINAL_ORDER_STATUSES, OrderStatus
from driftdesk.wire.snaptrade import accounts as wire
from driftdesk.wire.snaptrade.orders import OrderRecord
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

    def take_orders(
        self,
        connection: Connection,
        account_id: str,
        records: Iterable[OrderRecord],
        now: datetime,
        next_look: datetime,
    ) -> int:
        """Take over what became of the account's orders; how many of them traded.

        Fills of orders that we sent are booked; of others the balances tell.
        """
        seen = {found.broker_order_id: found for record in records if (found := read_record(record)) is not None}
        asked = {"account": account_id, "ids": list(seen)}
        rows = {row["broker_order_id"]: row for row in connection.execute(_NAMED, asked).mappings()}
        traded = 0
        for name, found in seen.items():
            row = rows.get(name)
            if row is None:
                self._add_theirs(connection, AccountId(account_id), found, now, next_look)
            else:
                traded += self.take(connection, row, found, now, next_look)
        return traded

    @exact
    def take(self, connection: Connection, row: Row, seen: Seen, now: datetime, next_look: datetime) -> bool:
        """Bring one order up to what was seen of it; whether it traded since. `row` is the order as it stands now."""
        if row["due_at"] is None:
            return False
        ids, marks = book.EventIds(connection), self._marks(connection)
        changes: dict[str, Any] = {}
        events = []
        filled = seen.filled - row["filled_quantity"]
        value = value_of(seen, marks.get(seen.symbol))
        traded = filled > ZERO and value is not None
        final = seen.status in FINAL_ORDER_STATUSES
        # A brokerage that was asked to cancel may say for a while that the order is as it was.
        canceling = row["status"] == OrderStatus.PENDING_CANCEL and not final
        if traded and value is not None:
            after = {"filled_quantity": seen.filled, "filled_value": value, "filled_cash": round_cents(value)}
            status = OrderStatus.FILLED if seen.status is OrderStatus.FILLED else OrderStatus.PARTIALLY_FILLED
            price = max(PRICE_STEP, round_price((value - row["filled_value"]) / filled))
            position = self._book_fill(connection, row, after, _filled_at(row, seen, now), price)
            changes |= after
            told = book.event(ids, {**row, **changes}, status, now, fill=(price, filled, position))
            events.append(told)
        if (seen.status != row["status"] and not canceling) or final:
            changes |= book.status_changes(seen.status, now)
            if not (traded and seen.status in (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)):
                events.append(book.event(ids, {**row, **changes}, seen.status, now))
        if not final:
            current = {**row, **changes}
            changes |= {"due_at": next_look, "reserved": reserved(current, marks.get(Symbol(row["symbol"])))}
        changes["updated_at"] = now
        connection.execute(_CHANGE, {"order": row["id"], **changes})
        if events:
            connection.execute(insert(order_events), events)
        return traded

    def adopt(self, connection: Connection, order_id: str, seen: Seen, now: datetime, next_look: datetime) -> None:
        """Take what was seen for the order `order_id` of ours, whose name at the brokerage was not known.

        What was entered for it meanwhile as somebody else's order goes.
        """
        row = connection.execute(select(orders).where(orders.c.id == order_id)).mappings().one()
        theirs = (orders.c.account_id == row["account_id"], orders.c.client_order_id == seen.broker_order_id)
        for entered in connection.scalars(select(orders.c.id).where(*theirs, orders.c.id != order_id)).all():
            for table in (fills, order_events):
                connection.execute(table.delete().where(table.c.order_id == entered))
            connection.execute(orders.delete().where(orders.c.id == entered))
        name = {"broker_order_id": seen.broker_order_id}
        connection.execute(_CHANGE, {"order": order_id, **name})
        self.take(connection, {**row, **name}, seen, now, next_look)

    def reserve(self, connection: Connection, account_id: str) -> None:
        """What open orders hold back, at the prices of now."""
        marks = self._marks(connection)
        for row in connection.execute(_OPEN, {"account": account_id}).mappings().all():
            values = {"order": row["id"], "reserved": reserved(row, marks.get(Symbol(row["symbol"])))}
            connection.execute(_CHANGE, values)

    def _add_theirs(
        self, connection: Connection, account_id: AccountId, seen: Seen, now: datetime, next_look: datetime
    ) -> None:
        """Enter an order that was not sent from here: it goes by the brokerage's id, the balances have its cash."""
        final = seen.status in FINAL_ORDER_STATUSES
        request = seen.request(account_id)
        marks = self._marks(connection)
        value = value_of(seen, marks.get(seen.symbol)) or ZERO
        values = {
            **book.status_changes(seen.status, seen.executed_at or now),
            "status": seen.status,
            "broker_order_id": seen.broker_order_id,
            "filled_quantity": seen.filled,
            "filled_value": value,
            "filled_cash": round_cents(value),
            "due_at": None if final else next_look,
        }
        # Entered at the instant at which it was placed, so that lists by time show it there.
        order_id = self._world.new_id("order", account_id, seen.broker_order_id)
        row = book.order_row(order_id, request, seen.placed_at or now, **values)
        if not final:
            row["reserved"] = reserved(row, marks.get(seen.symbol))
        book.add(connection, [row])

    def _book_fill(
        self, connection: Connection, row: Row, after: Mapping[str, Decimal], at: datetime, price: Decimal
    ) -> Decimal:
        """Write the fill; the shares held after it. Cash and shares move for our own orders only."""
        account, symbol = row["account_id"], row["symbol"]
        quantity = after["filled_quantity"] - row["filled_quantity"]
        value = after["filled_value"] - row["filled_value"]
        cash = after["filled_cash"] - row["filled_cash"]
        balances = Balances(connection, [account])
        if row["client_order_id"] != row["broker_order_id"] and cash >= ZERO:
            moves = trade(row["side"] == Side.BUY, account, symbol, quantity, value, cash)
            balances.post(at, "fill", row["id"], moves)
            balances.write()
        connection.execute(
            insert(fills).values(
                order_id=row["id"],
                account_id=account,
                symbol=symbol,
                side=row["side"],
                at=at,
                quantity=quantity,
                price=price,
                cash=cash,
                rounding=cash - value,
            )
        )
        return balances.held(account, symbol)

    def _marks(self, connection: Connection) -> dict[Symbol, Decimal]:
        return {Symbol(row.symbol): row.price for row in connection.execute(_MARKS)}

    def _number(self, connection: Connection, account: wire.Account) -> str:
        """The account's number without the marks that hide its beginning; one that is taken gets its id beside it."""
        number = _LETTERS.sub("", account.number or "")[-12:] or account.id[:8]
        taken = connection.scalar(select(accounts.c.id).where(accounts.c.number == number))
        return number if taken is None else f"{number}-{account.id[:6]}"


@exact
def reserved(row: Row, price: Decimal | None) -> Decimal:
    """What the rest of an open order holds back: USD of a buy, shares of a sell. Without a price, nothing is known."""
    quantity: Decimal = row["quantity"] or ZERO
    spent: Decimal = row["filled_cash"]
    if row["quantity"] is None:
        left = max(ZERO, row["notional"] - spent)
        return left if row["side"] == Side.BUY else (quantity_of(left, price) if price else ZERO)
    if row["side"] == Side.SELL:
        left_over: Decimal = quantity - row["filled_quantity"]
        return max(ZERO, left_over)
    dearest = dearest_price(price or ZERO, row["limit_price"], row["stop_price"])
    return max(ZERO, cash_of(quantity, dearest) - spent)


def _filled_at(row: Row, seen: Seen, now: datetime) -> datetime:
    """When it was filled as far as it is said: some brokerages tell the day only."""
    said = seen.executed_at
    return now if said is None or not row["submitted_at"] <= said <= now else said


def _move(account: str, asset: str, change: Decimal, cost: Decimal) -> Transfer:
    if change >= ZERO:
        return Transfer(asset, OUTSIDE, account, change, cost)
    return Transfer(asset, account, OUTSIDE, -change)
