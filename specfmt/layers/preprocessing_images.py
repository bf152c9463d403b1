"""Image preprocessing layers: resizing and cropping, and random augmentation in training."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Nullable, Number, Pair, Tuple
from specfmt.fields.types import Bool, Float, Literal, OptionalDataFormat, PositiveInt, Seed
from specfmt.layers.base import Argument, FloatLayer, Shape, ShapeError
from specfmt.layers.registry import layer
from specfmt.layers.sizes import check_rank, spatial_axes

IMAGES = (Argument("data"), Argument("training", "value", required=False))

ResizeMode = Literal["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area"]
FillMode = Literal["reflect", "wrap", "constant", "nearest"]
Interpolation = Literal["bilinear", "nearest"]
FlipMode = Literal["horizontal_and_vertical", "horizontal", "vertical"]


class FactorRule(Either):
    """A number for a range that starts at ``minimum`` or is symmetric, or a pair (lowest, highest).

    Of a pair Keras checks only that its first number is not above ``maximum`` and its second one
    not below ``minimum``.
    """

    def __init__(self, minimum: float, maximum: float) -> None:
        super().__init__(
            Number(minimum=minimum, maximum=maximum),
            Pair(Number(maximum=maximum), Number(minimum=minimum)),
            expected=f"a number from {minimum:g} to {maximum:g} or a pair of them",
        )


class StrictFactorRule(Either):
    """The same, of layers that check both numbers of a pair."""

    def __init__(self, number: Number, expected: str) -> None:
        super().__init__(number, Tuple(number, 2, 2), expected=f"{expected} or a pair of them")


SHIFT = StrictFactorRule(Number(minimum=-1, maximum=1), "a number from -1 to 1")
ZOOM = StrictFactorRule(Number(above=-1, maximum=1), "a number above -1 and at most 1")

Factor = Annotated[float | tuple[float, float], FactorRule(-1, 1)]
Contrast = Annotated[float | tuple[float, float], FactorRule(0, 1)]
Shift = Annotated[float | tuple[float, float], SHIFT]
Zoom = Annotated[float | tuple[float, float], ZOOM]
OptionalZoom = Annotated[float | tuple[float, float] | None, Nullable(ZOOM)]
StrictFraction = Annotated[
    float | tuple[float, float],
    StrictFactorRule(Number(minimum=0, maximum=1), "a number from 0 to 1"),
]
ValueRange = Annotated[tuple[float, float], Tuple(Number(), 2, 2)]


class ImageLayer(FloatLayer):
    """Base of the image preprocessing layers."""

    call_arguments = IMAGES
    supports_masking = False
    training_default: ClassVar[bool | None] = True
    takes_mappings: ClassVar[bool] = True
    keras_2_lacks: ClassVar[tuple[str, ...]] = ("data_format",)

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        check_rank(x, 2, getattr(self, "data_format", None))
        return x


class Sized(ImageLayer):
    """Base of the layers whose output images all have the same size."""

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        sizes = list(super().output_shape(x))
        rows, columns = spatial_axes(2, getattr(self, "data_format", None))
        sizes[rows], sizes[columns] = getattr(self, "height"), getattr(self, "width")  # noqa: B009
        return tuple(sizes)


@layer
class Resizing(Sized):
    """Resizes images; may crop or pad them first to keep their aspect ratio."""

    keras_2_lacks = (
        "pad_to_aspect_ratio",
        "fill_mode",
        "fill_value",
        "antialias",
        "data_format",
    )

    height: PositiveInt
    width: PositiveInt
    interpolation: ResizeMode = "bilinear"
    crop_to_aspect_ratio: Bool = False
    pad_to_aspect_ratio: Bool = False
    fill_mode: Literal["constant"] = "constant"
    fill_value: Float = 0.0
    antialias: Bool = False
    data_format: OptionalDataFormat = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ShapeError(
                "crop_to_aspect_ratio or pad_to_aspect_ratio", "both", field="pad_to_aspect_ratio"
            )
        return super().output_shape(x)


@layer
class CenterCrop(Sized):
    """Crops the center of each image; a smaller image is cropped to the aspect ratio and
    enlarged."""

    height: PositiveInt
    width: PositiveInt
    data_format: OptionalDataFormat = None


class RandomImageLayer(ImageLayer):
    """Base of the layers that change images at random in training and return them at inference.

    Class attributes:
        strengths: Fields that limit the change; where all are zero nothing is changed.
    """

    strengths: ClassVar[tuple[str, ...]] = ("factor", "height_factor", "width_factor")

    def returns_input(self) -> bool:
        return True

    def noise_fields(self) -> tuple[str, ...]:
        values = {name: getattr(self, name, None) for name in self.strengths}
        return tuple(n for n, value in values.items() if value not in (None, 0, (0, 0)))

    def limits(self, name: str) -> tuple[float, float]:
        """The lowest and highest change that a factor allows."""
        value: Any = getattr(self, name)
        if isinstance(value, tuple):
            return min(value), max(value)
        return -abs(value), abs(value)


@layer
class RandomFlip(RandomImageLayer):
    """Flips each image at random in training, along the axis or axes of ``mode``."""

    mode: FlipMode = "horizontal_and_vertical"
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def noise_fields(self) -> tuple[str, ...]:
        return ("mode",)

    def noise_off(self) -> dict[str, Any]:
        return {"mode": "none"}  # an unknown mode, with which Keras flips along no axis


@layer
class RandomRotation(RandomImageLayer):
    """Rotates each image in training by a random fraction of a full turn."""

    factor_from = "minus"

    factor: Factor
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: Seed = None
    fill_value: Float = 0.0
    data_format: OptionalDataFormat = None


@layer
class RandomTranslation(RandomImageLayer):
    """Shifts each image in training by random fractions of its height and width."""

    height_factor: Shift
    width_factor: Shift
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: Seed = None
    fill_value: Float = 0.0
    data_format: OptionalDataFormat = None


@layer
class RandomZoom(RandomImageLayer):
    """Zooms each image in training at random; positive factors zoom out, negative ones in."""

    height_factor: Zoom
    width_factor: OptionalZoom = None
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    seed: Seed = None
    fill_value: Float = 0.0
    data_format: OptionalDataFormat = None


@layer
class RandomContrast(RandomImageLayer):
    """Changes the contrast of each image in training: scales the distance of each channel from its
    mean by a random factor."""

    keras_2_lacks = ("value_range", "data_format")
    factor_from = "zero"

    factor: Contrast
    value_range: ValueRange = (0, 255)
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def limits(self, name: str) -> tuple[float, float]:
        return (0.0, self.factor) if isinstance(self.factor, float) else super().limits(name)


@layer
class RandomBrightness(RandomImageLayer):
    """Adds a random number to each image in training, a fraction of ``value_range``."""

    factor_from = "minus"

    factor: Factor
    value_range: ValueRange = (0, 255)
    seed: Seed = None
    data_format: OptionalDataFormat = None
