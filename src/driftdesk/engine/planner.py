"""The orders that a rebalance would send, exact to the cent (rules.md 6).

Sells come first and pay for the buys. A sell is floored, so it raises less than the exact excess; the buys are
therefore always fitted to the cash that is really there, never to the sum of the targets: with a cash target of zero
the difference would be an overdraft of some cents.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from driftdesk.engine.drift import measure_drift
from driftdesk.engine.plan import (
    MIN_NOTIONAL,
    ORDER_LESS_THAN_MIN_NOTIONAL,
    Options,
    Plan,
    PlannedOrder,
    PlanRequest,
    RunType,
    SkippedOrder,
    Toward,
)
from driftdesk.engine.sizing import Gap, gaps_of, give_small_pieces, share_out, size_of, spendable_cash, whole_quantity
from driftdesk.engine.snapshot import Side, Snapshot, Symbol
from driftdesk.engine.wording import (
    idle_warning,
    listed_warning,
    order_reason,
    reservation_warnings,
    scaled_warning,
    skip_details,
    untradable_warning,
    whole_share_warnings,
)
from driftdesk.errors import InputError
from driftdesk.money import (
    CENT,
    ZERO,
    cash_of,
    exact,
    floor_cents,
    format_decimal,
    quantity_of,
)

__all__ = [
    "MIN_NOTIONAL",
    "ORDER_LESS_THAN_MIN_NOTIONAL",
    "Options",
    "Plan",
    "PlanRequest",
    "PlannedOrder",
    "RunType",
    "SkippedOrder",
    "Toward",
    "cap_buys",
    "check_request",
    "plan_orders",
    "trim_buys",
]

_Line = PlannedOrder | SkippedOrder


@exact
def plan_orders(snapshot: Snapshot, request: PlanRequest) -> Plan:
    """The orders of a full rebalance or of investing cash, with skips and warnings (rules.md 6.1 - 6.4, 6.7).

    Sells first, then buys, the largest drift first within each side, ties by symbol. Sending them never lowers cash
    below min(0, cash before). Raises as `check_snapshot` and `check_request` do.
    """
    report = measure_drift(snapshot, request.targets, request.conditions)
    check_request(request, report.equity)
    gaps, kept_out = _permitted(snapshot, gaps_of(snapshot, report, request), request)
    sells = _sells(gaps, request)
    spendable = spendable_cash(snapshot, report, request, _notional(sells))
    buys, short = _buys(gaps, spendable, request)
    lines = [*sells, *buys]
    orders = [line for line in lines if isinstance(line, PlannedOrder)]
    warnings = [*reservation_warnings(snapshot), *kept_out, *whole_share_warnings(gaps), *short]
    if not orders and (report.breached or request.options.breached_only):
        warnings.append(idle_warning(report, request))
    return Plan(
        account_id=snapshot.account_id,
        run_type=request.run_type,
        orders=tuple(replace(order, line=number) for number, order in enumerate(orders, start=1)),
        skipped=tuple(line for line in lines if isinstance(line, SkippedOrder)),
        warnings=tuple(warnings),
    )


def check_request(request: PlanRequest, equity: Decimal) -> None:
    """Raise InputError naming the first field of `request` that cannot be used with an equity of `equity` USD."""
    options = request.options
    plain = options.toward is Toward.TARGET and not options.breached_only
    invest = request.run_type is RunType.INVEST_CASH
    amount = request.amount
    findings = (
        ("amount", amount, amount is not None and not invest, "used with invest_cash only"),
        ("amount", amount, amount is not None and not _is_cents(amount), "above zero and in whole cents"),
        ("min_notional", request.min_notional, request.min_notional < ZERO, "zero or more"),
        ("options.cash_buffer", options.cash_buffer, options.cash_buffer < ZERO, "zero or more"),
        ("options.raise_cash", options.raise_cash, options.raise_cash < ZERO, "zero or more"),
        (
            "options.raise_cash",
            options.raise_cash,
            options.raise_cash > ZERO and (invest or not plain),
            "used in a full rebalance of every holding back to its target only",
        ),
        (
            "options.raise_cash",
            options.raise_cash,
            options.raise_cash > equity,
            f"at most the equity of {format_decimal(floor_cents(equity))} USD",
        ),
    )
    for field, received, wrong, allowed in findings:
        if wrong:
            raise InputError(
                f"{field} must be {allowed}; received {format_decimal(received or ZERO)}.",
                field=field,
                received=received,
                allowed=allowed,
            )


@exact
def spendable_now(snapshot: Snapshot, request: PlanRequest) -> Decimal:
    """Cash in USD that buys may use as the account stands: above its cash target, and not reserved (rules.md 6.1).

    Raises DataError when the snapshot cannot be used (rules.md 3.1).
    """
    report = measure_drift(snapshot, request.targets, request.conditions)
    return floor_cents(spendable_cash(snapshot, report, request, ZERO))


def trim_buys(
    buys: tuple[PlannedOrder, ...], spendable: Decimal, min_notional: Decimal = MIN_NOTIONAL
) -> tuple[tuple[PlannedOrder, ...], tuple[SkippedOrder, ...]]:
    """The planned buys reduced so that together they cost at most `spendable` USD (rules.md 7.2).

    Unchanged when they fit; otherwise scaled by notional and floored (rules.md 6.1), each keeping its line. Pieces
    below the minimum become skips.
    """
    if sum((order.notional for order in buys), ZERO) <= spendable:
        return buys, ()
    pieces = share_out({order.symbol: order.notional for order in buys}, max(ZERO, spendable))
    trimmed = [_trim(order, pieces[order.symbol]) for order in buys]
    kept = tuple(order for order in trimmed if order.notional >= max(min_notional, CENT))
    skipped = tuple(_skip(order, min_notional) for order in trimmed if order not in kept)
    return kept, skipped


def cap_buys(plan: Plan, confirmed: Iterable[PlannedOrder]) -> Plan:
    """`plan` with no buy larger than the one of the same symbol in `confirmed`: one confirmation covers buys up to its
    amounts (rules.md 9), and none that is not among them."""
    most = {order.symbol: order.notional for order in confirmed if order.side is Side.BUY}
    covered = (order for order in plan.orders if order.side is Side.SELL or order.symbol in most)
    capped = tuple(
        _trim(order, most[order.symbol]) if order.side is Side.BUY and order.notional > most[order.symbol] else order
        for order in covered
    )
    return replace(plan, orders=capped)


@exact
def _trim(order: PlannedOrder, piece: Decimal) -> PlannedOrder:
    quantity = quantity_of(piece, order.price)
    if order.quantity is None:
        return replace(order, notional=piece, estimated_quantity=quantity)
    quantity = whole_quantity(quantity)
    return replace(order, notional=cash_of(quantity, order.price), quantity=quantity, estimated_quantity=quantity)


def _is_cents(amount: Decimal) -> bool:
    return amount > ZERO and amount == floor_cents(amount)


def _permitted(snapshot: Snapshot, gaps: Sequence[Gap], request: PlanRequest) -> tuple[list[Gap], list[str]]:
    """The gaps that options, run type and market allow to trade, and warnings about those that they keep out."""
    options = request.options
    permitted: list[Gap] = []
    warnings: list[str] = []
    for gap in gaps:
        quote = snapshot.quote(gap.symbol)
        if options.breached_only and not gap.row.breached:
            continue
        if request.run_type is RunType.INVEST_CASH and gap.side is Side.SELL:
            continue
        if quote is not None and not quote.tradable:
            warnings.append(untradable_warning(gap))
        elif gap.symbol in (options.never_sell if gap.side is Side.SELL else options.never_buy):
            warnings.append(listed_warning(gap))
        else:
            permitted.append(gap)
    return permitted, warnings


def _sells(gaps: Sequence[Gap], request: PlanRequest) -> list[_Line]:
    lines = (_line(gap, floor_cents(gap.amount), request) for gap in gaps if gap.side is Side.SELL)
    return [line for line in lines if line is not None]


def _buys(gaps: Sequence[Gap], spendable: Decimal, request: PlanRequest) -> tuple[list[_Line], list[str]]:
    """Orders and skips for the shortfalls at most at `spendable` USD, and a warning when that is not enough."""
    shortfalls = [gap for gap in gaps if gap.side is Side.BUY]
    wanted = sum((gap.amount for gap in shortfalls), ZERO)
    pieces = share_out({gap.symbol: gap.amount for gap in shortfalls}, spendable)
    warnings: list[str] = []
    lines: list[_Line | None] = []
    if request.run_type is RunType.INVEST_CASH:
        pieces, given, largest = give_small_pieces(pieces, shortfalls, request.min_notional)
        for gap in shortfalls:
            given_to = largest if gap.symbol in given else None
            lines.append(_line(gap, pieces[gap.symbol], request, given_to))
    else:
        lines.extend(_line(gap, pieces[gap.symbol], request) for gap in shortfalls)
        if wanted - spendable >= max(request.min_notional, CENT):
            warnings.append(scaled_warning(wanted, spendable))
    return [line for line in lines if line is not None], warnings


def _line(gap: Gap, notional: Decimal, request: PlanRequest, given_to: Symbol | None = None) -> _Line | None:
    """The order for `gap` at `notional` USD, a skip when it is below the minimum, None when there is nothing to do."""
    size = size_of(gap, notional)
    if size.estimated_quantity == ZERO and (gap.whole or notional == ZERO):
        return None
    scaled = gap.amount - notional >= max(request.min_notional, CENT)
    order = PlannedOrder(
        line=0,
        symbol=gap.symbol,
        side=gap.side,
        notional=size.notional,
        quantity=size.quantity,
        price=gap.price,
        estimated_quantity=size.estimated_quantity,
        reason=order_reason(gap, request.options.toward, scaled=scaled),
    )
    if order.notional < request.min_notional:
        return _skip(order, request.min_notional, given_to)
    return order


def _skip(order: PlannedOrder, min_notional: Decimal, given_to: Symbol | None = None) -> SkippedOrder:
    details = skip_details(order.notional, min_notional, given_to)
    return SkippedOrder(order.symbol, order.side, order.notional, ORDER_LESS_THAN_MIN_NOTIONAL, details)


def _notional(orders: Iterable[_Line]) -> Decimal:
    """Cash in USD that the orders among the lines move."""
    return sum((order.notional for order in orders if isinstance(order, PlannedOrder)), ZERO)
