"""A model of which only the first of several outputs of its last layer is an output."""

from __future__ import annotations

from inspect import get_annotations
from typing import Any

import pytest

from specfmt.formats.read.graph_reader import SEVERAL_OUTPUTS
from specfmt.layers.index import OPERATIONS
from specfmt.layers.registry import op_class

NOT_DEFINED = {"nonzero", "histogram", "modf", "frexp"}


def test_the_operations_with_several_outputs() -> None:
    """The table names those whose shape rule gives a tuple of shapes, and no other."""
    several = {"svd"}  # one output without `compute_uv`
    for name in OPERATIONS:
        cls = op_class(name)
        assert cls is not None
        rule = next(base for base in cls.__mro__ if "output_shape" in vars(base)).output_shape  # type: ignore[attr-defined]
        if "tuple[" in str(get_annotations(rule).get("return")):
            several.add(name)
    assert several == SEVERAL_OUTPUTS - NOT_DEFINED


@pytest.mark.slow
def test_only_the_first_output_is_an_output() -> None:
    """Import and export keep which outputs of the last layer the model returns."""
    import json

    import keras

    from specfmt.api import analyze, from_keras_json, to_keras_json

    layers, ops = keras.layers, keras.ops
    x = keras.Input((5, 3))
    several: list[Any] = [
        layers.Bidirectional(layers.GRU(3, return_state=True))(x),
        layers.RNN(layers.GRUCell(2), return_state=True)(x),
        layers.MultiHeadAttention(2, 2)(x, x, return_attention_scores=True),
        ops.unravel_index(ops.cast(x, "int32"), (5, 5)),
        ops.top_k(x, 2),
    ]
    for outputs in several:
        for chosen in (outputs[0], list(outputs)):
            text = keras.Model(x, chosen).to_json()
            spec = from_keras_json(text)
            assert len(analyze(spec).outputs) == (len(chosen) if isinstance(chosen, list) else 1)
            wanted, found = (
                json.loads(t)["config"]["output_layers"] for t in (text, to_keras_json(spec))
            )
            assert wanted == found
