"""What can be done to a simulated world by hand: accounts, deposits, prices, assets, time (rules.md 11)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, func, insert, or_, select, update

from driftdesk.backend.clock import Clock, SimulatedClock
from driftdesk.backend.events.outbox import note_portfolio_status
from driftdesk.backend.exchange import Exchange
from driftdesk.backend.feeds.history import PRICE_LIMIT
from driftdesk.backend.ledger import OUTSIDE, USD, Transfer, post
from driftdesk.backend.runs.record import set_status
from driftdesk.backend.service.accounts import Accounts
from driftdesk.backend.service.market import Market
from driftdesk.backend.store.tables import (
    accounts,
    assets,
    flows,
    portfolios,
    price_marks,
    runs,
    subscriptions,
)
from driftdesk.engine.snapshot import Symbol
from driftdesk.errors import InputError, StateError
from driftdesk.money import ZERO, cash_of, floor_cents, floor_quantity, round_price
from driftdesk.wire.accounts import Account, Asset, TradingAccount
from driftdesk.wire.runs import RunStatus
from driftdesk.wire.simulation import Advance, Advanced, CreateAccount, Deposit, NewPosition, SetAsset, SetPrices

# At the highest price that can be set, so many shares are still worth what a column of cents holds.
MOST_SHARES: Final = 100_000_000


class Simulation(Accounts, Market):
    """Use cases that exist only where the exchange is simulated, and, but for accounts and deposits, the clock too;
    StateError elsewhere."""

    def simulate_account(self, body: CreateAccount) -> Account:
        """Open an account with cash (USD, cents) and positions that were transferred in; on any clock."""
        clock = self._clock_of_exchange()
        _check_cents(body.cash, "cash")
        with self.world.database.write() as connection:
            # Inside the transaction: an advance that is under way must not close a day before this counts in it.
            now = clock.now()
            market = self.world.market(connection, now)
            for index, position in enumerate(body.positions):
                _check_position(position, index, market.quote(Symbol(position.symbol)).price)
                if any(earlier.symbol == position.symbol for earlier in body.positions[:index]):
                    raise InputError(
                        f"positions[{index}].symbol repeats {position.symbol}; give each symbol once.",
                        field=f"positions[{index}].symbol",
                        received=position.symbol,
                    )
            count = connection.scalar(select(func.count()).select_from(accounts)) or 0
            number = f"DD{count + 1:07d}"
            account_id = self.world.new_id("account", number)
            connection.execute(
                insert(accounts).values(
                    id=account_id,
                    number=number,
                    name=body.name or f"Account {count + 1}",
                    status="ACTIVE",
                    cash=ZERO,
                    created_at=now,
                )
            )
            brought = [Transfer(USD, OUTSIDE, account_id, body.cash)]
            for position in body.positions:
                cost = cash_of(position.qty, market.quote(Symbol(position.symbol)).price or ZERO)
                brought.append(Transfer(position.symbol, OUTSIDE, account_id, position.qty, cost))
            post(connection, now, "opening", account_id, brought)
            value = body.cash + sum((transfer.cost for transfer in brought), ZERO)
            connection.execute(insert(flows).values(account_id=account_id, at=now, kind="opening", amount=value))
        return self.get_account(account_id)

    def set_prices(self, body: SetPrices) -> None:
        """Set prices that hold until set again; null returns a symbol to the feed."""
        now = self._clock().now()
        with self.world.database.write() as connection:
            known = set(connection.scalars(select(assets.c.symbol)))
            for symbol, price in body.prices.items():
                field = f"prices.{symbol}"
                if symbol not in known:
                    raise InputError(f"{symbol} is not an asset known here.", field=field, received=symbol)
                if price is not None and not (ZERO < price < PRICE_LIMIT and price == round_price(price)):
                    raise InputError(
                        f"{field} must be positive, below {PRICE_LIMIT}, with at most four decimals; received {price}.",
                        field=field,
                        received=price,
                        allowed="a positive price in USD, or null",
                    )
                connection.execute(price_marks.delete().where(price_marks.c.symbol == symbol))
                if price is not None:
                    connection.execute(insert(price_marks).values(symbol=symbol, price=price, at=now))
            self._simulated_exchange().wake(connection, body.prices, now)

    def deposit(self, body: Deposit) -> TradingAccount:
        """Move cash into the account, or out of it when negative; on any clock. An inflow waits to be invested
        (rules.md 5.6)."""
        clock = self._clock_of_exchange()
        _check_cents(body.amount, "amount", negative=True)
        if body.amount == 0:
            raise InputError("amount must not be zero.", field="amount", received=0, allowed="an amount in USD")
        with self.world.database.write() as connection:
            now = clock.now()
            self.world.account_row(connection, body.account_id)
            snapshot = self.world.snapshot(connection, body.account_id, (), self.world.market(connection, now))
            free = floor_cents(snapshot.cash - snapshot.reserved_cash)
            if body.amount < 0 and free + body.amount < 0:
                raise StateError(
                    f"Account {body.account_id} has {free} USD in cash that no open order needs; it cannot pay more."
                )
            kind, giver, taker = (
                ("deposit", OUTSIDE, body.account_id) if body.amount > 0 else ("withdrawal", body.account_id, OUTSIDE)
            )
            post(connection, now, kind, body.account_id, [Transfer(USD, giver, taker, abs(body.amount))])
            connection.execute(insert(flows).values(account_id=body.account_id, at=now, kind=kind, amount=body.amount))
            self._note_inflow(connection, body.account_id, body.amount)
        return self.trading_account(body.account_id)

    def set_asset(self, body: SetAsset) -> Asset:
        """Change what may be done with an asset. One that stops being tradable or fractionable makes the portfolios
        that list it `needs_adjustment` and cancels their queued runs (rules.md 2.7); a halt does neither. StateError
        for a delisted one that shall trade again."""
        now = self._clock().now()
        asset = self.get_asset(body.symbol)
        values = {
            name: getattr(body, name)
            for name in ("tradable", "fractionable", "halted")
            if getattr(body, name) is not None
        }
        with self.world.database.write() as connection:
            listed = select(assets.c.delisted_at).where(assets.c.symbol == asset.symbol)
            if body.tradable and connection.scalar(listed) is not None:
                raise StateError(f"{asset.symbol} was delisted, which is for good; it cannot be made tradable again.")
            if values:
                connection.execute(update(assets).where(assets.c.symbol == asset.symbol).values(values))
            if body.tradable is False or body.fractionable is False:
                self._mark_portfolios(connection, asset.symbol, now)
        return self.get_asset(asset.symbol)

    def advance(self, body: Advance) -> Advanced:
        """Move the clock on, worker steps included. StateError (conflict) while another advance is under way."""
        clock = self._clock()
        now = clock.now()
        if (body.to is None) == (body.seconds is None):
            raise InputError("Give either `to` (an instant) or `seconds`, not both.", field="to", received=body.to)
        if body.seconds is not None and body.seconds < 0:
            raise InputError("The clock only moves forward; seconds must be zero or more.", field="seconds")
        target = body.to if body.to is not None else now + timedelta(seconds=body.seconds or 0)
        self._check_prices_reach(target)
        budget = None if body.budget_ms is None else body.budget_ms / 1000
        worked = self.worker.advance(clock, target, budget_seconds=budget)
        return Advanced(
            now=clock.now(),
            target=target,
            done=clock.now() >= target,
            runs_created=worked.runs_created,
            orders_filled=worked.orders_filled,
        )

    def _clock(self) -> SimulatedClock:
        clock = self.world.clock
        if not isinstance(clock, SimulatedClock):
            raise StateError("This backend follows the system clock; simulation is not available here.")
        return clock

    def _simulated_exchange(self) -> Exchange:
        if not isinstance(self.exchange, Exchange):
            raise StateError("The orders of these accounts go to brokerages; simulation is not available here.")
        return self.exchange

    def _clock_of_exchange(self) -> Clock:
        """The clock of a world whose exchange is simulated, whoever moves it: nothing else could bring money there."""
        self._simulated_exchange()
        return self.world.clock

    def _check_prices_reach(self, target: datetime) -> None:
        last = self.world.sessions.on_or_before(self.world.feed.last)
        if target > self.world.sessions.next_open(last.close):
            raise StateError(
                f"Prices end with {last.date} ({self.world.feed.label}); the clock cannot pass the next open."
            )

    def _note_inflow(self, connection: Connection, account_id: str, amount: Decimal) -> None:
        live = (subscriptions.c.account_id == account_id, subscriptions.c.deleted_at.is_(None))
        waiting = connection.scalar(select(subscriptions.c.uninvested_inflow).where(*live))
        if waiting is None:
            return
        # A first run that waited for equity can be evaluated as soon as money is there (rules.md 2.6).
        connection.execute(
            update(subscriptions)
            .where(*live)
            .values(
                uninvested_inflow=max(ZERO, waiting + amount),
                evaluate_flag=or_(subscriptions.c.evaluate_flag, subscriptions.c.subscription_created),
            )
        )

    def _mark_portfolios(self, connection: Connection, symbol: str, now: datetime) -> None:
        for portfolio in self._listing(connection, symbol):
            connection.execute(
                update(portfolios).where(portfolios.c.id == portfolio).values(status="needs_adjustment", updated_at=now)
            )
            note_portfolio_status(connection, portfolio, "active", now)
            for run in (
                connection.execute(
                    select(runs).where(runs.c.portfolio_id == portfolio, runs.c.status == RunStatus.QUEUED)
                )
                .mappings()
                .all()
            ):
                reason = f"{symbol} can no longer be traded; the portfolio needs adjustment."
                set_status(
                    connection, run, RunStatus.CANCELED, now, reason, reason=reason, canceled_at=now, due_at=None
                )

    def _listing(self, connection: Connection, symbol: str) -> list[str]:
        rows = connection.execute(select(portfolios.c.id, portfolios.c.weights).where(portfolios.c.status == "active"))
        return [row.id for row in rows if f'"{symbol}"' in row.weights]


def _check_cents(amount: Decimal, field: str, *, negative: bool = False) -> None:
    if amount != floor_cents(amount) or (amount < 0 and not negative):
        raise InputError(
            f"{field} must be in whole cents{'' if negative else ', zero or more'}; received {amount}.",
            field=field,
            received=amount,
            allowed="USD with two decimals",
        )


def _check_position(position: NewPosition, index: int, price: Decimal | None) -> None:
    field = f"positions[{index}]"
    if price is None:
        raise InputError(
            f"{field}.symbol {position.symbol} has no price here; use an asset that the feed knows.",
            field=f"{field}.symbol",
            received=position.symbol,
        )
    if not ZERO < position.qty <= MOST_SHARES or position.qty != floor_quantity(position.qty):
        raise InputError(
            f"{field}.qty must be positive, at most {MOST_SHARES}, with at most nine decimals; "
            f"received {position.qty}.",
            field=f"{field}.qty",
            received=position.qty,
            allowed="a positive quantity with at most nine decimals",
        )
