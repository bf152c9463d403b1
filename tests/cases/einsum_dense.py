"""Cases of EinsumDense: every form of equation, sizes from the input, bias axes."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case


def einsum(equation: str, output_shape: Any, **fields: Any) -> dict[str, Any]:
    """An EinsumDense."""
    return {"type": "EinsumDense", "equation": equation, "output_shape": output_shape, **fields}


LORA = {"lora_rank": 2, "lora_alpha": 3.0}
CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}

CASES = [
    Case(einsum("ab,bc->ac", 5), (4,)),
    Case(einsum("ab,bc->ac", 5, bias_axes="c", activation="relu"), (4,)),
    Case(einsum("ab,cb->ac", 5, bias_axes="c"), (4,)),
    Case(einsum("ab,b->ab", 4, bias_axes="b"), (4,)),
    Case(einsum("abc,cd->abd", [None, 5], bias_axes="d", activation="softmax"), (3, 4)),
    Case(einsum("abc,cd->abd", [None, 5], bias_axes="d"), (None, 4)),
    Case(einsum("abc,cd->abd", [3, 5], bias_axes="bd"), (3, 4)),
    Case(einsum("abc,bd->adc", [6, None], bias_axes="d"), (3, 4)),
    Case(einsum("abc,cde->abde", [None, 2, 5], bias_axes="de"), (None, 4)),
    Case(einsum("abc,cde->abde", [None, 2, 5], bias_axes="d"), (3, 4)),
    Case(einsum("abcd,cde->abe", [None, 7], bias_axes="e"), (3, 2, 5)),
    Case(einsum("abc,bcd->ad", 7, bias_axes="d", activation="tanh"), (3, 4)),
    Case(einsum("abc,bcd->abd", [3, 6]), (3, 4)),
    Case(einsum("...x,xy->...y", 6, bias_axes="y"), (4,)),
    Case(einsum("...x,xy->...y", 6, bias_axes="y"), (3, 4)),
    Case(einsum("...x,xy->...y", 6, bias_axes="y"), (3, 3, 4)),
    Case(einsum("...x,xy->...y", 6), (2, 3, 2, 4)),
    Case(einsum("...tx,xy->...ty", [None, 6], bias_axes="y"), (5, 3, 4)),
    Case(einsum("...xz,xy->...yz", [6, None], bias_axes="y"), (5, 3, 4)),
    Case(einsum("...x,xhy->...hy", [2, 6], bias_axes="hy"), (None, 4)),
    Case(einsum("ab...,bc->ac...", 6, bias_axes="c"), (3, 4, 5)),
    Case(einsum("ab...,bc->ac...", 6, bias_axes="c"), (3, None)),
    Case(einsum("ab...,bc->ac...", 6), (3,)),
    Case(einsum("ab,bc->ac", 5, bias_axes="c", **LORA), (4,)),
    Case(einsum("abc,cde->abde", [None, 2, 5], bias_axes="e", **LORA), (3, 4)),
    Case(einsum("abc,cd->abd", [None, 5], lora_rank=2), (3, 4)),
    Case(einsum("abc,cd->abd", [None, 5], bias_axes="d", trainable=False), (3, 4)),
    Case(einsum("ab,bc->ac", 5, bias_axes="c"), (4,), dtypes=("int32",)),
    Case(einsum("ab,bc->ac", 5, bias_axes="c", dtype="float64"), (4,), dtypes=("float64",)),
    Case([{"type": "Flatten"}, einsum("ab,bc->ac", 5, bias_axes="c")], (4, 5, 3)),
    Case([{"type": "Flatten"}, einsum("ab,bcd->acd", [2, 5], bias_axes="d")], (4, 5, 3)),
    Case([CONV, einsum("abcd,de->abce", [None, None, 5], bias_axes="e"), CONV], (5, 6, 3)),
    Case(
        [CONV, einsum("abcd,cde->abe", [None, 5], bias_axes="e")],
        (5, 6, 3),
        name="EinsumDense-of-an-image",
    ),
    Case(
        [CONV, einsum("abcd,bf->afcd", [3, 6, 4], bias_axes="f"), CONV],
        (5, 6, 3),
        name="EinsumDense-over-rows",
    ),
    Case(
        [
            {"type": "Masking"},
            einsum("abc,cd->abd", [None, 5], bias_axes="d"),
            {"type": "GlobalAveragePooling1D"},
        ],
        (None, 2),
        inputs=([[[1.0, 2.0], [0.0, 0.0], [0.0, 3.0], [1.5, 1.5], [0.0, 0.0]]] * 2,),
        name="EinsumDense-masked",
    ),
]
