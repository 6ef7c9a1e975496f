"""What an order or a position is in: securities and option contracts (wire/snaptrade.md 3)."""

from driftdesk.wire.base import WireDecimal
from driftdesk.wire.snaptrade.base import Record


class Currency(Record):
    id: str | None = None
    code: str | None = None
    name: str | None = None


class Exchange(Record):
    """Local hours as HH:MM:SS in `timezone`. The seed has the text "None" for no `suffix`."""

    id: str | None = None
    code: str | None = None
    mic_code: str | None = None
    name: str | None = None
    timezone: str | None = None
    start_time: str | None = None
    close_time: str | None = None
    suffix: str | None = None


class SecurityType(Record):
    """`code` is ``cs`` for common stock, ``et`` for an ETF, and so on."""

    id: str | None = None
    code: str | None = None
    description: str | None = None
    is_supported: bool | None = None


class FigiInstrument(Record):
    figi_code: str | None = None
    figi_share_class: str | None = None


class UniversalSymbol(Record):
    """A security at all brokerages: `symbol` with the suffix of its exchange, `raw_symbol` without."""

    id: str | None = None
    symbol: str | None = None
    raw_symbol: str | None = None
    description: str | None = None
    currency: Currency | None = None
    exchange: Exchange | None = None
    type: SecurityType | None = None
    currencies: tuple[Currency, ...] | None = None
    figi_code: str | None = None
    figi_instrument: FigiInstrument | None = None


class OptionSymbol(Record):
    """An option contract; `strike_price` is a JSON number in both dialects, `ticker` the OCC's 21 characters."""

    id: str | None = None
    ticker: str | None = None
    option_type: str | None = None
    strike_price: WireDecimal | None = None
    expiration_date: str | None = None
    is_mini_option: bool | None = None
    underlying_symbol: UniversalSymbol | None = None
