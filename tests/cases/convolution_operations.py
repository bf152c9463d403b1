"""Cases of convolutions whose kernels are operands, of windows as columns, and of poolings."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.operations import CONV, chain, op
from tests.tools.harness import Case


def numbers(*shape: int, seed: int = 0) -> list[Any]:
    """A kernel."""
    found: list[Any] = np.random.default_rng(seed).integers(-8, 9, shape).astype(float).tolist()
    return found


IMAGE = (8, 9, 4)
FIRST = {"data_format": "channels_first"}


def kernels(function: str, *, axes: tuple[int, ...], **fields: Any) -> Any:
    """The function with a kernel of this window, on four channels."""
    depthwise = function != "conv"
    more = [numbers(*(1,) * len(axes), 8, 3, seed=1)] if function == "separable_conv" else []
    return op(function, "in0", numbers(*axes, 4, 2 if depthwise else 5), *more, **fields)


CASES = [
    *(
        chain(
            [
                kernels(f, axes=(3, 2)),
                kernels(f, axes=(3, 3), padding="same", strides=2),
                kernels(f, axes=(2, 3), padding="same"),
                kernels(f, axes=(3, 3), dilation_rate=2),
                kernels(f, axes=(2, 2), padding="same", strides=2),
                kernels(f, axes=(3, 3), padding="same", dilation_rate=2),
            ],
            IMAGE,
            name=f"{f}-options",
        )
        for f in ("conv", "depthwise_conv", "separable_conv")
    ),
    *(
        chain([kernels(f, axes=(3, 2), padding="same", **FIRST)], (4, 7, 6), name=f"{f}-first")
        for f in ("depthwise_conv", "separable_conv")
    ),
    *(
        chain(
            [kernels(f, axes=(3,)), kernels(f, axes=(3,), padding="same", strides=2)],
            (9, 4),
            name=f"{f}-1d",
        )
        for f in ("conv", "depthwise_conv", "separable_conv")
    ),
    chain(
        [op("conv", "in0", numbers(2, 3, 2, 2, 3), strides=[1, 2, 1], padding="same")],
        (4, 5, 4, 2),
        name="conv-3d",
    ),
    Case([kernels("conv", axes=(3, 3), padding="same", strides=2)], (None, None, 4), sizes=(6, 7)),
    Case([op("conv", "in0", numbers(9, 9, 4, 5))], (9, 9, 4), name="conv-stored-kernel"),
    Case(
        [
            {**CONV, "name": "c"},
            op("conv", "c", numbers(3, 3, 6, 4), padding="same", name="k"),
            op("depthwise_conv", "k", numbers(3, 3, 4, 1), padding="same", name="d"),
            CONV,
        ],
        IMAGE,
        permutes=0,
        name="conv-trunk",
    ),
    *(
        Case(
            [
                op("getitem", "in1", key=0, name="k"),
                *([op("getitem", "in2", key=0, name="p")] if f == "separable_conv" else []),
                op(f, "in0", "k", *(["p"] if f == "separable_conv" else []), padding="same"),
            ],
            [IMAGE, (3, 2, 4, 2), *([(1, 1, 8, 3)] if f == "separable_conv" else [])],
            name=f"{f}-tensor-kernel",
        )
        for f in ("conv", "depthwise_conv", "separable_conv")
    ),
    Case(
        [op("unfold", kernel_size=[3, 2], dilation=[1, 2], padding=[1, 2], stride=[2, 1])],
        (3, 7, 8),
    ),
    Case([op("unfold", kernel_size=2)], (3, 5, 6)),
    Case([op("fold", output_size=[5, 6], kernel_size=2)], (12, 20)),
    Case(
        [
            op(
                "fold",
                output_size=[7, 8],
                kernel_size=[3, 2],
                dilation=[1, 2],
                padding=[1, 2],
                stride=[2, 1],
            )
        ],
        (18, 40),
    ),
    *(
        Case([op(f"adaptive_{f}_pool", output_size=list(size), **fields)], shape)
        for f in ("average", "max")
        for shape, size, fields in (
            ((8, 9, 3), (3, 4), {}),
            ((3, 8, 9), (3, 4), FIRST),
            ((7, 3), (3,), {}),
            ((5, 6, 4, 2), (2, 3, 2), {}),
        )
    ),
]
