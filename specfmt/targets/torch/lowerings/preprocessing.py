"""PyTorch lowerings of `Rescaling` and `Normalization`."""

from __future__ import annotations

from math import sqrt
from typing import Any

from specfmt.layers.base import is_floating
from specfmt.layers.preprocessing import Normalization, Rescaling, flat, shape_of
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Method, Tensor
from specfmt.targets.torch.lowerings.operations import to_dtype
from specfmt.targets.torch.params import ByLayout, WeightExpr, flat_rows
from specfmt.targets.torch.registry import TargetError, lower

EPSILON = 1e-7
"""`keras.backend.epsilon()`, the least standard deviation."""


def number_or_buffer(
    builder: LayerBuilder, values: tuple[float, ...], shape: tuple[int, ...], y: Tensor, suffix: str
) -> Any:
    """Numbers from the spec: one number if all are equal, else a buffer aligned with ``y``."""
    if len(set(values)) == 1:
        return values[0]
    if y.flat is not None and shape != (y.shape[-1],):
        raise TargetError(
            "expected one value per feature after flattening, received several axes", field=suffix
        )
    while shape and shape[0] == 1:
        shape = shape[1:]
    return builder.constant(values, shape, y, suffix)


def scaled(x: Any, factor: Any) -> Any:
    """``x * factor``, or ``x / 255`` if the factor is one over an integer."""
    if isinstance(factor, float) and 0 < abs(factor) < 1:
        whole = round(1 / factor)
        if 1 / whole == factor and len(repr(factor)) > 8:
            return Binary("/", x, whole)
    return x if factor == 1 else Binary("*", x, factor)


def placed(builder: LayerBuilder, x: Tensor, expr: Any, y: Tensor) -> Tensor:
    """Add a step that computes ``y``; returns ``x`` if there is nothing to compute."""
    if isinstance(expr, Tensor):
        return x
    builder.step(expr, y, same_line=True)
    return y


@lower(Rescaling)
def rescaling(layer: Rescaling, builder: LayerBuilder, x: Tensor) -> Tensor:
    """``x / 255``, ``x * scale + offset``."""
    y = builder.tensor(x.shape, flat=x.flat)
    scale = number_or_buffer(builder, flat(layer.scale), shape_of(layer.scale), y, "scale")
    offset = number_or_buffer(builder, flat(layer.offset), shape_of(layer.offset), y, "offset")
    whole = x if is_floating(x.dtype) else to_dtype(x, builder.compute_dtype)
    expr = scaled(whole, scale)
    if offset != 0:
        negative = isinstance(offset, float) and offset < 0
        expr = Binary("-", expr, -offset) if negative else Binary("+", expr, offset)
    return placed(builder, x, expr, y)


@lower(Normalization)
def normalization(layer: Normalization, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Mean and variance are constants if the spec has them, else buffers."""
    y = builder.tensor(x.shape, flat=x.flat)
    kept = layer.statistics_axes(x.shape)
    if layer.mean is None:
        mean, deviation = adapted(builder, y, kept)
    else:
        mean, deviation = given(layer, builder, y, kept)
    whole = x if is_floating(x.dtype) else to_dtype(x, builder.compute_dtype)
    if layer.invert:
        expr: Any = Binary("+", scaled(whole, deviation), mean)
    else:
        centered = whole if mean == 0 else Binary("-", whole, mean)
        expr = centered if deviation == 1 else Binary("/", centered, deviation)
    return placed(builder, x, expr, y)


def adapted(builder: LayerBuilder, y: Tensor, kept: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and standard deviation from the buffers that ``adapt()`` fills in Keras."""

    def buffer(name: str) -> Any:
        weight = builder.weights[name]
        value: WeightExpr | ByLayout
        if y.flat is not None:
            value = flat_rows(y, weight) if kept else weight
        elif kept:
            full = tuple(y.shape[k] or 1 if k in kept else 1 for k in range(kept[0], y.rank))
            value = builder.aligned(weight.reshape(*full), y)
        else:
            value = weight
        return builder.parameter(value, name, trainable=False)

    deviation = Method(Method(buffer("variance"), "sqrt"), "clamp", (), {"min": EPSILON})
    return buffer("mean"), deviation


def given(
    layer: Normalization, builder: LayerBuilder, y: Tensor, kept: tuple[int, ...]
) -> tuple[Any, Any]:
    """Mean and standard deviation from the numbers in the spec."""
    shape = shape_of(layer.mean)
    # The numbers belong to the last of the kept axes.
    sizes = dict(zip(kept[len(kept) - len(shape) :], shape, strict=True))
    full = tuple(sizes.get(k, 1) for k in range(min(sizes, default=y.rank), y.rank))
    deviations = tuple(max(sqrt(value), EPSILON) for value in flat(layer.variance))
    mean = number_or_buffer(builder, flat(layer.mean), full, y, "mean")
    return mean, number_or_buffer(builder, deviations, full, y, "std")
