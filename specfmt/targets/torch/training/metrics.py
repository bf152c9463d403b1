"""Keras metrics as small objects of a PyTorch script: ``update`` for each batch, then ``result``.

Accumulation and averaging are Keras's (keras/src/metrics).  Metrics that are means over samples
share the helper `Mean` with a function of predictions ``p`` and targets ``y``; the others have
separate helper classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from specfmt.layers.base import Shape
from specfmt.targets.source import literal, number, string
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.scores import (
    MetricRequest,
    Registry,
    changed_arguments,
    smoothed,
    torch_dim,
)
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM, Term


@dataclass(frozen=True)
class MetricCode:
    """A metric in a training script.

    Attributes:
        create: The expression that creates the metric: an object with
            ``update(prediction, target, weight=None)``, where ``weight`` is (N,); with
            ``result()``, a float (or a list of floats, one per class or threshold, if Keras
            returns several); and with ``reset()``.
        helpers: The helper functions and classes in ``create``.
        on_logits: Whether ``update`` takes the input of the final activation instead of its
            output.
        better: ``up`` if larger values are better, ``down`` if smaller ones are, or empty.
        hits: If the metric is an accuracy, an expression over predictions ``p`` and targets
            ``y`` with one bool per sample: whether it is correct.
    """

    create: str
    helpers: tuple[str, ...] = ()
    on_logits: bool = False
    better: str = ""
    hits: str = ""

    def counted(self, prediction: str, target: str) -> str:
        """The number of correct samples in a batch, as an expression."""
        names = {"p": prediction, "y": target}
        right = re.sub(r"\b[py]\b", lambda match: names[match[0]], self.hits)
        return f"({right}).sum().item()"

    @property
    def by_rank(self) -> bool:
        """Whether ``hits`` is the same before and after a softmax."""
        return self.hits.startswith("p.argmax(")


def metric_code(
    term: Term,
    *,
    output_shape: Shape,
    target_shape: Shape,
    channels_first: bool = True,
    from_logits_of: str | None = None,
) -> MetricCode:
    """The code of one metric of one output.

    Args:
        term: The metric; ``AccuracyByShape`` must have been resolved (`vocab.by_shape`).
        output_shape: The output's shape in Keras's axis order, batch first.
        target_shape: The shape of the targets in the script.  If the class axis has as many
            elements as the output's, they are one-hot (or values), else class numbers.
        channels_first: Whether outputs of rank 4 and 5, and targets of the same shape, are
            channels-first.
        from_logits_of: The final activation that the model leaves out while it trains;
            cross-entropies are then computed from logits, as in Keras.

    Raises:
        TargetError: PyTorch code cannot express this metric (SF304).
    """
    if term.type == CUSTOM:
        return MetricCode(f"Mean({python_name(term)})", ("Mean",))
    if term.type not in METRICS:
        raise TargetError(
            f"the metric {term.name} has no PyTorch form",
            "use a metric of Keras 3, or generate the Keras target",
            code="SF304",
        )
    spec = term.spec
    rank = len(output_shape)
    axis = getattr(spec, "axis", -1) % rank
    dim = torch_dim(axis, rank, channels_first=channels_first)
    same_rank = len(target_shape) == rank
    size = output_shape[axis]
    one_hot = same_rank and (target_shape[axis] == size != 1)
    crossentropy = term.type.endswith("Crossentropy")
    logits = bool(getattr(spec, "from_logits", False)) or (
        crossentropy and from_logits_of is not None
    )
    request = MetricRequest(spec, output_shape, target_shape, dim, one_hot, logits, channels_first)
    create, helpers = METRICS[term.type](request)
    on_logits = crossentropy and from_logits_of is not None
    counts = term.type in COUNTS and rank == 2 and (size == 1 or term.type != "BinaryAccuracy")
    hits = create.removeprefix(MEAN_OF)[:-1] if counts else ""
    return MetricCode(create, helpers, on_logits, type(spec).better, hits)


Made = tuple[str, tuple[str, ...]]
Maker = Callable[[MetricRequest], Made]

METRICS: Registry[Maker] = Registry()

MEAN_OF = "Mean(lambda p, y: "
"""How the code of metrics begins that are the mean of a lambda."""

COUNTS = ("BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy")
"""Accuracies of outputs of shape (N, classes) or (N, 1): each sample is correct or not."""


def _mean(expression: str, *helpers: str) -> Made:
    return f"{MEAN_OF}{expression})", ("Mean", *helpers)


def _function(name: str, r: MetricRequest, target: str = "") -> Made:
    """The mean of a helper function over predictions and targets."""
    target = target or r.values
    if target == "y" and not r.dim_argument:
        return f"Mean({name})", ("Mean", name)
    return _mean(f"{name}(p, {target}{r.dim_argument})", name)


# -- accuracies --------------------------------------------------------------------------------


@METRICS("Accuracy")
def _accuracy(r: MetricRequest) -> Made:
    return _mean(f"p == {r.values}")


@METRICS("BinaryAccuracy")
def _binary_accuracy(r: MetricRequest) -> Made:
    return _mean(f"(p > {number(r.spec.threshold)}) == {r.values}")


@METRICS("CategoricalAccuracy", "SparseCategoricalAccuracy")
def _categorical_accuracy(r: MetricRequest) -> Made:
    return _mean(f"p.argmax(dim={r.dim}) == {r.classes}")


@METRICS("TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy")
def _top_k(r: MetricRequest) -> Made:
    if getattr(r.spec, "from_sorted_ids", False):
        if r.dim != -1:
            raise TargetError(
                "expected classes on the last axis for from_sorted_ids, received another axis",
                code="SF304",
            )
        return _mean(f"(p[..., :{r.spec.k}] == {r.classes}.unsqueeze(-1)).any(dim=-1)")
    return _mean(
        f"in_top_k(p, {r.classes}.long(), {r.spec.k}{r.dim_argument})".replace("y.long()", "y"),
        "in_top_k",
    )


# -- counts and curves -------------------------------------------------------------------------


def _call(name: str, *positional: str, **values: tuple[Any, Any]) -> str:
    """A constructor call with those arguments ``name=(value, default)`` that are not defaults."""
    return f"{name}({', '.join((*positional, *changed_arguments(**values)))})"


def _check_matrix(r: MetricRequest, what: str) -> None:
    if r.channels_first and len(r.output) in (4, 5):
        raise TargetError(
            f"{what} for an output of {len(r.output)} axes has no PyTorch form",
            "flatten the output, or generate the Keras target",
            code="SF304",
        )


@METRICS(
    "Precision", "Recall", "TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"
)
def _counts(r: MetricRequest) -> Made:
    spec = r.spec
    top_k, class_id = getattr(spec, "top_k", None), getattr(spec, "class_id", None)
    if top_k is not None or class_id is not None:
        _check_matrix(r, "top_k or class_id")
    thresholds: Any = spec.thresholds
    if thresholds is None:
        thresholds = 0.5 if top_k is None else -1e10
    thresholds = thresholds if isinstance(thresholds, tuple) else (thresholds,)
    name = type(spec).__name__
    create = _call(
        name,
        thresholds=(list(thresholds), [0.5]),
        top_k=(top_k, None),
        class_id=(class_id, None),
    )
    return create, (name,)


BEST_AT = {
    "PrecisionAtRecall": ("precision", "recall"),
    "RecallAtPrecision": ("recall", "precision"),
    "SensitivityAtSpecificity": ("recall", "specificity"),
    "SpecificityAtSensitivity": ("specificity", "recall"),
}
"""Metric -> the rate that it returns and the rate that it bounds."""


@METRICS(*BEST_AT)
def _best_at(r: MetricRequest) -> Made:
    name = type(r.spec).__name__
    rate, other = BEST_AT[name]
    field = next(iter(type(r.spec).model_fields))
    if r.spec.class_id is not None:
        _check_matrix(r, "class_id")
    create = _call(
        "BestAt",
        string(rate),
        string(other),
        number(getattr(r.spec, field)),
        num_thresholds=(r.spec.num_thresholds, 200),
        class_id=(r.spec.class_id, None),
    )
    return create, ("BestAt",)


@METRICS("AUC")
def _auc(r: MetricRequest) -> Made:
    spec = r.spec
    if spec.from_logits:
        raise TargetError(
            "an AUC of logits has no PyTorch form", "add a sigmoid to the output", code="SF304"
        )
    plain = spec.curve.upper() == "ROC" and spec.summation_method == "interpolation"
    if plain and spec.thresholds is None and not spec.multi_label and spec.label_weights is None:
        return _call("RocAuc", num_thresholds=(spec.num_thresholds, 200)), ("RocAuc",)
    labels = None
    if spec.multi_label or spec.label_weights is not None:
        _check_matrix(r, "an AUC per label")
    if spec.multi_label:
        labels = spec.num_labels or r.output[-1]
    if spec.thresholds is None:
        last = spec.num_thresholds - 1
        points = f"[i / {last} for i in range(1, {last})]"
    else:
        points = literal(list(spec.thresholds))
    weights = None if spec.label_weights is None else list(spec.label_weights)
    create = _call(
        "AreaUnderCurve",
        points,
        curve=(spec.curve.upper(), "ROC"),
        method=(spec.summation_method, "interpolation"),
        labels=(labels, None),
        label_weights=(weights, None),
    )
    return create, ("AreaUnderCurve",)


@METRICS("F1Score", "FBetaScore")
def _f_beta(r: MetricRequest) -> Made:
    if len(r.output) != 2:
        raise TargetError(
            f"expected outputs of shape (N, classes) for an F score, received {len(r.output)} axes",
            code="SF304",
        )
    create = _call(
        "FBetaScore",
        average=(r.spec.average, None),
        beta=(getattr(r.spec, "beta", 1.0), 1.0),
        threshold=(r.spec.threshold, None),
    )
    return _converted(create, "FBetaScore", "p", r.as_one_hot)


def _converted(create: str, name: str, p: str, y: str) -> Made:
    """A metric whose predictions or targets are converted first."""
    if (p, y) in (("p", "y"), ("p", "y.view_as(p)")):
        return create, (name,)
    return f"Converted({create}, lambda p, y: ({p}, {y}))", ("Converted", name)


@METRICS("IoU", "BinaryIoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU")
def _iou(r: MetricRequest) -> Made:
    spec = r.spec
    size = getattr(spec, "num_classes", 2)
    ids = getattr(spec, "target_class_ids", None)
    every = ids is None or (len(ids) == size and all(a == b for a, b in enumerate(ids)))
    given = None if every else list(ids or ())
    create = _call(
        "IntersectionOverUnion",
        str(size),
        class_ids=(given, None),
        ignore_class=(getattr(spec, "ignore_class", None), None),
    )
    if type(spec).__name__ == "BinaryIoU":
        return _converted(create, "IntersectionOverUnion", f"p >= {number(spec.threshold)}", "y")
    p = "p" if spec.sparse_y_pred else f"p.argmax(dim={r.dim})"
    y = f"y.argmax(dim={r.dim})" if not getattr(spec, "sparse_y_true", False) and r.one_hot else "y"
    return _converted(create, "IntersectionOverUnion", p, y)


# -- means of errors ---------------------------------------------------------------------------


@METRICS("MeanSquaredError")
def _mse(r: MetricRequest) -> Made:
    return _mean(f"(p - {r.values}).square()")


@METRICS("RootMeanSquaredError")
def _rmse(r: MetricRequest) -> Made:
    return f"RootMean(lambda p, y: (p - {r.values}).square())", ("RootMean",)


@METRICS("MeanAbsoluteError")
def _mae(r: MetricRequest) -> Made:
    return _mean(f"(p - {r.values}).abs()")


@METRICS("CosineSimilarity")
def _cosine(r: MetricRequest) -> Made:
    return _mean(f"F.cosine_similarity(p, {r.values}, dim={r.dim}, eps=1e-7)")


@METRICS("Poisson")
def _poisson(r: MetricRequest) -> Made:
    return _mean(f"p - {r.values} * (p + 1e-7).log()")


@METRICS("Hinge", "SquaredHinge")
def _hinge(r: MetricRequest) -> Made:
    square = ".square()" if type(r.spec).__name__ == "SquaredHinge" else ""
    return _mean(f"hinge_margin(p, {r.values}){square}", "hinge_margin")


@METRICS("R2Score")
def _r2(r: MetricRequest) -> Made:
    create = _call(
        "R2Score",
        average=(r.spec.class_aggregation, "uniform_average"),
        num_regressors=(r.spec.num_regressors, 0),
    )
    return create, ("R2Score",)


FUNCTIONS = {
    "MeanAbsolutePercentageError": "mean_absolute_percentage_error",
    "MeanSquaredLogarithmicError": "mean_squared_logarithmic_error",
    "LogCoshError": "log_cosh",
    "KLDivergence": "kl_divergence",
    "PearsonCorrelation": "pearson_correlation",
    "ConcordanceCorrelation": "concordance_correlation",
}


@METRICS(*FUNCTIONS)
def _by_function(r: MetricRequest) -> Made:
    return _function(FUNCTIONS[type(r.spec).__name__], r)


@METRICS("CategoricalHinge")
def _categorical_hinge(r: MetricRequest) -> Made:
    return _function("categorical_hinge", r, r.as_one_hot)


# -- cross-entropies ---------------------------------------------------------------------------


@METRICS("BinaryCrossentropy")
def _bce(r: MetricRequest) -> Made:
    y = smoothed(r.values, r.spec.label_smoothing, 2)
    if r.logits:
        return _mean(f'F.binary_cross_entropy_with_logits(p, {y}, reduction="none")')
    return _mean(f'F.binary_cross_entropy(p.clamp(1e-7, 1 - 1e-7), {y}, reduction="none")')


@METRICS("CategoricalCrossentropy")
def _categorical_crossentropy(r: MetricRequest) -> Made:
    smoothing = r.spec.label_smoothing
    if r.logits:
        extra = f", label_smoothing={number(smoothing)}" if smoothing else ""
        return _crossentropy(r, "p", extra, one_hot=r.one_hot)
    y = smoothed(r.as_one_hot, smoothing, r.output[-1] or 1)
    return _function("probability_crossentropy", r, y)


@METRICS("SparseCategoricalCrossentropy")
def _sparse_crossentropy(r: MetricRequest) -> Made:
    ignored = r.spec.ignore_class
    extra = "" if ignored is None else f", ignore_index={ignored}"
    p = "p" if r.logits else "p.clamp(1e-7, 1 - 1e-7).log()"
    return _crossentropy(r, p, extra, one_hot=False)


def _crossentropy(r: MetricRequest, p: str, extra: str, *, one_hot: bool) -> Made:
    """`F.cross_entropy`, which takes the classes on axis 1."""
    y = "y" if one_hot else r.classes
    if r.dim != 1 and len(r.output) > 2:
        p += ".movedim(-1, 1)"
        y += ".movedim(-1, 1)" if one_hot else ""
    return _mean(f'F.cross_entropy({p}, {y}{extra}, reduction="none")')
