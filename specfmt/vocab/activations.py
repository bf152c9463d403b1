"""Activation functions of `keras.activations`; their fields are the functions' arguments."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from specfmt.fields.rules import Number
from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Axis, Bool, Float, OptionalFloat, OptionalName, PositiveFloat
from specfmt.vocab.base import Word

SLOPE: Final = 1 / 6
"""The slope of the hard sigmoid in Keras 3."""

NonNegative = Annotated[float, Number(minimum=0)]


class ActivationWord(Word):
    """Base of the activation functions, element-wise or over an axis."""

    kind: ClassVar[str] = "activation"


class LayerActivationWord(ActivationWord):
    """Base of the activation functions that a Keras layer without weights computes as well.

    ``layer`` is the name of that layer if Keras was given the layer instead of the function: the
    values are the same, but Keras's JSON and code differ.
    """

    extra_fields: ClassVar[tuple[str, ...]] = ("layer",)


class Linear(ActivationWord):
    """`x`."""


class Relu(LayerActivationWord):
    """`max(x, 0)`; in general `x` from ``threshold`` on, limited to ``max_value``, and
    `negative_slope * (x - threshold)` below."""

    former_arguments: ClassVar[FormerArguments] = {"alpha": "negative_slope"}

    negative_slope: Float = 0.0
    max_value: OptionalFloat = None
    threshold: Float = 0.0
    layer: OptionalName = None


class LeakyRelu(LayerActivationWord):
    """`x` where `x >= 0`, else `negative_slope * x`."""

    former_arguments: ClassVar[FormerArguments] = {"alpha": "negative_slope"}

    negative_slope: Float = 0.2
    layer: OptionalName = None


class Relu6(ActivationWord):
    """`min(max(x, 0), 6)`."""


class Elu(LayerActivationWord):
    """`x` where `x > 0`, else `alpha * (exp(x) - 1)`."""

    alpha: Float = 1.0
    layer: OptionalName = None


class Celu(ActivationWord):
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`."""

    alpha: Float = 1.0


class Selu(ActivationWord):
    """`1.0507 * elu(x, alpha=1.6733)`; it preserves the mean and variance of its inputs."""


class Sigmoid(ActivationWord):
    """`1 / (1 + exp(-x))`."""


class HardSigmoid(ActivationWord):
    """`clip(slope * x + 0.5, 0, 1)`; Keras 3's slope is 1/6, Keras 2's was 0.2."""

    extra_fields: ClassVar[tuple[str, ...]] = ("slope",)

    slope: PositiveFloat = SLOPE


class LogSigmoid(ActivationWord):
    """`-log(1 + exp(-x))`."""


class SparseSigmoid(ActivationWord):
    """`clip((x + 1) / 2, 0, 1)`."""


class Tanh(ActivationWord):
    """`tanh(x)`."""


class HardTanh(ActivationWord):
    """`clip(x, -1, 1)`."""


class TanhShrink(ActivationWord):
    """`x - tanh(x)`."""


class Silu(ActivationWord):
    """`x * sigmoid(x)`, also called swish."""


class HardSilu(ActivationWord):
    """`x * clip(x / 6 + 0.5, 0, 1)`, also called hard swish."""


class Gelu(ActivationWord):
    """`x * P(X <= x)` for a standard normal X; ``approximate`` computes P by tanh."""

    approximate: Bool = False


class Mish(ActivationWord):
    """`x * tanh(softplus(x))`."""


class Softplus(ActivationWord):
    """`log(1 + exp(x))`."""


class Squareplus(ActivationWord):
    """`(x + sqrt(x^2 + b)) / 2`."""

    b: Float = 4.0


class SparsePlus(ActivationWord):
    """0 where `x <= -1`, `x` where `x >= 1`, else `(x + 1)^2 / 4`."""


class Softsign(ActivationWord):
    """`x / (1 + |x|)`."""


class SoftShrink(ActivationWord):
    """`x - threshold` where `x > threshold`, `x + threshold` where `x < -threshold`, else 0."""

    threshold: NonNegative = 0.5


class HardShrink(ActivationWord):
    """`x` where `|x| > threshold`, else 0."""

    threshold: Float = 0.5


class Threshold(ActivationWord):
    """`x` where `x > threshold`, else ``default_value``."""

    threshold: Float
    default_value: Float


class Exponential(ActivationWord):
    """`exp(x)`."""


class Softmax(LayerActivationWord):
    """`exp(x) / sum(exp(x))` over ``axis``."""

    axis: Axis = -1
    layer: OptionalName = None


class LogSoftmax(ActivationWord):
    """`x - log(sum(exp(x)))` over ``axis``."""

    axis: Axis = -1


class Sparsemax(ActivationWord):
    """`max(x - tau, 0)` over ``axis``, with tau such that the outputs sum to 1: a softmax with
    exact zeros."""

    axis: Axis = -1


class Glu(ActivationWord):
    """`a * sigmoid(b)`, where ``a`` and ``b`` are the two halves of ``x`` along ``axis``."""

    axis: Axis = -1
