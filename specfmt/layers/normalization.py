"""Normalization layers, with statistics per batch, per sample or per group of channels."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Annotated, Any, ClassVar

from specfmt.fields.errors import FieldError, did_you_mean
from specfmt.fields.rules import Integer, Nullable, Number, Rule
from specfmt.fields.spellings import REMOVED, FormerArguments, FormerDefaults, removed
from specfmt.fields.types import Axes, Axis, Bool, Fraction, NaturalFloat
from specfmt.layers.base import Argument, FloatLayer, Shape, ShapeError, Weight
from specfmt.layers.registry import layer
from specfmt.layers.sizes import largest_divisors, layer_weight
from specfmt.vocab.base import Term
from specfmt.vocab.fields import ONES, ZEROS, Constraint, Initializer, Regularizer

INPUTS_ONLY = (Argument("inputs"),)
BATCH_CALL = (
    Argument("inputs"),
    Argument("training", "value", required=False),
    Argument("mask", required=False),
)


class RenormClipping(Rule):
    """The limits of batch renormalization: a mapping of ``rmax``, ``rmin`` and ``dmax``."""

    keys = ("rmax", "rmin", "dmax")

    def check(self, value: Any) -> dict[str, float]:
        if not isinstance(value, dict):
            raise FieldError("a mapping of rmax, rmin and dmax", value)
        for key in value:
            if key not in self.keys:
                raise FieldError("only rmax, rmin and dmax", key, did_you_mean(key, self.keys))
        return {key: self._number(key).check(item) for key, item in value.items()}

    def schema(self) -> dict[str, Any]:
        properties = {key: self._number(key).schema() for key in self.keys}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def _number(self, key: str) -> Number:
        return Number(minimum=0) if key == "dmax" else Number()


class Groups(Integer):
    """A number of groups, or -1 for one group per channel."""

    def __init__(self) -> None:
        super().__init__(-1)

    def expected(self) -> str:
        return "a positive integer, or -1 for one group per channel"

    def check(self, value: Any) -> int:
        if super().check(value) == 0:
            raise FieldError(self.expected(), value)
        return super().check(value)

    def schema(self) -> dict[str, Any]:
        return {**super().schema(), "minimum": -1, "not": {"const": 0}}


def normal_axes(axes: int | tuple[int, ...], x: Shape) -> tuple[int, ...]:
    """Axes in Keras's order (sorted as they are given), each counted from the front.

    Raises:
        ShapeError: An axis that ``x`` does not have, or whose size is not known.
    """
    given = sorted((axes,) if isinstance(axes, int) else axes)
    for axis in given:
        if not -len(x) <= axis < len(x):
            raise ShapeError(
                f"an axis from {-len(x)} to {len(x) - 1}",
                f"{axis} for shape {x}",
                "name an axis that the input has",
                field="axis",
            )
    return tuple(axis % len(x) for axis in given)


def sized_axes(axes: int | tuple[int, ...], x: Shape) -> tuple[int, ...]:
    """The sizes of the axes, for weights with an element for each position along them.

    Raises:
        ShapeError: As `normal_axes`, and where a size is not known.
    """
    sizes = []
    for axis in normal_axes(axes, x):
        size = x[axis]
        if size is None:
            raise ShapeError(
                f"a known size of axis {axis}", f"shape {x}", "give the size of that axis"
            )
        sizes.append(size)
    return tuple(sizes)


class Affine(FloatLayer):
    """Base of the layers with a learned factor ``gamma`` and a learned offset ``beta``."""

    former_arguments: ClassVar[FormerArguments] = {
        "beta_init": "beta_initializer",
        "gamma_init": "gamma_initializer",
    }

    def affine(self, shape: tuple[int, ...], *, scale: bool, center: bool) -> Iterator[Weight]:
        """``gamma`` if ``scale`` is true, and ``beta`` if ``center`` is true."""
        for name, wanted in (("gamma", scale), ("beta", center)):
            if wanted:
                yield layer_weight(self, name, shape)


def square_root(init: Term) -> Term:
    """The initializer of a standard deviation whose variance is initialized by ``init``."""
    if init.type == "Constant":
        return Term("initializer", "Constant", {"value": sqrt(init.spec.value)})
    return init


@layer
class BatchNormalization(Affine):
    """Normalizes each channel over the batch in training, by moving averages at inference.

    With ``trainable: false`` it uses the moving averages in training too.
    """

    word = "bn"
    keras_2_inputs = ("float", "int")
    call_arguments = BATCH_CALL
    has_statistics = True
    keras_2_resolves_axis = True
    former_arguments: ClassVar[FormerArguments] = {
        "fused": REMOVED,
        "running_mean": REMOVED,
        "virtual_batch_size": removed(None),
        "adjustment": removed(None),
        "mode": removed(0),  # 0: per-feature statistics, moving averages at inference
    }
    former_defaults: ClassVar[FormerDefaults] = {0: {"epsilon": 1e-6, "momentum": 0.9}}

    axis: Axis = -1
    momentum: Fraction = 0.99
    epsilon: NaturalFloat = 0.001
    center: Bool = True
    scale: Bool = True
    beta_initializer: Initializer = ZEROS
    gamma_initializer: Initializer = ONES
    moving_mean_initializer: Initializer = ZEROS
    moving_variance_initializer: Initializer = ONES
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    renorm: Bool = False
    renorm_clipping: Annotated[dict[str, float] | None, Nullable(RenormClipping())] = None
    renorm_momentum: Fraction = 0.99
    synchronized: Bool = False

    def output_shape(self, x: Shape, training: object = None, mask: Shape | None = None) -> Shape:
        sized_axes(self.axis, x)
        if mask is not None and len(mask) != len(x) - 1:
            raise ShapeError(
                f"a mask of {len(x) - 1} axes", f"shape {mask}", "leave the channel axis out"
            )
        limits = self.renorm_clipping or {}
        if self.renorm and limits.get("rmax", 1.0) < limits.get("rmin", limits.get("rmax", 1.0)):
            raise ShapeError(
                "rmax of at least rmin",
                f"rmax {limits['rmax']:g} and rmin {limits['rmin']:g}",
                field="renorm_clipping",
            )
        return x

    def weights(
        self, x: Shape, training: object = None, mask: Shape | None = None
    ) -> Iterator[Weight]:
        shape = sized_axes(self.axis, x)
        yield from self.affine(shape, scale=self.scale, center=self.center)
        mean, variance = self.moving_mean_initializer, self.moving_variance_initializer
        yield Weight("moving_mean", shape, mean, trainable=False)
        yield Weight("moving_variance", shape, variance, trainable=False)
        if self.renorm:
            deviation = square_root(variance)
            yield Weight("moving_stddev", shape, deviation, trainable=False)
            yield Weight("renorm_mean", shape, mean, trainable=False)
            yield Weight("renorm_stddev", shape, deviation, trainable=False)

    def output_mask(self, *masked: bool, **kwargs: Any) -> bool:
        return bool(masked[0]) or "mask" in kwargs


@layer
class LayerNormalization(Affine):
    """Normalizes each sample over ``axis``, by default the features of each position."""

    word = "norm"
    noun = "layer normalization"
    lists_axes = True
    sorts_axes = True
    keras_2_lacks = ("rms_scaling",)
    keras_2_resolves_axis = True
    call_arguments = INPUTS_ONLY
    casts_inputs = False

    axis: Axes = -1
    epsilon: NaturalFloat = 0.001
    center: Bool = True
    scale: Bool = True
    beta_initializer: Initializer = ZEROS
    gamma_initializer: Initializer = ONES
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    rms_scaling: Bool = False

    def output_shape(self, x: Shape) -> Shape:
        normal_axes(self.axis, x)
        return x

    def weights(self, x: Shape) -> Iterator[Weight]:
        scale, center = self.scale or self.rms_scaling, self.center and not self.rms_scaling
        if scale or center:
            yield from self.affine(sized_axes(self.axis, x), scale=scale, center=center)


@layer
class GroupNormalization(Affine):
    """Normalizes each sample over groups of channels."""

    keras_2_reads_masks = True
    call_arguments = INPUTS_ONLY
    casts_inputs = False

    groups: Annotated[int, Groups()] = 32
    axis: Axis = -1
    epsilon: NaturalFloat = 0.001
    center: Bool = True
    scale: Bool = True
    beta_initializer: Initializer = ZEROS
    gamma_initializer: Initializer = ONES
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None

    def output_shape(self, x: Shape) -> Shape:
        (channels,) = sized_axes(self.axis, x)
        if normal_axes(self.axis, x) == (0,):
            raise ShapeError("an axis after the batch", "axis 0", field="axis")
        if self.groups > 0 and channels % self.groups:
            fitting = largest_divisors(channels, 6)
            raise ShapeError(
                "groups that divide the channels",
                f"{self.groups} groups of {channels} channels",
                f"use one of {', '.join(map(str, fitting))}",
                field="groups",
            )
        return x

    def weights(self, x: Shape) -> Iterator[Weight]:
        yield from self.affine(sized_axes(self.axis, x), scale=self.scale, center=self.center)


@layer
class RMSNormalization(FloatLayer):
    """Divides by the root mean square over ``axis`` and multiplies by a learned scale."""

    lists_axes = True
    sorts_axes = True
    in_keras_2 = False
    call_arguments = (Argument("x"),)
    supports_masking = False

    axis: Axes = -1
    epsilon: NaturalFloat = 1e-6

    def output_shape(self, x: Shape) -> Shape:
        sizes = sized_axes(self.axis, x)
        # Keras multiplies by the scale along the last axes, even where it normalizes others.
        last = x[len(x) - len(sizes) :]
        if any(size not in (1, there) for size, there in zip(sizes, last, strict=True)):
            raise ShapeError(
                f"the last axes, since Keras applies the scale of shape {sizes} along them",
                f"axis {self.axis} of shape {x}",
                "normalize the last axes, or permute the input first",
                field="axis",
            )
        return x

    def weights(self, x: Shape) -> Iterator[Weight]:
        yield Weight("scale", sized_axes(self.axis, x), ONES)


@layer
class UnitNormalization(FloatLayer):
    """Scales each sample to Euclidean norm 1 over ``axis``."""

    built_at_creation = True
    call_arguments = INPUTS_ONLY

    axis: Axes = -1

    def output_shape(self, x: Shape) -> Shape:
        normal_axes(self.axis, x)
        return x
