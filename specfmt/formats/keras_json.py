"""Importing Keras architecture JSON of every Keras version as a spec document.

    document, warnings = document_from_keras_json(model.to_json())

The document is plain data; it is validated like any other spec.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.formats.config.context import KERAS_1, Context
from specfmt.formats.config.reading import Json, check_bounds, fail, parse_json, show
from specfmt.formats.read.layer_names import without_slashes
from specfmt.formats.read.models import ModelReader
from specfmt.formats.read.recorded_masks import read_plainly
from specfmt.formats.read.serialized_layers import MODELS, layer_parts
from specfmt.formats.read.subclasses import plain_models
from specfmt.formats.read.training import read_compile_config, read_training_config
from specfmt.formats.source.generation import detect_generation, find_dim_ordering
from specfmt.formats.source.locate import SUBCLASSED, Located, locate

VERSION = 1


def document_from_keras_json(text: str | bytes | Json) -> tuple[Json, list[Diagnostic]]:
    """Read an architecture.

    Args:
        text: JSON text, JSON text inside a JSON string, or parsed JSON: the result of `to_json()`
            in any Keras version from 0.2 to 3.15, a tf.js ``model.json``, or an object that
            contains one.

    Returns:
        The document, and warnings about what was kept as custom, changed or left out.

    Raises:
        SpecError: With diagnostics from SF400 on; their paths are those in the JSON.
    """
    if isinstance(text, (str, bytes)):
        raw = parse_json(text)
    else:
        raw = text
        check_bounds(raw)
    return document_from_located(locate(raw))


def document_from_located(source: Located) -> tuple[Json, list[Diagnostic]]:
    """Read an architecture that was found in a source (see `specfmt.formats.source.sources`).

    Raises:
        SpecError: With diagnostics from SF400 on.
    """
    context = Context(
        detect_generation(source),
        source.version or "",
        tfjs=source.tfjs,
        located=source.located,
        input_shape=source.input_shape,
    )
    if context.generation <= KERAS_1:
        context.dim_ordering = find_dim_ordering(source, context.generation)
    try:
        return _document(source, context), context.warnings
    except RecursionError:
        fail("SF401", "expected a Keras architecture, received one nested too deeply to read")


def _document(source: Located, context: Context) -> Json:
    path = source.path
    topology = plain_models(source.topology, context, path)
    source = replace(source, topology=topology)
    if context.legacy:
        topology = without_slashes(topology, context)
    class_name, config, config_path = layer_parts(topology, path)
    if class_name not in MODELS:
        fail(
            "SF402",
            f"expected a Sequential or Functional model, received {show(class_name)}, a class "
            "whose file contains no layers",
            path,
            SUBCLASSED,
        )
    problems: list[Diagnostic] = []
    fields: Json = {}
    try:
        reader = ModelReader(context)
        if context.legacy:
            fields = reader.read(class_name, config, config_path)
        else:
            fields = read_plainly(context, lambda: reader.read(class_name, config, config_path))
    except SpecError as error:
        problems.extend(error.diagnostics)
    train: Json = {}
    try:
        train = _train(source, topology, context)
    except SpecError as error:
        problems.extend(error.diagnostics)
    if problems:
        raise SpecError(problems)
    document: Json = {"specfmt": VERSION, **fields}
    if train:
        document["train"] = train
    return document


def _train(source: Located, topology: Any, context: Context) -> Json:
    """The ``train:`` section, from the training configuration of the source."""
    if topology.get("compile_config"):
        return read_compile_config(
            topology["compile_config"], (*source.path, "compile_config"), context
        )
    if source.training is not None:
        return read_training_config(source.training, source.training_path, context)
    if topology.get("optimizer") or topology.get("loss"):  # Keras 0 and 1.0
        return read_training_config(topology, source.path, context)
    return {}
