"""Padding and layouts, shared by the lowerings of convolutions and poolings."""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import Layer, Shape
from specfmt.layers.reshaping import ZeroPadding
from specfmt.layers.sizes import same_padding, spatial_axes, spatial_sizes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import ByOrder, Call, Chain, Expr, Layout, Pads, Tensor, torch_axis
from specfmt.targets.torch.steps import Step

Sides = tuple[int, int]
NEVER_NEGATIVE = ("F.relu", "F.relu6", "torch.sigmoid")
"""Activations without negative values."""


def layout_of(layer: Layer) -> Layout:
    """The layout in which the layer's channels are at PyTorch's axis 1."""
    return "keras" if data_format(layer) == "channels_first" else "channels"


def data_format(layer: Layer) -> str:
    """The layer's data format; Keras's default is channels_last."""
    return getattr(layer, "data_format", None) or "channels_last"


def when_channels(layer: Layer, module: Call | Chain) -> ByOrder:
    """A stock module that is only right if the channels are at PyTorch's axis 1."""
    if layout_of(layer) == "keras":
        return ByOrder(module, None)
    return ByOrder(None, module)


def compact(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number if all sizes are equal, as in ``nn.Conv2d(3, 16, 3)``."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


def non_defaults(**options: tuple[tuple[int, ...], int]) -> dict[str, Any]:
    """The keyword arguments that differ from their defaults.

    Args:
        options: ``name=(sizes, default)``.
    """
    values = {name: (compact(sizes), default) for name, (sizes, default) in options.items()}
    return {name: value for name, (value, default) in values.items() if value != default}


def pad(builder: LayerBuilder, x: Tensor, widths: dict[int, Sides], comment: str = "") -> Tensor:
    """Pad with zeros.

    Args:
        builder: The layer's builder.
        x: The tensor.
        widths: Keras axis -> padding before and after.
        comment: A comment on the line above.
    """
    out = list(x.shape)
    for axis, (before, after) in widths.items():
        size = out[axis]
        out[axis] = None if size is None else size + before + after
    pads = Pads(widths, x.rank)
    module = ByOrder(*(_pad_module(widths, x.rank, first) for first in (False, True)))
    return builder.call(
        "F.pad", x, pads, shape=tuple(out), layout="any", module=module, comment=comment
    )


def _pad_module(widths: dict[int, Sides], rank: int, channels_first: bool) -> Call | None:
    """`nn.ZeroPad1d` to `nn.ZeroPad3d`, if only the last one to three axes are padded."""
    places = [torch_axis(axis, rank, channels_first) for axis, w in widths.items() if any(w)]
    count = rank - min(places, default=rank)
    return Call(f"nn.ZeroPad{count}d", (Pads(widths, rank),)) if 1 <= count <= 3 else None


def conv_padding(
    builder: LayerBuilder,
    layer: Layer,
    x: Tensor,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Tensor, Any]:
    """A convolution's padding.

    A padding that is equal on both sides, and for every call, is the module's ``padding=``.
    Otherwise the input is padded, at run time if its size is unknown.

    Returns:
        The (padded) input and ``padding=``, 0 for none.
    """
    padding: str = getattr(layer, "padding")  # noqa: B009 (declared by the subclasses)
    axes = spatial_axes(len(kernel), data_format(layer))
    if padding == "causal":
        width = (kernel[0] - 1) * dilation[0]
        return (pad(builder, x, {axes[0]: (width, 0)}) if width else x), 0
    if padding == "valid":
        return unpadded(builder, layer, x, axes)
    if max(strides) == 1:
        return x, same_option(kernel, dilation)

    def sides(shape: Shape) -> tuple[Sides, ...] | None:
        found = tuple(
            same_padding(size, k, s, d)
            for size, k, s, d in zip(
                spatial_sizes(shape, data_format(layer)), kernel, strides, dilation, strict=True
            )
        )
        return None if None in found else found  # type: ignore[return-value]

    own = sides(x.shape)
    wanted = {sides(shape) for shape in call_shapes(builder, layer, x)}
    if own is not None and wanted == {own} and all(before == after for before, after in own):
        return x, compact(tuple(before for before, _ in own))
    if own is None:
        reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        out = list(x.shape)
        for axis in axes:
            out[axis] = None
        padded = builder.call(
            builder.helper("same_pad"), x, reach, strides, shape=tuple(out), layout=layout_of(layer)
        )
        return padded, 0
    widths = {axis: pair for axis, pair in zip(axes, own, strict=True) if any(pair)}
    return (pad(builder, x, widths, end_comment(strides, own)) if widths else x), 0


def same_option(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """``padding=`` of a convolution with stride 1 that keeps the size."""
    totals = tuple((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
    halves = tuple(total // 2 for total in totals)
    return "same" if any(total % 2 for total in totals) else compact(halves)


def end_comment(strides: tuple[int, ...], sides: tuple[Sides, ...]) -> str:
    """A comment on why the padding is not ``padding=``; empty if both sides are equal."""
    if all(before == after for before, after in sides):
        return ""
    if set(strides) == {2} and set(sides) == {(0, 1)}:
        return "TensorFlow pads the end when stride 2 meets an even size"
    return "TensorFlow pads the end more than the start"


def call_shapes(builder: LayerBuilder, layer: Layer, x: Tensor) -> list[Shape]:
    """The input shapes of all calls of a layer; inside a shared wrapper, sizes are unknown."""
    calls = builder.unit.calls
    if len(calls) == 1 or layer.is_operation:  # the padding is an argument of each call
        return [x.shape]
    if builder.unit.spec is layer:
        name = layer.call_arguments[0].name
        return [node.args[name].shape or x.shape for node in calls]
    return [x.shape, (None,) * x.rank]


def unpadded(builder: LayerBuilder, layer: Layer, x: Tensor, axes: range) -> tuple[Tensor, Any]:
    """Replace a symmetric `ZeroPadding` before this layer by the layer's ``padding=``.

    The step of the `ZeroPadding` is kept if something else reads it.

    Returns:
        The input of the `ZeroPadding` and its width; ``x`` and 0 if there is none.
    """
    if builder.unit.spec is not layer or len(builder.unit.calls) != 1:
        return x, 0
    step = maker(builder, x)
    padding = step.node.unit.spec if step is not None and step.node is not None else None
    if step is None or not isinstance(padding, ZeroPadding) or not _is_pad(step.expr):
        return x, 0
    sides = padding.sides()
    same_axes = axes == spatial_axes(padding.rank, data_format(padding))
    if not same_axes or any(before != after for before, after in sides):
        return x, 0
    source: Tensor = step.expr.args[0]
    return source, compact(tuple(before for before, _ in sides))


def maker(builder: LayerBuilder, x: Tensor) -> Step | None:
    """The step that computes a tensor; None for an input of the model."""
    return next((step for step in reversed(builder.class_builder.steps) if x in step.outputs), None)


def is_never_negative(builder: LayerBuilder, x: Tensor) -> bool:
    """Whether a tensor is the output of an activation without negative values."""
    step = maker(builder, x)
    return step is not None and isinstance(step.expr, Call) and step.expr.func in NEVER_NEGATIVE


def _is_pad(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.func == "F.pad"
