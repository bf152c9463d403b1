"""Reading ``.weights.h5`` and ``.keras``: a group a layer (see `specfmt.weights.slots`)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

from specfmt.graph.keras_groups import Member, members
from specfmt.graph.model import Graph, Unit
from specfmt.weights.hdf5 import child, datasets, kind, no_numbers, read_dataset, text_attribute
from specfmt.weights.problems import (
    UNKNOWN_WEIGHTS,
    left_over,
    misshapen,
    missing,
    problem,
    raise_all,
)
from specfmt.weights.sources import KerasWeights, Stored

CONTAINERS: Final = ("layers", "_layer_checkpoint_dependencies")
"""The group of a model's layers; TensorFlow 2.12 wrote the second name."""

STATE: Final = frozenset(["seed_generator", "_random_seed_generator", "idf_weights"])
"""Groups and variables that are no weights; the spec has the weights of a vocabulary's tokens."""


def is_layout(file: Any) -> bool:
    """Whether an HDF5 file has a group a layer."""
    return any(name in file for name in CONTAINERS) or (
        "vars" in file and "layer_names" not in file.attrs
    )


class Reader:
    """Finds every weight of a graph in an open file.

    Args:
        root: The HDF5 file.
        file: Its name, for messages.
    """

    def __init__(self, root: Any, file: Path) -> None:
        self.root, self.file = root, file
        self.found: dict[tuple[Unit, str], Stored] = {}
        self.used: set[str] = set()
        self.problems: list[Any] = []

    def read(self, graph: Graph) -> KerasWeights:
        """Every weight, or all that is wrong.

        Raises:
            SpecError: SF501 to SF505.
        """
        self._model(graph, self.root, "", ())
        rest = []
        for name in CONTAINERS:
            container = child(self.root, name, self.file)
            if container is not None:
                rest += [
                    path
                    for path in datasets(container, name, self.file)
                    if path not in self.used and not STATE & set(path.split("/"))
                ]
        self.problems += left_over(rest, self.file)
        raise_all(self.problems)
        return self.found

    def _model(self, graph: Graph, group: Any, prefix: str, owners: tuple[str, ...]) -> None:
        """The layers of one model, whose group is ``group`` (None: not in the file)."""
        name = next((n for n in CONTAINERS if group is not None and n in group), CONTAINERS[0])
        container = child(group, name, self.file) if group is not None else None
        inside = f"{prefix}{name}/"
        places = self._by_name(members(graph), container)
        for member in members(graph):
            unit, place = member.unit, places[member.unit]
            below = child(container, place, self.file) if container is not None else None
            if unit.graph is not None:
                self._model(unit.graph, below, f"{inside}{place}/", (*owners, unit.name))
            else:
                self._layer(unit, below, f"{inside}{place}", owners)

    def _by_name(self, wanted: list[Member], container: Any) -> dict[Unit, str]:
        """The group of each layer: by the layers' names where the file says them, else by order."""
        by_order = {member.unit: member.group for member in wanted}
        if container is None:
            return by_order
        named: dict[str, str] = {}
        for group in container:
            variables = child(container, f"{group}/vars", self.file)
            name = text_attribute(variables.attrs, "name") if variables is not None else None
            if name is None or name in named:
                return by_order
            named[name] = group
        if any(member.unit.count() and member.unit.name not in named for member in wanted):
            return by_order
        return {unit: named.get(unit.name, group) for unit, group in by_order.items()}

    def _layer(self, unit: Unit, group: Any, place: str, owners: tuple[str, ...]) -> None:
        counts: dict[str, int] = {}
        label = "/".join((*owners, unit.name))
        unknown = bool(getattr(unit.spec, "class_", "")) and not unit.weights
        if unknown and group is not None:
            held = list(datasets(group, place, self.file))
            if held:
                self.used.update(held)
                message = (
                    f"expected a layer whose weights are known, received {label} with {len(held)}"
                )
                self.problems.append(problem("SF508", message, self.file, UNKNOWN_WEIGHTS))
        for weight in unit.weights:
            index = counts.get(weight.store, 0)
            if weight.merged_into:
                continue
            counts[weight.store] = index + 1
            dataset, path = self._dataset(group, weight.store, index)
            where = f"{place}/{path}"
            if dataset is None:
                self.problems.append(
                    missing(f"{label}/{weight.name}", weight.shape, where, self.file)
                )
                continue
            self.used.add(where)
            name = f"{label}/{weight.name}"
            others = list(no_numbers(dataset, name, self.file))
            if others:
                self.problems += others
                continue
            shape = tuple(dataset.shape)
            if shape != weight.shape:
                self.problems.append(misshapen(name, weight.shape, shape, where, self.file))
            read = partial(read_dataset, dataset, self.file)
            self.found[unit, weight.name] = Stored(shape, kind(dataset), read, where)

    def _dataset(self, group: Any, store: str, index: int) -> tuple[Any, str]:
        """A weight below its layer's group; Keras 2 had private names for some attributes."""
        first = f"{store}/vars/{index}" if store else f"vars/{index}"
        for name in (store, f"_{store}", store.removeprefix("_")) if store else ("",):
            path = f"{name}/vars/{index}" if name else f"vars/{index}"
            dataset = child(group, path, self.file) if group is not None else None
            if dataset is not None:
                return dataset, path
        return None, first
