"""The composition root: which databases, starts and prices a backend opens on, and what it refuses in one sentence."""

import importlib
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from driftdesk import Mode, cli, connect, connect_from_environment
from driftdesk.backend.opening import PriceSource
from driftdesk.connect import open_backend
from driftdesk.credentials import SERVICES, read_keys
from driftdesk.engine.schedule import NEW_YORK
from driftdesk.errors import InputError, StateError, Unavailable

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
    assert {**expected, "allow_live": False} == passed


def test_a_server_needs_keys_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them nothing is asked of it: the sentence names the address and the variables."""
    for name in ("DRIFTDESK_KEY", "DRIFTDESK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=r"no keys for http://127\.0\.0\.1:9: set DRIFTDESK_KEY and DRIFTDESK_SECRET"):
        connect("http://127.0.0.1:9")
    monkeypatch.setenv("DRIFTDESK_SECRET", SECRET)
    with pytest.raises(InputError, match="DRIFTDESK_KEY and DRIFTDESK_SECRET must hold both") as refused:
        connect("http://127.0.0.1:9")
    assert SECRET not in str(refused.value)


def test_an_outage_is_said_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two outages, each of several looks: four lines."""
    answers = iter([False, False, False, True, True, False, False, True])

    def work(_now: datetime) -> None:
        if not next(answers):
            raise Unavailable("No answer from there.")

    opened = open_backend(url(tmp_path / "world.db"), clock="system")
    monkeypatch.setattr(opened.service.worker, "work", work)
    for _ in range(8):
        opened._work()
    opened.close()
    said = ["the worker waits: No answer from there.", "the worker goes on: there are answers again"]
    assert 2 * said == caplog.messages


# --- real services ------------------------------------------------------------------------------------------------

VARIABLES = {
    "alpaca-sandbox": ("ALPACA_BROKER_KEY", "ALPACA_BROKER_SECRET"),
    "alpaca-live": ("ALPACA_BROKER_KEY_LIVE", "ALPACA_BROKER_SECRET_LIVE"),
}
# Not keys: what the tests look for in sentences, where it must not appear.
KEY, SECRET = "PKTESTPKTEST", "hush-hush-hush"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A working directory and a home of the test's own, and no keys in the environment."""
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(Path, "home", lambda: home)
    for name in (*VARIABLES["alpaca-sandbox"], *VARIABLES["alpaca-live"], "DRIFTDESK_STARTED_IN"):
        monkeypatch.delenv(name, raising=False)
    return here, home


def write_secrets(folder: Path, text: str) -> Path:
    file = folder / ".streamlit" / "secrets.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    ("target", "mode", "real_money"), [("alpaca-sandbox", Mode.SANDBOX, False), ("alpaca-live", Mode.LIVE, True)]
)
def test_a_real_service_is_connected_to_by_name(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, target: str, mode: Mode, real_money: bool
) -> None:
    """With the keys of its own variables, without a request, and live with a client that asks before it writes."""
    for name, value in zip(VARIABLES[target], (KEY, SECRET), strict=True):
        monkeypatch.setenv(name, value)
    with connect(target, allow_live=True) as desk:
        assert (mode, real_money, None) == (desk.mode, desk.client.real_money, desk.simulation)
    assert {"alpaca-sandbox": "https://broker-api.sandbox.alpaca.markets"}.get(
        target, "https://broker-api.alpaca.markets"
    ) == SERVICES[target].broker


def test_the_live_service_is_not_opened_by_accident(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys alone are not enough: the sentence names each switch; the variable is one of them."""
    for name, value in zip(VARIABLES["alpaca-live"], (KEY, SECRET), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"real money.*--live.*DRIFTDESK_ALLOW_LIVE=1.*allow_live=True"):
        connect("alpaca-live")
    monkeypatch.setenv("DRIFTDESK_BACKEND", "alpaca-live")
    with pytest.raises(InputError, match="real money"):
        connect_from_environment()
    monkeypatch.setenv("DRIFTDESK_ALLOW_LIVE", "yes")
    with pytest.raises(InputError, match="DRIFTDESK_ALLOW_LIVE must be 1 or 0"):
        connect_from_environment()
    monkeypatch.setenv("DRIFTDESK_ALLOW_LIVE", "1")
    with connect_from_environment() as desk:
        assert Mode.LIVE == desk.mode


@pytest.mark.parametrize(
    "address",
    [
        "https://broker-api.alpaca.markets",
        "https://BROKER-API.alpaca.markets:443/",
        "http://user@api.alpaca.markets./v1",
        "https://alpaca.markets?x",
    ],
)
def test_a_real_service_is_not_connected_to_by_address(address: str) -> None:
    """There the switch and the typing before a write would be passed by."""
    with pytest.raises(InputError, match="by its name"):
        connect(address, allow_live=True)


def test_keys_are_read_from_the_environment_then_here_then_at_home(places: tuple[Path, Path]) -> None:
    """The first place that has any; the folder where the command was given counts as here."""
    here, home = places
    service = SERVICES["alpaca-sandbox"]
    write_secrets(home, '[alpaca-sandbox]\nkey = "home"\nsecret = "s"\n')
    assert "home" == read_keys(service, {}, places).key
    write_secrets(here, '[alpaca-live]\nkey = "live"\nsecret = "s"\n')
    assert "home" == read_keys(service, {}, places).key
    write_secrets(here, '[alpaca-sandbox]\nkey = "here"\nsecret = "s"\n')
    assert "here" == read_keys(service, {}, places).key
    environment = {"ALPACA_BROKER_KEY": "there", "ALPACA_BROKER_SECRET": "s"}
    assert "there" == read_keys(service, environment, places).key


def test_missing_keys_are_one_sentence_with_both_places(places: tuple[Path, Path]) -> None:
    """Variables and files, by name."""
    here, home = places
    with pytest.raises(InputError) as refused:
        connect("alpaca-sandbox")
    for named in (*VARIABLES["alpaca-sandbox"], "[alpaca-sandbox]", str(here), str(home)):
        assert named in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        f'[alpaca-sandbox]\nkey = "{KEY}"\n',
        f'[alpaca-sandbox]\nsecret = "{SECRET}"\n',
        f'[alpaca-sandbox]\nkey = 5\nsecret = "{SECRET}"\n',
        f'[alpaca-sandbox]\nkey = "{KEY}"\nsecret = " "\n',
        f'[alpaca-sandbox]\nkey = "{KEY}"\nsecret = {SECRET}\n',
    ],
)
def test_half_a_pair_or_a_broken_file_is_refused_and_never_repeated(places: tuple[Path, Path], text: str) -> None:
    """One sentence that names the file and shows nothing of what is in it."""
    file = write_secrets(places[0], text)
    with pytest.raises(InputError, match="must") as refused:
        connect("alpaca-sandbox")
    assert str(file) in str(refused.value)
    assert not {KEY, SECRET} & set(str(refused.value).replace('"', " ").split())
    with pytest.raises(InputError, match="one is missing"):
        read_keys(SERVICES["alpaca-sandbox"], {"ALPACA_BROKER_KEY": KEY}, places)


def test_keys_are_shown_by_nothing(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the repr of the keys, the client or the desk."""
    for name in VARIABLES["alpaca-sandbox"]:
        monkeypatch.setenv(name, SECRET)
    with connect("alpaca-sandbox") as desk:
        assert SECRET not in f"{desk!r} {desk.client!r} {desk.label} {vars(desk)} {vars(desk.client)}"


def test_the_command_hands_the_backend_to_the_pages(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--backend alpaca-live --live` reaches them as variables; without --live, or without keys, nothing is opened."""
    opened: list[dict[str, str]] = []
    monkeypatch.setattr(cli, "open_app", lambda world, **_: opened.append(dict(world)) or 0)
    monkeypatch.setenv("DRIFTDESK_DATA", str(places[1]))
    for name in ("DRIFTDESK_BACKEND", "DRIFTDESK_ALLOW_LIVE"):
        monkeypatch.delenv(name, raising=False)
    assert (2, True) == (cli.main(["--backend", "alpaca-live"]), "real money" in capsys.readouterr().err)
    assert (2, True) == (cli.main(["--backend", "alpaca-live", "--live"]), "no keys" in capsys.readouterr().err)
    write_secrets(places[0], f'[alpaca-live]\nkey = "{KEY}"\nsecret = "{SECRET}"\n')
    assert 0 == cli.main(["--backend", "alpaca-live", "--live", "--no-browser"])
    [world] = opened
    assert ("alpaca-live", "1") == (world["DRIFTDESK_BACKEND"], world["DRIFTDESK_ALLOW_LIVE"])
    assert SECRET not in f"{world}{capsys.readouterr()}"
