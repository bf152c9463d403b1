"""PyTorch lowerings of statistics."""

from __future__ import annotations

from typing import Any

from specfmt.graph.model import Array
from specfmt.graph.operands import as_array
from specfmt.layers import statistics as ops
from specfmt.layers.reductions import is_whole, reduced_axes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Binary, Call, Method, Tensor, axis
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype, torch_dtype
from specfmt.targets.torch.lowerings.reductions import Reducer, extreme, layouts_dropping, running
from specfmt.targets.torch.registry import lower

KERAS_EPSILON = 1e-7
"""`keras.backend.epsilon()`, which Keras uses if ``epsilon`` is null."""

lower(ops.Amax)(extreme("amax"))
lower(ops.Amin)(extreme("amin"))


@lower(ops.Average)
def average(layer: ops.Average, builder: LayerBuilder, x: Tensor, weights: Any = None) -> Tensor:
    """A mean, or a weighted mean: the sum of products divided by the sum of the weights."""
    axes = reduced_axes(layer.axis, x.rank)
    seen = (as_operand(x),) if weights is None else (as_operand(x), as_operand(weights))
    dtype = layer.result_dtype(*seen)
    value: Any = x if x.dtype == dtype else to_dtype(x, dtype)
    dims: dict[str, Any] = {} if layer.axis is None else {"dim": axis(axes[0], x)}
    layout, output_layout = layouts_dropping(x, axes)
    if weights is None:
        expr: Any = Method(value, "mean", (), dims)
    else:
        layout, output_layout = "keras", "keras"
        weights = as_array(weights)
        weight: Any = weights if weights.dtype == dtype else to_dtype(weights, dtype)
        if isinstance(weights, Array):
            weight = buffer(builder, weights, None, dtype)
        wide = weight
        if len(weights.shape) == 1 and x.rank > 1:
            wide = Method(weight, "view", (-1, *(1,) * (x.rank - 1 - axes[0])))
            dims = {"dim": axes[0] if axes[0] < x.rank - 1 else -1}
            total: Any = Method(weight, "sum")
        else:
            total = Method(weight, "sum", (), dims)
        expr = Binary("/", Method(Binary("*", value, wide), "sum", (), dims), total)
    y = builder.tensor(layer.output_shape(*seen), dtype)
    result: Tensor = builder.step(expr, y, layout=layout, output_layout=output_layout)
    return result


@lower(ops.Moments)
def moments(layer: ops.Moments, builder: LayerBuilder, x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the biased variance (divided by the number of elements)."""
    r = Reducer(layer, builder, x, layer.axes)
    mean = r.finish(Method(x, "mean", (), r.kwargs()))
    variance = r.finish(Method(x, "var", (), {**r.kwargs(), "correction": 0}))
    return mean, variance


@lower(ops.CountNonzero)
def count_nonzero(layer: ops.CountNonzero, builder: LayerBuilder, x: Tensor) -> Tensor:
    r = Reducer(layer, builder, x)
    nonzero = Binary("!=", x, 0) if x.dtype != "bool" else x
    return r.finish(Method(nonzero, "sum", (), {**r.kwargs(), "dtype": torch_dtype("int32")}))


@lower(ops.Median)
def median(layer: ops.Median, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`torch.quantile`, since `torch.median` returns the smaller of two middle elements."""
    y = _median(layer, builder, x)
    half = x.dtype in ("float16", "bfloat16")  # not supported by `torch.quantile`
    return builder.expr(to_dtype(y, x.dtype), y, dtype=x.dtype) if half else y


def _median(layer: ops.Median, builder: LayerBuilder, x: Tensor) -> Tensor:
    r = Reducer(layer, builder, x)
    r.as_floating()
    value = r.value
    if x.dtype in ("float16", "bfloat16"):
        value, r.dtype = to_dtype(x, "float32"), "float32"
    if len(r.axes) == x.rank:
        # `torch.quantile` takes one axis only, and medians of medians would be wrong.
        expr: Any = Method(Method(value, "flatten"), "quantile", (0.5,))
        if layer.keepdims:
            expr = Method(expr, "view", ((1,) * x.rank,))
        y = builder.tensor(layer.output_shape(as_operand(x)), r.dtype)
        result: Tensor = builder.step(expr, y, layout="keras")
        return result
    if len(r.axes) == 1:
        return r.finish(Method(value, "quantile", (0.5,), r.kwargs(several=False)))
    kept = [k for k in range(x.rank) if k not in r.axes]
    moved = Method(value, "permute", (*kept, *r.axes))
    expr = Method(Method(moved, "flatten", (len(kept),)), "quantile", (0.5,), {"dim": -1})
    if layer.keepdims:
        for k in sorted(r.axes):
            expr = Method(expr, "unsqueeze", (k,))
    y = builder.tensor(layer.output_shape(as_operand(x)), r.dtype)
    whole: Tensor = builder.step(expr, y, layout="keras")
    return whole


@lower(ops.Ptp)
def ptp(layer: ops.Ptp, builder: LayerBuilder, x: Tensor) -> Tensor:
    r = Reducer(layer, builder, x)
    largest, smallest = (Method(x, name, (), r.kwargs()) for name in ("amax", "amin"))
    return r.finish(Binary("-", largest, smallest))


@lower(ops.Normalize)
def normalize(layer: ops.Normalize, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.normalize` along an axis; ``eps`` is the least norm, like Keras's ``epsilon``."""
    axes = reduced_axes(layer.axis, x.rank)
    epsilon = KERAS_EPSILON if layer.epsilon is None else layer.epsilon
    value: Any = to_dtype(x, "float32") if is_whole(x.dtype) else x
    dims = tuple(axis(k, x) for k in axes)
    order = {} if layer.order == 2 else {"p": layer.order}
    layout = "any" if x.flat is None or 0 not in axes else "keras"
    dtype = "float32" if is_whole(x.dtype) else x.dtype
    if len(axes) > 1:
        kwargs = {"dim": dims, "keepdim": True}
        kind = "matrix" if len(axes) == 2 and layer.order != 2 else "vector"
        given = (value,) if layer.order == 2 else (value, layer.order)
        norm = Call(f"torch.linalg.{kind}_norm", given, kwargs)
        expr: Any = Binary("/", value, Method(norm, "clamp", (), {"min": epsilon}))
    else:
        kwargs = {**order, "dim": dims[0], "eps": epsilon}
        expr = Call("F.normalize", (value,), kwargs)
    return builder.expr(expr, x, layout=layout, dtype=dtype)  # type: ignore[arg-type]


lower(ops.Cumprod)(running("cumprod"))
