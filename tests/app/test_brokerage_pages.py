"""The pages on accounts at brokerages: nothing by itself, notes and refusals where they matter, desks side by side."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from connected.brokerage import Brokerage, open_brokerage
from streamlit.testing.v1 import AppTest

from driftdesk import BackendError, Desk, connect
from driftdesk.wire.snaptrade.served import ConnectionSetting

Pages = Callable[..., AppTest]
HALF = {"SPY": "50", "GLD": "30", "cash": "20"}


@pytest.fixture
def brokerage(pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Brokerage]:
    """One account at a brokerage, which follows a portfolio that it is far from; the pages show its desk."""
    import reads  # noqa: PLC0415 - on the path only where the pages are

    assert pages is not None
    opened = open_brokerage(tmp_path)
    account = opened.open_account("2000.00", SPY="60", TLT="40")
    opened.desk.book()
    opened.portfolio(HALF)
    opened.desk.client.subscriptions.create(account, opened.desk.portfolios()[0].id)
    monkeypatch.setenv("DRIFTDESK_BACKEND", "snaptrade")
    monkeypatch.setattr(reads, "connect_from_environment", lambda _name: opened.desk)
    yield opened
    opened.close()


def texts(app: AppTest) -> list[str]:
    return [said.value.replace("\\", "") for said in (*app.warning, *app.info, *app.caption)]


def metrics(app: AppTest) -> dict[str, tuple[str, str]]:
    return {metric.label: (metric.value, metric.delta) for metric in app.metric}


@pytest.mark.parametrize(
    "view", ["overview", "portfolios", "decisions", "drift", "preview", "runs", "orders", "what_if"]
)
def test_every_page_draws_at_a_brokerage(pages: Pages, brokerage: Brokerage, view: str) -> None:
    """No exception, no refusal, no clock to advance, and no word of what an evaluation would decide."""
    app = pages(view)
    assert (0, 0, 1) == (len(app.exception), len(app.error), len(app.title))
    assert not [button for button in app.button if button.label in ("Next open", "1 day", "Advance 1 minute")]
    assert not [text for text in texts(app) if "evaluation" in text]


def test_the_preview_tells_how_close_it_comes(pages: Pages, brokerage: Brokerage) -> None:
    """Accuracy is 1 - half the sum of the differences: 10, 20 and 30 points make 70.00 % now; after it is 100 %."""
    assert ("100.00%", "70.00% now") == metrics(pages("preview"))["Accuracy after"]


def test_what_cannot_be_sent_can_be_downloaded(pages: Pages, brokerage: Brokerage) -> None:
    """A connection for reading only: the page says it twice, reviews nothing, and gives the plan as CSV."""
    brokerage.backend.snaptrade.set_connection(ConnectionSetting(type="read"))
    app = pages("preview")
    assert app.button(key="review").disabled
    assert any("read-only: a plan can be exported, not sent" in text for text in texts(app))
    assert [download.label for download in app.get("download_button")] == ["Download CSV"]


def test_a_run_is_confirmed_with_its_orders_before_one(pages: Pages, brokerage: Brokerage) -> None:
    """The dialog lists side, symbol and size, and says what the confirmation covers; then the run is there, once."""
    app = pages("preview")
    app.button(key="review").click().run()
    key = str(app.session_state["_review"].key)
    assert any("covers buys up to these amounts" in caption.value for caption in app.caption)
    listed = [frame.value for frame in app.dataframe if list(frame.value.columns)[:2] == ["Side", "Symbol"]]
    assert any(["TLT", "SPY", "GLD"] == list(frame["Symbol"]) and len(frame.columns) == 5 for frame in listed)
    app.checkbox(key=f"checked_{key}").check().run()
    app.button(key="review_create").click().run()
    [run] = brokerage.desk.runs()
    assert ("QUEUED", 0) == (run.status, len(app.exception))


def test_an_order_at_a_brokerage_is_canceled_and_never_replaced(pages: Pages, brokerage: Brokerage) -> None:
    """The same controls as elsewhere, without the one that a brokerage has not."""
    body: dict[str, Any] = {"symbol": "SPY", "side": "sell", "type": "limit", "limit_price": "500", "qty": "5"}
    from driftdesk import CreateOrder  # noqa: PLC0415 - one name, for one call

    account = brokerage.desk.book()[0].account.id
    order = brokerage.desk.client.orders.place(account, CreateOrder(time_in_force="day", **body))
    app = pages("orders", order=order.id)
    keys = {button.key for button in app.button}
    assert ("cancel_order" in keys, "replace_order" in keys) == (True, False)
    app.button(key="cancel_order").click().run()
    app.button(key="order_confirm").click().run()
    brokerage.pass_time(3)
    assert "canceled" == brokerage.desk.client.orders.get(account, order.id).status


def test_a_problem_of_an_account_stands_where_its_drift_would(pages: Pages, brokerage: Brokerage) -> None:
    """A retired endpoint is a sentence on the page, never an empty account."""
    brokerage.wire.refuse("/positions/all", 410, "gone")
    app = pages("drift")
    assert any("retired this endpoint" in error.value for error in app.error)
    assert not app.metric


def test_desks_stand_side_by_side(
    pages: Pages, brokerage: Brokerage, demo_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accounts of both are in one book and one list; the pages of an account are those of its own desk."""
    import reads  # noqa: PLC0415 - on the path only where the pages are

    demo = connect("embedded", data=demo_directory)
    desks: dict[str, Desk] = {"embedded": demo, "snaptrade": brokerage.desk}
    monkeypatch.setenv("DRIFTDESK_BACKEND", "embedded,snaptrade")
    monkeypatch.setattr(reads, "connect_from_environment", desks.__getitem__)
    app = pages("overview", account="Ginkgo")
    book = app.dataframe[0].value
    assert {"SnapTrade", "demo world"} == set(book["Desk"])
    assert ("SnapTrade",) == tuple(book[book["Account"] == "Account 1"]["Desk"])
    assert [button for button in app.button if button.label == "Next open"]
    app.selectbox(key="account").select("Account 1").run()
    assert not [button for button in app.button if button.label == "Next open"]
    app.switch_page("views/preview.py").run()
    assert (0, "70.00% now") == (len(app.error), metrics(app)["Accuracy after"][1])
    demo.close()


def test_a_desk_that_cannot_be_reached_hides_no_other(
    pages: Pages, brokerage: Brokerage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trouble is a sentence beside the accounts of the others."""
    import reads  # noqa: PLC0415 - on the path only where the pages are

    def opened(name: str) -> Desk:
        if name == "snaptrade":
            return brokerage.desk
        raise BackendError("No answer from there.")

    monkeypatch.setenv("DRIFTDESK_BACKEND", "http://127.0.0.1:9,snaptrade")
    monkeypatch.setattr(reads, "connect_from_environment", opened)
    app = pages("overview")
    assert ["127.0.0.1:9: No answer from there."] == [error.value.replace("\\", "") for error in app.error]
    assert ["Account 1"] == list(app.dataframe[0].value["Account"])
