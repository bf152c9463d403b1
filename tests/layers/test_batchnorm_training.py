"""Batch normalization while training: outputs, gradients and moving averages as Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tools.harness import (
    Case,
    as_list,
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

TOLERANCE = 1e-5
BN = {"type": "BatchNormalization", "momentum": 0.8}
MASKED = {"inputs": {"inputs": "in0", "mask": "in1"}}
RENORM = {"renorm": True, "renorm_momentum": 0.7}
EMBED = {"type": "Embedding", "input_dim": 8, "output_dim": 5, "mask_zero": True}
IDS = [[3, 1, 2, 0, 0, 0], [5, 7, 1, 4, 0, 0], [0, 0, 0, 0, 0, 0]]

EXACT = [
    Case(BN, (4,)),
    Case(BN | {"center": False}, (5, 6, 3)),
    Case(BN | {"scale": False}, (7, 4)),
    Case(BN | {"axis": 1}, (3, 4, 5)),
    Case(BN | {"axis": 2, "center": False, "scale": False}, (3, 4, 5)),
    Case(BN, (2, 3, 2, 3, 4)),
    Case([{"type": "Flatten"}, BN], (3, 4, 2)),
    Case(BN | RENORM, (5, 4)),
    Case(BN | RENORM | {"renorm_clipping": {"rmax": 1.5, "rmin": 0.7, "dmax": 0.2}}, (4, 4, 3)),
    Case(BN | RENORM | {"scale": False, "center": False}, (6,)),
    Case(BN | MASKED, ((5, 3), (5,)), dtypes=("float32", "bool")),
    Case(BN | MASKED, ((4, 5, 3), (4, 5)), dtypes=("float32", "bool")),
    Case(BN | MASKED | {"axis": 1}, ((5, 3), (5,)), dtypes=("float32", "bool")),
    Case(BN | MASKED | RENORM, ((5, 3), (5,)), dtypes=("float32", "bool")),
    Case([EMBED, BN], (6,), dtypes=("int32",), inputs=(IDS,)),
]
STEPS = {"type": "TimeDistributed", "layer": BN}
EACH_STEP = [
    Case(STEPS, (5, 4)),
    Case([EMBED, STEPS], (6,), dtypes=("int32",), inputs=(IDS,)),
    Case([EMBED, STEPS | {"layer": BN | RENORM}], (6,), dtypes=("int32",), inputs=(IDS,)),
    Case(STEPS | {"layer": BN | {"axis": 1}}, (3, 4, 5)),
    Case(STEPS | {"layer": BN | {"axis": 2}}, (3, 4, 2, 5)),
    Case({"type": "TimeDistributed", "layer": STEPS}, (2, 3, 4)),
    Case(
        STEPS
        | {
            "layer": {
                "type": "Model",
                "name": "inner",
                "inputs": {"y": {"shape": [3, 4]}},
                "layers": [STEPS],
            }
        },
        (2, 3, 4),
    ),
    Case(
        STEPS | {"inputs": {"inputs": "in0", "mask": "in1"}},
        ((3, 5, 4), (3, 5)),
        dtypes=("float32", "bool"),
    ),
    Case(
        STEPS
        | {
            "layer": {
                "type": "Model",
                "name": "inner",
                "inputs": {"y": {"shape": [4, 5, 2]}},
                "layers": [
                    {"type": "MaxPooling2D", "strides": 1},
                    BN,
                    {"type": "Reshape", "target_shape": [6, 4]},
                ],
            }
        },
        (3, 4, 5, 2),
    ),
]
"""Each time step has its own statistics."""

ALIKE = [
    Case(BN | {"trainable": False}, (4, 5, 3)),
    Case(BN | {"trainable": False} | RENORM, (4,)),
    Case(BN | {"trainable": False} | MASKED, ((5, 3), (5,)), dtypes=("float32", "bool")),
]


class Pair:
    """One case in Keras and in PyTorch, with the same weights."""

    def __init__(self, case: Case, fidelity: str) -> None:
        import torch

        from specfmt.targets import keras as keras_target
        from specfmt.targets import torch as torch_target
        from specfmt.targets.torch.graph_lowering import lower_graph
        from specfmt.targets.torch.program import Options

        keras().backend.clear_session(free_memory=False)
        torch.set_num_threads(1)
        self.graph = build_graph(case.document())
        self.model = execute(keras_target.generate_model(self.graph, flavor="keras"))
        randomize(self.model)
        options = Options(fidelity=fidelity)
        self.program = lower_graph(self.graph, options)
        code = torch_target.generate_model(self.graph, style="subclass", options=options)
        self.module = execute(code)
        self.module.load_state_dict(self.state(), strict=False)
        self.module.train()
        self.data = random_inputs(case)

    def state(self) -> dict[str, Any]:
        """What the torch state should be, from Keras's weights."""
        state = state_dict(self.program, keras_weights(self.graph, self.model))
        return {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}

    def step(self, shift: float) -> None:
        """One training-mode call of both; outputs and input gradients must agree."""
        import tensorflow as tf
        import torch

        data = [x + np.float32(shift) if x.dtype == "float32" else x for x in self.data]
        tensors = [tf.constant(x) for x in data]
        floats = [x for x in tensors if x.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(floats)
            expected = self.model(tensors if len(data) > 1 else tensors[0], training=True)
            loss = tf.reduce_sum(tf.sin(expected))
        gradients = tape.gradient(loss, floats) if floats else []
        arrays = [torch.tensor(np.ascontiguousarray(channels_first(x, False))) for x in data]
        for array in arrays:
            array.requires_grad_(array.is_floating_point())
        (result,) = as_list(self.module(*arrays))
        result.sin().sum().backward()
        close(channels_first(expected.numpy(), False), result.detach().numpy())
        inputs = [array for array in arrays if array.requires_grad]
        for gradient, array in zip(gradients, inputs, strict=True):
            close(channels_first(gradient.numpy(), False), array.grad.numpy())


def close(expected: np.ndarray, got: np.ndarray) -> None:
    error = relative_error(expected, got)
    assert error <= TOLERANCE, f"relative error {error:.2e}"


@pytest.mark.slow
@pytest.mark.parametrize("case", EXACT + EACH_STEP + ALIKE, ids=str)
def test_exact(case: Case) -> None:
    pair = Pair(case, "exact")
    for shift in (0.0, 0.5, -1.0):
        pair.step(shift)
    got = pair.module.state_dict()
    for key, value in pair.state().items():
        close(value.numpy(), got[key].numpy())


@pytest.mark.slow
@pytest.mark.parametrize("case", EXACT[:7], ids=str)
def test_idiomatic_differs_in_the_unbiased_variance_alone(case: Case) -> None:
    pair = Pair(case, "idiomatic")
    before = pair.state()
    pair.step(0.0)
    got = pair.module.state_dict()
    moved = False
    for key, value in pair.state().items():
        if key.endswith("running_var"):
            count = pair.data[0].size / value.numel()
            batch = (value - before[key] * 0.8) / 0.2
            value = before[key] * 0.8 + batch * (count / (count - 1)) * 0.2
            moved = True
        close(value.numpy(), got[key].numpy())
    assert moved


@pytest.mark.slow
@pytest.mark.parametrize("case", ALIKE, ids=str)
def test_frozen_layers_keep_their_averages(case: Case) -> None:
    pair = Pair(case, "idiomatic")
    before = pair.state()
    pair.step(1.0)
    got = pair.module.state_dict()
    assert all(value.equal(got[key]) for key, value in before.items())
    assert not any(m.training for m in pair.module.modules() if hasattr(m, "running_var"))


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True])
def test_the_mode_of_the_model_overrules_that_of_the_call(training: bool) -> None:
    case = Case(BN | {"inputs": {"inputs": "in0", "training": training}}, (4,))
    pair = Pair(case, "exact")
    pair.step(0.0)
    got = pair.module.state_dict()
    for key, value in pair.state().items():
        close(value.numpy(), got[key].numpy())
