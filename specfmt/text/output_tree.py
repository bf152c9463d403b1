"""A document to be written: its values, their order and their comments.

It is built from a source text for ``specfmt fmt`` and from plain data for ``specfmt import``;
one emitter writes both, in the same canonical form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.text.quoting import tidy_number, write_number
from specfmt.text.scalars import CORE_TAGS, resolve_tagged
from specfmt.text.source import MAX_DEPTH, TOO_DEEP

if TYPE_CHECKING:
    from specfmt.text.positions import Lines, Node

Kind = Literal["string", "verbatim", "map", "seq"]

# What a literal block scalar cannot contain unchanged, or not legibly.
_NOT_LITERAL = re.compile(
    r"\A[\s]|[ \t]$|\n\n\Z|[^\n\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd"
    r"\U00010000-\U0010ffff]",
    re.MULTILINE,
)


@dataclass(slots=True, eq=False)
class Item:
    """A value.

    Attributes:
        kind: ``string``; ``verbatim`` for numbers, true, false, null and aliases; ``map`` or
            ``seq``.
        text: A string's value, or the text to write.
        folded: The header and lines of a folded block scalar, whose line breaks are kept.
        anchor: ``&name``, or empty.
        entries: The entries of a collection.
        tail: Comments after the last entry.
        broken: Whether it cannot be written on one line.
        flow: Whether it is written in brackets in the source.
        start: Offset in the source.
        end: Offset after it in the source.
        owner: The entry whose value it is.
    """

    kind: Kind
    text: str = ""
    folded: Sequence[str] = ()  # tuples by default, as a large spec has many leaves
    anchor: str = ""
    entries: Sequence[Entry] = ()
    tail: Sequence[str] = ()
    broken: bool = False
    flow: bool = False
    start: int = 0
    end: int = 0
    owner: Entry | None = None

    @property
    def is_literal(self) -> bool:
        """Whether it is a text of several lines that a literal block scalar can contain."""
        return self.kind == "string" and "\n" in self.text and is_literal(self.text)


@dataclass(slots=True, eq=False)
class Entry:
    """A key with its value, or an element of a list.

    Attributes:
        key: The key; None for an element.
        value: The value.
        parent: The collection that it belongs to.
        above: Comments and blank lines (empty strings) before it.
        side: The comment at the end of its line.
        start: Offset of the key, or of the element's value.
        column: Its column in the source; in block style, that of the dash.
        lines: The lines where it begins, where its key ends and where its value ends.
    """

    key: Item | None
    value: Item
    parent: Item
    above: Sequence[str] = ()
    side: str = ""
    start: int = 0
    column: int = 0
    lines: tuple[int, int, int] = (0, 0, 0)

    @property
    def name(self) -> str:
        """The key's text."""
        return self.key.text if self.key else ""


def is_literal(text: str) -> bool:
    """Whether a literal block scalar can contain this text."""
    return not _NOT_LITERAL.search(text)


def from_data(value: Any, depth: int = 0) -> Item:
    """The item that writes plain data.

    Raises:
        SpecError: SF107, nested deeper than a document may be.
        TypeError: A value or a key that a spec cannot contain.
    """
    if isinstance(value, str):
        return Item("string", value)
    if value is None or isinstance(value, (bool, int, float)):
        return Item("verbatim", write_number(value))
    if depth == MAX_DEPTH:
        raise SpecError([Diagnostic(code="SF107", message=TOO_DEEP[0], hint=TOO_DEEP[1])])
    if isinstance(value, dict):
        item = Item("map")
        entries: list[Entry] = []
        for key, part in value.items():
            if not isinstance(key, str):
                raise TypeError(f"expected a string as key, received {key!r}")
            entries.append(Entry(Item("string", key), from_data(part, depth + 1), item))
        item.entries = entries
        return item
    if isinstance(value, (list, tuple)):
        item = Item("seq")
        item.entries = [Entry(None, from_data(part, depth + 1), item) for part in value]
        return item
    raise TypeError(f"expected plain data, received {type(value).__name__}")


def from_node(node: Node, text: str, lines: Lines) -> Item:
    """The item that writes a value of a source text, without its comments."""
    item = _from_scalar(node, text) if node.kind in ("scalar", "alias") else Item("map")
    item.start, item.end, item.flow = node.start, node.end, node.flow
    item.anchor = f"&{node.anchor}" if node.anchor else ""
    entries: list[Entry] = []
    if node.kind == "map":
        for key, value in node.pairs:
            entry = Entry(from_node(key, text, lines), from_node(value, text, lines), item)
            _locate(entry, key.start, key.end, value, lines)
            entries.append(entry)
    elif node.kind == "seq":
        item.kind = "seq"
        for value in node.items:
            entry = Entry(None, from_node(value, text, lines), item)
            dash = value.start if node.flow else text.rfind("-", node.start, value.start)
            _locate(entry, max(dash, node.start), value.start, value, lines)
            entry.start = value.start
            entries.append(entry)
    item.entries = entries
    return item


def _locate(entry: Entry, start: int, key_end: int, value: Node, lines: Lines) -> None:
    first, entry.column = lines.place(start)
    entry.start = start
    entry.lines = (first, lines.place(key_end)[0], lines.place(value.end)[0])
    entry.value.owner = entry


def _from_scalar(node: Node, text: str) -> Item:
    if node.kind == "alias":
        return Item("verbatim", f"*{node.value}")
    if node.is_merge_key:
        return Item("verbatim", "<<")
    if node.tag is not None:
        value = resolve_tagged(CORE_TAGS[node.tag], node.value, plain=not node.style)
        return Item("string", value) if isinstance(value, str) else from_data(value)
    if node.style:
        item = Item("string", node.value)
        if node.style == ">":
            item.folded = _folded(node, text)
        return item
    tidy = tidy_number(node.value)
    return Item("string", node.value) if tidy is None else Item("verbatim", tidy)


_FOLDED_HEADER = re.compile(r">(-?)\s*(?:#.*)?\Z")


def _folded(node: Node, text: str) -> list[str]:
    """The header and lines of a folded scalar; empty if its form cannot be kept."""
    source = text[node.start : node.end]
    head, *body = re.split(r"\r\n?|\n", source[source.index(">") :])
    header = _FOLDED_HEADER.match(head)
    if header is None or not body or not is_literal(node.value.rstrip("\n")):
        return []
    margin = len(body[0]) - len(body[0].lstrip(" "))
    if not body[0].strip() or any(line[:margin].strip() for line in body):
        return []
    return [f">{header[1]}", *(line[margin:].rstrip() for line in body)]
