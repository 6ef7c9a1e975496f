"""Closing a session: equity, cash and flow of each account, one row a session.

Wednesday 11 March 2026, 10:00 New York; SPY 100.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from driftdesk.backend.clock import SimulatedClock
from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.wire.simulation import Deposit, SetPrices

OpenAccount = Callable[..., str]
PassTime = Callable[..., None]


def march(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK)


def days(service: Service, account: str) -> list[tuple[str, str, str, str]]:
    """Day, equity, cash and flow of each close, oldest first."""
    return [
        (point.date[-2:], f"{point.equity:.2f}", f"{point.cash:.2f}", f"{point.flow:.2f}")
        for point in service.equity_history(account).points
    ]


def price_spy(service: Service, price: str) -> None:
    service.set_prices(SetPrices(prices={"SPY": Decimal(price)}))


def deposit(service: Service, account: str, amount: str) -> None:
    service.deposit(Deposit(account_id=account, amount=Decimal(amount)))


def test_each_close_is_written_once(service: Service, open_account: OpenAccount, pass_time: PassTime) -> None:
    """1,000 and 2 SPY at 100; 110 on the 12th; the opening is that day's flow, the weekend writes nothing."""
    account = open_account("1000.00", SPY="2")
    pass_time(to=march(11, 16))
    pass_time(to=march(11, 20))
    price_spy(service, "110")
    pass_time(to=march(16, 9, 29))
    assert [
        ("11", "1200.00", "1000.00", "1200.00"),
        ("12", "1220.00", "1000.00", "0.00"),
        ("13", "1220.00", "1000.00", "0.00"),
    ] == days(service, account)


def test_money_after_the_close_is_the_next_day_s_flow(
    service: Service, open_account: OpenAccount, pass_time: PassTime
) -> None:
    """300 in before the close of the 12th, 500 in and 100 out after it."""
    account = open_account("1000.00")
    pass_time(to=march(12, 15))
    deposit(service, account, "300.00")
    pass_time(to=march(12, 17))
    deposit(service, account, "500.00")
    deposit(service, account, "-100.00")
    pass_time(to=march(13, 16))
    assert [("12", "1300.00", "1300.00", "300.00"), ("13", "1700.00", "1700.00", "400.00")] == days(service, account)[
        1:
    ]


@pytest.mark.parametrize("before", [16, 17])
def test_an_account_opened_after_the_close_begins_the_next_day(
    service: Service, open_account: OpenAccount, pass_time: PassTime, before: int
) -> None:
    """Opened after 16:00 of the 11th, whether that close was written already or not: its first day is the 12th."""
    clock = service.world.clock
    assert isinstance(clock, SimulatedClock)
    if before == 16:
        pass_time(to=march(11, 16))
    clock.move_to(march(11, 17))
    account = open_account("1000.00")
    pass_time(to=march(12, 16))
    assert [("12", "1000.00", "1000.00", "1000.00")] == days(service, account)


def test_flows_of_days_that_nobody_stepped_are_not_lost(
    service: Service, open_account: OpenAccount, pass_time: PassTime
) -> None:
    """The process was down on the 12th, when 300 came in: they are in the flow of the 13th, written next."""
    account = open_account("1000.00")
    pass_time(to=march(11, 17))
    clock = service.world.clock
    assert isinstance(clock, SimulatedClock)
    clock.move_to(march(12, 12))
    deposit(service, account, "300.00")
    clock.move_to(march(13, 12))
    pass_time(to=march(13, 16))
    assert [("11", "1000.00", "1000.00", "1000.00"), ("13", "1300.00", "1300.00", "300.00")] == days(service, account)


def test_equity_is_rounded_half_up_to_the_cent(
    service: Service, open_account: OpenAccount, pass_time: PassTime
) -> None:
    """1.5 x 33.33 = 49.995 is 50.00, and 1.000000001 x 100 in cents is 100.00."""
    half, sliver = open_account("0.00", SPY="1.5"), open_account("0.00", SPY="1.000000001")
    price_spy(service, "33.33")
    pass_time(to=march(11, 16))
    assert "50.00" == days(service, half)[0][1]
    assert "33.33" == days(service, sliver)[0][1]
