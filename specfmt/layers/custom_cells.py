"""User-defined cells of `RNN`: entries ``{type: Custom, ...}`` in the field `cell`.

In Keras such a cell is a layer with ``call(inputs, states) -> (output, states)``, whose attributes
``state_size`` and ``output_size`` tell the sizes.  Here the field ``shape`` tells them, as for the
outputs of other custom layers.
"""

from __future__ import annotations

from typing import Any

from specfmt.diagnostics import Diagnostic
from specfmt.fields.errors import NestedError, show
from specfmt.layers.custom import Custom
from specfmt.layers.entries import LayerRule

Sizes = tuple[int | None, ...]


def output_and_states(cell: Custom) -> Sizes:
    """The number of features of a step's output and of each state; None where it is not known.

    ``shape: [4]`` is an output and one state of 4 features; ``shape: [[4], [4], [8]]`` an output,
    then each state.
    """
    shape = cell.shape
    if shape is None:
        return (None, None)
    if not is_listed(shape):
        return (shape[0], shape[0])
    sizes = tuple(one[0] if one is not None else None for one in shape)
    return sizes if len(sizes) > 1 else (*sizes, *sizes)


def is_listed(shape: tuple[Any, ...]) -> bool:
    """Whether `shape` has a shape for the output and for each state."""
    return any(one is None or isinstance(one, tuple) for one in shape) and shape != (None,)


class CellRule(LayerRule):
    """A cell: one of Keras's, or a user-defined one."""

    def check(self, value: Any) -> Any:
        found = super().check(value)
        if not isinstance(found, Custom):
            return found
        problems = []
        if found.define is not None:
            message = "expected a user-defined cell without `define`, received one"
            hint = "give the class, and for PyTorch `torch:`, a class that computes the same step"
            problems.append(Diagnostic("SF123", message, ("define",), hint))
        shape = found.shape
        listed: tuple[Any, ...] = () if shape is None else shape if is_listed(shape) else (shape,)
        if any(one is not None and len(one) != 1 for one in listed) or shape == ():
            message = (
                "expected the features of the cell's output, or of its output and each state, "
                f"received {show(_plain(shape))}"
            )
            hint = "write `shape: [4]`, or `shape: [[4], [4], [8]]`"
            problems.append(Diagnostic("SF123", message, ("shape",), hint))
        if problems:
            raise NestedError(problems)
        return found


def _plain(shape: Any) -> Any:
    return [_plain(one) for one in shape] if isinstance(shape, tuple) else shape
