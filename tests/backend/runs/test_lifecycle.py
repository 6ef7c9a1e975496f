"""Runs from start to end in a world with prices set by hand: SPY 100, TLT 50, GLD 200 (rules.md 7)."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from driftdesk.backend.service import Service
from driftdesk.engine.planner import PlanRequest
from driftdesk.engine.preview import preview
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import DataError, PreviewMoved, StateError
from driftdesk.translate import from_planned, to_targets
from driftdesk.wire.portfolios import Weight
from driftdesk.wire.runs import CreateRun, Run
from driftdesk.wire.simulation import Deposit, SetAsset, SetPrices
from driftdesk.wire.subscriptions import CreateSubscription

SPY_60_TLT_30 = (
    Weight(type="cash", percent=Decimal(10)),
    Weight(type="asset", symbol="SPY", percent=Decimal(60)),
    Weight(type="asset", symbol="TLT", percent=Decimal(30)),
)


def create(service: Service, account_id: str, **more: object) -> Run:
    body = {"account_id": account_id, "type": "full_rebalance", "weights": SPY_60_TLT_30, **more}
    return service.create_run(CreateRun.model_validate(body))


def statuses(run: Run) -> list[str]:
    """The statuses a run went through, repeats left out."""
    seen: list[str] = []
    for event in run.events:
        if not seen or seen[-1] != event.status:
            seen.append(event.status)
    return seen


def orders(run: Run) -> list[tuple[str, str, str]]:
    return [(order.side, order.symbol, str(order.filled_qty)) for order in run.orders]


def test_a_rebalance_sells_first_then_buys(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """1000 cash, 80 SPY at 100, 20 TLT at 50 are 10,000: sell 2,000 of SPY, buy 2,000 of TLT; cash stays 1,000."""
    account = open_account("1000.00", SPY="80", TLT="20")
    run = create(service, account)
    assert run.status == "QUEUED"
    pass_time(minutes=1)
    run = service.get_run(run.id)
    assert statuses(run) == ["QUEUED", "IN_PROGRESS", "COMPLETED_ADJUSTED", "COMPLETED_SUCCESS"]
    assert orders(run) == [("sell", "SPY", "20"), ("buy", "TLT", "40")]
    sell, buy = run.orders
    assert sell.filled_at is not None
    assert buy.submitted_at is not None
    assert sell.filled_at <= buy.submitted_at
    assert service.trading_account(account).cash == Decimal("1000.00")
    assert {position.symbol: position.qty for position in service.positions(account)} == {
        "SPY": Decimal(60),
        "TLT": Decimal(60),
    }


def test_what_is_held_outside_the_portfolio_is_sold_by_quantity(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """3 GLD at 200 leave completely, whatever their value is when the order fills."""
    account = open_account("400.00", GLD="3", SPY="60", TLT="60")
    run = create(service, account)
    pass_time(minutes=1)
    gold = service.get_run(run.id).orders[0]
    assert (gold.symbol, gold.qty, gold.notional) == ("GLD", Decimal(3), None)
    assert all(position.symbol != "GLD" for position in service.positions(account))


def test_a_run_created_after_hours_waits_for_the_open(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Created on Wednesday at 17:00, executed on Thursday at 09:30 New York (seed 000, rules.md 5.3)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    pass_time(to=datetime(2026, 3, 11, 17, 0, tzinfo=NEW_YORK))
    run = create(service, account)
    pass_time(to=datetime(2026, 3, 12, 9, 29, tzinfo=NEW_YORK))
    assert service.get_run(run.id).status == "QUEUED"
    pass_time(to=datetime(2026, 3, 12, 9, 31, tzinfo=NEW_YORK))
    done = service.get_run(run.id)
    assert done.status == "COMPLETED_SUCCESS"
    assert done.events[1].at == datetime(2026, 3, 12, 9, 30, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("created", "runs_today"), [((15, 44, 59), True), ((15, 45, 0), True), ((15, 45, 1), False), ((15, 59, 0), False)]
)
def test_the_last_permitted_instant_is_fifteen_minutes_before_the_close(
    service: Service,
    open_account: Callable[..., str],
    pass_time: Callable[..., None],
    created: tuple[int, int, int],
    runs_today: bool,
) -> None:
    """15:45:00 New York is the last instant at which a run starts (rules.md 5.3)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    pass_time(to=datetime(2026, 3, 11, *created, tzinfo=NEW_YORK))
    run = create(service, account)
    pass_time(seconds=30)
    assert (service.get_run(run.id).status == "COMPLETED_SUCCESS") is runs_today


def test_an_early_close_ends_the_window_at_a_quarter_to_one(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """27 November 2026 closes at 13:00 New York: a run of 12:46 waits for Monday."""
    account = open_account("1000.00", SPY="80", TLT="20")
    pass_time(to=datetime(2026, 11, 27, 12, 46, tzinfo=NEW_YORK))
    run = create(service, account)
    pass_time(to=datetime(2026, 11, 27, 23, 0, tzinfo=NEW_YORK))
    assert service.get_run(run.id).status == "QUEUED"
    pass_time(to=datetime(2026, 11, 30, 9, 31, tzinfo=NEW_YORK))
    assert service.get_run(run.id).status == "COMPLETED_SUCCESS"


def test_a_queued_run_is_canceled_and_canceling_again_is_no_error(
    service: Service, open_account: Callable[..., str]
) -> None:
    """QUEUED -> CANCELED; a second cancel changes nothing (rules.md 7.4)."""
    run = create(service, open_account("1000.00", SPY="80", TLT="20"))
    service.cancel_run(run.id)
    service.cancel_run(run.id)
    canceled = service.get_run(run.id)
    assert (canceled.status, canceled.canceled_at is not None, canceled.orders) == ("CANCELED", True, ())


def test_a_run_canceled_midway_keeps_what_filled(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Canceled between the sells' fills and the buys' fills: shares are sold, nothing is bought (rules.md 7.4)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    run = create(service, account)
    pass_time(seconds=1)
    assert service.get_run(run.id).status == "IN_PROGRESS"
    service.cancel_run(run.id)
    pass_time(minutes=5)
    ended = service.get_run(run.id)
    assert ended.status == "CANCELED_MID_RUN"
    assert [(order.symbol, order.status) for order in ended.orders] == [("SPY", "filled")]
    assert [(order.symbol, order.status) for order in ended.failed_orders] == [("TLT", "canceled")]
    assert service.trading_account(account).cash == Decimal("3000.00")
    assert service.trading_account(account).buying_power == Decimal("3000.00")


def test_a_finished_run_cannot_be_canceled(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Any status but QUEUED, CANCELED and IN_PROGRESS is refused, by name."""
    run = create(service, open_account("1000.00", SPY="80", TLT="20"))
    pass_time(minutes=1)
    with pytest.raises(StateError, match="COMPLETED_SUCCESS"):
        service.cancel_run(run.id)


def test_a_rejected_order_is_listed_as_failed_and_the_run_completes(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """TLT is halted: its buy is rejected, SPY's sell fills; completed with a failure counts as completed (7.3)."""
    service.set_asset(SetAsset(symbol="TLT", halted=True))
    run = create(service, open_account("1000.00", SPY="80", TLT="20"))
    pass_time(minutes=1)
    done = service.get_run(run.id)
    assert done.status == "COMPLETED_SUCCESS"
    assert [(order.symbol, order.status, order.filled_qty) for order in done.failed_orders] == [
        ("TLT", "rejected", None)
    ]
    assert done.reason == "1 of 2 orders failed."


def test_no_order_filled_is_an_error_with_a_reason(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Cash alone and both assets halted: every order is rejected, the run is an ERROR (rules.md 7.3)."""
    service.set_asset(SetAsset(symbol="TLT", halted=True))
    service.set_asset(SetAsset(symbol="SPY", halted=True))
    run = create(service, open_account("1000.00"))
    pass_time(minutes=1)
    done = service.get_run(run.id)
    assert (done.status, done.reason) == ("ERROR", "None of the 2 orders was filled.")
    assert len(done.failed_orders) == 2


def test_a_run_that_is_not_done_by_the_close_times_out(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """SPY is halted after its sell was accepted: the day order expires at 16:00 and the run is a TIMEOUT (7.5)."""
    run = create(service, open_account("1000.00", SPY="80", TLT="20"))
    pass_time(seconds=0)
    service.set_asset(SetAsset(symbol="SPY", halted=True))
    pass_time(to=datetime(2026, 3, 11, 15, 59, tzinfo=NEW_YORK))
    assert service.get_run(run.id).status == "IN_PROGRESS"
    pass_time(to=datetime(2026, 3, 11, 16, 1, tzinfo=NEW_YORK))
    ended = service.get_run(run.id)
    assert ended.status == "TIMEOUT"
    assert [(order.symbol, order.status) for order in ended.failed_orders] == [("SPY", "expired")]


def test_an_account_at_its_targets_completes_without_orders(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Nothing to trade is a success with a reason (rules.md 7.3)."""
    run = create(service, open_account("1000.00", SPY="60", TLT="60"))
    pass_time(minutes=1)
    done = service.get_run(run.id)
    assert (done.status, done.orders) == ("COMPLETED_SUCCESS", ())
    assert done.reason == "Nothing to trade: the account is at its targets."


def test_an_account_with_small_differences_completes_with_skips_only(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Equity 10,000.60: SPY is 24 cents over, TLT 78 cents under with 54 to spend; both are skipped (rules.md 6.3)."""
    run = create(service, open_account("1000.60", SPY="60.006", TLT="59.988"))
    pass_time(minutes=1)
    done = service.get_run(run.id)
    assert done.status == "COMPLETED_SUCCESS"
    assert [(skip.symbol, skip.side, skip.notional, skip.reason) for skip in done.skipped_orders] == [
        ("SPY", "sell", Decimal("0.24"), "ORDER_LESS_THAN_MIN_NOTIONAL"),
        ("TLT", "buy", Decimal("0.54"), "ORDER_LESS_THAN_MIN_NOTIONAL"),
    ]


def test_buys_are_reduced_when_the_sells_bring_less_than_planned(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """50 GLD planned at 200 bring 9,000 at 180: the buys shrink with it, and the cash target is kept (rules.md 7.2)."""
    account = open_account("0.00", GLD="50")
    run = create(service, account)
    pass_time(seconds=0)
    service.set_prices(SetPrices(prices={"GLD": Decimal(180)}))
    pass_time(minutes=1)
    done = service.get_run(run.id)
    # Planned: 10,000 of gold into 6,000 SPY, 3,000 TLT, 1,000 cash. Sold at 180 for 9,000, of which the cash target
    # keeps 900: 8,100 for the buys, shared 2:1.
    assert [(order.symbol, order.notional) for order in done.orders[1:]] == [
        ("SPY", Decimal("5400.00")),
        ("TLT", Decimal("2700.00")),
    ]
    assert service.trading_account(account).cash == Decimal("900.00")


def test_only_one_open_run_per_account(service: Service, open_account: Callable[..., str]) -> None:
    """A second run is refused while the first is QUEUED (seed 000, rules.md 5.4)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    create(service, account)
    with pytest.raises(StateError, match="open run"):
        create(service, account)


def test_weights_are_refused_for_a_subscribed_account(
    service: Service, open_account: Callable[..., str], create_portfolio: Callable[..., object]
) -> None:
    """A one-off run needs an account without a subscription (seed 000, rules.md 5.5)."""
    account = open_account("0.00")
    service.create_subscription(
        CreateSubscription(account_id=account, portfolio_id=create_portfolio({"SPY": "100"}).id)
    )
    with pytest.raises(StateError, match="active subscription"):
        create(service, account)


def test_a_run_without_weights_needs_a_subscription(service: Service, open_account: Callable[..., str]) -> None:
    """Without weights the account's own portfolio is run; there is none here (rules.md 5.5)."""
    with pytest.raises(StateError, match="no active subscription"):
        create(service, open_account("1000.00"), weights=None)


def preview_of(service: Service, account_id: str) -> dict[str, object]:
    """Hash and lines as a client would have previewed them now."""
    targets = to_targets(SPY_60_TLT_30)
    with service.world.database.read() as connection:
        market = service.world.market(connection, service.world.now())
        snapshot = service.world.snapshot(connection, account_id, targets.symbols, market)
    shown = preview(snapshot, PlanRequest(targets=targets))
    return {
        "preview_hash": shown.hash,
        "preview_orders": [from_planned(order).model_dump() for order in shown.plan.orders],
    }


def test_the_previewed_orders_are_the_ones_that_are_sent(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """The same hash gives exactly the previewed orders (rules.md 6.6)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    shown = preview_of(service, account)
    run = create(service, account, **shown)
    pass_time(minutes=1)
    done = service.get_run(run.id)
    assert done.preview_hash == shown["preview_hash"]
    assert [(line.side, line.symbol, line.notional) for line in done.plan] == [
        ("sell", "SPY", Decimal("2000.00")),
        ("buy", "TLT", Decimal("2000.00")),
    ]
    assert [order.notional for order in done.orders] == [Decimal("2000.00"), Decimal("2000.00")]


def test_a_small_move_since_the_preview_goes_ahead_and_is_recorded(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """SPY at 100.50 moves the sell from 2,000 to 2,016, under five percent: it goes ahead, with a note (6.6)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    shown = preview_of(service, account)
    service.set_prices(SetPrices(prices={"SPY": Decimal("100.50")}))
    run = create(service, account, **shown)
    pass_time(minutes=1)
    done = service.get_run(run.id)
    assert done.status == "COMPLETED_SUCCESS"
    assert done.orders[0].notional == Decimal("2016.00")
    assert "sell SPY 2000 -> 2016" in done.events[1].text


def test_a_large_move_since_the_preview_is_answered_with_the_new_one(
    service: Service, open_account: Callable[..., str]
) -> None:
    """SPY at 120 makes the sell 2,640 instead of 2,000: refused, with the hash of the new preview (6.6)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    shown = preview_of(service, account)
    service.set_prices(SetPrices(prices={"SPY": Decimal(120)}))
    with pytest.raises(PreviewMoved) as refused:
        create(service, account, **shown)
    assert refused.value.preview_hash == preview_of(service, account)["preview_hash"]
    assert service.list_runs().runs == ()


def test_a_queued_run_whose_orders_moved_too_far_is_canceled_with_a_reason(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Previewed and created after the close; at the next open SPY stands at 120 (rules.md 6.6)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    pass_time(to=datetime(2026, 3, 11, 17, 0, tzinfo=NEW_YORK))
    run = create(service, account, **preview_of(service, account))
    service.set_prices(SetPrices(prices={"SPY": Decimal(120)}))
    pass_time(to=datetime(2026, 3, 12, 9, 31, tzinfo=NEW_YORK))
    ended = service.get_run(run.id)
    assert ended.status == "CANCELED"
    assert "moved too far from the preview" in str(ended.reason)
    assert service.trading_account(account).cash == Decimal("1000.00")


def test_a_deposit_is_invested_at_the_next_evaluation(
    service: Service,
    open_account: Callable[..., str],
    create_portfolio: Callable[..., object],
    pass_time: Callable[..., None],
) -> None:
    """1,000 come into an account without bands: a system invest_cash run buys at 15:30 and only buys (rules.md 5.6)."""
    account = open_account("10000.00")
    model = create_portfolio({"SPY": "60", "TLT": "40"}, cooldown_days=30)
    subscription = service.create_subscription(CreateSubscription(account_id=account, portfolio_id=model.id))
    pass_time(minutes=1)
    first = service.get_subscription(subscription.id).last_rebalanced_at
    pass_time(to=datetime(2026, 3, 12, 10, 0, tzinfo=NEW_YORK))
    service.deposit(Deposit(account_id=account, amount=Decimal("1000.00")))
    pass_time(to=datetime(2026, 3, 12, 15, 31, tzinfo=NEW_YORK))
    run = service.list_runs(account_id=account).runs[0]
    assert (run.type, run.initiated_from, run.status) == ("invest_cash", "system", "COMPLETED_SUCCESS")
    assert [(order.side, order.symbol, order.notional) for order in run.orders] == [
        ("buy", "SPY", Decimal("600.00")),
        ("buy", "TLT", Decimal("400.00")),
    ]
    # It does not set last_rebalanced_at, and the cooldown of 30 days did not block it.
    assert service.get_subscription(subscription.id).last_rebalanced_at == first


def test_a_one_off_run_is_planned_with_the_bands_it_was_previewed_with(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """Only breached holdings, so the bands decide what is traded: SPY at 80 of 60, TLT inside its 30 (rules.md 6.6)."""
    account = open_account("1000.00", SPY="64", TLT="52")
    band = {"type": "drift_band", "sub_type": "absolute", "percent": "3.9"}
    options = {"breached_only": True}
    run = create(service, account, rebalance_conditions=[band], options=options)
    pass_time(minutes=1)
    # 10,000: SPY 64% is 4 points over a band of 3.9; TLT 26% is 4 points under it; cash is at its 10%.
    assert [("sell", "SPY", "4"), ("buy", "TLT", "8")] == orders(service.get_run(run.id))
    wide = create(service, open_account("1000.00", SPY="64", TLT="52"), options=options)
    pass_time(minutes=1)
    # Without bands nothing is breached, so nothing is traded.
    assert [] == orders(service.get_run(wide.id))


def test_a_run_that_cannot_be_planned_is_refused_when_it_is_created(
    service: Service, open_account: Callable[..., str]
) -> None:
    """An account without equity is told so at once, not by an ERROR at the next open (rules.md 3.1, 6.6)."""
    account = open_account("0.00")
    with pytest.raises(DataError, match="equity"):
        create(service, account)
    assert service.list_runs().runs == ()


def test_canceling_one_run_starts_no_other(service: Service, open_account: Callable[..., str]) -> None:
    """The clock stands still: the other account's run stays QUEUED."""
    first, second = open_account("1000.00", SPY="80", TLT="20"), open_account("1000.00", SPY="80", TLT="20")
    running = create(service, first)
    service.ticker.tick(service.world.now())
    queued = create(service, second)
    service.cancel_run(running.id)
    assert ("CANCELED_MID_RUN", "QUEUED") == (service.get_run(running.id).status, service.get_run(queued.id).status)


def test_a_queued_run_shows_what_it_was_previewed_with(service: Service, open_account: Callable[..., str]) -> None:
    """Before it starts, the previewed lines stand in for a plan (rules.md 6.6)."""
    account = open_account("1000.00", SPY="80", TLT="20")
    run = create(service, account, **preview_of(service, account))
    assert [("PREVIEWED", "sell", "SPY"), ("PREVIEWED", "buy", "TLT")] == [
        (line.state, line.side, line.symbol) for line in run.plan
    ]


def test_a_holding_that_is_left_out_stays(
    service: Service, open_account: Callable[..., str], pass_time: Callable[..., None]
) -> None:
    """3 GLD are excluded: equity is 10,000 without them, they stay, and the rest is rebalanced (rules.md 3.1)."""
    account = open_account("1000.00", SPY="80", TLT="20", GLD="3")
    run = create(service, account, options={"excluded": ["GLD"]})
    pass_time(minutes=1)
    assert [("sell", "SPY", "20"), ("buy", "TLT", "40")] == orders(service.get_run(run.id))
    assert Decimal(3) == service.position(account, "GLD").qty
