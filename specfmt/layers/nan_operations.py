"""Reductions of `keras.ops` that leave NaN out, and quantiles."""

from __future__ import annotations

from typing import Any, ClassVar

from specfmt.fields.types import Bool, Literal
from specfmt.layers.array_operations import OptionalAxes
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import (
    SUM_DTYPES,
    Argmax,
    Argmin,
    Cumsum,
    Mean,
    Reduction,
    Std,
    Sum,
    Var,
    reduced_axes,
    reduced_shape,
)
from specfmt.layers.registry import operation
from specfmt.layers.statistics import Median


@operation("nanmax")
class Nanmax(Reduction):
    """The maximum over ``axis``, NaN left out."""


@operation("nanmin")
class Nanmin(Reduction):
    """The minimum over ``axis``, NaN left out."""


@operation("nansum")
class Nansum(Sum):
    """The sum over ``axis``, NaN left out."""


@operation("nanprod")
class Nanprod(Reduction):
    """The product over ``axis``, NaN left out."""

    def result_dtype(self, x: Operand) -> str:
        return SUM_DTYPES.get(x.dtype, x.dtype)


@operation("nanmean")
class Nanmean(Mean):
    """The mean over ``axis``, NaN left out."""


@operation("nanstd")
class Nanstd(Std):
    """The standard deviation over ``axis`` (of the population), NaN left out."""


@operation("nanvar")
class Nanvar(Var):
    """The variance over ``axis`` (of the population), NaN left out."""


@operation("nanargmax")
class Nanargmax(Argmax):
    """The index of the largest element along ``axis``, NaN left out; -1 where all are NaN."""


@operation("nanargmin")
class Nanargmin(Argmin):
    """The index of the smallest element along ``axis``, NaN left out; -1 where all are NaN."""


@operation("nancumsum")
class Nancumsum(Cumsum):
    """The cumulative sum along ``axis``, or of the flattened tensor, with 0 for NaN."""


@operation("nancumprod")
class Nancumprod(Cumsum):
    """The cumulative product along ``axis``, or of the flattened tensor, with 1 for NaN."""


@operation("nanmedian")
class Nanmedian(Median):
    """The median over ``axis``, NaN left out."""


class Quantiles(Op):
    """Base of the quantiles; several come along a new first axis."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")
    highest: ClassVar[int] = 1
    applies_method: ClassVar[bool] = True

    axis: OptionalAxes = None
    method: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear"
    keepdims: Bool = False

    def output_shape(self, x: Operand, q: Any) -> Shape:
        reduced_axes(self.axis, len(x))
        shape = reduced_shape(x, self.axis, keepdims=self.keepdims)
        if isinstance(q, Operand):  # an array of numbers
            if len(q) > 1:
                raise ShapeError("numbers along one axis", f"shape {tuple(q)}", field="inputs")
            return (*q, *shape)
        values = q if isinstance(q, (tuple, list)) else (q,)
        if isinstance(q, (tuple, list)) and len(q) < 2:
            raise ShapeError(
                "a number, or a list of two numbers or more",
                f"a list of {len(q)}",
                "Keras declares the shape of a single number for it; write the number",
                field="inputs",
            )
        if not all(isinstance(value, (int, float)) for value in values) or not all(
            0 <= value <= self.highest for value in values
        ):
            raise ShapeError(f"numbers from 0 to {self.highest}", str(q), field="inputs")
        return (len(values), *shape) if isinstance(q, (tuple, list)) else shape

    def result_dtype(self, x: Operand, q: Any) -> str:
        dtype = operand_dtype(x)
        return "float32" if dtype == "int64" else result_type(dtype, "float")


@operation("quantile")
class Quantile(Quantiles):
    """The quantile ``q``, from 0 to 1, over ``axis``; in a model Keras always interpolates
    linearly, whatever the ``method``."""

    applies_method = False


@operation("percentile")
class Percentile(Quantiles):
    """The percentile ``q``, from 0 to 100, over ``axis``."""

    highest = 100


@operation("nanquantile")
class Nanquantile(Quantiles):
    """The quantile ``q``, from 0 to 1, over ``axis``, NaN left out."""


@operation("nanpercentile")
class Nanpercentile(Quantiles):
    """The percentile ``q``, from 0 to 100, over ``axis``, NaN left out."""

    highest = 100
