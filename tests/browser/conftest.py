"""A real browser on the pages that `driftdesk` opens; pictures go to DRIFTDESK_SHOTS, else to pytest's directory."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from walking import PAGE_MS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS = 180
# A page may take its time on a busy machine; what is awaited ends the wait as soon as it is there.
expect.set_options(timeout=PAGE_MS)


@pytest.fixture
def address(demo_directory: Path) -> Iterator[str]:
    """The pages, opened by the command itself on a demo world of the test's own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "driftdesk.cli",
        "--no-browser",
        "--port",
        str(port),
        "--data",
        str(demo_directory),
    ]
    log = demo_directory / "log.txt"
    with log.open("w") as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _healthy(f"http://127.0.0.1:{port}"):
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail(f"driftdesk did not open within {START_SECONDS} s:\n{log.read_text('utf-8')[-2000:]}")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture
def visit(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Page]]:
    """Open a page by its path: `visit("/orders?account=Juniper")`. Skipped where there is no Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    address: str = request.getfixturevalue("address")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )

        def opener(path: str) -> Page:
            page = chromium.new_page(
                viewport={"width": 1440, "height": 1600}, accept_downloads=True, color_scheme="light"
            )
            page.set_default_timeout(60_000)
            page.goto(f"{address}{path}")
            return page

        yield opener
        chromium.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures of the way go."""
    folder = Path(os.environ.get("DRIFTDESK_SHOTS") or tmp_path / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
            return True
    except OSError:
        return False
