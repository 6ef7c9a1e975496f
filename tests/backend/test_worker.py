"""Time as it passes: events, one stepper at a time, targets that are instants (rules.md 5.1, 11)."""

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import simulated_feed

from driftdesk.backend.clock import SimulatedClock
from driftdesk.backend.exchange import Exchange
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.backend.service.orders import OrderFilter
from driftdesk.connect import Backend
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import StateError
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import Advance, Deposit
from driftdesk.wire.subscriptions import CreateSubscription


def new_york(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("now", "events"),
    [
        pytest.param(
            new_york(2026, 3, 6, 9),
            ["06 14:30", "06 20:30", "06 21:00", "09 13:30", "09 19:30", "09 20:00"],
            id="clocks go forward on Sunday 8 March",
        ),
        pytest.param(
            new_york(2026, 10, 30, 9),
            ["30 13:30", "30 19:30", "30 20:00", "02 14:30", "02 20:30", "02 21:00"],
            id="clocks go back on Sunday 1 November",
        ),
        pytest.param(
            new_york(2026, 11, 25, 15),
            ["25 20:30", "25 21:00", "27 14:30", "27 17:30", "27 18:00", "30 14:30"],
            id="Thanksgiving, and an early close after it",
        ),
        pytest.param(
            new_york(2026, 3, 11, 15, 30), ["11 20:00", "12 13:30"], id="an event that is now is not the next one"
        ),
    ],
)
def test_the_events_of_quiet_days(service: Service, now: datetime, events: list[str]) -> None:
    """Open, evaluation at 15:30 or three hours earlier, close: in UTC, whatever New York's clocks do."""
    found, at = [], now
    for _ in events:
        at = service.worker.next_event(at)
        found.append(f"{at.astimezone(UTC):%d %H:%M}")
    assert events == found


def test_an_order_and_a_run_are_events_too(service: Service, open_account: Callable[..., str]) -> None:
    """A run is due at once; its orders a second later."""
    account = open_account("1000.00")
    body = {
        "account_id": account,
        "type": "full_rebalance",
        "weights": [{"type": "asset", "symbol": "SPY", "percent": "100"}],
    }
    now = new_york(2026, 3, 11, 10)
    service.create_run(CreateRun.model_validate(body))
    assert now == service.worker.next_event(now)
    service.advance(Advance(seconds=0))
    assert now + timedelta(seconds=1) == service.worker.next_event(now)


def test_three_clicks_on_one_target_are_one_advance(service: Service) -> None:
    """The page drew the target; clicks that follow find it reached (rules.md 11)."""
    target = new_york(2026, 3, 12, 10)
    answers = [service.advance(Advance(to=target)) for _ in range(3)]
    assert [(target, True)] * 3 == [(answer.now, answer.done) for answer in answers]


@pytest.fixture
def second(service: Service) -> Iterator[Service]:
    """The same world, opened by another program."""
    opened = open_service(service.world.database.path, simulated_feed())
    yield opened
    opened.close()


def test_a_second_stepper_is_told_to_wait(service: Service, second: Service) -> None:
    """While one advances, another gets a conflict, may read and write, and may advance afterwards (rules.md 11)."""
    with service.worker.lock().acquire(timeout=0):
        for other in (service, second):
            with pytest.raises(StateError, match="being advanced already") as refused:
                other.advance(Advance(seconds=60))
            assert refused.value.conflict
        assert [] == second.list_accounts()
    assert new_york(2026, 3, 11, 10, 1) == second.advance(Advance(seconds=60)).now
    assert new_york(2026, 3, 11, 10, 1) == service.clock().timestamp


def test_of_threads_that_advance_at_once_one_does(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads meet while the first is at work: one answer, one conflict, one step of the clock."""
    inside, go_on = threading.Event(), threading.Event()
    settle = Exchange.settle

    def slow(self: Exchange, now: datetime) -> int:
        inside.set()
        assert go_on.wait(5)
        return settle(self, now)

    monkeypatch.setattr(Exchange, "settle", slow)
    target = new_york(2026, 3, 11, 10, 5)
    first = threading.Thread(target=service.advance, args=(Advance(to=target),))
    first.start()
    assert inside.wait(5)
    with pytest.raises(StateError) as refused:
        service.advance(Advance(to=target))
    go_on.set()
    first.join()
    assert refused.value.conflict
    assert target == service.clock().timestamp


def test_a_run_canceled_while_another_thread_steps_is_wound_down_by_that_one(
    service: Service, second: Service, open_account: Callable[..., str]
) -> None:
    """Only the stepper ticks: the canceling thread must not take its orders for lost (rules.md 7.6, 11)."""
    account = open_account("1000.00")
    weights = [{"type": "asset", "symbol": "SPY", "percent": "100"}]
    run = service.create_run(
        CreateRun.model_validate({"account_id": account, "type": "full_rebalance", "weights": weights})
    )
    service.advance(Advance(seconds=0))
    with second.worker.lock().acquire(timeout=0):
        service.cancel_run(run.id)
        assert ["accepted"] == [order.status for order in service.list_orders(account)]
    service.advance(Advance(seconds=0))
    assert ["canceled"] == [order.status for order in service.list_orders(account, OrderFilter(status="closed"))]
    assert "CANCELED_MID_RUN" == service.get_run(run.id).status


def test_a_budget_stops_between_events(service: Service) -> None:
    """One second an event by this watch and 2.5 s allowed: three events."""
    watch = iter(range(100))
    clock = service.world.clock
    assert isinstance(clock, SimulatedClock)
    target = new_york(2026, 3, 20, 10)
    service.worker.advance(clock, target, budget_seconds=2.5, wall=lambda: float(next(watch)))
    # 15:30, 16:00, and the open of the 12th, after which 3 s have passed.
    assert new_york(2026, 3, 12, 9, 30) == service.clock().timestamp
    service.worker.advance(clock, target)
    assert target == service.clock().timestamp


def test_a_budget_of_nothing_makes_progress_still(service: Service) -> None:
    """Each call passes one event at least, so that asking again comes to an end."""
    answers = [service.advance(Advance(to=new_york(2026, 3, 12, 9), budget_ms=0)) for _ in range(3)]
    assert [False, False, True] == [answer.done for answer in answers]


def test_what_was_done_is_counted(
    service: Service, open_account: Callable[..., str], create_portfolio: Callable[..., Portfolio]
) -> None:
    """Runs by evaluation and fills of one call: 1 flagged run of 2 orders on the 12th."""
    account = open_account("0.00")
    model = create_portfolio({"SPY": "60", "TLT": "40"})
    service.create_subscription(CreateSubscription(account_id=account, portfolio_id=model.id))
    service.deposit(Deposit(account_id=account, amount=Decimal(1000)))
    done = service.advance(Advance(seconds=60))
    assert (1, 2) == (done.runs_created, done.orders_filled)


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """A world on the system's clock, looked at every hundredth of a second."""
    monkeypatch.setattr(sys.modules[Backend.__module__], "_WORKER_PERIOD_SECONDS", 0.01)
    opened = Backend(open_service(tmp_path / "real.db", simulated_feed(), system_clock=True))
    yield opened
    opened.close()


def test_the_system_s_clock_is_followed_by_one_thread_until_it_is_closed(backend: Backend) -> None:
    """A second program is refused meanwhile and may step the world afterwards (rules.md 11)."""
    backend.start_worker()
    other = Backend(open_service(backend.service.world.database.path, simulated_feed(), system_clock=True))
    with pytest.raises(StateError, match="Another program steps"):
        other.start_worker()
    backend.close()
    other.start_worker()
    other.close()


def test_a_failure_does_not_end_the_worker(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store is busy once: the log says so, and the next look is made all the same."""
    looks, enough = [], threading.Event()

    def work(now: datetime) -> None:
        looks.append(now)
        if len(looks) == 1:
            raise TimeoutError("database is locked")
        enough.set()

    monkeypatch.setattr(backend.service.worker, "work", work)
    backend.start_worker()
    assert enough.wait(5)
    assert "the worker failed" in caplog.text


def test_a_simulated_world_needs_no_worker(service: Service) -> None:
    """Its time passes by `advance`; the lock stays free."""
    Backend(service).start_worker()
    assert service.advance(Advance(seconds=1)).done
