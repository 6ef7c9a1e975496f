"""SnapTrade's messages -> the engine's snapshot of a connected account (wire/snaptrade.md 4, 8).

What makes amounts meaningless is refused with a DataError: another currency, an amount that is not said, data that
SnapTrade has not got. What a person has to know beside right amounts is a finding.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from driftdesk.engine.snapshot import CASH, AccountId, Holding, OpenOrder, Quote, Side, Snapshot, Symbol
from driftdesk.errors import DataError
from driftdesk.money import ZERO, cash_of, exact, format_decimal, round_cents, round_price
from driftdesk.wire.snaptrade import accounts as wire
from driftdesk.wire.snaptrade.orders import OrderRecord, OrderState

# SnapTrade reads every connection at least once a day; older data mean that it no longer does.
OLD_AFTER: Final = timedelta(days=1)
_TRADE: Final = "trade"
# Exchange-traded shares, which the engine knows as one class; every other kind keeps its name and is refused there.
_SHARES: Final = frozenset({"stock", "etf", "adr", "cef"})


class FindingKind(StrEnum):
    DISABLED = "disabled"
    READ_ONLY = "read_only"
    STALE = "stale"
    CASH_EQUIVALENT = "cash_equivalent"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a person should know of a connected account before trading on it, in one sentence."""

    kind: FindingKind
    text: str


@dataclass(frozen=True, slots=True)
class Connected:
    """What was read of one account. `quotes` are fresher prices, of what is held or targeted; orders of any state."""

    account: wire.Account
    balances: tuple[wire.Balance, ...]
    positions: wire.Positions
    connection: wire.Connection | None = None
    quotes: tuple[wire.Quote, ...] = ()
    orders: tuple[OrderRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectedSnapshot:
    """The snapshot, its amounts in `currency`, and what was found on the way."""

    snapshot: Snapshot
    currency: str
    findings: tuple[Finding, ...]


def snaptrade_snapshot(
    read: Connected,
    *,
    as_of: datetime,
    market_open: bool,
    targets: Iterable[str] = (),
    excluded: frozenset[str] = frozenset(),
) -> ConnectedSnapshot:
    """The account at `as_of`, with a quote for everything held and everything in `targets`.

    Prices are those of `read.quotes`, taken at `as_of`; else the positions' own, as old as the positions. Cash
    equivalents stand in the cash and not among the holdings. Whether a security may be traded in fractions is not
    known here, and unknown is not no. Raises DataError where a currency differs from the account's (an `excluded`
    holding may), an amount is missing, or SnapTrade has not got the account's holdings.
    """
    _check_holdings_are_known(read.account)
    currency = _currency(read)
    held = _merged(position for position in read.positions.results if not position.cash_equivalent)
    counted = [position for position in held if _symbol(position) not in excluded]
    for position in counted:
        _check_currency(position, currency)
    fresh = {quote.symbol.symbol: quote for quote in read.quotes}
    _check_quotes(fresh.values(), currency, excluded)
    prices = {_symbol(position): _held_quote(position, read.positions, fresh, as_of) for position in held}
    for target in sorted(set(targets) - {CASH} - set(prices)):
        prices[Symbol(target)] = _quote(Symbol(target), fresh.get(target), as_of)
    open_orders, order_findings = _open_orders(read.orders, prices)
    snapshot = Snapshot(
        account_id=AccountId(read.account.id),
        as_of=as_of,
        cash=_cash(read, currency),
        holdings=tuple(_holding(position, open_orders) for position in sorted(held, key=_symbol)),
        quotes=tuple(prices[symbol] for symbol in sorted(prices)),
        open_orders=open_orders,
        excluded=frozenset(map(Symbol, excluded)),
        market_open=market_open,
    )
    findings = (*_of_the_connection(read, as_of), *_cash_equivalents(read, currency), *order_findings)
    return ConnectedSnapshot(snapshot, currency, findings)


def other_currencies(read: Connected) -> dict[Symbol, str]:
    """The holdings that are priced in another currency than the account's, each with it; DataError without the
    account's own."""
    currency = _currency(read)
    said = {
        _symbol(position): position.currency or position.instrument.currency or ""
        for position in read.positions.results
        if not position.cash_equivalent
    }
    return {symbol: other for symbol, other in said.items() if other != currency}


# --- refusals -----------------------------------------------------------------------------------------------------


def _check_holdings_are_known(account: wire.Account) -> None:
    sync = account.sync_status.holdings if account.sync_status else None
    if sync is not None and sync.holdings_unavailable:
        raise DataError(
            f"The brokerage of account {_name(account)} does not show its holdings to SnapTrade; nothing can be "
            "computed from empty lists."
        )
    if sync is not None and sync.initial_sync_completed is False:
        raise DataError(
            f"SnapTrade is still reading account {_name(account)} for the first time; try again in a few minutes."
        )


def _currency(read: Connected) -> str:
    """The account's currency: as it says, else that of its only balance."""
    codes = {balance.currency.code for balance in read.balances if balance.currency and balance.currency.code}
    if read.account.currency:
        return read.account.currency
    if len(codes) == 1:
        return codes.pop()
    raise DataError(
        f"The currency of account {_name(read.account)} is not known: neither the account nor a single balance says it."
    )


def _cash(read: Connected, currency: str) -> Decimal:
    """Cash in the account's currency, in cents; refused where there is cash in another."""
    cash: Decimal | None = None
    for balance in read.balances:
        code = balance.currency.code if balance.currency else None
        if code == currency and balance.cash is not None:
            cash = balance.cash if cash is None else cash + balance.cash
        elif code != currency and balance.cash:
            raise DataError(
                f"Account {_name(read.account)} is kept in {currency} and holds {format_decimal(balance.cash)} "
                f"{code or 'of an unnamed currency'} in cash; amounts are not converted, so convert that cash first."
            )
    if cash is None:
        raise DataError(f"SnapTrade says no cash in {currency} for account {_name(read.account)}; read it again.")
    return round_cents(cash)


def _check_currency(position: wire.Position, currency: str) -> None:
    said = position.currency or position.instrument.currency
    if said != currency:
        raise DataError(
            f"{_symbol(position)} is priced in {said or 'an unnamed currency'} and the account is kept in {currency}; "
            "amounts are not converted, so exclude the holding."
        )


def _check_quotes(quotes: Iterable[wire.Quote], currency: str, excluded: frozenset[str]) -> None:
    for quote in quotes:
        said = quote.symbol.currency.code if quote.symbol.currency else currency
        if said != currency and quote.symbol.symbol not in excluded:
            raise DataError(
                f"The price of {quote.symbol.symbol} is in {said} and the account is kept in {currency}; amounts are "
                f"not converted, so use a listing in {currency}."
            )


# --- holdings and prices ------------------------------------------------------------------------------------------


def _symbol(position: wire.Position) -> Symbol:
    symbol = position.instrument.symbol
    if not symbol:
        raise DataError(f"A position has no symbol ({position.instrument.description or 'nor description'}).")
    return Symbol(symbol)


@exact
def _merged(positions: Iterable[wire.Position]) -> tuple[wire.Position, ...]:
    """One position for each symbol: a brokerage may list one security for cash and for margin. Units add up."""
    merged: dict[Symbol, wire.Position] = {}
    for position in positions:
        symbol = _symbol(position)
        before = merged.get(symbol)
        if before is None:
            merged[symbol] = position
        elif before.units is None or position.units is None:
            merged[symbol] = before.model_copy(update={"units": None})
        else:
            merged[symbol] = before.model_copy(update={"units": before.units + position.units})
    return tuple(merged.values())


def _holding(position: wire.Position, orders: tuple[OpenOrder, ...]) -> Holding:
    symbol, kind = _symbol(position), position.instrument.kind or "unknown"
    if position.units is None:
        raise DataError(f"SnapTrade does not say how many units of {symbol} are held; read the positions again.")
    reserved = sum((o.reserved for o in orders if o.symbol == symbol and o.side is Side.SELL), ZERO)
    available = max(ZERO, position.units - reserved) if position.units > ZERO else position.units
    return Holding(symbol, position.units, available, "us_equity" if kind in _SHARES else kind)


def _held_quote(
    position: wire.Position, positions: wire.Positions, fresh: dict[str | None, wire.Quote], as_of: datetime
) -> Quote:
    symbol = _symbol(position)
    quote = _quote(symbol, fresh.get(symbol), as_of)
    if quote.price is not None or position.price is None or position.price <= ZERO:
        return quote
    read_at = positions.data_freshness.as_of if positions.data_freshness else None
    return Quote(symbol, round_price(position.price), read_at)


def _quote(symbol: Symbol, quote: wire.Quote | None, as_of: datetime) -> Quote:
    price = None if quote is None else quote.last_trade_price
    if price is None or price <= ZERO:
        return Quote(symbol, None, None)
    return Quote(symbol, round_price(price), as_of)


@exact
def _open_orders(
    records: Iterable[OrderRecord], prices: dict[Symbol, Quote]
) -> tuple[tuple[OpenOrder, ...], tuple[Finding, ...]]:
    """What orders that are not final reserve, and a finding for each whose record is in doubt."""
    orders: list[OpenOrder] = []
    findings: list[str] = []
    for record in records:
        findings += record.warnings
        if record.state is OrderState.FINAL:
            continue
        order = _open_order(record, prices)
        if order is None:
            findings.append(
                f"Order {record.brokerage_order_id} may be open ({record.status}), but does not say what it reserves; "
                "look at the brokerage before trading."
            )
        else:
            orders.append(order)
    return tuple(orders), tuple(Finding(FindingKind.ORDER, text) for text in findings)


def _open_order(record: OrderRecord, prices: dict[Symbol, Quote]) -> OpenOrder | None:
    symbol = record.universal_symbol.symbol if record.universal_symbol else None
    side = {"BUY": Side.BUY, "SELL": Side.SELL}.get(record.action or "")
    remaining = record.open_quantity
    if remaining is None and record.total_quantity is not None:
        remaining = record.total_quantity - (record.filled_quantity or ZERO) - (record.canceled_quantity or ZERO)
    if not symbol or side is None or remaining is None or record.brokerage_order_id is None:
        return None
    reserved = max(ZERO, remaining)
    if side is Side.BUY:
        known = prices.get(Symbol(symbol))
        price = record.limit_price or (known.price if known else None)
        if price is None:
            return None
        reserved = cash_of(reserved, price)
    return OpenOrder(record.brokerage_order_id, Symbol(symbol), side, reserved)


# --- findings -----------------------------------------------------------------------------------------------------


def _of_the_connection(read: Connected, as_of: datetime) -> tuple[Finding, ...]:
    found: list[Finding] = []
    connection, name = read.connection, _name(read.account)
    if connection is not None and connection.disabled:
        since = f" since {connection.disabled_date:%Y-%m-%d}" if connection.disabled_date else ""
        text = f"The connection of account {name} is disabled{since}: its data are old and it takes no orders."
        found.append(Finding(FindingKind.DISABLED, f"{text} Reconnect it in SnapTrade."))
    if connection is not None and connection.type not in (None, _TRADE):
        text = f"The connection of account {name} is read-only: a plan can be exported, not sent."
        found.append(Finding(FindingKind.READ_ONLY, text))
    read_at = read.positions.data_freshness.as_of if read.positions.data_freshness else None
    if read_at is None:
        found.append(Finding(FindingKind.STALE, f"SnapTrade does not say when the holdings of {name} were read."))
    elif as_of - read_at > OLD_AFTER:
        text = f"The holdings of account {name} were read at the brokerage {read_at:%Y-%m-%d %H:%M} UTC, over a day ago"
        found.append(Finding(FindingKind.STALE, f"{text}; refresh the connection before trading."))
    return tuple(found)


def _cash_equivalents(read: Connected, currency: str) -> tuple[Finding, ...]:
    found = []
    for position in read.positions.results:
        if position.cash_equivalent:
            value = "" if None in (position.units, position.price) else f", {_value(position)} {currency},"
            text = f"{_symbol(position)}{value} is counted as cash, where SnapTrade has it too, and not as a holding."
            found.append(Finding(FindingKind.CASH_EQUIVALENT, text))
    return tuple(found)


def _value(position: wire.Position) -> str:
    return format_decimal(cash_of(position.units or ZERO, position.price or ZERO))


def _name(account: wire.Account) -> str:
    return account.name or account.number or account.id
