"""The place of each weight of a model in the files of Keras 3.

A ``.weights.h5`` file (and the one inside a ``.keras`` archive) has a group for each layer,
named after the class and numbered in the order of `model.layers`; below it ``vars/0``, ``vars/1``.
Source: `_save_state` and `_save_container_state` of `keras/src/saving/saving_lib.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from specfmt.graph.keras_groups import members
from specfmt.graph.model import Graph, Unit
from specfmt.layers.base import Weight


@dataclass(frozen=True, eq=False, slots=True)
class Slot:
    """A Keras weight and its place in the file.

    Attributes:
        unit: The layer that owns it.
        weight: The weight.
        owners: Names of the nested models that contain the layer, outermost first.
        group: The layer's group: ``layers/functional/layers/dense_1``.
        index: Its number among the variables of ``weight.store`` in that group.
        copy_index: Its number among those of ``weight.copy_store``, if files hold a copy.
    """

    unit: Unit
    weight: Weight
    owners: tuple[str, ...]
    group: str
    index: int
    copy_index: int = 0

    @property
    def name(self) -> str:
        """The name with those of the layer and nested models: ``encoder/dense/kernel``."""
        return "/".join((*self.owners, self.unit.name, self.weight.name))

    @property
    def place(self) -> str:
        """The path of the dataset: ``layers/lstm/cell/vars/0``."""
        return self._path(self.weight.store, self.index)

    @property
    def copy_place(self) -> str:
        """The path of the dataset that holds a copy; empty if there is none."""
        store = self.weight.copy_store
        return "" if store is None else self._path(store, self.copy_index)

    def _path(self, store: str, index: int) -> str:
        return f"{self.group}{f'/{store}' if store else ''}/vars/{index}"


def slots(graph: Graph, prefix: str = "", owners: tuple[str, ...] = ()) -> Iterator[Slot]:
    """Every weight of a model, including nested models, in the order of Keras's `model.weights`."""
    for member in members(graph):
        unit, group = member.unit, f"{prefix}layers/{member.group}"
        if unit.graph is not None:
            yield from slots(unit.graph, f"{group}/", (*owners, unit.name))
            continue
        for weight, index, copy in numbered(unit.weights):
            yield Slot(unit, weight, owners, group, index, copy)


def stored_tables(graph: Graph, prefix: str = "") -> Iterator[tuple[str, tuple[float, ...]]]:
    """The tables of layers that files contain beside the weights: path and values."""
    for member in members(graph):
        unit, group = member.unit, f"{prefix}layers/{member.group}"
        if unit.graph is not None:
            yield from stored_tables(unit.graph, f"{group}/")
            continue
        for path, values in unit.layer.stored_tables().items():
            yield f"{group}/{path}", values


def numbered(weights: Iterable[Weight]) -> Iterator[tuple[Weight, int, int]]:
    """A layer's weights with their numbers among the variables of `Weight.store` and of
    `Weight.copy_store` in files."""
    counts: dict[str, int] = {}
    for weight in weights:
        index = counts.get(weight.store, 0)
        if not weight.merged_into:
            counts[weight.store] = index + 1
        copy = counts.get(weight.copy_store or "", 0)
        if weight.copy_store is not None:
            counts[weight.copy_store] = copy + 1
        yield weight, index if weight.file_index is None else weight.file_index, copy
