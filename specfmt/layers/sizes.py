"""Output sizes, paddings and weights of sliding windows, as TensorFlow computes them.

One axis at a time; None is a size that is not known until run time.  Source: TensorFlow's
`GetWindowedOutputSizeVerbose` and Keras's `compute_conv_output_shape`,
`compute_conv_transpose_output_shape`.
"""

from __future__ import annotations

from math import prod
from typing import Any

from specfmt.layers.base import Shape, ShapeError, Weight
from specfmt.layers.size_rules import broadcasts
from specfmt.layers.symbols import is_below

RANK_NAMES = {1: "steps", 2: "height, width", 3: "depth, height, width"}


def window_size(
    size: int | None, kernel: int, stride: int = 1, padding: str = "valid", dilation: int = 1
) -> int | None:
    """The number of windows along an axis; zero or less if the kernel does not fit."""
    if size is None:
        return None
    if padding == "valid":
        return (size - dilation * (kernel - 1) - 1) // stride + 1
    return (size - 1) // stride + 1


def same_padding(
    size: int | None, kernel: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int] | None:
    """The zeros that ``padding="same"`` adds before and after an axis; an odd one goes to the end.

    Returns:
        None where they depend on a size that is not known.
    """
    reach = (kernel - 1) * dilation + 1
    if size is None:
        # The number of zeros depends on the size: every total from `reach - stride` up to
        # `reach - 1` occurs, so it is only known for a stride of 1.
        if stride > 1 and reach > 1:
            return None
        return ((reach - 1) // 2, reach // 2) if stride == 1 else (0, 0)
    total = max(((size - 1) // stride) * stride + reach - size, 0)
    return total // 2, total - total // 2


def transposed_extent(
    kernel: int, stride: int, padding: str, output_padding: int | None, dilation: int = 1
) -> int:
    """The output size of a transposed convolution that the last input element adds.

    The output has ``(size - 1) * stride + transposed_extent(...)`` elements.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return max(reach, stride) if output_padding is None else reach + output_padding
    return stride if output_padding is None else reach % 2 + output_padding


def transposed_size(
    size: int | None,
    kernel: int,
    stride: int = 1,
    padding: str = "valid",
    output_padding: int | None = None,
    dilation: int = 1,
) -> int | None:
    """The output size of a transposed convolution along an axis."""
    if size is None:
        return None
    extent = transposed_extent(kernel, stride, padding, output_padding, dilation)
    return (size - 1) * stride + extent


def transposed_crop(
    kernel: int, stride: int, padding: str, output_padding: int | None, dilation: int = 1
) -> tuple[int, int]:
    """The elements to crop before and after a full transposed convolution; negative: zeros to add.

    The full one has ``(size - 1) * stride + reach`` elements, where ``reach`` is the size of the
    dilated kernel; TensorFlow removes the elements that the corresponding convolution would
    have padded.
    """
    reach = (kernel - 1) * dilation + 1
    extra = reach - transposed_extent(kernel, stride, padding, output_padding, dilation)
    before = max(extra, 0) // 2 if padding == "same" else 0
    return before, extra - before


def spatial_axes(rank: int, data_format: str | None) -> range:
    """The spatial axes of a tensor that has ``rank`` of them."""
    return range(2, rank + 2) if data_format == "channels_first" else range(1, rank + 1)


def spatial_sizes(x: Shape, data_format: str | None) -> Shape:
    """The sizes of the spatial axes."""
    return x[2:] if data_format == "channels_first" else x[1:-1]


def channels_of(x: Shape, data_format: str | None) -> int | None:
    """The size of the channel axis."""
    return x[1] if data_format == "channels_first" else x[-1]


def with_spatial(x: Shape, sizes: Shape, channels: int | None, data_format: str | None) -> Shape:
    """The shape with the batch axis of ``x``, these spatial sizes and this number of channels."""
    if data_format == "channels_first":
        return (x[0], channels, *sizes)
    return (x[0], *sizes, channels)


def check_rank(x: Shape, rank: int, data_format: str | None = None) -> None:
    """Check that ``x`` has a batch axis, ``rank`` spatial axes and a channel axis.

    Raises:
        ShapeError: It has another number of axes.
    """
    if len(x) != rank + 2:
        axes = RANK_NAMES[rank]
        order = f"channels, {axes}" if data_format == "channels_first" else f"{axes}, channels"
        hint = f"use the {len(x) - 2}D layer" if 1 <= len(x) - 2 <= 3 else "put a Reshape before it"
        raise ShapeError(f"{rank + 2} axes (batch, {order})", f"{len(x)}: shape {show(x)}", hint)


def check_channels(x: Shape, data_format: str | None) -> int:
    """The number of channels of ``x``, on which the weights' shapes depend.

    Raises:
        ShapeError: It is not known.
    """
    channels = channels_of(x, data_format)
    if channels is None:
        raise ShapeError(
            "a known number of channels",
            f"shape {show(x)}",
            "give the size of the channel axis in the model's `inputs`",
        )
    return channels


def check_fits(x: Shape, sizes: Shape, kernel: tuple[int, ...], field: str) -> None:
    """Check that every output size is positive.

    Raises:
        ShapeError: The window is larger than the input.
    """
    if any(size < 1 if type(size) is int else is_below(size, 1) for size in sizes):
        window = " x ".join(map(str, kernel))
        raise ShapeError(
            f"an input that a window of {window} fits into",
            f"shape {show(x)}",
            "use padding: same, a smaller window, or smaller strides before this layer",
            field=field,
        )


def show(x: Shape) -> str:
    """A shape for messages: ``(N, 28, 28, 1)``, another unknown size as ``?``."""
    sizes = ["N" if i == 0 and s is None else "?" if s is None else str(s) for i, s in enumerate(x)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def layer_weight(
    layer: Any, name: str, shape: tuple[int, ...], prefix: str = "", *, trainable: bool = True
) -> Weight:
    """A weight with the layer's ``{prefix}_initializer``, ``_regularizer`` and ``_constraint``; the
    prefix is ``name`` if it is empty."""
    prefix = prefix or name
    return Weight(
        name,
        shape,
        getattr(layer, f"{prefix}_initializer"),
        trainable=trainable,
        regularizer=getattr(layer, f"{prefix}_regularizer"),
        constraint=getattr(layer, f"{prefix}_constraint"),
    )


def window_output_shape(layer: Any, x: Shape, channels: int) -> Shape:
    """The output shape of a layer whose window slides over ``x``.

    Args:
        layer: It has ``kernel_size``, ``strides`` and ``dilation_rate``, one number per axis by
            its method ``per_axis``, and optionally ``padding`` and ``data_format``.
        x: The input's shape.
        channels: The number of output channels.

    Raises:
        ShapeError: The input is too small for the window.
    """
    data_format: str | None = getattr(layer, "data_format", None)
    kernel = layer.per_axis("kernel_size")
    sizes = tuple(
        window_size(size, reach, stride, getattr(layer, "padding", "valid"), dilation)
        for size, reach, stride, dilation in zip(
            spatial_sizes(x, data_format),
            kernel,
            layer.per_axis("strides"),
            layer.per_axis("dilation_rate"),
            strict=True,
        )
    )
    check_fits(x, sizes, kernel, "kernel_size")
    return with_spatial(x, sizes, channels, data_format)


def check_strides(layer: Any) -> None:
    """Check that strides and dilation are not both above 1, which TensorFlow does not support.

    Raises:
        ShapeError: They are.
    """
    strides, dilation = layer.per_axis("strides"), layer.per_axis("dilation_rate")
    if max(strides) > 1 and max(dilation) > 1:
        raise ShapeError(
            "strides or dilation_rate to be 1",
            f"strides {strides} and dilation_rate {dilation}",
            "keep one of them above 1",
            field="dilation_rate",
        )


def elements(sizes: Shape) -> int | None:
    """The number of elements of a tensor; None if a size is None."""
    return None if None in sizes else prod(size for size in sizes if size is not None)


def count(shape: Shape, skip: int = 1) -> int:
    """The number of elements per sample; a size that is not known counts as 1."""
    return prod(size or 1 for size in shape[skip:])


def check_mask(name: str, mask: Shape | None, *sizes: int | None) -> None:
    """Check that a mask's last axes have these sizes, or size 1.

    Raises:
        ShapeError: Keras would fail to broadcast the mask.
    """
    for actual, expected in zip(reversed(mask or ()), reversed(sizes), strict=False):
        if not broadcasts(actual, expected):
            wanted = ", ".join("?" if size is None else str(size) for size in sizes)
            raise ShapeError(
                f"{name} whose last axes are {wanted}", f"shape {mask}", field="inputs"
            )


MAX_QUOTIENTS = 10_000
"""The number of quotients that `largest_divisors` tries."""


def largest_divisors(size: int, count: int) -> list[int]:
    """The ``count`` largest divisors of ``size`` in ascending order; only those above ``size /
    MAX_QUOTIENTS``."""
    found: list[int] = []
    for quotient in range(1, min(size, MAX_QUOTIENTS) + 1):
        if len(found) == count:
            break
        if size % quotient == 0:
            found.append(size // quotient)
    return found[::-1]
