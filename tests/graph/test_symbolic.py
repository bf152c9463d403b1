"""The names of unknown sizes, and the sizes of every output."""

from __future__ import annotations

from typing import Any

import pytest

from specfmt.diagnostics import Diagnostic
from specfmt.graph.build import build
from specfmt.graph.model import Graph
from specfmt.graph.summary import summarize
from specfmt.graph.symbolic import show_value
from specfmt.spec.document import parse_document


def built(
    inputs: dict[str, Any], layers: list[dict[str, Any]], **more: Any
) -> tuple[Graph, list[Diagnostic]]:
    shapes = {
        name: item if isinstance(item, dict) else {"shape": item} for name, item in inputs.items()
    }
    spec, problems = parse_document({"specfmt": 1, "inputs": shapes, "layers": layers, **more})
    assert spec is not None, problems
    assert not problems, [p.message for p in problems]
    return build(spec)


def shapes(inputs: dict[str, Any], layers: list[dict[str, Any]], **more: Any) -> list[str]:
    graph, problems = built(inputs, layers, **more)
    assert not problems, [p.message for p in problems]
    return [show_value(value) for node in graph.nodes for value in node.outputs]


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ({"x": [None, 8]}, ["(N, T, 8)"]),
        ({"x": [None, 32, 3]}, ["(N, T, 32, 3)"]),
        ({"x": [None, None, 3]}, ["(N, H, W, 3)"]),
        ({"x": [None, None, None]}, ["(N, H, W, C)"]),
        ({"x": [3, None, None]}, ["(N, 3, H, W)"]),
        ({"x": [None, None]}, ["(N, T, T2)"]),
        ({"x": [None, None, None, 3]}, ["(N, T, T2, T3, 3)"]),
        ({"x": [None, 4], "y": [None, 4]}, ["(N, T, 4)", "(N, T2, 4)"]),
        ({"x": [None, None, 3], "y": [None, None, 1]}, ["(N, H, W, 3)", "(N, H2, W2, 1)"]),
        ({"x": ["T", 4], "y": [None, "T"]}, ["(N, T, 4)", "(N, T2, T)"]),
        ({"x": ["T2", 4], "y": [None], "z": [None]}, ["(N, T2, 4)", "(N, T)", "(N, T3)"]),
        ({"x": {"shape": ["words"], "batch_size": 5}}, ["(5, words)"]),
        ({"x": [4]}, ["(N, 4)"]),
    ],
)
def test_names_of_inputs(inputs: dict[str, Any], names: list[str]) -> None:
    first = next(iter(inputs))
    graph, _ = built(inputs, [{"type": "Identity", "inputs": first}])
    assert [show_value(value) for value in graph.inputs.values()] == names
    assert [item.text for item in summarize(graph).inputs] == names


def test_sizes_of_sequences() -> None:
    layers: list[dict[str, Any]] = [
        {"type": "Conv1D", "filters": 64, "kernel_size": 3},
        {"type": "MaxPooling1D"},
        {"type": "Conv1D", "filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"},
        {"type": "UpSampling1D", "size": 4},
        {"type": "Cropping1D", "cropping": [1, 2]},
        {"type": "ZeroPadding1D", "padding": 3},
        {"type": "Conv1DTranspose", "filters": 6, "kernel_size": 4, "strides": 2},
        {"type": "Bidirectional", "layer": {"type": "GRU", "units": 4, "return_sequences": True}},
        {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 16}},
        {"type": "Reshape", "target_shape": [-1, 32]},
        {"type": "Permute", "dims": [2, 1]},
        {"type": "Permute", "dims": [2, 1]},
        {"type": "GlobalMaxPooling1D"},
        {"type": "RepeatVector", "n": 3},
    ]
    assert shapes({"x": [None, 8]}, layers) == [
        "(N, T - 2, 64)",
        "(N, T//2 - 1, 64)",
        "(N, T//4, 6)",
        "(N, 4*(T//4), 6)",
        "(N, 4*(T//4) - 3, 6)",
        "(N, 4*(T//4) + 3, 6)",
        "(N, 8*(T//4) + 8, 6)",
        "(N, 8*(T//4) + 8, 8)",
        "(N, 8*(T//4) + 8, 16)",
        "(N, 4*(T//4) + 4, 32)",
        "(N, 32, 4*(T//4) + 4)",
        "(N, 4*(T//4) + 4, 32)",
        "(N, 32)",
        "(N, 3, 32)",
    ]


def test_flatten_then_dense_is_refused_as_in_keras() -> None:
    layers = [{"type": "Flatten"}, {"type": "Dense", "units": 3}]
    _, (problem,) = built({"x": [None, 8]}, layers)
    assert problem.code == "SF210"
    assert "a last axis of known size, received shape (N, 8*T)" in problem.message
    assert shapes({"x": [None, 8]}, [layers[0], {"type": "Reshape", "target_shape": [-1, 4]}]) == [
        "(N, 8*T)",
        "(N, 2*T, 4)",
    ]


def down_and_up(levels: int) -> list[dict[str, Any]]:
    """A small U-Net: each level halves the image, and joins it again."""
    layers: list[dict[str, Any]] = []
    before = "x"
    for level in range(levels):
        layers.append({"type": "MaxPooling2D", "name": f"down{level}", "inputs": before})
        before = f"down{level}"
    for level in reversed(range(levels)):
        skip = f"down{level - 1}" if level else "x"
        layers += [
            {"type": "UpSampling2D", "name": f"up{level}", "inputs": before},
            {"type": "Concatenate", "name": f"join{level}", "inputs": [skip, f"up{level}"]},
        ]
        before = f"join{level}"
    return layers


def test_joined_levels_have_the_shorter_size() -> None:
    assert shapes({"x": [None, None, 3]}, down_and_up(2)) == [
        "(N, H//2, W//2, 3)",
        "(N, H//4, W//4, 3)",
        "(N, 2*(H//4), 2*(W//4), 3)",
        "(N, H//2, W//2, 6)",
        "(N, 2*(H//2), 2*(W//2), 6)",
        "(N, H, W, 9)",
    ]


@pytest.mark.parametrize(
    ("inputs", "kind", "shape"),
    [
        ({"a": [None, 4], "b": [None, 4]}, "Add", "(N, max(T, T2), 4)"),
        ({"a": ["T", 4], "b": ["T", 4]}, "Add", "(N, T, 4)"),
        ({"a": ["T", 4], "b": [1, 4]}, "Multiply", "(N, T, 4)"),
        ({"a": ["T", 4], "b": [7, 4]}, "Multiply", "(N, 7, 4)"),
        ({"a": ["T", 4], "b": ["T", 2]}, "Concatenate", "(N, T, 6)"),
        ({"a": ["T", 4], "b": ["S", 2]}, "Concatenate", "(N, T, 6)"),
    ],
)
def test_merged_sizes(inputs: dict[str, Any], kind: str, shape: str) -> None:
    assert shapes(inputs, [{"type": kind, "inputs": ["a", "b"]}]) == [shape]


def test_an_axis_that_may_have_size_1_can_be_broadcast() -> None:
    layers = [
        {"type": "MaxPooling1D", "name": "half", "inputs": "x"},
        {"type": "Add", "inputs": ["x", "half"]},
        {"type": "ZeroPadding1D", "name": "longer", "inputs": "x"},
        {"type": "Multiply", "inputs": ["x", "longer"]},
    ]
    assert shapes({"x": [None, 4]}, layers, outputs=["add", "multiply"]) == [
        "(N, T//2, 4)",
        "(N, T, 4)",
        "(N, T + 2, 4)",
        "(N, T + 2, 4)",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "Concatenate", "inputs": ["x", "longer"]}, "(N, T, 4), (N, T + 2, 4)"),
        ({"type": "Add", "inputs": ["longer", "longest"]}, "(N, T + 2, 4), (N, T + 4, 4)"),
        ({"type": "Dot", "axes": 1, "inputs": ["x", "longer"]}, "received T and T + 2"),
        ({"op": "matmul", "inputs": ["turned", "longer"]}, "(N, 4, T) and (N, T + 2, 4)"),
        ({"type": "Reshape", "target_shape": [-1, 3], "inputs": "odd"}, "for shape (N, 3*T + 1)"),
    ],
)
def test_sizes_that_never_fit_are_mistakes(entry: dict[str, Any], message: str) -> None:
    layers = [
        {"type": "ZeroPadding1D", "name": "longer", "inputs": "x"},
        {"type": "ZeroPadding1D", "name": "longest", "inputs": "longer"},
        {"type": "Permute", "dims": [2, 1], "name": "turned", "inputs": "x"},
        {"op": "getitem", "name": "flat", "inputs": "x", "key": [{"ellipsis": True}, 0]},
        {"type": "UpSampling1D", "size": 3, "name": "tripled", "inputs": "x"},
        {"type": "ZeroPadding1D", "padding": [0, 1], "name": "more", "inputs": "tripled"},
        {"op": "getitem", "name": "odd", "inputs": "more", "key": [{"ellipsis": True}, 0]},
        {**entry, "name": "last"},
    ]
    _, problems = built({"x": [None, 4]}, layers)
    (problem,) = problems
    assert message in problem.message
    assert "whatever the unknown sizes are; Keras fails only when it is called" in problem.message


def test_a_nested_model_has_the_sizes_of_its_call() -> None:
    encoder = {
        "type": "Model",
        "name": "encoder",
        "call": "x",
        "inputs": {"i": {"shape": [None, 4]}},
        "layers": [
            {"type": "MaxPooling1D", "name": "p"},
            {"type": "UpSampling1D", "name": "u"},
            {"type": "Concatenate", "name": "c", "inputs": ["i", "u"]},
        ],
    }
    layers: list[dict[str, Any]] = [
        encoder,
        {"type": "UpSampling1D", "size": 3, "inputs": "x"},
        {"reuse": "encoder", "name": "again"},
        {"type": "ZeroPadding1D", "padding": [0, 1], "inputs": "y"},
        {"reuse": "encoder", "name": "fixed"},
    ]
    assert shapes(
        {"x": ["words", 4], "y": [7, 4]}, layers, outputs=["encoder", "again", "fixed"]
    ) == [
        "(N, words, 8)",
        "(N, 3*words, 4)",
        "(N, 3*words, 8)",
        "(N, 8, 4)",
        "(N, 8, 8)",
    ]


def test_a_model_in_a_wrapper_has_the_sizes_of_its_call() -> None:
    inner = {
        "type": "Model",
        "name": "frame",
        "inputs": {"i": {"shape": [None, 4]}},
        "layers": [{"type": "Conv1D", "filters": 2, "kernel_size": 3, "name": "c"}],
    }
    layers = [{"type": "TimeDistributed", "layer": inner}]
    assert shapes({"x": ["T", "S", 4]}, layers) == ["(N, T, S - 2, 2)"]
    assert shapes({"x": [3, None, 4]}, layers) == ["(N, 3, T - 2, 2)"]
    assert shapes({"x": [None, 9, 4]}, layers) == ["(N, T, 7, 2)"]


def test_a_shared_name_in_a_nested_model_is_one_size() -> None:
    pair = {
        "type": "Model",
        "name": "pair",
        "call": ["x", "longer"],
        "inputs": {"a": {"shape": ["L", 4]}, "b": {"shape": ["L", 4]}},
        "layers": [{"type": "Add", "inputs": ["a", "b"]}],
    }
    layers = [{"type": "ZeroPadding1D", "name": "longer", "inputs": "x"}, pair]
    _, (problem,) = built({"x": ["T", 4]}, layers)
    assert problem.code == "SF209"
    assert "expected one size for L in the inputs of pair, received T and T + 2" in problem.message


def test_operations() -> None:
    layers: list[dict[str, Any]] = [
        {"op": "reshape", "inputs": "x", "newshape": [-1, 2]},
        {"op": "transpose", "inputs": "x", "axes": [0, 2, 1]},
        {"op": "matmul", "inputs": ["x", "transpose"]},
        {"op": "concatenate", "inputs": [["x", "x"]], "axis": 1},
        {"op": "split", "inputs": "concatenate", "indices_or_sections": 2, "axis": 1},
        {"op": "getitem", "inputs": "x", "key": [{"ellipsis": True}, {"slice": [1, -1, None]}, 0]},
        {"op": "ravel", "inputs": "x"},
    ]
    every = ["reshape", "matmul", "split", "split:1", "get_item", "ravel"]
    assert shapes({"x": [None, 4]}, layers, outputs=every) == [
        "(2*N*T, 2)",
        "(N, 4, T)",
        "(N, T, T)",
        "(N, 2*T, 4)",
        "(N, T, 4)",
        "(N, T, 4)",
        "(N, T - 2)",
        "(4*N*T,)",
    ]


def test_attention_scores() -> None:
    layers = [
        {
            "type": "MultiHeadAttention",
            "num_heads": 2,
            "key_dim": 3,
            "inputs": {"query": "q", "value": "v", "return_attention_scores": True},
        }
    ]
    assert shapes({"q": ["T", 4], "v": ["S", 4]}, layers) == ["(N, T, 4)", "(N, 2, T, S)"]


def test_json_has_null_for_unknown_sizes() -> None:
    graph, _ = built({"x": ["T", 4]}, [{"type": "MaxPooling1D"}])
    data = summarize(graph).to_data()
    assert data["inputs"] == [{"name": "x", "shape": [None, None, 4], "dtype": "float32"}]
    assert data["layers"][0]["output_shape"] == [None, None, 4]


@pytest.mark.parametrize(
    "name", ["N", "64", "T-1", "", "2T", "_T", "None", "null", "true", "T" * 31]
)
def test_what_is_no_name(name: str) -> None:
    document = {"specfmt": 1, "inputs": {"x": {"shape": [name, 4]}}, "layers": []}
    _, problems = parse_document(document)
    expected = "the name of a size" if name == "N" else "an integer of at least 0"
    (problem,) = [p for p in problems if p.path[:1] == ("inputs",)]
    assert problem.message.startswith(f"expected {expected}, received ")
    assert problem.path == ("inputs", "x", "shape", 0)
    assert problem.hint == {
        "N": "N stands for the batch size; use another name, such as T",
        "64": "remove the quotes",
    }.get(name, "")
