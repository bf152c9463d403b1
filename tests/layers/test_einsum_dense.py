"""EinsumDense beyond the table of cases: LoRA in files, shapes that Keras declares otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tools.harness import (
    Case,
    build_graph,
    execute,
    keras,
    keras_weights,
    random_inputs,
    randomize,
    relative_error,
    state_dict,
)

EINSUM = {"type": "EinsumDense", "equation": "abc,cde->abde", "output_shape": [None, 2, 5]}


@pytest.mark.slow
def test_lora_is_merged_with_its_scale(tmp_path: Path) -> None:
    """A file of Keras holds the kernel with the scaled product of the factors added."""
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options
    from specfmt.weights.convert import convert

    case = Case({**EINSUM, "lora_rank": 2, "lora_alpha": 5.0}, (3, 4))
    graph = build_graph(case.document())
    code = keras_target.generate_model(graph, flavor="keras")
    model = execute(code)
    randomize(model)
    state = state_dict(lower_graph(graph, Options()), keras_weights(graph, model))
    torch.save(state, tmp_path / "m.pt")
    convert(graph, tmp_path / "m.pt", tmp_path / "m.weights.h5")
    again = execute(code)
    again.load_weights(tmp_path / "m.weights.h5")
    (data,) = random_inputs(case)
    assert relative_error(np.asarray(model(data)), np.asarray(again(data))) <= 1e-5


@pytest.mark.slow
def test_declared_axes_of_an_ellipsis_are_reversed() -> None:
    """Keras 3.15 declares them so, and computes them in the order of the input."""
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.program import Options

    keras().backend.clear_session(free_memory=False)
    entry = {**EINSUM, "equation": "...x,xy->...y", "output_shape": 6}
    case = Case(entry, (3, 4, 5))
    graph = build_graph(case.document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    assert next(iter(graph.outputs.values())).shape == model.output_shape == (None, 4, 3, 6)
    (data,) = random_inputs(case)
    assert model(data).shape == (3, 3, 4, 6)
    module = execute(torch_target.generate_model(graph, options=Options(axes="keras")))
    assert module(torch.tensor(data)).shape == (3, 3, 4, 6)


WRONG: tuple[tuple[dict[str, Any], tuple[Any, ...], str], ...] = (
    ({"equation": "ab,bc->ac"}, (3, 4), "with 2 axes"),
    ({"equation": "...abcd,de->...abce"}, (3,), "at least 4 axes"),
    ({"equation": "ab,bc->ac", "output_shape": [2, 5]}, (4,), "an output shape of 1 sizes"),
    ({"equation": "ab,bc->ad", "output_shape": 5}, (4,), "`d`"),
    ({"equation": "ab,be->ac", "output_shape": 5}, (4,), "`c`"),
    ({"equation": "abc,cd->abd", "output_shape": [7, 5]}, (3, 4), "size 3 for `b`"),
    ({"equation": "abc,cd->abd", "output_shape": [None, 5]}, (3, None), "known size of `c`"),
    ({"equation": "abc,bd->abd", "output_shape": [None, 5]}, (3, 4), "known size of `b`"),
    ({"equation": "ab,bc->ac", "output_shape": 5, "bias_axes": "b"}, (4,), "axes of the output"),
)


@pytest.mark.parametrize(("fields", "shape", "said"), WRONG)
def test_shapes_that_do_not_fit(fields: dict[str, Any], shape: Any, said: str) -> None:
    from specfmt.graph.build import build
    from specfmt.spec.document import parse_document

    document = Case({**EINSUM, "output_shape": 5, **fields}, shape).document()
    spec, problems = parse_document(document)
    assert spec is not None
    assert not problems
    _, problems = build(spec)
    assert [problem.code for problem in problems] == ["SF210"]
    assert said in problems[0].message


@pytest.mark.parametrize(
    "equation", ["ab, bc->ac", "ab,bc", "a...,bc->ac...", "ab,->ab", "1a,ab->b"]
)
def test_equations_that_keras_refuses(equation: str) -> None:
    from specfmt.spec.document import parse_document

    _, problems = parse_document(Case({**EINSUM, "equation": equation}, (3, 4)).document())
    assert [problem.path[-1] for problem in problems] == ["equation"]
