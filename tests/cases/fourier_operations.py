"""Cases of the Fourier transforms."""

from __future__ import annotations

from typing import Any

from tests.cases.operations import op
from tests.tools.harness import Case


def two(function: str, *inputs: Any, **fields: Any) -> list[dict[str, Any]]:
    """An operation with two outputs, both of them read."""
    return [
        op(function, *inputs, name="z", **fields),
        op("add", "z", 0.0, name="a"),
        op("multiply", "z:1", 2.0, name="b"),
    ]


PAIR = ["in0", "in1"]
FRAMES = {"sequence_length": 6, "sequence_stride": 3, "fft_length": 8}
WINDOW = [0.5, 1.0, 2.0, 2.5, 1.0, 0.5]

CASES = [
    *(
        Case(two(f, PAIR), [(4, 5, 3), (4, 5, 3)], outputs=["a", "b"], name=f)
        for f in ("fft", "fft2", "ifft2")
    ),
    *(
        Case(two("rfft", **fields), (3, 7), outputs=["a", "b"], name=f"rfft-{fields}")
        for fields in ({}, {"fft_length": 10}, {"fft_length": 5})
    ),
    *(
        Case([op("irfft", PAIR, **fields)], [(3, 5), (3, 5)], name=f"irfft-{fields}")
        for fields in ({}, {"fft_length": 7}, {"fft_length": 12})
    ),
    *(
        Case(
            two("stft", **FRAMES, **fields),
            shape,
            outputs=["a", "b"],
            name=f"stft-{fields}-{shape}",
        )
        for fields, shape in (
            ({}, (20,)),
            ({}, (2, 21)),
            ({"center": False}, (2, 3, 20)),
            ({"window": "hamming"}, (20,)),
            ({"window": None}, (20,)),
            ({"window": WINDOW, "center": False}, (20,)),
        )
    ),
    *(
        Case(
            [op("istft", PAIR, **FRAMES, **fields)], [shape, shape], name=f"istft-{fields}-{shape}"
        )
        for fields, shape in (
            ({}, (7, 5)),
            ({}, (2, 6, 5)),
            ({"center": False}, (7, 5)),
            ({"length": 11}, (7, 5)),
            ({"window": "hamming"}, (7, 5)),
            ({"window": None, "center": False}, (2, 7, 5)),
            ({"window": WINDOW}, (7, 5)),
        )
    ),
    Case([op("extract_sequences", sequence_length=4, sequence_stride=3)], (2, 20)),
    Case([op("extract_sequences", sequence_length=4, sequence_stride=3)], (None,), sizes=(11,)),
]
