"""Specs as Keras architecture JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

from specfmt.diagnostics import Diagnostic, Path, SpecError, json_pointer
from specfmt.formats.config.reading import Json, fail, size_problem
from specfmt.formats.keras3.models import ModelWriter
from specfmt.formats.keras3.training import compile_config
from specfmt.graph.analyze import placing
from specfmt.graph.build import build
from specfmt.graph.keras_order import refuse_taken_names
from specfmt.graph.model import Graph
from specfmt.graph.tracing import traced
from specfmt.spec.document import ModelSpec

FORMATS: Final = ("keras3", "keras2")


def keras_json(spec: ModelSpec, form: str) -> str:
    """A spec as the JSON text of one of `FORMATS`.

    Raises:
        SpecError: The spec has errors, or the format cannot express it.
    """
    graph, problems = build(spec)
    # A Sequential without an input shape is not built, but Keras can write it.
    unbuilt = graph.is_sequential and not graph.input_specs
    errors = [p for p in problems if p.severity == "error" and not (unbuilt and p.code == "SF207")]
    with placing(spec):
        if errors:
            raise SpecError(errors)
        return export_text(graph, form)


def export_text(graph: Graph, form: str = "keras3") -> str:
    """The JSON text of a model in one of `FORMATS`."""
    data = export_data(graph, form)
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise SpecError(list(_not_json(data, ()))) from None
    if problem := size_problem(text if text.isascii() else text.encode()):
        fail("SF401", problem, hint="write repeated parts as a model that is called several times")
    return text


def _not_json(value: Any, path: Path) -> Iterator[Diagnostic]:
    """A diagnostic for every number that JSON cannot represent."""
    if isinstance(value, float) and not math.isfinite(value):
        yield Diagnostic(
            "SF310",
            f"expected finite numbers, received {value} at {json_pointer(path)}, which JSON cannot represent",
            (),
            "leave it out, or use a large finite number",
        )
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _not_json(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _not_json(item, (*path, index))


def export_data(graph: Graph, form: str = "keras3") -> Json:
    """The JSON of a model as data.

    Args:
        graph: A graph without errors.
        form: ``keras3``, as `to_json` of Keras 3.15 writes it, or ``keras2``, as Keras 2
            (tf_keras) loads it, without the ``train:`` section.

    Raises:
        SpecError: The format cannot express the model.
        ValueError: ``form`` is not in `FORMATS`.
    """
    if form not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}, received {form!r}")
    if form == "keras2":
        from specfmt.formats.keras2.models import keras2_model

        return keras2_model(graph)
    trace = traced(graph).graph
    refuse_taken_names(trace)
    data = ModelWriter(trace).model()
    data["compile_config"] = compile_config(getattr(graph.spec, "train", None))
    return data
