"""Cases of the poolings."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case


def pool(type_: str, size: Any, strides: Any = None, padding: str = "valid", **options: Any) -> Any:
    """An entry of a pooling."""
    given = {} if strides is None else {"strides": strides}
    same = {"padding": padding} if padding != "valid" else {}
    return {"type": type_, "pool_size": size, **given, **same, **options}


FIRST = {"data_format": "channels_first"}
STEPS = [
    [[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [-1.5, 1.5], [0.0, 0.0]],
    [[0.0, 0.0]] * 4 + [[5, -1]],
]
MASKED = {"type": "Masking"}

CASES = [
    *(
        case
        for kind in ("MaxPooling2D", "AveragePooling2D")
        for case in (
            Case(pool(kind, 2), (6, 7, 3)),
            Case(pool(kind, [3, 2], [2, 1]), (8, 7, 2)),
            Case(pool(kind, 2, None, "same"), (7, 6, 2)),
            Case(pool(kind, 2, None, "same"), (None, 6, 2)),
            # The padding of TensorFlow's same is never zeros (T4) and never counts (T5).
            Case(pool(kind, 3, 2, "same"), (8, 8, 2)),
            Case(pool(kind, 3, 2, "same"), (7, 7, 2)),
            Case(pool(kind, 3, 1, "same"), (6, 7, 2)),
            Case(pool(kind, 2, 1, "same"), (6, 7, 2)),
            Case(pool(kind, [4, 3], [1, 2], "same"), (6, 8, 2)),
            Case(pool(kind, [5, 1], [3, 2], "same"), (10, 8, 2)),
            Case(pool(kind, 2, 3, "same"), (9, 10, 2)),
            Case(pool(kind, 3, 2, "same"), (None, None, 2), sizes=(8, 7)),
            Case(pool(kind, [4, 3], [1, 3], "same"), (None, 8, 2), sizes=(7,)),
            Case(pool(kind, 3, 2, "same", **FIRST), (2, 8, 7)),
        )
    ),
    # Zeros beside what a ReLU gives are the pooling's own padding; beside others they count.
    *(
        Case(
            [
                {"type": "Activation", "activation": before},
                {"type": "ZeroPadding2D", "padding": width},
                pool("MaxPooling2D", 3, 2),
            ],
            (6, 7, 2),
            name=f"{before}-ZeroPadding2D({width})-MaxPooling2D",
        )
        for before, width in (("relu", 1), ("relu", 2), ("relu", [1, 0]), ("tanh", 1))
    ),
    Case(pool("MaxPooling1D", 2), (7, 3)),
    Case(pool("MaxPooling1D", 3, 2, "same"), (8, 3)),
    Case(pool("MaxPooling1D", 2, 1, "same"), (None, 3)),
    Case(pool("MaxPooling1D", 3, 2, "same", **FIRST), (3, 8)),
    Case(pool("MaxPooling3D", 2), (4, 5, 6, 2)),
    Case(pool("MaxPooling3D", [3, 2, 1], [2, 1, 2], "same"), (4, 5, 6, 2)),
    Case(pool("AveragePooling1D", 3, 2), (8, 3)),
    Case(pool("AveragePooling1D", 3, 2, "same"), (None, 3), sizes=(8,)),
    Case(pool("AveragePooling1D", 4, 3, "same"), (11, 3)),
    Case(pool("AveragePooling3D", 2, 1), (4, 5, 3, 2)),
    Case(pool("AveragePooling3D", [3, 2, 1], [2, 1, 2], "same"), (4, 5, 6, 2)),
    *(
        case
        for kind in ("GlobalMaxPooling", "GlobalAveragePooling")
        for case in (
            Case({"type": f"{kind}1D"}, (5, 3)),
            Case({"type": f"{kind}1D", "keepdims": True, **FIRST}, (3, None)),
            Case({"type": f"{kind}2D"}, (5, 4, 3)),
            Case({"type": f"{kind}2D", "keepdims": True}, (5, None, 3)),
            Case({"type": f"{kind}2D", **FIRST}, (3, 5, 4)),
            Case({"type": f"{kind}3D"}, (2, 5, 4, 3)),
            Case({"type": f"{kind}3D", "keepdims": True, **FIRST}, (3, 5, 4, 2)),
        )
    ),
    Case({"type": "GlobalAveragePooling1D"}, (5, 3), dtypes=("int32",)),
    Case(pool("MaxPooling2D", 2), (5, 6, 3), dtypes=("int32",)),
    # The mean of the steps that the mask keeps (T18).
    Case([MASKED, {"type": "GlobalAveragePooling1D"}], (5, 2), inputs=(STEPS,)),
    Case(
        [MASKED, {"type": "GlobalAveragePooling1D", "keepdims": True}], (None, 2), inputs=(STEPS,)
    ),
    Case([MASKED, {"type": "GlobalMaxPooling1D"}], (5, 2), inputs=(STEPS,)),
    Case([MASKED, pool("MaxPooling1D", 2), {"type": "GlobalAveragePooling1D"}], (5, 2)),
    # Windows that divide the input, that overlap, and that repeat elements.
    *(
        case
        for kind in ("AdaptiveMaxPooling", "AdaptiveAveragePooling")
        for case in (
            Case({"type": f"{kind}1D", "output_size": 3}, (9, 2)),
            Case({"type": f"{kind}1D", "output_size": 5, **FIRST}, (2, 13)),
            Case({"type": f"{kind}1D", "output_size": 7}, (4, 3)),
            Case({"type": f"{kind}1D", "output_size": 4}, (None, 3)),
            Case({"type": f"{kind}2D", "output_size": 2}, (6, 4, 3)),
            Case({"type": f"{kind}2D", "output_size": [3, 2], **FIRST}, (2, None, 7)),
            Case({"type": f"{kind}2D", "output_size": [3, 5]}, (7, 6, 3)),
            Case({"type": f"{kind}2D", "output_size": [2, 3], **FIRST}, (2, 5, 7)),
            Case({"type": f"{kind}3D", "output_size": 2}, (4, 6, 2, 3)),
            Case({"type": f"{kind}3D", "output_size": [3, 2, 4], **FIRST}, (2, 4, 5, 6)),
        )
    ),
]
