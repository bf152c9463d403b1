"""PyTorch lowerings of operations that rearrange, join and split arrays."""

from __future__ import annotations

from typing import Any

from specfmt.layers import array_operations as ops
from specfmt.layers.reductions import check_axis, reduced_axes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    Attr,
    AxisSubscript,
    Call,
    Layout,
    Method,
    OutputLayout,
    Pads,
    PerAxis,
    Rearrange,
    Tensor,
    axis,
)
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype
from specfmt.targets.torch.lowerings.reductions import layouts_dropping
from specfmt.targets.torch.registry import lower


def moved(
    builder: LayerBuilder,
    layer: Any,
    x: Tensor,
    expr: Any,
    layout: Layout,
    output_layout: OutputLayout | None = None,
) -> Tensor:
    """Add a step that only rearranges the elements of ``x``."""
    shape = layer.output_shape(as_operand(x))
    y = builder.tensor(shape, x.dtype)
    layout = layout if x.flat is None else "keras"
    result: Tensor = builder.step(expr, y, layout=layout, output_layout=output_layout)
    return result


@lower(ops.Reshape)
def reshape(layer: ops.Reshape, builder: LayerBuilder, x: Tensor) -> Tensor:
    return moved(builder, layer, x, Method(x, "reshape", layer.newshape), "keras")


def permuted(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`permute`, or `transpose` if only two axes are swapped."""
    order = layer.order(x.rank)
    changed = [k for k, axis_ in enumerate(order) if k != axis_]
    if not changed:
        return x
    if order[0] == 0 and x.rank > 2:
        return moved(builder, layer, x, Rearrange(x, order[1:]), "any", "free")
    if len(changed) == 2:
        return moved(builder, layer, x, Method(x, "transpose", tuple(changed)), "keras")
    return moved(builder, layer, x, Method(x, "permute", order), "keras")


lower(ops.Transpose)(permuted)
lower(ops.Swapaxes)(permuted)
lower(ops.Moveaxis)(permuted)


@lower(ops.Squeeze)
def squeeze(layer: ops.Squeeze, builder: LayerBuilder, x: Tensor) -> Tensor:
    gone = layer.squeezed(x.shape)
    if not gone:
        return x
    layout, output_layout = layouts_dropping(x, gone)
    dims = tuple(axis(k, x) for k in gone)
    return moved(
        builder,
        layer,
        x,
        Method(x, "squeeze", (dims if len(dims) > 1 else dims[0],)),
        layout,
        output_layout,
    )


@lower(ops.ExpandDims)
def expand_dims(layer: ops.ExpandDims, builder: LayerBuilder, x: Tensor) -> Tensor:
    """New axes between the batch and the channels work in either layout."""
    places = layer.places(x.shape)
    rank = x.rank + len(places)
    if 0 in places or rank - 1 in places or x.rank < 2:
        expr: Any = x
        for place in places:
            expr = Method(expr, "unsqueeze", (place,))
        return moved(builder, layer, x, expr, "keras")
    return moved(builder, layer, x, AxisSubscript(x, dict.fromkeys(places), rank), "any")


def _together(tensors: tuple[Tensor, ...], dtype: str) -> list[Any]:
    """The tensors cast to one dtype, so that they can be joined."""
    return [x if x.dtype == dtype else to_dtype(x, dtype) for x in tensors]


def _join_layout(tensors: tuple[Tensor, ...]) -> Layout:
    return "keras" if any(x.flat is not None for x in tensors) else "any"


@lower(ops.Concatenate)
def concatenate(
    layer: ops.Concatenate, builder: LayerBuilder, tensors: tuple[Tensor, ...]
) -> Tensor:
    seen = as_operand(tensors)
    dtype = layer.result_dtype(seen)
    y = builder.tensor(layer.output_shape(seen), dtype)
    dim = axis(layer.axis, tensors[0])
    expr = Call("torch.cat", (_together(tensors, dtype),), {"dim": dim})
    result: Tensor = builder.step(expr, y, layout=_join_layout(tensors))
    return result


@lower(ops.Stack)
def stack(layer: ops.Stack, builder: LayerBuilder, tensors: tuple[Tensor, ...]) -> Tensor:
    seen = as_operand(tensors)
    dtype = layer.result_dtype(seen)
    y = builder.tensor(layer.output_shape(seen), dtype)
    dim = check_axis(layer.axis, tensors[0].rank + 1)
    kwargs = {"dim": -1 if dim == tensors[0].rank else dim}
    result: Tensor = builder.step(
        Call("torch.stack", (_together(tensors, dtype),), kwargs), y, layout="keras"
    )
    return result


@lower(ops.Flip)
def flip(layer: ops.Flip, builder: LayerBuilder, x: Tensor) -> Tensor:
    dims = tuple(axis(k, x) for k in reduced_axes(layer.axis, x.rank))
    return moved(builder, layer, x, Method(x, "flip", dims), "any")


@lower(ops.Roll)
def roll(layer: ops.Roll, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`Tensor.roll`; without an axis, the elements are shifted in Keras's order."""
    if layer.axis is None:
        return moved(builder, layer, x, Method(x, "roll", (layer.shift,)), "keras")
    dims = tuple(axis(k, x) for k in reduced_axes(layer.axis, x.rank))
    shifts = (layer.shift,) * len(dims) if isinstance(layer.shift, int) else layer.shift
    args = (shifts[0], dims[0]) if len(dims) == 1 else (shifts, dims)
    return moved(builder, layer, x, Method(x, "roll", args), "any")


@lower(ops.Repeat)
def repeat(layer: ops.Repeat, builder: LayerBuilder, x: Tensor) -> Tensor:
    counts: Any = layer.repeats
    if isinstance(counts, tuple):
        device = {"device": Attr(x, "device")}
        counts = counts[0] if len(counts) == 1 else Call("torch.tensor", (list(counts),), device)
    if layer.axis is None:
        return moved(builder, layer, x, Method(x, "repeat_interleave", (counts,)), "keras")
    kwargs = {"dim": axis(layer.axis, x)}
    return moved(builder, layer, x, Method(x, "repeat_interleave", (counts,), kwargs), "any")


@lower(ops.Tile)
def tile(layer: ops.Tile, builder: LayerBuilder, x: Tensor) -> Tensor:
    counts = (layer.repeats,) if isinstance(layer.repeats, int) else layer.repeats
    counts = (1,) * (x.rank - len(counts)) + counts
    layout: Layout = "any" if len(counts) == x.rank else "keras"
    return moved(builder, layer, x, Method(x, "tile", (PerAxis(counts),)), layout)


@lower(ops.BroadcastTo)
def broadcast_to(layer: ops.BroadcastTo, builder: LayerBuilder, x: Tensor) -> Tensor:
    layout: Layout = "any" if len(layer.shape) == x.rank else "keras"
    return moved(builder, layer, x, Method(x, "broadcast_to", (PerAxis(layer.shape),)), layout)


@lower(ops.Pad)
def pad(layer: ops.Pad, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.pad`, or a helper where it cannot mirror: other than spatial axes, mode symmetric."""
    widths = layer.widths(x.rank)
    if layer.mode == "constant":
        value = {} if not layer.constant_values else {"value": layer.constant_values}
        pads = Pads(dict(enumerate(widths)), x.rank)
        return moved(builder, layer, x, Call("F.pad", (x, pads), value), "any")
    spatial = widths[1:-1]
    if layer.mode == "symmetric" or widths[0] != (0, 0) or widths[-1] != (0, 0) or not spatial:
        call = Call(builder.helper("mirror_pad"), (x, PerAxis(widths)), {"edge": True})
        if layer.mode == "reflect":
            call = Call(call.func, call.args)
        return moved(builder, layer, x, call, "any")
    flat = tuple(side for width in reversed(spatial) for side in width)
    return moved(builder, layer, x, Call("F.pad", (x, flat), {"mode": layer.mode}), "channels")


@lower(ops.Split)
def split(layer: ops.Split, builder: LayerBuilder, x: Tensor) -> Any:
    """`chunk` into equal parts, or `tensor_split` at given indices."""
    shapes = layer.output_shape(as_operand(x))
    if len(shapes) == 1:
        return (x,)
    layout: Layout = "any" if x.flat is None else "keras"
    outputs = tuple(
        Tensor(shape, x.dtype, builder.node.name if i == 0 else f"{builder.node.name}_{i}")
        for i, shape in enumerate(shapes)
    )
    where = layer.indices_or_sections
    kwargs = {"dim": axis(layer.axis, x)}
    name, arg = ("chunk", where) if isinstance(where, int) else ("tensor_split", where)
    return builder.step(Method(x, name, (arg,), kwargs), *outputs, layout=layout)
