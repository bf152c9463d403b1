"""Operands as PyTorch values in one dtype, and results in Keras's axis order."""

from __future__ import annotations

from typing import Any, Final

from specfmt.graph.model import Array
from specfmt.graph.operands import as_array
from specfmt.layers.promotion import INTEGER_BOUNDS
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.constants import buffer
from specfmt.targets.torch.expr import Method, Shape, Tensor
from specfmt.targets.torch.lowerings.operations import to_dtype, torch_dtype

EPSILON: Final = 1e-7
"""The default of Keras's ``backend.epsilon()``."""


def saturated(value: Any, dtype: str) -> Any:
    """A tensor expression in a dtype; what lies beyond its range becomes its bound."""
    bounds = INTEGER_BOUNDS.get(dtype)
    return to_dtype(Method(value, "clamp", bounds) if bounds else value, dtype)


def held(builder: LayerBuilder, item: Any, dtype: str) -> Any:
    """A tensor, or numbers as a buffer, in a dtype; a single number and None as they are."""
    found = as_array(item)
    torch_dtype(dtype)
    if isinstance(found, Array):
        return buffer(builder, found, None, dtype)
    if not isinstance(item, Tensor) or item.dtype == dtype:
        return item
    return to_dtype(item, dtype)


def result(builder: LayerBuilder, expr: Any, shape: Shape, dtype: str) -> Tensor:
    """A step with one output."""
    y: Tensor = builder.step(expr, builder.tensor(shape, dtype), layout="keras")
    return y


def results(builder: LayerBuilder, expr: Any, shapes: Any, dtypes: Any) -> Any:
    """A step with an output for each shape; one dtype, or one each."""
    name = builder.node.name
    kinds = (dtypes,) * len(shapes) if isinstance(dtypes, str) else dtypes
    outputs = tuple(
        Tensor(tuple(shape), kind, f"{name}_{i}" if i else name)
        for i, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))
    )
    return builder.step(expr, *outputs, layout="keras")


def indices(builder: LayerBuilder, item: Any) -> Any:
    """Indices as PyTorch takes them."""
    return held(builder, item, "int64")
