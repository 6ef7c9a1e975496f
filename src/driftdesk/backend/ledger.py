"""The ledger: every movement of cash or shares takes from one account and gives to another (double entry).

Beside the customers' accounts there are three of the house: `OUTSIDE`, where deposits and transferred shares come from;
`MARKET`, the other side of every trade; `ROUNDING`, which holds what trades differ from whole cents (rules.md 1.4). One
entry names both sides, so the sum over all accounts is zero by construction; the balances in `accounts` and `positions`
are kept beside, by this file alone, and `check_balances` finds them equal to the sums of the entries.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from driftdesk.backend.store.tables import accounts, ledger, positions
from driftdesk.money import CENT, ZERO, exact, format_decimal, round_to

USD: Final = "USD"
OUTSIDE, MARKET, ROUNDING = "outside", "market", "rounding"
# The kind of entry, and of flow, that pays a dividend: income of the account, not money put into it.
DIVIDEND: Final = "dividend"
HOUSE: Final = frozenset({OUTSIDE, MARKET, ROUNDING})
# A statement of SQLite takes 32,766 values; a dividend may be for more accounts.
_IDS_AT_ONCE: Final = 10_000

_CASH: Final = select(accounts.c.id, accounts.c.cash).where(accounts.c.id.in_(bindparam("ids", expanding=True)))
_HELD: Final = select(positions).where(positions.c.account_id.in_(bindparam("ids", expanding=True)))
_CHANGE_CASH: Final = update(accounts).where(accounts.c.id == bindparam("account"))
_OPEN_LOT: Final = insert(positions)
_THIS_LOT: Final = (positions.c.account_id == bindparam("account"), positions.c.symbol == bindparam("of"))
_CHANGE_LOT: Final = update(positions).where(*_THIS_LOT)
_CLOSE_LOT: Final = delete(positions).where(*_THIS_LOT)

_Key = tuple[str, str]
_Lot = tuple[Decimal, Decimal]
_NOTHING: Final = (ZERO, ZERO)


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount` of `asset` (USD, or shares of a symbol) from one account to another; never negative.

    `cost` (USD) is what shares that come into a customer's account cost; shares that leave take their proportion.
    """

    asset: str
    source: str
    target: str
    amount: Decimal
    cost: Decimal = ZERO


class Balances:
    """Cash and positions of some customers' accounts: read once, moved in memory with every entry, written once.

    A settlement of many orders takes a handful of statements, however many there are.
    """

    def __init__(self, connection: Connection, account_ids: Collection[str]) -> None:
        self._connection = connection
        self._cash: dict[str, Decimal] = {}
        # Quantity and cost basis, as they were read and as they are now.
        self._read: dict[_Key, _Lot] = {}
        wanted = list(account_ids)
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            ids = {"ids": wanted[start : start + _IDS_AT_ONCE]}
            self._cash |= {row.id: row.cash for row in connection.execute(_CASH, ids)}
            self._read |= {
                (row.account_id, row.symbol): (row.quantity, row.cost_basis) for row in connection.execute(_HELD, ids)
            }
        self._held = dict(self._read)
        self._moved: set[str] = set()
        self._entries: list[dict[str, Any]] = []

    def cash(self, account_id: str) -> Decimal:
        """The account's cash (USD)."""
        return self._cash[account_id]

    def held(self, account_id: str, symbol: str) -> Decimal:
        """Shares of the symbol that the account holds."""
        return self._held.get((account_id, symbol), _NOTHING)[0]

    @exact
    def post(self, at: datetime, kind: str, reference: str, transfers: Iterable[Transfer]) -> None:
        """Record transfers and move the balances; transfers of nothing are left out."""
        for transfer in transfers:
            if transfer.amount == ZERO:
                continue
            assert transfer.amount > ZERO
            self._entries.append(
                {
                    "at": at,
                    "kind": kind,
                    "reference": reference,
                    "asset": transfer.asset,
                    "source": transfer.source,
                    "target": transfer.target,
                    "amount": transfer.amount,
                }
            )
            for account, change in ((transfer.source, -transfer.amount), (transfer.target, transfer.amount)):
                if account in HOUSE:
                    continue
                if transfer.asset == USD:
                    self._cash[account] += change
                    self._moved.add(account)
                else:
                    self._move_shares((account, transfer.asset), change, transfer.cost)

    def write(self) -> None:
        """Write every entry and every balance that moved."""
        connection = self._connection
        if self._entries:
            connection.execute(insert(ledger), self._entries)
        if self._moved:
            cash = [{"account": account, "cash": self._cash[account]} for account in sorted(self._moved)]
            connection.execute(_CHANGE_CASH, cash)
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
        for statement, rows in ((_OPEN_LOT, opened), (_CHANGE_LOT, changed), (_CLOSE_LOT, closed)):
            if rows:
                connection.execute(statement, rows)

    def _move_shares(self, key: _Key, change: Decimal, cost: Decimal) -> None:
        quantity, basis = self._held.get(key, _NOTHING)
        left = quantity + change
        if change > ZERO:
            self._held[key] = (left, basis + cost)
        else:
            # What leaves takes its proportion of the cost basis with it; what is sold short never had one.
            share = round_to(basis * left / quantity, CENT, ROUND_HALF_UP) if quantity else ZERO
            self._held[key] = (left, share)


def post(connection: Connection, at: datetime, kind: str, reference: str, transfers: Collection[Transfer]) -> None:
    """Record transfers and move the balances of the customers' accounts that they name."""
    named = {account for transfer in transfers for account in (transfer.source, transfer.target)}
    balances = Balances(connection, named - HOUSE)
    balances.post(at, kind, reference, transfers)
    balances.write()


def trade(buys: bool, account: str, symbol: str, quantity: Decimal, value: Decimal, cash: Decimal) -> list[Transfer]:
    """The transfers of a fill: shares against `cash` (whole cents), and the rest of their exact `value` (USD)."""
    giver, taker = (MARKET, account) if buys else (account, MARKET)
    transfers = [Transfer(USD, taker, giver, cash), Transfer(symbol, giver, taker, quantity, cost=cash)]
    # The market gives and takes exact values; what cash differs from them is the rounding account's.
    over = cash - value if buys else value - cash
    if over > ZERO:
        transfers.append(Transfer(USD, MARKET, ROUNDING, over))
    elif over < ZERO:
        transfers.append(Transfer(USD, ROUNDING, MARKET, -over))
    return transfers


@exact
def check_balances(connection: Connection) -> list[str]:
    """Where a balance is not the sum of its entries, or is negative: one sentence each, none in a sound world."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for row in connection.execute(select(ledger.c.asset, ledger.c.source, ledger.c.target, ledger.c.amount)):
        sums[row.source, row.asset] -= row.amount
        sums[row.target, row.asset] += row.amount
    kept: dict[tuple[str, str], Decimal] = {
        (row.id, USD): row.cash for row in connection.execute(select(accounts.c.id, accounts.c.cash))
    }
    for held in connection.execute(select(positions.c.account_id, positions.c.symbol, positions.c.quantity)):
        kept[held.account_id, held.symbol] = held.quantity
    found = []
    for key in sorted(kept.keys() | {key for key in sums if key[0] not in HOUSE}):
        balance, total = kept.get(key, ZERO), sums.get(key, ZERO)
        if balance != total:
            found.append(
                f"Account {key[0]} shows {format_decimal(balance)} {key[1]}, its entries add up to "
                f"{format_decimal(total)}."
            )
        if balance < ZERO:
            found.append(f"Account {key[0]} has {format_decimal(balance)} {key[1]}, less than nothing.")
    return found
