"""An order record of SnapTrade -> the columns of our orders (wire/snaptrade.md 2, 3).

Brokerages differ in how they use the statuses, so what an order came to is decided by its quantities first.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.money import ZERO, exact, floor_quantity, round_price
from driftdesk.wire.orders import OrderStatus, OrderType, TimeInForce
from driftdesk.wire.snaptrade import orders as wire
from driftdesk.wire.snaptrade.orders import OrderRecord, OrderState

_SIDES: Final = {"BUY": Side.BUY, "BUY_COVER": Side.BUY, "SELL": Side.SELL, "SELL_SHORT": Side.SELL}
TYPES: Final = {
    "Market": OrderType.MARKET,
    "Limit": OrderType.LIMIT,
    "Stop": OrderType.STOP,
    "StopLimit": OrderType.STOP_LIMIT,
}
TIMES: Final = {
    "Day": TimeInForce.DAY,
    "GTC": TimeInForce.GTC,
    "FOK": TimeInForce.FOK,
    "IOC": TimeInForce.IOC,
    "MOO": TimeInForce.OPG,
    "GTD": TimeInForce.GTC,
}
_ENDS: Final[dict[str, OrderStatus]] = {
    wire.OrderStatus.REJECTED: OrderStatus.REJECTED,
    wire.OrderStatus.FAILED: OrderStatus.REJECTED,
    wire.OrderStatus.EXPIRED: OrderStatus.EXPIRED,
    wire.OrderStatus.REPLACED: OrderStatus.REPLACED,
}
# Sent to the brokerage and not at the exchange yet.
_ON_THE_WAY: Final = frozenset({wire.OrderStatus.PENDING, wire.OrderStatus.PENDING_RISK_REVIEW})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a record says of one order in shares: its quantities are ours, `price` is the average paid, in USD."""

    broker_order_id: str
    symbol: Symbol
    side: Side
    status: OrderStatus
    total: Decimal | None
    filled: Decimal
    price: Decimal | None
    type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    placed_at: datetime | None
    executed_at: datetime | None

    def request(self, account_id: AccountId) -> OrderRequest:
        """The order as somebody sent it who is not us: it goes by the brokerage's id."""
        return OrderRequest(
            account_id=account_id,
            client_order_id=self.broker_order_id,
            symbol=self.symbol,
            side=self.side,
            quantity=self.total or self.filled,
            type=self.type,
            time_in_force=self.time_in_force,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
        )


def read_record(record: OrderRecord) -> Seen | None:
    """What `record` says; None for an order in something else than shares, or without id, symbol or side."""
    symbol = record.universal_symbol.symbol if record.universal_symbol else None
    side = _SIDES.get(record.action or "")
    if record.brokerage_order_id is None or not symbol or side is None:
        return None
    return Seen(
        broker_order_id=record.brokerage_order_id,
        symbol=Symbol(symbol),
        side=side,
        status=_status(record),
        total=None if record.total_quantity is None else floor_quantity(record.total_quantity),
        filled=floor_quantity(record.filled_quantity or ZERO),
        price=_price(record.execution_price),
        # A word of the brokerage's own is none of ours; what is planned around is the size.
        type=TYPES.get(record.order_type or "", OrderType.MARKET),
        time_in_force=TIMES.get(record.time_in_force or "", TimeInForce.DAY),
        limit_price=_price(record.limit_price),
        stop_price=_price(record.stop_price),
        placed_at=record.time_placed,
        executed_at=record.time_executed or record.time_updated,
    )


@exact
def value_of(seen: Seen, fallback: Decimal | None) -> Decimal | None:
    """USD of the filled shares; at `fallback` a share where the record names no price, None without either."""
    price = seen.price or seen.limit_price or fallback
    return None if price is None else seen.filled * price


def _status(record: OrderRecord) -> OrderStatus:
    filled, total = record.filled_quantity or ZERO, record.total_quantity
    if record.state is OrderState.FINAL:
        if total and filled >= total:
            return OrderStatus.FILLED
        if record.status is wire.OrderStatus.EXECUTED:
            return OrderStatus.FILLED if filled > ZERO else OrderStatus.CANCELED
        ended = _ENDS.get(record.status or "", OrderStatus.CANCELED)
        # What was partly filled before it was refused has traded, so it is no refusal.
        return OrderStatus.CANCELED if ended is OrderStatus.REJECTED and filled > ZERO else ended
    if record.status is wire.OrderStatus.CANCEL_PENDING:
        return OrderStatus.PENDING_CANCEL
    if filled > ZERO:
        return OrderStatus.PARTIALLY_FILLED
    return OrderStatus.PENDING_NEW if record.status in _ON_THE_WAY else OrderStatus.ACCEPTED


def _price(price: Decimal | None) -> Decimal | None:
    return None if price is None or price <= ZERO else round_price(price)
