"""Reading ``.h5`` files in the legacy layout: whole models and weights of Keras 1, 2 and 3.

One group per layer, under the layer's name; its attribute ``weight_names`` lists the datasets in
the order of `trainable_weights + non_trainable_weights`, for a nested model over all layers in
it.  Source: `keras/src/legacy/saving/legacy_h5_format.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from specfmt.diagnostics import Diagnostic
from specfmt.graph.keras_groups import holds, is_operation, is_own
from specfmt.graph.keras_order import keras_units
from specfmt.graph.model import Graph, Unit
from specfmt.layers.base import Weight
from specfmt.weights.arrays import Array
from specfmt.weights.hdf5 import (
    child,
    dtype_problems,
    kind,
    read_dataset,
    readable,
    text_attribute,
    text_list,
)
from specfmt.weights.legacy_layouts import layout_conversion
from specfmt.weights.problems import (
    UNKNOWN_WEIGHTS,
    missing,
    problem,
    raise_all,
    unused,
    wrong_shape,
)
from specfmt.weights.sources import KerasWeights, Stored

ROOT = "model_weights"
"""The group of the weights in a file with a whole model."""

TOP_LEVEL = "top_level_model_weights"


def is_layout(root: Any, file: Path) -> bool:
    """Whether an HDF5 file has the legacy layout: an attribute that lists its layers."""
    whole = child(root, ROOT, file)
    group = root if whole is None else whole
    return text_list(group.attrs, "layer_names") is not None


@dataclass(frozen=True)
class Place:
    """A weight of the model, with its layer."""

    unit: Unit
    weight: Weight
    label: str


def in_legacy_order(unit: Unit, label: str = "") -> list[Place]:
    """A layer's or nested model's weights: trainable ones first, then the others."""
    label = f"{label}/{unit.name}" if label else unit.name
    trained: list[Place] = []
    others: list[Place] = []
    for place in _places(unit, label):
        trains = place.weight.trainable and place.unit.trainable
        (trained if trains else others).append(place)
    return trained + others


def _places(unit: Unit, label: str) -> Iterator[Place]:
    if unit.graph is None:
        for weight in unit.weights:
            yield Place(unit, weight, f"{label}/{weight.name}")
        return
    for inner in keras_units(unit.graph):
        yield from _places(inner, f"{label}/{inner.name}")


class Reader:
    """Finds every weight of a graph in an open file.

    Args:
        root: The HDF5 file.
        file: Its name, for messages.
    """

    def __init__(self, root: Any, file: Path) -> None:
        whole = child(root, ROOT, file)
        self.root, self.file = root if whole is None else whole, file
        version = text_attribute(self.root.attrs, "keras_version") or "1"
        self.keras_1 = version.split(".")[0] in ("0", "1")
        self.backend = text_attribute(self.root.attrs, "backend") or ""
        self.found: dict[tuple[Unit, str], Stored] = {}
        self.problems: list[Diagnostic] = []

    def read(self, graph: Graph) -> KerasWeights:
        """Find every weight.

        Raises:
            SpecError: SF501 to SF505.
        """
        stored: dict[str, list[tuple[str, Any]]] = {}
        for name in text_list(self.root.attrs, "layer_names") or []:
            group = child(self.root, name, self.file)
            names = text_list(group.attrs, "weight_names") if group is not None else None
            if names:
                stored[name] = [(n, child(group, n, self.file)) for n in names]
        units = [u for u in keras_units(graph) if not is_operation(u) and holds(u)]
        for unit, place in self._pairs(units, list(stored)):
            if place is None and unit is not None:
                self._report_missing(in_legacy_order(unit), unit.name)
            elif place is not None and unit is None:
                label = [f"{place}/{n}" for n, _ in stored[place]]
                self.problems += unused(label, self.file)
            elif place is not None and unit is not None:
                self._unit(unit, place, stored[place])
        top = child(self.root, TOP_LEVEL, self.file)
        if top is not None:
            rest = text_list(top.attrs, "weight_names") or []
            self.problems += unused([f"{TOP_LEVEL}/{n}" for n in rest], self.file)
        raise_all(self.problems)
        return self.found

    def _pairs(
        self, units: list[Unit], names: list[str]
    ) -> Iterator[tuple[Unit | None, str | None]]:
        """Layers with their groups: by name, or by order if the names differ but not their number."""
        by_name = {unit.name: unit for unit in units}
        if len(units) == len(names) and set(by_name) != set(names):
            yield from zip(units, names, strict=True)
            return
        for unit in units:
            yield unit, unit.name if unit.name in names else None
        for name in names:
            if name not in by_name:
                yield None, name

    def _unit(self, unit: Unit, group: str, stored: list[tuple[str, Any]]) -> None:
        broken = [name for name, dataset in stored if dataset is None]
        if broken:
            message = f"{group} is missing the data of its weight {broken[0]}"
            self.problems.append(problem("SF500", message, self.file, "save the file again"))
            return
        others = [d for n, item in stored for d in dtype_problems(item, f"{group}/{n}", self.file)]
        if others:
            self.problems += others
            return
        places = in_legacy_order(unit)
        if is_own(unit) and not unit.weights:
            message = (
                f"expected a layer whose weights are known, received {unit.name} with {len(stored)}"
            )
            self.problems.append(problem("SF508", message, self.file, UNKNOWN_WEIGHTS))
            return
        layer = unit.spec if unit.graph is None else None
        change = layout_conversion(
            layer, places, [d.shape for _, d in stored], self.keras_1, self.backend
        )
        if change is not None:
            batch = Batch([d for _, d in stored], change, self.file)
            for i, place in enumerate(places):
                read = partial(batch.read, i)
                where = f"{group}/{stored[min(i, len(stored) - 1)][0]}"
                self._keep(place, Stored(place.weight.shape, np.dtype("float32"), read, where))
            return
        if len(stored) != len(places):
            self._report_count(places, group, stored)
            return
        for place, (name, dataset) in zip(self._by_name(places, stored), stored, strict=True):
            where = f"{group}/{name}"
            shape = tuple(dataset.shape)
            read = partial(read_dataset, dataset, self.file)
            if shape != place.weight.shape:
                self.problems.append(
                    wrong_shape(place.label, place.weight.shape, shape, where, self.file)
                )
            self._keep(place, Stored(shape, kind(dataset), read, where))

    def _by_name(self, places: list[Place], stored: list[tuple[str, Any]]) -> list[Place]:
        """The weights in the file's order: by their names if all are found, else by position.

        A model that was frozen or unfrozen since it was saved has another order.
        """
        ends = {f"{place.unit.name}/{place.weight.name}": place for place in places}
        found = []
        for name, _ in stored:
            parts = name.partition(":")[0].split("/")
            tails = ["/".join(parts[i:]) for i in range(len(parts))]
            found.append(next((ends[tail] for tail in tails if tail in ends), None))
        known = [place for place in found if place is not None]
        if len(ends) == len(places) and len({id(place) for place in known}) == len(places):
            return known
        return places

    def _keep(self, place: Place, stored: Stored) -> None:
        self.found[place.unit, place.weight.name] = stored

    def _report_missing(self, places: list[Place], group: str) -> None:
        for place in places:
            where = f"{group}/{place.weight.name}"
            self.problems.append(missing(place.label, place.weight.shape, where, self.file))

    def _report_count(self, places: list[Place], group: str, stored: list[tuple[str, Any]]) -> None:
        self._report_missing(places[len(stored) :], group)
        rest = [f"{group}/{name}" for name, _ in stored[len(places) :]]
        self.problems += unused(rest, self.file)


class Batch:
    """The weights of a layer in the layout of an older Keras, converted together."""

    def __init__(
        self, stored: list[Any], change: Callable[[list[Array]], list[Array]], file: Path
    ) -> None:
        self.stored, self.change, self.file = stored, change, file

    @cached_property
    def arrays(self) -> list[Array]:
        """All of them, converted to the current layout."""
        arrays = [read_dataset(dataset, self.file) for dataset in self.stored]
        with readable(self.file, "weights of an older Keras"):
            return self.change(arrays)

    def read(self, index: int) -> Array:
        """One of them, converted to the current layout."""
        return self.arrays[index]
