"""PyTorch lowerings of operations with indices."""

from __future__ import annotations

from math import prod
from typing import Any, Final

from specfmt.graph.operands import as_array
from specfmt.layers import index_operations as ops
from specfmt.layers.operations import operand_shape
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import is_whole
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    Attr,
    Binary,
    Call,
    Method,
    Tensor,
)
from specfmt.targets.torch.lowerings.operand_values import held, indices, result
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype
from specfmt.targets.torch.registry import TargetError, lower


@lower(ops.SearchSorted)
def searchsorted(
    layer: ops.SearchSorted, builder: LayerBuilder, sorted_sequence: Any, values: Any
) -> Tensor:
    seen = tuple(as_operand(as_array(x)) for x in (sorted_sequence, values))
    dtype = layer.result_dtype(*seen)
    common = result_type(*(operand_dtype(x) for x in seen))
    operands = (held(builder, sorted_sequence, common), held(builder, values, common))
    options: dict[str, Any] = {"out_int32": True} if dtype == "int32" else {}
    if layer.side == "right":
        options["right"] = True
    expr = Call("torch.searchsorted", operands, options)
    return result(builder, expr, layer.output_shape(*seen), dtype)


@lower(ops.IsIn)
def isin(layer: ops.IsIn, builder: LayerBuilder, x1: Tensor, x2: Any) -> Tensor:
    found = as_array(x2 if not isinstance(x2, (int, float)) else (x2,))
    dtype = result_type(x1.dtype, operand_dtype(as_operand(found)))
    options = {"invert": True} if layer.invert else {}
    expr = Call("torch.isin", (held(builder, x1, dtype), held(builder, found, dtype)), options)
    return result(builder, expr, x1.shape, "bool")


@lower(ops.Bincount)
def bincount(layer: ops.Bincount, builder: LayerBuilder, x: Tensor) -> Tensor:
    if layer.sparse:
        raise TargetError("expected sparse: false", field="sparse")
    seen = as_operand(x)
    options: dict[str, Any] = {"minlength": layer.minlength} if layer.minlength else {}
    if layer.weights_ is not None:
        options["weights"] = held(builder, layer.weights_, layer.result_dtype(seen))
    value = x if is_whole(x.dtype) else to_dtype(x, "int32")
    expr = Call(builder.helper("bincount"), (value,), options)
    return result(builder, expr, layer.output_shape(seen), layer.result_dtype(seen))


def extreme(x: Tensor, *, least: bool) -> Any:
    """The least or the greatest number of a tensor's dtype, which TensorFlow gives for nothing."""
    info = Call("torch.iinfo" if is_whole(x.dtype) else "torch.finfo", (Attr(x, "dtype"),))
    return Attr(info, "min" if least else "max")


REDUCTIONS: Final = {
    ops.SegmentSum: "sum",
    ops.SegmentProd: "prod",
    ops.SegmentMax: "amax",
    ops.SegmentMin: "amin",
}


def segments(layer: ops.SegmentReduction, builder: LayerBuilder, data: Tensor, ids: Any) -> Tensor:
    """A helper, since the number of segments may depend on the ids."""
    name = REDUCTIONS[type(layer)]
    empty: Any = {"sum": 0, "prod": 1}.get(name, 0)
    if name in ("amax", "amin") and not layer.sorted:
        empty = extreme(data, least=name == "amax")
    size = () if layer.num_segments is None else (layer.num_segments,)
    args = (data, indices(builder, ids), name, empty, *size)
    seen = as_operand(data), as_operand(as_array(ids))
    expr = Call(builder.helper("segment_reduce"), args)
    return result(builder, expr, layer.output_shape(*seen), data.dtype)


for _class in REDUCTIONS:
    lower(_class)(segments)


def places(builder: LayerBuilder, item: Any) -> Method:
    """Indices along each axis, from those in the last axis."""
    return Method(indices(builder, item), "unbind", (-1,))


@lower(ops.Scatter)
def scatter(layer: ops.Scatter, builder: LayerBuilder, index: Any, values: Any) -> Tensor:
    dtype = operand_dtype(as_operand(as_array(values)))
    value = held(builder, values, dtype)
    zeros = Method(value, "new_zeros", (layer.shape,))
    expr = Method(zeros, "index_put", (places(builder, index), value), {"accumulate": True})
    return result(builder, expr, layer.shape, dtype)


@lower(ops.ScatterUpdate)
def scatter_update(
    layer: ops.ScatterUpdate, builder: LayerBuilder, inputs: Any, index: Any, updates: Any
) -> Tensor:
    seen = as_operand(as_array(inputs))
    dtype = operand_dtype(seen)
    target, value = held(builder, inputs, dtype), held(builder, updates, dtype)
    if layer.reduction in (None, "add"):
        options = {"accumulate": True} if layer.reduction else {}
        expr: Any = Method(target, "index_put", (places(builder, index), value), options)
    else:
        how = {"max": "amax", "min": "amin", "mul": "prod"}[str(layer.reduction)]
        args = (target, indices(builder, index), value, how)
        expr = Call(builder.helper("scatter_rows"), args)
    return result(builder, expr, operand_shape(seen), dtype)


@lower(ops.Select)
def select(
    layer: ops.Select,
    builder: LayerBuilder,
    conditions: tuple[Tensor, ...],
    choices: tuple[Tensor, ...],
    default: Any,
) -> Tensor:
    dtype = choices[0].dtype
    expr: Any = held(builder, default, dtype)
    for condition, choice in reversed(tuple(zip(conditions, choices, strict=True))):
        expr = Call("torch.where", (held(builder, condition, "bool"), choice, expr))
    seen = as_operand(conditions), as_operand(choices), as_operand(as_array(default))
    return result(builder, expr, layer.output_shape(*seen), dtype)


@lower(ops.UnravelIndex)
def unravel_index(layer: ops.UnravelIndex, builder: LayerBuilder, x: Tensor) -> Any:
    """Quotients and remainders; Keras counts from the first axis for other than one axis."""
    name, found = builder.node.name, []
    sizes = layer.shape
    for i in range(len(sizes)):
        k = i if x.rank == 1 else len(sizes) - 1 - i
        step = prod(sizes[k + 1 :]) if x.rank == 1 else prod(sizes[:k])
        quotient = x if step == 1 else Binary("//", x, step)
        y = Tensor(x.shape, x.dtype, f"{name}_{i}" if i else name)
        found.append(builder.step(Binary("%", quotient, sizes[k]), y, layout="keras"))
    return tuple(found)
