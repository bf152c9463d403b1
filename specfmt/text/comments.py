"""The comments of a YAML text, attached to the entries that they are about."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specfmt.text.output_tree import Entry, Item
    from specfmt.text.positions import Lines, Node

_MODELINE = re.compile(r"#!|#\s*(?:yaml-language-server|\$schema|vim?:|-\*-)")
_MARGIN = re.compile(r"[ -]*")
_LINE = re.compile(r"#[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment with its position; ``own`` is true if it has a line of its own."""

    offset: int
    line: int
    column: int
    text: str
    own: bool


class _Attachment:
    """The comments that are attached to entries so far."""

    def __init__(self) -> None:
        self.above: dict[int, list[Comment]] = {}
        self.tails: dict[int, list[Comment]] = {}


def attach(root: Item, tree: Node, text: str, lines: Lines) -> list[str]:
    """Attach each comment of a text to the entry or the collection that it is about.

    A comment at a line's end belongs to that line.  One on a line of its own belongs to
    what follows, unless it is indented deeper than that: then it ends the collection
    above it.

    Returns:
        The head of the file: a mode line, and comments that a blank line separates from
        the first entry.  These stay first wherever that entry goes.
    """
    comments = list(find_comments(tree, text, lines))
    entries = list(_preorder(root))
    if not entries:
        root.tail = [comment.text for comment in comments if comment.offset >= root.start]
        return [comment.text for comment in comments if comment.offset < root.start]
    starts = [entry.start for entry in entries]
    found = _Attachment()
    for comment in comments:
        after = bisect_right(starts, comment.offset)
        _place(
            comment, entries[after - 1] if after else None, entries[after : after + 1], root, found
        )
    blank = _blank_lines(tree, text, lines)
    margins: dict[int, int] = {}  # line -> the column of its text, after dashes
    for entry in entries:
        line, column = lines.place(entry.start)
        if line not in margins:
            margin = _MARGIN.match(text, entry.start - column + 1)
            margins[line] = margin.end() if margin else 0
        end = entry.lines[0] if entry.start <= margins[line] else 0
        entry.above = _with_blanks(found.above.get(id(entry), []), end, blank)
        if entry is entry.parent.entries[0] and entry.above and not entry.above[0]:
            entry.above = entry.above[1:]
    for item in (root, *(entry.value for entry in entries)):
        item.tail = _with_blanks(found.tails.get(id(item), []), 0, blank)
    return _take_head(entries[0])


def _blank_lines(tree: Node, text: str, lines: Lines) -> set[int]:
    """The numbers of the empty lines, except those inside scalars."""
    blank = {i for i, line in enumerate(re.split(r"\r\n?|\n", text), 1) if not line.strip()}
    for node in _scalars(tree):
        if node.style or node.end - node.start > len(node.value):
            blank.difference_update(range(lines.place(node.start)[0], lines.place(node.end)[0]))
    return blank


def _preorder(item: Item) -> Iterator[Entry]:
    stack = list(reversed(item.entries))
    while stack:
        entry = stack.pop()
        yield entry
        stack += reversed(entry.value.entries)


def find_comments(tree: Node, text: str, lines: Lines) -> Iterator[Comment]:
    """All comments outside scalars, and those after a block scalar's ``|`` or ``>``."""
    at = 0
    for node in _scalars(tree):
        yield from _between(text, at, node.start, lines)
        if node.style in ("|", ">"):
            line_end = text.find("\n", node.start)
            yield from _between(text, node.start, line_end, lines)
        at = max(at, node.end)
    yield from _between(text, at, len(text), lines)


def _scalars(tree: Node) -> Iterator[Node]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if node.kind in ("scalar", "alias"):
            yield node
        stack += node.items[::-1]
        for key, value in reversed(node.pairs):
            stack += (value, key)


def _between(text: str, start: int, end: int, lines: Lines) -> Iterator[Comment]:
    while (at := text.find("#", start, end)) >= 0:
        match = _LINE.match(text, at)
        assert match is not None
        line, column = lines.place(at)
        own = not text[at - column + 1 : at].strip()
        yield Comment(at, line, column, match[0].rstrip(), own)
        start = match.end()


def _place(
    comment: Comment, before: Entry | None, after: list[Entry], root: Item, found: _Attachment
) -> None:
    """Attach one comment to an entry or a collection."""
    following = after[0] if after else None
    if not comment.own:
        beside = before
        while beside and beside.parent.flow and beside.parent.end <= comment.offset:
            beside = beside.parent.owner
        if beside and comment.line in beside.lines:
            if not beside.side and not beside.value.folded and not beside.value.is_literal:
                beside.side = comment.text
            else:
                found.above.setdefault(id(beside), []).append(comment)
            return
        collection = None
    elif before is None or (following and following.parent.owner is before):
        collection = None
    else:
        collection = _ended(comment, before, following)
    inside = _open_bracket(comment, before, root)
    if inside is not None and (following is None or following.parent is not inside):
        collection = inside
    if collection is None and following is None:
        collection = root
    if collection is None and following:
        found.above.setdefault(id(following), []).append(comment)
    elif collection and not collection.entries and collection.owner:
        found.above.setdefault(id(collection.owner), []).append(comment)
    elif collection:
        found.tails.setdefault(id(collection), []).append(comment)


def _open_bracket(comment: Comment, before: Entry | None, root: Item) -> Item | None:
    """The collection of the innermost brackets around a comment."""
    item = before.value if before else root
    while True:
        if item.flow and item.start < comment.offset < item.end:
            return item
        if item.owner is None:
            return None
        item = item.owner.parent


def _ended(comment: Comment, before: Entry, following: Entry | None) -> Item | None:
    """The collection that a comment ends by its indentation; None if it belongs to what follows."""
    item = before.parent
    while following is None or item is not following.parent:
        if not item.flow and item.entries[0].column <= comment.column:
            return item
        if item.owner is None:
            return None
        item = item.owner.parent
    return None


def _with_blanks(comments: list[Comment], end: int, blank: set[int]) -> list[str]:
    """Comments as lines, with one empty line wherever the source has some."""
    written: list[str] = []
    for comment in comments:
        if comment.own and comment.line - 1 in blank:
            written.append("")
        written.append(comment.text)
    if end - 1 in blank:
        written.append("")
    return written


def _take_head(first: Entry) -> list[str]:
    lines = list(first.above)
    cut = len(lines) - lines[::-1].index("") if "" in lines else 0
    if not cut and lines and _MODELINE.match(lines[0]):
        cut = 1
    first.above = lines[cut:]
    return lines[:cut]
