"""Generated Python as ruff formats it: lines broken, imports sorted, those without use removed.

This is the one module that knows the formatter.  `set_formatter` puts another function of text in
its place, for a host that cannot start processes (a browser page with ruff as WebAssembly).
"""

from __future__ import annotations

import keyword
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from specfmt.diagnostics import Diagnostic, SpecError

WIDTH: Final = 88
"""Columns that a line of generated code may take: ruff's default."""

STYLE: Final = ("--isolated", "--quiet", "--target-version", "py311", "--config", "src = []")
"""What every call of ruff gets: no settings, and no modules, of the folder that one stands in."""

CHECK: Final = ("check", *STYLE, "--select", "I,F401", "--fix-only", "--exit-zero", "-")
FORMAT: Final = ("format", *STYLE, "--line-length", str(WIDTH), "-")

Formatter = Callable[[str, tuple[str, ...]], str]

PRAGMAS: Final = ("# type:", "# noqa", "# pyright:", "# ty:", "# pragma:")
"""Comments that speak of their line; ruff does not count their width."""

_MARKS: Final = re.compile(
    r'("""|\'\'\')(?:[^\\]|\\.)*?\1|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
    r"|#[^\n]*|[(\[{}\])]|\\?\n",
    re.DOTALL,
)
"""What tells where statements begin: strings, comments, brackets, ends of lines."""

_STRING: Final = r'(?:"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
_DOCSTRING: Final = re.compile(rf"[rR]?{_STRING}[^\S\n]*\n", re.DOTALL)
_IMPORT: Final = re.compile(
    r"[^\S\n]*(?:#[^\n]*)?\n|(?:import|from)\b[^\n(]*(?:\([^)]*\))?[^\n]*\n"
)
"""One thing that stands between a module's docstring and its code: also a comment, an empty line."""

_NAME: Final = re.compile(r"[^\W\d]\w*")
_WORDS: Final = re.compile(
    rf"#[^\n]*|(?<!\w)[rR]?[fF][rR]?({_STRING})|{_STRING}|(?<![\w.])([^\W\d]\w*)(?!\w|\s*=(?!=))",
    re.DOTALL,
)
"""Comments, f-strings (the first group), other strings, and names but for keywords of calls
(the second group)."""


def format_python(source: str, neighbours: tuple[str, ...] = ()) -> str:
    """Format a whole Python file.

    Args:
        source: Python, each statement on one line or several, imports in any order.
        neighbours: Modules of the folder that the file will stand in, which it imports last.

    Returns:
        The file as `ruff check --select I,F401 --fix` and `ruff format` leave it; comments that
        alone make a line too long stand above it.

    Raises:
        SpecError: SF312 if ruff cannot be run.
        SyntaxError: The source is no Python.
    """
    return _formatter(with_short_lines(source), neighbours)


def set_formatter(function: Formatter) -> None:
    """Format generated code with another function, which gets what `format_python` gets."""
    global _formatter
    _formatter = function


def with_short_lines(source: str) -> str:
    """The text with comments above the statements that they alone make too long.

    ruff splits the statement instead, which hides what the line does behind its remark.
    """
    lines = source.split("\n")
    long = {n for n, line in enumerate(lines, 1) if "  # " in line and text_width(line) > WIDTH}
    if not long:
        return source
    moved = dict(_comments_to_move(source, long))
    return "\n".join(line for n, old in enumerate(lines, 1) for line in moved.get(n, (old,)))


def _comments_to_move(source: str, long: set[int]) -> Iterator[tuple[int, tuple[str, str]]]:
    """The numbers of lines whose statements fit without their comments, and their new text."""
    number, start = 1, 0  # the line, and where it starts
    depth, begins = 0, True  # brackets that are open; whether a statement begins on the line
    for mark in _MARKS.finditer(source):
        text = mark[0]
        if text in "([{":
            depth += 1
        elif text in ")]}":
            depth -= 1
        elif text.startswith("#"):
            code = source[start : mark.start()].rstrip()
            fits = number in long and begins and code and text_width(code) <= WIDTH
            if fits and not text.startswith(PRAGMAS):
                indent = code[: len(code) - len(code.lstrip())]
                yield number, (indent + text, code)
        elif "\n" in text:
            number += text.count("\n")
            start = mark.start() + text.rindex("\n") + 1
            begins = text == "\n" and not depth


def text_width(text: str) -> int:
    """Columns that a line takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def run_ruff(source: str, neighbours: tuple[str, ...]) -> str:
    """Let the ruff beside this interpreter format a file.

    `ruff check` gets the imports and the names that the code uses, not the code: its memory grows
    with the square of a function's assignments, to 12 GB for a model of 100,000 layers.
    """
    docstring, imports, code = split(source)
    names = used_names(code) & used_names(imports)
    return _run(FORMAT, docstring + _checked(imports, tuple(sorted(names)), neighbours) + code)


@lru_cache(maxsize=256)
def _checked(imports: str, names: tuple[str, ...], neighbours: tuple[str, ...]) -> str:
    """The imports that are used, sorted; a program that writes many models has few kinds."""
    own = ("--config", f"lint.isort.known-first-party = {list(neighbours)}")
    checked = _run((*CHECK, *own), f"{imports}\n({', '.join(names)})\n")
    return checked[: checked.rindex("(")]


def split(source: str) -> tuple[str, str, str]:
    """A module's docstring, its imports with the comments among them, and the code."""
    found = _DOCSTRING.match(source)
    start = end = found.end() if found else 0
    while line := _IMPORT.match(source, end):
        end = line.end()
    return source[:start], source[start:end], source[end:]


def used_names(code: str) -> set[str]:
    """The words of a text that may be names: those in f-strings and outside of strings."""
    found = {match.groups() for match in _WORDS.finditer(code)}
    formatted = (word for text, _ in found if text for word in _NAME.findall(text))
    return {name for _, name in found if name}.union(formatted).difference(keyword.kwlist)


def _run(options: tuple[str, ...], source: str) -> str:
    try:
        from ruff import find_ruff_bin

        done = subprocess.run(
            [find_ruff_bin(), *options], input=source, capture_output=True, encoding="utf-8"
        )
    except (ImportError, OSError) as error:
        message = f"expected ruff, which formats generated code, beside Python, received: {error}"
        hint = "pip install --force-reinstall ruff"
        raise SpecError([Diagnostic("SF312", message, hint=hint)]) from error
    if done.returncode:
        raise SyntaxError(f"generated code that ruff cannot read: {done.stderr.strip()}")
    return done.stdout


_formatter: Formatter = run_ruff
