"""PyTorch lowerings of operations on vectors and matrices."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from specfmt.graph.operands import as_array
from specfmt.layers import matrix_operations as ops
from specfmt.layers.operations import broadcast, operand_shape
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import is_whole
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Method, Name, Size, Subscript, Tensor
from specfmt.targets.torch.lowerings.operand_values import held, result, results
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype, torch_dtype
from specfmt.targets.torch.registry import lower


def _diagonal(function: str) -> Any:
    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        args = (x, layer.k) if layer.k else (x,)
        return result(builder, Call(function, args), layer.output_shape(as_operand(x)), x.dtype)

    return lowering


lower(ops.Diag)(_diagonal("torch.diag"))
lower(ops.Diagflat)(_diagonal("torch.diagflat"))


@lower(ops.Kron)
def kron(layer: ops.Kron, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    seen = tuple(as_operand(as_array(x)) for x in (x1, x2))
    dtype = layer.result_dtype(*seen)
    shapes = zip_longest(*(reversed(operand_shape(x)) for x in seen), fillvalue=1)
    shape = tuple(None if n is None or m is None else n * m for n, m in shapes)[::-1]
    expr = Call("torch.kron", (held(builder, x1, dtype), held(builder, x2, dtype)))
    return result(builder, expr, shape, dtype)


@lower(ops.Vander)
def vander(layer: ops.Vander, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Written out: `torch.vander` changes a tensor in place, so that it has no gradient."""
    count: Any = x.shape[0] if layer.N is None else layer.N
    if count is None:
        count = Size(x, 0)
    last = count - 1 if isinstance(count, int) else Binary("-", count, 1)
    powers = Call(
        "torch.arange",
        (count,) if layer.increasing else (last, -1, -1),
        {"device": Attr(x, "device")},
    )
    expr: Any = Binary("**", Method(x, "unsqueeze", (-1,)), powers)
    if x.dtype != "int64" and is_whole(x.dtype):
        expr = to_dtype(expr, x.dtype)
    return result(builder, expr, layer.output_shape(as_operand(x)), x.dtype)


@lower(ops.CDist)
def cdist(layer: ops.CDist, builder: LayerBuilder, x: Tensor, y: Tensor) -> Tensor:
    """Without the matrix product, which is faster and less exact."""
    seen = as_operand(x), as_operand(y)
    dtype = layer.result_dtype(*seen)
    operands = (held(builder, x, dtype), held(builder, y, dtype))
    mode = {"compute_mode": "donot_use_mm_for_euclid_dist"}
    return result(builder, Call("torch.cdist", operands, mode), layer.output_shape(*seen), dtype)


@lower(ops.Corrcoef)
def corrcoef(layer: ops.Corrcoef, builder: LayerBuilder, x: Tensor) -> Tensor:
    dtype = layer.result_dtype(as_operand(x))
    expr = Call("torch.corrcoef", (held(builder, x, dtype),))
    return result(builder, expr, (x.shape[0], x.shape[0]), dtype)


@lower(ops.Correlate)
def correlate(layer: ops.Correlate, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """A convolution, which in PyTorch does not turn the kernel around."""
    seen = tuple(as_operand(as_array(x)) for x in (x1, x2))
    (size,), dtype = layer.output_shape(*seen), layer.result_dtype(*seen)
    a, b = (Subscript(held(builder, x, dtype), (None, None)) for x in (x1, x2))
    (first,), (second,) = (operand_shape(x) for x in seen)
    around = 0 if layer.mode == "valid" else (second or 1) - 1
    found = Call("F.conv1d", (a, b), {"padding": around} if around else {})
    start = ((first or 0) + around - (size or 0)) // 2 if layer.mode == "same" else 0
    cut = slice(start, start + (size or 0)) if layer.mode == "same" else slice(None)
    items = (0, 0) if cut == slice(None) else (0, 0, cut)
    return result(builder, Subscript(found, items), (size,), dtype)


@lower(ops.Trapezoid)
def trapezoid(layer: ops.Trapezoid, builder: LayerBuilder, y: Tensor) -> Tensor:
    dtype = layer.result_dtype(as_operand(y))
    value, options = held(builder, y, dtype), {"dim": layer.axis}
    if layer.x is not None:
        expr = Call("torch.trapezoid", (value, held(builder, layer.x, dtype)), options)
    else:
        expr = Call("torch.trapezoid", (value,), {"dx": layer.dx, **options})
    return result(builder, expr, layer.output_shape(as_operand(y)), dtype)


@lower(ops.Meshgrid)
def meshgrid(layer: ops.Meshgrid, builder: LayerBuilder, *x: Tensor) -> Any:
    shapes = layer.output_shape(*(as_operand(item) for item in x))
    flat = [item if item.rank == 1 else Method(item, "flatten") for item in x]
    expr = Call("torch.meshgrid", tuple(flat), {"indexing": layer.indexing})
    return results(builder, expr, shapes, x[0].dtype)


@lower(ops.AllClose)
def allclose(layer: ops.AllClose, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    seen = tuple(as_operand(as_array(x)) for x in (x1, x2))
    dtype = result_type(*(operand_dtype(x) for x in seen))
    like = next(x for x in (x1, x2) if isinstance(x, Tensor))
    kind = torch_dtype(dtype) if dtype != like.dtype else Attr(like, "dtype")
    typed = {"dtype": kind, "device": Attr(like, "device")}
    values = [
        Call("torch.tensor", (x,), typed)
        if isinstance(x, (int, float))
        else held(builder, x, dtype)
        for x in (x1, x2)
    ]
    options: dict[str, Any] = {"rtol": layer.rtol, "atol": layer.atol}
    if layer.equal_nan:
        options["equal_nan"] = True
    close = Call("torch.isclose", tuple(values), options)
    return result(builder, Method(close, "all"), (), "bool")


@lower(ops.Nextafter)
def nextafter(layer: ops.Nextafter, builder: LayerBuilder, x1: Any, x2: Any) -> Tensor:
    """In float64, as TensorFlow computes it."""
    seen = tuple(as_operand(as_array(x)) for x in (x1, x2))
    dtype = layer.result_dtype(*seen)
    shape = broadcast(*(operand_shape(x) for x in seen))
    like = next(x for x in (x1, x2) if isinstance(x, Tensor))
    wide = {"dtype": Name("torch.float64"), "device": Attr(like, "device")}
    values = [
        Call("torch.tensor", (float(x),), wide)
        if isinstance(x, (int, float))
        else held(builder, x, "float64")
        for x in (x1, x2)
    ]
    return result(builder, to_dtype(Call("torch.nextafter", tuple(values)), dtype), shape, dtype)
