"""Statistics of `keras.ops`: averages, moments, norms, extremes and running products."""

from __future__ import annotations

from typing import ClassVar

from specfmt.fields.types import Axes, Bool, OptionalInt, OptionalPositiveFloat, PositiveInt
from specfmt.layers.array_operations import OptionalAxes
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import Unary
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import (
    Cumsum,
    Reduction,
    reduced_axes,
    reduced_shape,
)
from specfmt.layers.registry import operation


@operation("amax")
class Amax(Reduction):
    """The largest element."""


@operation("amin")
class Amin(Reduction):
    """The smallest element."""


@operation("average")
class Average(Op):
    """The average along ``axis``, or of all elements, each weighted by ``weights``."""

    optional_operands: ClassVar[tuple[str, ...]] = ("weights",)

    axis: OptionalInt = None

    def output_shape(self, x: Operand, weights: Operand | None = None) -> Shape:
        shape = reduced_shape(x, self.axis)
        if weights is not None and tuple(weights) != tuple(x):
            axes = reduced_axes(self.axis, len(x))
            if len(axes) != 1 or tuple(weights) != (x[axes[0]],):
                raise ShapeError(
                    f"weights of the shape {tuple(x)}, or one for each place along `axis`",
                    f"shape {tuple(weights)}",
                    field="inputs",
                )
        return shape

    def result_dtype(self, x: Operand, weights: Operand | None = None) -> str:
        more = () if weights is None else (operand_dtype(weights),)
        return result_type(operand_dtype(x), "float", *more)


@operation("moments", "nn")
class Moments(Op):
    """The mean and the variance over ``axes``: two outputs."""

    axes: Axes
    keepdims: Bool = False
    synchronized: Bool = False

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        return (reduced_shape(x, self.axes, keepdims=self.keepdims),) * 2


@operation("count_nonzero")
class CountNonzero(Op):
    """How many elements are not 0."""

    axis: OptionalAxes = None

    def output_shape(self, x: Operand) -> Shape:
        return reduced_shape(x, self.axis)

    def result_dtype(self, x: Operand) -> str:
        return "int32"


@operation("median")
class Median(Reduction):
    """The middle element in order, or the mean of the two in the middle."""

    def result_dtype(self, x: Operand) -> str:
        dtype = operand_dtype(x)
        return "float32" if dtype == "int64" else result_type(dtype, "float")


@operation("ptp")
class Ptp(Reduction):
    """The largest element less the smallest."""


@operation("normalize", "nn")
class Normalize(Unary):
    """`x` divided by its norm of ``order`` along ``axis``, which counts as at least ``epsilon``."""

    axis: OptionalAxes = -1
    order: PositiveInt = 2
    epsilon: OptionalPositiveFloat = None

    def output_shape(self, x: Operand) -> Shape:
        axes = reduced_axes(self.axis, len(x))
        if self.order != 2 and len(axes) > 2:
            raise ShapeError("at most two axes for this `order`", str(len(axes)), field="axis")
        return tuple(x)

    def result_dtype(self, x: Operand) -> str:
        """Keras declares float32 whatever it reads."""
        return "float32"


@operation("cumprod")
class Cumprod(Cumsum):
    """Running products along ``axis``; without it along all elements in a row."""
