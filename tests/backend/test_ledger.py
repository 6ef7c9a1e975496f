"""Double entry: what one account gives another gets, and balances are sums of entries (issue 4)."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from conftest import WEDNESDAY_10AM
from sqlalchemy import delete, select, update

import driftdesk.backend.ledger as book_of_entries
from driftdesk.backend.ledger import MARKET, OUTSIDE, ROUNDING, USD, Transfer, check_balances, post, trade
from driftdesk.backend.service import Service
from driftdesk.backend.store.tables import accounts, ledger, positions
from driftdesk.wire.simulation import PayDividend, SplitShares


def moves(transfers: list[Transfer]) -> list[str]:
    return [f"{t.amount} {t.asset} {t.source} > {t.target}" for t in transfers]


@pytest.mark.parametrize(
    ("buys", "value", "cash", "rounding"),
    [
        pytest.param(True, "10.004", "10.00", ["0.004 USD rounding > market"], id="a buy that paid too little"),
        pytest.param(True, "9.996", "10.00", ["0.004 USD market > rounding"], id="a buy that paid too much"),
        pytest.param(False, "10.004", "10.00", ["0.004 USD market > rounding"], id="a sale that got too little"),
        pytest.param(False, "9.996", "10.00", ["0.004 USD rounding > market"], id="a sale that got too much"),
        pytest.param(True, "10.00", "10.00", [], id="to the cent"),
    ],
)
def test_a_trade_moves_cash_shares_and_what_is_rounded(buys: bool, value: str, cash: str, rounding: list[str]) -> None:
    """The market's side is exact: what cents differ from it is the rounding account's (rules.md 1.4)."""
    made = moves(trade(buys, "me", "SPY", Decimal(2), Decimal(value), Decimal(cash)))
    sides = ("me > market", "market > me") if buys else ("market > me", "me > market")
    assert [f"{cash} USD {sides[0]}", f"2 SPY {sides[1]}", *rounding] == made
    of_the_market = sum(
        (t.amount if t.target == MARKET else -t.amount)
        for t in trade(buys, "me", "SPY", Decimal(2), Decimal(value), Decimal(cash))
        if t.asset == USD and MARKET in (t.source, t.target)
    )
    assert (Decimal(value) if buys else -Decimal(value)) == of_the_market


def test_a_world_begins_with_its_entries(service: Service, open_account: Callable[..., str]) -> None:
    """Cash and shares of a new account come from outside; nothing else is recorded."""
    account = open_account("1000.00", SPY="6")
    with service.world.database.read() as connection:
        rows = connection.execute(select(ledger)).all()
        assert [
            ("opening", OUTSIDE, account, USD, Decimal(1000)),
            ("opening", OUTSIDE, account, "SPY", Decimal(6)),
        ] == [(row.kind, row.source, row.target, row.asset, row.amount) for row in rows]
        assert [] == check_balances(connection)


def test_posting_moves_both_customers(service: Service, open_account: Callable[..., str]) -> None:
    """100 USD and 2 SPY from one to the other; the cost basis goes along as given and leaves in proportion."""
    giver, taker = open_account("1000.00", SPY="6"), open_account("0")
    journal = [Transfer(USD, giver, taker, Decimal(100)), Transfer("SPY", giver, taker, Decimal(2), cost=Decimal(200))]
    with service.world.database.write() as connection:
        post(connection, WEDNESDAY_10AM, "journal", "", journal)
        assert [] == check_balances(connection)
    assert [Decimal(900), Decimal(100)] == [service.trading_account(one).cash for one in (giver, taker)]
    left, got = service.position(giver, "SPY"), service.position(taker, "SPY")
    assert [Decimal(4), Decimal(400)] == [left.qty, left.cost_basis]
    assert [Decimal(2), Decimal(200)] == [got.qty, got.cost_basis]


def test_balances_of_many_accounts_are_read_in_parts(
    service: Service, open_account: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement takes only so many values; here two accounts, of five that a dividend pays and a split concerns."""
    monkeypatch.setattr(book_of_entries, "_IDS_AT_ONCE", 2)
    holders = [open_account("0", SPY=str(quantity)) for quantity in range(1, 6)]
    paid = service.pay_dividend(PayDividend(symbol="SPY", per_share=Decimal("0.50"))).paid
    assert {holder: Decimal(quantity) / 2 for quantity, holder in enumerate(holders, 1)} == paid
    service.split(SplitShares(symbol="SPY", new=2))
    assert [Decimal(quantity) * 2 for quantity in range(1, 6)] == [service.position(one, "SPY").qty for one in holders]
    with service.world.database.read() as connection:
        assert [] == check_balances(connection)


def test_a_balance_without_its_entry_is_found(service: Service, open_account: Callable[..., str]) -> None:
    """A cent, a share, or an entry too few: each is told of by account and asset."""
    account = open_account("1000.00", SPY="6")
    with service.world.database.write() as connection:
        connection.execute(update(accounts).values(cash=Decimal("1000.01")))
        assert [f"Account {account} shows 1000.01 USD, its entries add up to 1000."] == check_balances(connection)
        connection.execute(update(accounts).values(cash=Decimal(1000)))
        connection.execute(delete(positions))
        assert [f"Account {account} shows 0 SPY, its entries add up to 6."] == check_balances(connection)
        connection.execute(delete(ledger).where(ledger.c.asset == "SPY"))
        assert [] == check_balances(connection)


def test_a_negative_balance_is_found(service: Service, open_account: Callable[..., str]) -> None:
    """The ledger records what it is told; that nothing is overspent is checked."""
    account = open_account("10.00")
    with service.world.database.write() as connection:
        post(connection, WEDNESDAY_10AM, "fee", "", [Transfer(USD, account, ROUNDING, Decimal(11))])
        assert [f"Account {account} has -1 USD, less than nothing."] == check_balances(connection)
