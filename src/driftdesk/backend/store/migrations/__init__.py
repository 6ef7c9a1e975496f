"""Alembic migrations, applied by `Database` when it opens."""
