"""Transactions over the store. Every write begins IMMEDIATE: SQLite cannot deadlock on an upgrade (durability.md)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url

from driftdesk.backend.store.tables import meta
from driftdesk.errors import InputError

_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """A store at a SQLAlchemy URL, migrated to the newest schema when opened.

    `durable` asks SQLite to flush each commit to disk (synchronous FULL); a replay that can be made anew does without.
    Raises InputError for a URL that is not a SQLite file.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
            raise InputError(
                f"database must be the URL of a SQLite file, such as sqlite:///world.db; received {url!r}.",
                field="database",
                received=url,
                allowed="sqlite:///FILE",
            )
        self.path = Path(parsed.database)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.engine = _engine(url, durable=durable)
        self._local = threading.local()
        self._migrate()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction; joins the one that this thread already has open."""
        open_one: Connection | None = getattr(self._local, "connection", None)
        if open_one is not None:
            yield open_one
            return
        with self.engine.connect().execution_options(driftdesk_write=True) as connection, connection.begin():
            self._local.connection = connection
            try:
                yield connection
            finally:
                self._local.connection = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for reading; inside `write`, the transaction's own."""
        open_one: Connection | None = getattr(self._local, "connection", None)
        if open_one is not None:
            yield open_one
            return
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def get_meta(self, key: str) -> str | None:
        """The value of `key` in the meta table, None where it was never set."""
        with self.read() as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == key))

    def set_meta(self, key: str, value: str) -> None:
        """Set `key`, whatever it was before."""
        with self.write() as connection:
            connection.execute(meta.delete().where(meta.c.key == key))
            connection.execute(insert(meta).values(key=key, value=value))

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database file, so that it can be moved or copied alone."""
        with self.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        head = ScriptDirectory.from_config(config).get_current_head()
        with self.engine.connect().execution_options(driftdesk_write=True) as connection, connection.begin():
            if MigrationContext.configure(connection).get_current_revision() != head:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")


def _engine(url: str, *, durable: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(dbapi: Any, _record: Any) -> None:
        # The driver must not begin transactions by itself: see `begin`.
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        cursor.execute("PRAGMA busy_timeout = 30000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("driftdesk_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
