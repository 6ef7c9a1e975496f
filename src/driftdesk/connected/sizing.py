"""An order of ours in SnapTrade's words; an amount becomes shares where a brokerage is not known to take amounts."""

import uuid
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from driftdesk.backend.exchange import book
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.store.tables import assets
from driftdesk.connected.reader import Reader
from driftdesk.connected.records import TIMES, TYPES
from driftdesk.engine.snapshot import Side
from driftdesk.errors import InputError, NotFound
from driftdesk.money import ZERO, floor_quantity, quantity_of
from driftdesk.wire.snaptrade.trading import NewOrder

_TYPES: Final = {ours: theirs for theirs, ours in TYPES.items()}
_TIMES: Final = {ours: theirs for theirs, ours in TIMES.items() if theirs != "GTD"}


def sized(reader: Reader, request: OrderRequest) -> OrderRequest:
    """The order as its brokerage takes it: by shares where it is not known to take amounts.

    As many shares as the amount pays for at the price of now, never more, of a sell never more than are free; whole
    ones where fractions are not offered. Raises NotFound without a price, InputError where it does not pay for one,
    BackendError where the price cannot be asked for.
    """
    if request.notional is None or reader.takes_notional(request.account_id):
        return request
    buys = request.side is Side.BUY
    quote = next(iter(reader.prices.of(request.account_id, [request.symbol])), None)
    prices = [quote.last_trade_price, quote.ask_price if buys else None] if quote else []
    dearest = max((price for price in prices if price), default=None)
    if dearest is None:
        raise NotFound(f"SnapTrade has no price of {request.symbol} now, so its order cannot be sized.")
    shares = quantity_of(request.notional, dearest)
    with reader.world.database.read() as connection:
        whole = connection.scalar(select(assets.c.fractionable).where(assets.c.symbol == request.symbol)) is False
        if not buys:
            # The price may have fallen since the amount was planned.
            shares = min(shares, book.shares(connection, request.account_id, request.symbol)[1])
    shares = shares // 1 if whole else floor_quantity(shares)
    if shares <= ZERO:
        raise InputError(f"{request.notional} USD do not pay for a share of {request.symbol}.", field="notional")
    return replace(request, notional=None, quantity=shares)


def new_order(request: OrderRequest) -> NewOrder:
    """The order in SnapTrade's words; InputError for a time in force that it does not know."""
    if request.time_in_force not in _TIMES:
        raise InputError(f"time_in_force {request.time_in_force} is not taken by SnapTrade.", field="time_in_force")
    return NewOrder(
        account_id=request.account_id,
        action=request.side.upper(),
        order_type=_TYPES[request.type],
        time_in_force=_TIMES[request.time_in_force],
        symbol=request.symbol,
        units=request.quantity,
        notional_value=request.notional,
        price=request.limit_price,
        stop=request.stop_price,
        # The same for the same order, so that a brokerage that minds it refuses a second one.
        client_order_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{request.account_id}|{request.client_order_id}")),
    )
