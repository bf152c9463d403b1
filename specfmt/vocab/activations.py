"""Activations by the names of `keras.activations`; fields are the functions' arguments."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from specfmt.fields.rules import Number
from specfmt.fields.spellings import FormerArguments
from specfmt.fields.types import Axis, Bool, Float, OptionalFloat, OptionalName, PositiveFloat
from specfmt.vocab.base import Word

SLOPE: Final = 1 / 6
"""Of the hard sigmoid in Keras 3."""

NonNegative = Annotated[float, Number(minimum=0)]


class ActivationWord(Word):
    """An element-wise function, or one over an axis."""

    kind: ClassVar[str] = "activation"


class LayerActivationWord(ActivationWord):
    """A function that a layer without weights stands for as well.

    ``layer`` is the name of that layer where Keras was given it and not the function: its JSON
    and its code say which, what is computed is the same.
    """

    extra_fields: ClassVar[tuple[str, ...]] = ("layer",)


class Linear(ActivationWord):
    """`x`."""


class Relu(LayerActivationWord):
    """`max(x, 0)`; with a slope below ``threshold`` and a ceiling where given."""

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
    """`1.0507 * elu(x, alpha=1.6733)`: keeps mean and variance of its inputs."""


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
    """`x * P(X <= x)` for a standard normal X; ``approximate`` writes P with tanh."""

    approximate: Bool = False


class Mish(ActivationWord):
    """`x * tanh(softplus(x))`."""


class Softplus(ActivationWord):
    """`log(1 + exp(x))`."""


class Squareplus(ActivationWord):
    """`(x + sqrt(x^2 + b)) / 2`."""

    b: Float = 4.0


class SparsePlus(ActivationWord):
    """0 up to -1, `(x + 1)^2 / 4` between -1 and 1, `x` from there on."""


class Softsign(ActivationWord):
    """`x / (1 + |x|)`."""


class SoftShrink(ActivationWord):
    """`x` moved towards 0 by ``threshold``, 0 within it."""

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
    """`max(x - tau, 0)` over ``axis``, a softmax with exact zeros."""

    axis: Axis = -1


class Glu(ActivationWord):
    """`a * sigmoid(b)` where `x` is split into `a` and `b` along ``axis``, which it halves."""

    axis: Axis = -1
