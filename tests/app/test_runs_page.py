"""The page of runs: filters and links, a run in its sections, a partial run with its retry plan, and CSV."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from driftdesk.backend.opening import SIMULATED
from driftdesk.demo import open_world
from driftdesk.wire.simulation import FaultEntry, FaultScript, FillModelSetting

Pages = Callable[..., AppTest]


def module() -> Any:
    import state  # noqa: PLC0415 - on the path only where the pages are

    return state


def alts(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("plotly_chart")]


def downloads(app: AppTest) -> set[str]:
    return {button.key for button in app.get("download_button")}


def history(app: AppTest) -> Any:
    """The table of runs: the only one with a column for the account and one for the state."""
    return next(frame.value for frame in app.dataframe if {"Account", "State", "Filled %"} <= set(frame.value))


@pytest.fixture
def partial(pages: Pages, demo_directory: Path) -> Any:
    """A run of Ginkgo that ended in parts: JNJ was rejected, NVDA filled slowly and was canceled, no buy was sent."""
    service = open_world(demo_directory, SIMULATED)
    service.set_fill_model(
        FillModelSetting(
            name="participation",
            spread_bps=Decimal(6),
            slippage_bps=Decimal(2),
            participation_percent=Decimal(20),
            minute_volume=Decimal(60),
            seed=3,
        )
    )
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject", symbol="JNJ"),)))
    service.close()
    pages()
    desk = module().desk()
    ginkgo = next(view for view in desk.book() if view.account.name == "Ginkgo")
    run = desk.create_run(desk.preview(ginkgo.account.id), idempotency_key=uuid.uuid4().hex)
    desk.simulation.advance(seconds=120)
    desk.cancel_run(run.id)
    desk.simulation.advance(seconds=60)
    module().refresh()
    return desk.run(run.id)


@pytest.mark.parametrize(
    ("section", "charted", "download"),
    [
        ("Fills", "4 of 8 orders filled", "download_fills"),
        ("Over time", "fills from 2026-11-20 14:00:01", "download_executions"),
        ("Slippage", "+5.0 bp over 5 orders", "download_slippage_fills"),
        ("Not traded", "", "download_refused"),
        ("Drift now", "holdings outside their bands", "download_residual"),
        ("Steps", "", "download_steps"),
    ],
)
def test_a_section_of_a_run_has_an_address(
    pages: Pages, partial: Any, section: str, charted: str, download: str
) -> None:
    """`?run=&section=` opens on its chart and its CSV; the other sections are not drawn."""
    app = pages("runs", run=partial.id, section=section)
    assert (0, 0) == (len(app.exception), len(app.error))
    assert all(alts(app))
    assert any(charted in words for words in alts(app))
    assert {download} == downloads(app) - {"download_runs", "download_retry"}


def test_a_partial_run_shows_why_and_what_a_new_run_would_send(pages: Pages, partial: Any) -> None:
    """JNJ was rejected, NVDA canceled in part, both buys never sent; at the same minute's prices a new run sends all
    four again, what is left of them."""
    app = pages("runs", run=partial.id, section="Not traded")
    refused, retry = (
        next(frame.value for frame in app.dataframe if column in frame.value) for column in ("What", "Left")
    )
    assert {
        "JNJ": "Failed, rejected", "NVDA": "Canceled", "AAPL": "Not sent", "GOOG": "Not sent",
    } == dict(zip(refused["Symbol"], refused["What"], strict=True))  # fmt: skip
    assert {"JNJ": "▼ Sell", "NVDA": "▼ Sell", "AAPL": "▲ Buy", "GOOG": "▲ Buy"} == dict(
        zip(retry["Symbol"], retry["Sends now"], strict=True)
    )
    rows = retry.set_index("Symbol")
    assert rows.loc["NVDA", "Planned notional"] == rows.loc["NVDA", "Filled notional"] + rows.loc["NVDA", "Left"]
    assert rows.loc["NVDA", "Notional now"] < rows.loc["NVDA", "Planned notional"]


def test_a_run_says_the_same_in_the_history_and_in_its_detail(pages: Pages, partial: Any) -> None:
    """Sent and filled in part, 48%; what was planned and never sent stands beside it, with its value."""
    app = pages("runs", run=partial.id)
    row = history(app).set_index("Run").loc[partial.id] if "Run" in history(app) else history(app).iloc[0]
    assert [f"{row['Filled %']:.0f}% of what was sent"] == [
        metric.delta for metric in app.metric if metric.label == "Traded"
    ]
    unsent = [line.notional for line in partial.plan if line.symbol in ("AAPL", "GOOG")]
    assert f"Never sent\\: 2 planned orders for \\${sum(unsent):,.2f}." in [caption.value for caption in app.caption]


def test_the_retry_plan_leads_to_the_preview_of_its_orders(pages: Pages, partial: Any) -> None:
    """Another account and other choices were open before: the preview shows the four orders, ready to be reviewed."""
    app = pages("preview", account="Koa")
    app.segmented_control(key="trade_scope").set_value("Breached only").run()
    app.text_input(key="min_order").set_value("500").run()
    app.query_params["run"] = partial.id
    app.query_params["section"] = "Not traded"
    app.switch_page("views/runs.py").run()
    button = app.button(key="preview_retry")
    assert ("Preview 4 orders", False) == (button.label, button.disabled)
    button.click().run()
    assert (0, 0) == (len(app.exception), len(app.error))
    assert ("Ginkgo", "All to target", "1.00") == (
        app.selectbox(key="account").value,
        app.segmented_control(key="trade_scope").value,
        app.text_input(key="min_order").value,
    )
    assert ("Review 4 orders", False) == (app.button(key="review").label, app.button(key="review").disabled)


def test_an_open_run_of_the_account_bars_the_retry(pages: Pages, partial: Any) -> None:
    """One open run per account (rules.md 5.4)."""
    desk = module().desk()
    desk.create_run(desk.preview(partial.account_id), idempotency_key=uuid.uuid4().hex)
    app = pages("runs", run=partial.id, section="Not traded")
    assert app.button(key="preview_retry").disabled
    assert any("may have one at a time" in message.value for message in app.info)


def test_a_link_without_a_run_is_none(pages: Pages) -> None:
    """Nothing is missed, so nothing is said."""
    app = pages("runs", run="")
    assert (0, 0, 1) == (len(app.error), len(app.warning), len(alts(app)))


def test_a_run_that_filled_has_nothing_to_retry(pages: Pages) -> None:
    """Every order filled: one sentence, and no plan of another run."""
    pages()
    filled = next(run for run in module().runs() if run.orders and not run.skipped_orders and not run.failed_orders)
    app = pages("runs", run=filled.id, section="Not traded")
    assert any("Every order was filled" in caption.value for caption in app.caption)
    assert "preview_retry" not in {button.key for button in app.button}


@pytest.mark.parametrize("run", ["00000000-0000-0000-0000-000000000001", "../../health", "<b>"])
def test_an_unknown_run_leaves_the_history_and_no_empty_box(pages: Pages, run: str) -> None:
    """One sentence, the same for an id of any form; it leaves the link, and the history is drawn below it."""
    app = pages("runs", run=run)
    said = [error.value.replace("\\", "") for error in app.error]
    assert [f"There is no run {run}; choose one of the table."] == said
    assert (0, False) == (len(app.exception), "run" in app.query_params)
    assert (1, len(module().runs())) == (len(alts(app)), len(history(app)))


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"runs_state": "Canceled"}, lambda run: run.status == "CANCELED"),
        ({"runs_type": "Invest cash"}, lambda run: run.type == "invest_cash"),
        ({"runs_from": "API"}, lambda run: run.initiated_from == "api"),
        ({"runs_period": "1 month"}, lambda run: run.created_at.isoformat() >= "2026-10-20T18:00"),
        (
            {"runs_of": "This account", "account": "Koa", "runs_from": "System"},
            lambda run: run.initiated_from == "system" and run.account_id == account_named("Koa"),
        ),
    ],
)
def test_filters_travel_in_the_link(pages: Pages, query: dict[str, str], fits: Callable[[Any], bool]) -> None:
    """Each filter, by the label that a person sees, leaves exactly the runs that fit."""
    pages()
    expected = [run for run in module().runs() if fits(run)]
    app = pages("runs", **query)
    assert 0 < len(expected) < len(module().runs())
    assert len(expected) == len(history(app))


def account_named(name: str) -> str:
    return next(view.account.id for view in module().book() if view.account.name == name)


def test_a_filter_that_nothing_fits_says_so(pages: Pages) -> None:
    """Choosing is not dead-ended: the filters stay."""
    app = pages("runs", runs_state="Error")
    assert ["No run fits these filters."] == [message.value for message in app.info]
    app.multiselect(key="runs_state").unselect("ERROR").run()
    assert len(module().runs()) == len(history(app))


def test_a_filter_that_is_none_is_left_out(pages: Pages) -> None:
    """An old or mistyped link still opens the page."""
    app = pages("runs", runs_state="Wonderful", runs_period="soon", history="Nothing", section="Nowhere")
    assert (0, 0, len(module().runs())) == (len(app.exception), len(app.error), len(history(app)))


def test_the_days_carry_their_turnover(pages: Pages) -> None:
    """`?history=By day`: bars, turnover of all twelve accounts, and a CSV."""
    app = pages("runs", history="By day")
    assert "One-way turnover" in alts(app)[0]
    assert any("12 accounts" in caption.value for caption in app.caption)
    assert "download_days" in downloads(app)
    app.segmented_control(key="runs_of").set_value("This account").run()
    assert any("1 account at" in caption.value for caption in app.caption)


def test_slippage_over_the_runs_counts_the_newest(pages: Pages, partial: Any) -> None:
    """`?history=Slippage`: the partial run cost 5 bp, the runs of the demo filled at their plans' prices."""
    app = pages("runs", history="Slippage", runs_period="1 week")
    assert partial.id
    assert "the dearest run, of 2026-11-20 14:00, +5.0 bp" in alts(app)[0]
    assert "download_slippage" in downloads(app)
