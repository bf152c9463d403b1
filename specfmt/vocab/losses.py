"""Losses of `keras.losses`; `y` is the target, `p` the prediction."""

from __future__ import annotations

from typing import Annotated, ClassVar

from specfmt.fields.rules import Either, Nullable, Number, OneOf, Tuple
from specfmt.fields.types import (
    DTYPES,
    POLICIES,
    Axes,
    Axis,
    Bool,
    Float,
    Fraction,
    Literal,
    NaturalFloat,
    OptionalInt,
    Str,
)
from specfmt.vocab.base import TermSpec

Reduction = Literal["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"] | None
OptionalDType = Annotated[str | None, Nullable(OneOf(*DTYPES, *POLICIES))]
OptionalAxes = Annotated[int | tuple[int, ...] | None, Nullable(Axes.__metadata__[0])]
ClassWeights = Annotated[
    float | tuple[float, ...],
    Either(Number(), Tuple(Number(), 1), expected="a number or a list with one for each class"),
]


class LossSpec(TermSpec):
    """Base of the losses.

    Class attributes:
        on_logits: The activation that the loss applies itself with ``from_logits``:
            ``Softmax``, ``Sigmoid`` or empty.
        targets: The form of the targets: ``values`` (of the output's shape), ``classes``
            (integer class indices), or ``one_hot``.
    """

    kind: ClassVar[str] = "loss"
    on_logits: ClassVar[str] = ""
    targets: ClassVar[str] = "values"


class MeanSquaredError(LossSpec):
    """`mean((y - p)^2)`."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "mean_squared_error"
    dtype: OptionalDType = None


class MeanAbsoluteError(LossSpec):
    """`mean(|y - p|)`."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "mean_absolute_error"
    dtype: OptionalDType = None


class MeanAbsolutePercentageError(LossSpec):
    """`100 * mean(|y - p| / max(|y|, 1e-7))`."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "mean_absolute_percentage_error"
    dtype: OptionalDType = None


class MeanSquaredLogarithmicError(LossSpec):
    """`mean((log(1 + y) - log(1 + p))^2)`, with y and p clipped to at least 1e-7."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "mean_squared_logarithmic_error"
    dtype: OptionalDType = None


class Huber(LossSpec):
    """The mean of `(y - p)^2 / 2` where `|y - p| <= delta`, else `delta * (|y - p| - delta /
    2)`."""

    delta: Float = 1.0
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "huber_loss"
    dtype: OptionalDType = None


class LogCosh(LossSpec):
    """`mean(log(cosh(p - y)))`."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "log_cosh"
    dtype: OptionalDType = None


class CosineSimilarity(LossSpec):
    """`-cos(y, p)` along ``axis``."""

    axis: Axis = -1
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "cosine_similarity"
    dtype: OptionalDType = None


class BinaryCrossentropy(LossSpec):
    """`mean(-y log(p) - (1 - y) log(1 - p))`; ``label_smoothing`` moves y towards 1/2."""

    on_logits: ClassVar[str] = "Sigmoid"

    from_logits: Bool = False
    label_smoothing: Fraction = 0.0
    axis: Axis = -1
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "binary_crossentropy"
    dtype: OptionalDType = None


class BinaryFocalCrossentropy(LossSpec):
    """Binary cross-entropy times `(1 - q)^gamma`, where q is the probability that p gives to the
    true class; ``apply_class_balancing`` weights the classes by ``alpha`` and `1 - alpha`."""

    on_logits: ClassVar[str] = "Sigmoid"

    apply_class_balancing: Bool = False
    alpha: Float = 0.25
    gamma: Float = 2.0
    from_logits: Bool = False
    label_smoothing: Fraction = 0.0
    axis: Axis = -1
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "binary_focal_crossentropy"
    dtype: OptionalDType = None


class CategoricalCrossentropy(LossSpec):
    """`-sum(y log(p))` with one-hot y; ``label_smoothing`` moves y towards the uniform
    distribution."""

    on_logits: ClassVar[str] = "Softmax"
    targets: ClassVar[str] = "one_hot"

    from_logits: Bool = False
    label_smoothing: Fraction = 0.0
    axis: Axis = -1
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "categorical_crossentropy"
    dtype: OptionalDType = None


class CategoricalFocalCrossentropy(LossSpec):
    """`-sum(alpha (1 - p)^gamma y log(p))` with one-hot y."""

    on_logits: ClassVar[str] = "Softmax"
    targets: ClassVar[str] = "one_hot"

    alpha: ClassWeights = 0.25
    gamma: Float = 2.0
    from_logits: Bool = False
    label_smoothing: Fraction = 0.0
    axis: Axis = -1
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "categorical_focal_crossentropy"
    dtype: OptionalDType = None


class SparseCategoricalCrossentropy(LossSpec):
    """`-log(p[y])` with class indices y; samples of the class ``ignore_class`` do not count."""

    on_logits: ClassVar[str] = "Softmax"
    targets: ClassVar[str] = "classes"

    from_logits: Bool = False
    ignore_class: OptionalInt = None
    reduction: Reduction = "sum_over_batch_size"
    axis: Axis = -1
    name: Str = "sparse_categorical_crossentropy"
    dtype: OptionalDType = None


class CrossentropyByShape(LossSpec):
    """Binary, sparse categorical or categorical cross-entropy, by the shapes of output and
    target."""


class CategoricalGeneralizedCrossEntropy(LossSpec):
    """`(1 - p[y]^q) / q` with class indices y: between absolute error and cross-entropy."""

    targets: ClassVar[str] = "classes"

    q: Annotated[float, Number(above=0, below=1)] = 0.5
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "categorical_generalized_cross_entropy"
    dtype: OptionalDType = None


class KLDivergence(LossSpec):
    """`sum(y log(y / p))`, with y and p clipped to the range from 1e-7 to 1."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "kl_divergence"
    dtype: OptionalDType = None


class Poisson(LossSpec):
    """`mean(p - y log(p))`."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "poisson"
    dtype: OptionalDType = None


class Hinge(LossSpec):
    """`mean(max(1 - y p, 0))` with y of -1 and 1 (0 counts as -1)."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "hinge"
    dtype: OptionalDType = None


class SquaredHinge(LossSpec):
    """`mean(max(1 - y p, 0)^2)` with y of -1 and 1 (0 counts as -1)."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "squared_hinge"
    dtype: OptionalDType = None


class CategoricalHinge(LossSpec):
    """`max(max((1 - y) p) - sum(y p) + 1, 0)` with one-hot y."""

    targets: ClassVar[str] = "one_hot"

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "categorical_hinge"
    dtype: OptionalDType = None


class Dice(LossSpec):
    """`1 - 2 sum(y p) / (sum(y) + sum(p))` over ``axis``, by default over all axes."""

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "dice"
    axis: OptionalAxes = None
    dtype: OptionalDType = None


class Tversky(LossSpec):
    """`1 - TP / (TP + alpha FP + beta FN)` over ``axis``, with soft counts such as `TP = sum(y
    p)`."""

    alpha: NaturalFloat = 0.5
    beta: NaturalFloat = 0.5
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "tversky"
    axis: OptionalAxes = None
    dtype: OptionalDType = None


class Circle(LossSpec):
    """Circle loss over all pairs in a batch of normalized embeddings, with class indices y."""

    targets: ClassVar[str] = "classes"

    gamma: Float = 80.0
    margin: Float = 0.4
    remove_diagonal: Bool = True
    reduction: Reduction = "sum_over_batch_size"
    name: Str = "circle"
    dtype: OptionalDType = None


class CTC(LossSpec):
    """Connectionist temporal classification; class 0 of the logits (N, T, C) is the blank."""

    targets: ClassVar[str] = "classes"

    reduction: Reduction = "sum_over_batch_size"
    name: Str = "ctc"
    dtype: OptionalDType = None
