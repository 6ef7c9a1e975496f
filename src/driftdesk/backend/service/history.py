"""Equity of an account at each close, and its portfolio history (wire/alpaca.md 11.7).

Both are read from the closes that were written down: what an account was once worth does not change afterwards.
"""

import calendar
import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from driftdesk.backend.service.activities import ACTIVITY_TYPES, parse_types
from driftdesk.backend.service.base import Base
from driftdesk.backend.service.entries import CashMove, cash_moves
from driftdesk.backend.service.holdings import fraction
from driftdesk.backend.store.tables import equity_days
from driftdesk.engine.schedule import new_york_date
from driftdesk.errors import InputError
from driftdesk.money import ZERO, exact
from driftdesk.wire.accounts import EquityHistory, EquityPoint
from driftdesk.wire.history import PortfolioHistory

TIMEFRAME: Final = "1D"
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})([DWMA])")
_MONTHS_A_YEAR: Final = 12

_Day = Row[*tuple[Any, ...]]


class History(Base):
    """What accounts were worth."""

    def equity_history(self, account_id: str) -> EquityHistory:
        """Equity at each close, oldest first."""
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            days = _days(connection, account_id)
        return EquityHistory(
            account_id=account_id,
            points=tuple(
                EquityPoint(date=day.session.isoformat(), equity=day.equity, cash=day.cash, flow=day.flow)
                for day in days
            ),
        )

    @exact
    def portfolio_history(
        self,
        account_id: str,
        *,
        period: str | None = None,
        start: date | None = None,
        end: date | None = None,
        cashflow_types: str = "NONE",
    ) -> PortfolioHistory:
        """The closes from `start` to `end` (New York dates, both included), or of the `period` up to `end`.

        `end` is today where it is not given, `period` 1M: so many sessions (D), weeks (W), months (M) or years (A).
        `cashflow_types` is ALL, NONE, or types separated by commas. InputError for `start` with `period`, and for a
        period or a type that does not exist.
        """
        types = _cashflow_types(cashflow_types)
        last = end or new_york_date(self.world.now())
        with self.world.database.read() as connection:
            self.world.account_row(connection, account_id)
            days = [day for day in _days(connection, account_id) if day.session <= last]
            moves = cash_moves(connection, account_id) if types != () else []
        index = _begin(start, period, last, days)
        base, window = (days[index - 1] if index else None), days[index:]
        base_value = ZERO if base is None else base.equity
        flows = list(accumulate(day.flow for day in window))
        came_in = list(accumulate(max(ZERO, day.flow) for day in window))
        profits = [day.equity - base_value - flow for day, flow in zip(window, flows, strict=True)]
        sessions = [self.world.sessions.on_or_before(day.session) for day in window]
        return PortfolioHistory(
            timestamp=tuple(int(session.open.timestamp()) for session in sessions),
            equity=tuple(day.equity for day in window),
            profit_loss=tuple(profits),
            profit_loss_pct=tuple(
                fraction(profit, base_value + paid) for profit, paid in zip(profits, came_in, strict=True)
            ),
            base_value=base_value,
            base_value_asof=None if base is None else base.session.isoformat(),
            timeframe=TIMEFRAME,
            cashflow=self._cashflow(types, moves, base, [session.close for session in sessions]),
        )

    def _cashflow(
        self, types: Sequence[str] | None, moves: Sequence[CashMove], base: _Day | None, closes: Sequence[datetime]
    ) -> dict[str, tuple[Decimal, ...]]:
        """The money of each of `types` (None: of those that occur) that moved up to each close since the one before."""
        since = None if base is None else self.world.sessions.on_or_before(base.session).close
        found: dict[str, list[Decimal]] = {kind: [ZERO] * len(closes) for kind in types or ()}
        for at, kind, amount in moves:
            index = bisect_left(closes, at)
            if index == len(closes) or (since is not None and at <= since) or (types is not None and kind not in types):
                continue
            found.setdefault(kind, [ZERO] * len(closes))[index] += amount
        return {kind: tuple(amounts) for kind, amounts in found.items()}


def _days(connection: Connection, account_id: str) -> Sequence[_Day]:
    """The closes of an account, oldest first."""
    return connection.execute(
        select(equity_days).where(equity_days.c.account_id == account_id).order_by(equity_days.c.session)
    ).all()


def _position(start: date, days: Sequence[_Day]) -> int:
    return bisect_left(days, start, key=lambda day: day.session)


def _begin(start: date | None, period: str | None, last: date, days: Sequence[_Day]) -> int:
    """Where the window that ends with `last` begins among `days`."""
    if start is None:
        return _first_of(period or "1M", last, days)
    if period is not None:
        raise InputError(
            "start and period cannot be used together here; give start and end, or a period and its end.",
            field="period",
            received=period,
            allowed="either start or period",
        )
    return _position(start, days)


def _first_of(period: str, last: date, days: Sequence[_Day]) -> int:
    """Where the period that ends with `last` begins among `days`."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise InputError(
            f"period must be a number and a unit, as in 5D, 2W, 1M or 1A (sessions, weeks, months, years); "
            f"received {period!r}.",
            field="period",
            received=period,
            allowed="a number and D, W, M or A",
        )
    count = int(match[1])
    match match[2]:
        case "D":
            return max(0, len(days) - count)
        case "W":
            before = last - timedelta(weeks=min(count, last.toordinal() // 7))
        case "M":
            before = _months_before(last, count)
        case _:
            before = _months_before(last, count * _MONTHS_A_YEAR)
    return _position(before + timedelta(days=1), days)


def _months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * _MONTHS_A_YEAR + day.month - 1 - months, _MONTHS_A_YEAR)
    if year < date.min.year:
        return date.min
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _cashflow_types(text: str) -> tuple[str, ...] | None:
    """The types that were asked for, None for all."""
    match text.upper():
        case "ALL":
            return None
        case "NONE" | "":
            return ()
        case _:
            return parse_types([text], field="cashflow_types", allowed=("ALL", "NONE", *ACTIVITY_TYPES))
