"""Attention and tensor contractions of `keras.ops`."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Integer, Tuple
from specfmt.fields.types import Bool, OptionalBool, OptionalFloat
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import Binary, broadcast, operand_shape
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import check_axis
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree


@operation("tensordot")
class Tensordot(Binary):
    """Sums products over pairs of axes: the last ``axes`` of ``x1`` with the first of ``x2``, or
    the listed pairs."""

    axes: Annotated[
        int | tuple[tuple[int, ...], ...],
        Either(
            Integer(0),
            Tuple(Tuple(Integer()), 2, 2),
            expected="a number of axes, or two lists of axes",
        ),
    ] = 2

    def pairs(self, x1: Shape, x2: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axes of each operand that are summed over, in order."""
        if isinstance(self.axes, int):
            if self.axes > min(len(x1), len(x2)):
                raise ShapeError(f"at most {min(len(x1), len(x2))} axes", str(self.axes))
            return tuple(range(len(x1) - self.axes, len(x1))), tuple(range(self.axes))
        first = tuple(check_axis(k, len(x1), "axes") for k in self.axes[0])
        second = tuple(check_axis(k, len(x2), "axes") for k in self.axes[1])
        if len(first) != len(second):
            raise ShapeError(
                "the same number of axes for both operands", f"{len(first)} and {len(second)}"
            )
        return first, second

    def output_shape(self, x1: Any, x2: Any) -> Shape:
        a, b = operand_shape(x1), operand_shape(x2)
        first, second = self.pairs(a, b)
        for k, m in zip(first, second, strict=True):
            if not agree(a[k], b[m]):
                raise ShapeError(f"axes of the same size ({a[k]})", f"{b[m]}", field="axes")
        return (
            *(n for k, n in enumerate(a) if k not in first),
            *(n for k, n in enumerate(b) if k not in second),
        )

    def macs(self, output: Shape, x1: Any, x2: Any) -> int:
        a = operand_shape(x1)
        first, _ = self.pairs(a, operand_shape(x2))
        return prod(size or 1 for size in (*output[1:], *(a[k] for k in first)))


@operation("dot_product_attention", "nn")
class DotProductAttention(Op):
    """`softmax(query @ key^T * scale) @ value` for tensors of shape (batch, time, heads,
    features)."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor", "tensor")
    optional_operands: ClassVar[tuple[str, ...]] = ("bias", "mask", "scale")

    is_causal: Bool = False
    flash_attention: OptionalBool = None
    attn_logits_soft_cap: OptionalFloat = None

    def output_shape(
        self,
        query: Operand,
        key: Operand,
        value: Operand,
        bias: Any = None,
        mask: Any = None,
        scale: Any = None,
    ) -> Shape:
        for item in (query, key, value):
            if len(item) != 4:
                raise ShapeError(
                    "four axes: batch, time, heads, features",
                    f"shape {tuple(item)}",
                    field="inputs",
                )
        broadcast((query[0], query[3]), (key[0], key[3]))
        broadcast(tuple(key), tuple(value))
        heads, shared = query[2], key[2]
        if isinstance(heads, int) and isinstance(shared, int) and heads % shared:
            raise ShapeError(f"a number of heads divisible by {shared}", str(heads), field="inputs")
        return tuple(query)

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(operand_dtype(item) for item in operands[:3]))

    def macs(self, output: Shape, query: Operand, key: Operand, *_: Any) -> int:
        size: int = prod(n or 1 for n in query[1:])
        return 2 * size * (key[1] or 1)
