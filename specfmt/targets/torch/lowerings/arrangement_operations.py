"""PyTorch lowerings of stacks, splits, flips, outer products and slices."""

from __future__ import annotations

from typing import Any

from specfmt.graph.operands import as_array
from specfmt.layers import arrangement_operations as ops
from specfmt.layers.reductions import check_axis
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import AxisSubscript, Call, Method, Tensor, axis
from specfmt.targets.torch.lowerings.array_operations import moved
from specfmt.targets.torch.lowerings.operand_values import held, saturated
from specfmt.targets.torch.lowerings.operations import (
    as_operand,
    to_dtype,
    torch_dtype,
)
from specfmt.targets.torch.registry import TargetError, lower


def cast(x: Tensor, dtype: str) -> Any:
    """A tensor in a dtype."""
    return x if x.dtype == dtype else to_dtype(x, dtype)


def _stack(function: str) -> Any:
    def lowering(layer: ops.Stacking, builder: LayerBuilder, xs: tuple[Tensor, ...]) -> Tensor:
        seen = as_operand(xs)
        dtype = layer.result_dtype(seen)
        y = builder.tensor(layer.output_shape(seen), dtype)
        items = [cast(x, dtype) for x in xs]
        result: Tensor = builder.step(Call(function, (items,)), y, layout="keras")
        return result

    return lowering


lower(ops.Hstack)(_stack("torch.hstack"))
lower(ops.Vstack)(_stack("torch.vstack"))
lower(ops.Dstack)(_stack("torch.dstack"))


@lower(ops.Append)
def append(layer: ops.Append, builder: LayerBuilder, x1: Tensor, x2: Tensor) -> Tensor:
    seen = (as_operand(x1), as_operand(x2))
    dtype = layer.result_dtype(*seen)
    items: list[Any] = [cast(x, dtype) for x in (x1, x2)]
    if layer.axis is None:
        items = [Method(item, "flatten") for item in items]
    dim = {} if layer.axis is None else {"dim": check_axis(layer.axis, x1.rank)}
    y = builder.tensor(layer.output_shape(*seen), dtype)
    result: Tensor = builder.step(Call("torch.cat", (items,), dim), y, layout="keras")
    return result


def split(
    builder: LayerBuilder, x: Tensor, shapes: Any, where: Any, dim: int, function: str
) -> Any:
    """The parts of a tensor along an axis, by `chunk` or `tensor_split`."""
    if len(shapes) == 1:
        return (x,)
    name = builder.node.name
    outputs = tuple(
        Tensor(shape, x.dtype, f"{name}_{i}" if i else name) for i, shape in enumerate(shapes)
    )
    expr = Method(x, function, (where,), {"dim": axis(dim, x)})
    return builder.step(expr, *outputs, layout="any" if x.flat is None else "keras")


@lower(ops.Hsplit)
@lower(ops.Vsplit)
@lower(ops.Dsplit)
def along_place(layer: ops.Splitting, builder: LayerBuilder, x: Tensor) -> Any:
    shapes = layer.output_shape(as_operand(x))
    where = layer.indices_or_sections
    function = "chunk" if isinstance(where, int) else "tensor_split"
    return split(builder, x, shapes, where, layer.place, function)


@lower(ops.ArraySplit)
def array_split(layer: ops.ArraySplit, builder: LayerBuilder, x: Tensor) -> Any:
    shapes = layer.output_shape(as_operand(x))
    dim = check_axis(layer.axis, x.rank)
    return split(builder, x, shapes, layer.indices_or_sections, dim, "tensor_split")


@lower(ops.Fliplr)
@lower(ops.Flipud)
def mirror(layer: ops.Mirror, builder: LayerBuilder, x: Tensor) -> Tensor:
    return moved(builder, layer, x, Method(x, "flip", (axis(layer.place, x),)), "any")


@lower(ops.Rot90)
def rot90(layer: ops.Rot90, builder: LayerBuilder, x: Tensor) -> Tensor:
    shape = layer.swapped(x.shape) if layer.k % 2 else x.shape
    first, second = (x.shape[k] for k in layer.plane(x.rank))
    if layer.k % 4 == 2 and not (first is not None and first == second):
        raise TargetError(
            "on TensorFlow, Keras mixes up the elements of a plane that is not square",
            "use the operation flip along both axes",
            "k",
        )
    y = builder.tensor(shape, x.dtype)
    expr = Call("torch.rot90", (x, layer.k, layer.plane(x.rank)))
    result: Tensor = builder.step(expr, y, layout="keras")
    return result


def product(layer: ops.Product, builder: LayerBuilder, x1: Any, x2: Any, make: Any) -> Tensor:
    """The step of a product of two tensors or arrays in one dtype."""
    seen = (as_operand(x1), as_operand(x2))
    dtype = layer.result_dtype(*seen)
    y = builder.tensor(layer.output_shape(*seen), dtype)  # type: ignore[arg-type]
    factors = (held(builder, x1, dtype), held(builder, x2, dtype))
    result: Tensor = builder.step(make(*factors), y, layout="keras")
    return result


@lower(ops.Outer)
def outer(layer: ops.Outer, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    def make(a: Any, b: Any) -> Any:
        return Call("torch.outer", (Method(a, "flatten"), Method(b, "flatten")))

    return product(layer, builder, x1, x2, make)


@lower(ops.Inner)
def inner(layer: ops.Inner, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    return product(layer, builder, x1, x2, lambda a, b: Call("torch.inner", (a, b)))


@lower(ops.Vdot)
def vdot(layer: ops.Vdot, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    def make(a: Any, b: Any) -> Any:
        return Call("torch.dot", (Method(a, "flatten"), Method(b, "flatten")))

    return product(layer, builder, x1, x2, make)


@lower(ops.Cross)
def cross(layer: ops.Cross, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """`torch.linalg.cross` along the last axis, to which others are moved."""
    first, second, place = layer.places()
    ranks = (len(x1.shape), len(x2.shape))

    def make(a: Any, b: Any) -> Any:
        if first % ranks[0] != ranks[0] - 1:
            a = Method(a, "movedim", (first, -1))
        if second % ranks[1] != ranks[1] - 1:
            b = Method(b, "movedim", (second, -1))
        rank = max(ranks)
        for _ in range(rank - ranks[0]):
            a = Method(a, "unsqueeze", (0,))
        for _ in range(rank - ranks[1]):
            b = Method(b, "unsqueeze", (0,))
        found = Call("torch.linalg.cross", (a, b))
        return found if place % rank == rank - 1 else Method(found, "movedim", (-1, place))

    return product(layer, builder, x1, x2, make)


@lower(ops.Slice)
def slice_(layer: ops.Slice, builder: LayerBuilder, inputs: Tensor, starts: Any) -> Tensor:
    items = {
        k: slice(start or None, None if length == -1 else start + length)
        for k, (start, length) in enumerate(zip(starts, layer.shape, strict=True))
        if start or length != -1
    }
    if not items:
        return inputs
    y = builder.tensor(layer.output_shape(as_operand(inputs), starts), inputs.dtype)
    layout = "any" if inputs.flat is None else "keras"
    result: Tensor = builder.step(
        AxisSubscript(inputs, items, inputs.rank),
        y,
        layout=layout,  # type: ignore[arg-type]
    )
    return result


@lower(ops.SliceUpdate)
def slice_update(
    layer: ops.SliceUpdate, builder: LayerBuilder, inputs: Tensor, starts: Any, updates: Tensor
) -> Tensor:
    """`torch.slice_scatter` along one axis after the other."""
    source: Any = updates if updates.dtype == inputs.dtype else to_dtype(updates, inputs.dtype)
    ends = [
        None if part is None else start + part
        for start, part in zip(starts, updates.shape, strict=True)
    ]
    partial = [
        k
        for k, size in enumerate(inputs.shape)
        if starts[k] or (ends[k] is not None and ends[k] != size)
    ]

    def around(axes: list[int], before: dict[int, Any]) -> Any:
        if not axes:
            return source
        k, *rest = axes
        target: Any = AxisSubscript(inputs, before, inputs.rank) if before else inputs
        inner_part = around(rest, {**before, k: slice(starts[k] or None, ends[k])})
        places = {"dim": k, "start": starts[k], "end": ends[k]}
        return Call("torch.slice_scatter", (target, inner_part), places)

    y = builder.tensor(inputs.shape, inputs.dtype)
    result: Tensor = builder.step(around(partial, {}), y, layout="keras")
    return result


@lower(ops.Digitize)
def digitize(layer: ops.Digitize, builder: LayerBuilder, x: Tensor, bins: Any) -> Tensor:
    bounds = as_array(bins)
    held = bounds if isinstance(bounds, Tensor) else buffer(builder, bounds, None, "float32")
    kwargs = {"right": True, "out_int32": True}
    return builder.expr(
        Call("torch.bucketize", (x, held), kwargs), x, dtype="int32", layout="keras"
    )


@lower(ops.SaturateCast)
def saturate_cast(layer: ops.SaturateCast, builder: LayerBuilder, x: Tensor) -> Tensor:
    dtype = str(layer.dtype)
    torch_dtype(dtype)
    if x.dtype == dtype:
        return x
    return builder.expr(saturated(x, dtype), x, dtype=dtype)
