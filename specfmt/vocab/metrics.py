"""Metrics of `keras.metrics`; `y` is the target, `p` the prediction.

The value of an epoch is computed over all its samples together.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from specfmt.fields.rules import Either, Integer, Nullable, Number, OneOf, Tuple
from specfmt.fields.types import (
    DTYPES,
    POLICIES,
    Axis,
    Bool,
    Float,
    Fraction,
    Literal,
    OptionalInt,
    OptionalPositiveInt,
    OptionalStr,
    PositiveFloat,
    PositiveInt,
    Str,
)
from specfmt.vocab.base import TermSpec

OptionalDType = Annotated[str | None, Nullable(OneOf(*DTYPES, *POLICIES))]
Thresholds = Annotated[
    float | tuple[float, ...] | None,
    Nullable(
        Either(
            Number(minimum=0, maximum=1),
            Tuple(Number(minimum=0, maximum=1), 1),
            expected="a number from 0 to 1 or a list of them",
        )
    ),
]
ThresholdList = Annotated[
    tuple[float, ...] | None, Nullable(Tuple(Number(minimum=0, maximum=1), 1))
]
Average = Literal["micro", "macro", "weighted"] | None
OptionalThreshold = Annotated[float | None, Nullable(Number(above=0, maximum=1))]
Curve = Literal["ROC", "PR", "PRGAIN", "roc", "pr", "prgain"]
Summation = Literal["interpolation", "minoring", "majoring"]
ClassIds = Annotated[tuple[int, ...], Tuple(Integer(0), 1)]
LabelWeights = Annotated[tuple[float, ...] | None, Nullable(Tuple(Number(), 1))]
ThresholdCount = Annotated[int, Integer(2)]


class MetricSpec(TermSpec):
    """Base of the metrics.

    Class attributes:
        takes: The form of the targets, as for losses: ``values``, ``classes`` or ``one_hot``.
        better: ``up`` or ``down``, the direction of an improvement; empty where Keras does
            not define one.
    """

    kind: ClassVar[str] = "metric"
    takes: ClassVar[str] = "values"
    better: ClassVar[str] = ""


class AccuracyByShape(MetricSpec):
    """Binary, sparse categorical or categorical accuracy, by the shapes of output and target."""

    better: ClassVar[str] = "up"


class Accuracy(MetricSpec):
    """How often `y == p`, where both are class indices."""

    better: ClassVar[str] = "up"

    name: Str = "accuracy"
    dtype: OptionalDType = None


class BinaryAccuracy(MetricSpec):
    """How often `p > threshold` equals y, which is 0 or 1."""

    better: ClassVar[str] = "up"

    name: Str = "binary_accuracy"
    dtype: OptionalDType = None
    threshold: Float = 0.5


class CategoricalAccuracy(MetricSpec):
    """How often `argmax(p) == argmax(y)` with one-hot y."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "one_hot"

    name: Str = "categorical_accuracy"
    dtype: OptionalDType = None


class SparseCategoricalAccuracy(MetricSpec):
    """How often `argmax(p) == y` with class indices y."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "classes"

    name: Str = "sparse_categorical_accuracy"
    dtype: OptionalDType = None


class TopKCategoricalAccuracy(MetricSpec):
    """How often the class of one-hot y is among the ``k`` largest elements of p."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "one_hot"

    k: PositiveInt = 5
    name: Str = "top_k_categorical_accuracy"
    dtype: OptionalDType = None


class SparseTopKCategoricalAccuracy(MetricSpec):
    """How often class index y is among the ``k`` largest elements of p, or with
    ``from_sorted_ids`` among the first ``k`` class indices in p."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "classes"

    k: PositiveInt = 5
    name: Str = "sparse_top_k_categorical_accuracy"
    dtype: OptionalDType = None
    from_sorted_ids: Bool = False


class AUC(MetricSpec):
    """The area under the ROC or precision-recall curve, approximated at ``num_thresholds``
    thresholds."""

    better: ClassVar[str] = "up"

    num_thresholds: ThresholdCount = 200
    curve: Curve = "ROC"
    summation_method: Summation = "interpolation"
    name: OptionalStr = None
    dtype: OptionalDType = None
    thresholds: ThresholdList = None
    multi_label: Bool = False
    num_labels: OptionalPositiveInt = None
    label_weights: LabelWeights = None
    from_logits: Bool = False


class Precision(MetricSpec):
    """True positives divided by predicted positives, which are those with `p > thresholds`."""

    better: ClassVar[str] = "up"

    thresholds: Thresholds = None
    top_k: OptionalPositiveInt = None
    class_id: OptionalInt = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class Recall(MetricSpec):
    """True positives divided by actual positives; those with `p > thresholds` are predicted
    positive."""

    better: ClassVar[str] = "up"

    thresholds: Thresholds = None
    top_k: OptionalPositiveInt = None
    class_id: OptionalInt = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class PrecisionAtRecall(MetricSpec):
    """The best precision at a threshold where the recall is at least ``recall``."""

    better: ClassVar[str] = "up"

    recall: Fraction
    num_thresholds: PositiveInt = 200
    class_id: OptionalInt = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class RecallAtPrecision(MetricSpec):
    """The best recall at a threshold where the precision is at least ``precision``."""

    better: ClassVar[str] = "up"

    precision: Fraction
    num_thresholds: PositiveInt = 200
    class_id: OptionalInt = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class SensitivityAtSpecificity(MetricSpec):
    """The best sensitivity (recall) at a threshold where the specificity is at least
    ``specificity``."""

    better: ClassVar[str] = "up"

    specificity: Fraction
    num_thresholds: PositiveInt = 200
    class_id: OptionalInt = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class SpecificityAtSensitivity(MetricSpec):
    """The best specificity at a threshold where the sensitivity (recall) is at least
    ``sensitivity``."""

    better: ClassVar[str] = "up"

    sensitivity: Fraction
    num_thresholds: PositiveInt = 200
    class_id: OptionalInt = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class TruePositives(MetricSpec):
    """The number of samples with `y = 1` and `p > thresholds`."""

    thresholds: Thresholds = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class TrueNegatives(MetricSpec):
    """The number of samples with `y = 0` and `p <= thresholds`."""

    thresholds: Thresholds = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class FalsePositives(MetricSpec):
    """The number of samples with `y = 0` and `p > thresholds`."""

    thresholds: Thresholds = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class FalseNegatives(MetricSpec):
    """The number of samples with `y = 1` and `p <= thresholds`."""

    thresholds: Thresholds = None
    name: OptionalStr = None
    dtype: OptionalDType = None


class FBetaScore(MetricSpec):
    """`(1 + beta^2) * precision * recall / (beta^2 * precision + recall)` for each class, or
    averaged; without ``threshold`` the largest element of p is the predicted class."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "one_hot"

    average: Average = None
    beta: PositiveFloat = 1.0
    threshold: OptionalThreshold = None
    name: Str = "fbeta_score"
    dtype: OptionalDType = None


class F1Score(MetricSpec):
    """`2 * precision * recall / (precision + recall)` for each class, or averaged; without
    ``threshold`` the largest element of p is the predicted class."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "one_hot"

    average: Average = None
    threshold: OptionalThreshold = None
    name: Str = "f1_score"
    dtype: OptionalDType = None


class IoU(MetricSpec):
    """Intersection over union of class indices, averaged over ``target_class_ids``."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "classes"

    num_classes: PositiveInt
    target_class_ids: ClassIds
    name: OptionalStr = None
    dtype: OptionalDType = None
    ignore_class: OptionalInt = None
    sparse_y_true: Bool = True
    sparse_y_pred: Bool = True
    axis: Axis = -1


class BinaryIoU(MetricSpec):
    """Intersection over union of y and `p >= threshold`, averaged over ``target_class_ids``."""

    better: ClassVar[str] = "up"

    target_class_ids: ClassIds = (0, 1)
    threshold: Float = 0.5
    name: OptionalStr = None
    dtype: OptionalDType = None


class MeanIoU(MetricSpec):
    """Intersection over union of class indices, averaged over all classes."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "classes"

    num_classes: PositiveInt
    name: OptionalStr = None
    dtype: OptionalDType = None
    ignore_class: OptionalInt = None
    sparse_y_true: Bool = True
    sparse_y_pred: Bool = True
    axis: Axis = -1


class OneHotIoU(MetricSpec):
    """Intersection over union of one-hot y and the largest elements of p, averaged over
    ``target_class_ids``."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "one_hot"

    num_classes: PositiveInt
    target_class_ids: ClassIds
    name: OptionalStr = None
    dtype: OptionalDType = None
    ignore_class: OptionalInt = None
    sparse_y_pred: Bool = False
    axis: Axis = -1


class OneHotMeanIoU(MetricSpec):
    """Intersection over union of one-hot y and the largest elements of p, averaged over all
    classes."""

    better: ClassVar[str] = "up"
    takes: ClassVar[str] = "one_hot"

    num_classes: PositiveInt
    name: OptionalStr = None
    dtype: OptionalDType = None
    ignore_class: OptionalInt = None
    sparse_y_pred: Bool = False
    axis: Axis = -1
