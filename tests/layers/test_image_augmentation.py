"""Layers that change images at random in training: the same draws, pixels and statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tools.same_draws import both, keras_layer, torch_module

FIRST = {"data_format": "channels_first"}
UNIT = {"value_range": [0, 1]}

COLORS: list[tuple[str, dict[str, Any]]] = [
    ("RandomSaturation", {"factor": 0.4}),
    ("RandomSaturation", {"factor": [0.4, 0.9], **UNIT}),
    ("RandomSaturation", {"factor": [0.1, 0.6], **UNIT, **FIRST}),
    ("RandomHue", {"factor": 0.8}),
    ("RandomHue", {"factor": [0.3, 1.0], **UNIT}),
    ("RandomHue", {"factor": 0.3, **UNIT, **FIRST}),
    ("RandomSharpness", {"factor": 1.0}),
    ("RandomSharpness", {"factor": [0.2, 0.7], **UNIT, **FIRST}),
    ("RandomColorJitter", {"brightness_factor": 0.3, "contrast_factor": 0.4}),
    ("RandomColorJitter", {"saturation_factor": 0.3, "hue_factor": [0.1, 0.4], **UNIT}),
    ("RandomColorDegeneration", {"factor": 0.7}),
    ("RandomColorDegeneration", {"factor": [0.2, 1.0], **UNIT, **FIRST}),
    ("RandomGrayscale", {}),
    ("RandomGrayscale", {"factor": 0.7, **FIRST}),
    ("RandomInvert", {}),
    ("RandomInvert", {"factor": [0.6, 0.9], **UNIT}),
    ("RandomPosterization", {"factor": 6}),
    ("RandomPosterization", {"factor": [2, 5], **UNIT}),
    ("RandomPosterization", {"factor": [3, 3], **FIRST}),
    ("Solarization", {}),
    ("Solarization", {"addition_factor": 0.4, "threshold_factor": [0.2, 0.8]}),
    ("Solarization", {"addition_factor": [0.1, 0.4], "threshold_factor": 0.6, **UNIT}),
]


def images(fields: dict[str, Any], count: int = 6, seed: int = 0) -> np.ndarray:
    """Images in the range and the layout that a layer expects."""
    shape = (3, 9, 7) if fields.get("data_format") == "channels_first" else (9, 7, 3)
    high = fields.get("value_range", [0, 255])[1]
    return (np.random.default_rng(seed).random((count, *shape)) * high).astype("float32")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fields"), COLORS, ids=str)
def test_the_same_draws_give_the_same_pixels(
    name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = images(fields)
    expected, result = both({"type": name, **fields}, x, monkeypatch)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(result / scale, expected / scale, atol=1e-5)
    assert not np.allclose(result, x)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fields"), COLORS, ids=str)
def test_statistics_of_independent_draws(name: str, fields: dict[str, Any]) -> None:
    """Mean and spread of each pixel over many draws, within six standard errors."""
    import torch

    count = 1500
    x = np.repeat(images(fields, 1), count, axis=0)
    expected = np.asarray(keras_layer({"type": name, "seed": 3, **fields})(x, training=True))
    first = fields.get("data_format") == "channels_first"
    module = torch_module({"type": name, **fields}, x.shape[1:])
    torch.manual_seed(0)
    y = module.train()(torch.from_numpy((x if first else np.moveaxis(x, -1, 1)).copy())).numpy()
    result = y if first else np.moveaxis(y, 1, -1)
    spread = np.maximum(expected.std(axis=0), result.std(axis=0)) + 1e-4
    error = np.abs(result.mean(axis=0) - expected.mean(axis=0)) / (spread * (2 / count) ** 0.5)
    assert error.max() < 6
    # Where a change is rare, its spread is not known well from so few draws.
    usual = np.maximum(spread, spread.max() / 20)
    np.testing.assert_allclose(result.std(axis=0) / usual, expected.std(axis=0) / usual, atol=0.2)
