"""PyTorch code of every metric against the real Keras metric, over several batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.metrics import METRICS, metric_code
from specfmt.vocab.index import INDEX
from tests.tools.vocab_tools import close, helper_space, keras_object, term, to_torch

pytestmark = pytest.mark.slow

BATCHES = (7, 7, 3)


@dataclass(frozen=True)
class MetricCase:
    """A metric, the shape of predictions (without batch) and what predictions and targets hold."""

    metric: Any
    shape: tuple[int, ...] = (4,)
    predictions: str = "normal"
    targets: str = "normal"
    held: str = ""
    channels_first: bool = True
    logits: str | None = None
    # Keras takes plain sample weights only where values have no axes but the batch.
    weighted: bool = True

    def __str__(self) -> str:
        return (
            f"{self.metric}-{self.shape}-{self.predictions}-{self.targets}-{self.held}"
            f"-{self.logits}"
        )


IMAGE, SEQUENCE = (4, 5, 6), (5, 6)


def words(kind: str, *items: Any, **options: Any) -> list[MetricCase]:
    cases = []
    for item in items:
        metric = {"type": kind, **item} if isinstance(item, dict) else item
        cases.append(MetricCase(metric, **options))
    return cases


BINARY: dict[str, Any] = {"predictions": "sigmoid", "targets": "binary"}
PROBABLE: dict[str, Any] = {"predictions": "softmax", "targets": "one_hot"}
SPARSE: dict[str, Any] = {"predictions": "softmax", "targets": "classes"}

COUNTS = (
    "Precision",
    "Recall",
    "TruePositives",
    "TrueNegatives",
    "FalsePositives",
    "FalseNegatives",
)

CASES = [
    MetricCase("Accuracy", (3,), "classes", "classes_full"),
    *words("BinaryAccuracy", {}, {"threshold": 0.3}, **BINARY),
    MetricCase("binary_accuracy", (1,), **BINARY),
    MetricCase("binary_accuracy", (1,), held="flat", **BINARY),
    MetricCase("binary_accuracy", IMAGE, weighted=False, **BINARY),
    *(
        MetricCase("categorical_accuracy", s, weighted=s == (4,), **PROBABLE)
        for s in ((4,), SEQUENCE, IMAGE)
    ),
    *(
        MetricCase("categorical_accuracy", s, held="classes", weighted=s == (4,), **PROBABLE)
        for s in ((4,), SEQUENCE, IMAGE)
    ),
    *(
        MetricCase("sparse_categorical_accuracy", s, weighted=s == (4,), **SPARSE)
        for s in ((4,), SEQUENCE, IMAGE)
    ),
    MetricCase("sparse_categorical_accuracy", (4,), held="column", **SPARSE),
    *(MetricCase({"type": "TopKCategoricalAccuracy", "k": k}, (6,), **PROBABLE) for k in (1, 3, 6)),
    *(
        MetricCase(
            {"type": "SparseTopKCategoricalAccuracy", "k": 2}, s, weighted=s == (6,), **SPARSE
        )
        for s in ((6,), SEQUENCE, IMAGE)
    ),
    MetricCase(
        {"type": "SparseTopKCategoricalAccuracy", "k": 2, "from_sorted_ids": True},
        (6,),
        "classes",
        "classes",
    ),
    *words(
        "AUC",
        {},
        {"num_thresholds": 31},
        {"curve": "PR"},
        {"curve": "PRGAIN"},
        {"summation_method": "minoring"},
        {"summation_method": "majoring", "curve": "PR"},
        {"thresholds": [0.9, 0.1, 0.4]},
        {"label_weights": [1, 2, 0.5, 0]},
        **BINARY,
    ),
    *words(
        "AUC",
        {"multi_label": True},
        {"multi_label": True, "curve": "PR", "num_labels": 4},
        {"multi_label": True, "label_weights": [1, 2, 0.5, 0]},
        weighted=False,
        **BINARY,
    ),
    MetricCase("AUC", (1,), **BINARY),
    *(MetricCase(name, (1,), **BINARY) for name in COUNTS),
    *(MetricCase({"type": name, "thresholds": [0.8, 0.2, 0.5]}, **BINARY) for name in COUNTS),
    *(
        MetricCase({"type": name, **arguments}, **BINARY)
        for name in ("Precision", "Recall")
        for arguments in (
            {"top_k": 2},
            {"class_id": 1},
            {"top_k": 3, "class_id": 2, "thresholds": 0.4},
        )
    ),
    *words("PrecisionAtRecall", {"recall": 0.5}, {"recall": 1, "num_thresholds": 1}, **BINARY),
    *words("RecallAtPrecision", {"precision": 0.4}, {"precision": 1.0, "class_id": 2}, **BINARY),
    *words("SensitivityAtSpecificity", {"specificity": 0.5, "num_thresholds": 11}, **BINARY),
    *words("SpecificityAtSensitivity", {"sensitivity": 0.7}, **BINARY),
    *words(
        "F1Score",
        {},
        {"average": "micro"},
        {"average": "macro"},
        {"average": "weighted"},
        {"threshold": 0.3},
        **PROBABLE,
    ),
    MetricCase({"type": "F1Score", "average": "macro"}, held="classes", **PROBABLE),
    *words(
        "FBetaScore", {"beta": 2.0, "average": "macro"}, {"beta": 0.5, "threshold": 0.4}, **BINARY
    ),
    *words(
        "IoU",
        {"num_classes": 4, "target_class_ids": [0, 2]},
        {"num_classes": 4, "target_class_ids": [1], "ignore_class": 0},
        predictions="classes",
        targets="classes",
        shape=(),
        weighted=False,
    ),
    MetricCase(
        {"type": "MeanIoU", "num_classes": 4, "sparse_y_pred": False}, weighted=False, **SPARSE
    ),
    MetricCase(
        {"type": "MeanIoU", "num_classes": 6, "sparse_y_pred": False},
        IMAGE,
        weighted=False,
        **SPARSE,
    ),
    MetricCase(
        {"type": "OneHotIoU", "num_classes": 4, "target_class_ids": [0, 3]},
        weighted=False,
        **PROBABLE,
    ),
    MetricCase({"type": "OneHotMeanIoU", "num_classes": 6}, IMAGE, weighted=False, **PROBABLE),
    *words("BinaryIoU", {}, {"threshold": 0.3, "target_class_ids": [1]}, weighted=False, **BINARY),
    *(
        MetricCase(name)
        for name in (
            "mse",
            "mae",
            "RootMeanSquaredError",
            "LogCoshError",
            "cosine_similarity",
            "pearson_correlation",
            "concordance_correlation",
        )
    ),
    *(
        MetricCase(name, IMAGE, weighted=False)
        for name in ("mse", "LogCoshError", "cosine_similarity", "pearson_correlation")
    ),
    *(
        MetricCase({"type": name, "axis": 1}, SEQUENCE, weighted=False)
        for name in ("CosineSimilarity", "ConcordanceCorrelation")
    ),
    MetricCase("mse", (1,), held="flat"),
    *(
        MetricCase(name, predictions="positive", targets="positive")
        for name in ("mape", "msle", "poisson")
    ),
    MetricCase("kl_divergence", predictions="softmax", targets="positive"),
    *(MetricCase(name, targets="binary") for name in ("hinge", "squared_hinge")),
    MetricCase("categorical_hinge", **PROBABLE),
    MetricCase("categorical_hinge", held="classes", **PROBABLE),
    *words(
        "R2Score",
        {},
        {"class_aggregation": None},
        {"class_aggregation": "variance_weighted_average"},
        {"num_regressors": 2},
    ),
    *words("BinaryCrossentropy", {}, {"label_smoothing": 0.1}, **BINARY),
    MetricCase({"type": "BinaryCrossentropy", "from_logits": True}, targets="binary"),
    MetricCase(
        {"type": "BinaryCrossentropy", "label_smoothing": 0.2},
        IMAGE,
        targets="binary",
        logits="Sigmoid",
        weighted=False,
    ),
    *words("CategoricalCrossentropy", {}, {"label_smoothing": 0.1}, **PROBABLE),
    *(
        MetricCase(
            {"type": "CategoricalCrossentropy", "label_smoothing": 0.1},
            s,
            targets="one_hot",
            logits="Softmax",
            weighted=s == (4,),
            held=held,
        )
        for s in ((4,), SEQUENCE, IMAGE)
        for held in ("", "classes")
    ),
    *(
        MetricCase(
            "sparse_categorical_crossentropy", s, weighted=s == (4,), logits=logits, **SPARSE
        )
        for s in ((4,), SEQUENCE, IMAGE)
        for logits in (None, "Softmax")
    ),
    MetricCase(
        {"type": "SparseCategoricalCrossentropy", "from_logits": True, "ignore_class": 2},
        targets="classes",
        weighted=False,
    ),
]


def numbers(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal(shape).astype("float32")
    if kind == "sigmoid":
        return (1 / (1 + np.exp(-x))).astype("float32")
    if kind == "softmax":
        e = np.exp(2 * x)
        return (e / e.sum(-1, keepdims=True)).astype("float32")
    if kind == "positive":
        return np.abs(x) + np.float32(0.01)
    if kind == "binary":
        return (x > 0.3).astype("float32")
    if kind == "classes":
        return rng.integers(0, 4 if len(shape) < 2 else shape[-1], shape)
    return x


@pytest.mark.parametrize(
    ("case", "weighted"),
    [(case, weighted) for case in CASES for weighted in (False, True)[: 1 + case.weighted]],
    ids=str,
)
def test_metric(case: MetricCase, weighted: bool) -> None:
    import keras

    rng = np.random.default_rng(5)
    word = term("metric", case.metric)
    held_shape: tuple[int | None, ...] = (None, *case.shape)
    if (case.targets in ("one_hot", "classes") and case.held != "") or case.targets == "classes":
        held_shape = (None, *case.shape[:-1])
    if case.held == "column":
        held_shape = (*held_shape, 1)
    if case.held == "flat":
        held_shape = (None,)
    code = metric_code(
        word,
        output_shape=(None, *case.shape),
        target_shape=held_shape,
        channels_first=case.channels_first,
        from_logits_of=case.logits,
    )
    theirs, space = keras_object(word), helper_space(code.helpers)
    ours = eval(code.create, space)
    for size in BATCHES:
        shape = (size, *case.shape)
        p = numbers(case.predictions, shape, rng)
        theirs_p = keras.ops.convert_to_tensor(p)
        if case.logits:
            p = numbers("normal", shape, rng)
            activation = getattr(keras.activations, case.logits.lower())
            theirs_p = activation(keras.ops.convert_to_tensor(p))
        if case.targets in ("one_hot", "classes"):
            y = rng.integers(0, shape[-1] if case.shape else 4, shape[:-1] if case.shape else shape)
        elif case.targets == "classes_full":
            y = rng.integers(0, 3, shape)
        else:
            y = numbers(case.targets, shape, rng)
        theirs_y = np.eye(shape[-1], dtype="float32")[y] if case.targets == "one_hot" else y
        held = theirs_y if case.targets == "one_hot" and not case.held else y
        if case.held in ("flat", "column"):
            held = y.reshape(-1) if case.held == "flat" else y[..., None]
            theirs_y = held
        weight = rng.uniform(0.2, 2, size).astype("float32") if weighted else None
        theirs.update_state(theirs_y, theirs_p, sample_weight=weight)
        like_output = held.ndim == p.ndim
        ours.update(
            to_torch(p),
            to_torch(held) if like_output else to_torch(held, channels_first=False),
            None if weight is None else to_torch(weight),
        )
    close(ours.result(), np.array(theirs.result()))
    ours.reset()
    first = keras_object(word)
    first.update_state(theirs_y, theirs_p, sample_weight=weight)
    ours.update(
        to_torch(p),
        to_torch(held) if like_output else to_torch(held, channels_first=False),
        None if weight is None else to_torch(weight),
    )
    close(ours.result(), np.array(first.result()))


def test_every_metric_has_a_form_and_a_case() -> None:
    names = set(INDEX["metric"].values()) - {"AccuracyByShape"}
    assert names == set(METRICS)
    assert names == {term("metric", case.metric).type for case in CASES}


def test_what_has_no_form_is_refused() -> None:
    for metric, shape in (
        ({"type": "AUC", "from_logits": True}, (None, 1)),
        ("F1Score", (None, 4, 5, 3)),
        ({"type": "Precision", "top_k": 2}, (None, 4, 5, 3)),
    ):
        with pytest.raises(TargetError) as caught:
            metric_code(term("metric", metric), output_shape=shape, target_shape=shape)
        assert caught.value.code == "SF304"


def test_directions_are_those_of_keras() -> None:
    for case in CASES:
        word = term("metric", case.metric)
        direction = getattr(keras_object(word), "_direction", None) or ""
        assert type(word.spec).better == direction, word.type
