"""Finding the architecture in a JSON document, by its structure."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, check_bounds, fail, show
from specfmt.formats.source.feature_spaces import as_functional, is_feature_space

MAX_SEARCH: Final = 5_000
"""The most values that are searched for an architecture inside another object."""

SUBCLASSED: Final = (
    "a subclassed model is Python code: if you have that code, build the same layers with the "
    "functional API (often `keras.Model(x, model.call(x))`), copy the weights with "
    "`set_weights(model.get_weights())`, save that model and import it"
)
"""How to convert a subclassed model."""


@dataclass(slots=True)
class Located:
    """An architecture, with its version and training configuration.

    Attributes:
        topology: The serialized model.
        path: Its path in the document.
        version: Keras's version, such as ``2.4.0``, if the source has it.
        training: The training configuration, if there is one.
        training_path: The path of the training configuration.
        tfjs: The source is a tf.js ``model.json``.
        located: As `Context.located`; filled in while it is read.
        input_shape: The input shape, without the batch axis, of a Sequential that has none.
    """

    topology: Json
    path: Path = ()
    version: str | None = None
    training: Any = None
    training_path: Path = ()
    tfjs: bool = False
    located: dict[int, tuple[Json, str, Path]] = field(default_factory=dict)
    input_shape: tuple[int | None, ...] | None = None


def locate(document: Any) -> Located:
    """Find the architecture in parsed JSON.

    Raises:
        SpecError: SF402 if there is none.
    """
    if not isinstance(document, (dict, list)):
        fail("SF402", f"expected a Keras architecture, received {show(document)}", (), _HINT)
    _refuse_graph_model(document)
    if isinstance(document, dict) and is_feature_space(document):
        return _located(as_functional(document), (), None, document)
    queue: deque[tuple[Any, Path, Json | None]] = deque([(document, (), None)])
    looked = 0
    while queue and looked < MAX_SEARCH:
        looked += 1
        value, path, parent = queue.popleft()
        if isinstance(value, str):
            value = _inner_json(value)
        if not isinstance(value, (dict, list)):
            continue
        if isinstance(value, dict) and looks_like_model(value):
            return _located(value, path, parent, document)
        children = value.items() if isinstance(value, dict) else enumerate(value)
        holder = value if isinstance(value, dict) else parent
        for key, child in children:
            if len(queue) > MAX_SEARCH:
                break  # the search limit is reached
            if isinstance(child, (dict, list, str)) and key != "weightsManifest":
                queue.append((child, (*path, key), holder))
    _refuse_subclass(document)
    return fail("SF402", "expected a Keras architecture, received JSON without one", (), _HINT)


def _refuse_subclass(document: Any) -> None:
    """Raise SF402 for a subclassed model, whose file has no layers."""
    if isinstance(document, dict) and isinstance(document.get("class_name"), str):
        fail(
            "SF402",
            f"expected a Sequential or Functional model, received {show(document['class_name'])},"
            " a subclass whose file contains no layers",
            ("class_name",),
            SUBCLASSED,
        )


_HINT = "export one with `model.to_json()`"


def looks_like_model(value: Json) -> bool:
    """Whether an object is a serialized model of any Keras version."""
    config = value.get("config")
    if isinstance(value.get("class_name"), str):
        if isinstance(config, list):
            return True
        return isinstance(config, dict) and (
            "layers" in config or value["class_name"] in ("Sequential", "Model", "Functional")
        )
    if value.get("name") == "Sequential":
        return isinstance(value.get("layers"), list)
    return value.get("name") == "Graph" and isinstance(value.get("nodes"), dict)


def _inner_json(text: str) -> Any:
    if text.lstrip()[:1] != "{" or '"class_name"' not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    check_bounds(value)
    return value


def _refuse_graph_model(document: Any) -> None:
    if not isinstance(document, dict):
        return
    topology = document.get("modelTopology")
    if isinstance(topology, dict) and "node" in topology and "class_name" not in topology:
        fail(
            "SF402",
            "expected layers, received a tf.js graph model, which contains only TensorFlow operations",
            ("modelTopology",),
            "convert the Keras model again with `--output_format tfjs_layers_model`",
        )


def _located(model: Json, path: Path, parent: Json | None, document: Any) -> Located:
    """The model with the version and the training configuration, from inside it or its parent."""
    found = Located(model, path)
    around: list[tuple[Json, Path]] = [(model, path)]
    if parent is not None:
        around.append((parent, path[:-1]))
    if isinstance(document, dict) and document is not parent:
        around.append((document, ()))
    for holder, where in around:
        if found.version is None and isinstance(holder.get("keras_version"), str):
            found.version = holder["keras_version"]
        for key in ("training_config", "trainingConfig"):
            if found.training is None and isinstance(holder.get(key), (dict, str)):
                training = holder[key]
                found.training = _parsed(training) if isinstance(training, str) else training
                found.training_path = (*where, key)
        if "modelTopology" in holder or str(found.version).startswith("tfjs"):
            found.tfjs = True
    return found


def _parsed(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    check_bounds(value)
    return value if isinstance(value, dict) else None
