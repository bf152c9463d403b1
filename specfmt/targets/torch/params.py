"""PyTorch parameters as invertible expressions over Keras weights.

``weights.kernel.T`` is data: `WeightExpr.forward` computes the PyTorch array from the Keras
arrays, and `WeightExpr.scatter` writes a PyTorch array back into the Keras arrays.  Arrays are
NumPy arrays or have the same methods; NumPy is imported only when an array is created.

A reshape does not change the row-major order of the elements.  At either end of an expression it
is left to the code that writes the elements, because in memory it would copy a permuted view.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from specfmt.targets.torch.expr import Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True)
class WeightExpr(ABC):
    """An expression over Keras weights; ``shape`` is the shape of its value."""

    shape: Shape

    @property
    def T(self) -> WeightExpr:  # noqa: N802 (numpy's and torch's name)
        """The transpose: all axes reversed."""
        return self.permute(*reversed(range(len(self.shape))))

    def permute(self, *axes: int) -> WeightExpr:
        """Permute the axes, as `torch.permute` does."""
        if axes == tuple(range(len(self.shape))):
            return self
        return Permute(tuple(self.shape[axis] for axis in axes), self, axes)

    def reshape(self, *shape: int) -> WeightExpr:
        """The same elements in row-major order with another shape; one size may be -1."""
        if -1 in shape:
            known = prod(size for size in shape if size != -1)
            shape = tuple(prod(self.shape) // known if size == -1 else size for size in shape)
        assert prod(shape) == prod(self.shape), (shape, self.shape)
        return self if shape == self.shape else Reshape(shape, self)

    def blocks(self, order: tuple[int, ...], axis: int = 0) -> WeightExpr:
        """Split ``axis`` into ``len(order)`` equal blocks and reorder them (gates)."""
        assert self.shape[axis] % len(order) == 0
        return Blocks(self.shape, self, order, axis)

    @abstractmethod
    def sources(self) -> Iterator[str]:
        """The names of the Keras weights in the expression."""

    @abstractmethod
    def forward(self, read: Callable[[str], Any]) -> Any:
        """Compute the PyTorch array.

        Args:
            read: Returns the Keras array of a weight name.
        """

    def elements(self, read: Callable[[str], Any]) -> Any:
        """The elements of the PyTorch array in row-major order, in any shape that avoids a copy."""
        return self.forward(read)

    @abstractmethod
    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        """Write a PyTorch array back into Keras weights.

        Args:
            value: The PyTorch array.
            write: Called as ``write(name, index, array)`` for each part of a Keras weight; the
                array has the part's elements in row-major order, but maybe another shape.
        """


@dataclass(frozen=True)
class Source(WeightExpr):
    """A Keras weight, or its part at ``index``."""

    name: str
    index: Any = ...

    def __getitem__(self, index: int | slice) -> WeightExpr:
        """A part along the first axis."""
        assert self.index is ..., "index a weight once"
        if isinstance(index, int):
            return Source(self.shape[1:], self.name, index)
        size = len(range(*index.indices(self.shape[0])))
        return Source((size, *self.shape[1:]), self.name, index)

    def last(self, start: int, stop: int) -> WeightExpr:
        """The part from ``start`` to ``stop`` along the last axis."""
        assert self.index is ..., "index a weight once"
        index = (..., slice(start, stop))
        return Source((*self.shape[:-1], stop - start), self.name, index)

    def sources(self) -> Iterator[str]:
        yield self.name

    def forward(self, read: Callable[[str], Any]) -> Any:
        return read(self.name)[self.index]

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        write(self.name, self.index, value)


@dataclass(frozen=True)
class Below(WeightExpr):
    """An expression over the weights of an inner model; their names are relative to ``prefix``."""

    inner: WeightExpr
    prefix: str

    def sources(self) -> Iterator[str]:
        return (f"{self.prefix}{name}" for name in self.inner.sources())

    def forward(self, read: Callable[[str], Any]) -> Any:
        return self.inner.forward(lambda name: read(f"{self.prefix}{name}"))

    def elements(self, read: Callable[[str], Any]) -> Any:
        return self.inner.elements(lambda name: read(f"{self.prefix}{name}"))

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        def below(name: str, index: Any, array: Any) -> None:
            write(f"{self.prefix}{name}", index, array)

        self.inner.scatter(value, below)


@dataclass(frozen=True)
class Permute(WeightExpr):
    """A permutation of axes."""

    inner: WeightExpr
    axes: tuple[int, ...]

    def sources(self) -> Iterator[str]:
        return self.inner.sources()

    def permute(self, *axes: int) -> WeightExpr:
        """A permutation of a permutation is one."""
        return self.inner.permute(*(self.axes[axis] for axis in axes))

    def forward(self, read: Callable[[str], Any]) -> Any:
        return self.inner.forward(read).transpose(self.axes)

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        back = tuple(self.axes.index(axis) for axis in range(len(self.axes)))
        self.inner.scatter(value.transpose(back), write)


@dataclass(frozen=True)
class Reshape(WeightExpr):
    """A row-major reshape."""

    inner: WeightExpr

    def sources(self) -> Iterator[str]:
        return self.inner.sources()

    def permute(self, *axes: int) -> WeightExpr:
        """Permute the axes; if the reshape only merges axes, permute before it."""
        groups = joined_axes(self.inner.shape, self.shape)
        if groups is None:
            return super().permute(*axes)
        inner = self.inner.permute(*(old for axis in axes for old in groups[axis]))
        return inner.reshape(*(self.shape[axis] for axis in axes))

    def forward(self, read: Callable[[str], Any]) -> Any:
        return self.inner.forward(read).reshape(self.shape)

    def elements(self, read: Callable[[str], Any]) -> Any:
        return self.inner.elements(read)

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        inner = self.inner
        inner.scatter(value if isinstance(inner, Source) else value.reshape(inner.shape), write)


def place_of(axis: int, expr: WeightExpr) -> tuple[int, int | None]:
    """Where an axis of the Keras weight stands in a value made from that weight alone.

    Returns:
        The axis of the value; and the size of the Keras axis where it is the inner part of that
        axis, else None.
    """
    if isinstance(expr, Permute):
        inner, size = place_of(axis, expr.inner)
        return expr.axes.index(inner), size
    if isinstance(expr, Reshape):
        inner, size = place_of(axis, expr.inner)
        shape, wanted = expr.inner.shape, prod(expr.inner.shape[inner + 1 :])
        for place, length in enumerate(expr.shape):
            if prod(expr.shape[place + 1 :]) == wanted and length % shape[inner] == 0:
                return place, size or (shape[inner] if length > shape[inner] else None)
    assert isinstance(expr, Source), expr
    return axis % len(expr.shape), None


def joined_axes(inner: Shape, outer: Shape) -> list[tuple[int, ...]] | None:
    """For each axis of ``outer``, the axes of ``inner`` that it merges; None if one is split."""
    groups = []
    start = 0
    for size in outer:
        stop = start + 1
        while prod(inner[start:stop]) < size and stop < len(inner):
            stop += 1
        if prod(inner[start:stop]) != size:
            return None
        groups.append(tuple(range(start, stop)))
        start = stop
    return groups if start == len(inner) else None


@dataclass(frozen=True)
class Blocks(WeightExpr):
    """Equal blocks along an axis, reordered."""

    inner: WeightExpr
    order: tuple[int, ...]
    axis: int

    def sources(self) -> Iterator[str]:
        return self.inner.sources()

    def _reorder(self, value: Any, order: tuple[int, ...]) -> Any:
        size = self.shape[self.axis] // len(order)
        index = [block * size + i for block in order for i in range(size)]
        return value.take(index, axis=self.axis)

    def forward(self, read: Callable[[str], Any]) -> Any:
        return self._reorder(self.inner.forward(read), self.order)

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        back = tuple(self.order.index(block) for block in range(len(self.order)))
        self.inner.scatter(self._reorder(value, back), write)


@dataclass(frozen=True)
class Join(WeightExpr):
    """A concatenation along an axis."""

    parts: tuple[WeightExpr, ...]
    axis: int

    def sources(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.sources()

    def forward(self, read: Callable[[str], Any]) -> Any:
        import numpy as np

        return np.concatenate([part.forward(read) for part in self.parts], axis=self.axis)

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        start = 0
        for part in self.parts:
            stop = start + part.shape[self.axis]
            index = [slice(None)] * len(self.shape)
            index[self.axis] = slice(start, stop)
            part.scatter(value[tuple(index)], write)
            start = stop


def join(*parts: WeightExpr, axis: int = 0) -> WeightExpr:
    """Concatenate values along ``axis``."""
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return Join(tuple(shape), parts, axis)


@dataclass(frozen=True)
class Constant(WeightExpr):
    """A parameter that PyTorch has and Keras does not: a constant that is not trained."""

    value: float = 0.0

    def sources(self) -> Iterator[str]:
        yield from ()

    def forward(self, read: Callable[[str], Any]) -> Any:
        import numpy as np

        return np.full(self.shape, self.value, "float32")

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        """Keras has no weight for it."""


def constant(value: float, *shape: int) -> WeightExpr:
    """A constant of a shape that is not trained."""
    return Constant(shape, value)


@dataclass(frozen=True)
class Counter(WeightExpr):
    """A counter that PyTorch has and Keras does not (``num_batches_tracked``)."""

    def sources(self) -> Iterator[str]:
        yield from ()

    def forward(self, read: Callable[[str], Any]) -> Any:
        import numpy as np

        return np.zeros(self.shape, "int64")

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        """Keras has no weight for it."""


@dataclass(frozen=True)
class Memory(WeightExpr):
    """A state that a layer keeps between calls: zeros at first, and no weight of Keras."""

    def sources(self) -> Iterator[str]:
        yield from ()

    def forward(self, read: Callable[[str], Any]) -> Any:
        import numpy as np

        return np.zeros(self.shape, "float32")

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        """Keras has no weight for it."""


@dataclass(frozen=True)
class Literal(WeightExpr):
    """Numbers from the spec, not from Keras weights.

    Attributes:
        values: The numbers, row-major.
        dtype: PyTorch's name of their dtype.
        stored: Whether they are in the `state_dict` and not in the code.
        constant: The name of the file's constant with these values; empty if there is none.
    """

    values: tuple[float, ...]
    dtype: str = "float32"
    stored: bool = False
    constant: str = ""

    def permute(self, *axes: int) -> WeightExpr:
        steps = [prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        offsets = [0]
        for axis in axes:
            offsets = [o + steps[axis] * i for o in offsets for i in range(self.shape[axis])]
        shape = tuple(self.shape[axis] for axis in axes)
        values = tuple(self.values[offset] for offset in offsets)
        return Literal(shape, values, self.dtype, self.stored)

    def reshape(self, *shape: int) -> WeightExpr:
        return Literal(shape, self.values, self.dtype, self.stored, self.constant)

    def sources(self) -> Iterator[str]:
        yield from ()

    def forward(self, read: Callable[[str], Any]) -> Any:
        import numpy as np

        dtype = "float32" if self.dtype == "bfloat16" else self.dtype
        return np.array(self.values, dtype).reshape(self.shape)

    def scatter(self, value: Any, write: Callable[[str, Any, Any], None]) -> None:
        """Keras has no weight for it."""


@dataclass(frozen=True)
class ByLayout:
    """An expression that depends on the layout chosen for a tensor."""

    tensor: Tensor
    keras: WeightExpr | ByLayout
    channels: WeightExpr | ByLayout

    @property
    def shape(self) -> Shape:
        """The shape, which is the same in both layouts."""
        return self.keras.shape


class Weights:
    """The Keras weights of one layer, as attributes: ``w.kernel``, ``w["lstm_cell/bias"]``."""

    def __init__(self, shapes: Mapping[str, Shape], prefix: str = "") -> None:
        self._shapes = shapes
        self._prefix = prefix

    def __getitem__(self, name: str) -> Source:
        full = f"{self._prefix}{name}"
        return Source(self._shapes[full], full)

    def __getattr__(self, name: str) -> Source:
        return self[name]

    def __contains__(self, name: str) -> bool:
        return f"{self._prefix}{name}" in self._shapes

    @property
    def prefix(self) -> str:
        """The path of these weights below their layer: ``encoder/``, or empty."""
        return self._prefix

    def under(self, prefix: str) -> Weights:
        """The weights below ``prefix``, by their names relative to it."""
        return Weights(self._shapes, f"{self._prefix}{prefix}/")


def flat_rows(x: Tensor, expr: WeightExpr) -> WeightExpr | ByLayout:
    """Reorder the rows of a weight to the order of the features of ``x``.

    Keras flattens in the order height, width, channels, a channels-first program in the order
    channels, height, width.

    Args:
        x: The tensor (N, features) that is multiplied by the weight.
        expr: The weight, whose first axis is the features.
    """
    if x.flat is None:
        return expr
    rest = expr.shape[1:]
    rank = len(x.flat)
    grid = expr.reshape(*x.flat, *rest)
    moved = grid.permute(rank - 1, *range(rank - 1), *range(rank, rank + len(rest)))
    return ByLayout(x, expr, moved.reshape(expr.shape[0], *rest))


def map_layout(
    value: WeightExpr | ByLayout, change: Callable[[WeightExpr], WeightExpr | ByLayout]
) -> WeightExpr | ByLayout:
    """Apply ``change`` to an expression for each layout."""
    if isinstance(value, ByLayout):
        first, second = (map_layout(each, change) for each in (value.keras, value.channels))
        return ByLayout(value.tensor, first, second)
    return change(value)
