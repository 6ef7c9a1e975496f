"""Accounts: money, positions, orders, history, activities (wire/alpaca.md 11.1-11.4, 11.7)."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Final

from driftdesk.client.resources.paging import segment
from driftdesk.client.transport import QueryValue, Transport
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.wire.accounts import (
    Account,
    AccountConfiguration,
    BulkPositions,
    EquityHistory,
    Position,
    TradingAccount,
)
from driftdesk.wire.activities import Activity
from driftdesk.wire.arrow import MEDIA_TYPE, positions_from_arrow
from driftdesk.wire.base import write_time
from driftdesk.wire.history import PortfolioHistory

_ACTIVITIES_A_PAGE: Final = 100


class Accounts:
    """`client.accounts`. Every method raises BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        query: str | None = None,
        status: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        sort: str = "asc",
    ) -> tuple[Account, ...]:
        """Accounts of the correspondent in order of opening, or newest first where `sort` is ``desc``.

        Filters are ANDed: words of `query` in number or name, a status, and instants between which it was opened.
        """
        filters: dict[str, QueryValue] = {
            "query": query,
            "status": status,
            "created_after": _time(created_after),
            "created_before": _time(created_before),
            "sort": sort,
        }
        return self._transport.get(tuple[Account, ...], "/v1/accounts", filters)

    def get(self, account_id: str) -> Account:
        """One account; BackendNotFound where there is none."""
        return self._transport.get(Account, f"/v1/accounts/{segment(account_id)}")

    def trading(self, account_id: str) -> TradingAccount:
        """Cash, equity and buying power in USD."""
        return self._transport.get(TradingAccount, f"{_trading(account_id)}/account")

    def configuration(self, account_id: str) -> AccountConfiguration:
        """What the account may do: fractions, margin, short sales."""
        return self._transport.get(AccountConfiguration, f"{_trading(account_id)}/account/configurations")

    def positions(self, account_id: str) -> tuple[Position, ...]:
        """What the account holds."""
        return self._transport.get(tuple[Position, ...], f"{_trading(account_id)}/positions")

    def position(self, account_id: str, symbol: str) -> Position:
        """The account's position in `symbol`, or in the asset with that id; BackendNotFound where it has none."""
        return self._transport.get(Position, f"{_trading(account_id)}/positions/{segment(symbol)}")

    def all_positions(self) -> BulkPositions:
        """Positions and cash of every account in one answer: as Arrow where the backend speaks it, else as JSON."""
        return self._transport.get_as(BulkPositions, "/v1/accounts/positions", MEDIA_TYPE, positions_from_arrow)

    def equity_history(self, account_id: str) -> EquityHistory:
        """Equity, cash and flows (USD) at the close of each session (ours)."""
        return self._transport.get(EquityHistory, f"/v1/accounts/{segment(account_id)}/equity_history")

    def portfolio_history(
        self,
        account_id: str,
        *,
        period: str | None = None,
        start: date | None = None,
        end: date | None = None,
        cashflow_types: str | None = None,
    ) -> PortfolioHistory:
        """Equity and profit (USD) of each session from `start` to `end` (dates), or of a `period` such as 3M.

        `cashflow_types`: ALL, or activity types separated by commas.
        """
        query: dict[str, QueryValue] = {
            "period": period,
            "timeframe": "1D",
            # The real backend takes a time here and no date; noon in New York is in the same day everywhere.
            "start": None if start is None else datetime.combine(start, time(12), NEW_YORK).isoformat(),
            "date_end": None if end is None else end.isoformat(),
            "cashflow_types": cashflow_types,
        }
        return self._transport.get(PortfolioHistory, f"{_trading(account_id)}/account/portfolio/history", query)

    def activities(
        self,
        account_id: str | None = None,
        *,
        types: Sequence[str] = (),
        after: datetime | None = None,
        until: datetime | None = None,
        direction: str = "desc",
        max_items: int | None = None,
    ) -> tuple[Activity, ...]:
        """Fills, deposits and withdrawals, newest first unless `direction` is ``asc``: all pages, at most `max_items`.

        `types` as in FILL, CSD, CSW (none: all); `after` and `until` are instants, both excluded.
        """
        query: dict[str, QueryValue] = {
            "account_id": account_id,
            "activity_types": ",".join(types) or None,
            "after": _time(after),
            "until": _time(until),
            "direction": direction,
        }
        found: dict[str, Activity] = {}
        while max_items is None or len(found) < max_items:
            wanted = _ACTIVITIES_A_PAGE if max_items is None else min(_ACTIVITIES_A_PAGE, max_items - len(found))
            page = self._transport.get(tuple[Activity, ...], "/v1/accounts/activities", {**query, "page_size": wanted})
            fresh = [activity for activity in page if activity.id not in found]
            # An empty page ends the list; one that repeats would never end it.
            if not fresh:
                break
            found |= {activity.id: activity for activity in fresh}
            query["page_token"] = page[-1].id
        return tuple(found.values())[:max_items]


def _trading(account_id: str) -> str:
    return f"/v1/trading/accounts/{segment(account_id)}"


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else write_time(instant)
