"""Cases of the layers that crop, bend, blur or erase parts of images, at inference."""

from __future__ import annotations

from tests.tools.harness import Case

SHAPE = (7, 6, 3)
FIRST = {"data_format": "channels_first"}
CONV = {"type": "Conv2D", "filters": 2, "kernel_size": 3}
SMALLER = {"type": "RandomCrop", "height": 4, "width": 3}
DENSE = {"type": "Dense", "units": 2}

CASES = [
    Case({"type": "RandomCrop", "height": 4, "width": 3}, SHAPE),
    Case({"type": "RandomCrop", "height": 9, "width": 8}, SHAPE),
    # At inference the image is not cropped: what follows must not rely on its size.
    Case([SMALLER, {"type": "CenterCrop", "height": 4, "width": 3}], SHAPE),
    Case([SMALLER, SMALLER | {"type": "CenterCrop"}, {"type": "Flatten"}, DENSE], SHAPE),
    Case([SMALLER, {"type": "Resizing", "height": 4, "width": 3}, CONV], SHAPE),
    Case([SMALLER, CONV, {"type": "GlobalAveragePooling2D"}], SHAPE),
    Case([SMALLER | FIRST, {"type": "GlobalMaxPooling2D"} | FIRST], (3, 7, 6)),
    Case([{"type": "RandomCrop", "height": 7, "width": 6}, CONV], SHAPE),
    Case({"type": "RandomCrop", "height": 7, "width": 6} | FIRST, (3, 7, 6)),
    Case({"type": "RandomCrop", "height": 7, "width": 6}, (None, None, 3)),
    Case({"type": "RandomCrop", "height": 4, "width": 3}, SHAPE, dtypes=("uint8",), high=255),
    Case({"type": "RandomShear"}, SHAPE),
    Case({"type": "RandomShear", "x_factor": 0.3, "y_factor": [0.1, 0.2]}, SHAPE),
    Case([{"type": "RandomShear", "y_factor": 0.2, "fill_mode": "wrap"}, CONV], SHAPE),
    Case({"type": "RandomShear", "x_factor": [0, 1]} | FIRST, (3, 7, 6)),
    Case({"type": "RandomPerspective"}, SHAPE),
    Case({"type": "RandomPerspective", "factor": [0.2, 0.4], "scale": 0.3}, SHAPE),
    Case({"type": "RandomErasing"}, SHAPE),
    Case({"type": "RandomErasing", "scale": 0.5, "fill_value": [1, 2, 3]}, SHAPE),
    Case({"type": "RandomErasing", "fill_value": [1, 2, 3]} | FIRST, (3, 7, 6), torch=False),
    Case([CONV, {"type": "RandomErasing", "fill_value": 2.5}], SHAPE),
    Case({"type": "RandomGaussianBlur"}, SHAPE),
    Case({"type": "RandomGaussianBlur", "kernel_size": [3, 5], "sigma": [0.2, 0.3]}, SHAPE),
    Case({"type": "RandomElasticTransform"}, SHAPE),
    Case({"type": "RandomElasticTransform", "factor": 0.3, "fill_mode": "wrap"}, SHAPE),
    Case({"type": "RandomElasticTransform", "fill_mode": "mirror"}, SHAPE, torch=False),
    Case({"type": "RandomElasticTransform", "scale": 0.0}, SHAPE),
    Case({"type": "RandomPerspective"}, SHAPE, dtypes=("uint8",), high=255),
]
