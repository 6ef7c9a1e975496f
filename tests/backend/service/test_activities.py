"""Activities: every fill and every movement of cash once, in order, in pages (wire/alpaca.md 11.7).

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert, select, update

from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.service import Service
from driftdesk.backend.service.orders import OrderFilter
from driftdesk.backend.store.tables import fills, orders
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import InputError
from driftdesk.wire.activities import Activity, NonTradeActivity, TradeActivity
from driftdesk.wire.simulation import Deposit

OpenAccount = Callable[..., str]
PassTime = Callable[..., None]
TEN = datetime(2026, 3, 11, 10, 0, tzinfo=NEW_YORK)
THURSDAY = datetime(2026, 3, 12, 10, 0, tzinfo=NEW_YORK)


def buy(service: Service, account: str, symbol: str, quantity: str) -> str:
    """A market order, not filled yet; its id."""
    name = f"{symbol} {quantity}"
    request = OrderRequest(AccountId(account), name, Symbol(symbol), Side.BUY, quantity=Decimal(quantity))
    return service.exchange.submit(request, service.world.now()).id


def told(activity: Activity) -> str:
    """``FILL SPY 2`` or ``CSD 1000``."""
    if isinstance(activity, TradeActivity):
        return f"{activity.activity_type} {activity.symbol} {activity.qty.normalize():f}"
    return f"{activity.activity_type} {activity.net_amount.normalize():f}"


@pytest.fixture
def account(service: Service, open_account: OpenAccount, pass_time: PassTime) -> str:
    """Opened with 1,000 USD and 3 TLT; buys 2 SPY and 4 TLT at one instant; on Thursday 500 come in and 50 leave."""
    opened = open_account("1000.00", TLT="3")
    buy(service, opened, "SPY", "2")
    buy(service, opened, "TLT", "4")
    pass_time(to=THURSDAY)
    service.deposit(Deposit(account_id=opened, amount=Decimal(500)))
    pass_time(seconds=1)
    service.deposit(Deposit(account_id=opened, amount=Decimal(-50)))
    return opened


def test_everything_is_told_once_newest_first(service: Service, account: str) -> None:
    """What left, what came in, two fills, the cash of the opening."""
    found = service.list_activities(account_id=account)
    assert ["CSW -50", "CSD 500", "CSD 1000"] == [told(entry) for entry in found if entry.activity_type != "FILL"]
    assert {"FILL SPY 2", "FILL TLT 4"} == {told(entry) for entry in found[2:4]}
    assert found[::-1] == service.list_activities(account_id=account, ascending=True)
    cash = Decimal(1000) - 200 - 200 + 500 - 50
    assert cash == service.trading_account(account).cash


def test_a_fill_is_told_with_its_order(service: Service, account: str) -> None:
    """2 SPY at 100, filled at once."""
    filled = next(entry for entry in service.list_activities(types=["FILL"]) if told(entry) == "FILL SPY 2")
    order = next(order for order in service.list_orders(account, OrderFilter(status="closed")) if order.symbol == "SPY")
    assert isinstance(filled, TradeActivity)
    assert (account, order.id, order.filled_at, "fill", "filled", "buy") == (
        filled.account_id,
        filled.order_id,
        filled.transaction_time,
        filled.type,
        filled.order_status,
        filled.side,
    )
    assert [Decimal(100), Decimal(2), Decimal(0)] == [filled.price, filled.cum_qty, filled.leaves_qty]


def test_a_partial_fill_tells_what_is_left(service: Service, open_account: OpenAccount) -> None:
    """4 and 6 of 10 shares, and 60 of 100 USD: 4 of 4 and 6 left, 10 of 10, 0.6 of 1 with 0.4 left."""
    account = open_account("5000.00")
    by_quantity, by_notional = buy(service, account, "SPY", "10"), buy(service, account, "SPY", "1")
    rows = [(by_quantity, 1, "4", "400"), (by_notional, 2, "0.6", "60"), (by_quantity, 3, "6", "600")]
    with service.world.database.write() as connection:
        for order, minute, quantity, cash in rows:
            connection.execute(
                insert(fills).values(
                    order_id=order,
                    account_id=account,
                    symbol="SPY",
                    side="buy",
                    at=TEN + timedelta(minutes=minute),
                    quantity=Decimal(quantity),
                    price=Decimal(100),
                    cash=Decimal(cash),
                    rounding=Decimal(0),
                )
            )
        connection.execute(update(orders).where(orders.c.id == by_quantity).values(status="filled"))
        connection.execute(
            update(orders)
            .where(orders.c.id == by_notional)
            .values(status="partially_filled", quantity=None, notional=Decimal(100))
        )
    found = service.list_activities(types=["FILL"], ascending=True)
    assert [
        ("partial_fill", "partially_filled", Decimal(4), Decimal(6)),
        ("partial_fill", "partially_filled", Decimal("0.6"), Decimal("0.4")),
        ("fill", "filled", Decimal(10), Decimal(0)),
    ] == [(f.type, f.order_status, f.cum_qty, f.leaves_qty) for f in found if isinstance(f, TradeActivity)]


def test_an_opening_tells_cash_and_what_came_with_it(service: Service, account: str) -> None:
    """1,000 USD, and 3 TLT worth 150, on the New York date."""
    opening = service.list_activities(types=["CSD"], ascending=True)[0]
    assert isinstance(opening, NonTradeActivity)
    assert ("2026-03-11", Decimal(1000), "executed", "opening, with positions worth 150.00 USD") == (
        opening.date,
        opening.net_amount,
        opening.status,
        opening.description,
    )


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_give_each_entry_once(service: Service, account: str, size: int, ascending: bool) -> None:
    """Whatever their size, also between two fills of one instant; the page after the last is empty."""
    whole = service.list_activities(ascending=ascending)
    read: list[Activity] = []
    token = None
    while page := service.list_activities(ascending=ascending, limit=size, page_token=token):
        read.extend(page)
        token = page[-1].id
    assert whole == read
    assert 5 == len({entry.id for entry in read})


def test_an_id_begins_with_its_instant(service: Service, account: str) -> None:
    """In UTC to the millisecond: the deposit of Thursday, 10:00 in New York."""
    deposit = service.list_activities(types=["CSD"])[0]
    assert f"{THURSDAY.astimezone(UTC):%Y%m%d%H%M%S}000::" == deposit.id[:19]


@pytest.mark.parametrize(
    ("filters", "entries"),
    [
        ({"types": ["FILL"]}, 2),
        ({"types": ["CSD"]}, 2),
        ({"types": ["CSW"]}, 1),
        ({"types": ["csd,CSW"]}, 3),
        ({"types": ["DIV"]}, 0),
        ({"types": ["DIV", "FILL"]}, 2),
        ({"day": date(2026, 3, 11)}, 3),
        ({"day": date(2026, 3, 12)}, 2),
        ({"day": date(2026, 3, 12), "types": ["CSW"]}, 1),
        ({"after": TEN}, 4),
        ({"after": THURSDAY}, 1),
        ({"until": THURSDAY}, 3),
        ({"after": TEN, "until": THURSDAY}, 2),
        ({"account_id": "none"}, 0),
        ({"limit": 2}, 2),
    ],
)
def test_filters_are_anded(service: Service, account: str, filters: dict[str, object], entries: int) -> None:
    """After and until exclude their instants; a day is one of New York."""
    assert entries == len(service.list_activities(**filters))  # type: ignore[arg-type]


def test_without_an_account_all_of_them_are_told(service: Service, account: str, open_account: OpenAccount) -> None:
    """A second account, opened with cash alone."""
    other = open_account("7.00")
    first = service.list_activities()[0]
    assert (other, "CSD 7", "opening") == (first.account_id, told(first), getattr(first, "description", None))


def test_a_page_is_a_hundred_unless_a_day_is_asked_for(service: Service, open_account: OpenAccount) -> None:
    """120 accounts were opened today."""
    for _ in range(120):
        open_account("1.00")
    assert (100, 120, 110) == (
        len(service.list_activities()),
        len(service.list_activities(day=date(2026, 3, 11))),
        len(service.list_activities(day=date(2026, 3, 11), limit=110)),
    )


@pytest.mark.parametrize(
    ("filters", "field", "sentence"),
    [
        ({"types": ["FILL", "GIFT"]}, "activity_types", "has 'GIFT', which is no activity type"),
        ({"limit": 101}, "page_size", "from 1 to 100 where no date is given; received 101"),
        ({"day": date(2026, 3, 11), "after": TEN}, "date", "cannot be used together"),
        ({"day": date(2026, 3, 11), "until": TEN}, "date", "cannot be used together"),
        ({"page_token": "5"}, "page_token", "is no id of an activity"),
        (
            {"page_token": "20260311140000000::00000001-0000-8000-8000-0000000f4240"},
            "page_token",
            "is no id of an activity",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    service: Service, account: str, filters: dict[str, object], field: str, sentence: str
) -> None:
    """In one sentence that names the parameter."""
    with pytest.raises(InputError, match=sentence) as refused:
        service.list_activities(**filters)  # type: ignore[arg-type]
    assert field == refused.value.field


def test_an_id_of_another_instant_is_refused(service: Service, account: str) -> None:
    """Its row exists and stands elsewhere: it is an id of another world."""
    token = service.list_activities()[0].id
    with pytest.raises(InputError):
        service.list_activities(page_token="1999" + token[4:])


def test_cash_is_the_sum_of_what_is_told(service: Service, account: str) -> None:
    """Deposits and withdrawals, less what the purchases cost."""
    with service.world.database.read() as connection:
        paid = sum(connection.scalars(select(fills.c.cash)), Decimal(0))
    money = sum((e.net_amount for e in service.list_activities() if isinstance(e, NonTradeActivity)), Decimal(0))
    assert service.trading_account(account).cash == money - paid
