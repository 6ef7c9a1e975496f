"""Each of the eight statuses of a run, reached and left through the service (rules.md 7).

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50. 1,000 in cash, 80 SPY and 20 TLT are 10,000: to 60 and 30
percent, 2,000 of SPY are sold and 2,000 of TLT bought.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import StateError
from driftdesk.wire.runs import CreateRun, Run, RunStatus
from driftdesk.wire.simulation import Deposit, SetAsset

SECOND = timedelta(seconds=1)
WEIGHTS = [
    {"type": "cash", "percent": "10"},
    {"type": "asset", "symbol": "SPY", "percent": "60"},
    {"type": "asset", "symbol": "TLT", "percent": "30"},
]

PassTime = Callable[..., None]


class Scene:
    """One account, one run, and what people and the market do to it."""

    def __init__(self, service: Service, account: str, pass_time: PassTime) -> None:
        self.service = service
        self.account = account
        self.pass_time = pass_time
        body = {"account_id": account, "type": "full_rebalance", "weights": WEIGHTS}
        self.run_id = service.create_run(CreateRun.model_validate(body)).id

    @property
    def run(self) -> Run:
        return self.service.get_run(self.run_id)

    def halt(self, *symbols: str) -> None:
        for symbol in symbols:
            self.service.set_asset(SetAsset(symbol=symbol, halted=True))

    def cancel(self) -> None:
        self.service.cancel_run(self.run_id)

    def tick(self, seconds: int = 0) -> None:
        """Fill what is due and move each run once, `seconds` after now; the clock itself stands still."""
        at = self.service.world.now() + seconds * SECOND
        self.service.exchange.settle(at)
        self.service.ticker.tick(at)

    def queued(self) -> None:
        """Nothing has happened yet."""

    def in_progress(self) -> None:
        self.pass_time(seconds=0)

    def canceled(self) -> None:
        self.cancel()

    def canceled_mid_run(self) -> None:
        self.pass_time(seconds=1)
        self.cancel()

    def all_rejected(self) -> None:
        self.halt("SPY", "TLT")
        self.pass_time(minutes=1)

    def not_done_by_the_close(self) -> None:
        self.pass_time(seconds=0)
        self.halt("SPY")
        self.pass_time(to=datetime(2026, 3, 11, 16, 0, tzinfo=NEW_YORK))

    def adjusted(self) -> None:
        """Start and send the sell; fill it and send the buy; fill that and complete: the order list is not written."""
        for seconds in (0, 1, 2):
            self.tick(seconds)

    def success(self) -> None:
        self.pass_time(minutes=1)


@pytest.fixture
def scene(service: Service, open_account: Callable[..., str], pass_time: PassTime) -> Scene:
    return Scene(service, open_account("1000.00", SPY="80", TLT="20"), pass_time)


# The status, how it comes about, which of its instants is set, the reason, the orders that filled.
REACHED = [
    ("QUEUED", Scene.queued, "", None, []),
    ("IN_PROGRESS", Scene.in_progress, "", None, []),
    ("CANCELED", Scene.canceled, "canceled_at", "Canceled by request.", []),
    ("CANCELED_MID_RUN", Scene.canceled_mid_run, "canceled_at", "Canceled by request.", ["SPY"]),
    # The sell brought nothing, so there was no buy to send.
    ("ERROR", Scene.all_rejected, "", "None of the 1 orders was filled.", []),
    ("TIMEOUT", Scene.not_done_by_the_close, "", "The session closed before every order was filled.", []),
    ("COMPLETED_ADJUSTED", Scene.adjusted, "completed_at", None, ["SPY", "TLT"]),
    ("COMPLETED_SUCCESS", Scene.success, "completed_at", None, ["SPY", "TLT"]),
]
STATUSES = [case[0] for case in REACHED]
WAYS = [case[:2] for case in REACHED]


@pytest.mark.parametrize(("status", "reach", "instant", "reason", "filled"), REACHED, ids=STATUSES)
def test_each_status_is_reached_and_says_how(
    scene: Scene, status: str, reach: Callable[[Scene], None], instant: str, reason: str | None, filled: list[str]
) -> None:
    """The instant, the reason and the filled orders that belong to it; it is found by its status too."""
    reach(scene)
    run = scene.run
    assert (status, reason) == (run.status, run.reason)
    assert instant == " ".join(name for name in ("completed_at", "canceled_at") if getattr(run, name))
    assert filled == [order.symbol for order in run.orders if order.status == "filled"]
    assert [run.id] == [found.id for found in scene.service.list_runs(status=status).runs]


def test_these_are_all_statuses() -> None:
    """A ninth would need its own case above."""
    assert sorted(RunStatus) == sorted(STATUSES)


@pytest.mark.parametrize(("status", "reach"), WAYS, ids=STATUSES)
def test_which_statuses_can_be_canceled(scene: Scene, status: str, reach: Callable[[Scene], None]) -> None:
    """QUEUED and IN_PROGRESS; CANCELED stays as it is; anything else is refused by name (rules.md 7.4)."""
    reach(scene)
    after = {"QUEUED": "CANCELED", "IN_PROGRESS": "CANCELED_MID_RUN", "CANCELED": "CANCELED"}.get(status)
    if after is None:
        with pytest.raises(StateError, match=f"is {status}; only a QUEUED or IN_PROGRESS run can be canceled"):
            scene.cancel()
    else:
        scene.cancel()
    assert (after or status) == scene.run.status


@pytest.mark.parametrize(("status", "reach"), WAYS, ids=STATUSES)
def test_which_statuses_free_the_account(scene: Scene, status: str, reach: Callable[[Scene], None]) -> None:
    """All but QUEUED and IN_PROGRESS: an account at its adjusted holdings may be run again at once (rules.md 5.4)."""
    reach(scene)
    body = CreateRun.model_validate({"account_id": scene.account, "type": "full_rebalance", "weights": WEIGHTS})
    if status in ("QUEUED", "IN_PROGRESS"):
        with pytest.raises(StateError, match="open run"):
            scene.service.create_run(body)
    else:
        assert "QUEUED" == scene.service.create_run(body).status


def test_an_adjusted_run_has_everything_but_its_order_list(scene: Scene) -> None:
    """Its instant stays when it becomes a success; it neither times out nor goes anywhere else (rules.md 7.3)."""
    scene.adjusted()
    adjusted = scene.run
    assert ["SPY", "TLT"] == [order.symbol for order in adjusted.orders]
    # Nobody steps it until the next day: it is final, so the close of its session does not end it.
    clock = scene.service.world.clock
    clock.move_to(datetime(2026, 3, 12, 10, 0, tzinfo=NEW_YORK))  # type: ignore[attr-defined]
    scene.pass_time(seconds=0)
    assert ("COMPLETED_SUCCESS", adjusted.completed_at) == (scene.run.status, scene.run.completed_at)
    assert adjusted.orders == scene.run.orders


def test_the_buys_follow_the_sells_after_the_run_window(
    service: Service, open_account: Callable[..., str], pass_time: PassTime
) -> None:
    """Started at 15:45:00, the last permitted instant; the buy is sent a second later (rules.md 5.3)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    last_start = datetime(2026, 3, 11, 15, 45, tzinfo=NEW_YORK)
    pass_time(to=last_start)
    scene = Scene(service, account, pass_time)
    pass_time(minutes=1)
    assert [("SPY", last_start), ("TLT", last_start + SECOND)] == [
        (order.symbol, order.submitted_at) for order in scene.run.orders
    ]


@pytest.mark.parametrize(("second", "started"), [(0, "27 12:45:00"), (1, "30 09:30:00")])
def test_the_run_window_of_an_early_close_ends_at_a_quarter_to_one(
    service: Service, open_account: Callable[..., str], pass_time: PassTime, second: int, started: str
) -> None:
    """Friday 27 November 2026 closes at 13:00: 12:45:00 is the last start, a second later it is Monday's (5.3)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    pass_time(to=datetime(2026, 11, 27, 12, 45, second, tzinfo=NEW_YORK))
    scene = Scene(service, account, pass_time)
    pass_time(to=datetime(2026, 11, 30, 9, 31, tzinfo=NEW_YORK))
    assert "COMPLETED_SUCCESS" == scene.run.status
    assert started == f"{scene.run.events[1].at.astimezone(NEW_YORK):%d %H:%M:%S}"


def test_money_that_left_between_sells_and_buys_reduces_the_buys(scene: Scene) -> None:
    """500 leave after the sell was sent: 9,500 of equity keep 950, so of 2,500 in cash 1,550 can buy TLT (6.1, 7.2)."""
    scene.pass_time(seconds=0)
    scene.service.deposit(Deposit(account_id=scene.account, amount=Decimal(-500)))
    scene.pass_time(minutes=1)
    assert Decimal("1550.00") == scene.run.orders[1].notional
    assert Decimal("950.00") == scene.service.trading_account(scene.account).cash
