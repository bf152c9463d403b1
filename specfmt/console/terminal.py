"""Diagnostics on a terminal, in colour and with the source line, and tables that fit its width."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from operator import gt
from typing import IO, TYPE_CHECKING, Final
from unicodedata import east_asian_width

from specfmt.diagnostics import printable

if TYPE_CHECKING:
    from specfmt.diagnostics import Diagnostic

WIDTH: Final = 80
"""The width in columns if the terminal's is unknown."""

_RED, _YELLOW, _BLUE, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"


def in_colour(stream: IO[str]) -> bool:
    """Whether a stream is a terminal that shows colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns() -> int:
    """The terminal's width."""
    from shutil import get_terminal_size

    return get_terminal_size((WIDTH, 24)).columns


def in_files(diagnostics: Iterable[Diagnostic], width: int | None) -> Iterator[str]:
    """Diagnostics as text; if a width is given, in colour and with the lines of their files."""
    texts: dict[str, str | None] = {}
    for diagnostic in diagnostics:
        if width is None:
            yield str(diagnostic)
            continue
        file = diagnostic.file
        if diagnostic.span is not None and file not in texts:
            texts[file] = _text(file)
        yield shown(diagnostic, texts.get(file), width)


def _text(file: str) -> str | None:
    """The text of a file, or None."""
    from pathlib import Path

    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None


def shown(diagnostic: Diagnostic, text: str | None, width: int) -> str:
    """A diagnostic in colour, with the source line that it is about.

    Args:
        diagnostic: The diagnostic.
        text: The text of its file, or None.
        width: The columns available for the source line.
    """
    head, _, rest = str(diagnostic).partition("\n")
    place, mark, message = head.partition(f": {diagnostic.severity}[")
    if mark:
        colour = _RED if diagnostic.severity == "error" else _YELLOW
        code, _, message = message.partition("]: ")
        head = (
            f"{_BOLD}{place}:{_PLAIN} {colour}{diagnostic.severity}[{code}]{_PLAIN}: "
            f"{_BOLD}{message}{_PLAIN}"
        )
    lines = [head, *_excerpt(diagnostic, text, width)]
    if rest:
        label, _, hint = rest.partition(": ")
        lines.append(f"{_BLUE}{label}:{_PLAIN} {hint}")
    return "\n".join(lines)


def _excerpt(diagnostic: Diagnostic, text: str | None, width: int) -> list[str]:
    """The line that a diagnostic is about, with carets below the place."""
    span = diagnostic.span
    if span is None or text is None:
        return []
    lines = text.splitlines()
    if not 1 <= span.line <= len(lines):
        return []
    line = "".join(c if c.isprintable() else " " for c in lines[span.line - 1])
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    end = max(start + 1, min(end, len(line)))
    number = f"{span.line:>5} "
    room = max(20, width - len(number) - 3)
    first = max(0, min(start - room // 3, len(line) - room))
    window = line[first : first + room]
    before = sum(map(_cells, line[first:start]))
    length = max(1, sum(map(_cells, line[start : min(end, first + room)])))
    return [
        f"{_BLUE}{number}|{_PLAIN} {window}".rstrip(),
        f"{' ' * len(number)}{_BLUE}|{_PLAIN} {' ' * before}{_RED}{'^' * length}{_PLAIN}",
    ]


def _cells(character: str) -> int:
    """The number of columns that a character takes."""
    return 2 if east_asian_width(character) in "WF" else 1


def table(
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    width: int | None = WIDTH,
    unbroken: Sequence[int] = (),
) -> str:
    """A text table; cells that do not fit are continued on the next line.

    Args:
        rows: The header, then the rows, all of the same length.
        right: The indices of right-aligned columns.
        width: The width of the table, in characters, unless columns would get too narrow; None for
            one line per row.
        unbroken: The indices of columns whose cells are never broken: where one does not fit, the
            rest of its row is on the next line.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    sizes = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    gaps = 2 * (len(sizes) - 1)
    whole = [max(_NARROW, *(_longest_piece(row[i]) for row in rows)) for i in range(len(sizes))]
    for i in unbroken:
        whole[i] = max((len(row[i]) for row in rows if len(row[i]) <= _LONGEST), default=_NARROW)
    broken = [size if i in unbroken else _NARROW for i, size in enumerate(whole)]
    for least in (whole, broken):  # words are broken where nothing else helps
        while width is not None and sum(sizes) + gaps > width and any(map(gt, sizes, least)):
            wide = [size if size > bound else 0 for size, bound in zip(sizes, least, strict=True)]
            widest = wide.index(max(wide))
            second = max((size for i, size in enumerate(wide) if i != widest), default=0)
            excess = sum(sizes) + gaps - width
            sizes[widest] = max(least[widest], second - 1, sizes[widest] - excess)
    lines: list[str] = []
    for index, row in enumerate(rows):
        cells = [
            [cell] if i in unbroken else _folded(cell, size)
            for i, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ]
        long = [i for i in unbroken if len(row[i]) > sizes[i]]
        if long:
            cells = [cell if i in long else ["", *cell] for i, cell in enumerate(cells)]
        for level in range(max(map(len, cells))):
            parts = [cell[level] if level < len(cell) else "" for cell in cells]
            aligned = [
                part.rjust(size) if i in right else part.ljust(size)
                for i, (part, size) in enumerate(zip(parts, sizes, strict=True))
            ]
            lines.append("  ".join(aligned).rstrip())
        if index == 0:
            lines.append("-" * (sum(sizes) + gaps))
    return "\n".join(lines)


_NARROW: Final = 10
"""The least width of a column, in characters."""

_LONGEST: Final = 28
"""Longer words are broken where a table is too wide, before a capital letter if possible."""

_BREAK: Final = re.compile(r"(?<=[ _/.])")


def _longest_piece(text: str) -> int:
    """Characters between two places where text may be broken."""
    return min(_LONGEST, max(map(len, _BREAK.split(text))))


def _folded(text: str, size: int) -> list[str]:
    """Text in lines of at most ``size`` characters, broken after punctuation or a space if possible."""
    lines = []
    while len(text) > size:
        at = max(text.rfind(mark, 0, size) for mark in (", ", " ", "_", "/", "."))
        fits = len(_BREAK.split(text[at + 1 :], maxsplit=1)[0]) <= size
        capital = max((i for i in range(size // 3, size + 1) if text[i].isupper()), default=size)
        cut = at + 1 if at >= size // 3 or (at >= 0 and fits) else capital
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip(" ")
    return [*lines, text]
