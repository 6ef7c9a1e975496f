"""The demo world: the same on every machine, and with something of everything in it (architecture: demo.py)."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import simulated_feed
from sqlalchemy import Table, select

from driftdesk import connect
from driftdesk.backend.opening import PriceSource, open_service
from driftdesk.backend.service import Service
from driftdesk.backend.store import tables
from driftdesk.backend.store.types import Row
from driftdesk.demo import build_world, demo_now, ensure_world, open_world, reset_world
from driftdesk.engine.schedule import NEW_YORK, new_york_date
from driftdesk.errors import DataError, StateError
from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import cash_of
from driftdesk.wire.simulation import CreateAccount

PANEL = Path(__file__).parents[1] / "../shared/data/panel_adj_close_2004_2024.csv"


def rows(service: Service, table: Table) -> list[Row]:
    """Every row of a table, in the order of its key."""
    with service.world.database.read() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key.columns)).mappings())


@pytest.fixture(scope="module")
def world(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A copy of the demo world, to be read only."""
    directory = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_template, directory)
    opened = open_world(directory)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def runs(world: Service) -> list[Row]:
    return rows(world, tables.runs)


def test_two_builds_are_equal(tmp_path: Path) -> None:
    """Six weeks of it, twice: the same rows with the same ids in every table, to the last digit."""
    until = datetime(2023, 2, 15, 14, 0, tzinfo=NEW_YORK)
    contents: list[dict[str, Any]] = []
    for name in ("one.db", "two.db"):
        build_world(tmp_path / name, simulated_feed(), until=until)
        service = open_service(tmp_path / name, simulated_feed())
        contents.append({table.name: rows(service, table) for table in tables.metadata.sorted_tables})
        service.close()
    # Which tick marked a line is the only thing that a replay does not repeat.
    for content in contents:
        content["run_lines"] = [{**line, "marked_by": None} for line in content["run_lines"]]
    assert contents[0] == contents[1]
    assert contents[0]["fills"]
    assert contents[0]["decisions"]


def test_it_is_handed_over_in_a_session(world: Service) -> None:
    """At 14:00 New York, before the evaluation of the day."""
    assert demo_now(simulated_feed()) == world.clock().timestamp
    assert world.clock().is_open
    assert 14 == world.clock().timestamp.astimezone(NEW_YORK).hour


@pytest.mark.parametrize(
    ("what", "test"),
    [
        ("a skipped order", lambda run: json.loads(run["skipped"])),
        ("a canceled run", lambda run: run["status"] == "CANCELED"),
        (
            "a system run that invests cash",
            lambda run: (run["initiated_from"], run["type"]) == ("system", "invest_cash"),
        ),
        ("a one-off run by request", lambda run: run["subscription_id"] is None),
        ("a run with a failed order", lambda run: json.loads(run["order_list"] or "{}").get("failed_orders")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_there_is_some_of_everything(runs: list[Row], what: str, test: Any) -> None:
    """Pages and notebooks have one of each to show."""
    assert any(test(run) for run in runs), f"the demo has no {what}"


def test_a_rejected_order_and_two_years_of_closes(world: Service) -> None:
    """And a close of every account for every session since it was opened."""
    assert "rejected" in {order["status"] for order in rows(world, tables.orders)}
    sessions = world.world.sessions
    now = world.clock().timestamp
    for account in world.list_accounts():
        first = new_york_date(account.created_at)
        expected = [session.date.isoformat() for session in sessions.between(first, new_york_date(now))][:-1]
        assert expected == [point.date for point in world.equity_history(account.id).points]


def test_an_account_is_breached_when_it_is_handed_over(demo_directory: Path) -> None:
    """The main job of the page has an account to be done on, which the next evaluation would trade."""
    with connect(data=demo_directory) as desk:
        breached = [view for view in desk.book() if view.drift is not None and view.drift.breached]
        assert breached
        assert "run" in {desk.decide(view).outcome for view in breached}


def test_each_automatic_run_has_its_decision(world: Service, runs: list[Row]) -> None:
    """One each, with the run's id and account; and no decision to run without a run (rules.md 5.8)."""
    automatic = {run["id"]: run["account_id"] for run in runs if run["initiated_from"] == "system"}
    decided = {made["run_id"]: made["account_id"] for made in rows(world, tables.decisions) if made["outcome"] == "run"}
    assert automatic == decided


def test_an_account_has_one_automatic_run_a_session(world: Service, runs: list[Row]) -> None:
    """Counted by the session that their decisions name (rules.md 5.1)."""
    made = [(it["account_id"], it["session"]) for it in rows(world, tables.decisions) if it["run_id"]]
    assert len(made) == len(set(made)) > 50


def test_no_account_has_two_open_runs(runs: list[Row]) -> None:
    """Each run ends before the next one of its account is created (rules.md 5.4)."""
    for account in {run["account_id"] for run in runs}:
        own = [run for run in runs if run["account_id"] == account]
        for before, after in pairwise(own):
            assert (before["completed_at"] or before["canceled_at"]) <= after["created_at"]


def test_no_automatic_rebalance_is_inside_its_cooldown(world: Service, runs: list[Row]) -> None:
    """Calendar days between New York dates, counted from any completed full rebalance (rules.md 5.2)."""
    cooldowns = {portfolio.id: portfolio.cooldown_days for portfolio in world.list_portfolios()}
    gaps = 0
    for account in {run["account_id"] for run in runs}:
        full = [run for run in runs if run["account_id"] == account and run["type"] == "full_rebalance"]
        done = [run for run in full if run["status"] == "COMPLETED_SUCCESS"]
        for before, after in pairwise(done):
            if after["initiated_from"] == "system":
                days = (new_york_date(after["created_at"]) - new_york_date(before["completed_at"])).days
                assert days >= cooldowns[after["portfolio_id"]]
                gaps += 1
    assert gaps > 50


def brought(world: Service, account: Row) -> dict[str, Decimal]:
    """What an account was opened with: the one that follows nothing brought 40.5 of the first three symbols."""
    followers = {subscription.account_id for subscription in world.list_subscriptions().subscriptions}
    symbols = [asset.symbol for asset in world.world.feed.assets[:3]]
    return {} if account["id"] in followers else dict.fromkeys(symbols, Decimal("40.5"))


def test_holdings_are_what_was_brought_and_traded(world: Service) -> None:
    """Opening positions plus fills, to the ninth decimal."""
    fills = rows(world, tables.fills)
    for account in rows(world, tables.accounts):
        expected = brought(world, account)
        for fill in fills:
            if fill["account_id"] == account["id"]:
                moved = fill["quantity"] if fill["side"] == "buy" else -fill["quantity"]
                expected[fill["symbol"]] = expected.get(fill["symbol"], Decimal(0)) + moved
        held = {position.symbol: position.qty for position in world.positions(account["id"])}
        assert {symbol: quantity for symbol, quantity in expected.items() if quantity} == held


def test_cash_is_what_came_in_and_was_traded(world: Service) -> None:
    """Flows plus fills, to the cent; an opening flow counts what was brought at its price of that day."""
    fills, flows = rows(world, tables.fills), rows(world, tables.flows)
    for account in rows(world, tables.accounts):
        cash = sum((flow["amount"] for flow in flows if flow["account_id"] == account["id"]), Decimal(0))
        for symbol, quantity in brought(world, account).items():
            price = world.world.feed.price(symbol, account["created_at"])  # type: ignore[arg-type]
            assert price is not None
            cash -= cash_of(quantity, price)
        for fill in fills:
            if fill["account_id"] == account["id"]:
                cash += fill["cash"] if fill["side"] == "sell" else -fill["cash"]
        assert cash == account["cash"]
        assert cash >= 0


def test_every_fill_moves_its_value_but_for_the_rounding(world: Service) -> None:
    """Cash is quantity x price half-up; the rest is in the rounding account (rules.md 1.4)."""
    fills = rows(world, tables.fills)
    assert [fill["cash"] for fill in fills] == [fill["quantity"] * fill["price"] + fill["rounding"] for fill in fills]
    assert all(abs(fill["rounding"]) <= Decimal("0.005") for fill in fills)


def test_a_world_that_is_there_is_not_built_again(demo_directory: Path) -> None:
    """The same file, untouched."""
    (path,) = demo_directory.glob("*.db")
    before = path.stat().st_mtime_ns
    assert path == ensure_world(demo_directory)
    assert before == path.stat().st_mtime_ns


def test_a_demo_is_not_built_over_something_else(tmp_path: Path) -> None:
    """A database with accounts of its own, or a half-built demo, is refused and kept."""
    path, start = tmp_path / "mine.db", datetime(2026, 3, 11, 14, tzinfo=UTC)
    service = open_service(path, simulated_feed(), start=start)
    service.simulate_account(CreateAccount(name="Mine", cash=Decimal(1)))
    service.close()
    with pytest.raises(StateError, match="holds a world already"):
        build_world(path, simulated_feed(), until=demo_now(simulated_feed()))
    again = open_service(path, simulated_feed())
    assert ["Mine"] == [account.name for account in again.list_accounts()]
    again.close()


@pytest.mark.skipif(not PANEL.exists(), reason="no real prices beside the checkout (../shared/data)")
def test_a_demo_on_real_prices(tmp_path: Path) -> None:
    """Built once on the panel of 2004-2024, with 60 sessions to go on to and a breached account at hand-over."""
    ensure_world(tmp_path, PriceSource(PANEL))
    with connect(data=tmp_path, prices=PANEL) as desk:
        views = desk.book()
        assert 12 == len(views)
        assert all(view.problem is None for view in views)
        assert any(view.drift is not None and view.drift.breached for view in views)
        assert 100 < len(desk.runs())
        assert {"COMPLETED_SUCCESS", "CANCELED"} == {str(run.status) for run in desk.runs()}


def waves(number: int) -> int:
    """A close for the session of that number: up a dollar a day, and back after seventeen."""
    return 100 + number % 17


def price_panel(folder: Path, close: Callable[[int], int] = waves, **starts: int) -> PriceSource:
    """125 sessions of 2024; a symbol has prices from the session of that number on: `price_panel(f, AAA=0, NEW=40)`."""
    days = [session.date for session in new_york_sessions().between(date(2024, 1, 2), date(2024, 12, 31))][:125]
    lines = [
        ",".join([str(day), *("" if number < start else f"{close(number)}" for start in starts.values())])
        for number, day in enumerate(days)
    ]
    path = folder / "prices.csv"
    path.write_text("\n".join([",".join(["Date", *starts]), *lines]), "utf-8")
    return PriceSource(path)


def test_a_withdrawal_takes_what_cash_there_is(tmp_path: Path) -> None:
    """A dollar a day down from 100: 3 % of what is left of Elm's million is less than the 25,000.00 of the script."""
    source = price_panel(tmp_path, lambda number: max(50, 100 - number), AAA=0)
    ensure_world(tmp_path / "data", source)
    opened = open_world(tmp_path / "data", source)
    (paid,) = (-flow["amount"] for flow in rows(opened, tables.flows) if flow["kind"] == "withdrawal")
    opened.close()
    assert 0 < paid < 25000


def test_the_usual_withdrawal_is_the_script_s(world: Service) -> None:
    """On the simulated market there is cash enough."""
    (paid,) = (-flow["amount"] for flow in rows(world, tables.flows) if flow["kind"] == "withdrawal")
    assert Decimal("25000.00") == paid


def test_a_symbol_that_starts_late_is_left_out(tmp_path: Path) -> None:
    """NEW has its first price on the 41st session: no portfolio has it and no account brought it."""
    source = price_panel(tmp_path, AAA=0, NEW=40, BBB=0)
    ensure_world(tmp_path / "data", source)
    with connect(data=tmp_path / "data", prices=source.file) as desk:
        weighted = {weight.symbol for portfolio in desk.portfolios() for weight in portfolio.weights if weight.symbol}
        held = {holding.symbol for view in desk.book() for holding in view.snapshot.holdings}
        assert ({"AAA", "BBB"}, {"AAA", "BBB"}) == (weighted, held)
        assert all(view.problem is None for view in desk.book())


def test_a_file_without_a_price_at_the_beginning_is_refused(tmp_path: Path) -> None:
    """All of its symbols start after its first line: one sentence that says where the world would begin."""
    with pytest.raises(DataError, match="no price on 2024-01-02, where the demo world begins"):
        ensure_world(tmp_path / "data", price_panel(tmp_path, AAA=3, BBB=5))
    assert [] == list((tmp_path / "data").iterdir())


def test_a_build_leaves_the_database_alone(tmp_path: Path) -> None:
    """No lock file and no half-built file stays beside it."""
    path = ensure_world(tmp_path / "data", price_panel(tmp_path, AAA=0))
    assert [path] == list((tmp_path / "data").iterdir())


def test_a_world_that_is_open_is_not_reset(tmp_path: Path) -> None:
    """Refused while one of two desks has it open, with what to do; made anew, without what was done, afterwards."""
    source = price_panel(tmp_path, AAA=0, BBB=0)
    directory = tmp_path / "data"
    with connect(data=directory, prices=source.file) as first:
        assert first.simulation is not None
        first.simulation.create_account(name="Mine", cash=Decimal(1))
        connect(data=directory, prices=source.file).close()
        with pytest.raises(StateError, match="is open in another program: close its pages"):
            reset_world(directory, source)
        assert "Mine" in {account.name for account in first.client.accounts.list()}
    reset_world(directory, source)
    with connect(data=directory, prices=source.file) as again:
        assert "Mine" not in {account.name for account in again.client.accounts.list()}


def test_a_killed_program_does_not_keep_a_world_from_its_reset(tmp_path: Path) -> None:
    """Refused while the other process has it open; once that is killed, the world is made anew."""
    source = price_panel(tmp_path, AAA=0)
    directory = tmp_path / "data"
    script = "import sys, time; from driftdesk import connect; connect(data=sys.argv[1], prices=sys.argv[2])"
    command = [sys.executable, "-c", f"{script}; print('open', flush=True); time.sleep(600)", directory, source.file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert "open" == other.stdout.readline().strip()
        try:
            with pytest.raises(StateError, match="is open in another program"):
                reset_world(directory, source)
        finally:
            other.kill()
    assert reset_world(directory, source).exists()


def test_a_directory_of_price_files_makes_a_demo(tmp_path: Path) -> None:
    """One OHLC file a symbol; the names of the files say whose prices they are, so a renamed one is another world."""
    folder = tmp_path / "prices"
    folder.mkdir()
    panel = price_panel(tmp_path, AAA=0).file
    assert panel is not None
    prices = [line.split(",") for line in panel.read_text("utf-8").splitlines()[1:]]
    text = "\n".join(["Date,Open,High,Low,Close", *(f"{day},1,1,1,{close}" for day, close in prices)])
    for name in ("SPY.csv", "TLT.csv"):
        (folder / name).write_text(text, "utf-8")
    source = PriceSource(folder, "Close")
    path = ensure_world(tmp_path / "data", source)
    opened = open_world(tmp_path / "data", source)
    assert ["SPY", "TLT"] == [asset.symbol for asset in opened.world.feed.assets]
    opened.close()
    (folder / "TLT.csv").rename(folder / "AGG.csv")
    assert path.stem != f"demo-{source.key}"
