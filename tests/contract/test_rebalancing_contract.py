"""What every backend promises, asked through the client: portfolios, subscriptions, runs, decisions (seed 000).

One suite for all transports; expected values follow from rules.md, not from the code.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from driftdesk.backend.service import Service
from driftdesk.client import Client
from driftdesk.engine.planner import PlanRequest
from driftdesk.engine.preview import preview
from driftdesk.engine.snapshot import CASH, Symbol
from driftdesk.engine.targets import Targets
from driftdesk.errors import BackendNotFound, Rejected
from driftdesk.translate import Held, Market, from_planned, from_weights, to_snapshot, to_targets
from driftdesk.wire.accounts import Account
from driftdesk.wire.base import NIL_UUID
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Portfolio, UpdatePortfolio, Weight
from driftdesk.wire.runs import CreateRun, Run, RunStatus

UNKNOWN = "99999999-9999-4999-8999-999999999999"
# Monday 3 March 2025 closes at 16:00 in New York.
CLOSE = datetime(2025, 3, 3, 21, tzinfo=UTC)


def weights(text: str) -> tuple[Weight, ...]:
    """``cash 5 | SPY 60 | TLT 35``: weights in percent."""
    pairs = [part.split() for part in text.split("|")]
    return tuple(
        Weight(type="cash", percent=Decimal(percent))
        if name == "cash"
        else Weight(type="asset", symbol=name, percent=Decimal(percent))
        for name, percent in pairs
    )


def balanced(client: Client, name: str = "Balanced", text: str = "cash 5 | SPY 60 | TLT 35") -> Portfolio:
    """A portfolio with a band of 5 points."""
    band = Condition(type="drift_band", sub_type="absolute", percent=Decimal(5))
    return client.portfolios.create(
        CreatePortfolio(name=name, weights=weights(text), cooldown_days=7, rebalance_conditions=(band,))
    )


def account(client: Client, cash: str = "10000") -> Account:
    """An account that holds nothing but cash."""
    return client.simulation.create_account("Alder", cash=Decimal(cash))


def view(client: Client, account_id: str, targets: Targets) -> tuple[Held, Market]:
    """What the backend tells about an account and its market."""
    positions = client.accounts.positions(account_id)
    symbols = {position.symbol for position in positions} | set(targets.symbols)
    held = Held(client.accounts.trading(account_id).cash, positions, client.orders.list(account_id))
    assets = {asset.symbol: asset for asset in client.market.assets()}
    return held, Market(client.market.clock(), client.market.latest_trades(symbols), assets)


def refused(call: Callable[[], object]) -> int | None:
    """The status with which the backend rejects `call`."""
    with pytest.raises(Rejected) as caught:
        call()
    assert caught.value.code is not None
    assert caught.value.request_id
    assert str(caught.value)
    return caught.value.status


# --- portfolios ---------------------------------------------------------------------------------------------------


def test_a_portfolio_comes_back_as_it_was_created(client: Client) -> None:
    """Weights in order, percents exact, conditions with a null day, active."""
    created = balanced(client)
    assert created == client.portfolios.get(created.id)
    assert ("Balanced", "", "active", 7) == (
        created.name,
        created.description,
        created.status,
        created.cooldown_days,
    )
    assert weights("cash 5 | SPY 60 | TLT 35") == created.weights
    assert (Condition(type="drift_band", sub_type="absolute", percent=Decimal(5)),) == created.rebalance_conditions


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("weights must sum to exactly 100.00 percent; they sum to 99.99", "cash 5 | SPY 94.99"),
        ("weights[1].percent", "cash 5 | SPY 95.001"),
        ("weights[1].percent", "cash 100 | SPY -1"),
        ("SPY", "SPY 50 | SPY 50"),
        ("NOSUCH", "NOSUCH 100"),
    ],
)
def test_a_portfolio_against_the_rules_is_422(client: Client, sentence: str, text: str) -> None:
    """Sum, decimals, sign, repetition, unknown symbol (rules.md 1.2, 2.1); the sentence says which."""
    with pytest.raises(Rejected) as caught:
        balanced(client, text=text)
    assert caught.value.status == 422
    assert sentence in str(caught.value)


def test_filters_of_the_portfolio_list_are_anded(client: Client) -> None:
    """Name by part and without regard to case, symbol, id (rules.md 2.8)."""
    first, second = balanced(client, "Growth"), balanced(client, "Growth and gold", "SPY 50 | GLD 50")
    assert {first.id, second.id} == {portfolio.id for portfolio in client.portfolios.list(name="gROWTH")}
    assert [second.id] == [portfolio.id for portfolio in client.portfolios.list(name="growth", symbol="GLD")]
    assert client.portfolios.list(name="growth", symbol="QQQ") == ()
    assert [first.id] == [portfolio.id for portfolio in client.portfolios.list(portfolio_id=first.id)]


def test_a_patch_changes_only_what_it_names(client: Client) -> None:
    """Description changed, weights kept; then weights changed, description kept (rules.md 2.4)."""
    created = balanced(client)
    client.portfolios.update(created.id, UpdatePortfolio(description="calm"))
    changed = client.portfolios.update(created.id, UpdatePortfolio(weights=weights("cash 10 | GLD 90")))
    assert ("calm", 7, weights("cash 10 | GLD 90")) == (changed.description, changed.cooldown_days, changed.weights)
    assert created.rebalance_conditions == changed.rebalance_conditions


def test_an_inactive_portfolio_is_hidden_and_cannot_be_used(client: Client) -> None:
    """Listed only when asked for, not to be subscribed to, not to be changed or deleted again (rules.md 2.5, 2.9)."""
    created = balanced(client)
    client.portfolios.inactivate(created.id)
    assert client.portfolios.list() == ()
    assert [created.id] == [portfolio.id for portfolio in client.portfolios.list(status="inactive")]
    assert refused(lambda: client.portfolios.inactivate(created.id)) == 422
    assert refused(lambda: client.portfolios.update(created.id, UpdatePortfolio(name="x"))) == 422
    assert refused(lambda: client.subscriptions.create(account(client).id, created.id)) == 422


def test_a_followed_portfolio_cannot_be_made_inactive(client: Client) -> None:
    """Until its last subscription is gone (rules.md 2.5)."""
    created = balanced(client)
    subscription = client.subscriptions.create(account(client).id, created.id)
    assert refused(lambda: client.portfolios.inactivate(created.id)) == 422
    client.subscriptions.delete(subscription.id)
    client.portfolios.inactivate(created.id)
    assert client.portfolios.get(created.id).status == "inactive"


# --- unknown ids --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda client: client.portfolios.get(UNKNOWN), id="portfolio"),
        pytest.param(lambda client: client.portfolios.update(UNKNOWN, UpdatePortfolio(name="x")), id="patch"),
        pytest.param(lambda client: client.subscriptions.get(UNKNOWN), id="subscription"),
        pytest.param(lambda client: client.runs.get(UNKNOWN), id="run"),
        pytest.param(lambda client: client.accounts.get(UNKNOWN), id="account"),
        pytest.param(lambda client: client.accounts.trading(UNKNOWN), id="money"),
        pytest.param(lambda client: client.accounts.positions(UNKNOWN), id="positions"),
        pytest.param(lambda client: client.orders.list(UNKNOWN), id="orders"),
        pytest.param(lambda client: client.accounts.equity_history(UNKNOWN), id="history"),
        pytest.param(lambda client: client.market.asset("NOSUCH"), id="asset"),
    ],
)
def test_what_does_not_exist_is_404_to_read_or_change(client: Client, read: Callable[[Client], object]) -> None:
    """GET and PATCH (rules.md 2.9)."""
    with pytest.raises(BackendNotFound):
        read(client)


def test_deleting_an_unknown_subscription_or_a_malformed_portfolio_is_422(client: Client) -> None:
    """The seed's and the documentation's exceptions (rules.md 2.9)."""
    assert refused(lambda: client.subscriptions.delete(UNKNOWN)) == 422
    assert refused(lambda: client.portfolios.inactivate("not-a-uuid")) == 422


# --- subscriptions ------------------------------------------------------------------------------------------------


def test_an_account_follows_one_portfolio_at_a_time(client: Client) -> None:
    """A second subscription is refused, also to the same portfolio; after deletion it is allowed (rules.md 2.6)."""
    first, second, alder = balanced(client, "One"), balanced(client, "Two"), account(client)
    subscription = client.subscriptions.create(alder.id, first.id)
    assert refused(lambda: client.subscriptions.create(alder.id, second.id)) == 422
    assert refused(lambda: client.subscriptions.create(alder.id, first.id)) == 422
    client.subscriptions.delete(subscription.id)
    assert second.id == client.subscriptions.create(alder.id, second.id).portfolio_id
    assert [second.id] == [found.portfolio_id for found in client.subscriptions.list(account_id=alder.id)]


def test_a_new_subscription_is_rebalanced_by_the_system(client: Client) -> None:
    """A system run of the portfolio's weights is queued at once (rules.md 2.6) and completes when the clock moves."""
    followed, alder = balanced(client), account(client)
    subscription = client.subscriptions.create(alder.id, followed.id)
    (run,) = client.runs.list(account_id=alder.id)
    assert ("system", followed.id, followed.weights) == (run.initiated_from, run.portfolio_id, run.weights)
    client.simulation.advance(to=CLOSE)
    assert client.runs.get(run.id).status == RunStatus.COMPLETED_SUCCESS
    assert client.subscriptions.get(subscription.id).last_rebalanced_at is not None


def test_a_canceled_system_run_holds_the_account_until_it_is_resumed(client: Client) -> None:
    """A person who cancels an automatic run is not overruled by the next one (rules.md 5.7)."""
    followed, alder = balanced(client), account(client)
    subscription = client.subscriptions.create(alder.id, followed.id)
    (run,) = client.runs.list(account_id=alder.id)
    client.runs.cancel(run.id)
    held = client.subscriptions.get(subscription.id).waiting
    assert held is not None
    assert held.held == "A person canceled an automatic run; resume when ready."
    resumed = client.subscriptions.resume(subscription.id).waiting
    assert resumed is not None
    assert resumed.held is None


def test_subscriptions_come_in_pages(client: Client) -> None:
    """Three of them with at most two wanted, and all when nothing is said."""
    followed = balanced(client)
    made = {client.subscriptions.create(account(client).id, followed.id).id for _ in range(3)}
    assert made == {subscription.id for subscription in client.subscriptions.list(portfolio_id=followed.id)}
    assert len(client.subscriptions.list(max_items=2)) == 2


# --- runs ---------------------------------------------------------------------------------------------------------


def previewed(client: Client, account_id: str, text: str) -> tuple[CreateRun, tuple[tuple[str, str, Decimal], ...]]:
    """The request that confirms a preview of those weights, and the orders that a person saw."""
    targets = to_targets(weights(text))
    held, market = view(client, account_id, targets)
    seen = preview(to_snapshot(account_id, held, market, targets.symbols), PlanRequest(targets))
    body = CreateRun(
        account_id=account_id,
        type="full_rebalance",
        weights=from_weights(targets),
        preview_hash=seen.hash,
        preview_orders=tuple(from_planned(order) for order in seen.plan.orders),
    )
    return body, tuple((order.symbol, order.side.value, order.notional) for order in seen.plan.orders)


def orders_of(run: Run) -> tuple[tuple[str, str, Decimal | None], ...]:
    return tuple((order.symbol, order.side, order.notional) for order in run.orders)


def test_a_confirmed_preview_becomes_exactly_its_orders(client: Client) -> None:
    """10,000.00 in cash, 60 and 35 percent: buys of 6,000.00 and 3,500.00, and 500.00 stay (rules.md 6.1, 6.6)."""
    alder = account(client)
    body, seen = previewed(client, alder.id, "cash 5 | SPY 60 | TLT 35")
    assert (("SPY", "buy", Decimal("6000.00")), ("TLT", "buy", Decimal("3500.00"))) == seen
    run = client.runs.create(body, "click")
    assert ("full_rebalance", "api", NIL_UUID) == (run.type, run.initiated_from, run.portfolio_id)
    client.simulation.advance(seconds=600)
    done = client.runs.get(run.id)
    assert done.status == RunStatus.COMPLETED_SUCCESS
    assert sorted(seen) == sorted(orders_of(done))
    assert {"filled"} == {order.status for order in done.orders}
    assert Decimal("500.00") == client.accounts.trading(alder.id).cash


def test_a_filled_order_bought_the_floored_quantity(client: Client) -> None:
    """notional / price, floored to nine decimals, is what the position holds (rules.md 1.3)."""
    alder = account(client)
    run = client.runs.create(CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100")))
    client.simulation.advance(seconds=600)
    (order,) = client.runs.get(run.id).orders
    assert order.notional is not None
    assert order.filled_qty is not None
    assert order.filled_avg_price is not None
    (position,) = client.accounts.positions(alder.id)
    assert order.filled_qty == position.qty
    step = Decimal("0.000000001")
    assert order.filled_qty * order.filled_avg_price <= order.notional
    assert (order.filled_qty + step) * order.filled_avg_price > order.notional


def test_rebalancing_again_at_the_same_prices_sends_nothing(client: Client) -> None:
    """The plan right after the fills is empty (rules.md 6.5), and the run says so (rules.md 7.3)."""
    alder = account(client)
    for _ in range(2):
        body, seen = previewed(client, alder.id, "cash 5 | SPY 60 | TLT 35")
        run = client.runs.create(body)
        client.simulation.advance(seconds=600)
    done = client.runs.get(run.id)
    assert ((), ()) == (seen, done.orders)
    assert done.status == RunStatus.COMPLETED_SUCCESS
    assert done.reason


def test_three_clicks_make_one_run(client: Client) -> None:
    """The same key and body give the same run; another body under the key is 422 (rules.md 2.10)."""
    alder = account(client)
    body = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100"))
    runs = [client.runs.create(body, "click") for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    assert len(client.runs.list(account_id=alder.id)) == 1
    other = body.model_copy(update={"weights": weights("TLT 100")})
    assert refused(lambda: client.runs.create(other, "click")) == 422


def test_clicks_at_the_same_moment_make_one_run(client: Client) -> None:
    """Three threads, one key."""
    alder = account(client)
    body = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100"))
    made: list[str] = []
    clicks = [threading.Thread(target=lambda: made.append(client.runs.create(body, "click").id)) for _ in range(3)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert (3, 1) == (len(made), len(set(made)))


def test_a_refused_request_leaves_its_key_free(client: Client) -> None:
    """A run that was refused can be asked for again under the same key once it is allowed."""
    alder = account(client)
    body = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100"))
    first = client.runs.create(body)
    assert refused(lambda: client.runs.create(body, "click")) == 422
    client.runs.cancel(first.id)
    assert client.runs.create(body, "click").status == RunStatus.QUEUED


def test_one_open_run_per_account(client: Client) -> None:
    """A second is 422 until the first is over (rules.md 5.4)."""
    alder = account(client)
    body = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100"))
    client.runs.create(body)
    assert refused(lambda: client.runs.create(body)) == 422
    client.simulation.advance(seconds=600)
    assert client.runs.create(body).status == RunStatus.QUEUED


def test_who_may_create_which_run(client: Client) -> None:
    """With weights only without a subscription, without weights only with one (rules.md 5.5)."""
    alder, birch = account(client), account(client)
    client.subscriptions.create(alder.id, balanced(client).id)
    client.simulation.advance(to=CLOSE)
    one_off = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100"))
    assert refused(lambda: client.runs.create(one_off)) == 422
    assert refused(lambda: client.runs.create(CreateRun(account_id=birch.id, type="full_rebalance"))) == 422
    own = client.runs.create(CreateRun(account_id=alder.id, type="full_rebalance", weights=()))
    assert "api" == own.initiated_from


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"type": "partial_liquidation"}, id="type"),
        pytest.param({"type": "full_rebalance", "amount": Decimal(5)}, id="amount with full_rebalance"),
        pytest.param({"type": "invest_cash", "amount": Decimal("0.001")}, id="amount in tenths of a cent"),
        pytest.param({"type": "invest_cash", "amount": Decimal(0)}, id="amount of nothing"),
        pytest.param({"type": "full_rebalance", "weights": weights("SPY 99.99")}, id="sum"),
    ],
)
def test_a_run_against_the_rules_is_422(client: Client, body: dict[str, object]) -> None:
    """Kinds and amounts (rules.md 5.5)."""
    request = CreateRun.model_validate({"account_id": account(client).id, "weights": weights("SPY 100")} | body)
    assert refused(lambda: client.runs.create(request)) == 422


def test_a_preview_that_moved_is_409(client: Client) -> None:
    """A tenth more cash moves every order by a tenth, more than the five percent allowed (rules.md 6.6)."""
    alder = account(client)
    body, _ = previewed(client, alder.id, "SPY 60 | TLT 40")
    client.simulation.deposit(alder.id, Decimal(1000))
    assert refused(lambda: client.runs.create(body)) == 409
    assert client.runs.list(account_id=alder.id) == ()


def test_a_preview_that_moved_a_little_goes_ahead(client: Client) -> None:
    """One percent more cash keeps sides and stays within five percent (rules.md 6.6)."""
    alder = account(client)
    body, _ = previewed(client, alder.id, "SPY 60 | TLT 40")
    client.simulation.deposit(alder.id, Decimal(100))
    run = client.runs.create(body)
    client.simulation.advance(seconds=600)
    assert client.runs.get(run.id).status == RunStatus.COMPLETED_SUCCESS


def test_a_queued_run_is_canceled_and_canceled_again(client: Client) -> None:
    """204 both times; nothing was traded; a completed run is 422 (rules.md 7.4)."""
    alder = account(client)
    body = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100"))
    run = client.runs.create(body)
    client.runs.cancel(run.id)
    client.runs.cancel(run.id)
    client.simulation.advance(seconds=600)
    canceled = client.runs.get(run.id)
    assert (RunStatus.CANCELED, ()) == (canceled.status, canceled.orders)
    assert canceled.canceled_at is not None
    done = client.runs.create(body)
    client.simulation.advance(seconds=600)
    assert refused(lambda: client.runs.cancel(done.id)) == 422


def test_a_run_outside_the_window_waits_for_the_next_session(client: Client) -> None:
    """Created after the close, QUEUED over night, done after the next open (rules.md 5.3)."""
    alder = account(client)
    client.simulation.advance(to=CLOSE)
    body = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 100"))
    run = client.runs.create(body)
    client.simulation.advance(seconds=3600)
    assert client.runs.get(run.id).status == RunStatus.QUEUED
    client.simulation.advance(to=client.market.clock().next_close)
    assert client.runs.get(run.id).status == RunStatus.COMPLETED_SUCCESS


def test_small_orders_are_skipped_with_the_seeds_reason(client: Client) -> None:
    """50.00 in cash: one percent is 0.50, below 1.00 (rules.md 6.3)."""
    alder = account(client, "50")
    body = CreateRun(account_id=alder.id, type="full_rebalance", weights=weights("SPY 99 | TLT 1"))
    run = client.runs.create(body)
    client.simulation.advance(seconds=600)
    (skipped,) = client.runs.get(run.id).skipped_orders
    assert ("TLT", "buy", Decimal("0.5"), "ORDER_LESS_THAN_MIN_NOTIONAL") == (
        skipped.symbol,
        skipped.side,
        skipped.notional,
        skipped.reason,
    )


def test_runs_are_listed_newest_first_in_pages_and_by_filter(client: Client) -> None:
    """Three accounts, three runs, pages of two; the filters are ANDed (rules.md 2.8)."""
    runs = []
    for _ in range(3):
        body = CreateRun(account_id=account(client).id, type="invest_cash", weights=weights("SPY 100"))
        runs.append(client.runs.create(body))
    client.runs.cancel(runs[0].id)
    newest_first = [run.id for run in reversed(runs)]
    page = client.runs.page(limit=2)
    assert newest_first[:2] == [run.id for run in page.runs]
    last = client.runs.page(limit=2, page_token=page.next_page_token)
    assert (newest_first[2:], None) == ([run.id for run in last.runs], last.next_page_token)
    assert newest_first == [run.id for run in client.runs.list()]
    assert [runs[0].id] == [run.id for run in client.runs.list(status="CANCELED", run_type="invest_cash")]
    assert client.runs.list(status="CANCELED", account_id=runs[1].account_id) == ()


def test_a_run_that_appears_between_two_pages_repeats_none(client: Client) -> None:
    """A page ends at a run, not at a number of runs (rules.md 2.8)."""
    first, second = (
        client.runs.create(CreateRun(account_id=account(client).id, type="full_rebalance", weights=weights("SPY 100")))
        for _ in range(2)
    )
    page = client.runs.page(limit=1)
    client.runs.create(CreateRun(account_id=account(client).id, type="full_rebalance", weights=weights("SPY 100")))
    rest = client.runs.page(limit=1, page_token=page.next_page_token)
    assert [second.id, first.id] == [run.id for run in (*page.runs, *rest.runs)]


def test_saving_a_portfolio_warns_of_days_that_its_own_cooldown_loses(client: Client) -> None:
    """Every Wednesday with 10 days of cooldown: each second of 104 is lost; none is a holiday (rules.md 5.2)."""
    weekly = Condition(type="calendar", sub_type="weekly", day="Wednesday")
    body = CreatePortfolio(name="Weekly", weights=weights("SPY 100"), cooldown_days=10, rebalance_conditions=(weekly,))
    (warning,) = client.portfolios.create(body).warnings
    assert "loses 52 of the portfolio's own calendar days, the first on 2025-03-12" in warning
    assert client.portfolios.create(body.model_copy(update={"cooldown_days": 7})).warnings == ()


def test_every_evaluation_leaves_a_decision(client: Client) -> None:
    """A subscribed account is evaluated once in the session, and the decision can be found (rules.md 5.8)."""
    alder = account(client)
    client.subscriptions.create(alder.id, balanced(client).id)
    client.simulation.advance(to=CLOSE)
    decisions = client.decisions.list(account_id=alder.id, session="2025-03-03")
    assert decisions
    assert {alder.id} == {decision.account_id for decision in decisions}
    assert all(decision.summary for decision in decisions)
    assert client.decisions.list(account_id=alder.id, session="2025-03-02") == ()


# --- accounts, market, simulation ---------------------------------------------------------------------------------


def test_client_and_backend_see_the_same_snapshot(client: Client, service: Service) -> None:
    """What the client builds from answers equals what the backend builds from its store: also the hash of a plan."""
    alder = client.simulation.create_account(
        "Alder", cash=Decimal("1234.56"), positions={"TLT": Decimal("10.123456789"), "GLD": Decimal(3)}
    )
    targets = to_targets(weights("cash 5 | SPY 60 | TLT 35"))
    held, market = view(client, alder.id, targets)
    from_answers = to_snapshot(alder.id, held, market, [*targets.symbols, CASH])
    with service.world.database.read() as connection:
        now = service.world.market(connection, service.world.now())
        from_store = service.world.snapshot(connection, alder.id, targets.symbols, now)
    assert from_store == from_answers
    assert preview(from_store, PlanRequest(targets)).hash == preview(from_answers, PlanRequest(targets)).hash


def test_money_of_an_account_adds_up(client: Client) -> None:
    """Equity is cash plus positions at their price; the bulk answer says the same as the single ones."""
    alder = client.simulation.create_account("Alder", cash=Decimal("100.00"), positions={"SPY": Decimal(2)})
    client.simulation.set_prices({"SPY": Decimal("500.25")})
    trading = client.accounts.trading(alder.id)
    assert (Decimal("100.00"), Decimal("1100.50")) == (trading.cash, trading.equity)
    bulk = client.accounts.all_positions()
    assert client.accounts.positions(alder.id) == bulk.positions[alder.id]
    assert Decimal("100.00") == bulk.cash[alder.id]
    assert client.accounts.position(alder.id, "SPY").qty == 2
    with pytest.raises(BackendNotFound):
        client.accounts.position(alder.id, "TLT")
    assert [alder.id] == [listed.id for listed in client.accounts.list()]


def test_the_clock_knows_its_session(client: Client) -> None:
    """Monday 10:00 in New York: open, closing at 16:00, opening again on Tuesday at 9:30."""
    clock = client.market.clock()
    assert (True, CLOSE, datetime(2025, 3, 4, 14, 30, tzinfo=UTC), True) == (
        clock.is_open,
        clock.next_close,
        clock.next_open,
        clock.simulated,
    )


def test_the_calendar_knows_holidays_and_early_closes(client: Client) -> None:
    """3 July 2025 ends at 13:00, the 4th is closed, the 5th and 6th are a weekend."""
    days = client.market.calendar(datetime(2025, 7, 3).date(), datetime(2025, 7, 7).date())  # noqa: DTZ001 - dates only
    assert [("2025-07-03", "09:30", "13:00"), ("2025-07-07", "09:30", "16:00")] == [
        (day.date, day.open, day.close) for day in days
    ]


def test_a_price_set_by_hand_holds_until_it_is_returned(client: Client) -> None:
    """Null gives the symbol back to the feed."""

    def price() -> Decimal:
        return client.market.latest_trades(["SPY"])["SPY"].p

    before = price()
    client.simulation.set_prices({"SPY": Decimal("123.4567")})
    assert Decimal("123.4567") == price()
    client.simulation.set_prices({"SPY": None})
    assert before == price()
    assert refused(lambda: client.simulation.set_prices({"NOSUCH": Decimal(1)})) == 422


def test_an_asset_that_can_no_longer_be_traded_needs_an_adjustment(client: Client) -> None:
    """Its portfolios say so (rules.md 2.7)."""
    followed = balanced(client)
    assert not client.simulation.set_asset("TLT", tradable=False).tradable
    assert client.portfolios.get(followed.id).status == "needs_adjustment"
    healed = client.portfolios.update(followed.id, UpdatePortfolio(weights=weights("SPY 100")))
    assert healed.status == "active"


def test_the_clock_only_moves_forward(client: Client) -> None:
    """Each call reaches its target; progress ends at one; an earlier instant changes nothing (rules.md 11)."""
    told: list[float] = []
    moved = client.simulation.advance(seconds=90, progress=lambda share, now: told.append(share))
    start = datetime(2025, 3, 3, 15, tzinfo=UTC)
    assert (datetime(2025, 3, 3, 15, 1, 30, tzinfo=UTC), True, 1.0) == (moved.now, moved.done, told[-1])
    client.simulation.advance(to=start)
    assert moved.now == client.market.clock().timestamp


def test_symbols_without_a_price_are_left_out(client: Client) -> None:
    """An unknown symbol is no error among known ones."""
    assert {Symbol("SPY")} == set(client.market.latest_trades(["SPY", "NOSUCH"]))
