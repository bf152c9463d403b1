"""PyTorch code with blocks computes what Keras computes, and what the code without blocks does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tools.harness import (
    Case,
    as_list,
    build_graph,
    channels_first,
    check_case,
    execute,
    random_inputs,
    state_dict,
)


def conv(name: str, filters: Any, size: Any = 3, **fields: Any) -> dict[str, Any]:
    return {
        "type": "Conv2D", "name": name, "filters": filters, "kernel_size": size, **fields
    }  # fmt: skip


BOTTLENECK = {
    "description": "Adds to x what three convolutions make of it",
    "parameters": {"filters": "required", "stride": 1, "project": False},
    "layers": [
        conv("0_conv", "$(4 * filters)", 1, strides="$stride", when="$project"),
        {"type": "BatchNormalization", "name": "0_bn", "when": "$project"},
        conv("1_conv", "$filters", 1, strides="$stride", inputs="x"),
        {"type": "BatchNormalization", "name": "1_bn"},
        {"type": "Activation", "name": "1_relu", "activation": "relu"},
        conv("2_conv", "$filters", padding="same"),
        {"type": "BatchNormalization", "name": "2_bn"},
        {"type": "Activation", "name": "2_relu", "activation": "relu"},
        conv("3_conv", "$(4 * filters)", 1),
        {"type": "BatchNormalization", "name": "3_bn"},
        {"type": "Add", "name": "add", "inputs": ["0_bn", "3_bn"]},
        {"type": "Activation", "name": "out", "activation": "relu"},
    ],
}
STAGE = {
    "description": "Bottlenecks in a row.",
    "parameters": {"filters": "required", "depth": "required", "stride": 1},
    "layers": [
        {"block": "bottleneck", "name": "block1", "filters": "$filters", "stride": "$stride", "project": True},
        {"block": "bottleneck", "name": "block$(i + 2)", "filters": "$filters", "repeat": "$(depth - 1)"},
    ],
}  # fmt: skip


def encoder(**fields: Any) -> dict[str, Any]:
    return {
        "parameters": {"width": "required", "heads": 2, "dropout": 0.1},
        "layers": [
            {"type": "MultiHeadAttention", "name": "attention", "num_heads": "$heads",
             "key_dim": "$(width // heads)", "dropout": "$dropout",
             "inputs": {"query": "x", "value": "x"}, **fields},
            {"type": "Add", "name": "add_1", "inputs": ["x", "attention"]},
            {"type": "LayerNormalization", "name": "norm_1"},
            {"type": "Dense", "name": "up", "units": "$(4 * width)", "activation": "gelu"},
            {"type": "Dense", "name": "down", "units": "$width"},
            {"type": "Dropout", "name": "drop", "rate": "$dropout"},
            {"type": "Add", "name": "add_2", "inputs": ["norm_1", "drop"]},
            {"type": "LayerNormalization", "name": "norm_2"},
        ],
    }  # fmt: skip


def case(name: str, shape: Any, blocks: dict[str, Any], layers: list[Any], **rest: Any) -> Case:
    extra = {"blocks": blocks, **rest.pop("extra", {})}
    return Case(layers, shape, name=name, extra=extra, **rest)


def layer(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def use(kind: str, **fields: Any) -> dict[str, Any]:
    return {"block": kind, **fields}


CASES = [
    case(
        "resnet",
        (16, 16, 3),
        {"bottleneck": BOTTLENECK, "stage": STAGE},
        [
            conv("stem", 8, padding="same", strides=2),
            use("stage", name="conv2", filters=2, depth=3),
            use("stage", name="conv3", filters=4, depth=4, stride=2),
            layer("GlobalAveragePooling2D", name="pool"),
            layer("Dense", name="out", units=3, activation="softmax"),
        ],
    ),
    case(
        "strides and sizes",
        (17, 14, 3),
        {
            "down": {
                "parameters": {"filters": "required", "size": 3, "stride": 1},
                "layers": [
                    conv("conv", "$filters", "$size", strides="$stride", padding="same"),
                    layer("BatchNormalization", name="bn"),
                    layer("ReLU", name="relu"),
                ],
            }
        },
        [
            use("down", name="a", filters=8),
            use("down", name="b", filters=12, stride=2),
            use("down", name="c", filters=12, size=5, stride=3),
            use("down", name="d", filters=16, size=1),
        ],
    ),
    case(
        "dense with concatenation",
        (8, 8, 6),
        {
            "grow": {
                "parameters": {"growth": 4},
                "layers": [
                    layer("BatchNormalization", name="0_bn"),
                    layer("Activation", name="0_relu", activation="relu"),
                    conv("1_conv", "$(4 * growth)", 1, use_bias=False),
                    layer("BatchNormalization", name="1_bn"),
                    layer("Activation", name="1_relu", activation="relu"),
                    conv("2_conv", "$growth", padding="same", use_bias=False),
                    layer("Concatenate", name="concat", inputs=["x", "2_conv"]),
                ],
            },
            "rest": {
                "parameters": {"filters": "required"},
                "layers": [
                    conv("conv", "$filters", 1),
                    layer("AveragePooling2D", name="pool", pool_size=2),
                ],
            },
        },
        [
            use("grow", name="conv2_block$(i + 1)", repeat=3),
            use("rest", name="pool2", filters=9),
            use("grow", name="conv3_block$(i + 1)", repeat=4),
            use("rest", name="pool3", filters=12),
        ],
    ),
    case(
        "unet",
        (16, 16, 3),
        {
            "double": {
                "parameters": {"filters": "required"},
                "layers": [
                    conv("conv$(i + 1)", "$filters", padding="same", activation="relu")
                    | {"name": "conv_a"},
                    conv("conv_b", "$filters", padding="same", activation="relu"),
                ],
            },
            "up": {
                "parameters": {"filters": "required"},
                "inputs": ["x", "skip"],
                "layers": [
                    layer("Conv2DTranspose", name="up", filters="$filters", kernel_size=2,
                          strides=2, inputs="x"),
                    layer("Concatenate", name="concat", inputs=["skip", "up"]),
                    use("double", name="double", filters="$filters"),
                ],
            },
        },
        [
            use("double", name="down1", filters=4),
            layer("MaxPooling2D", name="pool1", pool_size=2),
            use("double", name="down2", filters=8),
            layer("MaxPooling2D", name="pool2", pool_size=2),
            use("double", name="middle", filters=16),
            use("up", name="up2", filters=8, inputs=["middle", "down2"]),
            use("up", name="up1", filters=4, inputs=["up2", "down1"]),
            conv("mask", 1, 1, activation="sigmoid"),
        ],
    ),
    case(
        "transformer",
        (7, 8),
        {"encoder": encoder()},
        [
            use("encoder", name="encoder_$i", width=8, repeat=3),
            layer("GlobalAveragePooling1D"),
            layer("Dense", units=2),
        ],
    ),
    case(
        "masked transformer",
        (6,),
        {"encoder": encoder()},
        [
            layer("Embedding", name="embed", input_dim=8, output_dim=8, mask_zero=True),
            use("encoder", name="encoder", width=8, repeat=2),
            layer("LSTM", name="last", units=4),
        ],
        dtypes=("int32",),
    ),
    case(
        "separable, depthwise and transposed",
        (9, 9, 4),
        {
            "mobile": {
                "parameters": {"filters": "required", "stride": 1, "residual": True},
                "layers": [
                    layer("DepthwiseConv2D", name="depth", kernel_size=3, strides="$stride",
                          padding="same", use_bias=False),
                    layer("BatchNormalization", name="bn"),
                    layer("ReLU", name="relu", max_value=6.0),
                    layer("SeparableConv2D", name="separable", filters="$filters", kernel_size=3,
                          padding="same"),
                    layer("Add", name="add", inputs=["separable", "x"], when="$residual"),
                ],
            }
        },
        [
            use("mobile", name="a", filters=4),
            use("mobile", name="b", filters=6, stride=2, residual=False),
            use("mobile", name="c", filters=6),
            layer("Conv2DTranspose", name="up", filters=2, kernel_size=3, strides=2),
        ],
    ),
    case(
        "several outputs",
        [(5, 4), (5, 4)],
        {
            "cross": {
                "parameters": {"units": "required"},
                "inputs": ["left", "right"],
                "outputs": ["to_left", "to_right"],
                "layers": [
                    layer("Dense", name="l", units="$units", inputs="left"),
                    layer("Dense", name="r", units="$units", inputs="right"),
                    layer("Multiply", name="to_left", inputs=["l", "r"]),
                    layer("Subtract", name="to_right", inputs=["l", "r"]),
                ],
            }
        },
        [
            use("cross", name="a", units=4, inputs=["in0", "in1"]),
            use("cross", name="b", units=6, inputs=["a:1", "a"]),
            use("cross", name="c", units=3, inputs=["b", "b:1"]),
            layer("Concatenate", name="both", inputs=["c", "c:1"]),
        ],
    ),
    case(
        "recurrent with states",
        (5, 3),
        {
            "pair": {
                "parameters": {"units": "required", "drop": 0.0},
                "layers": [
                    layer("LSTM", name="first", units="$units", return_sequences=True,
                          return_state=True),
                    layer("Dropout", name="dropout", rate="$drop", when="$(drop > 0)"),
                    layer("LSTM", name="second", units="$units", return_sequences=True,
                          inputs="dropout"),
                    layer("LayerNormalization", name="norm"),
                ],
            }
        },
        [
            use("pair", name="a", units=4),
            use("pair", name="b", units=6, drop=0.5),
            use("pair", name="c", units=6),
        ],
    ),
    case(
        "reuse and operations inside",
        (6,),
        {
            "twice": {
                "parameters": {"units": "required", "scale": 1.0},
                "layers": [
                    layer("Dense", name="in", units="$units"),
                    layer("Dense", name="same", units="$units", activation="tanh"),
                    {"reuse": "same", "name": "again"},
                    {"op": "multiply", "name": "scaled", "inputs": ["again", "$scale"]},
                    {"op": "add", "name": "sum", "inputs": ["scaled", "in"]},
                ],
            }
        },
        [
            use("twice", name="a", units=4, scale=0.5),
            use("twice", name="b", units=8, scale=0.25),
            layer("Dense", name="out", units=2),
        ],
    ),
    case(
        "frozen and regularized",
        (8,),
        {
            "dense": {
                "parameters": {"units": "required", "trainable": True},
                "layers": [
                    layer("Dense", name="dense", units="$units", trainable="$trainable",
                          kernel_regularizer={"type": "L2", "l2": 0.01}),
                    layer("BatchNormalization", name="bn", trainable="$trainable"),
                ],
            }
        },
        [
            use("dense", name="a", units=5),
            use("dense", name="b", units=6, trainable=False),
            use("dense", name="c", units=7),
        ],
    ),
    case(
        "nested models with blocks",
        (8,),
        {
            "dense": {
                "parameters": {"units": "required"},
                "layers": [
                    layer("Dense", name="dense", units="$units", activation="relu"),
                    layer("BatchNormalization", name="bn"),
                ],
            }
        },
        [
            use("dense", name="a", units=5),
            layer(
                "Model",
                name="inner",
                inputs={"v": {"shape": [5]}},
                layers=[use("dense", name="c", units=6), use("dense", name="d", units=4)],
            ),
            use("dense", name="b", units=6),
        ],
    ),
    case(
        "without names",
        (8,),
        {
            "dense": {
                "parameters": {"units": "required"},
                "layers": [layer("Dense", units="$units"), layer("LeakyReLU")],
            }
        },
        [use("dense", units=5), layer("Dense", units=4), use("dense", units=6)],
    ),
    case(
        "several inputs in a loop",
        [(6, 8), (4, 8)],
        {
            "decoder": {
                "parameters": {"width": 8},
                "inputs": ["x", "memory"],
                "layers": [
                    layer("MultiHeadAttention", name="cross", num_heads=2, key_dim=4,
                          inputs={"query": "x", "value": "memory"}),
                    layer("Add", name="add", inputs=["x", "cross"]),
                    layer("Dense", name="dense", units="$width"),
                ],
            }
        },
        [use("decoder", name="decoder", inputs=["in0", "in1"], repeat=3)],
    ),
    case(
        "first of a row",
        (9, 9, 3),
        {
            "conv": {
                "parameters": {"filters": "required", "act": "relu"},
                "layers": [
                    conv("conv", "$filters", padding="same", use_bias=False),
                    layer("BatchNormalization", name="bn", scale=False),
                    layer("Activation", name="act", activation="$act"),
                ],
            },
            "row": {
                "parameters": {"filters": "required", "count": 2},
                "layers": [use("conv", filters="$filters", repeat="$count", name="c"),
                           layer("MaxPooling2D", name="pool", pool_size=2)],
            },
        },
        [
            use("row", name="a", filters=4),
            use("row", name="b", filters=6, count=3),
            use("conv", name="last", filters=5, act="tanh"),
        ],
    ),
    case(
        "squeeze and excite",
        (8, 8, 4),
        {
            "mb": {
                "parameters": {"filters": "required", "expand": 1, "squeeze": 0.25, "stride": 1},
                "layers": [
                    conv("expand_conv", "$(expand * 4)", 1, when="$(expand > 1)"),
                    layer("Activation", name="expand_act", activation="swish", when="$(expand > 1)"),
                    layer("ZeroPadding2D", name="pad", padding=1, when="$(stride == 2)"),
                    layer("DepthwiseConv2D", name="dw", kernel_size=3, strides="$stride",
                          padding="$('valid' if stride == 2 else 'same')"),
                    layer("GlobalAveragePooling2D", name="se_pool"),
                    layer("Reshape", name="se_shape", target_shape=[1, 1, "$(expand * 4)"]),
                    conv("se_reduce", 2, 1, activation="swish"),
                    conv("se_expand", "$(expand * 4)", 1, activation="sigmoid"),
                    layer("Multiply", name="se", inputs=["dw", "se_expand"]),
                    conv("project", "$filters", 1),
                ],
            }
        },
        [
            use("mb", name="a", filters=4),
            use("mb", name="b", filters=4, expand=2, stride=2),
            use("mb", name="c", filters=4, expand=3),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_blocks_compute_what_keras_computes(case: Case) -> None:
    check_case(case)


def _run(graph: Any, case: Case, weights: dict[Any, Any]) -> tuple[list[Any], int]:
    import torch

    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options

    program = lower_graph(graph, Options())
    code = torch_target.generate_model(graph, style="subclass")
    module = execute(code)
    by_name = {unit: weights[unit.name] for unit in graph.walk_units()}
    module.load_state_dict(state_dict(program, by_name))
    module.eval()
    data = [
        torch.tensor(np.ascontiguousarray(channels_first(x, False))) for x in random_inputs(case)
    ]
    with torch.no_grad():
        return as_list(module(*data)), code.count(".permute(") + code.count(".transpose(")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_blocks_and_flat_code_are_equal(case: Case) -> None:
    graph, flat = build_graph(case.document()), build_graph(case.document())
    assert graph.items is not None
    flat.items = None
    for unit in flat.walk_units():
        if unit.graph is not None:
            unit.graph.items = None
    rng = np.random.default_rng(0)
    weights = {
        unit.name: {
            w.name: np.abs(rng.standard_normal(w.shape)).astype("float32") for w in unit.weights
        }
        for unit in graph.walk_units()
    }
    ours, permutes = _run(graph, case, weights)
    theirs, flat_permutes = _run(flat, case, weights)
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one.numpy(), other.numpy(), equal_nan=True)
    assert permutes <= flat_permutes
