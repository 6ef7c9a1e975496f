"""Why an account was rebalanced on a day, and why it was not, asked of the backend as a client asks (rules.md 5.8).

Wednesday 11 March 2026, 10:00 New York; SPY 100, TLT 50.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.inprocess import InProcessTransport
from driftdesk.backend.service import Service
from driftdesk.client import Client, ClientKeys
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import Rejected
from driftdesk.wire.decisions import Decision
from driftdesk.wire.portfolios import Portfolio
from driftdesk.wire.simulation import SetPrices
from driftdesk.wire.subscriptions import CreateSubscription

PassTime = Callable[..., None]


def march(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=NEW_YORK)


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    app = create_app(service, Credentials("key", "secret"))
    with Client("http://desk", ClientKeys("key", "secret"), InProcessTransport(app)) as opened:
        yield opened


@pytest.fixture
def followers(
    service: Service,
    open_account: Callable[..., str],
    create_portfolio: Callable[..., Portfolio],
    pass_time: PassTime,
) -> dict[str, str]:
    """Two accounts of 10,000, SPY 60 and TLT 40 with a band of 5 points: "free", and "resting" for 7 days after a run.

    Both are run on Wednesday the 11th. On the 12th SPY stands at 150, which is 69% of 13,000; on the 13th as well.
    """
    accounts = {}
    for name, cooldown in (("free", 0), ("resting", 7)):
        model = create_portfolio({"SPY": "60", "TLT": "40"}, bands=(("absolute", "5"),), cooldown_days=cooldown)
        accounts[name] = open_account("10000.00")
        service.create_subscription(CreateSubscription(account_id=accounts[name], portfolio_id=model.id))
        accounts[f"{name} portfolio"] = model.id
    pass_time(to=march(12, 10))
    service.set_prices(SetPrices(prices={"SPY": Decimal(150)}))
    pass_time(to=march(13, 17))
    return accounts


def told(decisions: tuple[Decision, ...]) -> list[tuple[str, str]]:
    """Day of March and outcome, newest first."""
    return [(made.session[-2:], made.outcome) for made in decisions]


def test_why_an_account_was_rebalanced_on_a_day(client: Client, followers: dict[str, str]) -> None:
    """The decision of the 12th names the holding, what was measured and the limit, and leads to the run."""
    (why,) = client.decisions.list(account_id=followers["free"], session="2026-03-12")
    assert ("run", "full_rebalance") == (why.outcome, why.run_type)
    assert [("SPY", "drift_band", "9.23077", "5"), ("TLT", "drift_band", "9.23077", "5")] == sorted(
        (str(trigger.symbol), trigger.kind, str(trigger.measured), str(trigger.limit)) for trigger in why.triggers
    )
    run = client.runs.get(str(why.run_id))
    assert (why.summary, "system", "COMPLETED_SUCCESS") == (run.trigger, run.initiated_from, run.status)


def test_why_an_account_was_not_rebalanced_on_a_day(client: Client, followers: dict[str, str]) -> None:
    """The other account is breached too, and its cooldown says until when it waits."""
    (why_not,) = client.decisions.list(account_id=followers["resting"], session="2026-03-12")
    assert ("blocked", None) == (why_not.outcome, why_not.run_id)
    assert [("cooldown", "2026-03-18")] == [(block.kind, block.until) for block in why_not.blocks]
    assert ["SPY", "TLT"] == sorted(str(trigger.symbol) for trigger in why_not.triggers)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"account_id": "free"}, [("13", "not_due"), ("12", "run"), ("11", "not_due"), ("11", "run")]),
        (
            {"portfolio_id": "resting portfolio"},
            [("13", "blocked"), ("12", "blocked"), ("11", "not_due"), ("11", "run")],
        ),
        ({"session": "2026-03-13"}, [("13", "blocked"), ("13", "not_due")]),
        ({"outcome": "run"}, [("12", "run"), ("11", "run"), ("11", "run")]),
        ({"account_id": "free", "outcome": "run"}, [("12", "run"), ("11", "run")]),
        ({"account_id": "free", "outcome": "run", "session": "2026-03-12"}, [("12", "run")]),
        ({"account_id": "free", "portfolio_id": "resting portfolio"}, []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_filters_are_combined(
    client: Client, followers: dict[str, str], filters: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """Account, portfolio, day and outcome: each alone, and all that are given together."""
    asked = {name: followers.get(value, value) for name, value in filters.items()}
    assert sorted(expected) == sorted(told(client.decisions.list(**asked)))


def test_a_filtered_list_comes_in_pages(service: Service, followers: dict[str, str]) -> None:
    """Four decisions of one account in pages of three: 3, 1 and no further page, newest first, none twice."""
    account = followers["free"]
    first = service.list_decisions(account_id=account, limit=3)
    second = service.list_decisions(account_id=account, limit=3, page_token=str(first.next_page_token))
    assert (3, 1, None) == (len(first.decisions), len(second.decisions), second.next_page_token)
    found = (*first.decisions, *second.decisions)
    assert ["13", "12", "11", "11"] == [day for day, _ in told(found)]
    assert 4 == len({made.id for made in found})


@pytest.mark.parametrize("outcome", ["ran", "RUN", "not due"])
def test_an_unknown_outcome_is_refused_in_a_sentence(client: Client, outcome: str) -> None:
    """And not answered with an empty list, which would read as "nothing happened"."""
    with pytest.raises(Rejected, match="outcome must be 'run', 'blocked' or 'not_due'") as refused:
        client.decisions.list(outcome=outcome)
    assert 422 == refused.value.status
