"""Decisions: why an account was or was not rebalanced (ours, rules.md 5.8)."""

from driftdesk.wire.base import Answer, WireDecimal, WireList, WireTime


class Trigger(Answer):
    """A condition that fired; `measured` and `limit` in percent."""

    kind: str
    text: str
    symbol: str | None = None
    measured: WireDecimal | None = None
    limit: WireDecimal | None = None
    nominal_date: str | None = None


class Block(Answer):
    """Why a trigger did not become a run; `until` is the first date on which it can."""

    kind: str
    text: str
    until: str | None = None


class Decision(Answer):
    """One evaluation of one account in one session; `session` is its New York date."""

    id: str
    account_id: str
    portfolio_id: str
    session: str
    at: WireTime
    outcome: str
    run_type: str | None = None
    run_id: str | None = None
    triggers: WireList[Trigger] = ()
    blocks: WireList[Block] = ()
    summary: str = ""


class DecisionPage(Answer):
    """One page of decisions, newest first."""

    decisions: WireList[Decision]
    next_page_token: str | int | None = None
