"""Reading the architecture of a SavedModel, the folder that `model.save(folder)` of Keras 2 writes.

Keras 2.5 to 2.15 put the configuration of each layer in ``keras_metadata.pb``, earlier versions in
``saved_model.pb``; the first one is that of the model.  The graphs of TensorFlow operations in
``saved_model.pb`` are skipped, not read.  Source: `tf_keras/protobuf/saved_metadata.proto`,
`tensorflow/core/protobuf/saved_object_graph.proto`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from specfmt.formats.config.reading import MAX_BYTES, Json, fail, parse_json
from specfmt.formats.source.folders import METADATA, SAVED_MODEL, mapped
from specfmt.formats.source.locate import SUBCLASSED, Located, locate
from specfmt.formats.source.protobuf import Data, messages, parts, text
from specfmt.formats.source.saved_state import fill_state

MODELS: Final = ("_tf_keras_network", "_tf_keras_sequential", "_tf_keras_model")
"""Identifiers of models in a SavedModel."""

LISTS: Final = frozenset(["__tuple__", "TensorShape"])
"""Classes of lists in the JSON of a SavedModel."""

WITHOUT: Final = (
    "`model.export` and `tf.saved_model.save` save only TensorFlow operations: load the original "
    "model in Python and save it with `model.save('model.keras')`"
)


def read_saved_model(folder: Path) -> Located:
    """The architecture in a SavedModel.

    Raises:
        SpecError: SF400 to SF402 if it contains none.
        OSError: A file cannot be read.
    """
    metadata = folder / METADATA
    try:
        if metadata.is_file():
            found = _from_metadata(mapped(metadata))
        else:
            found = _from_graph(mapped(folder / SAVED_MODEL))
    except ValueError as error:
        fail("SF400", f"expected a SavedModel, received one that cannot be read: {error}")
    if found is None:
        message = (
            "expected a SavedModel with the configuration of a Keras model, received one without"
        )
        fail("SF402", message, hint=WITHOUT)
    document = as_lists(parse_json(found))
    if isinstance(document, dict) and not _has_layers(document):
        fail(
            "SF402",
            "expected a Sequential or Functional model, received a subclassed one, whose "
            "configuration contains no layers",
            hint=SUBCLASSED,
        )
    located = locate(document)
    fill_state(located.topology, folder)
    return located


def _has_layers(document: Json) -> bool:
    """Whether the configuration of a model lists its layers."""
    described = document.get("model_config", document)
    config = described.get("config") if isinstance(described, dict) else None
    return isinstance(config, list) or (isinstance(config, dict) and "layers" in config)


def _from_metadata(data: Data) -> str | None:
    """The metadata of the model in ``keras_metadata.pb``."""
    for node in messages(data, 1):
        found = parts(node)
        # 3: the path of the object, 4: its kind, 5: its metadata
        if text(found.get(3, b"")) == "root" and text(found.get(4, b"")) in MODELS:
            return _json(found.get(5, b""))
    return None


def _from_graph(data: Data) -> str | None:
    """The metadata of the model in ``saved_model.pb``: that of the first object."""
    for graph in messages(data, 2):
        for objects in messages(graph, 7):
            for node in messages(objects, 1):
                for kind in messages(node, 4):
                    found = parts(kind)
                    # 1: its kind, 3: its metadata
                    if text(found.get(1, b"")) in MODELS and found.get(3):
                        return _json(found[3])
                return None
    return None


def _json(data: Data) -> str:
    if len(data) > MAX_BYTES:
        fail(
            "SF401",
            f"expected at most {MAX_BYTES // 2**20} MiB of JSON, received {len(data)} bytes",
        )
    return text(data)


def as_lists(document: Any) -> Any:
    """JSON with lists instead of ``{"class_name": "__tuple__", "items": [...]}``, changed in place."""
    holder = [document]
    stack: list[Any] = [holder]
    while stack:
        item = stack.pop()
        for key, value in item.items() if isinstance(item, dict) else enumerate(item):
            while (
                isinstance(value, dict)
                and isinstance(value.get("class_name"), str)
                and value["class_name"] in LISTS
                and isinstance(value.get("items"), list)
            ):
                value = value["items"]
            item[key] = value
            if isinstance(value, (dict, list)):
                stack.append(value)
    return holder[0]
