"""PyTorch lowerings of operations that sort elements and that select parts of arrays."""

from __future__ import annotations

from typing import Any

from specfmt.graph.operands import as_array
from specfmt.layers import order_operations as ops
from specfmt.layers.base import Shape
from specfmt.layers.reductions import check_axis
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Attr, AxisSubscript, Call, Layout, Method, Tensor, axis
from specfmt.targets.torch.lowerings.array_operations import moved
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype, torch_dtype
from specfmt.targets.torch.lowerings.reductions import layouts_dropping
from specfmt.targets.torch.registry import lower


@lower(ops.Sort)
def sort(layer: ops.Sort, builder: LayerBuilder, x: Tensor) -> Tensor:
    """The values of `Tensor.sort`, which returns values and indices."""
    if layer.axis is None:
        flat = Method(x, "flatten") if x.rank > 1 else x
        return moved(builder, layer, x, Attr(Method(flat, "sort"), "values"), "keras")
    kwargs = {"dim": axis(check_axis(layer.axis, x.rank), x)}
    return moved(builder, layer, x, Attr(Method(x, "sort", (), kwargs), "values"), "any")


@lower(ops.Argsort)
def argsort(layer: ops.Argsort, builder: LayerBuilder, x: Tensor) -> Tensor:
    """A stable sort, as in TensorFlow; indices are int64 in PyTorch."""
    y = builder.tensor(layer.output_shape(as_operand(x)), "int64")
    if layer.axis is None:
        flat = Method(x, "flatten") if x.rank > 1 else x
        kwargs: dict[str, Any] = {"stable": True}
        layout: Layout = "keras"
        expr: Any = Method(flat, "argsort", (), kwargs)
    else:
        kwargs = {"dim": axis(check_axis(layer.axis, x.rank), x), "stable": True}
        layout = "any" if x.flat is None else "keras"
        expr = Method(x, "argsort", (), kwargs)
    result: Tensor = builder.step(expr, y, layout=layout)
    return result


@lower(ops.TopK)
def top_k(layer: ops.TopK, builder: LayerBuilder, x: Tensor) -> Any:
    """The values by `torch.topk`, the indices by a stable sort.

    Of equal elements TensorFlow takes the first ones; `torch.topk` may take any.
    """
    shapes = layer.output_shape(as_operand(x))
    last = axis(-1, x)
    kwargs: dict[str, Any] = {"dim": last} if x.rank > 2 else {}
    values = Tensor(shapes[0], x.dtype, builder.node.name)
    places = Tensor(shapes[1], "int64", f"{builder.node.name}_places")
    layout: Layout = "any" if x.flat is None else "keras"
    builder.step(Attr(Method(x, "topk", (layer.k,), kwargs), "values"), values, layout=layout)
    order = Method(x, "argsort", (), {"dim": last, "descending": True, "stable": True})
    builder.step(
        AxisSubscript(order, {x.rank - 1: slice(None, layer.k)}, x.rank), places, layout=layout
    )
    return values, places


@lower(ops.TakeAlongAxis)
def take_along_axis(
    layer: ops.TakeAlongAxis, builder: LayerBuilder, x: Tensor, indices: Any
) -> Tensor:
    """`gather`, or `torch.take_along_dim` if indices broadcast; negative indices are allowed."""
    places = as_array(indices)
    y = builder.tensor(layer.output_shape(as_operand(x), as_operand(places)), x.dtype)
    read: Any = buffer(builder, places, None, "int64") if not isinstance(places, Tensor) else places
    if isinstance(places, Tensor) and places.dtype != "int64":
        read = to_dtype(places, "int64")
    size = None if layer.axis is None else x.shape[layer.axis]
    if size is not None:
        read = Call("torch.remainder", (read, size))  # -1 is the last
    if layer.axis is not None and _gathers(x, as_operand(places), layer.axis):
        gathered: Tensor = builder.step(
            Method(x, "gather", (axis(layer.axis, x), read)), y, layout="keras"
        )
        return gathered
    dims = {} if layer.axis is None else {"dim": axis(layer.axis, x)}
    result: Tensor = builder.step(Call("torch.take_along_dim", (x, read), dims), y, layout="keras")
    return result


def _gathers(x: Tensor, places: Shape, along: int) -> bool:
    """Whether two shapes are equal in every axis but one, and the first axis is the batch."""
    if along % x.rank == 0 or len(places) != x.rank or places[0] is not None:
        return False
    others = [k for k in range(1, x.rank) if k != along % x.rank]
    return all(x.shape[k] is not None and x.shape[k] == places[k] for k in others)


@lower(ops.Unstack)
def unstack(layer: ops.Unstack, builder: LayerBuilder, x: Tensor) -> Any:
    """`unbind` along one axis."""
    shapes = layer.output_shape(as_operand(x))
    k = check_axis(layer.axis, x.rank)
    layout, output_layout = layouts_dropping(x, (k,))
    outputs = tuple(
        Tensor(shape, x.dtype, builder.node.name if i == 0 else f"{builder.node.name}_{i}")
        for i, shape in enumerate(shapes)
    )
    expr = Method(x, "unbind", (axis(k, x),))
    if len(outputs) == 1:
        return (
            builder.step(
                Method(x, "squeeze", (axis(k, x),)),
                outputs[0],
                layout=layout,
                output_layout=output_layout,
            ),
        )
    return builder.step(expr, *outputs, layout=layout, output_layout=output_layout)


def _triangle(name: str) -> Any:
    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        args = (layer.k,) if layer.k else ()
        return moved(builder, layer, x, Method(x, name, args), "keras")

    return lowering


lower(ops.Tril)(_triangle("tril"))
lower(ops.Triu)(_triangle("triu"))


@lower(ops.Diagonal)
def diagonal(layer: ops.Diagonal, builder: LayerBuilder, x: Tensor) -> Tensor:
    return moved(builder, layer, x, _diagonal(layer, x), "keras")


def _diagonal(layer: ops.Diagonal, x: Tensor) -> Any:
    first, second = layer.axes(x.rank)
    kwargs = {"offset": layer.offset, "dim1": first, "dim2": second}
    defaults = {"offset": 0, "dim1": 0, "dim2": 1}
    given = {key: value for key, value in kwargs.items() if value != defaults[key]}
    return Method(x, "diagonal", (), given)


@lower(ops.Trace)
def trace(layer: ops.Trace, builder: LayerBuilder, x: Tensor) -> Tensor:
    dtype = layer.result_dtype(as_operand(x))
    summed = "int64" if dtype == "uint32" else dtype
    typed = {} if dtype == x.dtype and "int" not in dtype else {"dtype": torch_dtype(summed)}
    y = builder.tensor(layer.output_shape(as_operand(x)), dtype)
    expr = Method(_diagonal(layer, x), "sum", (-1,), typed)
    result: Tensor = builder.step(expr, y, layout="keras")
    return result


@lower(ops.Diff)
def diff(layer: ops.Diff, builder: LayerBuilder, a: Tensor) -> Tensor:
    kwargs: dict[str, Any] = {"n": layer.n} if layer.n != 1 else {}
    kwargs["dim"] = axis(check_axis(layer.axis, a.rank), a)
    return moved(builder, layer, a, Method(a, "diff", (), kwargs), "any")


@lower(ops.Ravel)
def ravel(layer: ops.Ravel, builder: LayerBuilder, x: Tensor) -> Tensor:
    return moved(builder, layer, x, Method(x, "flatten"), "keras")
