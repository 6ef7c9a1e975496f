"""When accounts are evaluated and what comes of it, session by session (rules.md 2.4, 5.1, 5.2, 5.6-5.8).

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50. 10,000 USD at 60/40 are 60 SPY and 80 TLT.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from conftest import simulated_feed
from sqlalchemy import Connection

from driftdesk.backend.clock import SimulatedClock
from driftdesk.backend.evaluation import Evaluator
from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.wire.decisions import Decision
from driftdesk.wire.portfolios import CreatePortfolio, Portfolio, UpdatePortfolio
from driftdesk.wire.runs import CreateRun, Run
from driftdesk.wire.simulation import Advance, Deposit, SetAsset, SetPrices
from driftdesk.wire.subscriptions import CreateSubscription, Subscription

BAND_OF_5 = {"type": "drift_band", "sub_type": "absolute", "percent": "5"}
BAND_OF_4 = {"type": "drift_band", "sub_type": "absolute", "percent": "4"}
FULL, INVEST = ("system", "full_rebalance"), ("system", "invest_cash")

PassTime = Callable[..., None]


def march(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of March 2026 in New York."""
    return datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK)


def weights(text: str) -> list[dict[str, str]]:
    """``SPY 60 | TLT 40`` as weights of the wire."""
    return [
        {"type": "asset", "symbol": symbol, "percent": percent}
        for symbol, percent in (part.split() for part in text.split("|"))
    ]


def model(service: Service, text: str = "SPY 60 | TLT 40", *conditions: dict[str, Any], cooldown: int = 0) -> Portfolio:
    body = {"name": "M", "weights": weights(text), "cooldown_days": cooldown, "rebalance_conditions": conditions}
    return service.create_portfolio(CreatePortfolio.model_validate(body))


def patch(service: Service, portfolio: Portfolio, **changes: Any) -> None:
    service.update_portfolio(portfolio.id, UpdatePortfolio.model_validate(changes))


def subscribe(service: Service, account: str, portfolio: Portfolio) -> Subscription:
    return service.create_subscription(CreateSubscription(account_id=account, portfolio_id=portfolio.id))


def price(service: Service, **prices: str) -> None:
    service.set_prices(SetPrices(prices={symbol: Decimal(text) for symbol, text in prices.items()}))


def runs(service: Service, account: str) -> list[Run]:
    """The account's runs, oldest first."""
    return list(reversed(service.list_runs(account_id=account).runs))


def starts(service: Service, account: str) -> list[str]:
    """When each run of the account was created, in New York, oldest first."""
    return [f"{run.created_at.astimezone(NEW_YORK):%d %H:%M}" for run in runs(service, account)]


def decisions(service: Service, account: str) -> list[Decision]:
    """The account's decisions, oldest first."""
    return list(reversed(service.list_decisions(account_id=account, limit=1000).decisions))


def told(service: Service, account: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Day, outcome and kinds of blocks of each decision, oldest first."""
    return [
        (made.session[-2:], made.outcome, tuple(block.kind for block in made.blocks))
        for made in decisions(service, account)
    ]


@pytest.fixture
def follow(service: Service, open_account: Callable[..., str], pass_time: PassTime) -> Callable[..., str]:
    """Open an account with 10,000 USD that follows a portfolio, rebalanced on the 11th at 10:00; its id."""

    def opener(portfolio: Portfolio) -> str:
        account = open_account("10000.00")
        subscribe(service, account, portfolio)
        pass_time(minutes=1)
        return account

    return opener


def test_a_breach_waits_for_the_end_of_the_cooldown(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Rebalanced on the 11th with 7 days of cooldown: SPY at 69% of 65 is held back and traded on the 18th (5.2)."""
    account = follow(model(service, "SPY 60 | TLT 40", BAND_OF_5, cooldown=7))
    pass_time(to=march(12, 10))
    price(service, SPY="150")
    pass_time(to=march(17, 17))
    assert ["11 10:00"] == starts(service, account)
    assert [
        ("11", "run", ()),
        ("11", "not_due", ()),
        ("12", "blocked", ("cooldown",)),
        ("13", "blocked", ("cooldown",)),
        ("16", "blocked", ("cooldown",)),
        ("17", "blocked", ("cooldown",)),
    ] == told(service, account)
    (block,) = decisions(service, account)[-1].blocks
    assert "2026-03-18" == block.until
    pass_time(to=march(18, 17))
    assert ["11 10:00", "18 15:30"] == starts(service, account)


def test_a_decision_names_what_fired_measured_and_limit(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """60 x 150 of 13,000 is 69.230769...%: 9.230770 points over 60, rounded up, against a band of 5 (rules.md 5.8)."""
    account = follow(model(service, "SPY 60 | TLT 40", BAND_OF_5))
    price(service, SPY="150")
    pass_time(to=march(12, 16))
    made = decisions(service, account)[-1]
    assert ("run", runs(service, account)[-1].id) == (made.outcome, made.run_id)
    assert [
        ("drift_band", "SPY", Decimal("9.230770"), Decimal(5)),
        ("drift_band", "TLT", Decimal("9.230770"), Decimal(5)),
    ] == sorted((it.kind, it.symbol, it.measured, it.limit) for it in made.triggers)


def test_changed_weights_wait_for_the_end_of_the_cooldown(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Changed and evaluated on the 12th at 10:00: blocked until the 18th, then run without a band (2.4, 5.2)."""
    portfolio = model(service, cooldown=7)
    account = follow(portfolio)
    pass_time(to=march(12, 10))
    patch(service, portfolio, weights=weights("SPY 50 | TLT 50"))
    pass_time(minutes=1)
    assert ("12", "blocked", ("cooldown",)) == told(service, account)[-1]
    pass_time(to=march(17, 17))
    assert ["11 10:00"] == starts(service, account)
    pass_time(to=march(18, 17))
    assert ["11 10:00", "18 15:30"] == starts(service, account)
    assert [("SPY", "sell", Decimal(1000)), ("TLT", "buy", Decimal(1000))] == [
        (order.symbol, order.side, order.notional) for order in runs(service, account)[-1].orders
    ]


def test_a_flag_survives_a_restart(
    service: Service, follow: Callable[..., str], pass_time: PassTime, open_account: Callable[..., str]
) -> None:
    """Weights changed after hours; another process opens the store and runs it at the next open (rules.md 2.4)."""
    portfolio = model(service)
    account = follow(portfolio)
    pass_time(to=march(11, 17))
    patch(service, portfolio, weights=weights("SPY 50 | TLT 50"))
    reopened = open_service(service.world.database.path, simulated_feed())
    reopened.advance(Advance(to=march(12, 9, 31)))
    assert ["11 10:00", "12 09:30"] == starts(reopened, account)
    reopened.close()


@pytest.mark.parametrize(
    ("changes", "orders"),
    [
        pytest.param([{"weights": "SPY 50 | TLT 50"}, {"weights": "SPY 40 | TLT 60"}], 2, id="two changes, one run"),
        pytest.param([{"weights": "TLT 40.00 | SPY 60.0"}], None, id="order and zeros are no change"),
        pytest.param([{"name": "N", "description": "d", "cooldown_days": 1}], None, id="words and cooldown"),
        pytest.param([{"rebalance_conditions": [BAND_OF_5]}], None, id="conditions evaluate, they do not trigger"),
    ],
)
def test_patches_merge_into_one_run(
    service: Service,
    follow: Callable[..., str],
    pass_time: PassTime,
    changes: list[dict[str, Any]],
    orders: int | None,
) -> None:
    """Only weights that really changed trigger, and several changes trigger once (rules.md 2.4)."""
    portfolio = model(service)
    account = follow(portfolio)
    pass_time(to=march(11, 17))
    for change in changes:
        sent = {name: weights(value) if name == "weights" else value for name, value in change.items()}
        patch(service, portfolio, **sent)
    pass_time(to=march(13, 17))
    later = runs(service, account)[1:]
    assert ([] if orders is None else [orders]) == [len(run.orders) for run in later]


def test_changed_conditions_are_evaluated_at_the_next_open(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """A band set on Wednesday night finds its breach on Thursday at 09:30, not at 15:30 (rules.md 2.4, 5.1)."""
    portfolio = model(service)
    account = follow(portfolio)
    pass_time(to=march(11, 17))
    price(service, SPY="150")
    patch(service, portfolio, rebalance_conditions=[BAND_OF_5])
    pass_time(to=march(12, 9, 31))
    assert ["11 10:00", "12 09:30"] == starts(service, account)


def test_changed_conditions_alone_are_no_trigger(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """They only bring the evaluation forward: an account inside its new band is evaluated and left (rules.md 2.4)."""
    portfolio = model(service)
    account = follow(portfolio)
    pass_time(to=march(11, 17))
    patch(service, portfolio, rebalance_conditions=[BAND_OF_5])
    pass_time(to=march(12, 9, 31))
    assert ["11 10:00"] == starts(service, account)
    assert ("12", "not_due", ()) == told(service, account)[-1]


def test_a_deposit_leaves_the_flag_of_changed_conditions(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Money that comes in after the change must not put the evaluation off until 15:30 (rules.md 2.4)."""
    portfolio = model(service)
    account = follow(portfolio)
    pass_time(to=march(11, 17))
    price(service, SPY="150")
    patch(service, portfolio, rebalance_conditions=[BAND_OF_5])
    service.deposit(Deposit(account_id=account, amount=Decimal(10)))
    pass_time(to=march(12, 9, 31))
    assert ["11 10:00", "12 09:30"] == starts(service, account)


def test_a_calendar_day_inside_the_cooldown_is_lost(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Mondays, rebalanced on Wednesday the 11th: the 16th is lost and named, the 23rd is traded (rules.md 5.2)."""
    monday = {"type": "calendar", "sub_type": "weekly", "day": "Monday"}
    account = follow(model(service, "SPY 60 | TLT 40", monday, cooldown=7))
    price(service, SPY="110")
    pass_time(to=march(20, 17))
    assert ["11 10:00"] == starts(service, account)
    (lost,) = [made for made in decisions(service, account) if made.session == "2026-03-16"]
    assert "The calendar day 2026-03-16 fell inside the cooldown and is lost" in lost.blocks[0].text
    assert "the next one is due on 2026-03-23" in lost.blocks[0].text
    pass_time(to=march(23, 17))
    assert ["11 10:00", "23 15:30"] == starts(service, account)


def test_an_account_has_one_automatic_run_a_session(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Subscribed and run at 10:00, breached at 11:00: blocked on the 11th, run on the 12th (rules.md 5.1)."""
    account = follow(model(service, "SPY 60 | TLT 40", BAND_OF_5))
    price(service, SPY="150")
    pass_time(to=march(11, 17))
    assert ("11", "blocked", ("once_a_session",)) == told(service, account)[-1]
    pass_time(to=march(12, 17))
    assert ["11 10:00", "12 15:30"] == starts(service, account)


def test_a_run_by_request_ignores_cooldown_and_once_a_session(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Asked for a minute after the automatic one, inside 7 days of cooldown (rules.md 5.4)."""
    account = follow(model(service, "SPY 60 | TLT 40", BAND_OF_5, cooldown=7))
    price(service, SPY="150")
    run = service.create_run(CreateRun(account_id=account, type="full_rebalance"))
    pass_time(minutes=1)
    assert "COMPLETED_SUCCESS" == service.get_run(run.id).status


def test_missed_sessions_are_made_up_for_once(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Fridays the 13th and 20th pass with nobody there: one run on Monday the 23rd, for both (rules.md 5.1)."""
    friday = {"type": "calendar", "sub_type": "weekly", "day": "Friday"}
    account = follow(model(service, "SPY 60 | TLT 40", friday))
    pass_time(to=march(11, 17))
    price(service, SPY="110")
    clock = service.world.clock
    assert isinstance(clock, SimulatedClock)
    clock.move_to(march(23, 12))
    pass_time(to=march(24, 17))
    assert ["11 10:00", "23 15:30"] == starts(service, account)
    made = decisions(service, account)[2]
    assert ["2026-03-13", "2026-03-20"] == [trigger.nominal_date for trigger in made.triggers]


def test_an_account_is_held_after_three_errors_in_a_row(
    service: Service, open_account: Callable[..., str], pass_time: PassTime
) -> None:
    """Both assets halted from the 11th on: the first run fails and is made up for on the 12th and 13th, then no more.

    Resumed on the 16th at 17:00 it goes on at the next open (rules.md 2.6, 5.7).
    """
    for symbol in ("SPY", "TLT"):
        service.set_asset(SetAsset(symbol=symbol, halted=True))
    account = open_account("10000.00")
    subscription = subscribe(service, account, model(service))
    pass_time(to=march(16, 17))
    assert ["11 10:00", "12 15:30", "13 15:30"] == starts(service, account)
    assert {"ERROR"} == {run.status for run in runs(service, account)}
    assert ("16", "blocked", ("held",)) == told(service, account)[-1]
    for symbol in ("SPY", "TLT"):
        service.set_asset(SetAsset(symbol=symbol, halted=False))
    resumed = service.resume_subscription(subscription.id)
    assert resumed.waiting is not None
    assert resumed.waiting.held is None
    pass_time(to=march(17, 9, 31))
    assert "COMPLETED_SUCCESS" == runs(service, account)[-1].status


def test_an_account_is_held_after_three_timeouts_in_a_row(
    service: Service, open_account: Callable[..., str], pass_time: PassTime
) -> None:
    """Halted right after its orders were accepted, three sessions long (rules.md 5.7, 7.5)."""
    pass_time(to=march(11, 15, 30))
    account = open_account("10000.00")
    subscription = subscribe(service, account, model(service))
    for day in (11, 12, 13):
        pass_time(to=march(day, 15, 30))
        for halted in (True, False):
            for symbol in ("SPY", "TLT"):
                service.set_asset(SetAsset(symbol=symbol, halted=halted))
            if halted:
                pass_time(to=march(day, 16, 1))
    assert ["TIMEOUT"] * 3 == [run.status for run in runs(service, account)]
    waiting = service.get_subscription(subscription.id).waiting
    assert waiting is not None
    assert waiting.held == "3 automatic runs in a row failed; look at them and resume."


def test_a_canceled_automatic_run_holds_the_account(
    service: Service, open_account: Callable[..., str], pass_time: PassTime
) -> None:
    """Canceled by a person on the 11th: nothing on the 12th; resumed, the first run is made up for (rules.md 5.7)."""
    account = open_account("10000.00")
    subscription = subscribe(service, account, model(service))
    service.cancel_run(runs(service, account)[0].id)
    pass_time(to=march(12, 17))
    assert [("11", "run", ()), ("11", "blocked", ("held", "once_a_session")), ("12", "blocked", ("held",))] == told(
        service, account
    )
    service.resume_subscription(subscription.id)
    pass_time(to=march(13, 9, 31))
    assert ["CANCELED", "COMPLETED_SUCCESS"] == [run.status for run in runs(service, account)]


def test_there_is_one_decision_a_session_and_one_more_when_the_outcome_changes(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """On the 12th: evaluated at 10:00, 11:00 and 12:00 by changed bands, and at 15:30 (rules.md 5.8)."""
    portfolio = model(service, "SPY 60 | TLT 40", BAND_OF_5, cooldown=7)
    account = follow(portfolio)
    for hour, band in ((10, BAND_OF_4), (11, BAND_OF_5), (12, BAND_OF_4)):
        pass_time(to=march(12, hour))
        if hour == 12:
            price(service, SPY="150")
        patch(service, portfolio, rebalance_conditions=[band])
    pass_time(to=march(12, 17))
    assert [("12", "not_due", ()), ("12", "blocked", ("cooldown",))] == told(service, account)[2:]


def test_outcomes_that_change_to_and_fro_at_one_instant_are_all_kept(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """The simulated clock stands still at 10:00 while bands and prices change: three decisions, three ids."""
    portfolio = model(service, "SPY 60 | TLT 40", BAND_OF_5, cooldown=7)
    account = follow(portfolio)
    pass_time(to=march(12, 10))
    for spy, band in (("100", BAND_OF_4), ("150", BAND_OF_5), ("100", BAND_OF_4)):
        price(service, SPY=spy)
        patch(service, portfolio, rebalance_conditions=[band])
        pass_time(seconds=0)
    assert ["not_due", "blocked", "not_due"] == [outcome for day, outcome, _ in told(service, account) if day == "12"]
    assert {1} == set(Counter(made.id for made in decisions(service, account)).values())


def test_the_end_of_an_open_run_is_the_next_opportunity(
    service: Service, open_account: Callable[..., str], pass_time: PassTime
) -> None:
    """Subscribed while a one-off run is on its way: the first run follows when that ends, not at 15:30 (2.6, 5.1)."""
    account = open_account("10000.00")
    body = {"account_id": account, "type": "full_rebalance", "weights": weights("GLD 100")}
    service.create_run(CreateRun.model_validate(body))
    subscribe(service, account, model(service))
    assert 1 == len(runs(service, account))
    pass_time(minutes=1)
    assert ["api", "system"] == [run.initiated_from for run in runs(service, account)]
    assert ["SPY", "TLT"] == [position.symbol for position in service.positions(account)]
    assert [("11", "blocked"), ("11", "run")] == [(day, outcome) for day, outcome, _ in told(service, account)]
    assert "open_run" == decisions(service, account)[0].blocks[0].kind


def test_a_subscription_that_is_deleted_meanwhile_gets_no_run(
    service: Service, follow: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted by another thread just as the evaluation begins its transaction (rules.md 2.6)."""
    account = follow(model(service, "SPY 60 | TLT 40", BAND_OF_5))
    price(service, SPY="150")
    (subscription,) = service.list_subscriptions().subscriptions
    write, deleted = service.world.database.write, []

    @contextmanager
    def late() -> Iterator[Connection]:
        if not deleted:
            deleted.append(subscription.id)
            service.delete_subscription(subscription.id)
        with write() as connection:
            yield connection

    monkeypatch.setattr(service.world.database, "write", late)
    assert 0 == Evaluator(service.world).evaluate_due(march(12, 15, 30))
    assert [subscription.id] == deleted
    assert 1 == len(runs(service, account))


@pytest.mark.parametrize(
    ("deposit", "cooldown", "outcome"),
    [
        pytest.param("1000.00", 30, INVEST, id="a cooldown does not block it"),
        pytest.param("1.00", 30, None, id="no order reaches the minimum"),
        pytest.param("30000.00", 0, FULL, id="a breach wins"),
    ],
)
def test_what_comes_of_a_deposit(
    service: Service,
    follow: Callable[..., str],
    pass_time: PassTime,
    deposit: str,
    cooldown: int,
    outcome: tuple[str, str] | None,
) -> None:
    """1,000 into 10,000 is invested; 1.00 is 0.60 and 0.40, under the minimum; 30,000 breaches bands (rules.md 5.6)."""
    account = follow(model(service, "SPY 60 | TLT 40", BAND_OF_5, cooldown=cooldown))
    pass_time(to=march(12, 10))
    service.deposit(Deposit(account_id=account, amount=Decimal(deposit)))
    pass_time(to=march(12, 17))
    assert ([outcome] if outcome else []) == [(run.initiated_from, run.type) for run in runs(service, account)[1:]]


def waiting_inflow(service: Service) -> Decimal:
    (subscription,) = service.list_subscriptions().subscriptions
    assert subscription.waiting is not None
    return subscription.waiting.uninvested_inflow


def test_money_that_comes_in_while_a_run_is_on_its_way_still_waits(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """1,000 are in a plan; 500 come between its sells and its buys and wait for the next run (rules.md 5.6)."""
    account = follow(model(service))
    service.deposit(Deposit(account_id=account, amount=Decimal(1000)))
    price(service, SPY="150")
    service.create_run(CreateRun(account_id=account, type="full_rebalance"))
    pass_time(seconds=1)
    service.deposit(Deposit(account_id=account, amount=Decimal(500)))
    pass_time(minutes=1)
    assert Decimal(500) == waiting_inflow(service)
    pass_time(to=march(12, 17))
    assert Decimal(0) == waiting_inflow(service)
    assert INVEST == (runs(service, account)[-1].initiated_from, runs(service, account)[-1].type)


def test_a_run_with_a_cap_leaves_the_rest_waiting(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """1,000 came in and 100 of them were invested by request: 900 wait (rules.md 5.5, 5.6)."""
    account = follow(model(service))
    service.deposit(Deposit(account_id=account, amount=Decimal(1000)))
    service.create_run(CreateRun(account_id=account, type="invest_cash", amount=Decimal(100)))
    pass_time(minutes=1)
    assert Decimal(900) == waiting_inflow(service)


def test_a_withdrawal_takes_from_what_waits(service: Service, follow: Callable[..., str]) -> None:
    """1,000 came in and 1,000 left: nothing waits, and never less than nothing."""
    account = follow(model(service))
    for amount in (1000, -1000):
        service.deposit(Deposit(account_id=account, amount=Decimal(amount)))
    assert Decimal(0) == waiting_inflow(service)


def test_a_rebalance_by_request_answers_changed_weights(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Rebalanced to the new weights by a person: the next session has nothing left to do (rules.md 2.4)."""
    portfolio = model(service)
    account = follow(portfolio)
    patch(service, portfolio, weights=weights("SPY 50 | TLT 50"))
    service.create_run(CreateRun(account_id=account, type="full_rebalance"))
    pass_time(to=march(12, 10))
    price(service, SPY="101")
    pass_time(to=march(12, 17))
    assert ["system", "api"] == [run.initiated_from for run in runs(service, account)]


def test_weights_changed_during_a_run_wait_for_their_own(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """The run in progress goes on with the weights it was planned with; the new ones follow (rules.md 2.4, 7.2)."""
    portfolio = model(service)
    account = follow(portfolio)
    pass_time(to=march(12, 10))
    patch(service, portfolio, weights=weights("SPY 50 | TLT 50"))
    pass_time(seconds=1)
    patch(service, portfolio, weights=weights("SPY 40 | TLT 60"))
    pass_time(to=march(13, 17))
    assert [["50", "50"], ["40", "60"]] == [
        [str(weight.percent) for weight in run.weights] for run in runs(service, account)[1:]
    ]


def test_decisions_are_found_by_each_filter(service: Service, follow: Callable[..., str], pass_time: PassTime) -> None:
    """Account, portfolio, session and outcome, also together (rules.md 5.8: why is a query)."""
    account = follow(model(service))
    other = follow(model(service))
    pass_time(to=march(12, 17))
    found = service.list_decisions
    assert 3 == len(found(account_id=account).decisions)
    assert 2 == len(found(session=date(2026, 3, 12)).decisions)
    assert 2 == len(found(outcome="run").decisions)
    (one,) = found(account_id=other, outcome="not_due", session=date(2026, 3, 12)).decisions
    assert other == one.account_id
    assert 3 == len(found(portfolio_id=one.portfolio_id).decisions)


MONTHLY_12 = {"type": "calendar", "sub_type": "monthly", "day": "12"}


def test_a_calendar_day_waits_for_an_open_run(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """The 12th is due while a run hangs on a halted SPY; it times out, and the day is made up for on the 13th (5.2)."""
    account = follow(model(service, "SPY 60 | TLT 40", MONTHLY_12))
    pass_time(to=march(12, 15, 20))
    price(service, SPY="150")
    service.create_run(CreateRun(account_id=account, type="full_rebalance"))
    pass_time(seconds=0)
    service.set_asset(SetAsset(symbol="SPY", halted=True))
    pass_time(to=march(12, 17))
    # The run's own order holds the shares that there would be to sell.
    assert ("12", "blocked", ("open_run", "nothing_to_trade")) == told(service, account)[-1]
    service.set_asset(SetAsset(symbol="SPY", halted=False))
    pass_time(to=march(13, 17))
    (trigger,) = decisions(service, account)[-1].triggers
    assert ("calendar", "2026-03-12") == (trigger.kind, trigger.nominal_date)
    assert "13 15:30" == starts(service, account)[-1]


def test_a_calendar_day_that_was_served_is_neither_due_nor_lost(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Changed weights are traded at 10:00 on the 12th, its own calendar day: nothing is due at 15:30 (rules.md 5.8)."""
    portfolio = model(service, "SPY 60 | TLT 40", MONTHLY_12, cooldown=1)
    account = follow(portfolio)
    pass_time(to=march(12, 10))
    patch(service, portfolio, weights=weights("SPY 70 | TLT 30"))
    pass_time(to=march(12, 17))
    assert ["11 10:00", "12 10:00"] == starts(service, account)
    assert ("12", "not_due", ()) == told(service, account)[-1]


def test_a_new_subscription_makes_up_for_a_session_that_nobody_stepped(
    service: Service, open_account: Callable[..., str], pass_time: PassTime
) -> None:
    """Subscribed on the 11th and nobody there on the 12th, its calendar day: due on the 13th (rules.md 5.1)."""
    account = open_account("10000.00")
    subscribe(service, account, model(service, "SPY 60 | TLT 40", MONTHLY_12))
    pass_time(minutes=1)
    price(service, SPY="150")
    clock = service.world.clock
    assert isinstance(clock, SimulatedClock)
    clock.move_to(march(13, 9, 0))
    pass_time(to=march(13, 17))
    assert ["11 10:00", "13 15:30"] == starts(service, account)


def test_changed_weights_that_ask_for_nothing_are_served(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """Changed and changed back: once that is all there is to say, nothing is due any more (rules.md 2.4)."""
    portfolio = model(service)
    account = follow(portfolio)
    patch(service, portfolio, weights=weights("SPY 70 | TLT 30"))
    patch(service, portfolio, weights=weights("SPY 60 | TLT 40"))
    pass_time(to=march(13, 17))
    assert [
        ("11", "blocked", ("once_a_session", "nothing_to_trade")),
        ("12", "blocked", ("nothing_to_trade",)),
        ("13", "not_due", ()),
    ] == told(service, account)[-3:]


def test_money_that_comes_in_at_the_instant_a_run_starts_still_waits(
    service: Service, follow: Callable[..., str], pass_time: PassTime
) -> None:
    """5,000 arrive just after the run was planned, at the same instant of the clock (rules.md 5.6)."""
    account = follow(model(service))
    price(service, SPY="150")
    service.create_run(CreateRun(account_id=account, type="full_rebalance"))
    pass_time(seconds=0)
    service.deposit(Deposit(account_id=account, amount=Decimal("5000.00")))
    pass_time(minutes=1)
    waiting = service.list_subscriptions(account_id=account).subscriptions[0].waiting
    assert waiting is not None
    assert Decimal("5000.00") == waiting.uninvested_inflow
