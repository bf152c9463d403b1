"""A spec without blocks: its layers written one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specfmt.layers.base import Layer
from specfmt.layers.block_scope import SPECIAL
from specfmt.layers.blocks import Expanded
from specfmt.layers.entries import Model, naming
from specfmt.layers.naming import automatic_names
from specfmt.spec.document import ModelSpec


def expand(spec: ModelSpec) -> ModelSpec:
    """The same model with the layers that the uses of its blocks stand for, and without blocks."""
    flat: ModelSpec = _flat_model(spec)
    made = flat.model_copy(update={"blocks": None})
    vars(made).pop("origin", None)  # the places of its layers in a text are others
    return made


def _flat_model(model: Any) -> Any:
    entries = model.layers
    tensors = entries.tensors if isinstance(entries, Expanded) else {}
    change: dict[str, Any] = {"layers": tuple(_flat(_renamed_entry(e, tensors)) for e in entries)}
    if model.outputs is not None:
        change["outputs"] = _renamed(model.outputs, tensors)
    elif isinstance(entries, Expanded) and entries:
        last = automatic_names(map(naming, entries))[-1]
        if entries.last is not None and entries.last != last:
            change["outputs"] = entries.last
    return model.model_copy(update=change)


def _flat(value: Any) -> Any:
    """An entry or the value of a field, with the nested models in it written out too."""
    if isinstance(value, Model):
        return _flat_model(value)
    if isinstance(value, tuple) and any(isinstance(item, (Layer, Model)) for item in value):
        return tuple(map(_flat, value))
    if not isinstance(value, Layer):
        return value
    fields = {name: getattr(value, name) for name in type(value).model_fields}
    held = {name: item for name, item in fields.items() if isinstance(item, (Layer, Model, tuple))}
    change = {name: flat for name, item in held.items() if (flat := _flat(item)) is not item}
    return value.model_copy(update=change) if change else value


def _renamed_entry(entry: Any, tensors: Mapping[str, str]) -> Any:
    """An entry that reads a use that is listed after it: with the name of the use's output."""
    key = "call" if isinstance(entry, Model) else "inputs"
    edges = getattr(entry, key)
    new = _renamed(edges, tensors)
    return entry if new == edges else entry.model_copy(update={key: new})


def _renamed(edges: Any, tensors: Mapping[str, str]) -> Any:
    if isinstance(edges, str):
        return tensors.get(edges, edges)
    if isinstance(edges, (list, tuple)):
        return tuple(_renamed(item, tensors) for item in edges)
    if isinstance(edges, dict) and not SPECIAL & set(edges):
        return {key: _renamed(item, tensors) for key, item in edges.items()}
    return edges
