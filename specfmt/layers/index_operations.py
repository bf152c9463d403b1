"""Operations of `keras.ops` with indices: searches, counts, segments, scattered updates."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from pydantic import Field

from specfmt.fields.rules import Integer, Nullable, Tuple
from specfmt.fields.types import Bool, Literal, NaturalInt, OptionalPositiveInt
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.matrix_operations import check_rank
from specfmt.layers.op import Op, Operand, operand_dtypes
from specfmt.layers.operations import MAX_OUTPUTS, ScalarRule, broadcast, operand_shape
from specfmt.layers.promotion import operand_dtype, result_type
from specfmt.layers.registry import operation

OptionalWeights = Annotated[tuple[float, ...] | None, Nullable(Tuple(ScalarRule(), 1))]
"""A list of numbers, whose kind decides the dtype of their sums."""
Sizes = Annotated[tuple[int, ...], Tuple(Integer(1), 1)]


class Arrays(Op):
    """Base of operations that accept a list of numbers only as an array."""

    lists_are_arrays: ClassVar[bool] = True


@operation("searchsorted")
class SearchSorted(Arrays):
    """The places in a sorted vector at which the elements of another vector would be inserted."""

    operands: ClassVar[tuple[str, ...]] = ("any", "any")

    side: Literal["left", "right"] = "left"

    def output_shape(self, sorted_sequence: Any, values: Any) -> Shape:
        check_rank(operand_shape(sorted_sequence), 1)
        check_rank(operand_shape(values), 1)
        return operand_shape(values)

    def result_dtype(self, sorted_sequence: Any, values: Any) -> str:
        return "int64" if operand_shape(sorted_sequence)[0] is None else "int32"


@operation("isin")
class IsIn(Op):
    """Whether each element of a tensor is among others, or (``invert``) is not."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")

    assume_unique: Bool = False
    invert: Bool = False

    def output_shape(self, x1: Operand, x2: Any) -> Shape:
        if 0 in operand_shape(x2) or x2 is None:
            raise ShapeError("elements to look for", "none", field="inputs")
        return tuple(x1)

    def result_dtype(self, x1: Operand, x2: Any) -> str:
        return "bool"


@operation("bincount")
class Bincount(Op):
    """The number of times that each integer from 0 on occurs along the last axis, or the sum of
    its ``weights``."""

    weights_: OptionalWeights = Field(
        default=None,
        alias="weights",
        description="What each element adds to its count, as a list; 1 if null.",
    )
    minlength: NaturalInt = 0
    sparse: Bool = False

    def output_shape(self, x: Operand) -> Shape:
        check_rank(x, *((1, 2) if self.weights_ is None else (1,)))
        if self.weights_ is not None and x[0] not in (None, len(self.weights_)):
            raise ShapeError(f"{x[0]} weights", f"{len(self.weights_)}", field="weights")
        return (*x[:-1], None)

    def result_dtype(self, x: Operand) -> str:
        if self.weights_ is None:
            return "int32"
        return result_type(x.dtype, operand_dtype(self.weights_))


class SegmentReduction(Arrays):
    """Base of the reductions of the rows of ``data`` that have the same segment id."""

    operands: ClassVar[tuple[str, ...]] = ("tensor", "any")

    num_segments: OptionalPositiveInt = None
    sorted: Bool = False

    def output_shape(self, data: Operand, segment_ids: Any) -> Shape:
        ids = operand_shape(segment_ids)
        check_rank(ids, 1)
        if not data or (None not in (ids[0], data[0]) and ids[0] != data[0]):
            raise ShapeError(
                "one segment id for each row", f"shapes {tuple(data)} and {ids}", field="inputs"
            )
        if self.sorted and self.num_segments is not None:
            raise ShapeError(
                "null where the ids are sorted",
                str(self.num_segments),
                "Keras has no number of segments for sorted ids on TensorFlow",
                field="num_segments",
            )
        return (self.num_segments, *data[1:])


@operation("segment_sum", "math")
class SegmentSum(SegmentReduction):
    """The sums of the rows that have the same segment id."""


@operation("segment_max", "math")
class SegmentMax(SegmentReduction):
    """The maxima of the rows that have the same segment id."""


@operation("segment_min", "math")
class SegmentMin(SegmentReduction):
    """The minima of the rows that have the same segment id."""


@operation("segment_prod", "math")
class SegmentProd(SegmentReduction):
    """The products of the rows that have the same segment id."""


def check_updates(shape: Shape, indices: Any, updates: Any) -> None:
    """Check that updates fit the places that the last axis of the indices says.

    Raises:
        ShapeError: They do not.
    """
    places, found = operand_shape(indices), operand_shape(updates)
    depth = places[-1] if places else None
    if depth is None or depth > len(shape):
        raise ShapeError(
            f"indices whose last axis has 1 to {len(shape)} elements", f"shape {places}",
            field="inputs",
        )  # fmt: skip
    wanted = (*places[:-1], *shape[depth:])
    if len(found) != len(wanted) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(found, wanted, strict=True)
    ):
        raise ShapeError(f"updates of shape {wanted}", f"{found}", field="inputs")


@operation("scatter", "core")
class Scatter(Arrays):
    """Zeros of the given ``shape``, to which values are added at indices."""

    operands: ClassVar[tuple[str, ...]] = ("any", "any")

    shape: Sizes

    def output_shape(self, indices: Any, values: Any) -> Shape:
        check_updates(self.shape, indices, values)
        return self.shape

    def result_dtype(self, indices: Any, values: Any) -> str:
        return operand_dtype(values)


@operation("scatter_update", "core")
class ScatterUpdate(Arrays):
    """A tensor whose elements (or rows) at indices are replaced by updates, or combined with
    them by ``reduction``."""

    operands: ClassVar[tuple[str, ...]] = ("any", "any", "any")

    reduction: Literal["add", "max", "min", "mul"] | None = None

    def output_shape(self, inputs: Any, indices: Any, updates: Any) -> Shape:
        shape = operand_shape(inputs)
        check_updates(shape, indices, updates)
        return shape

    def result_dtype(self, inputs: Any, indices: Any, updates: Any) -> str:
        return operand_dtype(inputs)


@operation("select")
class Select(Op):
    """The element of the first choice whose condition is true, else of the default."""

    operands: ClassVar[tuple[str, ...]] = ("tensors", "tensors", "any")

    def output_shape(self, condlist: Any, choicelist: Any, default: Any) -> Shape:
        shapes = [operand_shape(item) for item in (*condlist, *choicelist, default)]
        if len(condlist) != len(choicelist):
            raise ShapeError(
                "a choice for each condition", f"{len(choicelist)} for {len(condlist)}",
                field="inputs",
            )  # fmt: skip
        if len({*operand_dtypes(choicelist), *operand_dtypes((default,))}) > 1:
            raise ShapeError("choices of one dtype", "several dtypes", "cast them", field="inputs")
        broadcast(*shapes)
        return tuple(choicelist[0])

    def result_dtype(self, condlist: Any, choicelist: Any, default: Any) -> str:
        found: str = choicelist[0].dtype
        return found


@operation("unravel_index")
class UnravelIndex(Op):
    """The coordinates in a tensor of the given ``shape`` of flat indices: an output for each
    axis."""

    shape: Sizes

    def output_shape(self, indices: Operand) -> tuple[Shape, ...]:
        if len(self.shape) > MAX_OUTPUTS or prod(self.shape) >= 2**31:
            raise ShapeError("a tensor of less than 2**31 elements", "more", field="shape")
        return (tuple(indices),) * len(self.shape)
