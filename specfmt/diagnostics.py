"""Diagnostics: errors and warnings as data, with a place and a hint.

Every stage (parsing, validation, lint, targets, import, weights) produces these objects and
collects all of them, so that one mistake does not hide another.  The command line and the
Python API print or return them unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]
"""The place of a value in the document: keys and list indices from the root."""


class InUse(str):
    """The first key of a path into a block, ``blocks``, with the use of the block that is meant.

    A path that begins with it is one from the document's root.  The paths of two uses differ;
    `merged` makes one finding of those at the same place.
    """

    __slots__ = ("use",)
    use: object

    def __new__(cls, use: object) -> InUse:
        """The key for ``use``, which `str` describes: ``conv2_block1 (filters: 64)``."""
        made = super().__new__(cls, "blocks")
        made.use = use
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InUse) and self.use is other.use

    def __hash__(self) -> int:
        return id(self.use)

    def __str__(self) -> str:
        return "blocks"


@dataclass(frozen=True, slots=True)
class Span:
    """A range of the source text; lines and columns count from 1, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: Stable code such as ``SF203``; ``specfmt explain SF203`` prints its page.
        severity: ``error`` or ``warning``.
        message: What was expected and what was received.
        path: Keys and indices from the document root.
        hint: What to do; empty if the message already says it.
        span: The place in the source text, if there is a text.
        file: The file's name as the user gave it.
        on_key: The finding is about the key itself, not about its value.
    """

    code: str
    message: str
    path: Path = ()
    hint: str = ""
    severity: Severity = "error"
    span: Span | None = None
    file: str = ""
    on_key: bool = False

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901)."""
        return json_pointer(self.path)

    def at(self, span: Span | None, file: str) -> Diagnostic:
        """The same diagnostic with a place in a source text."""
        return replace(self, span=span, file=file)

    def under(self, prefix: Path) -> Diagnostic:
        """The same diagnostic with ``prefix`` in front of its path, unless it begins at the root."""
        if self.path and isinstance(self.path[0], InUse):
            return self
        return replace(self, path=(*prefix, *self.path))

    def to_dict(self) -> dict[str, Any]:
        """The diagnostic as data for JSON."""
        span = self.span
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "pointer": self.pointer,
            "file": self.file,
            "line": span.line if span else None,
            "column": span.column if span else None,
            "end_line": span.end_line if span else None,
            "end_column": span.end_column if span else None,
        }

    def __str__(self) -> str:
        place = self.file or "<spec>"
        if self.span:
            place += f":{self.span.line}:{self.span.column}"
        elif self.file and self.path:
            place += f"#{self.pointer}"
        text = printable(f"{place}: {self.severity}[{self.code}]: {self.message}")
        return f"{text}\n  help: {printable(self.hint)}" if self.hint else text


def merged(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Findings in blocks with the use in which they are; one for the same mistake in several uses."""
    found: list[Diagnostic | list[Diagnostic]] = []
    groups: dict[tuple[object, ...], list[Diagnostic]] = {}
    for item in diagnostics:
        if not item.path or not isinstance(item.path[0], InUse):
            found.append(item)
            continue
        key = (item.code, item.severity, item.on_key, *item.path[1:])
        if key not in groups:
            groups[key] = []
            found.append(groups[key])
        groups[key].append(item)
    return [item if isinstance(item, Diagnostic) else _in_uses(item) for item in found]


def _in_uses(group: list[Diagnostic]) -> Diagnostic:
    """One finding for the same mistake in the uses of a block."""
    first = group[0]
    uses: dict[InUse, None] = {item.path[0]: None for item in group}  # type: ignore[misc]
    others = len(uses) - 1
    also = f" and {others:,} other use{'s' if others > 1 else ''}" if others else ""
    message = f"{first.message}, in {next(iter(uses)).use}{also}"
    return replace(first, message=printable(message), path=("blocks", *first.path[1:]))


def printable(text: str) -> str:
    """The text with line breaks and control characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def json_pointer(path: Path) -> str:
    """``("layers", 0, "units")`` as ``/layers/0/units``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


class SpecError(Exception):
    """A document or another input has mistakes; ``diagnostics`` lists all of them."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(merged(diagnostics))
        super().__init__("\n".join(str(d) for d in self.diagnostics))
