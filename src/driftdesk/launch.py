"""Open the pages: find them, in a checkout or in an installed wheel, and run Streamlit on this machine only.

Streamlit reads `.streamlit/config.toml` from the working directory, so it is started in the folder that holds both
`app/` and `.streamlit/`, with every path handed to it absolute.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Final

import platformdirs

from driftdesk.errors import InputError, StateError

HOST: Final = "127.0.0.1"
FIRST_PORT: Final = 8501
PORTS_TRIED: Final = 50
# What the pages read to find the same world as the command that opened them.
BACKEND_VARIABLE: Final = "DRIFTDESK_BACKEND"
EMBEDDED: Final = "embedded"
DATA_VARIABLE: Final = "DRIFTDESK_DATA"
PRICES_VARIABLE: Final = "DRIFTDESK_PRICES"
COLUMN_VARIABLE: Final = "DRIFTDESK_COLUMN"
JUMPS_VARIABLE: Final = "DRIFTDESK_ALLOW_JUMPS"
LIVE_VARIABLE: Final = "DRIFTDESK_ALLOW_LIVE"
# Where the command was given: Streamlit runs elsewhere, and keys are looked for there first.
FOLDER_VARIABLE: Final = "DRIFTDESK_STARTED_IN"
YES, NO = "1", "0"


def data_directory(given: Path | None = None) -> Path:
    """The data directory: `given`, else DRIFTDESK_DATA, else the user's own for driftdesk. Absolute; may not exist."""
    chosen = given or os.environ.get(DATA_VARIABLE) or platformdirs.user_data_dir("driftdesk", appauthor=False)
    return Path(chosen).expanduser().absolute()


def split_targets(text: str) -> tuple[str, ...]:
    """The names and URLs in `text`, each once; InputError where there is none."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise InputError(
            "--backend names nothing to show; use embedded, snaptrade, a service or a URL, or several with commas.",
            field="--backend",
            received=text,
            allowed="one name or URL, or several",
        )
    return found


def jumps_allowed() -> bool:
    """Whether DRIFTDESK_ALLOW_JUMPS is 1; InputError for anything but 1, 0 and nothing."""
    return _switched_on(JUMPS_VARIABLE)


def live_allowed() -> bool:
    """Whether DRIFTDESK_ALLOW_LIVE is 1; InputError for anything but 1, 0 and nothing."""
    return _switched_on(LIVE_VARIABLE)


def _switched_on(variable: str) -> bool:
    said = os.environ.get(variable, "")
    if said not in (YES, NO, ""):
        raise InputError(f"{variable} must be 1 or 0; it is {said!r}.", field=variable, received=said, allowed="1 or 0")
    return said == YES


def working_folder() -> Path:
    """The folder in which the person gave the command, also where the pages run in another one."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.cwd())


def find_app(package: Path | None = None) -> Path:
    """The path of `app/main.py`: the checkout's where the package lies in one, else the copy that the wheel carries.

    Raises StateError when there is neither.
    """
    package = package or Path(__file__).parent
    candidates = (package.parents[1] / "app" / "main.py", package / "_app" / "app" / "main.py")
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise StateError(f"The pages are missing: there is no {candidates[1]}; install driftdesk again.")


def choose_port(wanted: int | None) -> int:
    """`wanted` when it is free, else the first free port from 8501 on.

    Raises InputError when the wanted port, or each of fifty, is taken.
    """
    candidates = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if wanted is None else (wanted,)
    for port in candidates:
        if is_free(HOST, port):
            return port
    raise InputError(
        f"--port {wanted} is in use; choose another, or leave it out for the first free one."
        if wanted is not None
        else f"Ports {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} are all in use; choose one with --port.",
        field="--port",
        received=wanted,
        allowed="a free port",
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on `port` of `host` just now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Else a port that was closed a moment ago counts as taken on POSIX; on Windows the option means the reverse.
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def streamlit_command(main: Path, *, port: int, browser: bool) -> list[str]:
    """The command line that serves `main`. What keeps it private is said here too, not in the configuration alone."""
    settings = {
        "server.address": HOST,
        "server.port": str(port),
        "server.headless": str(not browser).lower(),
        "server.showEmailPrompt": "false",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": HOST,
    }
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "streamlit", "run", str(main), *flags]


def open_app(world: Mapping[str, str], *, port: int, browser: bool) -> int:
    """Serve the pages of the world that these variables name until they are stopped.

    Returns Streamlit's exit status, 0 after Ctrl-C or SIGTERM.
    """
    main = find_app()
    end_politely()
    with subprocess.Popen(
        streamlit_command(main, port=port, browser=browser),
        cwd=main.parents[1],
        env={**os.environ, FOLDER_VARIABLE: str(Path.cwd()), **world},
    ) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            server.wait()
            return 0


def end_politely() -> None:
    """From here on SIGTERM ends this process as Ctrl-C does: what it has opened or started is closed with it."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
