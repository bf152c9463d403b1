"""Matching weights that a file lists layer by layer with those of a model.

Files of Keras 1 and 2 list the variables of each layer, in the order in which Keras does and under
names that may have changed since: layers and weights are matched by name if the names are known, else
by position.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import numpy as np

from specfmt.diagnostics import Diagnostic
from specfmt.graph.keras_groups import is_own
from specfmt.graph.keras_order import keras_units
from specfmt.graph.model import Graph, Unit
from specfmt.layers.base import Weight
from specfmt.weights.arrays import Array
from specfmt.weights.hdf5 import readable
from specfmt.weights.legacy_layouts import layout_conversion
from specfmt.weights.problems import UNKNOWN_WEIGHTS, missing, problem, unused, wrong_shape
from specfmt.weights.sources import KerasWeights, Stored


@dataclass(frozen=True, slots=True)
class Listed:
    """A weight that a file lists.

    Attributes:
        name: Its name in the file.
        stored: The weight; None if it is not a weight of numbers.
        problems: Why not.
    """

    name: str
    stored: Stored | None
    problems: tuple[Diagnostic, ...] = ()


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
    for place in places_of(unit, label):
        trains = place.weight.trainable and place.unit.trainable
        (trained if trains else others).append(place)
    return trained + others


def places_of(unit: Unit, label: str) -> Iterator[Place]:
    """A layer's or nested model's weights in Keras's order, under a label for messages."""
    if unit.graph is None:
        for weight in unit.weights:
            yield Place(unit, weight, f"{label}/{weight.name}")
        return
    for inner in keras_units(unit.graph):
        yield from places_of(inner, f"{label}/{inner.name}")


class LayerMatcher(ABC):
    """Finds the weights of layers among those that a file lists for each.

    Args:
        file: The file, for messages.
        keras_1: It was written by Keras 1.
        backend: The Keras backend that the model was trained with.
    """

    def __init__(self, file: Path, *, keras_1: bool = False, backend: str = "") -> None:
        self.file, self.keras_1, self.backend = file, keras_1, backend
        self.found: dict[tuple[Unit, str], Stored] = {}
        self.problems: list[Diagnostic] = []

    @abstractmethod
    def read(self, graph: Graph) -> KerasWeights:
        """Find every weight of a model.

        Raises:
            SpecError: SF500 to SF508.
        """

    def match(self, unit: Unit, group: str, listed: list[Listed]) -> None:
        """Find the weights of a layer or nested model among those of a group of the file."""
        damaged = [found for weight in listed for found in weight.problems]
        if damaged:
            self.problems += damaged
            return
        stored = [weight.stored for weight in listed if weight.stored is not None]
        places = self._order(unit)
        if is_own(unit) and not unit.weights:
            message = (
                f"expected a layer whose weights are known, received {unit.name} with {len(stored)}"
            )
            self.problems.append(problem("SF508", message, self.file, UNKNOWN_WEIGHTS))
            return
        layer = unit.spec if unit.graph is None else None
        shapes = [item.shape for item in stored]
        change = layout_conversion(layer, places, shapes, self.keras_1, self.backend)
        if change is not None:
            batch = Batch(stored, change, self.file)
            for i, place in enumerate(places):
                read = partial(batch.read, i)
                where = stored[min(i, len(stored) - 1)].place
                self._keep(place, Stored(place.weight.shape, np.dtype("float32"), read, where))
            return
        if len(stored) != len(places):
            self._report_missing(places[len(stored) :], group)
            self.problems += unused((item.place for item in stored[len(places) :]), self.file)
            return
        names = [weight.name for weight in listed]
        for place, item in zip(by_name(places, names), stored, strict=True):
            if item.shape != place.weight.shape:
                self.problems.append(
                    wrong_shape(place.label, place.weight.shape, item.shape, item.place, self.file)
                )
            self._keep(place, item)

    def _order(self, unit: Unit) -> list[Place]:
        """The weights of a layer or nested model in the order of the file."""
        return in_legacy_order(unit)

    def _keep(self, place: Place, stored: Stored) -> None:
        self.found[place.unit, place.weight.name] = stored

    def _report_missing(self, places: list[Place], group: str) -> None:
        for place in places:
            where = f"{group}/{place.weight.name}"
            self.problems.append(missing(place.label, place.weight.shape, where, self.file))


def by_name(places: list[Place], names: Sequence[str]) -> list[Place]:
    """The weights in the order of the file: by their names if all are found, else as given.

    A model that was frozen or unfrozen since it was saved has another order.
    """
    wanted = {f"{place.unit.name}/{place.weight.name}": place for place in places}
    found = []
    for name in names:
        tails = ends(name.partition(":")[0])
        found.append(next((wanted[tail] for tail in tails if tail in wanted), None))
    known = [place for place in found if place is not None]
    if len(wanted) == len(places) and len({id(place) for place in known}) == len(places):
        return known
    return places


MAX_PARTS: Final = 64
"""The most parts at the end of a name that are compared; names in files may have many thousands."""


def ends(path: str) -> Iterator[str]:
    """A path, and its ends, the longest first; of long paths only the last `MAX_PARTS` parts."""
    parts = path.rsplit("/", MAX_PARTS)
    yield path
    for start in range(1, len(parts)):
        yield "/".join(parts[start:])


class Batch:
    """The weights of a layer in the layout of an older Keras, converted together."""

    def __init__(
        self, stored: list[Stored], change: Callable[[list[Array]], list[Array]], file: Path
    ) -> None:
        self.stored, self.change, self.file = stored, change, file

    @cached_property
    def arrays(self) -> list[Array]:
        """All of them, converted to the current layout."""
        arrays = [item.read() for item in self.stored]
        with readable(self.file, "weights of an older Keras"):
            return self.change(arrays)

    def read(self, index: int) -> Array:
        """One of them, converted to the current layout."""
        return self.arrays[index]
