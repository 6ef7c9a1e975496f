"""The portfolios page: what is typed, why it cannot be saved, what it would do, and that each write happens once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from driftdesk import BackendError, draft_of
from driftdesk.backend.opening import make_feed, open_service

Pages = Callable[..., AppTest]


@pytest.fixture
def growth(pages: Pages) -> tuple[AppTest, Any, Any]:
    """The page with Growth open: cash 1, VTI 34, QQQ 30, EFA 20, VWO 10, GLD 5, followed by three accounts; the module
    that holds the session, and the portfolio."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    pages()
    portfolio = state.portfolio_named("Growth")
    return pages("portfolios", portfolio=portfolio.id), state, portfolio


def said(elements: Any) -> list[str]:
    return [element.value.replace("\\", "") for element in elements]


def table_key(app: AppTest, name: str) -> str:
    return f"{name}_{labelled(app.text_input, 'Name').key.removeprefix('name_')}"


def type_in(app: AppTest, name: str, *edits: dict[str, str], added: tuple[dict[str, str], ...] = ()) -> AppTest:
    """Type into the first rows of an editable table, and into new ones."""
    app.session_state[table_key(app, name)] = {
        "edited_rows": {row: cells for row, cells in enumerate(edits) if cells},
        "added_rows": list(added),
        "deleted_rows": [],
    }
    return app.run()


def labelled(elements: Any, label: str) -> Any:
    return next(element for element in elements if element.label == label)


def confirm(app: AppTest) -> AppTest:
    for box in app.checkbox:
        box.check()
    app.run()
    return app.button(key="write_confirm").click().run()


def tables(app: AppTest) -> list[set[str]]:
    return [set(frame.value.columns) for frame in app.dataframe]


def shown(app: AppTest, column: str) -> Any:
    return next(frame.value for frame in app.dataframe if column in frame.value.columns)


def test_the_page_lists_portfolios_and_subscriptions(pages: Pages) -> None:
    """Four portfolios, eleven subscriptions, each with its state; nothing is open."""
    app = pages("portfolios")
    assert (0, 0, 1) == (len(app.exception), len(app.error), len(app.title))
    assert ["Balanced 60/40", "Growth", "Income", "Core stocks"] == list(shown(app, "Conditions")["Portfolio"])
    rows = shown(app, "Nearest miss")
    assert (11, {("Growth",), ("Income",), ("Balanced 60/40",), ("Core stocks",)}) == (
        len(rows),
        {(name,) for name in rows["Portfolio"]},
    )
    assert all(element.proto.alt for element in app.get("arrow_data_frame"))
    assert "Close" not in [button.label for button in app.button]


def test_the_calendar_s_next_session_is_in_words_and_in_the_table(growth: tuple[AppTest, Any, Any]) -> None:
    """Monthly on the 15th, after 20 November 2026: Tuesday 15 December."""
    app, _, _ = growth
    assert any("on or before the 15th of each month; next: Tue 15 Dec 2026" in text for text in said(app.caption))
    assert {"2026-12-15"} == {f"{day}"[:10] for day in shown(app, "Nearest miss")["Next session"]}


def test_a_wrong_total_is_named_and_cannot_be_saved(growth: tuple[AppTest, Any, Any]) -> None:
    """VTI 34.5 instead of 34: half a percent too much, in the live total and beside the disabled button."""
    app, _, _ = growth
    type_in(app, "weights", {}, {"Percent": "34.5"})
    assert any("Total 100.50%, 0.5 too much" in text.value for text in app.markdown)
    assert app.button(key="review_change").disabled
    assert ["Not to be saved yet: The weights sum to 100.5%: 0.5 too much. They must sum to exactly 100.00%."] == said(
        app.warning
    )
    assert (0, 0) == (len(app.error), len(app.exception))


@pytest.mark.parametrize(
    ("expected", "cells"),
    [
        ("ZZZZ is not an asset known here", {"Symbol": "ZZZZ"}),
        ("'<b>' is not a ticker symbol", {"Symbol": "<b>"}),
        ("The percent of VTI is '34,0'", {"Percent": "34,0"}),
        ("The percent of VTI must be positive with at most two decimals", {"Percent": "34.001"}),
        ("QQQ has two weights", {"Symbol": "qqq"}),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    growth: tuple[AppTest, Any, Any], expected: str, cells: dict[str, str]
) -> None:
    """Every field stays where it is, and nothing can be saved."""
    app, _, _ = growth
    type_in(app, "weights", {}, cells)
    [problem] = said(app.warning)
    assert expected in problem
    assert (True, 0, 0) == (app.button(key="review_change").disabled, len(app.error), len(app.exception))
    assert {"Name", "Description"} <= {field.label for field in app.text_input}


def test_a_change_is_shown_with_what_it_would_do(growth: tuple[AppTest, Any, Any]) -> None:
    """VTI 44, QQQ 20 in a cooldown of 20 days that ends on 3 December: three accounts wait, none would trade."""
    app, _, _ = growth
    type_in(app, "weights", {}, {"Percent": "44"}, {"Percent": "20"})
    assert [("Weight of VTI", "34%", "44%", "+10 pp"), ("Weight of QQQ", "30%", "20%", "−10 pp")] == list(
        shown(app, "Old").itertuples(index=False, name=None)
    )
    assert "0 of 3" == next(card.value for card in app.metric if card.label == "Accounts that would trade")
    assert "3" == next(card.value for card in app.metric if card.label == "Would wait")
    assert ["Waits"] * 3 == list(shown(app, "As it is")["Changed"])


def test_without_the_cooldown_the_same_change_trades_at_once(growth: tuple[AppTest, Any, Any]) -> None:
    """Three accounts; half the notional over their equity is the turnover that is shown."""
    app, state, _ = growth
    labelled(app.number_input, "Cooldown, days").set_value(0).run()
    type_in(app, "weights", {}, {"Percent": "44"}, {"Percent": "20"})
    rows = shown(app, "As it is")
    equity = sum(view.drift.equity for view in state.book() if view.portfolio and view.portfolio.name == "Growth")
    turnover = sum(rows["Notional"], Decimal(0)) / 2 / equity
    metrics = {card.label: str(card.value) for card in app.metric}
    assert ("3 of 3", str(sum(rows["Orders"])), f"{turnover:.2%}") == (
        metrics["Accounts that would trade"],
        metrics["Orders"],
        metrics["Turnover"],
    )


def test_what_was_reviewed_is_saved_once(growth: tuple[AppTest, Any, Any]) -> None:
    """Opening the dialog saves nothing; the confirmed change is the portfolio, and the editor begins with it."""
    app, state, portfolio = growth
    type_in(app, "weights", {}, {"Percent": "44"}, {"Percent": "20"})
    labelled(app.text_input, "Name").set_value("Growth *plus*").run()
    app.button(key="review_change").click().run()
    assert portfolio == state.desk().client.portfolios.get(portfolio.id)
    confirm(app)
    saved = state.desk().client.portfolios.get(portfolio.id)
    assert ("Growth *plus*", {"VTI": Decimal(44), "QQQ": Decimal(20)}) == (
        saved.name,
        {weight.symbol: weight.percent for weight in saved.weights if weight.symbol in ("VTI", "QQQ")},
    )
    assert portfolio.rebalance_conditions == saved.rebalance_conditions
    assert (0, True) == (len(app.exception), app.button(key="review_change").disabled)
    assert "Nothing is changed yet." in said(app.caption)


def test_bands_and_calendar_are_edited(growth: tuple[AppTest, Any, Any]) -> None:
    """A second band, and the last day of each month instead of the 15th: both in the diff and in words."""
    app, state, portfolio = growth
    type_in(app, "bands", added=({"Size": "20", "Kind": "% of target"},))
    labelled(app.selectbox, "Day").set_value(31).run()
    assert [("Band", "–", "±20% of target"), ("Calendar", "monthly 15", "monthly 31")] == [
        row[:3] for row in shown(app, "Old").itertuples(index=False, name=None)
    ]
    assert any("31st (or the last day) of each month; next: Mon 30 Nov 2026" in text for text in said(app.caption))
    app.button(key="review_change").click().run()
    confirm(app)
    saved = state.desk().client.portfolios.get(portfolio.id)
    assert {("absolute", None), ("relative", None), ("monthly", "31")} == {
        (condition.sub_type, condition.day) for condition in saved.rebalance_conditions
    }
    assert 3 == len(saved.rebalance_conditions)


@pytest.mark.parametrize(
    ("kind", "labels"), [("Weekly", ["Day"]), ("Annually", ["Month", "Day"]), ("Quarterly", ["Day"]), ("None", [])]
)
def test_a_calendar_asks_for_what_it_needs(growth: tuple[AppTest, Any, Any], kind: str, labels: list[str]) -> None:
    """Only days that it may have can be chosen (rules.md 2.3), so nothing can be refused."""
    app, _, _ = growth
    labelled(app.selectbox, "Calendar").set_value(kind).run()
    assert labels == [box.label for box in app.selectbox if box.label in ("Month", "Day")]
    assert (0, 0, 0, False) == (
        len(app.exception), len(app.error), len(app.warning), app.button(key="review_change").disabled,
    )  # fmt: skip


def test_a_cooldown_that_loses_its_own_days_is_said_before_saving_and_after(growth: tuple[AppTest, Any, Any]) -> None:
    """40 days over a monthly day (rules.md 5.2): our own words first, the backend's warning then."""
    app, _, _ = growth
    labelled(app.number_input, "Cooldown, days").set_value(40).run()
    assert any("The cooldown would lose" in text for text in said(app.caption))
    app.button(key="review_change").click().run()
    confirm(app)
    assert any("calendar days, the first on" in text for text in said(app.warning))


def test_what_somebody_else_changed_is_not_overwritten(
    growth: tuple[AppTest, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The portfolio has moved since the page was drawn: a sentence in the dialog, and nothing is sent."""
    app, state, portfolio = growth
    labelled(app.text_input, "Name").set_value("Mine").run()
    app.button(key="review_change").click().run()
    client = state.desk().client.portfolios
    other = portfolio.model_copy(update={"description": "theirs"})
    monkeypatch.setattr(type(client), "get", lambda *_: other)
    confirm(app)
    assert any("changed by somebody else" in text for text in said(app.error))
    monkeypatch.undo()
    assert "Growth" == client.get(portfolio.id).name


def test_typing_survives_a_visit_to_another_page(growth: tuple[AppTest, Any, Any]) -> None:
    """And can be discarded."""
    app, _, portfolio = growth
    type_in(app, "weights", {}, {"Percent": "35"})
    app.switch_page("views/overview.py").run()
    app.query_params["portfolio"] = portfolio.id
    app.switch_page("views/portfolios.py").run()
    assert any("1 too much" in text for text in said(app.warning))
    app.button(key="discard_change").click().run()
    assert (0, True) == (len(app.warning), app.button(key="discard_change").disabled)


def new_portfolio(app: AppTest) -> AppTest:
    app.button(key="new_portfolio").click().run()
    labelled(app.text_input, "Name").set_value("Two").run()
    return type_in(
        app,
        "weights",
        {"Percent": "10"},
        added=({"Symbol": "vti", "Percent": "60"}, {"Symbol": "BND", "Percent": "30"}),
    )


def test_a_new_portfolio_is_created_once(pages: Pages) -> None:
    """An empty editor says what is missing; the same key makes the same portfolio, however often it is pressed."""
    import portfolio_state  # noqa: PLC0415 - on the path only where the pages are
    import state  # noqa: PLC0415

    app = pages("portfolios")
    app.button(key="new_portfolio").click().run()
    assert (0, True) == (len(app.warning), app.button(key="review_change").disabled)
    new_portfolio(app)
    app.button(key="review_change").click().run()
    it = app.session_state["_write"].write
    confirm(app)
    made = [portfolio for portfolio in state.desk().portfolios() if portfolio.name == "Two"]
    assert [it.draft] == [draft_of(portfolio) for portfolio in made]
    assert made[0].id in app.query_params["portfolio"]
    again = {state.desk().client.portfolios.create(it.draft, idempotency_key=it.key).id for _ in range(2)}
    assert {made[0].id} == again
    assert ("Two", 0) == (app.subheader[0].value, len(app.exception))
    assert portfolio_state.SAVE == it.kind


def test_a_new_portfolio_may_begin_as_a_copy(pages: Pages) -> None:
    """Weights, bands and cooldown of Income; the name is its own."""
    app = pages("portfolios", portfolio="new")
    labelled(app.selectbox, "Begin with").set_value("Income").run()
    labelled(app.text_input, "Name").set_value("Income 2").run()
    app.button(key="review_change").click().run()
    confirm(app)
    import state  # noqa: PLC0415 - on the path only where the pages are

    mine, its = state.portfolio_named("Income 2"), state.portfolio_named("Income")
    assert (its.weights, its.rebalance_conditions) == (mine.weights, mine.rebalance_conditions)


def test_after_a_try_without_an_answer_it_is_looked_for(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first try did create it, and its answer was lost: the second finds it, on a backend without keys too."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    app = new_portfolio(pages("portfolios"))
    app.button(key="review_change").click().run()
    portfolios = type(state.desk().client.portfolios)
    real = portfolios.create

    def lost(self: Any, body: Any, **_: Any) -> None:
        real(self, body)
        raise BackendError("No answer.")

    monkeypatch.setattr(portfolios, "create", lost)
    confirm(app)
    assert ["No answer."] == said(app.error)
    confirm(app)
    assert (1, 0) == (len([1 for found in state.desk().portfolios() if found.name == "Two"]), len(app.error))


def test_subscribing_says_that_a_run_is_queued_and_queues_it(growth: tuple[AppTest, Any, Any]) -> None:
    """Ivy follows nothing; the orders are named beforehand, and a run by the system stands open afterwards."""
    app, state, portfolio = growth
    ivy = state.labels()["Ivy"]
    expected = len(state.desk().preview(ivy.account.id, model=state.desk_model(portfolio)).plan.orders)
    app.button(key="subscribe").click().run()
    assert any(
        f"queues a run at once. As of now a rebalance would send {expected} orders" in text
        for text in said(app.warning)
    )
    assert app.button(key="write_confirm").disabled
    confirm(app)
    assert (0, "Growth") == (len(app.exception), state.labels()["Ivy"].portfolio.name)
    assert [("system", True)] == [
        (run.initiated_from, run.is_open) for run in state.desk().runs(ivy.account.id, max_items=1)
    ]
    assert "Open run" in {next(iter(states)) for states in shown(app, "Nearest miss")["State"]}
    # Now every account follows a portfolio.
    assert app.button(key="subscribe").disabled


def test_unsubscribing_ends_it_once(growth: tuple[AppTest, Any, Any]) -> None:
    """The account that was chosen, and no other; its name is gone from the table."""
    app, state, _ = growth
    app.button(key="unsubscribe").click().run()
    app.selectbox(key=f"unsubscribe_{app.session_state['_write'].write.key}").select("Koa").run()
    confirm(app)
    assert (0, 0, None) == (len(app.exception), len(app.error), state.labels()["Koa"].subscription)
    assert ["Cedar", "Dogwood"] == sorted(shown(app, "Nearest miss")["Account"])


def test_a_followed_portfolio_is_not_made_inactive(growth: tuple[AppTest, Any, Any]) -> None:
    """The button waits and says for what; a follower that came meanwhile is refused by the backend, in a sentence."""
    app, state, _ = growth
    button = app.button(key="inactivate")
    assert (True, "3 accounts follow it; unsubscribe first.") == (button.disabled, button.help)
    new_portfolio(app)
    app.button(key="review_change").click().run()
    confirm(app)
    app.button(key="inactivate").click().run()
    two = state.portfolio_named("Two")
    state.desk().client.subscriptions.create(state.labels()["Ivy"].account.id, two.id)
    confirm(app)
    assert any("1 active subscription" in text for text in said(app.error))
    assert "active" == state.desk().client.portfolios.get(two.id).status


def test_a_portfolio_that_nobody_follows_is_made_inactive(growth: tuple[AppTest, Any, Any]) -> None:
    """It leaves the list, and its panel closes."""
    app, state, _ = growth
    new_portfolio(app)
    app.button(key="review_change").click().run()
    confirm(app)
    two = state.portfolio_named("Two")
    app.button(key="inactivate").click().run()
    confirm(app)
    assert ("inactive", "portfolio" in app.query_params) == (state.desk().client.portfolios.get(two.id).status, False)
    assert ("Two" in set(shown(app, "Conditions")["Portfolio"]), len(app.exception)) == (False, 0)


def test_what_needs_adjustment_is_explained_by_its_asset(growth: tuple[AppTest, Any, Any]) -> None:
    """VWO cannot be traded any more: the asset is named, and saving weights without it makes it active again."""
    app, state, portfolio = growth
    state.desk().simulation.set_asset("VWO", tradable=False)
    state.refresh()
    app.run()
    assert any("needs adjustment: VWO is not tradable" in text for text in said(app.warning))
    assert (True, "Needs adjustment") == (
        app.button(key="subscribe").disabled,
        next(iter(shown(app, "Nearest miss")["State"].iloc[0])),
    )
    type_in(app, "weights", {}, {}, {}, {}, {"Symbol": "BND"})
    app.button(key="review_change").click().run()
    confirm(app)
    assert "active" == state.desk().client.portfolios.get(portfolio.id).status


def test_a_row_of_the_subscriptions_opens_the_account(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its drift page, with the account in the link."""
    import streamlit as st  # noqa: PLC0415 - beside the pages

    app = pages("portfolios")
    went: list[Any] = []
    monkeypatch.setattr(st, "switch_page", lambda page, query_params: went.append((page, query_params)))
    labels = list(shown(app, "Nearest miss")["Account"])
    import portfolio_state  # noqa: PLC0415 - on the path only where the pages are

    monkeypatch.setattr(portfolio_state, "visited", lambda: labels[1])
    app.run()
    assert [("views/drift.py", {"account": labels[1]})] == went


def test_a_link_to_an_unknown_portfolio_says_so(pages: Pages) -> None:
    """The page is shown with nothing open."""
    app = pages("portfolios", portfolio="0000")
    assert ["There is no portfolio 0000 here; choose one of the table."] == said(app.warning)
    assert ("portfolio" in app.query_params, len(app.exception)) == (False, 0)


def test_a_backend_that_fails_is_one_sentence(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    pages()

    def fail(*_: Any, **__: Any) -> None:
        raise BackendError("The backend cannot be reached.")

    monkeypatch.setattr(type(state.desk().client.runs), "list", fail)
    app = pages("portfolios")
    assert ("The backend cannot be reached.", 0) == (said(app.error)[-1], len(app.exception))


def test_an_empty_world_can_begin_here(pages: Pages, demo_directory: Path) -> None:
    """No portfolio and no account: the page says what to do, and the first portfolio can be created."""
    (database,) = demo_directory.glob("demo-*.db")
    database.unlink()
    open_service(database, make_feed(), start=datetime(2026, 3, 11, 15, tzinfo=UTC)).close()
    app = new_portfolio(pages("portfolios"))
    assert any("There is no portfolio yet" in text for text in said(app.info))
    app.button(key="review_change").click().run()
    confirm(app)
    assert (0, ["Two"]) == (len(app.exception), list(shown(app, "Conditions")["Portfolio"]))
    assert "Nobody" not in said(app.caption)
    assert app.button(key="subscribe").disabled


def test_a_view_without_a_model_is_shown(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that cannot be measured has its problem in the table, and takes nothing else away."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    pages()
    views = tuple(
        replace(view, drift=None, problem="TLT has no price.") if view.account.name == "Elm" else view
        for view in state.book()
    )
    monkeypatch.setattr(type(state.desk()), "book", lambda _: views)
    state.refresh()
    rows = shown(pages("portfolios"), "Nearest miss").set_index("Account")
    assert (["Problem"], "TLT has no price.") == (list(rows.loc["Elm", "State"]), rows.loc["Elm", "Details"])
