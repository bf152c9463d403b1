"""Jinja templates and helper files, from the checkout or from inside the installed package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """The Jinja environment: undefined names are errors, blocks leave no blank lines."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(  # noqa: S701 (Python source, not HTML; values arrive as finished source)
        loader=FileSystemLoader(data_folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def fill(template: str, **context: Any) -> str:
    """Fill in a template."""
    return environment().get_template(template).render(**context)
