"""PyTorch lowerings of operations on images."""

from __future__ import annotations

from typing import Any, Final

from specfmt.graph.model import Array
from specfmt.layers import image_operations as ops
from specfmt.layers.sizes import same_padding, spatial_axes, spatial_sizes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import (
    AxisSubscript,
    Binary,
    Call,
    Method,
    Pads,
    Subscript,
    Tensor,
    axis,
)
from specfmt.targets.torch.lowerings.operand_values import saturated
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype
from specfmt.targets.torch.lowerings.padding import layout_of, pad
from specfmt.targets.torch.registry import TargetError, lower

LUMA: Final = (0.2989, 0.587, 0.114)
"""The weights of red, green and blue in TensorFlow's `rgb_to_grayscale`."""


@lower(ops.DepthToSpace)
def depth_to_space(layer: ops.DepthToSpace, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.pixel_shuffle`; PyTorch's channels are ordered (channel, pixel), TensorFlow's reversed."""
    size, out = layer.block_size, layer.output_shape(as_operand(x))
    channels = layer.sizes(out)[1]
    layout = layout_of(layer)
    if channels == 1:
        module = Call("nn.PixelShuffle", (size,))
        return builder.call("F.pixel_shuffle", x, size, shape=out, layout=layout, module=module)
    split = (size**2, -1 if channels is None else channels)
    turned = Method(
        Method(Method(x, "unflatten", (1, split)), "transpose", (1, 2)), "flatten", (1, 2)
    )
    return builder.expr(Call("F.pixel_shuffle", (turned, size)), x, shape=out, layout=layout)


@lower(ops.SpaceToDepth)
def space_to_depth(layer: ops.SpaceToDepth, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.pixel_unshuffle`; see `depth_to_space`."""
    size, out = layer.block_size, layer.output_shape(as_operand(x))
    channels = layer.sizes(as_operand(x))[1]
    layout = layout_of(layer)
    if channels == 1:
        module = Call("nn.PixelUnshuffle", (size,))
        return builder.call("F.pixel_unshuffle", x, size, shape=out, layout=layout, module=module)
    split = (-1 if channels is None else channels, size**2)
    blocks = Call("F.pixel_unshuffle", (x, size))
    turned = Method(Method(blocks, "unflatten", (1, split)), "transpose", (1, 2))
    return builder.expr(Method(turned, "flatten", (1, 2)), x, shape=out, layout=layout)


@lower(ops.Resize)
def resize(layer: ops.Resize, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.interpolate` where it computes the same as TensorFlow, else a helper."""
    if x.rank != 4:
        raise TargetError(
            f"expected images with a batch axis, received {x.rank} axes",
            "add a batch axis in front",
            "inputs",
        )
    x = _aspect(layer, builder, x)
    out = layer.output_shape(as_operand(x))
    layout = layout_of(layer)
    if tuple(spatial_sizes(x.shape, layer.data_format)) == layer.size:
        return x
    floating = x.dtype in ("float32", "float64")
    value: Any = x if floating else to_dtype(x, "float32")
    kind = layer.interpolation
    if kind == "nearest":
        expr: Any = Call("F.interpolate", (value,), {"size": layer.size, "mode": "nearest-exact"})
        expr = expr if floating else to_dtype(expr, x.dtype)
        module = Call("nn.Upsample", (), {"size": layer.size, "mode": "nearest-exact"})
        return builder.expr(expr, x, shape=out, layout=layout, module=module if floating else None)

    def cast(expr: Any) -> Any:
        """In the images' dtype, as Keras casts: rounded and within its range."""
        if floating:
            return expr
        whole = not x.dtype.startswith(("float", "bfloat"))
        return saturated(Method(expr, "round") if whole else expr, x.dtype)

    if kind == "bilinear" and not layer.antialias:
        options = {"size": layer.size, "mode": "bilinear"}
        module = Call("nn.Upsample", (), options)
        return builder.expr(
            cast(Call("F.interpolate", (value,), options)), x, shape=out, layout=layout,
            module=module if floating else None,
        )  # fmt: skip
    flag = {"antialias": True} if layer.antialias and kind != "area" else {}
    call = Call(builder.helper("resize_image"), (value, layer.size, kind), flag)
    return builder.expr(cast(call), x, shape=out, layout=layout)


def _aspect(layer: ops.Resize, builder: LayerBuilder, x: Tensor) -> Tensor:
    """The image cropped or padded to the aspect ratio of ``size``."""
    if not (layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio):
        return x
    height, width = spatial_sizes(x.shape, layer.data_format)
    if height is None or width is None:
        raise TargetError(
            "expected images of known size to change the aspect ratio, received an unknown size",
            "set the height and width of the images",
            "size",
        )
    wanted = (
        int(width * layer.size[0] / layer.size[1]),
        int(height * layer.size[1] / layer.size[0]),
    )
    axes = spatial_axes(2, layer.data_format)
    if layer.crop_to_aspect_ratio:
        cuts: dict[int, Any] = {}
        shape = list(x.shape)
        for k, size, new in zip(axes, (height, width), wanted, strict=True):
            kept = max(min(size, new), 1)
            start = (size - kept) // 2
            shape[k] = kept
            if kept < size:
                cuts[k] = slice(start, start + kept)
        return builder.expr(AxisSubscript(x, cuts, x.rank), x, shape=tuple(shape)) if cuts else x
    widths = {
        k: ((new - size) // 2,) * 2
        for k, size, new in zip(axes, (height, width), wanted, strict=True)
        if (new - size) // 2 > 0
    }
    if not widths:
        return x
    if layer.fill_value:
        shape = [n if n is None else n + sum(widths.get(k, (0, 0))) for k, n in enumerate(x.shape)]
        call = Call("F.pad", (x, Pads(widths, x.rank)), {"value": layer.fill_value})
        return builder.expr(call, x, shape=tuple(shape))
    return pad(builder, x, widths)


@lower(ops.RGBToGrayscale)
def rgb_to_grayscale(layer: ops.RGBToGrayscale, builder: LayerBuilder, images: Tensor) -> Tensor:
    """The weighted sum over the channels."""
    k = 1 if layer.data_format == "channels_first" else images.rank - 1
    out = layer.output_shape(as_operand(images))
    if images.shape[k] == 1:
        return images
    floating = images.dtype.startswith(("float", "bfloat"))
    dtype = images.dtype if floating else "float32"
    value: Any = images if floating else to_dtype(images, "float32")
    y = builder.tensor(out, images.dtype)
    nested: Any = LUMA if k == images.rank - 1 else tuple(((item,),) for item in LUMA)
    weights = buffer(builder, Array(nested, dtype), y, dtype)
    dims = {"dim": axis(k, images), "keepdim": True}
    expr: Any = Method(Binary("*", value, weights), "sum", (), dims)
    result: Tensor = builder.step(expr if floating else to_dtype(expr, images.dtype), y)
    return result


@lower(ops.ExtractPatches)
def extract_patches(layer: ops.ExtractPatches, builder: LayerBuilder, images: Tensor) -> Tensor:
    """Windows along both axes (`Tensor.unfold`), with the pixels before the channels."""
    size, strides, dilation = layer.windows()
    x, out = images, layer.output_shape(as_operand(images))
    if layer.padding == "same":
        axes = spatial_axes(2, layer.data_format)
        sides = {
            k: same_padding(x.shape[k], *window)
            for k, window in zip(axes, zip(size, strides, dilation, strict=True), strict=True)
        }
        known = {k: side for k, side in sides.items() if side is not None}
        if len(known) < len(sides):
            raise TargetError(
                "expected images of known size for padding same, received an unknown size",
                "set the height and width of the images, or use padding valid",
                "padding",
            )
        if any(any(side) for side in known.values()):
            x = pad(builder, x, {k: side for k, side in known.items() if any(side)})
    windows: Any = x
    for dim, k, s, d in zip((2, 3), size, strides, dilation, strict=True):
        windows = Method(windows, "unfold", (dim, (k - 1) * d + 1, s))
    if max(dilation) > 1:
        steps = tuple(slice(None, None, d if d > 1 else None) for d in dilation)
        windows = Subscript(windows, (Ellipsis, *steps))
    # The windows share memory: without a copy, `torch.export` fixes the size.
    order = Method(Method(windows, "permute", (0, 4, 5, 1, 2, 3)), "contiguous")
    y = builder.tensor(out, images.dtype)
    result: Tensor = builder.step(Method(order, "flatten", (1, 3)), y, layout=layout_of(layer))
    return result
