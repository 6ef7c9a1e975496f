"""How large each order of a plan is: gaps to the targets, shared cash, whole shares (rules.md 6.1, 6.2, 6.4, 6.7).

Every gap is an exact amount in USD; it is floored to cents only when it becomes a piece of cash or an order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from driftdesk.engine.drift import DriftReport, HoldingDrift
from driftdesk.engine.plan import Options, PlanRequest, RunType, Toward
from driftdesk.engine.snapshot import CASH, Side, Snapshot, Symbol
from driftdesk.money import CENT, ONE, ZERO, cash_of, exact, floor_cents, quantity_of, round_to


@dataclass(frozen=True, slots=True)
class Gap:
    """What a holding is away from where its order should take it.

    `amount` in USD, exact and above zero. `available` is the quantity that open orders leave free. `closing` sells
    the holding completely, by quantity. `whole` trades whole shares only. `aim` is the fraction of equity aimed at.
    """

    row: HoldingDrift
    side: Side
    amount: Decimal
    aim: Decimal
    price: Decimal
    available: Decimal
    closing: bool = False
    whole: bool = False

    @property
    def symbol(self) -> Symbol:
        return self.row.symbol


@dataclass(frozen=True, slots=True)
class Size:
    """Size of one order: `notional` in USD (cents), `quantity` where it is sent by quantity, and its expected fill."""

    notional: Decimal
    quantity: Decimal | None
    estimated_quantity: Decimal


@exact
def gaps_of(snapshot: Snapshot, report: DriftReport, request: PlanRequest) -> tuple[Gap, ...]:
    """The gaps of every holding and target, largest drift first, ties by symbol (rules.md 6.1).

    Holdings outside the targets close completely whatever `toward` says: they have no band and no way back.
    """
    base = report.equity - request.options.raise_cash
    gaps = (_gap(snapshot, row, base, report.equity, request.options) for row in report.rows if row.symbol != CASH)
    return tuple(sorted((gap for gap in gaps if gap is not None), key=lambda gap: (-abs(gap.row.drift), gap.symbol)))


def _gap(snapshot: Snapshot, row: HoldingDrift, base: Decimal, equity: Decimal, options: Options) -> Gap | None:
    price = row.price or ZERO
    holding = snapshot.holding(row.symbol)
    available = max(ZERO, min(holding.available, holding.quantity)) if holding is not None else ZERO
    quote = snapshot.quote(row.symbol)
    whole = options.whole_shares or (quote is not None and not quote.fractionable)
    if row.target == ZERO:
        side, amount, aim, closing = Side.SELL, available * price, ZERO, True
    else:
        # What open orders already sell or buy must not be planned a second time (rules.md 6.2).
        target, closing = row.target * base, False
        excess = available * price - target
        shortfall = target - row.value - _pending_buys(snapshot, row.symbol)
        side = Side.SELL if excess > ZERO else Side.BUY
        amount, aim = _toward(row, max(excess, shortfall), side, base, options.toward)
        aim = aim / equity
    if amount <= ZERO:
        return None
    return Gap(row, side, amount, aim, price, available, closing=closing, whole=whole)


def _pending_buys(snapshot: Snapshot, symbol: Symbol) -> Decimal:
    pending = (o.reserved for o in snapshot.open_orders if o.symbol == symbol and o.side is Side.BUY)
    return sum(pending, ZERO)


def _toward(row: HoldingDrift, amount: Decimal, side: Side, base: Decimal, toward: Toward) -> tuple[Decimal, Decimal]:
    """The amount to trade and the value aimed at (both USD) for a holding `amount` away from its target."""
    target = row.target * base
    sign = 1 if side is Side.SELL else -1
    if toward is Toward.HALFWAY:
        return amount / 2, target + sign * amount / 2
    if toward is Toward.EDGE and row.band is not None:
        reach = row.band.half_width * base
        beyond = amount - reach
        if beyond <= ZERO:
            return ZERO, target
        # One to two cents inside: on the edge itself, flooring the quantity would leave the holding in breach.
        inside = floor_cents(beyond) + 2 * CENT
        return min(inside, amount), target + sign * reach
    return amount, target


def size_of(gap: Gap, notional: Decimal) -> Size:
    """The order for `gap` at `notional` USD: by quantity when it closes a position or trades whole shares."""
    if gap.closing:
        quantity = whole_quantity(gap.available) if gap.whole else gap.available
        return Size(cash_of(quantity, gap.price), quantity, quantity)
    quantity = quantity_of(notional, gap.price)
    if gap.whole:
        quantity = whole_quantity(quantity)
        return Size(cash_of(quantity, gap.price), quantity, quantity)
    return Size(notional, None, quantity)


def whole_quantity(quantity: Decimal) -> Decimal:
    """The whole shares in `quantity` (rules.md 6.7)."""
    return round_to(quantity, ONE, ROUND_FLOOR)


@exact
def spendable_cash(snapshot: Snapshot, report: DriftReport, request: PlanRequest, proceeds: Decimal) -> Decimal:
    """Cash in USD that buys may use: cash less reservations, plus proceeds, less what must stay (rules.md 6.1, 6.7).

    What must stay is the cash target, or the cash buffer where that is larger, and on top of it the cash raised.
    """
    options = request.options
    kept = max(request.targets.cash * (report.equity - options.raise_cash), options.cash_buffer) + options.raise_cash
    spendable = max(ZERO, snapshot.cash - snapshot.reserved_cash + proceeds - kept)
    if request.run_type is RunType.INVEST_CASH and request.amount is not None:
        return min(floor_cents(spendable), request.amount)
    return floor_cents(spendable) if request.run_type is RunType.INVEST_CASH else spendable


@exact
def share_out(amounts: Mapping[Symbol, Decimal], spendable: Decimal) -> dict[Symbol, Decimal]:
    """`amounts` (USD) floored to cents; scaled down in proportion first where they exceed `spendable` (rules.md 6.1).

    The pieces never sum to more than `spendable`.
    """
    floored = {symbol: floor_cents(amount) for symbol, amount in amounts.items()}
    if sum(floored.values(), ZERO) <= spendable:
        return floored
    total = sum(amounts.values(), ZERO)
    return {symbol: floor_cents(amount * spendable / total) for symbol, amount in amounts.items()}


def give_small_pieces(
    pieces: Mapping[Symbol, Decimal], shortfalls: Sequence[Gap], min_notional: Decimal
) -> tuple[dict[Symbol, Decimal], frozenset[Symbol], Symbol | None]:
    """Pieces under the minimum given to the largest shortfall, up to its target (rules.md 6.4).

    Returns the pieces (USD, those given away unchanged), the symbols that gave, and the one that received. What would
    overshoot stays cash.
    """
    if not shortfalls:
        return {}, frozenset(), None
    largest = min(shortfalls, key=lambda gap: (-gap.amount, gap.symbol))
    small = frozenset(s for s, piece in pieces.items() if piece < min_notional and s != largest.symbol)
    gift = sum((pieces[symbol] for symbol in small), ZERO)
    received = min(pieces[largest.symbol] + gift, floor_cents(largest.amount))
    if received == pieces[largest.symbol]:
        return dict(pieces), frozenset(), None
    return {**pieces, largest.symbol: received}, small, largest.symbol
