"""Connections, accounts, balances, positions and quotes of SnapTrade (wire/snaptrade.md 4).

An account comes in two shapes: the newer one of ``/accounts/all`` and the older one of ``/accounts``. Both are read.
A list that is missing or null is an error here: read as an empty one, it would show an account as empty.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, AliasPath, Field

from driftdesk.wire.base import Answer, WireDecimal
from driftdesk.wire.snaptrade.base import Number, OrderDecimal, OrderTime
from driftdesk.wire.snaptrade.instruments import Currency, UniversalSymbol


class Brokerage(Answer):
    """`allows_trading` null is not known, which is not no."""

    id: str | None = None
    slug: str | None = None
    name: str | None = None
    display_name: str | None = None
    enabled: bool | None = None
    allows_trading: bool | None = None
    maintenance_mode: bool | None = None
    is_degraded: bool | None = None


class Connection(Answer):
    """A user's connection to a brokerage; `type` is ``read`` or ``trade``.

    A `disabled` one goes on answering with what it read last, without any error.
    """

    id: str
    name: str | None = None
    type: str | None = None
    disabled: bool = False
    disabled_date: OrderTime | None = None
    created_date: OrderTime | None = None
    brokerage: Brokerage | None = None


class HoldingsSync(Answer):
    """With `holdings_unavailable`, balances and positions that are empty do not mean an empty account."""

    initial_sync_completed: bool | None = None
    last_successful_sync: OrderTime | None = None
    holdings_unavailable: bool | None = None


class SyncStatus(Answer):
    """`holdings` is of the older shape, `positions`, `balances` and `orders` (when they were read last) of
    the newer one."""

    holdings: HoldingsSync | None = None
    positions: OrderTime | None = None
    balances: OrderTime | None = None
    orders: OrderTime | None = None


def _lower(word: str | None) -> str | None:
    """The older shape writes it in capitals."""
    return None if word is None else word.lower()


class Account(Answer):
    """An account at a brokerage. `category` is ``investment`` where it holds securities; `currency` may be unknown."""

    id: str
    connection_id: str | None = Field(
        default=None, validation_alias=AliasChoices("connection_id", "brokerage_authorization")
    )
    name: str | None = Field(default=None, validation_alias=AliasChoices("display_name", "name"))
    number: str | None = Field(default=None, validation_alias=AliasChoices("masked_account_number", "number"))
    category: Annotated[str | None, AfterValidator(_lower)] = Field(
        default=None, validation_alias=AliasChoices("kind", "account_category")
    )
    institution_account_id: str | None = None
    institution_name: str | None = None
    raw_type: str | None = None
    status: str | None = None
    is_paper: bool | None = None
    sync_status: SyncStatus | None = None
    total: WireDecimal | None = Field(
        default=None,
        validation_alias=AliasChoices(AliasPath("net_value", "amount"), AliasPath("balance", "total", "amount")),
    )
    currency: str | None = Field(
        default=None,
        validation_alias=AliasChoices(AliasPath("net_value", "currency"), AliasPath("balance", "total", "currency")),
    )


class AccountPage(Answer):
    results: tuple[Account, ...]


class Balance(Answer):
    """Cash and buying power in one currency; money-market funds are in the cash and among the positions too."""

    currency: Currency | None = None
    cash: Number | None = None
    buying_power: Number | None = None


class Instrument(Answer):
    """What is held; `kind` is ``stock``, ``etf``, ``adr``, ``cef``, ``mutualfund``, ``option``, ``crypto`` or other.

    `currency` is that of the listing.
    """

    kind: str | None = None
    id: str | None = None
    symbol: str | None = None
    raw_symbol: str | None = None
    description: str | None = None
    currency: str | None = None
    exchange: str | None = None


class Position(Answer):
    """Units held (negative: short), with price and cost per unit in `currency`, which may not be the listing's.

    A `cash_equivalent` is counted in the balance's cash as well.
    """

    instrument: Instrument
    units: OrderDecimal | None = None
    price: OrderDecimal | None = None
    cost_basis: OrderDecimal | None = None
    currency: str | None = None
    cash_equivalent: bool | None = None
    tax_lots: tuple[dict[str, Any], ...] | None = None


class DataFreshness(Answer):
    """When the brokerage was asked."""

    as_of: OrderTime | None = None


class Positions(Answer):
    results: tuple[Position, ...]
    data_freshness: DataFreshness | None = None


class Quote(Answer):
    """Prices of one security in its listing's currency, sizes in shares."""

    symbol: UniversalSymbol
    last_trade_price: Number | None = None
    bid_price: Number | None = None
    ask_price: Number | None = None
    bid_size: Number | None = None
    ask_size: Number | None = None
