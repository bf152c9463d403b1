"""Layers that change images at random in training: the same draws, pixels and statistics."""

from __future__ import annotations

import json
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
    ("RandomSaturation", {"factor": [-0.5, 0.2]}),
    ("RandomHue", {"factor": 0.8}),
    ("RandomHue", {"factor": [0.5, 1.5]}),
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

FILLS = ("reflect", "wrap", "constant", "nearest")

DISTORTIONS: list[tuple[str, dict[str, Any]]] = [
    ("RandomCrop", {"height": 5, "width": 4}),
    ("RandomCrop", {"height": 9, "width": 4}),
    ("RandomCrop", {"height": 4, "width": 12}),
    ("RandomCrop", {"height": 12, "width": 10}),
    ("RandomCrop", {"height": 3, "width": 2, **FIRST}),
    *(
        ("RandomShear", {"x_factor": 0.8, "y_factor": [0.2, 0.9], "fill_mode": fill})
        for fill in FILLS
    ),
    ("RandomShear", {"x_factor": [0.1, 0.6], "interpolation": "nearest", **FIRST}),
    ("RandomPerspective", {}),
    ("RandomPerspective", {"factor": [0.6, 0.9], "scale": 0.5, "fill_value": 30.0}),
    ("RandomPerspective", {"interpolation": "nearest", **FIRST}),
    ("RandomErasing", {}),
    ("RandomErasing", {"factor": [0.8, 0.9], "scale": 0.6, "fill_value": 0.7, **UNIT}),
    ("RandomErasing", {"fill_value": [10, 300, 40]}),
    ("RandomErasing", {"scale": [0.3, 0.5], **UNIT, **FIRST}),
    ("RandomGaussianBlur", {}),
    ("RandomGaussianBlur", {"factor": [0.7, 1.0], "kernel_size": [3, 7], "sigma": [0.4, 0.9]}),
    ("RandomGaussianBlur", {"kernel_size": 5, **UNIT, **FIRST}),
    ("RandomGaussianBlur", {"kernel_size": 5, "sigma": [0.5, 2.0]}),
    *(
        ("RandomElasticTransform", {"scale": [0.7, 1.0], "fill_mode": fill, "fill_value": 0.3})
        for fill in FILLS
    ),
    ("RandomElasticTransform", {"interpolation": "nearest", "scale": [0.8, 1.0], **UNIT}),
    ("RandomElasticTransform", {"factor": [0.8, 1.0], "scale": [0.8, 1.0], **FIRST}),
]
ONE_DRAW_A_BATCH = {"RandomCrop", "RandomGaussianBlur", "RandomElasticTransform"}
"""Layers that draw numbers for a whole batch."""

MIXTURES: list[tuple[str, dict[str, Any]]] = [
    ("CutMix", {}),
    ("CutMix", {"factor": [0.3, 0.8], **FIRST}),
    ("MixUp", {}),
    ("MixUp", {"alpha": 0.7, **FIRST}),
    *(("RandAugment", {"num_ops": count}) for count in (1, 2, 3, 5)),
    ("RandAugment", {"num_ops": 4, "factor": [0.2, 0.3], **UNIT, "interpolation": "nearest"}),
    ("AugMix", {}),
    ("AugMix", {"num_chains": 4, "chain_depth": 2, "factor": 0.9, "alpha": 0.6, **UNIT}),
    ("AugMix", {"all_ops": False, "factor": [0.3, 0.6], "interpolation": "nearest"}),
    ("Pipeline", {"layers": [{"type": "Equalization"}]}),
    ("Pipeline", {"layers": [{"type": "Equalization", "bins": 64}, {"type": "RandomFlip"}]}),
    ("Pipeline", {"layers": [{"type": "Equalization", "value_range": [0, 300], **FIRST}]}),
]

SLOW = [case for case in DISTORTIONS if "Elastic" in case[0]][1:]
"""Cases of which Keras takes a second for ten images."""

CHANGES = [*COLORS, *DISTORTIONS, *MIXTURES]


def images(name: str, fields: dict[str, Any], count: int = 6) -> np.ndarray:
    """Images in the range and the layout that a layer expects."""
    # The noise of an elastic change is blurred in large images only.
    height, width = (48, 41) if name == "RandomElasticTransform" else (9, 8)
    first = fields.get("data_format") == "channels_first"
    shape = (3, height, width) if first else (height, width, 3)
    high = fields.get("value_range", [0, 255])[1]
    return (np.random.default_rng(0).random((count, *shape)) * high).astype("float32")


@pytest.mark.slow
def test_an_output_is_not_called_like_a_function() -> None:
    """A layer without a name has that of the function that computes it."""
    import torch

    import specfmt
    from tests.tools.harness import execute

    layers = [{"type": "RandomFlip"}, {"type": "RandomPosterization", "factor": 3}]
    document = {"specfmt": 1, "inputs": {"image": {"shape": [4, 5, 3]}}, "layers": layers}
    document["outputs"] = ["random_flip", "random_posterization"]
    module = execute(specfmt.generate(specfmt.loads(json.dumps(document)), "torch"))
    flipped, _ = module.eval()(x := torch.ones(2, 3, 4, 5))
    assert torch.equal(flipped, x)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fields"), CHANGES, ids=str)
def test_the_same_draws_give_the_same_pixels(
    name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = images(name, fields)
    expected, result = both({"type": name, **fields}, x, monkeypatch)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(result / scale, expected / scale, atol=1e-5)
    assert result.shape != x.shape or not np.allclose(result, x)


def many_calls(
    name: str, fields: dict[str, Any], x: np.ndarray, calls: int
) -> tuple[np.ndarray, np.ndarray]:
    """What Keras and PyTorch make of images in many calls, each with draws of its own."""
    import keras
    import torch

    keras.utils.set_random_seed(3)  # layers inside some layers draw without the seed
    layer = keras_layer({"type": name, "seed": 3, **fields})
    theirs = [np.asarray(layer(x, training=True)) for _ in range(calls)]
    first = fields.get("data_format") == "channels_first"
    module = torch_module({"type": name, **fields}, x.shape[1:]).train()
    torch.manual_seed(0)
    given = torch.from_numpy((x if first else np.moveaxis(x, -1, 1)).copy())
    y = np.stack([module(given).numpy() for _ in range(calls)])
    return np.stack(theirs), y if first else np.moveaxis(y, 2, -1)


def check_statistics(expected: np.ndarray, result: np.ndarray) -> None:
    """The mean of each pixel over all draws (axis 0) within six standard errors; the spread."""
    ours, theirs = result.std(axis=0), expected.std(axis=0)
    error = np.abs(result.mean(axis=0) - expected.mean(axis=0))
    bound = 6 * (2 / len(result)) ** 0.5
    assert (error <= bound * np.maximum(ours, theirs) + 1e-4 * np.abs(expected).max()).all()
    np.testing.assert_allclose((ours**2).mean(), (theirs**2).mean(), rtol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fields"), [*COLORS, *(case for case in DISTORTIONS if case not in SLOW)], ids=str
)
def test_statistics_of_independent_draws(name: str, fields: dict[str, Any]) -> None:
    x = images(name, fields, 1)
    if name in ONE_DRAW_A_BATCH:
        calls = 100 if "Elastic" in name else 400
    else:
        calls, x = 1, np.repeat(x, 1500, axis=0)
    expected, result = (y.reshape(-1, *y.shape[2:]) for y in many_calls(name, fields, x, calls))
    check_statistics(expected, result)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "calls"), [("CutMix", 500), ("MixUp", 500), ("RandAugment", 150), ("AugMix", 150)]
)
def test_statistics_of_mixtures(name: str, calls: int) -> None:
    """Over many batches of the same four images."""
    check_statistics(*many_calls(name, {}, images(name, {}, 4), calls))
