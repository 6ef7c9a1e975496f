"""total = filled + canceled + open: by hand for each way an order can go, and through random days (rules.md 9)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import WEDNESDAY_10AM, simulated_feed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftdesk.backend.opening import open_service
from driftdesk.backend.service import Service
from driftdesk.errors import DriftdeskError
from driftdesk.wire.simulation import (
    Advance,
    CreateAccount,
    FaultEntry,
    FaultScript,
    FillModelSetting,
    NewPosition,
    SetPrices,
    SplitShares,
)
from driftdesk.wire.snaptrade.orders import OrderRecord, OrderState, OrderStatus
from driftdesk.wire.snaptrade.trading import NewOrder, ReplaceOrder


def parts(record: OrderRecord) -> str:
    """``PARTIAL 10 = 4 + 0 + 6``: total, filled, canceled, open."""
    sizes = (record.total_quantity, record.filled_quantity, record.canceled_quantity, record.open_quantity)
    total, filled, canceled, still_open = (f"{size.normalize():f}" for size in sizes if size is not None)
    return f"{record.status} {total} = {filled} + {canceled} + {still_open}"


class Story:
    """One order of an account with 10,000.00 USD and 40 SPY, as its record tells it at each moment."""

    def __init__(self, service: Service, account: str) -> None:
        self.service, self.account, self.id = service, account, ""

    def place(self, size: dict[str, str], **terms: Any) -> str:
        words = {"action": "BUY", "order_type": "Market", "time_in_force": "Day", "symbol": "TLT"} | size | terms
        order = NewOrder.model_validate({"account_id": self.account, **words})
        record = self.service.snaptrade.place(order)
        self.id = record.brokerage_order_id or ""
        return parts(record)

    def later(self, **span: int) -> str:
        self.service.advance(Advance(seconds=int(timedelta(**span).total_seconds())))
        return self.now

    def cancel(self) -> str:
        return parts(self.service.snaptrade.cancel_for_record(self.account, self.id))

    @property
    def now(self) -> str:
        return parts(self.service.snaptrade.order(self.account, self.id))

    def fill_part(self, part: str) -> None:
        fault = FaultEntry(kind="fill_part", value=Decimal(part))
        self.service.set_fault_script(FaultScript(faults=(fault,)))


@pytest.fixture
def story(service: Service, open_account: Callable[..., str]) -> Story:
    return Story(service, open_account("10000", SPY="40"))


def test_units_filled_in_parts_and_canceled(story: Story) -> None:
    """10 TLT, 4 of them filled, the rest canceled: that is PARTIAL_CANCELED."""
    assert "ACCEPTED 10 = 0 + 0 + 10" == story.place({"units": "10"})
    story.fill_part("0.4")
    assert "PARTIAL 10 = 4 + 0 + 6" == story.later(seconds=2)
    assert "PARTIAL_CANCELED 10 = 4 + 6 + 0" == story.cancel() == story.later(hours=30)


def test_units_filled_in_two_parts(story: Story) -> None:
    """The rest is filled a minute later."""
    story.place({"units": "2.5"})
    story.fill_part("0.4")
    assert "PARTIAL 2.5 = 1 + 0 + 1.5" == story.later(seconds=2)
    assert "EXECUTED 2.5 = 2.5 + 0 + 0" == story.later(minutes=2)


def test_a_notional_is_estimated_at_the_price_when_asked(story: Story) -> None:
    """1,000.00 USD at 50 are 20; after 4 for 200.00, 800.00 at 40 are 20 more."""
    assert "ACCEPTED 20 = 0 + 0 + 20" == story.place({"notional_value": "1000"})
    story.fill_part("0.2")
    assert "PARTIAL 20 = 4 + 0 + 16" == story.later(seconds=2)
    story.service.set_prices(SetPrices(prices={"TLT": Decimal(40)}))
    assert "PARTIAL 24 = 4 + 0 + 20" == story.now
    assert "EXECUTED 24 = 24 + 0 + 0" == story.later(minutes=2)


def test_a_notional_canceled_in_part_and_before_any_fill(story: Story) -> None:
    """What is canceled of a notional is what the rest would have bought."""
    story.place({"notional_value": "1000"})
    story.fill_part("0.2")
    story.later(seconds=2)
    assert "PARTIAL_CANCELED 20 = 4 + 16 + 0" == story.cancel()
    story.place({"notional_value": "1000"})
    assert "CANCELED 20 = 0 + 20 + 0" == story.cancel() == story.later(minutes=5)


def test_expired_and_rejected(story: Story) -> None:
    """What did not fill counts as canceled: at the close, and at the exchange's refusal."""
    story.place({"units": "3"}, order_type="Limit", price="10")
    assert "EXPIRED 3 = 0 + 3 + 0" == story.later(hours=7)
    story.service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject"),)))
    assert "REJECTED 3 = 0 + 3 + 0" == story.place({"units": "3"})
    story.service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject"),)))
    assert "REJECTED 1 = 0 + 1 + 0" == story.place({"notional_value": "50"})


def test_what_a_replacement_takes_over_counts_as_canceled(story: Story) -> None:
    """Of 10 with 4 filled, replaced by 12 in all, the first order ends with 6 canceled and the other one has 8."""
    story.place({"units": "10"}, order_type="Limit", price="60", time_in_force="GTC")
    story.fill_part("0.4")
    story.later(seconds=2)
    terms = {"action": "BUY", "order_type": "Limit", "time_in_force": "GTC", "price": "10", "units": "12"}
    change = ReplaceOrder.model_validate({"brokerage_order_id": story.id, **terms})
    assert "ACCEPTED 8 = 0 + 0 + 8" == parts(story.service.snaptrade.replace(story.account, change))
    assert "REPLACED 10 = 4 + 6 + 0" == story.now


def test_a_night_between_two_parts(story: Story) -> None:
    """A GTC order that is done for the day is open still, and PARTIAL where something was filled."""
    story.place({"units": "3"}, order_type="Limit", price="10", time_in_force="GTC")
    assert "ACCEPTED 3 = 0 + 0 + 3" == story.later(hours=7)


def test_a_split_cancels_in_old_shares(story: Story) -> None:
    """What was filled before a split stays in the old shares, and so does the rest."""
    story.place({"units": "10"})
    story.fill_part("0.4")
    story.later(seconds=2)
    story.service.split(SplitShares(symbol="TLT", new=2, old=1))
    assert "PARTIAL_CANCELED 10 = 4 + 6 + 0" == story.now


# Action, symbol, size ($ for a notional), type, time in force, limit, stop.
ORDERS = st.sampled_from(
    [
        "BUY TLT 33 Market Day",
        "BUY TLT 7 Market GTC",
        "BUY TLT 12.000000001 Market Day",
        "BUY TLT 0.125 Limit Day 50.5",
        "BUY TLT $2500 Market Day",
        "BUY SPY $99.99 Market Day",
        "BUY TLT 40 Market IOC",
        "BUY TLT 5 Market FOK",
        "BUY TLT 20 Limit GTC 49",
        "BUY TLT 9 Stop Day - 51",
        "BUY TLT 9 StopLimit GTC 70 51",
        "SELL SPY 33 Market Day",
        "SELL SPY 0.75 Market Day",
        "SELL SPY $1234.56 Market Day",
        "SELL SPY 20 Limit GTC 101",
    ]
)
TIMES = st.sampled_from([2, 2, 61, 61, 3600, 7 * 3600, 24 * 3600])
STEPS = st.one_of(
    st.tuples(st.just("place"), ORDERS),
    st.tuples(st.just("place"), ORDERS),
    st.tuples(st.just("later"), TIMES),
    st.tuples(st.just("later"), TIMES),
    st.tuples(st.just("cancel"), st.integers(0, 2)),
    st.tuples(st.just("replace"), st.integers(0, 2), st.sampled_from(["21", "40"])),
    st.tuples(st.just("fill_part"), st.sampled_from(["0.1", "0.37", "0.999999999"])),
    st.tuples(st.just("reject"), st.none()),
    st.tuples(st.just("price"), st.sampled_from(["TLT", "SPY"]), st.sampled_from(["30", "50.01", "104.3333"])),
)


@contextmanager
def trading_world() -> Iterator[tuple[Service, str]]:
    """An account with 10,000.00 USD and 40 SPY in a market where a minute has room for about eight shares."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "world.db"
        service = open_service(path, simulated_feed(), start=WEDNESDAY_10AM, seed=1, durable=False)
        service.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50)}))
        service.set_fill_model(FillModelSetting(name="participation", minute_volume=Decimal(8), spread_bps=Decimal(10)))
        holding = NewPosition(symbol="SPY", qty=Decimal(40))
        account = service.simulate_account(CreateAccount(cash=Decimal(10_000), positions=(holding,))).id
        try:
            yield service, account
        finally:
            service.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=6, max_size=16))
def test_quantities_add_up_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    """After every step, for every record: the sum, nothing below zero, a status that fits, and final means final."""
    with trading_world() as (service, account):
        final: dict[str | None, tuple[OrderStatus | str | None, Decimal | None]] = {}
        for step in steps:
            take(service, account, step)
            records = service.snaptrade.list_orders(account)
            assert records == [service.snaptrade.order(account, record.brokerage_order_id or "") for record in records]
            for record in records:
                check(record)
                ended = (record.status, record.filled_quantity)
                if record.state is OrderState.FINAL:
                    assert ended == final.setdefault(record.brokerage_order_id, ended)


def take(service: Service, account: str, step: tuple[Any, ...]) -> None:
    """One step; what is refused changes nothing, and is as good as any other."""
    name, *more = step
    known = service.snaptrade.list_orders(account)
    try:
        match name:
            case "place":
                service.snaptrade.place(asked(account, more[0]))
            case "cancel" if known:
                service.snaptrade.cancel(account, known[more[0] % len(known)].brokerage_order_id or "")
            case "replace" if known:
                service.snaptrade.replace(account, replacement(known[more[0] % len(known)], more[1]))
            case "later":
                service.advance(Advance(seconds=more[0]))
            case "fill_part":
                service.set_fault_script(FaultScript(faults=(FaultEntry(kind="fill_part", value=Decimal(more[0])),)))
            case "reject":
                service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject"),)))
            case "price":
                service.set_prices(SetPrices(prices={more[0]: Decimal(more[1])}))
    except DriftdeskError:
        pass


def asked(account: str, text: str) -> NewOrder:
    """The order of a line of `ORDERS`."""
    action, symbol, size, order_type, time_in_force, *prices = text.split()
    sized = {"notional_value": size[1:]} if size.startswith("$") else {"units": size}
    terms = {"action": action, "symbol": symbol, "order_type": order_type, "time_in_force": time_in_force}
    given_prices = {name: price for name, price in zip(("price", "stop"), prices, strict=False) if price != "-"}
    return NewOrder.model_validate({"account_id": account, **sized, **terms, **given_prices})


def replacement(record: OrderRecord, units: str) -> ReplaceOrder:
    """The same terms for another number of shares."""
    return ReplaceOrder(
        brokerage_order_id=record.brokerage_order_id or "",
        action=record.action or "",
        order_type=record.order_type or "",
        time_in_force=record.time_in_force or "",
        units=Decimal(units),
    )


def check(record: OrderRecord) -> None:
    """What holds of every record at every moment."""
    sizes = (record.filled_quantity, record.canceled_quantity, record.open_quantity)
    known = [size for size in sizes if size is not None]
    assert (record.total_quantity, 3) == (sum(known), len(known))
    assert min(known) >= 0
    assert () == record.warnings
    assert (record.execution_price is None) == (record.filled_quantity == 0)
    if record.status in (OrderStatus.PARTIAL, OrderStatus.PARTIAL_CANCELED):
        assert known[0] > 0
    if record.status in (OrderStatus.ACCEPTED, OrderStatus.CANCELED, OrderStatus.REJECTED):
        assert known[0] == 0
    assert record.state is OrderState.OPEN or known[2] == 0
