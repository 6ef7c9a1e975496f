"""Order types, times in force and events; the ledger; faults; splits.

A world made before has balances without entries: they are carried into the ledger as they stand, so that balances are
sums of entries from the first moment. Its open orders are day orders and expire at the close of their session.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

from driftdesk.market_calendar import new_york_sessions
from driftdesk.money import format_decimal, from_scaled

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_POSITIONS = (
    "SELECT p.account_id, p.symbol, p.quantity, a.created_at FROM positions p JOIN accounts a ON a.id = p.account_id"
)
_CASH_DECIMALS, _QUANTITY_DECIMALS = 2, 9


def upgrade() -> None:
    op.create_table(
        "faults",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("symbol", sa.String(length=20), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    ledger = op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reference", sa.String(length=40), nullable=False),
        sa.Column("asset", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=36), nullable=False),
        sa.Column("target", sa.String(length=36), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "order_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("filled_quantity", sa.BigInteger(), nullable=False),
        sa.Column("filled_value", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_order_events_order_id", "order_events", ["order_id"], unique=False)
    with op.batch_alter_table("assets") as batch:
        batch.add_column(sa.Column("split_to", sa.Integer(), server_default="1", nullable=False))
        batch.add_column(sa.Column("split_from", sa.Integer(), server_default="1", nullable=False))
        batch.add_column(sa.Column("delisted_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("type", sa.String(length=10), server_default="market", nullable=False))
        batch.add_column(sa.Column("time_in_force", sa.String(length=3), server_default="day", nullable=False))
        batch.add_column(sa.Column("limit_price", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("stop_price", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("stopped_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("replaced_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("replaced_by", sa.String(length=36), nullable=True))
        batch.add_column(sa.Column("replaces", sa.String(length=36), nullable=True))
        batch.add_column(sa.Column("expires_at", sa.BigInteger(), nullable=True))
    _carry_balances(ledger)
    _date_open_orders()


def _carry_balances(ledger: sa.Table) -> None:
    connection = op.get_bind()
    held = [
        *connection.execute(sa.text("SELECT id, 'USD', cash, created_at FROM accounts")),
        *connection.execute(sa.text(_POSITIONS)),
    ]
    entries = []
    for account, asset, count, created_at in held:
        amount: Decimal = from_scaled(abs(count), _CASH_DECIMALS if asset == "USD" else _QUANTITY_DECIMALS)
        giver, taker = ("outside", account) if count > 0 else (account, "outside")
        entries.append(
            {
                "at": created_at,
                "kind": "carried",
                "reference": account,
                "asset": asset,
                "source": giver,
                "target": taker,
                "amount": format_decimal(amount),
            }
        )
    entries = [entry for entry in entries if entry["amount"] != "0"]
    if entries:
        op.bulk_insert(ledger, entries)


def _date_open_orders() -> None:
    connection = op.get_bind()
    still_open = connection.execute(sa.text("SELECT id, submitted_at FROM orders WHERE due_at IS NOT NULL")).all()
    for order_id, submitted_at in still_open:
        close = new_york_sessions().current_or_next(_EPOCH + submitted_at * _MICROSECOND).close
        connection.execute(
            sa.text("UPDATE orders SET expires_at = :close WHERE id = :id"),
            {"close": (close - _EPOCH) // _MICROSECOND, "id": order_id},
        )


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        for name in (
            "type",
            "time_in_force",
            "limit_price",
            "stop_price",
            "stopped_at",
            "replaced_at",
            "replaced_by",
            "replaces",
            "expires_at",
        ):
            batch.drop_column(name)
    with op.batch_alter_table("assets") as batch:
        for name in ("split_to", "split_from", "delisted_at"):
            batch.drop_column(name)
    for table in ("order_events", "ledger", "faults"):
        op.drop_table(table)
