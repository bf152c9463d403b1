"""PyTorch lowerings of reductions that leave NaN out, and of quantiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.graph.model import Array
from specfmt.layers import nan_operations as ops
from specfmt.layers import reductions, statistics
from specfmt.layers.base import Layer
from specfmt.layers.reductions import is_whole, reduced_axes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Method, Name, Tensor, Unary
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype
from specfmt.targets.torch.lowerings.reductions import Reducer
from specfmt.targets.torch.registry import TargetError, find_lowering, lower


def plain(cls: type[Layer], layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
    """The lowering of a reduction that does not look at NaN."""
    lowering = find_lowering(cls)
    assert lowering is not None
    result: Tensor = lowering(layer, builder, x)
    return result


def filled(x: Any, value: Any) -> Call:
    """``x`` with a number for NaN."""
    return Call("torch.where", (Method(x, "isnan"), value, x))


def _extreme(name: str, base: type[Layer], missing: Any) -> Callable[..., Tensor]:
    """The extreme of the numbers; NaN where there is none."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        if is_whole(x.dtype):
            return plain(base, layer, builder, x)
        r = Reducer(layer, builder, x)
        found = Method(filled(x, missing), name, (), r.kwargs())
        none = Method(Method(x, "isnan"), "all", (), r.kwargs())
        return r.finish(Call("torch.where", (none, Name("math.nan"), found)))

    return lowering


lower(ops.Nanmax)(_extreme("amax", statistics.Amax, Name("-math.inf")))
lower(ops.Nanmin)(_extreme("amin", statistics.Amin, Name("math.inf")))


@lower(ops.Nansum)
def nansum(layer: ops.Nansum, builder: LayerBuilder, x: Tensor) -> Tensor:
    if is_whole(x.dtype):
        return plain(reductions.Sum, layer, builder, x)
    r = Reducer(layer, builder, x)
    return r.finish(Method(x, "nansum", (), r.kwargs()))


@lower(ops.Nanmean)
def nanmean(layer: ops.Nanmean, builder: LayerBuilder, x: Tensor) -> Tensor:
    if is_whole(x.dtype):
        return plain(reductions.Mean, layer, builder, x)
    r = Reducer(layer, builder, x)
    return r.finish(Method(x, "nanmean", (), r.kwargs()))


@lower(ops.Nanprod)
def nanprod(layer: ops.Nanprod, builder: LayerBuilder, x: Tensor) -> Tensor:
    if not is_whole(x.dtype):
        x = builder.expr(filled(x, 1.0), x)
    return plain(reductions.Prod, layer, builder, x)


def _spread(base: type[Layer], root: bool) -> Callable[..., Tensor]:
    """The mean of the squared distances from the mean."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        if is_whole(x.dtype):
            return plain(base, layer, builder, x)
        r = Reducer(layer, builder, x)
        mean = Method(x, "nanmean", (), {**r.kwargs(always=True), "keepdim": True})
        distance = Call("torch.where", (Method(x, "isnan"), 0.0, Binary("-", x, mean)))
        squares = builder.expr(Method(distance, "square"), x)
        count = Method(Unary("~", Method(x, "isnan")), "sum", (), r.kwargs())
        expr: Any = Binary("/", Method(squares, "sum", (), r.kwargs()), count)
        return r.finish(Method(expr, "sqrt") if root else expr)

    return lowering


lower(ops.Nanvar)(_spread(reductions.Var, False))
lower(ops.Nanstd)(_spread(reductions.Std, True))


def _place(name: str, base: type[Layer], missing: Any) -> Callable[..., Tensor]:
    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        if is_whole(x.dtype):
            return plain(base, layer, builder, x)
        r = Reducer(layer, builder, x)
        if layer.axis is None:
            index = Method(Method(filled(x, missing), "flatten"), name)
            none = Method(Method(x, "isnan"), "all")
            expr: Any = Call("torch.where", (none, -1, index))
            if layer.keepdims:
                expr = Method(expr, "reshape", (1,) * x.rank)
            y = builder.tensor(layer.output_shape(as_operand(x)), "int64")
            result: Tensor = builder.step(expr, y, layout="keras")
            return result
        kwargs = r.kwargs(several=False)
        found = Method(filled(x, missing), name, (), kwargs)
        none = Method(Method(x, "isnan"), "all", (), kwargs)
        return r.finish(Call("torch.where", (none, -1, found)), "int64")

    return lowering


lower(ops.Nanargmax)(_place("argmax", reductions.Argmax, Name("-math.inf")))
lower(ops.Nanargmin)(_place("argmin", reductions.Argmin, Name("math.inf")))


@lower(ops.Nancumsum)
def nancumsum(layer: ops.Nancumsum, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Keras replaces infinity by the largest number, too."""
    if not is_whole(x.dtype):
        x = builder.expr(Call("torch.nan_to_num", (x,)), x)
    return plain(reductions.Cumsum, layer, builder, x)


@lower(ops.Nancumprod)
def nancumprod(layer: ops.Nancumprod, builder: LayerBuilder, x: Tensor) -> Tensor:
    if not is_whole(x.dtype):
        x = builder.expr(Call("torch.nan_to_num", (x,), {"nan": 1.0}), x)
    return plain(statistics.Cumprod, layer, builder, x)


def quantiles(
    layer: Any, builder: LayerBuilder, x: Tensor, q: Any, function: str, method: str
) -> Tensor:
    """`torch.quantile` or `torch.nanquantile` over one axis, or several merged into one."""
    seen = as_operand(x)
    several = isinstance(q, (tuple, list))
    out = reductions.reduced_shape(seen, layer.axis, keepdims=layer.keepdims)
    out = (len(q), *out) if several else out
    y = builder.tensor(out, "float32" if is_whole(x.dtype) else x.dtype)
    if x.dtype in ("float16", "bfloat16"):
        raise TargetError(f"PyTorch finds no quantile in {x.dtype}", "cast to float32", "dtype")
    value: Any = to_dtype(x, "float32") if is_whole(x.dtype) else x
    axes = reduced_axes(layer.axis, x.rank)
    typed = {"dtype": Attr(value, "dtype"), "device": Attr(x, "device")}
    level: Any = Call("torch.tensor", ([float(each) for each in q],), typed) if several else q
    kwargs: dict[str, Any] = {} if method == "linear" else {"interpolation": method}
    if len(axes) == 1:
        keep = {"keepdim": True} if layer.keepdims else {}
        kwargs = {"dim": axes[0] if axes[0] < x.rank - 1 else -1, **keep, **kwargs}
        expr: Any = Call(f"torch.{function}", (value, level), kwargs)
    else:
        kept = [k for k in range(x.rank) if k not in axes]
        if kept:
            moved = Method(value, "permute", (*kept, *axes))
            value, kwargs = Method(moved, "flatten", (len(kept),)), {"dim": -1, **kwargs}
        else:
            value = Method(value, "flatten")
        expr = Call(f"torch.{function}", (value, level), kwargs)
        if layer.keepdims:
            for k in sorted(axes):
                expr = Method(expr, "unsqueeze", (k + several,))
    result: Tensor = builder.step(expr, y, layout="keras")
    return result


def _quantile(function: str) -> Callable[..., Tensor]:
    def lowering(layer: ops.Quantiles, builder: LayerBuilder, x: Tensor, q: Any) -> Tensor:
        q = q.value if isinstance(q, Array) else q
        q = tuple(q) if isinstance(q, list) else q
        if layer.highest != 1:
            q = tuple(v / layer.highest for v in q) if isinstance(q, tuple) else q / layer.highest
        method = layer.method if layer.applies_method else "linear"
        return quantiles(layer, builder, x, q, function, method)

    return lowering


lower(ops.Quantile)(_quantile("quantile"))
lower(ops.Percentile)(_quantile("quantile"))
lower(ops.Nanquantile)(_quantile("nanquantile"))
lower(ops.Nanpercentile)(_quantile("nanquantile"))


@lower(ops.Nanmedian)
def nanmedian(layer: ops.Nanmedian, builder: LayerBuilder, x: Tensor) -> Tensor:
    return quantiles(layer, builder, x, 0.5, "nanquantile", "linear")
