"""The command line: what it prints, what it refuses, and how it opens the pages."""

import csv
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from driftdesk import cli, launch
from driftdesk.backend.opening import SIMULATED, PriceSource
from driftdesk.errors import DataError, InputError, StateError

SAMPLES = Path(__file__).parent / "answers"
SERVER = "http://127.0.0.1:8787"
KEYS = {"DRIFTDESK_KEY": "k", "DRIFTDESK_SECRET": "s"}
SNAPTRADE_KEYS = {"SNAPTRADE_CLIENT_ID": "c", "SNAPTRADE_CONSUMER_KEY": "k"}
HOLDINGS, PORTFOLIO = SAMPLES / "sample_holdings.csv", SAMPLES / "sample_portfolio.json"

# The sample by hand. Equity 130 x 500 + 200 x 100 + 49.999 x 200 + 40 x 12.50 + 4,500.20 = 100,000.00. SPY is 65 % of
# it against 55: sell 10,000. F is in no target: sell all 40. AGG is 20 % against 30: buy 10,000. GLD lacks 0.20.
EXPECTED_ORDERS = [
    ("1", "sell", "SPY", "10000.00", "20", "500.00", "to send"),
    ("2", "sell", "F", "500.00", "40", "12.50", "to send"),
    ("3", "buy", "AGG", "10000.00", "100", "100.00", "to send"),
    ("", "buy", "GLD", "0.20", "", "", "skipped"),
]


@pytest.fixture
def other_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of one command."""
    try:
        status = cli.main([str(argument) for argument in arguments])
    except SystemExit as ended:
        status = int(ended.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_preview_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The table names equity, each order with its reason, the skip, and the cash that is left."""
    status, out, err = run(capsys, "preview", HOLDINGS, PORTFOLIO)
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert "equity 100,000.00 USD, cash 4,500.20 USD" in lines[0]
    found = [line.split() for line in lines[3:7]]
    assert [row[1:3] for row in found[:3]] == [["sell", "SPY"], ["sell", "F"], ["buy", "AGG"]]
    assert found[3][:2] == ["buy", "GLD"]
    assert "sell down to 55%" in lines[3]
    assert "ORDER_LESS_THAN_MIN_NOTIONAL" in lines[6]
    assert "sells 10,500.00 · buys 10,000.00 · cash after 5,000.20 USD · turnover 10.25 %" in out


def test_preview_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    """One row per order, the skipped one among them, with the numbers worked by hand."""
    status, out, _ = run(capsys, "preview", HOLDINGS, PORTFOLIO, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    columns = ("line", "side", "symbol", "notional", "quantity", "price", "status")
    assert (status, [tuple(row[column] for column in columns) for row in rows]) == (0, EXPECTED_ORDERS)
    assert all(row["reason"] for row in rows)


def test_preview_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Decimals are text, weights stand before and after, and the hash has its 64 digits."""
    status, out, _ = run(capsys, "preview", HOLDINGS, PORTFOLIO, "--format", "json")
    document = json.loads(out)
    assert status == 0
    assert ("100000", "10500", "10000", "5000.2", "10.25") == tuple(
        document[name] for name in ("equity", "sells_total", "buys_total", "cash_after", "turnover_percent")
    )
    assert {"symbol": "SPY", "target": "55.00", "before": "65.00", "after": "55.00"} in document["weights"]
    assert [order["symbol"] for order in document["orders"]] == ["SPY", "F", "AGG"]
    assert [skip["notional"] for skip in document["skipped_orders"]] == ["0.20"]
    assert len(document["preview_hash"]) == 64


def test_preview_invests_cash_up_to_an_amount(capsys: pytest.CaptureFixture[str]) -> None:
    """Cash above its 5 % target would be negative here; with a larger minimum nothing is left to trade."""
    status, out, _ = run(capsys, "preview", HOLDINGS, PORTFOLIO, "--type", "invest_cash", "--amount", "100")
    assert (status, "invest_cash" in out, "Nothing to trade." in out) == (0, True, True)


def test_a_larger_minimum_skips_more(capsys: pytest.CaptureFixture[str]) -> None:
    """With a minimum of 600 USD the sale of F, 500.00, is skipped too."""
    _, out, _ = run(capsys, "preview", HOLDINGS, PORTFOLIO, "--format", "csv", "--min-notional", "600")
    skipped = [row["symbol"] for row in csv.DictReader(io.StringIO(out)) if row["status"] == "skipped"]
    assert skipped == ["F", "GLD"]


@pytest.mark.parametrize(
    ("holdings", "portfolio", "sentence"),
    [
        pytest.param(None, '{"weights": []}', "must sum to exactly 100.00", id="no weights"),
        pytest.param(None, None, "There is no file", id="no file"),
        pytest.param(os.devnull, "", f"{os.devnull} is empty", id="a device"),
        pytest.param(".", "", "driftdesk: . cannot be read: Is a directory", id="a directory"),
        pytest.param("symbol,quantity\nSPY,1\n", "", "column price is missing", id="no price column"),
        pytest.param("symbol,quantity,price\nSPY,one,5\n", "", "line 2", id="not a number"),
        pytest.param("symbol,quantity,price\nSPY,1,5\n", "", "AGG", id="target without a price"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], holdings: str | None, portfolio: str | None, sentence: str
) -> None:
    """A file that cannot be used ends with status 2, one line on standard error, and nothing printed."""
    chosen = HOLDINGS
    if holdings in (os.devnull, "."):
        chosen = Path(holdings)
    elif holdings is not None:
        chosen = tmp_path / "holdings.csv"
        chosen.write_text(holdings, "utf-8")
    model = tmp_path / "portfolio.json"
    if portfolio is not None:
        model.write_text(portfolio or PORTFOLIO.read_text("utf-8"), "utf-8")
    status, out, err = run(capsys, "preview", chosen, model)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("driftdesk: ")
    assert sentence in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--port", "0"), "is not a port; use 1 to 65535"),
        (("--port", "http"), "is not a port; use 1 to 65535"),
        (("--column", "Close"), "--column needs --prices"),
        (("--prices", "no/such.csv"), "--prices no/such.csv does not exist"),
        (("--prices", os.devnull), "is neither a price file nor a directory of them; give a CSV file"),
        (("reset", "--yes", "--allow-jumps"), "--allow-jumps needs --prices"),
        (("serve", "--start", "2026-03-02T09:00"), "is not an ISO time with a time zone"),
        (("serve", "--clock", "system", "--start", "2026-03-02T09:00Z"), "--start sets a simulated clock"),
        (("serve", "--demo", "--empty"), "not allowed with argument"),
        (("preview", "a.csv", "b.json", "--amount", "much"), "is not an amount in USD"),
        (("reset",), "say --yes"),
    ],
)
def test_bad_arguments_are_refused(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    """Each says what was wrong and what is allowed, with status 2 and before anything is built."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert sentence in err


def test_a_refusal_of_the_backend_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the demo world refuses reaches the person without a traceback."""

    def refuse(_world: cli.World) -> None:
        raise DataError("prices.csv, line 7: the price of SPY is negative.")

    monkeypatch.setattr(cli, "_build", refuse)
    refused = run(capsys, "--data", tmp_path)
    assert refused == (2, "", "driftdesk: prices.csv, line 7: the price of SPY is negative.\n")


def test_the_world_is_built_before_the_pages_open(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other_port: int
) -> None:
    """`driftdesk --prices` builds on that file, then opens the pages on the chosen port without a browser."""
    prices = tmp_path / "prices.csv"
    prices.write_text("Date,SPY\n2024-01-02,472.65\n", "utf-8")
    done: list[object] = []
    monkeypatch.setattr(cli, "_build", done.append)
    monkeypatch.setattr(cli, "open_app", lambda variables, **how: done.append((variables, how)) or 0)
    arguments = ("--prices", prices, "--data", tmp_path / "d", "--port", str(other_port), "--no-browser")
    status, out, _ = run(capsys, *arguments)
    world = cli.World(tmp_path / "d", PriceSource(prices))
    assert (status, done) == (0, [world, (world.environment(), {"port": other_port, "browser": False})])
    assert f"http://127.0.0.1:{other_port}" in out


def test_options_before_a_command_hold_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`driftdesk --data DIR reset` and `driftdesk reset --data DIR` mean the same."""
    monkeypatch.delenv("DRIFTDESK_DATA", raising=False)
    parser = cli.build_parser()
    before, after = (
        parser.parse_args(arguments).data
        for arguments in (["--data", str(tmp_path), "reset"], ["reset", "--data", str(tmp_path)])
    )
    assert (tmp_path, tmp_path) == (before, after)


def test_the_data_directory_is_chosen_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """--data, then DRIFTDESK_DATA, then the user's own data directory; always absolute."""
    monkeypatch.setenv("DRIFTDESK_DATA", str(tmp_path / "variable"))
    assert launch.data_directory(tmp_path / "given") == tmp_path / "given"
    assert launch.data_directory() == tmp_path / "variable"
    monkeypatch.delenv("DRIFTDESK_DATA")
    assert launch.data_directory().name == "driftdesk"
    assert launch.data_directory(Path("here")).is_absolute()


def test_the_pages_are_found_in_a_checkout_and_in_a_wheel(tmp_path: Path) -> None:
    """In a checkout they lie beside src; an installed wheel carries a copy; with neither it is said plainly."""
    package = tmp_path / "src" / "driftdesk"
    carried, beside = package / "_app" / "app" / "main.py", tmp_path / "app" / "main.py"
    with pytest.raises(StateError, match="pages are missing"):
        launch.find_app(package)
    for main in (carried, beside):
        main.parent.mkdir(parents=True)
        main.touch()
        assert launch.find_app(package) == main


def test_the_pages_are_private() -> None:
    """Streamlit listens on this machine only and reports nothing to anybody, whatever the configuration says."""
    command = launch.streamlit_command(Path("app/main.py"), port=8501, browser=True)
    assert {"--server.address=127.0.0.1", "--browser.gatherUsageStats=false", "--server.headless=false"} <= set(command)


def test_the_pages_learn_of_the_world_by_environment(tmp_path: Path) -> None:
    """Data directory and price source travel as variables; what was not chosen is not set."""
    full = cli.World(tmp_path, PriceSource(tmp_path / "p.csv", "Close", allow_jumps=True)).environment()
    assert full == {
        "DRIFTDESK_DATA": str(tmp_path),
        "DRIFTDESK_PRICES": str(tmp_path / "p.csv"),
        "DRIFTDESK_COLUMN": "Close",
        "DRIFTDESK_ALLOW_JUMPS": "1",
    }
    assert cli.World(tmp_path, SIMULATED).environment() == {
        "DRIFTDESK_DATA": str(tmp_path),
        "DRIFTDESK_PRICES": "",
        "DRIFTDESK_COLUMN": "",
        "DRIFTDESK_ALLOW_JUMPS": "",
    }


JUMP = "Date,SPY\n2024-01-02,100\n2024-01-03,100\n2024-01-04,150\n"


@pytest.mark.parametrize("how", ["option", "variable"])
@pytest.mark.parametrize("command", [(), ("reset", "--yes"), ("serve", "--empty")], ids=["open", "reset", "serve"])
def test_a_jump_that_a_person_allows_is_a_warning(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: tuple[str, ...],
    how: str,
) -> None:
    """100 to 150 in a day is one line with file, line, symbol (once) and move; then three days are too few."""
    prices = tmp_path / "prices.csv"
    prices.write_text(JUMP, "utf-8")
    if how == "variable":
        monkeypatch.setenv("DRIFTDESK_ALLOW_JUMPS", "1")
    said = ("--allow-jumps",) if how == "option" else ()
    port = ("--port", str(launch.choose_port(None))) if command[:1] == ("serve",) else ()
    status, _, err = run(capsys, *command, "--prices", prices, "--data", tmp_path / "d", *said, *port)
    warning, refusal = err.splitlines()
    expected = "driftdesk: warning: prices.csv, line 4: SPY goes from 100 to 150 (+50.0 %) on 2024-01-04"
    assert (2, expected) == (status, warning.split(";", maxsplit=1)[0])
    assert "has 3 sessions; the demo world needs 120" in refusal


def test_a_jump_that_nobody_allowed_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The same file without the option: one sentence, which names the option."""
    prices = tmp_path / "prices.csv"
    prices.write_text(JUMP, "utf-8")
    status, _, err = run(capsys, "reset", "--yes", "--prices", prices, "--data", tmp_path / "d")
    assert (2, 1) == (status, err.count("\n"))
    assert "prices.csv, line 4: SPY goes from 100 to 150" in err
    assert "--allow-jumps" in err


def test_the_variable_for_jumps_is_1_or_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is refused by name; unset means no."""
    for text, expected in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("DRIFTDESK_ALLOW_JUMPS", text)
        assert expected is launch.jumps_allowed()
    monkeypatch.setenv("DRIFTDESK_ALLOW_JUMPS", "maybe")
    with pytest.raises(InputError, match="DRIFTDESK_ALLOW_JUMPS must be 1 or 0"):
        launch.jumps_allowed()


def test_a_directory_of_price_files_is_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, other_port: int
) -> None:
    """`--prices DIR --column Close` reaches the world as it is."""
    done: list[object] = []
    monkeypatch.setattr(cli, "_build", done.append)
    monkeypatch.setattr(cli, "open_app", lambda *_, **__: 0)
    arguments = ("--prices", tmp_path, "--column", "Close", "--data", tmp_path / "d", "--port", str(other_port))
    status, _, err = run(capsys, *arguments)
    assert (0, "", [cli.World(tmp_path / "d", PriceSource(tmp_path, "Close"))]) == (status, err, done)


def test_the_sample_in_the_readme_is_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last character, the hash included."""
    monkeypatch.chdir(SAMPLES)
    command = "$ driftdesk preview sample_holdings.csv sample_portfolio.json\n"
    _, out, _ = run(capsys, *command.split()[2:])
    shown = (SAMPLES.parents[1] / "README.md").read_text("utf-8").split(command)[1].split("```")[0]
    assert shown == out


def test_a_taken_port_is_refused_or_passed_over() -> None:
    """A wanted port that is in use is refused by name; without a wish the next free one is taken."""
    with socket.create_server((launch.HOST, 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {taken} is in use"):
            launch.choose_port(taken)
    assert launch.is_free(launch.HOST, launch.choose_port(None))


@pytest.mark.parametrize("name", ["DRIFTDESK_KEY", "DRIFTDESK_SECRET"])
def test_key_and_secret_go_together(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One of the two alone is a mistake, and is said before anything is served."""
    monkeypatch.delenv("DRIFTDESK_KEY", raising=False)
    monkeypatch.delenv("DRIFTDESK_SECRET", raising=False)
    monkeypatch.setenv(name, "x")
    status, _, err = run(capsys, "serve", "--empty")
    assert (status, "DRIFTDESK_KEY and DRIFTDESK_SECRET go together" in err) == (2, True)


def test_serve_answers_to_the_key_that_it_printed(tmp_path: Path, other_port: int) -> None:
    """`driftdesk serve` prints a key once, refuses requests without it, keeps its start, and ends when told to."""
    command = [sys.executable, "-m", "driftdesk.cli", "serve", "--empty", "--port", str(other_port)]
    command += ["--start", "2026-03-02T09:00-05:00", "--database", f"sqlite:///{tmp_path / 'served.db'}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTDESK_")}
    environment["DRIFTDESK_DATA"] = str(tmp_path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        key, secret = server.stdout.readline().split(": ")[1].split()
        assert server.stdout.readline().startswith(f"The API is at http://127.0.0.1:{other_port}")
        assert "SnapTrade's clients" in server.stdout.readline()
        address = f"http://127.0.0.1:{other_port}/v1/clock"
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            refused = client.get(address)
            answered = client.get(address, auth=(key, secret))
        server.terminate()
        rest = server.stdout.read()
    assert (401, 200, 0, "") == (refused.status_code, answered.status_code, server.returncode, rest)
    assert answered.json()["timestamp"].startswith("2026-03-02T")


@pytest.mark.parametrize(("watched", "expected"), [(True, "Replaying 2 March 2026 ·  50%"), (False, "")])
def test_progress_is_for_a_person_who_watches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, watched: bool, expected: str
) -> None:
    """On a terminal one line is written over and wiped; into a file or a pipe nothing is written."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: watched)
    with cli._progress_line() as show:
        show(0.5, "Replaying 2 March 2026")
        written = capsys.readouterr().out
    assert (expected, watched) == (written.strip(), capsys.readouterr().out.endswith("\r"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--database", "mysql://foo"), "database must be the URL of a SQLite file"),
        (("--database", "sqlite:///notes.md"), "notes.md cannot be used as a database (it is not a SQLite file)"),
        (("--database", "sqlite:///notes.md/world.db"), "The directory notes.md cannot be made"),
        (("--data", "notes.md/data"), "cannot be made"),
        (("--start", "2023-01-20T10:00-05:00"), "--start must lie between 2023-02-02 and 2036-12-31"),
        (("--empty", "--start", "2055-01-04T10:00-05:00"), "which the trading calendar knows"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    """A database, directory or start that cannot be used ends with status 2, no key is printed, and nothing is left on
    the disk."""
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("notes", "utf-8")
    port = str(launch.choose_port(None))
    status, out, err = run(capsys, "serve", "--data", tmp_path / "data", "--port", port, *arguments)
    assert (2, "", 1, "driftdesk: ") == (status, out, err.count("\n"), err[:11])
    assert sentence in err
    assert ["notes.md"] == os.listdir()


def test_a_remote_backend_needs_no_demo_world(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With DRIFTDESK_BACKEND the pages show another backend, and nothing is built here."""
    for name, value in {**KEYS, "DRIFTDESK_BACKEND": SERVER}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cli, "open_app", lambda *_, **__: 0)
    status, out, _ = run(capsys, "--data", str(tmp_path), "--no-browser")
    assert 0 == status
    assert f"The pages show {SERVER}." in out
    assert [] == list(tmp_path.iterdir())


NO_TARGET = "is not something to connect to; use 'embedded' or the http(s) URL of a `driftdesk serve`"


@pytest.mark.parametrize(
    ("backend", "variables", "sentence"),
    [
        ("nonsense", {}, f"'nonsense' {NO_TARGET}"),
        ("embedded,nonsense", {}, f"'nonsense' {NO_TARGET}"),
        ("ftp://x", {}, f"'ftp://x' {NO_TARGET}"),
        ("http://", KEYS, "address must look like https://host:port"),
        (SERVER, {}, f"There are no keys for {SERVER}: set DRIFTDESK_KEY and DRIFTDESK_SECRET."),
        (SERVER, {"DRIFTDESK_KEY": "k"}, "DRIFTDESK_KEY and DRIFTDESK_SECRET must hold both"),
        ("snaptrade", SNAPTRADE_KEYS, "The directory notes.md/data cannot be made"),
        ("snaptrade", {**SNAPTRADE_KEYS, "SNAPTRADE_URL": "nonsense"}, "https://host:port; received 'nonsense'"),
    ],
)
def test_a_backend_that_cannot_be_shown_is_refused_at_once(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    backend: str,
    variables: dict[str, str],
    sentence: str,
) -> None:
    """One sentence, before anything is printed, built or opened."""
    monkeypatch.chdir(tmp_path)
    Path("notes.md").write_text("notes", "utf-8")
    for name in (*KEYS, "SNAPTRADE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cli, "open_app", lambda *_, **__: 0)
    status, out, err = run(capsys, "--backend", backend, "--data", "notes.md/data")
    assert (2, "", 1) == (status, out, err.count("\n"))
    assert sentence in err.replace(str(tmp_path) + os.sep, "")
