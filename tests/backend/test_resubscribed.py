"""One automatic run an account and session, also when it is subscribed anew in between (rules.md 2.6, 5.1).

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50. The account follows SPY 60 and TLT 40, then half and half.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.subscriptions import CreateSubscription

PassTime = Callable[..., None]


class Follower:
    """An account with 10,000 USD and the two portfolios."""

    def __init__(self, service: Service, account: str, portfolios: tuple[str, str]) -> None:
        self.service = service
        self.account = account
        self.portfolios = portfolios

    def subscribe(self, number: int) -> None:
        """Follow portfolio 0 or 1, and no longer the one before."""
        for old in self.service.list_subscriptions(account_id=self.account).subscriptions:
            self.service.delete_subscription(old.id)
        body = CreateSubscription(account_id=self.account, portfolio_id=self.portfolios[number])
        self.service.create_subscription(body)

    def runs(self) -> list[tuple[str, str]]:
        """When each run was created, in New York, and its status; oldest first."""
        found = reversed(self.service.list_runs(account_id=self.account).runs)
        return [(f"{run.created_at.astimezone(NEW_YORK):%d %H:%M}", run.status) for run in found]

    def blocks(self) -> list[str]:
        """What blocked it in the newest decision."""
        return [block.kind for block in self.service.list_decisions(account_id=self.account).decisions[0].blocks]


@pytest.fixture
def follower(
    service: Service, open_account: Callable[..., str], create_portfolio: Callable[..., Portfolio]
) -> Follower:
    first, second = (
        create_portfolio(weights).id for weights in ({"SPY": "60", "TLT": "40"}, {"SPY": "50", "TLT": "50"})
    )
    return Follower(service, open_account("10000.00"), (first, second))


def march(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK)


def test_after_a_run_the_next_subscription_waits_for_the_next_session(follower: Follower, pass_time: PassTime) -> None:
    """Run at 10:00 on the 11th, followed anew at 11:00: told why not on the 11th, run on the 12th."""
    follower.subscribe(0)
    pass_time(to=march(11, 11))
    follower.subscribe(1)
    pass_time(to=march(11, 17))
    assert [("11 10:00", "COMPLETED_SUCCESS")] == follower.runs()
    assert ["once_a_session"] == follower.blocks()
    pass_time(to=march(12, 17))
    assert [("11 10:00", "COMPLETED_SUCCESS"), ("12 15:30", "COMPLETED_SUCCESS")] == follower.runs()
    assert Decimal(50) == follower.service.position(follower.account, "SPY").qty


def test_after_a_run_under_way_it_waits_too(follower: Follower, pass_time: PassTime) -> None:
    """Deleted between the sending and the fills: that run finishes, and is the automatic run of the 11th."""
    follower.subscribe(0)
    pass_time(seconds=0)
    follower.subscribe(1)
    pass_time(to=march(11, 17))
    assert [("11 10:00", "COMPLETED_SUCCESS")] == follower.runs()
    pass_time(to=march(12, 17))
    assert ["11 10:00", "12 15:30"] == [created for created, _ in follower.runs()]


def test_a_run_that_never_started_leaves_its_session_free(follower: Follower, pass_time: PassTime) -> None:
    """Corrected in the evening, before the first portfolio was traded: the second one's run is there at the open."""
    pass_time(to=march(11, 18))
    follower.subscribe(0)
    follower.subscribe(1)
    pass_time(to=march(12, 9, 31))
    assert [("11 18:00", "CANCELED"), ("11 18:00", "COMPLETED_SUCCESS")] == follower.runs()
