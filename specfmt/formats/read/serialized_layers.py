"""The class and config of a serialized layer, in the format of any Keras version."""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, as_map, as_text
from specfmt.layers.former_types import FORMER_TYPES
from specfmt.layers.registry import layer_class

MODELS: Final = {"Model", *(old for old, today in FORMER_TYPES.items() if today == "Model")}
"""Class names of whole models, oldest and newest."""


def layer_parts(item: Any, path: Path) -> tuple[str, Any, Path]:
    """The class name, config and config path of a serialized layer.

    Keras 0 wrote a layer as one flat object with its class as ``name``; the config of a Sequential
    may be the list of its layers.
    """
    mapping = as_map(item, path, "a layer")
    if "class_name" not in mapping and "config" not in mapping and "name" in mapping:
        config = {key: value for key, value in mapping.items() if key != "name"}
        return as_text(mapping["name"], (*path, "name"), "the class of a layer"), config, path
    class_name = as_text(mapping.get("class_name"), (*path, "class_name"), "the class of a layer")
    where = (*path, "config")
    raw = mapping.get("config")
    if class_name in MODELS and isinstance(raw, list):
        return class_name, raw, where
    return class_name, as_map(raw, where, f"the config of {class_name}"), where


def output_rank(entry: Json, rank: int | None) -> int | None:
    """The rank of an entry's output, from that of its input; None if it is not known."""
    type_name = entry.get("type")
    cls = layer_class(type_name) if isinstance(type_name, str) else None
    return None if cls is None else cls.output_rank(entry, rank)
