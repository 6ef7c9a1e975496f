"""What every backend promises around rebalancing: accounts, positions, history, activities and market data.

Asked through the client over every transport; expected values follow from the prices of the simulated market, by hand.
SPY closes at 604.9766 on Monday 3 March 2025 and at 599.6080 on Tuesday; it is Monday, 10:00 in New York.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import pytest

from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service import Service
from driftdesk.client import Client
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import BackendNotFound, Rejected
from driftdesk.wire.accounts import Account, BulkPositions
from driftdesk.wire.activities import NonTradeActivity, TradeActivity

MIDNIGHT = datetime(2025, 3, 3, 5, tzinfo=UTC)
TUESDAY_10AM = datetime(2025, 3, 4, 15, tzinfo=UTC)


def alder(client: Client) -> Account:
    """10,000 USD and 10 SPY, which are worth 6,049.77."""
    return client.simulation.create_account("Alder", cash=Decimal(10_000), positions={"SPY": Decimal(10)})


def buy(service: Service, account_id: str, quantity: str) -> None:
    request = OrderRequest(AccountId(account_id), quantity, Symbol("SPY"), Side.BUY, quantity=Decimal(quantity))
    service.exchange.submit(request, service.world.now())


def test_all_positions_are_the_same_as_json(client: Client, service: Service) -> None:
    """The client reads Arrow here; JSON says the same, and so does each account alone."""
    first = alder(client)
    empty = client.simulation.create_account("Birch", cash=Decimal("0.01"))
    buy(service, first.id, "2")
    bulk = client.accounts.all_positions()
    assert bulk == client._transport.get(BulkPositions, "/v1/accounts/positions")
    assert {first.id: client.accounts.positions(first.id), empty.id: ()} == bulk.positions
    assert ({first.id: Decimal(10_000), empty.id: Decimal("0.01")}, {first.id: Decimal("1209.95")}) == (
        bulk.cash,
        bulk.reserved_cash,
    )


def test_the_whole_book_is_asked_for_in_arrow(client: Client) -> None:
    """Where both ends speak it, nothing is asked for twice."""
    alder(client)
    sent: list[httpx.Response] = []
    client._transport._http.event_hooks = {"response": [sent.append]}
    client.accounts.all_positions()
    assert ["application/vnd.apache.arrow.stream"] == [answer.headers["Content-Type"] for answer in sent]


def test_accounts_are_found_and_told(client: Client) -> None:
    """By a word of the name and by their status, in order of opening; money and configuration of one."""
    first = alder(client)
    second = client.simulation.create_account("Birch", cash=Decimal(5))
    assert [first.id, second.id] == [account.id for account in client.accounts.list()]
    assert [second] == list(client.accounts.list(query="bir", status="ACTIVE"))
    money = client.accounts.trading(first.id)
    assert (Decimal("16049.77"), Decimal("6049.77"), Decimal(1)) == (
        money.equity,
        money.long_market_value,
        money.multiplier,
    )
    assert client.accounts.configuration(first.id).no_shorting


def test_a_position_is_found_by_symbol_and_by_asset_id(client: Client) -> None:
    """Not held is not found."""
    account = alder(client)
    spy = client.market.asset("SPY")
    assert client.accounts.position(account.id, "SPY") == client.accounts.position(account.id, spy.id)
    with pytest.raises(BackendNotFound, match="holds no TLT"):
        client.accounts.position(account.id, "TLT")


def test_what_happened_is_told_in_pages(client: Client, service: Service) -> None:
    """The cash of the opening, a fill of 2 at 604.9766 in 1,209.95, a withdrawal."""
    account = alder(client)
    buy(service, account.id, "2")
    client.simulation.advance(seconds=2)
    client.simulation.deposit(account.id, Decimal(-100))
    opening, fill, withdrawal = client.accounts.activities(account.id, direction="asc")
    assert isinstance(opening, NonTradeActivity)
    assert isinstance(fill, TradeActivity)
    assert isinstance(withdrawal, NonTradeActivity)
    assert (Decimal(10_000), Decimal("604.9766"), Decimal(-100)) == (
        opening.net_amount,
        fill.price,
        withdrawal.net_amount,
    )
    assert (withdrawal,) == client.accounts.activities(max_items=1)
    assert (fill,) == client.accounts.activities(account.id, types=["FILL"])


def test_a_history_has_profit_without_flows(client: Client) -> None:
    """10 SPY lose 53.69 from Monday's to Tuesday's close; the 100 that come in on Tuesday are no profit."""
    account = alder(client)
    client.simulation.advance(to=TUESDAY_10AM)
    client.simulation.deposit(account.id, Decimal(100))
    client.simulation.advance(to=datetime(2025, 3, 4, 22, tzinfo=UTC))
    history = client.accounts.portfolio_history(account.id, start=date(2025, 3, 4), cashflow_types="CSD")
    assert (Decimal("16049.77"), (Decimal("16096.08"),), (Decimal("-53.69"),)) == (
        history.base_value,
        history.equity,
        history.profit_loss,
    )
    assert ({"CSD": (Decimal(100),)}, (Decimal("-0.003325"),)) == (history.cashflow, history.profit_loss_pct)


def test_market_data_agree_with_each_other(client: Client) -> None:
    """One price in trade, quote, minute and day."""
    market = client.market
    spy = market.snapshots(["SPY"])["SPY"]
    assert (market.latest_trades(["SPY"])["SPY"], market.latest_quotes(["SPY"])["SPY"]) == (
        spy.latest_trade,
        spy.latest_quote,
    )
    assert market.latest_bars(["SPY"])["SPY"] == spy.minute_bar
    assert (spy.daily_bar,) == market.daily_bars(["SPY", "NOSUCH"], MIDNIGHT)["SPY"]


def test_many_bars_are_read_page_by_page(client: Client) -> None:
    """25 symbols since the market began on 3 January 2023: 250 + 252 + 40 sessions each, 13,550 bars in two pages."""
    symbols = [asset.symbol for asset in client.market.assets()]
    bars = client.market.daily_bars(symbols, datetime(2023, 1, 1, tzinfo=UTC))
    assert {symbol: 542 for symbol in symbols} == {symbol: len(found) for symbol, found in bars.items()}
    assert all(found == tuple(sorted(found, key=lambda bar: bar.t)) for found in bars.values())


def test_a_calendar_tells_when_trades_settle(client: Client) -> None:
    """Friday's on Monday."""
    (friday,) = client.market.calendar(date(2025, 3, 10), date(2025, 3, 10), by_settlement=True)
    assert ("2025-03-07", "2025-03-10") == (friday.date, friday.settlement_date)


def test_what_cannot_be_is_refused_in_a_sentence(client: Client) -> None:
    """A period that is none, an activity that is none, a token of another list."""
    account = alder(client)
    for call, sentence in (
        (lambda: client.accounts.portfolio_history(account.id, period="soon"), "period must be a number and a unit"),
        (lambda: client.accounts.activities(types=["GIFT"]), "which is no activity type"),
        (lambda: client.accounts.list(sort="up"), "sort must be 'asc' or 'desc'"),
    ):
        with pytest.raises(Rejected, match=sentence) as refused:
            call()
        assert 422 == refused.value.status
