"""Convolutional LSTMs in training, what they refuse, and how the generated file holds them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from specfmt.diagnostics import SpecError
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.program import Options
from tests.layers.test_recurrent import findings, pair, torch_model
from tests.tools.harness import TOLERANCE, Case, build_graph, channels_first, relative_error

CONV = {"type": "ConvLSTM2D", "filters": 3, "kernel_size": 3}
SIZES: dict[int, tuple[int, ...]] = {1: (4, 6), 2: (4, 5, 6), 3: (3, 4, 3, 5)}


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_dropout_is_kerass(rank: int, data_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same dropout masks, training mode gives the same numbers."""
    layer = {
        "type": f"ConvLSTM{rank}D",
        "filters": 3,
        "kernel_size": 2,
        "strides": 2,
        "padding": "same",
        "return_sequences": True,
        "dropout": 0.4,
        "recurrent_dropout": 0.3,
        "data_format": data_format,
    }
    first = data_format == "channels_first"
    time, *places = SIZES[rank]
    shape = (time, 2, *places) if first else (time, *places, 2)
    model, module = pair(Case(layer, shape))
    rng = np.random.default_rng(0)
    step = (4, 5, *shape[1:])
    state = (4, 5, *model.output_shape[2:])
    keep_x = ((rng.random(step) > 0.4) / 0.6).astype("float32")
    keep_h = ((rng.random(state) > 0.3) / 0.7).astype("float32")
    cell = model.layers[-1].cell
    cell._dropout_mask = list(keep_x)
    cell._recurrent_dropout_mask = list(keep_h)
    x = rng.standard_normal((5, *shape)).astype("float32")
    expected = np.asarray(model(x, training=True))

    drawn = [a if first else np.moveaxis(a, -1, 2).copy() for a in (keep_x, keep_h)]

    def dropout(ones: torch.Tensor, rate: float) -> torch.Tensor:
        mask = drawn.pop(0)
        assert rate == (0.4 if drawn else 0.3)
        # The zeros that pad the end of the input get a mask too, which changes nothing.
        ones[tuple(slice(size) for size in mask.shape)] = torch.tensor(mask)
        return ones

    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
    given = np.ascontiguousarray(channels_first(x, first))
    result = module.train()(torch.tensor(given)).detach().numpy()
    assert not drawn
    assert relative_error(channels_first(expected, first), result) <= TOLERANCE


def test_masks_stay_the_same_over_time() -> None:
    """Each gate of each sample drops elements of its own, the same ones at every step."""
    layer = CONV | {"kernel_size": 1, "dropout": 0.3, "name": "film"}
    model = torch_model(layer, (3, 20, 20, 1))
    with torch.no_grad():
        model.film.input_conv.weight.fill_(1)
        model.film.input_conv.bias.zero_()
    seen: list[torch.Tensor] = []
    model.film.state_conv.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    gates: list[torch.Tensor] = []
    model.film.activation = lambda x: gates.append(x) or x
    model.train()(torch.ones(4, 1, 3, 20, 20))
    kept = gates[0][:, 0]  # the cell's gate at the first step, before any state
    dropped = (kept == 0).float().mean().item()
    assert abs(dropped - 0.3) < 4 * (0.3 * 0.7 / kept.numel()) ** 0.5
    assert torch.allclose(kept[kept != 0], torch.tensor(1 / 0.7))
    assert not torch.equal(kept[0], kept[1])
    with torch.no_grad():
        model.film.state_conv.weight.zero_()
    gates.clear()
    model(torch.ones(4, 1, 3, 20, 20))
    assert torch.equal(gates[0], gates[2])
    assert torch.equal(gates[2], gates[4])
    model.eval()
    gates.clear()
    model(torch.ones(4, 1, 3, 20, 20))
    assert (gates[0] == 1).all()


EDGES = {"sequences": "in0", "mask": "in1"}
FILM = (4, 5, 6, 2)


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (CONV, [(5, 6, 2)], "expected 5 axes (batch, time, height, width, channels), received 4"),
        (CONV | {"data_format": "channels_first"}, [(5, 2)], "(batch, time, channels, height"),
        (CONV, [(4, None, 6, 2)], "spatial axes of known size"),
        (CONV, [(4, 5, 6, None)], "a known number of channels"),
        (CONV, [(4, 2, 6, 2)], "an input that a window of 3 x 3 fits into"),
        (CONV | {"strides": 2, "dilation_rate": 2}, [FILM], "strides or dilation_rate to be 1"),
        (CONV | {"unroll": True}, [(None, 5, 6, 2)], "a known number of steps to unroll"),
        (CONV | {"stateful": True}, [FILM], "a known batch size"),
        (
            CONV | {"inputs": ["in0", "in1"]},
            [FILM, (3, 4, 3)],
            "expected 2 initial states of shape (batch, 3, 4, 3), received (N, 3, 4, 3)",
        ),
        (CONV | {"inputs": ["in0", "in1", "in1"]}, [FILM, (3, 3, 4)], "received (N, 3, 3, 4), (N"),
        (CONV | {"inputs": EDGES}, [FILM, (4, 5, 6)], "received shape (N, 4, 5, 6)"),
        (
            CONV | {"inputs": EDGES, "padding": "same", "unroll": True},
            [FILM, (4, 5, 6)],
            "as the layer is unrolled",
        ),
        (CONV | {"inputs": EDGES}, [FILM, ()], "expected a mask of shape (batch, time)"),
        (
            {
                "type": "Bidirectional",
                "layer": CONV,
                "backward_layer": CONV | {"filters": 2, "go_backwards": True},
            },
            [FILM],
            "the same `filters` in both directions",
        ),
        (
            {
                "type": "Bidirectional",
                "layer": CONV,
                "backward_layer": CONV | {"kernel_size": 2, "go_backwards": True},
            },
            [FILM],
            "expected outputs of the same shape in both directions, "
            "received (N, 3, 4, 3) forwards and (N, 4, 5, 3) backwards",
        ),
        (
            {
                "type": "Bidirectional",
                "layer": CONV,
                "backward_layer": {"type": "LSTM", "units": 3, "go_backwards": True},
            },
            [FILM],
            "both layers to have `filters`, received ConvLSTM2D forwards and LSTM backwards",
        ),
    ],
)
def test_mistakes_are_found(
    layer: dict[str, Any], shapes: list[tuple[int | None, ...]], text: str
) -> None:
    (found,) = findings(layer, *shapes)
    assert text in found


@pytest.mark.parametrize(
    ("layers", "shapes", "text"),
    [
        # Keras attaches a mask of places, which fits no step of another size.
        ([{"type": "Masking"}, CONV], [FILM], "broadcasts to steps of shape (3, 4, 3)"),
        (
            [{"type": "Masking"}, CONV | {"padding": "same", "unroll": True}],
            [FILM],
            "broadcasts to steps",
        ),
        (
            {
                "type": "TimeDistributed",
                "layer": CONV,
                "inputs": {"inputs": "in0", "mask": "in1"},
            },
            [(3, *FILM), (3,)],
            "mask of shape (batch, time, steps)",
        ),
    ],
)
def test_what_pytorch_cannot_express(layers: Any, shapes: list[Any], text: str) -> None:
    with pytest.raises(SpecError) as error:
        lower_graph(build_graph(Case(layers, shapes).document()), Options())
    (finding,) = error.value.diagnostics
    assert finding.code == "SF301"
    assert text in finding.message
    assert finding.hint


def test_counts_of_multiplications() -> None:
    graph = build_graph(Case(CONV | {"strides": [1, 2]}, FILM).document())
    assert graph.macs == 4 * (3 * 2) * 9 * (2 + 3) * 4 * 3
    both = {"type": "Bidirectional", "layer": CONV}
    assert build_graph(Case(both, FILM).document()).macs == 2 * 4 * (3 * 4) * 9 * (2 + 3) * 4 * 3


@pytest.mark.slow
def test_a_film_classifier_verifies() -> None:
    """Outputs, gradients and a training step of all these layers, in the scripts' own flavor."""
    import specfmt

    document = {
        "specfmt": 1,
        "name": "film",
        "inputs": {"clip": {"shape": [4, 8, 7, 2]}},
        "layers": [
            CONV | {"padding": "same", "return_sequences": True, "dropout": 0.1},
            {"type": "BatchNormalization"},
            {"type": "SpatialDropout3D", "rate": 0.2},
            {
                "type": "Bidirectional",
                "layer": CONV
                | {"strides": 2, "recurrent_activation": {"type": "hard_sigmoid", "slope": 0.2}},
            },
            {"type": "Flatten"},
            {"type": "ActivityRegularization", "l2": 0.01},
            {"type": "AlphaDropout", "rate": 0.1},
            {"type": "Dense", "units": 3, "activation": "softmax"},
        ],
    }
    report = specfmt.verify(specfmt.loads(json.dumps(document)))
    assert report.ok, report.to_data()
    for step in (report.step, report.training):
        assert step is not None
        assert len(step.gradients) == 13
        assert not step.exact
