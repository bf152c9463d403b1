"""Cases of arrays made from bounds, a value, or another array; of bytes and complex numbers."""

from __future__ import annotations

from tests.cases.matrix_operations import of_rows
from tests.cases.operations import chain, op
from tests.tools.harness import Case

CASES = [
    chain(
        [
            op("linspace", "in0", "in1", num=5),
            op("linspace", "in0", "in1", num=4, endpoint=False, axis=1),
            op("linspace", "in0", 2.0, num=3, axis=-1),
            op("linspace", 1, "in1", num=1),
            op("logspace", "in0", "in1", num=5),
            op("logspace", "in0", 1.5, num=3, base=2, endpoint=False, axis=-1),
            op("linspace", "in0", [0.5, 1.0, 2.0], num=3),
        ],
        [(3,), (3,)],
        name="spaces",
    ),
    chain(
        [op("geomspace", "in0", "in1", num=5), op("geomspace", "in0", 8.0, num=3)],
        [(2,), (2,)],
        inputs=([[1.0, 0.5], [2.0, 3.0]], [[4.0, 0.25], [9.0, 3.0]]),
        name="geomspace",
    ),
    Case([op("linspace", "in0", "in1", num=4)], [(2,), (2,)], dtypes=("int32", "int32")),
    of_rows(
        op("full", "a", shape=[2, 4]),
        op("full", "a", shape=[4], dtype="int32"),
        name="full",
    ),
    of_rows(op("full", "a", shape=[3, 2, 1]), shapes=(1,), dtypes=("int32",), name="full-int"),
    chain(
        [
            op("empty_like"),
            op("empty_like", dtype="int32"),
            op("array"),
            op("array", dtype="float16"),
        ],
        (4, 3),
        name="empty_like",
    ),
    chain(
        [op("view", dtype=d) for d in ("int32", "float64", "uint8", "int16", "float32")]
        + [op("view")],
        (4,),
        name="view",
    ),
    Case([op("transpose", axes=[0, 2, 1], name="t"), op("view", "t", dtype="int64")], (2, 3)),
    Case([op("polar", "in0", "in1", name="p"), op("view_as_real", "p")], [(4,), (4,)]),
    Case([op("view_as_real")], (4,)),
]
