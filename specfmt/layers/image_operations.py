"""Operations of `keras.ops` on images: pixel shuffle, resizing, grayscale, patches."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Integer, Tuple
from specfmt.fields.types import (
    Bool,
    DataFormat,
    Float,
    Literal,
    OptionalDataFormat,
    OptionalSize2,
    Padding,
    Size2,
    expand,
)
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Operand
from specfmt.layers.operations import Unary
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import divides
from specfmt.layers.sizes import spatial_sizes, window_size, with_spatial
from specfmt.layers.symbols import is_below

BlockSize = Annotated[int, Integer(2)]
Interpolation = Literal["bilinear", "nearest", "lanczos3", "lanczos5", "bicubic", "area"]


def _check_image(x: Shape, *, single: bool = False) -> None:
    if len(x) != 4 and not (single and len(x) == 3):
        raise ShapeError(
            "a batch of images: four axes", f"{len(x)}: shape {tuple(x)}", field="inputs"
        )


class Blocks(Unary):
    """Base of the operations that move elements between channels and blocks of pixels."""

    block_size: BlockSize
    data_format: DataFormat = "channels_last"

    def sizes(self, x: Shape) -> tuple[Shape, int | None]:
        """The sizes (height, width), and the number of channels."""
        _check_image(x)
        first = self.data_format == "channels_first"
        return spatial_sizes(x, self.data_format), x[1] if first else x[-1]


@operation("depth_to_space", "nn")
class DepthToSpace(Blocks):
    """Moves channels into blocks of ``block_size`` x ``block_size`` pixels (pixel shuffle)."""

    def output_shape(self, x: Operand) -> Shape:
        sizes, channels = self.sizes(x)
        size = self.block_size
        if channels is not None and not divides(size**2, channels):
            raise ShapeError(
                f"a number of channels divisible by {size**2}", str(channels), field="block_size"
            )
        large = tuple(None if n is None else n * size for n in sizes)
        fewer = None if channels is None else channels // size**2
        return with_spatial(x, large, fewer, self.data_format)


@operation("space_to_depth", "nn")
class SpaceToDepth(Blocks):
    """Moves blocks of ``block_size`` x ``block_size`` pixels into channels."""

    def output_shape(self, x: Operand) -> Shape:
        sizes, channels = self.sizes(x)
        size = self.block_size
        if any(n is not None and not divides(size, n) for n in sizes):
            raise ShapeError(
                f"a height and width divisible by {size}", f"{tuple(sizes)}", field="block_size"
            )
        small = tuple(None if n is None else n // size for n in sizes)
        more = None if channels is None else channels * size**2
        return with_spatial(x, small, more, self.data_format)


@operation("resize", "image")
class Resize(Unary):
    """Resizes images to ``size`` (height, width), with TensorFlow's interpolation."""

    size: Annotated[tuple[int, ...], Tuple(Integer(1), 2, 2)]
    interpolation: Interpolation = "bilinear"
    antialias: Bool = False
    crop_to_aspect_ratio: Bool = False
    pad_to_aspect_ratio: Bool = False
    fill_mode: Literal["constant"] = "constant"
    fill_value: Float = 0.0
    data_format: OptionalDataFormat = None

    def output_shape(self, images: Operand) -> Shape:
        _check_image(images, single=True)
        if self.pad_to_aspect_ratio and self.crop_to_aspect_ratio:
            raise ShapeError(
                "crop_to_aspect_ratio or pad_to_aspect_ratio", "both", field="pad_to_aspect_ratio"
            )
        if self.data_format == "channels_first":
            return (*images[:-2], *self.size)
        return (*images[:-3], *self.size, images[-1])


@operation("rgb_to_grayscale", "image")
class RGBToGrayscale(Unary):
    """Converts RGB to one channel: `0.2989 * red + 0.587 * green + 0.114 * blue`."""

    data_format: OptionalDataFormat = None

    def output_shape(self, images: Operand) -> Shape:
        _check_image(images, single=True)
        axis = len(images) - (3 if self.data_format == "channels_first" else 1)
        if images[axis] not in (None, 3):
            raise ShapeError("three channels", str(images[axis]), field="inputs")
        return tuple(1 if k == axis else n for k, n in enumerate(images))


@operation("extract_patches", "image")
class ExtractPatches(Unary):
    """Cuts images into patches of ``size`` (height, width); the pixels of a patch become
    channels."""

    keras_forgets_name: ClassVar[bool] = True

    size: Size2
    strides: OptionalSize2 = None
    dilation_rate: Size2 = 1
    padding: Padding = "valid"
    data_format: OptionalDataFormat = None

    def keras_arguments(self) -> dict[str, Any]:
        size, strides, _ = self.windows()
        return {
            "size": size,
            "strides": size if strides == size else self.strides,
            "data_format": self.data_format or "channels_last",
        }

    def windows(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Sizes, strides and dilation rates, one per axis."""
        size = expand(self.size, 2)
        strides = size if self.strides is None else expand(self.strides, 2)
        return size, strides, expand(self.dilation_rate, 2)

    def output_shape(self, images: Operand) -> Shape:
        _check_image(images)
        size, strides, dilation = self.windows()
        first = self.data_format == "channels_first"
        channels = images[1] if first else images[-1]
        counts = tuple(
            window_size(n, k, s, self.padding, d)
            for n, k, s, d in zip(
                spatial_sizes(images, self.data_format), size, strides, dilation, strict=True
            )
        )
        if any(is_below(n, 1) for n in counts):
            raise ShapeError("patches that fit into the image", f"size {size}", field="size")
        pixels = None if channels is None else channels * prod(size)
        return with_spatial(images, counts, pixels, self.data_format)
