"""Changes to a document that will be written: see `output_tree`."""

from __future__ import annotations

from copy import copy
from typing import Any

from specfmt.text.output_tree import Entry, Item, from_data
from specfmt.text.scalars import resolve_or_text


def find(item: Item, key: str) -> Entry | None:
    """The entry of a mapping under ``key``."""
    if item.kind != "map":
        return None
    return next((entry for entry in item.entries if entry.name == key), None)


def text_of(item: Item, key: str) -> str:
    """The string under ``key``; empty where there is none."""
    entry = find(item, key)
    return entry.value.text if entry is not None and entry.value.kind == "string" else ""


def put(entry: Entry, value: Any) -> None:
    """Replace the value of an entry."""
    entry.value = from_data(value)
    entry.value.owner = entry


def add(item: Item, key: str, value: Any) -> None:
    """Add an entry to a mapping."""
    entry = Entry(Item("string", key), Item("map"), item)
    put(entry, value)
    item.entries = [*item.entries, entry]


def comments_of(entry: Entry) -> list[str]:
    """All comments at and in an entry."""
    found = [*entry.above, *([entry.side] if entry.side else [])]
    for inner in entry.value.entries:
        found += comments_of(inner)
    return [line for line in [*found, *entry.value.tail] if line]


def remove(entry: Entry) -> None:
    """Remove an entry; its comments move to the next entry, or to the end."""
    item, comments = entry.parent, comments_of(entry)
    index = next(i for i, other in enumerate(item.entries) if other is entry)
    item.entries = [other for other in item.entries if other is not entry]
    if index < len(item.entries):
        item.entries[index].above = [*comments, *item.entries[index].above]
    else:
        item.tail = [*comments, *item.tail]


def plain(item: Item) -> Any:
    """The data of an item without aliases."""
    if item.kind == "map":
        return {entry.name: plain(entry.value) for entry in item.entries}
    if item.kind == "seq":
        return [plain(entry.value) for entry in item.entries]
    return item.text if item.kind == "string" else resolve_or_text(item.text)


def write_out_aliases(root: Item) -> None:
    """Replace aliases and merge keys by copies of the values that they refer to, in place."""
    anchors: dict[str, Item] = {}

    def visit(item: Item) -> None:
        if item.kind == "verbatim" and item.text[:1] == "*":
            target = _copied(anchors[item.text[1:]])
            item.kind, item.text, item.folded = target.kind, target.text, target.folded
            item.entries, item.flow = target.entries, target.flow
            for entry in item.entries:
                entry.parent = item
        for entry in item.entries:
            if entry.key is not None:
                visit(entry.key)
            visit(entry.value)
        if item.anchor:
            anchors[item.anchor[1:]] = item
        _merge(item)

    visit(root)
    for item in anchors.values():
        item.anchor = ""


def _merge(item: Item) -> None:
    """Replace ``<<`` by the entries that it merges."""
    for merge in [
        e for e in item.entries if e.key is not None and e.key.kind == "verbatim" and e.name == "<<"
    ]:
        sources = (
            [e.value for e in merge.value.entries] if merge.value.kind == "seq" else [merge.value]
        )
        own = {entry.name for entry in item.entries}
        brought: list[Entry] = []
        for source in sources:
            for entry in source.entries:
                if entry.name not in own:
                    own.add(entry.name)
                    brought.append(_copied_entry(entry, item))
        index = item.entries.index(merge)
        if brought:
            brought[0].above = [*merge.above, *([merge.side] if merge.side else [])]
        item.entries = [*item.entries[:index], *brought, *item.entries[index + 1 :]]


def _copied(item: Item) -> Item:
    """A copy without comments and anchors."""
    new = copy(item)
    new.anchor, new.tail, new.owner = "", (), None
    new.entries = [_copied_entry(entry, new) for entry in item.entries]
    return new


def _copied_entry(entry: Entry, parent: Item) -> Entry:
    new = copy(entry)
    new.key = None if entry.key is None else _copied(entry.key)
    new.value, new.parent = _copied(entry.value), parent
    new.value.owner = new
    new.above, new.side = (), ""
    return new
