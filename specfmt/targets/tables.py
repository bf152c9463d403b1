"""Long tables of a layer (vocabularies, boundaries) as constants of the generated file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from specfmt.targets.source import literal, string

WIDTH: Final = 80
SHORT: Final = 60
"""The widest table, in columns, that is written inside a call; wider ones become constants."""


def is_long(values: Sequence[Any]) -> bool:
    """Whether a table is too long to be written as an argument of a call."""
    return 2 * len(values) > SHORT or len(literal(list(values))) > SHORT


def table_source(name: str, values: Sequence[Any]) -> str:
    """The assignment of a table to a constant, with as many values as fit on each line.

    Strings without white space are joined into one literal, ``(...).split()``; other values are
    written as a list.
    """
    if all(isinstance(item, str) and item.split() == [item] for item in values):
        texts = (string("".join(f"{word} " for word in row)) for row in rows(values))
        return f"{name} = (\n" + "".join(f"    {text}\n" for text in texts) + ").split()"
    texts = (", ".join(literal(item) for item in row) for row in rows(values))
    return f"{name} = [\n" + "".join(f"    {text},\n" for text in texts) + "]  # fmt: skip"


def rows(values: Sequence[Any]) -> Iterator[list[Any]]:
    """Split values into rows that each fit on a line of source."""
    row: list[Any] = []
    width = 0
    for value in values:
        own = len(literal(value)) + 2
        if row and width + own > WIDTH:
            yield row
            row, width = [], 0
        row.append(value)
        width += own
    if row:
        yield row
