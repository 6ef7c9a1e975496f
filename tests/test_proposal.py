"""A portfolio before it is saved: reading what was typed, and what saving it would do, against what it then does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from driftdesk.backend.service import Service
from driftdesk.connect import connect_service
from driftdesk.desk import Desk
from driftdesk.engine.decision import BlockKind, Outcome
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError
from driftdesk.proposal.draft import (
    TypedPortfolio,
    draft_of,
    read_draft,
    typed_of,
    unfit_assets,
    update_of,
    weights_off,
)
from driftdesk.proposal.effect import Proposal, propose
from driftdesk.wire.accounts import Asset
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Portfolio, Weight
from driftdesk.wire.simulation import Advance, SetAsset, SetPrices

BAND = Condition(type="drift_band", sub_type="absolute", percent=Decimal(5))
ASSETS = {
    "SPY": Asset(id="1", exchange="ARCA", symbol="SPY", tradable=True, fractionable=True),
    "TLT": Asset(id="2", exchange="ARCA", symbol="TLT", tradable=True, fractionable=True),
    "OLD": Asset(id="3", exchange="ARCA", symbol="OLD", tradable=False, fractionable=True),
    "WHO": Asset(id="4", exchange="ARCA", symbol="WHO", tradable=True, fractionable=False),
}
GOOD = TypedPortfolio(
    name="Mine",
    description="d",
    weights=(("spy", "60.50%"), (" TLT ", "37.5"), ("cash", "2")),
    bands=(("absolute", "5"), ("relative", "20.00")),
    calendar=("monthly", "15"),
    cooldown_days=7,
)


# --- what was typed -----------------------------------------------------------------------------------------------


def test_a_typed_portfolio_becomes_a_body() -> None:
    """Symbols in capitals, cash without one, percents exact, bands before the calendar."""
    draft = read_draft(GOOD, ASSETS)
    assert [("asset", "SPY", "60.50"), ("asset", "TLT", "37.5"), ("cash", None, "2")] == [
        (str(weight.type), weight.symbol, str(weight.percent)) for weight in draft.weights
    ]
    assert [("absolute", Decimal(5), None), ("relative", Decimal(20), None), ("monthly", None, "15")] == [
        (condition.sub_type, condition.percent, condition.day) for condition in draft.rebalance_conditions
    ]
    assert ("Mine", "d", 7) == (draft.name, draft.description, draft.cooldown_days)


def test_a_body_becomes_the_same_text_again() -> None:
    """An editor that begins with what was saved changes nothing."""
    draft = read_draft(GOOD, ASSETS)
    again = typed_of(draft)
    assert (("SPY", "60.5"), ("TLT", "37.5"), ("Cash", "2")) == again.weights
    assert ((("absolute", "5"), ("relative", "20")), ("monthly", "15")) == (again.bands, again.calendar)
    assert draft == read_draft(again, ASSETS)


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("Give the portfolio a name.", {"name": "  "}),
        ("There are no weights yet", {"weights": ()}),
        ("The weights sum to 99.99%: 0.01 missing.", {"weights": (("SPY", "99.99"),)}),
        ("The weights sum to 100.01%: 0.01 too much.", {"weights": (("SPY", "60"), ("TLT", "40.01"))}),
        ("Row 2 of the weights: 'S&P' is not a ticker symbol", {"weights": (("SPY", "60"), ("S&P", "40"))}),
        ("Row 1 of the weights: the symbol is missing", {"weights": (("", "100"),)}),
        ("SPY has two weights", {"weights": (("SPY", "60"), ("spy", "40"))}),
        ("Cash has two weights", {"weights": (("Cash", "60"), ("USD", "40"))}),
        ("The percent of SPY is missing", {"weights": (("SPY", ""),)}),
        ("The percent of SPY is '5,0', which is not a number", {"weights": (("SPY", "5,0"),)}),
        ("The percent of SPY must be positive with at most two decimals", {"weights": (("SPY", "0"),)}),
        ("The percent of SPY must be positive with at most two decimals", {"weights": (("SPY", "33.333"),)}),
        (
            "NEW is not an asset known here; OLD is not tradable; WHO is not fractionable.",
            {"weights": (("NEW", "40"), ("OLD", "30"), ("WHO", "30"))},
        ),
        ("The size of band 2 must be positive", {"bands": (("absolute", "5"), ("relative", "0"))}),
        ("The size of band 1 is missing", {"bands": (("absolute", ""),)}),
        ("Band 1 has no kind", {"bands": (("", "5"),)}),
        ("must be a day of the year as MM-DD", {"calendar": ("annually", "02-30")}),
        ("The cooldown is -1 days", {"cooldown_days": -1}),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(expected: str, changes: dict[str, Any]) -> None:
    """It names the row, the band or the field as a person sees it (rules.md 1.2, 2.1, 2.3)."""
    with pytest.raises(InputError) as refusal:
        read_draft(replace(GOOD, **changes), ASSETS)
    assert expected in str(refusal.value)


def test_the_total_is_live_while_a_cell_is_half_typed() -> None:
    """0.1 + 0.2 is 0.3 here; a cell that is no number yet counts as nothing."""
    typed = TypedPortfolio(weights=(("SPY", "0.1"), ("TLT", "0.2%"), ("GLD", "4."), ("QQQ", "ab"), ("", "")))
    assert Decimal("4.3") == typed.total
    assert ("95.7 missing", "2.5 too much", "") == tuple(
        weights_off(total) for total in (typed.total, Decimal("102.5"), Decimal("100.00"))
    )
    assert ("SPY", "TLT", "GLD", "QQQ") == typed.symbols


def test_assets_that_cannot_be_weights_are_named() -> None:
    """The cause of a portfolio that needs adjustment."""
    assert ["OLD is not tradable"] == unfit_assets(["SPY", "OLD"], ASSETS)


# --- what it would do ---------------------------------------------------------------------------------------------


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=NEW_YORK)


def weights(**percents: str) -> tuple[Weight, ...]:
    return tuple(
        Weight(type="cash", percent=Decimal(text))
        if name == "cash"
        else Weight(type="asset", symbol=name, percent=Decimal(text))
        for name, text in percents.items()
    )


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    with connect_service(service, label="test") as opened:
        yield opened


@pytest.fixture
def followed(service: Service, desk: Desk, open_account: Callable[..., str]) -> Portfolio:
    """SPY 60, TLT 40 within 5 points; 10,000 and 5,000 USD follow it since the 11th. It is the 12th, 10:00.

    They hold 60 and 30 SPY at 100, and 80 and 40 TLT at 50.
    """
    body = CreatePortfolio(name="M", weights=weights(SPY="60", TLT="40"), rebalance_conditions=(BAND,))
    portfolio = desk.client.portfolios.create(body)
    for cash in ("10000.00", "5000.00"):
        desk.client.subscriptions.create(open_account(cash), portfolio.id)
    service.advance(Advance(to=at(12, 10)))
    return desk.client.portfolios.get(portfolio.id)


def changed(portfolio: Portfolio, **fields: Any) -> CreatePortfolio:
    return draft_of(portfolio).model_copy(update=fields)


def orders(proposal: Proposal) -> list[set[tuple[str, str, Decimal]]]:
    return [
        {(order.side, order.symbol, order.notional) for order in row.changed.plan.orders} if row.changed.plan else set()
        for row in proposal.accounts
    ]


def test_changed_weights_are_due_everywhere(desk: Desk, followed: Portfolio) -> None:
    """50/50: sell 1,000 of SPY and buy 1,000 of TLT, and half of that; 3,000 / 2 / 15,000 is a turnover of 10%."""
    proposal = propose(desk, followed, changed(followed, weights=weights(SPY="50", TLT="50")))
    assert (True, False) == (proposal.weights_changed, proposal.conditions_changed)
    assert [Outcome.NOT_DUE] * 2 == [row.now.decision.outcome for row in proposal.accounts]
    runs = proposal.runs
    assert (2, 4, Decimal(3000), Decimal("0.1")) == (runs.accounts, runs.orders, runs.notional, runs.turnover)
    assert (0, 0, Decimal(0)) == (proposal.runs_now.accounts, proposal.runs_now.orders, proposal.runs_now.notional)
    assert 0 == proposal.waits.accounts
    large = next(row.changed for row in proposal.accounts if row.changed.equity == 10000)
    assert (2, Decimal(2000), Decimal("0.1")) == (large.orders, large.notional, large.turnover)


@pytest.mark.parametrize("percents", [{"SPY": "50", "TLT": "50"}, {"SPY": "45", "TLT": "40", "GLD": "10", "cash": "5"}])
def test_what_is_proposed_is_what_happens(
    service: Service, desk: Desk, followed: Portfolio, percents: dict[str, str]
) -> None:
    """Saved, and stepped a minute on: the backend's own runs have the proposed orders, also of a symbol that is new."""
    service.set_prices(SetPrices(prices={"SPY": Decimal("103.37"), "TLT": Decimal("49.11")}))
    draft = changed(followed, weights=weights(**percents))
    proposal = propose(desk, followed, draft)
    desk.client.portfolios.update(followed.id, update_of(followed, draft))
    service.advance(Advance(seconds=60))
    made = {run.account_id: run for run in desk.runs(max_items=2)}
    assert [row.account.id in made for row in proposal.accounts] == [True, True]
    assert orders(proposal) == [
        {(line.side, line.symbol, line.notional) for line in desk.run(made[row.account.id].id).plan}
        for row in proposal.accounts
    ]


def test_a_tighter_band_is_evaluated(service: Service, desk: Desk, followed: Portfolio) -> None:
    """SPY at 110: 6,600 of 10,600 is 62.26%, inside 5 points, outside 2; 240 too much, and 120 in the half account."""
    service.set_prices(SetPrices(prices={"SPY": Decimal(110)}))
    tight = BAND.model_copy(update={"percent": Decimal(2)})
    proposal = propose(desk, followed, changed(followed, rebalance_conditions=(tight,)))
    assert (False, True) == (proposal.weights_changed, proposal.conditions_changed)
    assert (0, 2, 4, Decimal(720)) == (
        proposal.runs_now.accounts,
        proposal.runs.accounts,
        proposal.runs.orders,
        proposal.runs.notional,
    )


def test_another_name_and_order_trade_nothing(desk: Desk, followed: Portfolio) -> None:
    """Weights are compared canonically (rules.md 2.4)."""
    proposal = propose(desk, followed, changed(followed, name="N", weights=weights(TLT="40.00", SPY="60")))
    assert (False, False, 0) == (proposal.weights_changed, proposal.conditions_changed, proposal.runs.accounts)


def test_a_cooldown_makes_it_wait(desk: Desk, followed: Portfolio) -> None:
    """Rebalanced on the 11th, eligible again 30 days later: the orders are counted as waiting."""
    proposal = propose(desk, followed, changed(followed, weights=weights(SPY="50", TLT="50"), cooldown_days=30))
    assert (0, 2, 4) == (proposal.runs.accounts, proposal.waits.accounts, proposal.waits.orders)
    assert [{BlockKind.COOLDOWN}] * 2 == [
        {block.kind for block in row.changed.decision.blocks} for row in proposal.accounts
    ]


def test_an_open_run_makes_it_wait(service: Service, desk: Desk, followed: Portfolio) -> None:
    """A run by hand that is not finished; the other account goes ahead."""
    service.advance(Advance(to=at(12, 17)))
    busy = desk.book()[0].account.id
    service.set_prices(SetPrices(prices={"SPY": Decimal(130)}))
    desk.create_run(desk.preview(busy), idempotency_key="k")
    proposal = propose(desk, followed, changed(followed, weights=weights(SPY="50", TLT="50")))
    assert (1, 1) == (proposal.runs.accounts, proposal.waits.accounts)


def test_a_lost_calendar_day_is_no_order_to_come(service: Service, desk: Desk, followed: Portfolio) -> None:
    """The 13th is due tomorrow, and lost in a cooldown of 30 days: blocked, and nothing waits (rules.md 5.2)."""
    service.advance(Advance(to=at(13, 10)))
    service.set_prices(SetPrices(prices={"SPY": Decimal(110)}))
    day = Condition(type="calendar", sub_type="monthly", day="13")
    proposal = propose(desk, followed, changed(followed, rebalance_conditions=(day,), cooldown_days=30))
    assert [Outcome.BLOCKED] * 2 == [row.changed.decision.outcome for row in proposal.accounts]
    assert (0, 0) == (proposal.runs.accounts, proposal.waits.accounts)


def test_eligible_weights_end_the_need_of_adjustment(service: Service, desk: Desk, followed: Portfolio) -> None:
    """As it is nothing can run; without TLT among the weights the portfolio is active again (rules.md 2.7)."""
    service.set_asset(SetAsset(symbol="TLT", tradable=False))
    stuck = desk.client.portfolios.get(followed.id)
    proposal = propose(desk, stuck, changed(stuck, weights=weights(SPY="50", cash="50")))
    assert "needs_adjustment" == stuck.status
    assert BlockKind.NEEDS_ADJUSTMENT not in {
        block.kind for row in proposal.accounts for block in row.changed.decision.blocks
    }
    assert {"weights"} == update_of(stuck, draft_of(stuck)).model_fields_set


def test_only_fields_that_differ_are_sent(followed: Portfolio) -> None:
    """A PATCH of weights would trigger every subscriber, so it is not sent by the way (rules.md 2.4)."""
    assert set() == update_of(followed, draft_of(followed)).model_fields_set
    assert {"name", "cooldown_days"} == update_of(
        followed, changed(followed, name="N", cooldown_days=3)
    ).model_fields_set
    assert {"rebalance_conditions"} == update_of(followed, changed(followed, rebalance_conditions=())).model_fields_set


def test_an_account_that_was_not_read_is_not_evaluated(desk: Desk, followed: Portfolio) -> None:
    """A backend that gave no holdings: its sentence, no orders, and the other account as ever."""
    views = list(desk.book())
    views[0] = replace(views[0], problem="No holdings were given.", drift=None)
    proposal = propose(desk, followed, changed(followed, weights=weights(SPY="50", TLT="50")), views)
    assert 1 == proposal.runs.accounts
    assert ["Not evaluated: No holdings were given."] == [
        row.changed.decision.summary for row in proposal.accounts if row.changed.plan is None
    ]


def test_the_reads_do_not_grow_with_the_accounts(
    desk: Desk, followed: Portfolio, open_account: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten more accounts, and not one more request."""
    sent: list[str] = []
    send = httpx.Client.send
    monkeypatch.setattr(
        httpx.Client,
        "send",
        lambda self, request, **rest: (sent.append(str(request.url)), send(self, request, **rest))[1],
    )
    draft, counts = changed(followed, weights=weights(SPY="50", GLD="50")), []
    for more in (0, 10):
        for _ in range(more):
            desk.client.subscriptions.create(open_account("1000.00"), followed.id)
        sent.clear()
        assert 2 + more == len(propose(desk, followed, draft).accounts)
        counts.append(len(sent))
    assert counts[0] == counts[1]
