"""What is merged: the lines of each use of a block."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Hints = Mapping[str | int, Sequence[str]]
"""Keyword or position of an argument -> the texts of the spec that say its value.

A text is one as in the spec: ``$(4 * filters)``, ``$(name)_1_conv``.
"""

RANGE = "range"
"""The key of the hints for the bounds of a loop, see `Line.hints`."""


@dataclass(frozen=True)
class Line:
    """One statement of a use.

    Attributes:
        key: What is the same for this statement in all uses, such as the number of the entry.
        source: The statement, with the use's own values, on one line, without a comment.
        comment: A comment, without ``#``.
        hints: What the spec says of the arguments of the first call in the statement, which is
            ``f`` in ``x = f(1, a=2)(x)``; for a loop also of its bounds, under `RANGE`.
        defaults: Keyword -> the source of its default, for the keywords that this statement leaves
            out and another use may have.
        order: The keywords in the order in which they are written.
        when: The text of the spec that is true for the uses that have it; empty if there is none.
    """

    key: Hashable
    source: str
    comment: str = ""
    hints: Hints = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    order: Sequence[str] = ()
    when: str = ""


@dataclass(frozen=True)
class Variant:
    """A use of a block, or several equal ones.

    Attributes:
        values: The value of each parameter, of the spec and of the target, as plain data.
        lines: Its statements in order.
    """

    values: Mapping[str, Any]
    lines: Sequence[Line]


@dataclass(frozen=True)
class Merged:
    """The body that says all uses.

    Attributes:
        lines: Its lines, with the indentation of conditions.
        used: The parameters in it, in the order of their first use.
        conditions: The parameters among them that stand in a condition of a line.
    """

    lines: list[str]
    used: tuple[str, ...]
    conditions: frozenset[str] = frozenset()


class NoFitError(Exception):
    """No expression of parameters says what differs between uses.

    Attributes:
        key: The key of the line.
        sources: What differs, for each use that has the line, as source.
    """

    def __init__(self, sources: Sequence[str], key: Hashable = None) -> None:
        super().__init__(f"no expression for {key}: {', '.join(sources[:4])}")
        self.key = key
        self.sources = list(sources)
