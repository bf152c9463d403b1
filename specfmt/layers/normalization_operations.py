"""Normalizations of `keras.ops`, whose statistics and weights are operands."""

from __future__ import annotations

from typing import Any, ClassVar

from specfmt.fields.types import Axes, Axis, Bool, Float, OptionalFloat
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import broadcast, operand_shape
from specfmt.layers.reductions import check_axis, reduced_axes
from specfmt.layers.registry import operation


class Normalizing(Op):
    """Base of the normalizations."""

    lists_are_arrays: ClassVar[bool] = True
    optional_given: ClassVar[bool] = True


@operation("batch_normalization", "nn")
class BatchNorm(Normalizing):
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, with one number of each for each
    element along ``axis``."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any", "any")
    optional_operands: ClassVar[tuple[str, ...]] = ("offset", "scale")
    optional_by_position: ClassVar[bool] = True

    axis: Axis
    epsilon: Float = 1e-3

    def output_shape(
        self, x: Operand, mean: Any, variance: Any, offset: Any = None, scale: Any = None
    ) -> Shape:
        size = x[check_axis(self.axis, len(x))]
        if offset is not None and scale is None:
            raise ShapeError(
                "a scale where there is an offset",
                "none",
                "Keras's operation fails without one; give an array of ones",
                field="inputs",
            )
        for item in (mean, variance, offset, scale):
            if item is not None and operand_shape(item) != (size,):
                raise ShapeError(
                    f"vectors of {size} elements", f"shape {operand_shape(item)}", field="inputs"
                )
        return tuple(x)


class LastAxes(Normalizing):
    """Base of the normalizations over one or several axes."""

    axis: Axes = -1
    epsilon: OptionalFloat = None

    def places(self, x: Shape) -> tuple[int, ...]:
        """The axes in ascending order, counted from the front."""
        return tuple(sorted(reduced_axes(self.axis, len(x))))


@operation("layer_normalization", "nn")
class LayerNorm(LastAxes):
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with the mean and the variance over
    ``axis``."""

    optional_operands: ClassVar[tuple[str, ...]] = ("gamma", "beta")
    optional_by_position: ClassVar[bool] = True

    rms_scaling: Bool = False

    def output_shape(self, x: Operand, gamma: Any = None, beta: Any = None) -> Shape:
        sizes = tuple(x[place] for place in self.places(x))
        for item in (gamma, beta):
            shape = sizes if item is None else operand_shape(item)
            if shape != sizes or (item is not None and None in sizes):
                raise ShapeError(
                    f"weights of shape {sizes}, the sizes of the axes", f"{shape}", field="inputs"
                )
        return tuple(x)


@operation("rms_normalization", "nn")
class RMSNorm(LastAxes):
    """`x / sqrt(mean(x ** 2) + epsilon) * scale`, with the mean over ``axis``."""

    optional_operands: ClassVar[tuple[str, ...]] = ("scale",)

    def output_shape(self, x: Operand, scale: Any = None) -> Shape:
        self.places(x)
        if scale is not None and broadcast(tuple(x), operand_shape(scale)) != tuple(x):
            raise ShapeError(
                f"a scale that fits shape {tuple(x)}", f"{operand_shape(scale)}", field="inputs"
            )
        return tuple(x)
