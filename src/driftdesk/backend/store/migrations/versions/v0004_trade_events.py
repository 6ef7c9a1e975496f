"""Every event of an order has an id of its own, a ULID, by which streams are resumed.

Events of a world made before get theirs in the order in which they were written, from the instants they tell of.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from driftdesk.backend.events.outbox import next_event_id

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INDEX = "ix_order_events_event_id"


def upgrade() -> None:
    with op.batch_alter_table("order_events") as batch:
        batch.add_column(sa.Column("event_id", sa.String(length=26), nullable=True))
    _name_old_events()
    with op.batch_alter_table("order_events") as batch:
        batch.alter_column("event_id", existing_type=sa.String(length=26), nullable=False)
        batch.create_index(_INDEX, ["event_id"], unique=True)


def _name_old_events() -> None:
    connection = op.get_bind()
    last, named = None, []
    for number, order_id, status, at in connection.execute(
        sa.text("SELECT id, order_id, status, at FROM order_events ORDER BY id")
    ):
        last = next_event_id(last, _EPOCH + at * _MICROSECOND, f"{order_id}|{status}")
        named.append({"number": number, "event_id": last})
    if named:
        connection.execute(sa.text("UPDATE order_events SET event_id = :event_id WHERE id = :number"), named)


def downgrade() -> None:
    with op.batch_alter_table("order_events") as batch:
        batch.drop_index(_INDEX)
        batch.drop_column("event_id")
