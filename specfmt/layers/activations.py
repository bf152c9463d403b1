"""Activation layers: element-wise functions, and softmax over axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from specfmt.fields.rules import Either, Integer, Nullable, Number, Tuple
from specfmt.fields.spellings import FormerArguments, Replacement, removed
from specfmt.fields.types import Axes, Axis, Float, NaturalFloat
from specfmt.layers.base import Argument, FloatLayer, Layer, Shape, ShapeError, Weight
from specfmt.layers.registry import build_layer, layer
from specfmt.layers.size_rules import broadcasts
from specfmt.layers.sizes import layer_weight
from specfmt.vocab.base import Term
from specfmt.vocab.fields import ZEROS, Constraint, Initializer, Regularizer

INPUTS_ONLY = (Argument("inputs"),)

OptionalNaturalFloat = Annotated[float | None, Nullable(Number(minimum=0))]
SharedAxes = Annotated[
    int | tuple[int, ...] | None,
    Nullable(Either(Integer(), Tuple(Integer()), expected="an axis or a list of axes")),
]

DEFAULT_SLOPE: Final = 0.3


def as_axes(axis: Axes) -> tuple[Axis, ...]:
    """One axis or several, as a tuple."""
    return (axis,) if isinstance(axis, int) else axis


@layer
class ReLU(FloatLayer):
    """`max(x, 0)`; in general `x` from ``threshold`` on, limited to ``max_value``, and
    `negative_slope * (x - threshold)` below."""

    activation_function = "relu"
    built_at_creation = True
    positionwise = True
    call_arguments = INPUTS_ONLY
    former_arguments: ClassVar[FormerArguments] = {"alpha": "negative_slope", "theta": "threshold"}

    max_value: OptionalNaturalFloat = None
    negative_slope: NaturalFloat = 0.0
    threshold: NaturalFloat = 0.0


@layer
class LeakyReLU(FloatLayer):
    """`x` where `x >= 0`, else `negative_slope * x`."""

    activation_function = "leaky_relu"
    built_at_creation = True
    positionwise = True
    call_arguments = INPUTS_ONLY
    former_arguments: ClassVar[FormerArguments] = {
        "alpha": Replacement("negative_slope", keras_2=True)
    }

    negative_slope: NaturalFloat = DEFAULT_SLOPE


@layer
class PReLU(FloatLayer):
    """`x` where `x > 0`, else `alpha * x` with a learned alpha, shared along ``shared_axes``."""

    word = "prelu"
    noun = "prelu"
    call_arguments = INPUTS_ONLY
    former_arguments: ClassVar[FormerArguments] = {"init": "alpha_initializer"}

    alpha_initializer: Initializer = ZEROS
    alpha_regularizer: Regularizer = None
    alpha_constraint: Constraint = None
    shared_axes: SharedAxes = None

    def alpha_shape(self, x: Shape) -> Shape:
        """The shape of ``alpha``: the input's without the batch axis, 1 along ``shared_axes``.

        Keras counts axes from 1 and sets ``shape[axis - 1]``, so -1 is the second-to-last axis.

        Raises:
            ShapeError: An axis that the input does not have.
        """
        shape = list(x[1:])
        for number in as_axes(self.shared_axes) if self.shared_axes is not None else ():
            if not -len(shape) <= number - 1 < len(shape):
                raise ShapeError(
                    f"shared axes from 1 to {len(shape)}",
                    str(number),
                    "axis 0 is the batch",
                    field="shared_axes",
                )
            shape[number - 1] = 1
        return tuple(shape)

    def output_shape(self, x: Shape) -> Shape:
        alpha = self.alpha_shape(x)
        if None in alpha:
            number = alpha.index(None) + 1
            raise ShapeError(
                f"a known size of axis {number}, along which alpha has several elements",
                f"shape {x}",
                f"give the size, or add {number} to `shared_axes`",
                field="shared_axes",
            )
        return x

    def weights(self, x: Shape) -> Iterator[Weight]:
        yield layer_weight(self, "alpha", tuple(size or 0 for size in self.alpha_shape(x)))


@layer
class ELU(FloatLayer):
    """`x` where `x > 0`, else `alpha * (exp(x) - 1)`."""

    activation_function = "elu"
    built_at_creation = True
    positionwise = True
    call_arguments = INPUTS_ONLY

    alpha: Float = 1.0


@layer
class Softmax(FloatLayer):
    """`exp(x) / sum(exp(x))` over ``axis``; masked elements become 0."""

    activation_function = "softmax"
    built_at_creation = True
    call_arguments = (Argument("inputs"), Argument("mask", required=False))
    former_arguments: ClassVar[FormerArguments] = {"robust_masking": removed(False)}

    axis: Axes = -1

    def output_shape(self, x: Shape, mask: Shape | None = None) -> Shape:
        for number in as_axes(self.axis):
            if not -len(x) <= number < len(x):
                raise ShapeError(
                    f"an axis from {-len(x)} to {len(x) - 1}", str(number), field="axis"
                )
        if mask is not None and not _broadcasts(mask, x):
            raise ShapeError(
                f"a mask that broadcasts to {x}",
                f"a mask of shape {mask}",
                "each of its axes, aligned at the last, must have size 1 or the input's size",
            )
        return x

    def output_mask(self, *masked: bool, **kwargs: bool) -> bool:
        """A mask argument becomes the output's mask, as in Keras's `Layer.__call__`."""
        return "mask" in kwargs or bool(masked and masked[0])


ACTIVATION_LAYERS: Final[dict[str, type[Layer]]] = {
    cls.activation_function: cls for cls in (ReLU, LeakyReLU, ELU, Softmax)
}
"""Activation function -> the layer that computes it, which Keras accepts in its place."""


def activation_layer(term: Term) -> Layer:
    """The layer that was given as an activation, without its name."""
    fields = {name: getattr(term.spec, name) for name in type(term.spec).model_fields}
    del fields["layer"]
    return build_layer({"type": ACTIVATION_LAYERS[term.name].type_name, **fields})


def _broadcasts(mask: Shape, x: Shape) -> bool:
    return len(mask) <= len(x) and all(
        broadcasts(m, n) for m, n in zip(reversed(mask), reversed(x), strict=False)
    )
