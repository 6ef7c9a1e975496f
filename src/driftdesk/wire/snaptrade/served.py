"""What a SnapTrade server answers in shapes that `accounts` reads as one, and what a client here never asks for.

Accounts in both shapes, positions in the older one, balances in the newer one, users, the state of the service, and
the body of an error (wire/snaptrade.md 4, 6). Amounts in USD per account, per share where they are prices.
"""

from typing import Final

from driftdesk.wire.base import Answer, Message
from driftdesk.wire.snaptrade.accounts import DataFreshness, SyncStatus
from driftdesk.wire.snaptrade.base import Number, OrderDecimal, OrderTime
from driftdesk.wire.snaptrade.instruments import Currency, UniversalSymbol

# Codes of errors (wire/snaptrade.md 6); 1083 is ours, for a user or secret that is not known.
NOT_VERIFIED: Final = "1076"
NO_PERMISSION: Final = "1066"
NO_SUCH_USER: Final = "1083"
NO_SUCH_RESOURCE: Final = "1011"
NO_SUCH_SYMBOL: Final = "1063"
DISABLED: Final = "3003"
BAD_ANSWER: Final = "3002"
UNEXPECTED: Final = "1000"
GENERAL: Final = "0000"


class ErrorAnswer(Answer):
    """The body of every refusal."""

    detail: str
    status_code: int
    code: str


class ApiStatus(Answer):
    """`timestamp` is the instant of the market: here the world's clock."""

    version: int
    timestamp: OrderTime
    online: bool


class Money(Answer):
    amount: Number | None
    currency: str


class InvestmentAccount(Answer):
    """An account as ``/accounts/all`` and ``/details`` show it."""

    kind: str
    id: str
    connection_id: str
    display_name: str | None
    masked_account_number: str
    institution_account_id: str | None
    raw_type: str | None
    cash_or_margin: str
    sync_status: SyncStatus
    is_paper: bool
    net_value: Money


class InvestmentAccounts(Answer):
    results: tuple[InvestmentAccount, ...]


class AccountTotal(Answer):
    total: Money


class OlderAccount(Answer):
    """An account as ``/accounts`` shows it."""

    id: str
    brokerage_authorization: str
    name: str | None
    number: str
    institution_account_id: str | None
    institution_name: str
    created_date: OrderTime
    sync_status: SyncStatus
    balance: AccountTotal
    status: str
    raw_type: str | None
    account_category: str
    is_paper: bool


class CurrencyAmount(Answer):
    """`basis` is what the amount may include, of a buying power only."""

    currency: str
    amount: OrderDecimal
    basis: str | None = None


class BalancesV2(Answer):
    """Amounts with two decimals as text; `margin` is null for a cash account."""

    account_id: str
    cash_or_margin: str
    net_value: CurrencyAmount
    cash: tuple[CurrencyAmount, ...]
    buying_power: tuple[CurrencyAmount, ...] | None
    margin: None
    data_freshness: DataFreshness


class PositionSymbol(Answer):
    """`id` is of the security within the account, and does not last."""

    id: str
    symbol: UniversalSymbol
    description: str


class OlderPosition(Answer):
    """A position as ``/positions`` shows it; `average_purchase_price` per share, `open_pnl` of all of it."""

    symbol: PositionSymbol
    units: Number
    price: Number | None
    open_pnl: Number | None
    average_purchase_price: Number
    currency: Currency
    cash_equivalent: bool


class BrokerageInstrument(Answer):
    symbol: str
    exchange_mic: str | None = None
    tradeable: bool | None = None
    fractionable: bool | None = None
    universal_symbol_id: str | None = None


class BrokerageInstruments(Answer):
    instruments: tuple[BrokerageInstrument, ...]


class Confirmation(Answer):
    """That a connection is going to be read again."""

    detail: str


class RegisterUser(Message):
    userId: str


class UserAndSecret(Message):
    """What a registration answers, and the body that asks for a new secret."""

    userId: str
    userSecret: str


class DeletedUser(Answer):
    status: str
    detail: str
    userId: str


class ConnectionSetting(Message):
    """How the connection of every account stands (ours); a field left out stays as it is."""

    disabled: bool | None = None
    type: str | None = None


class ConnectionState(Answer):
    """`type` is ``trade`` or ``read``; `disabled_at` by the world's clock, null while it is enabled."""

    type: str
    disabled: bool
    disabled_at: OrderTime | None
