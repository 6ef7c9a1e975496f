"""The desk on an embedded world: what pages and notebooks see is what the backend does (architecture: one client)."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import simulated_feed

from driftdesk import connect
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.connect import connect_service
from driftdesk.desk import Desk, Mode
from driftdesk.engine.planner import Options, RunType
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError, NotFound, Rejected
from driftdesk.translate import to_portfolio
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.portfolios import CreatePortfolio, Portfolio, UpdatePortfolio
from driftdesk.wire.simulation import Advance, SetAsset, SetPrices

OpenAccount = Callable[..., str]


def march(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK)


def model(service: Service, *conditions: dict[str, Any], cooldown: int = 0, **weights: str) -> Portfolio:
    """A portfolio of SPY 60 and TLT 40, or of `weights`."""
    listed = [
        {"type": "asset", "symbol": symbol, "percent": percent}
        for symbol, percent in (weights or {"SPY": "60", "TLT": "40"}).items()
    ]
    body = {"name": "M", "weights": listed, "cooldown_days": cooldown, "rebalance_conditions": conditions}
    return service.create_portfolio(CreatePortfolio.model_validate(body))


def price(service: Service, **prices: str) -> None:
    service.set_prices(SetPrices(prices={symbol: Decimal(text) for symbol, text in prices.items()}))


BAND = {"type": "drift_band", "sub_type": "absolute", "percent": "5"}


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    with connect_service(service, label="test") as opened:
        yield opened


@pytest.fixture
def follow(service: Service, desk: Desk, open_account: OpenAccount) -> Callable[[Portfolio], str]:
    """Open an account with 10,000 USD that follows a portfolio, rebalanced on the 11th at 10:00."""

    def opener(portfolio: Portfolio) -> str:
        account = open_account("10000.00")
        desk.client.subscriptions.create(account, portfolio.id)
        service.advance(Advance(seconds=60))
        return account

    return opener


def test_the_book_and_the_account_say_the_same(
    service: Service, desk: Desk, open_account: OpenAccount, follow: Callable[[Portfolio], str]
) -> None:
    """One bulk read and single reads: the same snapshot, drift and portfolio, open orders included."""
    followed = model(service, BAND)
    follow(followed)
    open_account("500.00", GLD="2")
    busy = open_account("10000.00")
    desk.client.subscriptions.create(busy, followed.id)
    service.advance(Advance(seconds=0))
    book = desk.book()
    assert 3 == len(book)
    for view in book:
        assert view == desk.account(view.account.id)
    assert [0, 0, 2] == sorted(len(view.snapshot.open_orders) for view in book)


def test_the_desk_s_snapshot_is_the_backend_s(service: Service, desk: Desk, follow: Callable[[Portfolio], str]) -> None:
    """To the last digit: what is previewed here is planned there (architecture: one datum)."""
    account = follow(model(service, BAND))
    price(service, SPY="133.37")
    view = desk.account(account)
    assert view.model is not None
    with service.world.database.read() as connection:
        market = service.world.market(connection, service.world.now())
        mine = service.world.snapshot(connection, account, view.model.targets.symbols, market)
    assert mine == view.snapshot


def test_orders_that_rest_do_not_keep_a_preview_from_its_run(
    service: Service, desk: Desk, open_account: OpenAccount
) -> None:
    """They reserve what their terms allow, 600 + 1500 + 500 USD: the orders planned here are those planned there."""
    account = open_account("10000.00", TLT="20")
    for symbol, terms in (
        ("TLT", {"type": "limit", "limit_price": "30", "qty": "20"}),
        ("SPY", {"type": "stop", "stop_price": "150", "qty": "10"}),
        ("SPY", {"type": "limit", "limit_price": "90", "notional": "500"}),
    ):
        order = {"symbol": symbol, "side": "buy", "time_in_force": "day", **terms}
        service.place_order(account, CreateOrder.model_validate(order))
    service.advance(Advance(seconds=5))
    previewed = desk.preview(account, model=to_portfolio(model(service)))
    assert Decimal(2600) == previewed.snapshot.reserved_cash
    run = desk.create_run(previewed, idempotency_key="once")
    service.advance(Advance(seconds=1))
    assert [order.notional for order in previewed.plan.orders] == [line.notional for line in desk.run(run.id).plan]


def test_an_account_that_cannot_be_measured_says_why(service: Service, desk: Desk, open_account: OpenAccount) -> None:
    """No equity: no drift, one sentence; without a portfolio there is neither."""
    poor, free = open_account("0.00"), open_account("10.00")
    desk.client.subscriptions.create(poor, model(service, BAND).id)
    assert desk.account(poor).drift is None
    assert "equity" in str(desk.account(poor).problem).lower()
    view = desk.account(free)
    assert (None, None, None) == (view.drift, view.problem, view.model)


@pytest.mark.parametrize(
    ("subscribed", "options"),
    [
        pytest.param(False, Options(), id="one-off"),
        pytest.param(True, Options(), id="subscribed"),
        pytest.param(False, Options(whole_shares=True), id="with options"),
    ],
)
def test_a_confirmed_preview_is_what_is_sent(
    service: Service, desk: Desk, open_account: OpenAccount, subscribed: bool, options: Options
) -> None:
    """Symbol, side and size of every order; the same key makes no second run (rules.md 2.10, 6.6)."""
    account = open_account("10007.00", SPY="7.123", GLD="3")
    portfolio = model(service, BAND)
    if subscribed:
        desk.client.subscriptions.create(account, portfolio.id)
        service.cancel_run(desk.runs(account)[0].id)
    shown = desk.preview(account, model=None if subscribed else to_portfolio(portfolio), options=options)
    run = desk.create_run(shown, idempotency_key="click")
    assert run.id == desk.create_run(shown, idempotency_key="click").id
    service.advance(Advance(seconds=60))
    done = desk.run(run.id)
    assert "COMPLETED_SUCCESS" == done.status
    assert [(order.symbol, order.side, order.notional) for order in shown.plan.orders] == [
        (line.symbol, line.side, line.notional) for line in done.plan
    ]
    assert [order.quantity or order.notional for order in shown.plan.orders] == [
        order.qty or order.notional for order in done.orders
    ]


def test_a_preview_that_no_longer_stands_is_refused(service: Service, desk: Desk, open_account: OpenAccount) -> None:
    """SPY at twice the price: 409, and nothing is queued (rules.md 6.6)."""
    account = open_account("1000.00", SPY="50")
    shown = desk.preview(account, model=to_portfolio(model(service)))
    price(service, SPY="200")
    with pytest.raises(Rejected) as refused:
        desk.create_run(shown, idempotency_key="click")
    assert 409 == refused.value.status
    assert () == desk.runs()


def test_a_preview_needs_a_portfolio(desk: Desk, open_account: OpenAccount) -> None:
    """The account follows none and none is given: refused in a sentence, to decide as well as to preview."""
    account = open_account("10.00")
    with pytest.raises(InputError, match="follows no portfolio"):
        desk.preview(account)
    with pytest.raises(InputError, match="follows no portfolio"):
        desk.decide(desk.account(account))


def told(made: Any) -> tuple[str, set[str], set[str]]:
    return made.outcome, {trigger.kind for trigger in made.triggers}, {block.kind for block in made.blocks}


@pytest.mark.parametrize(
    "scene", ["quiet", "breach", "cooldown", "weights", "held", "needs adjustment", "calendar", "calendar of yesterday"]
)
def test_what_the_desk_expects_is_what_the_evaluation_decides(
    service: Service, desk: Desk, follow: Callable[[Portfolio], str], scene: str
) -> None:
    """Asked on the 12th at 10:00, and decided at 15:30 with nothing moved between (rules.md 5.8)."""
    thursday = {"type": "calendar", "sub_type": "weekly", "day": "Wednesday" if "yesterday" in scene else "Thursday"}
    conditions = [thursday] if "calendar" in scene else [BAND]
    portfolio = model(service, *conditions, cooldown=7 if scene == "cooldown" else 0)
    if scene == "calendar of yesterday":
        service.advance(Advance(to=march(11, 15, 45)))
    account = follow(portfolio)
    if scene == "held":
        price(service, SPY="150")
        service.advance(Advance(to=march(12, 15, 30)))
        service.cancel_run(desk.runs(account)[0].id)
        service.advance(Advance(to=march(13, 10)))
    service.advance(Advance(to=march(12, 10)))
    if scene != "quiet":
        price(service, SPY="150")
    if scene == "weights":
        changed = [{"type": "asset", "symbol": "GLD", "percent": "100"}]
        service.update_portfolio(portfolio.id, UpdatePortfolio.model_validate({"weights": changed}))
    if scene == "needs adjustment":
        service.set_asset(SetAsset(symbol="TLT", fractionable=False))
    expected = desk.decide(desk.account(account))
    service.advance(Advance(to=march(expected.session.day, 15, 31)))
    made = desk.decisions(account, session=expected.session.isoformat())
    assert told(expected) in [told(decision) for decision in made]
    assert {
        "quiet": "not_due",
        "breach": "run",
        "calendar": "run",
        "weights": "run",
        "calendar of yesterday": "not_due",
    }.get(scene, "blocked") == expected.outcome


def test_after_the_evaluation_the_next_one_is_tomorrow_s(
    service: Service, desk: Desk, follow: Callable[[Portfolio], str]
) -> None:
    """At 15:40 the 12th is done: what is asked then is about the 13th (rules.md 5.1)."""
    account = follow(model(service, BAND))
    service.advance(Advance(to=march(12, 15, 29)))
    assert 12 == desk.decide(desk.account(account)).session.day
    service.advance(Advance(to=march(12, 15, 40)))
    assert 13 == desk.decide(desk.account(account)).session.day


def test_a_held_account_is_resumed(service: Service, desk: Desk, open_account: OpenAccount) -> None:
    """A person cancels and resumes; an account without a subscription is left alone (rules.md 5.7)."""
    account, free = open_account("10000.00"), open_account("1.00")
    desk.client.subscriptions.create(account, model(service).id)
    desk.cancel_run(desk.runs(account)[0].id)
    view = desk.account(account)
    assert view.subscription is not None
    assert view.subscription.waiting is not None
    assert view.subscription.waiting.held is not None
    desk.resume(view)
    desk.resume(desk.account(free))
    resumed = desk.account(account).subscription
    assert resumed is not None
    assert resumed.waiting is not None
    assert resumed.waiting.held is None


def test_an_account_is_found_by_name_number_and_id(service: Service, desk: Desk, open_account: OpenAccount) -> None:
    """And a name that is none is answered with the names there are."""
    account = open_account("1.00")
    for name in ("Account 1", "DD0000001", account):
        assert account == desk.find_account(name).id
    with pytest.raises(NotFound, match="Account 1"):
        desk.find_account("Alder")


def test_invest_cash_takes_its_cap(service: Service, desk: Desk, follow: Callable[[Portfolio], str]) -> None:
    """500 of 1,000 that came in: 300 and 200 (rules.md 5.5, 6.4)."""
    account = follow(model(service))
    assert desk.simulation is not None
    desk.simulation.deposit(account, Decimal(1000))
    shown = desk.preview(account, run_type=RunType.INVEST_CASH, amount=Decimal(500))
    assert [("SPY", Decimal(300)), ("TLT", Decimal(200))] == [
        (order.symbol, order.notional) for order in shown.plan.orders
    ]


def test_a_desk_on_the_system_s_clock_simulates_nothing(tmp_path: Path) -> None:
    """There a deposit or a step of the clock is not offered (architecture: one client)."""
    service = open_service(tmp_path / "real.db", simulated_feed(), system_clock=True)
    with connect_service(service, label="real") as desk:
        assert (Mode.REMOTE, None) == (desk.mode, desk.simulation)


def test_only_known_targets_are_connected_to() -> None:
    """A sentence that says what there is."""
    with pytest.raises(InputError, match="'embedded' or the http"):
        connect("somewhere")
