"""What a summary says of layers whose shapes or weights are unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest

import specfmt
from specfmt.console.summary import summary_text

KNOWN = {"weights": {"kernel": [3, 8]}}


def summary(**fields: Any) -> Any:
    custom = {"type": "Custom", "class": "mine.Thing", **fields}
    layers = [custom, {"type": "Dense", "units": 2}]
    spec = {"specfmt": 1, "inputs": {"x": {"shape": [12, 3]}}, "layers": layers}
    return specfmt.summarize(specfmt.loads(json.dumps(spec)))


@pytest.mark.parametrize(
    ("fields", "shapes", "counts", "total"),
    [
        ({}, [None, None], [None, None], "at least 0 (0 trainable, 0 not); unknown for custom, dense"),
        (KNOWN, [None, None], [24, None], "at least 24 (24 trainable, 0 not); unknown for dense"),
        (
            {"shape": [12, 8]},
            [[None, 12, 8], [None, 12, 2]],
            [None, 18],
            "at least 18 (18 trainable, 0 not); unknown for custom",
        ),
        ({"shape": [12, 8], **KNOWN}, [[None, 12, 8], [None, 12, 2]], [24, 18], "42 (42 trainable, 0 not)"),
        ({"shape": [12, 8], "weights": {}}, [[None, 12, 8], [None, 12, 2]], [0, 18], "18 (18 trainable, 0 not)"),
    ],
)  # fmt: skip
def test_unknown_layers(fields: Any, shapes: Any, counts: Any, total: str) -> None:
    found = summary(**fields)
    layers = found.to_data()["layers"]
    assert [layer["output_shape"] for layer in layers] == shapes
    assert [layer["params"] for layer in layers] == counts
    text = summary_text(found)
    assert f"parameters  {total}\n" in text
    assert text.count("unknown") == shapes.count(None) + counts.count(None) + (None in counts)


def test_cells_of_the_user_count_as_unknown() -> None:
    cell = {"type": "Custom", "class": "mine.Cell", "shape": [8]}
    entry = {"type": "RNN", "cell": cell}
    inner = {"type": "Model", "layers": [entry], "inputs": {"y": {"shape": [5, 3]}}}
    spec = {"specfmt": 1, "inputs": {"x": {"shape": [5, 3]}}, "layers": [inner]}
    assert specfmt.summarize(specfmt.loads(json.dumps(spec))).layers[0].params is None
    cell["weights"] = {"kernel": [3, 8]}
    assert specfmt.summarize(specfmt.loads(json.dumps(spec))).layers[0].params == 24
