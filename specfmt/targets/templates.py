"""Jinja templates and helper files, from the checkout or from inside the installed package."""

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
    """The folder ``templates`` or ``schema``: packaged data, else the checkout's top level."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_data" / name
    return packaged if packaged.is_dir() else package.parent / name


def read_text(path: str) -> str:
    """A file below ``templates/``."""
    return (data_folder("templates") / path).read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """The Jinja environment: undefined names are errors, blocks leave no blank lines.

    Values are finished source.  Between triple quotes, behind `#` and as a string they are text,
    which passes a filter right there, wherever it comes from.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(  # noqa: S701 (Python source, not HTML; values arrive as finished source)
        loader=FileSystemLoader(data_folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finished,
    )
    made.filters |= {"docstring": docstring, "comment": comment, "quoted": string}
    return made


def finished(value: Any) -> str | int:
    """What a template may write: source, or a whole number; nothing else has a form in Python."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a template was given {type(value).__name__}, not Python source")
    return value


def fill(template: str, **context: Any) -> str:
    """Fill in a template."""
    return environment().get_template(template).render(**context)


def helper_sources(names: list[str], folder: str) -> tuple[list[str], list[str]]:
    """Imports and bodies of helpers, those that others need first.

    Args:
        names: The functions and classes that are needed.
        folder: Where their files are, below ``templates/``.
    """
    imports: dict[str, None] = {}
    bodies: dict[str, str] = {}

    def add(name: str) -> None:
        if name in bodies:
            return
        text = read_text(f"{folder}/{identifier_file(name)}.py")
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
            elif isinstance(node, ast.AnnAssign):  # stands for a constant of the generated file
                start = node.end_lineno or 0
            else:
                break
        bodies[name] = "\n".join(text.splitlines()[start:]).strip("\n")

    for name in names:
        add(name)
    return list(imports), list(bodies.values())


def identifier_file(name: str) -> str:
    """The file that holds a helper: ``ResetBeforeGRU`` -> ``reset_before_gru``."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text).lower()
