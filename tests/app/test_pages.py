"""Each page on the demo world: it draws without an exception, shows what it is for, and says refusals in a sentence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from driftdesk.backend.opening import make_feed, open_service
from driftdesk.engine.snapshot import Holding, Quote, Snapshot, Symbol

Pages = Callable[..., AppTest]
VIEWS = ("overview", "drift", "preview", "runs", "what_if")


def metric(app: AppTest, label: str) -> str:
    return next(str(card.value) for card in app.metric if card.label.startswith(label))


def charts(app: AppTest) -> list[Any]:
    return list(app.get("plotly_chart"))


def button(app: AppTest, label: str) -> Any:
    return next(found for found in app.button if found.label == label)


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_draws(pages: Pages, view: str) -> None:
    """No exception, no refusal, one title; each chart and each table has words for those who do not see it."""
    app = pages(view)
    assert (len(app.exception), len(app.error), len(app.title)) == (0, 0, 1)
    shown = [*charts(app), *app.get("arrow_data_frame")]
    assert all(element.proto.alt for element in shown if not getattr(element.proto, "editing_mode", 0))


def test_the_overview_shows_a_breach_without_a_click(pages: Pages) -> None:
    """The first account of the table is the worst, and the metric counts it."""
    app = pages()
    first = app.dataframe[0].value.iloc[0]
    outside = int(metric(app, "Accounts outside band").split(" of ")[0])
    assert outside >= 1
    assert (["Outside band"], True) == (list(first["Standing"]), first["Band used %"] > 100)
    link = app.get("page_link")[0].proto
    assert "of its band" in link.label
    assert f"account={first['Account']}" in link.query_string


def test_the_drift_page_opens_on_the_account_that_is_furthest_out(pages: Pages) -> None:
    """A new visitor sees a breached account; the words under the chart name it."""
    app = pages("drift")
    assert int(metric(app, "Outside band").split(" of ")[0]) >= 1
    assert "outside their bands" in charts(app)[0].proto.alt


def test_a_link_opens_its_account_and_scale(pages: Pages) -> None:
    """`?account=Alder&scale=Drift (pp)` is a complete address."""
    app = pages("drift", account="Alder", scale="Drift (pp)")
    assert ("Alder", "Drift (pp)") == (app.selectbox(key="account").value, app.segmented_control(key="scale").value)
    assert "percentage points" in charts(app)[0].proto.spec


def test_choosing_an_account_changes_the_link(pages: Pages) -> None:
    """The address always names the account, and the other pages keep it."""
    app = pages("drift")
    app.selectbox(key="account").select("Koa").run()
    assert "Koa" in app.query_params["account"]
    app.switch_page("views/preview.py").run()
    assert app.selectbox(key="account").value == "Koa"


def test_a_link_to_an_unknown_account_opens_the_worst(pages: Pages) -> None:
    """An old link still opens a page."""
    worst = pages("drift").selectbox(key="account").value
    assert worst == pages("drift", account="Nobody").selectbox(key="account").value


def test_an_account_can_be_measured_against_another_portfolio(pages: Pages) -> None:
    """The page says that the account does not follow it, and shows no decision."""
    app = pages("drift", account="Alder")
    app.selectbox(key="compare").select("Income").run()
    assert [message.value for message in app.info] == ["Measured against Income, which this account does not follow."]


def test_an_account_without_a_portfolio_says_so(pages: Pages) -> None:
    """Nothing to measure until one is chosen; its preview is a one-off run and can be reviewed."""
    app = pages("drift", account="Ivy")
    assert [message.value.startswith("This account follows no portfolio.") for message in app.info] == [True]
    app.switch_page("views/preview.py").run()
    assert (0, False) == (len(app.error), app.button(key="review").disabled)


def test_what_if_weights_on_a_subscribed_account_cannot_be_run(pages: Pages) -> None:
    """They can be previewed; the page says why there is no run (rules.md 5.5)."""
    app = pages("preview", account="Alder")
    app.selectbox(key="preview_portfolio").select("Income").run()
    assert app.button(key="review").disabled
    assert any("not the weights of" in message.value for message in app.info)
    assert metric(app, "Orders") != "0"


def test_another_minimum_cannot_be_carried_by_a_run(pages: Pages) -> None:
    """The preview follows the minimum; the run would not."""
    app = pages("preview")
    app.text_input(key="min_order").set_value("1,000").run()
    assert app.button(key="review").disabled
    assert any("minimum order" in message.value for message in app.info)


@pytest.mark.parametrize("typed", ["ten", "1.2.3", "-5", "١٢", "1,5", "1e2", "7" * 70, "Infinity"])
@pytest.mark.parametrize("key", ["min_order", "cash_buffer", "cost_bps"])
def test_an_amount_that_is_none_is_one_sentence(pages: Pages, key: str, typed: str) -> None:
    """Neither a traceback nor a guess: 1,5 is not 15. Every control stays where it is."""
    app = pages("preview")
    app.text_input(key=key).set_value(typed).run()
    assert ([True], 0) == ([typed[:40] in message.value for message in app.error], len(app.exception))
    assert {"min_order", "cash_buffer", "cost_bps"} <= {field.key for field in app.text_input}


def test_what_is_left_out_leaves_equity_and_orders(pages: Pages) -> None:
    """Ivy holds BND, which Core stocks does not: left out it is not sold; a run carries that, so it can be reviewed."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    app = pages("preview", account="Ivy")
    account = state.labels()["Ivy"].account.id
    app.selectbox(key="one_off_portfolio").select("Core stocks").run()
    before = {symbol for frame in app.dataframe for symbol in frame.value["Symbol"]}
    app.multiselect(key=f"excluded_{account}").select("BND").run()
    assert (0, 0) == (len(app.exception), len(app.error))
    assert {"BND"} == before - {symbol for frame in app.dataframe for symbol in frame.value["Symbol"]}
    assert any("Left out of equity" in caption.value and "BND" in caption.value for caption in app.caption)
    app.button(key="review").click().run()
    app.checkbox(key=f"checked_{app.session_state['_review'].key}").check().run()
    app.button(key="review_create").click().run()
    assert (0, ("BND",)) == (len(app.exception), state.desk().run(state.desk().runs()[0].id).options.excluded)


def test_a_target_cannot_be_left_out(pages: Pages) -> None:
    """Ginkgo holds its targets only, so there is nothing to choose."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    app = pages("preview", account="Ginkgo")
    assert app.multiselect(key=f"excluded_{state.labels()['Ginkgo'].account.id}").disabled


def test_a_holding_without_a_price_can_be_left_out_where_it_is_refused(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says to exclude it; the control is on the same page, and open."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    pages()
    view = next(view for view in state.book() if view.account.name == "Ginkgo")
    odd = Holding(Symbol("ODD"), Decimal(5), Decimal(5))

    def with_odd(snapshot: Snapshot) -> Snapshot:
        quotes = (*snapshot.quotes, Quote(odd.symbol, None, None))
        return replace(snapshot, holdings=(*snapshot.holdings, odd), quotes=quotes)

    views = tuple(
        replace(other, snapshot=with_odd(other.snapshot), drift=None, problem="ODD has no price; exclude it.")
        if other is view
        else other
        for other in state.book()
    )
    real = type(state.desk()).snapshot
    monkeypatch.setattr(type(state.desk()), "snapshot", lambda *args: with_odd(real(*args)))
    monkeypatch.setattr(type(state.desk()), "book", lambda _: views)
    state.refresh()
    app = pages("preview", account="Ginkgo")
    assert [True] == ["ODD" in message.value and "exclude" in message.value for message in app.error]
    assert app.expander[0].proto.expanded
    app.multiselect(key=f"excluded_{view.account.id}").select("ODD").run()
    assert (0, 0) == (len(app.error), len(app.exception))
    assert metric(app, "Orders") != "0"


def test_breached_only_sends_fewer_orders(pages: Pages) -> None:
    """Only what is outside its band is traded, and the option travels with the run."""
    app = pages("preview", account="Ginkgo")
    everything = int(metric(app, "Orders"))
    app.segmented_control(key="trade_scope").set_value("Breached only").run()
    assert 0 < int(metric(app, "Orders")) < everything
    assert not app.button(key="review").disabled


def test_the_history_opens_a_run_from_its_link(pages: Pages) -> None:
    """`?run=` shows the steps of the run, what it filled, and its own numbers."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    pages()
    filled = next(run for run in state.runs() if run.orders and not run.is_open)
    app = pages("runs", run=filled.id)
    words = [chart.proto.alt for chart in charts(app)]
    assert words[0].startswith("Steps of the run")
    assert f"of {len(filled.orders) + len(filled.failed_orders)} order" in words[1]
    assert any(filled.id[:8] in heading.value for heading in app.subheader)


def test_an_unknown_run_is_one_sentence(pages: Pages) -> None:
    """A link to a run that is not there."""
    app = pages("runs", run="00000000-0000-0000-0000-000000000001")
    assert (1, 0) == (len(app.error), len(app.exception))


def test_a_day_is_advanced_once_for_three_clicks(pages: Pages) -> None:
    """The target belongs to the button as it was drawn: pressing it again means the same instant (rules.md 11)."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    app = pages()
    before = state.desk().clock().timestamp
    pressed = button(app, "1 day")
    pressed.click().run()
    after = state.desk().clock().timestamp
    assert after == before + timedelta(days=1)
    assert pressed.key not in {found.key for found in app.button}


CLOSE = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)  # the early close after Thanksgiving, 13:00 New York
MONDAY = datetime(2026, 11, 30, 14, 30, tzinfo=UTC)


def clock(at: datetime, is_open: bool) -> Any:
    return SimpleNamespace(timestamp=at, is_open=is_open, next_open=MONDAY, next_close=CLOSE)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ("Open, closes in 1 h 12 min", clock(CLOSE - timedelta(minutes=72), True)),
        ("Open, closes in 1 min", clock(CLOSE - timedelta(seconds=1), True)),
        ("Closed, opens in 2 d 20 h", clock(CLOSE, False)),
    ],
)
def test_the_market_state_counts_to_the_real_close(pages: Pages, expected: str, seen: Any) -> None:
    """Also on a day that closes early; minutes are rounded up."""
    import sidebar  # noqa: PLC0415 - on the path only where the pages are

    assert pages is not None
    assert expected == sidebar.market_state(seen)[0]


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (None, clock(CLOSE - timedelta(minutes=15), True)),
        ("It is too late", clock(CLOSE - timedelta(minutes=15) + timedelta(seconds=1), True)),
        ("The market is closed", clock(CLOSE, False)),
    ],
)
def test_a_run_that_will_wait_is_announced(pages: Pages, expected: str | None, seen: Any) -> None:
    """12:45:00 is the last instant of an early close; later the dialog says until when the run stays queued."""
    import review  # noqa: PLC0415 - on the path only where the pages are

    assert pages is not None
    said = review.queued_until(seen)
    assert said is None if expected is None else said.startswith(expected)


def test_what_a_person_typed_is_not_markup(pages: Pages) -> None:
    """Dollar signs, stars and brackets of names and messages show as they are."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    assert pages is not None
    assert state.plain("A*B [x](y) $5") == "A\\*B \\[x\\](y) \\$5"


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_world_draws_too(pages: Pages, demo_directory: Path, view: str) -> None:
    """No account and no portfolio: nothing to add up, and no exception."""
    (database,) = demo_directory.glob("demo-*.db")
    database.unlink()
    open_service(database, make_feed(), start=datetime(2026, 3, 11, 15, tzinfo=UTC)).close()
    app = pages(view)
    assert (0, 1) == (len(app.exception), len(app.title))


def test_a_link_to_an_unknown_account_says_so(pages: Pages) -> None:
    """Another account is shown, and nobody has to notice it by himself."""
    app = pages("overview", account="Nobody")
    assert ["There is no account Nobody here; another one is shown."] == [it.value for it in app.warning]
