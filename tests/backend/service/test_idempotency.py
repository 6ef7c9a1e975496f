"""Answers that are given once: the same key and body, the same status and body again (rules.md 2.10)."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from driftdesk.backend.service import Service
from driftdesk.backend.store.tables import idempotency
from driftdesk.errors import StateError
from driftdesk.wire.portfolios import CreatePortfolio

MODEL = CreatePortfolio.model_validate(
    {"name": "Model", "weights": [{"type": "asset", "symbol": "SPY", "percent": "100"}]}
)


class Handler:
    """Creates a portfolio and counts how often it did."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.calls = 0

    def act(self) -> tuple[int, str]:
        self.calls += 1
        return 200, self.service.create_portfolio(MODEL).id

    def fail(self) -> tuple[int, str]:
        self.act()
        raise StateError("Not now.")

    def ask(self, scope: str = "k|POST|/p", digest: str = "d") -> tuple[int, str]:
        return self.service.answer_once(scope, digest, self.act)


@pytest.fixture
def handler(service: Service) -> Handler:
    return Handler(service)


def test_a_second_request_gets_the_first_answer(service: Service, handler: Handler) -> None:
    """Nothing is done twice."""
    assert handler.ask() == handler.ask()
    assert (1, 1) == (handler.calls, len(service.list_portfolios()))


def test_another_body_under_the_key_is_refused(service: Service, handler: Handler) -> None:
    """And does nothing."""
    handler.ask()
    with pytest.raises(StateError, match="another body"):
        handler.ask(digest="other")
    assert 1 == len(service.list_portfolios())


@pytest.mark.parametrize("scope", ["other|POST|/p", "k|PUT|/p", "k|POST|/q"])
def test_a_key_counts_with_its_method_and_path(handler: Handler, scope: str) -> None:
    """Another key, another method, another path: another request."""
    assert handler.ask()[1] != handler.ask(scope)[1]


def test_a_refusal_leaves_neither_effect_nor_answer(service: Service, handler: Handler) -> None:
    """Effect and answer are one transaction; the next try is a first one."""
    with pytest.raises(StateError, match="Not now"):
        service.answer_once("k|POST|/p", "d", handler.fail)
    assert [] == service.list_portfolios()
    assert 200 == handler.ask()[0]


@pytest.mark.parametrize(("age", "calls"), [(timedelta(hours=23, minutes=59), 1), (timedelta(hours=24, seconds=1), 2)])
def test_an_answer_is_kept_for_a_day_of_the_wall_clock(
    service: Service, handler: Handler, age: timedelta, calls: int
) -> None:
    """24 hours after it was given it is forgotten, whatever the simulated clock says."""
    handler.ask()
    with service.world.database.write() as connection:
        kept_until = connection.scalar(select(idempotency.c.kept_until))
        assert abs(kept_until - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)
        connection.execute(update(idempotency).values(kept_until=kept_until - age))
    handler.ask()
    assert calls == handler.calls
    with service.world.database.read() as connection:
        assert 1 == connection.scalar(select(func.count()).select_from(idempotency))


def test_two_at_once_are_one(service: Service, handler: Handler) -> None:
    """A double click: eight threads with one key, one portfolio, one answer."""
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(8)

    def click() -> None:
        start.wait()
        answers.append(handler.ask())

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 8 == len(answers)
    assert 1 == len(set(answers)) == handler.calls == len(service.list_portfolios())
