"""The simulated exchange: what it accepts, when it fills, what it moves (rules.md 1.3, 1.4, 8.4).

Prices are set by hand: SPY 100, TLT 50, GLD 200. Wednesday 11 March 2026, 10:00 New York.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from sqlalchemy import select

from driftdesk.backend.exchange import Exchange
from driftdesk.backend.runs.broker import BrokerOrder, OrderRequest
from driftdesk.backend.service import Service
from driftdesk.backend.store.tables import fills
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import StateError
from driftdesk.wire.accounts import Position
from driftdesk.wire.orders import Order
from driftdesk.wire.simulation import SetAsset, SetPrices

TEN = datetime(2026, 3, 11, 10, 0, tzinfo=NEW_YORK)
SECOND = timedelta(seconds=1)


class Floor:
    """One account at the exchange, spoken to in few words: ``floor.send("buy SPY for 600")``."""

    def __init__(self, service: Service, account: str) -> None:
        self.service = service
        self.exchange: Exchange = service.exchange
        self.account = AccountId(account)
        self._numbers = count(1)

    def send(self, text: str, at: datetime = TEN, name: str | None = None) -> BrokerOrder:
        """``buy SPY for 600`` by notional, ``sell SPY 6`` by quantity."""
        side, symbol, *rest = text.split()
        amount = Decimal(rest[-1])
        by_notional = rest[0] == "for"
        request = OrderRequest(
            self.account,
            name or f"order-{next(self._numbers)}",
            Symbol(symbol),
            Side(side),
            notional=amount if by_notional else None,
            quantity=None if by_notional else amount,
        )
        return self.exchange.submit(request, at)

    def trade(self, text: str) -> Order:
        """Send, wait for the fill, and look at the order."""
        sent = self.send(text)
        self.exchange.settle(TEN + SECOND)
        return self.order(sent)

    def order(self, sent: BrokerOrder) -> Order:
        return self.service.get_order(self.account, sent.id)

    def price(self, symbol: str, price: str) -> None:
        self.service.set_prices(SetPrices(prices={symbol: Decimal(price)}))

    @property
    def cash(self) -> Decimal:
        return self.service.trading_account(self.account).cash

    @property
    def buying_power(self) -> Decimal:
        return self.service.trading_account(self.account).buying_power

    def held(self, symbol: str) -> Position | None:
        return next((held for held in self.service.positions(self.account) if held.symbol == symbol), None)


@pytest.fixture
def floor(service: Service, open_account: Callable[..., str]) -> Floor:
    """An account with 1,000.00 USD, 10 SPY and 20 TLT."""
    return Floor(service, open_account("1000.00", SPY="10", TLT="20"))


@pytest.mark.parametrize(
    ("cash", "price", "notional", "quantity"),
    [
        pytest.param("50000", "417.8", "30443.177578017", "72.865432211", id="the seed's first fill"),
        pytest.param("50000", "137.62", "17121.076868834", "124.408348124", id="the seed's second fill"),
        pytest.param("50000", "3", "1", "0.333333333", id="a third is floored"),
        pytest.param("50000", "7", "2", "0.285714285", id="two sevenths are floored, not rounded"),
    ],
)
def test_a_notional_buys_the_floored_quantity(
    service: Service, open_account: Callable[..., str], cash: str, price: str, notional: str, quantity: str
) -> None:
    """Quantity = floor(notional / price) to nine decimals (rules.md 1.3, with the fills of seed 000)."""
    floor = Floor(service, open_account(cash))
    floor.price("GLD", price)
    order = floor.trade(f"buy GLD for {notional}")
    assert (Decimal(quantity), "filled") == (order.filled_qty, order.status)
    assert order.filled_avg_price == Decimal(price)


@pytest.mark.parametrize(
    ("text", "price", "cash"),
    [
        pytest.param("buy GLD for 333.33", "7.77", "666.67", id="a notional moves itself"),
        pytest.param("buy GLD for 600.00", "0.0001", "400.00", id="at the lowest price"),
        pytest.param("sell SPY for 123.45", None, "1123.45", id="a sold notional too"),
        pytest.param("sell SPY 1.23456789", "33.3333", "1041.15", id="41.1522 goes down"),
        pytest.param("buy GLD 0.015", "1.00", "999.98", id="0.015 is half up"),
        pytest.param("sell SPY 0.005", "1.00", "1000.01", id="half up on a sale too"),
    ],
)
def test_cash_moves_by_the_value_half_up_to_the_cent(floor: Floor, text: str, price: str | None, cash: str) -> None:
    """Quantity x price, half-up; 1.23456789 x 33.3333 = 41.1522... (rules.md 1.4)."""
    if price is not None:
        floor.price(text.split()[1], price)
    floor.trade(text)
    assert Decimal(cash) == floor.cash


def test_the_rounding_account_is_the_sum_of_the_fills(floor: Floor) -> None:
    """Cash moved is quantity x price + rounding, for every fill, to the last digit (rules.md 1.4)."""
    for symbol, price in (("SPY", "33.3333"), ("TLT", "7.77"), ("GLD", "417.8")):
        floor.price(symbol, price)
    for text in ("sell SPY 1.23456789", "buy GLD for 333.33", "sell TLT for 10.01", "buy TLT 0.123456789"):
        floor.send(text)
    floor.exchange.settle(TEN + SECOND)
    with floor.service.world.database.read() as connection:
        rows = connection.execute(select(fills)).all()
    assert 4 == len(rows)
    assert [row.cash for row in rows] == [row.quantity * row.price + row.rounding for row in rows]
    assert all(abs(row.rounding) <= Decimal("0.005") for row in rows)
    # 1.23456789 x 33.3333 = 41.152221847737, 41.15 moved.
    assert [Decimal("-0.002221847737")] == [row.rounding for row in rows if row.symbol == "SPY"]
    moved = sum(-row.cash if row.side == "buy" else row.cash for row in rows)
    assert Decimal(1000) + moved == floor.cash


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("buy GLD for 1000.00", "accepted"),
        ("buy GLD for 1000.01", "rejected"),
        ("buy GLD 5", "accepted"),
        ("buy GLD 5.00005", "rejected"),
        ("sell SPY 10", "accepted"),
        ("sell SPY 10.000000001", "rejected"),
        ("sell SPY for 1000.00", "accepted"),
        ("sell SPY for 1000.01", "rejected"),
        ("sell GLD 1", "rejected"),
    ],
)
def test_an_order_needs_the_cash_or_the_shares(floor: Floor, text: str, status: str) -> None:
    """1,000.00 USD buy 5 GLD at 200; 10 SPY at 100 are 1,000.00; of GLD there is none (rules.md 8.4)."""
    sent = floor.send(text)
    assert status == sent.status
    assert (sent.reason is not None and "insufficient" in sent.reason) is (status == "rejected")


def test_open_orders_hold_back_cash_and_shares_until_they_end(floor: Floor) -> None:
    """600 of 1,000 USD and 6 of 10 SPY are spoken for; a cancel and a fill let them go."""
    floor.send("buy GLD for 600.00", name="buy")
    floor.send("sell SPY 6", name="sell")
    spy = floor.held("SPY")
    assert spy is not None
    assert (Decimal(400), Decimal(10), Decimal(4)) == (floor.buying_power, spy.qty, spy.qty_available)
    assert "rejected" == floor.send("buy GLD for 400.01").status
    assert "rejected" == floor.send("sell SPY 4.1").status
    floor.exchange.cancel(floor.account, "buy", TEN)
    assert Decimal(1000) == floor.buying_power
    floor.exchange.settle(TEN + SECOND)
    spy = floor.held("SPY")
    assert spy is not None
    assert (Decimal(1600), Decimal(4), Decimal(4)) == (floor.buying_power, spy.qty, spy.qty_available)


def test_a_final_order_cannot_be_canceled(floor: Floor) -> None:
    """Canceling what was filled changes nothing."""
    sent = floor.send("sell SPY 6", name="sell")
    floor.exchange.settle(TEN + SECOND)
    before = floor.order(sent)
    floor.exchange.cancel(floor.account, "sell", TEN + 2 * SECOND)
    assert before == floor.order(sent)
    assert "filled" == before.status


def test_no_more_is_sold_than_is_held(floor: Floor) -> None:
    """900 USD of SPY at 100 are 9 shares; at 60 they would be 15: all 10 are sold, for 600 (rules.md 1.3)."""
    sent = floor.send("sell SPY for 900.00")
    floor.price("SPY", "60")
    floor.exchange.settle(TEN + SECOND)
    assert (Decimal(10), "filled") == (floor.order(sent).filled_qty, floor.order(sent).status)
    assert floor.held("SPY") is None
    assert Decimal(1600) == floor.cash


def test_two_sells_at_a_fallen_price_share_what_is_held(floor: Floor) -> None:
    """500 USD and 5 shares of 10 SPY; at 60 the first takes 8.333333333 and the second what is left."""
    first, second = floor.send("sell SPY for 500.00"), floor.send("sell SPY 5", at=TEN + timedelta(microseconds=1))
    floor.price("SPY", "60")
    floor.exchange.settle(TEN + 2 * SECOND)
    assert [Decimal("8.333333333"), Decimal("1.666666667")] == [
        floor.order(sent).filled_qty for sent in (first, second)
    ]
    assert floor.held("SPY") is None


def test_a_client_order_id_is_used_once(floor: Floor) -> None:
    """A repeated one is refused by name, also after the first was rejected (rules.md 8.2)."""
    floor.send("buy GLD for 5000.00", name="mine")
    with pytest.raises(StateError, match="mine is used already"):
        floor.send("buy GLD for 5.00", name="mine")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"tradable": False}, "not tradable"), ({"halted": True}, "halted"), ({"fractionable": False}, None)],
)
def test_what_cannot_be_traded_is_rejected(floor: Floor, change: dict[str, bool], reason: str | None) -> None:
    """Not tradable or halted: rejected with the reason; whole shares may still be sold (rules.md 2.7)."""
    floor.service.set_asset(SetAsset(symbol="SPY", **change))
    sent = floor.send("sell SPY 10")
    assert ("accepted" if reason is None else "rejected") == sent.status
    assert reason is None or (sent.reason is not None and reason in sent.reason)


@pytest.mark.parametrize(
    ("day", "hour", "minute", "filled"),
    [
        pytest.param(11, 17, 0, datetime(2026, 3, 12, 9, 30, 1, tzinfo=NEW_YORK), id="after hours"),
        pytest.param(11, 16, 0, datetime(2026, 3, 12, 9, 30, 1, tzinfo=NEW_YORK), id="at the close"),
        pytest.param(14, 12, 0, datetime(2026, 3, 16, 9, 30, 1, tzinfo=NEW_YORK), id="on a Saturday"),
        pytest.param(12, 8, 0, datetime(2026, 3, 12, 9, 30, 1, tzinfo=NEW_YORK), id="before the open"),
        pytest.param(11, 12, 0, datetime(2026, 3, 11, 12, 0, 1, tzinfo=NEW_YORK), id="in the session"),
    ],
)
def test_an_order_fills_a_second_after_the_market_can(
    floor: Floor, day: int, hour: int, minute: int, filled: datetime
) -> None:
    """Sent outside the session it waits for the open, and is filled then and not before."""
    sent = floor.send("sell SPY 6", at=datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK))
    assert filled == floor.exchange.next_event()
    assert 0 == floor.exchange.settle(filled - timedelta(microseconds=1))
    assert 1 == floor.exchange.settle(filled)
    assert filled == floor.order(sent).filled_at


def test_a_halted_order_is_tried_again_each_minute(floor: Floor) -> None:
    """Halted after it was accepted: looked at a second later, then every minute, filled once trading goes on."""
    sent = floor.send("sell SPY 6")
    floor.service.set_asset(SetAsset(symbol="SPY", halted=True))
    at = TEN + SECOND
    for _ in range(3):
        assert at == floor.exchange.next_event()
        assert 0 == floor.exchange.settle(at)
        at += timedelta(minutes=1)
    floor.service.set_asset(SetAsset(symbol="SPY", halted=False))
    assert 1 == floor.exchange.settle(at)
    assert at == floor.order(sent).filled_at


def test_a_day_order_expires_at_its_close(floor: Floor) -> None:
    """Halted until 16:00: expired then, and what it held back is free."""
    sent = floor.send("sell SPY 6", at=datetime(2026, 3, 11, 15, 59, 30, tzinfo=NEW_YORK))
    floor.service.set_asset(SetAsset(symbol="SPY", halted=True))
    close = datetime(2026, 3, 11, 16, 0, tzinfo=NEW_YORK)
    floor.exchange.settle(close - 29 * SECOND)
    assert close == floor.exchange.next_event()
    floor.exchange.settle(close)
    order, spy = floor.order(sent), floor.held("SPY")
    assert ("expired", close, Decimal(0)) == (order.status, order.expired_at, order.filled_qty)
    assert spy is not None
    assert Decimal(10) == spy.qty_available
    assert floor.exchange.next_event() is None


@pytest.mark.parametrize(
    ("trades", "quantity", "basis", "average"),
    [
        pytest.param(["110 buy SPY for 550"], "15", "1550.00", "103.3333", id="a buy adds what it cost"),
        pytest.param(["110 sell SPY 4"], "6", "600.00", "100", id="a sale takes its share"),
        pytest.param(["110 buy SPY for 550", "120 sell SPY 7"], "8", "826.67", "103.3338", id="1550 x 8/15, half up"),
    ],
)
def test_the_cost_basis(floor: Floor, trades: list[str], quantity: str, basis: str, average: str) -> None:
    """10 SPY came in at 100: 1,000.00; sales take their proportion of it, half-up to the cent."""
    for index, trade in enumerate(trades):
        price, _, text = trade.partition(" ")
        floor.price("SPY", price)
        floor.send(text, at=TEN + index * timedelta(minutes=1))
        floor.exchange.settle(TEN + index * timedelta(minutes=1) + SECOND)
    spy = floor.held("SPY")
    assert spy is not None
    assert [Decimal(quantity), Decimal(basis), Decimal(average)] == [spy.qty, spy.cost_basis, spy.avg_entry_price]


def test_orders_are_found_by_their_client_ids(floor: Floor) -> None:
    """Those it has, and only this account's; a broker that knows ids needs no grace (durability: runs)."""
    sent = floor.send("sell SPY 6", name="mine")
    assert {"mine": sent} == floor.exchange.find(floor.account, ["mine", "never sent"])
    assert {} == floor.exchange.find(AccountId("another"), ["mine"])


def test_a_buy_by_quantity_never_overdraws(floor: Floor) -> None:
    """10 GLD are accepted at 100 and filled at 150: 1,000 pay for 6.666666666, and no more (rules.md 6.1)."""
    floor.price("GLD", "100")
    sent = floor.send("buy GLD 10")
    floor.price("GLD", "150")
    floor.exchange.settle(TEN + SECOND)
    assert Decimal("6.666666666") == floor.order(sent).filled_qty
    assert Decimal("0.00") == floor.cash


def test_a_rejected_order_says_why(service: Service, floor: Floor) -> None:
    """The reason reaches the order that a person reads."""
    service.set_asset(SetAsset(symbol="GLD", halted=True))
    assert "GLD is halted" == floor.order(floor.send("buy GLD for 100")).reject_reason
