"""Cases of operations with indices: searches, counts, segments, scattered updates."""

from __future__ import annotations

from tests.cases.matrix_operations import of_rows
from tests.cases.operations import chain, op
from tests.tools.harness import Case

IDS = {"const": {"value": [2, 0, 2], "dtype": "int32"}}
SORTED_IDS = {"const": {"value": [0, 0, 2], "dtype": "int32"}}
SEGMENTS = [f"segment_{kind}" for kind in ("sum", "max", "min", "prod")]
PLACES = [[0, 1], [2, 0], [1, 3]]
FIRST = {"key": [{"slice": [None, None]}, 0]}

CASES = [
    of_rows(
        *(op("searchsorted", [-1.0, 0.0, 0.5, 1.0], "a", side=side) for side in ("left", "right")),
        shapes=(5,),
        inputs=([[0.0, -2.0, 0.25, 1.0, 4.0]],),
        name="searchsorted",
    ),
    of_rows(
        op("sort", "a"),
        op("searchsorted", "o0", "b"),
        op("searchsorted", "o0", "b", side="right"),
        shapes=[(5,), (3,)],
        name="searchsorted-tensors",
    ),
    chain(
        [op("isin", "in0", [1, 5], invert=invert) for invert in (False, True)]
        + [op("isin", "in0", 2), op("isin", "in0", "in1", assume_unique=True)],
        [(4, 3), (2,)],
        dtypes=("int32", "int32"),
        name="isin",
    ),
    Case([op("isin", "in0", [1.0, 0.5])], (2,), inputs=([[1.0, 2.0], [0.5, 0.25]],)),
    chain(
        [op("bincount"), op("bincount", minlength=12), op("bincount", minlength=2)],
        (6,),
        dtypes=("int32",),
        name="bincount",
    ),
    of_rows(
        op("bincount", "a"),
        op("bincount", "a", weights=[1.0, 0.5, 2.0, -1.0]),
        op("bincount", "a", weights=[1, 2, 3, 4], minlength=10),
        dtypes=("int32",),
        name="bincount-weights",
    ),
    *(
        Case([op(f, "in0", IDS, num_segments=4)], shape, dtypes=(kind,), name=f"{f}-{shape}-{kind}")
        for f in SEGMENTS
        for shape, kind in (((2,), "float32"), ((2, 3), "float32"), ((2,), "int32"))
    ),
    *(Case([op(f, "in0", SORTED_IDS, sorted=True)], (2,), name=f"{f}-sorted") for f in SEGMENTS),
    *(
        Case(
            [op("getitem", "in1", **FIRST, name="i"), op(f, "in0", "i", num_segments=3)],
            [(4,), (1,)],
            dtypes=("float32", "int32"),
            high=3,
            name=f"{f}-tensor",
        )
        for f in SEGMENTS
    ),
    Case([op("segment_max", "in0", [1, 1, 0])], (2,), name="segment_max-open"),
    Case([op("scatter", [[1], [3], [1]], "in0", shape=[5, 4])], (4,), name="scatter-rows"),
    of_rows(op("scatter", PLACES, "a", shape=[3, 4]), shapes=(3,), name="scatter-elements"),
    Case(
        [op("scatter", "in0", "in1", shape=[8])],
        [(4, 1), (4,)],
        dtypes=("int32", "float32"),
        name="scatter-tensors",
    ),
    *(
        Case(
            [op("scatter_update", "in0", PLACES, [1.0, -2.0, 0.5], **fields)],
            (4,),
            name=f"scatter_update-{fields}",
        )
        for fields in ({}, *({"reduction": r} for r in ("add", "max", "min", "mul")))
    ),
    *(
        Case(
            [op("scatter_update", "in0", [[2], [0]], "in1", **fields)],
            [(4,), (4,)],
            inputs=([[1.0, -2.0, 0.5, 3.0]] * 3, [[0.0, 4.0, -1.0, 2.0], [5.0, -6.0, 1.0, 0.5]]),
            name=f"scatter_update-rows-{fields}",
        )
        for fields in ({}, *({"reduction": r} for r in ("add", "max", "min", "mul")))
    ),
    Case(
        [
            op("greater", "in0", 0.5, name="p"),
            op("less", "in0", -0.5, name="q"),
            op("multiply", "in0", 2.0, name="r"),
            op("select", ["p", "q"], ["r", "in0"], -1.0, name="s"),
            op("select", ["p", "q"], ["r", "in0"], 0, name="t"),
        ],
        (5,),
        outputs=["s", "t"],
        name="select",
    ),
    Case([op("unravel_index", shape=[3, 4])], (5,), dtypes=("int32",), high=12),
    of_rows(op("unravel_index", "a", shape=[2, 3, 4]), dtypes=("int32",), high=24),
]
