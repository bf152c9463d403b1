"""Calls of Keras's image layers on mappings: images with labels, bounding boxes, masks of segments.

Such a layer is kept as a `Custom` entry.  It returns a mapping with the keys that it was called on,
whose tensors Keras numbers in the alphabetical order of the keys (`keras.tree.flatten`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from specfmt.layers.base import KERAS_LAYERS
from specfmt.layers.registry import layer_class

BOXES: Final = "bounding_boxes"


def returned_mapping(dotted: str, first: Any) -> dict[str, Any] | None:
    """The structure of what a layer returns, with the number of each output; None if the layer is
    not one of Keras's image layers that is called on a mapping.

    Args:
        dotted: The path of its class.
        first: The first argument of its call.
    """
    module, _, name = dotted.rpartition(".")
    if not isinstance(first, dict) or not first or module != KERAS_LAYERS:
        return None
    cls = layer_class(name)
    return numbered(first, iter(range(10**6))) if cls is not None and cls.takes_mappings else None


def numbered(nest: dict[str, Any], numbers: Iterator[int]) -> dict[str, Any]:
    """The same structure with the number of each tensor, in the order of the given keys."""
    found = {}
    for key in sorted(nest):
        item = nest[key]
        found[key] = numbered(item, numbers) if isinstance(item, dict) else next(numbers)
    return {key: found[key] for key in nest}


def returned_shapes(dotted: str, config: dict[str, Any], first: Any) -> list[Any]:
    """The shapes of the outputs in Keras's order: those of the inputs, but of another number of
    boxes where the layer returns a fixed one.

    Args:
        dotted: The path of the layer's class.
        config: Its config.
        first: The shapes of its first argument.
    """
    cls = layer_class(dotted.rpartition(".")[2])
    boxes, count = first.get(BOXES), config.get(cls.box_count) if cls is not None else None
    if isinstance(boxes, dict) and type(count) is int and count >= 0:
        cut = {key: s and (s[0], count, *s[2:]) for key, s in boxes.items()}
        first = {**first, BOXES: cut}
    return list(leaves(first))


def leaves(nest: Any) -> Iterator[Any]:
    """The items of nested mappings in Keras's order."""
    if not isinstance(nest, dict):
        yield nest
        return
    for key in sorted(nest):
        yield from leaves(nest[key])
