"""Worlds to test on: an empty one with prices set by hand, and the demo world, built once and copied."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.opening import make_feed, open_service
from driftdesk.backend.service import Service
from driftdesk.demo import ensure_world
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.wire.portfolios import CreatePortfolio, Portfolio
from driftdesk.wire.simulation import Advance, CreateAccount, NewPosition, SetPrices

# A Wednesday; the session is open from 09:30 to 16:00 New York and has no early close.
WEDNESDAY_10AM = datetime(2026, 3, 11, 10, 0, tzinfo=NEW_YORK)


@cache
def simulated_feed() -> PriceFeed:
    """The simulated market, made once."""
    return make_feed()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An empty simulated world at 10:00 New York on Wednesday 11 March 2026: SPY 100, TLT 50, GLD 200."""
    opened = open_service(tmp_path / "world.db", simulated_feed(), start=WEDNESDAY_10AM, seed=1, durable=False)
    opened.set_prices(SetPrices(prices={"SPY": Decimal(100), "TLT": Decimal(50), "GLD": Decimal(200)}))
    yield opened
    opened.close()


@pytest.fixture
def open_account(service: Service) -> Callable[..., str]:
    """Open an account: `open_account("1000.00", SPY="6", TLT="4")` gives its id."""

    def opener(cash: str, **quantities: str) -> str:
        positions = tuple(NewPosition(symbol=symbol, qty=Decimal(qty)) for symbol, qty in quantities.items())
        return service.simulate_account(CreateAccount(cash=Decimal(cash), positions=positions)).id

    return opener


@pytest.fixture
def create_portfolio(service: Service) -> Callable[..., Portfolio]:
    """Create a portfolio: `create_portfolio({"cash": "10", "SPY": "90"}, bands=(("absolute", "5"),))`."""

    def creator(
        weights: dict[str, str], *, bands: tuple[tuple[str, str], ...] = (), cooldown_days: int = 0, name: str = "Model"
    ) -> Portfolio:
        return service.create_portfolio(
            CreatePortfolio.model_validate(
                {
                    "name": name,
                    "weights": [
                        {"type": "cash", "percent": percent}
                        if symbol == "cash"
                        else {"type": "asset", "symbol": symbol, "percent": percent}
                        for symbol, percent in weights.items()
                    ],
                    "cooldown_days": cooldown_days,
                    "rebalance_conditions": [
                        {"type": "drift_band", "sub_type": kind, "percent": percent} for kind, percent in bands
                    ],
                }
            )
        )

    return creator


@pytest.fixture
def pass_time(service: Service) -> Callable[..., None]:
    """Advance the clock: `pass_time(minutes=2)` or `pass_time(to=instant)`."""

    def passer(*, to: datetime | None = None, seconds: int = 0, minutes: int = 0) -> None:
        service.advance(Advance(to=to, seconds=None if to else seconds + 60 * minutes))

    return passer


@pytest.fixture(scope="session")
def demo_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo world, built once for all workers of a test run; not to be written to."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo-template"
    with FileLock(f"{directory}.building"):
        ensure_world(directory)
    return directory


@pytest.fixture
def demo_directory(demo_template: Path, tmp_path: Path) -> Path:
    """A data directory of the test's own with a fresh demo world."""
    directory = tmp_path / "data"
    shutil.copytree(demo_template, directory, ignore=shutil.ignore_patterns("*.building"))
    return directory
