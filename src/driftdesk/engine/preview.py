"""A plan with the weights before and after, its cost and a hash over its inputs (rules.md 6.6)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from driftdesk.engine.drift import DriftReport, counted_holdings, measure_drift
from driftdesk.engine.measures import one_way_turnover
from driftdesk.engine.planner import Plan, PlannedOrder, PlanRequest, plan_orders
from driftdesk.engine.snapshot import Holding, Side, Snapshot, Symbol
from driftdesk.engine.targets import Condition, DriftBand
from driftdesk.engine.wording import still_outside_warnings
from driftdesk.money import BASIS_POINTS, ZERO, exact, format_decimal, round_cents

# Orders may move this many percent from their preview unless the request says otherwise (rules.md 6.6).
DEFAULT_MAX_CHANGE: Final = Decimal(5)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do. Money in USD; `turnover` is one-way (sum of |trade| / 2 over equity), a fraction.

    `estimated_cost` is `cost_bps` of the traded value. `hash` is SHA-256 (hex) over the canonical inputs, not the time.
    """

    snapshot: Snapshot
    request: PlanRequest
    plan: Plan
    before: DriftReport
    after: DriftReport
    cash_after: Decimal
    sells_total: Decimal
    buys_total: Decimal
    turnover: Decimal
    estimated_cost: Decimal
    warnings: tuple[str, ...]
    hash: str


@dataclass(frozen=True, slots=True)
class OrderChange:
    """How one order moved between two plans; a notional of zero: not in that plan. `allowed`: within the limit."""

    symbol: str
    side: str
    planned: Decimal
    replanned: Decimal
    allowed: bool


@exact
def preview(snapshot: Snapshot, request: PlanRequest, *, cost_bps: Decimal = ZERO) -> Preview:
    """The plan for `request` with the drift before and after it, at the snapshot's prices (rules.md 6.6).

    `cost_bps`: assumed cost in basis points of the traded value; it is shown, not taken from the cash after.
    Raises as `plan_orders` does.
    """
    plan = plan_orders(snapshot, request)
    before = measure_drift(snapshot, request.targets, request.conditions)
    projected = project(snapshot, plan)
    after = measure_drift(projected, request.targets, request.conditions)
    sells_total = sum((order.notional for order in plan.sells), ZERO)
    buys_total = sum((order.notional for order in plan.buys), ZERO)
    return Preview(
        snapshot=snapshot,
        request=request,
        plan=plan,
        before=before,
        after=after,
        cash_after=projected.cash,
        sells_total=sells_total,
        buys_total=buys_total,
        turnover=one_way_turnover((sells_total, buys_total), before.equity),
        estimated_cost=round_cents((sells_total + buys_total) * cost_bps / BASIS_POINTS),
        warnings=(*plan.warnings, *still_outside_warnings(after)),
        hash=preview_hash(snapshot, request),
    )


@exact
def project(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """`snapshot` after every order of `plan` filled at the snapshot's prices.

    Quantities move by the floored quantity, cash by the notional (rules.md 1.3, 1.4); positions sold out disappear.
    """
    held = {holding.symbol: holding for holding in snapshot.holdings}
    cash = snapshot.cash
    for order in plan.orders:
        sign = 1 if order.side is Side.BUY else -1
        cash -= sign * order.notional
        moved = sign * order.estimated_quantity
        before = held.get(order.symbol, Holding(order.symbol, ZERO, ZERO))
        held[order.symbol] = replace(before, quantity=before.quantity + moved, available=before.available + moved)
    holdings = tuple(holding for holding in held.values() if holding.quantity != ZERO)
    return replace(snapshot, cash=cash, holdings=holdings)


def preview_hash(snapshot: Snapshot, request: PlanRequest) -> str:
    """SHA-256 (64 hex digits) over everything that the plan depends on, and nothing else (rules.md 6.6).

    The text under the hash is JSON without spaces, keys sorted, lists sorted, numbers as plain decimal text. So the
    order of holdings, quotes or weights, "5" or "5.00", the time, and quotes of symbols neither held nor targeted do
    not matter.
    """
    canonical = {
        "account": snapshot.account_id,
        "cash": format_decimal(snapshot.cash),
        "excluded": sorted(snapshot.excluded),
        "holdings": sorted(
            [holding.symbol, format_decimal(holding.quantity), format_decimal(holding.available)]
            for holding in counted_holdings(snapshot)
        ),
        "open_orders": sorted(
            [order.symbol, order.side.value, format_decimal(order.reserved)] for order in snapshot.open_orders
        ),
        "quotes": _canonical_quotes(snapshot, request),
        **_canonical_request(request),
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _canonical_quotes(snapshot: Snapshot, request: PlanRequest) -> list[list[str | bool | None]]:
    symbols = {*request.targets.symbols, *(holding.symbol for holding in counted_holdings(snapshot))}
    quotes: list[list[str | bool | None]] = []
    for symbol in sorted(symbols):
        quote = snapshot.quote(symbol)
        if quote is not None:
            price = None if quote.price is None else format_decimal(quote.price)
            quotes.append([symbol, price, quote.tradable, quote.fractionable])
    return quotes


def _canonical_request(request: PlanRequest) -> dict[str, object]:
    options = request.options
    return {
        "amount": None if request.amount is None else format_decimal(request.amount),
        "conditions": sorted(_canonical_condition(condition) for condition in request.conditions),
        "min_notional": format_decimal(request.min_notional),
        "options": {
            "breached_only": options.breached_only,
            "cash_buffer": format_decimal(options.cash_buffer),
            "never_buy": sorted(options.never_buy),
            "never_sell": sorted(options.never_sell),
            "raise_cash": format_decimal(options.raise_cash),
            "toward": options.toward.value,
            "whole_shares": options.whole_shares,
        },
        "run_type": request.run_type.value,
        "weights": sorted([target.symbol, format_decimal(target.weight)] for target in request.targets.weights),
    }


def _canonical_condition(condition: Condition) -> list[str]:
    measure = format_decimal(condition.percent) if isinstance(condition, DriftBand) else condition.day
    return [condition.kind.value, measure]


@exact
def compare_plans(
    planned: Sequence[PlannedOrder], replanned: Sequence[PlannedOrder], max_change_percent: Decimal
) -> tuple[OrderChange, ...]:
    """How each order of `planned` stands in `replanned`, matched by symbol and side, sells first (rules.md 6.6).

    An order may go ahead when both plans have it and its notional moved by at most `max_change_percent` of the planned
    one. One that disappeared, appeared, or changed its side may not. Unchanged orders are listed too; the run may
    start when every change is allowed.
    """
    old = {(order.symbol, order.side): order.notional for order in planned}
    new = {(order.symbol, order.side): order.notional for order in replanned}
    changes = []
    for symbol, side in sorted({*old, *new}, key=_sells_first):
        before, now = old.get((symbol, side), ZERO), new.get((symbol, side), ZERO)
        in_both = (symbol, side) in old and (symbol, side) in new
        allowed = in_both and abs(now - before) * 100 <= max_change_percent * before
        changes.append(OrderChange(symbol, side.value, before, now, allowed))
    return tuple(changes)


def _sells_first(key: tuple[Symbol, Side]) -> tuple[bool, Symbol]:
    symbol, side = key
    return side is Side.BUY, symbol
