"""Constant array operands of operations, as buffers of the generated class."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from math import isfinite, prod
from typing import Any, Final

from specfmt.graph.model import Array
from specfmt.targets.source import literal
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import SelfAttr, Tensor
from specfmt.targets.torch.params import Literal, WeightExpr

WRITTEN_OUT: Final = 256
"""The largest array, in elements, that is written in the code; larger ones are in the weights."""


def buffer(
    builder: LayerBuilder,
    array: Array,
    like: Tensor | None,
    dtype: str,
    arrange: Callable[[WeightExpr], WeightExpr] | None = None,
) -> SelfAttr:
    """An array as a buffer of the class.

    Args:
        builder: The builder of the call that uses it.
        array: The array.
        like: The tensor that it broadcasts against, whose layout it gets; None for Keras's axis
            order.
        dtype: The dtype of the buffer.
        arrange: How PyTorch's order of its elements is made from Keras's; None if it is the same.
    """
    values = tuple(_cast(number, dtype) for number in _leaves(array.value))
    numbers: WeightExpr = Literal(array.shape, values, dtype)
    if len(values) > WRITTEN_OUT and pattern(Literal(array.shape, values, dtype)) is None:
        numbers = Literal(array.shape, values, dtype, stored=True)
    if arrange is not None:
        numbers = arrange(numbers)
    count = sum(1 for unit, _ in builder.class_builder.parameters if unit is builder.unit)
    value = numbers if like is None else builder.aligned(numbers, like)
    return builder.parameter(value, f"constant_{count}" if count else "constant", trainable=False)


def _leaves(nest: Any) -> Iterator[Any]:
    if isinstance(nest, (list, tuple)):
        for item in nest:
            yield from _leaves(item)
    else:
        yield nest


def _cast(number: Any, dtype: str) -> Any:
    value = float(number) if isinstance(number, str) else number
    if dtype == "bool":
        return bool(value)
    return int(value) if "int" in dtype else float(value)


def literal_buffer(attr: str, value: Literal) -> list[str]:
    """The statements that create a buffer of numbers."""
    shape = literal(value.shape)
    dtype = f"dtype=torch.{value.dtype}"
    typed = "" if value.dtype == "float32" else f", {dtype}"
    if value.stored:
        start = "math.nan" if "float" in value.dtype else "0"
        empty = f"torch.full({shape}, {start}, {dtype})"
        return [
            "# Numbers of the model's definition; load_state_dict fills them in.",
            f"self.{attr} = nn.Buffer({empty})",
        ]
    text = None if value.constant else pattern(value)
    if text is None:
        natural = {float: "float32", int: "int64", bool: "bool"}[type(value.values[0])]
        typed = "" if natural == value.dtype else f", {dtype}"
        view = f".view({literal(value.shape)[1:-1]})" if len(value.shape) > 1 else ""
        numbers = value.constant or literal(list(value.values))
        text = f"torch.tensor({numbers}{typed}){view}"
    return [f"self.{attr} = nn.Buffer({text}, persistent=False)"]


def pattern(value: Literal) -> str | None:
    """The PyTorch call that creates these numbers (`torch.arange`, `torch.eye`, ...), if any."""
    numbers, shape = value.values, value.shape
    typed = "" if value.dtype == "float32" else f", dtype=torch.{value.dtype}"
    if len(numbers) < 4 or not all(isfinite(number) for number in numbers):
        return None
    if all(number == numbers[0] for number in numbers):
        size = literal(shape) if len(shape) > 1 else str(shape[0])
        known = {0.0: "zeros", 1.0: "ones"}.get(float(numbers[0]))
        if known:
            return f"torch.{known}({size}{typed})"
        return f"torch.full({literal(shape)}, {literal(numbers[0])}, dtype=torch.{value.dtype})"
    if value.dtype == "bool":
        return _triangle(value)
    step = numbers[1] - numbers[0]
    if all(numbers[i] == numbers[0] + i * step for i in range(len(numbers))) and step == int(step):
        return _range(value, int(step))
    return _triangle(value)


def _range(value: Literal, step: int) -> str | None:
    first, count = value.values[0], prod(value.shape)
    if first != int(first):
        return None
    start, stop = int(first), int(first) + count * step
    bounds = [str(start), str(stop), str(step)]
    if step == 1:
        bounds.pop()
        if start == 0:
            bounds.pop(0)
    # Whole numbers make an int64 range unless a dtype is given.
    typed = "" if value.dtype == "int64" else f", dtype=torch.{value.dtype}"
    view = f".view({literal(value.shape)[1:-1]})" if len(value.shape) > 1 else ""
    return f"torch.arange({', '.join(bounds)}{typed}){view}"


def _triangle(value: Literal) -> str | None:
    """A lower or upper triangle of ones, or the identity: masks over (time, time)."""
    *around, rows, columns = (1, *value.shape)[-max(len(value.shape), 2) :]
    if len(value.shape) < 2 or any(size != 1 for size in around) or rows != columns:
        return None
    typed = "" if value.dtype == "float32" else f", dtype=torch.{value.dtype}"
    places = [(i, j) for i in range(rows) for j in range(columns)]
    tests = {"tril": operator.ge, "triu": operator.le, "eye": operator.eq}
    for name, test in tests.items():
        if all(number == test(i, j) for number, (i, j) in zip(value.values, places, strict=True)):
            ones = f"torch.ones({rows}, {columns}{typed})"
            text = f"torch.eye({rows}{typed})" if name == "eye" else f"{ones}.{name}()"
            view = f".view({literal(value.shape)[1:-1]})" if around else ""
            return f"{text}{view}"
    return None
