"""A process may be killed at any instant: nothing is lost, nothing is sent twice (rules.md 7.6, durability.md).

The kill is an exception that no code catches, thrown at one boundary: after a commit, before a send, after a send.
Every boundary of the run is tried; the world is then opened anew from its file, as after a restart, and goes on.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import WEDNESDAY_10AM, simulated_feed
from sqlalchemy import Connection, func, select

from driftdesk.backend.clock import SimulatedClock
from driftdesk.backend.exchange import Exchange
from driftdesk.backend.opening import open_service
from driftdesk.backend.runs.states import LineState
from driftdesk.backend.runs.tick import Ticker
from driftdesk.backend.service import Service
from driftdesk.backend.store.database import Database
from driftdesk.backend.store.tables import fills, orders
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import Advance, CreateAccount, NewPosition, SetPrices


class Killed(BaseException):
    """The process ended here."""


class Killer:
    """Counts boundaries and kills at the one it was told; None: never."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.passed = 0

    def boundary(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


def open_world(path: Path) -> Service:
    return open_service(path, simulated_feed(), start=WEDNESDAY_10AM, seed=1)


def prepare(path: Path) -> str:
    """A world with one run: sell 2,000 of SPY and 3 GLD, then buy TLT. Returns the run's id."""
    service = open_world(path)
    service.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50), "GLD": Decimal(200)}))
    held = (("SPY", "80"), ("TLT", "8"), ("GLD", "3"))
    account = service.simulate_account(
        CreateAccount(
            cash=Decimal("1000.00"),
            positions=tuple(NewPosition(symbol=symbol, qty=Decimal(quantity)) for symbol, quantity in held),
        )
    )
    weights = [
        {"type": "cash", "percent": "10"},
        {"type": "asset", "symbol": "SPY", "percent": "60"},
        {"type": "asset", "symbol": "TLT", "percent": "30"},
    ]
    body = CreateRun.model_validate({"account_id": account.id, "type": "full_rebalance", "weights": weights})
    run = service.create_run(body)
    service.close()
    return run.id


def work_until_killed(path: Path, killer: Killer, patch: pytest.MonkeyPatch) -> bool:
    """Advance a minute with `killer` at every boundary; whether it killed."""
    write, submit = Database.write, Exchange.submit

    @contextmanager
    def counted_write(self: Database) -> Iterator[Connection]:
        outermost = getattr(self._local, "connection", None) is None
        with write(self) as connection:
            yield connection
        if outermost:
            killer.boundary()

    def counted_submit(self: Exchange, request: object, now: object) -> object:
        killer.boundary()
        order = submit(self, request, now)
        killer.boundary()
        return order

    service = open_world(path)
    with patch.context() as patched:
        patched.setattr(Database, "write", counted_write)
        patched.setattr(Exchange, "submit", counted_submit)
        # Each order arrives by itself, as at a broker on another machine: the kill may come between two.
        patched.setattr(Exchange, "sending", lambda _self: nullcontext())
        try:
            service.advance(Advance(seconds=60))
        except Killed:
            return True
        finally:
            service.close()
    return False


def outcome(path: Path, run_id: str) -> dict[str, object]:
    """Everything that must not depend on a kill: status, orders, fills, money, shares."""
    service = open_world(path)
    run = service.get_run(run_id)
    with service.world.database.read() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) for table in (orders, fills)]
    result = {
        "status": run.status,
        "orders": [(order.symbol, order.side, order.filled_qty, order.status) for order in run.orders],
        "failed": run.failed_orders,
        "counts": counts,
        "cash": service.trading_account(run.account_id).cash,
        "shares": {position.symbol: position.qty for position in service.positions(run.account_id)},
    }
    service.close()
    return result


def finish(path: Path) -> None:
    service = open_world(path)
    service.advance(Advance(seconds=120))
    service.close()


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, object]:
    """The outcome of the same run without a kill."""
    path = tmp_path / "undisturbed.db"
    run_id = prepare(path)
    finish(path)
    return outcome(path, run_id)


def test_a_kill_at_any_boundary_changes_nothing(
    tmp_path: Path, undisturbed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed once at each boundary in turn, reopened and finished: the same orders, fills, cash and shares."""
    assert undisturbed["status"] == "COMPLETED_SUCCESS"
    assert undisturbed["counts"] == [3, 3]
    boundary = 1
    while True:
        path = tmp_path / f"killed-at-{boundary}.db"
        run_id = prepare(path)
        if not work_until_killed(path, Killer(boundary), monkeypatch):
            break
        finish(path)
        assert outcome(path, run_id) == undisturbed, f"killed at boundary {boundary}"
        boundary += 1
    # Three sends alone are six boundaries; the commits around them make more.
    assert boundary > 12


def test_two_kills_in_a_row_change_nothing(
    tmp_path: Path, undisturbed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again right after the restart."""
    for boundary in range(1, 15, 2):
        path = tmp_path / f"twice-{boundary}.db"
        run_id = prepare(path)
        assert work_until_killed(path, Killer(boundary), monkeypatch)
        work_until_killed(path, Killer(2), monkeypatch)
        finish(path)
        assert outcome(path, run_id) == undisturbed


def test_what_was_never_sent_is_not_sent_the_next_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the first send and restarted after the close: the plan is too old, the run is a TIMEOUT (7.5)."""
    path = tmp_path / "too-late.db"
    run_id = prepare(path)

    def kill(*_: object) -> None:
        raise Killed

    service = open_world(path)
    with monkeypatch.context() as patched:
        patched.setattr(Exchange, "submit", kill)
        with pytest.raises(Killed):
            service.advance(Advance(seconds=60))
    clock = service.world.clock
    assert isinstance(clock, SimulatedClock)
    # Nobody steps the world for a day, as when the process is down under the system's clock.
    clock.move_to(WEDNESDAY_10AM + timedelta(days=1))
    service.close()
    service = open_world(path)
    service.advance(Advance(seconds=60))
    assert service.get_run(run_id).status == "TIMEOUT"
    with service.world.database.read() as connection:
        assert 0 == connection.scalar(select(func.count()).select_from(orders))
    service.close()


def test_the_test_catches_a_recovery_that_does_not_ask_the_broker(
    tmp_path: Path, undisturbed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without looking up what was being sent, all is well until a kill comes after a send."""

    def only_confirmed(_self: Ticker, lines: list[Mapping[str, Any]]) -> list[str]:
        return [line["client_order_id"] for line in lines if line["state"] == LineState.SUBMITTED]

    monkeypatch.setattr(Ticker, "_at_broker", only_confirmed)
    unharmed = tmp_path / "broken-unharmed.db"
    run_id = prepare(unharmed)
    finish(unharmed)
    assert outcome(unharmed, run_id) == undisturbed
    outcomes = []
    for boundary in range(1, 13):
        path = tmp_path / f"broken-{boundary}.db"
        run_id = prepare(path)
        assert work_until_killed(path, Killer(boundary), monkeypatch)
        finish(path)
        outcomes.append(outcome(path, run_id))
    assert any(found != undisturbed for found in outcomes)
