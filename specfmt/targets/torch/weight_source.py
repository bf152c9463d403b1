"""PyTorch source of weight expressions, which convert a tensor from Keras's axis order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.targets.source import number
from specfmt.targets.torch.params import (
    Blocks,
    Constant,
    Join,
    Permute,
    Reshape,
    Source,
    WeightExpr,
)


def sizes_text(shape: tuple[int, ...]) -> str:
    """A shape as arguments: ``3, 3, 8``."""
    return ", ".join(str(size) for size in shape)


def torch_source(expr: WeightExpr, name: Callable[[str], str]) -> str:
    """The PyTorch source of a weight expression.

    Args:
        expr: The expression.
        name: Returns the source of the tensor for a Keras weight's name.
    """
    if isinstance(expr, Source):
        return name(expr.name) + _index(expr.index)
    if isinstance(expr, Permute):
        inner = torch_source(expr.inner, name)
        return f"{inner}.T" if expr.axes == (1, 0) else f"{inner}.permute({sizes_text(expr.axes)})"
    if isinstance(expr, Reshape):
        return f"{torch_source(expr.inner, name)}.reshape({sizes_text(expr.shape)})"
    if isinstance(expr, Blocks):
        axis, order = expr.axis, list(expr.order)
        cut = f"{torch_source(expr.inner, name)}.unflatten({axis}, ({len(order)}, -1))"
        return f"{cut}[{':, ' * axis}{order}].flatten({axis}, {axis + 1})"
    if isinstance(expr, Join):
        parts = ", ".join(torch_source(part, name) for part in expr.parts)
        return f"torch.cat([{parts}], dim={expr.axis})"
    if isinstance(expr, Constant):
        return f"torch.full(({sizes_text(expr.shape)},), {number(expr.value)})"
    raise TypeError(f"no PyTorch source for {type(expr).__name__}")


def _index(index: Any) -> str:
    if index is ...:
        return ""
    items = index if isinstance(index, tuple) else (index,)
    return "[" + ", ".join(_item(item) for item in items) + "]"


def _item(item: Any) -> str:
    if item is ...:
        return "..."
    if isinstance(item, slice):
        start = "" if item.start is None else str(item.start)
        stop = "" if item.stop is None else str(item.stop)
        return f"{start}:{stop}" + ("" if item.step is None else f":{item.step}")
    return str(item)
