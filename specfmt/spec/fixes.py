"""``specfmt fmt --fix``: rewrites old spellings in a document, its comments kept.

Works on the tree that the formatter writes.  What has no counterpart today is left as it is;
the reader goes on reporting it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from specfmt.fields.spellings import (
    GONE,
    INPUT_KEYS,
    INPUT_TYPES,
    KERNEL_KEYS,
    MERGE_MODES,
    renamed,
    today_type,
    today_word,
)
from specfmt.fields.types import Rule
from specfmt.fields.validation import keys_of, rules_of
from specfmt.layers.base import Layer
from specfmt.layers.registry import LayerRule, layer_class
from specfmt.spec.document import Model, ModelSpec, TrainRule
from specfmt.text.formatting import format_text
from specfmt.text.reading import read
from specfmt.text.rewriting import (
    add,
    comments_of,
    find,
    plain,
    put,
    remove,
    text_of,
    write_out_aliases,
)
from specfmt.text.written import Entry, Item, from_data
from specfmt.vocab.base import TermRule, word_class
from specfmt.vocab.index import INDEX as WORDS

_VALUES: dict[str, dict[Any, Any]] = {
    "dim_ordering": {"tf": "channels_last", "th": "channels_first"},
    "forget_bias_init": {"one": True, "ones": True, "zero": False, "zeros": False},
}
"""Where an old key's values changed with it."""


def fix_text(text: str | bytes, file: str = "<string>") -> str:
    """A spec in its canonical form with old spellings rewritten.

    Aliases stay unless a rewrite inside of them needs them written out.

    Raises:
        SpecError: The text cannot be read (SF1xx).
    """
    root = from_data(read(text, file).data)
    fix_document(root)
    meant = plain(root)
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
    layers = find(model, "layers")
    if layers is None or layers.value.kind != "seq":
        return
    inputs: dict[str, tuple[dict[str, Any], list[str]]] = {}
    taken = set(_names(model, layers.value))
    several = len(taken & _declared(model)) + sum(map(_is_input, layers.value.entries)) > 1
    for entry in list(layers.value.entries):
        layer = entry.value
        if layer.kind != "map" or find(layer, "type") is None:
            continue
        if _is_input(entry):
            _move_input_layer(entry, inputs, taken, several=several)
            continue
        _fix_layer(layer)
        _move_input_keys(entry, model, inputs, taken)
    if inputs:
        _declare(model, layers, inputs)


def _is_input(entry: Entry) -> bool:
    return text_of(entry.value, "type").rpartition(".")[2] in INPUT_TYPES


def _declared(model: Item) -> set[str]:
    inputs = find(model, "inputs")
    return {entry.name for entry in inputs.value.entries} if inputs is not None else set()


def _names(model: Item, layers: Item) -> Iterator[str]:
    yield from _declared(model)
    yield from (text_of(entry.value, "name") for entry in layers.entries)


def _declare(
    model: Item, layers: Entry, inputs: dict[str, tuple[dict[str, Any], list[str]]]
) -> None:
    """Add to the model's ``inputs:``."""
    section = find(model, "inputs")
    if section is None or section.value.kind != "map":
        if section is not None:
            remove(section)
        section = Entry(Item("string", "inputs"), Item("map"), model)
        section.value.owner = section
        place = model.entries.index(layers)
        model.entries = [*model.entries[:place], section, *model.entries[place:]]
    for name, (spec, comments) in inputs.items():
        added = Entry(Item("string", name), from_data(spec), section.value)
        added.above = comments
        section.value.entries = [*section.value.entries, added]


def _move_input_layer(
    entry: Entry,
    inputs: dict[str, tuple[dict[str, Any], list[str]]],
    taken: set[str],
    *,
    several: bool,
) -> None:
    """Turn an ``InputLayer`` among the layers into an input of the model."""
    layers, layer = entry.parent, entry.value
    spec = _input_spec(layer, {*INPUT_KEYS, "shape", "dtype", "sparse", "ragged", "batch_size"})
    index = layers.entries.index(entry)
    if spec is None or len(layers.entries) == 1:
        return
    name = text_of(layer, "name") or _free_name(taken)
    taken.add(name)
    following = layers.entries[index + 1] if index + 1 < len(layers.entries) else None
    if following is not None and following.value.kind == "map" and (index or several):
        key = "call" if text_of(following.value, "type") == "Model" else "inputs"
        if find(following.value, key) is None and find(following.value, "op") is None:
            add(following.value, key, name)
    inputs[name] = (spec, comments_of(entry))
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
    cls = layer_class(text_of(layer, "type"))
    if cls is None:
        return
    holder = layer
    inner = find(layer, "layer")
    if inner is not None and cls.reads_sequences and inner.value.kind == "map":
        holder = inner.value if not _input_entries(layer, cls) else layer
    own = layer_class(text_of(holder, "type")) or cls
    keys = _input_entries(holder, own)
    if not keys:
        return
    spec = _input_spec(holder, {key.name for key in keys}, own)
    first = layers.entries.index(entry) == 0
    declared = find(model, "inputs")
    if spec is None or not (first or declared is not None or inputs):
        return
    if first and declared is not None:
        shapes = [
            plain(found.value)
            for item in declared.value.entries
            if (found := find(item.value, "shape"))
        ]
        if shapes != [spec["shape"]]:
            return
    elif first:
        if find(layer, "inputs") is not None:
            return
        name = _free_name(taken)
        taken.add(name)
        inputs[name] = (spec, [])
    for key in keys:
        remove(key)


def _input_entries(layer: Item, cls: type[Layer]) -> list[Entry]:
    own = keys_of(cls)
    return [entry for entry in layer.entries if entry.name in INPUT_KEYS and entry.name not in own]


def _input_spec(
    layer: Item, keys: set[str], cls: type[Layer] | None = None
) -> dict[str, Any] | None:
    """The model input that an older layer's keys describe; None where they make no sense."""
    given = {entry.name: plain(entry.value) for entry in layer.entries if entry.name in keys}
    batch, shape = given.get("batch_size"), None
    whole = given.get("batch_input_shape", given.get("batch_shape"))
    if isinstance(whole, list) and whole:
        batch, shape = whole[0], whole[1:]
    elif "input_shape" in given or "shape" in given:
        shape = given.get("input_shape", given.get("shape"))
        shape = [shape] if isinstance(shape, int) else shape
    elif "input_dim" in given:
        timed = (cls is not None and cls.reads_sequences) or "input_length" in given
        shape = [*([given.get("input_length")] if timed else []), given["input_dim"]]
    elif "input_length" in given:
        shape = [given["input_length"]]
    if not isinstance(shape, list):
        return None
    spec: dict[str, Any] = {"shape": shape}
    dtype = given.get("input_dtype", given.get("dtype"))
    if dtype is not None or (cls is not None and cls.reads_indices):
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
    kind = find(layer, "type")
    if kind is None or kind.value.kind != "string":
        return
    bare = today_type(kind.value.text) or kind.value.text
    before = kind.value.text.rpartition(".")[2]
    if bare == "Merge":
        mode = find(layer, "mode")
        name = plain(mode.value) if mode is not None else "sum"
        bare = MERGE_MODES.get(name, bare) if isinstance(name, str) else bare
        if mode is not None and bare != "Merge":
            remove(mode)
        if name == "cos":
            add(layer, "normalize", True)
    if bare == "Model":
        kind.value.text = bare
        _fix_model(layer, Model)
        return
    cls = layer_class(bare)
    if cls is None:
        return
    kind.value.text = bare
    if before == "ThresholdedReLU" and not {"theta", "threshold"} & {e.name for e in layer.entries}:
        add(layer, "threshold", 1.0)
    if before == "SyncBatchNormalization":
        add(layer, "synchronized", True)
    _fix_fields(layer, cls)


def _fix_fields(item: Item, cls: type[BaseModel]) -> None:
    """Rewrite the keys of one mapping and the words in its values."""
    keys = keys_of(cls)
    for entry in list(item.entries):
        if entry.key is None or entry.name in keys:
            continue
        today = renamed(entry.name, keys)
        if today and find(item, today) is None:
            _rename(entry, today)
        elif entry.name in GONE and GONE[entry.name][0] in keys:
            harmless = GONE[entry.name][1]
            if harmless is None or plain(entry.value) in harmless:
                remove(entry)
    if "kernel_size" in keys:
        _join_kernel(item)
    if "learning_rate" in keys:
        _schedule_decay(item, cls)
    for entry in item.entries:
        if entry.name in keys and entry.name != "layers":
            _fix_value(entry.value, list(_rules(rules_of(cls)[entry.name])))


def _rename(entry: Entry, today: str) -> None:
    assert entry.key is not None
    values = _VALUES.get(entry.name)
    if values is not None:
        old = plain(entry.value)
        if entry.name == "dim_ordering" and old == "default":
            remove(entry)
            return
        if not isinstance(old, str) or old not in values:
            return
        put(entry, values[old])
    entry.key.text = today


def _join_kernel(layer: Item) -> None:
    """``nb_row: 3, nb_col: 5`` becomes ``kernel_size: [3, 5]``."""
    parts = [part for key in KERNEL_KEYS if (part := find(layer, key)) is not None]
    if len(parts) < 2 or find(layer, "kernel_size") is not None:
        return
    sizes = [plain(part.value) for part in parts]
    first = min(parts, key=layer.entries.index)
    assert first.key is not None
    first.key.text = "kernel_size"
    put(first, sizes[0] if len(set(map(str, sizes))) == 1 else sizes)
    for part in parts:
        if part is not first:
            remove(part)


def _schedule_decay(optimizer: Item, cls: type[BaseModel]) -> None:
    """``lr / (1 + decay * step)``, the old meaning of ``decay``, is `InverseTimeDecay`."""
    decay, rate = find(optimizer, "decay"), find(optimizer, "learning_rate")
    if decay is None or "decay" in cls.model_fields:
        return
    speed = plain(decay.value)
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        return
    if not speed:
        remove(decay)
        return
    start = plain(rate.value) if rate is not None else cls.model_fields["learning_rate"].default
    if not isinstance(start, int | float):
        return
    schedule = {
        "type": "InverseTimeDecay",
        "initial_learning_rate": start,
        "decay_steps": 1,
        "decay_rate": speed,
    }
    if rate is not None:
        put(rate, schedule)
        remove(decay)
    else:
        assert decay.key is not None
        decay.key.text = "learning_rate"
        put(decay, schedule)


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
    elif item.kind == "map" and rules and find(item, "type") is not None:
        if any(isinstance(rule, LayerRule) for rule in rules):
            _fix_layer(item)
        else:
            _fix_word(item, rules)
    elif item.kind == "map" and rules:
        for entry in item.entries:
            _fix_value(entry.value, rules)


def _fix_word(item: Item, rules: list[Rule]) -> None:
    kind = find(item, "type")
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
