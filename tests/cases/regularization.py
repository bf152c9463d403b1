"""Cases of the layers that act in training alone; here at inference, where nothing happens."""

from __future__ import annotations

from tests.tools.harness import Case

CONV = {"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}
CONV3 = {"type": "Conv3D", "filters": 4, "kernel_size": 3, "padding": "same"}
DENSE = {"type": "Dense", "units": 4}

CASES = [
    Case({"type": "Dropout", "rate": 0.5}, (4,)),
    Case([{"type": "Flatten"}, {"type": "Dropout", "rate": 0.5}, DENSE], (5, 4, 3)),
    Case([CONV, {"type": "Dropout", "rate": 0.3}, CONV], (5, 6, 3), permutes=0),
    Case([{"type": "Dropout", "rate": 0}, DENSE], (4,)),
    Case([{"type": "Dropout", "rate": 1}, DENSE], (4,)),
    Case({"type": "Dropout", "rate": 0.5, "noise_shape": [None, 1, 3], "seed": 3}, (5, 3)),
    Case(
        [CONV, {"type": "Dropout", "rate": 0.5, "noise_shape": [None, 1, 1, 6]}, CONV],
        (5, 6, 3),
        permutes=0,
    ),
    Case({"type": "Dropout", "rate": 0.5, "noise_shape": [None, None, 1]}, (None, 3)),
    Case({"type": "SpatialDropout1D", "rate": 0.5}, (None, 3)),
    Case([CONV, {"type": "SpatialDropout2D", "rate": 0.5}, CONV], (5, 6, 3), permutes=0),
    Case({"type": "SpatialDropout2D", "rate": 0.5, "data_format": "channels_first"}, (3, 5, 6)),
    Case({"type": "GaussianNoise", "stddev": 0.5}, (5, 6, 3)),
    Case([{"type": "GaussianNoise", "stddev": 0.0}, DENSE], (4,)),
    Case([CONV, {"type": "GaussianDropout", "rate": 0.5, "seed": 1}, CONV], (5, 6, 3), permutes=0),
    Case({"type": "GaussianDropout", "rate": 1.0}, (4,), torch=False),
    Case([CONV3, {"type": "SpatialDropout3D", "rate": 0.5}, CONV3], (3, 4, 5, 2), permutes=0),
    Case({"type": "SpatialDropout3D", "rate": 0.5, "data_format": "channels_first"}, (2, 3, 4, 5)),
    Case([CONV, {"type": "AlphaDropout", "rate": 0.3, "seed": 1}, CONV], (5, 6, 3), permutes=0),
    Case({"type": "AlphaDropout", "rate": 0.5, "noise_shape": [None, 1, None]}, (None, 3)),
    Case([{"type": "AlphaDropout", "rate": 0}, DENSE], (4,), dtypes=("int32",)),
    Case({"type": "AlphaDropout", "rate": 1.0}, (4,), torch=False),
    Case([CONV, {"type": "ActivityRegularization", "l1": 0.1}, CONV], (5, 6, 3), permutes=0),
    Case({"type": "ActivityRegularization", "l2": 0.1}, (None, 3)),
    Case(
        [{"type": "Masking"}, {"type": "ActivityRegularization"}, {"type": "LSTM", "units": 2}],
        (4, 3),
        name="ActivityRegularization-mask",
    ),
    Case({"type": "TimeDistributed", "layer": {"type": "AlphaDropout", "rate": 0.3}}, (4, 3)),
]
