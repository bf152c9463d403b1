"""The house: no import runs upwards, and no circle; asked of the syntax trees, imports within functions included.

Rooms stand in the order in which data flows. A module may import from its own room and from those
before it. What a module imports for its type hints alone ties nothing and is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import specfmt
from tests.conftest import LONGEST

PACKAGE = Path(specfmt.__file__).parent

ROOMS = """
    version diagnostics extras files
    text fields vocab layers spec graph lint folding
    targets targets.training targets.keras targets.torch
    formats.config formats.source formats.read formats.keras3 formats.keras2 formats
    weights parity reference console migration api __init__ cli __main__
""".split()
"""Folders and single modules, each above those before it; of several that fit the longest counts."""


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)


def imported(tree: ast.AST, modules: set[str]) -> Iterator[str]:
    """The modules of the package that a module imports, names without the package's own."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name[8:] in modules else node.module for name in inner]
        for name in names:
            if name == "specfmt":
                yield "__init__"
            elif name.startswith("specfmt."):
                yield name[8:]


def without_hints(tree: ast.Module) -> ast.Module:
    """The module but for what stands under ``if TYPE_CHECKING``."""

    class Without(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST:
            hints = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return ast.Pass() if hints else self.generic_visit(node)

    return Without().visit(tree)


def import_graph(files: dict[str, str]) -> dict[str, set[str]]:
    """Module -> the modules that it imports, from the source of each."""
    names = set(files)
    return {
        name: {other for other in imported(without_hints(ast.parse(text)), names) if other in names}
        for name, text in files.items()
    }


def room_of(module: str) -> str:
    fits = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    return max(fits, key=len, default="")


def upward(graph: dict[str, set[str]]) -> list[str]:
    """Every import from a higher room, as ``module -> module``."""
    height = {room: number for number, room in enumerate(ROOMS)}
    return [
        f"{module} -> {other}"
        for module in sorted(graph)
        for other in sorted(graph[module])
        if height[room_of(other)] > height[room_of(module)]
    ]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that import one another (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            component = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(component) > 1:
                found.append(sorted(component))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return found


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    files = {module_name(file): file.read_text("utf-8") for file in PACKAGE.rglob("*.py")}
    return import_graph(files)


def test_every_module_has_a_room(graph: dict[str, set[str]]) -> None:
    assert [module for module in graph if not room_of(module)] == []
    rooms = {room_of(module) for module in graph}
    assert [room for room in ROOMS if room not in rooms] == []


def test_no_import_runs_upwards(graph: dict[str, set[str]]) -> None:
    assert upward(graph) == []


def test_no_circle(graph: dict[str, set[str]]) -> None:
    assert circles(graph) == []


def test_no_empty_package() -> None:
    for file in PACKAGE.rglob("__init__.py"):
        others = [other for other in file.parent.rglob("*.py") if other != file]
        assert others or len(file.read_text("utf-8").splitlines()) > 1, file


def test_the_walls_are_seen() -> None:
    """A deliberate break of each rule is found, imports within functions and of modules included."""
    files = {
        "text.reading": "def f():\n    from specfmt.graph.model import Graph\n",
        "graph.model": "from specfmt.graph import order\n",
        "graph.order": "import specfmt.graph.model\n",
        "lint": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from specfmt.api import load\n",
        "api": "",
    }
    broken = import_graph(files)
    assert upward(broken) == ["text.reading -> graph.model"]
    assert circles(broken) == [["graph.model", "graph.order"]]


def test_the_longest_test_files_are_there() -> None:
    """Nothing tells of a renamed file but the time that the tests take."""
    folder = Path(__file__).parent
    assert [name for name in LONGEST if not (folder / f"{name}.py").is_file()] == []
