"""The composition root: which databases, starts and prices a backend opens on, and what it refuses in one sentence."""

import importlib
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from driftdesk import connect_from_environment
from driftdesk.backend.opening import PriceSource
from driftdesk.connect import open_backend
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError, StateError

OTHER = PriceSource(seed=8)


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T14:00").replace(tzinfo=NEW_YORK)


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_database_is_opened_with_the_prices_that_it_was_made_on(tmp_path: Path) -> None:
    """Seed 7 made it, so seed 8 is refused, by both names, and seed 7 opens it again."""
    database = url(tmp_path / "world.db")
    open_backend(database, start=at("2026-03-11")).close()
    with pytest.raises(StateError, match=r"other prices \(Simulated market \(seed 7\)\) than these .*seed 8"):
        open_backend(database, source=OTHER)
    again = open_backend(database)
    assert at("2026-03-11") == again.service.clock().timestamp
    again.close()


def test_a_price_file_is_known_by_its_prices(tmp_path: Path) -> None:
    """A moved file opens the same database; one with another last price does not."""
    database = url(tmp_path / "world.db")
    first, moved, other = (tmp_path / name for name in ("first.csv", "moved.csv", "other.csv"))
    for path, last in ((first, "101"), (moved, "101.00"), (other, "102")):
        path.write_text(f"Date,SPY\n2026-03-10,100\n2026-03-11,{last}\n", "utf-8")
    for path in (first, moved):
        open_backend(database, start=at("2026-03-11"), source=PriceSource(path)).close()
    with pytest.raises(StateError, match="other prices"):
        open_backend(database, start=at("2026-03-11"), source=PriceSource(other))


@pytest.mark.parametrize(
    ("start", "demo", "sentence"),
    [
        ("2023-02-01", True, "--start must lie between 2023-02-02 and 2036-12-31 for a demo world"),
        ("2037-01-02", True, "--start must lie between 2023-02-02 and 2036-12-31 for a demo world"),
        ("2055-01-04", False, "--start must lie between 1990-01-02 and 2040-12-31"),
        ("1980-01-04", False, "--start must lie between 1990-01-02 and 2040-12-31"),
    ],
)
def test_a_start_out_of_reach_is_refused(tmp_path: Path, start: str, demo: bool, sentence: str) -> None:
    """One sentence with both ends, and no database is made."""
    with pytest.raises(InputError, match=sentence):
        open_backend(url(tmp_path / "world.db"), start=at(start), demo=demo)
    assert [] == list(tmp_path.iterdir())


def test_a_demo_of_the_shortest_history_is_built(tmp_path: Path) -> None:
    """30 days after the first price there is a world, handed over at that instant."""
    opened = open_backend(url(tmp_path / "world.db"), start=at("2023-02-02"), demo=True)
    assert (12, at("2023-02-02")) == (len(opened.service.list_accounts()), opened.service.clock().timestamp)
    opened.close()


def test_a_short_file_serves_where_no_demo_is_asked_for(tmp_path: Path) -> None:
    """Too short for the demo world, but an empty one with a start of its own needs no history."""
    prices = tmp_path / "prices.csv"
    prices.write_text("Date,SPY\n2026-03-10,100\n2026-03-11,101\n", "utf-8")
    opened = open_backend(url(tmp_path / "world.db"), start=at("2026-03-11"), source=PriceSource(prices))
    assert at("2026-03-11") == opened.service.clock().timestamp
    opened.close()
    open_backend(url(tmp_path / "real.db"), clock="system", source=PriceSource(prices)).close()


@pytest.mark.parametrize("database", ["foo", "sqlite://", "sqlite:///:memory:", "postgresql:///world", "x+y:///z"])
def test_only_sqlite_files_are_databases(database: str) -> None:
    """Anything else is refused with what is allowed."""
    with pytest.raises(InputError, match="must be the URL of a SQLite file"):
        open_backend(database)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    """Text, a directory, a damaged file, and another program's tables."""
    text, folder, damaged, foreign = (tmp_path / name for name in ("a.md", "b", "c.db", "d.db"))
    text.write_text("notes", "utf-8")
    folder.mkdir()
    damaged.write_bytes(b"SQLite format 3\x00 and no more")
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE accounts (name TEXT)")
    connection.close()
    for path in (text, folder, damaged, foreign):
        with pytest.raises(InputError, match="cannot be used as a database"):
            open_backend(url(path))
    assert "notes" == text.read_text("utf-8")


def test_a_database_of_a_newer_driftdesk_is_refused(tmp_path: Path) -> None:
    """Its schema has a version that is not known here."""
    path = tmp_path / "world.db"
    open_backend(url(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StateError, match="made by a newer driftdesk"):
        open_backend(url(path))


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file cannot be made"):
        open_backend(url(tmp_path / "file" / "world.db"))


def test_the_pages_pass_on_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data directory, price file, column and jumps reach `connect`."""
    passed: dict[str, object] = {}
    module = importlib.import_module("driftdesk.connect")
    monkeypatch.setattr(module, "connect", lambda target, **how: passed.update(how, target=target))
    for name, value in (("DATA", "d"), ("PRICES", "p.csv"), ("COLUMN", "Close"), ("ALLOW_JUMPS", "1")):
        monkeypatch.setenv(f"DRIFTDESK_{name}", value)
    monkeypatch.delenv("DRIFTDESK_BACKEND", raising=False)
    connect_from_environment()
    expected = {"target": "embedded", "data": "d", "prices": "p.csv", "column": "Close", "allow_jumps": True}
    assert expected == passed
