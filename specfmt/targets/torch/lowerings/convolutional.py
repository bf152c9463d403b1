"""PyTorch lowerings of the convolutions.

Keras's kernels have the shape (*window, in, out), PyTorch's (out, in, *window).
"""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import Shape
from specfmt.layers.convolutional import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Convolution,
    Depthwise,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Separable,
    SeparableConv1D,
    SeparableConv2D,
    TransposedConvolution,
)
from specfmt.layers.sizes import channels_of, spatial_axes, transposed_crop, window_output_shape
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import AxisSubscript, Binary, Method, Tensor
from specfmt.targets.torch.lowerings.functions import activation
from specfmt.targets.torch.lowerings.padding import (
    compact,
    conv_padding,
    data_format,
    layout_of,
    non_defaults,
)
from specfmt.targets.torch.params import ByLayout, WeightExpr
from specfmt.targets.torch.registry import lower

Params = dict[str, WeightExpr | ByLayout]


def bias_option(use_bias: bool) -> dict[str, Any]:
    """``bias=False`` if there is no bias, else nothing."""
    return {} if use_bias else {"bias": False}


def channels_first_kernel(kernel: WeightExpr) -> WeightExpr:
    """Permute a kernel from (*window, a, b) to (b, a, *window)."""
    rank = len(kernel.shape) - 2
    return kernel.permute(rank + 1, rank, *range(rank))


def depthwise_kernel(kernel: WeightExpr) -> WeightExpr:
    """Reshape a depthwise kernel (*window, in, multiplier) to (in * multiplier, 1, *window)."""
    rank = len(kernel.shape) - 2
    moved = kernel.permute(rank, rank + 1, *range(rank))
    return moved.reshape(-1, 1, *kernel.shape[:rank])


@lower(Conv1D)
@lower(Conv2D)
@lower(Conv3D)
def convolution(layer: Convolution, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`nn.Conv1d` to `nn.Conv3d`."""
    kernel, strides = layer.per_axis("kernel_size"), layer.per_axis("strides")
    dilation = layer.per_axis("dilation_rate")
    source, padding = conv_padding(builder, layer, x, kernel, strides, dilation)
    params: Params = {"weight": channels_first_kernel(builder.weights.kernel)}
    if layer.use_bias:
        params["bias"] = builder.weights.bias
    options = {
        **non_defaults(stride=(strides, 1)),
        **({"padding": padding} if padding else {}),
        **non_defaults(dilation=(dilation, 1)),
    }
    conv = builder.module(
        f"nn.Conv{layer.rank}d",
        channels_of(x.shape, layer.data_format),
        layer.filters,
        compact(kernel),
        params=params,
        frozen=() if layer.lora_rank is None else ("weight",),
        **options,
        **non_defaults(groups=((layer.groups,), 1)),
        **bias_option(layer.use_bias),
    )
    out = layer.output_shape(x.shape)
    y = builder.apply(conv, source, shape=out, layout=layout_of(layer))
    if layer.lora_rank is not None:
        y = _with_lora(layer, builder, source, y, options)
    return activation(builder, layer.activation, y)


def _with_lora(
    layer: Convolution, builder: LayerBuilder, x: Tensor, y: Tensor, options: dict[str, Any]
) -> Tensor:
    """``y`` and the product of the LoRA factors: a convolution to few channels, then a 1 x 1
    convolution.

    All groups of channels share the first factor; each has its own columns of the second one.

    Args:
        layer: The convolution.
        builder: The call's builder.
        x: What the convolution reads.
        y: What it computes with the frozen kernel.
        options: Its strides, padding and dilation.
    """
    few = (layer.lora_rank or 0) * layer.groups
    last = builder.weights.lora_kernel_b
    last_module = builder.module(
        f"nn.Conv{layer.rank}d",
        few,
        layer.filters,
        1,
        params={"weight": channels_first_kernel(last.reshape(*(1,) * layer.rank, *last.shape))},
        suffix="lora_b",
        **non_defaults(groups=((layer.groups,), 1)),
        bias=False,
    )
    layout = layout_of(layer)
    shape = list(y.shape)
    shape[1 if data_format(layer) == "channels_first" else -1] = few
    hidden = _to_few_channels(layer, builder, x, tuple(shape), options)
    delta: Any = builder.apply(last_module, hidden, shape=y.shape, layout=layout)
    if layer.lora_scale != 1:
        delta = Binary("*", layer.lora_scale, delta)
    result: Tensor = builder.expr(Binary("+", y, delta), y, layout=layout)
    return result


def _to_few_channels(
    layer: Convolution, builder: LayerBuilder, x: Tensor, shape: Shape, options: dict[str, Any]
) -> Tensor:
    """The convolution with the first LoRA factor: one module, or a call that repeats the factor for
    each group of channels."""
    factor = channels_first_kernel(builder.weights.lora_kernel_a)
    if layer.groups == 1:
        module = builder.module(
            f"nn.Conv{layer.rank}d",
            channels_of(x.shape, layer.data_format),
            layer.lora_rank,
            compact(layer.per_axis("kernel_size")),
            params={"weight": factor},
            suffix="lora_a",
            **options,
            bias=False,
        )
        return builder.apply(module, x, shape=shape, layout=layout_of(layer))
    repeated = Method(
        builder.parameter(factor, "lora_a"), "repeat", (layer.groups, *(1,) * (layer.rank + 1))
    )
    return builder.call(
        f"F.conv{layer.rank}d",
        x,
        repeated,
        shape=shape,
        layout=layout_of(layer),
        **options,
        groups=layer.groups,
    )


@lower(DepthwiseConv1D)
@lower(DepthwiseConv2D)
def depthwise(layer: Depthwise, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """A convolution with as many groups as channels."""
    params: Params = {"weight": depthwise_kernel(builder.weights.kernel)}
    if layer.use_bias:
        params["bias"] = builder.weights.bias
    y = _depthwise(layer, builder, x, params, bias=layer.use_bias)
    return activation(builder, layer.activation, y)


@lower(SeparableConv1D)
@lower(SeparableConv2D)
def separable(layer: Separable, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """A depthwise convolution without bias, then a 1 x 1 convolution."""
    params: Params = {"weight": depthwise_kernel(builder.weights.depthwise_kernel)}
    between = _depthwise(layer, builder, x, params, bias=False, suffix="depthwise")
    params = {"weight": channels_first_kernel(builder.weights.pointwise_kernel)}
    if layer.use_bias:
        params["bias"] = builder.weights.bias
    pointwise = builder.module(
        f"nn.Conv{layer.rank}d",
        channels_of(between.shape, layer.data_format),
        layer.filters,
        1,
        params=params,
        suffix="pointwise",
        **bias_option(layer.use_bias),
    )
    out = layer.output_shape(x.shape)
    y = builder.apply(pointwise, between, shape=out, layout=layout_of(layer))
    return activation(builder, layer.activation, y)


def _depthwise(
    layer: Depthwise | Separable,
    builder: LayerBuilder,
    x: Tensor,
    params: Params,
    *,
    bias: bool,
    suffix: str = "",
) -> Tensor:
    kernel, strides = layer.per_axis("kernel_size"), layer.per_axis("strides")
    dilation = layer.per_axis("dilation_rate")
    channels = channels_of(x.shape, layer.data_format) or 0
    source, padding = conv_padding(builder, layer, x, kernel, strides, dilation)
    conv = builder.module(
        f"nn.Conv{layer.rank}d",
        channels,
        channels * layer.depth_multiplier,
        compact(kernel),
        params=params,
        suffix=suffix,
        **non_defaults(stride=(strides, 1)),
        **({"padding": padding} if padding else {}),
        **non_defaults(dilation=(dilation, 1), groups=((channels,), 1)),
        **bias_option(bias),
    )
    out = window_output_shape(layer, x.shape, channels * layer.depth_multiplier)
    return builder.apply(conv, source, shape=out, layout=layout_of(layer))


@lower(Conv1DTranspose)
@lower(Conv2DTranspose)
@lower(Conv3DTranspose)
def transposed(
    layer: TransposedConvolution, builder: LayerBuilder, x: Tensor, **_: object
) -> Tensor:
    """`nn.ConvTranspose1d` to `nn.ConvTranspose3d`.

    TensorFlow crops the full result by ``before`` and ``after``.  PyTorch's ``padding`` crops both
    ends equally and ``output_padding`` extends the end; if TensorFlow crops more at the end than
    at the start, the rest is sliced off.
    """
    kernel, strides = layer.per_axis("kernel_size"), layer.per_axis("strides")
    dilation = layer.per_axis("dilation_rate")
    crops = [
        transposed_crop(k, s, layer.padding, extra, d)
        for k, s, extra, d in zip(kernel, strides, layer.output_paddings(), dilation, strict=True)
    ]
    rest = [max(after - before, 0) for before, after in crops]
    params: Params = {"weight": channels_first_kernel(builder.weights.kernel)}
    if layer.use_bias:
        params["bias"] = builder.weights.bias
    conv = builder.module(
        f"nn.ConvTranspose{layer.rank}d",
        channels_of(x.shape, layer.data_format),
        layer.filters,
        compact(kernel),
        params=params,
        comment="TensorFlow cuts the end more than the start: forward slices" if any(rest) else "",
        **non_defaults(
            stride=(strides, 1),
            padding=(tuple(before for before, _ in crops), 0),
            output_padding=(tuple(max(before - after, 0) for before, after in crops), 0),
        ),
        **bias_option(layer.use_bias),
        **non_defaults(dilation=(dilation, 1)),
    )
    out = layer.output_shape(x.shape)
    full = list(out)
    cut = {}
    for axis, extra in zip(spatial_axes(layer.rank, data_format(layer)), rest, strict=True):
        size = full[axis]
        full[axis] = None if size is None else size + extra
        if extra:
            cut[axis] = slice(None, -extra)
    y = builder.apply(conv, x, shape=tuple(full), layout=layout_of(layer))
    if cut:
        y = builder.expr(AxisSubscript(y, cut, x.rank), y, shape=out)
    return activation(builder, layer.activation, y)
