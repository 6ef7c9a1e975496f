"""The Decisions page on the demo world: why, and why not."""

from collections.abc import Callable
from datetime import date

from streamlit.testing.v1 import AppTest

Pages = Callable[..., AppTest]


def test_the_newest_decisions_of_the_account(pages: Pages) -> None:
    """No exception; every row says which account, which day, what came of it and why."""
    app = pages("decisions")
    assert (len(app.exception), len(app.error)) == (0, 0)
    table = app.dataframe[0].value
    account = app.sidebar.selectbox[0].value
    assert {account} == set(table["Account"])
    assert all(table["Why"])
    sessions = list(table["Session"])
    assert sessions == sorted(sessions, reverse=True)


def test_filters_are_anded(pages: Pages) -> None:
    """All accounts of one session that wanted a run and were blocked."""
    app = pages("decisions")
    app.segmented_control(key="decisions_of").set_value("All accounts").run()
    app.selectbox(key="outcome").set_value("blocked").run()
    table = app.dataframe[0].value
    assert {"Wanted to, was blocked"} == set(table["Outcome"])
    day = table["Session"].iloc[0]
    app.date_input(key="decisions_day").set_value(date.fromisoformat(day)).run()
    assert {day} == set(app.dataframe[0].value["Session"])
    assert not app.exception


def test_a_day_without_decisions_says_so(pages: Pages) -> None:
    """A Sunday has none."""
    app = pages("decisions")
    app.date_input(key="decisions_day").set_value(date(2020, 1, 5)).run()
    assert "No decision fits" in app.info[0].value
    assert not app.exception
