"""A year of what people do with 200 accounts that follow portfolios, from a seed; what follows of it is the backend's.

Deeds come at odd times: deposits, withdrawals, changed portfolios, cancels, other subscriptions, halts, lost assets.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from driftdesk.backend.service import Service
from driftdesk.engine.schedule import NEW_YORK, Session
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import DataError, InputError, StateError
from driftdesk.money import floor_cents
from driftdesk.wire.portfolios import CreatePortfolio, UpdatePortfolio
from driftdesk.wire.runs import CreateRun
from driftdesk.wire.simulation import Advance, CreateAccount, Deposit, NewPosition, SetAsset
from driftdesk.wire.subscriptions import CreateSubscription

ACCOUNTS = 200
FIRST, LAST = date(2025, 1, 2), date(2025, 12, 31)
Weights = dict[str, int]

# Weights in percent with "cash" for cash, bands, calendar, cooldown in days.
MODELS: tuple[tuple[Weights, str, str, int], ...] = (
    ({"cash": 2, "VTI": 36, "VXUS": 22, "BND": 30, "GLD": 10}, "absolute 5", "", 0),
    ({"cash": 5, "SPY": 45, "TLT": 30, "EFA": 20}, "relative 20", "", 7),
    ({"VTI": 40, "QQQ": 30, "IWM": 30}, "absolute 3, relative 15", "weekly Monday", 0),
    ({"cash": 1, "AAPL": 33, "MSFT": 33, "JPM": 33}, "relative 10", "monthly 15", 31),
    ({"AGG": 60, "SCHD": 40}, "", "quarterly 31", 0),
    ({"cash": 10, "VWO": 40, "PDBC": 20, "TIP": 30}, "absolute 4", "annually 07-04", 7),
    ({"SPY": 60, "AGG": 40}, "", "", 0),
    ({"cash": 3, "NVDA": 27, "GOOG": 30, "XOM": 20, "JNJ": 20}, "absolute 6, relative 25", "monthly 31", 7),
)

# How many of a hundred follow each: the weekly one trades twice as often as all others together.
SHARES = (16, 16, 4, 12, 12, 14, 12, 14)


def weights_of(percents: Weights) -> list[dict[str, str]]:
    return [
        {"type": "cash", "percent": str(percent)}
        if symbol == "cash"
        else {"type": "asset", "symbol": symbol, "percent": str(percent)}
        for symbol, percent in percents.items()
    ]


def conditions_of(bands: str, calendar: str) -> list[dict[str, str]]:
    """``absolute 5, relative 20`` and ``monthly 15`` as conditions of the wire."""
    found = []
    for kind, percent in (band.split() for band in bands.split(", ") if band):
        found.append({"type": "drift_band", "sub_type": kind, "percent": percent})
    if calendar:
        kind, day = calendar.split()
        found.append({"type": "calendar", "sub_type": kind, "day": day})
    return found


@dataclass
class Year:
    """What people do in it. Afterwards: what each account began with, and when an asset could not be traded."""

    service: Service
    rng: random.Random
    models: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    opened_with: dict[str, CreateAccount] = field(default_factory=dict)
    untradable: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def replay(self) -> None:
        sessions = self.service.world.sessions.between(FIRST, LAST)
        for percents, bands, calendar, cooldown in MODELS:
            body = {
                "name": f"Model {len(self.models)}",
                "weights": weights_of(percents),
                "rebalance_conditions": conditions_of(bands, calendar),
                "cooldown_days": cooldown,
            }
            self.models.append(self.service.create_portfolio(CreatePortfolio.model_validate(body)).id)
        for _ in range(ACCOUNTS - 40):
            self.open_account()
        for number, session in enumerate(sessions):
            for at, deed in sorted(self.deeds(number, session), key=lambda pair: pair[0]):
                self.service.advance(Advance(to=at))
                # What is refused at this moment is refused; the year goes on.
                with suppress(InputError, StateError, DataError):
                    deed()
        self.service.advance(Advance(to=sessions[-1].close + timedelta(hours=1)))

    def deeds(self, number: int, session: Session) -> list[tuple[datetime, Callable[[], object]]]:
        """What happens in a session, each at its instant: mostly at random times, from before the open to the evening.

        The rest is set: a cancel between sells and buys, halts before and after an evaluation, an asset lost.
        """
        often: list[Callable[[], object]] = [self.deposit, self.withdraw, self.deposit]
        often += [self.run_now, self.cancel_one, self.follow_another, self.patch_conditions, self.resume]
        found = [(self.some_time(session), self.rng.choice(often)) for _ in range(self.rng.randint(1, 4))]
        if number % 2 and len(self.accounts) < ACCOUNTS:
            found.append((self.some_time(session), self.open_account))
        symbol = self.rng.choice(["SPY", "VTI", "AAPL", "VWO", "NVDA"])
        if number % 12 == 9:
            # Each makes every follower trade, so there are not many.
            found.append((self.some_time(session), self.patch_weights))
        if number % 12 == 5:
            found.append((session.evaluation + timedelta(seconds=1), self.cancel_one))
        if number % 20 == 7:
            found.append((session.open, lambda: self.set_asset(symbol, halted=True)))
        if number % 20 == 13:
            found.append((session.evaluation, lambda: self.set_asset(symbol, halted=True)))
        if number % 20 in (8, 14):
            found.append((session.open, self.end_halts))
        if number in (60, 150):
            found.append((self.some_time(session), lambda: self.lose("TLT" if number == 60 else "QQQ")))
        if number in (66, 160):
            found.append((self.some_time(session), self.adjust))
        return found

    def price(self, symbol: str, at: datetime) -> Decimal:
        price = self.service.world.feed.price(Symbol(symbol), at)
        assert price is not None
        return price

    def some_time(self, session: Session) -> datetime:
        begin = datetime.combine(session.date, time(8), NEW_YORK)
        return begin + timedelta(seconds=self.rng.randrange(12 * 3600))

    def some_account(self) -> str:
        return self.rng.choice(self.accounts)

    def open_account(self) -> None:
        cash = Decimal(self.rng.randrange(50_000, 50_000_000)) / 100
        brought = self.rng.sample(["SPY", "GLD", "AGG", "AAPL"], self.rng.choice([0, 0, 1, 3]))
        positions = tuple(
            NewPosition(symbol=symbol, qty=Decimal(self.rng.randrange(1, 10**11)) / 10**9) for symbol in brought
        )
        body = CreateAccount(cash=cash, positions=positions)
        account = self.service.simulate_account(body).id
        self.accounts.append(account)
        self.opened_with[account] = body
        self.follow(account)

    def follow(self, account: str) -> None:
        self.service.create_subscription(
            CreateSubscription(account_id=account, portfolio_id=self.rng.choices(self.models, SHARES)[0])
        )

    def follow_another(self) -> None:
        account = self.some_account()
        for subscription in self.service.list_subscriptions(account_id=account).subscriptions:
            self.service.delete_subscription(subscription.id)
        self.follow(account)

    def deposit(self) -> None:
        amount = Decimal(self.rng.randrange(1, 5_000_000)) / 100
        self.service.deposit(Deposit(account_id=self.some_account(), amount=amount))

    def withdraw(self) -> None:
        account = self.some_account()
        amount = floor_cents(self.service.trading_account(account).cash / 2)
        if amount:
            self.service.deposit(Deposit(account_id=account, amount=-amount))

    def run_now(self) -> None:
        kind = self.rng.choice(["full_rebalance", "full_rebalance", "invest_cash"])
        self.service.create_run(CreateRun(account_id=self.some_account(), type=kind))

    def cancel_one(self) -> None:
        open_runs = [run for status in ("IN_PROGRESS", "QUEUED") for run in self.service.list_runs(status=status).runs]
        if open_runs:
            self.service.cancel_run(open_runs[0].id)

    def resume(self) -> None:
        for subscription in self.service.list_subscriptions(limit=1000).subscriptions:
            if subscription.waiting is not None and subscription.waiting.held:
                self.service.resume_subscription(subscription.id)

    def patch_weights(self) -> None:
        """Two points from one asset to another."""
        index = self.rng.randrange(len(self.models))
        weights = self.service.get_portfolio(self.models[index]).weights
        less, more = self.rng.sample([weight for weight in weights if weight.symbol], 2)
        if less.percent > 4:
            moved = {less.symbol: less.percent - 2, more.symbol: more.percent + 2}
            changed = tuple(
                weight.model_copy(update={"percent": moved.get(weight.symbol, weight.percent)}) for weight in weights
            )
            self.service.update_portfolio(self.models[index], UpdatePortfolio(weights=changed))

    def patch_conditions(self) -> None:
        index = self.rng.randrange(len(self.models))
        bands = f"absolute {self.rng.choice([3, 4, 5])}" if MODELS[index][1] else ""
        conditions = conditions_of(bands, MODELS[index][2])
        body = UpdatePortfolio.model_validate({"rebalance_conditions": conditions})
        self.service.update_portfolio(self.models[index], body)

    def set_asset(self, symbol: str, **what: bool) -> None:
        self.service.set_asset(SetAsset.model_validate({"symbol": symbol, **what}))

    def end_halts(self) -> None:
        for symbol in ("SPY", "VTI", "AAPL", "VWO", "NVDA"):
            self.set_asset(symbol, halted=False)

    def lose(self, symbol: str) -> None:
        self.set_asset(symbol, tradable=False)
        self.untradable.append((symbol, self.service.world.now(), datetime.max.replace(tzinfo=NEW_YORK)))

    def adjust(self) -> None:
        """Portfolios get a bond fund in the place of what was lost; the asset itself comes back at the same time."""
        symbol, since, _ = self.untradable[-1]
        for portfolio in self.service.list_portfolios(status="needs_adjustment"):
            weights = [
                {
                    "type": weight.type,
                    "symbol": "IEF" if weight.symbol == symbol else weight.symbol,
                    "percent": weight.percent,
                }
                for weight in portfolio.weights
            ]
            self.service.update_portfolio(portfolio.id, UpdatePortfolio.model_validate({"weights": weights}))
        self.service.advance(Advance(seconds=3 * 24 * 3600))
        self.set_asset(symbol, tradable=True)
        self.untradable[-1] = (symbol, since, self.service.world.now())
