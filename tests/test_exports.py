"""The public face of the package: small, sorted, and what it says."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

import driftdesk
from driftdesk.engine import plan


def in_order(names: Iterable[str]) -> list[str]:
    """Constants first, then as text sorts."""
    return sorted(set(names), key=lambda name: (not name.isupper(), name))


def test_the_public_names_are_sorted() -> None:
    """`__all__` is in order and names nothing twice, so that a change to it reads as one line."""
    assert driftdesk.__all__ == in_order(driftdesk.__all__)


@pytest.mark.parametrize("name", [name for name in driftdesk.__all__ if not name.isupper()])
def test_a_public_name_is_there(name: str) -> None:
    """Each public name resolves to a class or a function of the package."""
    found = getattr(driftdesk, name)
    assert (found.__name__, found.__module__.split(".")[0]) == (name, "driftdesk")


def test_the_minimum_order_is_the_planners_own() -> None:
    """1.00 USD (rules.md 6.3): the page shows the very number that the planner uses."""
    assert (Decimal("1.00"), True) == (driftdesk.MIN_NOTIONAL, driftdesk.MIN_NOTIONAL is plan.MIN_NOTIONAL)


def test_type_checkers_see_the_same_names() -> None:
    """The imports that only a type checker reads name exactly the public names."""
    tree = ast.parse(Path(driftdesk.__file__).read_text("utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert in_order(seen) == driftdesk.__all__


def test_an_unknown_name_is_refused() -> None:
    """A name that is not public is an attribute error, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'Broker'"):
        _ = driftdesk.Broker


def test_the_function_connect_survives_the_module_connect() -> None:
    """`from driftdesk import connect` is the function, also after somebody imported the module of that name."""
    script = "import driftdesk.connect; from driftdesk import connect; print(callable(connect))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_face_loads_nothing_by_itself() -> None:
    """Importing the package brings neither pandas nor a web framework with it."""
    script = "import sys, driftdesk; print({'pandas', 'fastapi', 'sqlalchemy', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
