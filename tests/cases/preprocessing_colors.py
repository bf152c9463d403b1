"""Cases of the layers that change the colors of images; random ones at inference."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.tools.harness import Case

SHAPE = (7, 6, 3)
FIRST = {"data_format": "channels_first"}
CONV = {"type": "Conv2D", "filters": 2, "kernel_size": 3}
UNIT = {"value_range": [0, 1]}
CLAHE = {"type": "ContrastLimitedAdaptiveHistogramEqualization"}


def pixels(*shape: int, high: float = 255, seed: int = 0) -> tuple[Any, ...]:
    """Images with values from 0 to ``high``; the first channel of the first one has one color."""
    x = np.random.default_rng(seed).random((3, *shape)) * high
    x[0, ..., 0] = high / 5
    return (x.astype("float32"),)


def bytes_(entry: Any, shape: tuple[int, ...] = SHAPE) -> Case:
    """A case of images of bytes."""
    return Case(entry, shape, dtypes=("uint8",), high=255)


CASES = [
    Case({"type": "RandomSaturation", "factor": 0.3}, SHAPE),
    Case({"type": "RandomSaturation", "factor": [0.4, 0.7]} | FIRST, (3, 7, 6)),
    Case({"type": "RandomHue", "factor": 0.3}, SHAPE),
    Case({"type": "RandomHue", "factor": [0.1, 0.2]} | UNIT | FIRST, (3, 7, 6)),
    Case([{"type": "RandomSharpness", "factor": 0.3}, CONV], SHAPE),
    Case({"type": "RandomSharpness", "factor": [0.2, 0.9]} | FIRST, (3, 7, 6)),
    Case({"type": "RandomColorJitter"}, SHAPE),
    Case({"type": "RandomColorJitter", "brightness_factor": 0.1, "hue_factor": [0, 0.2]}, SHAPE),
    Case({"type": "RandomColorJitter", "contrast_factor": 0.1, "saturation_factor": 0.2}, SHAPE),
    Case({"type": "RandomColorDegeneration", "factor": 0.3}, SHAPE),
    Case({"type": "RandomColorDegeneration", "factor": [0, 0.3]} | FIRST, (3, 7, 6)),
    Case({"type": "RandomGrayscale"}, SHAPE),
    Case([{"type": "RandomGrayscale", "factor": 0.9}, CONV], SHAPE),
    Case({"type": "RandomGrayscale"} | FIRST, (1, 7, 6)),
    Case({"type": "RandomInvert"}, SHAPE),
    Case({"type": "RandomInvert", "factor": [0.2, 0.4]} | UNIT, SHAPE),
    Case({"type": "RandomPosterization", "factor": 4}, SHAPE),
    Case({"type": "RandomPosterization", "factor": [3, 3]} | UNIT, SHAPE),
    Case({"type": "Solarization"}, SHAPE),
    Case({"type": "Solarization", "addition_factor": 0.2, "threshold_factor": [0.1, 0.5]}, SHAPE),
    Case({"type": "AutoContrast"}, SHAPE, inputs=pixels(*SHAPE)),
    Case({"type": "AutoContrast"} | UNIT, SHAPE, inputs=pixels(*SHAPE, high=0.7)),
    Case({"type": "AutoContrast", "value_range": [10, -5]}, SHAPE, inputs=pixels(*SHAPE)),
    Case({"type": "AutoContrast"} | FIRST, (3, 7, 6), inputs=pixels(3, 7, 6)),
    Case([CONV, {"type": "AutoContrast"}, CONV], (9, 8, 3)),
    Case({"type": "AutoContrast"}, (None, None, 1)),
    Case(CLAHE, (16, 24, 3), inputs=pixels(16, 24, 3)),
    Case(CLAHE | {"tile_grid_size": [2, 3]}, (13, 20, 2), inputs=pixels(13, 20, 2)),
    Case(
        CLAHE | {"tile_grid_size": [3, 1], "clip_limit": 0.0} | UNIT,
        (9, 7, 1),
        inputs=pixels(9, 7, 1, high=1),
    ),
    Case(
        CLAHE | {"tile_grid_size": [2, 2], "clip_limit": 1.5} | FIRST,
        (3, 8, 9),
        inputs=pixels(3, 8, 9),
    ),
    Case(CLAHE | {"tile_grid_size": [2, 2]}, (None, None, 2), inputs=pixels(8, 9, 2)),
    bytes_(CLAHE | {"tile_grid_size": [2, 2]}),
    *(
        bytes_({"type": name})
        for name in ("AutoContrast", "RandomGrayscale", "RandomInvert", "Solarization")
    ),
    bytes_({"type": "RandomHue", "factor": 0.1}),
]
