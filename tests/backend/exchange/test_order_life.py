"""Random lives of orders: whatever is sent, canceled, replaced, priced, halted, split, waited for: the books are right.

No share and no cent is ever negative or promised twice, what is open ends and does not begin again, the ledger
balances, and the events and entries alone rebuild the state (issue 4). An exchange broken on purpose is found out.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from conftest import WEDNESDAY_10AM, simulated_feed
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from driftdesk.backend.exchange import book, matching
from driftdesk.backend.exchange.matching import Settling, _pool
from driftdesk.backend.exchange.terms import LIMITED, ONE_LOOK, STOPPED, floor_whole
from driftdesk.backend.ledger import ROUNDING, USD, check_balances
from driftdesk.backend.opening import open_service
from driftdesk.backend.runs.broker import OrderRequest
from driftdesk.backend.store.tables import accounts, fills, ledger, order_events, orders, positions
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.errors import DriftdeskError, Repeated, Unavailable
from driftdesk.money import ZERO, floor_cents, floor_quantity, round_cents
from driftdesk.wire.orders import (
    FINAL_ORDER_STATUSES,
    CreateOrder,
    OrderEvent,
    OrderStatus,
    OrderType,
    ReplaceOrder,
    TimeInForce,
)
from driftdesk.wire.simulation import (
    Advance,
    CreateAccount,
    Deposit,
    FaultEntry,
    FaultScript,
    FillModelSetting,
    NewPosition,
    PayDividend,
    SetAsset,
    SetPrices,
    SplitShares,
)

SYMBOLS = ("SPY", "TLT")
symbols = st.sampled_from(SYMBOLS)
cents = st.integers(1, 30_000).map(lambda count: Decimal(count) / 100)
whole = st.integers(1, 30).map(Decimal)
fractions = st.integers(1, 30_000_000_000).map(lambda count: Decimal(count).scaleb(-9))
waits = st.sampled_from([1, 30, 60, 600, 3600, 6 * 3600, 18 * 3600])


# What may become of an order: a transition that is not here is a defect. "" is before it came in.
AFTER = {
    "": {"accepted", "rejected"},
    "accepted": {"new", "partially_filled", "filled", "canceled", "expired"},
    "new": {"partially_filled", "filled", "canceled", "expired", "replaced", "done_for_day"},
    "partially_filled": {"partially_filled", "filled", "canceled", "expired", "replaced", "done_for_day"},
    "done_for_day": {"new", "partially_filled", "filled", "canceled", "replaced"},
    **{str(status): set[str]() for status in FINAL_ORDER_STATUSES},
}


class OrderLife(RuleBasedStateMachine):
    """One account with 5,000.00 USD and 40 of each symbol; SPY at 100, TLT at 50."""

    @initialize()
    def open_world(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "world.db"
        self.service = open_service(path, simulated_feed(), start=WEDNESDAY_10AM, seed=1, durable=False)
        self.service.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50)}))
        held = tuple(NewPosition(symbol=symbol, qty=Decimal(40)) for symbol in SYMBOLS)
        self.account = self.service.simulate_account(CreateAccount(cash=Decimal(5000), positions=held)).id
        self.ended: dict[str, object] = {}

    @rule(
        symbol=symbols,
        side=st.sampled_from(Side),
        kind=st.sampled_from(OrderType),
        time_in_force=st.sampled_from(TimeInForce),
        size=st.one_of(whole.map(lambda qty: {"qty": qty}), fractions.map(lambda qty: {"qty": qty}),
                       cents.map(lambda usd: {"notional": usd})),
        near=st.integers(-10, 10),
    )  # fmt: skip
    def place(
        self, symbol: str, side: Side, kind: OrderType, time_in_force: TimeInForce, size: dict[str, Decimal], near: int
    ) -> None:
        """Prices lie within a tenth of where the symbols started; what the exchange refuses changes nothing."""
        # What no exchange understands is another test's: here orders shall live.
        if kind in STOPPED and time_in_force in ONE_LOOK:
            time_in_force = TimeInForce.GTC
        if "notional" in size and kind in STOPPED:
            kind = OrderType.LIMIT
        if time_in_force is not TimeInForce.DAY:
            size = {"qty": Decimal(1 + int(sum(size.values())) % 20)}
        price = Decimal(100 if symbol == "SPY" else 50) + near
        limit = {"limit_price": price} if kind in LIMITED else {}
        stop = {"stop_price": price} if kind in STOPPED else {}
        self.send(symbol=symbol, side=side, type=kind, time_in_force=time_in_force, **size, **limit, **stop)

    @rule(notionals=st.lists(st.integers(1, 300_000).map(lambda count: Decimal(count) / 100), max_size=6))
    def send_together(self, notionals: list[Decimal]) -> None:
        """As a run sends: in one transaction, and what cannot be is recorded as rejected."""
        now = self.service.world.now()
        with self.service.exchange.sending():
            for place, notional in enumerate(notionals):
                side, symbol = (Side.SELL, Side.BUY)[place % 2], Symbol(SYMBOLS[place // 2 % 2])
                name = f"together-{now}-{place}"
                with suppress(Repeated, Unavailable):
                    request = OrderRequest(AccountId(self.account), name, symbol, side, notional=notional)
                    self.service.exchange.submit(request, now)

    @rule(
        symbol=symbols,
        side=st.sampled_from(Side),
        percent=st.integers(40, 90),
        to=st.integers(20, 160).map(Decimal),
        resting=st.booleans(),
        seconds=st.sampled_from([0, 1, 60]),
    )
    def overtake(self, symbol: str, side: Side, percent: int, to: Decimal, resting: bool, seconds: int) -> None:
        """A market order for much of what is free, whose price has moved before it fills; the rest may be promised to a
        limit far away that is good until canceled."""
        self.trade_again(symbol)
        price = self.service.latest_trades([symbol]).trades[symbol].p
        free = self.free(symbol, side) * percent / 100
        size = {"qty": floor_quantity(free / price)} if side is Side.BUY else {"notional": floor_cents(free * price)}
        self.send(symbol=symbol, side=side, type="market", time_in_force="day", **size)
        if resting:
            limit, left = Decimal(10 if side is Side.BUY else 500), self.free(symbol, side)
            shares = floor_whole(left / limit if side is Side.BUY else left)
            self.send(symbol=symbol, side=side, type="limit", time_in_force="gtc", limit_price=limit, qty=shares)
        self.set_price(symbol, to)
        self.wait(seconds)

    @rule(amount=st.integers(-200_000, 200_000).map(lambda count: Decimal(count) / 100))
    def deposit(self, amount: Decimal) -> None:
        with refusals_allowed():
            self.service.deposit(Deposit(account_id=self.account, amount=amount))

    @rule(symbol=symbols, per_share=st.integers(1, 9999).map(lambda count: Decimal(count) / 10_000))
    def pay_dividend(self, symbol: str, per_share: Decimal) -> None:
        self.service.pay_dividend(PayDividend(symbol=symbol, per_share=per_share))

    @rule(pick=st.integers(0, 50))
    def cancel(self, pick: int) -> None:
        with refusals_allowed():
            self.service.cancel_order(self.account, self.some_order(pick))

    @rule(pick=st.integers(0, 50), quantity=whole, limit=st.one_of(st.none(), st.integers(40, 110).map(Decimal)))
    def replace(self, pick: int, quantity: Decimal, limit: Decimal | None) -> None:
        with refusals_allowed():
            changes = ReplaceOrder(qty=quantity, limit_price=limit)
            self.service.replace_order(self.account, self.some_order(pick), changes)

    @rule(symbol=symbols, price=st.integers(20, 160).map(Decimal))
    def set_price(self, symbol: str, price: Decimal) -> None:
        self.service.set_prices(SetPrices(prices={symbol: price}))

    @rule(symbol=symbols, flag=st.sampled_from(["halted", "tradable", "fractionable"]))
    def stop_trading(self, symbol: str, flag: str) -> None:
        self.service.set_asset(SetAsset.model_validate({"symbol": symbol, flag: flag == "halted"}))

    @rule(symbol=symbols)
    def trade_again(self, symbol: str) -> None:
        self.service.set_asset(SetAsset(symbol=symbol, halted=False, tradable=True, fractionable=True))

    @rule(symbol=symbols, new=st.integers(1, 3), old=st.integers(1, 3))
    def split(self, symbol: str, new: int, old: int) -> None:
        with refusals_allowed():
            self.service.split(SplitShares(symbol=symbol, new=new, old=old))

    @rule(
        name=st.sampled_from(["immediate", "spread", "participation", "next_open"]),
        spread=st.integers(0, 50).map(Decimal),
        volume=st.integers(1, 200).map(Decimal),
    )
    def fill_by(self, name: str, spread: Decimal, volume: Decimal) -> None:
        self.service.set_fill_model(
            FillModelSetting(name=name, spread_bps=spread, minute_volume=volume, participation_percent=Decimal(20))
        )

    @rule(kind=st.sampled_from(["reject", "fill_part", "delay", "time_out", "lose"]))
    def disturb(self, kind: str) -> None:
        value = {"fill_part": Decimal("0.3"), "delay": Decimal(45)}.get(kind)
        self.service.set_fault_script(FaultScript(faults=(FaultEntry(kind=kind, value=value),)))

    @rule(seconds=waits)
    def wait(self, seconds: int) -> None:
        self.service.advance(Advance(seconds=seconds))

    @invariant()
    def nothing_is_lost_or_promised_twice(self) -> None:
        """Balances are sums of entries and not negative; reservations are covered; an order moved what it says."""
        with self.service.world.database.read() as connection:
            assert [] == check_balances(connection)
            cash = connection.scalar(select(accounts.c.cash))
            assert cash is not None
            owned = {row.symbol: row.quantity for row in connection.execute(select(positions))} | {USD: cash}
            reserved: dict[str, Decimal] = {}
            now = self.service.world.now()
            for row in connection.execute(select(orders)):
                ended = row.status in FINAL_ORDER_STATUSES
                assert ended is (row.due_at is None)
                assert not (ended and row.reserved)
                assert ended or row.expires_at is None or row.expires_at > now
                assert row.reserved >= ZERO
                pool = USD if row.side == Side.BUY else row.symbol
                reserved[pool] = reserved.get(pool, ZERO) + row.reserved
                assert row.quantity is None or row.filled_quantity <= row.quantity
                assert row.status != OrderStatus.FILLED or row.quantity in (None, row.filled_quantity)
                # A notional buy moves no more than its notional; the price that a limit forbids is never paid.
                assert row.notional is None or row.side == Side.SELL or row.filled_value <= row.notional
                assert round_cents(row.filled_value) == row.filled_cash
                # What has ended stays as it ended.
                if ended:
                    assert self.ended.setdefault(row.id, row) == row
            assert [] == [pool for pool, amount in reserved.items() if amount > owned.get(pool, ZERO)]
            limits = select(orders.c.side, orders.c.limit_price, fills.c.price).join(
                fills, fills.c.order_id == orders.c.id
            )
            for side, limit, price in connection.execute(limits.where(orders.c.limit_price.is_not(None))):
                assert price <= limit if side == Side.BUY else price >= limit

    @invariant()
    def events_and_entries_rebuild_the_state(self) -> None:
        """Told from the first event to the last, every order becomes what it is; its fills and entries agree."""
        with self.service.world.database.read() as connection:
            told: dict[str, tuple[str, Decimal, Decimal]] = {}
            for event in connection.execute(select(order_events).order_by(order_events.c.event_id)):
                before, quantity, value = told.get(event.order_id, ("", ZERO, ZERO))
                assert event.status in AFTER[before], f"{before} became {event.status}"
                traded = event.quantity or ZERO
                assert (event.event in (OrderEvent.FILL, OrderEvent.PARTIAL_FILL)) is (traded > ZERO)
                told[event.order_id] = (event.status, quantity + traded, value + traded * (event.price or ZERO))
                assert told[event.order_id][1:] == (event.filled_quantity, event.filled_value)
            rows = {row.id: row for row in connection.execute(select(orders))}
            assert told == {key: (row.status, row.filled_quantity, row.filled_value) for key, row in rows.items()}
            quantities, cash = dict.fromkeys(rows, ZERO), dict.fromkeys(rows, ZERO)
            rounding = ZERO
            for fill in connection.execute(select(fills)):
                quantities[fill.order_id] += fill.quantity
                cash[fill.order_id] += fill.cash
                rounding += fill.rounding if fill.side == Side.BUY else -fill.rounding
            assert quantities == {key: row.filled_quantity for key, row in rows.items()}
            assert cash == {key: row.filled_cash for key, row in rows.items()}
            for entry in connection.execute(select(ledger).where(ledger.c.kind == "fill")):
                if ROUNDING in (entry.source, entry.target):
                    rounding -= entry.amount if entry.target == ROUNDING else -entry.amount
                elif entry.asset == USD:
                    cash[entry.reference] -= entry.amount
                else:
                    quantities[entry.reference] -= entry.amount
            assert {ZERO} >= {*quantities.values(), *cash.values(), rounding}

    def teardown(self) -> None:
        """Left alone without faults, every order ends: by itself, but for those that are good until canceled."""
        if not hasattr(self, "service"):
            return
        try:
            self.service.set_fault_script(FaultScript())
            self.service.advance(Advance(seconds=int(timedelta(days=4).total_seconds())))
            with self.service.world.database.read() as connection:
                still_open = select(orders.c.time_in_force).where(orders.c.due_at.is_not(None))
                assert {TimeInForce.GTC} >= set(connection.scalars(still_open))
            self.service.cancel_orders(self.account)
            with self.service.world.database.read() as connection:
                assert [] == connection.execute(still_open).all()
            self.nothing_is_lost_or_promised_twice()
            self.events_and_entries_rebuild_the_state()
        finally:
            self.service.close()
            self.directory.cleanup()

    def send(self, **body: object) -> None:
        with refusals_allowed():
            self.service.place_order(self.account, CreateOrder.model_validate(body))

    def free(self, symbol: str, side: Side) -> Decimal:
        """Cash (USD) for a buy, shares for a sell, that no open order holds back."""
        if side is Side.BUY:
            return self.service.trading_account(self.account).buying_power
        held = [row.qty_available or ZERO for row in self.service.positions(self.account) if row.symbol == symbol]
        return sum(held, ZERO)

    def some_order(self, pick: int) -> str:
        with self.service.world.database.read() as connection:
            ids = list(connection.scalars(select(orders.c.id).order_by(orders.c.submitted_at, orders.c.id)))
        return ids[pick % len(ids)] if ids else "none"


@contextmanager
def refusals_allowed() -> Iterator[None]:
    """What is refused in one sentence may be; anything else that goes wrong is a defect."""
    with suppress(DriftdeskError):
        yield


LIVES = settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
OrderLife.TestCase.settings = LIVES
TestOrderLife = OrderLife.TestCase


def overspend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every order gets all it wants."""
    monkeypatch.setattr(Settling, "_there_is", lambda *_: Decimal(1_000_000))


def promise_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order is filled from what the others hold back."""
    honest = Settling._there_is

    def greedy(settling: Settling, row: Row, side: Side, price: Decimal) -> Decimal:
        return honest(settling, {**row, "reserved": settling._reserved[_pool(row)]}, side, price)

    monkeypatch.setattr(Settling, "_there_is", greedy)


def keep_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends goes on holding back."""
    honest = book.status_changes

    def changes(*asked: Any) -> dict[str, Any]:
        return {name: value for name, value in honest(*asked).items() if name != "reserved"}

    monkeypatch.setattr(book, "status_changes", changes)


def forget_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settling writes what it did and tells nobody."""
    honest = Settling.settle

    def settle(settling: Settling) -> int:
        settling._events = Silent()
        return honest(settling)

    monkeypatch.setattr(Settling, "settle", settle)


def forget_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares and cash move; what differs from whole cents is booked nowhere."""
    honest = matching.trade
    monkeypatch.setattr(matching, "trade", lambda *asked: honest(*asked)[:2])


def rest_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """No order expires."""
    monkeypatch.setattr(Settling, "_is_over", lambda *_, **__: False)


class Silent(list[dict[str, Any]]):
    """A list that keeps nothing."""

    def append(self, _: object) -> None:
        pass


@pytest.mark.parametrize(
    "broken", [overspend, promise_twice, keep_reserved, forget_an_event, forget_an_entry, rest_for_ever]
)
def test_a_broken_exchange_is_found_out(broken: Callable[[pytest.MonkeyPatch], None]) -> None:
    """The machine above can fail: each defect that is put in on purpose ends it."""
    generate = settings(LIVES, max_examples=100, phases=[Phase.generate], derandomize=True, database=None)
    with pytest.MonkeyPatch.context() as monkeypatch:
        broken(monkeypatch)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(OrderLife, settings=generate)
