"""``specfmt refactor``: blocks in the text of a spec, comments kept."""

from __future__ import annotations

from specfmt.folding.spec import folded
from specfmt.spec.document import ModelSpec
from specfmt.text.formatting import format_text
from specfmt.text.output_tree import Entry, Item, from_data
from specfmt.text.reading import read
from specfmt.text.rewriting import add, comments_of, find, plain, put, remove, write_out_aliases


def refactor_text(text: str | bytes, spec: ModelSpec, file: str = "<string>") -> str:
    """A spec in its canonical form with what stands in it several times as blocks.

    Comments stay where they are; those of layers that become part of a block move to its first use.

    Args:
        text: The spec's text, without mistakes.
        spec: The spec.
        file: The file name in messages.
    """
    found = folded(spec)
    if found is None:
        return format_text(text, file)
    _, listing, data = found

    def change(root: Item) -> None:
        write_out_aliases(root)
        layers = find(root, "layers")
        assert layers is not None
        old = list(layers.value.entries)
        entries: list[Entry] = []
        firsts: dict[int, Entry] = {}
        for item, written in zip(listing.items, data["layers"], strict=True):
            if item.is_use:
                entry = Entry(None, from_data(written), layers.value)
                entry.value.owner = entry
            else:
                entry = old[item.first]
                _set(entry.value, "name", written.get("name"))
                _set(entry.value, item.edges_key, written.get(item.edges_key))
            entries.append(entry)
            firsts[item.first] = entry
        entry = entries[0]
        for index, before in enumerate(old):
            entry = firsts.get(index, entry)
            if firsts.get(index) is not before:  # it is part of a block now
                entry.above = [*entry.above, *comments_of(before)]
        layers.value.entries = entries
        add(root, "blocks", data["blocks"])
        if "outputs" in data and find(root, "outputs") is None:
            add(root, "outputs", data["outputs"])

    root = from_data(read(text, file).data)
    change(root)
    return format_text(text, file, change=change, expected=plain(root))


def _set(item: Item, key: str, value: object) -> None:
    """Give a mapping this value under a key; None removes the key."""
    entry = find(item, key)
    if entry is None:
        if value is not None:
            add(item, key, value)
    elif value is None:
        remove(entry)
    elif plain(entry.value) != value:
        put(entry, value)
