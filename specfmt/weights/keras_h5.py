"""Writing ``.weights.h5`` files that Keras 3 loads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from specfmt.graph.model import Graph
from specfmt.weights.arrays import Array, blocks
from specfmt.weights.hdf5 import h5py_module
from specfmt.weights.problems import fail
from specfmt.weights.slots import Slot, slots, stored_tables

Arrays = dict[str, Array]
"""Weight name, relative to the layer -> array."""


def write(
    path: Path,
    graph: Graph,
    units: Iterable[tuple[Any, Callable[[], Arrays]]],
    source: Path | None = None,
) -> None:
    """Write the weights of every layer, one layer at a time.

    Args:
        path: The file.
        graph: The model.
        units: Each layer with weights, and a function that computes them.
        source: The file that they come from, if any, for messages.

    Raises:
        SpecError: SF504 if LoRA factors belong to a quantized kernel.
    """
    h5py = h5py_module()
    by_unit: dict[Any, list[Slot]] = {}
    for slot in slots(graph):
        by_unit.setdefault(slot.unit, []).append(slot)
    with _system_errors(), h5py.File(path, "w") as file:
        file.create_group("vars").attrs["name"] = graph.name
        for unit, compute in units:
            arrays = compute()
            _merge(by_unit[unit], arrays, source or path)
            for slot in by_unit[unit]:
                if slot.weight.merged_into:
                    continue
                array = arrays.pop(slot.weight.name)
                for place in filter(None, (slot.place, slot.copy_place)):
                    group, _, index = place.rpartition("/")
                    variables = file.require_group(group)
                    if group == f"{slot.group}/vars":
                        variables.attrs["name"] = unit.name
                    _create(variables, index, slot.weight.shape, array)
        for place, values in stored_tables(graph):
            file[place] = np.array(values, "float32")


@contextmanager
def _system_errors() -> Iterator[None]:
    """Raise a failed write as the OSError that libhdf5's message quotes."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        quoted = re.search(r"errno = (\d+)", str(error))
        if quoted is None:
            raise
        number = int(quoted[1])
        raise OSError(number, os.strerror(number)) from error


def _create(variables: Any, name: str, shape: tuple[int, ...], array: Array) -> None:
    """Write a dataset from elements in row-major order, without a second copy of whole rows."""
    found = variables.create_dataset(name, shape, array.dtype)
    row = prod(shape[1:])
    if not shape or not array.size or array.flags.c_contiguous:
        found[...] = array.reshape(shape)
        return
    start = 0
    rest = array[:0].reshape(-1)
    for block in blocks(array):
        rest = np.concatenate([rest, block]) if rest.size else block
        count = rest.size // row
        found[start : start + count] = rest[: count * row].reshape(count, *shape[1:])
        start += count
        rest = rest[count * row :]


def _merge(places: list[Slot], arrays: Arrays, source: Path) -> None:
    """Merge LoRA factors into their kernels (see `Weight`).

    Raises:
        SpecError: SF504 if a kernel is quantized.
    """
    factors: dict[str, list[Array]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    scales: dict[str, float] = {}
    for slot in places:
        weight = slot.weight
        shapes[weight.name] = weight.shape
        if weight.merged_into:
            factor = arrays[weight.name].reshape(weight.shape)
            scales[weight.merged_into] = weight.merge_scale
            factors.setdefault(weight.merged_into, []).append(factor)
    for name, (first, second) in factors.items():
        if first.any() and second.any():
            if arrays[name].dtype.kind in "iu":
                fail(
                    "SF504",
                    f"expected a kernel of floats to merge LoRA into, received a quantized {name}",
                    source,
                    "save the model in Keras as .weights.h5, which quantizes it again",
                )
            whole = arrays[name].reshape(shapes[name])
            arrays[name] = (whole + scales[name] * (first @ second)).astype(whole.dtype)
