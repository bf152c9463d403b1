"""Operations of `keras.ops` that make arrays from bounds, a value, or another array."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Integer, Tuple
from specfmt.fields.types import Bool, Float, Int, OptionalDType, PositiveInt
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import Binary, Like, broadcast, operand_shape
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import check_axis
from specfmt.layers.registry import operation


class Spaced(Binary):
    """Base of the numbers between ``start`` and ``stop``, along a new axis."""

    num: PositiveInt = 50
    endpoint: Bool = True
    dtype: OptionalDType = None
    axis: Int = 0

    def place(self, rank: int) -> int:
        """The new axis, counted from the front in the result."""
        return check_axis(self.axis, rank + 1)

    def output_shape(self, start: Any, stop: Any) -> Shape:
        shape = broadcast(operand_shape(start), operand_shape(stop))
        place = self.place(len(shape))
        return (*shape[:place], self.num, *shape[place:])

    def result_dtype(self, start: Any, stop: Any) -> str:
        return result_type(self.dtype or operand_dtype(start), "float")

    def computed_dtype(self, start: Any, stop: Any) -> str:
        """The dtype that a call has, for which Keras looks at ``stop`` too."""
        if self.dtype is not None:
            return self.dtype
        return result_type(operand_dtype(start), operand_dtype(stop), "float")


@operation("linspace")
class Linspace(Spaced):
    """``num`` numbers at equal distances from ``start`` to ``stop``, along a new axis."""

    retstep: Bool = False

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """Keras has ``retstep`` third."""
        return ("num", "endpoint", "retstep", "axis")

    def output_shape(self, start: Any, stop: Any) -> Shape:
        if self.retstep:
            raise ShapeError("false", "true", "Keras returns no step in a model", field="retstep")
        return super().output_shape(start, stop)


@operation("logspace")
class Logspace(Spaced):
    """``num`` powers of ``base`` with exponents at equal distances from ``start`` to ``stop``."""

    base: Float = 10.0

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """Keras has ``base`` third."""
        return ("num", "endpoint", "base", "axis")


@operation("geomspace")
class Geomspace(Spaced):
    """``num`` numbers from ``start`` to ``stop`` of which each is the same multiple of the one
    before."""

    def output_shape(self, start: Any, stop: Any) -> Shape:
        """Keras gives the result the signs of ``start`` without regard to the new axis."""
        shape = super().output_shape(start, stop)
        signs = operand_shape(start)
        if self.place(len(shape) - 1) and signs:
            raise ShapeError("0", str(self.axis), "Keras fails with another axis", field="axis")
        return shape

    def computed_dtype(self, start: Any, stop: Any) -> str:
        return self.dtype or "float32"


@operation("full")
class Full(Op):
    """A tensor of the given ``shape`` whose elements are those of another, which is broadcast."""

    leading_fields: ClassVar[tuple[str, ...]] = ("shape",)

    shape: Annotated[tuple[int, ...], Tuple(Integer(1))]
    dtype: OptionalDType = None

    def output_shape(self, fill_value: Operand) -> Shape:
        if broadcast(self.shape, tuple(fill_value)) != self.shape:
            raise ShapeError(
                f"a value that fits shape {self.shape}", f"{tuple(fill_value)}", field="inputs"
            )
        return self.shape

    def result_dtype(self, fill_value: Operand) -> str:
        return self.dtype or "float32"


@operation("empty_like")
class EmptyLike(Like):
    """A tensor of the shape of another, whose elements are not defined: zeros on TensorFlow."""


@operation("array")
class Array(Like):
    """The tensor, converted to ``dtype`` if it is given."""
