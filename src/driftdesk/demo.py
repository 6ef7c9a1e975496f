"""One seeded world for app, notebooks and tests. Its history is made by the engine itself, never typed in.

Twelve accounts follow four portfolios for two years: subscriptions, triggered runs, deposits that are invested, skipped
orders, a rejected order, a canceled run. The same seed or the same price file gives the same world on every machine.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from filelock import FileLock

from driftdesk.backend.feeds.base import PriceFeed
from driftdesk.backend.feeds.simulated import SimulatedFeed
from driftdesk.backend.opening import DEFAULT_SEED, SIMULATED, PriceSource, make_feed, open_service
from driftdesk.backend.service import Service
from driftdesk.backend.store.database import make_directory, unused
from driftdesk.engine.planner import PlanRequest, RunType, plan_orders
from driftdesk.engine.schedule import NEW_YORK, Session, new_york_date
from driftdesk.errors import DataError, InputError, StateError
from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import CENT, HUNDRED
from driftdesk.translate import to_targets
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Weight
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import Advance, CreateAccount, Deposit, NewPosition, SetAsset
from driftdesk.wire.subscriptions import CreateSubscription

Progress = Callable[[float, str], None]

# Two years of sessions come before the instant at which the world is handed over.
_HISTORY: Final = timedelta(days=730)
_SHORTEST_HISTORY: Final = timedelta(days=30)
# A price file keeps this many sessions to go on to.
_SESSIONS_AHEAD: Final = 60
# In the session, before its evaluation: what is breached now waits for 15:30, and a run by hand starts at once.
_HANDED_OVER_AT: Final = time(14, 0)
_SIMULATED_NOW: Final = datetime(2026, 11, 20, 14, 0, tzinfo=NEW_YORK)
_BUILT: Final = "demo_built"
# The lock files beside a database, of no use once it has another name.
_LEFT_BEHIND: Final = (".stepping", ".open")


@dataclass(frozen=True, slots=True)
class _Model:
    """A portfolio of the demo: percents by symbol for the simulated market, and rules that hold for any prices."""

    name: str
    description: str
    weights: dict[str, str]
    cash: str
    conditions: tuple[Condition, ...]
    cooldown_days: int


@dataclass(frozen=True, slots=True)
class _Follower:
    """An account of the demo: opening cash in USD, the model it follows (None: none), and when it starts, in days."""

    name: str
    cash: str
    model: int | None
    starts: int = 0


def _band(kind: str, percent: str) -> Condition:
    return Condition(type="drift_band", sub_type=kind, percent=Decimal(percent))


_MODELS: Final = (
    _Model(
        "Balanced 60/40",
        "Broad stocks and bonds; wide bands, a week of cooldown",
        {"VTI": "36", "VXUS": "22", "BND": "30", "TIP": "5", "GLD": "5"},
        "2",
        (_band("absolute", "5"), _band("relative", "25")),
        7,
    ),
    _Model(
        "Growth",
        "Stocks; absolute bands, and the 15th of each month",
        {"VTI": "34", "QQQ": "30", "EFA": "20", "VWO": "10", "GLD": "5"},
        "1",
        (_band("absolute", "4"), Condition(type="calendar", sub_type="monthly", day="15")),
        20,
    ),
    _Model(
        "Income",
        "Bonds and dividends; relative bands, and the end of each quarter's month",
        {"AGG": "35", "TLT": "17", "TIP": "15", "SCHD": "20", "VNQ": "10"},
        "3",
        (_band("relative", "30"), Condition(type="calendar", sub_type="quarterly", day="31")),
        0,
    ),
    _Model(
        "Core stocks",
        "Eight large companies; tight relative bands, held back by a long cooldown",
        {"AAPL": "16", "MSFT": "16", "GOOG": "14", "AMZN": "14", "NVDA": "14", "JPM": "8", "XOM": "8", "JNJ": "8"},
        "2",
        (_band("relative", "10"),),
        90,
    ),
)

_FOLLOWERS: Final = (
    _Follower("Alder", "250000.00", 0),
    _Follower("Birch", "80000.00", 0, starts=20),
    _Follower("Cedar", "500000.00", 1),
    _Follower("Dogwood", "120000.00", 1, starts=45),
    _Follower("Elm", "1000000.00", 2),
    _Follower("Fir", "45000.00", 2, starts=90),
    _Follower("Ginkgo", "300000.00", 3, starts=30),
    _Follower("Hazel", "150.00", 3, starts=60),
    _Follower("Ivy", "20000.00", None, starts=120),
    _Follower("Juniper", "64000.00", 0, starts=200),
    _Follower("Koa", "175000.00", 1, starts=250),
    _Follower("Larch", "220000.00", 3, starts=700),
)


def demo_now(feed: PriceFeed) -> datetime:
    """The instant at which a demo world on `feed` is handed over: 14:00 New York of a session with more to come.

    Raises DataError for a feed that is too short for a month of history and a month to go on to.
    """
    if isinstance(feed, SimulatedFeed):
        return _SIMULATED_NOW
    sessions = new_york_sessions().between(feed.first, feed.last)
    if len(sessions) < 2 * _SESSIONS_AHEAD:
        raise DataError(
            f"{feed.label} has {len(sessions)} sessions; the demo world needs {2 * _SESSIONS_AHEAD}: use a longer file."
        )
    return _handover(sessions[-_SESSIONS_AHEAD])


def check_start(feed: PriceFeed, start: datetime) -> None:
    """Refuse, with InputError, an instant at which no demo world on `feed` can be handed over.

    It needs a month of prices before it, and a price at it.
    """
    earliest, latest = feed.first + _SHORTEST_HISTORY, feed.last
    if not earliest <= new_york_date(start) <= latest:
        raise InputError(
            f"--start must lie between {earliest} and {latest} for a demo world on {feed.label}; "
            f"received {start.astimezone(NEW_YORK).isoformat()}.",
            field="--start",
            received=start.isoformat(),
            allowed=f"{earliest} to {latest}",
        )


def ensure_world(directory: Path, source: PriceSource = SIMULATED, *, progress: Progress | None = None) -> Path:
    """The database of the demo world in `directory`, built where it is missing (some seconds).

    One world a source of prices, side by side. `progress` is told a fraction and a sentence. Raises DataError or
    InputError for a price file, and InputError for a directory, that cannot be used.
    """
    path = _path(directory, source)
    if path.exists():
        return path
    make_directory(directory)
    building = path.with_suffix(".building")
    # Two programs that start at once must not build the same file.
    with FileLock(building):
        half_built = path.with_suffix(".building.db")
        try:
            if not path.exists():
                _remove(half_built, *_LEFT_BEHIND)
                feed = make_feed(source)
                build_world(half_built, feed, until=demo_now(feed), seed=source.seed, progress=progress)
                half_built.rename(path)
        finally:
            _remove(half_built, *_LEFT_BEHIND)
            # Whoever waits for it sees that it is gone and asks anew. Windows keeps a file that is open.
            with suppress(OSError):
                building.unlink()
    return path


def open_world(directory: Path, source: PriceSource = SIMULATED) -> Service:
    """The service of a demo world that `ensure_world` has made."""
    return open_service(_path(directory, source), make_feed(source))


def reset_world(directory: Path, source: PriceSource = SIMULATED, *, progress: Progress | None = None) -> Path:
    """Throw the demo world away and build it anew; StateError while a program has it open."""
    # The price file is read first: a bad one must not cost the old world.
    demo_now(make_feed(source))
    path = _path(directory, source)
    make_directory(directory)
    with unused(path):
        _remove(path)
        return ensure_world(directory, source, progress=progress)


def build_world(
    path: Path, feed: PriceFeed, *, until: datetime, seed: int = DEFAULT_SEED, progress: Progress | None = None
) -> None:
    """Replay the demo's history into the database at `path`; nothing happens to one that holds it already.

    Raises StateError for a database that holds anything else, DataError where no symbol has a price at the beginning.
    """
    begin = max(until - _HISTORY, _handover(new_york_sessions().between(feed.first, feed.last)[0]))
    symbols = _priced_symbols(feed, begin)
    service = open_service(path, feed, start=begin, seed=seed, durable=False)
    try:
        if service.world.database.get_meta(_BUILT) is None:
            if service.list_portfolios() or service.list_accounts():
                raise StateError(
                    f"{path} holds a world already, or a demo world that was not finished; delete it or name another."
                )
            _Replay(service, begin, until, progress or _quiet).run(symbols)
            service.world.database.set_meta(_BUILT, until.isoformat())
            # One file to rename: nothing may be left in the write-ahead log.
            service.world.database.checkpoint()
    finally:
        service.close()


class _Replay:
    """The script of the demo's history: what people did; what follows from it is the engine's."""

    def __init__(self, service: Service, begin: datetime, until: datetime, progress: Progress) -> None:
        self._service = service
        self._begin = begin
        self._until = until
        self._progress = progress
        self._ids: dict[str, str] = {}

    def run(self, symbols: Sequence[str]) -> None:
        models = [self._create_model(index, model, symbols) for index, model in enumerate(_MODELS)]
        span = (self._until - self._begin).days
        part = span / _HISTORY.days
        script: list[tuple[float, Callable[[], None]]] = [
            (follower.starts * part, functools.partial(self._open_account, follower, models, symbols))
            for follower in _FOLLOWERS
        ]
        script += [
            (150 * part, lambda: self._deposit("Birch", "20000.00")),
            (300 * part, lambda: self._deposit("Dogwood", "15000.00")),
            (380 * part, lambda: self._deposit("Elm", "-25000.00")),
            (420 * part, lambda: self._run_with_a_halted_asset("Koa")),
            (500 * part, lambda: self._cancel_after_hours("Juniper")),
            (560 * part, lambda: self._deposit("Alder", "7500.00")),
            (640 * part, lambda: self._rebalance_once("Ivy", models[0])),
        ]
        for day, act in sorted(script, key=lambda item: item[0]):
            self._advance(self._begin + timedelta(days=day))
            act()
        self._advance(self._until)
        # Money that came in this morning: over its band now, and traded at this session's evaluation.
        self._deposit("Fir", "750.00")

    def _advance(self, instant: datetime) -> None:
        """Go on to the session of that day, at 14:00 New York; never past the end."""
        sessions = self._service.world.sessions
        day = sessions.on_or_before(instant.astimezone(NEW_YORK).date())
        target = min(max(_handover(day), self._service.world.now()), self._until)
        while not self._service.advance(Advance(to=target, budget_ms=200)).done:
            done = (self._service.world.now() - self._begin) / (self._until - self._begin)
            self._progress(done, f"Replaying {self._service.world.now().astimezone(NEW_YORK):%d %B %Y}")

    def _create_model(self, index: int, model: _Model, symbols: Sequence[str]) -> str:
        percents = model.weights if set(model.weights) <= set(symbols) else _spread(symbols, model, index)
        body = CreatePortfolio(
            name=model.name,
            description=model.description,
            weights=(
                Weight(type="cash", percent=Decimal(model.cash)),
                *(Weight(type="asset", symbol=symbol, percent=Decimal(text)) for symbol, text in percents.items()),
            ),
            cooldown_days=model.cooldown_days,
            rebalance_conditions=model.conditions,
        )
        return self._service.create_portfolio(body).id

    def _open_account(self, follower: _Follower, models: Sequence[str], symbols: Sequence[str]) -> None:
        brought: tuple[NewPosition, ...] = ()
        if follower.model is None:
            # Transferred in as it was elsewhere, and following nothing.
            brought = tuple(NewPosition(symbol=symbol, qty=Decimal("40.5")) for symbol in symbols[:3])
        account = self._service.simulate_account(
            CreateAccount(name=follower.name, cash=Decimal(follower.cash), positions=brought)
        )
        self._ids[follower.name] = account.id
        if follower.model is not None:
            self._service.create_subscription(
                CreateSubscription(account_id=account.id, portfolio_id=models[follower.model])
            )

    def _deposit(self, name: str, amount: str) -> None:
        self._service.deposit(Deposit(account_id=self._ids[name], amount=Decimal(amount)))

    def _rebalance_once(self, name: str, portfolio_id: str) -> None:
        weights = self._service.get_portfolio(portfolio_id).weights
        self._service.create_run(CreateRun(account_id=self._ids[name], type="full_rebalance", weights=weights))

    def _run_with_a_halted_asset(self, name: str) -> None:
        """A run by request on a day on which one asset is halted: its order is rejected, the others fill."""
        account_id = self._ids[name]
        self._service.deposit(Deposit(account_id=account_id, amount=Decimal("9000.00")))
        wanted = self._first_buy(account_id)
        self._service.set_asset(SetAsset(symbol=wanted, halted=True))
        self._service.create_run(CreateRun(account_id=account_id, type="invest_cash"))
        self._service.advance(Advance(seconds=120))
        self._service.set_asset(SetAsset(symbol=wanted, halted=False))

    def _first_buy(self, account_id: str) -> str:
        """The symbol that investing the account's cash would buy first."""
        world = self._service.world
        followed = self._service.list_subscriptions(account_id=account_id).subscriptions[0]
        targets = to_targets(self._service.get_portfolio(followed.portfolio_id).weights)
        with world.database.read() as connection:
            snapshot = world.snapshot(connection, account_id, targets.symbols, world.market(connection, world.now()))
        return plan_orders(snapshot, PlanRequest(targets=targets, run_type=RunType.INVEST_CASH)).buys[0].symbol

    def _cancel_after_hours(self, name: str) -> None:
        """A run created after the close, which waits QUEUED, and is canceled before the next open."""
        close = self._service.world.sessions.current_or_next(self._service.world.now()).close
        self._service.advance(Advance(to=close + timedelta(hours=1)))
        run = self._service.create_run(CreateRun(account_id=self._ids[name], type="full_rebalance"))
        self._service.advance(Advance(seconds=900))
        self._service.cancel_run(run.id)


def _priced_symbols(feed: PriceFeed, begin: datetime) -> list[str]:
    """The symbols that can be traded from the first day on: one of a price file may start late."""
    symbols = [str(asset.symbol) for asset in feed.assets if feed.price(asset.symbol, begin) is not None]
    if not symbols:
        raise DataError(
            f"{feed.label} has no price on {new_york_date(begin)}, where the demo world begins; use a file in which at "
            "least one symbol starts by then."
        )
    return symbols


def _spread(symbols: Sequence[str], model: _Model, index: int) -> dict[str, str]:
    """Percents for a price file with other symbols: larger first, over a window of the file's symbols."""
    count = min(len(model.weights), len(symbols))
    start = (index * 2) % len(symbols)
    chosen = [symbols[(start + offset) % len(symbols)] for offset in range(count)]
    free = HUNDRED - Decimal(model.cash)
    shares = [count + 2 - rank for rank in range(count)]
    percents = [(free * share / sum(shares)).quantize(CENT) for share in shares]
    percents[0] += free - sum(percents)
    return {symbol: str(percent) for symbol, percent in zip(chosen, percents, strict=True)}


def _handover(session: Session) -> datetime:
    # An early close comes before 14:00: its own evaluation is then two and a half hours before the close as usual.
    wanted = datetime.combine(session.date, _HANDED_OVER_AT, NEW_YORK)
    return wanted if wanted < session.last_start else session.open + timedelta(hours=1)


def _path(directory: Path, source: PriceSource) -> Path:
    return directory / f"demo-{source.key}.db"


def _remove(path: Path, *further: str) -> None:
    for suffix in ("", "-wal", "-shm", *further):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _quiet(_done: float, _sentence: str) -> None:
    """Tell nobody."""
