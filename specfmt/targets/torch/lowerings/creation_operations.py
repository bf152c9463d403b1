"""PyTorch lowerings of arrays made from bounds, a value, or another array."""

from __future__ import annotations

from typing import Any

from specfmt.graph.operands import as_array
from specfmt.layers import creation_operations as ops
from specfmt.layers.base import is_floating
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Method, Tensor
from specfmt.targets.torch.lowerings.operand_values import held, result
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype, torch_dtype
from specfmt.targets.torch.registry import TargetError, lower


def bounds(layer: ops.Spaced, builder: LayerBuilder, start: Any, stop: Any) -> tuple[Any, Any, str]:
    """Both bounds as tensors, and their dtype."""
    dtype = layer.computed_dtype(*(as_operand(as_array(x)) for x in (start, stop)))
    if not is_floating(dtype):
        raise TargetError(f"expected a floating-point dtype, received {dtype}", field="dtype")
    like = next(x for x in (start, stop) if isinstance(x, Tensor))
    typed = {"dtype": torch_dtype(dtype), "device": Attr(like, "device")}
    first, last = (
        Call("torch.tensor", (float(x),), typed)
        if isinstance(x, (int, float))
        else held(builder, x, dtype)
        for x in (start, stop)
    )
    return first, last, dtype


def spaced(layer: ops.Spaced, builder: LayerBuilder, start: Any, stop: Any, shape: Any) -> Call:
    """The call of the helper."""
    place = layer.place(len(shape) - 1)
    options: dict[str, Any] = {"dim": place} if place else {}
    if not layer.endpoint:
        options["endpoint"] = False
    return Call(builder.helper("linspace"), (start, stop, layer.num), options)


@lower(ops.Linspace)
@lower(ops.Logspace)
@lower(ops.Geomspace)
def space(layer: ops.Spaced, builder: LayerBuilder, start: Any, stop: Any) -> Tensor:
    shape = layer.output_shape(*(as_operand(as_array(x)) for x in (start, stop)))
    first, last, dtype = bounds(layer, builder, start, stop)
    if isinstance(layer, ops.Geomspace):
        low, high = (Method(Method(x, "abs"), "log10") for x in (first, last))
        powers = Binary("**", 10.0, spaced(layer, builder, low, high, shape))
        expr: Any = Binary("*", powers, Method(first, "sign"))
    else:
        expr = spaced(layer, builder, first, last, shape)
        if isinstance(layer, ops.Logspace):
            expr = Binary("**", layer.base, expr)
    return result(builder, expr, shape, dtype)


@lower(ops.Full)
def full(layer: ops.Full, builder: LayerBuilder, fill_value: Tensor) -> Tensor:
    dtype = layer.result_dtype(as_operand(fill_value))
    expr = Method(held(builder, fill_value, dtype), "expand", (layer.shape,))
    return result(builder, expr, layer.shape, dtype)


@lower(ops.EmptyLike)
def empty_like(layer: ops.EmptyLike, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Zeros, as TensorFlow has them."""
    dtype = layer.result_dtype(as_operand(x))
    typed = {} if dtype == x.dtype else {"dtype": torch_dtype(dtype)}
    return builder.expr(Call("torch.zeros_like", (x,), typed), x, dtype=dtype)


@lower(ops.Array)
def array(layer: ops.Array, builder: LayerBuilder, x: Tensor) -> Tensor:
    dtype = layer.result_dtype(as_operand(x))
    return x if dtype == x.dtype else builder.expr(to_dtype(x, dtype), x, dtype=dtype)
