"""Code shared by losses and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from specfmt.layers.base import Shape
from specfmt.targets.source import literal, number

F = TypeVar("F")


def torch_dim(axis: int, rank: int, *, channels_first: bool) -> int:
    """PyTorch's number of an axis of an output; -1 for the last axis.

    Args:
        axis: Keras's number, which may be negative.
        rank: The number of axes of the output.
        channels_first: Whether outputs of rank 4 and 5 are channels-first.
    """
    axis %= rank
    if rank in (4, 5) and channels_first and axis:
        return 1 if axis == rank - 1 else axis + 1
    return -1 if axis == rank - 1 else axis


def smoothed(target: str, smoothing: float, classes: int) -> str:
    """A one-hot target with ``label_smoothing``."""
    if not smoothing:
        return target
    kept, spread = (number(float(f"{v:.12g}")) for v in (1 - smoothing, smoothing / classes))
    return f"{target} * {kept} + {spread}"


def changed_arguments(**values: tuple[Any, Any]) -> list[str]:
    """``name=value`` for each ``name=(value, default)`` where they differ."""
    return [
        f"{name}={literal(value)}" for name, (value, default) in values.items() if value != default
    ]


class Registry(dict[str, F]):
    """Vocabulary type -> function; called with types, it is a decorator that registers them."""

    def __call__(self, *types: str) -> Callable[[F], F]:
        def register(function: F) -> F:
            self.update(dict.fromkeys(types, function))
            return function

        return register


@dataclass(frozen=True)
class MetricRequest:
    """A metric and the shapes of its arguments.

    Attributes:
        spec: The metric's definition.
        output, target: The shapes of predictions and targets with the batch axis, in Keras's
            axis order.
        dim: PyTorch's number of the class axis.
        one_hot: Whether the target has one element per class.
        logits: Whether predictions are logits.
        channels_first: Whether outputs of rank 4 and 5 are channels-first.
    """

    spec: Any
    output: Shape
    target: Shape
    dim: int
    one_hot: bool
    logits: bool
    channels_first: bool

    @property
    def dim_argument(self) -> str:
        return "" if self.dim == -1 else f", dim={self.dim}"

    @property
    def classes(self) -> str:
        """The targets as class numbers, as an expression over ``y``."""
        if self.one_hot:
            return f"y.argmax(dim={self.dim})"
        return "y.squeeze(-1)" if self.extra_axis else "y"

    @property
    def extra_axis(self) -> bool:
        """Whether class numbers have an additional last axis of size 1."""
        return len(self.target) == len(self.output) and not self.one_hot

    @property
    def values(self) -> str:
        """The targets in the predictions' shape, as an expression over ``y``."""
        return "y" if len(self.target) == len(self.output) else "y.view_as(p)"

    @property
    def as_one_hot(self) -> str:
        """The targets with one element per class, as an expression over ``y``."""
        if self.one_hot or self.output[-1] == 1:
            return self.values
        moved = "" if self.dim == -1 else f".movedim(-1, {self.dim})"
        return f"F.one_hot({self.classes}.long(), {self.output[-1]}){moved}"
