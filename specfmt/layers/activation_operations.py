"""Activation functions of `keras.ops`; each class has the name of Keras's operation class."""

from __future__ import annotations

from specfmt.fields.types import Axis, Bool, Float
from specfmt.layers.base import Shape, ShapeError
from specfmt.layers.op import Operand
from specfmt.layers.operations import Unary
from specfmt.layers.reductions import OptionalAxes, check_axis, reduced_axes
from specfmt.layers.registry import operation
from specfmt.layers.size_rules import divides


@operation("relu", "nn")
class Relu(Unary):
    """`max(x, 0)`."""


@operation("relu6", "nn")
class Relu6(Unary):
    """`min(max(x, 0), 6)`."""


@operation("sigmoid", "nn")
class Sigmoid(Unary):
    """`1 / (1 + exp(-x))`."""


class OverAxes(Unary):
    """Base of the activation functions that are computed over one axis or several."""

    axis: OptionalAxes = -1

    def output_shape(self, x: Operand) -> Shape:
        reduced_axes(self.axis, len(x))
        return tuple(x)


@operation("softmax", "nn")
class Softmax(OverAxes):
    """`exp(x) / sum(exp(x))` over ``axis``."""


@operation("log_softmax", "nn")
class LogSoftmax(OverAxes):
    """`x - log(sum(exp(x)))` over ``axis``."""


@operation("gelu", "nn")
class Gelu(Unary):
    """`x * P(X <= x)` for a standard normal X; ``approximate`` computes P by tanh."""

    approximate: Bool = True


@operation("silu", "nn")
class Silu(Unary):
    """`x * sigmoid(x)`, also called swish."""


@operation("elu", "nn")
class Elu(Unary):
    """`x` where `x > 0`, else `alpha * (exp(x) - 1)`."""

    alpha: Float = 1.0


@operation("selu", "nn")
class Selu(Unary):
    """`1.0507 * elu(x, alpha=1.6733)`."""


@operation("celu", "nn")
class Celu(Unary):
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)`."""

    alpha: Float = 1.0


@operation("leaky_relu", "nn")
class LeakyRelu(Unary):
    """`x` where `x >= 0`, else `negative_slope * x`."""

    negative_slope: Float = 0.2


@operation("hard_sigmoid", "nn")
class HardSigmoid(Unary):
    """`clip(x / 6 + 0.5, 0, 1)`."""


@operation("hard_silu", "nn")
class HardSilu(Unary):
    """`x * clip(x / 6 + 0.5, 0, 1)`, also called hard swish."""


@operation("hard_tanh", "nn")
class HardTanh(Unary):
    """`clip(x, -1, 1)`."""


@operation("log_sigmoid", "nn")
class LogSigmoid(Unary):
    """`-log(1 + exp(-x))`."""


@operation("softplus", "nn")
class Softplus(Unary):
    """`log(1 + exp(x))`."""


@operation("softsign", "nn")
class Softsign(Unary):
    """`x / (1 + |x|)`."""


@operation("soft_shrink", "nn")
class SoftShrink(Unary):
    """`x - threshold` where `x > threshold`, `x + threshold` where `x < -threshold`, else 0."""

    threshold: Float = 0.5


@operation("hard_shrink", "nn")
class HardShrink(Unary):
    """`x` where `|x| > threshold`, else 0."""

    threshold: Float = 0.5


@operation("tanh_shrink", "nn")
class TanhShrink(Unary):
    """`x - tanh(x)`."""


@operation("glu", "nn")
class Glu(Unary):
    """`a * sigmoid(b)`, where ``a`` and ``b`` are the two halves of ``x`` along ``axis``."""

    axis: Axis = -1

    def output_shape(self, x: Operand) -> Shape:
        axis = check_axis(self.axis, len(x))
        size = x[axis]
        if size is not None and not divides(2, size):
            raise ShapeError(f"an even size of axis {axis}", str(size), field="axis")
        half = None if size is None else size // 2
        return (*x[:axis], half, *x[axis + 1 :])


@operation("sparsemax", "nn")
class Sparsemax(OverAxes):
    """The projection onto the probability simplex along ``axis``: a softmax with exact zeros."""

    axis: Axis = -1


@operation("sparse_plus", "nn")
class SparsePlus(Unary):
    """0 where `x <= -1`, `x` where `x >= 1`, else `(x + 1)**2 / 4`."""


@operation("sparse_sigmoid", "nn")
class SparseSigmoid(Unary):
    """`clip((x + 1) / 2, 0, 1)`."""


@operation("squareplus", "nn")
class Squareplus(Unary):
    """`(x + sqrt(x**2 + b)) / 2`."""

    b: Float = 4.0


@operation("threshold", "nn")
class Threshold(Unary):
    """`x` where `x > threshold`, else ``default_value``."""

    threshold: Float
    default_value: Float
