"""The names of the groups in which Keras 3 stores the weights of layers.

A group is named after the class and numbered in the order of `model.layers`.  Source:
`_save_container_state` of `keras/src/saving/saving_lib.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from specfmt.graph.keras_order import keras_layers
from specfmt.graph.model import Graph, Unit
from specfmt.layers.base import nested_layers
from specfmt.vocab.naming import to_snake_case

INPUT_LAYER = "input_layer"


@dataclass(frozen=True, eq=False, slots=True)
class Member:
    """A layer or nested model, and the name of its group."""

    unit: Unit
    group: str


def class_group(unit: Unit) -> str:
    """The class name in snake case, from which the names of groups are formed."""
    if unit.graph is not None:
        return "sequential" if unit.graph.is_sequential else "functional"
    dotted: str = getattr(unit.spec, "class_", "")
    own = dotted.rpartition(".")[2].rpartition(">")[2] or unit.layer.keras_class or unit.type_name
    return to_snake_case(own)


def members(graph: Graph) -> list[Member]:
    """The layers of one model in Keras's order, with their groups."""
    counts: dict[str, int] = {}
    found = []
    for item in keras_layers(graph):
        if isinstance(item, Unit) and not is_operation(item):
            name = class_group(item)
        elif isinstance(item, str) and not graph.is_sequential:
            name = INPUT_LAYER
        else:
            continue  # operations and a Sequential's input are not in `model.layers`
        ordinal = counts.get(name, 0)
        counts[name] = ordinal + 1
        if isinstance(item, Unit):
            found.append(Member(item, f"{name}_{ordinal}" if ordinal else name))
    return found


def is_operation(unit: Unit) -> bool:
    """Whether a unit is a tensor operation, which Keras does not count as a layer."""
    return bool(getattr(unit.spec, "is_operation", False))


def holds(unit: Unit) -> bool:
    """Whether a layer or nested model has weights in a file, as far as that is known."""
    if unit.graph is not None and not unit.graph.is_counted:
        return True
    unknown = unit.graph is None and not unit.weights_known
    return unknown or unit.count() > 0 or is_own(unit)


def is_own(unit: Unit) -> bool:
    """Whether a layer is user-defined or wraps such a layer, so that only a file has its weights."""
    if unit.graph is not None:
        return False
    layers = (unit.layer, *nested_layers(unit.layer))
    return any(getattr(layer, "class_", "") for layer in layers)
