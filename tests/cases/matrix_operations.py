"""Cases of operations on vectors and matrices."""

from __future__ import annotations

from typing import Any

from tests.cases.operations import chain, op
from tests.tools.harness import Case


def of_rows(*entries: dict[str, Any], shapes: Any = (4,), **options: Any) -> Case:
    """Operations on the first samples of the inputs, ``a`` and ``b``."""
    count = len(shapes) if isinstance(shapes, list) else 1
    rows = [op("getitem", f"in{i}", key=0, name="ab"[i]) for i in range(count)]
    named = [{**entry, "name": f"o{i}"} for i, entry in enumerate(entries)]
    outputs = [entry["name"] for entry in named]
    return Case([*rows, *named], shapes, outputs=outputs, **options)


CASES = [
    of_rows(
        *(op("diag", "a", k=k) for k in (0, 1, -2)),
        *(op("diagflat", "a", k=k) for k in (0, -1)),
        op("vander", "a"),
        op("vander", "a", N=3),
        op("vander", "a", N=5, increasing=True),
        name="diagonals",
    ),
    of_rows(
        *(op("diag", "a", k=k) for k in (0, 1, -2)),
        op("diagflat", "a"),
        op("kron", "a", "b"),
        op("kron", "a", [[1.0, -2.0], [0.5, 3.0]]),
        op("corrcoef", "a"),
        shapes=[(4, 3), (2, 2)],
        name="matrices-of-vectors",
    ),
    Case([op("diag", k=-1)], (4,), name="diag-batch"),
    of_rows(op("vander", "a", N=4), op("diag", "a"), dtypes=("int32",), name="vander-int"),
    Case([op("kron", "in0", [2, 0, -1])], (3,), dtypes=("int32",), name="kron-vectors"),
    Case([op("kron", "in0", [[2.0, 1.0]])], (3,), name="kron-batch"),
    chain([op("cdist", "in0", "in1")], [(6, 3), (4, 3)]),
    chain([op("cdist", "in0", "in1")], [(2, 30, 4), (2, 28, 4)]),
    Case([op("cdist", "in0", "in1")], [(3, 2), (4, 2)], dtypes=("int32", "int32")),
    Case([op("corrcoef")], (6,)),
    of_rows(
        *(op("correlate", "a", "b", mode=mode) for mode in ("valid", "same", "full")),
        *(op("correlate", "a", [1.0, -2.0], mode=mode) for mode in ("valid", "same", "full")),
        *(op("correlate", "b", "a", mode=mode) for mode in ("same", "full")),
        shapes=[(7,), (3,)],
        name="correlate",
    ),
    of_rows(op("correlate", "a", [1, 2, -1]), shapes=(6,), dtypes=("int32",), name="correlate-int"),
    chain(
        [
            op("trapezoid"),
            op("trapezoid", dx=0.5, axis=1),
            op("trapezoid", x=[0.0, 1.0, 3.0]),
        ],
        (4, 3),
        name="trapezoid",
    ),
    Case([op("trapezoid", dx=2.0)], (4,), dtypes=("int32",)),
    *(
        of_rows(op("meshgrid", "a", "b", indexing=i), shapes=[(4,), (3,)], name=f"meshgrid-{i}")
        for i in ("xy", "ij")
    ),
    Case(
        [
            op("meshgrid", "in0", "in1", "in2", name="m"),
            op("add", "m", "m:1", name="n"),
            op("multiply", "n", "m:2"),
        ],
        [(2,), (3,), (2,)],
        name="meshgrid-3",
    ),
    chain(
        [
            op("allclose", "in0", "in1"),
            op("allclose", "in0", "in1", atol=0.2),
            op("allclose", "in0", "in1", rtol=1.0, equal_nan=True),
            op("allclose", "in0", 1.0, rtol=3.0),
        ],
        [(2,), (2,)],
        inputs=([[1.0, 2.0], [3.0, -1.0]], [[1.1, 2.0], [3.0, -1.1]]),
        name="allclose",
    ),
    Case([op("allclose", "in0", "in1")], [(2,), (2,)], dtypes=("int32", "int32")),
    chain([op("nextafter", "in0", "in1"), op("nextafter", "in0", 1.0)], [(4,), (4,)]),
]
