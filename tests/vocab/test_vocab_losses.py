"""PyTorch code of every loss against the real Keras loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.losses import LOSSES, LossCode, loss_code, trains_on_logits
from specfmt.vocab.by_shape import resolve
from specfmt.vocab.index import INDEX
from tests.tools.vocab_tools import close, fill, helper_space, keras_object, term, to_torch

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class LossCase:
    """A loss, the shape of predictions (with batch) and what they and the targets hold."""

    loss: Any
    shape: tuple[int, ...] = (7, 4)
    predictions: str = "normal"
    logits: str | None = None
    channels_first: bool = True
    kind: str | None = None

    def __str__(self) -> str:
        return f"{self.loss}-{self.shape}-{self.predictions}-{self.logits}-{self.kind}"


def with_reductions(loss: dict[str, Any], **options: Any) -> list[LossCase]:
    reductions = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight")
    return [LossCase({**loss, "reduction": reduction}, **options) for reduction in reductions]


IMAGE, SEQUENCE = (3, 4, 5, 6), (3, 5, 6)

CASES = [
    *with_reductions({"type": "MeanSquaredError"}),
    *(LossCase(name) for name in ("mae", "huber", "log_cosh", "mse", "cosine_similarity")),
    *(LossCase(name, IMAGE) for name in ("mse", "log_cosh", "cosine_similarity")),
    LossCase({"type": "Huber", "delta": 0.5}, SEQUENCE),
    LossCase({"type": "CosineSimilarity", "axis": 1}, SEQUENCE),
    LossCase({"type": "CosineSimilarity", "axis": 1}, IMAGE),
    LossCase("mse", (7, 1)),
    LossCase("mse", IMAGE, channels_first=False),
    *(LossCase(name, predictions="positive") for name in ("mape", "msle", "poisson")),
    LossCase("msle", IMAGE, "positive"),
    *(LossCase(name, predictions="softmax") for name in ("kld", "categorical_hinge")),
    LossCase("kld", SEQUENCE, "softmax"),
    LossCase("categorical_hinge", IMAGE, "softmax"),
    *(LossCase(name, shape) for name in ("hinge", "squared_hinge") for shape in ((7, 1), IMAGE)),
    # Binary cross-entropy, from probabilities, from logits, and trained on logits.
    *with_reductions({"type": "BinaryCrossentropy"}, predictions="sigmoid"),
    *with_reductions({"type": "BinaryCrossentropy", "from_logits": True}),
    LossCase({"type": "BinaryCrossentropy", "label_smoothing": 0.1}, predictions="sigmoid"),
    LossCase({"type": "BinaryCrossentropy", "label_smoothing": 0.1}, logits="Sigmoid"),
    LossCase("bce", (7, 1), "sigmoid", "Sigmoid"),
    LossCase("bce", IMAGE, "sigmoid", "Sigmoid"),
    LossCase({"type": "BinaryCrossentropy", "axis": 1}, IMAGE, "sigmoid"),
    LossCase("bce", predictions="extreme"),
    *(
        LossCase({"type": "BinaryFocalCrossentropy", **arguments}, shape, "sigmoid", logits)
        for arguments in (
            {},
            {"gamma": 3, "apply_class_balancing": True, "alpha": 0.3},
            {"label_smoothing": 0.2},
        )
        for shape in ((7, 4), IMAGE)
        for logits in (None, "Sigmoid")
    ),
    # Categorical cross-entropy.
    *with_reductions({"type": "CategoricalCrossentropy"}, predictions="softmax"),
    *with_reductions({"type": "CategoricalCrossentropy"}, predictions="softmax", logits="Softmax"),
    LossCase({"type": "CategoricalCrossentropy", "from_logits": True}),
    LossCase({"type": "CategoricalCrossentropy", "label_smoothing": 0.1}, logits="Softmax"),
    LossCase({"type": "CategoricalCrossentropy", "label_smoothing": 0.1}, predictions="softmax"),
    LossCase("categorical_crossentropy", predictions="positive"),
    LossCase("categorical_crossentropy", logits="Sigmoid"),
    *(
        LossCase("categorical_crossentropy", shape, "softmax", logits, channels_first)
        for shape in (SEQUENCE, IMAGE)
        for logits in (None, "Softmax")
        for channels_first in (True, False)
    ),
    *(
        LossCase(
            {"type": "CategoricalCrossentropy", "label_smoothing": smoothing},
            shape,
            "softmax",
            "Softmax",
            kind="classes",
        )
        for smoothing in (0.0, 0.1)
        for shape in ((7, 4), SEQUENCE, IMAGE)
    ),
    *(
        LossCase({"type": "CategoricalFocalCrossentropy", **arguments}, shape, "softmax", logits)
        for arguments in (
            {},
            {"gamma": 1.5, "alpha": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
            {"label_smoothing": 0.2},
        )
        for shape in ((7, 6), IMAGE)
        for logits in (None, "Softmax")
    ),
    LossCase({"type": "CategoricalFocalCrossentropy", "from_logits": True}, IMAGE),
    # Sparse categorical cross-entropy.
    *with_reductions({"type": "SparseCategoricalCrossentropy"}, logits="Softmax"),
    *(
        LossCase("sparse_categorical_crossentropy", shape, "softmax", logits)
        for shape in ((7, 4), SEQUENCE, IMAGE)
        for logits in (None, "Softmax")
    ),
    *(
        LossCase(
            {
                "type": "SparseCategoricalCrossentropy",
                "from_logits": True,
                "ignore_class": 2,
                "reduction": reduction,
            },
            shape,
        )
        for reduction in ("sum_over_batch_size", "sum")
        for shape in ((17, 4), SEQUENCE, IMAGE)
    ),
    *(
        LossCase({"type": "CategoricalGeneralizedCrossEntropy", "q": q}, (7, 4), "softmax")
        for q in (0.5, 0.7)
    ),
    LossCase("dice", predictions="sigmoid"),
    LossCase({"type": "Dice", "axis": [1, 2, 3]}, IMAGE, "sigmoid"),
    LossCase({"type": "Dice", "axis": -1}, IMAGE, "sigmoid"),
    LossCase({"type": "Dice", "axis": [1, 2]}, IMAGE, "sigmoid", channels_first=False),
    LossCase("tversky", predictions="sigmoid"),
    LossCase({"type": "Tversky", "alpha": 0.3, "beta": 0.6, "axis": [1, 2]}, IMAGE, "sigmoid"),
    *(
        LossCase({"type": "Circle", **arguments}, (9, 5), "unit")
        for arguments in (
            {},
            {"gamma": 4, "margin": 0.2},
            {"remove_diagonal": False, "gamma": 8},
            {"gamma": 8, "reduction": "sum"},
        )
    ),
    LossCase("ctc", (3, 12, 5)),
]


def predictions(case: LossCase, rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal(case.shape).astype("float32")
    if case.predictions == "sigmoid":
        return 1 / (1 + np.exp(-x))
    if case.predictions == "softmax":
        e = np.exp(2 * x)
        return (e / e.sum(-1, keepdims=True)).astype("float32")
    if case.predictions == "positive":
        return np.abs(x) + 0.01
    if case.predictions == "unit":
        return x / np.linalg.norm(x, axis=-1, keepdims=True)
    if case.predictions == "extreme":
        return (x > 0).astype("float32")
    return x


def targets(case: LossCase, code: LossCode, rng: np.random.Generator) -> np.ndarray:
    """What Keras gets as y_true."""
    kind, shape = code.target, case.shape
    name = term("loss", case.loss).type
    if name == "CTC":
        y = rng.integers(1, shape[-1], (shape[0], 4))
        y[0, 2:] = 0
        return y
    if kind == "classes" or name in ("CategoricalCrossentropy", "CategoricalHinge"):
        classes = 3 if name == "Circle" else shape[-1]
        return rng.integers(0, classes, shape[:-1])
    if kind == "one_hot":
        return rng.integers(0, shape[-1], shape[:-1])
    if name in ("BinaryCrossentropy", "BinaryFocalCrossentropy", "Dice", "Tversky", "Hinge"):
        return rng.integers(0, 2, shape).astype("float32")
    if name == "SquaredHinge":
        return rng.integers(0, 2, shape).astype("float32") * 2 - 1
    y = rng.standard_normal(shape).astype("float32")
    return np.abs(y) if case.predictions in ("positive", "softmax") else y


@pytest.mark.parametrize("case", CASES, ids=str)
def test_loss(case: LossCase) -> None:
    import keras
    import torch

    rng = np.random.default_rng(3)
    word = term("loss", case.loss)
    batch_free: Any = (None, *case.shape[1:])
    options: dict[str, Any] = {"from_logits_of": case.logits, "target_kind": case.kind}
    code = loss_code(word, output_shape=batch_free, channels_first=case.channels_first, **options)
    p, y = predictions(case, rng), targets(case, code, rng)
    theirs_y = y
    own = type(word.spec).targets
    if own == "one_hot":
        theirs_y = np.eye(case.shape[-1], dtype="float32")[y]
    ours_y = theirs_y if code.target == "one_hot" else y
    theirs_p = keras.ops.convert_to_tensor(p)
    if case.logits:
        logits = rng.standard_normal(case.shape).astype("float32")
        theirs_p = getattr(keras.activations, case.logits.lower())(
            keras.ops.convert_to_tensor(logits)
        )
        p = logits
    loss = keras_object(word)
    space = helper_space(code.helpers)
    space["prediction"] = to_torch(p, channels_first=case.channels_first).requires_grad_()
    moves = code.target != "classes" and case.channels_first
    space["target"] = to_torch(ours_y, channels_first=moves)
    assert str(space["target"].dtype) == code.target_dtype
    assert len(code.target_shape) == ours_y.ndim
    names = {"prediction": "prediction", "target": "target", "weight": "weight"}
    if code.create:
        space["loss_fn"] = eval(code.create, space)
    ours = eval(fill(code.call, **names), space)
    assert ours.shape == ()
    close(ours.item(), float(loss(theirs_y, theirs_p)))
    (gradient,) = torch.autograd.grad(ours, space["prediction"])
    assert gradient.isfinite().all()

    values = keras_object(term("loss", with_reduction(case.loss, "none")))(theirs_y, theirs_p)
    if values.shape == ():
        return
    weight = rng.uniform(0.1, 2.0, values.shape).astype("float32")
    axis = getattr(word.spec, "axis", -1)
    keeps_channels = axis != -1 and values.shape.rank == len(case.shape) - 1
    if keeps_channels and case.channels_first and len(case.shape) == 4:
        weight_here = np.ascontiguousarray(np.moveaxis(weight, -1, 1))
    else:
        weight_here = weight
    space["weight"] = torch.tensor(weight_here)
    if code.create_weighted:
        space["loss_fn"] = eval(code.create_weighted, space)
    ours = eval(fill(code.weighted_call, **names), space)
    close(ours.item(), float(loss(theirs_y, theirs_p, sample_weight=weight)))


def with_reduction(loss: Any, reduction: str) -> dict[str, Any]:
    name = INDEX["loss"][loss] if isinstance(loss, str) else loss["type"]
    rest = {} if isinstance(loss, str) else {k: v for k, v in loss.items() if k != "reduction"}
    return {**rest, "type": name, "reduction": reduction}


def test_every_loss_has_a_form_and_a_case() -> None:
    names = set(INDEX["loss"].values()) - {"CrossentropyByShape"}
    assert names == set(LOSSES)
    assert names == {term("loss", case.loss).type for case in CASES}


def test_idiomatic_forms() -> None:
    def form(value: Any, logits: Any = None, shape: Any = (None, 3), **options: Any) -> Any:
        code = loss_code(term("loss", value), from_logits_of=logits, output_shape=shape, **options)
        return code.create, code.call

    plain = "loss_fn({prediction}, {target})"
    assert form("mse") == ("nn.MSELoss()", plain)
    assert form("sparse_categorical_crossentropy", "Softmax") == ("nn.CrossEntropyLoss()", plain)
    assert form("categorical_crossentropy", "Softmax") == ("nn.CrossEntropyLoss()", plain)
    assert form("bce", "Sigmoid") == ("nn.BCEWithLogitsLoss()", plain)
    assert form("huber") == ("nn.HuberLoss()", plain)
    smooth = {"type": "CategoricalCrossentropy", "label_smoothing": 0.1}
    assert form(smooth, "Softmax")[0] == "nn.CrossEntropyLoss(label_smoothing=0.1)"
    sequence = form("sparse_categorical_crossentropy", "Softmax", (None, 5, 3))
    assert sequence[1] == "loss_fn({prediction}.transpose(1, 2), {target})"


def test_a_loss_without_reduction_is_refused() -> None:
    word = term("loss", {"type": "MeanSquaredError", "reduction": "none"})
    with pytest.raises(TargetError) as caught:
        loss_code(word, output_shape=(None, 3))
    assert caught.value.code == "SF304"


def test_a_final_softmax_or_sigmoid_is_left_out_where_keras_uses_its_inputs() -> None:
    softmax, sigmoid = (term("activation", name) for name in ("softmax", "sigmoid"))
    for loss in ("bce", "categorical_crossentropy", "sparse_categorical_crossentropy"):
        assert trains_on_logits(term("loss", loss), softmax)
        assert trains_on_logits(term("loss", loss), sigmoid)
    assert not trains_on_logits(term("loss", "mse"), sigmoid)
    assert not trains_on_logits(term("loss", "bce"), None)
    assert not trains_on_logits(term("loss", "bce"), term("activation", "relu"))
    assert not trains_on_logits(
        term("loss", "bce"), term("activation", {"type": "softmax", "axis": 1})
    )


@pytest.mark.parametrize(
    ("output", "target", "name"),
    [
        ((None, 1), (None,), "Binary"),
        ((None, 1), (None, 1), "Binary"),
        ((None, 5), (None,), "SparseCategorical"),
        ((None, 5), (None, 1), "SparseCategorical"),
        ((None, 5), (None, 5), "Categorical"),
        ((None, 4, 4, 3), (None, 4, 4), "SparseCategorical"),
        ((None, 4, 4, 1), (None, 4, 4, 1), "Binary"),
    ],
)
def test_crossentropy_and_accuracy_are_resolved_by_shape(
    output: Any, target: Any, name: str
) -> None:
    from keras.src.trainers.compile_utils import get_loss, get_metric

    shaped = [np.zeros([2 if s is None else s for s in shape]) for shape in (target, output)]
    loss = resolve(term("loss", "crossentropy"), output, target)
    assert loss.type == f"{name}Crossentropy"
    assert get_loss("crossentropy", *shaped).fn.__name__ == keras_object(loss).fn.__name__
    metric = resolve(term("metric", "acc"), output, target)
    assert metric.type == f"{name}Accuracy"
    assert (type(get_metric("acc", *shaped)).__name__, metric.name) == (metric.type, "acc")
