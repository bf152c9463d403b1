"""Reading ``.weights.h5`` and ``.keras``: one group per layer (see `specfmt.weights.slots`).

Groups are named after classes and numbered.  The numbering has changed: Keras 2.12 and 2.13 count a
layer with weights twice, later versions do not count a layer inside another one; all keep the
order.  A layer is therefore matched by its name if the file has it, else by its position among the
layers of its class that have weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from specfmt.graph.keras_groups import Member, class_group, holds, is_own, members
from specfmt.graph.model import Graph, Unit
from specfmt.weights.hdf5 import dtype_problems, items, kind, read_dataset, text_attribute
from specfmt.weights.order import Order
from specfmt.weights.problems import (
    UNKNOWN_WEIGHTS,
    missing,
    problem,
    raise_all,
    unused,
    wrong_shape,
)
from specfmt.weights.slots import numbered
from specfmt.weights.sources import KerasWeights, Stored

CONTAINERS: Final = ("layers", "_layer_checkpoint_dependencies", "preprocessors")
"""The group of a model's layers; Keras 2.12 and 2.13 wrote the second name, a FeatureSpace the third."""

STATE: Final = frozenset(["seed_generator", "_random_seed_generator", "idf_weights"])
"""Groups and variables that are not weights; vocabularies and their IDF weights are in the spec."""

Folder = dict[str, Any]
"""Name -> a dataset, or the folder of a group."""


def is_layout(file: Any) -> bool:
    """Whether an HDF5 file has the layout of Keras 3: one group per layer."""
    return any(_slashes(name).partition("/")[0] in CONTAINERS for name in file) or (
        "vars" in file and "layer_names" not in file.attrs
    )


def _slashes(path: str) -> str:
    """A path with slashes; on Windows, Keras wrote a path with backslashes as one group name."""
    return path.replace("\\", "/")


class Reader:
    """Finds every weight of a graph in open files.

    Args:
        roots: The HDF5 files: one, or all shards of one.
        file: Its name, for messages.
        order: The layers in the order of the configuration in the file, if it has one.
    """

    def __init__(self, roots: Sequence[Any], file: Path, order: Order | None = None) -> None:
        self.file, self.order = file, order
        self.tree: Folder = {}
        self.names: dict[str, str] = {}
        for root in roots:
            self._survey(root)
        self.found: dict[tuple[Unit, str], Stored] = {}
        self.used: set[str] = set()
        self.problems: list[Any] = []

    def _survey(self, root: Any) -> None:
        """Collect all datasets below the layers' groups, and the layer names stored in groups."""
        for name in root:
            if _slashes(name).partition("/")[0] not in CONTAINERS:
                continue
            for path, below, is_data in items(root, name, self.file):
                parts = _slashes(path).split("/")
                folder = self.tree
                for part in parts[:-1] if is_data else parts:
                    folder = folder.setdefault(part, {})
                if is_data:
                    folder.setdefault(parts[-1], below)
                elif parts[-1] == "vars":
                    stored_name = text_attribute(below.attrs, "name")
                    if stored_name is not None:
                        self.names.setdefault("/".join(parts[:-1]), stored_name)

    def read(self, graph: Graph) -> KerasWeights:
        """Find every weight.

        Raises:
            SpecError: SF501 to SF505.
        """
        self._model(graph, self.tree, "", (), self.order)
        rest = [path for path in data(self.tree) if path not in self.used]
        self.problems += unused(rest, self.file)
        raise_all(self.problems)
        return self.found

    def _model(
        self,
        graph: Graph,
        folder: Folder,
        prefix: str,
        owners: tuple[str, ...],
        order: Order | None,
    ) -> None:
        """Find the weights of one model's layers, which are in ``folder``."""
        name = next((n for n in CONTAINERS if n in folder), CONTAINERS[0])
        container = folder.get(name, {})
        inside = f"{prefix}{name}/"
        wanted = members(graph)
        places = self._places(wanted, container, inside, order)
        for member in wanted:
            unit, place = member.unit, places[member.unit]
            below = container.get(place, {})
            if unit.graph is not None:
                inner = order.inner.get(unit.name) if order is not None else None
                self._model(unit.graph, below, f"{inside}{place}/", (*owners, unit.name), inner)
            else:
                self._layer(unit, below, f"{inside}{place}", owners)

    def _places(
        self, wanted: list[Member], container: Folder, inside: str, order: Order | None
    ) -> dict[Unit, str]:
        """The group of each layer."""
        places = {member.unit: member.group for member in wanted}
        named = {self.names.get(f"{inside}{group}"): group for group in container}
        holding = [member.unit for member in wanted if holds(member.unit)]
        if len(named) == len(container) and all(unit.name in named for unit in holding):
            return {unit: named.get(unit.name, group) for unit, group in places.items()}
        classes = {unit: class_group(unit) for unit in holding}
        if order is not None and all(unit.name in order.classes for unit in holding):
            position = {name: number for number, name in enumerate(order.classes)}
            holding.sort(key=lambda unit: position[unit.name])
            classes = {unit: order.classes[unit.name] for unit in holding}
        for name in set(classes.values()):
            units = [unit for unit in holding if classes[unit] == name]
            groups = sorted(
                (ordinal, group)
                for group, below in container.items()
                if (ordinal := _ordinal(group, name)) is not None and next(data(below), None)
            )
            if len(groups) == len(units):
                places |= {unit: group for unit, (_, group) in zip(units, groups, strict=True)}
        return places

    def _layer(self, unit: Unit, folder: Folder, place: str, owners: tuple[str, ...]) -> None:
        label = "/".join((*owners, unit.name))
        if holds_tables(unit):
            self.used.update(data(folder, f"{place}/"))
        if is_own(unit) and not unit.weights:
            held = list(data(folder, f"{place}/"))
            if held:
                self.used.update(held)
                message = (
                    f"expected a layer whose weights are known, received {label} with {len(held)}"
                )
                self.problems.append(problem("SF508", message, self.file, UNKNOWN_WEIGHTS))
        for weight, index, copy in numbered(unit.weights):
            if weight.merged_into:
                continue
            if weight.copy_store is not None:
                self.used.add(f"{place}/{_dataset(folder, weight.copy_store, copy)[1]}")
            dataset, path = _dataset(folder, weight.store, index)
            where = f"{place}/{path}"
            if dataset is None:
                self.problems.append(
                    missing(f"{label}/{weight.name}", weight.shape, where, self.file)
                )
                continue
            self.used.add(where)
            name = f"{label}/{weight.name}"
            others = list(dtype_problems(dataset, name, self.file))
            if others:
                self.problems += others
                continue
            shape = tuple(dataset.shape)
            if shape != weight.shape:
                self.problems.append(wrong_shape(name, weight.shape, shape, where, self.file))
            read = partial(read_dataset, dataset, self.file)
            self.found[unit, weight.name] = Stored(shape, kind(dataset), read, where)


def holds_tables(unit: Unit) -> bool:
    """Whether a layer has only tables, which are in the spec: what a file holds are their sources,
    such as the summary of Keras 2's `Discretization`."""
    return bool(unit.graph is None and unit.layer.tables and not unit.weights)


def _ordinal(group: str, name: str) -> int | None:
    """The number of a group among those of a class; None for a group of another class."""
    if group == name:
        return 0
    digits = group.removeprefix(f"{name}_")
    return number(digits) if digits != group else None


def number(digits: str) -> int | None:
    """A number of few digits; None for other text."""
    known = digits.isascii() and digits.isdigit() and len(digits) < MAX_DIGITS
    return int(digits) if known else None


MAX_DIGITS: Final = 10


def data(folder: Any, prefix: str = "") -> Iterator[str]:
    """The paths of all datasets below a folder."""
    if not isinstance(folder, dict):
        return
    for name, below in folder.items():
        if name in STATE:
            continue
        if isinstance(below, dict):
            yield from data(below, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}"


def _dataset(folder: Folder, store: str, index: int) -> tuple[Any, str]:
    """A weight in its layer's group; in Keras 2 some attribute names begin with an underscore."""
    first = f"{store}/vars/{index}" if store else f"vars/{index}"
    for name in (store, f"_{store}", store.removeprefix("_")) if store else ("",):
        path = f"{name}/vars/{index}" if name else f"vars/{index}"
        found = item(folder, path)
        if found is not None:
            return found, path
    return None, first


def item(folder: Folder, path: str) -> Any:
    """The dataset or folder at a path, or None."""
    found: Any = folder
    for part in path.split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found
