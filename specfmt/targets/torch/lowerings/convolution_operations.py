"""PyTorch lowerings of convolutions whose kernels are operands, and of windows as columns.

Kernels that are numbers become buffers in PyTorch's order; kernels that are tensors are permuted.
"""

from __future__ import annotations

from typing import Any

from specfmt.fields.types import expand
from specfmt.graph.model import Array
from specfmt.graph.operands import as_array
from specfmt.layers import convolution_operations as ops
from specfmt.layers.base import Shape
from specfmt.layers.operations import operand_shape
from specfmt.layers.sizes import channels_of
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Call, Method, Tensor
from specfmt.targets.torch.lowerings.convolutional import channels_first_kernel, depthwise_kernel
from specfmt.targets.torch.lowerings.operations import as_operand
from specfmt.targets.torch.lowerings.padding import (
    compact,
    conv_padding,
    layout_of,
    non_defaults,
)
from specfmt.targets.torch.registry import lower


def weight(builder: LayerBuilder, kernel: Tensor | Array, dtype: str, *, depthwise: bool) -> Any:
    """A kernel in PyTorch's order: (out, in, *window), or (channels * multiplier, 1, *window)."""
    if isinstance(kernel, Array):
        arrange = depthwise_kernel if depthwise else channels_first_kernel
        return buffer(builder, kernel, None, dtype, arrange)
    window = range(kernel.rank - 2)
    if not depthwise:
        return Method(kernel, "permute", (kernel.rank - 1, kernel.rank - 2, *window))
    moved = Method(kernel, "permute", (kernel.rank - 2, kernel.rank - 1, *window))
    return Method(moved, "reshape", (-1, 1, *kernel.shape[:-2]))


def convolve(
    layer: ops.Convolution, builder: LayerBuilder, x: Tensor, kernel: Any, *, depthwise: bool
) -> Tensor:
    """The step ``F.conv2d(x, kernel, ...)``."""
    kernel = as_array(kernel)
    seen = as_operand(x), as_operand(kernel)
    window = layer.window(*seen)
    rank = len(window)
    strides, dilation = layer.along("strides", rank), layer.along("dilation_rate", rank)
    source, padding = conv_padding(builder, layer, x, window, strides, dilation)
    channels = channels_of(x.shape, layer.data_format) or operand_shape(seen[1])[-2] or 0
    options = {
        **non_defaults(stride=(strides, 1)),
        **({"padding": padding} if padding else {}),
        **non_defaults(dilation=(dilation, 1)),
        **(non_defaults(groups=((channels,), 1)) if depthwise else {}),
    }
    shape = ops.Convolution.output_shape(layer, *seen)
    return applied(builder, layer, source, kernel, shape, options, depthwise=depthwise)


def applied(
    builder: LayerBuilder,
    layer: ops.Convolution,
    x: Tensor,
    kernel: Any,
    shape: Shape,
    options: dict[str, Any],
    *,
    depthwise: bool = False,
) -> Tensor:
    """The call of the function; a kernel that is a tensor keeps the step in Keras's order."""
    own = weight(builder, kernel, x.dtype, depthwise=depthwise)
    y = builder.tensor(shape, x.dtype)
    function = f"F.conv{x.rank - 2}d"
    if isinstance(kernel, Array) or layer.data_format == "channels_first":
        expr: Any = Call(function, (x, own), options)
        layout = layout_of(layer)
    else:
        call = Call(function, (Method(x, "movedim", (-1, 1)), own), options)
        expr, layout = Method(call, "movedim", (1, -1)), "keras"
    result: Tensor = builder.step(expr, y, layout=layout)
    return result


@lower(ops.Conv)
def conv(layer: ops.Conv, builder: LayerBuilder, x: Tensor, kernel: Any) -> Tensor:
    return convolve(layer, builder, x, kernel, depthwise=False)


@lower(ops.DepthwiseConv)
def depthwise_conv(
    layer: ops.DepthwiseConv, builder: LayerBuilder, x: Tensor, kernel: Any
) -> Tensor:
    return convolve(layer, builder, x, kernel, depthwise=True)


@lower(ops.SeparableConv)
def separable_conv(
    layer: ops.SeparableConv, builder: LayerBuilder, x: Tensor, depthwise: Any, pointwise: Any
) -> Tensor:
    between = convolve(layer, builder, x, depthwise, depthwise=True)
    between.name = f"{builder.node.name}_depthwise"
    depthwise, pointwise = as_array(depthwise), as_array(pointwise)
    shape = layer.output_shape(as_operand(x), as_operand(depthwise), as_operand(pointwise))
    return applied(builder, layer, between, pointwise, shape, {})


def columns(layer: ops.Columns) -> tuple[Any, dict[str, Any]]:
    """The window and the options of `F.unfold` and `F.fold`."""
    options = non_defaults(
        dilation=(expand(layer.dilation, 2), 1),
        padding=(expand(layer.padding, 2), 0),
        stride=(expand(layer.stride, 2), 1),
    )
    return compact(expand(layer.kernel_size, 2)), options


@lower(ops.Unfold)
def unfold(layer: ops.Unfold, builder: LayerBuilder, x: Tensor) -> Tensor:
    window, options = columns(layer)
    y = builder.tensor(layer.output_shape(as_operand(x)), x.dtype)
    result: Tensor = builder.step(Call("F.unfold", (x, window), options), y, layout="keras")
    return result


@lower(ops.Fold)
def fold(layer: ops.Fold, builder: LayerBuilder, x: Tensor) -> Tensor:
    window, options = columns(layer)
    size = expand(layer.output_size, 2)
    y = builder.tensor(layer.output_shape(as_operand(x)), x.dtype)
    result: Tensor = builder.step(Call("F.fold", (x, size, window), options), y, layout="keras")
    return result
