"""Linear algebra of `keras.ops`: determinants, inverses, systems, factorizations of matrices."""

from __future__ import annotations

from typing import Any, ClassVar

from specfmt.fields.types import Bool, Literal, OptionalFloat
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree
from specfmt.layers.symbols import smaller


def matrices(x: Any, *, square: bool = True) -> tuple[Shape, int | None, int | None]:
    """The axes in front of the matrices, their rows and their columns.

    Raises:
        ShapeError: There are no matrices, or they are not square where they have to be.
    """
    if len(x) < 2 or (square and not agree(x[-2], x[-1])):
        wanted = "square matrices" if square else "matrices"
        raise ShapeError(f"{wanted} in the last two axes", f"shape {tuple(x)}", field="inputs")
    return tuple(x[:-2]), x[-2], x[-1]


class MatrixOp(Op):
    """Base of the operations on matrices, which are the last two axes."""

    square: ClassVar[bool] = True

    def matrix(self, x: Any) -> tuple[Shape, int | None, int | None]:
        """The axes in front, the rows and the columns (see `matrices`)."""
        return matrices(x, square=self.square)

    def output_shape(self, x: Operand) -> Any:
        self.matrix(x)
        return tuple(x)


@operation("det", "linalg")
class Det(MatrixOp):
    """The determinant of square matrices."""

    def output_shape(self, x: Operand) -> Shape:
        return self.matrix(x)[0]


@operation("logdet", "math")
class Logdet(Det):
    """The logarithm of the determinant of positive definite matrices."""


@operation("slogdet")
class Slogdet(MatrixOp):
    """The sign of the determinant and the logarithm of its absolute value: two outputs."""

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        """Keras declares the sign without axes."""
        return ((), self.matrix(x)[0])


@operation("inv", "linalg")
class Inv(MatrixOp):
    """The inverse of square matrices."""


@operation("cholesky", "linalg")
class Cholesky(MatrixOp):
    """The lower (or ``upper``) triangular factor of positive definite matrices."""

    upper: Bool = False


@operation("cholesky_inverse", "linalg")
class CholeskyInverse(MatrixOp):
    """The inverse of the matrices whose Cholesky factor is given."""

    upper: Bool = False


@operation("eigh", "linalg")
class Eigh(MatrixOp):
    """Eigenvalues in ascending order and eigenvectors of symmetric matrices: two outputs; the
    signs of the vectors are not defined."""

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        front, rows, columns = self.matrix(x)
        return ((*front, rows), (*front, rows, columns))


@operation("qr", "linalg")
class Qr(MatrixOp):
    """An orthogonal and an upper triangular factor: two outputs, whose signs are not defined."""

    square = False

    mode: Literal["reduced", "complete"] = "reduced"

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        front, rows, columns = self.matrix(x)
        if rows is None or columns is None:
            raise ShapeError("matrices of known size", f"shape {tuple(x)}", field="inputs")
        inner = smaller(rows, columns) if self.mode == "reduced" else rows
        return ((*front, rows, inner), (*front, inner, columns))


@operation("svd", "linalg")
class SVD(MatrixOp):
    """The singular value decomposition: left vectors, values, right vectors (as rows), or the
    values alone; the signs of the vectors are not defined."""

    square = False

    full_matrices: Bool = True
    compute_uv: Bool = True

    def output_shape(self, x: Operand) -> Any:
        front, rows, columns = self.matrix(x)
        if rows is None or columns is None:
            raise ShapeError("matrices of known size", f"shape {tuple(x)}", field="inputs")
        least = smaller(rows, columns)
        if not self.compute_uv:
            return (*front, least)
        left, right = (rows, columns) if self.full_matrices else (least, least)
        return ((*front, rows, left), (*front, least), (*front, right, columns))


@operation("pinv", "linalg")
class Pinv(MatrixOp):
    """The Moore-Penrose inverse; singular values below ``rcond`` times the largest count as 0."""

    square = False

    rcond: OptionalFloat = None

    def output_shape(self, x: Operand) -> Shape:
        front, rows, columns = self.matrix(x)
        return (*front, columns, rows)


@operation("matrix_rank", "linalg")
class MatrixRank(MatrixOp):
    """The rank of matrices: the number of singular values above ``tol``."""

    square = False

    tol: OptionalFloat = None

    def output_shape(self, x: Operand) -> Shape:
        return self.matrix(x)[0]

    def result_dtype(self, x: Operand) -> str:
        return "int32"


class System(Op):
    """Base of the solvers of `a @ x = b`."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    def output_shape(self, a: Operand, b: Operand) -> Shape:
        _, rows, _ = matrices(a)
        place = len(b) - 1 if len(b) == len(a) - 1 else len(b) - 2
        fits = len(b) in (len(a) - 1, len(a)) and agree(rows, b[place])
        if not fits:
            raise ShapeError(
                "right sides with as many rows as the matrices",
                f"shapes {tuple(a)} and {tuple(b)}",
                field="inputs",
            )
        return tuple(b)

    def result_dtype(self, a: Operand, b: Operand) -> str:
        return b.dtype


@operation("solve", "linalg")
class Solve(System):
    """Solves `a @ x = b` for square matrices."""


@operation("solve_triangular", "linalg")
class SolveTriangular(System):
    """Solves `a @ x = b` for upper (or ``lower``) triangular matrices."""

    lower: Bool = False


@operation("lstsq", "linalg")
class Lstsq(Op):
    """The least-squares solution of `a @ x = b`, of the least norm; singular values below
    ``rcond`` times the largest count as 0."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    rcond: OptionalFloat = None

    def output_shape(self, a: Operand, b: Operand) -> Shape:
        if len(a) != 2 or len(b) not in (1, 2) or None in a or a[0] != b[0]:
            raise ShapeError(
                "a matrix of known size, and one or several right sides",
                f"shapes {tuple(a)} and {tuple(b)}",
                field="inputs",
            )
        return (a[1], *b[1:])


@operation("lu_factor", "linalg")
class LuFactor(Op):
    """The triangular factors of a square matrix in one matrix, and the order of its rows: two
    outputs."""

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        _, rows, columns = matrices(x)
        if len(x) != 2:
            raise ShapeError(
                "one matrix", f"shape {tuple(x)}", "TensorFlow has no other", field="inputs"
            )
        return ((rows, columns), (rows,))


@operation("eig", "linalg")
class Eig(Op):
    """The complex eigenvalues and eigenvectors of square matrices, in no certain order: two
    outputs."""

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        """Keras declares the dtype of the operand."""
        front, rows, columns = matrices(x)
        return ((*front, rows), (*front, rows, columns))
