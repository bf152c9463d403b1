"""Further element-wise operations of `keras.ops`: rarer functions, tests for NaN, bitwise ones."""

from __future__ import annotations

from typing import Any, ClassVar

from specfmt.fields.types import OptionalDType
from specfmt.layers.base import Shape
from specfmt.layers.op import Op
from specfmt.layers.operations import (
    Binary,
    FloatBinary,
    FloatUnary,
    OptionalScalar,
    Scalar,
    Unary,
    operand_shape,
)
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.registry import operation


@operation("arcsinh")
class Arcsinh(FloatUnary):
    """The inverse of the hyperbolic sine."""


@operation("arccosh")
class Arccosh(FloatUnary):
    """The inverse of the hyperbolic cosine."""


@operation("arctanh")
class Arctanh(FloatUnary):
    """The inverse of the hyperbolic tangent."""


@operation("exp2")
class Exp2(FloatUnary):
    """`2 ** x`."""


@operation("cbrt")
class Cbrt(FloatUnary):
    """The real cube root."""


@operation("trunc")
class Trunc(Unary):
    """`x` rounded towards 0 to an integer."""


@operation("erfinv", "math")
class Erfinv(Unary):
    """The inverse of the error function."""


class Test(Unary):
    """Base of the element-wise tests."""

    def result_dtype(self, x: Any) -> str:
        return "bool"


@operation("isnan")
class Isnan(Test):
    """Whether each element is NaN (not a number)."""


@operation("isinf")
class Isinf(Test):
    """Whether each element is infinite."""


@operation("isfinite")
class Isfinite(Test):
    """Whether each element is neither infinite nor NaN."""


@operation("nan_to_num")
class NanToNum(Unary):
    """Replaces NaN by ``nan``, infinity by ``posinf`` and minus infinity by ``neginf``."""

    nan: Scalar = 0.0
    posinf: OptionalScalar = None
    neginf: OptionalScalar = None


@operation("full_like")
class FullLike(Op):
    """A tensor filled with one number, of the shape and (by default) the dtype of another."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")

    dtype: OptionalDType = None

    def output_shape(self, x: Any, fill_value: Any) -> Shape:
        return operand_shape(x)

    def result_dtype(self, x: Any, fill_value: Any) -> str:
        return self.dtype or operand_dtype(x)


@operation("logaddexp")
class Logaddexp(FloatBinary):
    """`log(exp(x1) + exp(x2))`."""


@operation("hypot")
class Hypot(FloatBinary):
    """`sqrt(x1**2 + x2**2)`."""


@operation("divide_no_nan")
class DivideNoNan(FloatBinary):
    """`x1 / x2`, and 0 where ``x2`` is 0."""


class Bitwise(Binary):
    """Base of the bitwise operations on integers."""

    def output_shape(self, x: Any, y: Any) -> Shape:
        return super().output_shape(x, y)

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(operand_dtype(item) for item in operands))


@operation("bitwise_and")
class BitwiseAnd(Bitwise):
    """The bitwise and of two integers: the bits that are set in both."""


@operation("bitwise_or")
class BitwiseOr(Bitwise):
    """The bitwise or of two integers: the bits that are set in either."""


@operation("bitwise_xor")
class BitwiseXor(Bitwise):
    """The bitwise exclusive or of two integers: the bits that are set in exactly one."""


@operation("stop_gradient", "core")
class StopGradient(Unary):
    """Returns the tensor unchanged; no gradient flows through it."""

    def output_shape(self, variable: Any) -> Shape:
        return operand_shape(variable)


@operation("copy")
class Copy(Unary):
    """Returns a copy of the tensor."""
