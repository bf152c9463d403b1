"""Cases of the layers that preprocess images; random ones at inference."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case

CONV = {"type": "Conv2D", "filters": 2, "kernel_size": 3}
SMALL = {"type": "Resizing", "height": 4, "width": 5}
LARGE = {"type": "Resizing", "height": 11, "width": 9}
CROP = {"type": "CenterCrop", "height": 4, "width": 3}
LARGE_CROP = {"type": "CenterCrop", "height": 11, "width": 9}
FIRST = {"data_format": "channels_first"}
KINDS = ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5")


def bytes_(entry: Any) -> Case:
    """A case of images of bytes."""
    return Case(entry, (7, 6, 3), dtypes=("uint8",), high=255)


CASES = [
    *(Case(size | {"interpolation": kind}, (7, 6, 3)) for size in (SMALL, LARGE) for kind in KINDS),
    *(
        Case(SMALL | {"interpolation": kind, "antialias": True}, (7, 10, 2))
        for kind in KINDS
        if kind != "area"
    ),
    Case(SMALL | {"crop_to_aspect_ratio": True}, (7, 12, 3)),
    Case(SMALL | {"crop_to_aspect_ratio": True}, (12, 7, 3)),
    Case(LARGE | {"pad_to_aspect_ratio": True}, (7, 12, 3)),
    Case(LARGE | {"pad_to_aspect_ratio": True, "fill_value": 2.5}, (12, 7, 3)),
    Case(SMALL | FIRST, (3, 7, 6)),
    Case(SMALL, (4, 5, 3)),
    Case([SMALL, CONV], (None, None, 3)),
    bytes_(SMALL),
    bytes_(SMALL | {"interpolation": "nearest"}),
    bytes_(LARGE | {"interpolation": "bicubic"}),
    bytes_([SMALL, {"type": "Rescaling", "scale": 0.00392156862745098}, CONV]),
    Case(CROP, (7, 6, 3)),
    Case(CROP, (4, 3, 2)),
    Case(CROP, (8, 3, 2)),
    Case(CROP, (3, 6, 2)),
    Case(CROP | FIRST, (3, 7, 6)),
    Case([CONV, CROP, CONV], (9, 8, 3)),
    bytes_(CROP),
    Case(CROP, (None, None, 3)),
    Case(CROP, (None, 6, 3), sizes=(4,)),
    Case(CROP, (None, None, 3), sizes=(3, 7)),
    Case(LARGE_CROP, (None, None, 3), sizes=(12, 7)),
    Case(LARGE_CROP | FIRST, (3, None, 9), sizes=(5,)),
    Case({"type": "RandomFlip"}, (4, 5, 3)),
    Case([{"type": "RandomFlip", "mode": "vertical"}, CONV], (6, 5, 3)),
    Case({"type": "RandomRotation", "factor": 0.1}, (4, 5, 3)),
    Case({"type": "RandomRotation", "factor": [-0.2, 0.3], "fill_mode": "constant"}, (4, 5, 3)),
    Case({"type": "RandomTranslation", "height_factor": 0.1, "width_factor": [0, 0.2]}, (4, 5, 3)),
    Case({"type": "RandomZoom", "height_factor": 0.1}, (4, 5, 3)),
    Case({"type": "RandomZoom", "height_factor": 0.1, "width_factor": 0.2} | FIRST, (3, 4, 5)),
    Case({"type": "RandomContrast", "factor": 0.1}, (4, 5, 3)),
    Case({"type": "RandomBrightness", "factor": 0.1, "value_range": [0, 1]}, (4, 5, 3)),
    bytes_({"type": "RandomFlip"}),
]
