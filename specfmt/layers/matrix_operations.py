"""Operations of `keras.ops` on vectors and matrices: diagonals, products, distances, grids."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Nullable, Number, Tuple
from specfmt.fields.types import (
    Axis,
    Bool,
    Float,
    Int,
    Literal,
    NaturalFloat,
    OptionalPositiveInt,
)
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import Binary, broadcast, operand_shape
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import check_axis
from specfmt.layers.registry import operation

OptionalNumbers = Annotated[tuple[float, ...] | None, Nullable(Tuple(Number(), 1))]
"""A list of numbers."""


def check_rank(x: Shape, *ranks: int) -> None:
    """Check the number of axes.

    Raises:
        ShapeError: It is another one.
    """
    if len(x) not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise ShapeError(f"{wanted} axes", f"shape {tuple(x)}", field="inputs")


@operation("diag")
class Diag(Op):
    """A matrix with the vector on its ``k``-th diagonal, or the diagonal of a matrix."""

    k: Int = 0

    def output_shape(self, x: Operand) -> Shape:
        check_rank(x, 1, 2)
        if len(x) == 1:
            size = None if x[0] is None else x[0] + abs(self.k)
            return (size, size)
        rows, columns = x
        if rows is None or columns is None:
            return (None,)
        if not -rows < self.k < columns:
            raise ShapeError(f"a diagonal from {1 - rows} to {columns - 1}", str(self.k), field="k")
        rest = columns - self.k if self.k > 0 else rows + self.k
        return (max(0, min(rest, rows, columns)),)


@operation("diagflat")
class Diagflat(Op):
    """A matrix with all elements of the tensor on its ``k``-th diagonal."""

    k: Int = 0

    def output_shape(self, x: Operand) -> Shape:
        size = None if None in x else prod(s or 0 for s in x) + abs(self.k)
        return (size, size)


@operation("kron")
class Kron(Binary):
    """The Kronecker product of two vectors or matrices."""

    def output_shape(self, x1: Any, x2: Any) -> Shape:
        """Keras counts the axes of operands of different rank from the front."""
        a, b = operand_shape(x1), operand_shape(x2)
        if max(len(a), len(b)) > 2:
            raise ShapeError(
                "at most two axes", f"shapes {a} and {b}", "TensorFlow has no more", field="inputs"
            )
        return tuple(None if n is None or m is None else n * m for n, m in zip(a, b, strict=False))


@operation("vander")
class Vander(Op):
    """The powers of a vector, one per column, from the ``N - 1``-th to the 0th."""

    N: OptionalPositiveInt = None
    increasing: Bool = False

    def output_shape(self, x: Operand) -> Shape:
        check_rank(x, 1)
        return (x[0], x[0] if self.N is None else self.N)


@operation("cdist", "math")
class CDist(Op):
    """The Euclidean distances between the rows of two tensors."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    def output_shape(self, x: Operand, y: Operand) -> Shape:
        if min(len(x), len(y)) < 2 or (None not in (x[-1], y[-1]) and x[-1] != y[-1]):
            raise ShapeError(
                "rows of the same size", f"shapes {tuple(x)} and {tuple(y)}", field="inputs"
            )
        return (*(broadcast(x[:-2], y[:-2]) if x[:-2] or y[:-2] else ()), x[-2], y[-2])

    def result_dtype(self, x: Operand, y: Operand) -> str:
        return result_type(x.dtype, y.dtype, "float")


@operation("corrcoef")
class Corrcoef(Op):
    """The correlation coefficients of the rows of a matrix."""

    def output_shape(self, x: Operand) -> Shape:
        """Keras declares the shape of the operand."""
        check_rank(x, 2)
        return tuple(x)

    def result_dtype(self, x: Operand) -> str:
        return "float64" if x.dtype == "int64" else result_type(x.dtype, "float")


@operation("correlate")
class Correlate(Op):
    """The cross-correlation of two vectors."""

    operands: ClassVar[tuple[str, ...]] = ("any", "any")
    lists_are_arrays: ClassVar[bool] = True

    mode: Literal["valid", "same", "full"] = "valid"

    def output_shape(self, x1: Any, x2: Any) -> Shape:
        a, b = operand_shape(x1), operand_shape(x2)
        if len(a) != 1 or len(b) != 1 or a[0] is None or b[0] is None:
            raise ShapeError("two vectors of known size", f"shapes {a} and {b}", field="inputs")
        if self.mode == "valid" and a[0] < b[0]:
            raise ShapeError(
                "a second vector that is not longer", f"{a[0]} and {b[0]}", field="inputs"
            )
        sizes = {"valid": a[0] - b[0] + 1, "same": max(a[0], b[0]), "full": a[0] + b[0] - 1}
        return (sizes[self.mode],)

    def result_dtype(self, x1: Any, x2: Any) -> str:
        dtype = result_type(operand_dtype(x1), operand_dtype(x2))
        if dtype == "int64":
            return "float64"
        return dtype if dtype in ("bfloat16", "float16", "float64") else "float32"


@operation("trapezoid")
class Trapezoid(Op):
    """The integral along ``axis`` by the trapezoidal rule, at distances ``dx`` or places ``x``."""

    x: OptionalNumbers = None
    dx: Float = 1.0
    axis: Axis = -1

    def output_shape(self, y: Operand) -> Shape:
        axis = check_axis(self.axis, len(y))
        if self.axis < -1:
            raise ShapeError(
                "-1 or an axis from 0 on",
                str(self.axis),
                "Keras takes no other on TensorFlow",
                field="axis",
            )
        if self.x is not None and (axis != len(y) - 1 or y[axis] not in (None, len(self.x))):
            raise ShapeError(
                "one place for each element along the last axis", f"{len(self.x)}", field="x"
            )
        return (*y[:axis], *y[axis + 1 :])

    def result_dtype(self, y: Operand) -> str:
        return result_type(y.dtype, "float")


@operation("meshgrid")
class Meshgrid(Op):
    """The coordinates of all points of a grid, given those along each axis: an output for each
    operand."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "...")

    indexing: Literal["xy", "ij"] = "xy"

    def output_shape(self, *x: Operand) -> tuple[Shape, ...]:
        if len(x) < 2 or len({item.dtype for item in x}) > 1:
            raise ShapeError("two or more tensors of one dtype", f"{len(x)}", field="inputs")
        sizes = [None if None in item else prod(size or 0 for size in item) for item in x]
        if self.indexing == "xy":
            sizes[:2] = sizes[1], sizes[0]
        return (tuple(sizes),) * len(x)

    def result_dtype(self, *x: Operand) -> str:
        """Keras declares float32 for the indexing ``ij``."""
        return "float32" if self.indexing == "ij" else x[0].dtype


@operation("allclose")
class AllClose(Binary):
    """Whether all elements of two operands differ by at most `atol + rtol * |x2|`."""

    rtol: NaturalFloat = 1e-05
    atol: NaturalFloat = 1e-08
    equal_nan: Bool = False

    def output_shape(self, x1: Any, x2: Any) -> Shape:
        broadcast(operand_shape(x1), operand_shape(x2))
        return ()

    def result_dtype(self, *operands: Any) -> str:
        return "bool"


@operation("nextafter")
class Nextafter(Binary):
    """The next number after ``x1`` toward ``x2``, in float64, rounded to the result's dtype."""

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(operand_dtype(item) for item in operands), "float")
