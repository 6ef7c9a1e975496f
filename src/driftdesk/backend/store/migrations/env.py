"""Alembic's entry: runs on the connection that `Database` hands over, inside its transaction."""

from alembic import context

from driftdesk.backend.store.tables import metadata

connection = context.config.attributes["connection"]
# Batch mode rebuilds tables where SQLite cannot alter them, and keeps their partial indexes.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
