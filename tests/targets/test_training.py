"""Training scripts: the PyTorch loop against Keras's fit, and what scripts leave behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specfmt
from specfmt.diagnostics import SpecError
from specfmt.spec.document import parse_document
from specfmt.spec.train import SOURCES, TrainSpec
from tests.tools.training_tools import (
    arguments,
    assert_same_history,
    chain,
    dense,
    history,
    load,
    ruff,
    run_keras,
    run_torch,
    script,
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


L2 = {"type": "L2", "l2": 0.1}
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
    "activity": regressor(
        dense(6, "tanh", activity_regularizer={"type": "L1L2", "l1": 0.01, "l2": 0.1}),
        dense(2, kernel_regularizer="l2", activity_regularizer="l2"),
        validation_split=0.3,
    ),
    "activity_conv": regressor(
        dense(30),
        {"type": "Reshape", "target_shape": [5, 3, 2]},
        {
            "type": "Conv2D",
            "filters": 3,
            "kernel_size": 2,
            "activity_regularizer": {"type": "L2", "l2": 0.05},
        },
        {"type": "Activation", "activation": "relu"},
        {"type": "Flatten"},
        dense(2),
        validation_split=0.2,
    ),
    "activity_lstm": regressor(
        {"type": "Reshape", "target_shape": [5, 1]},
        {"type": "LSTM", "units": 3, "return_sequences": True, "activity_regularizer": "l1"},
        {"type": "Flatten"},
        dense(2),
        optimizer={"type": "SGD", "learning_rate": 0.05},
    ),
    "activity_layer": regressor(
        dense(6, "tanh"),
        {"type": "ActivityRegularization", "l1": 0.02, "l2": 0.1},
        {"type": "Reshape", "target_shape": [3, 2, 1]},
        {"type": "ActivityRegularization", "l2": 0.3},
        {"type": "ActivityRegularization"},
        {"type": "Flatten"},
        dense(2),
        {"type": "ActivityRegularization", "l1": 0.05},
        validation_split=0.3,
    ),
    "activity_both_ways": regressor(
        {"type": "Reshape", "target_shape": [5, 1]},
        {
            "type": "Bidirectional",
            "layer": {
                "type": "LSTM",
                "units": 2,
                "return_sequences": True,
                "return_state": True,
                "activity_regularizer": {"type": "L2", "l2": 0.2},
                "kernel_regularizer": "l1",
                "recurrent_regularizer": "l2",
                "bias_regularizer": "l2",
            },
            "activity_regularizer": "l1",
        },
        {"type": "Flatten", "inputs": "bidirectional"},
        dense(2),
    ),
    "activity_cells": regressor(
        dense(5, "relu"),
        {"type": "Reshape", "target_shape": [5, 1]},
        {"type": "Masking"},
        {
            "type": "RNN",
            "cell": {
                "type": "StackedRNNCells",
                "cells": [
                    {"type": "LSTMCell", "units": 3, "activity_regularizer": L2},
                    {"type": "GRUCell", "units": 2, "reset_after": False},
                    {"type": "SimpleRNNCell", "units": 2, "activity_regularizer": "l1"},
                ],
                "activity_regularizer": L2,
            },
            "unroll": True,
            "return_sequences": True,
        },
        {
            "type": "Bidirectional",
            "layer": {
                "type": "RNN",
                "cell": {"type": "LSTMCell", "units": 2, "activity_regularizer": L2},
                "unroll": True,
            },
        },
        dense(2, activity_regularizer={"type": "OrthogonalRegularizer", "mode": "columns"}),
    ),
    "activity_cells_steps": regressor(
        dense(12),
        {"type": "Reshape", "target_shape": [2, 3, 2]},
        {
            "type": "TimeDistributed",
            "layer": {
                "type": "RNN",
                "cell": {"type": "GRUCell", "units": 2, "activity_regularizer": L2},
                "unroll": True,
                "go_backwards": True,
            },
        },
        {"type": "Flatten"},
        dense(2),
    ),
    "activity_each_step": regressor(
        dense(12),
        {"type": "Reshape", "target_shape": [2, 3, 2]},
        {
            "type": "TimeDistributed",
            "layer": {
                "type": "Model",
                "name": "step",
                "inputs": {"v": {"shape": [3, 2]}},
                "layers": [
                    dense(3, activity_regularizer={"type": "L2", "l2": 0.1}),
                    {
                        "type": "Bidirectional",
                        "layer": {
                            "type": "GRU",
                            "units": 2,
                            "activity_regularizer": {"type": "L1L2", "l1": 0.1, "l2": 0.1},
                        },
                    },
                ],
            },
        },
        {
            "type": "TimeDistributed",  # its inner layer is not penalized
            "layer": dense(3, activity_regularizer="l2", kernel_regularizer="l2"),
            "activity_regularizer": "l1",
        },
        {"type": "Flatten"},
        dense(2),
    ),
    "activity_spectral": regressor(
        {
            "type": "SpectralNormalization",
            "layer": dense(4, "tanh", activity_regularizer={"type": "L2", "l2": 0.3}),
            "activity_regularizer": "l1",
        },
        dense(2),
    ),
    "activity_attention": regressor(
        dense(12, name="d"),
        {"type": "Reshape", "name": "s", "target_shape": [4, 3]},
        {
            "type": "MultiHeadAttention",
            "num_heads": 2,
            "key_dim": 3,
            "inputs": {"query": "s", "value": "s"},
            "use_gate": True,
            "kernel_regularizer": "l2",
            "activity_regularizer": {"type": "L2", "l2": 0.1},
            "name": "m",
        },
        {
            "type": "GroupQueryAttention",
            "head_dim": 2,
            "num_query_heads": 4,
            "num_key_value_heads": 2,
            "inputs": {"query": "m", "value": "s", "return_attention_scores": True},
            "activity_regularizer": {"type": "L1L2", "l1": 0.1, "l2": 0.1},
            "bias_regularizer": "l1",
            "name": "g",
        },
        {"type": "Flatten", "inputs": "g"},
        dense(2),
    ),
    "film": regressor(
        dense(24),
        {"type": "Reshape", "target_shape": [3, 4, 2, 1]},
        {
            "type": "ConvLSTM2D",
            "filters": 2,
            "kernel_size": 3,
            "strides": 2,
            "padding": "same",
            "return_sequences": True,
            "kernel_regularizer": "l2",
            "recurrent_constraint": {"type": "MaxNorm", "max_value": 0.6, "axis": [0, 1, 2]},
            "activity_regularizer": {"type": "L2", "l2": 0.05},
        },
        {"type": "Flatten"},
        dense(2),
        optimizer={"type": "SGD", "learning_rate": 0.05},
    ),
    "activity_shared": {
        "specfmt": 1,
        "name": "case",
        "inputs": {"x": {"shape": [5]}},
        "layers": [
            {
                "type": "Model",
                "name": "code",
                "inputs": {"vector": {"shape": [5]}},
                "layers": [
                    dense(5, "tanh", activity_regularizer={"type": "L2", "l2": 0.1}),
                    dense(5, activity_regularizer={"type": "L1", "l1": 0.02}),
                ],
            },
            {"reuse": "code", "name": "code_2"},
            dense(4, name="unused", inputs="code", activity_regularizer="l2"),
            dense(2, name="out", inputs="code_2"),
        ],
        "train": train(Y, "mse", validation_split=0.25),
    },
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


QUICK = ("class_weight_binary", "clipnorm", "one_trained")
"""The features of training that are compared by every quick run too."""


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PARITY],
)
def test_loop_equals_fit(name: str, tmp_path: Path) -> None:
    """The same weights and batches give the same loss and metrics in every epoch."""
    ours, theirs = train_both(PARITY[name], tmp_path)[::-1]
    if name == "shared_encoder":  # Keras calls both outputs by the layer's name
        ours, theirs = {k: ours[k] for k in ("loss", "val_loss")}, theirs
    else:
        assert list(ours) == list(theirs)
    for key, values in ours.items():
        assert len(values) == len(theirs[key])
    assert_same_history(ours, theirs)
    losses = ours["loss"]
    assert len(losses) > 1
    assert losses[-1] != losses[0]


RECURRENT = regressor(
    {"type": "Reshape", "target_shape": [5, 1]},
    {"type": "Bidirectional", "layer": {"type": "GRU", "units": 3}},
    dense(2),
)
START = {"batch_norm": PARITY["batch_norm"], "recurrent": RECURRENT, "two": PARITY["list_outputs"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", START)
def test_init_makes_both_start_alike(name: str, tmp_path: Path) -> None:
    """The recipe of docs/training.md: Keras's weights, converted, give the same first loss."""
    document = START[name]
    keras_file, torch_file = tmp_path / "init.weights.h5", tmp_path / "init.pt"
    module = load(script(document, "keras"))
    module.build_model().save_weights(keras_file)
    spec, problems = parse_document(document)
    assert spec is not None
    assert not problems
    specfmt.convert_weights(spec, keras_file, torch_file, fidelity="exact")
    # All samples in one batch: the loss of the first epoch is that of the initial weights.
    options = ["--epochs", "1", "--batch-size", "100"]
    run_keras(document, tmp_path / "keras", *options, "--init", str(keras_file))
    run_torch(document, tmp_path / "torch", *options, "--init", str(torch_file))
    run_torch(document, tmp_path / "other", *options)
    theirs, ours = history(tmp_path / "keras"), history(tmp_path / "torch")
    assert list(ours) == list(theirs)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)
    assert abs(history(tmp_path / "other")["loss"][0] / ours["loss"][0] - 1) > 1e-3


def test_history_is_a_grid_of_three_columns(tmp_path: Path) -> None:
    from PIL import Image

    module = load(script(regressor(), "torch"))
    names = [f"m{index}" for index in range(7)]
    module.save_history(
        {name: [1.0, 2.0] for name in [*names, "val_m1", "learning_rate"]}, tmp_path
    )
    with Image.open(tmp_path / "history.png") as picture:
        assert picture.size == (1440, 1152)
    assert (tmp_path / "history.csv").read_text().splitlines()[0].startswith("epoch,m0,m1")
    module.save_history({"loss": [1.0], "learning_rate": [1.0]}, tmp_path)
    with Image.open(tmp_path / "history.png") as picture:
        assert picture.size == (480, 384)


VARIANTS: dict[str, dict[str, Any]] = {
    **PARITY,
    "picture": {
        **chain(
            [8, 8, 1],
            {"type": "Conv2D", "filters": 2, "kernel_size": 3},
            {"type": "Flatten"},
            dense(10, "softmax"),
        ),
        "train": {
            "data": {"source": "sklearn", "name": "digits", "scale": 16, "test_split": 0.9},
            "loss": SPARSE,
            "metrics": ["accuracy", "sparse_top_k_categorical_accuracy"],
            "batch_size": 64,
        },
    },
    "colour": {
        **chain([4, 4, 3], {"type": "Flatten"}, dense(2, "softmax")),
        "train": {"data": {"source": "synthetic", "samples": 20}, "loss": SPARSE},
    },
    "image_to_image": {
        **chain([4, 6, 2], {"type": "Conv2D", "filters": 2, "kernel_size": 3, "padding": "same"}),
        "train": {
            "data": {"source": "synthetic", "task": "same", "samples": 20},
            "loss": "mse",
            "metrics": ["mae"],
            "shuffle": False,
        },
    },
    "segmentation": {
        **chain(
            [4, 6, 2], {"type": "Conv2D", "filters": 3, "kernel_size": 1, "activation": "softmax"}
        ),
        "train": {
            "data": {
                "source": "inline",
                "x": RNG.normal(size=(6, 4, 6, 2)).round(2).tolist(),
                "y": RNG.integers(0, 3, (6, 4, 6)).tolist(),
            },
            "loss": SPARSE,
            "metrics": ["accuracy"],
            "shuffle": False,
            "run_eagerly": True,
        },
    },
    "tokens": {
        **chain(
            [4],
            {"type": "Embedding", "input_dim": 9, "output_dim": 3},
            dense(9, "softmax"),
            dtype="int32",
        ),
        "train": {
            "data": {
                "source": "inline",
                "x": RNG.integers(0, 9, (12, 4)).tolist(),
                "y": RNG.integers(0, 9, (12, 4)).tolist(),
            },
            "loss": SPARSE,
            "metrics": ["accuracy"],
            "shuffle": False,
            "optimizer": {"type": "SGD", "learning_rate": 0.5},
            "run_eagerly": True,
        },
    },
    "callbacks": classifier(
        validation_split=0.25,
        callbacks=[
            {"type": "EarlyStopping", "patience": 3, "restore_best_weights": True},
            {"type": "ModelCheckpoint", "filepath": "best.keras", "save_best_only": True},
            {
                "type": "ModelCheckpoint",
                "filepath": "e{epoch:02d}-{val_loss:.1f}.weights.h5",
                "save_weights_only": True,
            },
            {"type": "ReduceLROnPlateau", "patience": 1},
            {"type": "CSVLogger", "filename": "log.csv", "separator": ";"},
            {"type": "TerminateOnNaN"},
        ],
    ),
    "f1": classifier(
        loss="categorical_crossentropy", data={"one_hot": True}, weighted_metrics=["F1Score"]
    ),
    "standardized": classifier(data={"standardize": True, "classes": ["a'\"{b}", "b\n", "c\\"]}),
    "many_epochs": regressor(data={"standardize": True})
    | {"name": "class.a-b", "description": 'a """ and \\ {x} %s\nnext'},
    "custom_activation": classifier(
        {"type": "Dense", "units": 4, "activation": {"type": "leaky_relu", "negative_slope": 0.3}}
    ),
    "hostile_names": {
        "specfmt": 1,
        "name": "class",
        "inputs": {"len": {"shape": [5]}, "predict": {"shape": [5]}},
        "layers": [
            {"type": "Concatenate", "inputs": ["len", "predict"], "name": "F"},
            dense(1, "sigmoid", name="prediction", inputs="F"),
            dense(1, name="zip", inputs="F"),
            dense(2, name="loss", inputs="F"),
        ],
        "outputs": ["prediction", "zip", "loss"],
        "train": {
            "data": {
                "source": "inline",
                "x": {"len": X, "predict": X},
                "y": {
                    "prediction": [c > 1 for c in CLASSES] and [int(c > 1) for c in CLASSES],
                    "zip": CLASSES,
                    "loss": Y,
                },
                "classes": ["no", "yes"],
            },
            "loss": ["binary_crossentropy", "mse", "mse"],
            "metrics": [["accuracy", "auc"], [], ["mae"]],
            "run_eagerly": True,
        },
    },
}
VARIANTS["many_epochs"]["train"]["epochs"] = 60
QUICK_RUNS = ("callbacks", "segmentation", "many_epochs")
RUN = [
    name if name in QUICK_RUNS else pytest.param(name, marks=pytest.mark.slow)
    for name in VARIANTS
    if name not in PARITY
]


@pytest.mark.parametrize("drops", [False, True])
def test_masked_steps_count_in_both_or_not_at_all(drops: bool, tmp_path: Path) -> None:
    """Keras leaves the masked steps of an output out of the loss and the metrics."""
    document = {
        **chain(
            [6],
            {"type": "Embedding", "input_dim": 5, "output_dim": 3, "mask_zero": True},
            {"type": "GRU", "units": 4, "return_sequences": True},
            dense(3, "softmax", name="tags"),
            *([{"op": "multiply", "inputs": ["tags", 1.0], "name": "all_tags"}] if drops else []),
        ),
        "train": train(
            RNG.integers(0, 3, (16, 6)).tolist(),
            SPARSE,
            data={"x": np.tile([1, 2, 3, 0, 0, 0], (16, 1)).tolist()},
            metrics=["accuracy"],
        ),
    }
    document["inputs"]["x"]["dtype"] = "int32"
    if not drops:
        with pytest.raises(SpecError, match="SF304") as caught:
            script(document, "torch")
        assert [d.pointer for d in caught.value.diagnostics] == ["/train"]
        return
    theirs, ours = train_both(document, tmp_path)
    assert_same_history(ours, theirs)


def test_scripts_are_clean_by_ruff(tmp_path: Path) -> None:
    paths = []
    for name, document in VARIANTS.items():
        for target in ("keras", "torch"):
            for fidelity in ("idiomatic", "exact") if target == "torch" else ("exact",):
                paths.append(tmp_path / f"{name}_{target}_{fidelity}.py")
                paths[-1].write_text(script(document, target, fidelity=fidelity), encoding="utf-8")
    ruff(paths)


@pytest.mark.parametrize("name", ["image_to_image", "segmentation", "tokens"])
def test_loop_equals_fit_of_higher_rank(name: str, tmp_path: Path) -> None:
    theirs, ours = train_both(VARIANTS[name], tmp_path, "--epochs", "3")
    assert_same_history(ours, theirs)


@pytest.mark.parametrize("target", ["keras", "torch"])
@pytest.mark.parametrize("name", RUN)
def test_scripts_run_save_and_predict(
    name: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = VARIANTS[name]
    module = (run_keras if target == "keras" else run_torch)(document, tmp_path, "--epochs", "2")
    files = {path.name for path in tmp_path.iterdir()}
    saved = {"model.keras", "model.weights.h5", "model.json"}
    assert files >= (saved if target == "keras" else {"weights.pt", "model.txt"})
    assert "model.pt" not in files
    assert files >= {"history.csv", "history.png"}
    assert len(history_rows(tmp_path)) == 3
    shown = capsys.readouterr()
    assert "predicted" in shown.out
    assert "%|" not in shown.err  # bars of progress only on a terminal
    sample = write_sample(document, tmp_path)
    args = arguments(
        module, tmp_path, "--predict", str(sample), *["--device", "cpu"] * (target == "torch")
    )
    (module.predict if target == "keras" else module.predict_file)(args)
    assert capsys.readouterr().out.strip()
    resumed = arguments(
        module, tmp_path, "--resume", "--epochs", "1", *["--device", "cpu"] * (target == "torch")
    )
    module.train(resumed)
    assert len(history_rows(tmp_path)) == 2


def history_rows(out: Path) -> list[str]:
    return (out / "history.csv").read_text().splitlines()


def write_sample(document: dict[str, Any], folder: Path) -> Path:
    """One sample for --predict."""
    arrays = {
        name: np.ones([size or 3 for size in given["shape"]], given.get("dtype", "float32"))
        for name, given in document["inputs"].items()
    }
    if len(arrays) > 1:
        np.savez(folder / "sample.npz", **arrays)
        return folder / "sample.npz"
    np.save(folder / "sample.npy", next(iter(arrays.values())))
    return folder / "sample.npy"


def test_examples_of_the_documentation(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, flags=re.S)
    assert len(blocks) == 4
    paths = []
    for index, block in enumerate(blocks):
        for target in ("keras", "torch"):
            paths.append(tmp_path / f"{index}_{target}.py")
            paths[-1].write_text(specfmt.generate(specfmt.loads(block), target, part="train"))
    ruff(paths)
    fields = {*TrainSpec.model_fields}.union(*(cls.model_fields for cls in SOURCES.values()))
    assert [name for name in fields if f"`{name}`" not in page] == []
