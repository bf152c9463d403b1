"""Layers that merge several tensors into one."""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Integer, Tuple
from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Axis, Bool
from specfmt.layers.base import Argument, FloatLayer, Shape, ShapeError
from specfmt.layers.registry import layer
from specfmt.layers.size_rules import agree, common, matching, settled
from specfmt.layers.size_rules import broadcast as broadcast_size

Shapes = list[Shape]

DotAxes = Annotated[
    int | tuple[int, int],
    Either(Integer(), Tuple(Integer(), 2, 2), expected="an axis or a pair of axes"),
]


def _several(shapes: Shapes) -> str:
    return "shapes " + ", ".join(str(shape) for shape in shapes)


class Merge(FloatLayer):
    """Base of the layers that merge a list of tensors.

    Element-wise ones broadcast all axes but the batch axis, aligned at the last axis; an input
    with fewer axes gets axes of size 1 after the batch axis.
    """

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int")
    call_arguments = (Argument("inputs", "tensors"),)

    def output_shape(self, shapes: Shapes) -> Shape:
        batches = [shape[0] if shape else None for shape in shapes]
        if not all(shapes) or not agree(*batches):
            raise ShapeError("inputs of the same batch size", _several(shapes))
        result = shapes[0][1:]
        for shape in shapes[1:]:
            result = self._broadcast(result, shape[1:], shapes)
        return (common(*batches), *result)

    @staticmethod
    def _broadcast(a: Shape, b: Shape, shapes: Shapes) -> Shape:
        """The broadcast shape of two; a size that is None in either stays None."""
        if len(a) < len(b):
            a, b = b, a
        tail = a[len(a) - len(b) :]
        merged: list[int | None] = []
        for i, j in zip(tail, b, strict=True):
            if i is j:  # most axes
                merged.append(i)
                continue
            try:
                merged.append(None if i is None or j is None else broadcast_size(i, j))
            except ValueError:
                raise ShapeError(
                    "inputs whose sizes agree or are 1, from the last axis on",
                    _several(shapes),
                    "make the sizes equal, for example with a Dense or a 1x1 convolution",
                ) from None
        return (*a[: len(a) - len(b)], *merged)

    def output_mask(self, masked: list[bool], **kwargs: bool) -> bool:
        """Whether every input has a mask; Keras then combines them by `or`."""
        return all(masked)

    def mask_operations(self, operation: Any, inputs: Any, masks: Any) -> Any:
        return reduce(lambda left, right: operation("logical_or", left, right), masks)


@layer
class Add(Merge):
    """Adds its inputs element by element."""

    noun = "addition"
    merging = "adds"


@layer
class Subtract(Merge):
    """Subtracts the second input from the first, element by element."""

    def output_shape(self, shapes: Shapes) -> Shape:
        _exactly_two(shapes)
        return super().output_shape(shapes)


@layer
class Multiply(Merge):
    """Multiplies its inputs element by element; masked time steps count as 1."""

    noun = "multiplication"
    merging = "gates"
    reads_masks = True


@layer
class Average(Merge):
    """Averages its inputs element by element."""


@layer
class Maximum(Merge):
    """The maximum of its inputs, element by element."""

    reads_masks = True


@layer
class Minimum(Merge):
    """The minimum of its inputs, element by element."""

    reads_masks = True


@layer
class Concatenate(Merge):
    """Concatenates its inputs along ``axis``."""

    word = "concat"
    noun = "concatenation"
    merging = "joins"
    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int", "bool")
    former_arguments: ClassVar[FormerArguments] = {"concat_axis": "axis"}

    axis: Axis = -1

    def output_shape(self, shapes: Shapes) -> Shape:
        ranks = {len(shape) for shape in shapes}
        rank = len(shapes[0])
        if len(ranks) > 1:
            raise ShapeError("inputs with the same number of axes", _several(shapes))
        if not -rank <= self.axis < rank:
            raise ShapeError(f"an axis from {-rank} to {rank - 1}", str(self.axis), field="axis")
        axis = self.axis % rank
        for k in range(rank):
            if k != axis and not agree(*(shape[k] for shape in shapes)):
                raise ShapeError(
                    f"inputs of the same shape except along axis {axis}",
                    _several(shapes),
                    "crop, pad or resize one of them",
                )
        parts = [shape[axis] for shape in shapes]
        total = None if None in parts else sum(part for part in parts if part is not None)
        around = [settled(*sizes) for sizes in zip(*shapes, strict=True)]
        return (*around[:axis], total, *around[axis + 1 :])

    def output_mask(self, masked: list[bool], **kwargs: bool) -> bool:
        """Whether any input has a mask; Keras treats the others as not masked anywhere."""
        return any(masked)

    def mask_operations(self, operation: Any, inputs: Any, masks: Any) -> Any:
        parts = []
        for value, mask in zip(inputs, masks, strict=True):
            if mask is None:
                parts.append(operation("ones_like", value, dtype="bool"))
            elif len(mask.shape) < len(value.shape):
                wide = operation("expand_dims", mask, axis=-1)
                zeros = operation("zeros_like", value, dtype="bool")
                parts.append(operation("logical_or", wide, zeros))
            else:
                parts.append(mask)
        return operation("any", operation("concatenate", tuple(parts), axis=self.axis), axis=-1)


@layer
class Dot(Merge):
    """The dot product of two inputs over one axis of each; ``normalize`` gives the cosine
    similarity."""

    former_arguments: ClassVar[FormerArguments] = {"dot_axes": "axes"}

    axes: DotAxes
    normalize: Bool = False

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    def axis_pair(self, shapes: Shapes) -> tuple[int, int]:
        """The axis of each input, counted from the front."""
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(pair, shapes, strict=True):
            rank = len(shape)
            if not -rank <= axis < rank or axis % rank == 0:
                raise ShapeError(
                    f"axes from 1 to {rank - 1}, counted with the batch axis",
                    str(axis),
                    "the batch axis cannot be summed over",
                    field="axes",
                )
        return pair[0] % len(shapes[0]), pair[1] % len(shapes[1])

    def output_shape(self, shapes: Shapes) -> Shape:
        _exactly_two(shapes)
        first, second = shapes
        a, b = self.axis_pair(shapes)
        if not matching(first[a], second[b]):
            raise ShapeError(
                f"axis {a} of the first input and axis {b} of the second to have the same size",
                f"{first[a]} and {second[b]}",
                "choose other `axes`, or make the sizes equal",
                field="axes",
            )
        result = (*first[:a], *first[a + 1 :], *second[1:b], *second[b + 1 :])
        return result if len(result) > 1 else (*result, 1)

    def macs(self, output: Shape, shapes: Shapes) -> int:
        summed = shapes[0][self.axis_pair(shapes)[0]] or 1
        return prod(size or 1 for size in output[1:]) * summed

    def output_mask(self, masked: list[bool], **kwargs: bool) -> bool:
        return False


def _exactly_two(shapes: Shapes) -> None:
    if len(shapes) != 2:
        raise ShapeError("exactly 2 inputs", f"{len(shapes)}", "write `inputs: [a, b]`")
