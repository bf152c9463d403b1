"""The canonical form of a spec: ``specfmt fmt``, and what ``specfmt import`` writes.

Layer entries and the entries of a section are written in flow style on one line, if they fit
and contain no comment; the rest is in block style, indented by two spaces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.text.comments import attach
from specfmt.text.output_tree import Entry, Item, from_data, from_node
from specfmt.text.quoting import write_string
from specfmt.text.reading import Document, read

WIDTH = 100
"""The largest number of columns of a line in flow style."""
_LONGEST_KEY = 1000  # parsers do not accept a longer `key:`, only `? key`

_ROOT_ORDER = (
    "specfmt",
    "name",
    "description",
    "style",
    "parameters",
    "inputs",
    "blocks",
    "layers",
    "outputs",
    "train",
)
_LAYER_FIRST = ("type", "reuse", "op", "block", "class", "name", "when")
_LAYER_LAST = ("inputs", "layers", "outputs")

Role = Literal["root", "layers", "layer", "section", "blocks", "block", "ports", "value"]


def format_text(
    text: str | bytes,
    file: str = "<string>",
    *,
    change: Callable[[Item], None] | None = None,
    expected: Any = None,
) -> str:
    """A spec in its canonical form, with its comments.

    Args:
        text: A spec in YAML or JSON; the result is in the same format.
        file: The file name in diagnostics.
        change: Changes the document before it is written.
        expected: The data that the changed document should have.

    Raises:
        SpecError: The text cannot be read (SF1xx).
        RuntimeError: The result would have other data, and must not be written.
    """
    document = read(text, file)
    data = document.data if change is None else expected
    result = _format_json(data) if document.is_json else _format_yaml(document, change)
    try:
        same = _fingerprint(read(result, file).data) == _fingerprint(data)
    except SpecError as error:
        raise RuntimeError(f"{file}: formatting gave a text that cannot be read") from error
    if not same:
        raise RuntimeError(f"{file}: formatting would change the meaning of this spec")
    return result


def dump_yaml(data: dict[str, Any]) -> str:
    """Plain data as a spec in canonical form, which ``read`` reads as equal data.

    Raises:
        SpecError: SF107, nested too deep; SF101, text that no encoding can hold.
        TypeError: A value or a key that a spec cannot contain.
    """
    item = from_data(data)
    _arrange(item, "root")
    text = _Emitter().document(item, [])
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"expected text, received the lone surrogate U+{ord(text[error.start]):04X}"
        raise SpecError([Diagnostic(code="SF101", message=message)]) from None
    return text


def _fingerprint(data: Any) -> str:
    """A string that is equal for equal data: 1, 1.0 and true differ, the order of keys is
    ignored."""
    return json.dumps(data, sort_keys=True)


def _format_yaml(document: Document, change: Callable[[Item], None] | None) -> str:
    from specfmt.text.positions import Lines, compose_yaml

    text = document.text
    tree = compose_yaml(text)
    assert tree is not None  # an empty document cannot be read
    lines = Lines(text)

    def build() -> tuple[Item, list[str]]:
        item = from_node(tree, text, lines)
        head = attach(item, tree, text, lines)
        if change is not None:
            change(item)
        return item, head

    item, head = build()
    expected = _bindings(item)
    _arrange(item, "root")
    if _bindings(item) != expected:  # an alias would come before its anchor: keep the order
        item, head = build()
        _arrange(item, "root", sort=False)
    return _Emitter().document(item, head)


def _bindings(root: Item) -> dict[int, int | None]:
    """Offset of each alias -> offset of the value that it refers to, in the order of writing."""
    latest: dict[str, int] = {}
    bound: dict[int, int | None] = {}
    stack = [root]
    while stack:
        item = stack.pop()
        if item.anchor:
            latest[item.anchor[1:]] = item.start
        if item.kind == "verbatim" and item.text[:1] == "*":
            bound[item.start] = latest.get(item.text[1:])
        for entry in reversed(item.entries):
            stack += [entry.value] if entry.key is None else [entry.value, entry.key]
    return bound


def _format_json(data: Any) -> str:
    return json.dumps(_reordered(data, "root"), indent=2, ensure_ascii=False) + "\n"


# ------------------------------------------------------------------------------ order

_ROLES: dict[Role, dict[str, Role]] = {
    "root": {"inputs": "section", "layers": "layers", "train": "section", "blocks": "blocks"},
    "block": {"layers": "layers"},
    "layer": {"inputs": "ports", "layers": "layers"},
}
_CHILDREN: dict[Role, Role] = {"layers": "layer", "blocks": "block"}
_FORCED = ("section", "layers", "blocks", "block")


def _child_role(role: Role, name: str) -> Role:
    return _CHILDREN.get(role) or _ROLES.get(role, {}).get(name, "value")


def _rank(role: Role, name: str) -> int:
    """A key's rank in its mapping; keys of equal rank keep their order."""
    if role in ("root", "block"):
        return _ROOT_ORDER.index(name) if name in _ROOT_ORDER else len(_ROOT_ORDER)
    if role != "layer":
        return 0
    if name in _LAYER_FIRST:
        return _LAYER_FIRST.index(name)
    if name in _LAYER_LAST:
        return len(_LAYER_FIRST) + 1 + _LAYER_LAST.index(name)
    return len(_LAYER_FIRST)


def _reordered(data: Any, role: Role) -> Any:
    """Plain data with its keys in canonical order."""
    if isinstance(data, dict):
        names = sorted(data, key=lambda name: _rank(role, name))
        return {name: _reordered(data[name], _child_role(role, name)) for name in names}
    if isinstance(data, list):
        return [_reordered(part, _child_role(role, "")) for part in data]
    return data


def _arrange(item: Item, role: Role, *, sort: bool = True) -> None:
    """Sort the keys, and mark the items that cannot be written on one line."""
    if item.kind == "map" and sort:
        item.entries = sorted(item.entries, key=lambda entry: _rank(role, entry.name))
    if item.entries and item.entries[0].above and not item.entries[0].above[0]:
        item.entries[0].above = item.entries[0].above[1:]
    broken = item.is_literal or bool(item.folded or (item.entries and item.tail))
    for entry in item.entries:
        _arrange(entry.value, _child_role(role, entry.name), sort=sort)
        if entry.value.broken or entry.side or any(entry.above):
            broken = True
    forced = role in _FORCED or (role == "root" and item.kind == "map")
    if role == "ports":
        forced = any(entry.value.kind == "map" for entry in item.entries)
    item.broken = broken or (forced and bool(item.entries))


# --------------------------------------------------------------------------- emission


class _Emitter:
    """Writes arranged items as lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def document(self, root: Item, head: list[str]) -> str:
        """The whole text, with one line break at its end."""
        self.lines += head
        one_line = None if root.entries else _inline(root, WIDTH, flow=False)
        if one_line is not None:
            self.lines.append(one_line)
            self._comments(root.tail, "")
        elif root.entries:
            if root.anchor:
                self.lines.append(f"--- {root.anchor}")
            self._block(root, "")
        else:
            self._value("---", root, "", "")
            self._comments(root.tail, "")
        return "\n".join(self.lines).rstrip("\n") + "\n"

    def _block(self, item: Item, margin: str) -> None:
        for entry in item.entries:
            self._comments(entry.above, margin)
            if entry.key is None:
                self._element(entry, margin)
                continue
            key = _inline(entry.key, _LONGEST_KEY, flow=False)
            if key is not None and len(key) <= _LONGEST_KEY:
                colon = " :" if key[0] == "*" else ":"
                self._value(f"{margin}{key}{colon}", entry.value, entry.side, margin)
            else:
                self.lines.append(f"{margin}? {_scalar(entry.key, flow=False)}")
                self._value(f"{margin}:", entry.value, entry.side, margin)
        self._comments(item.tail, margin)

    def _element(self, entry: Entry, margin: str) -> None:
        item = entry.value
        if _stays_behind_dash(item, WIDTH - len(margin) - 2):
            self._value(f"{margin}-", item, entry.side, margin)
            return
        # A collection begins on the line of the dash; comments between them move above it.
        first, inner = entry, margin
        while True:
            self._comments([first.side] if first.side else [], margin)
            first.side = ""
            first, inner = first.value.entries[0], inner + "  "
            self._comments([line for line in first.above if line], margin)
            first.above = ()
            width = WIDTH - len(inner) - 2
            if first.key is not None or _stays_behind_dash(first.value, width):
                break
        start = len(self.lines)
        self._block(item, margin + "  ")
        self.lines[start] = f"{margin}- {self.lines[start][len(margin) + 2 :]}"

    def _value(self, before: str, item: Item, side: str, margin: str) -> None:
        """Write a value after its key or dash, on the same line or in a block below."""
        side = f"  {side}" if side else ""
        prefix = f"{before} {item.anchor}" if item.anchor else before
        body = item.folded
        if item.is_literal and not body:
            strip = "" if item.text.endswith("\n") else "-"
            body = [f"|{strip}", *item.text.removesuffix("\n").split("\n")]
        if body:
            self.lines.append(f"{prefix} {body[0]}{side}")
            self._comments(body[1:], margin + "  ")
            return
        one_line = _inline(item, WIDTH - len(before) - 1, flow=False)
        if one_line is not None:
            self.lines.append(f"{before} {one_line}{side}")
            return
        self.lines.append(f"{prefix}{side}")
        self._block(item, margin + "  ")

    def _comments(self, comments: Sequence[str], margin: str) -> None:
        self.lines += [f"{margin}{line}" if line else "" for line in comments]


def _stays_behind_dash(item: Item, width: int) -> bool:
    """Whether an element is written like a value; others begin on the line of the dash."""
    return not item.entries or bool(item.anchor) or _inline(item, width, flow=False) is not None


def _scalar(item: Item, *, flow: bool) -> str:
    return write_string(item.text, flow=flow) if item.kind == "string" else item.text


def _inline(item: Item, width: int, *, flow: bool) -> str | None:
    """An item on one line; None if it cannot be written there or is a collection that is too
    wide."""
    anchor = f"{item.anchor} " if item.anchor else ""
    if item.broken:
        return None
    if item.kind in ("string", "verbatim"):
        return anchor + _scalar(item, flow=flow)
    parts: list[str] = []
    left = width - 2 - len(anchor)
    for entry in item.entries:
        part = _inline(entry.value, left, flow=True)
        if part is None:
            return None
        if entry.key is not None:
            key = _inline(entry.key, left, flow=True)
            part = f"{key} : {part}" if key and key[0] == "*" else f"{key}: {part}"
        left -= len(part) + 2
        if left < -2:
            return None
        parts.append(part)
    inner = ", ".join(parts)
    return f"{anchor}{{{inner}}}" if item.kind == "map" else f"{anchor}[{inner}]"
