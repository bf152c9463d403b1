"""Writing ``.weights.h5`` files that Keras 3 loads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from specfmt.graph.model import Graph
from specfmt.weights.arrays import Array
from specfmt.weights.hdf5 import h5py_module
from specfmt.weights.slots import Slot, slots

Arrays = dict[str, Array]
"""Weight name below the layer -> numbers."""


def write(path: Path, graph: Graph, units: Iterable[tuple[Any, Callable[[], Arrays]]]) -> None:
    """Write the weights of every layer, one layer at a time.

    Args:
        path: The file.
        graph: The model.
        units: Each layer with weights, and a function that computes them.
    """
    h5py = h5py_module(path)
    by_unit: dict[Any, list[Slot]] = {}
    for slot in slots(graph):
        by_unit.setdefault(slot.unit, []).append(slot)
    with h5py.File(path, "w") as file:
        file.create_group("vars").attrs["name"] = graph.name
        for unit, compute in units:
            arrays = compute()
            _merge(by_unit[unit], arrays)
            for slot in by_unit[unit]:
                if slot.weight.merged_into:
                    continue
                group, _, index = slot.place.rpartition("/")
                variables = file.require_group(group)
                if not slot.weight.store:
                    variables.attrs["name"] = unit.name
                variables.create_dataset(index, data=arrays.pop(slot.weight.name))


def _merge(places: list[Slot], arrays: Arrays) -> None:
    """Add products of factors to the weights that Keras keeps them in (see `Weight`)."""
    factors: dict[str, list[Array]] = {}
    for slot in places:
        if slot.weight.merged_into:
            factors.setdefault(slot.weight.merged_into, []).append(arrays[slot.weight.name])
    for name, (first, second) in factors.items():
        if first.any() and second.any():
            arrays[name] = (arrays[name] + first @ second).astype(arrays[name].dtype)
