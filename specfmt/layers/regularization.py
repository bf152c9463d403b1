"""Layers that act only in training: dropout, noise and activity penalties."""

from __future__ import annotations

from typing import Annotated, ClassVar

from specfmt.fields.rules import Integer, Nullable, Tuple
from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Fraction, NaturalFloat, OptionalDataFormat, Seed
from specfmt.layers.base import KERAS_2_LATER, Argument, FloatLayer, Shape, ShapeError
from specfmt.layers.registry import layer
from specfmt.layers.size_rules import broadcasts
from specfmt.vocab.base import Term

NoiseShape = Annotated[tuple[int | None, ...] | None, Nullable(Tuple(Nullable(Integer(1))))]


class TrainingOnly(FloatLayer):
    """Base of the layers that return their input unchanged at inference."""

    built_at_creation = True
    training_default: ClassVar[bool | None] = False
    former_arguments: ClassVar[FormerArguments] = {"p": "rate", "sigma": "stddev"}

    def returns_input(self) -> bool:
        return True


@layer
class Dropout(TrainingOnly):
    """Sets a random fraction ``rate`` of the elements to 0 in training and multiplies the others
    by `1 / (1 - rate)`.

    ``noise_shape`` is the shape of the random mask, batch axis included: null is the input's size,
    and the mask is broadcast along axes of size 1.
    """

    positionwise = True
    keras_2_later = KERAS_2_LATER - {"noise_shape", "seed"}

    rate: Fraction
    noise_shape: NoiseShape = None
    seed: Seed = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        return _with_noise(x, self.noise_shape)


def _with_noise(x: Shape, noise: tuple[int | None, ...] | None) -> Shape:
    """The input's shape, if a mask of shape ``noise`` can be broadcast to it."""
    if noise is not None:
        fits = len(noise) == len(x) and all(
            expected is None or broadcasts(expected, size)
            for expected, size in zip(noise, x, strict=True)
        )
        if not fits:
            raise ShapeError(
                f"a noise shape of {len(x)} sizes, each null, 1 or the input's",
                f"{list(noise)} for shape {x}",
                "write null for an axis along which the mask varies, 1 for one that shares it",
                field="noise_shape",
            )
    return x


class SpatialDropout(TrainingOnly):
    """Base of the layers that drop whole channels."""

    takes_trainable = False


@layer
class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels: sets a channel of a sample to 0 at all time steps, or at none."""

    rank: ClassVar[int] = 1

    rate: Fraction
    seed: Seed = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        return _of_rank(x, 3)


@layer
class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels: sets a feature map of a sample to 0 entirely, or not at all."""

    rank: ClassVar[int] = 2

    rate: Fraction
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        return _of_rank(x, 4)


@layer
class SpatialDropout3D(SpatialDropout):
    """Dropout of whole channels: sets a 3D feature map of a sample to 0 entirely, or not at all."""

    rank: ClassVar[int] = 3

    rate: Fraction
    data_format: OptionalDataFormat = None
    seed: Seed = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        return _of_rank(x, 5)


def _of_rank(x: Shape, rank: int) -> Shape:
    if len(x) != rank:
        raise ShapeError(f"an input of {rank} axes (batch included)", f"shape {x}")
    return x


@layer
class GaussianNoise(TrainingOnly):
    """Adds Gaussian noise with mean 0 and standard deviation ``stddev`` in training."""

    positionwise = True

    stddev: Fraction
    seed: Seed = None


@layer
class GaussianDropout(TrainingOnly):
    """Multiplies by Gaussian noise with mean 1 and variance `rate / (1 - rate)` in training."""

    positionwise = True

    rate: Fraction
    seed: Seed = None


@layer
class AlphaDropout(TrainingOnly):
    """Dropout for SELU networks: sets random elements to SELU's negative limit in training, then
    scales and shifts all of them so that mean and variance stay the same.

    ``noise_shape`` is the shape of the random mask, batch axis included: null is the input's size,
    and the mask is broadcast along axes of size 1.
    """

    positionwise = True
    keras_2_lacks = ("noise_shape",)

    rate: Fraction
    noise_shape: NoiseShape = None
    seed: Seed = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        return _with_noise(x, self.noise_shape)


@layer
class ActivityRegularization(TrainingOnly):
    """Returns its input and adds `l1 * sum(|x|) + l2 * sum(x^2)` per sample to the loss."""

    positionwise = True
    call_arguments = (Argument("inputs"),)
    training_default = None

    l1: NaturalFloat = 0.0
    l2: NaturalFloat = 0.0

    def output_shape(self, x: Shape) -> Shape:
        if self.activity_regularizer is not None:
            raise ShapeError(
                "a penalty set by `l1` and `l2`",
                f"activity_regularizer: {self.activity_regularizer.name}",
                "use `l1` and `l2`, from which Keras makes the regularizer",
                field="activity_regularizer",
            )
        return x

    def output_penalty(self) -> Term:
        return Term("regularizer", "L1L2", {"l1": self.l1, "l2": self.l2})
