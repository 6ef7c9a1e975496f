"""Orders of every type through the service: rest, trigger, fill in parts, end, be replaced, close positions.

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50, GLD 200. The account: 10,000.00 USD, 40 SPY.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from conftest import WEDNESDAY_10AM
from sqlalchemy import select

from driftdesk.backend.ledger import check_balances
from driftdesk.backend.service import Service
from driftdesk.backend.store.tables import orders
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import AccountId
from driftdesk.errors import DriftdeskError, InputError, Insufficient, NotFound, StateError, Unavailable
from driftdesk.wire.orders import CreateOrder, Order, ReplaceOrder
from driftdesk.wire.simulation import (
    Advance,
    Delist,
    FaultEntry,
    FaultScript,
    FillModelSetting,
    PayDividend,
    SetPrices,
    SplitShares,
)


class Desk:
    """An account and its orders: ``desk.send("buy 10 SPY limit 95 gtc")``."""

    def __init__(self, service: Service, account: str) -> None:
        self.service, self.account = service, account

    def send(self, text: str) -> Order:
        side, size, symbol, *rest = text.split()
        words = iter(rest)
        terms: dict[str, object] = {"type": "market", "time_in_force": "day"}
        for word in words:
            if word in ("limit", "stop"):
                terms[f"{word}_price"] = Decimal(next(words))
            elif word.startswith("#"):
                terms["client_order_id"] = word[1:]
            else:
                terms["time_in_force"] = word
        given = {word for word in ("limit", "stop") if f"{word}_price" in terms}
        terms["type"] = {frozenset(): "market", frozenset({"limit"}): "limit", frozenset({"stop"}): "stop"}.get(
            frozenset(given), "stop_limit"
        )
        amount = {"notional": Decimal(size[1:])} if size.startswith("$") else {"qty": Decimal(size)}
        body = CreateOrder.model_validate({"side": side, "symbol": symbol, **amount, **terms})
        return self.service.place_order(self.account, body)

    def now(self, order: Order) -> Order:
        return self.service.get_order(self.account, order.id)

    def story(self, order: Order) -> list[str]:
        """The order's events, with what each filled."""
        updates = self.service.order_history(self.account, order.id).updates
        return [f"{u.event} {u.qty:f}@{u.price:f}" if u.qty is not None else str(u.event) for u in updates]

    def price(self, symbol: str, price: str) -> None:
        self.service.set_prices(SetPrices(prices={symbol: Decimal(price)}))

    def wait(self, seconds: int = 0, to: datetime | None = None) -> None:
        self.service.advance(Advance(to=to, seconds=None if to else seconds))

    @property
    def cash(self) -> Decimal:
        return self.service.trading_account(self.account).cash

    @property
    def free(self) -> Decimal:
        return self.service.trading_account(self.account).buying_power

    def sound(self) -> bool:
        with self.service.world.database.read() as connection:
            return check_balances(connection) == []


@pytest.fixture
def desk(service: Service, open_account: Callable[..., str]) -> Desk:
    return Desk(service, open_account("10000.00", SPY="40"))


def short(story: list[str]) -> str:
    return ", ".join(text.replace(".000000000", "").replace(".0000", "") for text in story)


@pytest.mark.parametrize(
    ("text", "price", "story"),
    [
        pytest.param("buy 10 SPY limit 95", "94", "accepted, new, fill 10@94", id="a buy limit, at a better price"),
        pytest.param("buy 10 SPY limit 95", "95.01", "accepted, new", id="a buy limit that is missed by a cent"),
        pytest.param("sell 10 SPY limit 105", "105", "accepted, new, fill 10@105", id="a sell limit"),
        pytest.param("sell 10 SPY stop 90", "89", "accepted, new, fill 10@89", id="a sell stop, at the market"),
        pytest.param("sell 10 SPY stop 90", "90.01", "accepted, new", id="a stop that is not reached"),
        pytest.param("buy 10 SPY stop 110", "112", "accepted, new, fill 10@112", id="a buy stop"),
        pytest.param("sell 10 SPY stop 90 limit 88", "89", "accepted, new, fill 10@89", id="a stop limit"),
        pytest.param("sell 10 SPY stop 90 limit 88", "87", "accepted, new", id="a stop limit that fell through"),
        pytest.param("buy 10 SPY limit 101", "100", "accepted, fill 10@100", id="a limit that is there at once"),
    ],
)
def test_an_order_rests_until_its_price_comes(desk: Desk, text: str, price: str, story: str) -> None:
    """It is looked at again when the price is set; what does not trade goes on resting."""
    order = desk.send(text)
    desk.wait(5)
    desk.price("SPY", price)
    desk.wait(0)
    assert story == short(desk.story(order))
    assert desk.sound()


def test_a_stop_limit_that_was_reached_stays_a_limit(desk: Desk) -> None:
    """Through the stop at 90 down to 87, and back to 88.50: sold there, though the stop is not reached again."""
    order = desk.send("sell 10 SPY stop 90 limit 88.50")
    desk.wait(2)
    for price in ("87", "91"):
        desk.price("SPY", price)
        desk.wait(0)
    assert "accepted, new, fill 10@91" == short(desk.story(order))


def test_a_limit_buy_holds_back_its_limit_and_pays_the_price(desk: Desk) -> None:
    """10 at 95: 950.00 are held back, 940.00 paid, and the rest is free again."""
    desk.send("buy 10 SPY limit 95")
    assert Decimal(9050) == desk.free
    desk.price("SPY", "94")
    desk.wait(2)
    assert [Decimal(9060), Decimal(9060)] == [desk.cash, desk.free]


def test_a_day_order_expires_and_a_gtc_order_rests_overnight(desk: Desk) -> None:
    """At the close one ends and the other is done for the day; the next morning it is there again."""
    day, gtc = desk.send("buy 1 SPY limit 95"), desk.send("buy 1 SPY limit 95 gtc")
    desk.wait(to=datetime(2026, 3, 11, 16, 0, tzinfo=NEW_YORK))
    assert ["expired", "done_for_day"] == [desk.now(order).status for order in (day, gtc)]
    desk.wait(to=datetime(2026, 3, 12, 10, 0, tzinfo=NEW_YORK))
    desk.price("SPY", "95")
    desk.wait(0)
    assert "accepted, new, done_for_day, new, fill 1@95" == short(desk.story(gtc))
    assert "accepted, new, expired" == short(desk.story(day))


@pytest.mark.parametrize(
    ("text", "until", "story"),
    [
        pytest.param("buy 1 SPY cls", (11, 16, 0), "accepted, fill 1@100", id="the closing auction"),
        pytest.param("buy 1 SPY cls limit 99", (11, 16, 0), "accepted, canceled", id="too low for the closing"),
        pytest.param("buy 1 SPY limit 101 ioc", (11, 10, 1), "accepted, fill 1@100", id="at once"),
        pytest.param("buy 1 SPY limit 99 ioc", (11, 10, 1), "accepted, canceled", id="not at once"),
    ],
)
def test_auctions_and_at_once_get_one_look(desk: Desk, text: str, until: tuple[int, int, int], story: str) -> None:
    """What that look does not fill is canceled."""
    order = desk.send(text)
    desk.wait(to=datetime(2026, 3, *until, tzinfo=NEW_YORK))
    assert story == short(desk.story(order))


def test_the_opening_auction(desk: Desk) -> None:
    """Sent in the evening, filled at 9:30 to the second; one whose limit is missed is canceled then."""
    desk.wait(to=datetime(2026, 3, 11, 20, 0, tzinfo=NEW_YORK))
    filled, missed = desk.send("buy 1 SPY opg"), desk.send("buy 1 SPY opg limit 99")
    open_ = datetime(2026, 3, 12, 9, 30, tzinfo=NEW_YORK)
    desk.wait(to=open_)
    assert ["filled", "canceled"] == [desk.now(order).status for order in (filled, missed)]
    assert open_ == desk.now(filled).filled_at


@pytest.mark.parametrize(
    ("text", "found", "status"),
    [
        pytest.param("buy 1 SPY cls", (12, 9, 29), "filled", id="before the next open"),
        pytest.param("buy 1 SPY cls", (12, 9, 30), "canceled", id="in the next session"),
        pytest.param("buy 1 SPY ioc", (11, 16, 0), "canceled", id="at once, after its session"),
        pytest.param("buy 1 SPY opg", (12, 16, 0), "canceled", id="the opening, after its session"),
        pytest.param("buy 1 SPY", (12, 10, 0), "expired", id="of the day, a day later"),
        pytest.param("buy 1 SPY gtc", (12, 10, 0), "filled", id="until canceled"),
    ],
)
def test_an_exchange_that_was_not_running(desk: Desk, text: str, found: tuple[int, int, int], status: str) -> None:
    """It looks at what was due meanwhile: the closing price stands until the next open, an auction does not come
    back."""
    if text.endswith("opg"):
        desk.wait(to=datetime(2026, 3, 11, 20, 0, tzinfo=NEW_YORK))
    order = desk.send(text)
    desk.service.exchange.settle(datetime(2026, 3, *found, tzinfo=NEW_YORK))
    assert status == desk.now(order).status


def slowly(desk: Desk, percent: str = "10") -> None:
    """Ten shares a minute, give or take half."""
    desk.service.set_fill_model(
        FillModelSetting(
            name="participation", seed=3, participation_percent=Decimal(percent), minute_volume=Decimal(100)
        )
    )


def test_a_large_order_fills_in_parts_that_add_up(desk: Desk) -> None:
    """30 shares at 5 to 15 a minute; every part keeps its promise of cash, and the last one fills the order."""
    slowly(desk)
    order = desk.send("buy 30 GLD")
    desk.wait(61)
    part = desk.now(order)
    assert "partially_filled" == part.status
    assert part.filled_qty is not None
    assert Decimal(10000) - 200 * part.filled_qty == desk.cash
    assert Decimal(10000) - 6000 == desk.free
    desk.wait(600)
    assert ["filled", Decimal(30), Decimal(200)] == [
        desk.now(order).status,
        desk.now(order).filled_qty,
        desk.now(order).filled_avg_price,
    ]
    parts = [update.qty for update in desk.service.order_history(desk.account, order.id).updates if update.qty]
    assert len(parts) > 1
    assert Decimal(30) == sum(parts)
    assert desk.sound()


def test_a_minute_has_no_more_for_an_order_that_is_woken(desk: Desk) -> None:
    """Setting the price again and again in one minute trades no second part of that minute's volume."""
    slowly(desk)
    order = desk.send("buy 30 GLD limit 250")
    desk.wait(1)
    part = desk.now(order).filled_qty
    for price in ("201", "199"):
        desk.price("GLD", price)
        desk.wait(0)
    assert part == desk.now(order).filled_qty
    desk.wait(60)
    assert (part or 0) < (desk.now(order).filled_qty or 0)


def test_setting_a_price_wakes_only_what_it_reaches(desk: Desk) -> None:
    """At 96 the limit at 97 and the stop at 96 are looked at, those beyond are not; what is closed sleeps on."""
    texts = ("buy 1 SPY limit 97 gtc", "buy 1 SPY limit 95 gtc", "sell 1 SPY stop 96 gtc", "sell 1 SPY stop 95 gtc",
             "sell 1 SPY limit 96.50 gtc", "buy 1 SPY stop 96.50 gtc", "sell 1 SPY stop 95 limit 90 gtc")  # fmt: skip
    sent = [desk.send(text) for text in texts[:4]]
    desk.price("SPY", "96.25")
    sent = [*sent, *(desk.send(text) for text in texts[4:])]
    desk.wait(2)
    filled = ["filled", "new", "new", "new", "new", "new", "new"]
    assert filled == [desk.now(order).status for order in sent]
    desk.price("SPY", "96")
    with desk.service.world.database.read() as connection:
        due = select(orders.c.id).where(orders.c.due_at <= desk.service.world.now())
        assert [sent[2].id] == list(connection.scalars(due))
    desk.wait(0)
    filled[2] = "filled"
    assert filled == [desk.now(order).status for order in sent]


def test_all_or_nothing(desk: Desk) -> None:
    """20 cannot trade at once here: fok buys none of them, ioc what there is."""
    slowly(desk)
    all_, some = desk.send("buy 20 GLD fok"), desk.send("buy 20 GLD ioc")
    desk.wait(1)
    assert ["accepted, canceled", "canceled"] == [short(desk.story(all_)), desk.now(some).status]
    assert Decimal(0) == desk.now(all_).filled_qty
    assert (desk.now(some).filled_qty or 0) > 0


def test_what_is_partly_filled_is_canceled_for_the_rest(desk: Desk) -> None:
    """What filled stays, what was held back is free."""
    slowly(desk)
    order = desk.send("buy 30 GLD")
    desk.wait(1)
    desk.service.cancel_order(desk.account, order.id)
    canceled = desk.now(order)
    assert "canceled" == canceled.status
    assert Decimal(10000) - 200 * (canceled.filled_qty or 0) == desk.cash == desk.free
    with pytest.raises(StateError, match="is canceled; only an open order can be canceled"):
        desk.service.cancel_order(desk.account, order.id)


def test_a_replacement_counts_what_was_filled(desk: Desk) -> None:
    """Of 30 some are filled; 20 in all are wanted then: the new order is for the difference, the old one ends."""
    slowly(desk)
    order = desk.send("buy 30 GLD")
    desk.wait(1)
    filled = desk.now(order).filled_qty or Decimal(0)
    made = desk.service.replace_order(desk.account, order.id, ReplaceOrder(qty=Decimal(20)))
    old = desk.now(order)
    assert ("replaced", made.id, order.id) == (old.status, old.replaced_by, made.replaces)
    assert Decimal(20) - filled == made.qty
    assert Decimal(10000) - 20 * 200 == desk.free
    desk.wait(1000)
    assert "filled" == desk.now(made).status
    assert Decimal(10000) - 20 * 200 == desk.cash


@pytest.mark.parametrize(
    ("changes", "status"), [({"limit_price": "87"}, "filled"), ({"stop_price": "86.50", "limit_price": "86"}, "new")]
)
def test_a_stop_that_was_reached_stays_so_when_the_limit_is_changed(
    desk: Desk, changes: dict[str, str], status: str
) -> None:
    """Through the stop at 90 down to 87, under the limit of 88: a limit of 87 is met; another stop waits anew."""
    order = desk.send("sell 10 SPY stop 90 limit 88")
    desk.wait(2)
    desk.price("SPY", "87")
    desk.wait(0)
    made = desk.service.replace_order(desk.account, order.id, ReplaceOrder.model_validate(changes))
    desk.price("SPY", "91" if status == "filled" else "87")
    desk.wait(2)
    assert status == desk.now(made).status


@pytest.mark.parametrize(
    ("text", "changes", "error"),
    [
        ("buy 10 SPY limit 95", {"qty": "1000"}, Insufficient),
        ("buy 10 SPY limit 95", {"limit_price": "95.001"}, InputError),
        ("buy 10 SPY limit 95", {"stop_price": "95"}, InputError),
        ("buy 1.5 SPY limit 95", {"qty": "2"}, StateError),
        ("buy $50 SPY limit 95", {"qty": "2"}, StateError),
        ("buy 10 SPY limit 95", {"time_in_force": "never"}, InputError),
    ],
)
def test_a_replacement_that_is_refused_leaves_the_order(
    desk: Desk, text: str, changes: dict[str, str], error: type[DriftdeskError]
) -> None:
    """Without the cash, with terms that cannot be, or of an order by notional or fraction."""
    order = desk.send(text)
    desk.wait(2)
    before, free = desk.now(order), desk.free
    with pytest.raises(error):
        desk.service.replace_order(desk.account, order.id, ReplaceOrder.model_validate(changes))
    assert (before, free) == (desk.now(order), desk.free)


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("buy 101 SPY", Insufficient, "buying power"),
        ("sell 41 SPY", Insufficient, "insufficient quantity of SPY"),
        ("buy 106 SPY limit 95", Insufficient, "buying power"),
        ("buy 1 NOPE", InputError, "NOPE is not an asset known here"),
        ("hold 1 SPY", InputError, "side must be one of buy, sell"),
        ("buy $1.001 SPY", InputError, "at most two decimals"),
        ("buy 1 SPY limit 1 soon", InputError, "time_in_force must be one of"),
    ],
)
def test_a_person_reads_why_an_order_is_refused(
    desk: Desk, text: str, error: type[DriftdeskError], sentence: str
) -> None:
    """And there is no order then (seed 003: 403, 422)."""
    with pytest.raises(error, match=sentence):
        desk.send(text)
    assert Decimal(10000) == desk.free


def test_a_client_order_id_is_used_once(desk: Desk) -> None:
    """A repeated one is refused; the order is found by it (rules.md 8.2)."""
    order = desk.send("buy 1 SPY #mine")
    with pytest.raises(StateError, match="mine is used already"):
        desk.send("buy 2 SPY #mine")
    assert order.id == desk.service.get_order_by_client_id(desk.account, "mine").id
    with pytest.raises(NotFound):
        desk.service.get_order_by_client_id(desk.account, "yours")


def test_another_accounts_order_is_not_found(desk: Desk, open_account: Callable[..., str]) -> None:
    """Neither to read nor to cancel."""
    order, other = desk.send("buy 1 SPY"), open_account("1.00")
    with pytest.raises(NotFound):
        desk.service.get_order(other, order.id)
    with pytest.raises(NotFound):
        desk.service.cancel_order(other, order.id)


def test_closing_positions(desk: Desk) -> None:
    """A quarter of 40, then 5 shares, then all that is left."""
    service, account = desk.service, desk.account
    sold = [
        service.close_position(account, "SPY", percentage=Decimal(25)),
        service.close_position(account, "SPY", qty=Decimal(5)),
    ]
    assert [Decimal(10), Decimal(5)] == [order.qty for order in sold]
    desk.wait(2)
    (closed,) = service.close_positions(account)
    assert closed.body is not None
    assert Decimal(25) == closed.body.qty
    desk.wait(2)
    assert [] == service.positions(account)
    assert Decimal(14000) == desk.cash
    assert [] == service.close_positions(account)


def test_what_is_on_sale_cannot_be_sold_twice(desk: Desk) -> None:
    """39 of 40 are promised to a limit; closing sells the one that is left, canceling first sells them all."""
    desk.send("sell 39 SPY limit 120 gtc")
    (closed,) = desk.service.close_positions(desk.account)
    assert closed.body is not None
    assert Decimal(1) == closed.body.qty
    (again,) = desk.service.close_positions(desk.account, cancel_orders=True)
    assert again.body is not None
    assert Decimal(40) == again.body.qty


def test_an_estimate_places_nothing(desk: Desk) -> None:
    """1,000 USD of SPY at 100.05, half a spread of 10 bps above 100: 9.995002498 shares."""
    desk.service.set_fill_model(FillModelSetting(name="spread", spread_bps=Decimal(10)))
    body = CreateOrder(symbol="SPY", side="buy", type="market", time_in_force="day", notional=Decimal(1000))
    told = desk.service.estimate_order(desk.account, body)
    assert [Decimal("100.05"), Decimal("9.995002498")] == [told.filled_avg_price, told.filled_qty]
    assert Decimal(10000) == desk.free


@pytest.mark.parametrize(
    ("new", "old", "shares", "price"),
    [(4, 1, "160", "25"), (3, 2, "60", "66.6667"), (1, 10, "4", "1000"), (1, 3, "13.333333333", "300")],
)
def test_a_split(desk: Desk, new: int, old: int, shares: str, price: str) -> None:
    """Shares times new over old, floored; the price the other way; what they cost stays; open orders are canceled."""
    resting = desk.send("sell 10 SPY limit 120 gtc")
    desk.wait(2)
    desk.service.split(SplitShares(symbol="SPY", new=new, old=old))
    held = desk.service.position(desk.account, "SPY")
    assert [Decimal(shares), Decimal(price), Decimal(4000)] == [held.qty, held.current_price, held.cost_basis]
    assert ("canceled", f"SPY was split {new} for {old}") == (desk.now(resting).status, desk.now(resting).reject_reason)
    assert desk.sound()


def test_a_split_divides_the_feeds_prices_too(desk: Desk) -> None:
    """Two for one and three for one: a sixth of what the feed says, now and on later days."""
    service = desk.service
    service.set_prices(SetPrices(prices={"SPY": None}))
    for new in (2, 3):
        service.split(SplitShares(symbol="SPY", new=new))
    for day in (11, 12):
        desk.wait(to=datetime(2026, 3, day, 11, 0, tzinfo=NEW_YORK))
        quoted = service.latest_trades(["SPY"]).trades["SPY"].p
        unsplit = service.world.feed.price("SPY", service.world.now())  # type: ignore[arg-type]
        assert unsplit is not None
        assert abs(quoted * 6 - unsplit) <= Decimal("0.0003")


def test_a_split_beyond_what_can_be_recorded_is_refused(desk: Desk, open_account: Callable[..., str]) -> None:
    """Shares beyond nine thousand million, prices below 0.0001, more than a thousandfold: nothing changes."""
    service, splits = desk.service, SplitShares(symbol="SPY", new=1000)
    resting = desk.send("sell 10 SPY limit 120 gtc")
    rich = open_account("0", SPY="10000000")
    with pytest.raises(InputError, match="at most 9000000000 shares"):
        service.split(splits)
    service.set_prices(SetPrices(prices={"SPY": Decimal("0.04")}))
    with pytest.raises(InputError, match=r"prices from 0\.0001"):
        service.split(splits)
    assert [Decimal(40), Decimal(10_000_000)] == [service.position(one, "SPY").qty for one in (desk.account, rich)]
    assert "accepted" == desk.now(resting).status
    service.set_prices(SetPrices(prices={"SPY": None}))
    service.split(SplitShares(symbol="SPY", new=100))
    with pytest.raises(InputError, match="1000 for 1"):
        service.split(SplitShares(symbol="SPY", new=11))
    with pytest.raises(InputError, match="per_share must be positive, below"):
        service.pay_dividend(PayDividend(symbol="SPY", per_share=Decimal(10) ** 12))
    assert desk.sound()


def test_a_dividend_is_income(desk: Desk) -> None:
    """0.3333 on 40 shares are 13.33 USD, which the day's return keeps: no money was put in."""
    paid = desk.service.pay_dividend(PayDividend(symbol="SPY", per_share=Decimal("0.3333"))).paid
    assert {desk.account: Decimal("13.33")} == paid
    assert Decimal("10013.33") == desk.cash
    desk.wait(to=datetime(2026, 3, 11, 17, 0, tzinfo=NEW_YORK))
    (day,) = desk.service.equity_history(desk.account).points
    assert (Decimal("14013.33"), Decimal(14000)) == (day.equity, day.flow)
    assert desk.sound()


def test_a_delisted_symbol_cannot_be_traded(desk: Desk) -> None:
    """What rested is canceled, a new order is rejected by the venue, what is held stays."""
    resting = desk.send("sell 10 SPY limit 120 gtc")
    desk.service.delist(Delist(symbol="SPY"))
    assert ["canceled", "rejected"] == [desk.now(resting).status, desk.send("sell 1 SPY").status]
    assert Decimal(40) == desk.service.position(desk.account, "SPY").qty


def faults(desk: Desk, *kinds: str, value: str | None = None, times: int | None = 1) -> None:
    entries = tuple(FaultEntry(kind=kind, value=Decimal(value) if value else None, times=times) for kind in kinds)
    desk.service.set_fault_script(FaultScript(faults=entries))


def test_a_scripted_reject_is_used_up(desk: Desk) -> None:
    """The first order is rejected with its reason, the second one filled."""
    faults(desk, "reject")
    first, second = desk.send("buy 1 SPY"), desk.send("buy 1 SPY")
    assert ["rejected", "accepted"] == [first.status, second.status]
    assert "SPY was rejected by the exchange (fault script)" == first.reject_reason
    assert () == desk.service.fault_script().faults


def test_a_scripted_part_and_a_delay(desk: Desk) -> None:
    """Three tenths at the first look and the rest a minute later; a delay puts the look off."""
    faults(desk, "fill_part", value="0.3")
    order = desk.send("buy 10 SPY")
    desk.wait(120)
    assert "accepted, partial_fill 3@100, fill 7@100" == short(desk.story(order))
    faults(desk, "fill_part", value="0.5")
    odd = desk.send("buy 3 SPY")
    desk.wait(120)
    assert "accepted, partial_fill 1@100, fill 2@100" == short(desk.story(odd))
    faults(desk, "delay", value="45")
    late = desk.send("buy 1 SPY")
    desk.wait(45)
    assert "accepted" == desk.now(late).status
    desk.wait(1)
    assert "filled" == desk.now(late).status


def test_what_will_be_lost_again_is_not_sent_again_at_once(desk: Desk) -> None:
    """Nothing of the account is open: a second later, or a minute while submissions are still to be lost."""
    now, ask = desk.service.world.now(), desk.service.exchange.next_update
    assert now + timedelta(seconds=1) == ask(AccountId(desk.account), now)
    faults(desk, "lose", times=None)
    assert now + timedelta(minutes=1) == ask(AccountId(desk.account), now)
    faults(desk)
    order = desk.send("buy 1 SPY")
    faults(desk, "lose", times=None)
    assert now + timedelta(seconds=1) == ask(AccountId(desk.account), now)
    assert "accepted" == desk.now(order).status


def test_a_time_out_hides_what_happened(desk: Desk) -> None:
    """No answer in both cases: one order is there, the other never arrived."""
    faults(desk, "time_out", "lose")
    # Both are taken in their own order: `lose` first, because nothing arrives then.
    for name in ("lost", "received"):
        with pytest.raises(Unavailable, match="No answer from the exchange"):
            desk.send(f"buy 1 SPY #{name}")
    with pytest.raises(NotFound):
        desk.service.get_order_by_client_id(desk.account, "lost")
    assert "accepted" == desk.service.get_order_by_client_id(desk.account, "received").status


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"kind": "explode"}, "faults[0].kind"),
        ({"kind": "fill_part"}, "value"),
        ({"kind": "fill_part", "value": "1"}, "value"),
        ({"kind": "delay", "value": "0"}, "value"),
        ({"kind": "reject", "times": 0}, "times"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(desk: Desk, entry: dict[str, object], field: str) -> None:
    """By field, and the script stays as it was."""
    faults(desk, "reject")
    with pytest.raises(InputError) as refused:
        desk.service.set_fault_script(FaultScript.model_validate({"faults": [entry]}))
    assert field == refused.value.field
    assert 1 == len(desk.service.fault_script().faults)


def test_the_account_of_a_key(service: Service, open_account: Callable[..., str]) -> None:
    """By number or id; the first one without a name; unknown ones are said so."""
    with pytest.raises(NotFound, match="no account yet"):
        service.account_of_key(None)
    first, second = open_account("1"), open_account("2")
    assert [first, second, second] == [service.account_of_key(named) for named in (None, "DD0000002", second)]
    with pytest.raises(NotFound, match="DD0000009"):
        service.account_of_key("DD0000009")


def test_now_is_a_wednesday() -> None:
    """The hand-worked answers above rely on it."""
    assert "Wednesday" == WEDNESDAY_10AM.strftime("%A")
