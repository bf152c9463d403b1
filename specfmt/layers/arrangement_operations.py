"""Operations of `keras.ops` named after NumPy's: stacks, splits, flips, outer products, slices."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Integer, Tuple
from specfmt.fields.types import Axis, DType, Int, OptionalInt, PositiveInt
from specfmt.layers.array_operations import Joining, parts_along
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Op, Operand
from specfmt.layers.operations import MAX_OUTPUTS, Unary, broadcast
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.reductions import check_axis
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import agree, settled
from specfmt.layers.sizes import elements
from specfmt.layers.symbols import is_below

Parts = Annotated[
    int | tuple[int, ...],
    Either(Integer(1), Tuple(Integer()), expected="a number of parts or a list of indices"),
]
Plane = Annotated[tuple[int, ...], Tuple(Integer(), 2, 2)]


class Stacking(Joining):
    """Base of the joins along one axis of tensors with at least so many axes."""

    place: ClassVar[int]

    def widened(self, x: Any) -> Shape:
        """The shape in which a tensor is joined."""
        return tuple(x)

    def output_shape(self, xs: Any) -> Shape:
        shapes = [self.widened(x) for x in xs]
        if len(shapes[0]) <= self.place:
            raise ShapeError(
                f"at least {self.place + 1} axes", f"shape {tuple(xs[0])}", field="inputs"
            )
        self.check(shapes, self.place)
        sizes = [shape[self.place] for shape in shapes]
        total = None if None in sizes else sum(size for size in sizes if size is not None)
        around = [settled(*same) for same in zip(*shapes, strict=True)]
        return (*around[: self.place], total, *around[self.place + 1 :])


@operation("hstack")
class Hstack(Stacking):
    """Joins tensors along axis 1."""

    place = 1


@operation("vstack")
class Vstack(Stacking):
    """Joins tensors along axis 0, which is the batch."""

    place = 0


@operation("dstack")
class Dstack(Stacking):
    """Joins tensors along axis 2, which is added where they have two axes."""

    place = 2

    def widened(self, x: Any) -> Shape:
        return (1, x[0], 1) if len(x) == 1 else (*x, 1) if len(x) == 2 else tuple(x)


@operation("append")
class Append(Op):
    """Joins two tensors along ``axis``, or flattened."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    axis: OptionalInt = None

    def output_shape(self, x1: Operand, x2: Operand) -> Shape:
        if self.axis is None:
            sizes = (elements(x1), elements(x2))
            return (None if None in sizes else sum(n for n in sizes if n is not None),)
        axis = check_axis(self.axis, len(x1))
        Joining.check((x1, x2), axis)
        first, second = x1[axis], x2[axis]
        if first is None or second is None:
            raise ShapeError(f"a known size of axis {axis}", f"shape {tuple(x1)}", field="axis")
        return (*x1[:axis], first + second, *x1[axis + 1 :])

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(operand_dtype(item) for item in operands))


class Splitting(Op):
    """Base of the splits along one axis, into equal parts or at given indices: several outputs."""

    place: ClassVar[int]

    indices_or_sections: Parts

    def along(self, rank: int) -> int:
        """The axis that is split."""
        if rank <= self.place:
            raise ShapeError(f"at least {self.place + 1} axes", f"{rank}", field="inputs")
        return self.place

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        return parts_along(x, self.along(len(x)), self.indices_or_sections)


@operation("hsplit")
class Hsplit(Splitting):
    """Splits the tensor along axis 1: several outputs."""

    place = 1


@operation("vsplit")
class Vsplit(Splitting):
    """Splits the tensor along axis 0, which is the batch: several outputs."""

    place = 0


@operation("dsplit")
class Dsplit(Splitting):
    """Splits the tensor along axis 2: several outputs."""

    place = 2


@operation("array_split")
class ArraySplit(Op):
    """Splits the tensor along ``axis`` into parts whose sizes differ by 1 at most: several
    outputs."""

    indices_or_sections: PositiveInt
    axis: Axis = 0

    def output_shape(self, x: Operand) -> tuple[Shape, ...]:
        axis, count = check_axis(self.axis, len(x)), self.indices_or_sections
        if count > MAX_OUTPUTS:
            raise ShapeError(f"1 to {MAX_OUTPUTS} parts", str(count), field="indices_or_sections")
        size = x[axis]
        sizes: list[int | None] = [
            None if size is None else (size + count - 1 - i) // count for i in range(count)
        ]
        return tuple((*x[:axis], part, *x[axis + 1 :]) for part in sizes)


class Mirror(Unary):
    """Base of the reversals along a fixed axis."""

    place: ClassVar[int]

    def output_shape(self, x: Operand) -> Shape:
        if len(x) <= self.place:
            raise ShapeError(f"at least {self.place + 1} axes", f"shape {tuple(x)}", field="inputs")
        return tuple(x)


@operation("fliplr")
class Fliplr(Mirror):
    """Reverses the order of the elements along axis 1."""

    place = 1


@operation("flipud")
class Flipud(Mirror):
    """Reverses the order of the elements along axis 0, which is the batch."""

    place = 0


@operation("rot90")
class Rot90(Unary):
    """Rotates by 90 degrees, ``k`` times, in the plane of two axes."""

    k: Int = 1
    axes: Plane = (0, 1)

    def plane(self, rank: int) -> tuple[int, int]:
        """The two axes, counted from the front."""
        first, second = (check_axis(axis, rank, "axes") for axis in self.axes)
        if first == second:
            raise ShapeError("two different axes", str(list(self.axes)), field="axes")
        return first, second

    def swapped(self, x: Shape) -> Shape:
        """The shape with both axes swapped."""
        first, second = self.plane(len(x))
        shape = list(x)
        shape[first], shape[second] = shape[second], shape[first]
        return tuple(shape)

    def output_shape(self, array: Operand) -> Shape:
        """Keras declares both axes swapped for every ``k``."""
        return self.swapped(tuple(array))


class Product(Op):
    """Base of the products of two tensors."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "tensor")

    def result_dtype(self, *operands: Any) -> str:
        return result_type(*(operand_dtype(item) for item in operands))


@operation("outer")
class Outer(Product):
    """The products of each element of one tensor with each of another, both flattened."""

    def output_shape(self, x1: Operand, x2: Operand) -> Shape:
        return (elements(x1), elements(x2))


@operation("inner")
class Inner(Product):
    """The sums of products over the last axes of two tensors."""

    def output_shape(self, x1: Operand, x2: Operand) -> Shape:
        if not x1 or not x2:
            return tuple(x1) or tuple(x2)
        if not agree(x1[-1], x2[-1]):
            raise ShapeError("last axes of the same size", f"{x1[-1]} and {x2[-1]}", field="inputs")
        return (*x1[:-1], *x2[:-1])


@operation("vdot")
class Vdot(Product):
    """The sum of the products of two tensors, both flattened."""

    def output_shape(self, x1: Operand, x2: Operand) -> Shape:
        return ()


@operation("cross")
class Cross(Product):
    """The vector product along ``axis``, or along an axis of each operand and of the result."""

    axisa: Axis = -1
    axisb: Axis = -1
    axisc: Axis = -1
    axis: OptionalInt = None

    def places(self) -> tuple[int, int, int]:
        """The axis of each operand and of the result."""
        if self.axis is not None:
            return (self.axis,) * 3
        return self.axisa, self.axisb, self.axisc

    def output_shape(self, x1: Operand, x2: Operand) -> Shape:
        rest, sizes = [], []
        for x, axis, field in ((x1, self.places()[0], "axisa"), (x2, self.places()[1], "axisb")):
            place = check_axis(axis, len(x), field)
            if x[place] != 3:
                raise ShapeError(f"size 3 of axis {place}", f"shape {tuple(x)}", field="inputs")
            sizes.append(x[place])
            rest.append((*x[:place], *x[place + 1 :]))
        shape = broadcast(*rest)
        place = check_axis(self.places()[2], len(shape) + 1, "axisc")
        return (*shape[:place], 3, *shape[place:])


@operation("slice", "core")
class Slice(Op):
    """The part of a tensor that begins at ``start_indices``, a list of integers; a size of -1
    takes all that follow."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")

    shape: Annotated[tuple[int, ...], Tuple(Integer(-1))]

    def output_shape(self, inputs: Operand, start_indices: Any) -> Shape:
        starts = static_starts(inputs, start_indices)
        if len(self.shape) != len(inputs):
            raise ShapeError(f"{len(inputs)} sizes", f"{len(self.shape)}", field="shape")
        sizes = []
        for size, start, length in zip(inputs, starts, self.shape, strict=True):
            if is_below(size, start + max(length, 0)):
                raise ShapeError(
                    f"a slice of shape {tuple(inputs)}", f"{length} from {start} on", field="shape"
                )
            sizes.append((None if size is None else size - start) if length == -1 else length)
        return tuple(sizes)


def static_starts(x: Shape, starts: Any) -> tuple[int, ...]:
    """The place where a slice begins along each axis.

    Raises:
        ShapeError: These are no numbers, or not one for each axis.
    """
    found = tuple(starts) if isinstance(starts, (tuple, list)) else ()
    if len(found) != len(x) or not all(type(start) is int and start >= 0 for start in found):
        raise ShapeError(
            f"a list of {len(x)} integers from 0 on, where the slice begins",
            f"{starts}",
            "use the operation getitem for other slices",
            field="inputs",
        )
    return found


@operation("slice_update", "core")
class SliceUpdate(Op):
    """A tensor whose part from ``start_indices`` on, a list of integers, is replaced."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any", "tensor")

    def output_shape(self, inputs: Operand, start_indices: Any, updates: Operand) -> Shape:
        starts = static_starts(inputs, start_indices)
        if len(updates) != len(inputs) or any(
            part is not None and is_below(size, start + part)
            for size, start, part in zip(inputs, starts, updates, strict=True)
        ):
            raise ShapeError(
                f"a part of shape {tuple(inputs)}", f"shape {tuple(updates)}", field="inputs"
            )
        return tuple(inputs)


@operation("digitize")
class Digitize(Op):
    """The number of the bin of each element; ``bins`` lists the bounds in ascending order."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")
    lists_are_arrays: ClassVar[bool] = True

    def output_shape(self, x: Operand, bins: Any) -> Shape:
        if isinstance(bins, Operand) and len(bins) != 1:
            raise ShapeError("one axis of bounds", f"shape {tuple(bins)}", field="inputs")
        return tuple(x)

    def result_dtype(self, x: Operand, bins: Any) -> str:
        return "int32"


@operation("saturate_cast", "core")
class SaturateCast(Unary):
    """Casts to ``dtype``; what lies beyond its range becomes its bound."""

    dtype: DType

    def result_dtype(self, x: Operand) -> str:
        return str(self.dtype)
