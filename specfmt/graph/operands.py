"""The constant operands of operations, in the form in which Keras takes them."""

from __future__ import annotations

from typing import Any

from specfmt.graph.model import Array
from specfmt.layers.op import Op
from specfmt.layers.promotion import operand_dtype


def as_array(item: Any) -> Any:
    """A list of numbers as an array of the dtype that NumPy chooses; anything else as it is."""
    if isinstance(item, tuple) and item and _numbers_only(item):
        return Array(item, operand_dtype(item))
    return item


def keras_operands(op: Op, items: list[Any]) -> list[Any]:
    """The operands of an operation with arrays instead of lists where Keras takes only arrays.

    Args:
        op: The operation.
        items: Its operands, the optional ones last.
    """
    lists_until = 0 if op.lists_are_arrays else len(op.operands)
    if op.operands[-1] == "..." and not op.lists_are_arrays:
        return items
    return [*items[:lists_until], *map(as_array, items[lists_until:])]


def _numbers_only(item: Any) -> bool:
    if isinstance(item, tuple):
        return all(map(_numbers_only, item))
    return isinstance(item, (int, float))
