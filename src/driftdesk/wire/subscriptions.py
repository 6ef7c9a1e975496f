"""Subscriptions: an account follows a portfolio (seed 000, rules.md 2.6)."""

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


class Subscription(Answer):
    """An account that follows a portfolio."""

    id: str
    account_id: str
    portfolio_id: str
    last_rebalanced_at: WireTime | None = None
    created_at: WireTime
    updated_at: WireTime | None = None
    waiting: Waiting | None = None


class CreateSubscription(Message):
    """Body of POST /v1/rebalancing/subscriptions."""

    account_id: str
    portfolio_id: str


class SubscriptionPage(Answer):
    """One page of subscriptions."""

    subscriptions: WireList[Subscription]
    next_page_token: str | int | None = None
