"""Subscriptions: the first run, deletion, adjustment, pages (rules.md 2.6-2.8).

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import update

from driftdesk.backend.service import Service
from driftdesk.backend.store.tables import accounts
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError, NotFound, StateError
from driftdesk.wire.portfolios import Portfolio, UpdatePortfolio
from driftdesk.wire.runs import Run
from driftdesk.wire.simulation import Deposit, SetAsset, SetPrices
from driftdesk.wire.subscriptions import CreateSubscription, Subscription, Waiting

CreateModel = Callable[..., Portfolio]
OpenAccount = Callable[..., str]
PassTime = Callable[..., None]
SIXTY_FORTY = {"SPY": "60", "TLT": "40"}


def march(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK)


def subscribe(service: Service, account: str, portfolio: Portfolio) -> Subscription:
    return service.create_subscription(CreateSubscription(account_id=account, portfolio_id=portfolio.id))


def waiting(service: Service, subscription: Subscription) -> Waiting:
    found = service.get_subscription(subscription.id).waiting
    assert found is not None
    return found


def runs(service: Service, account: str) -> list[Run]:
    """The account's runs, oldest first."""
    return list(reversed(service.list_runs(account_id=account).runs))


def test_a_subscription_queues_a_system_run_with_its_decision(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel
) -> None:
    """QUEUED at once; the decision that explains it carries its id (rules.md 2.6, 5.8)."""
    account = open_account("10000.00")
    portfolio = create_portfolio(SIXTY_FORTY, name="Calm")
    subscribe(service, account, portfolio)
    (run,) = runs(service, account)
    assert ("system", "full_rebalance", "QUEUED") == (run.initiated_from, run.type, run.status)
    (made,) = service.list_decisions(account_id=account).decisions
    assert (run.id, "run", "2026-03-11", portfolio.id) == (made.run_id, made.outcome, made.session, made.portfolio_id)
    assert [("subscription_created", "The account was subscribed to Calm.")] == [
        (trigger.kind, trigger.text) for trigger in made.triggers
    ]


def test_the_first_run_is_answered_when_it_completes(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel, pass_time: PassTime
) -> None:
    """It waits as a flag until then, so that a failure would be made up for (rules.md 2.6)."""
    subscription = subscribe(service, open_account("10000.00"), create_portfolio(SIXTY_FORTY))
    assert waiting(service, subscription).subscription_created
    pass_time(minutes=1)
    assert not waiting(service, subscription).subscription_created
    assert service.get_subscription(subscription.id).last_rebalanced_at is not None


def test_without_equity_the_first_run_waits_for_a_deposit(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel, pass_time: PassTime
) -> None:
    """Nothing for two sessions, told why; money on Friday at 11:00 is invested at 11:00 (rules.md 2.6)."""
    account = open_account("0.00")
    subscription = subscribe(service, account, create_portfolio(SIXTY_FORTY, bands=(("absolute", "5"),)))
    pass_time(to=march(13, 11))
    assert [] == runs(service, account)
    assert waiting(service, subscription).subscription_created
    assert ["no_equity"] == [block.kind for block in service.list_decisions().decisions[0].blocks]
    service.deposit(Deposit(account_id=account, amount=Decimal(500)))
    pass_time(minutes=1)
    (run,) = runs(service, account)
    assert ("full_rebalance", "COMPLETED_SUCCESS", march(13, 11)) == (run.type, run.status, run.created_at)


@pytest.mark.parametrize(
    ("created", "started"),
    [
        pytest.param(march(11, 15, 50), march(12, 9, 30), id="after the last permitted instant"),
        pytest.param(march(11, 17), march(12, 9, 30), id="after the close"),
        pytest.param(march(14, 12), march(16, 9, 30), id="on a Saturday"),
    ],
)
def test_a_first_run_of_the_evening_is_the_next_session_s_automatic_run(
    service: Service,
    create_portfolio: CreateModel,
    open_account: OpenAccount,
    pass_time: PassTime,
    created: datetime,
    started: datetime,
) -> None:
    """It runs at the next open; a breach at 15:30 of that day waits for the day after (rules.md 5.1, 5.3)."""
    account = open_account("10000.00")
    pass_time(to=created)
    subscribe(service, account, create_portfolio(SIXTY_FORTY, bands=(("absolute", "5"),)))
    assert f"{started:%Y-%m-%d}" == service.list_decisions().decisions[0].session
    pass_time(to=started.replace(hour=12))
    service.set_prices(SetPrices(prices={"SPY": Decimal(150)}))
    pass_time(to=started.replace(hour=17))
    (run,) = runs(service, account)
    assert started == next(event.at for event in service.get_run(run.id).events if event.status == "IN_PROGRESS")
    assert ["once_a_session"] == [block.kind for block in service.list_decisions().decisions[0].blocks]


def test_one_subscription_an_account(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel
) -> None:
    """A second one is refused while the first lives, and allowed after its deletion (rules.md 2.6)."""
    account, portfolio = open_account("0.00"), create_portfolio(SIXTY_FORTY)
    first = subscribe(service, account, portfolio)
    with pytest.raises(StateError, match="has an active subscription already"):
        subscribe(service, account, portfolio)
    service.delete_subscription(first.id)
    assert first.id != subscribe(service, account, portfolio).id


def test_only_an_active_account_subscribes(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel
) -> None:
    """One that is closed is refused by name (rules.md 2.6)."""
    account = open_account("100.00")
    with service.world.database.write() as connection:
        connection.execute(update(accounts).where(accounts.c.id == account).values(status="ACCOUNT_CLOSED"))
    with pytest.raises(StateError, match="is ACCOUNT_CLOSED"):
        subscribe(service, account, create_portfolio(SIXTY_FORTY))


def test_deleting_a_subscription_cancels_its_queued_run(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel, pass_time: PassTime
) -> None:
    """With a reason; the account is not evaluated any more, and the subscription is gone (rules.md 2.6)."""
    account = open_account("10000.00")
    subscription = subscribe(service, account, create_portfolio(SIXTY_FORTY))
    service.delete_subscription(subscription.id)
    pass_time(to=march(12, 17))
    (run,) = runs(service, account)
    assert ("CANCELED", "The subscription was deleted.") == (run.status, run.reason)
    assert 1 == len(service.list_decisions().decisions)
    assert () == service.list_subscriptions().subscriptions
    for act in (service.get_subscription, service.resume_subscription):
        with pytest.raises(NotFound):
            act(subscription.id)
    with pytest.raises(StateError):
        service.delete_subscription(subscription.id)


def test_a_run_in_progress_finishes_after_the_deletion(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel, pass_time: PassTime
) -> None:
    """Deleted between the sending and the fills (rules.md 2.6)."""
    account = open_account("10000.00")
    subscription = subscribe(service, account, create_portfolio(SIXTY_FORTY))
    pass_time(seconds=0)
    assert "IN_PROGRESS" == runs(service, account)[0].status
    service.delete_subscription(subscription.id)
    pass_time(minutes=1)
    (run,) = runs(service, account)
    assert ("COMPLETED_SUCCESS", 2) == (run.status, len(run.orders))


def test_a_lost_asset_cancels_queued_runs_until_the_weights_are_good_again(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel, pass_time: PassTime
) -> None:
    """TLT cannot be traded on the 11th at 17:00: the first run is canceled and none is created on the 12th.

    Tradable again and the same weights sent on the 13th at 11:00: it runs at once (rules.md 2.7).
    """
    account = open_account("10000.00")
    pass_time(to=march(11, 17))
    portfolio = create_portfolio(SIXTY_FORTY)
    subscribe(service, account, portfolio)
    service.set_asset(SetAsset(symbol="TLT", tradable=False))
    (run,) = runs(service, account)
    assert ("CANCELED", "TLT can no longer be traded; the portfolio needs adjustment.") == (run.status, run.reason)
    pass_time(to=march(13, 11))
    assert 1 == len(runs(service, account))
    blocks = [block.kind for block in service.list_decisions().decisions[0].blocks]
    assert "needs_adjustment" == blocks[0]
    service.set_asset(SetAsset(symbol="TLT", tradable=True))
    assert "needs_adjustment" == service.get_portfolio(portfolio.id).status
    service.update_portfolio(portfolio.id, UpdatePortfolio(weights=portfolio.weights))
    pass_time(minutes=1)
    assert [("CANCELED", march(11, 17)), ("COMPLETED_SUCCESS", march(13, 11))] == [
        (run.status, run.created_at) for run in runs(service, account)
    ]


def test_subscriptions_come_in_pages(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel
) -> None:
    """Five in pages of two: 2, 2, 1 and then null, each exactly once (rules.md 2.8)."""
    portfolio = create_portfolio(SIXTY_FORTY)
    made = {subscribe(service, open_account("0.00"), portfolio).id for _ in range(5)}
    sizes, seen, token = [], [], None
    while True:
        page = service.list_subscriptions(limit=2, page_token=token)
        sizes.append(len(page.subscriptions))
        seen += [subscription.id for subscription in page.subscriptions]
        if page.next_page_token is None:
            break
        token = str(page.next_page_token)
    assert [2, 2, 1] == sizes
    assert sorted(made) == sorted(seen)


@pytest.mark.parametrize("token", ["nonsense", "LTE=", "é", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_a_page_token_that_is_not_ours_is_refused(service: Service, token: str) -> None:
    """Not a number, a negative one (-1), not ASCII, one that no list reaches."""
    for read in (service.list_subscriptions, service.list_runs, service.list_decisions):
        with pytest.raises(InputError, match="page_token"):
            read(page_token=token)


def test_subscriptions_are_found_by_account_and_portfolio(
    service: Service, open_account: OpenAccount, create_portfolio: CreateModel
) -> None:
    """Both filters together (rules.md 2.8)."""
    first, second = create_portfolio(SIXTY_FORTY), create_portfolio(SIXTY_FORTY)
    alder, birch = open_account("0.00"), open_account("0.00")
    one, two = subscribe(service, alder, first), subscribe(service, birch, second)
    found = service.list_subscriptions
    assert (one,) == found(account_id=alder).subscriptions
    assert (two,) == found(portfolio_id=second.id).subscriptions
    assert () == found(account_id=alder, portfolio_id=second.id).subscriptions
