"""The error body: code = HTTP status x 100000 + 10000 + n (rules.md 2.9)."""

from driftdesk.wire.base import Message, WireDecimal


class ErrorBody(Message):
    """Body of every error answer. `preview_hash` (ours) is there when a preview no longer stands (rules.md 6.6).

    Of an order that the account cannot cover: `buying_power` and `cost_basis` in USD, or `symbol` and the shares
    `available`, `existing_qty` and `held_for_orders` (wire/alpaca.md 8.3).
    """

    code: int
    message: str
    preview_hash: str | None = None
    buying_power: WireDecimal | None = None
    cost_basis: WireDecimal | None = None
    symbol: str | None = None
    available: WireDecimal | None = None
    existing_qty: WireDecimal | None = None
    held_for_orders: WireDecimal | None = None
