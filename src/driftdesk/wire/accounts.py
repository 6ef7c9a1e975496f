"""Accounts, trading accounts, positions, assets and closes of an account (wire/alpaca.md 11)."""

from typing import Annotated

from pydantic import AliasChoices, Field

from driftdesk.wire.base import Answer, Message, WireDecimal, WireList, WireTime


class Account(Answer):
    """A brokerage account in the list of the correspondent. `name` is ours: what a person calls the account.

    So are, for an account at a brokerage and each in a sentence: `problem`, why its holdings cannot be used; `refusal`,
    why it takes no orders; `notes`, what a person should know of it.
    """

    id: str
    account_number: str
    status: str
    currency: str = "USD"
    last_equity: WireDecimal
    created_at: WireTime
    name: str = ""
    problem: str | None = None
    refusal: str | None = None
    notes: WireList[str] = ()


class TradingAccount(Answer):
    """Money of one account in USD. `cash` includes what open orders reserve; the buying powers do not.

    Fields that begin with ``last`` are as of the last close, null before an account's first one. `multiplier` is 1 for
    a cash account: it borrows nothing, so that what it holds is its initial margin.
    """

    id: str
    account_number: str
    status: str
    currency: str = "USD"
    created_at: WireTime | None = None
    cash: WireDecimal
    equity: WireDecimal
    portfolio_value: WireDecimal | None = None
    last_equity: WireDecimal
    multiplier: WireDecimal | None = None
    buying_power: WireDecimal
    effective_buying_power: WireDecimal | None = None
    non_marginable_buying_power: WireDecimal | None = None
    regt_buying_power: WireDecimal | None = None
    long_market_value: WireDecimal
    short_market_value: WireDecimal | None = None
    position_market_value: WireDecimal | None = None
    initial_margin: WireDecimal | None = None
    maintenance_margin: WireDecimal | None = None
    accrued_fees: WireDecimal | None = None
    pending_transfer_in: WireDecimal | None = None
    pending_transfer_out: WireDecimal | None = None
    pending_reg_taf_fees: WireDecimal | None = None
    memoposts: WireDecimal | None = None
    cash_withdrawable: WireDecimal | None = None
    cash_transferable: WireDecimal | None = None
    previous_close: WireTime | None = None
    last_long_market_value: WireDecimal | None = None
    last_short_market_value: WireDecimal | None = None
    last_cash: WireDecimal | None = None
    last_initial_margin: WireDecimal | None = None
    last_maintenance_margin: WireDecimal | None = None
    last_regt_buying_power: WireDecimal | None = None
    last_buying_power: WireDecimal | None = None
    clearing_broker: str | None = None
    balance_asof: str | None = None
    trading_blocked: bool = False
    transfers_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False
    shorting_enabled: bool = False


class AccountConfiguration(Answer):
    """What an account may do; `max_margin_multiplier` 1 is a cash account."""

    fractional_trading: bool
    max_margin_multiplier: WireDecimal
    no_shorting: bool
    suspend_trade: bool
    trade_confirm_email: str
    ptp_no_exception_entry: bool = False


class ChangeConfiguration(Message):
    """Body of a request to change what an account may do; a field left out stays as it is."""

    fractional_trading: bool | None = None
    max_margin_multiplier: WireDecimal | None = None
    no_shorting: bool | None = None
    suspend_trade: bool | None = None
    trade_confirm_email: str | None = None
    ptp_no_exception_entry: bool | None = None


class Position(Answer):
    """Shares of one symbol held; `qty_available` is less what open sell orders reserve.

    Fields that end in ``plpc`` and `change_today` are fractions: 0.05 is 5 %. Intraday compares with the last close,
    and with the price paid for what was bought since.
    """

    asset_id: str
    symbol: str
    exchange: str = ""
    asset_class: str = "us_equity"
    asset_marginable: bool | None = None
    avg_entry_price: WireDecimal
    qty: WireDecimal
    qty_available: WireDecimal | None = None
    side: str = "long"
    market_value: WireDecimal | None = None
    cost_basis: WireDecimal
    current_price: WireDecimal | None = None
    lastday_price: WireDecimal | None = None
    change_today: WireDecimal | None = None
    unrealized_pl: WireDecimal | None = None
    unrealized_plpc: WireDecimal | None = None
    unrealized_intraday_pl: WireDecimal | None = None
    unrealized_intraday_plpc: WireDecimal | None = None


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
    marginable: bool = False
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool
    attributes: WireList[str] = ()


class EquityPoint(Answer):
    """One session: equity and cash at its close, `flow` the net money that came in (USD).

    `cash` is None where the backend does not tell it.
    """

    date: str
    equity: WireDecimal
    cash: WireDecimal | None = None
    flow: WireDecimal


class EquityHistory(Answer):
    """Equity of an account at the close of each session, with the net money that came in that day (ours)."""

    account_id: str
    points: WireList[EquityPoint]
