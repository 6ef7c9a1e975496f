"""The migrated schema is the one that the code believes in, and holds what the code relies on (rules.md 2.6, 5.4)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from driftdesk.backend.store.database import Database, upgrade
from driftdesk.backend.store.tables import metadata, orders, runs, subscriptions
from driftdesk.errors import InputError

NOW = datetime(2026, 3, 11, 14, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'new.db'}")
    yield opened
    opened.close()


def add_run(database: Database, number: int, status: str, account: str = "a") -> None:
    with database.write() as connection:
        connection.execute(
            insert(runs).values(
                id=f"run-{number}",
                account_id=account,
                portfolio_id="p",
                type="full_rebalance",
                initiated_from="api",
                status=status,
                weights="[]",
                conditions="[]",
                created_at=NOW,
                updated_at=NOW,
            )
        )


def add_subscription(database: Database, number: int, deleted_at: datetime | None, account: str = "a") -> None:
    with database.write() as connection:
        connection.execute(
            insert(subscriptions).values(
                id=f"subscription-{number}",
                account_id=account,
                portfolio_id="p",
                created_at=NOW,
                updated_at=NOW,
                deleted_at=deleted_at,
                uninvested_inflow=Decimal(0),
            )
        )


def test_the_migrations_end_at_the_tables_of_the_code(tmp_path: Path) -> None:
    """The whole way from the first migration: Alembic finds no difference, types included."""
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, metadata)
    engine.dispose()


def test_a_new_file_is_what_the_migrations_make(database: Database, tmp_path: Path) -> None:
    """Tables, columns, indexes with their conditions, revision: a new world is not a second kind of world."""
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.begin() as connection:
        upgrade(connection)
        migrated = shape(connection)
    engine.dispose()
    with database.read() as connection:
        assert migrated == shape(connection)


def words(options: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}


def shape(connection: Connection) -> dict[str, object]:
    """What a schema is, without the order of its columns."""
    found = inspect(connection)
    return {
        "revision": MigrationContext.configure(connection).get_current_revision(),
        **{
            table: (
                sorted(
                    (column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)
                ),
                sorted(
                    (str(one["name"]), tuple(one["column_names"]), one["unique"], str(words(one["dialect_options"])))
                    for one in found.get_indexes(table)
                ),
                sorted(tuple(unique["column_names"]) for unique in found.get_unique_constraints(table)),
                found.get_pk_constraint(table)["constrained_columns"],
            )
            for table in found.get_table_names()
        },
    }


def test_partial_indexes_are_partial(database: Database) -> None:
    """Alembic does not compare their conditions, so they are looked at here."""
    with database.read() as connection:
        found = {
            index["name"]: str(index["dialect_options"].get("sqlite_where"))
            for table in ("runs", "subscriptions")
            for index in inspect(connection).get_indexes(table)
            if index["unique"]
        }
    assert "deleted_at IS NULL" == found["one_subscription_per_account"]
    assert "status IN ('QUEUED', 'IN_PROGRESS')" == found["one_open_run_per_account"]


@pytest.mark.parametrize("first", ["QUEUED", "IN_PROGRESS"])
@pytest.mark.parametrize("second", ["QUEUED", "IN_PROGRESS"])
def test_a_second_open_run_is_impossible(database: Database, first: str, second: str) -> None:
    """Whatever the code does: the store refuses it, for the same account only (rules.md 5.4)."""
    add_run(database, 1, first)
    with pytest.raises(IntegrityError):
        add_run(database, 2, second)
    add_run(database, 3, second, account="b")


@pytest.mark.parametrize("status", ["CANCELED", "CANCELED_MID_RUN", "ERROR", "TIMEOUT", "COMPLETED_SUCCESS"])
def test_finished_runs_do_not_count(database: Database, status: str) -> None:
    """Any number of them beside an open one."""
    for number in (1, 2):
        add_run(database, number, status)
    add_run(database, 3, "QUEUED")
    with database.read() as connection:
        assert 3 == connection.scalar(select(func.count()).select_from(runs))


def test_a_second_live_subscription_is_impossible(database: Database) -> None:
    """Deleted ones do not count (rules.md 2.6)."""
    add_subscription(database, 1, NOW)
    add_subscription(database, 2, None)
    with pytest.raises(IntegrityError):
        add_subscription(database, 3, None)
    add_subscription(database, 4, None, account="b")


def test_a_client_order_id_is_used_once_an_account(database: Database) -> None:
    """The last line of defence against a doubled order (rules.md 8.2)."""

    def add(number: int, account: str) -> None:
        zero = Decimal(0)
        values = {"filled_quantity": zero, "filled_value": zero, "filled_cash": zero, "reserved": zero}
        with database.write() as connection:
            connection.execute(
                insert(orders).values(
                    id=f"order-{number}",
                    account_id=account,
                    client_order_id="mine",
                    symbol="SPY",
                    side="buy",
                    status="accepted",
                    submitted_at=NOW,
                    updated_at=NOW,
                    **values,
                )
            )

    add(1, "a")
    add(2, "b")
    with pytest.raises(IntegrityError):
        add(3, "a")


def test_opening_again_migrates_nothing_and_keeps_everything(database: Database, tmp_path: Path) -> None:
    """A store that is up to date is left as it is."""
    database.set_meta("key", "value")
    again = Database(f"sqlite:///{tmp_path / 'new.db'}")
    assert "value" == again.get_meta("key")
    again.close()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    """Also where an inner one had finished: it is part of the outer (rules.md 2.10)."""

    def fail() -> None:
        with database.write():
            database.set_meta("key", "value")
            assert "value" == database.get_meta("key")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.get_meta("key") is None


@pytest.mark.parametrize("url", ["postgresql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_only_a_sqlite_file_is_a_store(url: str) -> None:
    """Anything else is refused in one sentence that says what is allowed."""
    with pytest.raises(InputError, match="such as sqlite:///world"):
        Database(url)
