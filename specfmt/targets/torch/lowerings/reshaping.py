"""PyTorch lowerings of the layers that reshape, permute, repeat, pad and crop."""

from __future__ import annotations

from typing import Any

from specfmt.layers.reshaping import (
    Cropping,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from specfmt.layers.sizes import spatial_axes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    AxisSubscript,
    ByOrder,
    Call,
    Expr,
    Method,
    PerAxis,
    Rearrange,
    Relabel,
    Shape,
    Size,
    Spread,
    Tensor,
    axis,
    one_order,
    torch_order,
)
from specfmt.targets.torch.lowerings.padding import (
    compact,
    data_format,
    layout_of,
    pad,
    when_channels,
)
from specfmt.targets.torch.registry import lower

NEAREST_LIMIT = 40
"""The largest factor for which `F.interpolate` is exact in mode nearest.

It multiplies an index by ``1 / factor`` in float32 and truncates; 41 is the first factor for which
a product is rounded to below an integer.
"""


@lower(Flatten)
def flatten(layer: Flatten, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """``x.flatten(1)``; the weights of the layers that follow adapt to the order of the features."""
    if x.rank == 2:
        return x
    if x.rank == 1:
        return builder.method(x, "unsqueeze", 1, shape=layer.output_shape(x.shape))
    if data_format(layer) == "channels_first":
        x = relabelled(builder, x, (*range(2, x.rank), 1))
    return builder.flatten(x, layer.output_shape(x.shape))


@lower(Reshape)
def reshape(layer: Reshape, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`Tensor.reshape`; it needs no permutes if the channels stay the same."""
    out = layer.output_shape(x.shape)
    if len(out) == 2 and x.rank == 2:
        return x
    if len(out) == 2 and x.rank > 2:
        return builder.flatten(x, out)
    shape = x.shape if x.flat is None else (x.shape[0], *x.flat)
    reads_any, gives_any = one_order(shape), one_order(out)
    y = builder.tensor(out, x.dtype)
    keeps_channels = shape[-1] is not None and shape[-1] == out[-1]
    result: Tensor = builder.step(
        _reshaped(x, out),
        y,
        layout="any" if reads_any or keeps_channels else "keras",
        output_layout="free" if gives_any else "keras" if not keeps_channels else None,
        module=_unflatten(x, out),
    )
    return result


def _reshaped(x: Tensor, out: Shape) -> Expr:
    """``x.reshape(-1, 4, 4, 8)``, or indexing that adds axes of size 1."""
    wide = [place for place, size in enumerate(out) if place and size != 1]
    if x.rank == 2 and len(wide) == 1 and out[wide[0]] == x.shape[1]:
        ones = {place: None for place in range(1, len(out)) if place not in wide}
        return AxisSubscript(x, ones, len(out))
    unknown = None in out[1:]
    sizes = tuple(-1 if size is None else size for size in out[1:])
    batch = Size(x, 0) if unknown else -1
    return Method(x, "reshape", (Spread(PerAxis((batch, *sizes))),))


def _unflatten(x: Tensor, out: Shape) -> ByOrder | None:
    """`nn.Unflatten`, if a vector is reshaped to an image or a sequence."""
    if x.rank != 2 or len(out) < 3 or x.flat not in (None, out[1:]) or None in out[1:]:
        return None
    sizes = (torch_order(out, first)[1:] for first in (False, True))
    return ByOrder(*(Call("nn.Unflatten", (1, shape)) for shape in sizes))


@lower(Permute)
def permute(layer: Permute, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`Tensor.permute`; moving the channels to the front or back may only change the layout."""
    out = layer.output_shape(x.shape)
    last = x.rank - 1
    if layer.dims == tuple(range(1, x.rank)):
        return x
    if x.rank > 2 and layer.dims in ((last, *range(1, last)), (*range(2, x.rank), 1)):
        return relabelled(builder, x, layer.dims)
    result: Tensor = builder.step(
        Rearrange(x, layer.dims), builder.tensor(out, x.dtype), output_layout="free"
    )
    return result


def relabelled(builder: LayerBuilder, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Permute by ``dims`` (counted from 1), which moves the channels to the front or back."""
    y = builder.tensor((x.shape[0], *(x.shape[dim] for dim in dims)), x.dtype)
    to_front = dims[0] == x.rank - 1
    result: Tensor = builder.step(
        Relabel(x, either=x.rank == 3),
        y,
        layout="channels" if to_front else "keras",
        output_layout="keras" if to_front else "channels",
        same_line=True,
    )
    return result


@lower(RepeatVector)
def repeat_vector(layer: RepeatVector, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """``x.unsqueeze(1).repeat(1, n, 1)``."""
    counts = PerAxis((1, layer.n, 1))
    added = Method(x, "unsqueeze", (axis(1, Tensor((None, None, None))),))
    return builder.expr(
        Method(added, "repeat", (Spread(counts),)),
        x,
        shape=layer.output_shape(x.shape),
        layout="any" if x.flat is None else "keras",
    )


@lower(ZeroPadding1D)
@lower(ZeroPadding2D)
@lower(ZeroPadding3D)
def zero_padding(layer: ZeroPadding, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`F.pad`."""
    axes = spatial_axes(layer.rank, data_format(layer))
    widths = {place: w for place, w in zip(axes, layer.sides(), strict=True) if any(w)}
    return pad(builder, x, widths) if widths else x


@lower(Cropping1D)
@lower(Cropping2D)
@lower(Cropping3D)
def cropping(layer: Cropping, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """A slice: ``x[:, :, 1:-1]``."""
    axes = spatial_axes(layer.rank, data_format(layer))
    items = {
        place: slice(before or None, -after or None)
        for place, (before, after) in zip(axes, layer.sides(), strict=True)
        if before or after
    }
    if not items:
        return x
    return builder.expr(AxisSubscript(x, items, x.rank), x, shape=layer.output_shape(x.shape))


@lower(UpSampling1D)
def up_sampling_1d(layer: UpSampling1D, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`Tensor.repeat_interleave` along the time axis."""
    if layer.size == 1:
        return x
    module = Call("nn.Upsample", (), {"scale_factor": layer.size})
    return builder.method(
        x,
        "repeat_interleave",
        layer.size,
        dim=axis(1, x),
        shape=layer.output_shape(x.shape),
        module=when_channels(layer, module),
    )


@lower(UpSampling2D)
@lower(UpSampling3D)
def up_sampling(layer: UpSampling, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`F.interpolate`; its bilinear mode with ``align_corners=False`` equals TensorFlow's."""
    factors = layer.factors()
    mode: str = getattr(layer, "interpolation", "nearest")
    if set(factors) == {1}:
        return x
    out = layer.output_shape(x.shape)
    if mode == "nearest" and max(factors) > NEAREST_LIMIT:
        y: Expr | Tensor = x
        for place, factor in zip(
            spatial_axes(layer.rank, data_format(layer)), factors, strict=True
        ):
            if factor > 1:
                y = Method(y, "repeat_interleave", (factor,), {"dim": axis(place, x)})
        assert isinstance(y, Expr)
        return builder.expr(y, x, shape=out)
    if mode not in ("nearest", "bilinear"):
        return builder.call(
            builder.helper("resample"), x, factors, mode, shape=out, layout=layout_of(layer)
        )
    options: dict[str, Any] = {"scale_factor": compact(factors)} | (
        {} if mode == "nearest" else {"mode": mode}
    )
    return builder.call(
        "F.interpolate",
        x,
        shape=out,
        layout=layout_of(layer),
        module=Call("nn.Upsample", (), options),
        **options,
    )
