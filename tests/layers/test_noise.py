"""Dropout and noise in training mode: PyTorch's statistics against Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tools.harness import Case, build_graph, channels_first, execute

SHAPE = (12, 10, 16)
BATCH = 64

CASES = {
    "Dropout": ({"rate": 0.3}, SHAPE, None),
    "Dropout-all": ({"rate": 1.0}, SHAPE, None),
    "Dropout-shared": ({"rate": 0.4, "noise_shape": [None, 1, 1, 16]}, SHAPE, (1, 2)),
    "Dropout-shared-batch": ({"rate": 0.4, "noise_shape": [1, None, None, 16]}, SHAPE, (0,)),
    "SpatialDropout1D": ({"rate": 0.25}, (40, 48), (1,)),
    "SpatialDropout2D": ({"rate": 0.25}, SHAPE, (1, 2)),
    "SpatialDropout2D-first": (
        {"rate": 0.25, "data_format": "channels_first"},
        (16, 12, 10),
        (2, 3),
    ),
    "SpatialDropout3D": ({"rate": 0.25}, (3, 4, 5, 24), (1, 2, 3)),
    "SpatialDropout3D-first": (
        {"rate": 0.25, "data_format": "channels_first"},
        (24, 3, 4, 5),
        (2, 3, 4),
    ),
    "AlphaDropout": ({"rate": 0.3}, SHAPE, None),
    "AlphaDropout-shared": ({"rate": 0.4, "noise_shape": [None, 1, 1, 16]}, SHAPE, (1, 2)),
    "AlphaDropout-shared-batch": ({"rate": 0.2, "noise_shape": [1, None, None, 16]}, SHAPE, (0,)),
    "GaussianNoise": ({"stddev": 0.7}, SHAPE, None),
    "GaussianDropout": ({"rate": 0.2}, SHAPE, None),
}


def outputs(options: dict[str, Any], kind: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The training-mode outputs for ones, of Keras and of PyTorch, in Keras's order."""
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target

    graph = build_graph(Case({"type": kind, "seed": 1, **options}, shape).document())
    x = np.ones((BATCH, *shape), "float32")
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    theirs = np.asarray(model(x, training=True))
    torch.manual_seed(0)
    module = execute(torch_target.generate_model(graph, style="subclass"))
    module.train()
    first = options.get("data_format") == "channels_first"
    ours = module(torch.tensor(channels_first(x, first).copy())).numpy()
    module.eval()
    same = module(torch.tensor(channels_first(x, first).copy())).numpy()
    assert (same == 1).all()
    return theirs, ours if first or ours.ndim < 4 else np.moveaxis(ours, 1, -1)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_training_statistics(name: str) -> None:
    """Mean, spread, values, fraction of zeros, and along which axes decisions are shared.

    Bounds are six standard errors of the number of independent draws.
    """
    options, shape, shared = CASES[name]
    theirs, ours = outputs(options, name.partition("-")[0], shape)
    assert ours.shape == theirs.shape
    draws = theirs.size
    for array in (theirs, ours):
        if shared is None:
            if not {options.get("rate")} & {1.0}:
                assert any(np.ptp(array, axis=k).max() > 0 for k in range(array.ndim))
        else:
            assert np.ptp(array, axis=shared).max() == 0, "decisions are shared along these axes"
            free = tuple(k for k in range(array.ndim) if k not in shared)
            assert all(np.ptp(array, axis=k).max() > 0 for k in free)
    if shared is not None:
        draws //= int(np.prod([theirs.shape[k] for k in shared]))
    bound = 6 / np.sqrt(draws)
    if name.startswith(("Dropout", "Spatial", "Alpha")):
        np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-6)
        lowest = np.unique(theirs)[0]
        assert abs(np.isclose(ours, lowest).mean() - np.isclose(theirs, lowest).mean()) <= bound
    spread = theirs.std()
    assert abs(ours.mean() - theirs.mean()) <= bound * max(spread, 1e-6)
    assert abs(ours.std() - spread) <= bound * max(spread, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("noise_shape", [None, [None, 1, None]])
def test_alpha_dropout_keeps_mean_and_variance(noise_shape: list[int | None] | None) -> None:
    """Of what SELU gives; and what is kept or dropped gets the values that Keras gives it."""
    import torch

    from specfmt.targets import torch as torch_target

    layer = {"type": "AlphaDropout", "rate": 0.2, "noise_shape": noise_shape}
    graph = build_graph(Case(layer, (40, 50)).document())
    module = execute(torch_target.generate_model(graph, style="subclass"))
    torch.manual_seed(0)
    x = torch.randn(100, 40, 50)
    y = module.train()(x)
    draws = y.numel() if noise_shape is None else y.numel() // 40
    assert abs(y.mean().item()) <= 6 / draws**0.5
    assert abs(y.std().item() - 1) <= 6 / draws**0.5
    # keras/src/layers/regularization/alpha_dropout.py
    lowest = -1.6732632423543772 * 1.0507009873554805
    a = (0.8 * (1 + 0.2 * lowest**2)) ** -0.5
    b = -a * lowest * 0.2
    dropped = torch.isclose(y, torch.tensor(a * lowest + b))
    torch.testing.assert_close(y[~dropped], a * x[~dropped] + b)
    assert abs(dropped.float().mean().item() - 0.2) <= 6 * (0.16 / draws) ** 0.5
    if noise_shape is not None:
        assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))


@pytest.mark.slow
def test_the_mode_of_the_model_decides() -> None:
    """A fixed `training` of a call has no effect, as in Keras's `fit` and `predict`."""
    import torch

    from specfmt.targets import torch as torch_target

    layers: list[tuple[str, dict[str, Any]]] = [
        ("Dropout", {"rate": 0.5}),
        ("GaussianNoise", {"stddev": 0.5}),
        ("AlphaDropout", {"rate": 0.5}),
        ("AlphaDropout", {"rate": 0.5, "noise_shape": [None, 1]}),
    ]
    for kind, options in layers:
        for flag in (True, False):
            edges = {"inputs": "in0", "training": flag}
            graph = build_graph(Case({"type": kind, **options, "inputs": edges}, (50,)).document())
            module = execute(torch_target.generate_model(graph, style="subclass"))
            x = torch.ones(20, 50)
            for trains in (True, False):
                module.train(trains)
                assert bool((module(x) == x).all()) is not trains
