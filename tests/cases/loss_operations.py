"""Cases of losses, metrics, and the encoding of labels."""

from __future__ import annotations

from tests.cases.operations import chain, op
from tests.tools.harness import Case

PROBABILITIES = [[[0.1, 0.7, 0.2], [0.0, 1.0, 0.0]], [[0.3, 0.3, 0.4], [0.9, 0.2, 0.4]]]
TARGETS = [[[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]], [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]]]
AXIS_TARGETS = [[[0.25, 0.0], [0.5, 1.0], [0.25, 0.0]]]
CTC = {"dtypes": ("int32", "float32", "int32", "int32")}
FIRST = {"key": [{"slice": [None, None]}, 0]}

CASES = [
    chain(
        [
            op("binary_crossentropy", "in0", "in1"),
            op("binary_crossentropy", "in0", "in1", from_logits=True),
            op("categorical_crossentropy", "in0", "in1"),
            op("categorical_crossentropy", "in0", "in1", from_logits=True),
        ],
        [(2, 3), (2, 3)],
        inputs=(TARGETS, PROBABILITIES),
        name="crossentropies",
    ),
    Case(
        [op("categorical_crossentropy", "in0", "in1", axis=1, from_logits=True)],
        [(3, 2), (3, 2)],
        inputs=(AXIS_TARGETS, [[[0.5, -1.0], [2.0, 0.25], [1.0, -0.5]]]),
        name="categorical_crossentropy-axis",
    ),
    chain(
        [
            op("sparse_categorical_crossentropy", "in0", "in1"),
            op("sparse_categorical_crossentropy", "in0", "in1", from_logits=True),
        ],
        [(2,), (2, 3)],
        dtypes=("int32", "float32"),
        inputs=([[1, 0], [2, 2]], PROBABILITIES),
        name="sparse_categorical_crossentropy",
    ),
    Case(
        [op("sparse_categorical_crossentropy", "in0", "in1", from_logits=True)],
        [(1,), (5,)],
        dtypes=("int32", "float32"),
        high=5,
        name="sparse_categorical_crossentropy-column",
    ),
    *(
        Case(
            [
                op("getitem", "in2", **FIRST, name="a"),
                op("getitem", "in3", **FIRST, name="b"),
                op("ctc_loss", "in0", "in1", "a", "b", mask_index=mask),
            ],
            [(3,), (8, 5), (1,), (1,)],
            inputs=(
                [[1, 2, 2], [3, 1, 0], [2, 3, 1]],
                [[[((7 * i + 3 * j + k * k) % 5) / 2 for k in range(5)] for j in range(8)]
                 for i in range(3)],
                [[3], [2], [1]],
                [[8], [6], [7]],
            ),
            **CTC,
            name=f"ctc_loss-{mask}",
        )
        for mask in (0, 4, -1)
    ),
    *(
        Case(
            [op("getitem", "in1", **FIRST, name="a"), op("ctc_decode", "in0", "a", **fields)],
            [(8, 3), (1,)],
            inputs=(
                [[[((5 * i + 3 * j + k * (j // 2 + 1)) % 7) / 2 for k in range(3)]
                  for j in range(8)] for i in range(4)],
                [[8], [5], [1], [7]],
            ),
            dtypes=("float32", "int32"),
            name=f"ctc_decode-{fields}",
        )
        for fields in ({}, {"merge_repeated": False}, {"mask_index": 2}, {"mask_index": -1})
    ),
    Case(
        [
            op("getitem", "in1", **FIRST, name="a"),
            op("ctc_decode", "in0", "a", strategy="beam_search", beam_width=4),
        ],
        [(8, 3), (1,)],
        inputs=([[[0.1 * j, 0.5, 0.3] for j in range(8)]], [[8]]),
        dtypes=("float32", "int32"),
        torch=False,
        name="ctc_decode-beam",
    ),
    chain(
        [op("psnr", "in0", "in1", max_val=1.0), op("psnr", "in0", "in1", max_val=255.0)],
        [(4, 3), (4, 3)],
        name="psnr",
    ),
    *(
        Case(
            [op("getitem", "in0", **FIRST, name="a"), op("in_top_k", "a", "in1", k=k)],
            [(1,), (6,)],
            dtypes=("int32", "float32"),
            inputs=(
                [[1], [0], [5], [3]],
                [[1.0, 2.0, 2.0, 0.0, 3.0, 2.0], [4.0, 5.0, 6.0, 1.0, 2.0, 3.0],
                 [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 9.0, 8.0, 7.0, 6.0, 5.0]],
            ),
            name=f"in_top_k-{k}",
        )
        for k in (1, 2, 3)
    ),
    *(
        Case([op("multi_hot", num_classes=6, **fields)], shape, dtypes=("int32",), low=-1, high=7)
        for shape, fields in (
            ((4,), {}),
            ((4,), {"dtype": "int32"}),
            ((4, 3), {}),
            ((4, 3), {"axis": 1}),
            ((4, 3), {"axis": 2, "dtype": "bool"}),
        )
    ),
]  # fmt: skip
