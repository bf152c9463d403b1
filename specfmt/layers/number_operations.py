"""Rare element-wise operations of `keras.ops`: angles, bits, divisors, complex parts, NaN."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from specfmt.fields.types import DTYPES, Bool, NaturalFloat, OptionalDType
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.elementary_operations import Bitwise, Test
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import (
    Binary,
    Comparison,
    FloatBinary,
    FloatUnary,
    Unary,
    broadcast,
)
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.registry import operation


@operation("fabs")
class Fabs(FloatUnary):
    """`|x|` as a floating-point number."""


@operation("sinc")
class Sinc(FloatUnary):
    """`sin(pi * x) / (pi * x)`, and 1 at 0."""


@operation("erfc", "math")
class Erfc(FloatUnary):
    """`1 - erf(x)`, accurate for large x."""


@operation("angle")
class Angle(FloatUnary):
    """The angle of a complex number in radians: 0 or pi for a real one."""


class WideFloatUnary(Unary):
    """Base of the functions that return float64 for int64."""

    def result_dtype(self, x: Any) -> str:
        dtype = operand_dtype(x)
        return "float64" if dtype == "int64" else result_type(dtype, "float")


@operation("deg2rad")
class Deg2rad(WideFloatUnary):
    """Degrees as radians."""


@operation("rad2deg")
class Rad2deg(WideFloatUnary):
    """Radians as degrees."""


@operation("i0")
class I0(WideFloatUnary):
    """The modified Bessel function of the first kind and order 0."""


@operation("signbit")
class Signbit(Test):
    """Whether the sign of each element is negative, that of -0.0 included."""


@operation("isneginf")
class Isneginf(Test):
    """Whether each element is minus infinity."""


@operation("isposinf")
class Isposinf(Test):
    """Whether each element is plus infinity."""


@operation("isreal")
class Isreal(Test):
    """Whether the imaginary part of each element is 0."""


@operation("real")
class Real(Unary):
    """The real part."""


@operation("imag")
class Imag(Unary):
    """The imaginary part: 0 for real numbers."""


@operation("conjugate")
class Conjugate(Unary):
    """The complex conjugate: real numbers unchanged."""


@operation("bitwise_invert")
class BitwiseInvert(Unary):
    """Inverts the bits of integers."""


@operation("bitwise_not")
class BitwiseNot(Unary):
    """Inverts the bits of integers."""


@operation("bitwise_left_shift")
class BitwiseLeftShift(Bitwise):
    """Shifts the bits of ``x`` to the left by ``y`` places."""


@operation("bitwise_right_shift")
class BitwiseRightShift(Bitwise):
    """Shifts the bits of ``x`` to the right by ``y`` places."""


@operation("left_shift")
class LeftShift(Bitwise):
    """Shifts the bits of ``x`` to the left by ``y`` places."""


@operation("right_shift")
class RightShift(Bitwise):
    """Shifts the bits of ``x`` to the right by ``y`` places."""


def whole_dtype(item: Any) -> str:
    """The dtype of an operand; Keras takes a number for one of int64."""
    return "int64" if type(item) is int else operand_dtype(item)


@operation("gcd")
class Gcd(Binary):
    """The greatest common divisor of two integers."""

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(whole_dtype(item) for item in operands))


@operation("lcm")
class Lcm(Binary):
    """The least common multiple of two integers."""

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(whole_dtype(item) for item in operands))


@operation("fmax")
class Fmax(Binary):
    """The larger of two operands; where one is NaN, the other."""


@operation("fmin")
class Fmin(Binary):
    """The smaller of two operands; where one is NaN, the other."""


@operation("fmod")
class Fmod(Binary):
    """The remainder of `x1 / x2` with the sign of ``x1``."""

    def result_dtype(self, *operands: Any) -> str:
        dtype = super().result_dtype(*operands)
        return "int32" if dtype == "bool" else dtype


@operation("heaviside")
class Heaviside(Binary):
    """0 where ``x1`` is negative, 1 where it is positive, and ``x2`` where it is 0."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    def result_dtype(self, *operands: Any) -> str:
        dtype = super().result_dtype(*operands)
        return {"int64": "float64"}.get(dtype, result_type(dtype, "float"))


@operation("logaddexp2")
class Logaddexp2(FloatBinary):
    """`log2(2 ** x1 + 2 ** x2)`."""


@operation("ldexp")
class Ldexp(FloatBinary):
    """`x1 * 2 ** x2` for an integer ``x2``."""


@operation("isclose")
class Isclose(Comparison):
    """Whether two operands differ by at most `atol + rtol * |x2|`."""

    call_fields: ClassVar[tuple[str, ...]] = ("rtol", "atol")
    positional_fields: ClassVar[tuple[str, ...]] = ("rtol", "atol")

    rtol: NaturalFloat = 1e-05
    atol: NaturalFloat = 1e-08
    equal_nan: Bool = False


@operation("polar", "nn")
class Polar(Op):
    """The complex numbers with these absolute values and angles."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    def output_shape(self, abs_: Operand, angle: Operand) -> Shape:
        broadcast(tuple(abs_), tuple(angle))
        return tuple(abs_)

    def result_dtype(self, abs_: Operand, angle: Operand) -> str:
        """Keras declares float32."""
        return "float32"


@operation("view_as_real", "math")
class ViewAsReal(Op):
    """The real and the imaginary parts of complex numbers along a new last axis."""

    def output_shape(self, x: Operand) -> Shape:
        return (*x, 2)

    def result_dtype(self, x: Operand) -> str:
        return "float32"


ITEM_SIZES: Final = {
    name: int(name.lstrip("abcdefghijklmnopqrstuvwxyz")) // 8
    for name in DTYPES
    if name not in ("bool", "string")
}
"""The bytes of a number of each dtype."""


@operation("view")
class View(Op):
    """The same bytes as numbers of another dtype."""

    dtype: OptionalDType = None

    def output_shape(self, x: Operand) -> Shape:
        old, new = ITEM_SIZES.get(x.dtype), ITEM_SIZES.get(self.dtype or x.dtype)
        if old == new and old is not None:
            return tuple(x)
        if old is None or new is None or not x or x[-1] is None or x[-1] * old % new:
            raise ShapeError(
                f"a last axis whose bytes are whole numbers of {self.dtype}",
                f"shape {tuple(x)} of {x.dtype}",
                field="dtype",
            )
        return (*x[:-1], x[-1] * old // new)

    def result_dtype(self, x: Operand) -> str:
        return self.dtype or x.dtype
