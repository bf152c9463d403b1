"""Adding what `adapt()` found to the configs of the layers in a SavedModel.

The vocabulary of a lookup layer is in its table: constants of ``saved_model.pb``, a file in
``assets``, or, before Keras 2.9, tensors of the checkpoint in ``variables``.  The checkpoint also
has IDF weights and the summary of a `Discretization`.  Source:
`tf_keras/src/layers/preprocessing/index_lookup.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn

from specfmt.formats.config.reading import Json, fail, parse_json
from specfmt.formats.source import bin_boundaries, vocabularies
from specfmt.formats.source.checkpoint.bundles import Bundle, CheckpointError, read_bundle
from specfmt.formats.source.checkpoint.objects import OBJECTS, VALUE, Objects
from specfmt.formats.source.folders import VARIABLES, index_of
from specfmt.formats.source.protobuf import text
from specfmt.formats.source.saved_objects import SavedObjects

LAYER: Final = re.compile(r"layer(_with_weights)?-\d+")
"""Attributes of a model that are its layers."""

LOOKUP: Final = ("_lookup_layer", "_index_lookup_layer")
"""The attribute of a TextVectorization that is a lookup layer; Keras 2.5 wrote the second name."""

TABLE: Final = ("lookup_table", "_table")
"""The attribute of a lookup layer that is its table; Keras 2.5 wrote the second name."""

MAX_STATE: Final = 64 * 2**20
"""The size limit, in bytes, of what is read for a layer."""


def fill_state(topology: Any, folder: Path) -> None:
    """Add vocabularies, IDF weights and bin boundaries to the configs of layers without them.

    Args:
        topology: The serialized model, changed in place.
        folder: The SavedModel.

    Raises:
        SpecError: SF400 if a table of the SavedModel is damaged.
        OSError: A file cannot be read.
    """
    if not any(map(_is_open, _layers(topology))):
        return
    try:
        _State(folder).fill(topology, 0, ())
    except ValueError as error:
        fail("SF400", f"expected a SavedModel, received one that cannot be read: {error}")


def _layers(item: Any) -> Iterator[Json]:
    """The layers of a serialized model, nested and wrapped ones included."""
    config = item.get("config") if isinstance(item, dict) else None
    layers = config.get("layers", config.get("layer")) if isinstance(config, dict) else config
    for inner in layers if isinstance(layers, list) else [layers]:
        if isinstance(inner, dict) and isinstance(inner.get("config"), dict):
            yield inner
            yield from _layers(inner)


def _is_open(item: Json) -> bool:
    """Whether what `adapt()` found is not in the config of a layer: a path may stand for it."""
    config = item["config"]
    if vocabularies.KEY in config:
        found = config[vocabularies.KEY]
        return found is None or isinstance(found, str)
    return bin_boundaries.KEY in config and bin_boundaries.is_open(config)


Attributes = tuple[str, ...]
"""Names of attributes, from the model to an object."""


class _State:
    """What the layers of a SavedModel have found."""

    def __init__(self, folder: Path) -> None:
        self.saved = SavedObjects(folder)
        self.index = index_of(folder / VARIABLES)

    def fill(self, item: Any, number: int, place: Attributes) -> None:
        """Fill the configs of the layers of a model, which is the object ``number``."""
        config = item.get("config")
        layers = config.get("layers") if isinstance(config, dict) else config
        if not isinstance(layers, list):
            return
        children = self.saved.children(number)
        named = {self._name(children[name]): name for name in children if LAYER.fullmatch(name)}
        for inner in layers:
            if not isinstance(inner, dict) or not isinstance(inner.get("config"), dict):
                continue
            attribute = named.get(inner["config"].get("name"))
            if attribute is not None:
                self._layer(inner, children[attribute], (*place, attribute))

    def _name(self, number: int) -> str:
        """The name of a layer, from its description."""
        data = self.saved.descriptions.get(number, b"")
        found = parse_json(text(data)) if 0 < len(data) <= MAX_STATE else None
        name = found.get("name") if isinstance(found, dict) else None
        return name if isinstance(name, str) else ""

    def _layer(self, item: Json, number: int, place: Attributes) -> None:
        """Fill the config of a layer, which is the object ``number``."""
        children = self.saved.children(number)
        wrapped = item["config"].get("layer")
        if _is_open(item):
            if vocabularies.KEY in item["config"]:
                self._fill_vocabulary(item, number, place)
            else:
                summary = self.numbers((*place, "summary"))
                bin_boundaries.fill(item["config"], summary)
                if not _is_open(item):  # Keras 2 takes only one of the two
                    item["config"]["num_bins"] = None
        elif isinstance(wrapped, dict) and isinstance(wrapped.get("config"), dict):
            if "layer" in children:
                self._layer(wrapped, children["layer"], (*place, "layer"))
        else:
            self.fill(item, number, place)

    def _fill_vocabulary(self, item: Json, number: int, place: Attributes) -> None:
        """Fill the config of a lookup layer from its table."""
        config, children = item["config"], self.saved.children(number)
        own = next((name for name in LOOKUP if name in children), None)
        if own is not None:
            place, children = (*place, own), self.saved.children(children[own])
        table = next((name for name in TABLE if name in children), None)
        class_name = item.get("class_name")
        if table is None or not isinstance(class_name, str):
            return
        found = self.saved.table(children[table])
        if isinstance(found, bytes):
            tokens: list[Any] = _lines(found)
        else:
            pairs = found if any(found) else self._saved_table((*place, table))
            tokens = _in_order(pairs, inverted=config.get("invert") is True)

        def idf() -> list[float]:
            weights = self.numbers((*place, "idf_weights"))
            return [] if weights is None else [float(number) for number in weights.ravel()]

        config[vocabularies.KEY] = None
        vocabularies.fill(class_name, config, tokens, idf)

    # -- the checkpoint --------------------------------------------------------------------

    @cached_property
    def _checkpoint(self) -> tuple[Bundle, Objects] | None:
        if not self.index.is_file():
            return None
        bundle = read_bundle(self.index)
        if OBJECTS not in bundle.entries:
            return None
        return bundle, Objects(b"".join(bundle.texts(OBJECTS)[:1]), self._damaged)

    def _damaged(self, reason: object) -> NoReturn:
        raise CheckpointError(self.index, reason)

    def _object(self, place: Attributes) -> dict[str, tuple[str, str]]:
        """What the checkpoint has of an object: name -> (key, name of the variable)."""
        if self._checkpoint is None:
            return {}
        _, objects = self._checkpoint
        number = 0
        for name in place:
            children = objects[number].children
            if name not in children:
                return {}
            number = children[name]
        return objects[number].tensors

    def numbers(self, place: Attributes) -> Any:
        """The value of a variable in the checkpoint; None if there is none."""
        key, _ = self._object(place).get(VALUE, ("", ""))
        return self._tensor(key)

    def _tensor(self, key: str) -> Any:
        if self._checkpoint is None:
            return None
        bundle, _ = self._checkpoint
        if key not in bundle.entries or not bundle.is_number(key):
            return None
        if bundle.entries[key].size > MAX_STATE:
            self._damaged(f"{key} is larger than {MAX_STATE // 2**20} MiB")
        return bundle.numbers(key)

    def _saved_table(self, place: Attributes) -> list[list[Any]]:
        """The keys and values of a table in the checkpoint."""
        found = []
        for key, _ in self._object(place).values():
            for end in ("-keys", "-values"):
                assert self._checkpoint is not None
                bundle, _ = self._checkpoint
                entry = bundle.entries.get(key + end)
                if entry is not None and entry.dtype == "string":
                    found.append([item.decode("utf-8") for item in bundle.texts(key + end)])
                elif entry is not None:
                    found.append(self._tensor(key + end).ravel().tolist())
        return found


def _lines(data: bytes) -> list[str]:
    """The lines of a file as TensorFlow reads them: without carriage returns."""
    lines = text(data).replace("\r", "").split("\n")
    return lines if lines[-1] else lines[:-1]


def _in_order(pairs: list[list[Any]], *, inverted: bool) -> list[Any]:
    """The tokens of a table, in the order of their indices; none if these are not consecutive.

    Args:
        pairs: The keys of the table and its values.
        inverted: The keys are the indices.
    """
    if len(pairs) != 2:
        return []
    tokens, indices = reversed(pairs) if inverted else pairs
    if len(tokens) != len(indices) or not all(isinstance(index, int) for index in indices):
        return []
    ordered = sorted(zip(indices, tokens, strict=True), key=lambda pair: pair[0])
    first = ordered[0][0] if ordered else 0
    if [index for index, _ in ordered] != list(range(first, first + len(ordered))):
        return []
    return [token for _, token in ordered]
