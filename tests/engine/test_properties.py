"""What holds for every account: the invariants of rules.md 3, 5 and 6."""

from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal

from domain import EVALUATION, bands
from hypothesis import given, settings
from hypothesis import strategies as st

from driftdesk.engine.drift import equity_of, measure_drift
from driftdesk.engine.plan import Options, Plan, PlanRequest, RunType, Toward
from driftdesk.engine.planner import plan_orders, trim_buys
from driftdesk.engine.preview import preview_hash, project
from driftdesk.engine.snapshot import CASH, AccountId, Holding, Quote, Side, Snapshot, Symbol
from driftdesk.engine.targets import Targets, parse_targets

SYMBOLS = [Symbol(name) for name in ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")]
CENT = Decimal("0.01")
checked = settings(max_examples=120, deadline=None, derandomize=True)


def scaled(low: int, high: int, decimals: int) -> st.SearchStrategy[Decimal]:
    """Decimals with a fixed number of places, between `low` and `high` units of the last one."""
    return st.integers(low, high).map(lambda count: Decimal(count).scaleb(-decimals))


@st.composite
def models(draw: st.DrawFn) -> Targets:
    """One to five assets, with or without cash, that sum to 100.00 percent."""
    names: list[Symbol] = draw(st.lists(st.sampled_from([*SYMBOLS, CASH]), min_size=1, max_size=5, unique=True))
    cuts = draw(st.lists(st.integers(1, 9999), min_size=len(names) - 1, max_size=len(names) - 1, unique=True))
    edges = [0, *sorted(cuts), 10000]
    return parse_targets([(name, Decimal(edges[i + 1] - edges[i]).scaleb(-2)) for i, name in enumerate(names)])


@st.composite
def accounts(draw: st.DrawFn, *, least_cash: int = 0) -> Snapshot:
    """Up to six holdings with nine decimals and prices with four; equity is above zero."""
    held = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
    holdings = []
    for symbol in held:
        quantity = draw(scaled(1, 10**13, 9))
        holdings.append(Holding(symbol, quantity, quantity))
    quotes = tuple(Quote(symbol, draw(scaled(1, 10**7, 4)), EVALUATION) for symbol in SYMBOLS)
    snapshot = Snapshot(AccountId("acct"), EVALUATION, Decimal(0), tuple(holdings), quotes, market_open=True)
    worth = int(equity_of(snapshot) * 100)
    cash = draw(scaled(max(least_cash, -worth // 2), 10**8, 2)) + CENT
    return replace(snapshot, cash=cash)


OPTIONS = st.builds(
    Options,
    breached_only=st.booleans(),
    toward=st.sampled_from(Toward),
    cash_buffer=scaled(0, 10**6, 2),
    never_buy=st.frozensets(st.sampled_from(SYMBOLS), max_size=2),
    never_sell=st.frozensets(st.sampled_from(SYMBOLS), max_size=2),
    whole_shares=st.booleans(),
)


@st.composite
def requests(draw: st.DrawFn) -> PlanRequest:
    """Either kind of run, with any options."""
    run_type = draw(st.sampled_from(RunType))
    amount = draw(st.none() | scaled(1, 10**6, 2)) if run_type is RunType.INVEST_CASH else None
    return PlanRequest(draw(models()), bands("abs 5, rel 20"), run_type, amount, draw(OPTIONS))


def notionals(plan: Plan) -> dict[tuple[str, str], Decimal]:
    """Planned value by symbol and side, skips included."""
    return {(line.symbol, line.side.value): line.notional for line in (*plan.orders, *plan.skipped)}


@checked
@given(accounts(least_cash=-(10**9)), requests())
def test_no_plan_overspends_or_oversells(snapshot: Snapshot, request: PlanRequest) -> None:
    """Cash never falls below min(0, cash before), not by a cent; no sell exceeds what is held; all is floored."""
    plan = plan_orders(snapshot, request)
    after = project(snapshot, plan)
    assert after.cash >= min(Decimal(0), snapshot.cash)
    assert all(holding.quantity > 0 for holding in after.holdings)
    for order in plan.orders:
        assert order.notional >= request.min_notional
        assert order.notional == order.notional.quantize(CENT, rounding=ROUND_FLOOR)
        if order.quantity is None:
            assert 0 <= order.notional - order.estimated_quantity * order.price < order.price.scaleb(-9)


@checked
@given(accounts(least_cash=-(10**9)), models())
def test_cash_keeps_its_target_when_anything_is_bought(snapshot: Snapshot, targets: Targets) -> None:
    """Buys never eat into the cash target."""
    plan = plan_orders(snapshot, PlanRequest(targets))
    if plan.buys:
        assert project(snapshot, plan).cash >= targets.cash * equity_of(snapshot)


@checked
@given(accounts(), models(), st.sampled_from(RunType))
def test_nothing_to_do_right_after_the_fills(snapshot: Snapshot, targets: Targets, run_type: RunType) -> None:
    """Planning again at the same prices gives no order to send, unless orders had been skipped."""
    request = PlanRequest(targets, run_type=run_type)
    plan = plan_orders(snapshot, request)
    if not plan.skipped:
        assert plan_orders(project(snapshot, plan), request).orders == ()


@checked
@given(accounts(), models())
def test_investing_cash_never_passes_a_target(snapshot: Snapshot, targets: Targets) -> None:
    """It only buys, and no holding ends above its target value."""
    plan = plan_orders(snapshot, PlanRequest(targets, run_type=RunType.INVEST_CASH))
    assert plan.sells == ()
    equity = equity_of(snapshot)
    rows = {row.symbol: row for row in measure_drift(snapshot, targets).rows}
    for order in plan.buys:
        assert rows[order.symbol].value + order.notional <= targets.weight(order.symbol) * equity


@checked
@given(accounts(), requests(), st.randoms(use_true_random=False))
def test_order_does_not_matter(snapshot: Snapshot, request: PlanRequest, random: object) -> None:
    """Reordering holdings, quotes and weights changes neither notionals nor hash."""
    shuffle = random.shuffle  # type: ignore[attr-defined]
    holdings, quotes, weights = list(snapshot.holdings), list(snapshot.quotes), list(request.targets.weights)
    shuffle(holdings)
    shuffle(quotes)
    shuffle(weights)
    other = replace(snapshot, holdings=tuple(holdings), quotes=tuple(quotes))
    again = replace(request, targets=Targets(tuple(weights)))
    assert plan_orders(snapshot, request) == plan_orders(other, again)
    assert preview_hash(snapshot, request) == preview_hash(other, again)


@checked
@given(accounts(), models(), st.sampled_from([2, 4, 5, 10, 25]))
def test_splitting_a_share_does_not_matter(snapshot: Snapshot, targets: Targets, times: int) -> None:
    """k shares at a k-th of the price are worth the same, so the notionals are the same."""
    whole = replace(snapshot, quotes=tuple(replace(q, price=(q.price or CENT) * times) for q in snapshot.quotes))
    pieces = tuple(Holding(h.symbol, h.quantity * times, h.available * times) for h in snapshot.holdings)
    split = replace(snapshot, holdings=pieces)
    request = PlanRequest(targets)
    assert notionals(plan_orders(whole, request)) == notionals(plan_orders(split, request))


@checked
@given(accounts(), models())
def test_names_do_not_matter(snapshot: Snapshot, targets: Targets) -> None:
    """Other tickers, even in the opposite order, get the same notionals."""
    names = {**dict(zip(SYMBOLS, reversed(SYMBOLS), strict=True)), CASH: CASH}
    renamed = replace(
        snapshot,
        holdings=tuple(replace(h, symbol=names[h.symbol]) for h in snapshot.holdings),
        quotes=tuple(replace(q, symbol=names[q.symbol]) for q in snapshot.quotes),
    )
    other = Targets(tuple(replace(target, symbol=names[target.symbol]) for target in targets.weights))
    expected = {
        (names[Symbol(s)], side): n for (s, side), n in notionals(plan_orders(snapshot, PlanRequest(targets))).items()
    }
    assert expected == notionals(plan_orders(renamed, PlanRequest(other)))


@checked
@given(accounts(least_cash=-(10**9)), models())
def test_drifts_sum_to_zero(snapshot: Snapshot, targets: Targets) -> None:
    """What is over here is under there, holdings outside the portfolio included."""
    assert abs(sum(row.drift for row in measure_drift(snapshot, targets).rows)) < Decimal("1e-25")


@checked
@given(st.integers(2, 98), st.integers(1, 4000), st.integers(1, 10**6), st.sampled_from([1, -1]))
def test_the_edge_belongs_to_the_band(weight: int, width: int, equity: int, side: int) -> None:
    """Exactly on the edge is permitted, one billionth of a share beyond is a breach, whatever the sizes."""
    targets = parse_targets([(SYMBOLS[0], weight), (SYMBOLS[1], 100 - weight)])
    points = min(Decimal(width).scaleb(-2), Decimal(weight if side < 0 else 100 - weight) - CENT)
    edge = (weight + side * points) / 100 * equity
    ulp = Decimal("1e-9")
    for beyond, breached in ((Decimal(0), False), (ulp, True)):
        held = (edge + side * beyond, equity - edge)
        snapshot = Snapshot(
            AccountId("acct"),
            EVALUATION,
            Decimal(0),
            tuple(Holding(s, q, q) for s, q in zip(SYMBOLS, held, strict=False)),
            tuple(Quote(s, Decimal(1), EVALUATION) for s in SYMBOLS),
        )
        report = measure_drift(snapshot, targets, bands(f"abs {points}"))
        assert breached == any(row.breached for row in report.rows if row.symbol == SYMBOLS[0])


@checked
@given(accounts(), models(), scaled(0, 10**8, 2))
def test_trimmed_buys_fit(snapshot: Snapshot, targets: Targets, spendable: Decimal) -> None:
    """Together they cost at most what may be spent, and none is larger than planned."""
    buys = plan_orders(snapshot, PlanRequest(targets)).buys
    kept, skipped = trim_buys(buys, spendable)
    assert sum((order.notional for order in kept), Decimal(0)) <= spendable
    planned = {order.line: order.notional for order in buys}
    assert all(order.notional <= planned[order.line] and order.side is Side.BUY for order in kept)
    assert len(kept) + len(skipped) == len(buys)
