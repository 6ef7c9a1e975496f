"""The whole book: who stands where, worst first, and what needs a person."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain import EVALUATION, bands, book, model

from driftdesk.engine.drift import DriftReport, measure_drift
from driftdesk.engine.snapshot import Snapshot
from driftdesk.figures import LIGHT, attention, book_alt, book_figure, book_table, equity_of, standing, worst_first
from driftdesk.wire.accounts import Account
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.runs import Run
from driftdesk.wire.subscriptions import Subscription


@dataclass(frozen=True)
class View:
    account: Account
    snapshot: Snapshot
    drift: DriftReport | None = None
    problem: str | None = None
    portfolio: Portfolio | None = None
    subscription: Subscription | None = None


def view(name: str, spy: str, **changes: Any) -> View:
    """An account of 1000 with `spy` in SPY and the rest in TLT, against 60/40 with bands of 5 points."""
    snapshot = book(f"cash 0 | SPY {spy}@1 | TLT {1000 - int(spy)}@1")
    account = Account(
        id=f"id-{name}",
        account_number=f"N{name}",
        status="ACTIVE",
        last_equity=Decimal(990),
        created_at=EVALUATION,
        name=name,
    )
    drift = measure_drift(snapshot, model("SPY 60 | TLT 40"), bands("abs 5"))
    return View(**{"account": account, "snapshot": snapshot, "drift": drift, **changes})


WORST, OUT = view("Worst", "700"), view("Out", "655")
NEAR, FINE = view("Near", "645"), view("Fine", "600")
FREE = view("Free", "600", drift=None)
ODD = view("Odd", "600", drift=None, problem="TLT has no price.")
ALL = (FREE, FINE, OUT, NEAR, ODD, WORST)


def test_accounts_stand_worst_first() -> None:
    """A problem before a breach, a larger breach before a smaller one, no portfolio last."""
    assert ["Odd", "Worst", "Out", "Near", "Fine", "Free"] == [seen.account.name for seen in worst_first(ALL)]
    assert ["Problem", "Outside band", "Outside band", "Near the edge", "Inside", "No portfolio"] == [
        standing(seen) for seen in worst_first(ALL)
    ]


def test_a_row_of_the_book() -> None:
    """SPY is 10 points over, twice its band; with TLT two holdings are outside."""
    rows = book_table(ALL).set_index("Account")
    assert ("Outside band", "SPY", Decimal(10), Decimal(200), 2, Decimal(1000), Decimal(0)) == tuple(
        rows.loc["Worst", ["Standing", "Worst holding", "Drift pp", "Band used %", "Outside", "Equity", "Cash"]]
    )


def test_equity_that_cannot_be_measured_is_the_last_known() -> None:
    """Without a report the account's last equity stands in."""
    assert (Decimal(1000), Decimal(990)) == (equity_of(WORST), equity_of(ODD))


def test_the_chart_has_an_account_per_bar_and_the_edge() -> None:
    """Breached accounts in colour; what has no band is not drawn; equal names keep their own bars."""
    bars = book_figure((*ALL, view("Worst", "690"))).data[0]
    assert ["id-Worst", "id-Worst", "id-Out", "id-Near"] == list(bars.customdata)
    assert ("Worst", "Worst (2)", "Out", "Near") == bars.y
    assert [200.0, 180.0, 110.0, 90.0] == list(bars.x)
    assert [LIGHT.sell, LIGHT.sell, LIGHT.sell, LIGHT.neutral] == list(bars.marker.color)
    assert (100, 100) == (
        book_figure(ALL).layout.shapes[0].x0,
        book_figure(ALL).layout.shapes[0].x1,
    )


def test_one_account_full_of_cash_does_not_press_the_others_flat() -> None:
    """SPY at nothing is twelve times its band: the bar runs off at three times, the number is told."""
    figure = book_figure((NEAR, view("Cash", "0")))
    assert [1200.0, 90.0] == list(figure.data[0].x)
    assert (0, 315.0) == figure.layout.xaxis.range
    assert "<b>1,200%</b>" in {note.text for note in figure.layout.annotations}


def test_the_words_of_the_book() -> None:
    """How many are outside, and which is worst."""
    assert book_alt(ALL) == (
        "2 of 6 accounts outside the bands; worst is Worst with SPY at +10.00 pp, 200% of its band."
    )
    assert book_alt([FINE]) == "None of 1 account outside its bands."


def failed(status: str, at: datetime) -> Run:
    return Run(
        id=f"run-{status}", type="full_rebalance", status=status, account_id="id-Fine", portfolio_id="p", weights=(),
        created_at=at, updated_at=at,
    )  # fmt: skip


def test_what_needs_a_person_links_to_it() -> None:
    """Problems, breaches, then runs that failed lately; what completed or is long ago does not."""
    now = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)
    runs = [
        failed("ERROR", now),
        failed("COMPLETED_SUCCESS", now),
        failed("TIMEOUT", now - timedelta(days=60)),
    ]
    found = attention(ALL, runs, now - timedelta(days=30))
    assert [
        ("problem", "Odd: TLT has no price.", "id-Odd", None),
        ("breach", "Worst: SPY +10.00 pp, 200% of its band and 1 more.", "id-Worst", None),
        ("breach", "Out: SPY +5.50 pp, 110% of its band and 1 more.", "id-Out", None),
        ("run", "Fine: run of 2026-11-20 15:30 ended in an error.", "id-Fine", "run-ERROR"),
    ] == [(item.kind, item.text, item.account_id, item.run_id) for item in found]
