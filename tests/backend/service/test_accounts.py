"""Accounts, positions, orders, assets, clock and calendar as the API tells them (rules.md 1, 8.3).

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service import Service
from driftdesk.backend.service.orders import OrderFilter
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import InputError, NotFound
from driftdesk.wire.simulation import CreateAccount, Deposit, SetPrices

OpenAccount = Callable[..., str]
PassTime = Callable[..., None]
TEN = datetime(2026, 3, 11, 10, 0, tzinfo=NEW_YORK)
THURSDAY_10AM = TEN + timedelta(days=1)


def send(service: Service, account: str, name: str, at: datetime, side: str = "buy", quantity: str = "1") -> None:
    """An order for SPY."""
    request = OrderRequest(AccountId(account), name, Symbol("SPY"), Side(side), quantity=Decimal(quantity))
    service.exchange.submit(request, at)


def test_the_money_of_an_account(service: Service, open_account: OpenAccount) -> None:
    """1,000.50 and 1.5 SPY at 100 and 2 TLT at 50 are 1,250.50; an open buy of 300 leaves 700.50 to spend."""
    account = open_account("1000.50", SPY="1.5", TLT="2")
    send(service, account, "buy", TEN, quantity="3")
    money = service.trading_account(account)
    assert [Decimal(text) for text in ("1000.50", "1250.50", "250.00", "700.50")] == [
        money.cash,
        money.equity,
        money.long_market_value,
        money.buying_power,
    ]


def test_a_cash_account_spends_what_it_has(service: Service, open_account: OpenAccount, pass_time: PassTime) -> None:
    """1,000 USD and 5 SPY at 100 close at 1,500; on Thursday 200 come in and an open buy of 300 leaves 900 to spend."""
    account = open_account("1000.00", SPY="5")
    pass_time(to=THURSDAY_10AM)
    service.deposit(Deposit(account_id=account, amount=Decimal(200)))
    send(service, account, "buy", THURSDAY_10AM, quantity="3")
    money = service.trading_account(account).model_dump(mode="json")
    spendable = "buying_power effective_buying_power non_marginable_buying_power regt_buying_power cash_withdrawable"
    expected = {
        **dict.fromkeys([*spendable.split(), "cash_transferable"], "900"),
        "cash": "1200",
        "equity": "1700",
        "portfolio_value": "1700",
        "multiplier": "1",
        "initial_margin": "500",
        "maintenance_margin": "0",
        "short_market_value": "0",
        "last_equity": "1500",
        "last_cash": "1000",
        "last_buying_power": "1000",
        "last_regt_buying_power": "1000",
        "last_long_market_value": "500",
        "last_initial_margin": "500",
        "last_short_market_value": "0",
        "previous_close": "2026-03-11T20:00:00Z",
        "balance_asof": "2026-03-11",
        "created_at": "2026-03-11T14:00:00Z",
    }
    assert expected == {name: money[name] for name in expected}


def test_an_account_without_a_close_has_no_last_values(service: Service, open_account: OpenAccount) -> None:
    """But the exchange has one: Tuesday's."""
    money = service.trading_account(open_account("10.00"))
    assert (None, None, None) == (money.last_cash, money.last_long_market_value, money.balance_asof)
    assert (Decimal(10), datetime(2026, 3, 10, 16, tzinfo=NEW_YORK)) == (money.last_equity, money.previous_close)


def test_every_account_trades_its_own_money(service: Service, open_account: OpenAccount) -> None:
    """Fractions yes, margin and short sales no."""
    what = service.account_configuration(open_account("0.00"))
    assert (True, Decimal(1), True) == (what.fractional_trading, what.max_margin_multiplier, what.no_shorting)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, "Alder Growth, Birch Growth, Cedar Income"),
        ({"descending": True}, "Cedar Income, Birch Growth, Alder Growth"),
        ({"query": "growth"}, "Alder Growth, Birch Growth"),
        ({"query": "GROWTH bir"}, "Birch Growth"),
        ({"query": "DD0000003"}, "Cedar Income"),
        ({"query": "%"}, ""),
        ({"created_after": TEN}, "Birch Growth, Cedar Income"),
        ({"created_before": TEN + timedelta(minutes=2)}, "Alder Growth, Birch Growth"),
        ({"created_after": TEN, "created_before": TEN + timedelta(minutes=2)}, "Birch Growth"),
        ({"statuses": ["ACTIVE", "LIMITED"], "query": "income"}, "Cedar Income"),
        ({"statuses": ["LIMITED"]}, ""),
    ],
)
def test_accounts_are_found(service: Service, pass_time: PassTime, filters: dict[str, object], names: str) -> None:
    """Opened a minute apart; every word counts, as letters, and both instants are excluded."""
    for name in ("Alder Growth", "Birch Growth", "Cedar Income"):
        service.simulate_account(CreateAccount(name=name, cash=Decimal(1)))
        pass_time(minutes=1)
    assert names == ", ".join(account.name for account in service.list_accounts(**filters))  # type: ignore[arg-type]


def test_capitals_of_every_alphabet_are_found(service: Service) -> None:
    """Élan and ÖSTERREICH by their small letters."""
    for name in ("Élan", "ÖSTERREICH"):
        service.simulate_account(CreateAccount(name=name, cash=Decimal(0)))
    assert ["Élan"] == [account.name for account in service.list_accounts(query="élan")]
    assert ["ÖSTERREICH"] == [account.name for account in service.list_accounts(query="österreich")]


def test_one_account_is_told_as_in_the_list(service: Service, open_account: OpenAccount, pass_time: PassTime) -> None:
    """Before its first close and after it."""
    account = open_account("10.00", SPY="1")
    assert [service.get_account(account)] == service.list_accounts()
    pass_time(to=THURSDAY_10AM)
    assert [service.get_account(account)] == service.list_accounts()


def test_last_equity_is_that_of_the_last_close(
    service: Service, open_account: OpenAccount, pass_time: PassTime
) -> None:
    """SPY closes at 110 on the 11th: 1,110.00 stays last equity while SPY goes to 200 on the 12th."""
    account = open_account("10.00", SPY="10")
    service.set_prices(SetPrices(prices={"SPY": Decimal(110)}))
    pass_time(to=datetime(2026, 3, 12, 10, 0, tzinfo=NEW_YORK))
    service.set_prices(SetPrices(prices={"SPY": Decimal(200)}))
    money = service.trading_account(account)
    assert (Decimal("1110.00"), Decimal("2010.00")) == (money.last_equity, money.equity)


def test_a_position_tells_cost_value_and_profit(service: Service, open_account: OpenAccount) -> None:
    """3 SPY came in at 100 and stand at 110: 330 for 300, 30 more, 0.1 of the cost."""
    account = open_account("0.00", SPY="3")
    service.set_prices(SetPrices(prices={"SPY": Decimal(110)}))
    held = service.position(account, "spy")
    assert [Decimal(text) for text in ("3", "300", "330", "30", "0.1", "100")] == [
        held.qty,
        held.cost_basis,
        held.market_value,
        held.unrealized_pl,
        held.unrealized_plpc,
        held.avg_entry_price,
    ]


def test_all_positions_are_those_of_each_account(service: Service, open_account: OpenAccount) -> None:
    """One bulk read says what the single reads say, of empty accounts too."""
    alder, birch, cedar = open_account("1.00", SPY="3", TLT="4"), open_account("2.00", SPY="5"), open_account("3.00")
    send(service, birch, "sell", TEN, "sell", "2")
    bulk = service.all_positions()
    assert {alder: Decimal(1), birch: Decimal(2), cedar: Decimal(3)} == bulk.cash
    for account in (alder, birch, cedar):
        assert tuple(service.positions(account)) == bulk.positions[account]
    assert Decimal(3) == bulk.positions[birch][0].qty_available


def test_what_open_buys_hold_back_is_in_the_bulk_read(service: Service, open_account: OpenAccount) -> None:
    """Two buys of 100 each; an account without any is not listed."""
    alder, _ = open_account("1000.00"), open_account("1000.00")
    send(service, alder, "one", TEN)
    send(service, alder, "two", TEN)
    assert {alder: Decimal(200)} == service.all_positions().reserved_cash


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["4", "3"]),
        ({"status": "closed"}, ["2", "1"]),
        ({"status": "all"}, ["4", "3", "2", "1"]),
        ({"status": "all", "direction": "asc"}, ["1", "2", "3", "4"]),
        ({"status": "all", "limit": 2}, ["4", "3"]),
        ({"status": "all", "after": TEN}, ["4", "3", "2"]),
        ({"status": "all", "until": TEN + timedelta(minutes=3)}, ["3", "2", "1"]),
        ({"status": "all", "after": TEN, "until": TEN + timedelta(minutes=2)}, ["2"]),
    ],
)
def test_orders_are_listed_by_submission(
    service: Service, open_account: OpenAccount, filters: dict[str, object], names: list[str]
) -> None:
    """Open ones by default, newest first; after and until exclude their instants (rules.md 8.3)."""
    account = open_account("1000.00")
    for minute, name in enumerate(["1", "2"]):
        send(service, account, name, TEN + timedelta(minutes=minute))
    service.exchange.settle(TEN + timedelta(minutes=1, seconds=30))
    for minute, name in enumerate(["3", "4"], start=2):
        send(service, account, name, TEN + timedelta(minutes=minute))
    found = service.list_orders(account, OrderFilter(**filters))  # type: ignore[arg-type]
    assert names == [order.client_order_id for order in found]


@pytest.mark.parametrize(("field", "value"), [("status", "late"), ("direction", "up")])
def test_unknown_words_are_refused(service: Service, open_account: OpenAccount, field: str, value: str) -> None:
    """By the name of the parameter."""
    with pytest.raises(InputError) as refused:
        service.list_orders(open_account("0.00"), OrderFilter(**{field: value}))  # type: ignore[arg-type]
    assert field == refused.value.field


def test_what_is_unknown_is_not_found(service: Service, open_account: OpenAccount) -> None:
    """Accounts, assets, a position that the account does not have."""
    account = open_account("0.00", SPY="1")
    for act in (
        lambda: service.get_account("none"),
        lambda: service.trading_account("none"),
        lambda: service.positions("none"),
        lambda: service.list_orders("none"),
        lambda: service.equity_history("none"),
        lambda: service.account_configuration("none"),
        lambda: service.get_asset("NOSUCH"),
        lambda: service.position(account, "TLT"),
    ):
        with pytest.raises(NotFound):
            act()


def test_an_asset_is_found_by_symbol_and_by_id(service: Service) -> None:
    """In either case of letters."""
    spy = service.get_asset("spy")
    assert spy == service.get_asset(spy.id)
    assert spy in service.list_assets()


@pytest.mark.parametrize(
    ("filters", "symbols"),
    [
        ({"exchange": "NYSE"}, {"JPM", "XOM", "JNJ"}),
        ({"exchange": "OTC"}, set()),
        ({"status": "active", "exchange": "NYSE"}, {"JPM", "XOM", "JNJ"}),
        ({"status": "all", "exchange": "NYSE"}, {"JPM", "XOM", "JNJ"}),
        ({"status": "inactive"}, set()),
        ({"asset_class": "crypto"}, set()),
        ({"attributes": ["ptp_no_exception"]}, set()),
    ],
)
def test_assets_are_filtered(service: Service, filters: dict[str, object], symbols: set[str]) -> None:
    """All are active shares and funds without attributes; three are listed on the NYSE."""
    assert symbols == {asset.symbol for asset in service.list_assets(**filters)}  # type: ignore[arg-type]


def test_an_asset_is_bought_with_cash(service: Service) -> None:
    """There is no margin here and nobody lends."""
    spy = service.get_asset("SPY")
    assert (False, False, False) == (spy.marginable, spy.shortable, spy.easy_to_borrow)


@pytest.mark.parametrize(
    ("now", "is_open", "opens", "closes"),
    [
        pytest.param((11, 10, 0), True, (12, 9, 30), (11, 16, 0), id="in the session"),
        pytest.param((11, 16, 0), False, (12, 9, 30), (12, 16, 0), id="at the close"),
        pytest.param((14, 12, 0), False, (16, 9, 30), (16, 16, 0), id="on a Saturday"),
        pytest.param((16, 9, 30), True, (17, 9, 30), (16, 16, 0), id="at the open"),
    ],
)
def test_the_clock_knows_the_next_open_and_close(
    service: Service,
    pass_time: PassTime,
    now: tuple[int, int, int],
    is_open: bool,
    opens: tuple[int, int, int],
    closes: tuple[int, int, int],
) -> None:
    """Both strictly later than now; times of March 2026 in New York."""
    at, next_open, next_close = (datetime(2026, 3, *moment, tzinfo=NEW_YORK) for moment in (now, opens, closes))
    pass_time(to=at)
    clock = service.clock()
    assert (at, is_open, next_open, next_close, True) == (
        clock.timestamp,
        clock.is_open,
        clock.next_open,
        clock.next_close,
        clock.simulated,
    )


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [
        pytest.param(11, 10, (True, "core", (11, 16, 0)), id="in the session"),
        pytest.param(11, 17, (True, "closed", (12, 9, 30)), id="after the close"),
        pytest.param(14, 12, (False, "closed", (16, 9, 30)), id="on a Saturday"),
    ],
)
def test_the_newer_clock_tells_the_phase(
    service: Service, pass_time: PassTime, day: int, hour: int, expected: tuple[bool, str, tuple[int, int, int]]
) -> None:
    """And until when it lasts; March 2026 in New York."""
    pass_time(to=datetime(2026, 3, day, hour, tzinfo=NEW_YORK))
    (clock,) = service.market_clocks().clocks
    is_market_day, phase, until = expected
    assert (is_market_day, phase, datetime(2026, 3, *until, tzinfo=NEW_YORK)) == (
        clock.is_market_day,
        clock.phase,
        clock.phase_until,
    )


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        pytest.param("2026-11-27", "2026-12-01", "25 > 27, 27 > 30, 30 > 1", id="over Thanksgiving"),
        pytest.param("2026-11-28", "2026-11-29", "", id="a weekend"),
        pytest.param("2026-10-12", "2026-10-13", "9 > 13, 12 > 13", id="Columbus Day"),
    ],
)
def test_the_calendar_goes_by_settlement_too(service: Service, start: str, end: str, days: str) -> None:
    """Which sessions settle from start to end: the day of the trade and the day on which it settles."""
    found = service.calendar(date.fromisoformat(start), date.fromisoformat(end), by_settlement=True)
    assert days == ", ".join(
        f"{date.fromisoformat(day.date).day} > {date.fromisoformat(day.settlement_date or '').day}" for day in found
    )


def test_the_calendar_lists_sessions_with_their_hours(service: Service) -> None:
    """Thanksgiving week of 2026: no Thursday, and 13:00 on Friday; both ends are included."""
    days = service.calendar(date(2026, 11, 25), date(2026, 11, 30))
    assert [("2026-11-25", "16:00"), ("2026-11-27", "13:00"), ("2026-11-30", "16:00")] == [
        (day.date, day.close) for day in days
    ]
    assert {"09:30"} == {day.open for day in days}
    assert ["2026-11-27", "2026-11-30", "2026-12-01"] == [day.settlement_date for day in days]
    assert "2026-03-11" == service.calendar(None, None)[0].date


def test_latest_trades_leave_out_what_has_no_price(service: Service) -> None:
    """SPY at 100 now; NOSUCH is not there."""
    trades = service.latest_trades(["SPY", "NOSUCH"]).trades
    assert {"SPY": (Decimal(100), TEN)} == {symbol: (trade.p, trade.t) for symbol, trade in trades.items()}
