"""From review to run on the preview page: the key, the lock, a refusal, and what the backend then holds."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from driftdesk import BackendError, PreviewMoved
from driftdesk.money import cash_of

Pages = Callable[..., AppTest]


@pytest.fixture
def reviewed(pages: Pages) -> tuple[AppTest, Any]:
    """The preview page of the worst account with its dialog open, and the module that holds the session."""
    import state  # noqa: PLC0415 - on the path only where the pages are

    app = pages("preview")
    app.button(key="review").click().run()
    return app, state


def key_of(app: AppTest) -> str:
    return str(app.session_state["_review"].key)


def create(app: AppTest) -> None:
    app.checkbox(key=f"checked_{key_of(app)}").check().run()
    app.button(key="review_create").click().run()


def test_nothing_is_created_before_the_check(reviewed: tuple[AppTest, Any]) -> None:
    """The button waits for the check; opening the dialog alone creates nothing."""
    app, state = reviewed
    assert app.button(key="review_create").disabled
    assert not [run for run in state.desk().runs() if run.is_open]


def test_the_previewed_orders_become_one_run(reviewed: tuple[AppTest, Any]) -> None:
    """The run carries the preview's hash, and the page of runs opens on it."""
    app, state = reviewed
    before = len(state.desk().runs())
    digest = app.session_state["_review"].hash
    create(app)
    created = state.desk().runs()
    assert (before + 1, digest) == (len(created), state.desk().run(created[0].id).preview_hash)
    assert not app.exception


def test_a_queued_run_shows_what_was_previewed(reviewed: tuple[AppTest, Any]) -> None:
    """Its orders stand as previewed, not as sent: no fills, no download, and canceling says that nothing was sent."""
    app, state = reviewed
    create(app)
    run = state.desk().runs()[0]
    app.query_params["run"] = run.id
    app.switch_page("views/runs.py").run()
    assert "**Previewed orders**" in [text.value for text in app.markdown]
    tables = [frame.value for frame in app.dataframe]
    [shown] = [frame for frame in tables if "Notional" in frame]
    assert len(state.desk().run(run.id).plan) == len(shown) > 0
    assert not [chart for chart in app.get("plotly_chart") if "filled" in chart.proto.alt]
    app.button(key="cancel_run").click().run()
    assert any("nothing was sent" in text.value for text in app.markdown)


def test_an_account_with_an_open_run_is_not_reviewed(reviewed: tuple[AppTest, Any]) -> None:
    """One open run per account (rules.md 5.4): the page says so beforehand, and links to the run."""
    app, state = reviewed
    create(app)
    run_id = state.desk().runs()[0].id
    # The first visit is still on its way to the new run.
    app.switch_page("views/preview.py").run()
    app.switch_page("views/preview.py").run()
    assert app.button(key="review").disabled
    assert [run_id in link.proto.query_string for link in app.get("page_link")] == [True]


def test_a_queued_run_can_be_canceled_once_confirmed(reviewed: tuple[AppTest, Any]) -> None:
    """The first press asks, the second cancels; the history then says so."""
    app, state = reviewed
    create(app)
    run_id = state.desk().runs()[0].id
    app.query_params["run"] = run_id
    app.switch_page("views/runs.py").run()
    app.button(key="cancel_run").click().run()
    assert state.desk().run(run_id).is_open
    app.button(key="cancel_confirm").click().run()
    assert (state.desk().run(run_id).status, len(app.exception)) == ("CANCELED", 0)
    assert not [caption for caption in app.caption if "when it starts" in caption.value]


def test_an_advanced_clock_runs_it_to_its_end(reviewed: tuple[AppTest, Any]) -> None:
    """A minute later every previewed order is filled for exactly its notional."""
    app, state = reviewed
    account = app.session_state["account"]
    view = next(view for view in state.book() if state.label_of(view) == account)
    expected = {(order.symbol, order.notional) for order in state.desk().preview(view.account.id).plan.orders}
    create(app)
    run_id = state.desk().runs()[0].id
    app.query_params["run"] = run_id
    app.switch_page("views/runs.py").run()
    next(button for button in app.button if button.label == "Advance 1 minute").click().run()
    done = state.desk().run(run_id)
    assert (str(done.status), len(app.exception)) == ("COMPLETED_SUCCESS", 0)
    assert expected == {(order.symbol, cash_of(order.filled_qty, order.filled_avg_price)) for order in done.orders}


def test_the_same_key_makes_the_same_run(reviewed: tuple[AppTest, Any]) -> None:
    """What three quick clicks come to: the second request with the key answers with the first run."""
    app, state = reviewed
    account = app.selectbox(key="account").value
    preview = state.desk().preview(next(v.account.id for v in state.book() if v.account.name == account))
    key = key_of(app)
    ids = {state.desk().create_run(preview, idempotency_key=key).id for _ in range(3)}
    assert len(ids) == 1


def test_a_moved_preview_goes_back_to_the_page(reviewed: tuple[AppTest, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, the dialog closes, and the page has planned afresh."""
    app, state = reviewed

    def refuse(*_: Any, **__: Any) -> None:
        raise PreviewMoved("The orders moved.", preview_hash="new")

    monkeypatch.setattr(type(state.desk()), "create_run", refuse)
    create(app)
    assert (["The orders moved."], False) == ([w.value for w in app.warning], app.session_state["_review"].open)


def test_after_a_failure_the_key_is_kept(reviewed: tuple[AppTest, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known whether the run was made: trying again with the same key is safe, and the dialog says so."""
    app, state = reviewed
    key = key_of(app)

    def fail(*_: Any, **__: Any) -> None:
        raise BackendError("No answer.")

    monkeypatch.setattr(type(state.desk()), "create_run", fail)
    create(app)
    assert (key, True) == (key_of(app), app.session_state["_review"].open)
    assert ["No answer. Creating again is safe: the run key is the same."] == [
        message.value.replace("\\", "") for message in app.error
    ]


def test_closing_and_opening_again_keeps_the_key(reviewed: tuple[AppTest, Any]) -> None:
    """The same orders under review have the same key until they have made a run."""
    app, _ = reviewed
    key = key_of(app)
    app.button(key="review_back").click().run()
    app.button(key="review").click().run()
    assert key == key_of(app)
