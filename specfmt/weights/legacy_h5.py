"""Reading ``.h5`` files in the legacy layout: whole models and weights of Keras 1, 2 and 3.

One group per layer, under the layer's name; its attribute ``weight_names`` lists the datasets in
the order of `trainable_weights + non_trainable_weights`, for a nested model over all layers in
it.  Source: `keras/src/legacy/saving/legacy_h5_format.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from specfmt.graph.keras_groups import holds, is_operation
from specfmt.graph.keras_order import keras_units
from specfmt.graph.model import Graph, Unit
from specfmt.weights.by_layer import LayerMatcher, Listed, in_legacy_order
from specfmt.weights.hdf5 import (
    child,
    dtype_problems,
    kind,
    read_dataset,
    text_attribute,
    text_list,
)
from specfmt.weights.keras3 import holds_tables
from specfmt.weights.problems import problem, raise_all, unused
from specfmt.weights.sources import KerasWeights, Stored

ROOT = "model_weights"
"""The group of the weights in a file with a whole model."""

TOP_LEVEL = "top_level_model_weights"


def is_layout(root: Any, file: Path) -> bool:
    """Whether an HDF5 file has the legacy layout: an attribute that lists its layers."""
    whole = child(root, ROOT, file)
    group = root if whole is None else whole
    return text_list(group.attrs, "layer_names") is not None


class Reader(LayerMatcher):
    """Finds every weight of a graph in an open file.

    Args:
        root: The HDF5 file.
        file: Its name, for messages.
    """

    def __init__(self, root: Any, file: Path) -> None:
        whole = child(root, ROOT, file)
        self.root = root if whole is None else whole
        version = text_attribute(self.root.attrs, "keras_version") or "1"
        backend = text_attribute(self.root.attrs, "backend") or ""
        super().__init__(file, keras_1=version.split(".")[0] in ("0", "1"), backend=backend)

    def read(self, graph: Graph) -> KerasWeights:
        """Find every weight.

        Raises:
            SpecError: SF501 to SF505.
        """
        groups: dict[str, list[str]] = {}
        tables = {unit.name for unit in graph.walk_units() if holds_tables(unit)}
        for name in text_list(self.root.attrs, "layer_names") or []:
            group = child(self.root, name, self.file)
            names = text_list(group.attrs, "weight_names") if group is not None else None
            if names and name not in tables:
                groups[name] = names
        units = [u for u in keras_units(graph) if not is_operation(u) and holds(u)]
        for unit, group in self._pairs(units, list(groups)):
            if group is None and unit is not None:
                self._report_missing(in_legacy_order(unit), unit.name)
            elif group is not None and unit is None:
                label = [f"{group}/{n}" for n in groups[group]]
                self.problems += unused(label, self.file)
            elif group is not None and unit is not None:
                self.match(unit, group, [self._listed(group, name) for name in groups[group]])
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

    def _listed(self, group: str, name: str) -> Listed:
        """A weight in a group; a layer is read from its own group only."""
        where = f"{group}/{name}"
        dataset = child(child(self.root, group, self.file), name, self.file)
        if dataset is None:
            message = f"{group} is missing the data of its weight {name}"
            return Listed(
                name, None, (problem("SF500", message, self.file, "save the file again"),)
            )
        others = tuple(dtype_problems(dataset, where, self.file))
        if others:
            return Listed(name, None, others)
        read = partial(read_dataset, dataset, self.file)
        return Listed(name, Stored(tuple(dataset.shape), kind(dataset), read, where))
