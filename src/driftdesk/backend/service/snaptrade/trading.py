"""Previewing, placing and replacing orders by the SnapTrade routes (wire/snaptrade.md 3, 4).

Orders that come while the market is closed wait for its open, as at every other door. What this exchange does not
offer is refused by name: options, GTD, extended hours.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from sqlalchemy import Connection

from driftdesk.backend.exchange.terms import check_terms, short_of_cash, short_of_shares, worst_price
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service.order_requests import ALL_TERMS, asset_row, read_request
from driftdesk.backend.service.snaptrade.quotes import Quotes
from driftdesk.backend.service.snaptrade.records import ORDER_TYPES, TIMES_IN_FORCE
from driftdesk.backend.service.snaptrade.symbols import USD
from driftdesk.engine.snapshot import Side
from driftdesk.errors import DataError, InputError
from driftdesk.money import ZERO, cash_of, quantity_of, round_cents
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.orders import ReplaceOrder as OurReplacement
from driftdesk.wire.snaptrade.orders import OrderRecord
from driftdesk.wire.snaptrade.rules import check_order, one_of
from driftdesk.wire.snaptrade.trading import (
    Impact,
    NewOrder,
    RemainingBalance,
    ReplaceOrder,
    Trade,
    TradeImpact,
    TradeSymbol,
)

if TYPE_CHECKING:
    from driftdesk.backend.service.service import Service

# Seconds of wall time for which a previewed order can be placed.
TRADE_LIVES: Final = 300.0

_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_TYPES: Final = {word: ours for ours, word in ORDER_TYPES.items()}
_TIMES: Final = {word: ours for ours, word in TIMES_IN_FORCE.items() if word in ("Day", "GTC", "FOK", "IOC")}
# What the other doors call the fields that a refusal may name.
_WORDS: Final = {
    "qty": "units",
    "notional": "notional_value",
    "limit_price": "price",
    "stop_price": "stop",
    "type": "order_type",
}


class UnknownSymbol(InputError):
    """A ticker or universal symbol id that is no asset here."""


@dataclass(frozen=True, slots=True)
class _Previewed:
    """An order that can be placed until `ends` (seconds since 1970)."""

    order: NewOrder
    ends: float


class Trading(Quotes):
    """Everything that sends. StateErrors of `connection` where the connection may not trade.

    Previewed orders are kept in memory: they are gone when the process ends.
    """

    def __init__(self, service: "Service") -> None:
        super().__init__(service)
        self._lock = threading.Lock()
        self._previewed: dict[str, _Previewed] = {}

    def place(self, order: NewOrder) -> OrderRecord:
        """Send an order to the exchange; its record, REJECTED where the venue refused it.

        Raises InputError for terms that cannot be, Insufficient without the cash or the shares, Repeated for a
        client_order_id used before, Unavailable where the exchange does not answer: the order may be there or not.
        """
        check_order(order)
        self._check_account(order.account_id)
        body = _our_order(order)
        with _in_their_words():
            placed = self._service.place_order(order.account_id, body)
        return self.order(order.account_id, placed.id)

    def impact(self, order: NewOrder, now: float) -> Impact:
        """What an order would cost, and an id under which it can be placed once; `now` in seconds since 1970.

        Nothing is sent or reserved. Raises what `place` raises, but for Repeated and Unavailable.
        """
        check_order(order, previewed=True)
        self._check_account(order.account_id)
        with self._world.database.read() as connection:
            with _in_their_words():
                asset = asset_row(connection, order.universal_symbol_id or "")
                request = read_request(order.account_id, asset, _our_order(order), ALL_TERMS)
                check_terms(request)
            left = self._cash_after(connection, request)
            account = self._world.account_row(connection, order.account_id)
        trade = Trade(
            id=self._keep(order, now),
            account=order.account_id,
            symbol=TradeSymbol(
                universal_symbol_id=asset["id"], symbol=asset["symbol"], description=asset["name"], currency=USD
            ),
            action=order.action,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            units=order.units,
            price=order.price,
        )
        impact = TradeImpact(
            account=order.account_id,
            currency=USD.id,
            remaining_cash=left,
            estimated_commission=ZERO,
            forex_fees=ZERO,
        )
        named = {"id": order.account_id, "name": account["name"], "number": account["number"]}
        balance = RemainingBalance(account=named, currency=USD, cash=left)
        return Impact(trade=trade, trade_impacts=(impact,), combined_remaining_balance=balance)

    def place_checked(self, trade_id: str, now: float) -> OrderRecord:
        """Send the order of an `impact`, once; InputError for an id that is not known, used or older than five minutes.

        What `place` raises otherwise; the id is used up in any case.
        """
        with self._lock:
            kept = self._previewed.pop(trade_id, None)
        if kept is None or now >= kept.ends:
            raise InputError(
                f"Trade {trade_id} is not known, was placed, or is older than five minutes; ask for its impact again.",
                field="tradeId",
                received=trade_id,
                allowed="the id of an impact of the last five minutes",
            )
        return self.place(kept.order)

    def replace(self, account_id: str, change: ReplaceOrder) -> OrderRecord:
        """Replace an open order by one with other terms; the record of the new one, which has an id of its own.

        Side, type and security stay. Raises InputError and StateError where the exchange cannot.
        """
        one_of("time_in_force", change.time_in_force, tuple(_TIMES))
        self._check_account(account_id)
        with self._world.database.read() as connection:
            row = self._known_row(connection, account_id, change.brokerage_order_id)
        one_of("action", change.action, (row["side"].upper(),))
        one_of("order_type", change.order_type, (ORDER_TYPES[row["type"]],))
        if change.symbol is not None:
            one_of("symbol", change.symbol.upper(), (row["symbol"],))
        body = OurReplacement(
            qty=change.units,
            time_in_force=_TIMES[change.time_in_force],
            limit_price=change.price,
            stop_price=change.stop,
        )
        with _in_their_words():
            made = self._service.replace_order(account_id, row["id"], body)
        return self.order(account_id, made.id)

    def _cash_after(self, connection: Connection, request: OrderRequest) -> Decimal:
        """Free cash after the order in USD, at its limit, else at the price of its side; Insufficient where short."""
        last = self._world.quote(connection, request.symbol, self._world.now())[0].price
        if last is None:
            raise DataError(f"{request.symbol} has no price now, so nothing can be estimated.")
        free = self._world.free_cash(connection, request.account_id)
        price = request.limit_price or self._service.exchange.model.price(request.side, last)
        if request.side is Side.BUY:
            cost = round_cents(request.notional or cash_of(request.quantity or ZERO, worst_price(request, price)))
            if cost > free:
                raise short_of_cash(cost, free)
            return free - cost
        shares = request.quantity or quantity_of(request.notional or ZERO, price)
        held = {position.symbol: position for position in self._service.positions(request.account_id)}
        mine = held.get(request.symbol)
        there, available = (ZERO, ZERO) if mine is None else (mine.qty, mine.qty_available or ZERO)
        if shares > available:
            raise short_of_shares(request.symbol, shares, there, available)
        return free + round_cents(request.notional or cash_of(shares, price))

    def _keep(self, order: NewOrder, now: float) -> str:
        trade_id = str(uuid4())
        with self._lock:
            self._previewed = {name: kept for name, kept in self._previewed.items() if now < kept.ends}
            self._previewed[trade_id] = _Previewed(order, now + TRADE_LIVES)
        return trade_id


def _our_order(order: NewOrder) -> CreateOrder:
    """`order`, which is one by SnapTrade's rules, in the words of the other doors."""
    one_of("action", order.action, tuple(_SIDES))
    one_of("time_in_force", order.time_in_force, tuple(_TIMES))
    if order.trading_session is not None:
        one_of("trading_session", order.trading_session, ("REGULAR",))
    return CreateOrder(
        symbol=order.symbol or order.universal_symbol_id or "",
        side=_SIDES[order.action],
        type=_TYPES[order.order_type],
        time_in_force=_TIMES[order.time_in_force],
        qty=order.units,
        notional=order.notional_value,
        limit_price=order.price,
        stop_price=order.stop,
        client_order_id=_client_order_id(order.client_order_id),
    )


def _client_order_id(given: str | None) -> str | None:
    try:
        return None if given is None else str(UUID(given))
    except ValueError:
        raise InputError(
            f"client_order_id must be a UUID; received {given!r}.",
            field="client_order_id",
            received=given,
            allowed="a UUID",
        ) from None


@contextmanager
def _in_their_words() -> Iterator[None]:
    """Let refusals name fields as SnapTrade does, and tell an unknown symbol from what else may be wrong."""
    try:
        yield
    except InputError as problem:
        theirs = _WORDS.get(problem.field, problem.field)
        text = re.sub(rf"\b{problem.field}\b", theirs, f"{problem}")
        kind = UnknownSymbol if theirs == "symbol" else InputError
        raise kind(text, field=theirs, received=problem.received, allowed=problem.allowed) from None
