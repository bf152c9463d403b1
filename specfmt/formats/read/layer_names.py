"""Replacing slashes in names, which Keras 3 does not allow: ``conv1/bn`` becomes ``conv1_bn``.

In Keras 2, models of `keras.applications` have them (DenseNet, MobileNetV3).  A name is replaced in
its layer and where calls, inputs and outputs of models refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from specfmt.formats.config.context import Context
from specfmt.formats.config.reading import Json, show

SLASH: Final = "/"
REFERENCES: Final = frozenset({"inbound_nodes", "input_layers", "output_layers"})
"""Keys whose values refer to tensors by layer: ``[layer, node, tensor, ...]``."""


def without_slashes(topology: Json, context: Context) -> Json:
    """A model of Keras 1 or 2 with names that Keras 3 allows; unchanged if all are allowed."""
    names = list(dict.fromkeys(_names(topology)))
    if not any(SLASH in name for name in names):
        return topology
    taken = set(names)
    renamed: dict[str, str] = {}
    for name in names:
        if SLASH in name:
            new = name.replace(SLASH, "_")
            while new in taken:
                new += "_"
            taken.add(new)
            renamed[name] = new
    old, new = next(iter(renamed.items()))
    context.warn(
        "SF434",
        f"renamed {len(renamed)} layers, such as {show(old)} to {show(new)}",
        (),
        "Keras 3 allows no slash in a name",
    )
    found: Json = _rewritten(topology, renamed)
    return found


def _names(topology: Any) -> Iterator[str]:
    """The names of layers and models: ``name`` in a serialized object and in its config."""
    stack = [topology]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                for holder in (value, value.get("config")):
                    if isinstance(holder, dict) and isinstance(holder.get("name"), str):
                        yield holder["name"]
            stack.extend(item for key, item in value.items() if key not in REFERENCES)
        elif isinstance(value, list):
            stack.extend(value)


def _rewritten(value: Any, renamed: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_rewritten(item, renamed) for item in value]
    if not isinstance(value, dict):
        return value
    result: Json = {}
    for key, item in value.items():
        if key in REFERENCES:
            result[key] = _references(item, renamed)
        elif key == "name" and isinstance(item, str):
            result[key] = renamed.get(item, item)
        else:
            result[key] = _rewritten(item, renamed)
    return result


def _references(value: Any, renamed: dict[str, str]) -> Any:
    """Rename references to tensors in nested lists, including the keywords of calls."""
    if isinstance(value, dict):
        return {key: _references(item, renamed) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    items = [_references(item, renamed) for item in value]
    if len(items) >= 3 and isinstance(items[0], str) and type(items[1]) is int:
        items[0] = renamed.get(items[0], items[0])
    return items
