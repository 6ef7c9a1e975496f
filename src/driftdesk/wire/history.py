"""Portfolio history of an account (wire/alpaca.md 11.7)."""

from pydantic import Field

from driftdesk.wire.base import Answer, WireList
from driftdesk.wire.market import WireNumber


class PortfolioHistory(Answer):
    """Equity and profit (USD) of an account, one entry a session in every list, oldest first.

    `timestamp` is the session's open in Unix seconds, `equity` that of its close. `base_value` is the equity at the
    close before the first entry, 0 for an account that had none. `profit_loss` is what the account earned since:
    equity - base_value - the net flows from the first entry on. `profit_loss_pct` is that over base_value and what came
    in since, as a fraction (0.05 is 5 %); money that left does not make it smaller, and it is null over nothing.
    `cashflow` has the money that came in and left (negative), a list each of the types that were asked for.
    """

    timestamp: WireList[int]
    equity: WireList[WireNumber]
    profit_loss: WireList[WireNumber] = ()
    profit_loss_pct: WireList[WireNumber | None] = ()
    base_value: WireNumber | None = None
    base_value_asof: str | None = None
    timeframe: str
    cashflow: dict[str, WireList[WireNumber]] = Field(default_factory=dict)
