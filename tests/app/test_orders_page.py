"""The orders page: what is listed, what happened to an order, and that it is placed, replaced and canceled once."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest
import real_surface
from streamlit.testing.v1 import AppTest

from driftdesk import Desk, FaultEntry, FillModelSetting, Mode
from driftdesk.backend.opening import SIMULATED
from driftdesk.demo import open_world
from driftdesk.errors import Rejected
from driftdesk.wire.orders import CreateOrder, Order

Pages = Callable[..., AppTest]
# Holds 285 BND and 1,280 USD of cash, and follows nothing that would trade within these tests.
ACCOUNT = "Juniper"
ESTIMATION = "/v1/trading/accounts/[^/]+/orders/estimation"


def desk() -> Desk:
    import state  # noqa: PLC0415 - on the path only where the pages are

    opened: Desk = state.desk()
    return opened


def account_id() -> str:
    return next(view.account.id for view in desk().book() if view.account.name == ACCOUNT)


def listed(status: str = "open") -> tuple[Order, ...]:
    return desk().client.orders.list(account_id(), status=status)


def sell(symbol: str = "BND", qty: str = "30", **terms: Any) -> Order:
    """Place an order without the page: a sell at the market."""
    body = {"symbol": symbol, "side": "sell", "type": "market", "time_in_force": "day", "qty": Decimal(qty), **terms}
    return desk().client.orders.place(account_id(), CreateOrder.model_validate(body))


def said(elements: Any) -> list[str]:
    return [element.value.replace("\\", "") for element in elements]


def field(app: AppTest, label: str) -> Any:
    """The field of the dialog, else of the sidebar, that is called so; the page's filters have names of their own."""
    kinds = (app.text_input, app.selectbox, app.segmented_control)
    found = [element for kind in kinds for element in kind if element.label == label]
    return next(element for element in found if not (element.key or "").startswith("orders_"))


def shown(app: AppTest, column: str) -> Any:
    return next(frame.value for frame in app.dataframe if column in frame.value.columns)


def ticket(app: AppTest, **typed: str) -> AppTest:
    """Open a ticket and type into it, one field after the other."""
    app.button(key="new_order").click().run()
    for label, value in typed.items():
        field(app, label.replace("_", " ").capitalize()).set_value(value).run()
    return app


def press(app: AppTest, key: str = "order_confirm") -> AppTest:
    return app.button(key=key).click().run()


def fill_in_parts() -> None:
    """Between 1 and 4 shares a minute: 30% of a volume of 5 to 15."""
    model = FillModelSetting(name="participation", seed=1, participation_percent=Decimal(30), minute_volume=Decimal(10))
    desk().simulation.set_fill_model(model)  # type: ignore[union-attr]


def clean(app: AppTest) -> bool:
    return (len(app.exception), len(app.error)) == (0, 0)


def test_orders_of_one_account_and_of_all(pages: Pages) -> None:
    """Five of Juniper, those of everybody with their account beside them, and each table says what it shows."""
    app = pages("orders", account=ACCOUNT)
    assert (True, 5) == (clean(app), len(shown(app, "Terms")))
    assert "Account" not in shown(app, "Terms").columns
    everyone = pages("orders", account=ACCOUNT, orders_of="All accounts")
    assert set(shown(everyone, "Terms")["Account"]) >= {ACCOUNT, "Alder", "Cedar"}
    assert all(element.proto.alt for element in everyone.get("arrow_data_frame"))


def test_filters_are_in_the_link(pages: Pages) -> None:
    """A link to the filled sells of one symbol shows those; filters that fit nothing say so."""
    pages()
    every = {(order.symbol, order.side) for order in listed("closed")}
    symbol, side = sorted(every)[0]
    query = {"orders_state": "Filled", "orders_symbol": symbol, "orders_side": side.capitalize()}
    rows = shown(pages("orders", account=ACCOUNT, **query), "Terms")
    assert ([symbol], 1) == (list(rows["Symbol"]), len(rows))
    none = pages("orders", account=ACCOUNT, orders_state="Rejected")
    assert ["No order fits these filters."] == said(none.info)


def test_an_account_without_orders_says_how_they_come(pages: Pages) -> None:
    """A new account: one sentence, and the ticket."""
    pages()
    desk().simulation.create_account("Maple", cash=Decimal(100))  # type: ignore[union-attr]
    import state  # noqa: PLC0415 - on the path only where the pages are

    state.refresh()
    app = pages("orders", account="Maple")
    assert (["No orders yet. Runs send them, and you can place one by hand."], True) == (said(app.info), clean(app))
    assert not app.button(key="new_order").disabled


def test_place_fill_in_parts_and_cancel_the_rest(pages: Pages) -> None:
    """Sell 30 BND where at most four trade in a minute: after one minute 1 to 4 are sold, and the rest is canceled."""
    app = pages("orders", account=ACCOUNT)
    fill_in_parts()
    ticket(app, symbol="bnd", side="Sell", size="30")
    assert any("At the market now about" in text and "30 shares" in text for text in said(app.info))
    press(app)
    [order] = listed()
    assert ("BND", Decimal(30), "sell") == (order.symbol, order.qty, order.side)
    assert (order.id, True) == (app.query_params["order"], clean(app))
    next(button for button in app.button if button.label == "Advance 1 minute").click().run()
    filled = desk().client.orders.get(account_id(), order.id).filled_qty
    assert Decimal(1) <= filled <= Decimal(4)
    assert ["Accepted", "Partial fill"] == list(shown(app, "Event")["Event"])
    assert app.get("progress")[0].proto.text.startswith(f"Filled {filled} of 30 shares")
    press(app, "cancel_order")
    assert any(f"{30 - filled} shares not filled yet" in text.value for text in app.markdown)
    press(app)
    ended = desk().client.orders.get(account_id(), order.id)
    assert ("canceled", filled) == (ended.status, ended.filled_qty)
    assert (True, "Canceled") == (clean(app), shown(app, "Event")["Event"].iloc[-1])


def test_three_quick_clicks_make_one_order(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads write the same ticket at once, as three clicks do: one order, under the ticket's own id."""
    import order_writes  # noqa: PLC0415 - on the path only where the pages are

    app = ticket(pages("orders", account=ACCOUNT), symbol="BND", side="Sell", size="3")
    it = app.session_state["_order_write"].write
    it.body = CreateOrder(
        symbol="BND", side="sell", type="market", time_in_force="day", qty=Decimal(3), client_order_id=it.key
    )
    monkeypatch.setattr(order_writes, "under_review", lambda: it)
    for name in ("say", "link", "refresh"):
        monkeypatch.setattr(order_writes.state, name, lambda *_: None)
    threads = [Thread(target=order_writes.write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([it.key], None) == ([order.client_order_id for order in listed()], it.problem)


def test_what_changes_with_the_click_is_not_sent(pages: Pages) -> None:
    """A field that is left by clicking the button: nothing is sent that the estimate did not show."""
    app = ticket(pages("orders", account=ACCOUNT), symbol="BND", side="Sell", size="3")
    field(app, "Size").set_value("4")
    press(app)
    assert ((), ["What is typed was changed with that click. Check it, and send it again."]) == (
        listed(), said(app.error),
    )  # fmt: skip
    press(app)
    assert [Decimal(4)] == [order.qty for order in listed()]


@pytest.mark.parametrize(
    ("expected", "typed"),
    [
        ("The symbol is missing.", {"size": "3"}),
        ("The size is missing.", {"symbol": "BND"}),
        ("The size is '1,5', which is not a number", {"symbol": "BND", "size": "1,5"}),
        ("The limit price is missing.", {"symbol": "BND", "size": "3", "type": "Limit"}),
        ("The stop price is missing.", {"symbol": "BND", "size": "3", "type": "Stop limit"}),
    ],
)
def test_what_cannot_be_read_is_said_and_not_sent(pages: Pages, expected: str, typed: dict[str, str]) -> None:
    """One sentence beside a button that cannot be pressed."""
    app = ticket(pages("orders", account=ACCOUNT), **typed)
    assert any(expected in text for text in said(app.caption))
    assert (True, True) == (app.button(key="order_confirm").disabled, clean(app))


@pytest.mark.parametrize(
    ("expected", "typed"),
    [
        ("insufficient buying power", {"symbol": "VTI", "size": "1000"}),
        ("insufficient quantity of BND available", {"symbol": "BND", "side": "Sell", "size": "1000"}),
        ("ZZZZ is not an asset", {"symbol": "ZZZZ", "size": "1"}),
        ("must be positive", {"symbol": "BND", "size": "-1"}),
    ],
)
def test_a_refusal_stays_in_the_dialog(pages: Pages, expected: str, typed: dict[str, str]) -> None:
    """403 and 422 as the backend's own sentence; the fields keep what was typed, and it can be mended and sent."""
    app = press(ticket(pages("orders", account=ACCOUNT), **typed))
    [problem] = said(app.error)
    assert (True, (), typed["size"]) == (expected in problem, listed(), field(app, "Size").value)
    field(app, "Size").set_value("2.5").run()
    # It was about the other size.
    assert [] == said(app.error)
    field(app, "Symbol").set_value("BND").run()
    field(app, "Side").set_value("Sell").run()
    field(app, "Size").set_value("2").run()
    press(app)
    assert [("BND", Decimal(2))] == [(order.symbol, order.qty) for order in listed()]


def test_a_limit_order_by_shares_rests_and_is_replaced(pages: Pages) -> None:
    """A sell far above the market waits for it; price and quantity are replaced, and the new order is open instead."""
    app = ticket(pages("orders", account=ACCOUNT), symbol="BND", side="Sell", size="5", type="Limit", limit_price="500")
    assert any("At its limit at least $500.00 a share, $2,500.00." in text for text in said(app.info))
    press(app)
    next(button for button in app.button if button.label == "Advance 1 minute").click().run()
    [resting] = listed()
    press(app, "replace_order")
    assert (True, True) == (
        app.button(key="order_confirm").disabled,
        any("nothing is changed" in text for text in said(app.caption)),
    )
    field(app, "Quantity, shares").set_value("7").run()
    field(app, "Limit price").set_value("499.50").run()
    press(app)
    [order] = listed()
    assert (Decimal(7), Decimal("499.5"), resting.id) == (order.qty, order.limit_price, order.replaces)
    assert (order.id, True) == (app.query_params["order"], clean(app))
    press(app, f"go_{resting.id}")
    assert "Sell 5 BND, limit $500.00, day" in said(app.subheader)


def test_an_order_that_has_filled_meanwhile_is_told(pages: Pages) -> None:
    """The dialog was opened while it was open; the cancel comes too late, which is no error."""
    pages()
    order = sell()
    app = pages("orders", account=ACCOUNT, order=order.id)
    press(app, "cancel_order")
    desk().simulation.advance(seconds=60)  # type: ignore[union-attr]
    press(app)
    assert ["Sell 30 BND, market, day: filled before it could be canceled."] == said(app.toast)
    assert ("filled", True) == (desk().client.orders.get(account_id(), order.id).status, clean(app))


def test_all_that_is_shown_is_canceled_and_nothing_else(pages: Pages) -> None:
    """Two sells of BND are shown and named; one of TIP is filtered out and stays, one fills meanwhile and is told."""
    pages()
    fill_in_parts()
    first, second, other = sell(qty="30"), sell(qty="1"), sell(symbol="TIP", qty="20")
    app = pages("orders", account=ACCOUNT, orders_symbol="BND")
    press(app, "cancel_orders")
    named = {row["Order id"]: row["Not filled yet"] for row in shown(app, "Not filled yet").to_dict("records")}
    assert {first.id: "30 shares", second.id: "1 share"} == named
    desk().simulation.advance(seconds=30)  # type: ignore[union-attr]
    press(app)
    assert ["1 order canceled; 1 had ended before: filled."] == said(app.toast)
    assert ([other.id], True) == ([order.id for order in listed()], clean(app))


def test_a_rejected_order_is_listed_with_its_reason(pages: Pages) -> None:
    """The fault script rejects it at the exchange: said at once, in its detail, and in the list."""
    app = pages("orders", account=ACCOUNT)
    desk().simulation.set_faults(FaultEntry(kind="reject", symbol="BND"))  # type: ignore[union-attr]
    press(ticket(app, symbol="BND", side="Sell", size="3"))
    assert "Sell 3 BND, market, day: the exchange rejected it; the reason is below." in said(app.warning)
    reasons = [row["Details"] for _, row in shown(app, "Terms").iterrows() if row["State"] == ["Rejected"]]
    assert "BND was rejected by the exchange (fault script)" in reasons[0]
    assert any("fault script" in text for text in said(app.warning))


@pytest.mark.parametrize(("kind", "presses"), [("time_out", 1), ("lose", 2)])
def test_an_order_without_an_answer_is_placed_once(pages: Pages, kind: str, presses: int) -> None:
    """One that arrived is found; of one that did not it is said, and it is sent again under the same id."""
    app = ticket(pages("orders", account=ACCOUNT), symbol="BND", side="Sell", size="3")
    desk().simulation.set_faults(FaultEntry(kind=kind))  # type: ignore[union-attr]
    for _ in range(presses - 1):
        press(app)
        assert any("No answer came to the order" in text for text in said(app.error))
    press(app)
    assert (1, True) == (len(listed()), clean(app))


def test_a_link_to_an_unknown_order_is_said(pages: Pages) -> None:
    """And taken out of the link; the list is there."""
    app = pages("orders", account=ACCOUNT, order="nowhere")
    assert any("There is no order nowhere in Juniper" in text for text in said(app.warning))
    assert (True, 5) == ("order" not in app.query_params, len(shown(app, "Terms")))


def test_a_backend_that_does_not_recognize_the_id_of_a_link(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """422 where another says 404: the same sentence, and the list is there."""
    pages()
    refusal = Rejected("order_id is invalid", status=422)
    monkeypatch.setattr(type(desk().client.orders), "get", Mock(side_effect=refusal))
    app = pages("orders", account=ACCOUNT, order="nowhere")
    assert any("There is no order nowhere in Juniper" in text for text in said(app.warning))
    assert (5, True) == (len(shown(app, "Terms")), clean(app))


def test_five_hundred_orders(pages: Pages, demo_directory: Path) -> None:
    """All of them, the open one first, in a table that scrolls inside itself."""
    pages()
    account, body = account_id(), {"symbol": "BND", "side": "sell", "type": "market", "time_in_force": "day", "qty": 1}
    service = open_world(demo_directory, SIMULATED)
    # In one transaction: each of its own would be flushed to the disk.
    with service.world.database.write():
        for _ in range(500):
            service.cancel_order(account, service.place_order(account, CreateOrder.model_validate(body)).id)
    service.close()
    waiting = sell(qty="1")
    app = pages("orders", account=ACCOUNT)
    rows = shown(app, "Terms")
    assert (501, ["Accepted"], True) == (len(rows), rows["State"].iloc[0], clean(app))
    assert app.button(key="cancel_orders").label == "Cancel 1 open order"
    assert waiting.id == listed()[0].id


# --- other backends -----------------------------------------------------------------------------------------------


@pytest.fixture
def on(pages: Pages, demo_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mode], Any]:
    """Put the pages on the real API's surface in this mode; gives the surface that answers. It takes the documented
    fields of an order (wire/alpaca.md 11.4)."""
    import reads  # noqa: PLC0415 - on the path only where the pages are

    monkeypatch.setitem(real_surface.FIELDS, "", set(CreateOrder.model_fields))
    monkeypatch.setitem(real_surface.PATHS, "broker.test", (*real_surface.PATHS["broker.test"], ESTIMATION))

    assert pages is not None

    def opener(mode: Mode) -> Any:
        opened, surface = real_surface.real_desk(open_world(demo_directory, SIMULATED), mode)
        monkeypatch.setattr(reads, "connect_from_environment", lambda _name: opened)
        return surface

    return opener


def looks(app: AppTest) -> bool:
    return any("looked at every two seconds" in text for text in said(app.caption))


def test_in_the_sandbox_orders_are_placed_and_watched_while_open(pages: Pages, on: Callable[[Mode], Any]) -> None:
    """Sent with the documented fields; looked at again by itself only while it is open and no dialog is."""
    surface = on(Mode.SANDBOX)
    app = pages("orders")
    assert not looks(app)
    view = next(view for view in desk().book() if view.snapshot.holdings)
    app = pages("orders", account=view.account.account_number)
    press(ticket(app, symbol=str(view.snapshot.holdings[0].symbol), side="Sell", size="0.5"))
    [(path, body)] = [sent for sent in surface.sent("POST") if not sent[0].endswith("estimation")]
    assert (True, "0.5") == (path.endswith("/orders"), body["qty"])
    assert (True, True) == (looks(app), clean(app))
    assert ["Submitted"] == list(shown(app, "Event")["Event"])
    press(app, "cancel_order")
    assert not looks(app)
    press(app)
    assert (False, True) == (looks(app), clean(app))


def test_with_real_money_there_is_no_ticket_and_canceling_is_typed(pages: Pages, on: Callable[[Mode], Any]) -> None:
    """The page says where orders come from then; the account's number is typed before one is canceled."""
    surface = on(Mode.LIVE)
    pages()
    view = next(view for view in desk().book() if view.snapshot.holdings)
    number, symbol = view.account.account_number, str(view.snapshot.holdings[0].symbol)
    body = CreateOrder(symbol=symbol, side="sell", type="market", time_in_force="day", qty=Decimal("0.5"))
    with desk().confirming(number):
        order = desk().client.orders.place(view.account.id, body)
    app = pages("orders", account=number, order=order.id)
    assert not {"New order", "Replace"} & {button.label for button in app.button}
    assert any("not placed by hand with real money" in text for text in said(app.caption))
    press(app, "cancel_order")
    assert app.button(key="order_confirm").disabled
    next(field for field in app.text_input if field.key.startswith("typed_")).set_value(number).run()
    assert [] == surface.sent("DELETE")
    press(app)
    assert ("canceled", True) == (str(desk().client.orders.get(view.account.id, order.id).status), clean(app))


def test_what_has_moved_is_noticed(pages: Pages) -> None:
    """The same open orders: nothing to draw; one has filled in part, or ended, or came: the page is drawn anew."""
    import order_state  # noqa: PLC0415 - on the path only where the pages are

    pages()
    fill_in_parts()
    sell()
    import state  # noqa: PLC0415 - on the path only where the pages are

    rows = state.orders((account_id(),))
    assert not order_state.moved(rows)
    desk().simulation.advance(seconds=60)  # type: ignore[union-attr]
    assert order_state.moved(rows)


# --- the exchange, in the sidebar ---------------------------------------------------------------------------------


@pytest.fixture
def exchange(pages: Pages) -> AppTest:
    """A page with the sidebar's controls of the exchange open."""
    app = pages("orders", account=ACCOUNT)
    app.session_state["exchange_controls"] = True
    return app.run()


def test_the_fill_model_is_chosen(exchange: AppTest) -> None:
    """Participation with its numbers, as decimals; what is no number is one sentence and changes nothing."""
    simulation: Any = desk().simulation
    field(exchange, "Orders are filled").set_value("participation").run()
    field(exchange, "Spread, bp").set_value("a lot")
    press(exchange, "use_fill_model")
    assert (["Spread, bp is 'a lot', which is not a number; write one as 1234.50."], "immediate") == (
        said(exchange.error), simulation.fill_model().name,
    )  # fmt: skip
    field(exchange, "Spread, bp").set_value("2.5")
    field(exchange, "Shares traded a minute").set_value("1,000")
    press(exchange, "use_fill_model")
    model = simulation.fill_model()
    assert ("participation", Decimal("2.5"), Decimal(1000), True) == (
        model.name, model.spread_bps, model.minute_volume, clean(exchange),
    )  # fmt: skip


def test_faults_are_added_and_cleared(exchange: AppTest) -> None:
    """Half of the next fill of BND, twice; then none. A refusal is one sentence."""
    simulation: Any = desk().simulation
    field(exchange, "Next fault").set_value("fill_part").run()
    inputs = {element.label: element for element in exchange.text_input}
    inputs["Symbol"].set_value("bnd")
    inputs["Part, 0 to 1"].set_value("2")
    inputs["Times"].set_value("2")
    press(exchange, "add_fault_0")
    assert any("between 0 and 1" in text for text in said(exchange.error))
    next(element for element in exchange.text_input if element.label == "Part, 0 to 1").set_value("0.5")
    press(exchange, "add_fault_0")
    [fault] = simulation.faults()
    assert ("fill_part", "BND", Decimal("0.5"), 2) == (fault.kind, fault.symbol, fault.value, fault.times)
    assert any("Fill only a part, 0.5, BND, 2 times" in text for text in said(exchange.caption))
    press(exchange, "clear_faults")
    assert ((), True) == (simulation.faults(), clean(exchange))
