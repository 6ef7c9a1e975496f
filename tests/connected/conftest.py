"""One brokerage for a test: an empty one at 10:00 New York on Wednesday 11 March 2026, SPY 100, TLT 50, GLD 200."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from connected.brokerage import Brokerage, open_brokerage


@pytest.fixture
def brokerage(tmp_path: Path) -> Iterator[Brokerage]:
    opened = open_brokerage(tmp_path)
    yield opened
    opened.close()
