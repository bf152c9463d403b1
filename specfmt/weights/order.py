"""The layers of a model in the order of the configuration in its file.

Groups of weights are named after the class of a layer and its position among the layers of that
class.  Keras 2 and 3 order layers in the same way, except that operations and masks are layers in
Keras 2 only; the configuration in the file lists the layers in the order that was used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from specfmt.vocab.naming import to_snake_case

MAX_DEPTH: Final = 64


@dataclass(slots=True)
class Order:
    """The layers of a model in the order of its file.

    Attributes:
        classes: Layer name -> its class name in snake case, in order.
        inner: Name of a nested model -> its layers.
    """

    classes: dict[str, str] = field(default_factory=dict)
    inner: dict[str, Order] = field(default_factory=dict)


def order_of(topology: Any, depth: int = 0) -> Order | None:
    """The layers of a serialized model; None if it lists none."""
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
    """The group name of a class: the class name without its package, in snake case."""
    return to_snake_case(re.split(r"[>.]", class_name)[-1])
