"""An import takes whatever `export` wrote: a hundred thousand layers, and the deepest spec."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

import specfmt
from specfmt.formats.config.reading import (
    BRACKET_BYTES,
    DENSE_BRACKETS,
    MAX_BRACKETS,
    MAX_BYTES,
)
from specfmt.formats.export import FORMATS
from tests.tools.timing import ratio

COUNT = 100_000

BLOCKS: dict[str, tuple[list[int], list[dict[str, Any]]]] = {
    "dense": ([8], [{"type": "Dense", "units": 8}]),
    "convolution": (
        [8, 8, 3],
        [{"type": "Conv2D", "filters": 3, "kernel_size": 3}, {"type": "ZeroPadding2D"}],
    ),
    "residual": (
        [8],
        [{"type": "Dense", "units": 8}, {"type": "ReLU"}, {"type": "Add", "inputs": ["@", "$"]}],
    ),
    "sum_of_ten": ([8], [{"type": "Add", "inputs": ["$"] * 10}]),
    "attention": ([7, 8], [{"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 4}]),
    "recurrent": ([7, 8], [{"type": "LSTM", "units": 8, "return_sequences": True}]),
    "bidirectional": (
        [7, 8],
        [
            {
                "type": "Bidirectional",
                "layer": {"type": "LSTM", "units": 4, "return_sequences": True},
            }
        ],
    ),
    "operation": ([8], [{"op": "multiply", "inputs": ["@", 2]}]),
}
"""Shape, and layers over and over: ``@`` is the layer before, ``$`` the one before the block."""


def model(name: str, count: int, start: int = 0) -> specfmt.ModelSpec:
    """So many layers, numbered from ``start``."""
    shape, block = BLOCKS[name]
    entries: list[dict[str, Any]] = []
    before = previous = "x"
    for number in range(count):
        entry = block[number % len(block)]
        if number % len(block) == 0:
            before = previous
        edges = entry.get("inputs", ["@", "@"] if name == "attention" else "@")
        text = json.dumps({**entry, "name": f"layer_{start + number}", "inputs": edges})
        entries.append(
            json.loads(text.replace('"@"', f'"{previous}"').replace('"$"', f'"{before}"'))
        )
        previous = entries[-1]["name"]
    inputs = {"x": {"shape": shape}}
    document = {"specfmt": 1, "style": "functional", "inputs": inputs, "layers": entries}
    return specfmt.loads(json.dumps(document))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", BLOCKS)
def test_a_hundred_thousand_layers_are_within_the_bounds(name: str, form: str) -> None:
    small, large = (specfmt.to_keras_json(model(name, count, COUNT), form) for count in (60, 120))
    size = (len(large) - len(small)) / 60 * COUNT
    brackets = (sum(map(large.count, "{[")) - sum(map(small.count, "{["))) / 60 * COUNT
    assert size <= MAX_BYTES
    assert DENSE_BRACKETS <= brackets <= min(MAX_BRACKETS, size / BRACKET_BYTES)


@pytest.mark.parametrize("form", FORMATS)
def test_time_is_linear_in_layers(form: str) -> None:
    texts = [specfmt.to_keras_json(model("residual", count), form) for count in (150, 1200)]
    small, large = (partial(specfmt.from_keras_json, text) for text in texts)
    assert ratio(large, small, times=8, enough=2) < 2


@pytest.mark.parametrize("form", FORMATS)
def test_the_deepest_spec(form: str) -> None:
    """As many models inside layers as axes of a tensor and levels of a spec allow."""
    entry: dict[str, Any] = {"type": "Dense", "units": 4}
    for rank in range(31):
        inputs = {f"x{rank}": {"shape": [*[1] * rank, 4]}}
        inner = {"type": "Model", "name": f"m{rank}", "inputs": inputs, "layers": [entry]}
        entry = {"type": "TimeDistributed", "layer": inner}
    inputs = {"x": {"shape": [*[1] * 31, 4]}}
    spec = specfmt.loads(json.dumps({"specfmt": 1, "inputs": inputs, "layers": [entry]}))
    back = specfmt.from_keras_json(specfmt.to_keras_json(spec, form))
    assert back.to_data()["layers"] == spec.to_data()["layers"]
