"""``specfmt fmt --fix``: rewrites former spellings in a document and keeps its comments.

It works on the tree that the formatter writes.  What has no current equivalent is left as it is,
and is still reported when the document is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from specfmt.fields.rules import Rule
from specfmt.fields.spellings import Replacement, former_arguments
from specfmt.fields.validation import keys_of, rules_of
from specfmt.layers.base import Layer
from specfmt.layers.entries import LayerRule, Model
from specfmt.layers.former_arguments import INPUT_KEYS
from specfmt.layers.former_types import (
    FORMER_TYPE_ARGUMENTS,
    INPUT_TYPES,
    MERGE_MODES,
    current_type,
)
from specfmt.layers.registry import layer_class
from specfmt.spec.document import ModelSpec, TrainRule
from specfmt.text.formatting import format_text
from specfmt.text.output_tree import Entry, Item, from_data
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
from specfmt.vocab.base import TermRule, term_class
from specfmt.vocab.former_names import current_name, inverse_time_decay
from specfmt.vocab.index import INDEX as WORDS


def fix_text(text: str | bytes, file: str = "<string>") -> str:
    """A spec in its canonical form with former spellings rewritten.

    Aliases stay, unless a value that they repeat has to be rewritten.

    Raises:
        SpecError: The text cannot be read (SF1xx).
    """
    root = from_data(read(text, file).data)
    fix_document(root)
    expected = plain(root)
    try:
        return format_text(text, file, change=fix_document, expected=expected)
    except RuntimeError:
        return format_text(text, file, change=_fix_written_out, expected=expected)


def _fix_written_out(root: Item) -> None:
    write_out_aliases(root)
    fix_document(root)


def fix_document(root: Item) -> None:
    """Rewrite the former spellings of a document in place."""
    if root.kind == "map":
        _fix_model(root, ModelSpec)
        blocks = find(root, "blocks")
        for block in () if blocks is None else blocks.value.entries:
            body = find(block.value, "layers")
            for entry in () if body is None else body.value.entries:
                _fix_layer(entry.value)


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
    """Replace an ``InputLayer`` among the layers by an input of the model."""
    layers, layer = entry.parent, entry.value
    spec = _input_spec(layer, {*INPUT_KEYS, "shape", "dtype", "sparse", "ragged"})
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
    """Replace ``input_shape`` and similar keys of a layer by an input of the model.

    In a model that declares its inputs the keys are removed, unless they contradict these.
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
    """The model input that such keys describe; None if they are not valid."""
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
    bare = current_type(kind.value.text)
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
    _fix_fields(layer, cls)
    for key, value in FORMER_TYPE_ARGUMENTS.get(before, {}).items():
        default = cls.model_fields[key].default
        if find(layer, key) is None and rules_of(cls)[key].check(value) != default:
            add(layer, key, value)


def _fix_fields(item: Item, cls: type[BaseModel]) -> None:
    """Rewrite the keys of one mapping and the vocabulary entries in its values."""
    keys, replacements = keys_of(cls), former_arguments(cls)
    for entry in list(item.entries):
        if entry.key is not None and entry.name in replacements:
            _rewrite(entry, replacements[entry.name])
    _join_axes(item, replacements)
    if "learning_rate" in keys:
        _schedule_decay(item, cls)
    for entry in item.entries:
        if entry.name in keys and entry.name != "layers":
            _fix_value(entry.value, list(_rules(rules_of(cls)[entry.name])))


def _rewrite(entry: Entry, replacement: Replacement) -> None:
    """Replace a former argument by its current equivalent, if it has one."""
    assert entry.key is not None
    old = plain(entry.value)
    if replacement.axis is not None or not replacement.accepts(old):
        return
    if replacement.current and find(entry.parent, replacement.current) is not None:
        return
    new = replacement.convert(old)
    if not replacement.current or (new is None and old is not None):
        remove(entry)
        return
    if new is not old:
        put(entry, new)
    entry.key.text = replacement.current
    for name in replacement.also:
        add(entry.parent, name, new)


def _join_axes(layer: Item, replacements: dict[str, Replacement]) -> None:
    """``nb_row: 3, nb_col: 5`` becomes ``kernel_size: [3, 5]``."""
    parts = {
        replacement.axis: (entry, replacement.current)
        for entry in layer.entries
        if (replacement := replacements.get(entry.name)) is not None
        and replacement.axis is not None
    }
    if len(parts) < 2 or sorted(parts) != list(range(len(parts))):
        return
    sizes = [plain(parts[axis][0].value) for axis in sorted(parts)]
    (first, today), *others = parts.values()
    if find(layer, today) is not None:
        return
    assert first.key is not None
    first.key.text = today
    put(first, sizes[0] if len(set(map(str, sizes))) == 1 else sizes)
    for part, _ in others:
        remove(part)


def _schedule_decay(optimizer: Item, cls: type[BaseModel]) -> None:
    """Replace an optimizer's former ``decay``, `lr / (1 + decay * step)`, by `InverseTimeDecay`."""
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
    schedule = {"type": "InverseTimeDecay", **inverse_time_decay(start, speed)}
    if rate is not None:
        put(rate, schedule)
        remove(decay)
    else:
        assert decay.key is not None
        decay.key.text = "learning_rate"
        put(decay, schedule)


# ------------------------------------------------------------------------------- terms


def _rules(rule: Rule) -> Iterator[Rule]:
    """The rules of vocabulary entries and layers within a rule."""
    if isinstance(rule, TermRule | LayerRule | TrainRule):
        yield rule
        return
    for part in vars(rule).values():
        for inner in part if isinstance(part, tuple) else (part,):
            if isinstance(inner, Rule):
                yield from _rules(inner)


def _fix_value(item: Item, rules: list[Rule]) -> None:
    """Rewrite the vocabulary entries in a field's value, also within lists and mappings."""
    if item.kind == "string":
        today = _current(rules, item.text)
        if isinstance(today, str):
            item.text = today
        else:
            item.kind, item.text = "map", ""
            for key, value in today.items():
                add(item, key, value)
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
            _fix_term(item, rules)
    elif item.kind == "map" and rules:
        for entry in item.entries:
            _fix_value(entry.value, rules)


def _fix_term(item: Item, rules: list[Rule]) -> None:
    kind = find(item, "type")
    assert kind is not None
    today = _current(rules, kind.value.text)
    arguments = dict(today) if isinstance(today, dict) else {"type": today}
    kind.value.text = arguments.pop("type")
    for rule in rules:
        if isinstance(rule, TermRule) and kind.value.text in WORDS[rule.kind]:
            _fix_fields(item, term_class(rule.kind, WORDS[rule.kind][kind.value.text]))
            break
    for key, value in arguments.items():
        if find(item, key) is None:
            add(item, key, value)


def _current(rules: list[Rule], name: str) -> str | dict[str, Any]:
    """The current name of a vocabulary entry, with the arguments that the former name implied."""
    for rule in rules:
        if isinstance(rule, TermRule):
            today = current_name(rule.kind, name, WORDS[rule.kind])
            if today is not None:
                return today
    return name
