"""``specfmt fmt --fix``: rewrites old spellings in a document, its comments kept.

Works on the tree that the formatter writes.  What has no counterpart today is left as it is;
the reader goes on reporting it.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

from pydantic import BaseModel

from specfmt.spec.document import Model, ModelSpec, TrainRule
from specfmt.spec.fields import Rule
from specfmt.spec.formatting import format_text
from specfmt.spec.layer import Layer, keys_of
from specfmt.spec.reading import read
from specfmt.spec.registry import LayerRule, layer_class
from specfmt.spec.scalars import resolve_or_text
from specfmt.spec.schema import rule_of
from specfmt.spec.spellings import (
    GONE,
    INPUT_KEYS,
    INPUT_TYPES,
    KERNEL_KEYS,
    MERGE_MODES,
    renamed,
    today_type,
    today_word,
)
from specfmt.spec.written import Entry, Item, from_data
from specfmt.vocab.base import TermRule, word_class
from specfmt.vocab.index import INDEX as WORDS

_VALUES: dict[str, dict[Any, Any]] = {
    "dim_ordering": {"tf": "channels_last", "th": "channels_first"},
    "forget_bias_init": {"one": True, "ones": True, "zero": False, "zeros": False},
}
"""Where an old key's values changed with it."""

_OVER_TIME = ("SimpleRNN", "LSTM", "GRU", "Bidirectional", "Conv1D", "SeparableConv1D")
"""Layers whose ``input_dim`` was the size of one step."""


def fix_text(text: str | bytes, file: str = "<string>") -> str:
    """A spec in its canonical form with old spellings rewritten.

    Aliases stay unless a rewrite inside of them needs them written out.

    Raises:
        SpecError: The text cannot be read (SF1xx).
    """
    root = from_data(read(text, file).data)
    fix_document(root)
    meant = _plain(root)
    try:
        return format_text(text, file, change=fix_document, meant=meant)
    except RuntimeError:
        return format_text(text, file, change=_fix_written_out, meant=meant)


def _fix_written_out(root: Item) -> None:
    write_out_aliases(root)
    fix_document(root)


def fix_document(root: Item) -> None:
    """Rewrite the old spellings of a document in place."""
    if root.kind == "map":
        _fix_model(root, ModelSpec)


# ------------------------------------------------------------------------------ models


def _fix_model(model: Item, cls: type[BaseModel]) -> None:
    _fix_fields(model, cls)
    layers = _find(model, "layers")
    if layers is None or layers.value.kind != "seq":
        return
    inputs: dict[str, tuple[dict[str, Any], list[str]]] = {}
    taken = set(_names(model, layers.value))
    for entry in list(layers.value.entries):
        layer = entry.value
        if layer.kind != "map" or _find(layer, "type") is None:
            continue
        if _text(layer, "type").rpartition(".")[2] in INPUT_TYPES:
            _move_input_layer(entry, inputs, taken)
            continue
        _fix_layer(layer)
        _move_input_keys(entry, model, inputs, taken)
    if inputs:
        _declare(model, layers, inputs)


def _names(model: Item, layers: Item) -> Iterator[str]:
    inputs = _find(model, "inputs")
    yield from (entry.name for entry in (inputs.value.entries if inputs else []))
    yield from (_text(entry.value, "name") for entry in layers.entries)


def _declare(
    model: Item, layers: Entry, inputs: dict[str, tuple[dict[str, Any], list[str]]]
) -> None:
    """Add to the model's ``inputs:``."""
    section = _find(model, "inputs")
    if section is None or section.value.kind != "map":
        if section is not None:
            _remove(section)
        section = Entry(Item("string", "inputs"), Item("map"), model)
        section.value.owner = section
        place = model.entries.index(layers)
        model.entries = [*model.entries[:place], section, *model.entries[place:]]
    for name, (spec, comments) in inputs.items():
        added = Entry(Item("string", name), from_data(spec), section.value)
        added.above = comments
        section.value.entries = [*section.value.entries, added]


def _move_input_layer(
    entry: Entry, inputs: dict[str, tuple[dict[str, Any], list[str]]], taken: set[str]
) -> None:
    """Turn an ``InputLayer`` among the layers into an input of the model."""
    layers, layer = entry.parent, entry.value
    spec = _input_spec(layer, {*INPUT_KEYS, "shape", "dtype", "sparse", "ragged", "batch_size"})
    index = layers.entries.index(entry)
    if spec is None or len(layers.entries) == 1:
        return
    name = _text(layer, "name") or _free_name(taken)
    taken.add(name)
    following = layers.entries[index + 1] if index + 1 < len(layers.entries) else None
    if following is not None and following.value.kind == "map" and (index or inputs):
        key = "call" if _text(following.value, "type") == "Model" else "inputs"
        if _find(following.value, key) is None and _find(following.value, "op") is None:
            _set(following.value, key, name)
    inputs[name] = (spec, _comments(entry))
    layers.entries = [other for other in layers.entries if other is not entry]


def _move_input_keys(
    entry: Entry,
    model: Item,
    inputs: dict[str, tuple[dict[str, Any], list[str]]],
    taken: set[str],
) -> None:
    """Turn ``input_shape`` and its like on a layer into an input of the model.

    A model that declares its inputs needs no such keys; they go unless they contradict it.
    """
    layer, layers = entry.value, entry.parent
    cls = layer_class(_text(layer, "type"))
    if cls is None:
        return
    holder = layer
    inner = _find(layer, "layer")
    if inner is not None and cls.type_name == "Bidirectional" and inner.value.kind == "map":
        holder = inner.value if not _input_entries(layer, cls) else layer
    own = layer_class(_text(holder, "type")) or cls
    keys = _input_entries(holder, own)
    if not keys:
        return
    spec = _input_spec(holder, {key.name for key in keys}, own)
    first = layers.entries.index(entry) == 0
    declared = _find(model, "inputs")
    if spec is None or not (first or declared is not None or inputs):
        return
    if first and declared is not None:
        shapes = [
            _plain(found.value) for item in declared.value.entries if (found := _find(item.value, "shape"))
        ]
        if shapes != [spec["shape"]]:
            return
    elif first:
        if _find(layer, "inputs") is not None:
            return
        name = _free_name(taken)
        taken.add(name)
        inputs[name] = (spec, [])
    for key in keys:
        _remove(key)


def _input_entries(layer: Item, cls: type[Layer]) -> list[Entry]:
    own = keys_of(cls)
    return [entry for entry in layer.entries if entry.name in INPUT_KEYS and entry.name not in own]


def _input_spec(
    layer: Item, keys: set[str], cls: type[Layer] | None = None
) -> dict[str, Any] | None:
    """The model input that an older layer's keys describe; None where they make no sense."""
    given = {entry.name: _plain(entry.value) for entry in layer.entries if entry.name in keys}
    batch, shape = given.get("batch_size"), None
    whole = given.get("batch_input_shape", given.get("batch_shape"))
    type_name = cls.type_name if cls is not None else ""
    if isinstance(whole, list) and whole:
        batch, shape = whole[0], whole[1:]
    elif "input_shape" in given or "shape" in given:
        shape = given.get("input_shape", given.get("shape"))
        shape = [shape] if isinstance(shape, int) else shape
    elif "input_dim" in given:
        timed = type_name in _OVER_TIME or "input_length" in given
        shape = [*([given.get("input_length")] if timed else []), given["input_dim"]]
    elif "input_length" in given:
        shape = [given["input_length"]]
    if not isinstance(shape, list):
        return None
    spec: dict[str, Any] = {"shape": shape}
    dtype = given.get("input_dtype", given.get("dtype"))
    if dtype is not None or type_name == "Embedding":
        spec["dtype"] = dtype or "int32"
    if batch is not None:
        spec["batch_size"] = batch
    return spec | {key: given[key] for key in ("sparse", "ragged") if given.get(key)}


def _free_name(taken: set[str]) -> str:
    name, number = "input", 0
    while name in taken:
        number += 1
        name = f"input_{number}"
    return name


# ------------------------------------------------------------------------------ layers


def _fix_layer(layer: Item) -> None:
    kind = _find(layer, "type")
    if kind is None or kind.value.kind != "string":
        return
    bare = today_type(kind.value.text) or kind.value.text
    before = kind.value.text.rpartition(".")[2]
    if bare == "Merge":
        mode = _find(layer, "mode")
        name = _plain(mode.value) if mode is not None else "sum"
        bare = MERGE_MODES.get(name, bare) if isinstance(name, str) else bare
        if mode is not None and bare != "Merge":
            _remove(mode)
        if name == "cos":
            _set(layer, "normalize", True)
    if bare == "Model":
        kind.value.text = bare
        _fix_model(layer, Model)
        return
    cls = layer_class(bare)
    if cls is None:
        return
    kind.value.text = bare
    if before == "ThresholdedReLU" and not {"theta", "threshold"} & {e.name for e in layer.entries}:
        _set(layer, "threshold", 1.0)
    if before == "SyncBatchNormalization":
        _set(layer, "synchronized", True)
    _fix_fields(layer, cls)


def _fix_fields(item: Item, cls: type[BaseModel]) -> None:
    """Rewrite the keys of one mapping and the words in its values."""
    keys = keys_of(cls)
    for entry in list(item.entries):
        if entry.key is None or entry.name in keys:
            continue
        today = renamed(entry.name, keys)
        if today and _find(item, today) is None:
            _rename(entry, today)
        elif entry.name in GONE and GONE[entry.name][0] in keys:
            harmless = GONE[entry.name][1]
            if harmless is None or _plain(entry.value) in harmless:
                _remove(entry)
    if "kernel_size" in keys:
        _join_kernel(item)
    if "learning_rate" in keys:
        _schedule_decay(item, cls)
    fields = dict(zip(keys, cls.model_fields, strict=True))
    for entry in item.entries:
        if entry.name in fields and entry.name != "layers":
            _fix_value(entry.value, list(_rules(rule_of(cls, fields[entry.name]))))


def _rename(entry: Entry, today: str) -> None:
    assert entry.key is not None
    values = _VALUES.get(entry.name)
    if values is not None:
        old = _plain(entry.value)
        if entry.name == "dim_ordering" and old == "default":
            _remove(entry)
            return
        if not isinstance(old, str) or old not in values:
            return
        _put(entry, values[old])
    entry.key.text = today


def _join_kernel(layer: Item) -> None:
    """``nb_row: 3, nb_col: 5`` becomes ``kernel_size: [3, 5]``."""
    parts = [part for key in KERNEL_KEYS if (part := _find(layer, key)) is not None]
    if len(parts) < 2 or _find(layer, "kernel_size") is not None:
        return
    sizes = [_plain(part.value) for part in parts]
    first = min(parts, key=layer.entries.index)
    assert first.key is not None
    first.key.text = "kernel_size"
    _put(first, sizes[0] if len(set(map(str, sizes))) == 1 else sizes)
    for part in parts:
        if part is not first:
            _remove(part)


def _schedule_decay(optimizer: Item, cls: type[BaseModel]) -> None:
    """``lr / (1 + decay * step)``, the old meaning of ``decay``, is `InverseTimeDecay`."""
    decay, rate = _find(optimizer, "decay"), _find(optimizer, "learning_rate")
    if decay is None or "decay" in cls.model_fields:
        return
    speed = _plain(decay.value)
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        return
    if not speed:
        _remove(decay)
        return
    start = _plain(rate.value) if rate is not None else cls.model_fields["learning_rate"].default
    if not isinstance(start, int | float):
        return
    schedule = {
        "type": "InverseTimeDecay",
        "initial_learning_rate": start,
        "decay_steps": 1,
        "decay_rate": speed,
    }
    if rate is not None:
        _put(rate, schedule)
        _remove(decay)
    else:
        assert decay.key is not None
        decay.key.text = "learning_rate"
        _put(decay, schedule)


# ------------------------------------------------------------------------------- words


def _rules(rule: Rule) -> Iterator[Rule]:
    """The rules of words and layers within a rule."""
    if isinstance(rule, TermRule | LayerRule | TrainRule):
        yield rule
        return
    for part in vars(rule).values():
        for inner in part if isinstance(part, tuple) else (part,):
            if isinstance(inner, Rule):
                yield from _rules(inner)


def _fix_value(item: Item, rules: list[Rule]) -> None:
    """Rewrite the words in a field's value, wherever in lists and mappings they stand."""
    if item.kind == "string":
        item.text = _today(rules, item.text)
    elif item.kind == "seq":
        for entry in item.entries:
            _fix_value(entry.value, rules)
    elif item.kind == "map" and any(isinstance(rule, TrainRule) for rule in rules):
        from specfmt.spec.train import TrainSpec

        _fix_fields(item, TrainSpec)
    elif item.kind == "map" and rules and _find(item, "type") is not None:
        if any(isinstance(rule, LayerRule) for rule in rules):
            _fix_layer(item)
        else:
            _fix_word(item, rules)
    elif item.kind == "map" and rules:
        for entry in item.entries:
            _fix_value(entry.value, rules)


def _fix_word(item: Item, rules: list[Rule]) -> None:
    kind = _find(item, "type")
    assert kind is not None
    kind.value.text = _today(rules, kind.value.text)
    for rule in rules:
        if isinstance(rule, TermRule) and kind.value.text in WORDS[rule.kind]:
            _fix_fields(item, word_class(rule.kind, WORDS[rule.kind][kind.value.text]))
            return


def _today(rules: list[Rule], name: str) -> str:
    for rule in rules:
        if isinstance(rule, TermRule) and name not in WORDS[rule.kind]:
            today = today_word(rule.kind, name)
            if today in WORDS[rule.kind]:
                return today
    return name


# --------------------------------------------------------------------------- the tree


def _find(item: Item, key: str) -> Entry | None:
    if item.kind != "map":
        return None
    return next((entry for entry in item.entries if entry.name == key), None)


def _text(item: Item, key: str) -> str:
    entry = _find(item, key)
    return entry.value.text if entry is not None and entry.value.kind == "string" else ""


def _put(entry: Entry, value: Any) -> None:
    entry.value = from_data(value)
    entry.value.owner = entry


def _set(item: Item, key: str, value: Any) -> None:
    entry = Entry(Item("string", key), Item("map"), item)
    _put(entry, value)
    item.entries = [*item.entries, entry]


def _comments(entry: Entry) -> list[str]:
    """All comments at and in an entry."""
    found = [*entry.above, *([entry.side] if entry.side else [])]
    for inner in entry.value.entries:
        found += _comments(inner)
    return [line for line in [*found, *entry.value.tail] if line]


def _remove(entry: Entry) -> None:
    """Take an entry out; its comments go to the next one, or to the end."""
    item, comments = entry.parent, _comments(entry)
    index = next(i for i, other in enumerate(item.entries) if other is entry)
    item.entries = [other for other in item.entries if other is not entry]
    if index < len(item.entries):
        item.entries[index].above = [*comments, *item.entries[index].above]
    else:
        item.tail = [*comments, *item.tail]


def _plain(item: Item) -> Any:
    """The data that an item without aliases stands for."""
    if item.kind == "map":
        return {entry.name: _plain(entry.value) for entry in item.entries}
    if item.kind == "seq":
        return [_plain(entry.value) for entry in item.entries]
    return item.text if item.kind == "string" else resolve_or_text(item.text)


def write_out_aliases(root: Item) -> None:
    """Replace aliases and merge keys by copies of what they mean, in place."""
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
    """Put the entries that ``<<`` brings in its place."""
    for merge in [e for e in item.entries if e.key is not None and e.key.kind == "verbatim" and e.name == "<<"]:
        sources = [e.value for e in merge.value.entries] if merge.value.kind == "seq" else [merge.value]
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
