"""The desk on the real API's surface: nothing of ours is asked for, nothing is sent twice, nothing live by accident."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from conftest import WEDNESDAY_10AM
from real_surface import BROKER, KEYS, RealSurface, real_desk

from driftdesk.backend.service import Service
from driftdesk.client import Client, ClientKeys
from driftdesk.connect import connect_service
from driftdesk.desk import Desk, Mode
from driftdesk.desk.reading import AT_ONCE, RealReading
from driftdesk.engine.planner import Options
from driftdesk.errors import DataError, InputError, PreviewMoved, Rejected, StateError, Unavailable
from driftdesk.translate import to_portfolio
from driftdesk.wire.portfolios import CreatePortfolio, Portfolio, UpdatePortfolio
from driftdesk.wire.simulation import Advance, Deposit, SetPrices

OpenAccount = Callable[..., str]
RUNS = "/v1/rebalancing/runs"


@pytest.fixture
def real(service: Service) -> Iterator[tuple[Desk, RealSurface]]:
    desk, surface = real_desk(service, Mode.SANDBOX)
    yield desk, surface
    desk.client.close()


@pytest.fixture
def live(service: Service) -> Iterator[tuple[Desk, RealSurface]]:
    desk, surface = real_desk(service, Mode.LIVE)
    yield desk, surface
    desk.client.close()


@pytest.fixture
def balanced(create_portfolio: Callable[..., Portfolio]) -> Portfolio:
    return create_portfolio({"SPY": "60", "TLT": "40"}, bands=(("absolute", "5"),), name="Balanced")


def price(service: Service, **prices: str) -> None:
    service.set_prices(SetPrices(prices={symbol: Decimal(text) for symbol, text in prices.items()}))


def test_the_book_is_that_of_our_own_backend(
    service: Service, real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """Read account by account, the drift is the one of the bulk answer, open orders included."""
    desk, surface = real
    open_account("500.00", GLD="2")
    followed = open_account("10000.00", SPY="10")
    desk.client.subscriptions.create(followed, balanced.id)
    service.advance(Advance(seconds=0))
    seen = desk.book()
    surface.requests.clear()
    ours = connect_service(service, label="ours").book()
    assert [(view.snapshot, view.drift) for view in ours] == [(view.snapshot, view.drift) for view in seen]
    assert [0, 2] == [len(view.snapshot.open_orders) for view in seen]
    assert desk.account(followed).snapshot == seen[1].snapshot


def test_only_the_assets_needed_are_asked_for_and_once(
    real: tuple[Desk, RealSurface], open_account: OpenAccount
) -> None:
    """Two books of 30 accounts in GLD: one question about GLD, none for the list of all."""
    desk, surface = real
    for _ in range(30):
        open_account("10.00", GLD="2")
    desk.book()
    desk.book()
    asked = [request.url.path for request in surface.requests if "/assets" in request.url.path]
    assert ["/v1/assets/GLD"] == asked


def test_what_may_be_done_with_an_asset_is_read_again_after_an_hour(
    real: tuple[Desk, RealSurface], open_account: OpenAccount
) -> None:
    """And not before."""
    desk, surface = real
    clock = [0.0]
    reading = RealReading(desk.client, now=lambda: clock[0])
    for seconds in (0.0, 3600.0, 3601.0):
        clock[0] = seconds
        reading.market(["GLD"])
    assert 2 == sum(request.url.path == "/v1/assets/GLD" for request in surface.requests)


def test_market_data_is_asked_of_its_own_host(real: tuple[Desk, RealSurface], open_account: OpenAccount) -> None:
    """Trades from the data host, everything else from the broker's; a symbol that is no asset is not asked for."""
    desk, surface = real
    desk.snapshot(open_account("10.00", GLD="2"), ["NOSUCH"])
    hosts = {(request.url.host, request.url.path.startswith("/v2/stocks/")) for request in surface.requests}
    assert {("broker.test", False), ("data.test", True)} == hosts
    [trades] = [request for request in surface.requests if request.url.host == "data.test"]
    assert "GLD" == trades.url.params["symbols"]


def test_an_account_that_cannot_be_read_does_not_take_the_others(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """It stands in the book with the backend's sentence; one that cannot trade at all is left out."""
    desk, surface = real
    good, bad = open_account("10.00"), open_account("20.00")
    desk.client.subscriptions.create(bad, balanced.id)

    def refuse(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == f"/v1/trading/accounts/{bad}/account":
            return httpx.Response(401, json={"message": "unauthorized"})
        return None

    surface.before = refuse
    views = {view.account.id: view for view in desk.book()}
    assert (None, "The backend gives no holdings of this account: unauthorized", None) == (
        views[good].problem,
        views[bad].problem,
        views[bad].drift,
    )


def test_an_order_of_a_kind_that_is_not_planned_for_is_a_problem_of_its_account(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """A short sale under way: said in a sentence, on this account only."""
    desk, surface = real
    account = open_account("100.00", SPY="10")
    desk.client.subscriptions.create(account, balanced.id)
    order = {
        "id": "o", "client_order_id": "c", "created_at": "2026-03-11T14:00:00Z", "symbol": "SPY", "qty": "1",
        "side": "sell_short", "status": "new",
    }  # fmt: skip
    surface.before = lambda request: httpx.Response(200, json=[order]) if request.url.path.endswith("/orders") else None
    view = desk.account(account)
    assert (None, True) == (view.drift, "must be buy or sell; received 'sell_short'" in str(view.problem))


def test_a_portfolio_with_a_condition_of_the_newer_documents_is_measured(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """`on_portfolio_update` has no band; the band beside it still governs."""
    desk, surface = real
    account = open_account("100.00", SPY="10")
    desk.client.subscriptions.create(account, balanced.id)
    newer = {
        **balanced.model_dump(mode="json"),
        "rebalance_conditions": [
            {"type": "on_portfolio_update", "sub_type": None, "percent": None, "day": None},
            {"type": "drift_band", "sub_type": "absolute", "percent": "5", "day": None},
        ],
    }
    surface.before = lambda request: httpx.Response(200, json=newer) if request.url.path.endswith(balanced.id) else None
    drift = desk.account(account).drift
    assert drift is not None
    assert [Decimal("0.05")] == list({row.band.half_width for row in drift.rows if row.band})


def test_what_the_real_api_lacks_is_said(real: tuple[Desk, RealSurface], open_account: OpenAccount) -> None:
    """No request, no exception: nothing, and a sentence why."""
    desk, surface = real
    account = open_account("10.00")
    assert ((), None) == (desk.decisions(), desk.simulation)
    assert [] == surface.requests
    assert "This backend keeps no decisions." == desk.missing("decisions")
    with pytest.raises(StateError, match="nothing to resume"):
        desk.resume(desk.account(account))


def test_equity_at_each_close_comes_from_the_portfolio_history(
    service: Service, real: tuple[Desk, RealSurface], open_account: OpenAccount
) -> None:
    """Three closes of 2 GLD at 200 and 100 in cash, 50 brought in on the second day; cash itself is not told."""
    desk, _ = real
    account = open_account("100.00", GLD="2")
    service.advance(Advance(to=WEDNESDAY_10AM + timedelta(days=1)))
    service.deposit(Deposit(account_id=account, amount=Decimal(50)))
    service.advance(Advance(to=WEDNESDAY_10AM + timedelta(days=3)))
    points = desk.equity_history(account).points[-3:]
    expected = [("2026-03-11", "500"), ("2026-03-12", "550"), ("2026-03-13", "550")]
    assert [(day, Decimal(equity), None) for day, equity in expected] == [
        (point.date, point.equity, point.cash) for point in points
    ]
    assert [Decimal(50)] == [point.flow for point in points if point.flow and point.date != "2026-03-11"]


def test_a_few_accounts_are_read_at_once(real: tuple[Desk, RealSurface], open_account: OpenAccount) -> None:
    """Never more than eight requests under way, however many accounts there are, and more than one."""
    desk, surface = real
    for _ in range(30):
        open_account("10.00")
    lock, under_way, most = threading.Lock(), [0], [0]

    def begin(_request: httpx.Request) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.002)

    def end(_request: httpx.Request) -> None:
        with lock:
            under_way[0] -= 1

    surface.before, surface.after = begin, end
    assert 30 == len(desk.book())
    assert 1 < most[0] <= AT_ONCE == 8


def test_a_backend_that_is_down_ends_the_book_at_once(
    real: tuple[Desk, RealSurface], open_account: OpenAccount
) -> None:
    """One sentence, not one for each account; what had not begun is not asked for."""
    desk, surface = real
    for _ in range(30):
        open_account("10.00")

    def fail(request: httpx.Request) -> httpx.Response | None:
        down = request.url.path.endswith("/account")
        return httpx.Response(500, json={"message": "down"}) if down else None

    surface.before = fail
    with pytest.raises(Unavailable, match=r"^down$"):
        desk.book()
    assert sum(request.url.path.endswith("/account") for request in surface.requests) < 30


def test_an_estimate_is_called_one(service: Service, real: tuple[Desk, RealSurface]) -> None:
    """On the real API and nowhere else."""
    assert (True, True) == (real[0].estimates, str(real[0].estimate_note).startswith("An estimate"))
    ours = connect_service(service, label="ours")
    assert (False, None, None) == (ours.estimates, ours.estimate_note, ours.missing("decisions"))


def test_a_preview_has_two_decimals_and_sells_what_is_free(
    service: Service, real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """1,000 + 3.5 x 133.3333 GLD, not in the model: sold by quantity; the rest by notional in cents."""
    desk, _ = real
    price(service, GLD="133.3333")
    shown = desk.preview(open_account("1000.00", GLD="3.5"), model=to_portfolio(balanced))
    assert [("GLD", Decimal("3.5")), ("SPY", None), ("TLT", None)] == [
        (order.symbol, order.quantity) for order in shown.plan.orders
    ]
    # 1466.66655: 60 % is 879.99993, 40 % is 586.66662, floored to cents.
    assert [Decimal("879.99"), Decimal("586.66")] == [order.notional for order in shown.plan.buys]


def test_a_stale_price_is_refused(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """16 minutes old in a live session (rules.md 3.1)."""
    desk, surface = real
    account = open_account("1000.00")
    old = {"trades": {symbol: {"t": "2026-03-11T13:44:00Z", "p": 50.0} for symbol in ("SPY", "TLT")}}
    surface.before = lambda request: httpx.Response(200, json=old) if request.url.host == "data.test" else None
    with pytest.raises(DataError, match="older than 15 minutes"):
        desk.preview(account, model=to_portfolio(balanced))


@pytest.mark.parametrize("subscribed", [False, True])
def test_a_run_is_told_only_what_the_documents_know(
    real: tuple[Desk, RealSurface],
    service: Service,
    open_account: OpenAccount,
    balanced: Portfolio,
    subscribed: bool,
) -> None:
    """Account and type, and weights for a one-off; no hash, no orders, no options, no conditions."""
    desk, surface = real
    account = open_account("1000.00")
    if subscribed:
        desk.client.subscriptions.create(account, balanced.id)
        service.cancel_run(desk.runs(account)[0].id)
    shown = desk.preview(account, model=None if subscribed else to_portfolio(balanced))
    run = desk.create_run(shown, idempotency_key="click")
    weights = [
        {"type": "asset", "symbol": "SPY", "percent": "60"},
        {"type": "asset", "symbol": "TLT", "percent": "40"},
    ]
    body = {"account_id": account, "type": "full_rebalance", **({} if subscribed else {"weights": weights})}
    assert [body] == [sent for path, sent in surface.sent("POST") if path == RUNS]
    assert run.id == desk.create_run(shown, idempotency_key="click").id
    desk.cancel_run(run.id)
    assert "CANCELED" == desk.run(run.id).status


def test_weights_that_the_account_does_not_follow_are_never_run(
    service: Service,
    real: tuple[Desk, RealSurface],
    open_account: OpenAccount,
    balanced: Portfolio,
    create_portfolio: Callable[..., Portfolio],
) -> None:
    """The backend would run the followed ones, without a word: refused before anything is sent."""
    desk, surface = real
    account = open_account("1000.00")
    desk.client.subscriptions.create(account, balanced.id)
    service.cancel_run(desk.runs(account)[0].id)
    shown = desk.preview(account, model=to_portfolio(create_portfolio({"GLD": "100"})))
    with pytest.raises(InputError, match="not the weights of Balanced"):
        desk.create_run(shown, idempotency_key="click")
    assert RUNS not in [path for path, _ in surface.sent("POST")]


@pytest.mark.parametrize(
    ("sentence", "how"),
    [
        ("none of the chosen options", {"options": Options(whole_shares=True)}),
        ("no holdings that are left out", {"excluded": ("GLD",)}),
        ("no minimum order but its own", {"min_notional": Decimal(5)}),
    ],
)
def test_what_the_real_api_cannot_honour_is_export_only(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio, sentence: str, how: dict[str, Any]
) -> None:
    """Previewed, and refused in a sentence when it shall run (rules.md 6.7)."""
    desk, surface = real
    shown = desk.preview(open_account("1000.00", GLD="1"), model=to_portfolio(balanced), **how)
    assert shown.plan.orders
    with pytest.raises(InputError, match=f"This backend knows {sentence}.*downloaded and not run"):
        desk.create_run(shown, idempotency_key="click")
    assert [] == surface.sent("POST")


def test_orders_that_moved_since_the_preview_are_not_sent(
    service: Service, real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """4 % on what is sold goes ahead, 100 % does not (rules.md 6.6): the backend knows no hash, so the desk looks."""
    desk, surface = real
    account = open_account("1000.00", SPY="30")
    shown = desk.preview(account, model=to_portfolio(balanced))
    price(service, SPY="200")
    with pytest.raises(PreviewMoved, match=r"sell SPY.*nothing was sent"):
        desk.create_run(shown, idempotency_key="click")
    assert [] == surface.sent("POST")
    price(service, SPY="100.5")
    assert "QUEUED" == desk.create_run(shown, idempotency_key="click").status


def lost(surface: RealSurface, *, after: bool) -> None:
    """Runs are created, or not, and the answer never comes."""

    def fail(request: httpx.Request) -> None:
        if (request.method, request.url.path) == ("POST", RUNS):
            raise httpx.ReadTimeout("", request=request)

    if after:
        surface.after = fail
    else:
        surface.before = fail


def test_after_a_time_out_the_run_that_was_made_is_found(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """The list is read before anybody is asked to try again (rules.md 2.10)."""
    desk, surface = real
    account = open_account("1000.00")
    shown = desk.preview(account, model=to_portfolio(balanced))
    lost(surface, after=True)
    run = desk.create_run(shown, idempotency_key="click")
    assert ([run.id], 1) == ([run.id for run in desk.runs(account)], len(surface.sent("POST")))


def test_after_a_time_out_without_a_run_the_next_try_looks_first(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """The first try says that none is there yet; by the second one it is, and nothing is sent again."""
    desk, surface = real
    account = open_account("1000.00")
    shown = desk.preview(account, model=to_portfolio(balanced))
    lost(surface, after=False)
    with pytest.raises(Unavailable, match=r"took too long.*read again and none is new yet"):
        desk.create_run(shown, idempotency_key="click")
    surface.before = lambda request: None
    late = desk.create_run(replace(shown), idempotency_key="somebody else's")
    assert late.id == desk.create_run(shown, idempotency_key="click").id
    assert 2 == len(surface.sent("POST"))


def test_a_refusal_is_told_as_it_is(
    real: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """Nothing was made, so nothing is looked for."""
    desk, surface = real
    shown = desk.preview(open_account("1000.00"), model=to_portfolio(balanced))
    surface.before = lambda request: (
        httpx.Response(422, json={"error": "x", "message": "account not funded"}) if request.method == "POST" else None
    )
    with pytest.raises(Rejected, match=r"^account not funded$"):
        desk.create_run(shown, idempotency_key="click")
    assert "POST" == surface.requests[-1].method


# --- real money ---------------------------------------------------------------------------------------------------


def test_a_live_desk_needs_a_client_that_asks() -> None:
    """A plain client would write."""
    with pytest.raises(InputError, match="real_money=True"):
        Desk(Client(BROKER, ClientKeys(*KEYS)), mode=Mode.LIVE, label="live")


def writes(desk: Desk, account: str, portfolio: Portfolio) -> dict[str, Callable[[], object]]:
    client = desk.client
    body = CreatePortfolio(name="New", weights=portfolio.weights)
    shown = desk.preview(account, model=to_portfolio(portfolio))
    return {
        "run": lambda: desk.create_run(shown, idempotency_key="click"),
        "cancel": lambda: desk.cancel_run(desk.runs(account)[0].id),
        "portfolio": lambda: client.portfolios.create(body),
        "change": lambda: client.portfolios.update(portfolio.id, UpdatePortfolio(cooldown_days=3)),
        "inactivate": lambda: client.portfolios.inactivate(portfolio.id),
        "subscribe": lambda: client.subscriptions.create(account, portfolio.id),
        "unsubscribe": lambda: client.subscriptions.delete(client.subscriptions.list()[0].id),
        "elsewhere": lambda: client.simulation.set_prices({}),
    }


@pytest.mark.parametrize(
    ("write", "typed"),
    [
        ("run", "DD0000001"),
        ("cancel", "DD0000001"),
        ("portfolio", "New"),
        ("change", "Balanced"),
        ("inactivate", "Balanced"),
        ("subscribe", "DD0000001"),
        ("unsubscribe", "DD0000001"),
    ],
)
def test_live_writes_need_what_they_change_to_be_typed(
    service: Service,
    live: tuple[Desk, RealSurface],
    open_account: OpenAccount,
    balanced: Portfolio,
    write: str,
    typed: str,
) -> None:
    """Nothing typed, or another name: not one request that writes. The right one passes."""
    desk, surface = live
    account = open_account("1000.00")
    if write in ("cancel", "unsubscribe"):
        with desk.confirming(" DD0000001 "):
            desk.client.subscriptions.create(account, balanced.id)
        surface.requests.clear()
    act = writes(desk, account, balanced)[write]
    with pytest.raises(StateError, match=r"Nothing was sent: .* moves real money.*confirming"):
        act()
    with pytest.raises(StateError, match="Nothing was sent: 'DD0000002' was typed"), desk.confirming("DD0000002"):
        act()
    assert {"GET"} >= {request.method for request in surface.requests}
    with desk.confirming(typed):
        act()
    assert 1 == sum(request.method != "GET" for request in surface.requests)
    with pytest.raises(StateError, match="Nothing was sent"):
        desk.client.portfolios.update(balanced.id, UpdatePortfolio(cooldown_days=4))


def test_a_change_under_both_names_is_confirmed_once(live: tuple[Desk, RealSurface], balanced: Portfolio) -> None:
    """The first PATCH renames and loses the conditions, so a second one follows: the old name covers both."""
    desk, surface = live
    change = UpdatePortfolio.model_validate({"name": "Renamed", "rebalance_conditions": []})
    kept = balanced.model_dump(mode="json")
    tries = [{**kept, "name": "Renamed"}, {**kept, "name": "Renamed", "rebalance_conditions": []}]
    surface.before = lambda request: httpx.Response(200, json=tries.pop(0)) if request.method == "PATCH" else None
    with desk.confirming("Balanced"):
        assert () == desk.client.portfolios.update(balanced.id, change).rebalance_conditions
    assert 2 == len(surface.sent("PATCH"))


def test_what_is_not_offered_on_real_money_is_refused_whatever_is_typed(
    live: tuple[Desk, RealSurface], open_account: OpenAccount, balanced: Portfolio
) -> None:
    """A method that is added to the client later cannot pass by."""
    desk, _ = live
    with pytest.raises(StateError, match="not among the writes"), desk.confirming("DD0000001"):
        writes(desk, open_account("1000.00"), balanced)["elsewhere"]()


def test_elsewhere_nothing_needs_to_be_typed(real: tuple[Desk, RealSurface], balanced: Portfolio) -> None:
    """The block is there for code that runs on any desk."""
    desk, _ = real
    with desk.confirming("whatever"):
        desk.client.portfolios.inactivate(balanced.id)
    assert "inactive" == desk.client.portfolios.get(balanced.id).status
