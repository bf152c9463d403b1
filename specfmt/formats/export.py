"""Specs as Keras architecture JSON."""

from __future__ import annotations

import json
from typing import Final

from specfmt.formats.reading import Json
from specfmt.formats.write_models import ModelWriter
from specfmt.formats.write_training import compile_config
from specfmt.graph.model import Graph

FORMATS: Final = ("keras3",)


def export_text(graph: Graph, form: str = "keras3") -> str:
    """The JSON text of a model in one of `FORMATS`."""
    return json.dumps(export_data(graph, form), ensure_ascii=False)


def export_data(graph: Graph, form: str = "keras3") -> Json:
    """The JSON of a model as data.

    Args:
        graph: A graph without errors.
        form: ``keras3``: what Keras 3.15's `to_json` writes.

    Raises:
        SpecError: The format cannot express the model.
        ValueError: ``form`` is none of `FORMATS`.
    """
    if form not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}, received {form!r}")
    data = ModelWriter(graph).model()
    data["compile_config"] = compile_config(getattr(graph.spec, "train", None))
    return data
