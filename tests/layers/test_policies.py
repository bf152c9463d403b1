"""Dtype policies: layers that compute in half precision, against real Keras."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import specfmt
from specfmt.layers.policies import compute_dtype, variable_dtype
from tests.tools.harness import (
    Case,
    as_list,
    build_graph,
    channels_first,
    check_static,
    execute,
    keras,
    keras_weights,
    random_inputs,
    randomize,
    relative_error,
    state_dict,
)

ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
OPERATIONS = 8
"""How many rounding errors of the dtype outputs may differ by."""

STEPS = [[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 1, 1, 1]]
IDS = [[1, 2, 0, 3, 0], [4, 5, 6, 7, 1], [1, 0, 0, 0, 0]]
EMBEDDED = {"type": "Embedding", "input_dim": 8, "output_dim": 4, "mask_zero": True}
LSTM = {"type": "LSTM", "units": 4}
FLEXIBLE = {"type": "LSTM", "units": 4, "recurrent_activation": "hard_sigmoid"}
DENSE = {"type": "Dense", "units": 3}
INNER = {
    "type": "Model",
    "name": "inner",
    "inputs": {"y": {"shape": [4]}},
    "layers": [{**DENSE, "activation": "relu"}, {"type": "LayerNormalization"}],
    "call": "in0",
}


def case(name: str, layers: Any, shapes: Any, **kwargs: Any) -> Case:
    return Case(layers, shapes, name=name, **kwargs)


CASES = [
    case("dense", [{**DENSE, "activation": "gelu"}, {"type": "PReLU"}], (5,)),
    case("lora", {**DENSE, "lora_rank": 2}, (5,)),
    case("lora-groups", {"type": "Conv2D", "filters": 4, "kernel_size": 3, "groups": 2,
                         "lora_rank": 2}, (6, 7, 4)),
    case("einsum", {"type": "EinsumDense", "equation": "abc,cd->abd", "output_shape": [None, 4],
                    "bias_axes": "d"}, (3, 5)),
    case("softmax-float32", [DENSE, {**DENSE, "activation": "softmax", "dtype": "float32"}], (5,)),
    case("embedding", EMBEDDED, (5,), dtypes=("int32",), inputs=(IDS,)),
    case("integers", DENSE, (5,), dtypes=("int32",)),
    case(
        "conv2d",
        [
            {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same", "strides": 2},
            {"type": "BatchNormalization"},
            {"type": "ReLU"},
            {"type": "MaxPooling2D"},
            {"type": "Flatten"},
            DENSE,
        ],
        (9, 8, 3),
    ),
    case("separable", {"type": "SeparableConv2D", "filters": 4, "kernel_size": 3}, (6, 7, 3)),
    case("transpose", {"type": "Conv1DTranspose", "filters": 4, "kernel_size": 3}, (6, 3)),
    case("group-norm", {"type": "GroupNormalization", "groups": 2}, (5, 4)),
    case("rms-norm", {"type": "RMSNormalization"}, (5, 4)),
    case("unit-norm", {"type": "UnitNormalization"}, (5, 4)),
    case("average-3d", {"type": "GlobalAveragePooling3D"}, (3, 4, 5, 2)),
    case("lstm-mask", [EMBEDDED, LSTM], (5,), dtypes=("int32",), inputs=(IDS,)),
    case("lstm-flexible", {**FLEXIBLE, "return_sequences": True}, (5, 3)),
    case("flexible-mask", [EMBEDDED, FLEXIBLE], (5,), dtypes=("int32",), inputs=(IDS,)),
    case("gru", {"type": "Bidirectional", "layer": {"type": "GRU", "units": 3}}, (5, 3)),
    case("conv-lstm", {"type": "ConvLSTM1D", "filters": 3, "kernel_size": 2}, (3, 5, 2)),
    case("attention", {"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 3,
                       "inputs": {"query": "in0", "value": "in0"}}, (5, 4)),
    case("additive", {"type": "AdditiveAttention", "inputs": {"inputs": ["in0", "in1"]}},
         [(5, 4), (6, 4)]),
    case("time-distributed", {"type": "TimeDistributed", "layer": DENSE}, (4, 5)),
    case("wrapped-dtype", {"type": "TimeDistributed", "layer": {**DENSE, "dtype": "float32"}},
         (4, 5)),
    case("wrapped-gru", {"type": "Bidirectional", "layer": {
        "type": "GRU", "units": 3, "return_sequences": True, "dtype": "float32"}}, (5, 3)),
    case("wrapped-gru-float64", {"type": "Bidirectional", "dtype": "float64", "layer": {
        "type": "GRU", "units": 3, "dtype": "float32"}}, (5, 3)),
    case("inputs-as-declared", [
        {"type": "Dense", "units": 4},
        {"type": "Model", "name": "inner", "inputs": {"y": {"shape": [4]}}, "layers": [
            {"type": "Dense", "units": 3, "dtype": "float32"},
            {"type": "Concatenate", "dtype": "float32", "inputs": ["y", "dense"]},
        ]},
    ], (4,)),
    case("nested", [INNER, DENSE], (4,)),
    case("mixed-model", [{**INNER, "dtype": "float32"}, DENSE], (4,)),
    case(
        "merged",
        [
            {**DENSE, "name": "a", "dtype": "float16", "inputs": "in0"},
            {**DENSE, "name": "b", "dtype": "bfloat16", "inputs": "in0"},
            {**DENSE, "name": "c", "dtype": "float64", "inputs": "in0"},
            {"type": "Concatenate", "inputs": ["a", "b", "c"]},
        ],
        (4,),
    ),
    case("operations", [{**DENSE, "name": "d"}, {"op": "multiply", "inputs": ["d", 0.1]},
                        {"op": "softmax"}], (4,)),
    case("normalization", {"type": "Normalization", "mean": [0.5, 0.25, 2.0],
                           "variance": [1.0, 4.0, 9.0]}, (4, 3)),
    case("scaled", {"type": "Rescaling", "scale": [0.1, 0.2, 0.3]}, (4, 3), dtypes=("uint8",)),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("one", CASES, ids=str)
def test_layers_in_half_precision(one: Case, policy: str) -> None:
    """Outputs within the rounding of the dtype, gradients of the parameters' own dtype."""
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options, is_channels_first

    keras().backend.clear_session(free_memory=False)
    graph = build_graph(replace(one, extra={"dtype": policy}).document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    check_static(one, graph, model)
    randomize(model)
    data = random_inputs(one)
    expected = as_list(model(data if len(data) > 1 else data[0], training=False))
    module = execute(torch_target.generate_model(graph, style="subclass"))
    weights = keras_weights(graph, model)
    for variables in weights.values():
        for name, v in variables.items():
            variables[name] = keras().ops.convert_to_numpy(keras().ops.cast(v, "float32"))
    module.load_state_dict(state_dict(lower_graph(graph, Options()), weights), strict=False)
    stays = is_channels_first(graph)
    tensors = [torch.tensor(np.ascontiguousarray(channels_first(x, stays))) for x in data]
    results = as_list(module.eval()(*tensors))
    coarsest = max(
        (
            ROUNDING.get(d, 0.0)
            for d in (compute_dtype(policy), *(str(e.get("dtype")) for e in one.entries))
        ),
    )
    for y, value, result in zip(expected, graph.outputs.values(), results, strict=True):
        assert str(result.dtype) == f"torch.{value.dtype}"  # as Keras states: see check_static
        wanted = keras().ops.convert_to_numpy(keras().ops.cast(y, "float32"))
        error = relative_error(channels_first(wanted, stays), result.detach().float().numpy())
        assert error <= OPERATIONS * coarsest, f"relative error {error:.2e}"
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    if not trained:
        return
    outputs = as_list(module.train()(*tensors))
    loss: Any = torch.stack([y.float().square().mean() for y in outputs]).sum()
    loss.backward()
    kept = {name: str(p.dtype).removeprefix("torch.") for name, p in trained.items()}
    assert {name: p.grad is not None for name, p in trained.items()} == dict.fromkeys(kept, True)
    if one.name != "merged" and policy.startswith("mixed_"):
        assert set(kept.values()) == {"float32"}


@pytest.mark.parametrize(
    ("policy", "computes", "keeps"),
    [
        (None, "float32", "float32"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("mixed_float16", "float16", "float32"),
        ("int8_from_mixed_bfloat16", "bfloat16", "float32"),
        ({"class_name": "QuantizedDTypePolicy",
          "config": {"mode": "int8", "source_name": "mixed_float16"}}, "float16", "float32"),
        ({"class_name": "DTypePolicyMap",
          "config": {"default_policy": {"class_name": "DTypePolicy",
                                        "config": {"name": "bfloat16"}}, "policy_map": {}}},
         "bfloat16", "bfloat16"),
        ({"class_name": "DTypePolicyMap", "config": {"default_policy": None}}, "float32", "float32"),
    ],
)  # fmt: skip
def test_the_dtypes_of_a_policy(policy: Any, computes: str, keeps: str) -> None:
    assert (compute_dtype(policy), variable_dtype(policy)) == (computes, keeps)


def test_a_policy_of_the_model_leaves_integer_layers_alone() -> None:
    from specfmt.targets import keras as keras_target

    hashing = {"type": "Hashing", "num_bins": 5}
    one = Case(hashing, (3,), dtypes=("string",), extra={"dtype": "mixed_float16"})
    assert "mixed_float16" not in keras_target.generate_model(build_graph(one.document()))


def test_matrix_products_run_under_autocast() -> None:
    from specfmt.targets import torch as torch_target

    layers = [{**DENSE, "activation": "relu"}, {**DENSE, "activation": "softmax"}]
    one = Case(layers, (4,), extra={"dtype": "mixed_bfloat16"})
    code = torch_target.generate_model(build_graph(one.document()), style="subclass")
    block = code.partition("with torch.autocast(in0.device.type, dtype=torch.bfloat16):\n")[2]
    assert "self.dense(in0.to(torch.bfloat16))" in block
    assert (
        "\n        dense_1: torch.Tensor = x.softmax(dim=-1)" in block
    )  # in bfloat16, as in Keras


INT8 = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}}


@pytest.mark.parametrize("use_bias", [True, False])
def test_the_weights_of_a_dense_layer_in_int8(use_bias: bool) -> None:
    """Counts and order are those of Keras 3.15: the kernel in int8 and the scale are not trained."""
    dense = {**DENSE, "use_bias": use_bias, "dtype": INT8}
    graph = build_graph(Case(dense, (8,)).document())
    assert graph.count() == 8 * 3 + 3 + 3 * use_bias
    assert graph.count(trainable=True) == 3 * use_bias
    names = [weight.name for weight in graph.units[0].weights]
    assert names == ["bias"] * use_bias + ["kernel", "kernel_scale"]


CUSTOM = {"type": "Custom", "class": "Foo", "name": "foo", "shape": [5], "weights": {"w": [3, 5]}}


@pytest.mark.parametrize(
    ("config", "entry", "wanted"),
    [
        ({}, {}, "mixed_float16"),
        ({}, {"dtype": "bfloat16"}, "bfloat16"),
        ({"dtype": "float32"}, {}, ""),
        ({"dtype": "float16"}, {}, "float16"),
    ],
)
@pytest.mark.parametrize("named", ["Foo", "my.pkg.Foo"])
def test_a_custom_layer_has_the_policy_of_its_model(
    config: dict[str, Any], entry: dict[str, Any], wanted: str, named: str
) -> None:
    """Code, JSON and the dtype of its output agree, in a model with a policy."""
    import json

    import specfmt

    custom = {**CUSTOM, "class": named, "config": {"a": 1, **config}, **entry}
    spec = specfmt.loads(
        json.dumps(
            {
                "specfmt": 1,
                "name": "m",
                "dtype": "mixed_float16",
                "inputs": {"x": {"shape": [4]}},
                "layers": [{"type": "Dense", "units": 3}, custom],
            }
        )
    )
    (output,) = specfmt.analyze(spec).outputs.values()
    assert output.dtype == compute_dtype(wanted or "float32")
    (call,) = [line for line in specfmt.generate(spec, "keras").splitlines() if " Foo(a=1" in line]
    assert (f'dtype="{wanted}"' in call) == bool(wanted)
    written = json.loads(specfmt.to_keras_json(spec))["config"]["layers"][-1]["config"]["dtype"]
    name = written if isinstance(written, str) else written["config"]["name"]
    assert name == (wanted or "float32")


def test_a_summary_shows_other_dtypes_than_float32() -> None:
    import specfmt
    from specfmt.console.summary import summary_text

    spec = specfmt.loads(
        "{specfmt: 1, inputs: {x: {shape: [4], dtype: int32}}, layers: ["
        "{type: Embedding, input_dim: 5, output_dim: 3, name: e}, "
        "{type: Dense, units: 2, dtype: mixed_bfloat16, name: d}]}"
    )
    found = specfmt.summarize(spec)
    assert [layer["dtype"] for layer in found.to_data()["layers"]] == ["float32", "bfloat16"]
    text = summary_text(found)
    assert "(N, 4) int32" in text
    assert "(N, 4, 3)  " in text
    assert "(N, 4, 2) bfloat16" in text


@pytest.mark.parametrize("policy", [{"type": "int8_from_float32"}, {}, {"name": "mixed_float16"}])
def test_other_mappings_are_no_policies(policy: dict[str, str]) -> None:
    text = json.dumps(
        {
            "specfmt": 1,
            "inputs": {"x": {"shape": [4]}},
            "layers": [{"type": "Dense", "units": 3, "dtype": policy}],
        }
    )
    (found,) = specfmt.check(text)
    assert (found.code, found.pointer) == ("SF123", "/layers/0/dtype")
