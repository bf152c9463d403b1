"""Cases of normalizations whose statistics and weights are operands."""

from __future__ import annotations

from tests.cases.operations import chain, op
from tests.tools.harness import Case

MEAN, VARIANCE = [0.5, -1.0, 2.0], [1.0, 0.25, 4.0]
SCALE, OFFSET = [1.5, -2.0, 0.5], [0.25, 0.5, -0.75]
STEPS = [[1.0, 0.5, -1.0], [2.0, 0.25, 1.5], [0.5, -0.5, 1.0], [1.5, 2.0, -2.0]]

CASES = [
    chain(
        [
            op("batch_normalization", "in0", MEAN, VARIANCE, axis=-1),
            op("batch_normalization", "in0", MEAN, VARIANCE, None, SCALE, axis=2, epsilon=0.1),
            op("batch_normalization", "in0", MEAN, VARIANCE, OFFSET, SCALE, axis=-1),
        ],
        (4, 3),
        name="batch_normalization",
    ),
    Case([op("batch_normalization", "in0", MEAN, VARIANCE, OFFSET, SCALE, axis=1)], (3, 4, 5)),
    Case(
        [op("batch_normalization", "in0", MEAN, VARIANCE, OFFSET, SCALE, axis=-1, name="own")], (3,)
    ),
    Case([op("batch_normalization", "in0", MEAN, VARIANCE, axis=-1, name="own")], (3,)),
    Case(
        [
            op("moments", "in0", axes=[0, 1], name="m"),
            op("batch_normalization", "in0", "m", "m:1", axis=-1, epsilon=0.01, name="o"),
        ],
        (4, 3),
        name="batch_normalization-tensors",
    ),
    chain(
        [
            op("layer_normalization"),
            op("layer_normalization", "in0", SCALE),
            op("layer_normalization", "in0", SCALE, OFFSET, epsilon=0.1),
            op("layer_normalization", "in0", None, OFFSET),
            op("layer_normalization", axis=1),
            op("layer_normalization", "in0", [1.0, 2.0, 0.5, -1.0], axis=1),
            op("layer_normalization", axis=[1, 2]),
            op("layer_normalization", "in0", STEPS, STEPS, axis=[1, 2], epsilon=0.01),
            op("layer_normalization", "in0", SCALE, rms_scaling=True),
            op("rms_normalization"),
            op("rms_normalization", "in0", SCALE, epsilon=0.1),
            op("rms_normalization", axis=1),
            op("rms_normalization", "in0", STEPS, axis=[1, 2]),
        ],
        (4, 3),
        name="layer_normalization",
    ),
    Case([op("layer_normalization", "in0", SCALE, axis=2)], (4, 3, 5)),
    Case([op("layer_normalization", "in0", SCALE, OFFSET, name="own")], (3,)),
    Case([op("layer_normalization", axis=1)], (None, 3), name="layer_normalization-open"),
    Case(
        [op("getitem", "in1", key=0, name="s"), op("rms_normalization", "in0", "s", name="own")],
        [(4, 3), (3,)],
        name="rms_normalization-tensor",
    ),
]
