"""A graph of operations that Keras recorded: its JSON, read, generates the same in both targets."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.harness import execute

MISTAKES = [
    ({"op": "add", "inputs": ["in0"]}, "expected 2 operands, received 1"),
    ({"op": "relu", "inputs": ["in0", "in0"]}, "expected 1 operand, received 2"),
    ({"op": "relu", "inputs": [2.0]}, "expected a tensor, received a constant"),
    ({"op": "add", "inputs": [1, 2.0]}, "expected a tensor among the operands"),
    ({"op": "concatenate", "inputs": ["in0", "in0"]}, "expected 1 operand, received 2"),
    ({"op": "stack", "inputs": "in0"}, "expected a list of tensors"),
]


@pytest.mark.parametrize(("entry", "message"), MISTAKES, ids=lambda value: str(value)[:40])
def test_operands_are_checked(entry: dict[str, object], message: str) -> None:
    """A wrong number or kind of operands is a finding at `inputs`, never a traceback."""
    from tests.layers.test_shape_errors import findings

    (finding,) = findings(entry, (4,))
    assert finding.code == "SF204"
    assert finding.path == ("layers", 0, "inputs")
    assert message in finding.message


@pytest.mark.slow
def test_recorded_graph_means_the_same() -> None:
    """Eighteen operations with constants, lists, slices and several outputs."""
    import keras
    import torch
    from keras import ops

    from specfmt.formats.keras_json import document_from_keras_json
    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from tests.tools.harness import build_graph

    x = keras.Input((6, 4))
    y = ops.clip(x * 2.0 + 1, -1, 1)
    y = ops.concatenate([y, ops.relu(x)], axis=-1)[:, 1:, ::2]
    y = ops.pad(y, [[0, 0], [1, 1], [0, 0]])
    y = ops.einsum("btd,bsd->bts", y, y)
    y = ops.mean(y, axis=1, keepdims=True)
    a, b = ops.split(y, [2], axis=-1)
    a = ops.where(a > 0, a, 0.0)
    a = ops.cast(ops.argmax(a, axis=-1), "float32")
    b = 1 - ops.norm(b, axis=-1)
    model = keras.Model(x, ops.take(ops.stack([a, b], axis=1), [1, 0], axis=1))

    document, problems = document_from_keras_json(model.to_json())
    assert not problems
    graph = build_graph(document)
    (output,) = graph.outputs.values()
    assert output.shape == model.output_shape
    assert output.dtype == model.output.dtype
    data = np.random.default_rng(0).standard_normal((3, 6, 4)).astype("float32")
    expected = np.asarray(model(data))
    again = execute(keras_target.generate_model(graph, flavor="keras"))
    np.testing.assert_allclose(np.asarray(again(data)), expected, rtol=1e-6)
    module = execute(torch_target.generate_model(graph, style="subclass"))
    np.testing.assert_allclose(module(torch.tensor(data)).numpy(), expected, rtol=1e-5, atol=1e-6)


NARROW = [
    ("uint8", {"op": "mod", "inputs": ["in0", -3]}),
    ("uint8", {"op": "mod", "inputs": [-3, "in0"]}),
    ("uint8", {"op": "greater", "inputs": ["in0", -3]}),
    ("uint8", {"op": "add", "inputs": ["in0", -3]}),
    ("uint8", {"op": "maximum", "inputs": [-3, "in0"]}),
    ("uint8", {"op": "sum", "axis": 1}),
    ("uint8", {"op": "trace"}),
    ("bool", {"op": "subtract", "inputs": [1.0, "in0"]}),
    ("bool", {"op": "where", "inputs": ["in0", "in0", 2]}),
    ("bool", {"op": "absolute", "inputs": ["in0"]}),
    ("bool", {"op": "argmax", "axis": 1}),
    ("int32", {"op": "arctan2", "inputs": ["in0", 0.5]}),
    ("int8", {"op": "top_k", "k": 2}),
    ("int8", {"op": "argmin", "axis": -1}),
    ("float16", {"op": "median", "axis": 1}),
    ("float16", {"op": "arctan2", "inputs": ["in0", 2]}),
    ("bfloat16", {"op": "normalize", "axis": 1}),
    ("bfloat16", {"op": "moments", "axes": [1]}),
]


@pytest.mark.slow
def test_narrow_dtypes_compute_as_in_keras() -> None:
    """Numbers beside tensors of narrow dtypes, equal elements, and what PyTorch lacks of them."""
    import keras
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from tests.tools.harness import Case, as_list, build_graph, relative_error

    wrong = {}
    for dtype, entry in NARROW:
        graph = build_graph(Case([entry], (4,), dtypes=(dtype,)).document())
        model = execute(keras_target.generate_model(graph, flavor="keras"))
        declared = [value.dtype for value in graph.outputs.values()]
        assert declared == [tensor.dtype for tensor in as_list(model.outputs)], entry
        numbers = np.array([[1, 4, 4, 2], [3, 5, 3, 1], [2, 2, 1, 4]])
        if dtype == "bool":
            numbers = numbers > 2
        data = keras.ops.cast(numbers, dtype)
        expected = [np.asarray(keras.ops.cast(y, "float64")) for y in as_list(model(data))]
        module = execute(torch_target.generate_model(graph, style="subclass"))
        results = as_list(module(torch.tensor(numbers).to(getattr(torch, dtype))))
        for y, result in zip(expected, results, strict=True):
            if relative_error(y, result.double().numpy()) > (1e-2 if "float" in dtype else 1e-6):
                wrong[dtype, str(entry)] = y, result
    assert not wrong
