"""What runs know of a broker: submit, find by client order id, cancel. Nothing else (architecture.md)."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from driftdesk.engine.snapshot import AccountId, Side, Symbol
from driftdesk.wire.orders import FINAL_ORDER_STATUSES, OrderStatus, OrderType, TimeInForce


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order by `notional` (USD) or by `quantity` (shares), exactly one of them; a run's are market day orders."""

    account_id: AccountId
    client_order_id: str
    symbol: Symbol
    side: Side
    notional: Decimal | None = None
    quantity: Decimal | None = None
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker knows it. `filled_cash` is what it moved in USD, always positive."""

    id: str
    client_order_id: str
    status: OrderStatus
    filled_quantity: Decimal
    filled_cash: Decimal
    reason: str | None = None

    @property
    def final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in FINAL_ORDER_STATUSES


class Broker(Protocol):
    """Where a run's orders go. `grace`: how long an order that was sent may be missing from `find`.

    Of an order that is missing for longer, `in_doubt` says whether it may have been received all the same: a broker
    that does not know orders by client order id cannot tell, and the run stops for a person (rules.md 7.6). One that is
    in no doubt is sent again.

    Orders are submitted inside `sending`, in which a broker may gather them; it has them once that ends. `submit`
    raises BackendError (Unavailable) when it is not known whether the order arrived. `cancel` says whether the order is
    final now; where it is not yet, the broker could not be reached (BackendError) or takes no cancels (StateError), the
    run asks again.
    """

    grace: timedelta

    def sending(self) -> AbstractContextManager[None]: ...

    def submit(self, request: OrderRequest, now: datetime) -> BrokerOrder: ...

    def find(self, account_id: AccountId, client_order_ids: Collection[str]) -> dict[str, BrokerOrder]: ...

    def cancel(self, account_id: AccountId, client_order_id: str, now: datetime) -> bool: ...

    def in_doubt(self, account_id: AccountId, client_order_ids: Collection[str]) -> Collection[str]: ...

    def next_update(self, account_id: AccountId, now: datetime) -> datetime: ...
