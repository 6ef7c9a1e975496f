"""What saving a changed portfolio would do, account by account: before and after as one table."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Protocol

import pandas as pd

from driftdesk.engine.decision import Decision, Outcome
from driftdesk.engine.plan import RunType
from driftdesk.figures.book import account_name
from driftdesk.figures.text import count_of, money, percent_cell
from driftdesk.wire.accounts import Account


class ProposedCase(Protocol):
    """What a row needs of one evaluation; money in USD, turnover a fraction of the account's equity."""

    @property
    def decision(self) -> Decision: ...
    @property
    def waits(self) -> bool: ...
    @property
    def orders(self) -> int: ...
    @property
    def notional(self) -> Decimal: ...
    @property
    def turnover(self) -> Decimal: ...


class ProposedAccount(Protocol):
    """An account under the portfolio of today and under the draft; `driftdesk.propose` gives such rows."""

    @property
    def account(self) -> Account: ...
    @property
    def now(self) -> ProposedCase: ...
    @property
    def changed(self) -> ProposedCase: ...


WAITS: Final = "Waits"
NOTHING_DUE: Final = "Nothing due"
NOTHING_SENT: Final = "Nothing to send"
_RUNS: Final = {RunType.FULL_REBALANCE: "Would rebalance", RunType.INVEST_CASH: "Would invest cash"}
_COLUMNS: Final = ["Account", "As it is", "Changed", "Orders", "Notional", "Turnover %", "Why", "Account id"]


def outcome_words(case: ProposedCase) -> str:
    """What comes of one evaluation, in two or three words."""
    decision = case.decision
    if decision.outcome is Outcome.RUN:
        return _RUNS[decision.run_type or RunType.FULL_REBALANCE]
    if case.waits:
        return WAITS
    return NOTHING_DUE if decision.outcome is Outcome.NOT_DUE else NOTHING_SENT


def proposal_table(accounts: Sequence[ProposedAccount]) -> pd.DataFrame:
    """One row an account, the largest notional first. `Orders`, `Notional` (USD) and `Turnover %` (of the account's
    equity, one way) are those under the changed portfolio, also where they have to wait."""
    rows = [
        {
            "Account": account_name(row.account),
            "As it is": outcome_words(row.now),
            "Changed": outcome_words(row.changed),
            "Orders": row.changed.orders,
            "Notional": row.changed.notional,
            "Turnover %": percent_cell(row.changed.turnover),
            "Why": row.changed.decision.summary,
            "Account id": row.account.id,
        }
        for row in sorted(accounts, key=lambda row: (-row.changed.notional, account_name(row.account).casefold()))
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def proposal_alt(accounts: Sequence[ProposedAccount]) -> str:
    """How many accounts would trade, at once and later, and how much."""
    now = [row.changed for row in accounts if row.changed.decision.outcome is Outcome.RUN]
    later = [row.changed for row in accounts if row.changed.waits]
    orders, notional = sum(case.orders for case in now), sum((case.notional for case in now), Decimal(0))
    return (
        f"{len(now)} of {count_of(len(accounts), 'account')} would trade at the next evaluation: "
        f"{count_of(orders, 'order')} for {money(notional)}; {len(later)} more would have to wait."
    )
