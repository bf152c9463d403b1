"""Subclasses of Keras's models whose config is that of a functional or sequential model.

A subclass of `keras.Model` that is built as `Model(inputs, outputs)` is saved with the config of a
functional model under its own class name.  It is imported as a functional model; what its methods add
(such as a `train_step`) is code, which a model file does not contain.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.context import Context
from specfmt.formats.config.defaults import known_layer
from specfmt.formats.config.reading import Json, show
from specfmt.formats.read.serialized_layers import MODELS

SEQUENTIAL_KEYS: Final = frozenset({"name", "trainable", "dtype", "layers", "build_input_shape"})
"""All keys that the config of a Sequential may have."""


def functional_class(item: Any) -> str:
    """The model class that the config of a subclass describes; empty if it is not such a subclass."""
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
    """A serialized model in which all such subclasses have the class that their config describes."""
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
        "what its methods add is not in the file",
    )
    kept = {key: fields[key] for key in fields if key not in ("module", "registered_name")}
    return {**kept, "class_name": plain}


_HOLDERS: Final = ("config", "layers", "layer", "backward_layer", "modelTopology")
"""Keys whose values may contain models."""
