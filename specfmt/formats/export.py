"""Specs as Keras architecture JSON."""

from __future__ import annotations

import json
from typing import Final

from specfmt.formats.reading import Json
from specfmt.formats.write_models import ModelWriter
from specfmt.formats.write_training import compile_config
from specfmt.graph.keras_order import refuse_taken_names
from specfmt.graph.model import Graph
from specfmt.graph.recording import recorded

FORMATS: Final = ("keras3", "keras2")


def export_text(graph: Graph, form: str = "keras3") -> str:
    """The JSON text of a model in one of `FORMATS`."""
    return json.dumps(export_data(graph, form), ensure_ascii=False)


def export_data(graph: Graph, form: str = "keras3") -> Json:
    """The JSON of a model as data.

    Args:
        graph: A graph without errors.
        form: ``keras3``: what Keras 3.15's `to_json` writes.  ``keras2``: what Keras 2 (tf_keras)
            loads; it holds no ``train:`` section.

    Raises:
        SpecError: The format cannot express the model.
        ValueError: ``form`` is none of `FORMATS`.
    """
    if form not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}, received {form!r}")
    if form == "keras2":
        from specfmt.formats.write_keras2_models import keras2_model

        return keras2_model(graph)
    noted = recorded(graph).graph
    refuse_taken_names(noted)
    data = ModelWriter(noted).model()
    data["compile_config"] = compile_config(getattr(graph.spec, "train", None))
    return data
