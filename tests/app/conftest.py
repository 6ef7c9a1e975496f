"""The pages on a demo world of their own, without a browser."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "app"


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page runs as `__main__`; whatever is tested afterwards in this process must not meet it there."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def pages(demo_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Open a page: `pages("drift", account="Ginkgo")`; the world is the test's own."""
    monkeypatch.setenv("DRIFTDESK_DATA", str(demo_directory))
    monkeypatch.delenv("DRIFTDESK_BACKEND", raising=False)
    monkeypatch.syspath_prepend(str(APP))
    _forget()

    def opener(name: str = "overview", **query: str) -> AppTest:
        app = AppTest.from_file(str(APP / "main.py"), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        return app if name == "overview" else app.switch_page(f"views/{name}.py").run()

    yield opener
    _forget()


def _forget() -> None:
    # Resources are shared by the process: the next test must not meet this one's world.
    st.cache_data.clear()
    st.cache_resource.clear()
