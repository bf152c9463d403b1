"""Jinja templates and helper files, from the checkout or the installed package."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specfmt.targets.source import comment, docstring, string

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def data_folder(name: str) -> Path:
    """The folder ``templates`` or ``schema``, in the package or at the checkout's top level."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_data" / name
    return packaged if packaged.is_dir() else package.parent / name


def read_text(path: str) -> str:
    """Read a file below ``templates/``."""
    return (data_folder("templates") / path).read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """The Jinja environment: undefined names are errors, blocks leave no blank lines.

    Values are Python source and are inserted unchanged.  Plain text (in docstrings, comments and
    string literals) must pass through the ``docstring``, ``comment`` or ``quoted`` filter in the
    template.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(  # noqa: S701 (the output is Python source, not HTML)
        loader=FileSystemLoader(data_folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=require_source,
    )
    made.filters |= {"docstring": docstring, "comment": comment, "quoted": string}
    return made


def require_source(value: Any) -> str | int:
    """Return a value that a template may insert: Python source or an integer.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a template received {type(value).__name__}, not Python source")
    return value


def fill(template: str, **context: Any) -> str:
    """Render a template."""
    return environment().get_template(template).render(**context)


def helper_sources(names: list[str], folder: str) -> tuple[list[str], list[str]]:
    """The source of helper functions and classes and of the helpers that they use.

    Args:
        names: The needed functions and classes.
        folder: The folder of their files, below ``templates/``.

    Returns:
        The import lines, and the definitions; each definition follows those it depends on.
    """
    imports: dict[str, None] = {}
    bodies: dict[str, str] = {}

    def add(name: str) -> None:
        if name in bodies:
            return
        text = read_text(f"{folder}/{file_stem(name)}.py")
        tree = ast.parse(text)
        start = 0
        for node in tree.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                start = node.end_lineno or 0
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                start = node.end_lineno or 0
                if isinstance(node, ast.ImportFrom) and node.level:
                    for alias in node.names:
                        add(alias.name)
                else:
                    imports[ast.unparse(node)] = None
            elif isinstance(node, ast.AnnAssign):  # declares a constant of the generated file
                start = node.end_lineno or 0
            else:
                break
        bodies[name] = "\n".join(text.splitlines()[start:]).strip("\n")

    for name in names:
        add(name)
    return list(imports), list(bodies.values())


def file_stem(name: str) -> str:
    """The stem of a helper's file: ``ResetBeforeGRU`` -> ``reset_before_gru``."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text).lower()
