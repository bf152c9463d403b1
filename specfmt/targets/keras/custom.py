"""Layers that specfmt does not define, in Keras code: an import and a call."""

from __future__ import annotations

from typing import Any

from specfmt.graph.model import Graph
from specfmt.layers.base import KERAS_LAYERS, nested_layers
from specfmt.layers.naming import is_identifier
from specfmt.layers.op import Op
from specfmt.layers.policies import name_of_policy
from specfmt.targets.source import argument, literal

KERAS_MODULES = ("keras.layers", "keras.src.layers", "tensorflow.keras.layers", "tf_keras.layers")


def custom_call(layer: Any, name: str | None, policy: Any = None) -> tuple[str, list[str]]:
    """The callee and arguments that create a custom layer from its config.

    A config of plain data becomes keyword arguments; one with serialized Keras objects is passed
    to ``from_config``, which deserializes them.

    Args:
        layer: The `Custom` layer.
        name: Its name; None for the one in its config.
        policy: The dtype policy of the model, which Keras applies to no layer by itself.
    """
    module, _, class_name = layer.class_.rpartition(".")
    callee = f"layers.{class_name}" if module.startswith(KERAS_MODULES) else class_name
    config = {key: value for key, value in layer.config.items() if key != "name"}
    own = layer.policy_in(policy)
    if "dtype" not in config and own not in (None, "float32"):
        config["dtype"] = name_of_policy(own) or own
    if name is not None:
        config["name"] = name
    if any(not is_identifier(key) or _is_serialized(value) for key, value in config.items()):
        return f"{callee}.from_config", [literal(config)]
    return callee, [argument(key, literal(value)) for key, value in config.items()]


def _is_serialized(value: Any) -> bool:
    """Whether a config value contains a serialized Keras object."""
    if isinstance(value, dict):
        return "class_name" in value or any(_is_serialized(item) for item in value.values())
    return isinstance(value, list) and any(_is_serialized(item) for item in value)


def custom_imports(graph: Graph) -> list[str]:
    """The import lines for every layer of a graph that is not in `keras.layers`."""
    imports: dict[str, None] = {}
    for unit in graph.walk_units():
        for layer in (unit.layer, *nested_layers(unit.layer)):
            if not isinstance(layer, Op) and layer.keras_module != KERAS_LAYERS:
                imports[f"from {layer.keras_module} import {layer.type_name}"] = None
                continue
            dotted: str = vars(layer).get("class_", "")
            module, _, class_name = dotted.rpartition(".")
            if module and not module.startswith(KERAS_MODULES):  # else a class in this file
                imports[f"from {module} import {class_name}"] = None
    return list(imports)


def is_importable(dotted: str) -> bool:
    """Whether a dotted path is a module and a class that can be imported."""
    module, _, name = dotted.rpartition(".")
    known = module not in ("", "builtins", "__main__")
    return known and is_identifier(name) and _is_module(module)


def _is_module(module: str) -> bool:
    return all(is_identifier(part) for part in module.split("."))
