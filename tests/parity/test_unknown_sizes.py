"""Models with unknown sizes, fed with several sizes: the shapes of Keras and the values of both programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specfmt.graph.symbolic import show_value
from specfmt.layers.symbols import substitute
from tests.tools.harness import (
    TOLERANCE,
    as_list,
    build_graph,
    channels_first,
    execute,
    keras,
    keras_weights,
    randomize,
    relative_error,
    state_dict,
)


def conv(filters: int, kernel: int, **more: Any) -> dict[str, Any]:
    return {"type": "Conv1D", "filters": filters, "kernel_size": kernel, **more}


SEQUENCE = {"x": ["T", 4]}
PAIR = {"x": ["T", 4], "y": ["T", 3]}
TWO = {"x": ["T", 4], "y": ["S", 4]}
IMAGE = {"x": ["H", "W", 3]}

MODELS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, int]]]] = {
    "windows": (
        SEQUENCE,
        [
            conv(6, 3),
            {"type": "MaxPooling1D"},
            conv(4, 3, strides=2, padding="same"),
            {"type": "UpSampling1D", "size": 3},
            {"type": "Cropping1D", "cropping": [1, 0]},
            {"type": "ZeroPadding1D", "padding": [2, 1]},
            {"type": "AveragePooling1D", "pool_size": 3, "strides": 2, "padding": "same"},
            {"type": "Conv1DTranspose", "filters": 4, "kernel_size": 4, "strides": 3},
            conv(4, 2, dilation_rate=2, padding="causal"),
            {"type": "Reshape", "target_shape": [-1, 2]},
            {"type": "Permute", "dims": [2, 1]},
            {"type": "Permute", "dims": [2, 1]},
            {"type": "Bidirectional", "layer": {"type": "GRU", "units": 2, "return_sequences": True}},
            {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 3}},
            {"type": "Flatten"},
            {"type": "Reshape", "target_shape": [-1, 3]},
        ],
        [{"T": 9}, {"T": 16}, {"T": 31}],
    ),
    "joined": (
        PAIR,
        [
            {"type": "Concatenate", "name": "c", "inputs": ["x", "y"]},
            {"type": "Concatenate", "name": "long", "axis": 1, "inputs": ["c", "c"]},
            {"type": "MaxPooling1D", "name": "half", "inputs": "long"},
            {"type": "Add", "name": "s", "inputs": ["half", "c"]},
            {"type": "Dot", "name": "scores", "axes": 2, "inputs": ["s", "long"]},
            {"type": "Dot", "name": "mixed", "axes": [2, 1], "inputs": ["scores", "long"]},
            {"type": "Attention", "name": "a", "inputs": ["s", "long"]},
        ],
        [{"T": 3}, {"T": 8}],
    ),
    "attention": (
        TWO,
        [
            {"type": "MultiHeadAttention", "name": "m", "num_heads": 2, "key_dim": 3,
             "inputs": {"query": "x", "value": "y"}},
            {"op": "transpose", "name": "turned", "inputs": "y", "axes": [0, 2, 1]},
            {"op": "matmul", "name": "scores", "inputs": ["m", "turned"]},
            {"type": "Softmax", "name": "p"},
            {"op": "matmul", "name": "read", "inputs": ["p", "y"]},
            {"op": "concatenate", "name": "both", "inputs": [["read", "y"]], "axis": 1},
            {"op": "split", "name": "parts", "inputs": "both", "indices_or_sections": [2], "axis": 1},
            {"op": "get_item", "name": "inner", "inputs": "both",
             "key": [{"ellipsis": True}, {"slice": [1, -1, None]}, {"slice": [None, None, 2]}]},
            {"op": "reshape", "name": "flat", "inputs": "both", "newshape": [-1, 2]},
        ],
        [{"T": 5, "S": 7}, {"T": 6, "S": 3}],
    ),
    "u-net": (
        IMAGE,
        [
            {"type": "Conv2D", "name": "c0", "filters": 4, "kernel_size": 3, "padding": "same"},
            {"type": "MaxPooling2D", "name": "d1"},
            {"type": "Conv2D", "name": "c1", "filters": 6, "kernel_size": 3, "padding": "same"},
            {"type": "MaxPooling2D", "name": "d2"},
            {"type": "UpSampling2D", "name": "u1"},
            {"type": "Concatenate", "name": "j1", "inputs": ["c1", "u1"]},
            {"type": "Conv2DTranspose", "name": "u0", "filters": 4, "kernel_size": 2, "strides": 2},
            {"type": "Add", "name": "j0", "inputs": ["c0", "u0"]},
            {"type": "Reshape", "name": "pixels", "target_shape": [-1, 4], "inputs": "j0"},
            {"op": "mean", "name": "mean", "inputs": "pixels", "axis": 1},
        ],
        [{"H": 8, "W": 12}, {"H": 16, "W": 4}],
    ),
    "nested": (
        {"x": ["T", 4], "y": [6, 4]},
        [
            {"type": "Model", "name": "encoder", "call": "x", "inputs": {"i": {"shape": [None, 4]}},
             "layers": [conv(4, 3, name="c"), {"type": "UpSampling1D", "name": "u"}]},
            {"reuse": "encoder", "name": "again", "inputs": "y"},
            {"type": "Concatenate", "name": "all", "axis": 1, "inputs": ["encoder", "again"]},
        ],
        [{"T": 5}, {"T": 9}],
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_sizes_are_those_of_the_run(name: str) -> None:
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options, is_channels_first

    inputs, layers, runs = MODELS[name]
    spec = {
        "specfmt": 1,
        "inputs": {key: {"shape": shape} for key, shape in inputs.items()},
        "layers": layers,
    }
    calls = [node.name for node in build_graph(spec).nodes]
    graph = build_graph({**spec, "outputs": calls})
    keras().backend.clear_session(free_memory=False)
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    randomize(model)
    module = execute(torch_target.generate_model(graph, style="subclass"))
    state = state_dict(lower_graph(graph, Options()), keras_weights(graph, model))
    module.load_state_dict(state, strict=False)
    module.eval()
    stays = is_channels_first(graph)
    for batch, run in enumerate(runs, start=2):
        rng = np.random.default_rng(batch)
        data = [
            rng.standard_normal([batch, *(run.get(size, size) for size in shape)]).astype("float32")
            for shape in inputs.values()
        ]
        expected = as_list(model(data if len(data) > 1 else data[0], training=False))
        with torch.no_grad():
            results = as_list(
                module(
                    *(torch.tensor(np.ascontiguousarray(channels_first(x, stays))) for x in data)
                )
            )
        for value, y, result in zip(graph.outputs.values(), expected, results, strict=True):
            sizes = tuple(substitute(size, {"N": batch, **run}) for size in value.sizes or ())
            assert sizes == tuple(y.shape), (value.name, show_value(value), run)
            error = relative_error(channels_first(np.asarray(y), stays), result.numpy())
            assert error <= TOLERANCE, (value.name, run, error)
