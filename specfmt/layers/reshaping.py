"""Layers that reshape, permute, repeat, pad, crop or upsample."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Integer, Tuple
from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import (
    Literal,
    OptionalDataFormat,
    Pair,
    PositiveInt,
    Sides2,
    Sides3,
    Size2,
    Size3,
    expand,
    expand_sides,
)
from specfmt.layers.base import Layer, Shape, ShapeError
from specfmt.layers.registry import layer
from specfmt.layers.size_rules import agree, divides
from specfmt.layers.sizes import check_rank, elements, show, spatial_axes
from specfmt.layers.symbols import is_below

TargetShape = Annotated[tuple[int, ...], Tuple(Integer(-1))]
Dims = Annotated[tuple[int, ...], Tuple(Integer(1), 1)]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]


@layer
class Flatten(Layer):
    """Flattens each sample to a vector; channels_first inputs are first permuted to
    channels_last."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int", "bool")
    supports_masking: ClassVar[bool] = False

    data_format: OptionalDataFormat = None

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return 2

    def output_shape(self, x: Shape) -> Shape:
        return (x[0], elements(x[1:]))


@layer
class Reshape(Layer):
    """Reshapes each sample to ``target_shape``; one size may be -1, which is inferred."""

    built_at_creation: ClassVar[bool] = True

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int", "bool")
    supports_masking: ClassVar[bool] = False
    former_arguments: ClassVar[FormerArguments] = {"dims": "target_shape"}

    target_shape: TargetShape

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        target = fields.get("target_shape")
        return len(target) + 1 if isinstance(target, list) else None

    def output_shape(self, x: Shape) -> Shape:
        target = self.target_shape
        if target.count(-1) > 1:
            raise ShapeError(
                "at most one -1 in target_shape",
                f"{list(target)}",
                "give all sizes but one",
                field="target_shape",
            )
        total = elements(x[1:])
        if total is None:
            return (x[0], *(None if size == -1 else size for size in target))
        known = prod(size for size in target if size != -1)
        if not (agree(total, known) if -1 not in target else divides(known, total)):
            raise ShapeError(
                f"a target_shape of {total} elements",
                f"{list(target)} for shape {show(x)}",
                "a Reshape keeps the number of elements per sample; one size may be -1",
                field="target_shape",
            )
        return (x[0], *(total // known if size == -1 else size for size in target))


@layer
class Permute(Layer):
    """Permutes the axes of each sample; ``dims`` counts axes from 1, and the batch axis stays
    first."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int", "bool")
    supports_masking: ClassVar[bool] = False

    dims: Dims

    def output_shape(self, x: Shape) -> Shape:
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ShapeError(
                f"dims to hold each of 1 to {len(self.dims)} once",
                f"{list(self.dims)}",
                "the batch axis is 0 and stays where it is",
                field="dims",
            )
        if len(x) != len(self.dims) + 1:
            raise ShapeError(
                f"dims for the {len(x) - 1} axes after the batch",
                f"{len(self.dims)} of them for shape {show(x)}",
                "name every axis once",
                field="dims",
            )
        return (x[0], *(x[axis] for axis in self.dims))


@layer
class RepeatVector(Layer):
    """Repeats each vector ``n`` times: (batch, features) to (batch, n, features)."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int", "bool")
    supports_masking: ClassVar[bool] = False

    n: PositiveInt

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return 3

    def output_shape(self, x: Shape) -> Shape:
        if len(x) != 2:
            raise ShapeError(
                "2 axes (batch, features)", f"{len(x)}: shape {show(x)}", "put a Flatten before it"
            )
        return (x[0], self.n, x[1])

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype


class Resized(Layer):
    """Base of padding, cropping and upsampling, which change each spatial size separately."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int", "bool")
    supports_masking: ClassVar[bool] = False
    rank: ClassVar[int] = 2

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype

    @abstractmethod
    def resized(self, x: Shape, axis: int, size: int) -> int:
        """The new size of the ``axis``-th spatial axis."""

    def output_shape(self, x: Shape) -> Shape:
        data_format: str | None = getattr(self, "data_format", None)
        check_rank(x, self.rank, data_format)
        sizes = list(x)
        for axis, place in enumerate(spatial_axes(self.rank, data_format)):
            size = sizes[place]
            if size is not None:
                sizes[place] = self.resized(x, axis, size)
        return tuple(sizes)


class ZeroPadding(Resized):
    """Base of the layers that add zeros before and after each spatial axis."""

    paired_sizes: ClassVar[tuple[str, ...]] = ("padding",)
    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int")
    former_arguments: ClassVar[FormerArguments] = {"border_mode": None}  # here `padding` is a size

    def sides(self) -> tuple[tuple[int, int], ...]:
        """(before, after) for each spatial axis."""
        return expand_sides(getattr(self, "padding"), self.rank)  # noqa: B009

    def resized(self, x: Shape, axis: int, size: int) -> int:
        return size + sum(self.sides()[axis])


@layer
class ZeroPadding1D(ZeroPadding):
    """Adds time steps of zeros: ``padding`` at both ends, or [before, after]."""

    keras_2_lacks: ClassVar[tuple[str, ...]] = ("data_format",)
    rank: ClassVar[int] = 1

    padding: Pair = 1
    data_format: OptionalDataFormat = None

    def sides(self) -> tuple[tuple[int, int], ...]:
        before, after = expand(self.padding, 2)
        return ((before, after),)


@layer
class ZeroPadding2D(ZeroPadding):
    """Adds rows and columns of zeros around images."""

    padding: Sides2 = 1
    data_format: OptionalDataFormat = None


@layer
class ZeroPadding3D(ZeroPadding):
    """Adds planes of zeros around volumes."""

    rank: ClassVar[int] = 3

    padding: Sides3 = 1
    data_format: OptionalDataFormat = None


class Cropping(Resized):
    """Base of the layers that remove elements before and after each spatial axis."""

    paired_sizes: ClassVar[tuple[str, ...]] = ("cropping",)

    def sides(self) -> tuple[tuple[int, int], ...]:
        """(before, after) for each spatial axis."""
        return expand_sides(getattr(self, "cropping"), self.rank)  # noqa: B009

    def resized(self, x: Shape, axis: int, size: int) -> int:
        left = size - sum(self.sides()[axis])
        if is_below(left, 1):
            raise ShapeError(
                "cropping that leaves at least one element",
                f"{getattr(self, 'cropping')} for shape {show(x)}",  # noqa: B009
                "crop less than the whole axis",
                field="cropping",
            )
        return left


@layer
class Cropping1D(Cropping):
    """Removes time steps: ``cropping`` at both ends, or [before, after]."""

    rank: ClassVar[int] = 1

    cropping: Pair = 1

    def sides(self) -> tuple[tuple[int, int], ...]:
        before, after = expand(self.cropping, 2)
        return ((before, after),)


@layer
class Cropping2D(Cropping):
    """Removes rows and columns at the edges of images."""

    cropping: Sides2 = 0
    data_format: OptionalDataFormat = None


@layer
class Cropping3D(Cropping):
    """Removes planes at the edges of volumes."""

    rank: ClassVar[int] = 3

    cropping: Sides3 = 1
    data_format: OptionalDataFormat = None


class UpSampling(Resized):
    """Base of the layers that enlarge each spatial axis by an integer factor."""

    former_arguments: ClassVar[FormerArguments] = {"length": "size"}

    def factors(self) -> tuple[int, ...]:
        """The factor of each spatial axis."""
        return expand(getattr(self, "size"), self.rank)  # noqa: B009

    def resized(self, x: Shape, axis: int, size: int) -> int:
        return size * self.factors()[axis]


@layer
class UpSampling1D(UpSampling):
    """Repeats each time step ``size`` times."""

    rank: ClassVar[int] = 1

    size: PositiveInt = 2


@layer
class UpSampling2D(UpSampling):
    """Enlarges images by the factor ``size``: repeats pixels or interpolates between them."""

    size: Size2 = 2
    data_format: OptionalDataFormat = None
    interpolation: Interpolation = "nearest"


@layer
class UpSampling3D(UpSampling):
    """Repeats each element ``size`` times along depth, height and width."""

    rank: ClassVar[int] = 3

    size: Size3 = 2
    data_format: OptionalDataFormat = None
