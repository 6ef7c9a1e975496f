"""Preview and place orders on a connected account (wire/snaptrade.md 3, 4); none is ever sent twice (rules.md 9)."""

from decimal import Decimal
from typing import Final

from driftdesk.client.resources.paging import segment
from driftdesk.client.snaptrade.pace import Pace
from driftdesk.client.transport import Transport, Waiting
from driftdesk.errors import InputError
from driftdesk.money import format_decimal
from driftdesk.wire.snaptrade.orders import OrderRecord
from driftdesk.wire.snaptrade.trading import Impact, NewOrder, PlaceChecked, Trade

# What each type of order needs besides its size: a limit price, a stop price.
_PRICES: Final = {"Market": (False, False), "Limit": (True, False), "Stop": (False, True), "StopLimit": (True, True)}
_TIMES: Final = ("Day", "GTC", "FOK", "IOC", "GTD")
_OPTION_ACTIONS: Final = ("BUY_TO_OPEN", "BUY_TO_CLOSE", "SELL_TO_OPEN", "SELL_TO_CLOSE")
_ACTIONS: Final = ("BUY", "SELL")


class SnapTradeTrading:
    """Raises InputError, before anything is sent, for an order that SnapTrade would refuse or misread."""

    def __init__(self, transport: Transport, pace: Pace, waiting: Waiting) -> None:
        self._transport = transport
        self._pace = pace
        self._waiting = waiting

    def impact(self, order: NewOrder) -> Impact:
        """The brokerage's estimate of cost and cash left. Its trade can be placed for five minutes; nothing is sent."""
        check_order(order, previewed=True)
        return self._transport.post(Impact, "/trade/impact", order)

    def place(self, order: NewOrder) -> OrderRecord:
        """Send an order, not before a second has passed since the account's last one.

        Where the answer was lost, read the orders before anything else: it may have been placed.
        """
        check_order(order)
        self._wait_for(order.account_id)
        return self._transport.post(OrderRecord, "/trade/place", order)

    def place_checked(self, trade: Trade, *, wait_to_confirm: bool = True) -> OrderRecord:
        """Send the order of an `impact`; as `place` otherwise."""
        self._wait_for(trade.account)
        path = f"/trade/{segment(trade.id)}"
        return self._transport.post(OrderRecord, path, PlaceChecked(wait_to_confirm=wait_to_confirm))

    def _wait_for(self, account_id: str) -> None:
        wait = self._pace.order(account_id, self._waiting.now().timestamp())
        if wait > 0:
            self._waiting.sleep(wait)


def check_order(order: NewOrder, *, previewed: bool = False) -> None:
    """Raise InputError for the first field that breaks SnapTrade's rules; an impact (`previewed`) knows fewer words."""
    _one_of("action", order.action, _ACTIONS if previewed else _ACTIONS + _OPTION_ACTIONS)
    _one_of("order_type", order.order_type, tuple(_PRICES))
    _one_of("time_in_force", order.time_in_force, _TIMES[:-1] if previewed else _TIMES)
    if previewed and order.universal_symbol_id is None:
        _refuse("universal_symbol_id", None, "given: an impact is not known by ticker")
    if (order.symbol is None) == (order.universal_symbol_id is None):
        _refuse("symbol", order.symbol, "given, or universal_symbol_id, and not both")
    if (order.units is None) == (order.notional_value is None):
        _refuse("units", order.units, "given, or notional_value, and not both")
    if order.notional_value is not None and (order.order_type, order.time_in_force) != ("Market", "Day"):
        _refuse("notional_value", order.notional_value, "left out unless the order is Market and Day")
    limit, stop = _PRICES[order.order_type]
    _only_where("price", order.price, order.order_type, needed=limit)
    _only_where("stop", order.stop, order.order_type, needed=stop)
    if (order.expiry_date is None) == (order.time_in_force == "GTD"):
        _refuse("expiry_date", order.expiry_date, "given for GTD and only for GTD")
    for name in ("units", "notional_value", "price", "stop"):
        amount = getattr(order, name)
        if amount is not None and amount <= 0:
            _refuse(name, amount, "above zero")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        _refuse(name, value, f"one of {', '.join(allowed)}, spelled so")


def _only_where(name: str, value: Decimal | None, order_type: str, *, needed: bool) -> None:
    if (value is not None) != needed:
        _refuse(name, value, f"{'given' if needed else 'left out'} for {order_type}")


def _refuse(name: str, received: object, allowed: str) -> None:
    shown = format_decimal(received) if isinstance(received, Decimal) else repr(received)
    raise InputError(
        f"{name} of the order must be {allowed}; received {shown}.", field=name, received=received, allowed=allowed
    )
