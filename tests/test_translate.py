"""Wire <-> engine: percents and fractions, nulls and CASH, and snapshots out of a backend's answers."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from domain import book
from hypothesis import given
from hypothesis import strategies as st

from driftdesk.engine.planner import Options, PlannedOrder, RunType, SkippedOrder, Toward
from driftdesk.engine.snapshot import CASH, AccountId, Holding, OpenOrder, PortfolioId, Quote, Side, Symbol
from driftdesk.engine.targets import BandKind, CalendarKind, CalendarRule, DriftBand, Target, parse_targets
from driftdesk.engine.triggers import Block, BlockKind, Decision, Outcome, Trigger, TriggerKind
from driftdesk.errors import InputError
from driftdesk.translate import (
    Held,
    Market,
    from_conditions,
    from_decision,
    from_options,
    from_planned,
    from_skipped,
    from_weights,
    to_conditions,
    to_options,
    to_planned,
    to_portfolio,
    to_snapshot,
    to_targets,
)
from driftdesk.wire.accounts import Asset, Position
from driftdesk.wire.market import Clock, Trade
from driftdesk.wire.orders import Order
from driftdesk.wire.portfolios import Condition, Portfolio, Weight
from driftdesk.wire.runs import RunOptions

NOON = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
BEFORE = NOON - timedelta(minutes=1)


def weight(symbol: str | None, percent: str, kind: str = "") -> Weight:
    return Weight(type=kind or ("cash" if symbol is None else "asset"), symbol=symbol, percent=Decimal(percent))


def test_percents_become_fractions_and_cash_its_own_symbol() -> None:
    """5 percent cash, 95 percent of a fund whose ticker is CASH."""
    targets = to_targets([weight(None, "5"), weight("CASH", "95.00")])
    assert (Target(CASH, Decimal("0.05")), Target(Symbol("CASH"), Decimal("0.95"))) == targets.weights


@pytest.mark.parametrize(
    ("field", "weights"),
    [
        ("weights[0].symbol", [weight("SPY", "100", "cash")]),
        ("weights[1].symbol", [weight(None, "50"), weight(None, "50", "asset")]),
        ("weights[0].symbol", [weight("", "100", "asset")]),
        ("weights[0].symbol", [weight("$CASH", "100")]),
        ("weights[0].type", [weight("p-1", "100", "portfolio")]),
        ("weights[0].type", [weight("SPY", "100", "bond")]),
        ("weights[1].symbol", [weight(None, "50"), weight(None, "50")]),
        ("weights[0].percent", [weight("SPY", "100.001")]),
        ("weights", [weight("SPY", "99.99")]),
        ("weights", []),
    ],
)
def test_weights_that_mean_nothing_are_refused_by_field(field: str, weights: list[Weight]) -> None:
    """Types, symbols and sums (rules.md 1.2, 2.1); portfolios as weights by name (rules.md 2.5)."""
    with pytest.raises(InputError) as caught:
        to_targets(weights)
    assert field == caught.value.field


def test_portfolios_as_weights_are_refused_by_name() -> None:
    """The seed's nested portfolios are not offered yet (rules.md 2.5)."""
    with pytest.raises(InputError, match="Portfolios as weights are not offered yet"):
        to_targets([weight("p-1", "100", "portfolio")])


@given(st.lists(st.integers(1, 9999), max_size=6, unique=True))
def test_weights_survive_the_way_there_and_back(cuts: list[int]) -> None:
    """Any split of 100.00 percent, to the cent of a percent."""
    edges = [0, *sorted(cuts), 10_000]
    percents = [Decimal(high - low) / 100 for low, high in pairwise(edges)]
    names = [CASH, *(Symbol(f"S{number}") for number in range(len(percents) - 1))]
    targets = parse_targets(zip(names, percents, strict=True))
    assert targets == to_targets(from_weights(targets))
    assert percents == [weight.percent for weight in from_weights(targets)]


def test_conditions_survive_the_way_there_and_back() -> None:
    """A band has a percent, a calendar a day, the other field is null (rules.md 2.3)."""
    band = DriftBand(BandKind.RELATIVE, Decimal("20"))
    rule = CalendarRule(CalendarKind.MONTHLY, "15")
    wire = (
        Condition(type="drift_band", sub_type="relative", percent=Decimal(20)),
        Condition(type="calendar", sub_type="monthly", day="15"),
    )
    assert wire == from_conditions((band, rule))
    assert (band, rule) == to_conditions(wire)


def test_a_portfolio_is_translated_whole() -> None:
    """Id, name, targets, conditions, cooldown."""
    portfolio = to_portfolio(
        Portfolio(
            id="p",
            name="Balanced",
            status="active",
            cooldown_days=7,
            created_at=NOON,
            updated_at=NOON,
            weights=(weight("SPY", "100"),),
            rebalance_conditions=(Condition(type="drift_band", sub_type="absolute", percent=Decimal(5)),),
        )
    )
    assert ("p", "Balanced", 7) == (portfolio.id, portfolio.name, portfolio.cooldown_days)
    assert (Symbol("SPY"),) == portfolio.targets.symbols
    assert (DriftBand(BandKind.ABSOLUTE, Decimal(5)),) == portfolio.conditions


def test_options_survive_the_way_there_and_back() -> None:
    """All off is None on the wire: the real API knows no options (rules.md 6.7)."""
    assert from_options(Options()) is None
    assert to_options(None) == Options() == to_options(RunOptions())
    chosen = Options(
        breached_only=True,
        toward=Toward.EDGE,
        cash_buffer=Decimal("10.50"),
        never_buy=frozenset({Symbol("SPY")}),
        never_sell=frozenset({Symbol("TLT"), Symbol("GLD")}),
        raise_cash=Decimal(100),
        whole_shares=True,
    )
    assert chosen == to_options(from_options(chosen))


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("options.toward", RunOptions(toward="moon")),
        ("options.cash_buffer", RunOptions(cash_buffer=Decimal(-1))),
        ("options.raise_cash", RunOptions(raise_cash=Decimal("-0.01"))),
    ],
)
def test_options_that_mean_nothing_are_refused_by_field(field: str, options: RunOptions) -> None:
    """An unknown word and negative amounts."""
    with pytest.raises(InputError) as caught:
        to_options(options)
    assert field == caught.value.field


def test_a_planned_order_survives_the_way_there_and_back() -> None:
    """A line also carries its state and its client order id."""
    order = PlannedOrder(
        line=1,
        symbol=Symbol("SPY"),
        side=Side.SELL,
        notional=Decimal("100.00"),
        quantity=Decimal("0.25"),
        price=Decimal(400),
        estimated_quantity=Decimal("0.25"),
        reason="over by 2 points",
    )
    line = from_planned(order, state="sent", client_order_id="r-1")
    assert ("sent", "r-1", "sell", Decimal("0.25")) == (line.state, line.client_order_id, line.side, line.qty)
    assert order == to_planned(line)
    with pytest.raises(InputError, match="buy or sell"):
        to_planned(line.model_copy(update={"side": "sell_short"}))


def test_a_skipped_order_keeps_its_reason() -> None:
    """Code and sentence."""
    skipped = from_skipped(SkippedOrder(Symbol("SPY"), Side.BUY, Decimal("0.10"), "CODE", "too small"))
    assert ("SPY", "buy", Decimal("0.10"), "CODE", "too small", "USD") == (
        skipped.symbol,
        skipped.side,
        skipped.notional,
        skipped.reason,
        skipped.reason_details,
        skipped.currency,
    )


def test_a_decision_is_told_with_ids_and_iso_dates() -> None:
    """Session, nominal day and the end of a block as dates."""
    wire = from_decision(
        Decision(
            account_id=AccountId("a"),
            portfolio_id=PortfolioId("p"),
            session=date(2026, 3, 2),
            at=NOON,
            outcome=Outcome.BLOCKED,
            run_type=None,
            triggers=(Trigger(TriggerKind.CALENDAR, "monthly", nominal_date=date(2026, 3, 1)),),
            blocks=(Block(BlockKind.COOLDOWN, "wait", until=date(2026, 3, 9)), Block(BlockKind.HELD, "held")),
            summary="blocked",
        ),
        "d-1",
    )
    assert ("d-1", "2026-03-02", "blocked", None, None) == (
        wire.id,
        wire.session,
        wire.outcome,
        wire.run_type,
        wire.run_id,
    )
    assert ("calendar", "2026-03-01") == (wire.triggers[0].kind, wire.triggers[0].nominal_date)
    assert [("cooldown", "2026-03-09"), ("held", None)] == [(block.kind, block.until) for block in wire.blocks]


def test_a_run_decision_names_its_run() -> None:
    """The kind of run is the wire's word."""
    decision = Decision(
        AccountId("a"), PortfolioId("p"), date(2026, 3, 2), NOON, Outcome.RUN, RunType.INVEST_CASH, (), (), "due"
    )
    wire = from_decision(decision, "d-1", "r-1")
    assert ("invest_cash", "r-1") == (wire.run_type, wire.run_id)


# --- snapshots ----------------------------------------------------------------------------------------------------


def asset(symbol: str, *, tradable: bool = True, fractionable: bool = True) -> Asset:
    return Asset(id=symbol, exchange="ARCA", symbol=symbol, tradable=tradable, fractionable=fractionable)


def market(*symbols: str, prices: dict[str, str] | None = None, assets: dict[str, Asset] | None = None) -> Market:
    """Everything at 100 a minute before noon, unless `prices` says otherwise."""
    known = {symbol: "100" for symbol in symbols} | (prices or {})
    return Market(
        clock=Clock(timestamp=NOON, is_open=True, next_open=NOON, next_close=NOON),
        trades={symbol: Trade(t=BEFORE, p=Decimal(price)) for symbol, price in known.items()},
        assets={symbol: asset(symbol) for symbol in known} | (assets or {}),
    )


def position(symbol: str, qty: str, available: str | None = None, side: str = "long") -> Position:
    free = None if available is None else Decimal(available)
    price = Decimal(1)
    return Position(
        asset_id=symbol,
        symbol=symbol,
        avg_entry_price=price,
        qty=Decimal(qty),
        qty_available=free,
        cost_basis=price,
        side=side,
    )


def order(symbol: str, side: str, **fields: object) -> Order:
    return Order.model_validate(
        {"id": "o", "client_order_id": "c", "created_at": NOON, "symbol": symbol, "side": side, "status": "accepted"}
        | fields
    )


def test_answers_make_the_snapshot_that_the_domain_words_describe() -> None:
    """Cash, holdings in symbol order, a quote for what is held and what is targeted."""
    held = Held(cash=Decimal("500"), positions=(position("TLT", "40"), position("SPY", "60", "45")))
    built = to_snapshot("acct", held, market("SPY", "TLT", "GLD", "IEF"), targets=[CASH, "GLD", "SPY"])
    expected = book("cash 500 | SPY 60(45)@100 | TLT 40@100 | GLD @100", as_of=NOON)
    assert (expected.account_id, expected.as_of, expected.cash) == (built.account_id, built.as_of, built.cash)
    assert expected.holdings == built.holdings
    assert {quote.symbol: quote.price for quote in expected.quotes} == {q.symbol: q.price for q in built.quotes}
    assert {BEFORE} == {quote.at for quote in built.quotes}
    assert built.market_open


def test_numbers_are_rounded_at_the_edge() -> None:
    """Cash half-up to cents, prices half-up to 0.0001 (rules.md 1.1)."""
    built = to_snapshot("a", Held(Decimal("10.005")), market(prices={"SPY": "417.80005"}), ["SPY"])
    assert (Decimal("10.01"), Decimal("417.8001")) == (built.cash, built.quotes[0].price)


def test_what_has_no_price_says_so() -> None:
    """An unknown asset, an asset without a trade, and a trade at zero, which means no trade."""
    known = market(prices={"ZERO": "0", "GONE": "5"}, assets={"HUSH": asset("HUSH", fractionable=False)})
    unknown = Market(known.clock, known.trades, {name: a for name, a in known.assets.items() if name != "GONE"})
    quotes = to_snapshot("a", Held(Decimal(0)), unknown, ["ZERO", "GONE", "HUSH"]).quotes
    assert (
        Quote(Symbol("GONE"), None, None, tradable=False, fractionable=False),
        Quote(Symbol("HUSH"), None, None, tradable=True, fractionable=False),
        Quote(Symbol("ZERO"), None, None),
    ) == quotes


def test_what_may_be_done_with_an_asset_is_kept() -> None:
    """An untradable holding is not planned (rules.md 6.2)."""
    shut = market("SPY", assets={"SPY": asset("SPY", tradable=False)})
    assert not to_snapshot("a", Held(Decimal(0)), shut, ["SPY"]).quotes[0].tradable


@pytest.mark.parametrize(("qty", "side"), [("-5", "short"), ("5", "short")])
def test_a_short_is_a_negative_holding(qty: str, side: str) -> None:
    """Whether the backend signs the quantity or only names the side; the engine refuses it by name (rules.md 3.1)."""
    held = Held(Decimal(0), (position("SPY", qty, side=side),))
    short = Holding(Symbol("SPY"), Decimal(-5), Decimal(-5))
    assert (short,) == to_snapshot("a", held, market("SPY")).holdings


@pytest.mark.parametrize(
    ("reserved", "placed"),
    [
        ("50.25", order("SPY", "buy", notional="50.25")),
        ("30.25", order("SPY", "buy", notional="50.25", filled_qty="0.2", filled_avg_price="100")),
        ("33.34", order("SPY", "buy", qty="0.33335")),  # 0.33335 x 100 = 33.335, half-up
        ("23.00", order("SPY", "buy", qty="0.5", filled_qty="0.3", filled_avg_price="90")),  # 50 - 27
        ("950.00", order("SPY", "buy", qty="10", type="limit", limit_price="95")),
        ("1100.00", order("SPY", "buy", qty="10", type="stop", stop_price="110")),
        ("1000.00", order("SPY", "buy", qty="10", type="stop", stop_price="90")),
        ("1120.00", order("SPY", "buy", qty="10", type="stop_limit", stop_price="110", limit_price="112")),
        ("50.25", order("SPY", "buy", notional="50.25", type="limit", limit_price="95")),
        ("0.2", order("SPY", "sell", qty="0.5", filled_qty="0.3")),
        ("0.5025", order("SPY", "sell", notional="50.25")),
        ("0", order("GONE", "sell", notional="50.25")),
        ("0", order("GONE", "buy", qty="3")),
    ],
)
def test_open_orders_reserve_what_they_may_still_take(reserved: str, placed: Order) -> None:
    """Cash for a buy at the dearest price that its terms allow, shares for a sell, less what was filled; nothing can be
    told without a price."""
    orders = to_snapshot("a", Held(Decimal(0), (), (placed,)), market("SPY")).open_orders
    assert (OpenOrder("o", Symbol(placed.symbol), Side(placed.side), Decimal(reserved)),) == orders


def test_final_orders_reserve_nothing_and_the_rest_stand_in_order_of_submission() -> None:
    """An unknown status counts as open: better a warning too many."""
    orders = (
        order("SPY", "buy", notional="1", id="later", submitted_at=NOON),
        order("SPY", "buy", notional="1", id="first", submitted_at=BEFORE),
        order("SPY", "buy", notional="1", id="over", status="filled"),
        order("SPY", "buy", notional="1", id="strange", submitted_at=NOON, status="undreamt"),
    )
    built = to_snapshot("a", Held(Decimal(0), (), orders), market("SPY"))
    assert ["first", "later", "strange"] == [open_order.id for open_order in built.open_orders]


def test_excluded_holdings_are_passed_on() -> None:
    """They leave equity and plan (rules.md 3.1)."""
    held = Held(Decimal(0), (position("SPY", "1"),), excluded=frozenset({"SPY"}))
    assert frozenset({Symbol("SPY")}) == to_snapshot("a", held, market()).excluded
