"""Cases of the preprocessing layers."""

from __future__ import annotations

from tests.tools.harness import Case

RESCALE = {"type": "Rescaling", "scale": 0.00392156862745098}
NORM = {"type": "Normalization"}
FLATTEN = {"type": "Flatten"}
DENSE = {"type": "Dense", "units": 4}
CONV = {"type": "Conv2D", "filters": 3, "kernel_size": 3, "padding": "same"}
BGR = [0.5, 0.25, 2.0]

CASES = [
    Case(RESCALE, (4, 5, 3), dtypes=("uint8",), high=255),
    Case(RESCALE | {"scale": 0.007843137254901960, "offset": -1}, (4, 5, 3)),
    Case(RESCALE | {"scale": BGR, "offset": [-1.0, 0.5, 0.0]}, (4, 5, 3)),
    Case(RESCALE | {"scale": 1, "offset": 0}, (4,), dtypes=("int32",)),
    Case(RESCALE | {"scale": -2, "offset": [[1.0], [2.0]]}, (4, 2, 3)),
    Case([FLATTEN, RESCALE | {"scale": [1.0, 2.0, 3.0, 4.0]}, DENSE], (1, 2, 2)),
    Case([CONV, RESCALE | {"scale": BGR}, CONV], (5, 4, 3)),
    Case(NORM, (4,)),
    Case(NORM | {"axis": None}, (4, 3)),
    Case(NORM, (None, 5)),
    Case(NORM, (4, 5, 3)),
    Case(NORM | {"axis": 1, "invert": True}, (4, 5, 3)),
    Case(NORM | {"axis": [1, -1]}, (4, 5, 3)),
    Case(NORM | {"mean": 3, "variance": 4}, (4,), dtypes=("int32",)),
    Case(NORM | {"mean": 0, "variance": 1}, (4,)),
    Case(NORM | {"mean": BGR, "variance": [1.0, 4.0, 0.0]}, (4, 5, 3)),
    Case(NORM | {"mean": BGR, "variance": [1.0, 4.0, 2.0], "invert": True, "axis": 2}, (5, 3, 2)),
    Case(NORM | {"mean": [[1.0], [2.0]], "variance": [[1.0], [3.0]], "axis": [1, 3]}, (2, 5, 1)),
    Case(NORM | {"axis": None, "mean": 2.0, "variance": 5.0, "invert": True}, (4, 3)),
    Case([FLATTEN, NORM, DENSE], (3, 2, 2)),
    Case([CONV, NORM, CONV], (5, 4, 3)),
]
