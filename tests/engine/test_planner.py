"""Orders of a full rebalance and of investing cash, against answers worked by hand."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from domain import bands, book, model, with_open_order, with_quote

from driftdesk.engine.planner import (
    ORDER_LESS_THAN_MIN_NOTIONAL,
    Options,
    Plan,
    PlannedOrder,
    PlanRequest,
    RunType,
    SkippedOrder,
    Toward,
    plan_orders,
    trim_buys,
)
from driftdesk.engine.preview import preview
from driftdesk.engine.snapshot import Side, Snapshot, Symbol
from driftdesk.errors import DataError, InputError

BALANCED = "cash 5 | SPY 60 | TLT 35"
RALLIED = "cash 500 | SPY 70@100 | TLT 40@50"


@dataclass
class Answer:
    """One paragraph of answers/plans.txt."""

    case: str = ""
    book: str = ""
    model: str = ""
    run: str = ""
    lines: list[str] = field(default_factory=list)


def read_answers() -> list[Answer]:
    """The paragraphs of the answer file; lines that start with # are the working."""
    text = (Path(__file__).parents[1] / "answers" / "plans.txt").read_text(encoding="utf-8")
    answers: list[Answer] = []
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if key == "case":
            answers.append(Answer(value.strip()))
        elif colon and key in ("book", "model", "run"):
            setattr(answers[-1], key, value.strip())
        elif line and not line.startswith("#"):
            answers[-1].lines.append(line)
    return answers


def shown(line: PlannedOrder | SkippedOrder) -> str:
    """A line of a plan as the answer file writes it."""
    if isinstance(line, SkippedOrder):
        return f"skip {line.side} {line.symbol} {line.notional}"
    by = "" if line.quantity is None else f" by {line.quantity}"
    return f"{line.side} {line.symbol} {line.notional}{by}"


def lines_of(plan: Plan) -> list[str]:
    """Orders, then skips."""
    return [shown(line) for line in (*plan.orders, *plan.skipped)]


def plan(account: str | Snapshot, targets: str = BALANCED, conditions: str = "abs 5", **options: object) -> Plan:
    """The full rebalance of an account."""
    snapshot = book(account) if isinstance(account, str) else account
    chosen = Options(**options)  # type: ignore[arg-type]
    return plan_orders(snapshot, PlanRequest(model(targets), bands(conditions) if conditions else (), options=chosen))


@pytest.mark.parametrize("answer", read_answers(), ids=lambda answer: answer.case)
def test_a_plan_equals_the_answer_worked_by_hand(answer: Answer) -> None:
    """Orders in the order of sending, then skips, exact to the cent."""
    run, _, amount = answer.run.partition(" ")
    request = PlanRequest(model(answer.model), run_type=RunType(run), amount=Decimal(amount) if amount else None)
    assert answer.lines == lines_of(plan_orders(book(answer.book), request))


def test_lines_are_numbered_in_the_order_of_sending() -> None:
    """Sells come first; every order knows what it is expected to fill."""
    orders = plan(RALLIED).orders
    assert [(1, "SPY", Decimal(13)), (2, "TLT", Decimal("26.5"))] == [
        (order.line, order.symbol, order.estimated_quantity) for order in orders
    ]


@pytest.mark.parametrize(
    ("account", "targets", "conditions", "reason"),
    [
        (
            "cash 0 | SPY 36.72@100 | TLT 63.28@100",
            "SPY 32 | TLT 68",
            "abs 4",
            "Overweight by 4.72 points (118% of its band of ±4); sell down to 32%.",
        ),
        ("cash 0 | XYZ 1@100 | SPY 1@100", "SPY 100", "abs 4", "Not in the portfolio; sell all."),
        (
            "cash 50 | SPY 0.5@100",
            "SPY 62.5 | cash 37.5",
            "rel 20",
            "Underweight by 12.50 points (100% of its band of ±20% of its target); buy up to 62.5%.",
        ),
        ("cash 50 | SPY 0.5@100", "SPY 100", "", "Underweight by 50.00 points; buy up to 100%."),
    ],
)
def test_every_order_says_why(account: str, targets: str, conditions: str, reason: str) -> None:
    """One sentence: how far off, against which band, where to."""
    assert reason == plan(account, targets, conditions).orders[0].reason


def test_a_skip_names_its_value_and_the_minimum() -> None:
    """The reason is the seed's code; the details are a sentence."""
    request = PlanRequest(model("AAA 50 | BBB 50"))
    skipped = plan_orders(book("cash 0.50 | AAA 5@100 | BBB 4.995@100"), request).skipped[0]
    assert skipped.reason == ORDER_LESS_THAN_MIN_NOTIONAL
    assert skipped.reason_details == "The order value of 0.50 USD is below the minimum of 1.00 USD."


def test_the_minimum_is_the_requests() -> None:
    """A broker with a minimum of 2000 skips what one with 1.00 sends."""
    request = PlanRequest(model(BALANCED), min_notional=Decimal(2000))
    assert lines_of(plan_orders(book(RALLIED), request)) == ["skip sell SPY 1300.00", "skip buy TLT 25.00"]


def test_shares_reserved_by_open_orders_are_not_sold_again() -> None:
    """An open sell of 5 of the 70 SPY does part of the work: 6500 free - 5700 = 800 are left to sell."""
    snapshot = with_open_order(book("cash 500 | SPY 70(65)@100 | TLT 40@50"), "sell SPY 5")
    result = plan(snapshot)
    assert lines_of(result) == ["sell SPY 800.00", "buy TLT 825.00"]
    assert result.warnings[0] == "Open orders reserve 5 SPY; the plan uses what they leave."


def test_a_full_exit_sells_what_is_free() -> None:
    """Two of the three XYZ are left by open orders."""
    result = plan("cash 0 | SPY 1@100 | XYZ 3(2)@100", "SPY 100")
    assert lines_of(result) == ["sell XYZ 200.00 by 2", "buy SPY 200.00"]
    assert result.orders[0].reason == "Not in the portfolio; sell the 2 that open orders leave free."


def test_cash_reserved_by_open_buys_is_not_spent_again() -> None:
    """Of 1000 in cash 300 belong to an open buy of AAA, which also covers 300 of its shortfall of 500."""
    snapshot = with_open_order(book("cash 1000 | AAA @10 | BBB @10"), "buy AAA 300")
    result = plan(snapshot, "AAA 50 | BBB 50")
    assert sorted(lines_of(result)) == ["buy AAA 200.00", "buy BBB 500.00"]
    assert "Open orders reserve 300.00 USD" in result.warnings[0]


def test_cash_reserved_for_something_else_is_not_spent() -> None:
    """An open buy of XYZ keeps 300 of the 1000."""
    snapshot = with_open_order(book("cash 1000 | AAA @10 | BBB @10"), "buy XYZ 300")
    assert lines_of(plan(snapshot, "AAA 50 | BBB 50")) == ["buy AAA 350.00", "buy BBB 350.00"]


def test_an_untradable_holding_stays_and_keeps_its_value() -> None:
    """SPY is over by 1300 but halted: TLT gets only the spare cash of 500 - 475."""
    result = plan(with_quote(book(RALLIED), "SPY", tradable=False))
    assert lines_of(result) == ["buy TLT 25.00"]
    assert result.warnings[0] == ("SPY cannot be traded now; its 7,000.00 USD stay as they are and cannot be invested.")


def test_an_untradable_target_is_not_bought() -> None:
    """Money meant for it stays cash."""
    result = plan(with_quote(book("cash 1000 | SPY @100 | TLT @50"), "SPY", tradable=False))
    assert lines_of(result) == ["buy TLT 350.00"]
    assert result.warnings[0] == "SPY cannot be traded now; it is not bought."


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"toward": Toward.HALFWAY}, ["sell SPY 650.00", "buy TLT 662.50"]),
        ({"toward": Toward.EDGE}, ["sell SPY 825.02", "buy TLT 850.02"]),
        ({"breached_only": True}, ["sell SPY 1300.00", "buy TLT 1325.00"]),
        ({"cash_buffer": Decimal(400)}, ["sell SPY 1300.00", "buy TLT 1325.00"]),
        ({"cash_buffer": Decimal(1000)}, ["sell SPY 1300.00", "buy TLT 800.00"]),
        ({"never_sell": frozenset({"SPY"})}, ["buy TLT 25.00"]),
        ({"never_buy": frozenset({"TLT"})}, ["sell SPY 1300.00"]),
        ({"raise_cash": Decimal(1000)}, ["sell SPY 1900.00", "buy TLT 975.00"]),
        ({"whole_shares": True}, ["sell SPY 1300.00 by 13", "buy TLT 1300.00 by 26"]),
    ],
    ids=str,
)
def test_options_change_the_orders(options: dict[str, object], lines: list[str]) -> None:
    """E = 9500, SPY 7000 against 5700, TLT 2000 against 3325, bands of 5 points (475); each option by itself."""
    assert lines == lines_of(plan(RALLIED, **options))


def test_breached_only_leaves_the_others_alone() -> None:
    """GLD is off by two points of its five and is not touched; SPY's excess pays for TLT."""
    result = plan("cash 0 | SPY 70@10 | TLT 13@10 | GLD 17@10", "SPY 60 | TLT 25 | GLD 15", "abs 5", breached_only=True)
    assert lines_of(result) == ["sell SPY 100.00", "buy TLT 100.00"]
    assert "cover 100.00 USD of the 120.00 USD" in result.warnings[0]
    assert "as far as the cash reaches" in result.orders[1].reason


def test_breached_only_without_a_band_trades_nothing() -> None:
    """Without a band nothing can be breached, and the plan says so."""
    result = plan(RALLIED, conditions="", breached_only=True)
    assert result.orders == ()
    assert "there is no drift band" in result.warnings[0]


def test_the_edge_lies_inside_the_band() -> None:
    """A plan to the edge ends with nothing breached, which the edge itself, floored, would not."""
    request = PlanRequest(model(BALANCED), bands("abs 5"), options=Options(toward=Toward.EDGE))
    assert preview(book(RALLIED), request).after.breached == ()


def test_less_than_a_whole_share_is_told() -> None:
    """Thirty dollars do not buy a share at a hundred."""
    result = plan("cash 30 | SPY 0.7@100 | TLT @50", "SPY 100", whole_shares=True)
    assert result.orders == ()
    assert result.warnings[0] == "The 30.00 USD of SPY are less than one share at 100.00 USD; nothing is ordered."


def test_what_is_not_fractionable_is_planned_in_whole_shares() -> None:
    """Only TLT cannot be split: 1325 / 50 = 26.5 -> 26."""
    result = plan(with_quote(book(RALLIED), "TLT", fractionable=False))
    assert lines_of(result) == ["sell SPY 1300.00", "buy TLT 1300.00 by 26"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": Decimal(5)}, "amount must be used with invest_cash only; received 5"),
        ({"run_type": RunType.INVEST_CASH, "amount": Decimal(0)}, "amount must be above zero and in whole cents"),
        ({"run_type": RunType.INVEST_CASH, "amount": Decimal("1.001")}, "amount must be above zero and in whole cents"),
        ({"min_notional": Decimal(-1)}, "min_notional must be zero or more"),
        ({"options": Options(cash_buffer=Decimal(-1))}, r"options\.cash_buffer must be zero or more; received -1"),
        ({"options": Options(raise_cash=Decimal(-1))}, r"options\.raise_cash must be zero or more"),
        ({"options": Options(raise_cash=Decimal(9501))}, r"options\.raise_cash must be at most the equity of 9500 USD"),
        (
            {"options": Options(raise_cash=Decimal(1), toward=Toward.EDGE)},
            r"options\.raise_cash must be used in a full",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(changes: dict[str, object], sentence: str) -> None:
    """Each refusal names the field, what was received and what is allowed."""
    request = replace(PlanRequest(model(BALANCED)), **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=sentence):
        plan_orders(book(RALLIED), request)


def test_no_equity_no_plan() -> None:
    """Debt as large as the holdings leaves nothing to plan with."""
    with pytest.raises(DataError, match=r"equity of 0 USD; it must be above zero"):
        plan("cash -100 | SPY 1@100 | TLT @50")


def buy(symbol: str, notional: str, price: str = "10", line: int = 1) -> PlannedOrder:
    """A planned buy by notional."""
    amount = Decimal(notional)
    quantity = amount / Decimal(price)
    return PlannedOrder(line, Symbol(symbol), Side.BUY, amount, None, Decimal(price), quantity, "")


def test_buys_that_fit_are_not_touched() -> None:
    """The cash after the sells is at least what was planned."""
    buys = (buy("AAA", "60.00"), buy("BBB", "40.00"))
    assert trim_buys(buys, Decimal("100.00")) == (buys, ())


def test_buys_are_reduced_by_notional_and_keep_their_lines() -> None:
    """With half the cash each gets half, floored; what falls below the minimum is skipped."""
    buys = (buy("AAA", "60.01", line=3), buy("BBB", "38.00", line=4), buy("CCC", "1.99", line=5))
    kept, skipped = trim_buys(buys, Decimal("50.00"))
    assert [(3, "AAA", "30.00"), (4, "BBB", "19.00")] == [(o.line, o.symbol, str(o.notional)) for o in kept]
    assert Decimal(3) == kept[0].estimated_quantity
    assert [("CCC", "0.99")] == [(s.symbol, str(s.notional)) for s in skipped]


@pytest.mark.parametrize("spendable", ["0", "-5.00"])
def test_no_cash_skips_every_buy(spendable: str) -> None:
    """Nothing is bought on credit."""
    kept, skipped = trim_buys((buy("AAA", "60.00"),), Decimal(spendable))
    assert kept == ()
    assert [Decimal(0)] == [skip.notional for skip in skipped]


def test_whole_shares_are_reduced_to_whole_shares() -> None:
    """45 dollars of the 60 buy four of the six shares."""
    order = replace(buy("AAA", "60.00"), quantity=Decimal(6))
    kept, _ = trim_buys((order,), Decimal("45.00"))
    assert [(Decimal(4), Decimal("40.00"))] == [(o.quantity, o.notional) for o in kept]
