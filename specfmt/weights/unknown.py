"""Weights and output shapes of layers that specfmt does not know, from a file with weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, Final

from specfmt.diagnostics import Path, SpecError
from specfmt.fields.types import DTYPES
from specfmt.formats.source.folders import weight_file
from specfmt.graph.assumed import completed, unknown_layers, with_layer
from specfmt.graph.build import build
from specfmt.graph.model import Graph, Unit
from specfmt.layers.custom_weights import WeightsRule
from specfmt.layers.naming import inner_name, inner_names
from specfmt.layers.wrappers import Bidirectional
from specfmt.spec.document import ModelSpec
from specfmt.weights import checkpoints, keras3, legacy_h5
from specfmt.weights.archives import opened
from specfmt.weights.by_layer import LayerMatcher, Listed
from specfmt.weights.convert import file_kind
from specfmt.weights.hdf5 import kind

MOST_SIZES: Final = 12
"""The most sizes of weights' axes that are tried as the last size of an unknown output shape."""

NOT_TRAINED: Final = ("moving_", "running_")
"""Prefixes of the names of non-trainable weights; files do not tell which weights these are."""

Found = list[tuple[str, tuple[int, ...], str]]
"""Weights of a layer in the order of the file: name, shape, dtype."""


def described(spec: ModelSpec, source: File) -> ModelSpec:
    """The spec with ``weights:`` and ``shape:`` of unknown layers, as far as a file determines them.

    Args:
        spec: The model.
        source: The file that it was imported from; if it has no weights, the spec is unchanged.

    Raises:
        OSError: The file cannot be read.
    """
    graph, problems = build(spec)
    unknown = list(unknown_layers(graph))
    if problems or not unknown:
        return spec
    try:
        stored = survey(graph, source)
    except SpecError:
        return spec
    for unit, path, layer in unknown:
        if layer.weights_ is None:
            place = place_in(unit.layer, path[len(unit.path) :])
            found = place.among(stored.get(unit.path, []))
            entry = entry_weights(found, place.prefix, layer.name or unit.name)
            if entry or (layer is unit.layer and not stored.get(unit.path)):
                spec = with_layer(spec, path, {"weights_": WeightsRule().check(entry)})
    return with_shapes(spec, stored)


@dataclass(frozen=True)
class Place:
    """Where a file has the weights of a layer inside another layer.

    Attributes:
        stores: The groups of a file of Keras 3, below the outer layer's.
        names: The names in the weights' paths, the outermost first.
        is_only: Whether no other layer inside the outer one has weights.
    """

    stores: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    is_only: bool = True

    @property
    def prefix(self) -> str:
        """The path of the group, with a slash at the end."""
        return "".join(f"{store}/" for store in self.stores)

    def among(self, found: Found) -> Found:
        """The layer's own weights among those of the outer layer."""
        if self.prefix and any(name.startswith(self.prefix) for name, _, _ in found):
            return [item for item in found if item[0].startswith(self.prefix)]
        is_named = self.is_only
        for own in self.names:
            inside = [item for item in found if own in item[0].split("/")[:-1]]
            is_named = self.is_only or bool(inside)
            found = inside or found
        return found if is_named else []


def place_in(layer: Any, inside: Path) -> Place:
    """Where the weights of a layer inside another one are.

    Args:
        layer: The outer layer.
        inside: The path of the inner layer in it; empty for the layer itself.
    """
    stores, names, is_only = [], [], True
    for field, following in zip(inside, (*inside[1:], None), strict=False):
        if isinstance(field, int):
            continue
        inner = getattr(layer, field)
        store = field
        if isinstance(layer, Bidirectional):
            directions = dict(zip(("layer", "backward_layer"), layer.directions(), strict=True))
            inner, is_only = directions[field], False
            store = {"layer": "forward_layer"}.get(field, field)
        if field == "cells" and isinstance(following, int):
            inner, is_only = inner[following], is_only and len(inner) == 1
            store = list(layer.stores())[following]
            names.append(inner_names(layer.cells)[following])
        else:
            names.append(inner_name(inner))
        stores.append(store)
        layer = inner
    return Place(tuple(stores), tuple(names), is_only)


def survey(graph: Graph, source: File) -> dict[Path, Found]:
    """The weights in a file for each layer, including nested models, by its path in the document.

    Raises:
        SpecError: The file has no weights, or they cannot be read.
    """
    source = weight_file(source)
    form = file_kind(source)
    if form == "checkpoint":
        return _Tensors(source).survey(graph)
    if form != "hdf5":
        return {}
    with opened(source) as files:
        if legacy_h5.is_layout(files.roots[0], source):
            return _Names(files.roots[0], source).survey(graph)
        if any(keras3.is_layout(root) for root in files.roots):
            reader = _Groups(files.roots, source, files.order)
            reader.walk(graph)
            return reader.held
    return {}


class _Groups(keras3.Reader):
    """Walks the groups of a Keras 3 file without requiring weights."""

    def walk(self, graph: Graph) -> None:
        self.held: dict[Path, Found] = {}
        self._model(graph, self.tree, "", (), self.order)

    def _layer(
        self, unit: Unit, folder: keras3.Folder, place: str, owners: tuple[str, ...]
    ) -> None:
        found = []
        for path in keras3.data(folder):
            parts = path.split("/")
            if len(parts) < 2 or parts[-2] != "vars":
                continue
            dataset = keras3.item(folder, path)
            if not hasattr(dataset, "shape") or dataset.shape is None:
                continue
            found.append((parts[:-2], keras3.number(parts[-1]) or 0, dataset))
        found.sort(key=lambda item: (bool(item[0]), item[0], item[1]))
        self.held[unit.path] = [
            ("/".join((*store, f"weight_{index}")), tuple(dataset.shape), kind(dataset).name)
            for store, index, dataset in found
        ]


class _Survey(LayerMatcher):
    """Collects the weights that a file lists for each layer, without requiring any."""

    def survey(self, graph: Graph) -> dict[Path, Found]:
        """The weights of each layer, by its path in the document."""
        self.held: dict[Path, Found] = {}
        with suppress(SpecError):  # mismatches are reported when weights are converted
            self.read(graph)
        return self.held

    def match(self, unit: Unit, group: str, listed: list[Listed]) -> None:
        found = [
            (weight.name.partition(":")[0], weight.stored.shape, weight.stored.dtype.name)
            for weight in listed
            if weight.stored is not None
        ]
        if unit.graph is None:
            self.held[unit.path] = found
            return
        for inner in unit.graph.walk_units():
            self.held[inner.path] = [w for w in found if inner.name in w[0].split("/")[:-1]]


class _Names(_Survey, legacy_h5.Reader):
    """Walks the groups of an ``.h5`` file in the legacy layout."""


class _Tensors(_Survey, checkpoints.Reader):
    """Walks the objects of a checkpoint."""


def entry_weights(found: Found, prefix: str, name: str) -> dict[str, Any]:
    """The ``weights:`` of an entry: unique names, relative to the layer."""
    entry: dict[str, Any] = {}
    parts_of: dict[str, str] = {}
    for full, shape, dtype in found:
        parts = full.removeprefix(prefix).split("/")
        above = parts[:-1]
        if name in above:
            parts = parts[len(above) - above[::-1].index(name) :]
        parts = [*(_part(part, parts_of) for part in parts[:-1]), parts[-1]]
        wish = own = "/".join(part.replace(" ", "_") for part in parts if part)
        number = 0
        while own in entry:
            number += 1
            own = f"{wish}_{number}"
        declared: dict[str, Any] = {"shape": list(shape)}
        if parts[-1].startswith(NOT_TRAINED) or not dtype.startswith(("float", "bfloat")):
            declared["trainable"] = False
        if dtype not in ("float32", "float16") and dtype in DTYPES:
            declared["dtype"] = dtype
        entry[own] = declared if len(declared) > 1 else declared["shape"]
    return entry


def _part(name: str, known: dict[str, str]) -> str:
    """A part of a weight's name without Keras's running number: ``dense`` for ``dense_7``."""
    if name not in known:
        base = re.sub(r"_\d+$", "", name)
        same = sum(re.sub(r"_\d+$", "", other) == base for other in known)
        known[name] = f"{base}_{same}" if same else base
    return known[name]


def with_shapes(spec: ModelSpec, stored: dict[Path, Found]) -> ModelSpec:
    """The spec with the output shapes that the weights of the following layers determine."""
    graph, problems = build(spec)
    behind = {
        unit.path: Counter(shape for _, shape, _ in stored[unit.path])
        for unit in graph.walk_units()
        if not unit.weights_known and stored.get(unit.path)
    }
    if problems or not behind:
        return spec

    def misfit(graph: Graph) -> int:
        found = 0
        for unit in graph.walk_units():
            if unit.path in behind:
                found += sum(
                    (Counter(weight.shape for weight in unit.weights) - behind[unit.path]).values()
                )
        return found

    try:
        whole = completed(graph, misfit, tuple(_sizes(behind)))
    except SpecError:
        return spec
    if misfit(whole):
        return spec
    assert isinstance(whole.spec, ModelSpec)
    for unit, path, layer in unknown_layers(whole):
        if unit in whole.assumed and _is_certain(whole.spec, path, layer.shape, misfit):
            spec = with_layer(spec, path, {"shape": layer.shape})
    return spec


def _sizes(behind: dict[Path, Counter[tuple[int, ...]]]) -> Iterator[int]:
    """Sizes of axes, those in the layers that follow first."""
    sizes = dict.fromkeys(size for shapes in behind.values() for shape in shapes for size in shape)
    yield from list(sizes)[:MOST_SIZES]


def _is_certain(spec: ModelSpec, path: Path, shape: Any, misfit: Any) -> bool:
    """Whether no other last size would fit the file."""
    several = any(isinstance(item, tuple) for item in shape)
    shapes = shape if several else (shape,)
    for index, one in enumerate(shapes):
        if not one or one[-1] is None:
            return False
        other = (*one[:-1], one[-1] + 1)
        changed = (*shapes[:index], other, *shapes[index + 1 :]) if several else other
        graph, problems = build(with_layer(spec, path, {"shape": changed}))
        if not problems and not misfit(graph):
            return False
    return True
