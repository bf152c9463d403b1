"""Reductions of `keras.ops`: sum, mean, maximum and others over axes."""

from __future__ import annotations

from math import inf
from typing import Annotated, Literal

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Either, Integer, Nullable, Rule, Tuple
from specfmt.fields.types import Axes, Bool, OptionalDType, OptionalInt
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import OptionalScalar
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.registry import operation
from specfmt.layers.sizes import elements

OptionalAxes = Annotated[
    Axes | None,
    Nullable(Either(Integer(), Tuple(Integer()), expected="an axis or a list of axes")),
]


class OrderRule(Rule):
    """The order of a norm: a number, "fro", "nuc", "inf" or "-inf"."""

    _words = ("fro", "nuc", "inf", "-inf")

    def check(self, value: object) -> float | str:
        if value in self._words:
            return str(value) if value in ("fro", "nuc") else float(str(value))
        if type(value) in (int, float) and value == value:
            try:
                number = float(value)  # type: ignore[arg-type]
            except OverflowError:  # as large as infinity, like 1e400
                return inf if value > 0 else -inf  # type: ignore[operator]
            return int(number) if number.is_integer() else number
        raise FieldError('a number, "fro", "nuc", "inf" or "-inf"', value)

    def schema(self) -> dict[str, object]:
        return {"anyOf": [{"type": "number"}, {"type": "string", "enum": list(self._words)}]}


NormOrder = Annotated[float | Literal["fro", "nuc"] | None, Nullable(OrderRule())]

SUM_DTYPES = {
    "bool": "int32",
    "int8": "int32",
    "int16": "int32",
    "uint8": "uint32",
    "uint16": "uint32",
}
"""The dtype in which Keras sums narrow integers."""


def check_axis(axis: int, rank: int, field: str = "axis") -> int:
    """An axis counted from the front.

    Raises:
        ShapeError: There is no such axis.
    """
    if not -rank <= axis < rank:
        raise ShapeError(f"an axis from {-rank} to {rank - 1}", str(axis), field=field)
    return axis % rank


def reduced_axes(axis: int | tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    """The axes that a reduction runs over, counted from the front; None means all."""
    if axis is None:
        return tuple(range(rank))
    axes = (axis,) if isinstance(axis, int) else axis
    return tuple(check_axis(number, rank) for number in axes)


def reduced_shape(x: Shape, axis: int | tuple[int, ...] | None, *, keepdims: bool = False) -> Shape:
    """The shape after a reduction."""
    axes = reduced_axes(axis, len(x))
    if keepdims:
        return tuple(1 if k in axes else size for k, size in enumerate(x))
    return tuple(size for k, size in enumerate(x) if k not in axes)


def is_whole(dtype: str) -> bool:
    """Whether a dtype is an integer or boolean one."""
    return "int" in dtype or dtype == "bool"


class Reduction(Op):
    """Base of the reductions; without ``axis`` over all axes, the batch axis included."""

    axis: OptionalAxes = None
    keepdims: Bool = False

    def output_shape(self, x: Operand) -> Shape:
        return reduced_shape(x, self.axis, keepdims=self.keepdims)


@operation("sum")
class Sum(Reduction):
    """The sum over ``axis``."""

    def result_dtype(self, x: Operand) -> str:
        dtype = result_type(operand_dtype(x))
        return SUM_DTYPES.get(dtype, dtype)


@operation("mean")
class Mean(Reduction):
    """The mean over ``axis``."""

    def result_dtype(self, x: Operand) -> str:
        dtype = operand_dtype(x)
        return result_type(dtype, "float32") if is_whole(dtype) else dtype


class Extreme(Reduction):
    """Base of maximum and minimum; ``initial`` takes part like one more element."""

    initial: OptionalScalar = None


@operation("max")
class Max(Extreme):
    """The maximum over ``axis``."""


@operation("min")
class Min(Extreme):
    """The minimum over ``axis``."""


@operation("prod")
class Prod(Reduction):
    """The product over ``axis``."""

    dtype: OptionalDType = None

    def result_dtype(self, x: Operand) -> str:
        dtype = operand_dtype(x)
        return self.dtype or SUM_DTYPES.get(dtype, dtype)


@operation("std")
class Std(Reduction):
    """The standard deviation over ``axis`` (of the population: divided by the number of
    elements)."""

    def result_dtype(self, x: Operand) -> str:
        return "float32" if is_whole(operand_dtype(x)) else operand_dtype(x)


@operation("var")
class Var(Reduction):
    """The variance over ``axis`` (of the population: divided by the number of elements)."""

    def result_dtype(self, x: Operand) -> str:
        return result_type(operand_dtype(x), "float")


class Logical(Reduction):
    """Base of the reductions whose result is boolean."""

    def result_dtype(self, x: Operand) -> str:
        return "bool"


@operation("any")
class Any(Logical):
    """Whether any element is true, over ``axis``."""


@operation("all")
class All(Logical):
    """Whether all elements are true, over ``axis``."""


@operation("argmax")
class Argmax(Reduction):
    """The index of the largest element along ``axis``, or in the flattened tensor."""

    axis: OptionalInt = None

    def result_dtype(self, x: Operand) -> str:
        return "int32"


@operation("argmin")
class Argmin(Argmax):
    """The index of the smallest element along ``axis``, or in the flattened tensor."""


@operation("logsumexp", "math")
class Logsumexp(Reduction):
    """`log(sum(exp(x)))` over ``axis``."""

    def result_dtype(self, x: Operand) -> str:
        """Keras declares float32 for every input."""
        return "float32"


@operation("norm", "linalg")
class Norm(Op):
    """The norm of vectors along one axis, or of matrices in two; by default the Euclidean
    (Frobenius) norm."""

    ord: NormOrder = None
    axis: OptionalAxes = None
    keepdims: Bool = False

    def output_shape(self, x: Operand) -> Shape:
        axes = reduced_axes(self.axis, len(x))
        if len(axes) > 2:
            raise ShapeError(
                "one or two axes, as Keras takes", f"{len(axes)} axes of shape {tuple(x)}",
                "name them, or take the sqrt of the sum of the squares", field="axis",
            )  # fmt: skip
        if isinstance(self.ord, str) and self.ord in ("fro", "nuc") and len(axes) != 2:
            raise ShapeError("two axes for a matrix norm", f"{len(axes)}", field="ord")
        return reduced_shape(x, self.axis, keepdims=self.keepdims)

    def result_dtype(self, x: Operand) -> str:
        return "float32" if is_whole(operand_dtype(x)) else operand_dtype(x)


@operation("cumsum")
class Cumsum(Op):
    """The cumulative sum along ``axis``, or of the flattened tensor."""

    axis: OptionalInt = None
    dtype: OptionalDType = None

    def output_shape(self, x: Operand) -> Shape:
        if self.axis is None:
            return (elements(x),)
        check_axis(self.axis, len(x))
        return tuple(x)

    def result_dtype(self, x: Operand) -> str:
        dtype = self.dtype or operand_dtype(x)
        return "int32" if dtype == "bool" else dtype
