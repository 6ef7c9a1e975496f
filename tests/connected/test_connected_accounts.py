"""What stands at a brokerage, as a desk shows it: nothing counted twice, nothing guessed, refusals by name."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from connected.brokerage import EVERY_ORDER, KEYS, Brokerage, open_brokerage

from driftdesk.engine.snapshot import CASH
from driftdesk.errors import DataError, Rejected, Unavailable
from driftdesk.wire.orders import CreateOrder
from driftdesk.wire.simulation import Deposit, SetAsset

HALF = {"SPY": "50", "GLD": "30", "cash": "20"}


def set_connection(brokerage: Brokerage, **state: object) -> None:
    """How the connection stands at SnapTrade: disabled, or for reading only."""
    backend = httpx.Client(transport=brokerage.wire.inner, base_url="http://snaptrade.local", auth=KEYS)
    assert backend.patch("/v1/simulation/snaptrade", json=state).is_success


def positions(change: Any) -> Any:
    """An edit of each position of an answer."""

    def edit(answer: Any) -> Any:
        return {**answer, "results": [change(position) for position in answer["results"]]}

    return edit


def test_accounts_stand_in_the_book_with_their_drift(brokerage: Brokerage) -> None:
    """Name, the digits of the number that are shown, equity and drift against a followed portfolio."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="60")
    brokerage.desk.book()
    brokerage.portfolio(HALF)
    brokerage.desk.client.subscriptions.create(account, brokerage.desk.portfolios()[0].id)
    [view] = brokerage.desk.book()
    assert ("Account 1", "0001", None, ()) == (
        view.account.name,
        view.account.account_number,
        view.problem,
        view.account.notes,
    )
    assert view.drift is not None
    breached = {row.symbol for row in view.drift.breached}
    assert (Decimal(10000), {"GLD", "SPY", CASH}) == (view.drift.equity, breached)


def test_a_disabled_connection_is_said_and_takes_no_orders(brokerage: Brokerage) -> None:
    """Its data are old without any error, so it is flagged; a plan can be looked at and not be sent."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    model = brokerage.portfolio(HALF)
    set_connection(brokerage, disabled=True)
    preview = brokerage.desk.preview(account, model=model)
    assert 3 == len(preview.plan.orders)
    told = brokerage.desk.account(account).account
    assert "disabled" in (told.refusal or "")
    assert any("disabled" in note for note in told.notes)
    with pytest.raises(Rejected, match="disabled"):
        brokerage.desk.create_run(preview, idempotency_key="k")
    set_connection(brokerage, disabled=False)
    assert brokerage.desk.create_run(brokerage.desk.preview(account, model=model), idempotency_key="k").is_open


def test_a_connection_for_reading_only_takes_no_orders(brokerage: Brokerage) -> None:
    """Run and order by hand are refused in a sentence that says what remains: the export."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    model = brokerage.portfolio(HALF)
    set_connection(brokerage, type="read")
    preview = brokerage.desk.preview(account, model=model)
    with pytest.raises(Rejected, match="read-only: a plan can be exported, not sent"):
        brokerage.desk.create_run(preview, idempotency_key="k")
    body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
    with pytest.raises(Rejected, match="read-only"):
        brokerage.desk.client.orders.place(account, CreateOrder.model_validate(body))


def test_a_desk_that_looks_only_sends_nothing(tmp_path: Path) -> None:
    """What connects to the real service without being allowed to move money shows everything and sends nothing."""
    brokerage = open_brokerage(tmp_path, look_only="Opened to look.")
    account = brokerage.open_account("1000.00", SPY="60", TLT="40")
    preview = brokerage.desk.preview(account, model=brokerage.portfolio(HALF))
    with pytest.raises(Rejected, match="Opened to look"):
        brokerage.desk.create_run(preview, idempotency_key="k")
    brokerage.close()


def test_money_market_funds_are_not_counted_twice(brokerage: Brokerage) -> None:
    """SnapTrade has them in the cash and among the positions: they stand in the cash, and a note says so."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="20")
    edit = positions(lambda p: {**p, "cash_equivalent": True} if p["instrument"]["symbol"] == "TLT" else p)
    brokerage.wire.change("/positions/all", edit)
    snapshot = brokerage.desk.snapshot(account)
    assert (Decimal("1000.00"), ["SPY"]) == (snapshot.cash, [holding.symbol for holding in snapshot.holdings])
    assert any("TLT" in note and "counted as cash" in note for note in brokerage.desk.account(account).account.notes)


def test_a_holding_in_another_currency_is_refused_by_name_until_it_is_left_out(brokerage: Brokerage) -> None:
    """Amounts are never converted: the holding has no price, says why, and can be excluded (rules.md 3.1)."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="20")
    edit = positions(lambda p: {**p, "currency": "CAD"} if p["instrument"]["symbol"] == "TLT" else p)
    brokerage.wire.change("/positions/all", edit)
    model = brokerage.portfolio(HALF)
    with pytest.raises(DataError, match="TLT is held and has no price"):
        brokerage.desk.preview(account, model=model)
    assert any("TLT is priced in CAD" in note for note in brokerage.desk.account(account).account.notes)
    preview = brokerage.desk.preview(account, model=model, excluded=["TLT"])
    assert Decimal(7000) == preview.before.equity
    assert "TLT" not in {order.symbol for order in preview.plan.orders}


def in_cad(answer: Any) -> Any:
    accounts = [{**account, "net_value": {"amount": 1, "currency": "CAD"}} for account in answer["results"]]
    return {**answer, "results": accounts}


def with_cad_cash(answer: Any) -> Any:
    return [*answer, {"currency": {"code": "CAD"}, "cash": 12.5, "buying_power": 12.5}]


@pytest.mark.parametrize(
    ("path", "change", "sentence"),
    [
        ("/accounts/all", in_cad, "CAD"),
        ("/balances", with_cad_cash, "holds 12.5 CAD"),
        ("/balances", lambda _: [], "says no cash in USD"),
        ("/positions/all", positions(lambda p: {**p, "units": None}), "does not say how many"),
    ],
)
def test_what_makes_amounts_meaningless_is_a_problem_of_the_account(
    brokerage: Brokerage, path: str, change: Any, sentence: str
) -> None:
    """Another currency, a missing amount: the account says it and has no drift; nothing is planned from it."""
    account = brokerage.open_account("1000.00", SPY="60", TLT="20")
    model = brokerage.portfolio(HALF)
    brokerage.wire.change(path, change)
    view = brokerage.desk.account(account)
    assert sentence in (view.problem or "")
    assert view.drift is None
    with pytest.raises(DataError, match=sentence):
        brokerage.desk.preview(account, model=model)


@pytest.mark.parametrize(("status", "sentence"), [(410, "retired"), (402, "disabled"), (425, "first time")])
def test_an_endpoint_that_is_gone_never_reads_as_an_empty_account(
    brokerage: Brokerage, status: int, sentence: str
) -> None:
    """The refusal is the account's problem, in SnapTrade's words and ours; other accounts are not hidden by it."""
    first = brokerage.open_account("1000.00", SPY="60")
    second = brokerage.open_account("500.00", TLT="10")
    brokerage.wire.refuse(f"/accounts/{first}/positions/all", status, "no more")
    views = {view.account.id: view for view in brokerage.desk.book()}
    assert sentence in (views[first].problem or "")
    assert views[second].problem is None
    with pytest.raises(DataError, match=sentence):
        brokerage.desk.snapshot(first)


def test_without_an_answer_to_the_list_nothing_old_is_shown(brokerage: Brokerage) -> None:
    """What was read before is not passed off as the state of now."""
    brokerage.open_account("1000.00", SPY="60")
    brokerage.desk.book()
    brokerage.wire.refuse("/accounts/all", 500, "down")
    with pytest.raises(Unavailable):
        brokerage.desk.book()


def test_an_account_that_is_listed_no_more_is_closed(brokerage: Brokerage) -> None:
    """Its connection was removed: it stays in the book with its problem, and takes no orders."""
    account = brokerage.open_account("1000.00", SPY="60")
    brokerage.desk.book()
    brokerage.wire.change("/accounts/all", lambda answer: {**answer, "results": []})
    [view] = brokerage.desk.book()
    assert (account, "ACCOUNT_CLOSED") == (view.account.id, view.account.status)
    assert "does not list this account any more" in (view.problem or "")


def test_an_account_that_is_connected_twice_is_said(brokerage: Brokerage) -> None:
    """The same account behind two connections would be traded twice."""
    brokerage.open_account("1000.00", SPY="60")
    brokerage.open_account("1000.00", SPY="60")

    def same(answer: Any) -> Any:
        return {**answer, "results": [{**each, "institution_account_id": "X-1"} for each in answer["results"]]}

    brokerage.wire.change("/accounts/all", same)
    assert all(any("connected twice" in note for note in view.account.notes) for view in brokerage.desk.book())


def test_holdings_that_were_read_days_ago_are_flagged(brokerage: Brokerage) -> None:
    """The brokerage was asked last two days ago: a note says when, and prices are asked for anew."""
    account = brokerage.open_account("1000.00", SPY="60")
    old = (brokerage.backend.world.now() - timedelta(days=2)).isoformat()
    brokerage.wire.change("/positions/all", lambda answer: {**answer, "data_freshness": {"as_of": old}})
    view = brokerage.desk.account(account)
    assert any("over a day ago" in note for note in view.account.notes)
    quote = view.snapshot.quote(view.snapshot.holdings[0].symbol)
    assert quote is not None
    assert brokerage.backend.world.now() == quote.at


def test_old_prices_without_quotes_are_refused_in_a_live_session(brokerage: Brokerage) -> None:
    """Where SnapTrade gives no quotes the brokerage's own prices remain, as old as they are (rules.md 3.1)."""
    account = brokerage.open_account("1000.00", SPY="60")
    model = brokerage.portfolio({"SPY": "100"})
    old = (brokerage.backend.world.now() - timedelta(hours=2)).isoformat()
    brokerage.wire.change("/positions/all", lambda answer: {**answer, "data_freshness": {"as_of": old}})
    brokerage.wire.refuse("/quotes", 501, "not offered")
    with pytest.raises(DataError, match="older than 15 minutes"):
        brokerage.desk.preview(account, model=model)
    assert any("last report" in note for note in brokerage.desk.account(account).account.notes)


def test_what_is_not_sold_in_fractions_is_planned_in_whole_shares(brokerage: Brokerage) -> None:
    """A brokerage that says no gets whole shares; one that says nothing has not said no."""
    brokerage.backend.set_asset(SetAsset(symbol="GLD", fractionable=False))
    account = brokerage.open_account("1000.00", SPY="61")
    whole = brokerage.desk.preview(account, model=brokerage.portfolio(HALF))
    assert {"GLD": Decimal(10)} == {order.symbol: order.quantity for order in whole.plan.buys}


def test_what_a_brokerage_does_not_say_is_not_a_no(tmp_path: Path) -> None:
    """Null for fractionable: fractions are planned."""
    unknown = [{"symbol": "GLD", "exchange_mic": "ARCX", "tradeable": None, "fractionable": None}]
    lists = {"instruments": unknown}
    brokerage = open_brokerage(tmp_path, prepare=lambda wire: wire.change("/instruments", lambda _: lists))
    account = brokerage.open_account("1000.00", SPY="61")
    brokerage.desk.book()
    fractions = brokerage.desk.preview(account, model=brokerage.portfolio(HALF))
    brokerage.close()
    assert [None] == [order.quantity for order in fractions.plan.buys]


def test_a_brokerage_that_takes_shares_only_gets_shares_at_the_dearer_price(brokerage: Brokerage) -> None:
    """2,130.00 USD of GLD at an ask of 200.50 are 10.623441396 shares: never more than was confirmed."""
    renamed = {"slug": "WEBULL", "name": "Webull", "id": "b-1", "allows_trading": True}
    brokerage.wire.change("/authorizations", lambda answer: [{**each, "brokerage": renamed} for each in answer])
    brokerage.wire.change("/quotes", lambda answer: [{**each, "ask_price": 200.5} for each in answer])
    account = brokerage.open_account("1000.00", SPY="61")
    done = brokerage.finish(brokerage.rebalance(account, brokerage.portfolio(HALF)).id)
    [bought] = [order for order in brokerage.backend.list_orders(account, EVERY_ORDER) if order.side == "buy"]
    assert ("COMPLETED_SUCCESS", None, "GLD", Decimal("10.623441396")) == (
        done.status,
        bought.notional,
        bought.symbol,
        bought.qty,
    )


def test_orders_of_others_are_seen_planned_around_and_canceled(brokerage: Brokerage) -> None:
    """An order placed at the brokerage itself reserves its shares, stands in the list, and can be canceled here."""
    account = brokerage.open_account("1000.00", SPY="60")
    body = {"symbol": "SPY", "side": "sell", "type": "limit", "limit_price": "500", "time_in_force": "gtc", "qty": "50"}
    brokerage.backend.place_order(account, CreateOrder.model_validate(body))
    model = brokerage.portfolio({"cash": "100"})
    preview = brokerage.desk.preview(account, model=model)
    assert [Decimal(10)] == [order.quantity for order in preview.plan.orders]
    [order] = brokerage.desk.client.orders.list(account)
    brokerage.desk.client.orders.cancel(account, order.id)
    brokerage.pass_time(3)
    assert [] == list(brokerage.desk.client.orders.list(account))
    assert "canceled" == brokerage.desk.client.orders.get(account, order.id).status


def test_money_that_comes_in_is_seen_and_booked_as_coming_from_outside(brokerage: Brokerage) -> None:
    """Balances follow the brokerage; what the ledger cannot explain by our orders came from outside."""
    account = brokerage.open_account("1000.00", SPY="60")
    brokerage.desk.book()
    brokerage.backend.deposit(Deposit(account_id=account, amount=Decimal("250.25")))
    assert Decimal("1250.25") == brokerage.desk.snapshot(account).cash


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_symbol_that_no_list_has_is_known_by_its_quote(tmp_path: Path, status: int) -> None:
    """A brokerage whose list of instruments is not there, or not to be had, hides no account and still trades what it
    quotes; what nobody quotes is unknown."""
    brokerage = open_brokerage(tmp_path, prepare=lambda wire: wire.refuse("/instruments", status, "no list"))
    brokerage.open_account("1000.00", SPY="60")
    [view] = brokerage.desk.book()
    assert view.problem is None
    assert brokerage.portfolio({"TLT": "50", "cash": "50"}).targets.symbols
    with pytest.raises(Rejected, match="NOSUCH is not an asset known here"):
        brokerage.portfolio({"NOSUCH": "50", "cash": "50"})
    brokerage.close()


def test_an_order_that_does_not_say_what_it_reserves_is_not_passed_over(brokerage: Brokerage) -> None:
    """It may hold cash or shares back, and nothing of it can be planned around: a note names it, once."""
    account = brokerage.open_account("1000.00", SPY="60")
    unclear = {"brokerage_order_id": "b-7", "status": "ACCEPTED", "action": "BUY"}
    brokerage.wire.change("/recentOrders", lambda _: {"orders": [unclear]})
    brokerage.wire.change(f"/{account}/orders", lambda _: [unclear])
    notes = brokerage.desk.account(account).account.notes
    assert ["Order b-7 may be open"] == [note[:21] for note in notes]
