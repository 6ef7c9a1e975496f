"""The walls of the house: who may import whom, what the engine may touch, and what no file may contain."""

import ast
import json
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import driftdesk.figures
from driftdesk.backend.runs.states import TRANSITIONS
from driftdesk.wire.runs import RunStatus

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "driftdesk"

# What each room may import of driftdesk beside itself. A room is a folder or a file of the package.
ROOTS = {"errors", "money"}
MESSAGES, DECISIONS = ROOTS | {"wire"}, ROOTS | {"engine"}
BOTH = MESSAGES | DECISIONS
MEETING = BOTH | {"translate", "tables", "files", "market_calendar"}
EVERYTHING = MEETING | {
    "book", "lab", "figures", "client", "backend", "connected", "connect", "desk", "demo", "whatif", "proposal",
    "retry",
}  # fmt: skip
ALLOWED = {
    "errors": set(),
    "money": {"errors"},
    "wire": ROOTS,
    "engine": ROOTS,
    "book": DECISIONS,
    "lab": DECISIONS | {"book"},
    "translate": BOTH,
    "translate_snaptrade": BOTH,
    "tables": DECISIONS,
    "files": BOTH | {"translate", "tables"},
    "market_calendar": DECISIONS,
    "figures": MEETING,
    "client": MEETING,
    "backend": MEETING,
    "connected": MEETING | {"translate_snaptrade", "client", "backend"},
    "whatif": MEETING,
    "desk": MEETING | {"client"},
    "proposal": MEETING | {"book", "desk"},
    "retry": MEETING | {"desk"},
    "connect": EVERYTHING - {"figures", "whatif", "proposal", "retry"} | {"launch", "credentials"},
    "demo": EVERYTHING - {"figures", "whatif", "proposal", "retry"} | {"demo_history"},
    "credentials": ROOTS | {"client"},
    "demo_history": MEETING | {"backend"},
    "report": DECISIONS,
    "launch": ROOTS,
    "cli": EVERYTHING | {"report", "launch", "__init__"},
    "__init__": EVERYTHING,
}
# Rooms inside the backend: runs know their broker as a protocol only, the exchange knows of runs nothing but that
# protocol, and nothing below the API knows of HTTP.
REFUSED_IN_BACKEND = {
    "runs": {"exchange", "feeds", "api", "service", "inprocess"},
    "exchange": {"runs.record", "runs.states", "runs.step", "runs.tick", "runs.worker", "api", "service", "inprocess"},
    "feeds": {"runs", "exchange", "store", "api", "service", "inprocess"},
    "store": {"runs", "exchange", "feeds", "api", "service", "inprocess"},
}
# Parts of a declared dependency that come as distributions of their own, bounded by it.
COMPANIONS = {"pydantic_core": "pydantic", "starlette": "fastapi"}

PURE_MODULES = {
    "abc", "bisect", "calendar", "collections", "contextlib", "dataclasses", "datetime", "decimal", "enum",
    "functools", "hashlib", "itertools", "json", "math", "operator", "re", "typing", "zoneinfo",
}  # fmt: skip
CLOCKS = {"now", "today", "utcnow"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    """The syntax of a source file, or of the code cells of a notebook one after the other."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")
    return ast.parse(text, str(path))


def imported(path: Path) -> Iterator[str]:
    """Every module that `path` imports, at the top or inside a function; `from a import b` counts as a.b."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """The rooms of driftdesk that `path` imports; the package's own face counts as `__init__`."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("driftdesk.")}
    return {name if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists() else "__init__" for name in names}


@pytest.mark.parametrize("path", sources("src"), ids=shown)
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    """The table of architecture.md, "Who may import whom", holds for every file of the package."""
    assert room(path) in ALLOWED, "a new room: give it a place in the table"
    assert rooms_imported(path) - {room(path)} - ALLOWED[room(path)] == set()


@pytest.mark.parametrize("path", sources("src/driftdesk/backend"), ids=shown)
def test_rooms_inside_the_backend_keep_apart(path: Path) -> None:
    """Runs import nothing of the exchange, and nothing below service and API imports them."""
    inside = path.relative_to(PACKAGE / "backend").parts[0].removesuffix(".py")
    names = {
        name.removeprefix("driftdesk.backend.") for name in imported(path) if name.startswith("driftdesk.backend.")
    }
    refused = REFUSED_IN_BACKEND.get(inside, set())
    assert {name for name in names if any(f"{name}.".startswith(f"{wall}.") for wall in refused)} == set()


@pytest.mark.parametrize("path", sources("src/driftdesk/engine", "src/driftdesk/wire"), ids=shown)
def test_engine_and_wire_know_nothing_of_each_other(path: Path) -> None:
    """Only translate.py and what stands above it knows both vocabularies."""
    assert not {"engine", "wire"} <= rooms_imported(path) | {room(path)}


@pytest.mark.parametrize("path", sources("src/driftdesk/engine"), ids=shown)
def test_the_engine_is_pure(path: Path) -> None:
    """The engine imports pure parts of the standard library only, reads no clock and opens nothing."""
    outside = {name.split(".")[0] for name in imported(path)} - {"driftdesk"}
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
    }
    assert (outside - PURE_MODULES, called & (CLOCKS | {"open", "print", "input", "eval", "exec"})) == (set(), set())


@pytest.mark.parametrize("path", sources("src"), ids=shown)
def test_the_package_knows_no_streamlit(path: Path) -> None:
    """Pages import the package, never the reverse: a notebook works where Streamlit is not running."""
    assert not any(name.split(".")[0] == "streamlit" for name in imported(path))


@pytest.mark.parametrize("path", [*sources("app"), *sorted((ROOT / "notebooks").glob("*.ipynb"))], ids=shown)
def test_pages_and_notebooks_use_public_names_only(path: Path) -> None:
    """They import what `driftdesk` and `driftdesk.figures` list in `__all__`, and nothing below."""
    public = {f"{face.__name__}.{name}" for face in (driftdesk, driftdesk.figures) for name in face.__all__}
    used = {name for name in imported(path) if name.split(".")[0] == "driftdesk"}
    assert used - public == set()


@pytest.mark.parametrize("path", sources("app"), ids=shown)
def test_only_state_touches_the_session_and_only_reads_the_cache(path: Path) -> None:
    """The session belongs to app/state.py, the cache to app/reads.py: a page can be read without knowing them."""
    touched = {node.attr for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}
    own = {"state.py": {"session_state", "query_params"}, "reads.py": {"cache_resource"}}
    forbidden = {"session_state", "query_params", "cache_data", "cache_resource", "secrets"} - own.get(path.name, set())
    assert touched & forbidden == set()


@pytest.mark.parametrize("path", sources("src", "app", "tests"), ids=shown)
def test_nothing_is_left_unfinished(path: Path) -> None:
    """No note to oneself, no empty shell, in any file of the project."""
    words = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", "To be " + "implemented")
    assert [word for word in words if word in path.read_text("utf-8")] == []


@pytest.mark.parametrize("path", sources("tests"), ids=shown)
def test_every_test_says_what_it_holds(path: Path) -> None:
    """Each test function has a docstring, and no two files of the tree share a name."""
    silent = [
        node.name
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and ast.get_docstring(node) is None
    ]
    namesakes = [other for other in sources("tests") if other.name == path.name != "conftest.py" and other != path]
    assert (silent, namesakes) == ([], [])


@pytest.mark.parametrize("path", sources("src"), ids=shown)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """A module of the package begins with a docstring; an empty `__init__.py` needs none."""
    assert path.read_text("utf-8") == "" or ast.get_docstring(parsed(path))


def test_every_import_is_declared() -> None:
    """What the package and the pages import from outside is a dependency in pyproject.toml, with bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {line.split(">=")[0].lower().replace("_", "-") for line in project["dependencies"]}
    local = {path.stem for path in sources("app")} | {"driftdesk", "views"}
    names = {name.split(".")[0] for path in sources("src", "app") for name in imported(path)}
    distributions = packages_distributions() | {part: [whole] for part, whole in COMPANIONS.items()}
    outside = names - local - set(sys.stdlib_module_names)
    undeclared = {
        name
        for name in outside
        if declared.isdisjoint(found.lower().replace("_", "-") for found in distributions.get(name, [name]))
    }
    assert undeclared == set()
    unbounded = [
        line for line in project["dependencies"] if ">=" not in line or ("<" not in line and "tzdata" not in line)
    ]
    assert unbounded == []


def test_the_transition_table_is_that_of_the_rules() -> None:
    """The backend's table of run states is rules.md 7.1, arrow by arrow, and every state of the wire stands in it."""
    drawn = """
        QUEUED -> IN_PROGRESS CANCELED
        IN_PROGRESS -> COMPLETED_ADJUSTED CANCELED_MID_RUN ERROR TIMEOUT
        COMPLETED_ADJUSTED -> COMPLETED_SUCCESS
        COMPLETED_SUCCESS ->
        CANCELED ->
        CANCELED_MID_RUN ->
        ERROR ->
        TIMEOUT ->
    """
    arrows = [line.split("->") for line in drawn.strip().splitlines()]
    expected = {before.strip(): set(after.split()) for before, after in arrows}
    assert expected == {before.value: {after.value for after in afters} for before, afters in TRANSITIONS.items()}
    assert set(expected) == {status.value for status in RunStatus}
