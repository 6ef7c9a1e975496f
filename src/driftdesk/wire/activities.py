"""What happened in accounts: fills, and money that came in or left (wire/alpaca.md 11.7)."""

from driftdesk.wire.base import Answer, WireDecimal, WireTime


class TradeActivity(Answer):
    """One fill: `cum_qty` of the order's shares filled with it, `leaves_qty` still open after it."""

    id: str
    account_id: str
    activity_type: str
    transaction_time: WireTime
    type: str
    price: WireDecimal
    qty: WireDecimal
    side: str
    symbol: str
    leaves_qty: WireDecimal
    order_id: str
    cum_qty: WireDecimal
    order_status: str


class NonTradeActivity(Answer):
    """Money that came in (positive) or left: `net_amount` in USD on the New York `date`."""

    id: str
    account_id: str
    activity_type: str
    date: str
    net_amount: WireDecimal
    description: str = ""
    status: str | None = None
    symbol: str | None = None
    qty: WireDecimal | None = None
    price: WireDecimal | None = None
    per_share_amount: WireDecimal | None = None


Activity = TradeActivity | NonTradeActivity
