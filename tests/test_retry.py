"""What a run left undone: where the account stands, and what a new run would send, against the backend's own runs."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from driftdesk import residual_drift, retry_of
from driftdesk.backend.service import Service
from driftdesk.connect import connect_service
from driftdesk.desk import Desk
from driftdesk.engine.planner import RunType
from driftdesk.errors import InputError
from driftdesk.figures import refused_table, retry_alt, retry_table, unfinished
from driftdesk.translate import to_portfolio
from driftdesk.wire.portfolios import Portfolio, UpdatePortfolio, Weight
from driftdesk.wire.runs import Run, RunOptions
from driftdesk.wire.simulation import Advance, FaultEntry, FaultScript, SetPrices

OpenAccount = Callable[..., str]
Make = Callable[..., Portfolio]


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    with connect_service(service, label="test") as opened:
        yield opened


@pytest.fixture
def sixty_forty(create_portfolio: Make) -> Portfolio:
    return create_portfolio({"SPY": "60", "TLT": "40"}, bands=(("absolute", "5"),))


def half_done(service: Service, desk: Desk, account: str, portfolio: Portfolio | None, **options: Any) -> Run:
    """A run whose order for TLT was rejected by the exchange."""
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject", symbol="TLT"),)))
    model = None if portfolio is None else to_portfolio(portfolio)
    made = desk.create_run(desk.preview(account, model=model, **options), idempotency_key="once")
    service.advance(Advance(seconds=60))
    return desk.run(made.id)


def sent(preview: Any) -> list[tuple[str, str, Decimal]]:
    return [(str(order.side), order.symbol, order.notional) for order in preview.plan.orders]


def test_what_was_refused_is_sent_again(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio
) -> None:
    """10,000 in cash: 6,000 of SPY were bought, 4,000 of TLT refused. At the same prices a new run buys those 4,000."""
    run = half_done(service, desk, open_account("10000"), sixty_forty)
    retry = retry_of(desk, run)
    assert [("buy", "TLT", Decimal("4000.00"))] == sent(retry.preview)
    assert (sixty_forty.id, False, None) == (retry.portfolio and retry.portfolio.id, retry.followed, retry.note)
    [row] = retry_table(run, retry.preview).to_dict("records")
    assert ("TLT", "▲ Buy", 4000, 0, 4000, "▲ Buy", 4000) == tuple(row.values())[:7]
    assert (
        "The run left $4,000.00 of 1 order untraded. A new run would send 1 order for $4,000.00 in the same symbols."
        == retry_alt(run, retry.preview)
    )


def test_a_new_run_trades_what_has_moved_since(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio
) -> None:
    """SPY rises to 120: equity 11,200, targets 6,720 and 4,480. SPY, at 7,200, is sold for 480 beside the retry."""
    run = half_done(service, desk, open_account("10000"), sixty_forty)
    service.set_prices(SetPrices(prices={"SPY": Decimal(120)}))
    preview = retry_of(desk, run).preview
    assert {("sell", "SPY", Decimal("480.00")), ("buy", "TLT", Decimal("4480.00"))} == set(sent(preview))
    tlt, spy = retry_table(run, preview).to_dict("records")
    assert ("TLT", 4480, "SPY", "", "▼ Sell", 480) == (
        tlt["Symbol"], tlt["Notional now"], spy["Symbol"], spy["Unfinished order"], spy["Sends now"],
        spy["Notional now"],
    )  # fmt: skip
    assert retry_alt(run, preview).endswith("in the same symbols, and 1 other order.")


def test_nothing_left_says_so(service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio) -> None:
    """A second run bought the rest: nothing is sent, and the row says why."""
    account = open_account("10000")
    run = half_done(service, desk, account, sixty_forty)
    again = desk.create_run(desk.preview(account, model=to_portfolio(sixty_forty)), idempotency_key="twice")
    service.advance(Advance(seconds=60))
    assert "COMPLETED_SUCCESS" == desk.run(again.id).status
    preview = retry_of(desk, run).preview
    [row] = retry_table(run, preview).to_dict("records")
    assert ([], "Nothing", "Nothing is left to trade in it.") == (sent(preview), row["Sends now"], row["Why"])


def test_weights_that_no_portfolio_has_can_be_read_and_not_run(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio
) -> None:
    """The portfolio of a one-off run is gone: the plan goes by the weights that the run tells."""
    run = half_done(service, desk, open_account("10000"), sixty_forty)
    desk.client.portfolios.inactivate(sixty_forty.id)
    retry = retry_of(desk, run)
    assert ([("buy", "TLT", Decimal("4000.00"))], None) == (sent(retry.preview), retry.portfolio)
    assert "No portfolio has the weights" in str(retry.note)


def test_a_follower_goes_by_what_it_follows_now(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio
) -> None:
    """A subscribed account runs its portfolio as it is (rules.md 5.5), also where its weights changed after the run."""
    account = open_account("10000")
    service.set_fault_script(FaultScript(faults=(FaultEntry(kind="reject", symbol="TLT"),)))
    desk.client.subscriptions.create(account, sixty_forty.id)
    service.advance(Advance(seconds=60))
    run = desk.run(desk.runs(account)[0].id)
    assert (None, True) == (retry_of(desk, run).note, retry_of(desk, run).followed)
    half = UpdatePortfolio(
        weights=tuple(Weight(type="asset", symbol=symbol, percent=Decimal(50)) for symbol in ("SPY", "TLT"))
    )
    service.update_portfolio(sixty_forty.id, half)
    retry = retry_of(desk, run)
    assert {("sell", "SPY", Decimal("1000.00")), ("buy", "TLT", Decimal("5000.00"))} == set(sent(retry.preview))
    assert "The account follows Model, whose weights are not those of this run" in str(retry.note)


def test_a_capped_investment_gets_the_rest_of_its_cap(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio
) -> None:
    """1,000 were to be invested, 600 went into SPY: the new run invests at most 400."""
    options = {"run_type": RunType.INVEST_CASH, "amount": Decimal(1000)}
    run = half_done(service, desk, open_account("10000"), sixty_forty, **options)
    request = retry_of(desk, run).preview.request
    assert (RunType.INVEST_CASH, Decimal("400.00")) == (request.run_type, request.amount)


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("raise it once more", {"options": RunOptions(raise_cash=Decimal(100))}),
        ("type balance_later", {"type": "balance_later"}),
    ],
)
def test_what_a_new_run_cannot_take_over_is_refused(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio, said: str, changes: dict[str, Any]
) -> None:
    """Cash would be raised twice; a type of the future is not planned here."""
    run = half_done(service, desk, open_account("10000"), sixty_forty).model_copy(update=changes)
    with pytest.raises(InputError, match=said):
        retry_of(desk, run)


def test_the_drift_that_is_left_is_against_the_runs_own_weights(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio
) -> None:
    """SPY is at its 60 %, TLT 40 points short, cash 40 over. A one-off run tells no bands, so none is drawn."""
    run = half_done(service, desk, open_account("10000"), sixty_forty)
    report = residual_drift(desk, run).before
    assert {"SPY": Decimal(0), "TLT": Decimal("-0.4"), "CASH": Decimal("0.4")} == {
        row.symbol.strip("$"): row.drift for row in report.rows
    }
    assert [None] * 3 == [row.band for row in report.rows]


@pytest.mark.parametrize(("banded", "portfolio_id"), [(True, None), (False, "00000000-0000-0000-0000-000000000009")])
def test_the_bands_are_those_of_the_runs_portfolio(
    service: Service, desk: Desk, open_account: OpenAccount, sixty_forty: Portfolio, banded: bool, portfolio_id: str
) -> None:
    """Its portfolio gives the bands; one that is not there any more gives none."""
    run = half_done(service, desk, open_account("10000"), sixty_forty)
    run = run.model_copy(update={"portfolio_id": portfolio_id or sixty_forty.id})
    assert banded == bool(residual_drift(desk, run).before.breached)


def line(number: int, state: str) -> dict[str, Any]:
    return {
        "line": number, "symbol": f"S{number}", "side": "buy", "notional": "10", "price": "1", "estimated_qty": "10",
        "reason": "", "state": state, "client_order_id": f"run-{number}",
    }  # fmt: skip


def test_lines_without_an_order_are_told_apart() -> None:
    """Dropped before the send; lost at the broker; left out by the plan; filled, with the list not yet written."""
    ended = Run.model_validate(
        {
            "id": "run", "type": "full_rebalance", "status": "ERROR", "account_id": "a", "portfolio_id": "p",
            "weights": (), "created_at": "2026-03-11T15:00:00Z", "updated_at": "2026-03-11T15:00:00Z",
            "plan": [line(1, "DROPPED"), line(2, "SUBMITTING"), line(3, "SKIPPED"), line(4, "FILLED")],
        }
    )  # fmt: skip
    assert ["S1", "S2"] == [left.symbol for left in unfinished(ended)]
    assert [
        ("Not sent", "S1", "The run ended before the order was sent."),
        ("Not sent", "S2", "The broker knows no such order."),
    ] == [(row["What"], row["Symbol"], row["Why"]) for row in refused_table(ended).to_dict("records")]
    assert () == unfinished(ended.model_copy(update={"status": "IN_PROGRESS"}))
