"""What an order may ask for, and when the exchange looks at it: types, times in force, auctions (rules.md 8.2).

    day   until the close of the session it is for        gtc   until canceled; rests between sessions
    opg   the opening auction of the next session only    cls   the closing auction of this session only
    ioc   what can be filled at once, the rest canceled   fok   all of it at once, or nothing

Seed 003 names the four types and day, gtc, opg; the cut-offs of the auctions are those of the newer documentation.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final

from driftdesk.backend.exchange.fillmodel import FillModel
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.engine.schedule import NEW_YORK, Sessions, new_york_date
from driftdesk.engine.snapshot import Side, dearest_price
from driftdesk.errors import InputError, Insufficient
from driftdesk.money import CENT, ONE, ZERO, floor_cents, floor_quantity, format_decimal, round_price
from driftdesk.wire.orders import OrderType, TimeInForce

# Columns with nine decimals hold no more, in USD or in shares.
LARGEST_ORDER: Final = Decimal(9_000_000_000)
LONGEST_CLIENT_ORDER_ID: Final = 128

LIMITED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
STOPPED: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
# Orders that get one look: what it does not fill is canceled.
ONE_LOOK: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS, TimeInForce.IOC, TimeInForce.FOK})

_OPG_CUT_OFF: Final = timedelta(minutes=2)
_CLS_CUT_OFF: Final = timedelta(minutes=10)
_AUCTIONS_AGAIN: Final = time(19, 0)


@dataclass(frozen=True, slots=True)
class Timing:
    """When an order is looked at first, and when it expires; None: it stays until canceled."""

    first_look: datetime
    expires_at: datetime | None


def check_terms(request: OrderRequest) -> None:
    """Raise InputError for an order that no exchange could understand (rules.md 8.2; wire/alpaca.md 11.4)."""
    _check_size(request)
    _check_prices(request)
    fractional = request.notional is not None or request.quantity != floor_whole(request.quantity or ZERO)
    if fractional and request.time_in_force is not TimeInForce.DAY:
        raise _wrong("time_in_force", request.time_in_force, "day for a notional or a fraction of a share")
    if request.notional is not None and request.type in STOPPED:
        raise _wrong("type", request.type, "market or limit for a notional")
    if request.time_in_force in ONE_LOOK and request.type in STOPPED:
        raise _wrong("type", request.type, f"market or limit for {request.time_in_force}")
    if not 0 < len(request.client_order_id) <= LONGEST_CLIENT_ORDER_ID:
        raise _wrong("client_order_id", request.client_order_id, f"1 to {LONGEST_CLIENT_ORDER_ID} characters")


def floor_whole(quantity: Decimal) -> Decimal:
    """`quantity` without its fraction of a share."""
    return quantity // ONE


def timing(time_in_force: TimeInForce, now: datetime, sessions: Sessions, model: FillModel) -> Timing:
    """When an order sent at `now` is looked at first, under a fill model.

    Raises InputError where its auction no longer takes orders, or nothing trades at once.
    """
    session = sessions.current_or_next(now)
    today = sessions.on(new_york_date(now))
    match time_in_force:
        case TimeInForce.OPG:
            _check_auction(now, today.open - _OPG_CUT_OFF if today else None, "opg", "9:28")
            opening = sessions.next_open(now)
            return Timing(opening, sessions.next_close(opening))
        case TimeInForce.CLS:
            _check_auction(now, today.close - _CLS_CUT_OFF if today else None, "cls", "ten minutes before the close")
            return Timing(session.close, session.close)
        case TimeInForce.IOC | TimeInForce.FOK if now < session.open:
            raise _wrong("time_in_force", time_in_force, "day, gtc, opg or cls while the market is closed")
    first = model.first_look(now, sessions)
    expires = sessions.next_close(first) if first > session.close else session.close
    return Timing(first, None if time_in_force is TimeInForce.GTC else expires)


def stop_reached(side: Side, stop_price: Decimal, last: Decimal) -> bool:
    """Whether the market trades at the stop or beyond: at or above it for a buy, at or below it for a sell."""
    return last >= stop_price if side is Side.BUY else last <= stop_price


def within_limit(side: Side, limit_price: Decimal, price: Decimal) -> bool:
    """Whether `price` is at the limit or better for that side."""
    return price <= limit_price if side is Side.BUY else price >= limit_price


def worst_price(request: OrderRequest, last: Decimal) -> Decimal:
    """What a share (USD) may cost the order at most; `last` is the last price."""
    return dearest_price(last, request.limit_price, request.stop_price)


def too_small(request: OrderRequest, value: Decimal, least: Decimal) -> InputError:
    """The refusal of a buy worth `value` (USD) where `least` is the minimum (wire/alpaca.md 11.4; sells are exempt)."""
    return _wrong(_size_of(request), f"{format_decimal(value)} USD", f"worth at least {format_decimal(least)} USD")


def too_valuable(request: OrderRequest, value: Decimal) -> InputError:
    """The refusal of a buy worth more (USD) than can be recorded."""
    return _wrong(_size_of(request), f"{format_decimal(value)} USD", f"worth at most {LARGEST_ORDER} USD")


def short_of_cash(cost: Decimal, free: Decimal) -> Insufficient:
    """The refusal of a buy that needs `cost` (USD) where `free` is not promised to other orders."""
    return Insufficient(
        f"insufficient buying power: the order needs {format_decimal(cost)} USD and {format_decimal(free)} are free.",
        {"buying_power": free, "cost_basis": cost},
    )


def short_of_shares(symbol: str, wanted: Decimal, held: Decimal, available: Decimal) -> Insufficient:
    """The refusal of a sale of `wanted` shares where `available` of those `held` are not promised to other orders."""
    return Insufficient(
        f"insufficient quantity of {symbol} available: the order needs {format_decimal(wanted)} shares and "
        f"{format_decimal(available)} of {format_decimal(held)} are free.",
        {"symbol": symbol, "available": available, "existing_qty": held, "held_for_orders": held - available},
    )


def _check_size(request: OrderRequest) -> None:
    if (request.quantity is None) == (request.notional is None):
        raise InputError(
            "Give either qty (shares) or notional (USD), and not both.", field="qty", allowed="one of qty and notional"
        )
    name, size = _size_of(request), request.quantity if request.notional is None else request.notional
    assert size is not None
    if not ZERO < size <= LARGEST_ORDER or size != floor_quantity(size):
        raise _wrong(name, format_decimal(size), f"positive, at most {LARGEST_ORDER}, with at most nine decimals")


def _size_of(request: OrderRequest) -> str:
    return "qty" if request.notional is None else "notional"


def _check_prices(request: OrderRequest) -> None:
    for name, price, wanted in (
        ("limit_price", request.limit_price, request.type in LIMITED),
        ("stop_price", request.stop_price, request.type in STOPPED),
    ):
        if (price is not None) is not wanted:
            raise InputError(
                f"{name} is {'required' if wanted else 'not allowed'} for a {request.type} order.",
                field=name,
                received=price,
                allowed="a price in USD" if wanted else "null",
            )
        if price is None:
            continue
        rounded = floor_cents(price) if price >= ONE else round_price(price)
        if price <= ZERO or price != rounded:
            step = CENT if price >= ONE else "0.0001"
            raise _wrong(name, format_decimal(price), f"a positive price in steps of {step} USD")


def _check_auction(now: datetime, cut_off: datetime | None, name: str, said: str) -> None:
    if cut_off is not None and now >= cut_off and now.astimezone(NEW_YORK).time() < _AUCTIONS_AGAIN:
        raise InputError(
            f"{name} orders are taken until {said} and again from 19:00 New York.",
            field="time_in_force",
            received=name,
            allowed="another time in force now",
        )


def _wrong(field: str, received: object, allowed: str) -> InputError:
    return InputError(
        f"{field} must be {allowed}; received {received}.", field=field, received=received, allowed=allowed
    )
