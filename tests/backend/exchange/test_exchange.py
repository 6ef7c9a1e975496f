"""The simulated exchange: what it accepts, when it fills, what it moves (rules.md 1.3, 1.4, 8.4).

Prices are set by hand: SPY 100, TLT 50, GLD 200. Wednesday 11 March 2026, 10:00 New York.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from sqlalchemy import event, select

from driftdesk.backend.exchange import Exchange, matching
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
        pytest.param("buy GLD 1.015", "1.00", "998.98", id="1.015 is half up"),
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
    for text in ("sell SPY 1.23456789", "buy GLD for 333.33", "sell TLT for 10.01", "buy TLT 0.223456789"):
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


def test_what_another_order_holds_back_is_not_sold(floor: Floor) -> None:
    """500 USD and 5 shares of 10 SPY; at 60 the first would take 8.333333333, and gets the 5 that are not promised."""
    first, second = floor.send("sell SPY for 500.00"), floor.send("sell SPY 5")
    floor.price("SPY", "60")
    floor.exchange.settle(TEN + SECOND)
    for sent in (first, second):
        assert (Decimal(5), "filled") == (floor.order(sent).filled_qty, floor.order(sent).status)
    assert floor.held("SPY") is None
    assert Decimal(1600) == floor.cash


def test_a_notional_that_ends_short_is_told_by_its_fill(floor: Floor) -> None:
    """All 10 for 900 USD at 60: one fill ends the order, with its price; no second one without."""
    sent = floor.send("sell SPY for 900.00")
    floor.price("SPY", "60")
    floor.exchange.settle(TEN + SECOND)
    told = floor.service.order_history(floor.account, sent.id).updates
    assert [("accepted", None), ("fill", Decimal(60))] == [(update.event, update.price) for update in told]


def test_orders_of_one_instant_are_settled_as_they_came_in(floor: Floor) -> None:
    """The simulated clock stands still between them; their ids say nothing of their order."""
    sent = [floor.send("sell SPY 1") for _ in range(8)]
    floor.exchange.settle(TEN + SECOND)
    with floor.service.world.database.read() as connection:
        traded = list(connection.scalars(select(fills.c.order_id).order_by(fills.c.id)))
    assert [order.id for order in sent] == traded


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("buy GLD for 1.00", "accepted"),
        ("buy GLD for 0.99", "rejected"),
        ("buy GLD for 0.999999999", "rejected"),
        ("buy GLD 0.005", "accepted"),
        ("buy GLD 0.0049", "rejected"),
        ("sell SPY for 0.01", "accepted"),
        ("sell SPY 0.000000001", "accepted"),
    ],
)
def test_a_buy_is_worth_a_dollar_at_least(floor: Floor, text: str, status: str) -> None:
    """Exactly 1.00 is taken, of 0.005 GLD at 200 too; sells are exempt (rules.md 6.3; wire/alpaca.md 11.4)."""
    sent = floor.send(text)
    assert status == sent.status
    assert (sent.reason is not None and "worth at least 1 USD" in sent.reason) is (status == "rejected")


def test_orders_sent_together_are_as_one_after_the_other(
    service: Service, open_account: Callable[..., str], floor: Floor
) -> None:
    """1,000 USD and 10 SPY are promised once, whether each order has a transaction of its own or all have one."""
    texts = ("buy GLD for 600", "sell SPY 6", "buy TLT for 400.01", "sell SPY 4.1", "sell SPY 4", "buy TLT for 400")
    apart = [floor.send(text) for text in texts]
    other = Floor(service, open_account("1000.00", SPY="10", TLT="20"))
    with service.exchange.sending():
        together = [other.send(text) for text in texts]
    assert ["accepted", "accepted", "rejected", "rejected", "accepted", "accepted"] == [
        sent.status for sent in together
    ]
    assert [(sent.status, sent.reason) for sent in apart] == [(sent.status, sent.reason) for sent in together]
    assert {sent.client_order_id: sent for sent in together} == service.exchange.find(
        other.account, [sent.client_order_id for sent in together]
    )
    assert Decimal(0) == other.buying_power
    assert 8 == service.exchange.settle(TEN + SECOND)
    assert [floor.cash, floor.held("SPY"), floor.held("TLT")] == [other.cash, other.held("SPY"), other.held("TLT")]


def test_what_was_sent_together_arrives_together_or_not_at_all(floor: Floor) -> None:
    """A repeated client order id is refused among them too; a transaction that breaks off leaves nothing."""
    with floor.exchange.sending():
        floor.send("sell SPY 1", name="mine")
        with pytest.raises(StateError, match="mine is used already"):
            floor.send("sell SPY 2", name="mine")
    with suppress(KeyboardInterrupt), floor.exchange.sending():
        floor.send("sell SPY 9", name="lost")
        raise KeyboardInterrupt
    assert ["mine"] == list(floor.exchange.find(floor.account, ["mine", "lost"]))
    assert "accepted" == floor.send("sell SPY 9", name="lost").status


def test_sending_inside_sending_promises_nothing_twice(floor: Floor) -> None:
    """The inner one joins: its 600 of 1,000 USD are spoken for when the outer one goes on."""
    with floor.exchange.sending():
        with floor.exchange.sending():
            floor.send("buy GLD for 600")
        assert "rejected" == floor.send("buy GLD for 600").status
    assert Decimal(400) == floor.buying_power


def test_orders_sent_together_read_an_account_once(floor: Floor) -> None:
    """What many orders need is not asked for again: the statements do not grow with the orders."""

    def statements(count: int) -> int:
        seen: list[str] = []
        engine = floor.service.world.database.engine
        event.listen(engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
        with floor.exchange.sending():
            for _ in range(count):
                floor.send("buy GLD for 1.00")
        # Each asks whether its client order id is taken.
        return len(seen) - count

    assert statements(2) == statements(20)


def test_no_order_makes_the_store_read_all_of_them(floor: Floor) -> None:
    """Every statement about orders on the way of an order finds its rows by an index."""
    seen: dict[str, object] = {}
    engine = floor.service.world.database.engine
    event.listen(engine, "before_cursor_execute", lambda *told: seen.setdefault(told[2], told[3]))
    floor.send("buy GLD 1", name="first")
    floor.send("sell SPY 1")
    floor.exchange.find(floor.account, ["first"])
    floor.exchange.next_update(floor.account, TEN)
    floor.price("SPY", "99")
    floor.exchange.settle(TEN + SECOND)
    floor.exchange.cancel(floor.account, "first", TEN + SECOND)
    about = {text: asked for text, asked in seen.items() if "orders" in text and not text.startswith("INSERT")}
    with engine.connect() as connection:
        plans = [
            (text, step[3])
            for text, asked in about.items()
            for step in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {text}", asked[0] if isinstance(asked, list) else asked
            )
        ]
    assert len(about) > 8
    assert [] == [(text, step) for text, step in plans if step.startswith("SCAN orders")]
    of_account = [step for text, step in plans if "sum(orders.reserved)" in text and " orders " in step]
    assert len(of_account) > 2
    assert all("open_orders_by_account (account_id=" in step for step in of_account)


def test_many_due_orders_are_settled_in_parts(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at a time here: each part finds what the one before left, the last one what is held no more."""
    sent = [floor.send(text) for text in ("sell SPY for 500", "sell SPY 2", "sell SPY for 300", "buy GLD for 900")]
    monkeypatch.setattr(matching, "_DUE", matching._DUE.limit(2))
    floor.price("SPY", "60")
    assert 4 == floor.exchange.settle(TEN + SECOND)
    # 500 USD would take 8.333333333, but 2 and 3 shares are promised to the others.
    assert [Decimal(5), Decimal(2), Decimal(3)] == [floor.order(order).filled_qty for order in sent[:3]]
    assert Decimal(700) == floor.cash


def test_a_client_order_id_is_used_once(floor: Floor) -> None:
    """A repeated one is refused by name, also after the first was rejected (rules.md 8.2)."""
    floor.send("buy GLD for 5000.00", name="mine")
    with pytest.raises(StateError, match="mine is used already"):
        floor.send("buy GLD for 5.00", name="mine")


@pytest.mark.parametrize(("text", "status"), [("sell SPY 10", "accepted"), ("sell SPY for 10", "rejected")])
def test_only_whole_shares_trade_of_what_is_not_fractionable(floor: Floor, text: str, status: str) -> None:
    """A run's notional is rejected as a person's is refused (issue 4: no longer fractionable)."""
    floor.service.set_asset(SetAsset(symbol="SPY", fractionable=False))
    sent = floor.send(text)
    assert status == sent.status
    assert status == "accepted" or sent.reason == "SPY is not fractionable, only whole shares of it are traded"


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


def test_what_is_no_longer_tradable_does_not_trade(floor: Floor) -> None:
    """Accepted before it ended: the order waits, and trades when that is taken back."""
    sent = floor.send("sell SPY 6")
    floor.service.set_asset(SetAsset(symbol="SPY", tradable=False))
    assert 0 == floor.exchange.settle(TEN + SECOND)
    floor.service.set_asset(SetAsset(symbol="SPY", tradable=True))
    assert 1 == floor.exchange.settle(TEN + SECOND + timedelta(minutes=1))
    assert "filled" == floor.order(sent).status


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


def test_more_shares_than_can_be_recorded_are_not_bought(service: Service, open_account: Callable[..., str]) -> None:
    """9,000,000,000 shares fit; at 0.0001 USD a million USD would be more, and what is over is not paid for."""
    floor = Floor(service, open_account("9000000000.00"))
    floor.price("GLD", "0.0001")
    bought = floor.trade("buy GLD for 1000000.00")
    assert (Decimal(9_000_000_000), "filled") == (bought.filled_qty, bought.status)
    assert Decimal(9_000_000_000 - 900_000) == floor.cash
    again = floor.trade("buy GLD 10000")
    assert (Decimal(0), "canceled") == (again.filled_qty, again.status)


def test_an_order_is_worth_no_more_than_can_be_recorded(service: Service, open_account: Callable[..., str]) -> None:
    """46,000,000 GLD at 200 are 9,200,000,000 USD, which the account has."""
    sent = Floor(service, open_account("10000000000.00")).send("buy GLD 46000000")
    assert "rejected" == sent.status
    assert sent.reason is not None
    assert "at most 9000000000 USD" in sent.reason


def test_a_rejected_order_says_why(service: Service, floor: Floor) -> None:
    """The reason reaches the order that a person reads."""
    service.set_asset(SetAsset(symbol="GLD", halted=True))
    assert "GLD is halted" == floor.order(floor.send("buy GLD for 100")).reject_reason
