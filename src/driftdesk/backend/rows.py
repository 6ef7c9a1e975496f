"""Rows of the store as messages of the wire."""

import json
import uuid
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select

from driftdesk.backend.store.tables import assets, orders
from driftdesk.backend.store.types import Row
from driftdesk.money import exact, round_price
from driftdesk.wire.decisions import Decision
from driftdesk.wire.orders import Order, OrderStatus, OrderUpdate
from driftdesk.wire.portfolios import Condition, Portfolio, Weight
from driftdesk.wire.runs import Run, RunOptions
from driftdesk.wire.subscriptions import Subscription, Waiting

# The column that tells when an order came to its end.
STAMPS: Final = {
    OrderStatus.CANCELED: "canceled_at",
    OrderStatus.EXPIRED: "expired_at",
    OrderStatus.REJECTED: "failed_at",
    OrderStatus.REPLACED: "replaced_at",
    OrderStatus.FILLED: "filled_at",
}


@exact
def average_price(value: Decimal, quantity: Decimal) -> Decimal | None:
    """Value per share, half-up to 0.0001 USD; None without shares."""
    return round_price(value / quantity) if quantity else None


def orders_with_assets(*more: ColumnElement[Any]) -> Select[Any]:
    """Orders, each with id and exchange of its asset and with the columns `more`."""
    # An order for a symbol that is no asset here was rejected, and is told too.
    with_asset = orders.outerjoin(assets, assets.c.symbol == orders.c.symbol)
    return select(orders, assets.c.id.label("asset_id"), assets.c.exchange, *more).select_from(with_asset)


def order_message(row: Row) -> Order:
    """An order as seed 000 shows it; quantities filled are null for a rejected order.

    `row` is one of `orders_with_assets`.
    """
    rejected = row["status"] == "rejected"
    return Order(
        id=row["id"],
        client_order_id=row["client_order_id"],
        created_at=row["submitted_at"],
        updated_at=row["updated_at"],
        submitted_at=row["submitted_at"],
        filled_at=row["filled_at"],
        expired_at=row["expired_at"],
        canceled_at=row["canceled_at"],
        failed_at=row["failed_at"],
        asset_id=row["asset_id"],
        exchange=row["exchange"],
        replaced_at=row["replaced_at"],
        replaced_by=row["replaced_by"],
        replaces=row["replaces"],
        expires_at=row["expires_at"],
        symbol=row["symbol"],
        notional=row["notional"],
        qty=row["quantity"],
        filled_qty=None if rejected else row["filled_quantity"],
        filled_avg_price=average_price(row["filled_value"], row["filled_quantity"]),
        side=row["side"],
        type=row["type"],
        order_type=row["type"],
        time_in_force=row["time_in_force"],
        limit_price=row["limit_price"],
        stop_price=row["stop_price"],
        status=row["status"],
        reject_reason=row["reject_reason"],
    )


def update_message(order: Row, event: Row) -> OrderUpdate:
    """What happened to an order, with the order as it stood then: what came later is not told."""
    stamp = STAMPS.get(event["status"])
    later: dict[str, object] = {name: None for name in STAMPS.values() if name != stamp}
    then = {
        **later,
        "replaced_by": order["replaced_by"] if event["status"] == OrderStatus.REPLACED else None,
        "reject_reason": event["reason"],
        "status": event["status"],
        "filled_qty": event["filled_quantity"],
        "filled_avg_price": average_price(event["filled_value"], event["filled_quantity"]),
        "updated_at": event["at"],
    }
    return OrderUpdate(
        event_id=event["event_id"],
        # Of the same form as an order's id, which the SDK reads as a UUID.
        execution_id=str(uuid.uuid5(uuid.NAMESPACE_OID, event["event_id"])),
        event=event["event"],
        account_id=event["account_id"],
        at=event["at"],
        timestamp=event["at"],
        order=order_message(order).model_copy(update=then),
        price=event["price"],
        qty=event["quantity"],
        position_qty=event["position"],
        reason=event["reason"],
    )


def portfolio_message(row: Row) -> Portfolio:
    """A portfolio with its weights and conditions."""
    return Portfolio(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        status=row["status"],
        cooldown_days=row["cooldown_days"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        weights=tuple(Weight.model_validate(item) for item in json.loads(row["weights"])),
        rebalance_conditions=tuple(Condition.model_validate(item) for item in json.loads(row["conditions"])),
    )


def run_message(row: Row) -> Run:
    """A run without its orders, which stand in tables of their own."""
    return Run(
        id=row["id"],
        type=row["type"],
        amount=row["amount"],
        initiated_from=row["initiated_from"],
        initiated_by=row["initiated_from"],
        status=row["status"],
        reason=row["reason"],
        account_id=row["account_id"],
        portfolio_id=row["portfolio_id"],
        weights=tuple(Weight.model_validate(item) for item in json.loads(row["weights"])),
        completed_at=row["completed_at"],
        canceled_at=row["canceled_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        preview_hash=row["preview_hash"],
        options=RunOptions.model_validate_json(row["options"]) if row["options"] else None,
        trigger=row["trigger"],
    )


def subscription_message(row: Row) -> Subscription:
    """A subscription as seed 000 shows it, with `updated_at` (rules.md 2.2) and what waits for its next evaluation."""
    return Subscription(
        id=row["id"],
        account_id=row["account_id"],
        portfolio_id=row["portfolio_id"],
        last_rebalanced_at=row["last_rebalanced_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        waiting=Waiting(
            portfolio_changed=row["portfolio_changed"],
            subscription_created=row["subscription_created"],
            uninvested_inflow=row["uninvested_inflow"],
            last_evaluated=row["last_evaluated"].isoformat() if row["last_evaluated"] else None,
            last_run_session=row["last_run_session"].isoformat() if row["last_run_session"] else None,
            held=row["held"],
        ),
    )


def decision_message(row: Row) -> Decision:
    """A decision as it was recorded, with the run that came of it."""
    return Decision.model_validate_json(row["body"]).model_copy(update={"run_id": row["run_id"]})
