"""Subscriptions: an account follows a portfolio (seed 000, rules.md 2.6)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from driftdesk.money import ZERO
from driftdesk.wire.base import Answer, Message, WireDecimal, WireList, WireTime


class Waiting(Answer):
    """What waits for a subscription's next evaluation (ours, rules.md 2.4, 2.6, 5.1, 5.6, 5.7). USD, New York date."""

    portfolio_changed: bool = False
    subscription_created: bool = False
    uninvested_inflow: WireDecimal = ZERO
    last_evaluated: str | None = None
    last_run_session: str | None = None
    held: str | None = None


class TradeMarker(StrEnum):
    """Whose decision the trades of a subscription are (wire/alpaca.md 7, 2026-11-12)."""

    DISCRETIONARY = "discretionary"
    UNSOLICITED = "unsolicited"


class Subscription(Answer):
    """An account that follows a portfolio. `trade_marker` is None for those made before markers, and on ours."""

    id: str
    account_id: str
    portfolio_id: str
    last_rebalanced_at: WireTime | None = None
    created_at: WireTime
    updated_at: WireTime | None = None
    trade_marker: Annotated[TradeMarker | str | None, Field(union_mode="left_to_right")] = None
    waiting: Waiting | None = None


class CreateSubscription(Message):
    """Body of POST /v1/rebalancing/subscriptions.

    Left out, `trade_marker` means discretionary to the real API, which refuses that (422) unless the adviser is
    registered as discretionary; unsolicited is always allowed. Ours takes it and makes nothing of it.
    """

    account_id: str
    portfolio_id: str
    trade_marker: str | None = None


class SubscriptionPage(Answer):
    """One page of subscriptions."""

    subscriptions: WireList[Subscription]
    next_page_token: str | int | None = None
