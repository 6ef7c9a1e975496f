"""The equity history of an account from what the real API tells of it: its portfolio history (wire/alpaca.md 11.7)."""

from datetime import UTC, datetime
from typing import Final

from driftdesk.client import Client
from driftdesk.engine.schedule import new_york_date
from driftdesk.money import ZERO
from driftdesk.wire.accounts import EquityHistory, EquityPoint

A_YEAR: Final = "1A"
# Money that a person brings in or takes out: deposits, withdrawals, cash journals.
FLOWS: Final = "CSD,CSW,JNLC"


def equity_history(client: Client, account_id: str) -> EquityHistory:
    """Equity (USD) of the sessions of the last year, with the net money that came in; cash is not told."""
    told = client.accounts.portfolio_history(account_id, period=A_YEAR, cashflow_types=FLOWS)
    points = tuple(
        EquityPoint(
            date=new_york_date(datetime.fromtimestamp(second, UTC)).isoformat(),
            equity=equity,
            flow=sum((flows[at] for flows in told.cashflow.values() if at < len(flows)), ZERO),
        )
        for at, (second, equity) in enumerate(zip(told.timestamp, told.equity, strict=False))
    )
    return EquityHistory(account_id=account_id, points=points)
