"""``build_config``: the input shapes that Keras 3 records for a built layer."""

from __future__ import annotations

from typing import Any

from specfmt.formats.config.reading import Json
from specfmt.graph.model import Value
from specfmt.layers.base import Layer


def build_config(layer: Layer, args: dict[str, Any]) -> Json | None:
    """The ``build_config`` of a layer from the arguments of its first call; None if it has none.

    Args:
        layer: The layer.
        args: Call argument -> `Value`, a list of values, or a constant.
    """
    if layer.built_at_creation:
        return None
    names = layer.build_arguments
    if names is None:
        return {"input_shape": shapes(next(iter(args.values())))}
    found = {f"{name}_shape": shapes(args[name]) for name in names if args.get(name) is not None}
    if not found:
        return {}
    if len(found) == 1:
        return {"input_shape": next(iter(found.values()))}
    return {"shapes_dict": found}


def shapes(item: Any) -> Any:
    """The shapes of nested values (or plain shapes), in the same structure."""
    if isinstance(item, Value):
        return None if item.shape is None else list(item.shape)
    if isinstance(item, dict):
        return {key: shapes(inner) for key, inner in item.items()}
    if isinstance(item, (list, tuple)):
        return [shapes(inner) for inner in item]
    return item
