"""Convolutions of `keras.ops`, whose kernels are operands, and the windows of images as columns."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from specfmt.fields.types import Literal, OptionalDataFormat, Pair, Size2, expand
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import operand_shape
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree
from specfmt.layers.sizes import (
    channels_of,
    check_fits,
    count,
    spatial_sizes,
    window_size,
    with_spatial,
)
from specfmt.layers.window_operations import Window

Kernel = Any
"""A tensor, or an array of numbers."""


class Convolution(Op):
    """Base of the convolutions with a kernel of shape (*window, input channels, outputs)."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")
    lists_are_arrays: ClassVar[bool] = True
    most_axes: ClassVar[int] = 3

    strides: Window = 1
    padding: Literal["valid", "same"] = "valid"
    data_format: OptionalDataFormat = None
    dilation_rate: Window = 1

    def keras_arguments(self) -> dict[str, Any]:
        return {"data_format": self.data_format or "channels_last"}

    def filters(self, kernel: Shape) -> int | None:
        """The number of output channels."""
        return kernel[-1]

    def along(self, field: str, rank: int) -> tuple[int, ...]:
        """The strides or the dilation, one for each of ``rank`` spatial axes."""
        sizes = expand(getattr(self, field), rank)
        if len(sizes) != rank:
            raise ShapeError(f"{rank} numbers, one per axis", str(len(sizes)), field=field)
        return sizes

    def window(self, inputs: Operand, kernel: Kernel) -> tuple[int, ...]:
        """The sizes of the window.

        Raises:
            ShapeError: The kernel does not fit the images, or its sizes are unknown.
        """
        shape, rank = operand_shape(kernel), len(inputs) - 2
        if not 1 <= rank <= self.most_axes:
            raise ShapeError(f"3 to {self.most_axes + 2} axes", f"{len(inputs)}", field="inputs")
        if len(shape) != len(inputs) or None in shape:
            raise ShapeError(
                f"a kernel of {len(inputs)} axes of known size", f"shape {shape}", field="inputs"
            )
        channels = channels_of(inputs, self.data_format)
        if not agree(channels, shape[-2]):
            raise ShapeError(
                f"a kernel with {channels} input channels", f"{shape[-2]}", field="inputs"
            )
        return tuple(size or 0 for size in shape[:-2])

    def output_shape(self, inputs: Operand, kernel: Kernel) -> Shape:
        window = self.window(inputs, kernel)
        strides = self.along("strides", len(window))
        dilation = self.along("dilation_rate", len(window))
        if max(strides) > 1 and max(dilation) > 1:
            raise ShapeError(
                "strides or dilation_rate to be 1",
                f"strides {strides} and dilation_rate {dilation}",
                field="dilation_rate",
            )
        sizes = tuple(
            window_size(size, k, s, self.padding, d)
            for size, k, s, d in zip(
                spatial_sizes(inputs, self.data_format), window, strides, dilation, strict=True
            )
        )
        check_fits(inputs, sizes, window, "inputs")
        channels = self.filters(operand_shape(kernel))
        return with_spatial(inputs, sizes, channels, self.data_format)

    def macs(self, output: Any, inputs: Operand, kernel: Kernel) -> int:
        return count(output) * prod(self.window(inputs, kernel)) * (operand_shape(kernel)[-2] or 1)


@operation("conv", "nn")
class Conv(Convolution):
    """Convolution with a kernel of shape (*window, input channels, filters), over one to three
    spatial axes."""


@operation("depthwise_conv", "nn")
class DepthwiseConv(Convolution):
    """Convolution of each channel by itself, with a kernel of shape (*window, channels,
    multiplier), over one or two spatial axes."""

    most_axes = 2

    def filters(self, kernel: Shape) -> int | None:
        return prod(size or 0 for size in kernel[-2:])

    def macs(self, output: Any, inputs: Operand, kernel: Kernel) -> int:
        return count(output) * prod(self.window(inputs, kernel))


@operation("separable_conv", "nn")
class SeparableConv(DepthwiseConv):
    """A depthwise convolution, then one of window size 1 that mixes the channels; both kernels
    are operands."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any", "any")

    def output_shape(  # type: ignore[override]
        self, inputs: Operand, depthwise_kernel: Kernel, pointwise_kernel: Kernel
    ) -> Shape:
        between = super().output_shape(inputs, depthwise_kernel)
        shape = operand_shape(pointwise_kernel)
        channels = channels_of(between, self.data_format)
        if len(shape) != len(inputs) or set(shape[:-2]) != {1} or shape[-2] != channels:
            raise ShapeError(
                f"a pointwise kernel of shape {(*(1,) * (len(inputs) - 2), channels, 'filters')}",
                f"shape {shape}",
                field="inputs",
            )
        return with_spatial(
            inputs, spatial_sizes(between, self.data_format), shape[-1], self.data_format
        )

    def macs(  # type: ignore[override]
        self, output: Any, inputs: Operand, depthwise_kernel: Kernel, pointwise_kernel: Kernel
    ) -> int:
        shape = operand_shape(pointwise_kernel)
        positions = count(spatial_sizes(output, self.data_format), skip=0)
        window = prod(self.window(inputs, depthwise_kernel))
        return positions * (shape[-2] or 1) * (window + (shape[-1] or 1))


class Columns(Op):
    """Base of the conversions between images (N, channels, height, width) and windows."""

    kernel_size: Size2
    dilation: Size2 = 1
    padding: Pair = 0
    stride: Size2 = 1

    def positions(self, sizes: Shape) -> int | None:
        """The number of windows in an image of this height and width.

        Raises:
            ShapeError: The window is larger than the image.
        """
        counts: list[int] = []
        fields = (self.kernel_size, self.dilation, self.padding, self.stride)
        for size, k, d, p, s in zip(sizes, *(expand(f, 2) for f in fields), strict=True):
            if size is None:
                return None
            if size + 2 * p < d * (k - 1) + 1:
                raise ShapeError("windows that fit", f"size {size}", field="kernel_size")
            counts.append((size + 2 * p - d * (k - 1) - 1) // s + 1)
        return prod(counts)


@operation("unfold", "nn")
class Unfold(Columns):
    """The windows of images of shape (N, channels, height, width), one per column: (N, channels *
    window, windows)."""

    def output_shape(self, x: Operand) -> Shape:
        if len(x) != 4 or None in x[1:]:
            raise ShapeError("four axes of known size", f"shape {tuple(x)}", field="inputs")
        return (x[0], (x[1] or 0) * prod(expand(self.kernel_size, 2)), self.positions(x[2:]))


@operation("fold", "nn")
class Fold(Columns):
    """Images of shape (N, channels, height, width) from their windows (N, channels * window,
    windows), added where they overlap."""

    output_size: Size2

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """Keras has the size of the image first."""
        return ("output_size", *(name for name in super().own_fields() if name != "output_size"))

    def output_shape(self, x: Operand) -> Shape:
        size = expand(self.output_size, 2)
        window = prod(expand(self.kernel_size, 2))
        places = self.positions(size)
        if len(x) != 3 or x[1] is None or x[1] % window or x[2] not in (None, places):
            raise ShapeError(
                f"shape (N, a multiple of {window}, {places})", f"{tuple(x)}", field="inputs"
            )
        return (x[0], x[1] // window, *size)
