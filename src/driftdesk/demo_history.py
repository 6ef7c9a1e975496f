"""What happened in the demo world: who opened accounts, followed what, paid in, and asked for runs.

People's deeds are the script; what follows from them (evaluations, orders, fills, skips) is the engine's.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final

from driftdesk.backend.service import Service
from driftdesk.engine.planner import PlanRequest, RunType, plan_orders
from driftdesk.engine.schedule import NEW_YORK, Session
from driftdesk.money import CENT, HUNDRED, floor_cents
from driftdesk.translate import to_targets
from driftdesk.wire.portfolios import Condition, CreatePortfolio, Weight
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import Advance, CreateAccount, Deposit, NewPosition, SetAsset
from driftdesk.wire.subscriptions import CreateSubscription

Progress = Callable[[float, str], None]

# Two years of sessions come before the instant at which the world is handed over.
HISTORY: Final = timedelta(days=730)
# In the session, before its evaluation: what is breached now waits for 15:30, and a run by hand starts at once.
_HANDED_OVER_AT: Final = time(14, 0)


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


class Replay:
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
        part = span / HISTORY.days
        script: list[tuple[float, Callable[[], None]]] = [
            (follower.starts * part, functools.partial(self._open_account, follower, models, symbols))
            for follower in _FOLLOWERS
        ]
        script += [
            (150 * part, lambda: self._deposit("Birch", "20000.00")),
            (300 * part, lambda: self._deposit("Dogwood", "15000.00")),
            (380 * part, lambda: self._withdraw("Elm", "25000.00")),
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
        target = min(max(handover(day), self._service.world.now()), self._until)
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

    def _withdraw(self, name: str, amount: str) -> None:
        """Pay out `amount`, or all the free cash where prices of a file have left less."""
        free = floor_cents(self._service.trading_account(self._ids[name]).buying_power)
        if free > 0:
            self._deposit(name, str(-min(Decimal(amount), free)))

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


def handover(session: Session) -> datetime:
    # An early close comes before 14:00: its own evaluation is then two and a half hours before the close as usual.
    wanted = datetime.combine(session.date, _HANDED_OVER_AT, NEW_YORK)
    return wanted if wanted < session.last_start else session.open + timedelta(hours=1)
