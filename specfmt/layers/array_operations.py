"""Operations of `keras.ops` that reshape, reorder, join, repeat, pad and split tensors."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from math import prod
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Integer, Nullable, Tuple
from specfmt.fields.types import Axes, Axis, Literal, OptionalInt
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import MAX_OUTPUTS, OptionalScalar, Unary, broadcast
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import check_axis, reduced_axes
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree, divides, part_size, settled
from specfmt.layers.sizes import elements

OptionalAxes = Annotated[
    int | tuple[int, ...] | None,
    Nullable(Either(Integer(), Tuple(Integer()), expected="an axis or a list of axes")),
]
Counts = Annotated[
    int | tuple[int, ...],
    Either(Integer(0), Tuple(Integer(0), 1), expected="a number or a list of numbers"),
]
Whole = Annotated[
    int | tuple[int, ...],
    Either(Integer(), Tuple(Integer(), 1), expected="an integer or a list of integers"),
]
Sizes = Annotated[tuple[int, ...], Tuple(Integer(-1))]
OptionalOrder = Annotated[tuple[int, ...] | None, Nullable(Tuple(Integer()))]
PadWidth = Annotated[
    int | tuple[Any, ...],
    Either(
        Integer(0),
        Tuple(Integer(0), 2, 2),
        Tuple(Tuple(Integer(0), 1, 2), 1),
        expected="an integer, [before, after], or [[before, after], ...] for all axes",
    ),
]


@operation("reshape")
class Reshape(Unary):
    """Reshapes the tensor, batch axis included; one size may be -1, which is inferred."""

    newshape: Sizes

    def output_shape(self, x: Operand) -> Shape:
        new, size = self.newshape, elements(x)
        if new.count(-1) > 1:
            raise ShapeError("at most one -1", str(list(new)), field="newshape")
        if size is None:
            return tuple(None if n == -1 else n for n in new)
        known = prod(n for n in new if n != -1)
        if not (agree(size, known) if -1 not in new else divides(known, size)):
            raise ShapeError(
                f"a shape of {size} elements", f"{list(new)} for {tuple(x)}", field="newshape"
            )
        return tuple(size // known if n == -1 else n for n in new)


def order_of(axes: tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    """The permutation of a transpose, axes counted from the front; None reverses the axes.

    Raises:
        ShapeError: It does not contain each axis once.
    """
    if axes is None:
        return tuple(reversed(range(rank)))
    order = tuple(check_axis(axis, rank, "axes") for axis in axes)
    if sorted(order) != list(range(rank)):
        raise ShapeError(f"each axis from 0 to {rank - 1} once", str(list(axes)), field="axes")
    return order


class Reordering(Op):
    """Base of the operations that permute axes."""

    @abstractmethod
    def order(self, rank: int) -> tuple[int, ...]:
        """For each axis of the output, the axis of the input that it comes from."""

    def output_shape(self, x: Operand) -> Shape:
        return tuple(x[k] for k in self.order(len(x)))


@operation("transpose")
class Transpose(Reordering):
    """Permutes the axes, batch axis included, to the order ``axes``; reverses them without it."""

    axes: OptionalOrder = None

    def order(self, rank: int) -> tuple[int, ...]:
        return order_of(self.axes, rank)


@operation("swapaxes")
class Swapaxes(Reordering):
    """Swaps two axes."""

    axis1: Axis
    axis2: Axis

    def order(self, rank: int) -> tuple[int, ...]:
        a, b = check_axis(self.axis1, rank, "axis1"), check_axis(self.axis2, rank, "axis2")
        order = list(range(rank))
        order[a], order[b] = b, a
        return tuple(order)


@operation("moveaxis")
class Moveaxis(Reordering):
    """Moves axes to other positions; the remaining axes keep their order."""

    source: Axes
    destination: Axes

    def order(self, rank: int) -> tuple[int, ...]:
        source = [check_axis(axis, rank, "source") for axis in _tuple(self.source)]
        places = [check_axis(axis, rank, "destination") for axis in _tuple(self.destination)]
        if len(source) != len(places):
            raise ShapeError(
                f"{len(source)} positions to move to", str(len(places)), field="destination"
            )
        order = [axis for axis in range(rank) if axis not in source]
        for place, axis in sorted(zip(places, source, strict=True)):
            order.insert(place, axis)
        return tuple(order)


def _tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else value


@operation("squeeze")
class Squeeze(Unary):
    """Removes axes of size 1: those in ``axis``, or all."""

    axis: OptionalAxes = None

    def squeezed(self, x: Shape) -> tuple[int, ...]:
        """The removed axes, counted from the front."""
        if self.axis is None:
            return tuple(k for k, size in enumerate(x) if isinstance(size, int) and size == 1)
        axes = reduced_axes(self.axis, len(x))
        for k in axes:
            if x[k] != 1:
                raise ShapeError(f"axis {k} to have size 1", f"shape {tuple(x)}", field="axis")
        return axes

    def output_shape(self, x: Operand) -> Shape:
        removed = self.squeezed(x)
        return tuple(size for k, size in enumerate(x) if k not in removed)


@operation("expand_dims")
class ExpandDims(Unary):
    """Inserts axes of size 1 at the positions ``axis`` of the result."""

    axis: Axes

    def places(self, x: Shape) -> tuple[int, ...]:
        """The positions of the new axes in the result, in ascending order."""
        axes = _tuple(self.axis)
        return tuple(sorted(check_axis(axis, len(x) + len(axes)) for axis in axes))

    def output_shape(self, x: Operand) -> Shape:
        result = list(x)
        for place in self.places(x):
            result.insert(place, 1)
        return tuple(result)


class Joining(Op):
    """Base of the operations that join a list of tensors."""

    operands: ClassVar[tuple[str, ...]] = ("tensors",)

    def result_dtype(self, xs: Any) -> str:
        return result_type(*(operand_dtype(x) for x in xs))

    @staticmethod
    def check(xs: Any, axis: int | None) -> None:
        """Check that the shapes agree, except along ``axis``.

        Raises:
            ShapeError: They do not.
        """
        first = xs[0]
        for x in xs:
            same = len(x) == len(first) and all(
                k == axis or agree(a, b) for k, (a, b) in enumerate(zip(x, first, strict=True))
            )
            if not same:
                raise ShapeError(
                    "tensors of the same shape"
                    + ("" if axis is None else f" except along axis {axis}"),
                    "shapes " + ", ".join(str(tuple(item)) for item in xs),
                )


@operation("concatenate")
class Concatenate(Joining):
    """Concatenates a list of tensors along ``axis``."""

    noun = "concatenation"
    merging = "joins"

    axis: Axis = 0

    def output_shape(self, xs: Any) -> Shape:
        axis = check_axis(self.axis, len(xs[0]))
        self.check(xs, axis)
        parts = [x[axis] for x in xs]
        total = None if None in parts else sum(parts)
        around = [settled(*sizes) for sizes in zip(*xs, strict=True)]
        return (*around[:axis], total, *around[axis + 1 :])


@operation("stack")
class Stack(Joining):
    """Stacks a list of tensors along a new axis."""

    axis: Axis = 0

    def output_shape(self, xs: Any) -> Shape:
        axis = check_axis(self.axis, len(xs[0]) + 1)
        self.check(xs, None)
        around = [settled(*sizes) for sizes in zip(*xs, strict=True)]
        return (*around[:axis], len(xs), *around[axis:])


@operation("flip")
class Flip(Unary):
    """Reverses the order of the elements along ``axis``, or along all axes."""

    axis: OptionalAxes = None

    def output_shape(self, x: Operand) -> Shape:
        reduced_axes(self.axis, len(x))
        return tuple(x)


@operation("roll")
class Roll(Unary):
    """Shifts the elements by ``shift`` positions; those that move past the end go to the start."""

    shift: Whole
    axis: OptionalAxes = None

    def output_shape(self, x: Operand) -> Shape:
        axes = reduced_axes(self.axis, len(x))
        if isinstance(self.shift, tuple) and len(self.shift) != len(axes):
            raise ShapeError(
                f"{len(axes)} shifts, one per axis", str(len(self.shift)), field="shift"
            )
        return tuple(x)


@operation("repeat")
class Repeat(Unary):
    """Repeats each element, along ``axis`` or in the flattened tensor."""

    repeats: Counts
    axis: OptionalInt = None

    def output_shape(self, x: Operand) -> Shape:
        counts = _tuple(self.repeats)
        axis = 0 if self.axis is None else check_axis(self.axis, len(x))
        size = elements(x) if self.axis is None else x[axis]
        if len(counts) > 1 and not agree(size, len(counts)):
            raise ShapeError(f"{size} numbers of repeats", str(len(counts)), field="repeats")
        if size is not None:
            size = size * counts[0] if len(counts) == 1 else sum(counts)
        return (size,) if self.axis is None else (*x[:axis], size, *x[axis + 1 :])


@operation("tile")
class Tile(Unary):
    """Repeats the whole tensor along each axis."""

    repeats: Counts

    def output_shape(self, x: Operand) -> Shape:
        counts = _tuple(self.repeats)
        rank = max(len(counts), len(x))
        counts = (1,) * (rank - len(counts)) + counts
        sizes = (1,) * (rank - len(x)) + tuple(x)
        return tuple(None if n is None else n * c for n, c in zip(sizes, counts, strict=True))


@operation("broadcast_to")
class BroadcastTo(Unary):
    """Broadcasts the tensor to ``shape``."""

    shape: Annotated[tuple[int, ...], Tuple(Integer(0))]

    def output_shape(self, x: Operand) -> Shape:
        broadcast(tuple(x), self.shape)
        return self.shape


@operation("pad")
class Pad(Unary):
    """Adds elements before and after each axis, batch axis included."""

    call_fields: ClassVar[tuple[str, ...]] = ("constant_values",)

    pad_width: PadWidth
    mode: Literal["constant", "reflect", "symmetric"] = "constant"
    constant_values: OptionalScalar = None

    def widths(self, rank: int) -> tuple[tuple[int, int], ...]:
        """(before, after) for each axis."""
        given = self.pad_width
        if isinstance(given, int):
            return ((given, given),) * rank
        if isinstance(given[0], int):
            return ((given[0], given[1]),) * rank
        pairs = tuple((pair[0], pair[-1]) for pair in given)
        if len(pairs) not in (1, rank):
            raise ShapeError(f"{rank} pairs, one per axis", str(len(pairs)), field="pad_width")
        return pairs * rank if len(pairs) == 1 else pairs

    def output_shape(self, x: Operand) -> Shape:
        widths = self.widths(len(x))
        return tuple(
            None if n is None else n + before + after
            for n, (before, after) in zip(x, widths, strict=True)
        )


def parts_along(x: Shape, axis: int, where: int | tuple[int, ...]) -> tuple[Shape, ...]:
    """The shapes of the parts into which a tensor is split along an axis.

    Args:
        x: Its shape.
        axis: The axis, counted from the front.
        where: The number of equal parts, or the indices at which to cut.

    Raises:
        ShapeError: There are no such parts, or too many.
    """
    size = x[axis]
    parts: list[int | None]
    if not 0 < (where if isinstance(where, int) else len(where) + 1) <= MAX_OUTPUTS:
        count = where if isinstance(where, int) else len(where) + 1
        raise ShapeError(f"1 to {MAX_OUTPUTS} parts", str(count), field="indices_or_sections")
    if isinstance(where, int):
        if size is not None and not divides(where, size):
            raise ShapeError(f"a size divisible by {where}", f"{size}", field="indices_or_sections")
        parts = [None if size is None else size // where] * where
    elif size is None:
        fixed = min(where, default=0) >= 0
        parts = [b - a if fixed else None for a, b in pairwise((0, *where))] + [None]
    else:
        cuts = [0, *where, None]
        parts = [part_size(size, a, b) for a, b in pairwise(cuts)]
    return tuple((*x[:axis], part, *x[axis + 1 :]) for part in parts)


@operation("split")
class Split(Op):
    """Splits the tensor along ``axis`` into equal parts, or at given indices: several outputs."""

    indices_or_sections: Annotated[
        int | tuple[int, ...],
        Either(Integer(1), Tuple(Integer()), expected="a number of parts or a list of indices"),
    ]
    axis: Axis = 0

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        return parts_along(x, check_axis(self.axis, len(x)), self.indices_or_sections)
