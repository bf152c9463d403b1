"""Image preprocessing layers that change colors: contrast, saturation, hue, histograms.

Most change each image at random in training and return it at inference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final

from specfmt.fields.rules import Either, Integer, Nullable, Tuple
from specfmt.fields.types import Float, Fraction, OptionalDataFormat, Seed
from specfmt.layers.base import RangeStart, Shape, ShapeError, is_floating
from specfmt.layers.preprocessing_images import (
    Factor,
    FactorRule,
    ImageLayer,
    RandomBrightness,
    RandomContrast,
    RandomImageLayer,
    StrictFraction,
    ValueRange,
)
from specfmt.layers.registry import layer
from specfmt.layers.sizes import channels_of, spatial_sizes
from specfmt.layers.symbols import differ, is_below

OptionalBrightness = Annotated[float | tuple[float, float] | None, Nullable(FactorRule(-1, 1))]
FractionRange = Annotated[float | tuple[float, float], FactorRule(0, 1)]
OptionalFraction = Annotated[float | tuple[float, float] | None, Nullable(FactorRule(0, 1))]
Bits = Annotated[
    int | tuple[int, int],
    Either(
        Integer(1, 8),
        Tuple(Integer(1, 8), 2, 2),
        expected="an integer from 1 to 8 or a pair of them",
    ),
]
BINS: Final = 65536
"""The largest number of bins of a histogram."""


def check_colors(x: Shape, data_format: str | None, allowed: tuple[int, ...] = (3,)) -> None:
    """Check that images have the channels that their colors are computed from.

    Raises:
        ShapeError: They do not.
    """
    channels = channels_of(x, data_format)
    if all(differ(channels, n) for n in allowed):
        raise ShapeError(
            f"images with {' or '.join(map(str, allowed))} channels",
            f"{channels} in shape {x}",
        )


class RangedLayer(ImageLayer):
    """Base of the layers that sort their ``value_range``."""

    in_keras_2 = False

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        config["value_range"] = sorted(config["value_range"])

    def sorted_range(self) -> tuple[float, float]:
        """The lowest and the highest value of a pixel."""
        low, high = sorted(self.value_range)  # type: ignore[attr-defined]
        return low, high


class RandomColorLayer(RandomImageLayer):
    """Base of the layers that change the colors of each image at random in training."""

    in_keras_2 = False
    factor_from: ClassVar[RangeStart] = "zero"

    def limits(self, name: str) -> tuple[float, float]:
        """The lowest and highest value that a factor allows."""
        value: Any = getattr(self, name)
        starts_at_zero = self.factor_from == "zero" and not isinstance(value, tuple)
        return (0.0, abs(value)) if starts_at_zero else super().limits(name)


@layer
class RandomSaturation(RangedLayer, RandomColorLayer):
    """Multiplies the saturation of each image in training by `f / (1 - f)`, for a random f."""

    factor_from = "minus"

    factor: Factor
    value_range: ValueRange = (0, 255)
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def noise_off(self) -> dict[str, Any]:
        return {"factor": (0.5, 0.5)}


@layer
class RandomHue(RandomColorLayer):
    """Shifts the hue of each image in training by up to half a turn of the color circle."""

    factor: FractionRange
    value_range: ValueRange = (0, 255)
    data_format: OptionalDataFormat = None
    seed: Seed = None


@layer
class RandomSharpness(RangedLayer, RandomColorLayer):
    """Blurs or sharpens each image in training: 0 is smooth, 0.5 no change, 1 sharp."""

    factor: FractionRange
    value_range: ValueRange = (0, 255)
    data_format: OptionalDataFormat = None
    seed: Seed = None


@layer
class RandomColorJitter(RandomColorLayer):
    """Changes brightness, contrast, saturation and hue of each image in training, in this order.

    Keras does not pass ``data_format`` on to the four changes: they always take the last axis for
    the channels.
    """

    factor_from = ""
    strengths: ClassVar[tuple[str, ...]] = (
        "brightness_factor",
        "contrast_factor",
        "saturation_factor",
        "hue_factor",
    )

    value_range: ValueRange = (0, 255)
    brightness_factor: OptionalBrightness = None
    contrast_factor: OptionalFraction = None
    saturation_factor: OptionalBrightness = None
    hue_factor: OptionalFraction = None
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def noise_off(self) -> dict[str, Any]:
        return dict.fromkeys(self.strengths, None)

    def changes(self) -> Iterator[RandomImageLayer]:
        """The layers that make the four changes, in their order."""
        kinds: tuple[type[RandomImageLayer], ...] = (
            RandomBrightness,
            RandomContrast,
            RandomSaturation,
            RandomHue,
        )
        for kind, name in zip(kinds, self.strengths, strict=True):
            factor = getattr(self, name)
            if factor is not None:
                yield kind.model_validate({"factor": factor, "value_range": self.value_range})


@layer
class RandomColorDegeneration(RangedLayer, RandomColorLayer):
    """Mixes each image in training with its gray version; negative factors strengthen colors."""

    factor_from = "minus"

    factor: Factor
    value_range: ValueRange = (0, 255)
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        shape = super().output_shape(x)
        check_colors(x, self.data_format)
        return shape


@layer
class RandomGrayscale(RandomColorLayer):
    """Makes each image gray in training with a given probability; the channels stay."""

    factor_from = ""

    factor: Fraction = 0.5
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        """The compute dtype, unless the images hold whole numbers."""
        return compute_dtype if is_floating(dtypes[0]) else dtypes[0]

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        if config["seed"] is None:
            del config["seed"]  # Keras reads a seed and does not write one


@layer
class RandomInvert(RandomColorLayer):
    """Inverts the colors of each image in training with a random probability."""

    factor: FractionRange = 1.0
    value_range: ValueRange = (0, 255)
    seed: Seed = None
    data_format: OptionalDataFormat = None


@layer
class RandomPosterization(RangedLayer, RandomColorLayer):
    """Keeps only the highest bits of each channel in training, as many as drawn at random.

    Of a range of numbers of bits Keras draws all but the highest.
    """

    factor_from = "one"

    factor: Bits
    value_range: ValueRange = (0, 255)
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def bits(self) -> tuple[int, int]:
        """The lowest number of bits, and the number that all drawn ones stay below."""
        if isinstance(self.factor, tuple):
            low, high = sorted(self.factor)
            return low, high
        return 1, self.factor

    def noise_off(self) -> dict[str, Any]:
        return {}  # how TensorFlow makes bytes of negative numbers depends on the processor


@layer
class AutoContrast(RangedLayer):
    """Stretches the values of each channel of each image to ``value_range``.

    Keras takes height and width for axes 1 and 2, whatever ``data_format`` is.
    """

    value_range: ValueRange = (0, 255)
    data_format: OptionalDataFormat = None


@layer
class Equalization(RangedLayer):
    """Equalizes the histogram of each channel in training, over all images of the batch.

    Keras cannot build a functional model from it: it must be inside a Pipeline.
    """

    value_range: ValueRange = (0, 255)
    bins: Annotated[int, Integer(1, BINS)] = 256
    data_format: OptionalDataFormat = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        raise ShapeError(
            "Equalization inside a Pipeline",
            "Equalization as a layer of a model",
            "Keras cannot build such a model; write {type: Pipeline, layers: [{type: Equalization}]}",
        )

    def returns_input(self) -> bool:
        return True


@layer
class Solarization(RangedLayer, RandomColorLayer):
    """Adds a random number to each image in training and inverts all values above another one."""

    factor_fields: ClassVar[tuple[str, ...]] = ("addition_factor", "threshold_factor")
    strengths: ClassVar[tuple[str, ...]] = factor_fields

    addition_factor: StrictFraction = 0.0
    threshold_factor: StrictFraction = 0.0
    value_range: ValueRange = (0, 255)
    seed: Seed = None
    data_format: OptionalDataFormat = None

    def bytes(self, name: str) -> tuple[float, float]:
        """The lowest and highest number that a factor stands for; Keras scales only the latter."""
        low, high = self.limits(name)
        return low, high * 255


@layer
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Equalizes the histogram of each tile of an image, with limited contrast, and interpolates
    between tiles (CLAHE)."""

    in_keras_2 = False

    value_range: ValueRange = (0, 255)
    clip_limit: Float = 4.0
    tile_grid_size: Annotated[tuple[int, int], Tuple(Integer(1, 4096), 2, 2)] = (8, 8)
    data_format: OptionalDataFormat = None

    def tile(self, x: Shape) -> tuple[int, int] | None:
        """Height and width of a tile; None where they are not known."""
        sizes = spatial_sizes(x, self.data_format)
        rows, columns = (
            None if size is None else -(-size // count)
            for size, count in zip(sizes, self.tile_grid_size, strict=True)
        )
        return None if rows is None or columns is None else (rows, columns)

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        shape = super().output_shape(x)
        for size, count in zip(
            spatial_sizes(x, self.data_format), self.tile_grid_size, strict=True
        ):
            if size is not None and is_below(2 * size, -(-size // count) * count):
                raise ShapeError(
                    "tiles that cover at most twice the image",
                    f"{count} tiles over {size} pixels",
                    "Keras pads the image by a mirrored copy of itself",
                    field="tile_grid_size",
                )
        return shape
