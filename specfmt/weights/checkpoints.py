"""Reading the weights of a model from a checkpoint of TensorFlow 1 or 2.

`model.save_weights("ckpt")` of Keras 2, a SavedModel and `tf.train.Checkpoint(model=model)` describe
the objects that own the tensors: each layer with weights is an attribute ``layer_with_weights-3`` of
its model, and each variable has its name.  Checkpoints of TensorFlow 1 have names only.  The states
of optimizers, metrics and random generators are no weights.  Source:
`tf_keras/src/engine/functional.py` (`_trackable_children`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from specfmt.formats.source.checkpoint.bundles import Bundle, CheckpointError, read_bundle
from specfmt.formats.source.checkpoint.objects import OBJECTS, VALUE, Objects
from specfmt.graph.keras_groups import holds, is_operation
from specfmt.graph.keras_order import keras_units
from specfmt.graph.model import Graph, Unit
from specfmt.vocab.index import INDEX
from specfmt.weights.arrays import Array, widen_bfloat16
from specfmt.weights.by_layer import LayerMatcher, Listed, Place, places_of
from specfmt.weights.by_names import match
from specfmt.weights.keras3 import holds_tables
from specfmt.weights.problems import problem, raise_all, unreadable, unused
from specfmt.weights.sources import KerasWeights, Stored

HOLDING: Final = re.compile(r"layer_with_weights-(\d{1,7})")
LAYER: Final = re.compile(r"layer(_with_weights)?-\d+")
"""Attributes of the layers of a model, in Keras 2."""

STATE: Final = re.compile(
    r"keras_api|_?optimizer\w*|_?random_generator|_?seed_generator\w*|loss_tracker|"
    r"(compiled_|_)?metrics|save_counter|_all_variables|"
    r"lookup_table|_table|token_counts|token_document_counts|num_documents|idf_weights"
)
"""Attributes of what has no weights: optimizers, metrics, random generators, tables, IDF weights."""

SUMMARY: Final = frozenset(["summary"])
"""The variables of a `Discretization`, whose boundaries follow from them."""

VIEWS: Final = frozenset(["variables", "trainable_variables", "non_trainable_variables"])
"""Attributes of a SavedModel that list variables which have their own attributes."""

COUNTERS: Final = re.compile(r"(.*/)?(beta\d_power|global_step|seed_generator_state|StateVar)")
"""Variables of optimizers and random generators, by name."""

MAX_DEPTH: Final = 64
WHAT: Final = "a checkpoint of TensorFlow"


@contextmanager
def readable() -> Iterator[None]:
    """Report a damaged checkpoint as SF500."""
    try:
        yield
    except CheckpointError as error:
        unreadable(error.file, WHAT, error)


def stored(bundle: Bundle, key: str) -> Stored:
    """A tensor of numbers in a checkpoint.

    Raises:
        SpecError: SF500 if its size is not that of its shape.
    """
    with readable():
        bundle.check(key)
    entry = bundle.entries[key]
    dtype = np.dtype("float32" if entry.dtype == "bfloat16" else entry.dtype)
    return Stored(entry.shape, dtype, partial(_numbers, bundle, key), key)


def _numbers(bundle: Bundle, key: str) -> Array:
    with readable():
        values = bundle.numbers(key)
    return widen_bfloat16(values) if bundle.entries[key].dtype == "bfloat16" else values


class Reader(LayerMatcher):
    """Finds every weight of a graph in a checkpoint.

    Args:
        index: The file ``.index`` of the checkpoint.

    Raises:
        SpecError: SF500 if it is damaged.
        OSError: It cannot be read.
    """

    def __init__(self, index: Path) -> None:
        super().__init__(index)
        self.objects: Objects | None = None
        with readable():
            self.bundle = read_bundle(index)
            texts = self.bundle.texts(OBJECTS) if OBJECTS in self.bundle.entries else None
        if texts is not None:
            self.objects = Objects(b"".join(texts[:1]), self._damaged)

    def _damaged(self, reason: object) -> None:
        unreadable(self.file, WHAT, reason)

    def read(self, graph: Graph) -> KerasWeights:
        """Find every weight.

        Raises:
            SpecError: SF500 to SF508.
        """
        if self.objects is None:
            return match(graph, self._numbers(_without_slots(self._all())), self.file)
        root = self._model()
        if root is None:
            return match(graph, self._numbers(self._variables(0)), self.file)
        self._layers(graph, root, "", 0)
        raise_all(self.problems)
        return self.found

    # -- TensorFlow 1 ----------------------------------------------------------------------

    def _all(self) -> dict[str, str]:
        """Name -> key of every tensor, in a checkpoint without objects."""
        return {key: key for key in self.bundle.entries}

    def _numbers(self, names: dict[str, str]) -> dict[str, Stored]:
        """The tensors under these keys.

        Raises:
            SpecError: SF504 if some are not real numbers.
        """
        listed = [self._listed(name, key) for name, key in names.items()]
        raise_all([found for weight in listed for found in weight.problems])
        return {weight.name: weight.stored for weight in listed if weight.stored is not None}

    def _listed(self, name: str, key: str) -> Listed:
        if key not in self.bundle.entries:
            self._damaged(f"it does not list {key}")
        if self.bundle.is_number(key):
            return Listed(name, stored(self.bundle, key))
        received = self.bundle.entries[key].dtype or "another dtype"
        message = f"expected numbers for {name}, received {received}"
        hint = "load the model with TensorFlow and save it as .weights.h5"
        return Listed(name, None, (problem("SF504", message, self.file, hint),))

    # -- TensorFlow 2 ----------------------------------------------------------------------

    def _model(self) -> int | None:
        """The number of the model: the object that was saved, or one of its attributes."""
        assert self.objects is not None
        level, seen = [0], {0}
        while level:
            for number in level:
                if any(LAYER.fullmatch(name) for name in self.objects[number].children):
                    return number
            below = []
            for number in level:
                for name, child in self.objects[number].children.items():
                    if child not in seen and not STATE.fullmatch(name):
                        seen.add(child)
                        below.append(child)
            level = below
        return None

    def _layers(self, graph: Graph, number: int, place: str, depth: int) -> None:
        """Find the weights of the layers of a model, among the attributes of an object."""
        assert self.objects is not None
        if depth > MAX_DEPTH:
            self._damaged(f"more than {MAX_DEPTH} nested models")
        children = self.objects[number].children
        ordered = sorted(
            (int(found[1]), name) for name in children if (found := HOLDING.fullmatch(name))
        )
        held = {name: self._variables(children[name]) for _, name in ordered}
        without = SUMMARY if any(map(holds_tables, keras_units(graph))) else set()
        held = {name: found for name, found in held.items() if found.keys() - without}
        units = [unit for unit in keras_units(graph) if not is_operation(unit) and holds(unit)]
        for unit, name in self._pairs(units, held):
            where = f"{place}{name or (unit.name if unit else '')}"
            if unit is None and name is not None:
                self.problems += unused((f"{place}{name}/{n}" for n in held[name]), self.file)
            elif unit is not None and name is None:
                self._report_missing(self._order(unit), where)
            elif unit is not None and name is not None:
                inner = self.objects[children[name]].children
                if unit.graph is not None and any(map(HOLDING.fullmatch, inner)):
                    self._layers(unit.graph, children[name], f"{where}/", depth + 1)
                else:
                    self.match(unit, where, [self._listed(n, k) for n, k in held[name].items()])

    def _pairs(
        self, units: list[Unit], held: dict[str, dict[str, str]]
    ) -> Iterator[tuple[Unit | None, str | None]]:
        """Layers with their attributes: by the names of variables if all have them, else by order."""
        named: dict[str, str | None] = {}
        for name, variables in held.items():
            firsts = {full.partition("/")[0] for full in variables if "/" in full}
            owner = firsts.pop() if len(firsts) == 1 else ""
            named[owner] = None if owner in named else name
        if len(units) == len(held) and not all(unit.name in named for unit in units):
            yield from zip(units, held, strict=True)
            return
        # A nested model, or a Normalization, has variables whose names do not begin with its own.
        others = [unit for unit in units if named.get(unit.name) is None]
        taken = {named.get(unit.name) for unit in units}
        rest = [name for name in held if name not in taken]
        by_order = dict(zip(others, rest, strict=True)) if len(others) == len(rest) else {}
        for unit in units:
            yield unit, named.get(unit.name) or by_order.get(unit)
        if not by_order:
            for name in rest:
                yield None, name

    def _variables(self, number: int) -> dict[str, str]:
        """Name -> key of the variables that an object owns, in the order of its attributes."""
        assert self.objects is not None
        found: dict[str, str] = {}
        repeats: dict[str, int] = {}
        stack, seen = [number], set()
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            item = self.objects[current]
            if VALUE in item.tensors:
                key, full = item.tensors[VALUE]
                name = base = full or key
                while name in found and found[name] != key:
                    repeats[base] = repeats.get(base, 0) + 1
                    name = f"{base}_{repeats[base]}"
                if not COUNTERS.fullmatch(name):
                    found[name] = key
            for late in (True, False):
                stack.extend(
                    child
                    for name, child in reversed(item.children.items())
                    if (name in VIEWS) == late and not STATE.fullmatch(name)
                )
        return found

    def _order(self, unit: Unit) -> list[Place]:
        """Attributes are listed in the order in which variables were made, trained or not."""
        return list(places_of(unit, unit.name))


def _without_slots(names: dict[str, str]) -> dict[str, str]:
    """Names without those of optimizers, which TensorFlow 1 puts below the variable's name."""
    optimizers = INDEX["optimizer"]
    return {
        name: key
        for name, key in names.items()
        if name.rpartition("/")[0] not in names
        and not COUNTERS.fullmatch(name)
        and not any(part in optimizers for part in name.split("/")[:-1])
    }
