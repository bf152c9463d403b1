"""Metrics of `keras.metrics` that are the mean of an error or a similarity over samples."""

from __future__ import annotations

from typing import ClassVar

from specfmt.fields.types import Axis, Bool, Fraction, Literal, NaturalInt, OptionalInt, Str
from specfmt.vocab.metrics import MetricSpec, OptionalDType

Aggregation = Literal["uniform_average", "variance_weighted_average"] | None


class MeanSquaredError(MetricSpec):
    """`mean((y - p)^2)`."""

    better: ClassVar[str] = "down"

    name: Str = "mean_squared_error"
    dtype: OptionalDType = None


class RootMeanSquaredError(MetricSpec):
    """`sqrt(mean((y - p)^2))`."""

    better: ClassVar[str] = "down"

    name: Str = "root_mean_squared_error"
    dtype: OptionalDType = None


class MeanAbsoluteError(MetricSpec):
    """`mean(|y - p|)`."""

    better: ClassVar[str] = "down"

    name: Str = "mean_absolute_error"
    dtype: OptionalDType = None


class MeanAbsolutePercentageError(MetricSpec):
    """`100 * mean(|y - p| / max(|y|, 1e-7))`."""

    better: ClassVar[str] = "down"

    name: Str = "mean_absolute_percentage_error"
    dtype: OptionalDType = None


class MeanSquaredLogarithmicError(MetricSpec):
    """`mean((log(1 + y) - log(1 + p))^2)`."""

    better: ClassVar[str] = "down"

    name: Str = "mean_squared_logarithmic_error"
    dtype: OptionalDType = None


class CosineSimilarity(MetricSpec):
    """`cos(y, p)` along ``axis``."""

    better: ClassVar[str] = "up"

    name: Str = "cosine_similarity"
    dtype: OptionalDType = None
    axis: Axis = -1


class LogCoshError(MetricSpec):
    """`mean(log(cosh(p - y)))`."""

    better: ClassVar[str] = "down"

    name: Str = "logcosh"
    dtype: OptionalDType = None


class R2Score(MetricSpec):
    """`1 - sum((y - p)^2) / sum((y - mean(y))^2)`, adjusted for ``num_regressors`` if it is not
    0."""

    better: ClassVar[str] = "up"

    class_aggregation: Aggregation = "uniform_average"
    num_regressors: NaturalInt = 0
    name: Str = "r2_score"
    dtype: OptionalDType = None


class PearsonCorrelation(MetricSpec):
    """The Pearson correlation of y and p along ``axis``."""

    better: ClassVar[str] = "up"

    name: Str = "pearson_correlation"
    dtype: OptionalDType = None
    axis: Axis = -1


class ConcordanceCorrelation(MetricSpec):
    """Lin's concordance correlation of y and p along ``axis``, as Keras computes it."""

    better: ClassVar[str] = "up"

    name: Str = "concordance_correlation"
    dtype: OptionalDType = None
    axis: Axis = -1


class KLDivergence(MetricSpec):
    """`sum(y log(y / p))`."""

    better: ClassVar[str] = "down"

    name: Str = "kl_divergence"
    dtype: OptionalDType = None


class Poisson(MetricSpec):
    """`mean(p - y log(p))`."""

    better: ClassVar[str] = "down"

    name: Str = "poisson"
    dtype: OptionalDType = None


class BinaryCrossentropy(MetricSpec):
    """`mean(-y log(p) - (1 - y) log(1 - p))`."""

    better: ClassVar[str] = "down"

    name: Str = "binary_crossentropy"
    dtype: OptionalDType = None
    from_logits: Bool = False
    label_smoothing: Fraction = 0.0


class CategoricalCrossentropy(MetricSpec):
    """`-sum(y log(p))` with one-hot y."""

    better: ClassVar[str] = "down"
    takes: ClassVar[str] = "one_hot"

    name: Str = "categorical_crossentropy"
    dtype: OptionalDType = None
    from_logits: Bool = False
    label_smoothing: Fraction = 0.0
    axis: Axis = -1


class SparseCategoricalCrossentropy(MetricSpec):
    """`-log(p[y])` with class indices y."""

    better: ClassVar[str] = "down"
    takes: ClassVar[str] = "classes"

    name: Str = "sparse_categorical_crossentropy"
    dtype: OptionalDType = None
    from_logits: Bool = False
    ignore_class: OptionalInt = None
    axis: Axis = -1


class Hinge(MetricSpec):
    """`mean(max(1 - y p, 0))` with y of -1 and 1 (0 counts as -1)."""

    better: ClassVar[str] = "down"

    name: Str = "hinge"
    dtype: OptionalDType = None


class SquaredHinge(MetricSpec):
    """`mean(max(1 - y p, 0)^2)` with y of -1 and 1 (0 counts as -1)."""

    better: ClassVar[str] = "down"

    name: Str = "squared_hinge"
    dtype: OptionalDType = None


class CategoricalHinge(MetricSpec):
    """`max(max((1 - y) p) - sum(y p) + 1, 0)` with one-hot y."""

    better: ClassVar[str] = "down"
    takes: ClassVar[str] = "one_hot"

    name: Str = "categorical_hinge"
    dtype: OptionalDType = None
