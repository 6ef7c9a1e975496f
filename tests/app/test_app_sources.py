"""The sources of the pages: what a merge or a heavy picture would spoil without any page failing."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "app").rglob("*.py"))


def bound(path: Path) -> list[str]:
    """Every name that the file binds at its top level, in order."""
    names: list[str] = []
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_name_is_bound_once(path: Path) -> None:
    """A constant or a function that stands twice in a module has one that nobody reads."""
    assert [] == [name for name, count in Counter(bound(path)).items() if count > 1]


def test_the_pictures_of_the_readme_are_there_and_light() -> None:
    """The Drift page under the first paragraph, with words for those who do not see it; they travel in the wheel."""
    text = (ROOT / "README.md").read_text("utf-8")
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", text)
    assert "app/assets/drift.png" in [path for _, path in pictures]
    for words, path in pictures:
        assert len(words) > 20
        assert 0 < (ROOT / path).stat().st_size < 200_000
