"""Accounts, trading accounts, positions, assets, portfolio history (wire/alpaca.md 11)."""

from typing import Annotated

from pydantic import AliasChoices, Field

from driftdesk.wire.base import Answer, WireDecimal, WireList, WireTime


class Account(Answer):
    """A brokerage account in the list of the correspondent. `name` is ours: what a person calls the account."""

    id: str
    account_number: str
    status: str
    currency: str = "USD"
    last_equity: WireDecimal
    created_at: WireTime
    name: str = ""


class TradingAccount(Answer):
    """Money of one account in USD. `cash` includes what open orders reserve; `buying_power` does not."""

    id: str
    account_number: str
    status: str
    currency: str = "USD"
    cash: WireDecimal
    equity: WireDecimal
    last_equity: WireDecimal
    buying_power: WireDecimal
    long_market_value: WireDecimal
    position_market_value: WireDecimal | None = None
    cash_withdrawable: WireDecimal | None = None
    cash_transferable: WireDecimal | None = None
    previous_close: WireTime | None = None
    last_long_market_value: WireDecimal | None = None
    last_short_market_value: WireDecimal | None = None
    last_cash: WireDecimal | None = None
    last_initial_margin: WireDecimal | None = None
    last_regt_buying_power: WireDecimal | None = None
    last_buying_power: WireDecimal | None = None
    clearing_broker: str | None = None
    balance_asof: str | None = None
    trading_blocked: bool = False
    account_blocked: bool = False


class Position(Answer):
    """Shares of one symbol held; `qty_available` is less what open sell orders reserve."""

    asset_id: str
    symbol: str
    exchange: str = ""
    asset_class: str = "us_equity"
    avg_entry_price: WireDecimal
    qty: WireDecimal
    qty_available: WireDecimal | None = None
    side: str = "long"
    market_value: WireDecimal | None = None
    cost_basis: WireDecimal
    current_price: WireDecimal | None = None
    lastday_price: WireDecimal | None = None
    unrealized_pl: WireDecimal | None = None
    unrealized_plpc: WireDecimal | None = None


class BulkPositions(Answer):
    """Positions and cash of every account in one answer (`cash`, `reserved_cash` are ours): {account_id: ...}."""

    as_of: WireTime
    positions: dict[str, tuple[Position, ...]]
    cash: dict[str, WireDecimal] = Field(default_factory=dict)
    reserved_cash: dict[str, WireDecimal] = Field(default_factory=dict)


class Asset(Answer):
    """What may be done with a symbol (wire/alpaca.md 11.5)."""

    id: str
    # The wire calls it "class", a reserved word here.
    asset_class: Annotated[
        str, Field(validation_alias=AliasChoices("class", "asset_class"), serialization_alias="class")
    ] = "us_equity"
    exchange: str
    symbol: str
    name: str = ""
    status: str = "active"
    tradable: bool
    marginable: bool = True
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool


class EquityPoint(Answer):
    """One session: equity and cash at its close, `flow` the net money that came in (USD)."""

    date: str
    equity: WireDecimal
    cash: WireDecimal
    flow: WireDecimal


class EquityHistory(Answer):
    """Equity of an account at the close of each session, with the net money that came in that day (ours)."""

    account_id: str
    points: WireList[EquityPoint]
