"""What can be done to a simulated world by hand, and what is refused (rules.md 5.6, 11)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import simulated_feed

from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import DriftdeskError, InputError, NotFound, StateError
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import Advance, CreateAccount, Deposit, NewPosition, SetAsset, SetPrices

TEN = datetime(2026, 3, 11, 10, 0, tzinfo=NEW_YORK)
OpenAccount = Callable[..., str]


def account_of(cash: str = "0", *positions: tuple[str, str]) -> CreateAccount:
    return CreateAccount(
        cash=Decimal(cash),
        positions=tuple(NewPosition(symbol=symbol, qty=Decimal(quantity)) for symbol, quantity in positions),
    )


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("cash", account_of("0.001")),
        ("cash", account_of("-1")),
        ("positions[0].symbol", account_of("0", ("NOSUCH", "1"))),
        ("positions[1].qty", account_of("0", ("SPY", "1"), ("TLT", "0"))),
        ("positions[0].qty", account_of("0", ("SPY", "-1"))),
        ("positions[0].qty", account_of("0", ("SPY", "0.0000000001"))),
        ("positions[0].qty", account_of("0", ("SPY", "100000001"))),
        ("positions[1].symbol", account_of("0", ("SPY", "1"), ("SPY", "2"))),
    ],
)
def test_an_account_that_cannot_be_is_refused(service: Service, field: str, body: CreateAccount) -> None:
    """With the path of the field, and nothing is left behind."""
    with pytest.raises(InputError) as refused:
        service.simulate_account(body)
    assert field == refused.value.field
    assert [] == service.list_accounts()


def test_accounts_are_numbered_and_named(service: Service) -> None:
    """In the order of opening; one without a name is called by its number."""
    service.simulate_account(CreateAccount(name="Alder", cash=Decimal(0)))
    service.simulate_account(account_of())
    assert [("DD0000001", "Alder"), ("DD0000002", "Account 2")] == [
        (account.account_number, account.name) for account in service.list_accounts()
    ]


@pytest.mark.parametrize(
    ("prices", "field"),
    [
        ({"NOSUCH": "1"}, "prices.NOSUCH"),
        ({"SPY": "0"}, "prices.SPY"),
        ({"SPY": "-1"}, "prices.SPY"),
        ({"SPY": "1.00001"}, "prices.SPY"),
        ({"SPY": "10000000"}, "prices.SPY"),
    ],
)
def test_a_price_that_cannot_be_is_refused(service: Service, prices: dict[str, str], field: str) -> None:
    """Unknown, not positive, finer than 0.0001, beyond any share price; the others of the request are not set."""
    with pytest.raises(InputError) as refused:
        service.set_prices(SetPrices.model_validate({"prices": {"TLT": "60", **prices}}))
    assert field == refused.value.field
    assert Decimal(50) == service.latest_trades(["TLT"]).trades["TLT"].p


def test_a_price_of_null_returns_the_symbol_to_the_feed(service: Service) -> None:
    """The simulated market's own price of that day."""
    service.set_prices(SetPrices(prices={"SPY": None}))
    assert simulated_feed().close("SPY", TEN.date()) == service.latest_trades(["SPY"]).trades["SPY"].p  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "error", "cash"),
    [
        ("250.25", None, "1250.25"),
        ("-1000.00", None, "0.00"),
        ("-1000.01", StateError, "1000.00"),
        ("0.001", InputError, "1000.00"),
        ("0", InputError, "1000.00"),
    ],
)
def test_money_comes_and_goes(
    service: Service, open_account: OpenAccount, amount: str, error: type[DriftdeskError] | None, cash: str
) -> None:
    """Never more than there is, in cents, and something at all."""
    account = open_account("1000.00")
    body = Deposit(account_id=account, amount=Decimal(amount))
    if error is None:
        service.deposit(body)
    else:
        with pytest.raises(error):
            service.deposit(body)
    assert Decimal(cash) == service.trading_account(account).cash


def test_money_that_open_buys_need_cannot_leave(
    service: Service, open_account: OpenAccount, pass_time: Callable[..., None]
) -> None:
    """990 of 1,000 are in an open buy: 10.00 may leave, not 10.01, and cash does not fall below zero."""
    account = open_account("1000.00")
    weights = [{"type": "cash", "percent": "1"}, {"type": "asset", "symbol": "SPY", "percent": "99"}]
    service.create_run(CreateRun.model_validate({"account_id": account, "type": "full_rebalance", "weights": weights}))
    pass_time(seconds=0)
    with pytest.raises(StateError, match=r"has 10\.00 USD in cash that no open order needs"):
        service.deposit(Deposit(account_id=account, amount=Decimal("-10.01")))
    service.deposit(Deposit(account_id=account, amount=Decimal("-10.00")))
    pass_time(minutes=1)
    assert Decimal("0.00") == service.trading_account(account).cash


def test_an_asset_changes_only_where_told(service: Service) -> None:
    """A field left out stays as it is; an unknown asset is not found."""
    service.set_asset(SetAsset(symbol="SPY", tradable=False))
    changed = service.set_asset(SetAsset(symbol="spy", fractionable=False))
    assert (False, False) == (changed.tradable, changed.fractionable)
    with pytest.raises(NotFound):
        service.set_asset(SetAsset(symbol="NOSUCH", halted=True))


@pytest.mark.parametrize(
    "body",
    [
        Advance(),
        Advance(to=TEN, seconds=1),
        Advance(seconds=-1),
    ],
)
def test_an_advance_says_to_when_or_for_how_long(service: Service, body: Advance) -> None:
    """One of the two, and never backwards (rules.md 11)."""
    with pytest.raises(InputError):
        service.advance(body)


def test_a_target_in_the_past_moves_nothing(service: Service) -> None:
    """The instant only increases (rules.md 11)."""
    done = service.advance(Advance(to=TEN - timedelta(days=1)))
    assert (TEN, True) == (done.now, done.done)


def test_the_clock_stops_where_the_prices_end(service: Service) -> None:
    """Up to the open after the last session with prices, 31 December 2036: Friday 2 January 2037."""
    with pytest.raises(StateError, match="Prices end with 2036-12-31"):
        service.advance(Advance(to=datetime(2037, 1, 2, 9, 31, tzinfo=NEW_YORK)))


def test_an_order_too_large_to_keep_ends_its_run_and_no_other(
    service: Service, open_account: OpenAccount, pass_time: Callable[..., None]
) -> None:
    """Twenty billion in one order: an ERROR that says so; the other account's run goes on."""
    accounts = [open_account("20000000000.00"), open_account("1000.00")]
    weights = [{"type": "asset", "symbol": "SPY", "percent": "100"}]
    runs = [
        service.create_run(
            CreateRun.model_validate({"account_id": account, "type": "full_rebalance", "weights": weights})
        )
        for account in accounts
    ]
    pass_time(minutes=1)
    large, small = (service.get_run(run.id) for run in runs)
    assert ("ERROR", "COMPLETED_SUCCESS") == (large.status, small.status)
    assert large.reason is not None
    assert "larger than 9000000000" in large.reason


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda service: service.set_prices(SetPrices(prices={})), id="prices"),
        pytest.param(lambda service: service.set_asset(SetAsset(symbol="SPY", halted=True)), id="assets"),
        pytest.param(lambda service: service.advance(Advance(seconds=1)), id="advance"),
    ],
)
def test_nothing_is_simulated_on_the_system_s_clock(tmp_path: Path, act: Callable[[Service], Any]) -> None:
    """Refused in one sentence (rules.md 11)."""
    service = open_service(tmp_path / "real.db", simulated_feed(), system_clock=True)
    with pytest.raises(StateError, match="follows the system clock"):
        act(service)
    service.close()


def test_accounts_and_money_come_in_on_the_system_s_clock_too(tmp_path: Path) -> None:
    """A backend that was begun empty on the system's clock would never have an account otherwise."""
    service = open_service(tmp_path / "real.db", simulated_feed(), system_clock=True)
    account = service.simulate_account(CreateAccount(cash=Decimal(100)))
    assert Decimal(150) == service.deposit(Deposit(account_id=account.id, amount=Decimal(50))).cash
    service.close()


def test_a_portfolio_of_the_lost_asset_alone_is_marked(
    service: Service, create_portfolio: Callable[..., Portfolio]
) -> None:
    """Symbols are compared whole: losing EFA does not touch a portfolio of other assets (rules.md 2.7)."""
    other = create_portfolio({"SPY": "100"})
    lost = create_portfolio({"EFA": "100"})
    service.set_asset(SetAsset(symbol="EFA", tradable=False))
    assert ("active", "needs_adjustment") == (
        service.get_portfolio(other.id).status,
        service.get_portfolio(lost.id).status,
    )
