"""Formatting of generated Python with ruff: line breaks, sorted imports, no unused imports.

No other module knows the formatter.  `set_formatter` replaces it for a host that cannot start
processes (a browser page with ruff as WebAssembly).
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
"""The line length of generated code: ruff's default."""

STYLE: Final = ("--isolated", "--quiet", "--target-version", "py311", "--config", "src = []")
"""Arguments of every ruff call; settings and modules of the current folder have no effect."""

CHECK: Final = ("check", *STYLE, "--select", "I,F401", "--fix-only", "--exit-zero", "-")
FORMAT: Final = ("format", *STYLE, "--line-length", str(WIDTH), "-")

Formatter = Callable[[str, tuple[str, ...]], str]

PRAGMAS: Final = ("# type:", "# noqa", "# pyright:", "# ty:", "# pragma:")
"""Comments that apply to their line; ruff does not count their width."""

_MARKS: Final = re.compile(
    r'("""|\'\'\')(?:[^\\]|\\.)*?\1|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
    r"|#[^\n]*|[(\[{}\])]|\\?\n",
    re.DOTALL,
)
"""The tokens that tell where statements begin: strings, comments, brackets, line ends."""

_STRING: Final = r'(?:"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
_DOCSTRING: Final = re.compile(rf"[rR]?{_STRING}[^\S\n]*\n", re.DOTALL)
_IMPORT: Final = re.compile(
    r"[^\S\n]*(?:#[^\n]*)?\n|(?:import|from)\b[^\n(]*(?:\([^)]*\))?[^\n]*\n"
)
"""One item between a module's docstring and its code: an import, a comment or a blank line."""

_NAME: Final = re.compile(r"[^\W\d]\w*")
_WORDS: Final = re.compile(
    rf"#[^\n]*|(?<!\w)[rR]?[fF][rR]?({_STRING})|{_STRING}|(?<![\w.])([^\W\d]\w*)(?!\w|\s*=(?!=))",
    re.DOTALL,
)
"""Comments, f-strings (the first group), other strings, and names other than keyword arguments
(the second group)."""


def format_python(source: str, neighbours: tuple[str, ...] = ()) -> str:
    """Format a whole Python file.

    Args:
        source: Python code with any line breaks, and imports in any order.
        neighbours: Modules in the file's own folder; their imports are sorted last.

    Returns:
        The file as `ruff check --select I,F401 --fix` and `ruff format` write it; a trailing
        comment that alone makes its line too long is moved above the line.

    Raises:
        SpecError: SF312 if ruff cannot be run.
        SyntaxError: The source is not valid Python.
    """
    return _formatter(with_short_lines(source), neighbours)


def set_formatter(function: Formatter) -> None:
    """Replace ruff by another function, called with the arguments of `format_python`."""
    global _formatter
    _formatter = function


def with_short_lines(source: str) -> str:
    """Move trailing comments that alone make their line too long above the line.

    ruff would split the statement instead, which is harder to read.
    """
    lines = source.split("\n")
    long = {n for n, line in enumerate(lines, 1) if "  # " in line and text_width(line) > WIDTH}
    if not long:
        return source
    moved = dict(_comments_to_move(source, long))
    return "\n".join(line for n, old in enumerate(lines, 1) for line in moved.get(n, (old,)))


def _comments_to_move(source: str, long: set[int]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Line number -> comment and code, for long lines that fit without their comment."""
    number, start = 1, 0  # the line number, and the offset of the line
    depth, begins = 0, True  # open brackets; whether a statement begins on the line
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
    """The width of a line in columns."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def run_ruff(source: str, neighbours: tuple[str, ...]) -> str:
    """Format a file with the ruff that is installed for this interpreter.

    `ruff check` gets the imports and the names that the code uses, not the code: its memory grows
    with the square of a function's assignments, to 12 GB for a model of 100,000 layers.
    """
    docstring, imports, code = split(source)
    names = used_names(code) & used_names(imports)
    return _run(FORMAT, docstring + _checked(imports, tuple(sorted(names)), neighbours) + code)


@lru_cache(maxsize=256)
def _checked(imports: str, names: tuple[str, ...], neighbours: tuple[str, ...]) -> str:
    """Sort the imports and remove unused ones; cached, as models share few different imports."""
    own = ("--config", f"lint.isort.known-first-party = {list(neighbours)}")
    checked = _run((*CHECK, *own), f"{imports}\n({', '.join(names)})\n")
    return checked[: checked.rindex("(")]


def split(source: str) -> tuple[str, str, str]:
    """Split a module into its docstring, its imports with comments, and the code."""
    found = _DOCSTRING.match(source)
    start = end = found.end() if found else 0
    while line := _IMPORT.match(source, end):
        end = line.end()
    return source[:start], source[start:end], source[end:]


def used_names(code: str) -> set[str]:
    """The words of a text that may be names: those outside of strings and those in f-strings."""
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
        message = f"expected an installed ruff, which formats generated code, received: {error}"
        hint = "pip install --force-reinstall ruff"
        raise SpecError([Diagnostic("SF312", message, hint=hint)]) from error
    if done.returncode:
        raise SyntaxError(f"ruff cannot parse the generated code: {done.stderr.strip()}")
    return done.stdout


_formatter: Formatter = run_ruff
