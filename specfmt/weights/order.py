"""The layers of a model in the order of its own file, for groups that are named by class.

Where Keras keeps a weight depends on the place of its layer among those of the same class.  Keras 2
and 3 sort a model's layers alike but for operations and masks, which are layers in one and not in
the other; the configuration beside the weights lists them as they stood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from specfmt.layers.naming import to_snake_case

MAX_DEPTH: Final = 64


@dataclass(slots=True)
class Order:
    """A model's layers as its file lists them.

    Attributes:
        classes: Layer name -> the name of its class in snake case, in order.
        inner: Layer name -> the layers of a model inside it.
    """

    classes: dict[str, str] = field(default_factory=dict)
    inner: dict[str, Order] = field(default_factory=dict)


def order_of(topology: Any, depth: int = 0) -> Order | None:
    """The layers of a serialized model, or None where it lists none."""
    config = topology.get("config") if isinstance(topology, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list) or depth > MAX_DEPTH:
        return None
    found = Order()
    for layer in layers:
        if not isinstance(layer, dict) or not isinstance(layer.get("class_name"), str):
            continue
        inside = layer.get("config")
        name = layer.get("name") or (inside.get("name") if isinstance(inside, dict) else None)
        if not isinstance(name, str):
            continue
        found.classes[name] = class_group_name(layer["class_name"])
        model = order_of(layer, depth + 1)
        if model is None and isinstance(inside, dict):
            model = order_of(inside.get("layer"), depth + 1)
        if model is not None:
            found.inner[name] = model
    return found


def class_group_name(class_name: str) -> str:
    """The group of a class: its name without its package, in snake case."""
    return to_snake_case(re.split(r"[>.]", class_name)[-1])
