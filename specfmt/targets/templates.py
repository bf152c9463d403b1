"""Jinja templates and helper files, from the checkout or from inside the installed package."""

from __future__ import annotations

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
