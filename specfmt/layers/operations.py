"""Element-wise operations of `keras.ops`: arithmetic, comparisons, elementary functions."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Nullable, Number
from specfmt.fields.types import DType, Int, OptionalBool, OptionalDType
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import broadcast as broadcast_size


class ScalarRule(Number):
    """A finite number; an integer stays an integer, which matters for integer tensors."""

    def check(self, value: Any) -> Any:
        super().check(value)
        return value


MAX_OUTPUTS = 1000
"""The largest number of outputs of an operation."""

Scalar = Annotated[float, ScalarRule()]
OptionalScalar = Annotated[float | None, Nullable(ScalarRule())]


def operand_shape(item: Any) -> Shape:
    """The shape of an operand: a tensor's own, () for a number, that of the array for a list."""
    if isinstance(item, Operand):
        return tuple(item)
    if isinstance(item, (list, tuple)):
        return (len(item), *(operand_shape(item[0]) if item else ()))
    return ()


def broadcast(*shapes: Shape) -> Shape:
    """The broadcast shape of several, by NumPy's rule; a known size takes precedence over None.

    Raises:
        ShapeError: Two sizes of an axis differ and neither is 1.
    """
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result: list[int | None] = []
    for sizes in zip(*padded, strict=True):
        try:
            result.append(broadcast_size(*sizes))
        except ValueError:
            raise ShapeError(
                "operands whose sizes agree or are 1, from the last axis on",
                "shapes " + ", ".join(str(tuple(shape)) for shape in shapes),
            ) from None
    return tuple(result)


class Unary(Op):
    """Base of the functions of one tensor that keep its shape and dtype."""

    def output_shape(self, x: Any) -> Shape:
        return operand_shape(x)


class FloatUnary(Unary):
    """Base of the functions of one tensor whose result is floating-point."""

    def result_dtype(self, x: Any) -> str:
        dtype = operand_dtype(x)
        return "float32" if dtype == "int64" else result_type(dtype, "float")


class Binary(Op):
    """Base of the functions of two operands, which are broadcast."""

    operands: ClassVar[tuple[str, ...]] = ("any", "any")
    lists_are_arrays: ClassVar[bool] = True

    def output_shape(self, x1: Any, x2: Any) -> Shape:
        return broadcast(operand_shape(x1), operand_shape(x2))

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(operand_dtype(item) for item in operands))


class FloatBinary(Binary):
    """Base of the functions of two operands whose result is floating-point."""

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(operand_dtype(item) for item in operands), "float")


class Comparison(Binary):
    """Base of the functions of two operands whose result is boolean."""

    def result_dtype(self, *operands: Any) -> str:
        return "bool"


@operation("add")
class Add(Binary):
    """`x1 + x2`."""

    noun = "addition"
    merging = "adds"


@operation("subtract")
class Subtract(Binary):
    """`x1 - x2`."""


@operation("multiply")
class Multiply(Binary):
    """`x1 * x2`."""

    noun = "multiplication"
    merging = "gates"


@operation("divide")
class Divide(FloatBinary):
    """`x1 / x2`."""


@operation("true_divide")
class TrueDivide(FloatBinary):
    """`x1 / x2`."""


@operation("floor_divide")
class FloorDivide(Binary):
    """`x1 // x2`: the quotient rounded down."""


@operation("mod")
class Mod(Binary):
    """`x1 % x2`, with the sign of ``x2``."""

    def result_dtype(self, *operands: Any) -> str:
        dtype = super().result_dtype(*operands)
        return "int32" if dtype == "bool" else dtype


@operation("power")
class Power(Binary):
    """`x1 ** x2`."""


@operation("maximum")
class Maximum(Binary):
    """The larger of two operands, element by element."""


@operation("minimum")
class Minimum(Binary):
    """The smaller of two operands, element by element."""


@operation("arctan2")
class Arctan2(FloatBinary):
    """The angle of the point (x2, x1) in radians, from -pi to pi."""

    def result_dtype(self, *operands: Any) -> str:
        """The dtype that Keras declares, for which a Python number counts as float32."""
        found = (operand_dtype(item) for item in operands)
        dtypes = ["float32" if dtype in ("int", "float") else dtype for dtype in found]
        return result_type(*dtypes, "float")


@operation("equal")
class Equal(Comparison):
    """`x1 == x2`."""


@operation("not_equal")
class NotEqual(Comparison):
    """`x1 != x2`."""


@operation("greater")
class Greater(Comparison):
    """`x1 > x2`."""


@operation("greater_equal")
class GreaterEqual(Comparison):
    """`x1 >= x2`."""


@operation("less")
class Less(Comparison):
    """`x1 < x2`."""


@operation("less_equal")
class LessEqual(Comparison):
    """`x1 <= x2`."""


@operation("logical_and")
class LogicalAnd(Comparison):
    """True where both operands are true."""


@operation("logical_or")
class LogicalOr(Comparison):
    """True where either operand is true."""


@operation("logical_xor")
class LogicalXor(Comparison):
    """True where exactly one operand is true."""


@operation("logical_not")
class LogicalNot(Unary):
    """True where the operand is false."""

    def result_dtype(self, x: Any) -> str:
        return "bool"


@operation("where")
class Where(Op):
    """``x1`` where ``condition`` is true, else ``x2``."""

    operands: ClassVar[tuple[str, ...]] = ("any", "any", "any")
    lists_are_arrays: ClassVar[bool] = True

    def output_shape(self, condition: Any, x1: Any, x2: Any) -> Shape:
        return broadcast(*(operand_shape(item) for item in (condition, x1, x2)))

    def result_dtype(self, condition: Any, x1: Any, x2: Any) -> str:
        return result_type(operand_dtype(x1), operand_dtype(x2))


@operation("negative")
class Negative(Unary):
    """`-x`."""


@operation("absolute")
class Absolute(Unary):
    """`|x|`."""


@operation("square")
class Square(Unary):
    """`x * x`."""

    def result_dtype(self, x: Any) -> str:
        return "int32" if operand_dtype(x) == "bool" else operand_dtype(x)


@operation("sqrt")
class Sqrt(FloatUnary):
    """The square root."""


@operation("rsqrt", "math")
class Rsqrt(Unary):
    """`1 / sqrt(x)`."""


@operation("reciprocal")
class Reciprocal(Unary):
    """`1 / x`."""

    def result_dtype(self, x: Any) -> str:
        """Keras declares float32 for every input."""
        return "float32"


@operation("exp")
class Exp(FloatUnary):
    """`e ** x`."""


@operation("expm1")
class Expm1(FloatUnary):
    """`e ** x - 1`, accurate for small x."""


@operation("log")
class Log(FloatUnary):
    """The natural logarithm."""


@operation("log1p")
class Log1p(FloatUnary):
    """The natural logarithm of `1 + x`, accurate for small x."""


@operation("log2")
class Log2(FloatUnary):
    """The logarithm to base 2."""


@operation("log10")
class Log10(FloatUnary):
    """The logarithm to base 10."""


@operation("sin")
class Sin(FloatUnary):
    """The sine of an angle in radians."""


@operation("cos")
class Cos(FloatUnary):
    """The cosine of an angle in radians."""


@operation("tan")
class Tan(FloatUnary):
    """The tangent of an angle in radians."""


@operation("sinh")
class Sinh(FloatUnary):
    """The hyperbolic sine."""


@operation("cosh")
class Cosh(FloatUnary):
    """The hyperbolic cosine."""


@operation("tanh")
class Tanh(FloatUnary):
    """The hyperbolic tangent."""


@operation("arcsin")
class Arcsin(FloatUnary):
    """The angle in radians whose sine is x."""


@operation("arccos")
class Arccos(FloatUnary):
    """The angle in radians whose cosine is x."""


@operation("arctan")
class Arctan(FloatUnary):
    """The angle in radians whose tangent is x."""


@operation("sign")
class Sign(Unary):
    """The sign of each element: -1, 0 or 1."""


@operation("floor")
class Floor(FloatUnary):
    """`x` rounded down to an integer."""


@operation("ceil")
class Ceil(FloatUnary):
    """`x` rounded up to an integer."""


@operation("round")
class Round(Unary):
    """`x` rounded to ``decimals`` decimal places, halves to even."""

    decimals: Int = 0


@operation("clip")
class Clip(Unary):
    """`min(max(x, x_min), x_max)`."""

    x_min: Scalar
    x_max: Scalar

    def result_dtype(self, x: Any) -> str:
        return "int32" if operand_dtype(x) == "bool" else operand_dtype(x)


@operation("erf", "math")
class Erf(Unary):
    """The Gauss error function."""


@operation("cast", "core")
class Cast(Unary):
    """Converts the tensor to another dtype."""

    dtype: DType

    def result_dtype(self, x: Any) -> str:
        return self.dtype


@operation("convert_to_tensor", "core")
class ConvertToTensor(Unary):
    """Returns the tensor, converted to ``dtype`` if it is given."""

    dtype: OptionalDType = None
    sparse: OptionalBool = None
    ragged: OptionalBool = None

    def result_dtype(self, x: Any) -> str:
        return self.dtype or super().result_dtype(x)


class Like(Unary):
    """Base of the constant tensors of the shape and (by default) the dtype of another."""

    dtype: OptionalDType = None

    def result_dtype(self, x: Any) -> str:
        return self.dtype or operand_dtype(x)


@operation("zeros_like")
class ZerosLike(Like):
    """A tensor of zeros, of the shape and (by default) the dtype of another."""


@operation("ones_like")
class OnesLike(Like):
    """A tensor of ones, of the shape and (by default) the dtype of another."""
