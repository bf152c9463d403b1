"""Statistics of `keras.ops`: averages, moments, norms, extremes and cumulative products."""

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
from specfmt.layers.size_rules import agree


@operation("amax")
class Amax(Reduction):
    """The maximum over ``axis``."""


@operation("amin")
class Amin(Reduction):
    """The minimum over ``axis``."""


@operation("average")
class Average(Op):
    """The average along ``axis``, or of all elements, optionally weighted by ``weights``."""

    optional_operands: ClassVar[tuple[str, ...]] = ("weights",)

    axis: OptionalInt = None

    def output_shape(self, x: Operand, weights: Operand | None = None) -> Shape:
        shape = reduced_shape(x, self.axis)
        if weights is not None and (len(weights) != len(x) or not all(map(agree, weights, x))):
            axes = reduced_axes(self.axis, len(x))
            if len(axes) != 1 or len(weights) != 1 or not agree(weights[0], x[axes[0]]):
                raise ShapeError(
                    f"weights of shape {tuple(x)}, or one for each position along `axis`",
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
    """The number of elements that are not 0, over ``axis``."""

    axis: OptionalAxes = None

    def output_shape(self, x: Operand) -> Shape:
        return reduced_shape(x, self.axis)

    def result_dtype(self, x: Operand) -> str:
        return "int32"


@operation("median")
class Median(Reduction):
    """The median over ``axis``: the middle element, or the mean of the two middle ones."""

    def result_dtype(self, x: Operand) -> str:
        dtype = operand_dtype(x)
        return "float32" if dtype == "int64" else result_type(dtype, "float")


@operation("ptp")
class Ptp(Reduction):
    """The range over ``axis``: the largest element minus the smallest."""


@operation("normalize", "nn")
class Normalize(Unary):
    """Divides `x` by its norm of ``order`` along ``axis``, or by ``epsilon`` if that is larger."""

    axis: OptionalAxes = -1
    order: PositiveInt = 2
    epsilon: OptionalPositiveFloat = None

    def output_shape(self, x: Operand) -> Shape:
        axes = reduced_axes(self.axis, len(x))
        if self.order != 2 and len(axes) > 2:
            raise ShapeError("at most two axes for this `order`", str(len(axes)), field="axis")
        return tuple(x)

    def result_dtype(self, x: Operand) -> str:
        """Keras declares float32 for every input."""
        return "float32"


@operation("cumprod")
class Cumprod(Cumsum):
    """The cumulative product along ``axis``, or of the flattened tensor."""
