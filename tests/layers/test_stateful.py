"""Recurrent layers that keep their states from one batch to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.layers.test_recurrent import pair
from tests.tools.harness import TOLERANCE, Case, as_list, channels_first, relative_error

KEPT = {"stateful": True}
BOTH = {"return_sequences": True, "return_state": True}
CELLS = [{"type": "LSTMCell", "units": 3}, {"type": "GRUCell", "units": 2}]
IDS = {"type": "Embedding", "input_dim": 5, "output_dim": 3, "mask_zero": True}


def rnn(kind: str, **options: Any) -> dict[str, Any]:
    return {"type": kind, "units": 3, **KEPT, **options}


def ways(layer: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"type": "Bidirectional", "layer": layer, **options}


def inner(*layers: dict[str, Any]) -> dict[str, Any]:
    inputs = {"x": {"shape": [4, 3], "batch_size": 2}}
    return {"type": "Model", "name": "inner", "inputs": inputs, "layers": list(layers)}


def steps(layer: dict[str, Any]) -> list[dict[str, Any]]:
    """A layer that is called for each of two time steps."""
    return [
        {"type": "Reshape", "target_shape": [2, 2, 3]},
        {"type": "TimeDistributed", "layer": layer},
    ]


ROWS = [{"type": "Reshape", "target_shape": [2, 2]}, IDS]
"""Ids whose mask has a value for each inner step."""

MODELS: dict[str, list[dict[str, Any]]] = {
    "lstm": [rnn("LSTM")],
    "gru": [rnn("GRU", **BOTH)],
    "gru-before": [rnn("GRU", reset_after=False, **BOTH)],
    "simple": [rnn("SimpleRNN", go_backwards=True)],
    "elu": [rnn("LSTM", activation="elu", **BOTH)],
    "unrolled": [rnn("LSTM", unroll=True, return_sequences=True)],
    "dropout": [rnn("LSTM", recurrent_dropout=0.2)],
    "both-ways": [ways(rnn("LSTM", return_sequences=True))],
    "both-ways-last": [ways(rnn("GRU"), merge_mode="sum")],
    "both-ways-apart": [ways(rnn("GRU", reset_after=False, return_sequences=True))],
    "differing": [ways(rnn("LSTM"), backward_layer=rnn("GRU", go_backwards=True))],
    "cells": [{"type": "RNN", "cell": CELLS[0], **KEPT, "return_sequences": True}],
    "cells-both-ways": [ways({"type": "RNN", "cell": CELLS[1], **KEPT})],
    "twice": [rnn("LSTM", return_sequences=True), rnn("GRU")],
    "nested": [inner(rnn("LSTM", **BOTH))],
    "masked": [IDS, rnn("LSTM", **BOTH)],
    "masked-apart": [IDS, rnn("GRU", reset_after=False), {"type": "Dense", "units": 2}],
    "masked-both-ways": [IDS, ways(rnn("LSTM"))],
    "images": [
        {"type": "Reshape", "target_shape": [4, 3, 1]},
        {"type": "ConvLSTM1D", "filters": 2, "kernel_size": 2, **KEPT, **BOTH},
    ],
    "images-masked": [
        {"op": "not_equal", "inputs": ["in0", 0]},
        IDS | {"inputs": "in0"},
        {"type": "Reshape", "target_shape": [4, 3, 1]},
        {
            "type": "ConvLSTM1D",
            "filters": 2,
            "kernel_size": 2,
            "unroll": True,
            "go_backwards": True,
            "zero_output_for_mask": True,
            "inputs": {"sequences": "reshape", "mask": "not_equal"},
            **KEPT,
            **BOTH,
        },
    ],
    "steps": steps(rnn("LSTM")),
    "steps-sequences": steps(rnn("GRU", reset_after=False, return_sequences=True)),
    "steps-backwards": steps(rnn("SimpleRNN", go_backwards=True, unroll=True)),
    "steps-both-ways": steps(ways(rnn("LSTM"))),
    "steps-both-ways-apart": steps(ways(rnn("LSTM", return_sequences=True, activation="elu"))),
    "steps-cells": steps({"type": "RNN", "cell": CELLS[0], **KEPT}),
    "steps-model": steps(
        inner(rnn("LSTM"), {"type": "Dense", "units": 2})
        | {"inputs": {"x": {"shape": [2, 3], "batch_size": 2}}}
    ),
    "steps-of-steps": [
        {"type": "Reshape", "target_shape": [2, 2, 3, 1]},
        {"type": "TimeDistributed", "layer": steps(rnn("LSTM"))[1]},
    ],
    "steps-images": [
        {"type": "Reshape", "target_shape": [2, 2, 3, 1]},
        {
            "type": "TimeDistributed",
            "layer": {"type": "ConvLSTM1D", "filters": 2, "kernel_size": 2, **KEPT},
        },
    ],
    "steps-twice": [
        *steps(rnn("LSTM", return_sequences=True)),
        {"reuse": "time_distributed", "name": "again"},
    ],
    "steps-masked": [*ROWS, steps(rnn("LSTM"))[1]],
    "steps-masked-apart": [
        *ROWS,
        steps(rnn("GRU", activation="elu", return_sequences=True))[1],
    ],
    "steps-masked-model": [
        *ROWS,
        steps(
            inner(rnn("LSTM"), {"type": "Dense", "units": 2})
            | {"inputs": {"x": {"shape": [2, 3], "batch_size": 2}}}
        )[1],
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_states_are_kept_between_calls(name: str) -> None:
    layers = MODELS[name]
    ids = any(layer.get("type") == "Embedding" for layer in layers)
    shape = [4] if ids else [4, 3]
    source = {"shape": shape, "batch_size": 2} | ({"dtype": "int32"} if ids else {})
    case = Case(layers, extra={"inputs": {"in0": source}})
    check_calls(case, (2, *shape), trains="dropout" not in name)


def check_calls(case: Case, shape: tuple[int, ...], *, trains: bool = True) -> None:
    """Compare four batches in a row; sequences of rank 2 are ids, of which 0 is masked."""
    import torch

    model, module = pair(case)
    rng = np.random.default_rng(3)
    seen = []
    for call in range(4):
        if len(shape) == 2:
            x = rng.integers(0, 3, shape).astype("int32")
            x[0] *= call != 1  # a sequence without any step
        else:
            x = rng.standard_normal(shape).astype("float32")
        if call == 3:
            for layer in model._flatten_layers():
                if getattr(layer, "stateful", False) and hasattr(layer, "states"):
                    layer.reset_state()
            module.reset_state()
        training = call == 1 and trains
        expected = as_list(model(x, training=training))
        results = as_list(module.train(training)(torch.tensor(channels_first(x, stays=False))))
        for y, result in zip(expected, results, strict=True):
            result.sum().backward(retain_graph=True)
            wanted = channels_first(np.asarray(y), stays=False)
            error = relative_error(wanted, result.detach().numpy())
            assert error <= TOLERANCE, (call, error)
        seen.append(results[0].detach())
    assert not module.state_dict().keys() & dict(module.named_buffers()).keys()
    with pytest.raises(RuntimeError):  # a batch of another size
        module(torch.tensor(channels_first(np.concatenate([x, x]), stays=False)))


REUSED = """
specfmt: 1
inputs: {x: {shape: [4, 3], batch_size: 2}}
layers:
- {type: LSTM, name: scan, units: 3, stateful: true, return_sequences: true}
- {reuse: scan, inputs: x, name: again}
- {type: Dense, name: dense, units: 3, inputs: %s, activation: relu}
- {type: Dense, name: top, units: 3}
outputs: [%s, top]
"""


SHARED = {
    "in-order": REUSED % ("scan", "again"),
    "reversed": REUSED % ("again", "scan"),
    "steps": REUSED.replace("[4, 3]", "[2, 4, 3]").replace(
        "{type: LSTM, name: scan, units: 3, stateful: true, return_sequences: true}",
        "{type: TimeDistributed, name: scan, layer: {type: LSTM, units: 3, stateful: true}}",
    )
    % ("again", "scan"),
    "three": """
specfmt: 1
inputs: {x: {shape: [4, 3], batch_size: 2}}
layers:
- {type: GRU, name: scan, units: 3, stateful: true, return_sequences: true}
- {type: Dense, name: dense, units: 3}
- {reuse: scan, inputs: x, name: second}
- {reuse: scan, inputs: dense, name: third}
- {type: Add, inputs: [scan, third]}
outputs: [second, add]
""",
    "nested": """
specfmt: 1
inputs: {x: {shape: [4, 3], batch_size: 2}}
layers:
- {type: Model, name: scan, inputs: {y: {shape: [4, 3], batch_size: 2}},
   layers: [{type: LSTM, units: 3, stateful: true, return_sequences: true}]}
- {reuse: scan, inputs: x, name: again}
- {type: Dense, name: dense, units: 3, inputs: again}
- {type: Dense, name: top, units: 3}
outputs: [scan, top]
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_shared_states_change_in_the_order_of_keras(name: str) -> None:
    from specfmt.text.yaml_reading import Source, read_yaml

    document: Any = read_yaml(Source(SHARED[name], ""))
    (source,) = document["inputs"].values()
    check_calls(Case([], extra=document), (2, *source["shape"]))


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_what_a_stateful_layer_cannot_be_in(layer: str) -> None:
    import specfmt

    inner = f"layer: {{type: {layer}, units: 3, stateful: true, return_state: true}}"
    start = "specfmt: 1\ninputs: {x: {shape: [4, 3], batch_size: 2}}\nlayers: "
    (finding,) = specfmt.check(f"{start}[{{type: Bidirectional, {inner}}}]")
    assert "Keras 3.15" in finding.message


def test_a_layer_that_keeps_its_state_needs_a_batch_size() -> None:
    import specfmt

    text = "specfmt: 1\ninputs: {x: {shape: [5, 4]}}\nlayers: [{type: LSTM, units: 3, stateful: true}]\n"
    (finding,) = specfmt.check(text)
    assert finding.code == "SF204" or "batch size" in finding.message
    assert "stateful" in finding.pointer
