"""Documents that say where a line may break; `printer` decides where it does.

The algebra is the one of prettier and of ruff's formatter: a *group* is printed flat when it fits
in the rest of the line and expanded otherwise; a *best fitting* tries variants from flat to
expanded.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final, TypeAlias

Doc: TypeAlias = (
    "str | list[Doc] | Line | Expand | Group | Indent | IfBreaks | FitsExpanded | BestFitting"
    " | BestFitParenthesize | LineSuffix"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A possible line break: `flat` is its text when it is not taken, None when it always is."""

    flat: str | None


@dataclass(frozen=True, slots=True)
class Expand:
    """Forces the enclosing group to expand: a magic trailing comma, a comment."""


@dataclass(slots=True, eq=False)
class Group:
    """Content printed flat if it fits, else expanded.

    With `unless_flat`, a group only where the group of that id is expanded.
    """

    content: Doc
    id: int | None = None
    expand: bool = False
    unless_flat: int | None = None
    propagated: bool = False


@dataclass(slots=True, eq=False)
class Indent:
    """Content one level deeper; with `if_breaks`, only where the group of that id is expanded."""

    content: Doc
    if_breaks: int | None = None


@dataclass(slots=True, eq=False)
class IfBreaks:
    """Content printed only where a group (`id`, or the enclosing one) is expanded, or is flat."""

    content: Doc
    id: int | None = None
    flat: bool = False


@dataclass(slots=True, eq=False)
class FitsExpanded:
    """Content that may break inside a flat line: it is measured expanded.

    With `if_fits`, only where the group of that id is flat.
    """

    content: Doc
    if_fits: int | None = None
    expands: bool = False


@dataclass(slots=True, eq=False)
class BestFitting:
    """The first variant that fits, else the last one."""

    variants: list[Doc]
    all_lines: bool = False


@dataclass(slots=True, eq=False)
class BestFitParenthesize:
    """Content in parentheses on lines of its own, if it does not fit flat but fits there."""

    content: Doc
    id: int


@dataclass(frozen=True, slots=True)
class LineSuffix:
    """A trailing comment: printed at the end of the line, `reserved` columns wide."""

    text: str
    reserved: int


@dataclass(frozen=True, slots=True)
class CloseParenthesis:
    """While measuring: the closing parenthesis of a `BestFitParenthesize`, on its own line."""


SOFT: Final = Line("")
SPACE: Final = Line(" ")
HARD: Final = Line(None)
EXPAND: Final = Expand()


def soft_indent(content: Doc) -> Doc:
    """Content on indented lines of its own when the group expands."""
    return [Indent([SOFT, content]), SOFT]


def join(docs: list[Doc], separator: Doc) -> Doc:
    """The documents with the separator between them."""
    joined: list[Doc] = []
    for doc in docs:
        if joined:
            joined.append(separator)
        joined.append(doc)
    return joined


def text_width(text: str) -> int:
    """Columns that a text without line breaks takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def will_break(doc: Doc) -> bool:
    """Whether the document contains a forced break even when it is as flat as can be."""
    if isinstance(doc, str):
        return "\n" in doc
    if isinstance(doc, list):
        return any(will_break(part) for part in doc)
    if isinstance(doc, Line):
        return doc.flat is None
    if isinstance(doc, Expand):
        return True
    if isinstance(doc, (LineSuffix, FitsExpanded)):
        return False
    if isinstance(doc, BestFitting):
        return will_break(doc.variants[0])
    return (isinstance(doc, Group) and doc.expand) or will_break(doc.content)


def flatten(doc: Doc) -> Doc:
    """The document without its optional line breaks."""
    if isinstance(doc, list):
        return [flatten(part) for part in doc]
    if isinstance(doc, Line):
        return doc if doc.flat is None else doc.flat
    if isinstance(doc, BestFitting):
        return flatten(doc.variants[0])
    if isinstance(doc, IfBreaks):
        return flatten(doc.content) if doc.flat else ""
    if isinstance(doc, Group):
        return Group(flatten(doc.content), doc.id, doc.expand, doc.unless_flat)
    if isinstance(doc, Indent):
        return Indent(flatten(doc.content), doc.if_breaks)
    if isinstance(doc, FitsExpanded):
        return FitsExpanded(flatten(doc.content), doc.if_fits)
    return doc


def propagate(doc: Doc) -> bool:
    """Expands every group that contains a forced break; returns whether the document does."""
    if isinstance(doc, str):
        return "\n" in doc
    if isinstance(doc, list):
        # All parts are visited: groups after the first forced break need their own answer.
        return sum(map(propagate, doc)) > 0
    if isinstance(doc, Line):
        return doc.flat is None
    if isinstance(doc, Group):
        if not doc.propagated:
            doc.propagated = True
            doc.expand = propagate(doc.content) or doc.expand
        return doc.expand
    if isinstance(doc, Expand):
        return True
    if isinstance(doc, LineSuffix):
        return False
    if isinstance(doc, BestFitting):
        for variant in doc.variants:
            propagate(variant)
        return False
    expands = propagate(doc.content)
    if isinstance(doc, FitsExpanded):
        doc.expands = expands
        return False
    return expands and not isinstance(doc, BestFitParenthesize)
