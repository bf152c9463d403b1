"""Regularizers and constraints of PyTorch models against those of the real Keras layers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from specfmt.diagnostics import SpecError
from specfmt.targets import keras as keras_target
from specfmt.targets import torch as torch_target
from specfmt.targets.templates import fill
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.params import Constant
from specfmt.targets.torch.program import Options
from specfmt.targets.torch.training.penalties import (
    ConstraintCode,
    PenaltyCode,
    constraint_code,
    penalty_code,
)
from tests.tools.harness import (
    Case,
    build_graph,
    execute,
    keras,
    keras_weights,
    randomize,
    state_dict,
)
from tests.tools.vocab_tools import close, helper_space

pytestmark = pytest.mark.slow

L1, L2 = {"type": "L1", "l1": 0.02}, {"type": "L2", "l2": 0.03}
BOTH = {"type": "L1L2", "l1": 0.01, "l2": 0.04}
ROWS = {"type": "OrthogonalRegularizer", "factor": 0.1}
COLUMNS = {"type": "OrthogonalRegularizer", "factor": 0.1, "mode": "columns"}

PENALTIES = [
    Case({"type": "Dense", "units": 3, "kernel_regularizer": L2, "bias_regularizer": L1}, (4,)),
    Case({"type": "Dense", "units": 3, "kernel_regularizer": ROWS, "bias_regularizer": BOTH}, (4,)),
    Case({"type": "Dense", "units": 3, "kernel_regularizer": COLUMNS}, (4,)),
    Case(
        [
            {"type": "Dense", "units": 5, "kernel_regularizer": "l2"},
            {"type": "Dense", "units": 4, "kernel_regularizer": "l2"},
            {"type": "Dense", "units": 4, "kernel_regularizer": BOTH, "trainable": False},
            {"type": "Dense", "units": 3, "kernel_regularizer": BOTH},
        ],
        (4,),
        name="several",
    ),
    Case({"type": "Conv2D", "filters": 3, "kernel_size": 2, "kernel_regularizer": BOTH}, (5, 6, 2)),
    Case(
        {
            "type": "LSTM",
            "units": 3,
            "kernel_regularizer": L2,
            "recurrent_regularizer": L1,
            "bias_regularizer": BOTH,
        },
        (4, 2),
    ),
    Case({"type": "GRU", "units": 3, "kernel_regularizer": COLUMNS}, (4, 2)),
    Case({"type": "GRU", "units": 3, "bias_regularizer": BOTH}, (4, 2)),
    Case({"type": "BatchNormalization", "gamma_regularizer": L2, "beta_regularizer": L1}, (4,)),
]

NORM = {"type": "MaxNorm", "max_value": 0.7}
UNIT, RANGE = "unit_norm", {"type": "MinMaxNorm", "min_value": 0.4, "max_value": 0.6, "rate": 0.5}
WINDOW = {"type": "MaxNorm", "max_value": 0.3, "axis": [0, 1, 2]}

CONSTRAINTS = [
    Case({"type": "Dense", "units": 3, "kernel_constraint": NORM, "bias_constraint": NORM}, (4,)),
    Case({"type": "Dense", "units": 3, "kernel_constraint": {"type": "UnitNorm", "axis": 1}}, (4,)),
    Case(
        {"type": "Dense", "units": 3, "kernel_constraint": RANGE, "bias_constraint": "non_neg"},
        (4,),
    ),
    Case(
        [{"type": "Flatten"}, {"type": "Dense", "units": 3, "kernel_constraint": NORM}],
        (4, 3, 2),
        name="flatten",
    ),
    Case(
        {"type": "Conv2D", "filters": 3, "kernel_size": 2, "kernel_constraint": WINDOW}, (5, 6, 2)
    ),
    Case({"type": "Conv1D", "filters": 3, "kernel_size": 2, "kernel_constraint": UNIT}, (5, 2)),
    Case(
        {
            "type": "DepthwiseConv2D",
            "kernel_size": 2,
            "depth_multiplier": 2,
            "depthwise_constraint": {"type": "MaxNorm", "max_value": 0.5, "axis": [0, 1, 3]},
        },
        (5, 6, 3),
    ),
    Case(
        {
            "type": "LSTM",
            "units": 3,
            "kernel_constraint": NORM,
            "recurrent_constraint": UNIT,
            "bias_constraint": "non_neg",
        },
        (4, 2),
    ),
    Case({"type": "GRU", "units": 3, "kernel_constraint": {**NORM, "axis": 1}}, (4, 2)),
    Case(
        {"type": "Embedding", "input_dim": 6, "output_dim": 4, "embeddings_constraint": UNIT},
        (3,),
        dtypes=("int32",),
    ),
    Case(
        [
            {"type": "Dense", "units": 5, "kernel_constraint": UNIT},
            {"type": "Dense", "units": 4, "kernel_constraint": UNIT},
        ],
        (4,),
        name="two",
    ),
]


def models(case: Case) -> tuple[Any, Any, Any, Any]:
    """Graph, program, and both models with the same random weights."""
    import torch

    torch.set_num_threads(1)
    keras().backend.clear_session()
    graph = build_graph(case.document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    randomize(model)
    program = lower_graph(graph, Options())
    module = execute(torch_target.generate_model(graph, style="subclass"))
    module.load_state_dict(state_dict(program, keras_weights(graph, model)), strict=False)
    return graph, program, model, module


def functions(penalty: PenaltyCode | None = None, constraints: ConstraintCode | None = None) -> str:
    """``penalty`` and ``constrain`` as a script has them."""
    train = SimpleNamespace(
        penalty=penalty or PenaltyCode([]), constraints=constraints or ConstraintCode([])
    )
    return fill("torch/penalties.j2", train=train)


@pytest.mark.parametrize("case", PENALTIES, ids=str)
def test_penalty(case: Case) -> None:
    _, program, model, module = models(case)
    code = penalty_code(program)
    space = helper_space(code.helpers)
    exec(functions(penalty=code), space)
    ours = space["penalty"](module)
    assert ours.shape == ()
    assert ours.requires_grad
    close(ours.item(), float(sum(model.losses)))
    assert float(sum(model.losses)) > 0


@pytest.mark.parametrize("case", CONSTRAINTS, ids=str)
def test_constraint(case: Case) -> None:
    graph, program, model, module = models(case)
    code = constraint_code(program)
    space = helper_space(code.helpers)
    exec(functions(constraints=code), space)
    space["constrain"](module)
    changed = False
    for variable in model.trainable_variables:
        if variable.constraint is not None:
            value = np.array(variable.constraint(variable))
            changed |= not np.allclose(value, variable.numpy())
            variable.assign(value)
    assert changed
    expected = state_dict(program, keras_weights(graph, model))
    state = module.state_dict()
    for param in program.parameters():
        if not isinstance(param.value, Constant):
            close(state[param.key].numpy(), expected[param.key].numpy())


def test_idiomatic_forms() -> None:
    def lines(case: Case) -> list[str]:
        program = lower_graph(build_graph(case.document()), Options())
        source = functions(penalty_code(program), constraint_code(program))
        return [line.strip() for line in source.splitlines() if line.startswith("    ")][1:]

    assert lines(PENALTIES[0]) == [
        'total = 0.03 * model.get_parameter("dense.weight").square().sum()',
        'return total + 0.02 * model.get_parameter("dense.bias").abs().sum()',
    ]
    assert lines(CONSTRAINTS[0]) == [
        'weight = model.get_parameter("dense.weight")',
        "weight.copy_(limit_norm(weight, 0.0, 0.7, dim=1))",
        'weight = model.get_parameter("dense.bias")',
        "weight.copy_(limit_norm(weight, 0.0, 0.7, dim=0))",
    ]
    assert lines(Case({"type": "Dense", "units": 2}, (3,))) == []


@pytest.mark.parametrize(
    ("layer", "shape", "pointer"),
    [
        (
            {
                "type": "Dense",
                "units": 3,
                "activity_regularizer": {"type": "OrthogonalRegularizer"},
            },
            (4,),
            "/layers/0/activity_regularizer",
        ),
        (
            {
                "type": "RNN",
                "cell": {"type": "LSTMCell", "units": 3, "activity_regularizer": "l2"},
            },
            (2, 4),
            "/layers/0/cell",
        ),
    ],
)
def test_penalties_on_outputs_are_refused(
    layer: dict[str, Any], shape: tuple[int, ...], pointer: str
) -> None:
    """Where Keras's compiled `fit` fails; the model alone has no such duty."""
    document = {
        "specfmt": 1,
        "name": "case",
        "inputs": {"x": {"shape": list(shape)}},
        "layers": [layer],
    }
    graph = build_graph(document)
    lower_graph(graph, Options())
    with pytest.raises(SpecError) as caught:
        lower_graph(graph, Options(trains=True))
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.pointer) == ("SF304", pointer)
