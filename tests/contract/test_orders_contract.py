"""What every backend promises about orders, and what only a simulated exchange can be told to do.

Asked through the client over every transport, on Monday 3 March 2025 at 10:00 in New York; SPY 100, TLT 50. There is
one account, with 10,000.00 USD and 40 SPY.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from driftdesk.client import Client, ClientKeys
from driftdesk.errors import BackendError, BackendNotFound, DataError, Rejected, Unavailable
from driftdesk.wire.base import NIL_UUID
from driftdesk.wire.errors import ErrorBody
from driftdesk.wire.orders import CreateOrder, Order, ReplaceOrder
from driftdesk.wire.simulation import FaultEntry, FillModelSetting

TEN = datetime(2025, 3, 3, 15, tzinfo=UTC)


class Desk:
    """One account and the client that trades for it, as in ``desk.place("buy $50 SPY #mine")``."""

    def __init__(self, client: Client) -> None:
        self.client, self.orders, self.simulation = client, client.orders, client.simulation
        self.simulation.set_prices({"SPY": Decimal(100), "TLT": Decimal(50)})
        self.account = self.simulation.create_account(cash=Decimal(10_000), positions={"SPY": Decimal(40)}).id

    def place(self, text: str, **more: Any) -> Order:
        return self.orders.place(self.account, order(text, **more))

    def now(self, placed: Order) -> Order:
        return self.orders.get(self.account, placed.id)

    def wait(self, seconds: int) -> None:
        self.simulation.advance(seconds=seconds)

    def names(self, **filters: Any) -> str:
        return "".join(order.client_order_id for order in self.orders.list(self.account, **filters))


def order(text: str, **more: Any) -> CreateOrder:
    side, size, symbol, *name = text.split()
    amount = {"notional": size[1:]} if size.startswith("$") else {"qty": size}
    named = {"client_order_id": name[0].removeprefix("#")} if name else {}
    fields = {"side": side, "symbol": symbol, "type": "market", "time_in_force": "day", **amount, **named, **more}
    if "limit_price" in more:
        fields |= {"type": "limit", "time_in_force": "gtc"}
    return CreateOrder.model_validate(fields)


@pytest.fixture
def desk(client: Client) -> Desk:
    return Desk(client)


def test_an_order_from_its_placing_to_its_fill(desk: Desk) -> None:
    """125.50 USD at 100 are 1.255 shares; its history tells both events, and its own id finds it."""
    sent = desk.place("buy $125.50 SPY #mine")
    assert ("accepted", Decimal("125.5"), None) == (sent.status, sent.notional, sent.qty)
    desk.wait(1)
    filled = desk.now(sent)
    assert ("filled", Decimal("1.255"), Decimal(100)) == (filled.status, filled.filled_qty, filled.filled_avg_price)
    assert filled == desk.orders.get_by_client_id(desk.account, "mine")
    history = desk.orders.history(desk.account, sent.id)
    assert (filled, ["accepted", "fill"]) == (history.order, [update.event for update in history.updates])


def test_orders_are_listed_and_filtered(desk: Desk) -> None:
    """a and b rest, c is filled; submitted at 10:00, 10:01 and 10:02."""
    desk.place("buy 1 TLT #a", limit_price="40")
    desk.wait(60)
    desk.place("sell 1 SPY #b", limit_price="120")
    desk.wait(60)
    desk.place("buy 1 SPY #c")
    desk.wait(1)
    assert ["ba", "c", "cba", "abc", "c"] == [
        desk.names(),
        desk.names(status="closed"),
        desk.names(status="all"),
        desk.names(status="all", direction="asc"),
        desk.names(status="all", limit=1),
    ]
    minute = TEN.replace(minute=1)
    assert ["c", "a", "a", "b"] == [
        desk.names(status="all", after=minute),
        desk.names(status="all", until=minute),
        desk.names(symbols=["TLT", "GLD"]),
        desk.names(side="sell"),
    ]


class Listed:
    """A backend that lists open orders as documented, 500 at most; `at` gives their seconds behind ten o'clock."""

    def __init__(self, *at: int) -> None:
        self.at = at
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        query = request.url.params
        begin, end = (_seconds(query.get(name), default) for name, default in (("after", -1e9), ("until", 1e9)))
        found = [number for number, at in enumerate(self.at) if begin < at < end]
        found.sort(key=lambda number: (self.at[number], number), reverse=query["direction"] == "desc")
        return httpx.Response(200, json=[self._order(number) for number in found[: int(query["limit"])]])

    def _order(self, number: int) -> dict[str, str]:
        time = (TEN + timedelta(seconds=self.at[number])).isoformat()
        return {
            "id": str(number),
            "client_order_id": "x",
            "symbol": "SPY",
            "side": "buy",
            "status": "new",
        } | dict.fromkeys(("created_at", "submitted_at"), time)


def _seconds(text: str | None, default: float) -> float:
    return default if text is None else (datetime.fromisoformat(text) - TEN).total_seconds()


@pytest.mark.parametrize("direction", ["desc", "asc"])
@pytest.mark.parametrize(
    ("at", "requests"),
    [
        pytest.param((), 1, id="none"),
        pytest.param(range(499), 1, id="less than an answer holds"),
        pytest.param(range(500), 3, id="as many as an answer holds"),
        pytest.param(range(1700), 5, id="each at its own instant"),
        pytest.param([0] * 400 + [1] * 400 + [2] * 400, 4, id="an answer ends within an instant"),
        pytest.param([0] * 20 + [1] * 900 + [2] * 20, 5, id="one instant fills an answer"),
    ],
)
def test_every_open_order_is_listed(at: Sequence[int], requests: int, direction: str) -> None:
    """However many there are: each once, in the order asked for."""
    backend = Listed(*at)
    with Client("http://desk", ClientKeys("k", "s"), httpx.MockTransport(backend)) as client:
        found = [int(order.id) for order in client.orders.list("a", direction=direction)]
    assert list(range(len(at))) == (found if direction == "asc" else found[::-1])
    assert requests == backend.asked


def test_a_limit_is_one_request() -> None:
    """And so is a list of what has ended: the newest 500."""
    backend = Listed(*range(900))
    with Client("http://desk", ClientKeys("k", "s"), httpx.MockTransport(backend)) as client:
        assert [300, 500, 500] == [
            len(client.orders.list("a", **filters))
            for filters in ({"limit": 300}, {"limit": 500}, {"status": "closed"})
        ]
    assert 3 == backend.asked


def test_more_orders_of_one_instant_than_can_be_told() -> None:
    """Said instead of left out: the API has no way to ask for those in between."""
    with (
        Client("http://desk", ClientKeys("k", "s"), httpx.MockTransport(Listed(*[0] * 1001))) as client,
        pytest.raises(DataError, match="Account a has 1000 or more open orders of one instant, 2025-03-03T15:00:00Z"),
    ):
        client.orders.list("a")


def test_an_order_is_replaced_and_canceled(desk: Desk) -> None:
    """The new one is canceled, then every other that is open; one that has ended is refused."""
    first, second = desk.place("buy 1 SPY", limit_price="90"), desk.place("buy 1 SPY", limit_price="91")
    desk.wait(1)
    made = desk.orders.replace(desk.account, first.id, ReplaceOrder(qty=Decimal(2), limit_price=Decimal("89.5")))
    assert (Decimal(2), Decimal("89.5"), first.id) == (made.qty, made.limit_price, made.replaces)
    desk.orders.cancel(desk.account, made.id)
    with pytest.raises(Rejected, match="only an open order can be canceled") as refused:
        desk.orders.cancel(desk.account, made.id)
    assert 422 == refused.value.status
    (canceled,) = desk.orders.cancel_all(desk.account)
    assert (second.id, 200) == (canceled.id, canceled.status)
    assert () == desk.orders.list(desk.account)


def test_positions_are_closed(desk: Desk) -> None:
    """A quarter of 40, 5 shares, all that is left; then nothing is free of the order that sells it."""
    assert Decimal(10) == desk.orders.close_position(desk.account, "SPY", percentage=Decimal(25)).qty
    assert Decimal(5) == desk.orders.close_position(desk.account, "SPY", qty=Decimal(5)).qty
    (closed,) = desk.orders.close_all_positions(desk.account)
    assert isinstance(closed.body, Order)
    assert (200, closed.body.id, Decimal(25)) == (closed.status, closed.order_id, closed.body.qty)
    (refused,) = desk.orders.close_all_positions(desk.account)
    assert isinstance(refused.body, ErrorBody)
    assert (403, None, Decimal(0), Decimal(40)) == (
        refused.status,
        refused.order_id,
        refused.body.available,
        refused.body.held_for_orders,
    )
    (again,) = desk.orders.close_all_positions(desk.account, cancel_orders=True)
    assert isinstance(again.body, Order)
    assert Decimal(40) == again.body.qty


def test_an_estimate_places_nothing(desk: Desk) -> None:
    """1,000 USD at 100.05, half a spread of 10 bps above 100."""
    desk.simulation.set_fill_model(FillModelSetting(name="spread", spread_bps=Decimal(10)))
    told = desk.orders.estimate(desk.account, order("buy $1000 SPY"))
    assert (NIL_UUID, Decimal("100.05"), Decimal("9.995002498")) == (told.id, told.filled_avg_price, told.filled_qty)
    assert "" == desk.names(status="all")


@pytest.mark.parametrize(
    ("text", "more", "status", "code", "sentence"),
    [
        ("buy 101 SPY", {}, 403, 40_310_000, "insufficient buying power: the order needs 10100 USD"),
        ("sell 41 SPY", {}, 403, 40_310_000, "41 shares and 40 of 40 are free."),
        ("buy 1 SPY", {"qty": None}, 422, 40_010_001, "qty is required: the number of shares"),
        ("buy 1 SPY", {"limit_price": "90.123"}, 422, 42_210_000, "limit_price must be a positive price"),
        ("buy 1 SPY", {"notional": "5"}, 422, 42_210_000, "Give either qty"),
        ("buy 1 SPY", {"order_class": "bracket"}, 422, 42_210_000, "order_class is not offered here"),
        ("buy 1 SPY", {"legs": [{}]}, 422, 42_210_000, "legs is not offered here"),
        ("hold 1 SPY", {}, 422, 42_210_000, "side must be one of buy, sell"),
    ],
)
def test_an_order_that_is_refused(
    desk: Desk, text: str, more: dict[str, Any], status: int, code: int, sentence: str
) -> None:
    """With the backend's own sentence and code; nothing is there afterwards."""
    with pytest.raises(Rejected) as refused:
        desk.place(text, **more)
    assert sentence in str(refused.value)
    assert (status, code, "") == (refused.value.status, refused.value.code, desk.names(status="all"))


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    """An order by its id and by its client order id, a position, an account."""
    for ask in (
        lambda: desk.orders.get(desk.account, NIL_UUID),
        lambda: desk.orders.get_by_client_id(desk.account, "yours"),
        lambda: desk.orders.close_position(desk.account, "TLT"),
        lambda: desk.orders.list(NIL_UUID),
    ):
        with pytest.raises(BackendNotFound):
            ask()


def test_an_order_whose_answer_is_lost_is_found(desk: Desk) -> None:
    """It was received: the client looks, and gives the order back instead of an error; there is one and not two."""
    desk.simulation.set_faults(FaultEntry(kind="time_out"))
    placed = desk.place("buy 1 SPY #mine")
    assert ("mine", "accepted", "mine") == (placed.client_order_id, placed.status, desk.names(status="all"))


def test_an_order_without_a_name_is_found_too(desk: Desk) -> None:
    """The client gives it one before it is sent."""
    desk.simulation.set_faults(FaultEntry(kind="time_out"))
    assert [desk.place("buy 1 SPY").id] == [order.id for order in desk.orders.list(desk.account)]


def test_an_order_that_is_lost_can_be_sent_again(desk: Desk) -> None:
    """It never arrived: the client says so with the name to use, and the same order is then taken once."""
    desk.simulation.set_faults(FaultEntry(kind="lose"))
    with pytest.raises(Unavailable, match="there is none with client_order_id mine") as silence:
        desk.place("buy 1 SPY #mine")
    assert (502, "") == (silence.value.status, desk.names(status="all"))
    desk.place("buy 1 SPY #mine")
    with pytest.raises(Rejected, match="mine is used already") as repeated:
        desk.place("buy 1 SPY #mine")
    assert (422, 40_010_001, "mine") == (repeated.value.status, repeated.value.code, desk.names(status="all"))


def test_where_nothing_answers_nothing_is_claimed() -> None:
    """The order was sent once, and whether it is there cannot be found out."""
    sent: list[str] = []

    def silent(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        if request.method == "POST":
            raise httpx.ReadTimeout("slow", request=request)
        return httpx.Response(500, json={"code": 50_010_000, "message": "The backend failed."})

    with (
        Client("http://desk", ClientKeys("k", "s"), httpx.MockTransport(silent)) as client,
        pytest.raises(Unavailable, match=r"could not be looked for \(The backend failed.\).* client_order_id mine"),
    ):
        client.orders.place("a", order("buy 1 SPY #mine"))
    assert ["POST", "GET"] == sent


def test_a_fill_model_is_set_and_read(desk: Desk) -> None:
    """30 shares at 5 to 15 a minute: some in the first minute, all in the end."""
    assert "immediate" == desk.simulation.fill_model().name
    slow = FillModelSetting(name="participation", seed=3, participation_percent=Decimal(10), minute_volume=Decimal(100))
    told = desk.simulation.set_fill_model(slow)
    assert told == desk.simulation.fill_model()
    assert ("participation", 3, Decimal(0), Decimal(10), Decimal(100)) == (
        told.name,
        told.seed,
        told.spread_bps,
        told.participation_percent,
        told.minute_volume,
    )
    sent = desk.place("buy 30 SPY")
    desk.wait(1)
    assert "partially_filled" == desk.now(sent).status
    desk.wait(600)
    assert ("filled", Decimal(30)) == (desk.now(sent).status, desk.now(sent).filled_qty)


def test_a_fault_script_is_set_read_and_taken_back(desk: Desk) -> None:
    """One is used up, one is for always, none ends them all."""
    once, always = FaultEntry(kind="reject", symbol="TLT"), FaultEntry(kind="delay", value=Decimal(30), times=None)
    assert (once, always) == desk.simulation.set_faults(once, always) == desk.simulation.faults()
    assert ["rejected", "accepted"] == [desk.place(f"buy 1 {symbol}").status for symbol in ("TLT", "SPY")]
    assert (always,) == desk.simulation.faults()
    assert () == desk.simulation.set_faults()
    desk.wait(1)
    assert ["filled"] == [order.status for order in desk.orders.list(desk.account, status="all", symbols=["SPY"])]


def test_corporate_actions(desk: Desk) -> None:
    """3 for 2 makes 60 of 40 shares; 0.25 on each are 15 USD; what is delisted cannot be traded."""
    assert "SPY" == desk.simulation.split("SPY", 3, 2).symbol
    position = desk.client.accounts.position(desk.account, "SPY")
    assert (Decimal(60), Decimal("66.6667")) == (position.qty, position.current_price)
    assert {desk.account: Decimal(15)} == desk.simulation.pay_dividend("SPY", Decimal("0.25"))
    assert Decimal(10_015) == desk.client.accounts.trading(desk.account).cash
    assert not desk.simulation.delist("TLT").tradable
    assert ("rejected", "TLT is not tradable") == (
        (refused := desk.place("buy 1 TLT")).status,
        refused.reject_reason,
    )


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda it: it.set_fill_model(FillModelSetting(name="magic")), "name must be one of immediate, spread"),
        (lambda it: it.set_faults(FaultEntry(kind="explode")), r"faults\[0\].kind must be one of reject"),
        (lambda it: it.split("SPY", 2, 2), "as many new shares as old ones"),
        (lambda it: it.pay_dividend("SPY", Decimal(0)), "per_share must be positive"),
    ],
)
def test_what_the_exchange_cannot_be_told(desk: Desk, act: Callable[[Any], object], sentence: str) -> None:
    """422, with what is allowed."""
    with pytest.raises(Rejected, match=sentence) as refused:
        act(desk.simulation)
    assert 422 == refused.value.status


def test_an_asset_that_is_not_known_is_not_found(desk: Desk) -> None:
    """Neither split, nor delisted, nor paid on."""
    for act in (
        lambda: desk.simulation.split("NOSUCH", 2),
        lambda: desk.simulation.delist("NOSUCH"),
        lambda: desk.simulation.pay_dividend("NOSUCH", Decimal(1)),
    ):
        with pytest.raises(BackendError) as refused:
            act()
        assert 404 == refused.value.status
