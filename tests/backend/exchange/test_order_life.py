"""Random lives of orders: whatever is sent, canceled, replaced, priced, halted, split, waited for: the books are right.

No share and no cent is ever negative or promised twice, what is open ends, the ledger balances, and the events and
entries alone rebuild the state (issue 4).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
from conftest import WEDNESDAY_10AM, simulated_feed
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select

from driftdesk.backend.ledger import check_balances
from driftdesk.backend.opening import open_service
from driftdesk.backend.store.tables import accounts, fills, order_events, orders, positions
from driftdesk.engine.snapshot import Side
from driftdesk.errors import DriftdeskError
from driftdesk.money import ZERO, round_cents
from driftdesk.wire.orders import FINAL_ORDER_STATUSES, CreateOrder, OrderStatus, OrderType, ReplaceOrder, TimeInForce
from driftdesk.wire.simulation import (
    Advance,
    CreateAccount,
    FaultEntry,
    FaultScript,
    FillModelSetting,
    NewPosition,
    SetAsset,
    SetPrices,
    SplitShares,
)

SYMBOLS = ("SPY", "TLT")
symbols = st.sampled_from(SYMBOLS)
cents = st.integers(1, 30_000).map(lambda count: Decimal(count) / 100)
whole = st.integers(1, 60).map(Decimal)
fractions = st.integers(1, 60_000_000_000).map(lambda count: Decimal(count).scaleb(-9))
waits = st.sampled_from([1, 30, 60, 600, 3600, 6 * 3600, 18 * 3600])


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
        price = Decimal(100 if symbol == "SPY" else 50) + near
        limit = {"limit_price": price} if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else {}
        stop = {"stop_price": price} if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else {}
        body = {"symbol": symbol, "side": side, "type": kind, "time_in_force": time_in_force, **size, **limit, **stop}
        with refusals_allowed():
            self.service.place_order(self.account, CreateOrder.model_validate(body))

    @rule(pick=st.integers(0, 50))
    def cancel(self, pick: int) -> None:
        with refusals_allowed():
            self.service.cancel_order(self.account, self.some_order(pick))

    @rule(pick=st.integers(0, 50), quantity=whole)
    def replace(self, pick: int, quantity: Decimal) -> None:
        with refusals_allowed():
            self.service.replace_order(self.account, self.some_order(pick), ReplaceOrder(qty=quantity))

    @rule(symbol=symbols, price=st.integers(20, 160).map(Decimal))
    def set_price(self, symbol: str, price: Decimal) -> None:
        self.service.set_prices(SetPrices(prices={symbol: price}))

    @rule(symbol=symbols, halted=st.booleans())
    def halt(self, symbol: str, halted: bool) -> None:
        self.service.set_asset(SetAsset(symbol=symbol, halted=halted))

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
            held = {row.symbol: row.quantity for row in connection.execute(select(positions))}
            reserved: dict[str, Decimal] = {}
            for row in connection.execute(select(orders).where(orders.c.due_at.is_not(None))):
                key = "USD" if row.side == Side.BUY else row.symbol
                reserved[key] = reserved.get(key, ZERO) + row.reserved
                assert row.status not in FINAL_ORDER_STATUSES
            assert cash is not None
            assert reserved.pop("USD", ZERO) <= cash
            for row in connection.execute(select(orders).where(orders.c.due_at.is_(None))):
                assert row.status in FINAL_ORDER_STATUSES
                assert ZERO == row.reserved
            for row in connection.execute(select(orders)):
                assert row.quantity is None or row.filled_quantity <= row.quantity
                assert row.status != OrderStatus.FILLED or row.quantity in (None, row.filled_quantity)
                assert round_cents(row.filled_value) == row.filled_cash
            assert all(quantity >= ZERO for quantity in held.values())

    @invariant()
    def events_rebuild_the_orders(self) -> None:
        """The last event of an order tells its status, and its fills add up to what it filled."""
        with self.service.world.database.read() as connection:
            told: dict[str, tuple[str, Decimal]] = {}
            for event in connection.execute(select(order_events).order_by(order_events.c.id)):
                filled = told.get(event.order_id, ("", ZERO))[1] + (event.quantity or ZERO)
                told[event.order_id] = (event.status, filled)
            kept = {row.id: (row.status, row.filled_quantity) for row in connection.execute(select(orders))}
            sums = {
                row.order_id: row.quantity
                for row in connection.execute(
                    select(fills.c.order_id, func.sum(fills.c.quantity).label("quantity")).group_by(fills.c.order_id)
                )
            }
        assert kept.keys() == told.keys()
        for order_id, (status, filled) in kept.items():
            assert filled == told[order_id][1] == sums.get(order_id, ZERO)
            assert status == told[order_id][0]

    def teardown(self) -> None:
        """Left alone without faults, every order ends: day orders by their close, others when they are canceled."""
        if not hasattr(self, "service"):
            return
        self.service.set_fault_script(FaultScript())
        self.service.cancel_orders(self.account)
        self.service.advance(Advance(seconds=int(timedelta(days=4).total_seconds())))
        with self.service.world.database.read() as connection:
            still_open = connection.execute(select(orders.c.id).where(orders.c.due_at.is_not(None))).all()
        assert [] == still_open
        self.nothing_is_lost_or_promised_twice()
        self.service.close()
        self.directory.cleanup()

    def some_order(self, pick: int) -> str:
        with self.service.world.database.read() as connection:
            ids = list(connection.scalars(select(orders.c.id).order_by(orders.c.submitted_at, orders.c.id)))
        return ids[pick % len(ids)] if ids else "none"


@contextmanager
def refusals_allowed() -> Iterator[None]:
    """What is refused in one sentence may be; anything else that goes wrong is a defect."""
    with suppress(DriftdeskError):
        yield


OrderLife.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOrderLife = OrderLife.TestCase
