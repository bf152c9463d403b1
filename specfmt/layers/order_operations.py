"""Operations of `keras.ops` that sort elements or select parts of tensors."""

from __future__ import annotations

from typing import Any, ClassVar

from specfmt.fields.types import Axis, Bool, Int, NaturalInt, OptionalInt, PositiveInt
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import MAX_OUTPUTS, Unary, broadcast, operand_shape
from specfmt.layers.reductions import SUM_DTYPES, check_axis
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree
from specfmt.layers.sizes import elements
from specfmt.layers.symbols import is_below, larger, smaller


class AlongAxis(Op):
    """Base of the operations along ``axis``; without it, on the flattened tensor."""

    axis: OptionalInt = -1

    def output_shape(self, x: Operand) -> Shape:
        if self.axis is None:
            return (elements(x),)
        check_axis(self.axis, len(x))
        return tuple(x)


@operation("sort")
class Sort(AlongAxis):
    """Sorts the elements in ascending order along ``axis``."""


@operation("argsort")
class Argsort(AlongAxis):
    """The indices that would sort the elements in ascending order along ``axis``."""

    def result_dtype(self, x: Operand) -> str:
        return "int32"


@operation("top_k", "math")
class TopK(Op):
    """The ``k`` largest elements along the last axis, and their indices: two outputs."""

    k: PositiveInt
    sorted: Bool = True

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        if not x:
            raise ShapeError("a tensor with an axis", "a number", field="inputs")
        if is_below(x[-1], self.k):
            raise ShapeError(f"at most {x[-1]}, the size of the last axis", str(self.k), field="k")
        return ((*x[:-1], self.k),) * 2

    def result_dtype(self, x: Operand) -> tuple[str, ...]:  # type: ignore[override]
        return x.dtype, "int32"


@operation("take_along_axis")
class TakeAlongAxis(Op):
    """Takes an element for each index along ``axis``, or from the flattened tensor."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")

    axis: OptionalInt = None

    def output_shape(self, x: Operand, indices: Any) -> Shape:
        found = operand_shape(indices)
        if self.axis is None:
            return (elements(found),)
        if len(found) != len(x):
            raise ShapeError(
                f"indices with {len(x)} axes, as the tensor has", str(len(found)),
                field="inputs",
            )  # fmt: skip
        axis = check_axis(self.axis, len(x))
        around = broadcast((*x[:axis], *x[axis + 1 :]), (*found[:axis], *found[axis + 1 :]))
        return (*around[:axis], found[axis], *around[axis:])


@operation("unstack", "core")
class Unstack(Op):
    """Splits the tensor along ``axis`` into its slices, without that axis: an output for each."""

    num: OptionalInt = None
    axis: Axis = 0

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        axis = check_axis(self.axis, len(x))
        size = x[axis]
        if size is None and self.num is None:
            raise ShapeError(f"`num`, since the size of axis {axis} is not known", "none")
        if self.num is not None and not agree(size, self.num):
            raise ShapeError(f"{size}, the size of axis {axis}", str(self.num), field="num")
        count = size if self.num is None else self.num
        if not 0 < (count or 0) <= MAX_OUTPUTS:
            raise ShapeError(f"1 to {MAX_OUTPUTS} parts", str(count), field="axis")
        return ((*x[:axis], *x[axis + 1 :]),) * (count or 0)


class Triangle(Unary):
    """Base of the triangular parts of matrices, which are the last two axes."""

    k: Int = 0

    def output_shape(self, x: Operand) -> Shape:
        if len(x) < 2:
            raise ShapeError("at least two axes", f"shape {tuple(x)}", field="inputs")
        return tuple(x)


@operation("tril")
class Tril(Triangle):
    """The lower triangle of matrices: elements above the ``k``-th diagonal become 0."""


@operation("triu")
class Triu(Triangle):
    """The upper triangle of matrices: elements below the ``k``-th diagonal become 0."""


@operation("diagonal")
class Diagonal(Op):
    """The ``offset``-th diagonal of the matrices in two axes; it becomes the last axis."""

    offset: Int = 0
    axis1: Axis = 0
    axis2: Axis = 1

    def axes(self, rank: int) -> tuple[int, int]:
        """The two axes, counted from the front."""
        first, second = check_axis(self.axis1, rank, "axis1"), check_axis(self.axis2, rank, "axis2")
        if first == second:
            raise ShapeError("two different axes", f"{self.axis1} and {self.axis2}", field="axis2")
        return first, second

    def output_shape(self, x: Operand) -> Shape:
        first, second = self.axes(len(x))
        rows, columns = x[first], x[second]
        size = None
        if rows is not None and columns is not None:
            size = larger(0, smaller(rows + min(self.offset, 0), columns - max(self.offset, 0)))
        return (*(n for k, n in enumerate(x) if k not in (first, second)), size)


@operation("trace")
class Trace(Diagonal):
    """The sum of the ``offset``-th diagonal of the matrices in two axes."""

    def output_shape(self, x: Operand) -> Shape:
        return super().output_shape(x)[:-1]

    def result_dtype(self, x: Operand) -> str:
        return SUM_DTYPES.get(x.dtype, x.dtype)


@operation("diff")
class Diff(Op):
    """The differences between neighbouring elements along ``axis``, taken ``n`` times."""

    n: NaturalInt = 1
    axis: Axis = -1

    def output_shape(self, a: Operand) -> Shape:
        axis = check_axis(self.axis, len(a))
        size = a[axis]
        left = None if size is None else larger(size - self.n, 0)
        return (*a[:axis], left, *a[axis + 1 :])


@operation("ravel")
class Ravel(Unary):
    """Flattens the tensor, batch axis included."""

    def output_shape(self, x: Operand) -> Shape:
        return (elements(x),)
