"""Pooling layers: the maximum or mean over windows, or over all positions."""

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
    """Base of the poolings over windows; ``strides`` default to the window's size."""

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
        """Window sizes and strides, one number per axis."""
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
    """Base of max pooling: the maximum of each window."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int")

    pool_size: Size2 = 2


@layer
class MaxPooling1D(MaxPool):
    """1D max pooling: the maximum over windows of time steps."""

    rank: ClassVar[int] = 1

    pool_size: Size1 = 2
    strides: OptionalSize1 = None


@layer
class MaxPooling2D(MaxPool):
    """2D max pooling: the maximum over windows of height and width."""


@layer
class MaxPooling3D(MaxPool):
    """3D max pooling: the maximum over windows of depth, height and width."""

    rank: ClassVar[int] = 3
    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float",)

    pool_size: Size3 = 2
    strides: OptionalSize3 = None


class AveragePool(Pool):
    """Base of average pooling: the mean of each window, in which padding does not count."""


@layer
class AveragePooling1D(AveragePool):
    """1D average pooling: the mean over windows of time steps."""

    rank: ClassVar[int] = 1

    pool_size: Size1
    strides: OptionalSize1 = None


@layer
class AveragePooling2D(AveragePool):
    """2D average pooling: the mean over windows of height and width."""


@layer
class AveragePooling3D(AveragePool):
    """3D average pooling: the mean over windows of depth, height and width."""

    rank: ClassVar[int] = 3

    pool_size: Size3
    strides: OptionalSize3 = None


class GlobalPool(Layer):
    """Base of the global poolings, which remove the spatial axes or keep them with size 1."""

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
    """Base of global max pooling."""

    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int")


@layer
class GlobalMaxPooling1D(GlobalMaxPool):
    """1D global max pooling: the maximum over all time steps."""

    rank: ClassVar[int] = 1


@layer
class GlobalMaxPooling2D(GlobalMaxPool):
    """2D global max pooling: the maximum over height and width."""


@layer
class GlobalMaxPooling3D(GlobalMaxPool):
    """3D global max pooling: the maximum over depth, height and width."""

    rank: ClassVar[int] = 3


@layer
class GlobalAveragePooling1D(GlobalPool):
    """1D global average pooling: the mean over all time steps that are not masked."""

    rank: ClassVar[int] = 1
    call_arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("inputs"),
        Argument("mask", required=False),
    )


@layer
class GlobalAveragePooling2D(GlobalPool):
    """2D global average pooling: the mean over height and width."""


@layer
class GlobalAveragePooling3D(GlobalPool):
    """3D global average pooling: the mean over depth, height and width."""

    rank: ClassVar[int] = 3


OUTPUT_SIZE = Field(
    description="The output's size: an integer for all spatial axes, or one for each; the windows, "
    "of nearly equal size, are chosen to give it."
)


class AdaptivePool(Layer):
    """Base of the adaptive poolings, whose windows are chosen to give a certain output size.

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
    """1D adaptive max pooling: the maximum over ``output_size`` windows of time steps."""

    rank: ClassVar[int] = 1

    output_size: Annotated[Size1, OUTPUT_SIZE]


@layer
class AdaptiveMaxPooling2D(AdaptivePool):
    """2D adaptive max pooling: the maximum over ``output_size`` windows of height and width."""


@layer
class AdaptiveMaxPooling3D(AdaptivePool):
    """3D adaptive max pooling: the maximum over ``output_size`` windows of depth, height and
    width."""

    rank: ClassVar[int] = 3

    output_size: Annotated[Size3, OUTPUT_SIZE]


@layer
class AdaptiveAveragePooling1D(AdaptivePool):
    """1D adaptive average pooling: the mean over ``output_size`` windows of time steps."""

    rank: ClassVar[int] = 1

    output_size: Annotated[Size1, OUTPUT_SIZE]


@layer
class AdaptiveAveragePooling2D(AdaptivePool):
    """2D adaptive average pooling: the mean over ``output_size`` windows of height and width."""


@layer
class AdaptiveAveragePooling3D(AdaptivePool):
    """3D adaptive average pooling: the mean over ``output_size`` windows of depth, height and
    width."""

    rank: ClassVar[int] = 3

    output_size: Annotated[Size3, OUTPUT_SIZE]
