"""Cases of the activation layers."""

from __future__ import annotations

from tests.tools.harness import Case

CONV = {"type": "Conv2D", "filters": 6, "kernel_size": 3, "padding": "same"}
CONV1D = {"type": "Conv1D", "filters": 6, "kernel_size": 3, "padding": "same"}
MASKING = {"type": "Masking"}
POOL = {"type": "GlobalAveragePooling1D"}
STEPS = [[[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [1.5, 1.5], [0.0, 0.0]]] * 2


def between(layer: dict[str, object], name: str = "") -> Case:
    """A layer in a convolutional trunk, where nothing may be permuted."""
    options = ",".join(f"{key}={value}" for key, value in layer.items() if key != "type")
    return Case(
        [CONV, layer, CONV],
        (5, 6, 3),
        name=f"{layer['type']}({options})-trunk",
        permutes=0,
    )


CASES = [
    *(
        Case({"type": "ReLU", **options}, (4, 9))
        for options in (
            {},
            {"max_value": 6.0},
            {"max_value": 0.7},
            {"negative_slope": 0.2},
            {"threshold": 0.5},
            {"max_value": 1.0, "threshold": 0.5},
            {"max_value": 1.0, "negative_slope": 0.1},
            {"negative_slope": 0.1, "threshold": 0.5},
            {"max_value": 1.0, "negative_slope": 0.3, "threshold": 0.25},
            {"max_value": 6.0, "threshold": 1.0},
        )
    ),
    between({"type": "ReLU", "max_value": 1.0, "negative_slope": 0.3, "threshold": 0.25}),
    Case({"type": "LeakyReLU"}, (4,)),
    Case({"type": "LeakyReLU", "negative_slope": 0.01}, (5, 4, 3)),
    Case({"type": "LeakyReLU", "negative_slope": 0.0}, (4,)),
    Case({"type": "ELU"}, (4,)),
    Case({"type": "ELU", "alpha": 0.3}, (5, 4)),
    between({"type": "ELU"}),
    Case({"type": "PReLU"}, (4,)),
    Case({"type": "PReLU"}, (5, 4)),
    Case({"type": "PReLU", "shared_axes": [1]}, (None, 4)),
    Case({"type": "PReLU", "shared_axes": 2}, (5, None)),
    Case({"type": "PReLU", "shared_axes": [1, 2]}, (5, 4)),
    Case({"type": "PReLU"}, (5, 6, 3)),
    Case({"type": "PReLU", "shared_axes": [1, 2, 3]}, (5, 6, 3)),
    Case({"type": "PReLU", "shared_axes": [3]}, (5, 6, 3)),
    Case({"type": "PReLU", "shared_axes": [-1]}, (5, 6, 3)),
    Case({"type": "PReLU", "shared_axes": [1, 2]}, (None, None, 3)),
    Case([{"type": "Flatten"}, {"type": "PReLU"}, {"type": "Dense", "units": 4}], (5, 4, 3)),
    between({"type": "PReLU"}),
    between({"type": "PReLU", "shared_axes": [1, 2]}),
    between({"type": "PReLU", "shared_axes": [2]}),
    Case([CONV1D, {"type": "PReLU", "shared_axes": [1]}, CONV1D], (7, 3)),
    Case({"type": "Softmax"}, (4,)),
    Case({"type": "Softmax", "axis": 1}, (5, 4)),
    Case({"type": "Softmax", "axis": [1, 2]}, (5, 4, 3)),
    Case({"type": "Softmax", "axis": [-1]}, (5, 4)),
    Case({"type": "Softmax", "axis": -2}, (5, 4, 3, 2)),
    between({"type": "Softmax"}),
    between({"type": "Softmax", "axis": 1}),
    between({"type": "Softmax", "axis": [1, 2]}),
    between({"type": "Softmax", "axis": [-1, 1]}),
    *(
        Case(
            {"type": "Softmax", "axis": axis, "inputs": {"inputs": "in0", "mask": "in1"}},
            [(5, 6, 3), mask],
            dtypes=("float32", dtype),
        )
        for axis, mask, dtype in (
            (-1, (5, 6, 3), "bool"),
            ([1, 2], (5, 6, 1), "float32"),
            (1, (5, 1, 3), "bool"),
        )
    ),
    Case(
        {"type": "Softmax", "inputs": {"inputs": "in0", "mask": "in1"}},
        [(5, 4), (1, 4)],
        dtypes=("float32", "bool"),
    ),
    Case([MASKING, {"type": "ELU"}, {"type": "LeakyReLU"}, POOL], (5, 2), inputs=(STEPS,)),
]
