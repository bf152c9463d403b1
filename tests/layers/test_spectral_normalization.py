"""SpectralNormalization in training mode: kernels, vectors and outputs are Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases.wrappers import CASES
from tests.tools.harness import (
    TOLERANCE,
    Case,
    build_graph,
    channels_first,
    execute,
    keras,
    keras_weights,
    random_inputs,
    randomize,
    relative_error,
    state_dict,
)


def pair(case: Case) -> tuple[Any, Any, Any, Any]:
    """Graph, Keras model, torch program and module with the same weights."""
    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options

    keras().backend.clear_session(free_memory=False)
    graph = build_graph(case.document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    randomize(model)
    program = lower_graph(graph, Options())
    module = execute(torch_target.generate_model(graph, style="subclass"))
    module.load_state_dict(state_dict(program, keras_weights(graph, model)), strict=False)
    return graph, model, program, module


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_training_normalizes_as_keras_does(case: Case) -> None:
    import torch

    from specfmt.targets.torch.program import is_channels_first

    graph, model, program, module = pair(case)
    (data,) = random_inputs(case)
    stays = is_channels_first(graph)
    for _ in range(2):  # the second call goes on from the state of the first
        y = np.asarray(model(data, training=True))
        found = module.train()(torch.tensor(np.ascontiguousarray(channels_first(data, stays))))
        # The Embedding's result is truncated to whole numbers, as Keras does.
        assert relative_error(channels_first(y, stays), found.detach().numpy()) <= TOLERANCE
        state = module.state_dict()
        for key, expected in state_dict(program, keras_weights(graph, model)).items():
            assert relative_error(expected.numpy(), state[key].numpy()) <= TOLERANCE, key


@pytest.mark.slow
def test_a_kernel_of_zeros_stays() -> None:
    import torch

    _, model, _, module = pair(CASES[0])
    for variable in model.weights:
        if variable.path.endswith("kernel"):
            variable.assign(np.zeros(variable.shape))
    with torch.no_grad():
        module.get_parameter(next(k for k, _ in module.named_parameters() if "weight" in k)).zero_()
    (data,) = random_inputs(CASES[0])
    y = np.asarray(model(data, training=True))
    found = module.train()(torch.tensor(data))
    assert relative_error(y, found.detach().numpy()) <= TOLERANCE


@pytest.mark.slow
def test_two_calls_before_one_gradient() -> None:
    """The weight that the second call changes is not the one that the first computed with."""
    import torch

    _, _, _, module = pair(CASES[0])
    x = torch.randn(3, 4, requires_grad=True)
    module.train()
    (module(x).sum() + module(2 * x).sum()).backward()
    assert x.grad is not None
