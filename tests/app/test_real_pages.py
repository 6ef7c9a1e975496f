"""The pages on the real API's surface: they draw, say what is an estimate, and ask for typing where money is real."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from real_surface import RealSurface, real_desk
from streamlit.testing.v1 import AppTest

from driftdesk import Desk, Mode
from driftdesk.backend.opening import SIMULATED
from driftdesk.demo import open_world
from driftdesk.desk.reading import RealReading

Pages = Callable[..., AppTest]
RUNS = "/v1/rebalancing/runs"


@pytest.fixture
def show(pages: Pages, demo_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mode], RealSurface]:
    """Put the pages on a desk of this mode, over the demo world; gives the surface that answers it."""
    import reads  # noqa: PLC0415 - on the path only where the pages are

    assert pages is not None

    def opener(mode: Mode) -> RealSurface:
        desk, surface = real_desk(open_world(demo_directory, SIMULATED), mode)
        monkeypatch.setattr(reads, "connect_from_environment", lambda _name: desk)
        return surface

    return opener


def desk_of() -> Desk:
    import state  # noqa: PLC0415 - on the path only where the pages are

    opened: Desk = state.desk()
    return opened


def estimates(app: AppTest) -> int:
    return sum("An estimate" in caption.value for caption in app.caption)


@pytest.mark.parametrize(
    ("view", "notes"),
    [("overview", 0), ("portfolios", 0), ("decisions", 0), ("drift", 1), ("preview", 2), ("runs", 0), ("what_if", 0)],
)
def test_every_page_draws_in_the_sandbox(
    pages: Pages, show: Callable[[Mode], RealSurface], view: str, notes: int
) -> None:
    """No exception, no refusal, no clock to advance; an estimate is called one beside its metrics and its chart."""
    surface = show(Mode.SANDBOX)
    app = pages(view)
    assert (0, 0, 1, notes) == (len(app.exception), len(app.error), len(app.title), estimates(app))
    assert not [button for button in app.button if button.label in ("Next open", "1 day", "Advance 1 minute")]
    assert {request.method for request in surface.requests} == {"GET"}


def test_the_book_is_read_once_and_the_account_anew(pages: Pages, show: Callable[[Mode], RealSurface]) -> None:
    """A second page asks for the chosen account only; "Read again" asks for all of them."""
    surface = show(Mode.SANDBOX)

    def accounts_asked() -> int:
        paths = {request.url.path for request in surface.requests if request.url.path.endswith("/account")}
        surface.requests.clear()
        return len(paths)

    app = pages()
    everyone = accounts_asked()
    app.switch_page("views/drift.py").run()
    assert (True, 1) == (everyone > 1, accounts_asked())
    next(button for button in app.button if button.label == "Read again").click().run()
    assert everyone == accounts_asked()


def review(app: AppTest) -> str:
    """Open the dialog and check its box; gives the key of its widgets."""
    app.button(key="review").click().run()
    key = str(app.session_state["_review"].key)
    app.checkbox(key=f"checked_{key}").check().run()
    return key


def test_a_run_is_created_and_canceled_in_the_sandbox(pages: Pages, show: Callable[[Mode], RealSurface]) -> None:
    """The documented fields only, and nothing to type."""
    surface = show(Mode.SANDBOX)
    app = pages("preview")
    review(app)
    assert not [field for field in app.text_input if str(field.key).startswith("typed_")]
    app.button(key="review_create").click().run()
    [(_, body)] = [sent for sent in surface.sent("POST") if sent[0] == RUNS]
    assert {"account_id", "type"} >= set(body)
    run = desk_of().runs()[0]
    assert run.is_open
    app.query_params["run"] = run.id
    app.switch_page("views/runs.py").run()
    app.button(key="cancel_run").click().run()
    app.button(key="cancel_confirm").click().run()
    assert ("CANCELED", 0) == (str(desk_of().run(run.id).status), len(app.exception))


def test_chosen_options_are_export_only(pages: Pages, show: Callable[[Mode], RealSurface]) -> None:
    """The preview follows them, the run would not: the page says so and reviews nothing (rules.md 6.7)."""
    show(Mode.SANDBOX)
    app = pages("preview")
    app.toggle(key="whole_shares").set_value(True).run()
    assert app.button(key="review").disabled
    assert any("none of the chosen options" in message.value for message in app.info)


def test_prices_that_move_do_not_close_the_dialog(
    pages: Pages, show: Callable[[Mode], RealSurface], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cent on every price makes other orders at each drawing; what was reviewed stays under review."""
    surface = show(Mode.SANDBOX)
    app = pages("preview")
    read, drawings = RealReading.market, [0]

    def moving(reading: RealReading, symbols: Any) -> Any:
        drawings[0] += 1
        cents = drawings[0] * Decimal("0.01")
        market = read(reading, symbols)
        trades = {name: trade.model_copy(update={"p": trade.p + cents}) for name, trade in market.trades.items()}
        return replace(market, trades=trades)

    monkeypatch.setattr(RealReading, "market", moving)
    key = review(app)
    assert not app.button(key="review_create").disabled
    app.button(key="review_create").click().run()
    assert (key, 1) == (str(app.session_state["_review"].key), len(surface.sent("POST")))


def test_live_asks_for_typing_before_it_creates_a_run(pages: Pages, show: Callable[[Mode], RealSurface]) -> None:
    """The check alone is not enough, nor another number; the account's own is."""
    surface = show(Mode.LIVE)
    app = pages("preview")
    number = next(
        view.account.account_number
        for view in desk_of().book()
        if view.account.account_number == app.selectbox(key="account").value
    )
    key = review(app)
    assert app.button(key="review_create").disabled
    app.text_input(key=f"typed_{key}").set_value("DD9999999").run()
    assert app.button(key="review_create").disabled
    app.text_input(key=f"typed_{key}").set_value(f" {number} ").run()
    assert [] == surface.sent("POST")
    app.button(key="review_create").click().run()
    assert ([RUNS], 0) == ([path for path, _ in surface.sent("POST")], len(app.exception))
    assert desk_of().runs()[0].is_open


def test_live_asks_for_typing_before_it_cancels_one(pages: Pages, show: Callable[[Mode], RealSurface]) -> None:
    """The same number, and nothing is canceled before."""
    surface = show(Mode.LIVE)
    pages()
    account = desk_of().book()[0].account
    number = account.account_number
    preview = desk_of().preview(account.id)
    with desk_of().confirming(number):
        run = desk_of().create_run(preview, idempotency_key="first")
    app = pages("runs", run=run.id)
    app.button(key="cancel_run").click().run()
    assert app.button(key="cancel_confirm").disabled
    app.text_input(key=f"typed_cancel_{run.id}").set_value(number).run()
    assert [] == surface.sent("DELETE")
    app.button(key="cancel_confirm").click().run()
    assert ("CANCELED", 0) == (str(desk_of().run(run.id).status), len(app.exception))
