"""Subclasses of Keras's models whose config is a whole functional or sequential model.

A class derived from `keras.Model` that is built as `Model(inputs, outputs)` writes the config of
a functional model under its own name, and Keras restores it as that.  It is read as the model
that it is; what its methods add (a `train_step` of its own) is code, which no file holds.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.context import Context
from specfmt.formats.config.defaults import known_layer
from specfmt.formats.config.reading import Json, show
from specfmt.formats.read.serialized_layers import MODELS

SEQUENTIAL_KEYS: Final = frozenset({"name", "trainable", "dtype", "layers", "build_input_shape"})
"""All that the config of a Sequential may hold."""


def functional_class(item: Any) -> str:
    """The class of the model that a subclass's config describes; empty where it is no such."""
    if not isinstance(item, dict) or not isinstance(item.get("config"), dict):
        return ""
    class_name, config = item.get("class_name"), item["config"]
    if not isinstance(class_name, str) or class_name in MODELS or known_layer(class_name):
        return ""
    layers = config.get("layers")
    if not isinstance(layers, list) or not layers:
        return ""
    if not all(isinstance(layer, dict) and "class_name" in layer for layer in layers):
        return ""
    if "input_layers" in config and "output_layers" in config:
        return "Functional"
    if class_name != "Merge" and set(config) <= SEQUENTIAL_KEYS:
        return "Sequential"
    return ""


def plain_models(value: Any, context: Context, path: Path) -> Any:
    """A serialized model with every such subclass in it under the class that it is."""
    if isinstance(value, list):
        items = [plain_models(item, context, (*path, i)) for i, item in enumerate(value)]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return value
    changed: Json = {}
    for key in _HOLDERS:
        item = value.get(key)
        if isinstance(item, (dict, list)):
            found = plain_models(item, context, (*path, key))
            if found is not item:
                changed[key] = found
    fields = {**value, **changed} if changed else value
    plain = functional_class(value)
    if not plain:
        return fields
    context.warn(
        "SF437",
        f"read {show(value['class_name'])} as the {plain} model that its config describes",
        (*path, "class_name"),
        "what its own methods do beside the layers is not in the file",
    )
    kept = {key: fields[key] for key in fields if key not in ("module", "registered_name")}
    return {**kept, "class_name": plain}


_HOLDERS: Final = ("config", "layers", "layer", "backward_layer", "modelTopology")
"""Keys below which models stand."""
