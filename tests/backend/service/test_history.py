"""Portfolio history: equity, profit and flows of each session, worked by hand (wire/alpaca.md 11.7).

An account opens on Wednesday 11 March 2026 with 1,000 USD and 10 SPY at 100. On Thursday 500 come in and SPY goes to
110, on Friday 300 leave, on Monday SPY falls to 99: equity 2000, 2600, 2300, 2190.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pytest

from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError, NotFound
from driftdesk.wire.history import PortfolioHistory
from driftdesk.wire.simulation import Deposit, SetPrices

OpenAccount = Callable[..., str]
PassTime = Callable[..., None]


@pytest.fixture
def account(service: Service, open_account: OpenAccount, pass_time: PassTime) -> str:
    """At 17:00 on Monday 16 March 2026."""
    opened = open_account("1000.00", SPY="10")
    for day, price, amount in ((12, "110", "500"), (13, "110", "-300"), (16, "99", None)):
        pass_time(to=datetime(2026, 3, day, 10, tzinfo=NEW_YORK))
        service.set_prices(SetPrices(prices={"SPY": Decimal(price)}))
        if amount:
            service.deposit(Deposit(account_id=opened, amount=Decimal(amount)))
    pass_time(to=datetime(2026, 3, 16, 17, tzinfo=NEW_YORK))
    return opened


def decimals(text: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(part) for part in text.split())


def opens(history: PortfolioHistory) -> list[str]:
    """When its sessions opened, in New York."""
    return [datetime.fromtimestamp(stamp, NEW_YORK).strftime("%d %H:%M") for stamp in history.timestamp]


def test_profit_is_what_the_flows_do_not_explain(service: Service, account: str) -> None:
    """-10 in all: 2190 after 2000 + 500 - 300 came in; -0.4 % of the 2500 that ever did."""
    history = service.portfolio_history(account)
    assert ["11 09:30", "12 09:30", "13 09:30", "16 09:30"] == opens(history)
    assert decimals("2000 2600 2300 2190") == history.equity
    assert decimals("0 100 100 -10") == history.profit_loss
    assert decimals("0 0.04 0.04 -0.004") == history.profit_loss_pct
    assert (Decimal(0), None, "1D", {}) == (
        history.base_value,
        history.base_value_asof,
        history.timeframe,
        history.cashflow,
    )


def test_a_period_begins_at_the_close_before_it(service: Service, account: str) -> None:
    """Two sessions from Thursday's 2600: 2300 after 300 left is nothing lost, 2190 is 110 of 2600."""
    history = service.portfolio_history(account, period="2D")
    assert (Decimal(2600), "2026-03-12") == (history.base_value, history.base_value_asof)
    assert (decimals("0 -110"), decimals("0 -0.042308")) == (history.profit_loss, history.profit_loss_pct)


@pytest.mark.parametrize(
    ("chosen", "days"),
    [
        ({"period": "1D"}, "16"),
        ({"period": "9999D"}, "11 12 13 16"),
        ({"period": "1W"}, "11 12 13 16"),
        ({"period": "1W", "end": date(2026, 3, 18)}, "12 13 16"),
        ({"period": "9999W"}, "11 12 13 16"),
        ({"period": "1M", "end": date(2026, 4, 12)}, "13 16"),
        ({"period": "1A", "end": date(2027, 3, 13)}, "16"),
        ({"period": "9999A"}, "11 12 13 16"),
        ({"start": date(2026, 3, 13)}, "13 16"),
        ({"start": date(2026, 3, 12), "end": date(2026, 3, 13)}, "12 13"),
        ({"end": date(2026, 3, 12)}, "11 12"),
        ({"end": date(2026, 3, 10)}, ""),
    ],
)
def test_a_window_is_chosen_by_its_ends(service: Service, account: str, chosen: dict[str, object], days: str) -> None:
    """D counts sessions, W, M and A go by the calendar; both ends are included."""
    found = service.portfolio_history(account, **chosen)  # type: ignore[arg-type]
    assert days.split() == [text[:2] for text in opens(found)]


def test_a_month_before_the_31st_is_the_end_of_february(service: Service, account: str) -> None:
    """1M up to 31 March 2026 begins with 1 March."""
    assert 4 == len(service.portfolio_history(account, period="1M", end=date(2026, 3, 31)).equity)


@pytest.mark.parametrize(
    ("types", "flows"),
    [
        ("ALL", {"CSD": "1000 500 0 0", "CSW": "0 0 -300 0"}),
        ("CSW", {"CSW": "0 0 -300 0"}),
        ("csd,DIV", {"CSD": "1000 500 0 0", "DIV": "0 0 0 0"}),
        ("NONE", {}),
    ],
)
def test_cash_flows_are_told_by_type(service: Service, account: str, types: str, flows: dict[str, str]) -> None:
    """Of what the account was opened with, the cash is a deposit and the shares are not."""
    found = service.portfolio_history(account, cashflow_types=types).cashflow
    assert {kind: decimals(amounts) for kind, amounts in flows.items()} == found


def test_flows_before_the_window_are_in_its_base(service: Service, account: str) -> None:
    """Of the last two sessions there is only the withdrawal of Friday."""
    found = service.portfolio_history(account, period="2D", cashflow_types="ALL").cashflow
    assert {"CSW": decimals("-300 0")} == found


def test_a_new_account_has_no_history(service: Service, open_account: OpenAccount) -> None:
    """Until its first close."""
    history = service.portfolio_history(open_account("10.00"))
    assert ((), Decimal(0)) == (history.equity, history.base_value)


@pytest.mark.parametrize("period", ["1", "D1", "0D", "1Y", "1.5M", "-1D", "10000D", "1d"])
def test_a_period_that_is_none_is_refused(service: Service, open_account: OpenAccount, period: str) -> None:
    """By name, with examples of what can be said."""
    with pytest.raises(InputError, match="5D, 2W, 1M or 1A") as refused:
        service.portfolio_history(open_account("0.00"), period=period)
    assert "period" == refused.value.field


def test_what_does_not_go_together_or_exist_is_refused(service: Service, open_account: OpenAccount) -> None:
    """A start with a period, an unknown type of flow, an unknown account."""
    account = open_account("0.00")
    with pytest.raises(InputError, match="start and period cannot be used together"):
        service.portfolio_history(account, period="1M", start=date(2026, 3, 11))
    with pytest.raises(InputError, match="cashflow_types has 'GIFT'"):
        service.portfolio_history(account, cashflow_types="CSD,GIFT")
    with pytest.raises(NotFound):
        service.portfolio_history("none")
