"""Recurrent layers in training, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from specfmt.diagnostics import SpecError
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.program import Options
from tests.tools.harness import (
    TOLERANCE,
    Case,
    build_graph,
    execute,
    keras,
    keras_weights,
    randomize,
    relative_error,
    state_dict,
)

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
# Where torch's gate stands among Keras's.
KERAS_GATE = {"SimpleRNN": [0], "LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2]}


def pair(case: Case) -> tuple[Any, Any]:
    """The Keras and the PyTorch model of a case, with the same random weights."""
    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target

    torch.set_num_threads(1)
    keras().backend.clear_session()
    graph = build_graph(case.document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    randomize(model)
    module = execute(torch_target.generate_model(graph, style="subclass"))
    state = state_dict(lower_graph(graph, Options()), keras_weights(graph, model))
    module.load_state_dict(state, strict=False)
    return model, module


def torch_model(layer: dict[str, Any], shape: tuple[int, ...]) -> Any:
    """A PyTorch model of one layer."""
    from specfmt.targets import torch as torch_target

    torch.set_num_threads(1)
    torch.manual_seed(0)
    graph = build_graph(Case(layer, shape).document())
    return execute(torch_target.generate_model(graph, style="subclass"))


@pytest.mark.slow
@pytest.mark.parametrize("type_name", GATES)
@pytest.mark.parametrize("reset_after", [True, False])
def test_recurrent_dropout_is_kerass(
    type_name: str, reset_after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same dropout masks, training mode gives the same numbers."""
    options = {} if type_name != "GRU" else {"reset_after": reset_after}
    layer = {
        "type": type_name,
        "units": 4,
        "return_sequences": True,
        "dropout": 0.4,
        "recurrent_dropout": 0.3,
        **options,
    }
    model, module = pair(Case(layer, (6, 3)))
    rng = np.random.default_rng(0)
    gates = GATES[type_name]
    keep_x = ((rng.random((gates, 5, 3)) > 0.4) / 0.6).astype("float32")
    keep_h = ((rng.random((gates, 5, 4)) > 0.3) / 0.7).astype("float32")
    cell = model.layers[-1].cell
    alone = type_name == "SimpleRNN"
    cell._dropout_mask = keep_x[0] if alone else list(keep_x)
    cell._recurrent_dropout_mask = keep_h[0] if alone else list(keep_h)
    x = rng.standard_normal((5, 6, 3)).astype("float32")
    expected = np.asarray(model(x, training=True))

    order = KERAS_GATE[type_name]
    drawn = {(gates, 5, 1, 3): keep_x[order][:, :, None], (gates, 5, 4): keep_h[order]}

    def dropout(ones: torch.Tensor, rate: float) -> torch.Tensor:
        shape = tuple(ones.shape) if not alone else (1, *ones.shape)
        mask = torch.tensor(drawn[shape])
        return mask[0] if alone else mask

    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
    if alone:
        mask = torch.tensor(keep_x[0])
        monkeypatch.setattr(module.simple_rnn_dropout, "forward", lambda x: x * mask[:, :, None])
    result = module.train()(torch.tensor(x)).detach().numpy()
    assert relative_error(expected, result) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("type_name", GATES)
def test_input_dropout_is_kerass(type_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = {"type": type_name, "units": 4, "dropout": 0.4, "name": "rnn"}
    model, module = pair(Case(layer, (6, 3)))
    rng = np.random.default_rng(1)
    keep = ((rng.random((5, 3)) > 0.4) / 0.6).astype("float32")
    model.layers[-1].cell._dropout_mask = keep
    x = rng.standard_normal((5, 6, 3)).astype("float32")
    expected = np.asarray(model(x, training=True))
    mask = torch.tensor(keep)[:, :, None]
    monkeypatch.setattr(module.rnn_dropout, "forward", lambda x: x * mask)
    result = module.train()(torch.tensor(x)).detach().numpy()
    assert relative_error(expected, result) <= TOLERANCE


@pytest.mark.parametrize("type_name", GATES)
def test_input_dropout_stays_the_same_over_time(type_name: str) -> None:
    model = torch_model({"type": type_name, "units": 2, "dropout": 0.3, "name": "rnn"}, (7, 40))
    seen: list[torch.Tensor] = []
    model.rnn.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model.train()(torch.ones(50, 7, 40))
    (x,) = seen
    assert torch.equal(x, x[:, :1].expand_as(x))
    dropped = (x[:, 0] == 0).float().mean().item()
    # 2000 draws: four standard deviations.
    assert abs(dropped - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5
    assert torch.allclose(x[x != 0], torch.tensor(1 / 0.7))
    assert not torch.equal(x[0], x[1])


def test_recurrent_dropout_stays_the_same_over_time() -> None:
    """With an identity as recurrent kernel, what is dropped once stays dropped."""
    layer = {
        "type": "SimpleRNN",
        "units": 40,
        "activation": "linear",
        "recurrent_dropout": 0.3,
        "return_sequences": True,
        "name": "rnn",
    }
    model = torch_model(layer, (6, 1))
    with torch.no_grad():
        model.rnn.weight_ih.zero_()
        model.rnn.weight_hh.copy_(torch.eye(40))
        out, _ = model.train().rnn(torch.ones(50, 6, 1), torch.ones(50, 40))
    scale = (1 / 0.7) ** torch.arange(1, 7)
    kept = out[:, 0] != 0
    assert torch.allclose(out, kept[:, None] * scale[None, :, None])
    assert abs(kept.float().mean().item() - 0.7) < 4 * (0.3 * 0.7 / 2000) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(4, 3), (3, 5, 2), (3, 4, 5, 2)])
def test_statistics_are_taken_a_step_at_a_time(shape: tuple[int, ...]) -> None:
    layer = {
        "type": "TimeDistributed",
        "layer": {"type": "BatchNormalization", "name": "norm", "momentum": 0.6},
        "name": "steps",
    }
    model, module = pair(Case(layer, shape))
    x = np.random.default_rng(2).standard_normal((8, *shape)).astype("float32") * 3
    expected = np.asarray(model(x, training=True))
    given = np.moveaxis(x, -1, 1) if x.ndim > 3 else x
    result = module.train()(torch.tensor(np.ascontiguousarray(given))).detach().numpy()
    moved = np.moveaxis(expected, -1, 1) if x.ndim > 3 else expected
    assert relative_error(moved, result) <= TOLERANCE
    mean = next(np.asarray(v) for v in model.weights if "moving_mean" in v.path)
    assert relative_error(mean, module.steps.running_mean.numpy()) <= TOLERANCE


def findings(layer: dict[str, Any], *shapes: tuple[int | None, ...]) -> list[str]:
    """Codes and texts of what the graph finds wrong."""
    from specfmt.graph.build import build
    from specfmt.spec.document import parse_document

    spec, problems = parse_document(Case(layer, shapes).document())
    if not problems:
        _, problems = build(spec)
    return [f"{d.code} {d.message}" for d in problems]


LSTM = {"type": "LSTM", "units": 4}


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (LSTM, [(4,)], "expected sequences of shape (batch, time, features)"),
        (LSTM, [(5, None)], "features of known size"),
        (LSTM | {"unroll": True}, [(None, 3)], "known number of steps"),
        (LSTM | {"stateful": True}, [(5, 3)], "known batch size"),
        (LSTM | {"inputs": ["in0", "in1"]}, [(5, 3), (4,)], "2 initial states of shape (batch, 4)"),
        (
            LSTM | {"inputs": {"sequences": "in0", "initial_state": ["in1", "in2"]}},
            [(5, 3), (4,), (3,)],
            "received (N, 4), (N, 3)",
        ),
        (LSTM | {"use_cudnn": "yes"}, [(5, 3)], "expected auto, true or false"),
        (
            {"type": "Bidirectional", "layer": LSTM | {"go_backwards": True}},
            [(5, 3)],
            "one layer with `go_backwards: true` and one without",
        ),
        (
            {
                "type": "Bidirectional",
                "layer": LSTM,
                "backward_layer": {"type": "GRU", "units": 3, "go_backwards": True},
            },
            [(5, 3)],
            "the same `units` in both directions",
        ),
        ({"type": "Bidirectional", "layer": {"type": "Dense", "units": 2}}, [(5, 3)], "Dense"),
        ({"type": "Bidirectional", "layer": LSTM, "merge_mode": "max"}, [(5, 3)], "sum, mul, ave"),
        (
            {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 2}},
            [(5,)],
            "at least three axes",
        ),
        (
            {"type": "TimeDistributed", "layer": LSTM | {"return_state": True}},
            [(4, 5, 3)],
            "a layer with one output, received 3 outputs",
        ),
    ],
)
def test_mistakes_are_found(
    layer: dict[str, Any], shapes: list[tuple[int | None, ...]], text: str
) -> None:
    (found,) = findings(layer, *shapes)
    assert text in found


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (
            {
                "type": "TimeDistributed",
                "layer": {"type": "GRU", "units": 2},
                "inputs": {"inputs": "in0", "mask": "in1"},
            },
            [(4, 5, 3), (4,)],
            "mask of shape (batch, time, steps)",
        ),
    ],
)
def test_what_pytorch_cannot_express(
    layer: dict[str, Any], shapes: list[tuple[int, ...]], text: str
) -> None:
    with pytest.raises(SpecError) as error:
        lower_graph(build_graph(Case(layer, shapes).document()), Options())
    (finding,) = error.value.diagnostics
    assert finding.code == "SF301"
    assert text in finding.message
    assert finding.hint


def test_counts_of_multiplications() -> None:
    graph = build_graph(Case({"type": "Bidirectional", "layer": LSTM}, (5, 3)).document())
    assert graph.macs == 2 * 5 * 4 * 4 * (3 + 4)
    gru = {"type": "TimeDistributed", "layer": {"type": "GRU", "units": 2}}
    assert build_graph(Case(gru, (6, 5, 3)).document()).macs == 6 * 5 * 3 * 2 * (3 + 2)
