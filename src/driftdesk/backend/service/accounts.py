"""Accounts, their money, what they may do, and their orders (wire/alpaca.md 11.1, 11.2, 11.4, 11.7)."""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, select

from driftdesk.backend.service.base import Base
from driftdesk.backend.store.tables import accounts, equity_days, positions
from driftdesk.backend.store.types import Row
from driftdesk.engine.snapshot import Symbol
from driftdesk.money import ONE, ZERO, exact, round_cents
from driftdesk.wire.accounts import Account, AccountConfiguration, TradingAccount


class Accounts(Base):
    """Use cases that only read."""

    def list_accounts(
        self,
        *,
        query: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        statuses: Iterable[str] = (),
        descending: bool = False,
    ) -> list[Account]:
        """Accounts in order of creation, then number; filters are ANDed, both instants are excluded.

        `query` is words, each of which must stand in the number or the name, in either case of letters.
        """
        chosen = select(accounts)
        if created_after is not None:
            chosen = chosen.where(accounts.c.created_at > created_after)
        if created_before is not None:
            chosen = chosen.where(accounts.c.created_at < created_before)
        if wanted := list(statuses):
            chosen = chosen.where(accounts.c.status.in_(wanted))
        created, number = accounts.c.created_at, accounts.c.number
        order = (created.desc(), number.desc()) if descending else (created, number)
        with self.world.database.read() as connection:
            # A database tells capitals only of the letters that English has.
            words = query.casefold().split()
            rows = [
                row
                for row in connection.execute(chosen.order_by(*order)).mappings()
                if all(word in row["number"].casefold() or word in row["name"].casefold() for word in words)
            ]
            last = self._last_days(connection)
            # An account younger than the last close stands at what it is worth now.
            worth = self._worth(connection) if any(row["id"] not in last for row in rows) else {}
        return [
            _account(row, last[row["id"]]["equity"] if row["id"] in last else _equity(row, worth.get(row["id"], ZERO)))
            for row in rows
        ]

    def get_account(self, account_id: str) -> Account:
        """One account; NotFound without it."""
        with self.world.database.read() as connection:
            row = self.world.account_row(connection, account_id)
            last = self._last_days(connection, account_id).get(account_id)
            equity = last["equity"] if last else _equity(row, self._worth(connection, account_id).get(account_id, ZERO))
        return _account(row, equity)

    def trading_account(self, account_id: str) -> TradingAccount:
        """The money of one account: a cash account, which borrows nothing and may spend what no open order reserves.

        Proceeds of sales are free at once (rules.md 1.4), so what can be spent can be withdrawn. Nothing here charges
        fees or keeps transfers waiting.
        """
        now = self.world.now()
        with self.world.database.read() as connection:
            row = self.world.account_row(connection, account_id)
            free = self.world.free_cash(connection, account_id)
            worth = round_cents(self._worth(connection, account_id).get(account_id, ZERO))
            last = self._last_days(connection, account_id).get(account_id)
        session = self.world.sessions.latest_opened(now)
        closed = session if session.close <= now else self.world.sessions.before(session.date)
        equity = row["cash"] + worth
        last_cash = last["cash"] if last else None
        last_worth = last["equity"] - last["cash"] if last else None
        return TradingAccount(
            id=account_id,
            account_number=row["number"],
            status=row["status"],
            created_at=row["created_at"],
            cash=row["cash"],
            equity=equity,
            portfolio_value=equity,
            last_equity=last["equity"] if last else equity,
            multiplier=ONE,
            buying_power=free,
            effective_buying_power=free,
            non_marginable_buying_power=free,
            regt_buying_power=free,
            long_market_value=worth,
            short_market_value=ZERO,
            position_market_value=worth,
            initial_margin=worth,
            maintenance_margin=ZERO,
            accrued_fees=ZERO,
            pending_transfer_in=ZERO,
            pending_transfer_out=ZERO,
            pending_reg_taf_fees=ZERO,
            memoposts=ZERO,
            cash_withdrawable=free,
            cash_transferable=free,
            previous_close=closed.close,
            last_long_market_value=last_worth,
            last_short_market_value=ZERO if last else None,
            last_cash=last_cash,
            last_initial_margin=last_worth,
            last_maintenance_margin=ZERO if last else None,
            # What orders that rest overnight reserved at the close is not kept.
            last_regt_buying_power=last_cash,
            last_buying_power=last_cash,
            balance_asof=last["session"].isoformat() if last else None,
        )

    def account_configuration(self, account_id: str) -> AccountConfiguration:
        """What every account here may do: trade fractions, with its own money, long only. NotFound without it."""
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
        return AccountConfiguration(
            fractional_trading=True,
            max_margin_multiplier=ONE,
            no_shorting=True,
            suspend_trade=False,
            trade_confirm_email="none",
        )

    def _last_days(self, connection: Connection, account_id: str | None = None) -> dict[str, Row]:
        """The row of the last close of each account, or of one; accounts younger than that are missing."""
        last = select(func.max(equity_days.c.session)).scalar_subquery()
        query = select(equity_days).where(equity_days.c.session == last)
        if account_id is not None:
            query = query.where(equity_days.c.account_id == account_id)
        return {row["account_id"]: row for row in connection.execute(query).mappings()}

    @exact
    def _worth(self, connection: Connection, account_id: str | None = None) -> dict[str, Decimal]:
        """Market value of each account's holdings; one without a price counts as zero, as in its positions."""
        market = self.world.market(connection, self.world.now())
        query = select(positions.c.account_id, positions.c.symbol, positions.c.quantity)
        if account_id is not None:
            query = query.where(positions.c.account_id == account_id)
        worth: dict[str, Decimal] = {}
        for row in connection.execute(query):
            price = market.quote(Symbol(row.symbol)).price or ZERO
            worth[row.account_id] = worth.get(row.account_id, ZERO) + row.quantity * price
        return worth


def _equity(row: Row, worth: Decimal) -> Decimal:
    return round_cents(row["cash"] + worth)


def _account(row: Row, last_equity: Decimal) -> Account:
    return Account(
        id=row["id"],
        account_number=row["number"],
        status=row["status"],
        last_equity=last_equity,
        created_at=row["created_at"],
        name=row["name"],
        problem=row["problem"],
        refusal=row["refusal"],
        notes=json.loads(row["notes"]),
    )
