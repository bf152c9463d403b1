"""The part of a model that can be run: all layers except unknown ones without an implementation.

The outputs of such a layer become inputs of the model, so that the layers after it are compared too,
and its inputs become outputs of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specfmt.graph.assumed import completed
from specfmt.graph.model import Graph, Node, Unit, Value
from specfmt.layers.base import Layer
from specfmt.layers.blocks import place_of
from specfmt.layers.custom import Custom
from specfmt.layers.entries import InputSpec, Model, Reuse
from specfmt.spec.document import ModelSpec
from specfmt.targets.keras.stubs import needs_stub
from specfmt.vocab.base import CUSTOM, Term
from specfmt.vocab.fields import ZEROS

UNUSED_KINDS = {"initializer": ZEROS, "regularizer": None, "constraint": None}
"""Kinds of objects that outputs and gradients do not depend on once weights are loaded."""


@dataclass(frozen=True)
class RunnablePart:
    """The part of a model that can be run.

    Attributes:
        spec: That part; None if no layer is left.
        whole: The graph of the whole model.
        missing: Class without an implementation -> the names of its layers.
    """

    spec: ModelSpec | None
    whole: Graph
    missing: dict[str, list[str]]

    def needs(self) -> str:
        """The missing classes in words: ``Scale (scale_1, scale_2) and Crop (crop)``."""
        named = [f"{name} ({', '.join(layers)})" for name, layers in self.missing.items()]
        return " and ".join(filter(None, (", ".join(named[:-1]), *named[-1:])))


def runnable_part(spec: ModelSpec, graph: Graph) -> RunnablePart:
    """The part of a model that can be run.

    Args:
        spec: The model.
        graph: Its graph.

    Raises:
        SpecError: The shape of an unknown layer's output cannot be found.
    """
    found = _without_words(spec)
    unknown = [unit for unit in graph.units if _is_unknown(unit.spec)]
    if not unknown:
        return RunnablePart(found, graph, {})
    graph = completed(graph)
    missing: dict[str, list[str]] = {}
    for unit in graph.units:
        for name in _unknown_classes(unit.spec):
            missing.setdefault(name, []).append(unit.name)
    unknown_units = {unit for unit in graph.units if _is_unknown(unit.spec)}
    entries = list(_entries(found, graph, unknown_units))
    cut = [value for node in graph.nodes if node.unit in unknown_units for value in node.outputs]
    read = {
        value for node in graph.nodes if node.unit not in unknown_units for value in node.inputs()
    }
    outputs = list(_outputs(graph, unknown_units))
    if not entries or not outputs:
        return RunnablePart(None, graph, missing)
    inputs = {}
    for name, item in (found.inputs or {}).items():
        if graph.inputs[name] in read:
            inputs[name] = item
    names = {}
    for value in cut:
        if value in read:
            names[value.name] = value.name.replace(":", "_output_")
            shape = (value.shape or ())[1:]
            inputs[names[value.name]] = InputSpec(shape=shape, dtype=value.dtype)
    entries = [_renamed(entry, names) for entry in entries]
    update = {
        "inputs": inputs,
        "layers": tuple(entries),
        "outputs": tuple(value.name for value in outputs),
        "input_structure": None,
        "style": None,
    }
    return RunnablePart(found.model_copy(update=update), graph, missing)


def _is_unknown(entry: Any) -> bool:
    return next(_unknown_classes(entry), None) is not None


def _unknown_classes(entry: Any) -> Iterator[str]:
    """Classes without an implementation for one of the targets, in an entry and its inner layers."""
    if isinstance(entry, Custom):
        if not entry.define and (entry.torch is None or needs_stub(entry)):
            yield entry.class_name
        return
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Layer | Model):
                yield from _unknown_classes(item)


def _entries(spec: ModelSpec, graph: Graph, unknown: set[Unit]) -> Iterator[Any]:
    """The known entries, with explicit names and `inputs`."""
    calls = {node.path: node for node in graph.nodes}
    before: Value | None = next(iter(graph.inputs.values()), None)
    for index, entry in enumerate(spec.layers):
        node = calls.get(place_of(spec.layers, index, ()))
        if node is None:
            continue
        if node.unit not in unknown:
            update: dict[str, Any] = {"name": node.name}
            field = "call" if isinstance(entry, Model) else "inputs"
            if getattr(entry, field) is None and before is not None:
                update[field] = before.name
            if isinstance(entry, Reuse) or node.call_index == 0:
                yield entry.model_copy(update=update)
        before = node.outputs[0] if node.outputs else before


def _outputs(graph: Graph, unknown: set[Unit]) -> Iterator[Value]:
    """The outputs of the model and the inputs of unknown layers, each once, if known layers compute them."""
    wanted: list[Value] = list(graph.outputs.values())
    for node in graph.nodes:
        if node.unit in unknown:
            wanted += node.inputs()
    for value in dict.fromkeys(wanted):
        giver: Node | None = value.node
        if giver is not None and giver.unit not in unknown:
            yield value


def _renamed(entry: Any, names: dict[str, str]) -> Any:
    """An entry that reads model inputs instead of the outputs of an unknown layer."""

    def change(item: Any) -> Any:
        if isinstance(item, str):
            return names.get(item, item)
        if isinstance(item, tuple):
            return tuple(map(change, item))
        if isinstance(item, dict) and set(item) != {"const"}:
            return {key: change(value) for key, value in item.items()}
        return item

    field = "call" if isinstance(entry, Model) else "inputs"
    return entry.model_copy(update={field: change(getattr(entry, field))})


def _without_words(entry: Any) -> Any:
    """An entry without user-defined initializers and regularizers, which are not needed."""
    changed: dict[str, Any] = {}
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if isinstance(value, Term) and value.type == CUSTOM and value.kind in UNUSED_KINDS:
            changed[name] = UNUSED_KINDS[value.kind]
        elif isinstance(value, Layer | Model):
            new = _without_words(value)
            if new is not value:
                changed[name] = new
        elif isinstance(value, tuple) and any(isinstance(item, Layer | Model) for item in value):
            items = tuple(_without_words(i) if isinstance(i, Layer | Model) else i for i in value)
            if any(a is not b for a, b in zip(items, value, strict=True)):
                changed[name] = items
    return entry.model_copy(update=changed) if changed else entry
