"""What an account holds at one instant, with the prices that value it: the only input of every decision.

One fetch makes one snapshot; drift, decision, plan and preview are computed from it and never fetch again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NewType

from driftdesk.money import ZERO

Symbol = NewType("Symbol", str)
AccountId = NewType("AccountId", str)
PortfolioId = NewType("PortfolioId", str)
RunId = NewType("RunId", str)

# The row of cash. Not a ticker: "CASH" is one (Nasdaq), a "$" never is.
CASH: Final = Symbol("$CASH")
# A price older than this in a live session is refused (rules.md 3.1).
STALE_AFTER: Final = timedelta(minutes=15)


def label(symbol: Symbol) -> str:
    """What a person reads for `symbol`: "Cash" for the cash row, the ticker otherwise."""
    return "Cash" if symbol == CASH else symbol


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares of one symbol. `available` is the quantity less what open sell orders reserve."""

    symbol: Symbol
    quantity: Decimal
    available: Decimal
    asset_class: str = "us_equity"


@dataclass(frozen=True, slots=True)
class Quote:
    """Price of one symbol (USD, 4 decimals) at instant `at`, and what may be done with it. None: no price."""

    symbol: Symbol
    price: Decimal | None
    at: datetime | None
    tradable: bool = True
    fractionable: bool = True


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order at the broker that is not final. `reserved` is cash (USD) for a buy and a quantity for a sell."""

    id: str
    symbol: Symbol
    side: Side
    reserved: Decimal


def dearest_price(last: Decimal, limit_price: Decimal | None, stop_price: Decimal | None) -> Decimal:
    """What a share (USD) may cost an open buy at most, as far as its terms say so: its limit, else its stop where that
    is above the last price, else the last price. So much is reserved for it (rules.md 6.2)."""
    if limit_price is not None:
        return limit_price
    return last if stop_price is None else max(last, stop_price)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An account at `as_of`. `cash` in USD; `market_open` says whether `as_of` lies in a session (for staleness).

    `quotes` has one entry for each symbol held or targeted. `excluded` holdings leave equity and plan (rules.md 3.1).
    """

    account_id: AccountId
    as_of: datetime
    cash: Decimal
    holdings: tuple[Holding, ...]
    quotes: tuple[Quote, ...]
    open_orders: tuple[OpenOrder, ...] = ()
    excluded: frozenset[Symbol] = frozenset()
    market_open: bool = False

    def quote(self, symbol: Symbol) -> Quote | None:
        """The quote of `symbol`, None where the snapshot has none."""
        return next((quote for quote in self.quotes if quote.symbol == symbol), None)

    def holding(self, symbol: Symbol) -> Holding | None:
        """The holding of `symbol`, None where the account has none."""
        return next((holding for holding in self.holdings if holding.symbol == symbol), None)

    @property
    def reserved_cash(self) -> Decimal:
        """Cash in USD that open buy orders reserve."""
        return sum((order.reserved for order in self.open_orders if order.side is Side.BUY), ZERO)
