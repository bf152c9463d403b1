"""Image preprocessing layers that crop, bend, blur or erase parts of images in training."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from specfmt.fields.rules import Either, Nullable, Number, SizeRule, Tuple
from specfmt.fields.types import (
    Float,
    Fraction,
    Literal,
    OptionalDataFormat,
    PositiveInt,
    Seed,
    expand,
)
from specfmt.layers.base import RangeStart, Shape, ShapeError
from specfmt.layers.preprocessing_colors import FractionRange, RandomColorLayer
from specfmt.layers.preprocessing_images import (
    FillMode,
    Interpolation,
    RandomImageLayer,
    Sized,
    StrictFraction,
    ValueRange,
)
from specfmt.layers.registry import layer

ElasticFillMode = Literal["reflect", "wrap", "constant", "nearest", "mirror"]
OptionalFill = Annotated[
    float | tuple[float, float, float] | None,
    Nullable(Either(Number(), Tuple(Number(), 3, 3), expected="a number or a list of three")),
]


@layer
class RandomCrop(Sized, RandomImageLayer):
    """Crops the images of a batch in training, all at the same random place.

    At inference Keras returns the images as they are, in the size that they have.
    """

    in_keras_2 = False
    keras_2_differs = "crops or resizes images at inference too"
    strengths: ClassVar[tuple[str, ...]] = ("height", "width")

    height: PositiveInt
    width: PositiveInt
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def noise_off(self) -> dict[str, Any]:
        return {}  # the sizes of images and crops decide whether anything is drawn


@layer
class RandomShear(RandomImageLayer):
    """Shears each image in training by random fractions of its width and height."""

    in_keras_2 = False
    factor_from: ClassVar[RangeStart] = "minus"
    factor_fields: ClassVar[tuple[str, ...]] = ("x_factor", "y_factor")
    strengths: ClassVar[tuple[str, ...]] = factor_fields

    x_factor: StrictFraction = 0.0
    y_factor: StrictFraction = 0.0
    interpolation: Interpolation = "bilinear"
    fill_mode: FillMode = "reflect"
    fill_value: Float = 0.0
    data_format: OptionalDataFormat = None
    seed: Seed = None

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        for name in cls.factor_fields:
            low, high = config[name]
            if low < 0:
                config[name] = high  # Keras writes the pair, and refuses to read it


@layer
class RandomPerspective(RandomColorLayer):
    """Moves the corners of each image in training by random fractions of its width and height."""

    factor: FractionRange = 1.0
    scale: Fraction = 1.0
    interpolation: Interpolation = "bilinear"
    fill_value: Float = 0.0
    seed: Seed = None
    data_format: OptionalDataFormat = None


@layer
class RandomErasing(RandomColorLayer):
    """Fills a random box in each image in training with noise or one value."""

    factor_fields: ClassVar[tuple[str, ...]] = ("factor", "scale")

    factor: FractionRange = 1.0
    scale: FractionRange = (0.02, 0.33)
    fill_value: OptionalFill = None
    value_range: ValueRange = (0, 255)
    seed: Seed = None
    data_format: OptionalDataFormat = None


@layer
class RandomGaussianBlur(RandomColorLayer):
    """Blurs each image in training with a random probability by a Gaussian kernel of random
    width."""

    rank: ClassVar[int] = 2
    factor_fields: ClassVar[tuple[str, ...]] = ("factor", "sigma")

    factor: FractionRange = 1.0
    kernel_size: Annotated[int | tuple[int, ...], SizeRule(2)] = 3
    sigma: FractionRange = 1.0
    value_range: ValueRange = (0, 255)
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        if any(size % 2 == 0 for size in expand(self.kernel_size, 2)):
            raise ShapeError("a kernel of odd size", str(self.kernel_size), field="kernel_size")
        return super().output_shape(x)


@layer
class RandomElasticTransform(RandomColorLayer):
    """Displaces the pixels of each image in training by smooth noise."""

    factor_fields: ClassVar[tuple[str, ...]] = ("factor", "scale")

    factor: FractionRange = 1.0
    scale: FractionRange = 1.0
    interpolation: Interpolation = "bilinear"
    fill_mode: ElasticFillMode = "reflect"
    fill_value: Float = 0.0
    value_range: ValueRange = (0, 255)
    seed: Seed = None
    data_format: OptionalDataFormat = None
