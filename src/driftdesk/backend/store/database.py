"""Transactions over the store. Every write begins IMMEDIATE: SQLite cannot deadlock on an upgrade (durability.md)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import ReadWriteLock, Timeout
from sqlalchemy import Connection, Engine, bindparam, create_engine, event, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from driftdesk.backend.store.tables import meta, metadata
from driftdesk.errors import InputError, StateError

_MIGRATIONS = Path(__file__).parent / "migrations"
HEAD: Final = "head"
_SQLITE_MAGIC: Final = b"SQLite format 3\x00"
# As long as it may take to replace a database: a program that opens it meanwhile waits.
_REPLACED_WITHIN_SECONDS: Final = 120.0
# The clock's instant is read at every event: built once, as every statement that is run so often.
_META: Final = select(meta.c.value).where(meta.c.key == bindparam("name"))
_SET_META: Final = update(meta).where(meta.c.key == bindparam("name"))


class Database:
    """A store at a SQLAlchemy URL, migrated to the newest schema when opened.

    `durable` asks SQLite to flush each commit to disk (synchronous FULL); a replay that can be made anew does without.
    While it is open its file is in use, by any number of programs, and cannot be replaced (see `unused`). Raises
    InputError for a URL that is not a usable SQLite file, StateError for one made by a newer driftdesk.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.path = _sqlite_file(url)
        make_directory(self.path.parent)
        _check_file(self.path)
        self._in_use = _use_lock(self.path)
        try:
            self._in_use.acquire_read(timeout=_REPLACED_WITHIN_SECONDS)
        except Timeout:
            raise StateError(f"{self.path} is being made anew by another program; try again soon.") from None
        self.engine = _engine(url, durable=durable)
        self._local = threading.local()
        try:
            self._migrate()
        except DatabaseError as error:
            self.close()
            raise _unusable(self.path, str(error.orig)) from None
        except CommandError:
            self.close()
            raise StateError(f"{self.path} was made by a newer driftdesk; use that, or name another file.") from None

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
            return connection.scalar(_META, {"name": key})

    def set_meta(self, key: str, value: str) -> None:
        """Set `key`, whatever it was before."""
        with self.write() as connection:
            if connection.execute(_SET_META, {"name": key, "value": value}).rowcount == 0:
                connection.execute(insert(meta).values(key=key, value=value))

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database file, so that it can be moved or copied alone."""
        with self.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]

    def close(self) -> None:
        """Close every pooled connection; the file is no longer in use here."""
        self.engine.dispose()
        self._in_use.close()

    def _migrate(self) -> None:
        scripts = migrations()
        with self.engine.connect().execution_options(driftdesk_write=True) as connection, connection.begin():
            context = MigrationContext.configure(connection)
            revision = context.get_current_revision()
            if revision is None:
                # A new file is made in its newest form, which a test finds equal to that of the whole way.
                # Another program's file may have a table of the same name, and must not be taken for ours.
                metadata.create_all(connection, checkfirst=False)
                context.stamp(scripts, HEAD)
            elif revision != scripts.get_current_head():
                upgrade(connection)


def upgrade(connection: Connection, revision: str = HEAD) -> None:
    """Take the schema up to `revision` through every migration on the way, inside the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def migrations() -> ScriptDirectory:
    """The migrations of this package."""
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def unused(path: Path) -> Iterator[None]:
    """Hold the database file at `path` for oneself, to replace it; whoever opens it meanwhile waits.

    Raises StateError while it is open, here or in another program; one that was killed does not count.
    """
    lock = _use_lock(path)
    try:
        lock.acquire_write(timeout=0)
    except Timeout:
        raise StateError(
            f"{path} is open in another program: close its pages, notebooks and servers, then try again."
        ) from None
    try:
        yield
    finally:
        lock.close()


def make_directory(path: Path) -> None:
    """The directory `path` with all above it, made where it is missing; InputError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The directory {path} cannot be made ({error.strerror}); name another.",
            field="directory",
            received=str(path),
            allowed="a directory that can be written to",
        ) from None


def _use_lock(path: Path) -> ReadWriteLock:
    # The operating system holds it, so a program that is killed leaves no lock behind; the empty file stays.
    return ReadWriteLock(f"{path}.open", is_singleton=False)


def _sqlite_file(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername != "sqlite" or parsed.query or parsed.database in (None, "", ":memory:"):
        raise InputError(
            f"database must be the URL of a SQLite file, such as sqlite:///world.db; received {url!r}.",
            field="database",
            received=url,
            allowed="sqlite:///FILE",
        )
    return Path(str(parsed.database))


def _check_file(path: Path) -> None:
    """Refuse what is no SQLite file before anything is put beside it; a missing or empty file is a new database."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from None
    if start not in (b"", _SQLITE_MAGIC):
        raise _unusable(path, "it is not a SQLite file")


def _unusable(path: Path, why: str) -> InputError:
    return InputError(
        f"{path} cannot be used as a database ({why}); name another file.",
        field="database",
        received=str(path),
        allowed="a SQLite file of driftdesk, or a new one",
    )


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
