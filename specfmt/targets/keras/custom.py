"""Layers that specfmt does not define, in Keras code: an import and a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from specfmt.graph.model import Graph
from specfmt.layers.base import KERAS_LAYERS, nested_layers
from specfmt.layers.naming import is_identifier
from specfmt.layers.op import Op
from specfmt.layers.policies import name_of_policy
from specfmt.targets.naming import Scope
from specfmt.targets.source import argument, literal
from specfmt.targets.unknown import claim_class
from specfmt.targets.user_objects import RESERVED

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
    own = _NAMES.get({}).get(layer.class_, class_name)
    callee = f"layers.{class_name}" if module.startswith(KERAS_MODULES) else own
    config = {key: value for key, value in layer.config.items() if key != "name"}
    dtype = layer.policy_in(policy)
    if "dtype" not in config and dtype not in (None, "float32"):
        config["dtype"] = name_of_policy(dtype) or dtype
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


def custom_imports(graph: Graph, taken: set[str]) -> tuple[list[str], dict[str, str]]:
    """The import lines for every layer of a graph that is neither in `keras.layers` nor in the file.

    Args:
        graph: The graph.
        taken: Names in use in the file; those of the imported classes are added.

    Returns:
        The lines; and the path of each class that specfmt does not know -> its name in the file,
        which is another one where two modules have classes of one name.
    """
    layers = [
        layer
        for unit in graph.walk_units()
        for layer in (unit.layer, *nested_layers(unit.layer))
        if not isinstance(layer, Op)
    ]
    places = {layer.type_name: layer.keras_module for layer in layers}
    lines = [f"from {m} import {name}" for name, m in places.items() if m != KERAS_LAYERS]
    taken.update(name for name, module in places.items() if module != KERAS_LAYERS)
    scope = Scope({*taken, *RESERVED})
    names: dict[str, str] = {}
    for dotted in dict.fromkeys(vars(layer).get("class_", "") for layer in layers):
        module, _, name = dotted.rpartition(".")
        if module and not module.startswith(KERAS_MODULES):  # else a class in this file
            names[dotted] = own = claim_class(scope, name)
            lines.append(f"from {module} import {name if own == name else f'{name} as {own}'}")
    taken.update(names.values())
    return lines, names


_NAMES: ContextVar[Mapping[str, str]] = ContextVar("names of imported layer classes")


@contextmanager
def with_names(names: Mapping[str, str]) -> Iterator[None]:
    """Context manager in which the classes of layers have these names in generated code."""
    token = _NAMES.set(names)
    try:
        yield
    finally:
        _NAMES.reset(token)


def is_importable(dotted: str) -> bool:
    """Whether a dotted path is a module and a class that can be imported."""
    module, _, name = dotted.rpartition(".")
    known = module not in ("", "builtins", "__main__")
    return known and is_identifier(name) and _is_module(module)


def _is_module(module: str) -> bool:
    return all(is_identifier(part) for part in module.split("."))
