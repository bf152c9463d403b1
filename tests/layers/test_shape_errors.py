"""What layers and operations cannot take, Keras cannot either."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specfmt.diagnostics import SpecError
from tests.tools.harness import Case, build_graph

WRONG: list[tuple[dict[str, Any], Any, tuple[str, ...]]] = [
    ({"type": "Dense", "units": 3}, (4, None), ("layers", 0)),
    (
        {"type": "Dense", "units": 3, "lora_rank": 2, "kernel_constraint": "non_neg"},
        (4,),
        ("layers", 0, "kernel_constraint"),
    ),
    ({"type": "PReLU"}, (None, 3), ("layers", 0, "shared_axes")),
    ({"type": "PReLU", "shared_axes": [3]}, (5, 3), ("layers", 0, "shared_axes")),
    (
        {"type": "Softmax", "inputs": {"inputs": "in0", "mask": "in1"}},
        [(5, 3), (5, 2)],
        ("layers", 0),
    ),
    ({"type": "Add"}, [(4,), (3,)], ("layers", 0)),
    ({"type": "Multiply"}, [(4, 2), (3, 2)], ("layers", 0)),
    ({"type": "Subtract"}, [(4,)] * 3, ("layers", 0)),
    ({"type": "Concatenate"}, [(3, 4), (2, 4)], ("layers", 0)),
    ({"type": "Concatenate", "axis": 1}, [(3, 4), (3, 5)], ("layers", 0)),
    ({"type": "Concatenate"}, [(4,), (3, 4)], ("layers", 0)),
    ({"type": "Dot", "axes": 1}, [(3,), (4,)], ("layers", 0, "axes")),
    ({"type": "Dot", "axes": 1}, [(4,)] * 3, ("layers", 0)),
    ({"type": "SpatialDropout1D", "rate": 0.5}, (4,), ("layers", 0)),
    ({"type": "SpatialDropout2D", "rate": 0.5}, (4, 3), ("layers", 0)),
    ({"op": "add", "inputs": ["in0", "in1"]}, [(4,), (3,)], ("layers", 0)),
    ({"op": "reshape", "newshape": [-1, 5]}, (4,), ()),
    ({"op": "matmul", "inputs": ["in0", "in1"]}, [(4, 3), (4, 3)], ("layers", 0)),
    ({"op": "sum", "inputs": "in0", "axis": 3}, (4, 3), ("layers", 0, "axis")),
    ({"op": "squeeze", "inputs": "in0", "axis": 1}, (4, 3), ("layers", 0, "axis")),
    (
        {"op": "split", "inputs": "in0", "indices_or_sections": 3, "axis": 1},
        (4, 3),
        ("layers", 0, "indices_or_sections"),
    ),
    (
        {"op": "getitem", "inputs": "in0", "key": [{"ellipsis": True}, 3]},
        (4, 3),
        ("layers", 0, "key"),
    ),
    ({"op": "transpose", "inputs": "in0", "axes": [0, 1]}, (4, 3), ("layers", 0, "axes")),
    (
        {"op": "einsum", "inputs": ["in0", "in1"], "subscripts": "ij,jk->ik"},
        [(4,), (3, 2)],
        ("layers", 0, "subscripts"),
    ),
    ({"op": "concatenate", "inputs": [["in0", "in1"]], "axis": 1}, [(4, 3), (4, 2)], ("layers", 0)),
]


def findings(entry: dict[str, Any], shapes: Any) -> list[Any]:
    """What the graph says about a document of one entry."""
    from specfmt.graph.build import build
    from specfmt.spec.document import parse_document

    spec, problems = parse_document(Case(entry, shapes).document())
    assert not problems, [str(problem) for problem in problems]
    return list(build(spec)[1])


@pytest.mark.parametrize(("entry", "shapes", "path"), WRONG, ids=lambda value: str(value)[:60])
def test_one_finding_at_the_right_place(
    entry: dict[str, Any], shapes: Any, path: tuple[str, ...]
) -> None:
    """One finding with expected and received, and the field it is about."""
    if not path:
        assert not findings({**entry, "inputs": "in0"}, shapes)  # the batch size decides
        return
    (finding,) = findings(entry, shapes)
    assert finding.code == "SF210"
    assert finding.path == path
    assert "expected" in finding.message
    assert "received" in finding.message


def call_in_keras(entry: dict[str, Any], shapes: list[Any], tensors: list[Any]) -> None:
    """The call of an entry on Keras tensors."""
    import keras

    from specfmt.layers.registry import build_layer, build_op
    from specfmt.targets.keras.values import layer_call

    data = {key: value for key, value in entry.items() if key != "inputs"}
    if "op" in entry:
        op = build_op(data)
        fields = {k: getattr(op, k) for k in op.own_fields() if k not in op.leading_fields}
        leading = [getattr(op, k) for k in op.leading_fields]
        if op.function == "getitem":
            tensors[0][..., 3]
        elif op.function == "concatenate":
            keras.ops.concatenate(tensors, **fields)
        else:
            getattr(keras.ops, op.function)(*leading, *tensors, **fields)
        return
    head, args = layer_call(build_layer(data), "layer")
    layer = eval(f"{head}({', '.join(args)})", {"keras": keras, "layers": keras.layers})
    if isinstance(entry.get("inputs"), dict):
        # Keras looks at the mask when it computes, not before.
        x, mask = (np.ones((1, *shape), "float32") for shape in shapes)
        layer(x, mask=mask)
    else:
        layer(tensors if len(tensors) > 1 else tensors[0])


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "shapes", "path"), WRONG, ids=lambda value: str(value)[:60])
def test_keras_refuses_it_too(entry: dict[str, Any], shapes: Any, path: tuple[str, ...]) -> None:
    """The same call raises in Keras."""
    import keras

    if not path:
        pytest.skip("not an error")
    shapes = shapes if isinstance(shapes, list) else [shapes]
    tensors = [keras.Input(shape, name=f"in{i}") for i, shape in enumerate(shapes)]
    with pytest.raises((ValueError, IndexError, TypeError)):
        call_in_keras(entry, shapes, tensors)


def test_quantized_policies_are_refused_by_pytorch() -> None:
    """Keras packs such kernels into integers."""
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options

    policy = {
        "module": "keras",
        "class_name": "QuantizedDTypePolicy",
        "config": {"mode": "int8", "source_name": "float32"},
    }
    graph = build_graph(Case({"type": "Dense", "units": 3, "dtype": policy}, (4,)).document())
    with pytest.raises(SpecError) as caught:
        lower_graph(graph, Options())
    assert [d.code for d in caught.value.diagnostics] == ["SF301"]
