"""Accounts, balances and positions of the SnapTrade routes (wire/snaptrade.md 4)."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from driftdesk.backend.service.snaptrade.connection import NAME
from driftdesk.backend.service.snaptrade.symbols import USD, instrument, universal_symbol
from driftdesk.backend.service.snaptrade.users import Users
from driftdesk.backend.store.tables import accounts, assets
from driftdesk.backend.store.types import Row
from driftdesk.money import ZERO
from driftdesk.wire.snaptrade.accounts import Balance, DataFreshness, HoldingsSync, Position, Positions, SyncStatus
from driftdesk.wire.snaptrade.served import (
    AccountTotal,
    ApiStatus,
    BalancesV2,
    CurrencyAmount,
    InvestmentAccount,
    InvestmentAccounts,
    Money,
    OlderAccount,
    OlderPosition,
    PositionSymbol,
)

# Of the answer's shape; it has not changed yet.
_VERSION: Final = 1
_STATUSES: Final = {"ACTIVE": "open", "ACCOUNT_CLOSED": "closed"}
_CODE: Final = "USD"
_DIGITS_SHOWN: Final = 4
# No account here borrows, and none of its money is real.
_RAW_TYPE, _CASH = "Cash", "cash"

_ASSETS: Final = select(assets, assets.c.id.label("asset_id"))


class Accounts(Users):
    """What accounts are and hold, by the world's clock. NotFound for an unknown account."""

    def status(self) -> ApiStatus:
        """That the service is there, and the instant of its market."""
        return ApiStatus(version=_VERSION, timestamp=self._world.now(), online=True)

    def list_accounts(self) -> InvestmentAccounts:
        """Every account in the newer shape, by number."""
        as_of = self._as_of()
        return InvestmentAccounts(results=tuple(self._newer(row, total, as_of) for row, total in self._totals()))

    def list_older_accounts(self) -> list[OlderAccount]:
        """Every account in the older shape, by number."""
        as_of = self._as_of()
        return [self._older(row, total, as_of) for row, total in self._totals()]

    def account(self, account_id: str) -> InvestmentAccount:
        """One account in the newer shape."""
        return self._newer(*self._total(account_id), self._as_of())

    def older_account(self, account_id: str) -> OlderAccount:
        """One account in the older shape."""
        return self._older(*self._total(account_id), self._as_of())

    def balances(self, account_id: str) -> list[Balance]:
        """Cash and what of it no open order reserves, in USD, the only currency here."""
        money = self._service.trading_account(account_id)
        return [Balance(currency=USD, cash=money.cash, buying_power=money.buying_power)]

    def balances_v2(self, account_id: str) -> BalancesV2:
        """The same in the newer shape, with the account's value."""
        money = self._service.trading_account(account_id)
        return BalancesV2(
            account_id=account_id,
            cash_or_margin=_CASH,
            net_value=CurrencyAmount(currency=_CODE, amount=money.equity),
            cash=(CurrencyAmount(currency=_CODE, amount=money.cash),),
            buying_power=(CurrencyAmount(currency=_CODE, amount=money.buying_power, basis=_CASH),),
            margin=None,
            data_freshness=DataFreshness(as_of=self._as_of()),
        )

    def positions(self, account_id: str) -> Positions:
        """Everything held, by symbol, with its price now and its cost per share."""
        listed = self._listed()
        held = tuple(
            Position(
                instrument=instrument(listed[position.symbol]),
                units=position.qty,
                price=position.current_price,
                cost_basis=position.avg_entry_price,
                currency=_CODE,
            )
            for position in self._service.positions(account_id)
        )
        return Positions(results=held, data_freshness=DataFreshness(as_of=self._as_of()))

    def older_positions(self, account_id: str) -> list[OlderPosition]:
        """The same in the older shape."""
        listed = self._listed()
        return [
            OlderPosition(
                symbol=PositionSymbol(
                    id=self._symbol_id(account_id, position.symbol),
                    symbol=universal_symbol(listed[position.symbol]),
                    description=listed[position.symbol]["name"],
                ),
                units=position.qty,
                price=position.current_price,
                open_pnl=position.unrealized_pl,
                average_purchase_price=position.avg_entry_price,
                currency=USD,
                cash_equivalent=False,
            )
            for position in self._service.positions(account_id)
        ]

    def _symbol_id(self, account_id: str, symbol: str) -> str:
        """The id of a security within an account: an old field of SnapTrade, stable here."""
        return self._world.new_id("snaptrade", account_id, symbol)

    def _listed(self) -> dict[str, Row]:
        with self._world.database.read() as connection:
            return {row["symbol"]: row for row in connection.execute(_ASSETS).mappings()}

    def _totals(self) -> list[tuple[Row, Decimal]]:
        """Every account with its value in USD; a holding without a price counts as zero, as in its positions."""
        with self._world.database.read() as connection:
            held = self._service.all_positions()
            rows = connection.execute(select(accounts).order_by(accounts.c.number)).mappings().all()
        return [
            (row, sum((position.market_value or ZERO for position in held.positions[row["id"]]), row["cash"]))
            for row in rows
        ]

    def _total(self, account_id: str) -> tuple[Row, Decimal]:
        with self._world.database.read() as connection:
            row = self._world.account_row(connection, account_id)
        return row, self._service.trading_account(account_id).equity

    def _newer(self, row: Row, total: Decimal, as_of: datetime) -> InvestmentAccount:
        return InvestmentAccount(
            kind="investment",
            id=row["id"],
            connection_id=self.connection_id,
            display_name=row["name"] or None,
            masked_account_number=f"****{row['number'][-_DIGITS_SHOWN:]}",
            institution_account_id=row["number"],
            raw_type=_RAW_TYPE,
            cash_or_margin=_CASH,
            sync_status=SyncStatus(positions=as_of, balances=as_of, orders=as_of),
            is_paper=True,
            net_value=Money(amount=total, currency=_CODE),
        )

    def _older(self, row: Row, total: Decimal, as_of: datetime) -> OlderAccount:
        synced = HoldingsSync(initial_sync_completed=True, last_successful_sync=as_of, holdings_unavailable=False)
        return OlderAccount(
            id=row["id"],
            brokerage_authorization=self.connection_id,
            name=row["name"] or None,
            number=row["number"],
            institution_account_id=row["number"],
            institution_name=NAME,
            created_date=row["created_at"],
            sync_status=SyncStatus(holdings=synced),
            balance=AccountTotal(total=Money(amount=total, currency=_CODE)),
            status=_STATUSES.get(row["status"], "unavailable"),
            raw_type=_RAW_TYPE,
            account_category="INVESTMENT",
            is_paper=True,
        )
