"""Cases of operations of which one operand is a constant array, and of odd dtypes and keys."""

from __future__ import annotations

from typing import Any

from tests.cases.arrangement_operations import parts
from tests.cases.operations import CONV, IMAGE, chain, op
from tests.tools.harness import Case

NEW, ALL, BACK = None, {"slice": [None, None, None]}, {"slice": [None, None, -1]}


def const(value: Any, dtype: str = "float32") -> dict[str, Any]:
    """An array as an operand."""
    return {"const": {"value": value, "dtype": dtype}}


MATRIX = [[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]]
BLOCKS = [MATRIX, [[0.0, 1.0], [1.5, -1.0], [2.5, 0.5]]]
ROW = [1.0, -2.0, 0.5]

CASES = [
    chain(
        [op("dot", "in0", const(value)) for value in (ROW, MATRIX, BLOCKS)] + [op("dot", "in0", 2)],
        (4, 3),
        name="dot-arrays",
    ),
    Case([op("dot", const(MATRIX), "in0")], (2, 4), name="dot-array-first", sizes=(2,)),
    chain(
        [
            op("outer", "in0", const(ROW)),
            op("outer", const([3, 1], "int32"), "in0"),
            op("inner", "in0", const(ROW)),
            op("inner", "in0", const([ROW, ROW])),
            op("cross", "in0", const(ROW)),
        ],
        (4, 3),
        name="products-arrays",
    ),
    Case(
        [op("getitem", "in0", key=0, name="row"), op("vdot", "row", const(ROW))], (3,), name="vdot"
    ),
    chain(
        [op("isclose", "in0", const(ROW), rtol=0.5), op("isclose", const(ROW), "in0", atol=0.5)],
        (4, 3),
        name="isclose-arrays",
    ),
    chain(
        [op("allclose", "in0", 2.5, rtol=0.1), op("allclose", 0.5, "in0", atol=9.0)],
        (3,),
        dtypes=("int32",),
        name="allclose-int",
    ),
    chain(
        [op(f, "in0", 6) for f in ("gcd", "lcm")]
        + [op("gcd", 4, "in0"), op("gcd", "in0", const([2, 3, 4], "int32"))],
        (3,),
        dtypes=("int32",),
        low=1,
        name="divisors-constants",
    ),
    chain(
        [
            op("quantile", "in0", const([0.25, 0.5]), axis=1),
            op("quantile", "in0", const([0.25]), axis=-1, keepdims=True),
            op("percentile", "in0", const([10, 60], "int32"), axis=[1, 2]),
        ],
        (4, 3),
        name="quantiles-arrays",
    ),
    chain(
        [
            op("getitem", key=[]),
            op("getitem", key=[ALL, BACK, NEW]),
            op("getitem", key=[ALL, NEW, BACK, 1]),
            op("getitem", key=[1, BACK, NEW, {"slice": [2, 0, -1]}]),
        ],
        (4, 3),
        name="getitem-new-axes",
    ),
    parts("vsplit", 2, (4, 2), indices_or_sections=[1]),
    parts("split", 3, (None, 2), indices_or_sections=[1, 3], axis=1),
    Case([op("rot90", k=2, axes=[1, 2])], (4, 3), torch=False, name="rot90-not-square"),
    Case([op("rot90", k=2, axes=[2, 1])], (3, 3), name="rot90-square"),
    *(
        chain(
            [op("resize", size=[8, 8], interpolation=kind) for kind in ("bilinear", "bicubic")]
            + [op("resize", size=[2, 2], interpolation="bilinear"), op("rgb_to_grayscale")]
            + [op("resize", size=[7, 8], interpolation="nearest")],
            (4, 4, 3),
            dtypes=(dtype,),
            high=200,
            name=f"images-{dtype}",
        )
        for dtype in ("uint8", "int32")
    ),
    chain(
        [op(f, axis=axis, dtype="int32") for f in ("cumsum", "cumprod") for axis in (1, None)],
        (4, 3),
        name="running-int",
    ),
    Case(
        [{**CONV, "name": "c"}, op("cumsum", "c", axis=1, dtype="int32")],
        IMAGE,
        name="running-int-of-layer",
    ),
    Case([op("saturate_cast", dtype="bool")], (4, 3)),
]
