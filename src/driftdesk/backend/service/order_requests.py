"""What a person asks for, read into an order for the exchange; each door takes its own terms (rules.md 8.2)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, select

from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.store.tables import assets
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import Incomplete, InputError
from driftdesk.money import ZERO, floor_cents, format_decimal
from driftdesk.wire.orders import CreateOrder, OrderType, TimeInForce

E = TypeVar("E", OrderType, TimeInForce, Side)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one door takes: its times in force, its longest client order id, and whether only whole shares."""

    times_in_force: Collection[TimeInForce] = tuple(TimeInForce)
    longest_client_order_id: int = 128
    whole_shares: bool = False


ALL_TERMS: Final = Terms()


def asset_row(connection: Connection, symbol_or_id: str) -> Row:
    """The asset with that symbol or id; InputError without it."""
    symbol = symbol_or_id.upper()
    row = (
        connection.execute(select(assets).where((assets.c.symbol == symbol) | (assets.c.id == symbol_or_id)))
        .mappings()
        .first()
    )
    if row is None:
        raise InputError(
            f"symbol {symbol_or_id} is not an asset known here; /v2/assets lists them.",
            field="symbol",
            received=symbol_or_id,
            allowed="a symbol or asset id",
        )
    return row


def read_request(account_id: str, asset: Row, body: CreateOrder, terms: Terms) -> OrderRequest:
    """An order for `asset` as this door takes it; InputError, or Incomplete without a size."""
    symbol = Symbol(asset["symbol"])
    if terms.whole_shares and body.notional is not None:
        raise InputError(
            "notional is not taken at this door, only a whole number of shares as qty; /v2/orders takes notionals.",
            field="notional",
            received=body.notional,
            allowed="null",
        )
    if body.qty is None and body.notional is None:
        also = "" if terms.whole_shares else ", or give notional, an amount in USD"
        raise Incomplete(f"qty is required: the number of shares to trade{also}.", field="qty", allowed="a number")
    fractional = body.notional is not None or (body.qty is not None and body.qty != body.qty // 1)
    if fractional and terms.whole_shares:
        raise InputError(
            f"qty must be a whole number of shares at this door; received {format_decimal(body.qty or ZERO)}.",
            field="qty",
            received=body.qty,
            allowed="a whole number",
        )
    if fractional and not asset["fractionable"]:
        raise InputError(
            f"{symbol} is not fractionable; give a whole number of shares as qty.",
            field="qty",
            received=body.qty,
            allowed="a whole number",
        )
    if body.notional is not None and body.notional != floor_cents(body.notional):
        raise InputError(
            f"notional must have at most two decimals; received {format_decimal(body.notional)}.",
            field="notional",
            received=body.notional,
            allowed="USD with two decimals",
        )
    return OrderRequest(
        account_id=AccountId(account_id),
        client_order_id=read_client_order_id(body.client_order_id, terms),
        symbol=symbol,
        side=read_choice(Side, "side", body.side, tuple(Side)),
        notional=body.notional,
        quantity=body.qty,
        type=read_choice(OrderType, "type", body.type, tuple(OrderType)),
        time_in_force=read_choice(TimeInForce, "time_in_force", body.time_in_force, terms.times_in_force),
        limit_price=body.limit_price,
        stop_price=body.stop_price,
    )


def read_client_order_id(given: str | None, terms: Terms) -> str:
    """The name that was given, or a new one; InputError for one that is too long."""
    if given is None:
        return str(uuid4())
    if not 0 < len(given) <= terms.longest_client_order_id:
        raise InputError(
            f"client_order_id must have 1 to {terms.longest_client_order_id} characters; received {len(given)}.",
            field="client_order_id",
            received=given,
            allowed=f"1 to {terms.longest_client_order_id} characters",
        )
    return given


def check_offered(body: CreateOrder) -> None:
    """Raise InputError for what the wire knows and nothing here offers: it must not be ignored."""
    # What an order of its side does anyway, without shorts.
    intent = "buy_to_open" if body.side == Side.BUY else "sell_to_close"
    for field, value, allowed in (
        ("order_class", body.order_class if body.order_class not in ("", "simple") else None, "simple"),
        ("extended_hours", body.extended_hours or None, "false"),
        ("trail_price", body.trail_price, "null"),
        ("trail_percent", body.trail_percent, "null"),
        ("take_profit", body.take_profit, "null"),
        ("stop_loss", body.stop_loss, "null"),
        ("legs", body.legs or None, "null"),
        ("position_intent", body.position_intent if body.position_intent != intent else None, intent),
    ):
        if value is not None:
            raise InputError(
                f"{field} is not offered here; allowed is {allowed}.",
                field=field,
                received=value,
                allowed=allowed,
            )


def read_choice(kind: type[E], field: str, value: str, allowed: Collection[E]) -> E:
    """`value` as one of `allowed`; InputError for another."""
    check_choice(field, value, tuple(allowed))
    return kind(value)


def check_choice(field: str, value: str, allowed: Collection[str]) -> None:
    """Raise InputError, naming what is allowed, unless `value` is that."""
    if value not in allowed:
        names = ", ".join(allowed)
        raise InputError(
            f"{field} must be one of {names}; received {value!r}.", field=field, received=value, allowed=names
        )
