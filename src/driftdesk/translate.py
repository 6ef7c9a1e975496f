"""Wire <-> engine: the only file that knows both vocabularies.

The wire speaks in percents, nulls and open-ended text; the engine in fractions, CASH and closed types. What the wire
lets through and the engine cannot mean is refused here with an InputError that names the field.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from driftdesk.engine.conditions import parse_conditions
from driftdesk.engine.planner import Options, PlannedOrder, SkippedOrder, Toward
from driftdesk.engine.snapshot import (
    CASH,
    AccountId,
    Holding,
    OpenOrder,
    PortfolioId,
    Quote,
    Side,
    Snapshot,
    Symbol,
    dearest_price,
)
from driftdesk.engine.targets import Condition, DriftBand, Portfolio, Targets, parse_targets
from driftdesk.engine.triggers import Decision
from driftdesk.errors import InputError
from driftdesk.money import ZERO, cash_of, fraction_to_percent, quantity_of, round_cents, round_price
from driftdesk.wire import decisions as wire_decisions
from driftdesk.wire import orders as wire_orders
from driftdesk.wire import portfolios as wire_portfolios
from driftdesk.wire import runs as wire_runs
from driftdesk.wire.accounts import Asset, Position
from driftdesk.wire.market import Clock, Trade

PLANNED: Final = "planned"
ON_PORTFOLIO_UPDATE: Final = "on_portfolio_update"


# --- portfolios ---------------------------------------------------------------------------------------------------


def to_targets(weights: Iterable[wire_portfolios.Weight], *, field: str = "weights") -> Targets:
    """Targets (fractions) from weights (percents). Raises InputError with the path of the field (rules.md 1.2, 2.1)."""
    return parse_targets(
        ((_symbol(weight, f"{field}[{index}]"), weight.percent) for index, weight in enumerate(weights)), field=field
    )


def _symbol(weight: wire_portfolios.Weight, path: str) -> Symbol:
    match weight.type:
        case wire_portfolios.WeightType.CASH:
            if weight.symbol is not None:
                raise InputError(
                    f"{path}.symbol must be null for a cash weight; received {weight.symbol!r}.",
                    field=f"{path}.symbol",
                    received=weight.symbol,
                    allowed="null for cash",
                )
            return CASH
        case wire_portfolios.WeightType.ASSET:
            # CASH is the engine's own name and never an asset's.
            if not weight.symbol or weight.symbol == CASH:
                raise InputError(
                    f"{path}.symbol must name an asset for a weight of type asset; received {weight.symbol!r}.",
                    field=f"{path}.symbol",
                    received=weight.symbol,
                    allowed="the symbol of an asset",
                )
            return Symbol(weight.symbol)
        case _:
            extra = " Portfolios as weights are not offered yet." if weight.type == "portfolio" else ""
            raise InputError(
                f"{path}.type must be cash or asset; received {weight.type!r}.{extra}",
                field=f"{path}.type",
                received=weight.type,
                allowed="cash or asset",
            )


def from_weights(targets: Targets) -> tuple[wire_portfolios.Weight, ...]:
    """Weights (percents) from targets (fractions), in the same order."""
    return tuple(
        wire_portfolios.Weight(
            type=wire_portfolios.WeightType.CASH if cash else wire_portfolios.WeightType.ASSET,
            symbol=None if cash else target.symbol,
            percent=fraction_to_percent(target.weight),
        )
        for target in targets.weights
        for cash in (target.symbol == CASH,)
    )


def to_conditions(
    conditions: Iterable[wire_portfolios.Condition], *, field: str = "rebalance_conditions"
) -> tuple[Condition, ...]:
    """Conditions for the engine. Raises InputError with the path of the field (rules.md 2.1, 2.3)."""
    return parse_conditions((condition.model_dump(mode="json") for condition in conditions), field=field)


def from_conditions(conditions: Iterable[Condition]) -> tuple[wire_portfolios.Condition, ...]:
    """Conditions for the wire, in the same order."""
    return tuple(
        wire_portfolios.Condition(type="drift_band", sub_type=condition.kind.value, percent=condition.percent)
        if isinstance(condition, DriftBand)
        else wire_portfolios.Condition(type="calendar", sub_type=condition.kind.value, day=condition.day)
        for condition in conditions
    )


def to_portfolio(portfolio: wire_portfolios.Portfolio) -> Portfolio:
    """The portfolio for the engine. Raises InputError where its weights or conditions break a rule.

    A condition `on_portfolio_update` of the real API is left out: that changed weights are a trigger holds for every
    portfolio here (rules.md 2.4).
    """
    return Portfolio(
        id=PortfolioId(portfolio.id),
        name=portfolio.name,
        targets=to_targets(portfolio.weights),
        conditions=to_conditions(
            condition for condition in portfolio.rebalance_conditions if condition.type != ON_PORTFOLIO_UPDATE
        ),
        cooldown_days=portfolio.cooldown_days,
    )


# --- options, plans, decisions ------------------------------------------------------------------------------------


def to_options(options: wire_runs.RunOptions | None) -> Options:
    """Options for the planner; None means all off. Raises InputError for an unknown `toward` or a negative amount."""
    if options is None:
        return Options()
    if options.toward not in tuple(Toward):
        allowed = ", ".join(Toward)
        raise InputError(
            f"options.toward must be one of {allowed}; received {options.toward!r}.",
            field="options.toward",
            received=options.toward,
            allowed=allowed,
        )
    return Options(
        breached_only=options.breached_only,
        toward=Toward(options.toward),
        cash_buffer=_not_negative(options.cash_buffer, "options.cash_buffer"),
        never_buy=frozenset(map(Symbol, options.never_buy)),
        never_sell=frozenset(map(Symbol, options.never_sell)),
        raise_cash=_not_negative(options.raise_cash, "options.raise_cash"),
        whole_shares=options.whole_shares,
    )


def _not_negative(amount: Decimal | None, path: str) -> Decimal:
    if amount is not None and amount < ZERO:
        raise InputError(
            f"{path} must not be negative; received {amount}.", field=path, received=amount, allowed="0 or more USD"
        )
    return ZERO if amount is None else amount


def from_options(options: Options) -> wire_runs.RunOptions | None:
    """Options for the wire; None when all are off, which is all that the real API knows (rules.md 6.7)."""
    if options == Options():
        return None
    return wire_runs.RunOptions(
        breached_only=options.breached_only,
        toward=options.toward.value,
        cash_buffer=options.cash_buffer or None,
        never_buy=tuple(sorted(options.never_buy)),
        never_sell=tuple(sorted(options.never_sell)),
        raise_cash=options.raise_cash or None,
        whole_shares=options.whole_shares,
    )


def from_planned(order: PlannedOrder, *, state: str = PLANNED, client_order_id: str = "") -> wire_runs.PlannedLine:
    """A line of a plan for the wire; `state` and `client_order_id` are known once the run has stored it."""
    return wire_runs.PlannedLine(
        line=order.line,
        symbol=order.symbol,
        side=order.side.value,
        notional=order.notional,
        qty=order.quantity,
        price=order.price,
        estimated_qty=order.estimated_quantity,
        reason=order.reason,
        state=state,
        client_order_id=client_order_id,
    )


def to_planned(line: wire_runs.PlannedLine) -> PlannedOrder:
    """The planned order of a line. Raises InputError for a side that is neither buy nor sell."""
    return PlannedOrder(
        line=line.line,
        symbol=Symbol(line.symbol),
        side=_side(line.side, f"line {line.line}"),
        notional=line.notional,
        quantity=line.qty,
        price=line.price,
        estimated_quantity=line.estimated_qty,
        reason=line.reason,
    )


def from_skipped(order: SkippedOrder) -> wire_orders.SkippedOrder:
    """A skipped order for the wire."""
    return wire_orders.SkippedOrder(
        symbol=order.symbol,
        side=order.side.value,
        notional=order.notional,
        currency=order.currency,
        reason=order.reason,
        reason_details=order.reason_details,
    )


def from_decision(decision: Decision, decision_id: str, run_id: str | None = None) -> wire_decisions.Decision:
    """A decision for the wire, under the id that the store gave it, with the run that came of it."""
    return wire_decisions.Decision(
        id=decision_id,
        account_id=decision.account_id,
        portfolio_id=decision.portfolio_id,
        session=decision.session.isoformat(),
        at=decision.at,
        outcome=decision.outcome.value,
        run_type=decision.run_type and decision.run_type.value,
        run_id=run_id,
        triggers=tuple(
            wire_decisions.Trigger(
                kind=trigger.kind.value,
                text=trigger.text,
                symbol=trigger.symbol,
                measured=trigger.measured,
                limit=trigger.limit,
                nominal_date=_date(trigger.nominal_date),
            )
            for trigger in decision.triggers
        ),
        blocks=tuple(
            wire_decisions.Block(kind=block.kind.value, text=block.text, until=_date(block.until))
            for block in decision.blocks
        ),
        summary=decision.summary,
    )


def _date(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


# --- snapshots ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Market:
    """What one snapshot needs of the market: the clock, latest trades and assets by symbol."""

    clock: Clock
    trades: Mapping[str, Trade]
    assets: Mapping[str, Asset]


@dataclass(frozen=True, slots=True)
class Held:
    """What one account holds: cash in USD, positions, and orders that are not final."""

    cash: Decimal
    positions: tuple[Position, ...] = ()
    orders: tuple[wire_orders.Order, ...] = ()
    excluded: frozenset[str] = field(default_factory=frozenset)


def to_snapshot(account_id: str, held: Held, market: Market, targets: Iterable[str] = ()) -> Snapshot:
    """The engine's snapshot of an account, with a quote for everything held and everything in `targets`.

    The backend builds the same snapshot from its store. A symbol without an asset or a trade has no price, which the
    engine refuses or reports (rules.md 3.1). Holdings stand in symbol order and open orders in the order of submission,
    so that the order of the answers changes nothing.
    """
    holdings = tuple(_holding(position) for position in sorted(held.positions, key=lambda position: position.symbol))
    symbols = {holding.symbol for holding in holdings} | {Symbol(symbol) for symbol in targets if symbol != CASH}
    open_orders = (order for order in held.orders if order.status not in wire_orders.FINAL_ORDER_STATUSES)
    return Snapshot(
        account_id=AccountId(account_id),
        as_of=market.clock.timestamp,
        cash=round_cents(held.cash),
        holdings=holdings,
        quotes=tuple(_quote(symbol, market) for symbol in sorted(symbols)),
        open_orders=tuple(
            _open_order(order, market.trades.get(order.symbol))
            for order in sorted(open_orders, key=lambda order: (order.submitted_at or order.created_at, order.id))
        ),
        excluded=frozenset(map(Symbol, held.excluded)),
        market_open=market.clock.is_open,
    )


def _holding(position: Position) -> Holding:
    available = position.qty if position.qty_available is None else position.qty_available
    # Some backends give a short as a positive quantity with a side (wire/alpaca.md 11.3).
    sign = -1 if position.side == "short" and position.qty > ZERO else 1
    return Holding(Symbol(position.symbol), position.qty * sign, available * sign, position.asset_class)


def _quote(symbol: Symbol, market: Market) -> Quote:
    asset, trade = market.assets.get(symbol), market.trades.get(symbol)
    if asset is None:
        return Quote(symbol, None, None, tradable=False, fractionable=False)
    if trade is None or trade.p <= ZERO:
        return Quote(symbol, None, None, asset.tradable, asset.fractionable)
    return Quote(symbol, round_price(trade.p), trade.t, asset.tradable, asset.fractionable)


def _open_order(order: wire_orders.Order, trade: Trade | None) -> OpenOrder:
    side = _side(order.side, f"order {order.id}")
    price = None if trade is None else round_price(trade.p)
    filled = order.filled_qty or ZERO
    spent = cash_of(filled, order.filled_avg_price or ZERO)
    if side is Side.BUY:
        # As the simulated exchange reserves it, or a preview would never be that of the run (rules.md 6.6).
        dearest = dearest_price(price or ZERO, order.limit_price, order.stop_price)
        reserved = (cash_of(order.qty, dearest) if order.qty is not None else order.notional or ZERO) - spent
    elif order.qty is not None:
        reserved = order.qty - filled
    else:
        reserved = quantity_of((order.notional or ZERO) - spent, price) if price else ZERO
    return OpenOrder(order.id, Symbol(order.symbol), side, max(ZERO, reserved))


def _side(text: str, what: str) -> Side:
    try:
        return Side(text)
    except ValueError:
        raise InputError(
            f"The side of {what} must be buy or sell; received {text!r}.",
            field="side",
            received=text,
            allowed="buy, sell",
        ) from None
