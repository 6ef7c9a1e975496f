"""Orders to place and what they would do (wire/snaptrade.md 3, 4)."""

from typing import Any

from driftdesk.wire.base import Answer, Message, WireDecimal, WireTime
from driftdesk.wire.snaptrade.base import Number, write_json
from driftdesk.wire.snaptrade.instruments import Currency


class NewOrder(Message):
    """An order to preview or place: one of `symbol` and `universal_symbol_id`, one of `units` and `notional_value`.

    `action` BUY or SELL; `order_type` Market, Limit, Stop or StopLimit; `time_in_force` Day, GTC, FOK, IOC or GTD.
    `price` is the limit and `stop` the stop price, per share; `notional_value` in the account's currency.
    """

    account_id: str
    action: str
    order_type: str
    time_in_force: str
    symbol: str | None = None
    universal_symbol_id: str | None = None
    units: WireDecimal | None = None
    notional_value: WireDecimal | None = None
    price: WireDecimal | None = None
    stop: WireDecimal | None = None
    trading_session: str | None = None
    expiry_date: WireTime | None = None
    client_order_id: str | None = None

    def model_dump_json(self, **options: Any) -> str:
        """JSON text with amounts as numbers, which this service takes, exact to the digit."""
        fields = self.model_dump(**{name: value for name, value in options.items() if name == "exclude_none"})
        return write_json(fields | self.model_dump(mode="json", include={"expiry_date"}, exclude_none=True))


class PlaceChecked(Message):
    """The body that places a previewed order."""

    wait_to_confirm: bool = True


class ReplaceOrder(Message):
    """The body that replaces an order by one with these terms; `units` counts what has been filled already."""

    brokerage_order_id: str
    action: str
    order_type: str
    time_in_force: str
    units: WireDecimal | None = None
    price: WireDecimal | None = None
    stop: WireDecimal | None = None
    symbol: str | None = None


class SymbolQuery(Message):
    """The body of a search; `substring` is part of a ticker or of a name."""

    substring: str = ""


class TradeSymbol(Answer):
    """What a previewed order is in."""

    universal_symbol_id: str | None = None
    symbol: str | None = None
    description: str | None = None
    currency: Currency | None = None


class Trade(Answer):
    """A previewed order under an id that can be placed for five minutes; `account` is the account's id."""

    id: str
    account: str
    symbol: TradeSymbol | None = None
    action: str | None = None
    order_type: str | None = None
    time_in_force: str | None = None
    units: Number | None = None
    price: Number | None = None


class TradeImpact(Answer):
    """Cash left and costs by the brokerage's estimate; null is not known, which is not zero."""

    account: str | None = None
    currency: str | None = None
    remaining_cash: Number | None = None
    estimated_commission: Number | None = None
    forex_fees: Number | None = None


class RemainingBalance(Answer):
    account: dict[str, Any] | None = None
    currency: Currency | None = None
    cash: Number | None = None


class Impact(Answer):
    """The brokerage's preview of one order."""

    trade: Trade
    trade_impacts: tuple[TradeImpact, ...] = ()
    combined_remaining_balance: RemainingBalance | None = None
