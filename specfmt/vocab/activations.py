"""Activation functions of `keras.activations`; their fields are the functions' arguments."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from specfmt.fields.rules import Number
from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Axis, Bool, Float, OptionalFloat, OptionalName, PositiveFloat
from specfmt.vocab.base import TermSpec

SLOPE: Final = 1 / 6
"""The slope of the hard sigmoid in Keras 3."""

NonNegative = Annotated[float, Number(minimum=0)]


class ActivationSpec(TermSpec):
    """Base of the activation functions, element-wise or over an axis."""

    kind: ClassVar[str] = "activation"


class LayerActivationSpec(ActivationSpec):
    """Base of the activation functions that a Keras layer without weights computes as well.

    ``layer`` is the name of that layer if Keras was given the layer instead of the function: the
    values are the same, but Keras's JSON and code differ.
    """

    extra_fields: ClassVar[tuple[str, ...]] = ("layer",)


class Linear(ActivationSpec):
    """`x`."""


class Relu(LayerActivationSpec):
    """`max(x, 0)`; in general `x` from ``threshold`` on, limited to ``max_value``, and
    `negative_slope * (x - threshold)` below."""

    former_arguments: ClassVar[FormerArguments] = {"alpha": "negative_slope"}

    negative_slope: Float = 0.0
    max_value: OptionalFloat = None
    threshold: Float = 0.0
    layer: OptionalName = None


class LeakyRelu(LayerActivationSpec):
    """`x` where `x >= 0`, else `negative_slope * x`."""

    former_arguments: ClassVar[FormerArguments] = {"alpha": "negative_slope"}

    negative_slope: Float = 0.2
    layer: OptionalName = None


class Relu6(ActivationSpec):
    """`min(max(x, 0), 6)`."""


class Elu(LayerActivationSpec):
    """`x` where `x > 0`, else `alpha * (exp(x) - 1)`."""

    alpha: Float = 1.0
    layer: OptionalName = None


class Celu(ActivationSpec):
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`."""

    alpha: Float = 1.0


class Selu(ActivationSpec):
    """`1.0507 * elu(x, alpha=1.6733)`; it preserves the mean and variance of its inputs."""


class Sigmoid(ActivationSpec):
    """`1 / (1 + exp(-x))`."""


class HardSigmoid(ActivationSpec):
    """`clip(slope * x + 0.5, 0, 1)`; Keras 3's slope is 1/6, Keras 2's was 0.2."""

    extra_fields: ClassVar[tuple[str, ...]] = ("slope",)

    slope: PositiveFloat = SLOPE


class LogSigmoid(ActivationSpec):
    """`-log(1 + exp(-x))`."""


class SparseSigmoid(ActivationSpec):
    """`clip((x + 1) / 2, 0, 1)`."""


class Tanh(ActivationSpec):
    """`tanh(x)`."""


class HardTanh(ActivationSpec):
    """`clip(x, -1, 1)`."""


class TanhShrink(ActivationSpec):
    """`x - tanh(x)`."""


class Silu(ActivationSpec):
    """`x * sigmoid(x)`, also called swish."""


class HardSilu(ActivationSpec):
    """`x * clip(x / 6 + 0.5, 0, 1)`, also called hard swish."""


class Gelu(ActivationSpec):
    """`x * P(X <= x)` for a standard normal X; ``approximate`` computes P by tanh."""

    approximate: Bool = False


class Mish(ActivationSpec):
    """`x * tanh(softplus(x))`."""


class Softplus(ActivationSpec):
    """`log(1 + exp(x))`."""


class Squareplus(ActivationSpec):
    """`(x + sqrt(x^2 + b)) / 2`."""

    b: Float = 4.0


class SparsePlus(ActivationSpec):
    """0 where `x <= -1`, `x` where `x >= 1`, else `(x + 1)^2 / 4`."""


class Softsign(ActivationSpec):
    """`x / (1 + |x|)`."""


class SoftShrink(ActivationSpec):
    """`x - threshold` where `x > threshold`, `x + threshold` where `x < -threshold`, else 0."""

    threshold: NonNegative = 0.5


class HardShrink(ActivationSpec):
    """`x` where `|x| > threshold`, else 0."""

    threshold: Float = 0.5


class Threshold(ActivationSpec):
    """`x` where `x > threshold`, else ``default_value``."""

    threshold: Float
    default_value: Float


class Exponential(ActivationSpec):
    """`exp(x)`."""


class Softmax(LayerActivationSpec):
    """`exp(x) / sum(exp(x))` over ``axis``."""

    axis: Axis = -1
    layer: OptionalName = None


class LogSoftmax(ActivationSpec):
    """`x - log(sum(exp(x)))` over ``axis``."""

    axis: Axis = -1


class Sparsemax(ActivationSpec):
    """`max(x - tau, 0)` over ``axis``, with tau such that the outputs sum to 1: a softmax with
    exact zeros."""

    axis: Axis = -1


class Glu(ActivationSpec):
    """`a * sigmoid(b)`, where ``a`` and ``b`` are the two halves of ``x`` along ``axis``."""

    axis: Axis = -1
