"""The outbox: which events a world leaves, in which order, and that none is lost or doubled (wire/alpaca.md 9)."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from conftest import WEDNESDAY_10AM, simulated_feed
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, inspect, text

from driftdesk.backend.events.outbox import next_event_id
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.backend.store import database as store
from driftdesk.backend.store.database import Database
from driftdesk.errors import StateError
from driftdesk.wire.portfolios import Portfolio, UpdatePortfolio
from driftdesk.wire.runs import CreateRun, Run
from driftdesk.wire.simulation import Advance, CreateAccount, NewPosition, SetAsset, SetPrices
from driftdesk.wire.subscriptions import CreateSubscription
from driftdesk.wire.ulid import last_ulid, read_ulid, time_of, write_ulid

FIRST = write_ulid(0)
MILLISECOND = timedelta(milliseconds=1)
MIX = {"cash": "10", "SPY": "60", "TLT": "30"}


def told(service: Service, after: str = FIRST) -> list[dict[str, Any]]:
    """Every event above `after`, as it leaves."""
    return [json.loads(payload) for _, payload in service.read_events(after, None, 10_000)]


def statuses(service: Service) -> list[tuple[str, str]]:
    return [(event["event_type"], event.get("run", event.get("portfolio"))["status"]) for event in told(service)]


def create_run(service: Service, account: str) -> Run:
    weights = [
        {"type": "cash", "percent": percent}
        if name == "cash"
        else {"type": "asset", "symbol": name, "percent": percent}
        for name, percent in MIX.items()
    ]
    return service.create_run(
        CreateRun.model_validate({"account_id": account, "type": "full_rebalance", "weights": weights})
    )


# --- ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0" * 26),
        (1, "0" * 25 + "1"),
        (32, "0" * 24 + "10"),
        # One millisecond: 2**80 = 32**16.
        (2**80, "0" * 9 + "1" + "0" * 16),
        (2**128 - 1, "7" + "Z" * 25),
    ],
)
def test_a_ulid_is_a_number_in_base_32(number: int, written: str) -> None:
    """Both ways, in lower case too."""
    assert written == write_ulid(number)
    assert number == read_ulid(written) == read_ulid(written.lower())


@pytest.mark.parametrize(
    "text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "I" * 26, "U" * 26, "é" * 26, "12345", "0" * 25 + "ß"]
)
def test_what_is_no_ulid_is_refused(text: str) -> None:
    """Too short, too long, above 128 bits, letters that the alphabet leaves out."""
    with pytest.raises(ValueError, match="ULID"):
        read_ulid(text)


def test_the_time_in_a_ulid() -> None:
    """The example of the ULID specification was made at 1469922850.259."""
    made = datetime(2016, 7, 30, 23, 54, 10, 259000, tzinfo=UTC)
    assert made == time_of("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert last_ulid(made) == "01ARZ3NDEK" + "Z" * 16


@given(st.lists(st.integers(min_value=-5, max_value=5), max_size=50))
def test_ids_only_grow_whatever_the_clock_does(steps: list[int]) -> None:
    """Inside a millisecond, over milliseconds, and with a clock that is set back; never before the clock's time."""
    now, last = WEDNESDAY_10AM, None
    for number, step in enumerate(steps):
        now += step * MILLISECOND
        made = next_event_id(last, now, f"seed {number}")
        assert last is None or made > last
        assert time_of(made) >= now
        last = made


# --- what is told -------------------------------------------------------------------------------------------------


def test_a_run_is_told_from_its_creation_to_its_end(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Created, then each status once, in order; the last snapshot is what GET tells, without the lists of orders."""
    run = create_run(service, open_account("1000.00", SPY="80", TLT="8"))
    pass_time(minutes=2)
    assert statuses(service) == [
        ("run.created", "QUEUED"),
        ("run.status_changed", "IN_PROGRESS"),
        ("run.status_changed", "COMPLETED_ADJUSTED"),
        ("run.status_changed", "COMPLETED_SUCCESS"),
    ]
    events = told(service)
    whole = json.loads(service.get_run(run.id).model_dump_json(by_alias=True))
    hidden = {"orders", "failed_orders", "skipped_orders", "plan", "events"}
    assert events[-1]["run"] == {name: value for name, value in whole.items() if name not in hidden}
    assert whole["orders"]
    assert events[0]["run"] == {
        **events[-1]["run"],
        "status": "QUEUED",
        "completed_at": None,
        "updated_at": whole["created_at"],
    }
    for event_id, event in zip((read for read, _ in service.read_events(FIRST, None, 9)), events, strict=True):
        assert set(event) == {"event_id", "event_type", "at", "run"}
        assert event["event_id"] == event_id
        assert event["at"] == event["run"]["updated_at"]


def test_what_a_run_was_canceled_from_shows_in_the_event_before(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """CANCELED_MID_RUN is never on the stream: it is CANCELED there, with its reason, and stays whole on GET (9.1)."""
    run = create_run(service, open_account("1000.00", SPY="80", TLT="8"))
    service.ticker.tick(service.world.now())
    service.cancel_run(run.id)
    assert statuses(service) == [
        ("run.created", "QUEUED"),
        ("run.status_changed", "IN_PROGRESS"),
        ("run.status_changed", "CANCELED"),
    ]
    last = told(service)[-1]["run"]
    assert (last["reason"], last["canceled_at"]) == ("Canceled by request.", "2026-03-11T14:00:00Z")
    assert service.get_run(run.id).status == "CANCELED_MID_RUN"


def test_a_portfolio_is_told_when_its_status_changes(
    service: Service, open_account: Callable[..., str], create_portfolio: Callable[..., Portfolio]
) -> None:
    """Not when it is made or changed otherwise; with it its queued run is canceled (rules.md 2.5, 2.7)."""
    model = create_portfolio(MIX, bands=(("absolute", "5"),), cooldown_days=3)
    service.create_subscription(CreateSubscription(account_id=open_account("1000.00"), portfolio_id=model.id))
    service.update_portfolio(model.id, UpdatePortfolio(name="Renamed", weights=model.weights))
    service.set_asset(SetAsset(symbol="TLT", halted=True))
    service.set_asset(SetAsset(symbol="TLT", tradable=False))
    service.set_asset(SetAsset(symbol="TLT", tradable=True))
    service.update_portfolio(model.id, UpdatePortfolio(weights=model.weights))
    other = create_portfolio(MIX)
    service.inactivate_portfolio(other.id)
    with pytest.raises(StateError):
        service.inactivate_portfolio(other.id)
    assert statuses(service) == [
        ("run.created", "QUEUED"),
        ("portfolio.status_changed", "needs_adjustment"),
        ("run.status_changed", "CANCELED"),
        ("portfolio.status_changed", "active"),
        ("portfolio.status_changed", "inactive"),
    ]
    assert told(service)[1]["portfolio"] == {
        "id": model.id,
        "name": "Renamed",
        "description": "",
        "status": "needs_adjustment",
        "cooldown_days": 3,
        "created_at": "2026-03-11T14:00:00Z",
        "updated_at": "2026-03-11T14:00:00Z",
        "weights": [
            {"type": "cash", "symbol": None, "percent": "10"},
            {"type": "asset", "symbol": "SPY", "percent": "60"},
            {"type": "asset", "symbol": "TLT", "percent": "30"},
        ],
        # Empty keys are left out here, and here only.
        "rebalance_conditions": [{"type": "drift_band", "sub_type": "absolute", "percent": "5"}],
    }


def test_ids_tell_the_time_of_the_simulated_clock(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Also a day later; several events of one instant share its millisecond and follow each other by one."""
    create_run(service, open_account("1000.00"))
    pass_time(to=WEDNESDAY_10AM + timedelta(days=1))
    create_run(service, open_account("1000.00"))
    ids = [event["event_id"] for event in told(service)]
    assert ids == sorted(set(ids))
    assert time_of(ids[0]) == WEDNESDAY_10AM
    assert time_of(ids[-1]) == WEDNESDAY_10AM + timedelta(days=1)
    assert [read_ulid(ids[0]) + further for further in range(2)] == [read_ulid(made) for made in ids[:2]]


def test_names_that_would_end_a_line_do_not(service: Service, create_portfolio: Callable[..., Portfolio]) -> None:
    """A payload is one line of ASCII, whatever a person called the portfolio."""
    name = "one\ntwo\u2028three\x85four 😀"
    service.inactivate_portfolio(create_portfolio(MIX, name=name).id)
    ((_, payload),) = service.read_events(FIRST, None, 9)
    assert payload.isascii()
    assert payload.splitlines() == [payload]
    assert json.loads(payload)["portfolio"]["name"] == name


# --- nothing lost, nothing doubled --------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ended here."""


def open_world(path: Path) -> Service:
    return open_service(path, simulated_feed(), start=WEDNESDAY_10AM, seed=1)


def story(path: Path) -> list[tuple[str, str]]:
    service = open_world(path)
    found = statuses(service)
    service.close()
    return found


def live_through(path: Path, kill_at: int | None, patch: pytest.MonkeyPatch) -> bool:
    """A world with one run, killed before or after its n-th commit; opened anew and finished. Whether it was killed."""
    write, passed = Database.write, 0

    def boundary() -> None:
        nonlocal passed
        passed += 1
        if passed == kill_at:
            raise Killed

    @contextmanager
    def counted_write(self: Database) -> Iterator[Connection]:
        outermost = getattr(self._local, "connection", None) is None
        with write(self) as connection:
            yield connection
            if outermost:
                boundary()
        if outermost:
            boundary()

    service = open_world(path)
    service.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50)}))
    positions = (NewPosition(symbol="SPY", qty=Decimal(80)), NewPosition(symbol="TLT", qty=Decimal(8)))
    create_run(service, service.simulate_account(CreateAccount(cash=Decimal(1000), positions=positions)).id)
    killed = False
    with patch.context() as patched:
        patched.setattr(Database, "write", counted_write)
        try:
            service.advance(Advance(seconds=60))
        except Killed:
            killed = True
        finally:
            service.close()
    service = open_world(path)
    service.advance(Advance(to=WEDNESDAY_10AM + timedelta(seconds=120)))
    service.close()
    return killed


def test_a_kill_between_any_two_commits_loses_and_doubles_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each commit and after it: the table tells the same story, once."""
    undisturbed = tmp_path / "undisturbed.db"
    assert not live_through(undisturbed, None, monkeypatch)
    expected = story(undisturbed)
    assert len(expected) == 4
    boundary = 1
    while live_through(path := tmp_path / f"{boundary}.db", boundary, monkeypatch):
        assert expected == story(path), f"killed at boundary {boundary}"
        boundary += 1
    # Two boundaries a commit.
    assert boundary > 10


def test_what_is_rolled_back_is_not_told(service: Service, create_portfolio: Callable[..., Portfolio]) -> None:
    """An event is part of the transaction of its change."""
    model = create_portfolio(MIX)

    def fail() -> None:
        with service.world.database.write():
            service.inactivate_portfolio(model.id)
            assert len(told(service)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert told(service) == []
    assert service.get_portfolio(model.id).status == "active"


def test_a_seeded_world_repeats_its_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the byte, ids included."""
    payloads = []
    for path in (tmp_path / "one.db", tmp_path / "two.db"):
        live_through(path, None, monkeypatch)
        service = open_world(path)
        payloads.append(service.read_events(FIRST, None, 99))
        service.close()
    assert payloads[0] == payloads[1]
    assert len(payloads[0]) == 4


def test_another_process_tells_too(
    service: Service, create_portfolio: Callable[..., Portfolio], tmp_path: Path
) -> None:
    """A second service on the same file sees what the first wrote, and goes on with its ids."""
    models = [create_portfolio(MIX), create_portfolio(MIX)]
    service.inactivate_portfolio(models[0].id)
    mark = service.last_event_id()
    other = open_service(tmp_path / "world.db", simulated_feed(), seed=1)
    other.inactivate_portfolio(models[1].id)
    other.close()
    assert [models[1].id] == [event["portfolio"]["id"] for event in told(service, mark)]
    assert service.count_events(mark) == 1


def test_a_database_of_the_first_tables_is_upgraded_and_keeps_its_data(tmp_path: Path) -> None:
    """It has no events of its past, and tells what happens from then on."""
    path = tmp_path / "world.db"
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        assert "events" not in inspect(connection).get_table_names()
        connection.execute(
            text(
                "INSERT INTO portfolios VALUES ('old', 'Old', '', 'active', 0, "
                """'[{"type": "cash", "symbol": null, "percent": "100"}]', '[]', 0, 0)"""
            )
        )
    engine.dispose()
    service = open_world(path)
    assert ["Old"] == [portfolio.name for portfolio in service.list_portfolios()]
    assert told(service) == []
    service.inactivate_portfolio("old")
    assert statuses(service) == [("portfolio.status_changed", "inactive")]
    service.close()


def test_the_demo_world_tells_its_history(demo_directory: Path) -> None:
    """By the same path: a run is created once, and its last event is how it ended."""
    (path,) = demo_directory.glob("demo-*.db")
    service = open_service(path, simulated_feed())
    events, newest = told(service), service.list_runs(limit=1000).runs
    created = [event["run"]["id"] for event in events if event["event_type"] == "run.created"]
    assert sorted(created) == sorted(run.id for run in newest)
    last = {event["run"]["id"]: event["run"]["status"] for event in events if "run" in event}
    assert last == {run.id: run.status.replace("_MID_RUN", "") for run in newest}
    service.close()
