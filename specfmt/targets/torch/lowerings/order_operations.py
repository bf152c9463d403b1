"""PyTorch lowerings of operations that order elements, and that pick parts of arrays."""

from __future__ import annotations

from typing import Any

from specfmt.layers import order_operations as ops
from specfmt.layers.base import Shape
from specfmt.layers.reductions import check_axis
from specfmt.targets.torch.builder import Lower
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Attr, AxisSubscript, Call, Method, Tensor, Want, axis
from specfmt.targets.torch.lowerings.array_operations import moved
from specfmt.targets.torch.lowerings.operations import as_array, as_operand, to_dtype, torch_dtype
from specfmt.targets.torch.lowerings.reductions import wants_dropping
from specfmt.targets.torch.registry import lower


@lower(ops.Sort)
def sort(layer: ops.Sort, b: Lower, x: Tensor) -> Tensor:
    """Sorting gives values and places; the values."""
    if layer.axis is None:
        flat = Method(x, "flatten") if x.rank > 1 else x
        return moved(b, layer, x, Attr(Method(flat, "sort"), "values"), "keras")
    kwargs = {"dim": axis(check_axis(layer.axis, x.rank), x)}
    return moved(b, layer, x, Attr(Method(x, "sort", (), kwargs), "values"), "any")


@lower(ops.Argsort)
def argsort(layer: ops.Argsort, b: Lower, x: Tensor) -> Tensor:
    """Equal elements keep their order, as in TensorFlow; places are int64 in PyTorch."""
    y = b.tensor(layer.output_shape(as_operand(x)), "int64")
    if layer.axis is None:
        flat = Method(x, "flatten") if x.rank > 1 else x
        kwargs: dict[str, Any] = {"stable": True}
        want: Want = "keras"
        expr: Any = Method(flat, "argsort", (), kwargs)
    else:
        kwargs = {"dim": axis(check_axis(layer.axis, x.rank), x), "stable": True}
        want = "any" if x.flat is None else "keras"
        expr = Method(x, "argsort", (), kwargs)
    result: Tensor = b.step(expr, y, want=want)
    return result


@lower(ops.TopK)
def top_k(layer: ops.TopK, b: Lower, x: Tensor) -> Any:
    """`torch.topk`, which leaves open which of equal elements it takes; TensorFlow the first."""
    shapes = layer.output_shape(as_operand(x))
    last = axis(-1, x)
    kwargs: dict[str, Any] = {"dim": last} if x.rank > 2 else {}
    values = Tensor(shapes[0], x.dtype, b.node.name)
    places = Tensor(shapes[1], "int64", f"{b.node.name}_places")
    want: Want = "any" if x.flat is None else "keras"
    b.step(Attr(Method(x, "topk", (layer.k,), kwargs), "values"), values, want=want)
    order = Method(x, "argsort", (), {"dim": last, "descending": True, "stable": True})
    b.step(AxisSubscript(order, {x.rank - 1: slice(None, layer.k)}, x.rank), places, want=want)
    return values, places


@lower(ops.TakeAlongAxis)
def take_along_axis(layer: ops.TakeAlongAxis, b: Lower, x: Tensor, indices: Any) -> Tensor:
    """`gather`, or `torch.take_along_dim` to broadcast as Keras does; negative places count back."""
    places = as_array(indices)
    y = b.tensor(layer.output_shape(as_operand(x), as_operand(places)), x.dtype)
    read: Any = buffer(b, places, None, "int64") if not isinstance(places, Tensor) else places
    if isinstance(places, Tensor) and places.dtype != "int64":
        read = to_dtype(places, "int64")
    size = None if layer.axis is None else x.shape[layer.axis]
    if size is not None:
        read = Call("torch.remainder", (read, size))  # -1 is the last
    if layer.axis is not None and _gathers(x, as_operand(places), layer.axis):
        gathered: Tensor = b.step(Method(x, "gather", (axis(layer.axis, x), read)), y, want="keras")
        return gathered
    dims = {} if layer.axis is None else {"dim": axis(layer.axis, x)}
    result: Tensor = b.step(Call("torch.take_along_dim", (x, read), dims), y, want="keras")
    return result


def _gathers(x: Tensor, places: Shape, along: int) -> bool:
    """Whether two values agree in every axis but one; the first axis is the batch of both."""
    if along % x.rank == 0 or len(places) != x.rank or places[0] is not None:
        return False
    others = [k for k in range(1, x.rank) if k != along % x.rank]
    return all(x.shape[k] is not None and x.shape[k] == places[k] for k in others)


@lower(ops.Unstack)
def unstack(layer: ops.Unstack, b: Lower, x: Tensor) -> Any:
    """`unbind` along one axis."""
    shapes = layer.output_shape(as_operand(x))
    k = check_axis(layer.axis, x.rank)
    want, out_want = wants_dropping(x, (k,))
    outputs = tuple(
        Tensor(shape, x.dtype, b.node.name if i == 0 else f"{b.node.name}_{i}")
        for i, shape in enumerate(shapes)
    )
    expr = Method(x, "unbind", (axis(k, x),))
    if len(outputs) == 1:
        return (
            b.step(Method(x, "squeeze", (axis(k, x),)), outputs[0], want=want, out_want=out_want),
        )
    return b.step(expr, *outputs, want=want, out_want=out_want)


def _triangle(name: str) -> Any:
    def lowering(layer: Any, b: Lower, x: Tensor) -> Tensor:
        args = (layer.k,) if layer.k else ()
        return moved(b, layer, x, Method(x, name, args), "keras")

    return lowering


lower(ops.Tril)(_triangle("tril"))
lower(ops.Triu)(_triangle("triu"))


@lower(ops.Diagonal)
def diagonal(layer: ops.Diagonal, b: Lower, x: Tensor) -> Tensor:
    return moved(b, layer, x, _diagonal(layer, x), "keras")


def _diagonal(layer: ops.Diagonal, x: Tensor) -> Any:
    first, second = layer.axes(x.rank)
    kwargs = {"offset": layer.offset, "dim1": first, "dim2": second}
    defaults = {"offset": 0, "dim1": 0, "dim2": 1}
    given = {key: value for key, value in kwargs.items() if value != defaults[key]}
    return Method(x, "diagonal", (), given)


@lower(ops.Trace)
def trace(layer: ops.Trace, b: Lower, x: Tensor) -> Tensor:
    dtype = layer.result_dtype(as_operand(x))
    summed = "int64" if dtype == "uint32" else dtype
    typed = {} if dtype == x.dtype and "int" not in dtype else {"dtype": torch_dtype(summed)}
    y = b.tensor(layer.output_shape(as_operand(x)), dtype)
    expr = Method(_diagonal(layer, x), "sum", (-1,), typed)
    result: Tensor = b.step(expr, y, want="keras")
    return result


@lower(ops.Diff)
def diff(layer: ops.Diff, b: Lower, a: Tensor) -> Tensor:
    kwargs: dict[str, Any] = {"n": layer.n} if layer.n != 1 else {}
    kwargs["dim"] = axis(check_axis(layer.axis, a.rank), a)
    return moved(b, layer, a, Method(a, "diff", (), kwargs), "any")


@lower(ops.Ravel)
def ravel(layer: ops.Ravel, b: Lower, x: Tensor) -> Tensor:
    return moved(b, layer, x, Method(x, "flatten"), "keras")
