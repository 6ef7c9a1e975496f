"""Positions through a session: what they are worth, what the day brought (wire/alpaca.md 11.3).

SPY closes at 617.3115 on Friday 28 February 2025 and trades at 604.9766 on Monday 3 March.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import simulated_feed

from driftdesk.backend.opening import open_service
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import NotFound
from driftdesk.wire.simulation import Advance, CreateAccount, NewPosition, SetPrices

FRIDAY_10AM = datetime(2025, 2, 28, 10, 0, tzinfo=NEW_YORK)
MONDAY_10AM = datetime(2025, 3, 3, 10, 0, tzinfo=NEW_YORK)


@pytest.fixture
def friday(tmp_path: Path) -> Iterator[Service]:
    opened = open_service(tmp_path / "friday.db", simulated_feed(), start=FRIDAY_10AM, seed=1, durable=False)
    yield opened
    opened.close()


def ten_spy(service: Service) -> str:
    """An account with 100,000 USD and 10 SPY."""
    held = (NewPosition(symbol="SPY", qty=Decimal(10)),)
    return service.simulate_account(CreateAccount(cash=Decimal(100_000), positions=held)).id


def trade(service: Service, account: str, side: str, quantity: str) -> None:
    """A market order for SPY, filled."""
    name = f"{side} {quantity}"
    request = OrderRequest(AccountId(account), name, Symbol("SPY"), Side(side), quantity=Decimal(quantity))
    service.exchange.submit(request, service.world.now())
    service.advance(Advance(seconds=2))


def decimals(text: str) -> list[Decimal]:
    return [Decimal(part) for part in text.split()]


def test_the_day_is_measured_from_the_last_close(friday: Service) -> None:
    """10 x 604.9766 = 6049.77 after 10 x 617.3115 = 6173.12: -123.35, which is -1.9982 % of it."""
    account = ten_spy(friday)
    friday.advance(Advance(to=MONDAY_10AM))
    held = friday.position(account, "SPY")
    assert decimals("604.9766 617.3115 -0.019982 6049.77 -123.35 -0.019982") == [
        held.current_price,
        held.lastday_price,
        held.change_today,
        held.market_value,
        held.unrealized_intraday_pl,
        held.unrealized_intraday_plpc,
    ]
    assert held.asset_marginable is False


@pytest.mark.parametrize(
    ("trades", "profit"),
    [
        pytest.param([("buy", "10")], "-123.36", id="12099.53 for 6173.12 + 6049.77"),
        pytest.param([("sell", "4")], "-74.01", id="3629.86 for six tenths of 6173.12"),
        pytest.param([("buy", "10"), ("sell", "10")], "-61.68", id="6049.77 for half of 12222.89"),
        pytest.param([("sell", "10"), ("buy", "10")], "0", id="all of it bought today"),
    ],
)
def test_what_was_bought_today_is_measured_from_its_price(
    friday: Service, trades: list[tuple[str, str]], profit: str
) -> None:
    """At 604.9766 each; a sale takes its proportion of the day's basis with it."""
    account = ten_spy(friday)
    friday.advance(Advance(to=MONDAY_10AM))
    for side, quantity in trades:
        trade(friday, account, side, quantity)
    assert Decimal(profit) == friday.position(account, "SPY").unrealized_intraday_pl


def test_an_account_of_today_has_the_day_of_its_positions(friday: Service) -> None:
    """It held nothing at the last close: 10 SPY came in at 604.9766 and stand at 610."""
    friday.advance(Advance(to=MONDAY_10AM))
    account = ten_spy(friday)
    friday.set_prices(SetPrices(prices={"SPY": Decimal(610)}))
    held = friday.position(account, "SPY")
    assert decimals("50.23 50.23") == [held.unrealized_pl, held.unrealized_intraday_pl]


def test_a_price_set_by_hand_moves_today_and_not_the_last_close(friday: Service) -> None:
    """From 617.3115 to 555.5804 is 10 % down; on the next day it is the close before."""
    account = ten_spy(friday)
    friday.advance(Advance(to=MONDAY_10AM))
    friday.set_prices(SetPrices(prices={"SPY": Decimal("555.5804")}))
    shocked = friday.position(account, "SPY")
    friday.advance(Advance(to=datetime(2025, 3, 4, 10, 0, tzinfo=NEW_YORK)))
    later = friday.position(account, "SPY")
    assert decimals("617.3115 -0.1 555.5804 0") == [
        shocked.lastday_price,
        shocked.change_today,
        later.lastday_price,
        later.change_today,
    ]


def test_a_position_is_found_by_symbol_and_by_asset_id(friday: Service) -> None:
    """In either case of letters; another one is not found."""
    account = ten_spy(friday)
    held = friday.position(account, "spy")
    assert held == friday.position(account, held.asset_id)
    with pytest.raises(NotFound, match="holds no TLT"):
        friday.position(account, "TLT")


def test_each_account_has_its_own_trades(friday: Service) -> None:
    """Another account's purchase does not enter this one's day."""
    alder, birch = ten_spy(friday), ten_spy(friday)
    friday.advance(Advance(to=MONDAY_10AM))
    trade(friday, birch, "buy", "10")
    bulk = friday.all_positions().positions
    assert decimals("-123.35 -123.36") == [bulk[account][0].unrealized_intraday_pl for account in (alder, birch)]


def test_what_is_sent_would_pass_as_read(friday: Service) -> None:
    """Positions are built without validation; validated, they are the same."""
    ten_spy(friday)
    bulk = friday.all_positions()
    assert bulk == type(bulk).model_validate(bulk.model_dump())
