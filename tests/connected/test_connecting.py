"""connect("snaptrade"): which keys it takes, what counts as a stand-in, and what it refuses before it asks anybody."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import WEDNESDAY_10AM, simulated_feed
from on_a_socket import served

from driftdesk import Mode, connect
from driftdesk.backend.api import Credentials, create_app
from driftdesk.backend.opening import open_service
from driftdesk.client.snaptrade import SnapTradeKeys, SnapTradeUser
from driftdesk.client.snaptrade.client import SNAPTRADE_URL
from driftdesk.credentials import SnapTradeAccess, read_snaptrade
from driftdesk.errors import InputError, Unavailable
from driftdesk.launch import split_targets
from driftdesk.wire.simulation import CreateAccount

PERSONAL = {"SNAPTRADE_CLIENT_ID": "c", "SNAPTRADE_CONSUMER_KEY": "k"}
COMMERCIAL = {**PERSONAL, "SNAPTRADE_USER_ID": "u", "SNAPTRADE_USER_SECRET": "s"}


def write_secrets(folder: Path, text: str) -> Path:
    file = folder / ".streamlit" / "secrets.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(("said", "user"), [(PERSONAL, None), (COMMERCIAL, SnapTradeUser("u", "s"))])
def test_keys_come_from_variables(said: dict[str, str], user: SnapTradeUser | None) -> None:
    """A personal key has no user; without an address it is SnapTrade's own."""
    assert SnapTradeAccess(SNAPTRADE_URL, SnapTradeKeys("c", "k", user)) == read_snaptrade(said, ())


def test_keys_come_from_a_file_else(tmp_path: Path) -> None:
    """The first folder whose file has the section; variables win over it."""
    write_secrets(tmp_path / "b", '[snaptrade]\nclient_id = "f"\nconsumer_key = "k"\nurl = "http://127.0.0.1:1"\n')
    folders = (tmp_path / "a", tmp_path / "b")
    assert SnapTradeAccess("http://127.0.0.1:1", SnapTradeKeys("f", "k")) == read_snaptrade({}, folders)
    assert "c" == read_snaptrade(PERSONAL, folders).keys.client_id


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "There are no keys for snaptrade: set SNAPTRADE_CLIENT_ID"),
        ({"SNAPTRADE_CLIENT_ID": "c"}, "must hold a client id and a consumer key"),
        ({**PERSONAL, "SNAPTRADE_USER_ID": "u"}, "a user's id and secret together or not at all"),
    ],
)
def test_half_of_the_keys_is_refused(tmp_path: Path, said: dict[str, str], sentence: str) -> None:
    """One sentence that names the variables and the files."""
    with pytest.raises(InputError, match=sentence):
        read_snaptrade(said, (tmp_path,))


@pytest.mark.parametrize(
    ("url", "stand_in"),
    [
        ("http://127.0.0.1:8787", True),
        ("http://127.4.3.2", True),
        ("http://[::1]:8787", True),
        ("http://localhost:8787/api/v1", True),
        ("https://api.snaptrade.com", False),
        ("https://API.SnapTrade.com.", False),
        ("https://proxy.example/snaptrade", False),
        ("http://127.evil.example", False),
        ("http://10.0.0.1", False),
    ],
)
def test_only_this_machine_stands_in(url: str, stand_in: bool) -> None:
    """Any other host may pass on to the real service, where orders want --live and typing."""
    assert stand_in is SnapTradeAccess(url, SnapTradeKeys("c", "k")).stand_in


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A brokerage on a socket, with one account."""
    service = open_service(tmp_path / "brokerage.db", simulated_feed(), start=WEDNESDAY_10AM, seed=1, durable=False)
    service.simulate_account(CreateAccount(name="Willow", cash=1000))
    with served(create_app(service, Credentials("c", "k"))) as url:
        yield url
    service.close()


def test_a_desk_is_opened_on_a_socket(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its accounts are there at once; opened again, its own portfolios and runs are kept, for each user apart."""
    for name, value in {**PERSONAL, "SNAPTRADE_URL": address}.items():
        monkeypatch.setenv(name, value)
    with connect("snaptrade", data=tmp_path) as desk:
        assert (Mode.CONNECTED, True, None) == (desk.mode, desk.by_hand, desk.simulation)
        assert ["Willow"] == [view.account.name for view in desk.book()]
        assert not desk.asks_for("orders")
    assert 1 == len(list(tmp_path.glob("snaptrade-*.db")))
    monkeypatch.setenv("SNAPTRADE_CLIENT_ID", "somebody else")
    with pytest.raises(Exception, match="not accepted"):
        connect("snaptrade", data=tmp_path)


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left open behind it: the same store opens when the server is back."""
    for name, value in {**PERSONAL, "SNAPTRADE_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("driftdesk.client.transport.FIRST_WAIT", 0.0)
    for _ in range(2):
        with pytest.raises(Unavailable, match="No answer from"):
            connect("snaptrade", data=tmp_path)


@pytest.mark.parametrize(
    ("text", "targets"),
    [("embedded", ("embedded",)), ("embedded, snaptrade,embedded", ("embedded", "snaptrade"))],
)
def test_several_desks_are_named_with_commas(text: str, targets: tuple[str, ...]) -> None:
    """Each once, in the order in which they were named."""
    assert targets == split_targets(text)


def test_no_desk_is_refused() -> None:
    """A comma alone names nothing."""
    with pytest.raises(InputError, match="names nothing to show"):
        split_targets(" , ")
