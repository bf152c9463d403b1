"""Cases of the layers that mix images, or apply several changes to them, at inference."""

from __future__ import annotations

from tests.tools.harness import Case

SHAPE = (7, 6, 3)
FIRST = {"data_format": "channels_first"}
CONV = {"type": "Conv2D", "filters": 2, "kernel_size": 3}
FLIP = {"type": "RandomFlip"}
CONTRAST = {"type": "AutoContrast", "value_range": [-2, 2]}

CASES = [
    Case({"type": "CutMix"}, SHAPE),
    Case([CONV, {"type": "CutMix", "factor": [0.2, 0.4]}], SHAPE),
    Case({"type": "MixUp"}, SHAPE),
    Case({"type": "MixUp", "alpha": 0.5} | FIRST, (3, 7, 6)),
    Case({"type": "AugMix"}, SHAPE),
    Case({"type": "AugMix", "num_chains": 2, "all_ops": False}, SHAPE),
    Case({"type": "AugMix"} | FIRST, (3, 7, 6), torch=False),
    Case({"type": "RandAugment"}, SHAPE),
    Case([{"type": "RandAugment", "num_ops": 0, "factor": [0, 0.2]}, CONV], SHAPE),
    Case({"type": "RandAugment"} | FIRST, (3, 7, 6), torch=False),
    Case({"type": "MaxNumBoundingBoxes", "max_number": 3}, SHAPE),
    Case({"type": "MaxNumBoundingBoxes", "max_number": 3, "fill_value": 2}, SHAPE),
    Case({"type": "Pipeline", "layers": [FLIP]}, SHAPE),
    Case({"type": "Pipeline", "layers": [CONTRAST, FLIP, FLIP, {"type": "Equalization"}]}, SHAPE),
    Case({"type": "Pipeline", "layers": [CONTRAST, CONV, FLIP, CONV]}, (9, 8, 3)),
    Case([CONV, {"type": "Pipeline", "layers": [CONV, {"type": "BatchNormalization"}]}], SHAPE),
    Case({"type": "Pipeline", "layers": [{"type": "Pipeline", "layers": [CONTRAST, CONV]}]}, SHAPE),
    Case({"type": "Pipeline", "layers": [CONTRAST, FLIP]}, SHAPE, dtypes=("uint8",), high=255),
    Case(
        {"type": "Pipeline", "layers": [{"type": "Flatten"}, {"type": "Dense", "units": 2}]}, SHAPE
    ),
    Case({"type": "Pipeline", "layers": [{"type": "Dense", "units": 2}] * 2}, (4,)),
]
