"""Cases of stacks, splits, flips, outer products and slices."""

from __future__ import annotations

from typing import Any

from tests.cases.operations import CONV, IMAGE, chain, op
from tests.tools.harness import Case

BOTH = ["in0", "in1"]


def parts(function: str, count: int, shape: Any, **fields: Any) -> Case:
    """A split, with all parts read."""
    names = ["s", *(f"s:{i}" for i in range(1, count))]
    read = [op("multiply", name, i + 1.0, name=f"p{i}") for i, name in enumerate(names)]
    return Case(
        [op(function, name="s", **fields), *read],
        shape,
        outputs=[entry["name"] for entry in read],
        name=f"{function}-{fields}",
    )


CASES = [
    Case([op("hstack", BOTH)], [(4, 3), (2, 3)]),
    Case([op("vstack", BOTH)], [(4,), (4,)]),
    Case([op("dstack", BOTH)], [(4,), (4,)]),
    Case([op("dstack", BOTH)], [(4, 3, 2), (4, 5, 2)]),
    Case([op("hstack", BOTH)], [(4,), (2,)], dtypes=("int32", "float32")),
    Case([op("append", "in0", "in1", axis=1)], [(4, 3), (2, 3)]),
    Case([op("append", "in0", "in1")], [(4, 3), (2,)]),
    parts("hsplit", 2, (4, 3), indices_or_sections=2),
    parts("hsplit", 3, (6, 3), indices_or_sections=[1, 4]),
    parts("dsplit", 3, (2, 6), indices_or_sections=3),
    parts("array_split", 3, (7, 2), indices_or_sections=3, axis=1),
    parts("array_split", 2, (2, 5), indices_or_sections=2, axis=-1),
    chain([op("fliplr"), op("flipud")], (4, 3), name="flips"),
    Case([{**CONV, "name": "c"}, op("fliplr", "c"), CONV], IMAGE, name="fliplr-trunk"),
    chain(
        [op("rot90", k=k, axes=axes) for k in (1, 2, 3, -1, 0) for axes in ([1, 2], [2, 1])],
        (3, 3),
        name="rotations",
    ),
    Case([op("rot90", axes=[1, 2])], (4, 3)),
    Case([op("outer", "in0", "in1")], [(4,), (2, 3)]),
    Case([op("inner", "in0", "in1")], [(4, 3), (3,)]),
    Case([op("vdot", "in0", "in1")], [(4, 3), (4, 3)]),
    Case([op("cross", "in0", "in1")], [(4, 3), (4, 3)]),
    Case([op("cross", "in0", "in1", axis=1)], [(3, 4), (3, 4)]),
    Case([op("cross", "in0", "in1", axisa=1, axisb=2, axisc=1)], [(3, 4), (4, 3)]),
    Case([op("slice", "in0", [0, 1, 0], shape=[-1, 2, 3])], (4, 3)),
    Case([op("slice", "in0", [0, 0, 1], shape=[-1, -1, 2])], (None, 3)),
    Case(
        [{**CONV, "name": "c"}, op("slice", "c", [0, 1, 2, 0], shape=[-1, 3, 3, -1]), CONV],
        IMAGE,
        name="slice-trunk",
    ),
    Case([op("slice_update", "in0", [0, 1, 0], "in1")], [(4, 3), (2, 2)]),
    Case([op("slice_update", "in0", [0, 0, 1], "in1")], [(4, 3), (4, 2)]),
    Case([op("digitize", "in0", [-1.0, 0.0, 0.5, 1.0])], (4, 3)),
    Case([op("digitize", "in0", [1.0, 2.0, 4.0])], (6,), dtypes=("int32",)),
    chain(
        [op("saturate_cast", dtype=dtype) for dtype in ("uint8", "int8", "int32", "float16")],
        (4,),
        inputs=([[-1.5, 300.0, 127.0, -200.0]],),
        name="saturated",
    ),
]
