"""Pooling: the maximum or mean over windows, or over everything."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import (
    Bool,
    OptionalDataFormat,
    OptionalSize1,
    OptionalSize2,
    OptionalSize3,
    Padding,
    Size1,
    Size2,
    Size3,
    expand,
)
from specfmt.layers.base import Argument, Layer, Shape, ShapeError
from specfmt.layers.registry import layer
from specfmt.layers.sizes import (
    channels_of,
    check_fits,
    check_rank,
    spatial_sizes,
    window_size,
    with_spatial,
)


class Pool(Layer):
    """What all windowed poolings share; ``strides`` default to the window's size."""

    built_at_creation = True
    supports_masking: ClassVar[bool] = False
    rank: ClassVar[int] = 2
    former_arguments: ClassVar[FormerArguments] = {"pool_length": "pool_size", "stride": "strides"}

    pool_size: Size2
    strides: OptionalSize2 = None
    padding: Padding = "valid"
    data_format: OptionalDataFormat = None

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype

    def window(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Window sizes and strides, one number an axis."""
        pool = expand(self.pool_size, self.rank)
        return pool, pool if self.strides is None else expand(self.strides, self.rank)

    def output_shape(self, x: Shape) -> Shape:
        check_rank(x, self.rank, self.data_format)
        pool, strides = self.window()
        spatial = spatial_sizes(x, self.data_format)
        sizes = tuple(
            window_size(size, width, stride, self.padding)
            for size, width, stride in zip(spatial, pool, strides, strict=True)
        )
        check_fits(x, sizes, pool, "pool_size")
        return with_spatial(x, sizes, channels_of(x, self.data_format), self.data_format)


class MaxPool(Pool):
    """The maximum of each window."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int")

    pool_size: Size2 = 2


@layer
class MaxPooling1D(MaxPool):
    """The maximum over windows of steps."""

    rank: ClassVar[int] = 1

    pool_size: Size1 = 2
    strides: OptionalSize1 = None


@layer
class MaxPooling2D(MaxPool):
    """The maximum over windows of height and width."""


@layer
class MaxPooling3D(MaxPool):
    """The maximum over windows of depth, height and width."""

    rank: ClassVar[int] = 3
    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float",)

    pool_size: Size3 = 2
    strides: OptionalSize3 = None


class AveragePool(Pool):
    """The mean of each window; what ``padding: same`` adds does not count."""


@layer
class AveragePooling1D(AveragePool):
    """The mean over windows of steps."""

    rank: ClassVar[int] = 1

    pool_size: Size1
    strides: OptionalSize1 = None


@layer
class AveragePooling2D(AveragePool):
    """The mean over windows of height and width."""


@layer
class AveragePooling3D(AveragePool):
    """The mean over windows of depth, height and width."""

    rank: ClassVar[int] = 3

    pool_size: Size3
    strides: OptionalSize3 = None


class GlobalPool(Layer):
    """What all global poolings share: spatial axes go, or stay with size 1."""

    built_at_creation = True
    supports_masking: ClassVar[bool] = False
    rank: ClassVar[int] = 2

    data_format: OptionalDataFormat = None
    keepdims: Bool = False

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return cls.rank + 2 if fields.get("keepdims") else 2

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype

    def output_shape(self, x: Shape, **_: object) -> Shape:
        check_rank(x, self.rank, self.data_format)
        channels = channels_of(x, self.data_format)
        sizes = (1,) * self.rank if self.keepdims else ()
        return with_spatial(x, sizes, channels, self.data_format)


class GlobalMaxPool(GlobalPool):
    """The maximum over everything."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int")


@layer
class GlobalMaxPooling1D(GlobalMaxPool):
    """The maximum over all steps."""

    rank: ClassVar[int] = 1


@layer
class GlobalMaxPooling2D(GlobalMaxPool):
    """The maximum over height and width."""


@layer
class GlobalMaxPooling3D(GlobalMaxPool):
    """The maximum over depth, height and width."""

    rank: ClassVar[int] = 3


@layer
class GlobalAveragePooling1D(GlobalPool):
    """The mean over all steps; masked ones do not count."""

    rank: ClassVar[int] = 1
    call_arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("inputs"),
        Argument("mask", required=False),
    )


@layer
class GlobalAveragePooling2D(GlobalPool):
    """The mean over height and width."""


@layer
class GlobalAveragePooling3D(GlobalPool):
    """The mean over depth, height and width."""

    rank: ClassVar[int] = 3


OUTPUT_SIZE = Field(
    description="The size of the output: one number, or one for each spatial axis; windows, all "
    "of nearly one size, are laid so that it comes out."
)


class AdaptivePool(Layer):
    """What all adaptive poolings share: windows are laid so that a given size comes out.

    Window ``i`` of ``m`` over ``n`` elements runs from ``floor(i * n / m)`` to
    ``ceil((i + 1) * n / m)``.
    """

    call_arguments: ClassVar[tuple[Argument, ...]] = (Argument("inputs"),)
    supports_masking: ClassVar[bool] = False
    rank: ClassVar[int] = 2
    in_keras_2: ClassVar[bool] = False

    output_size: Annotated[Size2, OUTPUT_SIZE]
    data_format: OptionalDataFormat = None

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype

    def output_shape(self, x: Shape) -> Shape:
        check_rank(x, self.rank, self.data_format)
        sizes = expand(self.output_size, self.rank)
        for size, wanted in zip(spatial_sizes(x, self.data_format), sizes, strict=True):
            if size is None:
                raise ShapeError(
                    "spatial axes of known size",
                    f"shape {x}",
                    "Keras lays the windows before it runs; give the sizes in `inputs`",
                )
            if 1 in (size, wanted):
                raise ShapeError(
                    "an input and an output of at least 2 along each axis",
                    f"{size} to {wanted} in shape {x}",
                    "Keras fails on TensorFlow there; a global pooling with `keepdims: true` "
                    "gives the size 1",
                    field="output_size",
                )
        return with_spatial(x, sizes, channels_of(x, self.data_format), self.data_format)


@layer
class AdaptiveMaxPooling1D(AdaptivePool):
    """The maximum over windows of steps, as many as ``output_size`` says."""

    rank: ClassVar[int] = 1

    output_size: Annotated[Size1, OUTPUT_SIZE]


@layer
class AdaptiveMaxPooling2D(AdaptivePool):
    """The maximum over windows of height and width, as many as ``output_size`` says."""


@layer
class AdaptiveMaxPooling3D(AdaptivePool):
    """The maximum over windows of depth, height and width, as many as ``output_size`` says."""

    rank: ClassVar[int] = 3

    output_size: Annotated[Size3, OUTPUT_SIZE]


@layer
class AdaptiveAveragePooling1D(AdaptivePool):
    """The mean over windows of steps, as many as ``output_size`` says."""

    rank: ClassVar[int] = 1

    output_size: Annotated[Size1, OUTPUT_SIZE]


@layer
class AdaptiveAveragePooling2D(AdaptivePool):
    """The mean over windows of height and width, as many as ``output_size`` says."""


@layer
class AdaptiveAveragePooling3D(AdaptivePool):
    """The mean over windows of depth, height and width, as many as ``output_size`` says."""

    rank: ClassVar[int] = 3

    output_size: Annotated[Size3, OUTPUT_SIZE]
