"""A year of sessions with 200 accounts that follow portfolios: what must hold whatever happens (rules.md 1.4, 5, 7).

The year is 2025, replayed once (see year.py). Each test holds one invariant against every row that it left behind.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from conftest import simulated_feed
from sqlalchemy import Table, insert, select
from sqlalchemy.exc import IntegrityError
from year import ACCOUNTS, FIRST, LAST, MODELS, Year

from driftdesk.backend.opening import open_service
from driftdesk.backend.store import tables
from driftdesk.backend.store.types import Row
from driftdesk.engine.schedule import NEW_YORK, Session, new_york_date
from driftdesk.money import CENT, ZERO
from driftdesk.wire.decisions import Decision


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """The whole year, replayed."""
    path = tmp_path_factory.mktemp("year") / "world.db"
    start = datetime.combine(FIRST, time(10), NEW_YORK)
    service = open_service(path, simulated_feed(), start=start, seed=1, durable=False)
    year = Year(service, random.Random(2025))
    year.replay()
    yield year
    service.close()


def rows(year: Year, table: Table) -> list[Row]:
    """Every row of a table, in the order of its key."""
    with year.service.world.database.read() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key.columns)).mappings())


@pytest.fixture(scope="module")
def runs(year: Year) -> list[Row]:
    return rows(year, tables.runs)


@pytest.fixture(scope="module")
def fills(year: Year) -> list[Row]:
    return rows(year, tables.fills)


@pytest.fixture(scope="module")
def decisions(year: Year) -> list[Decision]:
    return [Decision.model_validate_json(row["body"]) for row in rows(year, tables.decisions) if row["run_id"]]


def session_of(year: Year, run: Row) -> Session:
    session = year.service.world.sessions.on(run["session"])
    assert session is not None
    return session


def test_it_was_a_year_with_something_of_everything(year: Year, runs: list[Row]) -> None:
    """Without this the other tests could hold because nothing happened."""
    happened = Counter((run["status"], run["initiated_from"]) for run in runs)
    assert {("COMPLETED_SUCCESS", "system"), ("COMPLETED_SUCCESS", "api"), ("TIMEOUT", "system")} <= set(happened)
    assert {"CANCELED", "CANCELED_MID_RUN"} <= {run["status"] for run in runs}
    assert {"full_rebalance", "invest_cash"} == {run["type"] for run in runs}
    assert ACCOUNTS == len(year.accounts) == len(rows(year, tables.accounts))
    assert {"filled", "rejected", "expired", "canceled"} == {order["status"] for order in rows(year, tables.orders)}
    assert any(json.loads(run["skipped"]) for run in runs)
    assert any(session_of(year, run).early_close for run in runs if run["session"])
    blocks = {
        block.kind
        for row in rows(year, tables.decisions)
        if row["outcome"] == "blocked"
        for block in Decision.model_validate_json(row["body"]).blocks
    }
    assert {"cooldown", "once_a_session", "needs_adjustment", "held", "nothing_to_trade"} <= blocks


def test_every_session_of_the_year_was_closed(year: Year) -> None:
    """One row of equity an account and session since it was opened."""
    sessions = year.service.world.sessions.between(FIRST, LAST)
    counted = Counter(row["account_id"] for row in rows(year, tables.equity_days))
    opened = {row["id"]: row["created_at"] for row in rows(year, tables.accounts)}
    assert 250 == len(sessions)
    assert {account: sum(at <= session.close for session in sessions) for account, at in opened.items()} == counted


def test_every_automatic_run_has_the_decision_that_explains_it(runs: list[Row], decisions: list[Decision]) -> None:
    """Its run, its account, its kind, its sentence; and no decision to run without a run (rules.md 5.8)."""
    automatic = [
        (run["id"], run["account_id"], "run", run["type"], run["trigger"]) for run in runs if is_automatic(run)
    ]
    decided = [(made.run_id, made.account_id, made.outcome, made.run_type, made.summary) for made in decisions]
    assert sorted(automatic) == sorted(decided)
    assert all(made.triggers for made in decisions)


def is_automatic(run: Row) -> bool:
    return bool(run["initiated_from"] == "system")


def test_no_account_ever_has_two_open_runs(year: Year, runs: list[Row]) -> None:
    """The history of events, one after the other: a run is opened only when the account has none (rules.md 5.4)."""
    account_of = {run["id"]: run["account_id"] for run in runs}
    open_run: dict[str, str] = {}
    for event in rows(year, tables.run_events):
        account = account_of[event["run_id"]]
        if event["status"] == "QUEUED":
            assert account not in open_run
            open_run[account] = event["run_id"]
        elif event["status"] != "IN_PROGRESS":
            # COMPLETED_SUCCESS follows COMPLETED_ADJUSTED, which has freed the account already (rules.md 7.3).
            before = open_run.pop(account, event["run_id"]) if event["status"] != "COMPLETED_SUCCESS" else None
            assert before in (None, event["run_id"])
    assert {} == open_run


def test_the_store_itself_refuses_a_second_open_run(year: Year) -> None:
    """The index holds it, whatever a program does."""
    row = {**rows(year, tables.runs)[0], "status": "QUEUED"}
    del row["seq"]
    with year.service.world.database.engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(insert(tables.runs), [{**row, "id": "one"}, {**row, "id": "two"}])


def test_no_automatic_rebalance_is_inside_its_cooldown(year: Year, runs: list[Row]) -> None:
    """Calendar days in New York since the subscription's last completed full rebalance, whoever asked for it (5.2)."""
    cooldowns = dict(zip(year.models, (cooldown for *_, cooldown in MODELS), strict=True))
    last: dict[str, date] = {}
    spared = 0
    for run in sorted((run for run in runs if run["subscription_id"]), key=lambda run: run["seq"]):
        before = last.get(run["subscription_id"])
        if is_automatic(run) and run["type"] == "full_rebalance" and before is not None:
            gap = (new_york_date(run["created_at"]) - before).days
            assert gap >= cooldowns[run["portfolio_id"]]
            spared += cooldowns[run["portfolio_id"]] > 0
        if run["type"] == "full_rebalance" and run["completed_at"]:
            last[run["subscription_id"]] = new_york_date(run["completed_at"])
    assert spared > 100


def test_runs_start_inside_the_run_window(year: Year, runs: list[Row]) -> None:
    """From the open until 15 minutes before the close, early closes included (rules.md 5.3)."""
    started = {
        event["run_id"]: event["at"] for event in rows(year, tables.run_events) if event["phase"] == "SELLS_IN_PROGRESS"
    }
    for run in runs:
        if run["session"]:
            session = session_of(year, run)
            assert session.open <= started[run["id"]] <= session.last_start


def test_an_account_has_one_automatic_run_a_session(year: Year, runs: list[Row]) -> None:
    """Counted by the session in which they started, also across subscriptions (rules.md 5.1)."""
    started = [(run["account_id"], run["session"]) for run in runs if is_automatic(run) and run["session"]]
    assert len(started) == len(set(started)) > 500
    followers = Counter(row["account_id"] for row in rows(year, tables.subscriptions))
    assert max(followers.values()) > 2


def test_shares_are_what_came_in_and_what_was_traded(year: Year, fills: list[Row]) -> None:
    """Opening positions and fills give the holdings, to the last digit."""
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for account, body in year.opened_with.items():
        for position in body.positions:
            expected[account, position.symbol] += position.qty
    for fill in fills:
        expected[fill["account_id"], fill["symbol"]] += fill["quantity"] * (1 if fill["side"] == "buy" else -1)
    held = {(row["account_id"], row["symbol"]): row["quantity"] for row in rows(year, tables.positions)}
    assert {key: quantity for key, quantity in expected.items() if quantity} == held


def test_cash_is_what_came_in_and_what_trades_moved(year: Year, fills: list[Row]) -> None:
    """Opening cash, deposits, withdrawals and fills give the cash, to the cent; it never falls below zero."""
    expected = {account: body.cash for account, body in year.opened_with.items()}
    for flow in rows(year, tables.flows):
        if flow["kind"] != "opening":
            expected[flow["account_id"]] += flow["amount"]
    for fill in fills:
        expected[fill["account_id"]] += fill["cash"] * (-1 if fill["side"] == "buy" else 1)
    assert expected == {row["id"]: row["cash"] for row in rows(year, tables.accounts)}
    assert min(row["cash"] for row in rows(year, tables.equity_days)) >= ZERO


def test_a_trade_makes_no_money(fills: list[Row]) -> None:
    """Cash, shares at their price and the rounding account add up to nothing, fill by fill and together (1.4)."""
    total = ZERO
    for fill in fills:
        sign = 1 if fill["side"] == "buy" else -1
        moved = -sign * fill["cash"] + sign * fill["quantity"] * fill["price"] + sign * fill["rounding"]
        assert ZERO == moved
        assert abs(fill["rounding"]) <= CENT / 2
        total += moved
    assert ZERO == total
    assert any(fill["rounding"] for fill in fills)


def test_every_run_has_ended_and_says_how(runs: list[Row]) -> None:
    """Instants and reasons fit the final status, and nothing is due any more (rules.md 7)."""
    for run in runs:
        completed, canceled = run["completed_at"] is not None, run["canceled_at"] is not None
        assert {
            "COMPLETED_SUCCESS": (True, False),
            "CANCELED": (False, True),
            "CANCELED_MID_RUN": (False, True),
            "TIMEOUT": (False, False),
            "ERROR": (False, False),
        }[run["status"]] == (completed, canceled)
        assert run["status"] == "COMPLETED_SUCCESS" or run["reason"]
        assert run["due_at"] is None
        # Only a run that never started has no list of orders.
        assert (run["order_list"] is None) is (run["session"] is None)


def test_a_completed_rebalance_leaves_only_what_its_skips_explain(
    year: Year, runs: list[Row], fills: list[Row]
) -> None:
    """After its fills each target is off by skipped orders and by cents, unless an asset could not be traded (6.5)."""
    book = Book(year, fills)
    checked = 0
    for run in sorted((run for run in runs if is_whole(run)), key=lambda run: (run["completed_at"], run["seq"])):
        at = run["completed_at"]
        cash, held = book.until(run["account_id"], at)
        if any(symbol in held and since <= at < until for symbol, since, until in year.untradable):
            continue
        values = {symbol: quantity * year.price(symbol, at) for symbol, quantity in held.items()}
        equity = cash + sum(values.values())
        targets = {weight["symbol"]: Decimal(weight["percent"]) / 100 for weight in json.loads(run["weights"])}
        skipped = sum(Decimal(skip["notional"]) for skip in json.loads(run["skipped"]))
        for symbol in {*held, *targets} - {None}:
            off = values.get(symbol, ZERO) - targets.get(symbol, ZERO) * equity
            assert abs(off) <= skipped + CENT * (len(targets) + len(held)), (run["id"], symbol)
        checked += 1
    assert checked > 500


def is_whole(run: Row) -> bool:
    """Whether the run rebalanced everything and no order of it failed."""
    return (
        run["type"] == "full_rebalance"
        and run["status"] == "COMPLETED_SUCCESS"
        and not json.loads(run["order_list"])["failed_orders"]
    )


class Book:
    """Cash and shares of each account as the year goes on."""

    def __init__(self, year: Year, fills: list[Row]) -> None:
        self.cash = {account: body.cash for account, body in year.opened_with.items()}
        self.held: dict[str, dict[str, Decimal]] = {
            account: {position.symbol: position.qty for position in body.positions}
            for account, body in year.opened_with.items()
        }
        flows = [flow for flow in rows(year, tables.flows) if flow["kind"] != "opening"]
        self.changes: dict[str, list[Row]] = defaultdict(list)
        for change in sorted([*flows, *fills], key=lambda change: change["at"], reverse=True):
            self.changes[change["account_id"]].append(change)

    def until(self, account: str, at: datetime) -> tuple[Decimal, dict[str, Decimal]]:
        changes, held = self.changes[account], self.held[account]
        while changes and changes[-1]["at"] <= at:
            change = changes.pop()
            if "amount" in change:
                self.cash[account] += change["amount"]
                continue
            sign = 1 if change["side"] == "buy" else -1
            self.cash[account] -= sign * change["cash"]
            held[change["symbol"]] = held.get(change["symbol"], ZERO) + sign * change["quantity"]
        return self.cash[account], {symbol: quantity for symbol, quantity in held.items() if quantity}
