"""Training scripts: the PyTorch loop against Keras's fit, and what scripts leave behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training_tools import (
    chain,
    dense,
    train_both,
)

RNG = np.random.default_rng(11)
X = RNG.normal(size=(42, 5)).round(3).tolist()
Y = RNG.normal(size=(42, 2)).round(3).tolist()
CLASSES = RNG.integers(0, 3, 42).tolist()
WEIGHTS = RNG.uniform(0.2, 3, 42).round(2).tolist()
SPARSE = "sparse_categorical_crossentropy"


def train(y: Any, loss: Any, optimizer: Any = "sgd", **rest: Any) -> dict[str, Any]:
    """A train section over inline data, without shuffling."""
    data = {"source": "inline", "x": X, "y": y, **rest.pop("data", {})}
    return {
        "data": data,
        "loss": loss,
        "optimizer": optimizer,
        "epochs": 4,
        "batch_size": 8,
        "shuffle": False,
        "run_eagerly": True,  # as fast as compiling so little
        **rest,
    }


def classifier(*layers: dict[str, Any], **rest: Any) -> dict[str, Any]:
    layers = layers or (dense(7, "tanh"),)
    loss = rest.pop("loss", SPARSE)
    section = train(rest.pop("y", CLASSES), loss, metrics=["accuracy"], **rest)
    return {**chain([5], *layers, dense(3, "softmax")), "train": section}


def regressor(*layers: dict[str, Any], **rest: Any) -> dict[str, Any]:
    layers = layers or (dense(7, "tanh"), dense(2))
    loss = rest.pop("loss", "mse")
    return {**chain([5], *layers), "train": train(Y, loss, metrics=["mae"], **rest)}


SCHEDULE = {
    "type": "SGD",
    "momentum": 0.9,
    "learning_rate": {
        "type": "ExponentialDecay",
        "initial_learning_rate": 0.05,
        "decay_steps": 7,
        "decay_rate": 0.5,
    },
}
TWO = {
    "specfmt": 1,
    "name": "case",
    "inputs": {"x": {"shape": [5]}},
    "layers": [
        dense(7, "tanh", name="trunk"),
        dense(3, "softmax", name="kind", inputs="trunk"),
        dense(2, name="size", inputs="trunk"),
    ],
}


def two(outputs: Any, names: tuple[str, str] = ("kind", "size"), **rest: Any) -> dict[str, Any]:
    """Two outputs."""
    kind, size = names
    section = train({kind: CLASSES, size: Y}, {kind: SPARSE, size: "mse"}, **rest)
    return {**TWO, "outputs": outputs, "train": section}


PARITY: dict[str, dict[str, Any]] = {
    "class_weight": classifier(class_weight={"0": 0.5, "2": 3.0}, validation_split=0.25),
    "class_weight_one_hot": classifier(
        loss="categorical_crossentropy",
        data={"one_hot": True},
        class_weight={"1": 4.0},
        weighted_metrics=["accuracy"],
    ),
    "class_weight_binary": {
        **chain([5], dense(1, "sigmoid")),
        "train": train(
            [int(c > 0) for c in CLASSES],
            "binary_crossentropy",
            metrics=["accuracy", "auc"],
            class_weight={"1": 2.5},
        ),
    },
    "sample_weight": regressor(
        data={"sample_weight": WEIGHTS}, validation_split=0.3, weighted_metrics=["mse"]
    ),
    "sample_weight_first": regressor(data={"sample_weight": WEIGHTS, "validation_first": 9}),
    "batch_norm": regressor(
        dense(6), {"type": "BatchNormalization", "momentum": 0.8}, dense(2), validation_split=0.25
    ),
    "l2": regressor(
        dense(6, "relu", kernel_regularizer={"type": "L2", "l2": 0.1}, bias_regularizer="l1"),
        dense(2),
        validation_split=0.2,
    ),
    "constraint": regressor(
        dense(6, "tanh", kernel_constraint={"type": "MaxNorm", "max_value": 0.5}),
        dense(2, kernel_constraint="non_neg"),
    ),
    "clipnorm": regressor(optimizer={"type": "SGD", "learning_rate": 0.2, "clipnorm": 0.1}),
    "global_clipnorm": regressor(
        optimizer={"type": "Adam", "learning_rate": 0.02, "global_clipnorm": 0.05}
    ),
    "clipvalue": regressor(optimizer={"type": "SGD", "learning_rate": 0.2, "clipvalue": 0.02}),
    "schedule": classifier(optimizer=SCHEDULE),
    "accumulation": regressor(
        optimizer={"type": "Adam", "learning_rate": 0.05, "gradient_accumulation_steps": 4}
    ),
    "ema": regressor(
        optimizer={
            "type": "SGD",
            "learning_rate": 0.1,
            "use_ema": True,
            "ema_momentum": 0.8,
            "ema_overwrite_frequency": 5,
        },
        validation_split=0.2,
    ),
    "weight_decay": regressor(
        optimizer={"type": "RMSprop", "learning_rate": 0.01, "weight_decay": 0.1}
    ),
    "plateau": regressor(
        callbacks=[
            {"type": "ReduceLROnPlateau", "monitor": "loss", "patience": 1, "min_delta": 10.0}
        ],
        epochs=6,
    ),
    "plateau_cooldown": regressor(
        callbacks=[
            {
                "type": "ReduceLROnPlateau",
                "monitor": "loss",
                "patience": 2,
                "cooldown": 2,
                "min_delta": 10.0,
                "factor": 0.5,
                "min_lr": 0.004,
            }
        ],
        epochs=14,
    ),
    "early_stopping": regressor(
        callbacks=[{"type": "EarlyStopping", "monitor": "loss", "patience": 2, "min_delta": 0.3}],
        epochs=12,
    ),
    "full_batch": regressor(batch_size="full"),
    "loss_weight": regressor(loss_weights=0.25),
    "from_logits": {
        **chain([5], dense(3)),
        "train": train(
            CLASSES,
            {"type": "SparseCategoricalCrossentropy", "from_logits": True},
            metrics=["accuracy", {"type": "SparseCategoricalCrossentropy", "from_logits": True}],
        ),
    },
    "list_outputs": two(["kind", "size"], metrics={"kind": "accuracy"}),
    "list_weights": two(
        ["kind", "size"],
        loss_weights=[0.3, 2.0],
        metrics=[["accuracy"], ["mae", "mse"]],
        data={"sample_weight": WEIGHTS},
        validation_split=0.2,
    ),
    "mapping_outputs": two(
        {"which": "kind", "how": "size"},
        ("which", "how"),
        metrics={"how": ["mae"]},
        loss_weights={"how": 0.5},
        validation_split=0.2,
    ),
    "shared_encoder": {
        **chain([5], dense(4, "tanh", name="code")),
        "inputs": {"a": {"shape": [5]}, "b": {"shape": [5]}},
        "layers": [
            dense(4, "tanh", name="code", inputs="a"),
            {"reuse": "code", "inputs": "b", "name": "other"},
        ],
        "outputs": ["code", "other"],
        "train": train(
            {"code": [[*row, 0, 1] for row in Y], "other": [[1, *row, 0] for row in Y]},
            "mse",
            metrics=[["mae"], []],
            data={"x": {"a": X, "b": X[::-1]}},
            loss_weights=[1.0, 0.5],
            validation_split=0.2,
        ),
    },
    "one_trained": {
        **TWO,
        "outputs": ["kind", "size"],
        "train": train({"kind": CLASSES, "size": Y}, {"size": "mse"}),
    },
}


@pytest.mark.parametrize("name", PARITY)
def test_loop_equals_fit(name: str, tmp_path: Path) -> None:
    """The same weights and batches give the same loss and metrics in every epoch."""
    ours, theirs = train_both(PARITY[name], tmp_path)[::-1]
    if name == "shared_encoder":  # Keras calls both outputs by the layer's name
        ours, theirs = {k: ours[k] for k in ("loss", "val_loss")}, theirs
    else:
        assert set(ours) == set(theirs) - {"learning_rate"}
    for key, values in ours.items():
        assert len(values) == len(theirs[key])
        np.testing.assert_allclose(values, theirs[key], rtol=1e-4, atol=1e-4, err_msg=key)
    losses = ours["loss"]
    assert len(losses) > 1
    assert losses[-1] != losses[0]
