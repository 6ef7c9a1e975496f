"""Portfolios, subscriptions and changes as tables and sentences: what a person reads before saving."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from domain import bands, book, model

from driftdesk.engine.decision import Decision, Outcome
from driftdesk.engine.drift import DriftReport, measure_drift
from driftdesk.engine.plan import RunType
from driftdesk.engine.snapshot import AccountId, PortfolioId, Snapshot
from driftdesk.engine.targets import CalendarKind, CalendarRule
from driftdesk.figures import (
    changes_alt,
    changes_table,
    conditions_words,
    portfolios_alt,
    portfolios_table,
    proposal_alt,
    proposal_table,
    subscriptions_alt,
    subscriptions_table,
)
from driftdesk.figures.portfolios import next_session
from driftdesk.wire.accounts import Account
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Portfolio, Weight
from driftdesk.wire.runs import Run
from driftdesk.wire.subscriptions import Subscription, Waiting

# Friday 20 November 2026, 14:00 in New York.
NOW = datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
AFTER_EVALUATION = NOW.replace(hour=20, minute=31)


def band(kind: str, percent: str) -> Condition:
    return Condition(type="drift_band", sub_type=kind, percent=Decimal(percent))


def day(kind: str, day: str) -> Condition:
    return Condition(type="calendar", sub_type=kind, day=day)


def weights(text: str) -> tuple[Weight, ...]:
    """``cash 5 | SPY 60 | TLT 35``."""
    pairs = [part.split() for part in text.split("|")]
    return tuple(
        Weight(type="cash", percent=Decimal(percent))
        if name == "cash"
        else Weight(type="asset", symbol=name, percent=Decimal(percent))
        for name, percent in pairs
    )


def portfolio(*conditions: Condition, text: str = "SPY 60 | TLT 40", **fields: Any) -> Portfolio:
    return Portfolio(
        **{
            "id": "p1", "name": "Mix", "status": "active", "created_at": NOW, "updated_at": NOW,
            "weights": weights(text), "rebalance_conditions": conditions, **fields,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "condition"),
    [
        ("Fires when a holding is away from its target by more than 5 points of equity.", band("absolute", "5.00")),
        ("Fires when a holding is away from its target by more than 20% of it.", band("relative", "20")),
        ("Fires on the last session on or before each Monday; next: Mon 23 Nov 2026.", day("weekly", "Monday")),
        (
            "Fires on the last session on or before the 28th of each month; next: Fri 27 Nov 2026.",
            day("monthly", "28"),
        ),
        (
            "Fires on the last session on or before the 31st (or the last day) of each month; next: Mon 30 Nov 2026.",
            day("monthly", "31"),
        ),
        (
            "Fires on the last session on or before the 22nd of January, March, June and December; next: "
            "Tue 22 Dec 2026.",
            day("quarterly", "22"),
        ),
        (
            "Fires on the last session on or before 29 February of each year; next: Fri 26 Feb 2027.",
            day("annually", "02-29"),
        ),
    ],
)
def test_a_condition_in_plain_words(expected: str, condition: Condition) -> None:
    """With the date of the next session: 26 November is Thanksgiving, the 28th a Saturday."""
    assert [expected] == conditions_words([condition], 0, NOW)


def test_a_cooldown_says_which_days_it_loses() -> None:
    """Monthly with 31 days: 30 days after 30 November is lost, then every second one. A week loses none."""
    said = conditions_words([day("monthly", "31")], 31, NOW)
    assert ("The cooldown would lose", "the first on") == tuple(
        part for part in ("The cooldown would lose", "the first on") if part in said[1]
    )
    assert 1 == len(conditions_words([day("monthly", "31")], 7, NOW))
    assert 1 == len(conditions_words([band("absolute", "5")], 400, NOW))


def test_today_counts_until_its_evaluation() -> None:
    """Friday the 20th at 14:00 and at 15:31; in a cooldown that ends later it does not count."""
    rule = CalendarRule(CalendarKind.MONTHLY, "20")
    assert date(2026, 11, 20) == next_session(rule, NOW)
    assert date(2026, 12, 18) == next_session(rule, AFTER_EVALUATION)
    assert date(2026, 12, 18) == next_session(rule, NOW, date(2026, 11, 21))
    assert date(2026, 11, 20) == next_session(rule, NOW, date(2026, 11, 20))
    assert next_session(None, NOW) is None


@dataclass(frozen=True)
class View:
    account: Account
    snapshot: Snapshot
    subscription: Subscription | None = None
    portfolio: Portfolio | None = None
    drift: DriftReport | None = None
    problem: str | None = None


def view(
    name: str, spy: str = "600", *, follows: Portfolio | None = None, last: datetime | None = None, **waiting: Any
) -> View:
    """An account of 1000 with `spy` in SPY and the rest in TLT, against 60/40 with bands of 5 points."""
    snapshot = book(f"cash 0 | SPY {spy}@1 | TLT {1000 - int(spy)}@1")
    account = Account(
        id=f"id-{name}", account_number=f"N{name}", status="ACTIVE", last_equity=Decimal(990), created_at=NOW, name=name
    )
    subscription = Subscription(
        id=f"s-{name}", account_id=account.id, portfolio_id="p1", created_at=NOW, last_rebalanced_at=last,
        waiting=Waiting(**waiting),
    )  # fmt: skip
    drift = measure_drift(snapshot, model("SPY 60 | TLT 40"), bands("abs 5"))
    return View(account, snapshot, subscription, follows or portfolio(band("absolute", "5")), drift)


def row(seen: View, *runs: Run, now: datetime = NOW) -> dict[str, Any]:
    return dict(subscriptions_table([seen], runs, now).iloc[0])


def test_each_state_of_a_subscription() -> None:
    """The gravest is the state; the details say them all."""
    last = datetime(2026, 11, 16, 20, 30, tzinfo=UTC)
    resting = portfolio(band("absolute", "5"), cooldown_days=7)
    run = Run(id="12345678-x", type="full_rebalance", status="QUEUED", account_id="id-A", portfolio_id="p1",
              weights=(), created_at=NOW, updated_at=NOW)  # fmt: skip
    assert ("Ready", "") == (row(view("A"))["State"], row(view("A"))["Details"])
    assert ("Outside band", "2 weights outside the bands.") == tuple(
        row(view("A", "700"))[n] for n in ("State", "Details")
    )
    assert "Cooldown until Mon 23 Nov 2026." == row(view("A", follows=resting, last=last))["Details"]
    assert "Ready" == row(view("A", follows=resting, last=last), now=NOW.replace(day=23))["State"]
    waits = row(view("A", portfolio_changed=True, uninvested_inflow="750"))
    assert ("Waits", "Waits for an evaluation: changed weights, 750.00 USD to invest.") == (
        waits["State"],
        waits["Details"],
    )
    assert ("Open run", "Run 12345678 is queued.") == tuple(row(view("A"), run)[name] for name in ("State", "Details"))
    assert "Problem" == row(replace(view("A"), drift=None, problem="No price."))["State"]
    assert "Needs adjustment" == row(view("A", follows=portfolio(status="needs_adjustment")))["State"]
    held = row(view("A", "700", held="three errors", follows=resting, last=last))
    assert "Held" == held["State"]
    assert (
        "Automatic runs are held: three errors. Cooldown until Mon 23 Nov 2026. 2 weights outside the bands."
        == held["Details"]
    )


def test_the_next_session_of_an_account_is_after_its_cooldown() -> None:
    """Monthly on the 25th, rebalanced on the 16th: in a cooldown of 10 days Wednesday the 25th is lost."""
    monthly = day("monthly", "25")
    last = datetime(2026, 11, 16, 20, 30, tzinfo=UTC)
    assert date(2026, 11, 25) == row(view("A", follows=portfolio(monthly, cooldown_days=9), last=last))["Next session"]
    assert date(2026, 12, 24) == row(view("A", follows=portfolio(monthly, cooldown_days=10), last=last))["Next session"]


def test_a_day_on_which_it_was_rebalanced_is_not_due_again() -> None:
    """Weekly on Friday, rebalanced this Friday morning: the next is the half day after Thanksgiving."""
    friday = portfolio(day("weekly", "Friday"))
    assert date(2026, 11, 27) == row(view("A", follows=friday, last=NOW.replace(hour=15)))["Next session"]
    assert date(2026, 11, 20) == row(view("A", follows=friday))["Next session"]


def test_the_nearest_miss_and_the_order_of_subscriptions() -> None:
    """640 is 4 points over, 80% of the band of 5, and TLT the same; who needs a person stands first."""
    seen = [view("A", "640"), view("B", "700"), view("C", held="x"), replace(view("D"), subscription=None)]
    table = subscriptions_table(seen, (), NOW, {"id-A": "A (1)"})
    assert ["C", "B", "A (1)"] == list(table["Account"])
    assert "SPY uses 80% of its band of ±5" == table.iloc[2]["Nearest miss"]
    assert "SPY uses 200% of its band of ±5" == table.iloc[1]["Nearest miss"]
    assert "3 subscriptions: 1 held, 1 outside band, 1 ready." == subscriptions_alt(table)
    assert "No subscriptions." == subscriptions_alt(subscriptions_table([], (), NOW))


def test_a_row_of_the_portfolios() -> None:
    """Two accounts of 1000 follow it, one of them outside; percents and conditions in words."""
    followed = portfolio(band("absolute", "5"), band("relative", "25"), day("weekly", "Monday"), cooldown_days=1)
    free = portfolio(id="p2", name="None")
    seen = [
        view("A", follows=followed),
        view("B", "700", follows=followed),
        replace(view("C"), subscription=None, portfolio=None),
    ]
    table = portfolios_table([followed, free], seen, NOW)
    assert ("Mix", "Active", 2, Decimal(2000), 1) == tuple(
        table.iloc[0][["Portfolio", "State", "Accounts", "Equity", "Outside band"]]
    )
    assert ("±5 points, ±25% of target, weekly Monday", "1 day", date(2026, 11, 23), "SPY 60 · TLT 40") == tuple(
        table.iloc[0][["Conditions", "Cooldown", "Next session", "Weights %"]]
    )
    assert ("none", "none", None) == tuple(table.iloc[1][["Conditions", "Cooldown", "Next session"]])
    assert "2 portfolios, followed by 2 of 3 accounts." == portfolios_alt([followed, free], seen)


def test_what_changes_stands_line_by_line() -> None:
    """A weight up, one gone, one new, a band for another, the calendar gone, cooldown and name."""
    before = portfolio(band("absolute", "5"), day("monthly", "15"), text="cash 5 | SPY 60 | TLT 35", cooldown_days=7)
    after = CreatePortfolio(
        name="Mix 2",
        weights=weights("cash 5.00 | SPY 62.5 | GLD 32.5"),
        rebalance_conditions=(band("relative", "20"),),
        cooldown_days=1,
    )
    table = changes_table(before, after)
    assert [
        ("Name", "Mix", "Mix 2", ""),
        ("Weight of SPY", "60%", "62.5%", "+2.5 pp"),
        ("Weight of TLT", "35%", "–", "−35 pp"),
        ("Weight of GLD", "–", "32.5%", "+32.5 pp"),
        ("Band", "±5 points", "±20% of target", ""),
        ("Calendar", "monthly 15", "–", ""),
        ("Cooldown", "7 days", "1 day", ""),
    ] == list(table.itertuples(index=False, name=None))
    assert changes_alt(table).startswith("7 changes: Name Mix to Mix 2; ")


def test_the_order_of_weights_changes_nothing() -> None:
    """And neither does 5 for 5.00 (rules.md 2.4)."""
    before = portfolio(band("absolute", "5"), band("relative", "20"))
    after = CreatePortfolio(
        name="Mix",
        weights=weights("TLT 40.00 | SPY 60"),
        rebalance_conditions=(band("relative", "20.00"), band("absolute", "5")),
    )
    assert "Nothing changes." == changes_alt(changes_table(before, after))


def test_of_a_new_portfolio_everything_is_new() -> None:
    """Without an old one the old column is empty."""
    table = changes_table(None, CreatePortfolio(name="N", weights=weights("SPY 100")))
    assert [("Name", "–", "N"), ("Weight of SPY", "–", "100%"), ("Cooldown", "–", "0 days")] == [
        row[:3] for row in table.itertuples(index=False, name=None)
    ]


@dataclass(frozen=True)
class Case:
    decision: Decision
    orders: int = 0
    notional: Decimal = Decimal(0)
    turnover: Decimal = Decimal(0)
    waits: bool = False


@dataclass(frozen=True)
class Row:
    account: Account
    now: Case
    changed: Case


def made(outcome: Outcome, run_type: RunType | None = None) -> Decision:
    return Decision(AccountId("a"), PortfolioId("p"), NOW.date(), NOW, outcome, run_type, (), (), f"because {outcome}")


def test_a_proposal_account_by_account() -> None:
    """The largest first; what waits is named as such, and what is blocked for good is not."""
    nothing = Case(made(Outcome.NOT_DUE))
    rows = [
        Row(view("Small").account, nothing, Case(made(Outcome.RUN, RunType.INVEST_CASH), 1, Decimal("5.00"))),
        Row(view("Idle").account, nothing, nothing),
        Row(view("Lost").account, nothing, Case(made(Outcome.BLOCKED))),
        Row(view("Late").account, nothing, Case(made(Outcome.BLOCKED), 2, Decimal(900), Decimal("0.05"), waits=True)),
        Row(
            view("Big").account,
            nothing,
            Case(made(Outcome.RUN, RunType.FULL_REBALANCE), 3, Decimal(2000), Decimal("0.1")),
        ),
    ]
    table = proposal_table(rows)
    assert [
        ("Big", "Would rebalance", 3),
        ("Late", "Waits", 2),
        ("Small", "Would invest cash", 1),
        ("Idle", "Nothing due", 0),
        ("Lost", "Nothing to send", 0),
    ] == list(table[["Account", "Changed", "Orders"]].itertuples(index=False, name=None))
    assert (Decimal(10), "because run") == (table.iloc[0]["Turnover %"], table.iloc[0]["Why"])
    assert (
        "2 of 5 accounts would trade at the next evaluation: 4 orders for $2,005.00; 1 more would have to wait."
        == proposal_alt(rows)
    )
