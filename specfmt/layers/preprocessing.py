"""Preprocessing layers for numbers: Rescaling, Normalization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from specfmt.fields.rules import Either, Integer, Nullable, Tuple
from specfmt.fields.types import Bool
from specfmt.layers.base import Argument, FloatLayer, Shape, ShapeError, Weight
from specfmt.layers.normalization import normal_axes, sized_axes
from specfmt.layers.registry import layer
from specfmt.layers.size_rules import broadcasts
from specfmt.vocab.fields import ONES, ZEROS
from specfmt.vocab.initializers import NumberOrArray

INPUTS_ONLY = (Argument("inputs"),)

Numbers = Annotated[Any, NumberOrArray()]
"""A number, or nested lists of numbers."""

OptionalAxes = Annotated[
    int | tuple[int, ...] | None,
    Nullable(Either(Integer(), Tuple(Integer()), expected="an axis or a list of axes")),
]


def shape_of(values: Any) -> tuple[int, ...]:
    """The shape of nested tuples.

    Raises:
        ShapeError: Lists at the same depth differ in length.
    """
    if not isinstance(values, tuple):
        return ()
    shapes = {shape_of(item) for item in values}
    if len(shapes) > 1:
        raise ShapeError("lists of the same length", "lists of different lengths")
    return (len(values), *(shapes.pop() if shapes else ()))


def flat(values: Any) -> tuple[float, ...]:
    """The numbers in nested tuples, in row-major order."""
    if not isinstance(values, tuple):
        return (values,)
    return tuple(number for item in values for number in flat(item))


def check_broadcast(values: Any, x: Shape, field: str) -> None:
    """Check that an array broadcasts to ``x`` without making it larger.

    Raises:
        ShapeError: It does not.
    """
    shape = shape_of(values)
    last = x[len(x) - len(shape) :]
    fits = len(shape) < len(x) and all(
        broadcasts(size, there) for size, there in zip(shape, last, strict=True)
    )
    if not fits:
        raise ShapeError(
            "an array that broadcasts to the last axes of the input",
            f"an array of shape {shape} for shape {x}",
            "give one number, or one for each channel",
            field=field,
        )


@layer
class Rescaling(FloatLayer):
    """`x * scale + offset`; a list holds one number for each channel."""

    positionwise = True
    keras_2_inputs = ("float", "int")
    keras_2_drops_masks = True
    call_arguments = INPUTS_ONLY

    scale: Numbers
    offset: Numbers = 0.0

    def output_shape(self, x: Shape) -> Shape:
        check_broadcast(self.scale, x, "scale")
        check_broadcast(self.offset, x, "offset")
        return x


@layer
class Normalization(FloatLayer):
    """`(x - mean) / sqrt(variance)`, with statistics that are given or computed by ``adapt()``."""

    lists_axes = True
    keras_2_resolves_axis = True
    keras_2_inputs = ("float", "int")
    keras_2_drops_masks = True
    call_arguments = INPUTS_ONLY

    axis: OptionalAxes = -1
    mean: Annotated[Any, Nullable(NumberOrArray())] = None
    variance: Annotated[Any, Nullable(NumberOrArray())] = None
    invert: Bool = False

    @classmethod
    def remove_derived(cls, config: dict[str, Any]) -> None:
        if config.get("axis") in ([-1], (-1,)):
            del config["axis"]

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        if config["axis"] is None:
            config["axis"] = []

    @property
    def unadapted(self) -> bool:
        return self.mean is None

    def statistics_axes(self, x: Shape) -> tuple[int, ...]:
        """The axes along which each position has its own statistics, in order."""
        axes = () if self.axis is None else self.axis
        return tuple(sorted(normal_axes(axes, x)))

    def output_shape(self, x: Shape) -> Shape:
        sizes = sized_axes(self.statistics_axes(x), x)
        if (self.mean is None) != (self.variance is None):
            given, missing = ("mean", "variance") if self.variance is None else ("variance", "mean")
            raise ShapeError(
                "both mean and variance, or neither",
                f"only {given}",
                f"give {missing} too, or leave {given} out and call `adapt()`",
                field=given,
            )
        if self.mean is None:
            return x
        shape = shape_of(self.mean)
        if shape != shape_of(self.variance):
            raise ShapeError(
                "mean and variance of the same shape",
                f"shapes {shape} and {shape_of(self.variance)}",
                field="variance",
            )
        last = sizes[len(sizes) - len(shape) :] if len(shape) <= len(sizes) else None
        if last is None or any(n not in (1, m) for n, m in zip(shape, last, strict=True)):
            raise ShapeError(
                f"a mean of shape {sizes} for axis {self.axis}, or one number",
                f"shape {shape}",
                "give one number for each position of those axes",
                field="mean",
            )
        return x

    def weights(self, x: Shape) -> Iterator[Weight]:
        if self.mean is None:
            shape = sized_axes(self.statistics_axes(x), x)
            yield Weight("mean", shape, ZEROS, trainable=False)
            yield Weight("variance", shape, ONES, trainable=False)
            yield Weight("count", (), ZEROS, trainable=False, dtype="int64")
