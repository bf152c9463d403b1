"""PyTorch code of every optimizer and schedule against the real Keras ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from specfmt.targets.templates import fill
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.optimizers import OPTIMIZERS, OptimizerCode, optimizer_code
from specfmt.targets.torch.training.schedules import SCHEDULES, schedule_code
from specfmt.vocab.base import Term
from specfmt.vocab.index import INDEX
from tests.tools.vocab_tools import close, helper_space, keras_object, term

pytestmark = pytest.mark.slow

STEPS = 60

COSINE = {"type": "CosineDecay", "initial_learning_rate": 0.05, "decay_steps": 40}

COMMON: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.1},
    {"learning_rate": COSINE},
    {"clipnorm": 0.3},
    {"global_clipnorm": 0.3},
    {"clipvalue": 0.05},
    {"use_ema": True, "ema_momentum": 0.9},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 7},
]

OWN: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"nesterov": True},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.9, "learning_rate": COSINE, "weight_decay": 0.01},
        {"momentum": 0.8, "nesterov": True, "learning_rate": COSINE},
    ],
    "RMSprop": [
        {"rho": 0.8, "epsilon": 1e-3},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.5, "learning_rate": COSINE, "weight_decay": 0.01},
    ],
    "Adagrad": [{"initial_accumulator_value": 0.0, "epsilon": 1e-3}],
    "Adadelta": [{"rho": 0.9, "epsilon": 1e-4, "learning_rate": 1.0}],
    "Adam": [{"amsgrad": True}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}],
    "AdamW": [{"weight_decay": 0.0}, {"amsgrad": True, "weight_decay": 0.01}],
    "Adamax": [{"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}],
    "Nadam": [{"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}],
    "Lion": [{"beta_1": 0.8, "beta_2": 0.95}],
    "Adafactor": [
        {"beta_2_decay": -0.6, "clip_threshold": 0.5, "epsilon_2": 0.01},
        {"relative_step": False, "learning_rate": 0.3},
    ],
}

CASES = [
    {"type": name, "learning_rate": {"Adadelta": 1.0, "SGD": 0.05}.get(name, 0.02), **arguments}
    for name in OPTIMIZERS
    # Clipping and averaging know nothing of the optimizer: two of them stand for all.
    for arguments in (*(COMMON if name in ("SGD", "Adam") else COMMON[:3]), *OWN[name])
]

# How far the stock optimizers may be from Keras after 60 steps: measured on the problem
# below, weights against weights; all others are exact.
IDIOMATIC = {"Adam": 2e-5, "AdamW": 2e-5, "RMSprop": 2e-3}

SHAPES = ((5, 6), (6,), (6, 2), (2,))


def problem() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Inputs, targets and initial weights of a small network (64-bit: only the maths count)."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 5)), rng.standard_normal((16, 2))
    return x, y, [rng.standard_normal(shape) * 0.5 for shape in SHAPES]


def with_keras(word: Term) -> list[np.ndarray]:
    """The weights after training with the real optimizer."""
    import keras

    x, y, start = problem()
    optimizer = keras_object(word)
    variables = [keras.Variable(w, dtype="float64") for w in start]
    optimizer.build(variables)
    for _ in range(STEPS):
        w1, b1, w2, b2 = (v.numpy() for v in variables)
        hidden = np.tanh(x @ w1 + b1)
        error = 2 * (hidden @ w2 + b2 - y) / y.size
        inner = (error @ w2.T) * (1 - hidden**2)
        gradients = [x.T @ inner, inner.sum(0), hidden.T @ error, error.sum(0)]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    optimizer.finalize_variable_values(variables)
    return [np.array(v) for v in variables]


def with_torch(code: OptimizerCode) -> list[np.ndarray]:
    """The weights after training with the generated code; weights in torch's layout."""
    import torch
    from torch import nn

    x, y, start = problem()
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2)).double()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), start, strict=True):
            parameter.copy_(torch.tensor(value.T))
    space = {**helper_space(code.helpers), "model": model}
    space["optimizer"] = eval(code.create, space)
    if code.average:
        space["average"] = eval(code.average, space)
    update = fill("torch/update.j2", step=SimpleNamespace(optimizer=code, constrain=False))
    if code.schedule:
        space["scheduler"] = eval(code.schedule.create, space)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    for _ in range(STEPS):
        space["optimizer"].zero_grad()
        nn.functional.mse_loss(model(inputs), targets).backward()
        exec(update, space)
        if code.schedule:
            space["scheduler"].step()
    if code.average:
        model.load_state_dict(space["average"].module.state_dict())
    return [p.detach().numpy().T for p in model.parameters()]


def distance(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def name_of(case: dict[str, Any]) -> str:
    return ",".join(f"{k}={v['type'] if isinstance(v, dict) else v}" for k, v in case.items())


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_optimizer(case: dict[str, Any]) -> None:
    word = term("optimizer", case)
    theirs = with_keras(word)
    assert distance(problem()[2], theirs) > 0.005, "the weights must move"
    assert distance(with_torch(optimizer_code(word, fidelity="exact")), theirs) <= 1e-5
    code = optimizer_code(word)
    stock = distance(with_torch(code), theirs)
    if stock > 1e-5:
        assert code.comment, f"differs by {stock:.1e} and does not say so"


def test_stock_optimizers_are_close() -> None:
    for name, bound in IDIOMATIC.items():
        word = term("optimizer", name)
        assert distance(with_torch(optimizer_code(word)), with_keras(word)) <= bound, name


def test_every_optimizer_has_a_form_or_is_refused() -> None:
    for name in set(INDEX["optimizer"].values()) - set(OPTIMIZERS):
        arguments = {"inner_optimizer": "adam"} if name == "LossScaleOptimizer" else {}
        with pytest.raises(TargetError) as caught:
            optimizer_code(term("optimizer", {"type": name, **arguments}))
        assert caught.value.code == "SF304"
    assert set(SCHEDULES) == set(INDEX["schedule"].values())


def test_only_arguments_that_differ_from_torch_are_written() -> None:
    def create(value: Any, **options: Any) -> str:
        return optimizer_code(term("optimizer", value), **options).create

    rate = {"learning_rate": "args.learning_rate"}
    assert create("adam", **rate) == (
        "torch.optim.Adam(model.parameters(), lr=args.learning_rate, eps=1e-07)"
    )
    assert create("sgd") == "torch.optim.SGD(model.parameters(), lr=0.01)"
    assert create("nadam") == (
        "torch.optim.NAdam(model.parameters(), lr=0.001, eps=1e-07, momentum_decay=1.0)"
    )
    assert create("rmsprop") == (
        "torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-07)"
    )


def test_two_ways_of_clipping_are_refused() -> None:
    word = term("optimizer", {"type": "SGD", "clipnorm": 1, "clipvalue": 1})
    with pytest.raises(TargetError):
        optimizer_code(word)


SCHEDULE_CASES: list[dict[str, Any]] = [
    {"type": "ExponentialDecay", "decay_steps": 10, "decay_rate": 0.9},
    {"type": "ExponentialDecay", "decay_steps": 10, "decay_rate": 0.9, "staircase": True},
    {"type": "ExponentialDecay", "decay_steps": 2.5, "decay_rate": 0.9, "staircase": True},
    {"type": "InverseTimeDecay", "decay_steps": 10, "decay_rate": 0.5},
    {"type": "InverseTimeDecay", "decay_steps": 10, "decay_rate": 0.5, "staircase": True},
    {"type": "PolynomialDecay", "decay_steps": 50},
    {"type": "PolynomialDecay", "decay_steps": 50, "power": 2, "end_learning_rate": 0.01},
    {"type": "PolynomialDecay", "decay_steps": 30, "power": 0.5, "cycle": True},
    {
        "type": "PolynomialDecay",
        "initial_learning_rate": 0,
        "decay_steps": 30,
        "end_learning_rate": 0.1,
    },
    {"type": "CosineDecay", "decay_steps": 50},
    {"type": "CosineDecay", "decay_steps": 50, "alpha": 0.1},
    {"type": "CosineDecay", "decay_steps": 50, "warmup_target": 0.5, "warmup_steps": 20},
    {
        "type": "CosineDecay",
        "initial_learning_rate": 0,
        "decay_steps": 50,
        "alpha": 0.2,
        "warmup_target": 0.5,
        "warmup_steps": 20,
    },
    {"type": "CosineDecayRestarts", "first_decay_steps": 10.5},
    {"type": "CosineDecayRestarts", "first_decay_steps": 10, "t_mul": 1, "m_mul": 0.9},
    {"type": "CosineDecayRestarts", "first_decay_steps": 9.5, "t_mul": 1.5, "alpha": 0.1},
    {"type": "PiecewiseConstantDecay", "boundaries": [10, 30], "values": [0.1, 0.05, 0.01]},
    {"type": "PiecewiseConstantDecay", "boundaries": [5], "values": [0, 0.3]},
]


@pytest.mark.parametrize("case", SCHEDULE_CASES, ids=name_of)
def test_schedule(case: dict[str, Any]) -> None:
    import torch

    given = {} if case["type"] == "PiecewiseConstantDecay" else {"initial_learning_rate": 0.2}
    word = term("schedule", {**given, **case})
    code = schedule_code(word)
    space = helper_space(code.helpers)
    space["optimizer"] = torch.optim.SGD([torch.zeros(1)], lr=code.learning_rate)
    scheduler = eval(code.create, space)
    ours = []
    for _ in range(120):
        ours.append(scheduler.get_last_lr()[0])
        space["optimizer"].step()
        scheduler.step()
    schedule = keras_object(word)
    close(ours, [float(schedule(step)) for step in range(120)])
