"""What SnapTrade takes as an order: client and server refuse the same (wire/snaptrade.md 3, 4)."""

from decimal import Decimal
from typing import Final, NoReturn

from driftdesk.errors import InputError
from driftdesk.money import format_decimal
from driftdesk.wire.snaptrade.trading import NewOrder

# What each type of order needs besides its size: a limit price, a stop price.
_PRICES: Final = {"Market": (False, False), "Limit": (True, False), "Stop": (False, True), "StopLimit": (True, True)}
_TIMES: Final = ("Day", "GTC", "FOK", "IOC", "GTD")
_OPTION_ACTIONS: Final = ("BUY_TO_OPEN", "BUY_TO_CLOSE", "SELL_TO_OPEN", "SELL_TO_CLOSE")
_ACTIONS: Final = ("BUY", "SELL")


def check_order(order: NewOrder, *, previewed: bool = False) -> None:
    """Raise InputError for the first field that breaks SnapTrade's rules; an impact (`previewed`) knows fewer words."""
    one_of("action", order.action, _ACTIONS if previewed else _ACTIONS + _OPTION_ACTIONS)
    one_of("order_type", order.order_type, tuple(_PRICES))
    one_of("time_in_force", order.time_in_force, _TIMES[:-1] if previewed else _TIMES)
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


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise InputError unless `value` is one of the `allowed` words, in the same letters."""
    if value not in allowed:
        _refuse(name, value, f"one of {', '.join(allowed)}, spelled so")


def _only_where(name: str, value: Decimal | None, order_type: str, *, needed: bool) -> None:
    if (value is not None) != needed:
        _refuse(name, value, f"{'given' if needed else 'left out'} for {order_type}")


def _refuse(name: str, received: object, allowed: str) -> NoReturn:
    shown = format_decimal(received) if isinstance(received, Decimal) else repr(received)
    raise InputError(
        f"{name} of the order must be {allowed}; received {shown}.", field=name, received=received, allowed=allowed
    )
