"""Connected accounts, users of the SnapTrade routes, and an index for what is open in an account."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = "open_orders_by_account"


def upgrade() -> None:
    op.create_table(
        "snaptrade_users",
        sa.Column("user_id", sa.String(length=100), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id"),
    )
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("refusal", sa.Text(), nullable=True))
        batch.add_column(sa.Column("problem", sa.Text(), nullable=True))
        batch.add_column(sa.Column("notes", sa.Text(), nullable=False, server_default="[]"))
    with op.batch_alter_table("assets") as batch:
        batch.add_column(sa.Column("asset_class", sa.String(length=20), nullable=False, server_default="us_equity"))
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("broker_order_id", sa.String(length=64), nullable=True))
        batch.create_index(
            _OPEN,
            ["account_id", "side", "symbol", "reserved"],
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_index(_OPEN)
        batch.drop_column("broker_order_id")
    with op.batch_alter_table("assets") as batch:
        batch.drop_column("asset_class")
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("notes")
        batch.drop_column("problem")
        batch.drop_column("refusal")
    op.drop_table("snaptrade_users")
