"""The position of each value in the source text.

A document is read without positions, because most are never needed.  The first request
builds a tree of nodes from the text, once and in linear time; the formatter works on the
same tree.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

from specfmt.diagnostics import Span
from specfmt.text.scalars import resolve_or_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from specfmt.diagnostics import Path

NodeKind = Literal["scalar", "map", "seq", "alias"]


class Node:
    """One value of the source text.

    Attributes:
        kind: ``scalar``, ``map``, ``seq`` or ``alias``.
        start: Offset of its first character (of its anchor or tag, if it has one).
        end: Offset after its last character.
        value: The content of a scalar, or the anchor's name of an alias.
        style: A scalar's quote or block indicator; empty for a plain one.
        flow: Whether a collection is written in brackets.
        tag: The explicit tag.
        anchor: The anchor's name.
        pairs: Key and value nodes of a mapping, in order.
        items: Nodes of a sequence.
        target: The node that an alias refers to.
    """

    __slots__ = (
        "_children",
        "anchor",
        "end",
        "flow",
        "items",
        "kind",
        "pairs",
        "start",
        "style",
        "tag",
        "target",
        "value",
    )

    def __init__(self, kind: NodeKind, start: int, end: int = -1) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.value = ""
        self.style = ""
        self.flow = False
        self.tag: str | None = None
        self.anchor: str | None = None
        self.pairs: list[tuple[Node, Node]] = []
        self.items: list[Node] = []
        self.target: Node | None = None
        self._children: dict[str, tuple[Node, Node]] | None = None

    @property
    def is_merge_key(self) -> bool:
        """Whether it is a plain ``<<``."""
        return self.value == "<<" and self.kind == "scalar" and not self.style and not self.tag

    def child(self, part: str | int) -> tuple[Node | None, Node] | None:
        """The key (None in a sequence) and the value of one child."""
        node = self.target if self.target is not None else self
        if node.kind == "seq":
            if isinstance(part, int) and 0 <= part < len(node.items):
                return None, node.items[part]
            return None
        return node.children().get(part) if isinstance(part, str) else None

    def children(self) -> dict[str, tuple[Node, Node]]:
        """A mapping's own and merged entries by key."""
        if self._children is None:
            found: dict[str, tuple[Node, Node]] = {}
            self._children = found
            merges: list[Node] = []
            for key, value in self.pairs:
                if key.is_merge_key:
                    merges += value.items if value.kind == "seq" else [value]
                    continue
                named = key.target or key
                if named.kind == "scalar":
                    found.setdefault(named.value, (key, value))
            for source in merges:
                for name, pair in (source.target or source).children().items():
                    found.setdefault(name, pair)
        return self._children


class Positions:
    """Spans by path, for one text.

    Args:
        text: The source.
        is_json: Whether to scan it as JSON instead of YAML.
    """

    def __init__(self, text: str, *, is_json: bool) -> None:
        self.lines = Lines(text)
        self._text = text
        self._root = compose_json(text) if is_json else compose_yaml(text)

    def span(self, path: Path, *, on_key: bool = False) -> Span | None:
        """The span of the value at ``path``, or of its key.

        For a path that does not exist, the span of the nearest ancestor's value.
        """
        node, key = self._root, None
        if node is None:
            return None
        for part in path:
            found = node.child(part)
            if found is None:
                key = None
                break
            key, node = found
        shown = key if on_key and key is not None else node
        return self.lines.span(shown.start, shown.end)


class Lines:
    """Offsets of a text as lines and columns, both counted from 1.

    Line breaks are counted in blocks, so that a text of line breaks only takes no more memory
    than one of a single line.
    """

    _STRETCH = 2048

    def __init__(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", " \n").replace("\r", "\n")
        self._text = text
        self._before: list[tuple[int, int]] = []  # breaks before each block, start of its line
        breaks = line_start = 0
        for start in range(0, len(text) + 1, self._STRETCH):
            self._before.append((breaks, line_start))
            end = start + self._STRETCH
            breaks += text.count("\n", start, end)
            line_start = max(line_start, text.rfind("\n", start, end) + 1)

    def place(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset; offsets past the end count as the end."""
        offset = min(offset, len(self._text))
        stretch = offset // self._STRETCH
        breaks, line_start = self._before[stretch]
        start = stretch * self._STRETCH
        breaks += self._text.count("\n", start, offset)
        line_start = max(line_start, self._text.rfind("\n", start, offset) + 1)
        return breaks + 1, offset - line_start + 1

    def span(self, start: int, end: int) -> Span:
        """The span between two offsets."""
        return Span(*self.place(start), *self.place(max(start, end)))


def compose_yaml(text: str, stop: int | None = None) -> Node | None:
    """The node tree of a YAML text.

    Args:
        text: A text, or the beginning of one, that has been read before: its mistakes have
            been reported, and the tree ends at the first one that stops the parser.
        stop: Nodes that begin after this offset are left out.
    """
    import yaml.events as ev
    from yaml.error import YAMLError

    from specfmt.text.events import event_source, offset_of

    anchors: dict[str, Node] = {}
    stack: list[Node] = []
    pending: list[Node | None] = []  # for each open mapping, the key that has no value yet
    root: Node | None = None
    try:
        next_event = event_source(text)
        while (event := next_event()) is not None:
            if isinstance(event, ev.CollectionEndEvent):
                node = stack.pop()
                pending.pop()
                node.end = offset_of(event.end_mark) if node.flow else _last_end(node)
                continue
            if not isinstance(event, ev.NodeEvent):
                continue
            start = offset_of(event.start_mark)
            if stop is not None and start > stop:
                break
            if isinstance(event, ev.ScalarEvent):
                node = Node("scalar", start, offset_of(event.end_mark))
                node.value, node.style, node.tag = event.value, event.style or "", event.tag
                if node.style in ("|", ">"):
                    node.end = start + len(text[start : node.end].rstrip())
            elif isinstance(event, ev.AliasEvent):
                node = Node("alias", start, offset_of(event.end_mark))
                node.value = event.anchor or ""
                node.target = anchors.get(node.value)
            else:
                assert isinstance(event, ev.CollectionStartEvent)
                node = Node("map" if isinstance(event, ev.MappingStartEvent) else "seq", start)
                node.flow, node.tag = bool(event.flow_style), event.tag
            if event.anchor and node.kind != "alias":
                node.anchor = event.anchor
                anchors[event.anchor] = node
            if not stack:
                root = root or node
            elif stack[-1].kind == "seq":
                stack[-1].items.append(node)
            elif (key := pending[-1]) is None:
                pending[-1] = node
            else:
                stack[-1].pairs.append((key, node))
                pending[-1] = None
            if isinstance(event, ev.CollectionStartEvent):
                stack.append(node)
                pending.append(None)
    except YAMLError:
        return root
    return root


def _last_end(node: Node) -> int:
    """The end of a block collection, for which the parser gives the start of what follows."""
    if node.kind == "seq":
        return node.items[-1].end if node.items else node.start
    return node.pairs[-1][1].end if node.pairs else node.start


_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]|[^\s\[\]{},:"]+')


def compose_json(text: str) -> Node:
    """The node tree of a text that has been read as JSON before."""
    top = Node("seq", 0)  # holds the root, so that every node has a parent
    stack = [top]
    parent, key = top, None
    for match in _JSON_TOKEN.finditer(text):
        piece = match[0]
        if piece == ",":
            continue
        if piece in "]}":
            stack.pop().end = match.end()
            parent, key = stack[-1], None
            continue
        if piece == "{":
            node = Node("map", match.start())
        elif piece == "[":
            node = Node("seq", match.start())
        else:
            node = Node("scalar", match.start(), match.end())
            node.value = piece
            if piece[0] == '"':
                node.style = '"'
                node.value = json.loads(piece) if "\\" in piece else piece[1:-1]
        if parent.kind == "seq":
            parent.items.append(node)
        elif key is None:
            key = node
            continue
        else:
            parent.pairs.append((key, node))
            key = None
        if node.end < 0:
            node.flow = True
            stack.append(node)
            parent = node
    return top.items[0]


def scalars(root: Node | None) -> Iterator[tuple[Path, Node]]:
    """All keys and scalar values, with the paths of their values."""
    stack: list[tuple[Path, Node]] = [((), root)] if root else []
    while stack:
        path, node = stack.pop()
        if node.kind == "map":
            for key, value in reversed(node.pairs):
                stack.append(((*path, key.value), value))
                stack.append(((*path, key.value), key))
        elif node.kind == "seq":
            stack += reversed([((*path, i), item) for i, item in enumerate(node.items)])
        elif node.kind == "scalar":
            yield path, node


def duplicate_keys(root: Node | None) -> Iterator[tuple[Path, Node, Node]]:
    """Each repeated key: its path, its first node and the repeated one."""
    stack: list[tuple[Path, Node]] = [((), root)] if root else []
    while stack:
        path, node = stack.pop()
        stack += [((*path, i), item) for i, item in enumerate(node.items)]
        seen: dict[str, Node] = {}
        for key, value in node.pairs:
            named = key.target or key
            stack.append(((*path, named.value), value))
            if named.kind == "scalar" and (named.style or named.tag or _is_text(named.value)):
                first = seen.setdefault(named.value, key)
                if first is not key:
                    yield (*path, named.value), first, key


def _is_text(plain: str) -> bool:
    return isinstance(resolve_or_text(plain), str)
